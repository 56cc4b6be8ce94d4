"""The matrix of foreign clients: what each method of each client must do against a served market, one cell a method.

A cell is passed when what the client answers agrees with the market itself, and not supported when the client raises
what the real venue's refusal makes it raise; ``run`` answers what became of each. ``table`` is the page for people.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock

from marketsim.domain.order import Side
from marketsim.gateway.server import Gateway

CCXT, CCXT_ASYNC, CCXT_PRO = "ccxt", "ccxt.async_support", "ccxt.pro"
CLIENT, ASYNC_CLIENT, SOCKETS = "Client", "AsyncClient", "BinanceSocketManager"
CCXT_ALL, PYTHON_BINANCE = (CCXT, CCXT_ASYNC, CCXT_PRO), (CLIENT, ASYNC_CLIENT)
COLUMNS = (*CCXT_ALL, *PYTHON_BINANCE, SOCKETS)
SEATS = {
    CCXT: "ccxt", CCXT_ASYNC: "ccxt_async", CCXT_PRO: "ccxt_pro", CLIENT: "binance", ASYNC_CLIENT: "binance_async",
    SOCKETS: "binance_sockets",
}  # fmt: skip
PAIR, SYMBOL = "ABC/USD", "ABCUSD"
MARKET = """
name: small
seed: 5
start: "09:30"
duration: 4h
warm_up: 2min
venues:
  XSIM: {fees: {maker: 1bps, taker: 2bps}, processing: 2us}
instruments:
  ABC: {tick_size: 0.01, lot_size: 1, reference_price: 100, min_notional: 5}
  XYZ: {tick_size: 0.05, lot_size: 0.1, reference_price: 20}
network:
  latency: {type: lognormal, median: 300us, sigma: 0.4, minimum: 50us}
agents:
  market_maker:  # whatever the clients do to it, it goes on
    {type: market_maker, count: 3, target_spread: 0.02, quantity: 60, max_position: 100000, refresh: 100ms,
     adverse_selection_protection: false, volatility_factor: 0}
  noise: {type: noise, count: 40, rate: 0.5/s, market_share: 0.2, cancel_share: 0.3, quantity: 10, distance: 12}
"""

Check = Callable[["Seat"], Awaitable[None]]


@dataclass(frozen=True)
class Cell:
    """A method of a client. ``error``: the class that it must raise; none means that it works.

    ``beside``: may run beside the others of its client that may.
    """

    client: str
    method: str
    check: Check
    error: str = ""
    beside: bool = False


CELLS: list[Cell] = []


def sample() -> list[Cell]:
    """Every method once, the clients in turn."""
    methods: dict[tuple[str, bool], list[Cell]] = {}
    for one in CELLS:
        methods.setdefault((one.method, one.client in CCXT_ALL), []).append(one)
    chosen = {id(cells[turn % len(cells)]) for turn, cells in enumerate(methods.values())}
    return [one for one in CELLS if id(one) in chosen]


def cell(*clients: str, method: str = "", error: str = "", beside: bool = False) -> Callable[[Check], Check]:
    """Put a check into the matrix, for one client or several. ``method``: as it is called; the function's name else."""

    def keep(check: Check) -> Check:
        CELLS.extend(Cell(client, method or check.__name__, check, error, beside) for client in clients)
        return check

    return keep


