"""Fundamental traders: the belief is the Bayesian one, sides and prices are as written, the mid follows the value."""

import math

import numpy as np
import pytest
from probe import Action, Probe
from scipy import stats

from marketsim.agents.fundamental import Fundamental
from marketsim.agents.noise import Noise
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError
from marketsim.kernel.random import normal, purpose_of
from tests.population.wiring import Crowd, Market

SECOND = 1_000_000_000


def asked(probe: Probe, bid: int, ask: int, wait: int = SECOND) -> list[Action]:
    """A wake-up, and the answer to its question."""
    questions = probe.see(Kind.WAKE, probe.now + wait)
    assert questions[-1].kind == Kind.QUERY
    return probe.quote(bid, ask)


def started(**terms: object) -> Probe:
    probe = Probe(Fundamental(**{"noise": 0.0, "threshold": 0.0, **terms}))  # type: ignore[arg-type]
    probe.value = 10_000.0
    assert probe.see(Kind.START, 1_000) == []
    assert probe.wake > 1_000
    return probe


def test_the_belief_is_that_of_a_kalman_filter() -> None:
    """Against the textbook recursion, written out here with a variance that drifts in continuous time."""
    noise, kappa, volatility, mean = 0.3, 0.02, 0.05, 101.0
    probe = started(noise=noise, believed_kappa=kappa, believed_volatility=volatility, believed_mean=mean)
    belief, variance = 100.0 * mean, 0.0
    draws = np.random.default_rng(1)
    for answer in range(1, 60):
        wait = int(draws.integers(1, 30 * SECOND))
        probe.value = 10_000.0 + 50.0 * draws.normal()
        asked(probe, 9_990, 10_010, wait)
        gap = wait / SECOND
        decay = math.exp(-kappa * gap)
        prior = 100.0 * mean + (belief - 100.0 * mean) * decay
        spread = decay**2 * variance + (100 * volatility) ** 2 * (1 - decay**2) / (2 * kappa)
        seen = probe.value + 100 * noise * normal(probe.key, purpose_of("noise"), answer)
        gain = spread / (spread + (100 * noise) ** 2)
        belief, variance = prior + gain * (seen - prior), (1 - gain) * spread
        assert probe["belief"] == pytest.approx(belief, rel=1e-12)
        assert probe["variance"] == pytest.approx(variance, rel=1e-9)


def test_the_filter_makes_better_guesses_than_the_last_observation() -> None:
    """The noise is a hundred times the move of a second: the filter's error is a tenth of an observation's."""
    errors = {}
    for volatility in (0.01, None):
        probe = started(noise=1.0, believed_volatility=volatility)
        draws, misses = np.random.default_rng(2), []
        for _ in range(12_000):
            probe.value += draws.normal()  # 0.01 currency in a second
            asked(probe, 9_990, 10_010)
            probe.open.clear()
            misses.append(probe["belief"] - probe.value)
        errors[volatility] = np.std(misses[500:])
    assert errors[None] == pytest.approx(100.0, rel=0.05)
    steady = (1 + math.sqrt(1 + 4 * 100.0**2)) / 2  # prior variance P solves P² = P + s², with drift 1 and s = 100
    assert errors[0.01] == pytest.approx(math.sqrt(steady * 100**2 / (steady + 100**2)), rel=0.15)


@pytest.mark.parametrize(("value", "side"), [(10_000.5, 1), (9_999.5, -1), (10_000.0, 1)])
def test_it_buys_at_or_above_the_mid_and_sells_below(value: float, side: int) -> None:
    probe = started()
    probe.value = value
    (order,) = asked(probe, 9_995, 10_005)
    assert order.side == side


def test_it_leaves_small_mispricings_alone() -> None:
    probe = started(threshold=0.05)
    for value, acts in ((10_004.9, False), (9_995.1, False), (10_005.0, True), (9_995.0, True)):
        probe.value = value
        assert bool(asked(probe, 9_999, 10_001)) == acts


def test_prices_lie_between_the_opposite_best_and_some_spreads_behind() -> None:
    probe = started(take_share=0.25, depth=2.0)
    prices = {1: [], -1: []}
    for number in range(8_000):
        probe.value = 10_050.0 if number % 2 else 9_950.0
        (order,) = asked(probe, 9_998, 10_002)
        prices[order.side].append(order.price)
        probe.open.clear()
    for side, opposite in ((1, 10_002), (-1, 9_998)):
        away = np.bincount([side * (opposite - price) for price in prices[side]])
        assert len(away) == 8
        expected = np.full(8, 0.75 / 8)
        expected[0] += 0.25
        assert stats.chisquare(away, expected * away.sum()).pvalue > 1e-3


