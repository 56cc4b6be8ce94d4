"""Spreads on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SECOND, by_hand, market

from marketsim.analysis import (
    effective_spread,
    price_improvement,
    quoted_spread,
    realized_spread,
    spread_bps,
    spread_over_time,
    trade_spreads,
)
from marketsim.errors import InvalidValueError

NAN = float("nan")
# Spread 2 for 30 s, none for 10 s, 4 for 60 s; mid 100 all the time it exists.
QUOTES = [
    (0, 99.0, 10, 101.0, 10),
    (30 * SECOND, 98.0, 10, NAN, 0),
    (40 * SECOND, 98.0, 10, 102.0, 10),
]


def trade(at: float, side: int, price: float, quantity: float = 1.0) -> dict[str, object]:
    return {"time": int(at * SECOND), "side": side, "price": price, "quantity": quantity}


def test_quoted_spread_by_time_by_event_and_in_basis_points() -> None:
    tables = by_hand([], QUOTES)
    assert quoted_spread(tables) == pytest.approx((2 * 30 + 4 * 60) / 90)
    assert quoted_spread(tables, by="event") == pytest.approx(3.0)
    assert spread_bps(tables) == pytest.approx(1e4 * (0.02 * 30 + 0.04 * 60) / 90)


def test_quotes_before_the_start_count_only_from_the_start() -> None:
    assert quoted_spread(by_hand([], QUOTES, start=20 * SECOND)) == pytest.approx((2 * 10 + 4 * 60) / 70)
    assert quoted_spread(by_hand([], QUOTES, start=20 * SECOND), by="event") == pytest.approx(4.0)


def test_no_two_sided_quote_gives_nan_not_zero() -> None:
    tables = by_hand([trade(1, 1, 100.0)], [(0, 99.0, 1, NAN, 0)])
    for measure in (quoted_spread, spread_bps, effective_spread, realized_spread):
        assert np.isnan(measure(tables))
    assert np.isnan(quoted_spread(by_hand(), by="event"))


def test_effective_spread_is_judged_by_the_mid_before_and_weighted_by_volume() -> None:
    # The quote changes in the nanosecond of the first trade: it must not judge that trade.
    quotes = [(0, 99.0, 1, 101.0, 1), (10 * SECOND, 101.0, 1, 105.0, 1)]
    tables = by_hand([trade(10, 1, 101.0, 3.0), trade(20, -1, 101.0, 1.0)], quotes)
    assert trade_spreads(tables)["effective"].tolist() == [2.0, 4.0]
    assert effective_spread(tables) == pytest.approx((3 * 2 + 1 * 4) / 4)
    assert effective_spread(tables, unit="bps") == pytest.approx((3 * 200 + 1e4 * 4 / 103) / 4)


def test_realized_spread_and_impact_add_up_to_the_effective_spread() -> None:
    quotes = [(0, 99.0, 1, 101.0, 1), (12 * SECOND, 100.0, 1, 102.0, 1)]
    tables = by_hand([trade(10, 1, 101.0), trade(98, 1, 102.0)], quotes)
    table = trade_spreads(tables, horizon="5s")
    assert table["mid"].tolist() == [100.0, 101.0]
    assert table["realized"].tolist()[0] == 0.0
    assert table["impact"].tolist()[0] == 2.0
    assert np.isnan(table["realized"].tolist()[1])  # later than end - horizon
    assert realized_spread(tables, horizon="1s") == pytest.approx((2.0 + 2.0) / 2)
    assert realized_spread(tables, horizon="5s") == 0.0


def test_price_improvement_is_positive_inside_the_quote_and_negative_beyond_it() -> None:
    trades = [trade(1, 1, 100.5), trade(2, -1, 98.0, 3.0), trade(3, -1, 99.0)]
    tables = by_hand(trades, QUOTES)
    assert trade_spreads(tables)["improvement"].tolist() == [0.5, -1.0, 0.0]
    assert price_improvement(tables) == pytest.approx((0.5 - 3.0) / 5)


def test_spread_over_time_is_that_of_each_interval() -> None:
    table = spread_over_time(by_hand([trade(35, -1, 98.0), trade(45, -1, 98.0, 2.0)], QUOTES), every="40s")
    assert table.index.tolist() == [0, 40 * SECOND, 80 * SECOND]
    assert table["quoted"].tolist() == [2.0, 4.0, 4.0]
    assert table["effective"].to_numpy() == pytest.approx([NAN, 4.0, NAN], nan_ok=True)
    assert table["effective_bps"].to_numpy() == pytest.approx([NAN, 400.0, NAN], nan_ok=True)


@pytest.mark.parametrize(("call", "named"), [({"by": "evnt"}, "event"), ({"unit": "bp"}, "bps")])
def test_unknown_words_name_the_nearest(call: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        quoted_spread(by_hand([], QUOTES), **call)  # type: ignore[arg-type]


def test_a_negative_horizon_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="must not be negative"):
        realized_spread(by_hand([], QUOTES), horizon=-1)


@settings(max_examples=20)
@given(st.integers(0, 200), st.floats(0.5, 20.0))
def test_scaling_prices_scales_spreads_and_leaves_basis_points(seed: int, factor: float) -> None:
    tables = market(seed, quotes=400, trades=100, minutes=1, levels=1)
    quotes, trades = tables.quotes.copy(), tables.trades.copy()
    quotes[["bid", "ask"]] *= factor
    trades["price"] *= factor
    scaled = type(tables)(trades, quotes, tables.orders, tables.agents, tables.instruments, tables.start, tables.end)
    assert quoted_spread(scaled) == pytest.approx(factor * quoted_spread(tables))
    assert effective_spread(scaled) == pytest.approx(factor * effective_spread(tables))
    assert effective_spread(scaled, unit="bps") == pytest.approx(effective_spread(tables, unit="bps"))