@dataclass
class Market:
    """The served market, and the right to let it stand still for a moment."""

    gateway: Gateway
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def still(self, wait: float = 0.01) -> AsyncIterator[None]:
        """The clock stands still. ``wait``: wall seconds before, in which what is under way arrives."""
        async with self.turn:
            self.gateway.pacer.pause()
            try:
                await asyncio.sleep(wait)
                while self.gateway.pacer.pace.lag:  # on a busy machine the market has yet to come to where it stands
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.005)
                yield
            finally:
                self.gateway.pacer.resume()
                await asyncio.sleep(0.01)  # what was under way arrives before the next one lets it stand still

    @property
    def view(self) -> Any:
        """What everybody may know of ABC."""
        return self.gateway.exchange.markets[SYMBOL].view

    def book(self, levels: int = 5000) -> tuple[list[list[float]], list[list[float]]]:
        """The venue's own book of ABC: pairs of price and quantity, best first."""
        sides = self.gateway.live.book("XSIM", "ABC", levels)
        bids, asks = ([[price / 100, float(lots)] for price, lots, _ in side] for side in sides)
        return bids, asks

    def candles(self, seconds: int) -> list[list[float]]:
        """Candles of ABC, made here from single trades: ms, open, high, low, close, volume."""
        made: dict[int, list[float]] = {}
        for trade in self.view.trades:
            start = trade.time // (seconds * 10**9) * seconds * 1000
            price = trade.price / 100
            bar = made.setdefault(start, [start, price, price, price, price, 0.0])
            bar[2], bar[3], bar[4] = max(bar[2], price), min(bar[3], price), price
            bar[5] += trade.quantity
        whole: list[list[float]] = []
        for start in range(min(made), self.gateway.exchange.shifted_now // 10**6 + 1, seconds * 1000):
            whole.append(made.get(start) or [start, *[whole[-1][4]] * 4, 0.0])  # nothing traded: the last price
        return whole


@dataclass
class Seat:
    """A client of the matrix at its seat. ``ask`` calls a method of it, whatever its kind."""

    client: Any
    name: str
    market: Market
    thread: ThreadPoolExecutor | None = None  # of clients that wait
    sockets: Any = None

    async def ask(self, method: str, *arguments: Any, **words: Any) -> Any:
        """Call a method of the client."""
        call = partial(getattr(self.client, method), *arguments, **words)
        if self.thread is not None:
            return await asyncio.get_running_loop().run_in_executor(self.thread, call)
        answer = call()
        return await answer if inspect.isawaitable(answer) else answer

    async def best(self) -> tuple[float, float]:
        """Best bid and ask of ABC."""
        bids, asks = self.market.book(1)
        return bids[0][0], asks[0][0]

    def account(self, asset: str) -> tuple[float, float]:
        """What the seat holds of an asset, as the market itself knows it: free and locked."""
        balance = self.market.gateway.live.clients[self.name].balance(asset)
        return float(balance.free), float(balance.locked)

    def record(self, number: Any) -> Any:
        """The seat's own record of an order."""
        return self.market.gateway.live.clients[self.name].by_number(int(number))


# --- nothing else is asked ---


class Fence:
    """Lets this process reach one address only, and remembers what else was tried."""

    def __init__(self, *ports: int) -> None:
        self.allowed = {("127.0.0.1", port) for port in ports}
        self.tried: list[str] = []

    @contextmanager
    def up(self) -> Iterator[Fence]:
        """While it stands."""
        connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

        def check(address: Any) -> None:
            if isinstance(address, tuple) and tuple(address[:2]) not in self.allowed:
                self.tried.append(f"{address[0]}:{address[1]}")
                raise ConnectionRefusedError(f"the fence: {address}")

        def guarded(call: Any) -> Any:
            def through(sock: socket.socket, address: Any) -> Any:
                check(address)
                return call(sock, address)

            return through

        def looked_up(host: Any, port: Any, *rest: Any, **words: Any) -> Any:
            check((host.decode() if isinstance(host, bytes) else host, int(port) if port else port))
            return lookup(host, port, *rest, **words)

        def by_name(host: Any) -> Any:
            check((host, "name"))

        with (
            mock.patch.object(socket.socket, "connect", guarded(connect)),
            mock.patch.object(socket.socket, "connect_ex", guarded(connect_ex)),
            mock.patch.object(socket, "getaddrinfo", looked_up),
            mock.patch.object(socket, "gethostbyname", by_name),
        ):
            yield self


# --- running it ---


@dataclass(frozen=True)
class Outcome:
    """What became of a cell; ``failure`` is a traceback."""

    cell: Cell
    failure: str = ""


async def run(market: Market, seats: Mapping[str, Seat], cells: list[Cell]) -> list[Outcome]:
    """Run cells: those of one client one after the other, the clients beside each other."""

    async def column(client: str) -> list[Outcome]:
        mine = [one for one in cells if one.client == client]
        beside = await asyncio.gather(*(attempt(seats[client], one) for one in mine if one.beside))
        return [*beside, *[await attempt(seats[client], one) for one in mine if not one.beside]]

    found = await asyncio.gather(*(column(client) for client in seats))
    return [outcome for outcomes in found for outcome in outcomes]


async def attempt(seat: Seat, one: Cell) -> Outcome:
    """Run one cell."""
    try:
        await asyncio.wait_for(one.check(seat), 20)
    except Exception as error:  # noqa: BLE001 - what became of a cell is told, whatever it was
        if one.error and type(error).__name__ == one.error:
            return Outcome(one)
        return Outcome(one, "".join(traceback.format_exception(error)))
    return Outcome(one, f"should have raised {one.error}" if one.error else "")


def table(columns: tuple[str, ...]) -> list[str]:
    """The matrix of some clients as lines of Markdown."""
    mine = [one for one in CELLS if one.client in columns]
    methods = list(dict.fromkeys(one.method for one in mine))
    found = {(one.method, one.client): f"`{one.error}`" if one.error else "✓" for one in mine}
    lines = [f"| method | {' | '.join(f'`{column}`' for column in columns)} |", f"|---|{'---|' * len(columns)}"]
    return lines + [
        f"| {_shown(method)} | {' | '.join(found.get((method, column), '') for column in columns)} |"
        for method in methods
    ]


def _shown(method: str) -> str:
    name, _, rest = method.partition(" ")
    return f"`{name}` {rest}".strip()


def near(one: float | str, other: float | str, by: float = 1e-6) -> bool:
    """Whether two amounts are the same but for rounding."""
    return abs(float(one) - float(other)) <= by


def lots(levels: Any) -> list[list[float]]:
    """Levels of any client as pairs of numbers."""
    return [[float(price), float(quantity)] for price, quantity in (level[:2] for level in levels)]


def side_of(view: Any, side: Side) -> dict[float, float]:
    """One side of a public book: quantity by price."""
    levels = view.book.bids if side is Side.BUY else view.book.asks
    return {price / 100: float(quantity) for price, quantity in levels.items()}


def text(price: float) -> str:
    """A price as a request says it."""
    return str(Decimal(repr(price)).quantize(Decimal("0.01")))
