"""Durations, rates, times of day and exact steps, as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain import units
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("150us", 150_000), ("1h 30min", 5_400 * 10**9), ("0.5s", 5 * 10**8), ("2d", 2 * 86_400 * 10**9), ("0", 0),
     (7, 7), ("1e3ns", 1_000), ("3µs", 3_000)],
)  # fmt: skip
def test_durations(text: Any, nanoseconds: int) -> None:
    assert units.duration(text) == nanoseconds


@pytest.mark.parametrize("value", ["", "5", "5 parsecs", "1.5ns", 1.5, True, None, "s", "-1s", "1s x"])
def test_bad_durations_say_the_rule(value: Any) -> None:
    with pytest.raises(InvalidValueError, match="write a number with a unit"):
        units.duration(value)


@pytest.mark.parametrize("value", ["1e30d", f"1e{'9' * 40}s", "300000d", 2**63, -(2**63)])
def test_durations_beyond_64_bits(value: Any) -> None:
    with pytest.raises(InvalidValueError, match="too long"):
        units.duration(value)


@given(st.integers(0, 10**18))
def test_a_formatted_duration_reads_back(nanoseconds: int) -> None:
    assert units.duration(units.format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("09:30", 34_200 * 10**9),
        ("09:30:00.000000001", 34_200 * 10**9 + 1),
        ("24:00", 86_400 * 10**9),
        ("10min", 6 * 10**11),
    ],
)
def test_times_of_day(text: str, nanoseconds: int) -> None:
    assert units.time_of_day(text) == nanoseconds


@pytest.mark.parametrize("text", ["25:00", "10:60", "10:00:60"])
def test_bad_times_of_day(text: str) -> None:
    with pytest.raises(InvalidValueError, match="not a time of day"):
        units.time_of_day(text)


def test_rates() -> None:
    assert units.rate("0.5/s") == 0.5
    assert units.rate("30/min") == pytest.approx(0.5)
    assert units.rate(2) == 2.0
    for bad in ("-1/s", "1/parsec", "x", "nan/s", True, None, "inf/s"):
        with pytest.raises(InvalidValueError, match="is not a rate"):
            units.rate(bad)


def test_decimals_are_exact_and_finite() -> None:
    assert units.decimal(0.1) == Decimal("0.1")
    assert units.decimal("1e-8") == Decimal("0.00000001")
    for bad in ("nan", "inf", True, None, "x"):
        with pytest.raises(InvalidValueError):
            units.decimal(bad)


@pytest.mark.parametrize("value", ["1e910100", "-1e61", "1e-9999999", "0e999999"])
def test_decimals_whose_digits_nobody_could_write_out(value: str) -> None:
    with pytest.raises(InvalidValueError, match="too large or too small a number"):
        units.decimal(value)


@pytest.mark.parametrize("price", ["9" * 40, "1e50", "100.00000000000000000000000000000001"])
def test_prices_are_never_rounded_silently(price: str) -> None:
    with pytest.raises(InvalidValueError, match=r"too large|not a multiple"):
        Instrument("ABC").to_ticks(price)


def test_steps_name_the_neighbours() -> None:
    with pytest.raises(InvalidValueError, match=r"price 100\.003 is not a multiple of 0\.01: use 100 or 100\.01"):
        Instrument("ABC").to_ticks("100.003")


@given(st.integers(-(10**12), 10**12))
def test_ticks_and_prices_are_each_others_inverse(ticks: int) -> None:
    instrument = Instrument("ABC", tick_size="0.0001")
    assert instrument.to_ticks(ticks * instrument.tick_size) == ticks
    assert instrument.nearest_tick(instrument.price(ticks)) == ticks


def test_instruments_check_themselves() -> None:
    for wrong in ({"tick_size": 0}, {"lot_size": "-1"}, {"reference_price": "100.005"}, {"symbol": ""}):
        with pytest.raises(InvalidValueError):
            Instrument(**{"symbol": "ABC", **wrong})  # type: ignore[arg-type]


def test_times_are_shown_to_the_nanosecond() -> None:
    assert units.format_time(34_200 * 10**9 + 7) == "09:30:00.000000007"
    assert units.format_time(86_400 * 10**9) == "1d 00:00:00.000000000"
