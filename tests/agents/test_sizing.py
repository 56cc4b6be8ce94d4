"""Sizing: each way by hand, rounding down, bounds, trades that were closed, and bad parameters."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents.sizing import Fixed, Kelly, Percent, Results, Risk, Sizing, Trade, Volatility
from marketsim.domain.units import DAY, MINUTE
from marketsim.errors import InvalidValueError
from marketsim.scenario.registry import REGISTRY

TRADE = Trade(equity=100_000.0, lot=50.0, risk=2.0, deviation=0.001, interval=MINUTE)


def test_fixed_and_percent_by_hand() -> None:
    assert Fixed(7).lots(TRADE) == 7
    assert Percent(0.1).lots(TRADE) == 200  # 10,000 / 50
    assert Percent(0.1).lots(TRADE._replace(lot=30.0)) == 333  # rounded down
    assert Percent(0.3).lots(TRADE._replace(equity=100.0, lot=10.0)) == 3  # 0.3·100 is a hair below 30 in floats
    assert Percent(2.5, most=3).lots(TRADE) == 5_000


def test_risk_by_hand() -> None:
    """2 % of 100,000 are 2,000; a lot loses 2 at the stop: 1,000 lots, worth 50,000."""
    assert Risk(0.02).lots(TRADE) == 1_000
    assert Risk(0.02, most=0.25).lots(TRADE) == 500
    assert Risk(0.02).lots(TRADE._replace(risk=0.1)) == 2_000  # 20,000 would be ten times the equity
    assert Risk(0.02).lots(TRADE._replace(risk=0.0)) == 0


def test_volatility_by_hand() -> None:
    """σ of 0.001 a minute is 0.001·√1440 = 3.795 % a day; 1 % of 100,000 over that are 26,352, at 50 each."""
    assert Volatility(0.01).lots(TRADE) == math.floor(0.01 * 100_000 / (0.001 * math.sqrt(1_440)) / 50) == 527
    assert Volatility(0.001, horizon="1min").lots(TRADE) == 2_000
    assert Volatility(0.002, horizon="1min").lots(TRADE) == 2_000  # no more than the equity
    assert Volatility(0.002, horizon="1min", most=2.0).lots(TRADE) == 4_000
    assert Volatility().lots(TRADE._replace(deviation=0.0)) == 0
    assert Volatility().horizon == DAY


def test_kelly_by_hand() -> None:
    """Six of ten win 2 % of what was held, four lose 1.5 %: 0.6/0.015 − 0.4/0.02 = 20, far more than there is."""
    results = [0.02] * 6 + [-0.015] * 4
    assert Kelly(1.0, least_trades=10, most=100.0).share(results) == pytest.approx(20.0)
    assert Kelly(0.5, least_trades=10, most=100.0).share(results) == pytest.approx(10.0)
    assert Kelly(0.5, least_trades=10).share(results) == 1.0
    assert Kelly(0.01, least_trades=10).lots(TRADE._replace(results=results)) == 400  # 0.2 · 100,000 / 50
    assert Kelly(least_trades=10).share([0.01] * 4 + [-0.02] * 6) == 0.0  # a losing game
    assert Kelly(start=0.2, least_trades=11).share(results) == 0.2
    assert Kelly(least_trades=2).share([0.01, 0.02]) == 1.0
    assert Kelly(least_trades=2).share([0.0, 0.0]) == 0.0
    assert Kelly(least_trades=2).share([-0.01, -0.01]) == 0.0
    assert Kelly(memory=2, least_trades=2).share([*results, 0.5, 0.5]) == 1.0  # the older ones are forgotten


def test_kelly_is_the_best_share_in_the_long_run() -> None:
    """The mean logarithm of growth is highest at p/a − q/b."""
    gain, loss, chance = 0.3, 0.2, 0.55
    best = Kelly(1.0, least_trades=20, memory=20, most=10.0).share([gain] * 11 + [-loss] * 9)

    def growth(share: float) -> float:
        return chance * math.log(1 + share * gain) + (1 - chance) * math.log(1 - share * loss)

    assert best == pytest.approx(0.55 / 0.2 - 0.45 / 0.3)
    assert growth(best) > max(growth(best - 0.05), growth(best + 0.05))


@given(
    st.sampled_from([Percent(0.3), Risk(0.02), Volatility(0.01), Kelly(least_trades=2)]),
    st.floats(1.0, 1e7),
    st.floats(0.01, 1e5),
    st.floats(0.001, 100.0),
    st.lists(st.floats(-0.5, 0.5), max_size=5),
)
def test_never_more_than_the_equity_buys(
    sizing: Sizing, equity: float, lot: float, risk: float, results: list[float]
) -> None:
    trade = Trade(equity, lot, risk, 0.001, MINUTE, results)
    lots = sizing.lots(trade)
    assert 0 <= lots * lot <= equity * (1 + 1e-9)
    assert sizing.lots(trade._replace(equity=-equity)) == 0
    assert sizing.lots(trade._replace(lot=0.0)) == 0


def test_results_are_shares_of_what_was_held() -> None:
    results = Results()
    results.fill(10, 100.0)
    results.fill(10, 110.0)  # 2,100 held
    results.fill(-15, 120.0)
    assert not results.shares
    results.fill(-5, 120.0)  # 2,400 came in
    results.fill(-10, 50.0)  # short 500
    results.fill(20, 60.0)  # closed at a loss of 100, and long 10 at 60
    results.fill(-10, 66.0)
    assert list(results.shares) == pytest.approx([300 / 2_100, -100 / 500, 0.1])


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("fixed", {"quantity": 0}, "quantity: 0 must be at least 1"),
        ("percent", {"share": 0}, "share: 0.* must be above 0"),
        ("risk", {"share": -0.02}, "share"),
        ("volatility", {"period": 1}, "period: 1 must be at least 2"),
        ("volatility", {"horizon": "0s"}, "horizon: 0s must be above zero"),
        ("kelly", {"fraction": 1.5}, "fraction"),
        ("kelly", {"least_trades": 80}, "least_trades: 80 are more than the memory of 50"),
    ],
)
def test_bad_parameters_are_refused(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        REGISTRY.build("sizing", name, given)


@pytest.mark.parametrize("sizing", [Fixed(3), Percent(0.2), Volatility(0.02, "1h"), Risk(0.01, 0.5), Kelly(0.25)])
def test_each_is_written_as_a_scenario_writes_it(sizing: Sizing) -> None:
    text = REGISTRY.describe("sizing", sizing)
    assert REGISTRY.build("sizing", text.pop("type"), text) == sizing


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Risk(2), "share: 2 must be above 0 and at most 1"),
        (lambda: Percent(2), r"share: 2 is 200% of the equity, above most, 1; write 0.02 for 2 %, or raise most"),
        (lambda: Percent(0.6, most=0.5), "share: 0.6 is 60% of the equity, above most, 0.5"),
        (lambda: Kelly(start=5), "start: 5 is 500% of the equity, above most, 1"),
    ],
)
def test_more_than_the_equity_is_only_taken_when_it_is_meant(make: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make()
    assert Percent(2, most=2).lots(TRADE) == 4_000
