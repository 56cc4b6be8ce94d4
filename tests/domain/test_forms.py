"""Dictionary and JSON forms of every noun read back as what they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.fees import Fee, FeeSchedule
from marketsim.domain.forms import from_dict, from_json, to_dict, to_json
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import (
    Bar,
    BookSnapshot,
    Imbalance,
    Indicative,
    LevelUpdate,
    OrderAction,
    OrderUpdate,
    Quote,
    Report,
    Status,
    TradePrint,
    Volume,
)
from marketsim.domain.message import Wanted
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side
from marketsim.domain.phase import Phase
from marketsim.errors import InvalidValueError
from marketsim.exchange.answers import AuctionView, BookBracket, BookFill, BookTrade, Cost, Level, RestingOrder, Result
from marketsim.trading.by_order import QueuePosition, ShownOrder
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Fill, Position
from marketsim.trading.request import MarketDataRequest

ABC = Instrument("ABC", tick_size="0.05")
_FILLED = Result(3, OrderState.FILLED, 2.0, 0.0, (BookFill(10.5, 2.0, 1),))
NOUNS: list[Any] = [
    ABC,
    Quote(1, ABC, 10, 2, 11, 3, "X"),
    TradePrint(1, ABC, 10, 2, Side.SELL, "X"),
    LevelUpdate(1, ABC, Side.BUY, 10, 2, 7, "X"),
    BookSnapshot(1, ABC, ((10, 2), (9, 4)), ((11, 3),), 7, "X"),
    Report(1, EventKind.TRADE, 5, ABC, Side.BUY, 10, 2, 0, True, Reason.NONE, 3, "X"),
    FeeSchedule.of("-0.1", "0.3"),
    Fill(1, "ABC", Side.BUY, Decimal("10.05"), Decimal(2), Decimal("0.001"), True, "USD"),
    Position(Decimal(3), Decimal("9.95")),
    Volume(1, ABC, 1_000, 5, 6, "X"),
    Imbalance(1, ABC, Side.SELL, 10, 200, "X"),
    Imbalance(1, ABC, None, 10, 20, "X"),
    OrderUpdate(1, ABC, OrderAction.ADDED, 5, Side.BUY, 10, 2, 2, 8, 9, "X"),
    Bar(1_000, ABC, 500, 10, 12, 9, 11, 40, 420, 7, "X"),
    Status(1, ABC, Phase.HALT, Reason.CIRCUIT_BREAKER, 5, "X"),
    Indicative(1, ABC, 10, 50, 3, Side.BUY, "X"),
    MarketDataRequest(Wanted.QUOTES | Wanted.BARS, bars=1_000, interval=5),
    BookFill(10.5, 2.0, 3),
    BookTrade(1, 10.5, 2.0, Side.SELL, 4, 3),
    AuctionView(10.5, 20.0, 1.0, Side.BUY),
    BookBracket(_FILLED, _FILLED, _FILLED),
    Cost(10.5, 21.0, 0.0),
    Level(10.5, 2.0, 1),
    RestingOrder(3, Side.BUY, OrderType.LIMIT, 10.5, 0.0, 2.0, 1.0, 7),
    _FILLED,
    ShownOrder(1, Side.SELL, 10, 5, 6),
    QueuePosition(1, 5, 9),
]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_nouns_read_back(noun: Any) -> None:
    assert from_dict(type(noun), to_dict(noun)) == noun
    assert from_json(type(noun), to_json(noun)) == noun


def test_enums_are_names_and_decimals_are_exact_text() -> None:
    form = to_dict(NOUNS[7])
    assert form["side"] == "BUY"
    assert form["price"] == "10.05"


def test_an_order_shows_its_state() -> None:
    form = to_dict(Order(1, ABC, "X", Side.BUY, OrderType.LIMIT, 5, 10))
    assert (form["state"], form["order_type"], form["leaves"]) == ("PENDING_NEW", "LIMIT", 5)


def test_flags_are_names() -> None:
    order = Order(1, ABC, "X", Side.BUY, OrderType.LIMIT, 5, 10, flags=OrderFlag.POST_ONLY | OrderFlag.SLIDE)
    assert to_dict(order)["flags"] == "POST_ONLY|SLIDE"
    assert to_dict(Order(1, ABC, "X", Side.BUY, OrderType.LIMIT, 5, 10))["flags"] == "NONE"
    assert to_dict(MarketDataRequest(Wanted(0)))["wanted"] == ""
    assert to_dict(MarketDataRequest(Wanted.QUOTES | Wanted.BARS))["wanted"] == "QUOTES|BARS"


def test_an_unknown_member_is_named() -> None:
    with pytest.raises(InvalidValueError, match="'SEL' is no Side; did you mean \"SELL\""):
        from_dict(TradePrint, {**to_dict(NOUNS[2]), "side": "SEL"})


def test_unknown_fields_are_named() -> None:
    with pytest.raises(InvalidValueError, match="has no field 'pric'; did you mean \"price\""):
        from_dict(TradePrint, {"pric": 1})


@pytest.mark.parametrize("text", ["", "{", "[1]", "5", '{"unit": 5}', '{"rate": "x"}', '{"rate": [1]}'])
def test_json_that_describes_no_noun(text: str) -> None:
    with pytest.raises(InvalidValueError):
        from_json(Fee, text)


def test_what_is_no_noun_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="is no noun"):
        to_dict(5)


def test_event_rows_have_no_padding() -> None:
    """Padding bytes would make equal events unequal in the digest."""
    assert EVENT.itemsize == 64
    assert sum(EVENT[name].itemsize for name in EVENT.names or ()) == 64