@pytest.mark.parametrize(("bid", "ask"), [(0, 0), (9_900, 0), (0, 10_100)])
def test_without_two_quotes_it_trades_at_its_belief_on_either_side(bid: int, ask: int) -> None:
    probe = started(threshold=1.0)
    probe.value = 10_012.4
    orders = [asked(probe, bid, ask)[0] for _ in range(100)]
    assert {order.price for order in orders} == {10_012}
    assert 30 < sum(order.side > 0 for order in orders) < 70


def test_without_a_feed_the_value_is_the_reference() -> None:
    probe = started()
    probe.value = float("nan")
    assert asked(probe, 9_990, 9_995)[0].side == 1
    assert asked(probe, 10_005, 10_010)[0].side == -1
    assert probe["belief"] == 10_000.0


def test_the_belief_is_projected_to_the_close() -> None:
    """Half the distance to the long-run mean is gone by the close: 10,000 believed now is 10,500 then."""
    probe = started(believed_mean=110.0, believed_kappa=math.log(2) / 100, close=101 * SECOND)
    orders = asked(probe, 10_498, 10_500, wait=SECOND - 1_000)
    assert orders[0].side == 1
    assert asked(probe, 10_500, 10_502, wait=1)[0].side == -1
    # After the close the belief itself counts.
    assert asked(probe, 10_000, 10_002, wait=200 * SECOND)[0].side == -1


def test_it_cancels_on_waking_unless_told_otherwise() -> None:
    for cancels in (True, False):
        probe = started(cancels=cancels)
        (order,) = asked(probe, 9_995, 10_005)
        kinds = [action.kind for action in probe.see(Kind.WAKE, probe.now + 1)]
        assert kinds == [Kind.CANCEL, Kind.QUERY] if cancels else [Kind.QUERY]
        assert order.order_id == 1


def test_positions_stay_within_their_limit() -> None:
    probe = started(max_position=30, quantity=1_000, sizes="constant")
    probe.value = 10_100.0
    for position, expected in ((0, 30), (20, 10), (30, 0), (40, 0), (-25, 55)):
        probe.position = position
        assert sum(order.quantity for order in asked(probe, 9_995, 10_005)) == expected


def test_two_answers_at_once_are_two_decisions() -> None:
    """Quotes that come late, after the next wake-up, use draws of their own."""
    probe = started(take_share=0.0, depth=100.0)
    for now in (2_000, 3_000):
        probe.see(Kind.WAKE, now)
    assert len({probe.quote(9_950, 10_050, 4_000)[0].price for _ in range(2)}) == 2


@pytest.mark.statistical
def test_prices_are_drawn_to_the_value() -> None:
    """The value jumps by a percent; with fundamental traders the mid follows, without it does not."""
    values = np.concatenate([np.full(60, 10_000.0), np.full(61, 10_100.0)])
    mids = {}
    for count in (0, 20):
        agent = Fundamental(rate=1, noise=0.05, take_share=0.3)
        crowds = [Crowd(Noise(rate=1), 40), Crowd(agent, count, feed=(values, 0, 10 * SECOND))]
        market = Market(crowds).run(590)
        before = _mid(market)
        market.run(1_200)
        mids[count] = (before, _mid(market))
    assert mids[20][0] == pytest.approx(10_000, abs=15)
    assert mids[20][1] == pytest.approx(10_100, abs=15)
    assert abs(mids[0][1] - 10_100) > 50


def _mid(market: Market) -> float:
    bid, _, ask, _ = market.core.best(0)
    return (bid + ask) / 2


def test_it_gains_from_those_who_know_nothing() -> None:
    values = 10_000.0 + np.cumsum(np.random.default_rng(3).normal(0, 3.0, 300))
    crowds = [
        Crowd(Noise(rate=2), 30),
        Crowd(Fundamental(rate=1, noise=0.02), 10, feed=(values, 0, SECOND)),
    ]
    market = Market(crowds).run(290)
    accounts = market.engine.accounts()
    worth = {name: accounts["cash"][n] + accounts["position"][n] * values[289] for name, n in market.numbers.items()}
    knowing = sum(gain for name, gain in worth.items() if name.startswith("fundamental"))
    assert knowing > 0
    assert (market.events["kind"] == EventKind.TRADE).sum() > 500


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": 0}, "rate: 0/s is no rate to wake at"),
        ({"noise": -1}, "noise: -1 must be at least 0"),
        ({"take_share": 1.5}, "take_share: 1.5 must be from 0 to 1"),
        ({"close": "25:00"}, "'25:00' is not a time of day"),
        ({"close": 0}, "close: 0 ns must be above zero"),
        ({"max_position": 0}, "max_position: 0 must be from 1"),
        ({"sizes": "lognormale"}, "sizes: 'lognormale' is not one of the choices; did you mean \"lognormal\"?"),
        ({"believed_kappa": "-1/s"}, "believed_kappa: "),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Fundamental(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
