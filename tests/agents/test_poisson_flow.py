"""Poisson flow: rates, lifetimes and depths against theory, the spread against a naive twin and the published law."""

import math

import numpy as np
import pytest
from double_auction import mean_spread
from probe import Probe
from scipy import stats

import marketsim as ms
from marketsim.agents.poisson_flow import REACH, PoissonFlow
from marketsim.analysis.tape import Tape
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType, Reason
from marketsim.errors import InvalidValueError
from tests.population.wiring import ZERO, Crowd, Market
from tests.statistical import runs

SECOND = 1_000_000_000
HIGH = Instrument("ABC", reference_price="1000")


def market_of(flow: PoissonFlow, seed: int = 7) -> Market:
    return Market([Crowd(flow, latency=ZERO)], seed=seed, processing=0, instrument=HIGH)


def test_orders_arrive_at_their_rates_on_both_sides() -> None:
    seconds = 400
    events = market_of(PoissonFlow(limit_rate=0.5, market_rate=3, cancel_rate=0.5, reach=10)).run(seconds).events
    accepted = events[events["kind"] == EventKind.ACCEPTED]
    after = accepted[accepted["time"] > 0]  # the first book comes at once
    for side in (1, -1):
        limits = ((after["order_type"] == OrderType.LIMIT) & (after["side"] == side)).sum()
        markets = ((after["order_type"] == OrderType.MARKET) & (after["side"] == side)).sum()
        assert abs(limits - 5 * seconds) < 4 * math.sqrt(5 * seconds)
        assert abs(markets - 3 * seconds) < 4 * math.sqrt(3 * seconds)
    gaps = np.diff(after["time"]) / SECOND
    assert stats.kstest(gaps, stats.expon(scale=1 / 16).cdf).pvalue > 1e-3


def test_distances_have_the_distribution_that_was_asked_for() -> None:
    flow = PoissonFlow(
        limit_rate=1.92, exponent=0.52, limit_rates=(1.85, 1.51), reach=20, market_rate=0, begin_full=False
    )
    probe = Probe(flow)
    probe.see(Kind.START, 0)
    probe.quote(9_990, 10_010, bid_quantity=1)
    counts = np.zeros(20)
    for now in range(1, 20_001):
        order, timer = probe.see(Kind.WAKE, now)
        assert (order.kind, timer.kind, timer.tag) == (Kind.NEW, Kind.TIMER, order.order_id)
        counts[(10_010 - order.price if order.side > 0 else order.price - 9_990) - 1] += 1
        probe._out.rows["next_id"] = 1
    rates = np.array([1.85, 1.51, *[1.92 * k**-0.52 for k in range(3, 21)]])
    assert flow.arrivals() == pytest.approx(rates)
    assert stats.chisquare(counts, rates / rates.sum() * counts.sum()).pvalue > 1e-3


def test_lives_are_exponential_whatever_else_happens() -> None:
    flow = PoissonFlow(limit_rate=1, market_rate=0, cancel_rate="0.5/s", reach=10, begin_full=False)
    events = market_of(flow).run(300).events
    born = {row["order_id"]: row["time"] for row in events if row["kind"] == EventKind.ACCEPTED}
    gone = events[events["kind"] == EventKind.CANCELED]
    assert set(gone["reason"].tolist()) == {Reason.BY_REQUEST}
    lives = np.array([row["time"] - born[row["order_id"]] for row in gone if born[row["order_id"]] < 250 * SECOND])
    assert len(lives) > 4_000
    assert stats.kstest(lives[lives < 40 * SECOND] / SECOND, stats.expon(scale=2.0).cdf).pvalue > 1e-3


def test_rates_by_distance_are_reached_by_thinning() -> None:
    """Limit orders far from each other, no trades: those 1 to 3 ticks from the opposite best go at their own rates."""
    probe = Probe(PoissonFlow(cancel_rates=(2.0, 0.5, 0.0), limit_rate=1, reach=3, begin_full=False))
    probe.see(Kind.START, 0)
    probe.quote(9_000, 10_000)
    fates = {1: 0, 2: 0, 3: 0}
    again = []
    for price, side in ((9_999, 1), (9_998, 1), (9_003, -1)):
        distance = 10_000 - price if side > 0 else price - 9_000
        for _ in range(2_000):
            probe.open = {77: (side, price, 10)}
            (action,) = probe.see(Kind.TIMER, probe.now + 1, tag=77)
            fates[distance] += action.kind == Kind.CANCEL
            if action.kind == Kind.TIMER:
                again.append((action.price - probe.now) / SECOND)
    assert fates[1] == 2_000
    assert fates[3] == 0
    assert abs(fates[2] - 500) < 4 * math.sqrt(2_000 * 0.25 * 0.75)
    assert stats.kstest(again, stats.expon(scale=0.5).cdf).pvalue > 1e-3
    probe.open = {}
    assert probe.see(Kind.TIMER, probe.now + 1, tag=77) == [], "an order that is over needs no cancel"


