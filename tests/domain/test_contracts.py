"""Instruments of every kind: their terms, grids and filters, and the arithmetic of what they are worth, by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.contract import MONEY, portion, traded, worth
from marketsim.domain.fees import Fee, FeeMeter, FeeSchedule, FeeTier
from marketsim.domain.forms import from_json, to_json
from marketsim.domain.instrument import Instrument
from marketsim.domain.option import black_scholes
from marketsim.domain.order import Reason
from marketsim.errors import InvalidValueError

D = Decimal
LINEAR = Instrument("PERP", "0.1", "0.01", "50000", kind="perpetual", multiplier=2)
INVERSE = Instrument("INV", "0.5", 1, "50000", kind="inverse_perpetual", multiplier=100, settlement="BTC")
FUTURE = Instrument("FUT", "0.25", 1, "4000", kind="future", multiplier=50, expiry="16:00")
CALL = Instrument("CALL", "0.05", 1, 4, kind="option", strike=100, right="call", expiry="1d 16h", underlying="ABC")


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE, FUTURE, CALL], ids=lambda one: one.kind)
def test_every_kind_reads_back(instrument: Instrument) -> None:
    assert from_json(Instrument, to_json(instrument)) == instrument
    assert Instrument(instrument.symbol, **instrument.terms()) == instrument  # type: ignore[arg-type]


def test_plain_spot_says_no_more_than_before() -> None:
    assert Instrument("ABC").terms() == {}
    assert Instrument("ABC", "0.05", currency="EUR").terms() == {"tick_size": "0.05", "currency": "EUR"}


def test_worth_by_hand() -> None:
    # 3 lots of 0.01 units, each of 2 coins, at 50,000.0
    assert LINEAR.worth(3, 500_000) * MONEY == D("3000")
    # 5 contracts of 100 USD at 50,000.0 are 0.01 BTC, counted from the long side
    assert INVERSE.worth(5, 100_000) * MONEY == D("-0.01")
    assert INVERSE.notional(5, 100_000) == D("0.01")
    # long 5 from 50,000 to 60,000: 500 USD are 0.01 BTC, then 0.00833333
    assert (INVERSE.worth(5, 120_000) - INVERSE.worth(5, 100_000)) * MONEY == D("0.00166667")
    assert FUTURE.worth(-2, 16_001) * MONEY == D("-400025")
    assert FUTURE.money == "USD"
    assert INVERSE.money == "BTC"


def test_prices_and_quantities_are_rounded_exactly() -> None:
    grid = Instrument("ABC", tick_size="0.05", lot_size="0.3")
    assert [grid.round_price("1.025", how) for how in ("round", "ceil", "floor")] == [D("1.00"), D("1.05"), D("1.00")]
    assert grid.round_price("1.075") == D("1.10")
    assert grid.round_price("-1.01", "floor") == D("-1.05")
    assert [grid.round_quantity("1", how) for how in ("round", "ceil", "floor")] == [D("0.9"), D("1.2"), D("0.9")]
    with pytest.raises(InvalidValueError, match="known: ceil, floor, round"):
        grid.round_price(1, "up")  # type: ignore[arg-type]


def test_filters() -> None:
    guarded = Instrument("ABC", min_notional=10, max_notional=1000, price_band="0.1")
    assert guarded.refusal(1, 10_000, 10_000) is Reason.NONE
    assert guarded.refusal(1, 11_000, 10_000) is Reason.NONE
    assert guarded.refusal(1, 11_001, 10_000) is Reason.OUTSIDE_BANDS
    assert guarded.refusal(11, 10_000, 10_000) is Reason.NOTIONAL
    assert guarded.refusal(1, None, 999) is Reason.NOTIONAL


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"kind": "swap"}, "kind 'swap' is unknown"),
        ({"kind": "future"}, "a future needs an expiry"),
        ({"expiry": "16:00"}, "a spot never expires"),
        ({"strike": 3}, "only an option has a strike"),
        ({"kind": "option", "strike": 3, "right": "put", "expiry": "16:00"}, "an option needs an underlying"),
        ({"kind": "inverse_perpetual"}, "settled in the base coin"),
        ({"kind": "perpetual", "settlement": "BTC"}, "settled in the currency of its prices"),
        ({"kind": "future", "expiry": "16:00", "funding_every": "8h"}, "only a perpetual pays funding"),
        ({"multiplier": 2}, "spot has no multiplier"),
        ({"kind": "perpetual", "maintenance_margin": "0.2"}, "does not hold"),
        ({"min_notional": 5, "max_notional": 4}, "does not hold"),
        ({"price_band": 0}, "must be above zero"),
        ({"kind": "perpetual", "tick_size": "1e-9", "reference_price": 1}, "not a whole number of 10"),
    ],
)
def test_contradictions_are_named(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        Instrument("ABC", **terms)


whole = st.integers(-(10**12), 10**12)


@given(whole, st.integers(-(10**6), 10**6), st.integers(1, 10**9))
def test_a_portion_is_the_nearest_whole_number(amount: int, top: int, bottom: int) -> None:
    exact = Fraction(amount * top, bottom)
    found = portion(amount, top, bottom)
    assert abs(found - exact) <= Fraction(1, 2)
    assert portion(-amount, top, bottom) == -found


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 200_000)), max_size=30),
    st.sampled_from([LINEAR, INVERSE, FUTURE]),
    st.integers(1, 200_000),
)
def test_realized_and_open_profit_are_all_profit(
    trades: list[tuple[int, int]], contract: Instrument, mark: int
) -> None:
    position = cost = gained = paid = 0
    for lots, ticks in trades:
        amount = contract.worth(lots, ticks)
        position, cost, realized = traded(position, cost, lots, amount)
        gained += realized
        paid += amount
        assert position or not cost
    assert position == sum(lots for lots, _ in trades)
    assert gained + contract.worth(position, mark) - cost == contract.worth(position, mark) - paid


def test_average_cost_by_hand() -> None:
    # long 4 at 10, then 2 at 13: cost 66; sell 3 at 12: a profit of 3 · (12 - 11); sell 5 at 9: -6, and short 2 at 9
    assert traded(4, 40, 2, 26) == (6, 66, 0)
    assert traded(6, 66, -3, -36) == (3, 33, 3)
    assert traded(3, 33, -5, -45) == (-2, -18, -6)
    assert worth(0, -2, 9, 1, 1) == -18


def test_options_by_the_book() -> None:
    """Hull, Options, Futures, and Other Derivatives: S 42, K 40, r 10 %, σ 20 %, half a year: 4.76 and 0.81."""
    call, put = (black_scholes(right, 42, 40, 0.5, 0.2, 0.1) for right in ("call", "put"))
    assert call.price == pytest.approx(4.7594, abs=1e-4)
    assert put.price == pytest.approx(0.8086, abs=1e-4)
    assert call.delta == pytest.approx(0.7791, abs=1e-4)
    assert call.delta - put.delta == pytest.approx(1)
    assert call.gamma == put.gamma


@given(
    st.sampled_from(["call", "put"]),
    st.floats(50, 150),
    st.floats(50, 150),
    st.floats(0.1, 2),
    st.floats(0.1, 0.8),
    st.floats(-0.05, 0.1),
)
def test_sensitivities_are_slopes_of_the_price(
    right: str, spot: float, strike: float, years: float, volatility: float, rate: float
) -> None:
    def price(**moved: float) -> float:
        terms = {"spot": spot, "strike": strike, "years": years, "volatility": volatility, "rate": rate, **moved}
        return black_scholes(right, **terms).price

    risk, step = black_scholes(right, spot, strike, years, volatility, rate), 1e-4
    at = {"spot": spot, "years": years, "volatility": volatility, "rate": rate}
    slope = {name: (price(**{name: x + step}) - price(**{name: x - step})) / (2 * step) for name, x in at.items()}
    found = (risk.delta, -risk.theta, risk.vega, risk.rho)
    assert found == pytest.approx([slope["spot"], slope["years"], slope["volatility"], slope["rate"]], abs=2e-3)


def test_an_option_at_its_end_is_its_inner_value() -> None:
    assert black_scholes("call", 110, 100, 0, 0.3) == (10, 1, 0, 0, 0, 0)
    assert black_scholes("put", 110, 100, 0, 0.3).price == 0
    with pytest.raises(InvalidValueError, match='write "call" or "put"'):
        black_scholes("straddle", 1, 1, 1, 1)


# --- fees ------------------------------------------------------------------------------------------------------------

SPOT = Instrument("ABC", tick_size="0.01")
TIERED = FeeSchedule(
    Fee("bps", D("-0.2")),
    Fee("bps", D(3)),
    Fee("bps", D(1)),
    D("0.5"),
    (FeeTier(D(10_000), Fee("bps", D("-0.3")), Fee("bps", D(2))),),
)


def test_fees_fall_with_volume_and_never_below_the_minimum() -> None:
    meter = FeeMeter(TIERED, SPOT)
    assert meter.charge(10_000, 10, maker=False) == D("0.5"), "0.3 is less than the minimum"
    assert meter.charge(10_000, 90, maker=True) == D("-0.18"), "a rebate has no minimum"
    assert meter.volume == 10_000
    assert meter.charge(10_000, 100, maker=False) == D(2), "the second tier"
    assert meter.charge(10_000, 100, maker=True) == D("-0.3")
    assert meter.charge(10_000, 100, maker=False, auction=True) == D(2), "a tier without auction fee takes its taker's"


def test_auctions_have_a_fee_of_their_own_for_both_sides() -> None:
    assert TIERED.charge(10_000, 100, SPOT, False, True) == TIERED.charge(10_000, 100, SPOT, True, True) == 1
    plain = FeeSchedule.of(maker="-0.2", taker="3")
    assert plain.charge(10_000, 100, SPOT, True, True) == plain.charge(10_000, 100, SPOT, False) == 3


def test_fees_of_contracts_are_whole_money_units() -> None:
    fee = Fee("bps", D("0.3"))
    # 5 contracts of 100 USD at 50,000 are 0.01 BTC, 1,000,000 satoshi: 0.3 of 10,000 are 30
    assert fee.of_ticks(100_000, 5, INVERSE) == D("0.0000003")
    assert fee.of_ticks(100_001, 5, INVERSE) == D("0.0000003"), "29.9997 satoshi, rounded"
    assert Fee("share", D("0.1")).of_ticks(100_001, 5, INVERSE) == D("0.5")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"minimum": D(-1)}, "must not be below zero"),
        ({"tiers": (FeeTier(D(5)), FeeTier(D(5)))}, "list them in rising order"),
    ],
)
def test_schedules_that_contradict_are_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        FeeSchedule(**terms)
