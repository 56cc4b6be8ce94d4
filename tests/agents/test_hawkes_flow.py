"""Hawkes flow: what an event does, rates and clusters as the process says, parameters found again in the event log."""

from __future__ import annotations

import math

import numpy as np
import pytest
from probe import Probe
from scipy import stats

import marketsim as ms
from marketsim.agents.hawkes_flow import EVENTS, HawkesFlow
from marketsim.analysis import fit_hawkes
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType, Reason
from marketsim.errors import InvalidValueError
from marketsim.scenario.loader import check
from tests.population.wiring import ZERO, Crowd, Market

SECOND = 1_000_000_000
HIGH = Instrument("ABC", reference_price="1000")
NOTHING = tuple((0.0,) * 6 for _ in range(6))


def only(kind: str, rate: float = 1.0) -> tuple[float, ...]:
    return tuple(rate * (name == kind) for name in EVENTS)


def one_kind(kind: str, **terms: object) -> Probe:
    """An agent that does one thing only, at a market of 9,990 to 10,010, with three own orders."""
    flow = HawkesFlow(base_rates=only(kind), branching=NOTHING, first_orders=0, **terms)  # type: ignore[arg-type]
    probe = Probe(flow)
    probe.see(Kind.START, 0)
    probe.quote(9_990, 10_010)
    return probe


@pytest.mark.parametrize("kind", ["market_buy", "market_sell"])
def test_market_orders_are_sent_whether_or_not_anybody_is_there(kind: str) -> None:
    probe = one_kind(kind, quantity=5, sizes="constant")
    probe.quote(0, 0)
    (order,) = probe.see(Kind.WAKE, 1)
    side = 1 if kind == "market_buy" else -1
    assert (order.kind, order.side, order.order_type, order.quantity) == (Kind.NEW, side, OrderType.MARKET, 5)


def test_limit_orders_lie_at_geometric_distances_or_improve() -> None:
    probe = one_kind("limit_buy", improve_share=0.25, distance=3.0)
    counts = np.zeros(200)
    for now in range(1, 4_001):
        order, timer = probe.see(Kind.WAKE, now)
        assert (order.side, timer.kind, timer.tag) == (1, Kind.TIMER, order.order_id)
        counts[9_991 - order.price] += 1
        probe._out.rows["next_id"] = 1
    ratio = 3.0 / 4.0
    law = np.array([0.25, *[0.75 * (1 - ratio) * ratio**k for k in range(12)]])
    expected = np.append(law, 1 - law.sum()) * counts.sum()
    assert stats.chisquare(np.append(counts[:13], counts[13:].sum()), expected).pvalue > 1e-3
    probe.quote(10_009, 10_010)
    prices = {probe.see(Kind.WAKE, probe.now + 1)[0].price for _ in range(50)}
    assert max(prices) == 10_009, "no room to improve at a spread of a tick"


def test_a_cancel_takes_any_own_order_of_its_side() -> None:
    probe = one_kind("cancel_sell")
    probe.open = {5: (1, 9_990, 10), 6: (-1, 10_010, 10), 7: (-1, 10_011, 10), 8: (1, 9_989, 10), 9: (-1, 10_012, 10)}
    taken = []
    for now in range(1, 1_201):
        (action,) = probe.see(Kind.WAKE, now)
        assert action.kind == Kind.CANCEL
        taken.append(action.order_id)
    assert stats.chisquare([taken.count(order) for order in (6, 7, 9)]).pvalue > 1e-3
    assert set(taken) == {6, 7, 9}
    probe.open = {5: (1, 9_990, 10)}
    assert probe.see(Kind.WAKE, 2_000) == []


def test_an_order_whose_life_is_over_is_taken_back_once() -> None:
    probe = one_kind("limit_buy")
    order, timer = probe.see(Kind.WAKE, 1)
    (action,) = probe.see(Kind.TIMER, timer.price, tag=order.order_id)
    assert (action.kind, action.order_id) == (Kind.CANCEL, order.order_id)
    probe.open = {}
    assert probe.see(Kind.TIMER, timer.price, tag=order.order_id) == []


def test_the_first_book_has_so_many_orders_on_each_side_and_never_crosses() -> None:
    flow = HawkesFlow(base_rates=only("limit_buy", 1e-9), branching=NOTHING, first_orders=250, sizes="constant")
    market = Market([Crowd(flow, latency=ZERO)], processing=0, instrument=HIGH).run(1e-6)
    bids, asks = market.core.depth(0, 1), market.core.depth(0, -1)
    assert sum(orders for _, _, orders in bids) == sum(orders for _, _, orders in asks) == 250
    assert bids[0][0] == 99_999
    assert asks[0][0] == 100_001


def test_an_event_raises_rates_as_its_matrix_says_and_they_fall() -> None:
    matrix = np.zeros((6, 6))
    matrix[2, 0], matrix[4, 0] = 0.5, 0.25
    flow = HawkesFlow(base_rates=only("market_buy"), branching=matrix.tolist(), decays=(1, 1, 2, 1, 4, 1))
    probe = Probe(flow)
    probe.see(Kind.START, 0)
    assert probe["next"] == 0
    probe.see(Kind.WAKE, probe.wake)
    wait = (probe.wake - probe.now) / SECOND
    assert probe["excited"][2] * SECOND == pytest.approx(0.5 * 2 * math.exp(-2 * wait), rel=1e-9)
    assert probe["excited"][4] * SECOND == pytest.approx(0.25 * 4 * math.exp(-4 * wait), rel=1e-9)
    assert probe["excited"][[0, 1, 3, 5]].tolist() == [0, 0, 0, 0]


