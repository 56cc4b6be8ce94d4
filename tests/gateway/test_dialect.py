"""The dialect by itself: parameters, forms of orders, public answers and streams, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents.client import Client
from marketsim.agents.public_feed import MINUTE, MarketView, PublicFeed, PublicTrade
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote
from marketsim.domain.order import OrderFlag, OrderType, Reason, Side, TimeInForce
from marketsim.domain.units import MILLISECOND, SECOND
from marketsim.errors import ConfigurationError
from marketsim.gateway.binance import lists, orders, public
from marketsim.gateway.binance.errors import VenueError, of_reason
from marketsim.gateway.binance.markets import ServedMarket, ServedMarkets, check_servable
from marketsim.gateway.binance.operations import OPERATIONS, by_method, by_path
from marketsim.gateway.binance.parameters import INTERVALS, Parameter, read_all
from marketsim.gateway.binance.sockets import target
from marketsim.gateway.binance.streams import Streams
from marketsim.trading.book import LocalBook

ABC = Instrument("ABC", tick_size="0.01", lot_size="0.5", reference_price=100)
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * SECOND  # a Monday


class Made:
    """A market made by hand: what a feed would have heard of it."""

    def __init__(self) -> None:
        self.view = MarketView("X", ABC, LocalBook())
        self.market = ServedMarket(0, "ABC", "USD", ABC, self.view)
        self.feed = PublicFeed()
        self.feed._views["X", "ABC"] = self.view
        self.now = START
        self._sequence = 0
        whole = BookSnapshot(0, ABC, ((9999, 10), (9998, 20)), ((10001, 5), (10002, 7)), 0, "X")
        self.view.book.apply_snapshot(whole)
        self.feed.on_book(whole)
        self.feed.on_quote(Quote(0, ABC, 9999, 10, 10001, 5, "X"))

    def trade(self, time: int, price: int = 10000, quantity: int = 1, side: Side = Side.BUY) -> None:
        """One trade, so many ns after the start."""
        number = self.view.trades[-1].number + 1 if self.view.trades else 0
        self.view.take_trade(PublicTrade(number, START + time, price, quantity, side))
        self.now = max(self.now, START + time)

    def level(self, side: Side, price: int, quantity: int) -> None:
        """One change of the book."""
        self._sequence += 1
        update = LevelUpdate(0, ABC, side, price, quantity, self._sequence, "X")
        self.view.book.apply(update)
        self.feed.on_level(update)

    def ask(self, **words: Any) -> dict[str, Any]:
        """What a request for trades or candles says."""
        base = {"startTime": None, "endTime": None, "fromId": None, "limit": 500, "timeZone": None}
        return {**base, **words}

    def candles(self, interval: str, **words: Any) -> list[list[Any]]:
        """Candles of an interval."""
        return public.candles(self.market, self.ask(interval=interval, **words), self.now)


@pytest.fixture
def made() -> Made:
    return Made()


# --- parameters ---


def _code(call: Callable[[], Any]) -> int:
    with pytest.raises(VenueError) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "good", "value", "bad", "code"),
    [
        ("long", "12", 12, "-1", -1100),
        ("long", "0", 0, "1.0", -1100),
        ("long", "7", 7, "٣", -1100),
        ("amount", "1.50", Decimal("1.50"), "1e5", -1100),
        ("amount", "0.00000001", Decimal("0.00000001"), "0.000000001", -1111),
        ("amount", "1.000000000", Decimal(1), "+1", -1100),
        ("name", "a-B_c.:/9", "a-B_c.:/9", "with blank", -1100),
        ("name", "x" * 36, "x" * 36, "x" * 37, -1100),
        ("symbol", "ABCUSD", "ABCUSD", "abcusd", -1100),
        ("symbols", '["A","B"]', ["A", "B"], '["A","A"]', -1151),
        ("symbols", '["A"]', ["A"], "A", -1100),
        ("interval", "1m", "1m", "7m", -1120),
        ("window", "15m", "15m", "60m", -1130),
        ("truth", "TRUE", True, "yes", -1130),
    ],
)
def test_parameters_are_read_or_refused(kind: str, good: str, value: Any, bad: str, code: int) -> None:
    parameter = Parameter("it", kind)
    assert parameter.read(good) == value
    assert _code(lambda: parameter.read(bad)) == code
    assert _code(lambda: parameter.read("")) == -1105


def test_numbers_of_json_are_read_as_text_is() -> None:
    assert Parameter("q", "amount").read(0.00001) == Decimal("0.00001")
    assert Parameter("q", "amount").read(1e15) == Decimal(10**15)
    assert Parameter("t", "truth").read(True) is True
    assert _code(lambda: Parameter("q", "amount").read(float("nan"))) == -1100
    assert _code(lambda: Parameter("q", "amount").read(None)) == -1105


def test_choices_have_numbers_of_their_own() -> None:
    for name, code in (("type", -1116), ("side", -1117), ("timeInForce", -1115), ("other", -1130)):
        assert _code(lambda name=name: Parameter(name, "choice", choices=("A",)).read("B")) == code  # type: ignore[misc]


def test_what_is_missing_or_unknown_is_said() -> None:
    wanted = (Parameter("symbol", "symbol", True), Parameter("limit", "long", default=100, low=1, high=5000))
    assert read_all(wanted, {"symbol": "ABCUSD"}) == {"symbol": "ABCUSD", "limit": 100}
    assert _code(lambda: read_all(wanted, {})) == -1102
    assert _code(lambda: read_all(wanted, {"symbol": "A", "limit": "5001"})) == -1130
    with pytest.raises(VenueError, match='did you mean "limit"'):
        read_all(wanted, {"symbol": "A", "limits": "5"})


@given(st.text(max_size=40))
def test_no_text_breaks_a_parameter(text: str) -> None:
    for kind in ("long", "amount", "name", "choice", "truth", "symbol", "symbols", "interval", "window", "text"):
        try:
            Parameter("it", kind, choices=("A",)).read(text)
        except VenueError as error:
            assert error.code < 0  # noqa: PT017


# --- the table of operations ---


def test_no_two_operations_answer_the_same_request() -> None:
    paths = [path for one in OPERATIONS for path in (*((one.http,) if one.http else ()), *one.also)]
    assert len(paths) == len(set(paths)) == len(by_path())
    methods = [one.websocket for one in OPERATIONS if one.websocket]
    assert len(methods) == len(set(methods)) == len(by_method())
    assert all(one.doc for one in OPERATIONS)


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/ws", "", ("streams", [], False)),
        ("/ws/abcusd@trade/abcusd@depth", "", ("streams", ["abcusd@trade", "abcusd@depth"], False)),
        ("/stream", "streams=abcusd@trade/xyzusd@trade", ("streams", ["abcusd@trade", "xyzusd@trade"], True)),
        ("/stream/ws/3", "", ("streams", [], False)),
        ("/ws-api/v3", "returnRateLimits=false", ("api", [], False)),
        ("/elsewhere", "", None),
        ("/wsx", "", None),
    ],
)
def test_what_a_path_of_a_socket_is_for(path: str, query: str, found: Any) -> None:
    assert target(path, query) == found


# --- orders ---


def _terms(made: Made, **words: Any) -> Any:
    asked = {parameter.name: parameter.default for parameter in orders.NEW_ORDER}
    asked |= {"type": "LIMIT", "side": "BUY", "timeInForce": "GTC", "quantity": Decimal(5), "price": Decimal(99)}
    asked |= {name: Decimal(str(value)) if isinstance(value, (int, float)) else value for name, value in words.items()}
    if asked["trailingDelta"] is not None:
        asked["trailingDelta"] = int(asked["trailingDelta"])
    estimate: Callable[[int], tuple[int, int]] = lambda lots: (min(lots, 12), 10001 * min(lots, 12))  # noqa: E731
    return orders.terms_of(asked, made.market, "mine", estimate)


def test_each_type_becomes_the_terms_that_it_means(made: Made) -> None:
    made.trade(0)
    limit = _terms(made)
    assert (limit.kind, limit.side, limit.quantity, limit.price) == (OrderType.LIMIT, 1, 10, 9900)
    assert (limit.time_in_force, limit.name, limit.label) == (TimeInForce.GTC, "mine", "LIMIT")
    assert _terms(made, timeInForce="IOC").time_in_force == TimeInForce.IOC
    assert _terms(made, timeInForce="FOK").time_in_force == TimeInForce.FOK
    maker = _terms(made, type="LIMIT_MAKER", timeInForce=None)
    assert (maker.kind, maker.flags) == (OrderType.LIMIT, OrderFlag.POST_ONLY)
    assert _terms(made, icebergQty=2).display == 4
    assert _terms(made, icebergQty=5).display == 0  # shows all of it
    stop = _terms(made, type="STOP_LOSS", timeInForce=None, price=None, stopPrice=101)
    assert (stop.kind, stop.stop, Decimal(stop.worth)) == (OrderType.STOP, 10100, 505)
    stop_limit = _terms(made, type="STOP_LOSS_LIMIT", side="SELL", stopPrice=98, price=97)
    assert (stop_limit.kind, stop_limit.stop, stop_limit.price) == (OrderType.STOP_LIMIT, 9800, 9700)
    trailing = _terms(made, type="STOP_LOSS", side="SELL", timeInForce=None, price=None, trailingDelta=250)
    assert (trailing.kind, trailing.stop) == (OrderType.TRAILING_STOP, 250)  # 2.5 % of 100
    market = _terms(made, type="MARKET", timeInForce=None, price=None)
    assert (market.kind, market.quantity, market.time_in_force) == (OrderType.MARKET, 10, TimeInForce.IOC)
    assert Decimal(market.worth) == Decimal("500.05")


def test_an_amount_to_spend_becomes_lots(made: Made) -> None:
    made.trade(0)
    words = {"type": "MARKET", "timeInForce": None, "price": None, "quantity": None}
    bought = _terms(made, **words, quoteOrderQty=160)
    assert bought.quantity == 3  # 50.005 each
    assert bought.budget == "160"
    assert _terms(made, **words, quoteOrderQty=10**9).quantity == 12  # all that there is
    assert _code(lambda: _terms(made, **words, quoteOrderQty=50)) == -1013


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"price": None}, -1102),
        ({"timeInForce": None}, -1102),
        ({"stopPrice": 98}, -1106),
        ({"quoteOrderQty": 98}, -1106),
        ({"quantity": 5.25}, -1013),
        ({"price": 99.005}, -1013),
        ({"price": 0}, -1013),
        ({"quantity": 0}, -1013),
        ({"type": "MARKET", "timeInForce": None, "price": None, "quantity": None}, -1102),
        ({"type": "MARKET", "timeInForce": None, "price": None, "quoteOrderQty": 100}, -1128),
        ({"type": "STOP_LOSS", "timeInForce": None, "price": None}, -1102),
        ({"type": "STOP_LOSS", "timeInForce": None, "price": None, "stopPrice": 99}, -2010),  # would trigger at once
        ({"type": "TAKE_PROFIT", "timeInForce": None, "price": None, "stopPrice": 99}, -2010),
        ({"type": "STOP_LOSS_LIMIT", "trailingDelta": 100}, -2010),
        ({"icebergQty": 6}, -2010),
        ({"icebergQty": 2, "timeInForce": "IOC"}, -1013),
    ],
)
def test_contradictions_are_refused_with_the_venues_numbers(made: Made, words: dict[str, Any], code: int) -> None:
    made.trade(0)
    assert _code(lambda: _terms(made, **words)) == code


def test_reasons_of_the_market_have_words() -> None:
    for reason in Reason:
        error = of_reason(reason)
        assert error.code in (-1001, -1013, -1015, -2010, -2011)
        assert error.message


def _list_terms(made: Made, **words: Any) -> lists.PairTerms:
    asked: dict[str, Any] = {parameter.name: None for parameter in lists.NEW_LIST}
    asked |= {"side": "SELL", "quantity": Decimal(5), "aboveType": "LIMIT_MAKER", "abovePrice": Decimal("101.5"),
              "belowType": "STOP_LOSS", "belowStopPrice": Decimal("98.5")}  # fmt: skip
    return lists.terms_of_pair({**asked, **words}, made.market, lambda lots: (lots, 10001 * lots))


def test_a_list_is_a_stop_and_a_limit_order(made: Made) -> None:
    made.trade(0)
    pair = _list_terms(made, listClientOrderId="both", aboveClientOrderId="up")
    assert (pair.stop.kind, pair.stop.stop) == (OrderType.STOP, 9850)
    assert (pair.limit.kind, pair.limit.price, pair.limit.flags, pair.limit.name) == (OrderType.LIMIT, 10150, 0, "up")
    assert pair.name == "both"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"belowType": "LIMIT_MAKER", "belowPrice": Decimal(98), "belowStopPrice": None}, "go together"),
        ({"aboveType": "TAKE_PROFIT", "abovePrice": None, "aboveStopPrice": Decimal(102)}, "not supported"),
        ({"abovePrice": Decimal("98.4")}, "relationship"),
        ({"abovePrice": Decimal("99.5")}, "immediately match"),
        ({"abovePrice": None}, "'abovePrice'"),
        ({"belowStopPrice": Decimal(101)}, "trigger immediately"),
        ({"aboveIcebergQty": Decimal(1)}, "no icebergs"),
    ],
)
def test_lists_that_cannot_be(made: Made, words: dict[str, Any], said: str) -> None:
    made.trade(0)
    with pytest.raises(VenueError, match=said):
        _list_terms(made, **words)


def test_the_old_form_of_a_list_says_the_same(made: Made) -> None:
    made.trade(0)
    old: dict[str, Any] = {parameter.name: None for parameter in lists.OLD_LIST}
    old |= {"symbol": "ABCUSD", "side": "BUY", "quantity": Decimal(5), "price": Decimal("98.5"),
            "stopPrice": Decimal("101.5"), "stopLimitPrice": Decimal(102), "stopLimitTimeInForce": "GTC"}  # fmt: skip
    pair = lists.terms_of_pair(lists.modern(old), made.market, lambda lots: (lots, 10001 * lots))
    assert (pair.limit.price, pair.stop.stop, pair.stop.price) == (9850, 10150, 10200)
    assert pair.stop.kind == OrderType.STOP_LIMIT


# --- public answers ---


def test_candles_go_across_gaps_at_the_price_before(made: Made) -> None:
    made.trade(0, 10000, 2)
    made.trade(30 * SECOND, 10010, 1, Side.SELL)
    made.trade(3 * MINUTE + SECOND, 9990, 4)
    first, *empty, last = made.candles("1m")
    assert [float(value) for value in first[1:6]] == [100, 100.1, 100, 100.1, 1.5]
    assert (first[0], first[6]) == (START // MILLISECOND, START // MILLISECOND + 59_999)
    assert (first[8], float(first[7]), float(first[9])) == (2, 150.05, 1)  # trades, value, bought
    assert len(empty) == 2
    for bar in empty:
        assert [float(value) for value in bar[1:6]] == [100.1] * 4 + [0]
        assert bar[8] == 0
    assert [float(value) for value in last[1:6]] == [99.9, 99.9, 99.9, 99.9, 2]


def test_no_candle_before_the_first_trade(made: Made) -> None:
    assert made.candles("1m") == []
    made.trade(10 * MINUTE)
    assert [bar[0] for bar in made.candles("1m")] == [(START + 10 * MINUTE) // MILLISECOND]
    assert [bar[0] for bar in made.candles("1m", startTime=0, limit=1)] == [(START + 10 * MINUTE) // MILLISECOND]
    assert made.candles("1m", startTime=(START + 11 * MINUTE) // MILLISECOND) == []


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_candles_begin_on_the_calendar(made: Made, interval: str) -> None:
    made.trade(30 * SECOND)
    made.trade(40 * 24 * 60 * MINUTE)
    bars = made.candles(interval, limit=1000)
    begins = [datetime.fromtimestamp(bar[0] / 1000, UTC) for bar in bars]
    length = INTERVALS[interval]
    if interval == "1w":
        assert {begin.weekday() for begin in begins} == {0}
    elif interval == "1M":
        assert {begin.day for begin in begins} == {1}
    else:
        assert {int(begin.timestamp()) % length for begin in begins} == {0}
    for before, after in pairwise(bars):
        assert after[0] == before[6] + 1
    assert bars[-1][0] * MILLISECOND <= made.now <= bars[-1][6] * MILLISECOND + MILLISECOND


def test_candles_of_a_span(made: Made) -> None:
    for minute in range(10):
        made.trade(minute * MINUTE)
    minutes = [(START + minute * MINUTE) // MILLISECOND for minute in range(10)]
    assert [bar[0] for bar in made.candles("1m", startTime=minutes[2])] == minutes[2:]
    assert [bar[0] for bar in made.candles("1m", startTime=minutes[2] + 1, limit=2)] == minutes[3:5]
    assert [bar[0] for bar in made.candles("1m", endTime=minutes[4], limit=2)] == minutes[3:5]
    assert [bar[0] for bar in made.candles("1m", limit=3)] == minutes[-3:]
    assert _code(lambda: made.candles("1m", startTime=5, endTime=4)) == -1130
    assert _code(lambda: made.candles("1m", timeZone="5")) == -1130


def test_a_week_that_has_begun_before_the_span_is_left_out(made: Made) -> None:
    made.trade(0)
    made.trade(8 * 24 * 60 * MINUTE)
    wednesday = (START + 2 * 24 * 60 * MINUTE) // MILLISECOND
    assert [bar[0] for bar in made.candles("1w", startTime=wednesday)] == [
        (START + 7 * 24 * 60 * MINUTE) // MILLISECOND
    ]


def test_trades_of_one_aggressor_at_one_price_are_one(made: Made) -> None:
    made.trade(0, 10000, 1)
    made.trade(0, 10000, 2)
    made.trade(0, 10001, 4)
    made.trade(0, 10001, 8, Side.SELL)
    made.trade(5, 10001, 16, Side.SELL)
    told = public.aggregate_trades(made.market, made.ask())
    assert [(one["a"], one["f"], one["l"], float(one["q"])) for one in told] == [
        (0, 0, 1, 1.5), (2, 2, 2, 2), (3, 3, 3, 4), (4, 4, 4, 8),
    ]  # fmt: skip
    assert [one["m"] for one in told] == [False, False, True, True]
    assert [one["a"] for one in public.aggregate_trades(made.market, made.ask(limit=2))] == [3, 4]
    assert [one["a"] for one in public.aggregate_trades(made.market, made.ask(fromId=2, limit=2))] == [2, 3]
    assert _code(lambda: public.aggregate_trades(made.market, made.ask(fromId=2, startTime=1))) == -1128


def test_trades_of_a_span_of_time(made: Made) -> None:
    for second in range(5):
        made.trade(second * SECOND, 10000 + second)
    begin = START // MILLISECOND
    told = public.aggregate_trades(made.market, made.ask(startTime=begin + 1000, endTime=begin + 3000))
    assert [one["a"] for one in told] == [1, 2, 3]
    assert [one["id"] for one in public.recent_trades(made.market, 2)] == [3, 4]
    assert [one["id"] for one in public.recent_trades(made.market, 2, 1)] == [1, 2]
    assert public.recent_trades(made.market, 2, 99) == []


def test_tickers_count_what_their_window_holds(made: Made) -> None:
    made.trade(0, 10000, 2)
    made.trade(2 * 60 * MINUTE, 10100, 4, Side.SELL)
    day = public.day_ticker(made.market, made.now)
    assert (float(day["openPrice"]), float(day["lastPrice"]), float(day["volume"]), day["count"]) == (100, 101, 3, 2)
    assert (float(day["priceChange"]), day["priceChangePercent"]) == (1, "1.000")
    assert float(day["weightedAvgPrice"]) == pytest.approx((100 + 2 * 101) / 3)
    hour = public.day_ticker(made.market, made.now, public.window_of("1h"))
    assert (hour["count"], float(hour["openPrice"])) == (1, 101)
    assert "bidPrice" not in hour
    assert "priceChange" not in public.day_ticker(made.market, made.now, mini=True)
    assert public.book_ticker(made.market)["bidPrice"] == "99.99000000"
    made.trade(3 * 60 * MINUTE, 9900)
    assert public.day_ticker(made.market, made.now)["priceChange"] == "-1.00000000"


def test_a_market_without_a_trade_has_answers(made: Made) -> None:
    assert public.day_ticker(made.market, made.now)["count"] == 0
    assert public.price_ticker(made.market)["price"] == "0.00000000"
    assert public.average_price(made.market, made.now)["price"] == "0.00000000"
    assert public.aggregate_trades(made.market, made.ask()) == []
    assert public.depth(made.market, 1)["bids"] == [["99.99000000", "5.00000000"]]


def test_a_contract_is_not_served() -> None:
    with pytest.raises(ConfigurationError, match="no spot instrument"):
        check_servable(Instrument("P", "0.1", 1, 100, kind="perpetual"))
    with pytest.raises(ConfigurationError, match="eight decimals"):
        check_servable(Instrument("P", "0.0000000001", 1, 100))


# --- streams ---


class Listener:
    """Somebody who keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def send(self, stream: str, message: str, *, latest: bool) -> None:
        """Keep it."""
        self.told.append(json.loads(message))


