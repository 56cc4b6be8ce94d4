"""Fees are exact, rebates are negative, and a column of trades is charged like each trade alone."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.fees import Fee, FeeSchedule
from marketsim.domain.grid import scaled
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError

ABC = Instrument("ABC", tick_size="0.01", lot_size="1", reference_price="100")
COIN = Instrument("COIN", tick_size="0.5", lot_size="0.001", reference_price="100")


def test_basis_points_of_the_value_and_amounts_a_share() -> None:
    schedule = FeeSchedule(maker=Fee("bps", Decimal("-0.2")), taker=Fee("share", Decimal("0.003")))
    assert schedule.fee("100.01", 30, maker=True) == Decimal("-0.060006")
    assert schedule.fee("100.01", 30, maker=False) == Decimal("0.090")
    assert not schedule.free


def test_one_unit_for_both_sides() -> None:
    schedule = FeeSchedule.of(maker="-0.1", taker="0.3")
    assert schedule == FeeSchedule(Fee("bps", Decimal("-0.1")), Fee("bps", Decimal("0.3")))
    assert FeeSchedule().free
    assert FeeSchedule.of().fee(100, 5, maker=True) == 0


def test_a_negative_price_has_a_positive_value() -> None:
    assert FeeSchedule.of(taker=10).fee("-37.63", 100, maker=False) == Decimal("3.763")
    charged = FeeSchedule.of(taker=10).fees(np.array([-3763]), np.array([100]), ABC, maker=False)
    assert charged.tolist() == [3.763]


def test_lots_and_ticks_are_converted() -> None:
    fee = Fee("bps", Decimal(1))
    assert fee.of_ticks(60_001, 25, COIN) == Decimal("30000.5") * Decimal("0.025") / 10_000
    assert fee.of_trades(np.array([60_001]), np.array([25]), COIN).tolist() == [0.0750012_5]


def test_exact_where_28_digits_would_round() -> None:
    fee = Fee("bps", Decimal("0.123456789012345"))
    exact = Fraction("9007199254740.991") * Fraction("9007199254740991") * Fraction("0.123456789012345") / 10_000
    assert Fraction(fee.of("9007199254740.991", 9007199254740991)) == exact


@pytest.mark.parametrize(("unit", "rate"), [("percent", 1), ("bps", "cheap"), ("share", float("nan")), ("bps", True)])
def test_what_is_no_fee_is_refused(unit: str, rate: object) -> None:
    with pytest.raises(InvalidValueError):
        Fee(unit, rate)  # type: ignore[arg-type]


rates = st.decimals(-100, 100, places=3)
trades = st.tuples(st.integers(-1_000_000, 1_000_000), st.integers(1, 100_000))


@given(rates, st.sampled_from(["bps", "share"]), st.lists(trades, min_size=1), st.sampled_from([ABC, COIN]))
def test_a_column_is_charged_like_each_trade(
    rate: Decimal, unit: str, fills: list[tuple[int, int]], instrument: Instrument
) -> None:
    fee = Fee(unit, rate)  # type: ignore[arg-type]
    ticks, lots = (np.array(column, dtype=np.int64) for column in zip(*fills, strict=True))
    charged = fee.of_trades(ticks, lots, instrument)
    exact = [float(fee.of_ticks(price, quantity, instrument)) for price, quantity in fills]
    assert charged == pytest.approx(exact, rel=1e-15, abs=0)


def test_enormous_trades_do_not_wrap_around() -> None:
    charged = Fee("bps", Decimal(1)).of_trades(np.array([2**53]), np.array([2**53]), ABC)
    assert charged[0] == pytest.approx(2.0**106 / 1e6, rel=1e-12)
    assert scaled(np.array([2**53]), Fraction(3001, 7)).tolist() == [pytest.approx(2.0**53 * 3001 / 7, rel=1e-12)]
    assert scaled(np.array([-(2**63)]), Fraction(3)).tolist() == [-3 * 2.0**63]


@given(st.integers(-(10**9), 10**9))
def test_prices_are_the_floats_that_people_write(ticks: int) -> None:
    for tick in ("0.01", "0.05", "0.25", "0.0001", "2"):
        written = float(Decimal(ticks) * Decimal(tick))
        assert scaled(np.array([ticks]), Fraction(Decimal(tick)))[0] == written


def test_no_trades_no_fees() -> None:
    assert Fee("bps", Decimal(1)).of_trades(np.array([], dtype=np.int64), np.array([], dtype=np.int64), ABC).size == 0