def test_without_excitation_it_is_a_poisson_flow() -> None:
    flow = HawkesFlow(base_rates=(2.0,) * 6, branching=NOTHING, lifetime=None, first_orders=1000)
    events = Market([Crowd(flow, latency=ZERO)], processing=0, instrument=HIGH).run(300).events
    requests = (events["kind"] == EventKind.ACCEPTED) | (
        (events["kind"] == EventKind.CANCELED) & (events["reason"] == Reason.BY_REQUEST)
    )
    times = events["time"][requests & (events["time"] > 0)]
    assert abs(len(times) - 12 * 300) < 4 * math.sqrt(12 * 300)
    assert stats.kstest(np.diff(times) / SECOND, stats.expon(scale=1 / 12).cdf).pvalue > 1e-3


def test_its_default_is_stationary_with_the_mean_rates_it_says() -> None:
    flow = HawkesFlow()
    assert flow.branching_ratio() == pytest.approx(0.77, abs=0.005)
    mean = flow.mean_rates()
    assert mean == pytest.approx(np.array(flow.base_rates) + np.array(flow.branching) @ mean)
    assert mean[0] + mean[4] < mean[2], "more limit orders come than are hit or canceled"


def run_of(flow: HawkesFlow, seconds: int, seed: int = 5) -> ms.Run:
    sim = ms.Simulation(seed=seed, duration=f"{seconds}s")
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    sim.add_agent(flow, name="flow", latency=ms.Constant(0))
    return sim.run()


@pytest.mark.slow
def test_its_parameters_are_found_again_in_the_event_log() -> None:
    """48 parameters of the default flow and its branching ratio from the orders of a run, by maximum likelihood.

    Estimates lie within 3 standard errors; of 44 that are not at the edge one may lie within 4 (for independent normal
    errors one in 370 exceeds 3). Those that are 0 by default are found below .03.
    """
    flow = HawkesFlow(lifetime=None, first_orders=5_000)  # so many that no cancel finds nobody
    fit = fit_hawkes(run_of(flow, 4_000), of="flow")
    assert fit.labels == EVENTS
    true = (np.array(flow.base_rates), np.array(flow.branching), np.full(6, 5.0))
    found = (fit.base_rates, fit.branching, fit.decays[:, 0])
    errors = (fit.base_errors, fit.children_errors[:, :, 0], fit.decay_errors[:, 0])
    inside = [np.isfinite(error) & (value > 0) for error, value in zip(errors, true, strict=True)]
    scores = np.concatenate([((f - t) / e)[kept] for f, t, e, kept in zip(found, true, errors, inside, strict=True)])
    print(
        f"\n{len(scores)} parameters, largest error {np.abs(scores).max():.2f} standard errors, "
        f"{fit.events.sum():,} events"
    )
    print(f"branching ratio {fit.ratio:.3f} ± {fit.ratio_error:.3f}, true {flow.branching_ratio():.3f}")
    assert len(scores) >= 40
    assert (np.abs(scores) > 3).sum() <= 1
    assert np.abs(scores).max() < 4
    assert fit.branching[np.array(flow.branching) == 0].max() < 0.03
    assert abs(fit.ratio - flow.branching_ratio()) < 3 * fit.ratio_error
    assert (fit.ks_p_value > 1e-3).all()


def test_events_come_in_clusters_unlike_those_of_a_poisson_flow() -> None:
    """Counts in windows far longer than the decay: variance over mean is 1 for Poisson, far more here."""
    ratios = []
    for flow in (HawkesFlow(), HawkesFlow(base_rates=tuple(HawkesFlow().mean_rates()), branching=NOTHING)):
        orders = run_of(flow, 600).orders["time"].to_numpy()
        counts = np.histogram(orders, np.arange(60, 601, 5) * SECOND)[0]
        ratios.append(counts.var() / counts.mean())
    assert ratios[0] > 3
    assert 0.5 < ratios[1] < 1.6


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"base_rates": (1.0,)}, "base_rates: 1 rates; write 6, in the order market_buy"),
        ({"base_rates": (0.0,) * 6}, "base_rates: all are 0/s"),
        ({"base_rates": ("x",) * 6}, "base_rates: 'x' is not a rate"),
        ({"base_rates": (1e9,) * 6}, "base_rates: they make"),
        ({"branching": ((1.0,),)}, "branching: write 6 rows of 6 numbers"),
        ({"branching": tuple((0.2,) * 6 for _ in range(6))}, "branching: its spectral radius is 1.2: events excite"),
        ({"branching": tuple((-0.1,) * 6 for _ in range(6))}, "branching: a number of events that are excited"),
        ({"decays": (1.0, 2.0)}, "decays: 2 rates; write 1 or 6"),
        ({"decays": (0.0,)}, "decays: 0/s never falls"),
        ({"improve_share": 2}, "improve_share: 2 must be from 0 to 1"),
        ({"lifetime": "0s"}, "lifetime: 0s must be above zero"),
        ({"first_orders": -1}, "first_orders: -1 must be from 0"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        HawkesFlow(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_a_flow_that_would_explode_is_refused_when_the_scenario_is_checked() -> None:
    text = {
        "duration": "10s",
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}},
        "agents": {"flow": {"type": "hawkes_flow", "branching": [[0.2] * 6] * 6}},
    }
    with pytest.raises(ms.MarketSimError, match=r"spectral radius is 1\.2"):
        check(text)