class Stage:
    """Streams of a market made by hand, with a wall clock that the test moves."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.wall = 1_000_000
        place = SimpleNamespace(venue="X", instrument=ABC, base="ABC", quote="USD")
        client = cast(Client, SimpleNamespace(markets=(place,)))
        self.streams = Streams(ServedMarkets(client, made.feed), lambda: made.now, lambda: self.wall)

    def listen(self, *names: str) -> Listener:
        """Somebody who subscribes."""
        listener = Listener()
        for name in names:
            self.streams.subscribe(name, listener)
        return listener

    def go(self, milliseconds: int) -> None:
        """Both clocks go on, and the streams tell."""
        self.wall += milliseconds
        self.made.now += milliseconds * MILLISECOND
        self.streams.publish()


@pytest.fixture
def stage(made: Made) -> Stage:
    return Stage(made)


def test_each_depth_message_begins_where_the_last_one_ended(stage: Stage) -> None:
    listeners = {name: stage.listen(f"abcusd@{name}") for name in ("depth@100ms", "depth")}
    stage.go(1)
    for step in range(40):
        for change in range(step % 4):
            stage.made.level(Side.BUY, 9990 - change, step + 1)
        stage.go(100)
    stage.go(1000)
    for listener in listeners.values():
        told = listener.told
        assert told[0]["U"] == 2  # the book began with number 1
        for before, after in pairwise(told):
            assert after["U"] == before["u"] + 1
            assert after["U"] <= after["u"]
        assert told[-1]["u"] == public.update_id(stage.made.market)
        kept = {price: quantity for message in told for price, quantity in message["b"]}
        assert kept["99.90000000"] == "20.00000000"
    assert len(listeners["depth"].told) < len(listeners["depth@100ms"].told)


def test_a_level_that_is_gone_is_told_as_zero(stage: Stage) -> None:
    listener = stage.listen("abcusd@depth@100ms")
    stage.made.level(Side.SELL, 10001, 0)
    stage.go(100)
    assert listener.told[-1]["a"] == [["100.01000000", "0.00000000"]]


def test_a_book_that_starts_over_tells_what_is_gone(stage: Stage) -> None:
    listener = stage.listen("abcusd@depth@100ms")
    stage.go(100)
    whole = BookSnapshot(0, ABC, ((9999, 10),), ((10001, 5), (10003, 1)), 9, "X")
    stage.made.view.book.apply_snapshot(whole)
    stage.made.feed.on_book(whole)
    stage.go(100)
    (told,) = listener.told
    assert told["u"] == 10
    assert ["99.98000000", "0.00000000"] in told["b"]
    assert ["100.02000000", "0.00000000"] in told["a"]
    assert ["100.03000000", "0.50000000"] in told["a"]


def test_two_who_listen_are_told_the_same_and_one_who_left_nothing(stage: Stage) -> None:
    one, other = stage.listen("abcusd@trade"), stage.listen("abcusd@trade")
    stage.made.trade(0)
    stage.go(1)
    assert one.told == other.told != []
    stage.streams.unsubscribe("abcusd@trade", one)
    stage.made.trade(SECOND)
    stage.go(1)
    assert len(one.told) == len(other.told) - 1
    stage.streams.unsubscribe("abcusd@trade", other)
    assert stage.streams.count() == 0
    assert not stage.made.view.watched


def test_a_candle_is_over_exactly_once(stage: Stage) -> None:
    stage.made.trade(0)
    listener = stage.listen("abcusd@kline_1m")
    for second in range(1, 200):
        if second % 7 == 0:
            stage.made.trade(second * SECOND, 10000 + second)
        stage.go(1000)
    closed = [message["k"]["t"] for message in listener.told if message["k"]["x"]]
    assert closed == [(START + minute * MINUTE) // MILLISECOND for minute in range(3)]
    for message in listener.told:
        bar = message["k"]
        assert float(bar["l"]) <= min(float(bar["o"]), float(bar["c"]))
        assert bar["T"] - bar["t"] == 59_999
    whole = {bar[0]: bar for bar in stage.made.candles("1m")}
    for message in listener.told:
        if message["k"]["x"]:
            shown, bar = message["k"], whole[message["k"]["t"]]
            assert [shown[name] for name in "ohlcv"] == bar[1:6]


def test_streams_have_their_messages(stage: Stage) -> None:
    names = ("trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice", "depth5", "ticker_1h")
    listeners = {name: stage.listen(f"abcusd@{name}") for name in names}
    everything = stage.listen("!miniTicker@arr", "!ticker@arr", "!bookTicker", "!miniTicker@arr@3000ms")
    stage.made.trade(0, 10001, 2)
    stage.made.trade(0, 10001, 3)
    stage.made.feed.on_quote(Quote(0, ABC, 9999, 10, 10001, 5, "X"))
    stage.go(1000)
    kinds = {name: listener.told[-1].get("e") for name, listener in listeners.items()}
    assert kinds == {
        "trade": "trade", "aggTrade": "aggTrade", "bookTicker": None, "miniTicker": "24hrMiniTicker",
        "ticker": "24hrTicker", "avgPrice": "avgPrice", "depth5": None, "ticker_1h": "1hTicker",
    }  # fmt: skip
    assert [message["t"] for message in listeners["trade"].told] == [0, 1]
    assert [float(message["q"]) for message in listeners["aggTrade"].told] == [2.5]
    assert listeners["bookTicker"].told[-1]["B"] == "5.00000000"
    assert listeners["depth5"].told[-1]["bids"][0] == ["99.99000000", "5.00000000"]
    assert len(everything.told) == 4


@pytest.mark.parametrize("name", ["abcusd", "abcusd@none", "noneusd@trade", "abcusd@kline_7m", "abcusd@depth7", "x@"])
def test_streams_that_there_are_not(stage: Stage, name: str) -> None:
    assert _code(lambda: stage.listen(name)) == -1121