def test_an_empty_side_is_where_it_was_seen_last() -> None:
    probe = Probe(PoissonFlow(limit_rate=1, market_rate=0, reach=1, begin_full=False))
    probe.see(Kind.START, 0)
    for shown, expected in (
        ((0, 0), {10_000}),  # the reference and a tick on each side of it
        ((9_990, 9_995), {9_994, 9_991}),
        ((9_990, 0), {9_994, 9_991}),
        ((9_998, 0), {9_998, 9_999}),
        ((0, 9_900), {9_899, 9_900}),
    ):
        probe.quote(*shown)
        assert {probe.see(Kind.WAKE, probe.now + 1)[0].price for _ in range(50)} == expected


def test_market_orders_need_somebody_to_trade_with() -> None:
    probe = Probe(PoissonFlow(limit_rate=0, market_rate=1, begin_full=False))
    probe.see(Kind.START, 0)
    probe.quote(9_990, 0)
    orders = [action for now in range(1, 100) for action in probe.see(Kind.WAKE, now)]
    assert {(order.side, order.order_type, order.quantity) for order in orders} == {(-1, OrderType.MARKET, 10)}
    assert 30 < len(orders) < 70


@pytest.mark.statistical
def test_far_from_the_best_a_price_holds_alpha_over_delta() -> None:
    """λ/δ = 4 orders a price, Poisson; the book is looked at 600 times, three lifetimes of an order apart."""
    flow = PoissonFlow(limit_rate=2, market_rate=4, cancel_rate=0.5, reach=25, quantity=3)
    market = market_of(flow)
    counts: list[int] = []
    for look in range(1, 601):
        market.run(6 * look)
        for side in (1, -1):
            opposite = market.core.best(0)[2 if side > 0 else 0]
            levels = {price: orders for price, _, orders in market.core.depth(0, side)}
            # Well behind the best, and always within reach of arrivals: the mid moves a few ticks in a lifetime.
            assert side * market.core.depth(0, side, 1)[0][0] > side * opposite - 8
            counts += [levels.get(opposite - side * distance, 0) for distance in range(8, 13)]
    assert np.mean(counts) == pytest.approx(4.0, rel=0.03)
    assert np.var(counts) == pytest.approx(4.0, rel=0.12)


def test_the_first_book_is_poisson_with_the_stationary_depth() -> None:
    depths = []
    for seed in range(30):
        flow = PoissonFlow(limit_rate=3, market_rate=0, cancel_rates=(1.0, 0.5), reach=40, quantity=2)
        market = market_of(flow, seed)
        market.run(1e-9)
        for side in (1, -1):
            levels = {price: orders for price, _, orders in market.core.depth(0, side)}
            depths.append([levels.get(100_000 - side * distance, 0) for distance in range(1, 41)])
            assert all(quantity == 2 * orders for _, quantity, orders in market.core.depth(0, side))
    found = np.array(depths)
    assert found[:, 0].mean() == pytest.approx(3.0, abs=4 * math.sqrt(3 / 60))
    assert found[:, 1:].mean() == pytest.approx(6.0, abs=4 * math.sqrt(6 / 60 / 39))
    assert found[:, 1:].var() == pytest.approx(6.0, rel=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize(("limit", "market", "cancel", "reach"), [(0.1, 1.0, 0.1, 100), (0.1, 1.0, 1.0, 150)])
def test_the_spread_is_that_of_a_naive_double_auction(limit: float, market: float, cancel: float, reach: int) -> None:
    """Two independent programs of one model: eight runs each, means within four standard errors of each other.

    How far both are from the published law is another test's matter.
    """
    ours, theirs = [], []
    for seed in range(8):
        run = market_of(
            PoissonFlow(limit_rate=limit, market_rate=market, cancel_rate=cancel, reach=reach, quantity=1), seed
        )
        run.run(30)
        samples = []
        for step in range(1, 2_000):
            run.run(30 + 0.3 * step)
            bid, bid_quantity, ask, ask_quantity = run.core.best(0)
            if bid_quantity and ask_quantity:
                samples.append(ask - bid)
        ours.append(np.mean(samples))
        theirs.append(mean_spread(limit, market, cancel, reach, 600, seed))
    error = math.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 8)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * error
    assert error < 0.05 * np.mean(ours)


def santa_fe(market: float, limit: float, cancel: float, seconds: int, quantity: int = 1) -> tuple[float, float, float]:
    """Mean spread (ticks), its standard error (20 batches) and Σ (change of the mid)² a second, on the exchange."""
    reach = int(min(4.0 * max(1.0, 2.0 * (cancel / market) ** 0.5) * market / limit, REACH))
    sim = ms.Simulation(seed=1, duration=f"{seconds}s", warm_up=f"{min(5.0 / cancel, seconds / 4)}s")
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="1", reference_price="1000000")])
    flow = PoissonFlow(limit_rate=limit, market_rate=market, cancel_rate=cancel, reach=reach, quantity=quantity)
    tape = Tape.of(sim.add_agent(flow, name="flow", latency=ms.Constant(0)).run())
    edges = np.linspace(tape.start, tape.end, 21).astype(np.int64)
    batches = tape.time_weighted_in(tape.spread, edges)
    mid = tape.mid[(tape.quote_time >= tape.start) & ~np.isnan(tape.mid)]
    moved = float((np.diff(mid) ** 2).sum()) / ((tape.end - tape.start) / SECOND)
    return float(batches.mean()), float(batches.std(ddof=1) / math.sqrt(20)), moved


