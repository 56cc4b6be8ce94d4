"""Market data in real time: books that repair themselves, bars, phases and what the venue does not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.order import Side
from marketsim.domain.phase import Phase
from marketsim.domain.units import MINUTE, SECOND
from marketsim.errors import InvalidValueError
from marketsim.realtime.dialect import VenueMarket, market_of
from marketsim.realtime.feed import VenueFeed
from marketsim.realtime.session import RealtimeSession
from marketsim.trading.request import MarketDataRequest

ABC = Instrument("ABCUSD", lot_size="0.1")
MARKET = VenueMarket("ABCUSD", "ABC", "USD", ABC, "V")


class Bench:
    """A feed, what it asked for, and what it told."""

    def __init__(self) -> None:
        self.up = True
        self.now = 10 * SECOND
        self.streams: dict[str, Callable[[Any], None]] = {}
        self.asked: list[tuple[str, dict[str, Any], Callable[[Any], None]]] = []
        self.told: list[tuple[str, Any]] = []
        self.notes: list[str] = []
        self.calls: list[tuple[int, Callable[..., Any], tuple[Any, ...]]] = []
        self.feed = VenueFeed(self, self.ask, self)

    def listen(self, name: str, take: Callable[[Any], None]) -> None:
        self.streams[name] = take

    def ask(self, method: str, params: Any, then: Callable[[Any], None]) -> None:
        self.asked.append((method, dict(params), then))

    def heard(self, time: int) -> None:
        pass

    def hear(self, hook: str, fact: Any) -> None:
        self.told.append((hook, fact))

    def note(self, key: str, value: str) -> None:
        self.notes.append(value)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((int(seconds * SECOND), call, ()))

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        self.calls.append((time, function, arguments))

    def subscribe(self, **asked: Any) -> None:
        self.feed.subscribe(MARKET, MarketDataRequest.of(asked))

    def answer(self, answer: Any) -> None:
        self.asked.pop(0)[2](answer)

    def depth(self, first: int, last: int, bids: list[Any] = [], asks: list[Any] = []) -> None:  # noqa: B006
        self.streams["abcusd@depth@100ms"]({"E": 5, "U": first, "u": last, "b": bids, "a": asks})

    @property
    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.told]


def test_a_book_begins_with_what_came_after_its_snapshot() -> None:
    bench = Bench()
    book = bench.feed.keep_book(MARKET)
    bench.feed.ready(["abcusd@depth@100ms"])
    bench.depth(4, 5, [["99.98", "1.0"]])
    bench.depth(6, 8, [["99.99", "0.5"]], [["100.01", "0.0"]])
    bench.answer({"lastUpdateId": 5, "bids": [["99.98", "1.0"]], "asks": [["100.01", "0.3"], ["100.02", "2.0"]]})
    assert bench.hooks == ["on_book", "on_level", "on_level"]
    assert book.synchronized
    assert (book.best_bids(9), book.best_asks(9)) == ([(9_999, 5), (9_998, 10)], [(10_002, 20)])


def test_a_gap_is_noticed_and_repaired() -> None:
    bench = Bench()
    book = bench.feed.keep_book(MARKET)
    bench.feed.ready(["abcusd@depth@100ms"])
    bench.answer({"lastUpdateId": 5, "bids": [["99.98", "1.0"]], "asks": []})
    bench.depth(6, 6, [["99.97", "1.0"]])
    bench.depth(9, 9, [["99.96", "1.0"]])
    assert not book.synchronized
    assert book.gaps == 1
    assert [params["symbol"] for _, params, _ in bench.asked] == ["ABCUSD"]
    bench.answer({"lastUpdateId": 7, "bids": [], "asks": []})  # older than what is missing: another one is asked for
    assert not book.synchronized
    bench.answer({"lastUpdateId": 9, "bids": [["99.96", "1.0"]], "asks": []})
    bench.depth(10, 10, [], [["100.00", "0.1"]])
    assert book.synchronized
    assert (book.best_bids(9), book.best_asks(9)) == ([(9_996, 10)], [(10_000, 1)])
    updates = [fact.sequence for hook, fact in bench.told if hook == "on_level"]
    assert updates == sorted(set(updates))


def test_a_book_of_a_broken_stream_is_not_up_to_date_until_it_is_there_again() -> None:
    bench = Bench()
    book = bench.feed.keep_book(MARKET)
    bench.feed.ready(["abcusd@depth@100ms"])
    bench.answer({"lastUpdateId": 5, "bids": [["99.98", "1.0"]], "asks": []})
    bench.up = False
    bench.feed.lost()
    assert not book.synchronized
    assert not bench.asked
    bench.up = True
    bench.feed.ready(["abcusd@depth@100ms"])
    bench.answer({"lastUpdateId": 50, "bids": [["99.90", "1.0"]], "asks": []})
    assert book.synchronized
    assert book.best_bids(9) == [(9_990, 10)]


def test_quotes_begin_with_the_present_ones_and_are_conflated_on_request() -> None:
    bench = Bench()
    bench.subscribe(quotes=True, interval="1s")
    bench.feed.ready(["abcusd@bookTicker"])
    bench.answer({"bidPrice": "99.99", "bidQty": "1.0", "askPrice": "0.00", "askQty": "0.0"})
    for bid in ("99.98", "99.97"):
        bench.streams["abcusd@bookTicker"]({"b": bid, "B": "2.0", "a": "100.01", "A": "0.1"})
    ((due, call, _),) = bench.calls
    assert (due, bench.told) == (bench.now, [])
    call()
    (quote,) = [fact for _, fact in bench.told]
    assert (quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity) == (9_997, 20, 10_001, 1)
    with pytest.raises(InvalidValueError, match="already"):
        bench.subscribe(quotes=True)


def test_trades_bars_and_phases() -> None:
    bench = Bench()
    bench.subscribe(trades=True, bars="1min", status=True, indicative=True)
    bench.streams["abcusd@trade"]({"E": 7, "T": 6, "p": "100.02", "q": "0.3", "m": True})
    bar = {"t": 60_000, "o": "100.00", "h": "100.03", "l": "99.99", "c": "100.01", "v": "4.0", "q": "400.04", "n": 3}
    for over in (False, True, True):
        bench.streams["abcusd@kline_1m"]({"E": 7, "k": {**bar, "x": over}})
    for word in ("TRADING", "TRADING", "HALT"):
        bench.asked[-1][2]({"symbols": [{"status": word}]})
    facts = [fact for _, fact in bench.told]
    assert bench.hooks == ["on_trade", "on_bar", "on_status", "on_status"]
    assert (facts[0].price, facts[0].quantity, facts[0].side) == (10_002, 3, Side.SELL)
    assert (facts[1].start, facts[1].time, facts[1].volume, facts[1].value) == (MINUTE, 2 * MINUTE, 40, 400_040)
    assert [fact.phase for fact in facts[2:]] == [Phase.CONTINUOUS, Phase.HALT]
    assert "indicative" in bench.notes[0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"orders": True}, "single orders"),
        ({"imbalance": 0.9}, "imbalance"),
        ({"bars": "7s"}, "1s, 1m"),
        ({"levels": True, "interval": "2s"}, "every 1s"),
    ],
)
def test_what_the_venue_does_not_tell_is_said_at_once(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Bench().subscribe(**asked)


def test_a_market_is_made_from_its_entry() -> None:
    entry = {
        "symbol": "ETHBTC", "baseAsset": "ETH", "quoteAsset": "BTC",
        "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.00001000"},
                    {"filterType": "LOT_SIZE", "stepSize": "0.00100000"}],
    }  # fmt: skip
    market = market_of(entry, "0.0512345", "V")
    instrument = market.instrument
    assert (instrument.symbol, instrument.currency, instrument.reference) == ("ETHBTC", "BTC", 5_123)
    assert (market.price(5_123), market.quantity(7)) == ("0.05123", "0.007")
    assert (market.ticks("0.05123000"), market.lots("0.00700000")) == (5_123, 7)


def test_what_arrives_is_told_to_the_listener_before_the_agent() -> None:
    """Executions and routed orders of an agent live on it, trades among it."""
    told: list[tuple[str, str]] = []

    class Hooks:
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, hook: str) -> Callable[[Any], None]:
            return lambda fact: told.append((self._name, hook))

    session = RealtimeSession.__new__(RealtimeSession)
    session._listener, session.agent = Hooks("listener"), Hooks("agent")  # type: ignore[assignment]
    session._tell_fact("on_trade", TradePrint(0, ABC, 100, 5, Side.BUY, "V"))
    session._tell_fact("on_quote", Quote(0, ABC, 99, 5, 101, 5, "V"))
    assert told == [("listener", "on_trade"), ("agent", "on_trade"), ("listener", "on_quote"), ("agent", "on_quote")]
