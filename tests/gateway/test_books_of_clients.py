"""Books that clients keep from the streams equal ours at every update: ccxt's, and one by the venue's own recipe.

Ours is the history of each book by update number, written down where the public feed hears of it; the streams and the
snapshots are made elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")
websockets = pytest.importorskip("websockets")

from marketsim.agents.public_feed import PublicFeed  # noqa: E402
from marketsim.domain.market_data import BookSnapshot, LevelUpdate  # noqa: E402
from marketsim.domain.order import Side  # noqa: E402
from marketsim.gateway import ccxt_config, parse_rules  # noqa: E402
from marketsim.gateway.server import Gateway, Options, background, prepare  # noqa: E402
from marketsim.scenario import loader  # noqa: E402

UPDATES = 10_000
SYMBOLS = [f"A{number:02}USD" for number in range(24)]
MARKET = f"""
name: many
seed: 3
start: "09:30"
duration: 8h
warm_up: 1min
venues:
  XSIM: {{}}
instruments:
  {{{", ".join(f"A{number:02}: {{tick_size: 0.01, lot_size: 1, reference_price: 100}}" for number in range(24))}}}
agents:
  market_maker: {{type: market_maker, count: 1, target_spread: 0.02, quantity: 50, max_position: 500, refresh: 200ms}}
  noise: {{type: noise, count: 24, rate: 3/s, market_share: 0.2, cancel_share: 0.3, quantity: 10, distance: 12}}
"""


class History:
    """Every change of every book, in order, by symbol: update number, side, price, quantity."""

    def __init__(self) -> None:
        self.changes: defaultdict[str, list[tuple[int, Side, float, float]]] = defaultdict(list)
        self.begin: dict[str, tuple[int, dict[float, float], dict[float, float]]] = {}

    def snapshot(self, feed: PublicFeed, book: BookSnapshot) -> None:
        symbol = book.instrument.symbol + "USD"
        bids, asks = ({price / 100: float(lots) for price, lots in side} for side in (book.bids, book.asks))
        first = self.begin.setdefault(symbol, (book.sequence + 1, bids, asks))
        assert first[0] == book.sequence + 1, "the book had a gap"

    def level(self, feed: PublicFeed, update: LevelUpdate) -> None:
        change = update.sequence + 1, update.side, update.price / 100, float(update.quantity)
        self.changes[update.instrument.symbol + "USD"].append(change)


class Ours:
    """A book of the history that goes on to the update that a client has come to."""

    def __init__(self, history: History, symbol: str) -> None:
        self.last, bids, asks = history.begin[symbol]
        self.bids, self.asks = dict(bids), dict(asks)
        self.changes = history.changes[symbol]
        self.place = 0
        self.compared = 0

    def compare(self, number: int, bids: dict[float, float], asks: dict[float, float]) -> None:
        """The client's book after an update is ours."""
        while self.place < len(self.changes) and self.changes[self.place][0] <= number:
            at, side, price, quantity = self.changes[self.place]
            self.place += 1
            if at <= self.last:
                continue
            assert at == self.last + 1
            levels = self.bids if side is Side.BUY else self.asks
            if quantity:
                levels[price] = quantity
            else:
                levels.pop(price, None)
            self.last = at
        assert self.last == number
        assert bids == self.bids
        assert asks == self.asks
        self.compared += 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, History]]:
    folder = tmp_path_factory.mktemp("books")
    (folder / "many.yaml").write_text(MARKET, encoding="utf-8")
    history = History()
    on_level, on_book = PublicFeed.on_level, PublicFeed.on_book

    def level(feed: PublicFeed, update: LevelUpdate) -> None:
        history.level(feed, update)
        on_level(feed, update)

    def book(feed: PublicFeed, whole: BookSnapshot) -> None:
        history.snapshot(feed, whole)
        on_book(feed, whole)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PublicFeed, "on_level", level)
        patch.setattr(PublicFeed, "on_book", book)
        options = Options(port=0, speed=8.0, clients=("watcher",), rules=parse_rules("off"))
        with background(prepare(loader.check(str(folder / "many.yaml"), []), folder / "run", options)) as gateway:
            yield gateway, history


def _levels(side: Any) -> dict[float, float]:
    return {float(price): float(quantity) for price, quantity in side}


async def ccxt_compares(gateway: Gateway, history: History, updates: int) -> int:
    """Let ccxt watch the books, and compare after each message that it takes in."""
    import ccxt.pro

    client = ccxt.pro.binance(ccxt_config(gateway.url))
    client.options["watchOrderBookRate"] = 100
    books = {symbol: Ours(history, symbol) for symbol in SYMBOLS}
    handle = client.handle_order_book_message

    def observed(connection: Any, message: Any, book: Any) -> Any:
        kept = handle(connection, message, book)
        books[message["s"]].compare(message["u"], _levels(kept["bids"]), _levels(kept["asks"]))
        return kept

    client.handle_order_book_message = observed
    try:
        await client.load_markets()
        while sum(book.compared for book in books.values()) < updates:
            await client.watch_order_book_for_symbols([f"{symbol[:-3]}/USD" for symbol in SYMBOLS])
    finally:
        await client.close()
    assert all(book.compared for book in books.values())
    return sum(book.compared for book in books.values())


async def recipe_compares(gateway: Gateway, history: History, updates: int) -> int:
    """Keep the books by the recipe of the venue's documentation: events, then a snapshot, then what follows it."""
    import aiohttp

    ours = {symbol: Ours(history, symbol) for symbol in SYMBOLS}
    streams = "/".join(f"{symbol.lower()}@depth@100ms" for symbol in SYMBOLS)
    address = gateway.url.replace("http", "ws", 1) + f"/stream?streams={streams}"
    books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
    last: dict[str, int] = {}
    async with aiohttp.ClientSession() as web, websockets.connect(address, max_size=None) as socket:
        while sum(book.compared for book in ours.values()) < updates:
            event = json.loads(await asyncio.wait_for(socket.recv(), 10))["data"]
            symbol = event["s"]
            if symbol not in books:
                async with web.get(f"{gateway.url}/api/v3/depth?symbol={symbol}&limit=5000") as answer:
                    snapshot = await answer.json()
                books[symbol] = _levels(snapshot["bids"]), _levels(snapshot["asks"])
                last[symbol] = -snapshot["lastUpdateId"]
            if last[symbol] < 0:  # the first event that counts holds the snapshot's number, or begins behind it
                if event["u"] <= -last[symbol]:
                    continue
                assert event["U"] <= 1 - last[symbol] <= event["u"]
            else:
                assert event["U"] == last[symbol] + 1
            last[symbol] = event["u"]
            for levels, changes in zip(books[symbol], (event["b"], event["a"]), strict=True):
                for price, quantity in changes:
                    if float(quantity):
                        levels[float(price)] = float(quantity)
                    else:
                        levels.pop(float(price), None)
            ours[symbol].compare(event["u"], *books[symbol])
    assert all(book.compared for book in ours.values())
    return sum(book.compared for book in ours.values())


@pytest.mark.slow
def test_books_of_clients_equal_ours_at_every_update(served: tuple[Gateway, History]) -> None:
    pytest.importorskip("ccxt")
    gateway, history = served

    async def both() -> list[int]:
        asked = (ccxt_compares(gateway, history, UPDATES), recipe_compares(gateway, history, UPDATES))
        return list(await asyncio.gather(*asked))

    assert min(asyncio.run(asyncio.wait_for(both(), 240))) >= UPDATES