@pytest.mark.statistical
def test_the_mean_spread_beside_the_law_of_smith_and_farmer() -> None:
    """s = (μ/α)(.28 + 1.86 ε^¾), ε = δσ/μ, over fifty times of ε; 40 ticks to μ/α, so that the tick hardly matters.

    With all rates taken of one side the form comes out and the constants do not: an independent program without ticks
    lies 43 % above the law at ε = .005, 3 % at .1, and 24 % below at 1; taken of both sides together (ε halved) it lies
    17 to 50 % above everywhere. No factors of two bring the constants together. But over .005 … .5 it is
    1.58 (μ/α)(.28 + 1.86 (ε/4)^¾) to within 5 %: that is what the exchange is held to here, to 4 standard errors (of 20
    batches) and 6 %, two of which are the tick.
    """
    print("\nε: ours in μ/α (standard error), printed law, ratio, the law with 1.58 and ε/4")
    for epsilon in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        mean, error, _ = santa_fe(1.0, 0.025, epsilon, runs(6_000, 60_000))
        mean, error = mean * 0.025, error * 0.025
        law, form = (factor * (0.28 + 1.86 * (epsilon / part) ** 0.75) for factor, part in ((1.0, 1.0), (1.58, 4.0)))
        print(f"{epsilon:4}: {mean:.3f} ({error:.3f})  {law:.3f}  {mean / law:.2f}  {form:.3f}")
        assert abs(mean - form) < 4 * error + 0.06 * form
        assert 0.7 < mean / law < 1.5


@pytest.mark.statistical
def test_diffusion_grows_with_the_powers_of_smith_and_farmer() -> None:
    """D = k μ^2.5 δ^.5 σ^−.5 α^−2 for the mid at short times, Σ (change)² a second; near ε = .05.

    Slopes of ln D between runs whose ln differs: within .2, of which the sampling makes about .05 and the law's own
    bend the rest: an independent program has .51 for δ between ε = .02 and .1, but .2 below and 1 above. σ is no slope
    of its own: with all orders k times as large μ, α and σ are too, and D is the same to the last bit.
    """
    seconds = runs(6_000, 60_000)
    base = santa_fe(1.0, 0.025, 0.05, seconds)[2]
    found = {
        "δ": math.log(santa_fe(1.0, 0.025, 0.1, seconds)[2] / santa_fe(1.0, 0.025, 0.02, seconds)[2]) / math.log(5),
        "μ": math.log(santa_fe(2.0, 0.025, 0.05, seconds)[2] / base) / math.log(2),
        "α": math.log(santa_fe(1.0, 0.05, 0.05, seconds)[2] / base) / math.log(2),
    }
    print("\npowers, ours and published: ", {name: round(value, 2) for name, value in found.items()}, "0.5, 2.5, -2")
    print(f"k = {base * 0.025**2 / 0.05**0.5:.3f}")
    assert santa_fe(1.0, 0.025, 0.05, seconds, quantity=3)[2] == base
    for name, power in (("δ", 0.5), ("μ", 2.5), ("α", -2.0)):
        assert abs(found[name] - power) < 0.2, name


def test_two_flows_add_up() -> None:
    one = Market([Crowd(PoissonFlow(limit_rate=1, market_rate=1, reach=5), 1, latency=ZERO)], processing=0).run(100)
    two = Market([Crowd(PoissonFlow(limit_rate=1, market_rate=1, reach=5), 2, latency=ZERO)], processing=0).run(100)
    arrived = [int((run.events["kind"] == EventKind.ACCEPTED).sum()) for run in (one, two)]
    assert arrived[1] == pytest.approx(2 * arrived[0], rel=0.15)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"limit_rate": "x"}, "limit_rate: 'x' is not a rate"),
        ({"limit_rate": 0, "market_rate": 0}, "limit_rate: with market_rate it must make more than 0/s"),
        ({"limit_rate": 1e9}, "limit_rate: with market_rate it must make more than 0/s and at most 1e8/s"),
        ({"reach": REACH + 1}, f"reach: {REACH + 1} must be from 1 to {REACH}"),
        ({"exponent": -1}, "exponent: -1 must be from 0 to 20"),
        ({"limit_rates": (1,) * 9, "reach": 8}, "limit_rates: 9 distances; reach ends at 8"),
        ({"cancel_rate": 0}, "begin_full: orders that are never canceled have no stationary book"),
        ({"quantity": 0}, "quantity: 0 must be from 1"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        PoissonFlow(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_rates_are_read_in_their_units() -> None:
    flow = PoissonFlow(limit_rates=("60/min", 2), cancel_rates=("3600/h",), cancel_rate=0)
    assert (flow.limit_rates, flow.cancel_rates) == ((1.0, 2.0), (1.0,))
