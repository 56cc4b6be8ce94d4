"""Dictionary and JSON forms of every noun read back as what they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.fees import FeeSchedule
from marketsim.domain.forms import from_dict, from_json, to_dict, to_json
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, Imbalance, LevelUpdate, Quote, Report, TradePrint, Volume
from marketsim.domain.order import OrderType, Reason, Side
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Fill, Position

ABC = Instrument("ABC", tick_size="0.05")
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


def test_unknown_fields_are_named() -> None:
    with pytest.raises(InvalidValueError, match="has no field 'pric'; did you mean \"price\""):
        from_dict(TradePrint, {"pric": 1})


def test_what_is_no_noun_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="is no noun"):
        to_dict(5)


def test_event_rows_have_no_padding() -> None:
    """Padding bytes would make equal events unequal in the digest."""
    assert EVENT.itemsize == 64
    assert sum(EVENT[name].itemsize for name in EVENT.names or ()) == 64
