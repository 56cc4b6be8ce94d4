"""Queue-reactive market: rates by queue size, moves of the reference price, and the stationary law of a queue."""

from __future__ import annotations

import math

import numpy as np
import pytest
from probe import Probe
from scipy import stats

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.agents.queue_reactive import SIZES, QueueReactive
from marketsim.analysis import birth_death_law, queue_intensities
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError
from tests.population.wiring import ZERO, Crowd, Market
from tests.statistical import runs

HIGH = Instrument("ABC", reference_price="1000")


def market_of(agent: QueueReactive, seed: int = 3) -> Market:
    return Market([Crowd(agent, latency=ZERO)], seed, processing=0, instrument=HIGH)


def quiet(**terms: object) -> Probe:
    """An agent that has been shown one bid of 3 units at 10,000 and an offer of 2 at 10,001, all of them its own."""
    probe = Probe(QueueReactive(quantity=10, **terms))  # type: ignore[arg-type]
    drawn = [action.order_id for action in probe.see(Kind.START, 0) if action.kind == Kind.NEW]
    probe.open = {1: (1, 10_000, 20), 2: (1, 10_000, 10), 3: (-1, 10_001, 20), 4: (1, 9_999, 10)}
    probe.quote(10_000, 10_001, bid_quantity=30, ask_quantity=20)
    probe.see(int(Kind.REPORT) + int(EventKind.ACCEPTED), order_id=drawn[-1] if drawn else 0)
    return probe


def test_every_event_has_the_rate_of_its_queue_and_size() -> None:
    """12,000 ticks of the clock in one state: counts of each kind at each price as their rates are to the clock's."""
    agent = QueueReactive(quantity=10)
    probe = quiet()
    ticks = 12_000
    counts: dict[tuple[str, int], int] = {}
    for now in range(1, ticks + 1):
        for action in probe.see(Kind.WAKE, now):
            if action.kind == Kind.NEW:
                market = action.order_type == OrderType.MARKET
                price = (10_001 if action.side > 0 else 10_000) if market else action.price
                assert action.quantity == 10
            else:
                market, price = False, probe.open[action.order_id][1]
            name = "market" if market else "cancel" if action.kind == Kind.CANCEL else "limit"
            counts[name, price] = counts.get((name, price), 0) + 1
            probe.open.pop(action.order_id, None) if action.kind == Kind.NEW else None
            probe._out.rows["next_id"] = 1_000
    sizes = {10_000: (0, 3), 10_001: (0, 2), 9_999: (1, 1), 10_002: (1, 0), 9_998: (2, 0), 10_003: (2, 0)}
    clock = 6 * float((agent.rates("limit") + agent.rates("cancel") + agent.rates("market")).max())
    for price, (queue, size) in sizes.items():
        for kind in ("limit", "cancel", "market"):
            rate = agent.rates(kind)[queue, size] if kind != "market" or queue == 0 else 0.0
            expected = ticks * rate / clock
            assert abs(counts.get((kind, price), 0) - expected) <= 4.5 * math.sqrt(expected), (kind, price)


def test_a_unit_of_a_large_order_is_canceled_by_its_part() -> None:
    probe = quiet(limit_rates=(0.0,), cancel_rates=(1.0,), market_rates=(0.0,))
    taken = [action.order_id for now in range(1, 4_000) for action in probe.see(Kind.WAKE, now)]
    bids = [order for order in taken if order in (1, 2)]
    assert set(taken) == {1, 2, 3}, "the order at 9,999 is beyond the only queue"
    assert abs(bids.count(1) / len(bids) - 2 / 3) < 4 * math.sqrt(2 / 9 / len(bids))


def test_the_reference_follows_a_mid_that_leaves_its_queue_empty() -> None:
    for theta, moved in ((0.0, 0), (1.0, 1)):
        probe = quiet(theta=theta, theta_reinit=0.0)
        probe.quote(10_000, 10_002, bid_quantity=30)
        assert probe["below"] == 10_000 + moved
        assert probe["moves"] == 1
    probe = quiet(theta=1.0, theta_reinit=0.0)
    probe.quote(9_999, 10_001, bid_quantity=10, ask_quantity=20)
    assert probe["below"] == 9_999


def test_a_mid_that_moves_within_its_queues_moves_nothing() -> None:
    probe = quiet(theta=1.0)
    probe.quote(10_000, 10_001, bid_quantity=20)  # the same mid
    probe.quote(10_000, 0)  # no mid
    assert (probe["below"], probe["moves"]) == (10_000, 0)


def test_after_a_move_the_far_queue_is_drawn_and_the_farthest_of_the_other_side_goes() -> None:
    probe = quiet(theta=1.0, theta_reinit=0.0)
    probe.open[9] = (1, 9_998, 30)
    actions = probe.quote(10_000, 10_002, bid_quantity=30)
    assert [a.order_id for a in actions if a.kind == Kind.CANCEL] == [9]
    assert {(a.side, a.price) for a in actions if a.kind == Kind.NEW} <= {(-1, 10_004)}


def test_a_book_that_is_drawn_anew_begins_with_the_cancel_of_everything_and_waits_until_it_stands() -> None:
    probe = quiet(theta=1.0, theta_reinit=1.0)
    actions = probe.quote(10_000, 10_002, bid_quantity=30)
    assert actions[0].kind == Kind.MASS_CANCEL
    orders = [action for action in actions if action.kind == Kind.NEW]
    assert {(order.side, order.price) for order in orders} <= {
        *((1, price) for price in (9_999, 10_000, 10_001)),
        *((-1, price) for price in (10_002, 10_003, 10_004)),
    }
    assert probe.see(Kind.WAKE, 50) == []
    probe.see(int(Kind.REPORT) + int(EventKind.ACCEPTED), order_id=orders[-1].order_id)
    assert any(probe.see(Kind.WAKE, now) for now in range(51, 500))


def test_formulas_and_tables_say_the_same() -> None:
    agent = QueueReactive(limit_rates=(2.0,), cancel_rates=(0.5,), market_rates=(1.0,), cancel_power=0.5)
    assert agent.rates("limit")[0, 0] == pytest.approx(1.4)
    assert agent.rates("limit")[0, 2] == pytest.approx(2 * (1 - 0.3 * math.exp(-1)))
    assert agent.rates("cancel")[0, :5] == pytest.approx(0.5 * np.sqrt(np.arange(5)))
    assert agent.rates("market")[0, :3] == pytest.approx([0, 1, math.exp(-0.2)])
    tables = {f"{kind}_table": tuple(map(tuple, agent.rates(kind).tolist())) for kind in ("limit", "cancel", "market")}
    again = QueueReactive(**tables)
    assert all(np.allclose(again.rates(kind), agent.rates(kind), rtol=1e-14) for kind in ("limit", "cancel", "market"))
    short = QueueReactive(limit_table=((1.0,),), cancel_table=((0.0, 1.0, 2.0),), market_table=((0.0,),))
    assert short.rates("cancel")[0].tolist() == [0.0, 1.0, *[2.0] * (SIZES - 2)]


def test_its_law_is_that_of_births_and_deaths() -> None:
    agent = QueueReactive()
    for queue in (1, 2, 3):
        limit, gone = agent.rates("limit")[queue - 1], (agent.rates("cancel") + agent.rates("market"))[queue - 1]
        assert agent.law(queue, SIZES) == pytest.approx(birth_death_law(limit[:-1], gone[1:]))
    # By hand: births of 1, deaths of 2 from one unit and 4 from two or more.
    small = QueueReactive(limit_table=((1.0,),), cancel_table=((0.0, 2.0, 4.0),), market_table=((0.0,),))
    assert small.law(1)[:4] == pytest.approx(np.array([1, 1 / 2, 1 / 8, 1 / 32]) / (1 + 1 / 2 + 1 / 6))


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["formulas", "tables"])
def test_the_first_queue_has_its_stationary_law_while_the_reference_rests(kind: str) -> None:
    """The size of Q(±1) at moments a minute apart, many relaxation times; chi-square of the counts, tail joined.

    The autocorrelation from one look to the next is checked to be below .05, so that looks count as independent.
    """
    tables = {
        "limit_table": ((3.0, 2.0, 1.5), (1.0,)), "cancel_table": ((0.0, 0.5, 0.8, 1.5, 2.5), (0.0, 1.5)),
        "market_table": ((0.0, 1.5, 0.7, 0.3), (0.0,)),
    }  # fmt: skip
    agent = QueueReactive(theta=0.0, quantity=7, **(tables if kind == "tables" else {}))  # type: ignore[arg-type]
    market, law, looks = market_of(agent), agent.law(1), runs(2_000, 30_000)
    found = np.zeros((2, looks), np.int64)
    for look in range(looks):
        market.run(60 * (look + 1))
        for place, side in enumerate((1, -1)):
            lots = {price: quantity for price, quantity, _ in market.core.depth(0, side, 3)}
            found[place, look] = lots.get(100_000 if side > 0 else 100_001, 0) // 7
    last = int(np.flatnonzero(law * looks > 10)[-1])
    expected = np.append(law[:last], law[last:].sum()) * looks
    print(f"\n{kind}: size 0, 1, 2 …: theory " + " ".join(f"{value:.3f}" for value in expected / looks))
    for place in (0, 1):
        counts = np.bincount(np.minimum(found[place], last), minlength=last + 1)
        centred = found[place] - found[place].mean()
        memory = float((centred[1:] * centred[:-1]).mean() / centred.var())
        p_value = stats.chisquare(counts, expected).pvalue
        error = np.sqrt(expected / looks * (1 - expected / looks) / looks)
        print(
            "ours " + " ".join(f"{value:.3f}" for value in counts / looks) + f"; p {p_value:.3f}, memory {memory:.3f}"
        )
        assert abs(memory) < 0.05
        assert p_value > 1e-3
        assert (np.abs(counts - expected) / looks < 4 * error).all()
    # Chosen independently of each other, so sizes of both sides are unrelated.
    assert abs(np.corrcoef(found)[0, 1]) < 4 / math.sqrt(looks)


def joint_law(agent: QueueReactive, most: int) -> np.ndarray:
    """The stationary law of the first two queues together: the null vector of their generator, sizes below ``most``."""
    limit, cancel, market, limit_exposed, cancel_exposed = (
        agent.rates(kind) for kind in ("limit", "cancel", "market", "exposed_limit", "exposed_cancel")
    )
    generator = np.zeros((most, most, most, most))
    for first in range(most):
        for second in range(most):
            here = generator[first, second]
            up, down = (limit_exposed, cancel_exposed) if first == 0 else (limit, cancel)
            if first < most - 1:
                here[first + 1, second] += limit_exposed[0, first]
            if first > 0:
                here[first - 1, second] += cancel_exposed[0, first] + market[0, first]
            if second < most - 1:
                here[first, second + 1] += up[1, second]
            if second > 0:
                here[first, second - 1] += down[1, second] + (market[1, second] if first == 0 else 0.0)
            here[first, second] -= here.sum()
    square = generator.reshape(most * most, most * most).T.copy()
    square[-1] = 1.0
    law: np.ndarray = np.linalg.solve(square, np.eye(most * most)[-1]).reshape(most, most)
    return law


@pytest.mark.statistical
def test_two_queues_have_their_joint_law_when_rates_depend_on_what_is_before_them() -> None:
    """Model IIa: the second queue is joined and left at other rates while the first is empty, and only then hit.

    Chi-square of the counts of both sizes at moments a minute apart, cells of few joined.
    """
    agent = QueueReactive(
        theta=0.0, quantity=1, limit_table=((1.0,), (1.0,)),
        cancel_table=((0.0, 0.6, 1.2, 2.0), (0.0, 0.5, 1.0, 1.5, 2.0)),
        market_table=((0.0, 0.8, 0.3), (0.0, 1.0)), exposed_limit_table=((1.0,), (0.3,)),
        exposed_cancel_table=((0.0, 0.6, 1.2, 2.0), (0.0, 1.2, 2.4)),
    )  # fmt: skip
    market, law, looks = market_of(agent, 5), joint_law(agent, 14), runs(3_000, 30_000)
    assert law[:, 0].sum() * law[0].sum() != pytest.approx(law[0, 0], rel=0.05), "they are not independent"
    counts = np.zeros((2, *law.shape))
    for look in range(looks):
        market.run(60 * (look + 1))
        for place, side in enumerate((1, -1)):
            lots = {price: quantity for price, quantity, _ in market.core.depth(0, side, 3)}
            first = 100_000 if side > 0 else 100_001
            counts[place, min(lots.get(first, 0), 13), min(lots.get(first - side, 0), 13)] += 1
    often = law * looks > 8
    for place in (0, 1):
        found = np.append(counts[place][often], counts[place][~often].sum())
        p_value = stats.chisquare(found, np.append(law[often], law[~often].sum()) * looks).pvalue
        empty = counts[place][0, 0] / looks
        print(f"\n{often.sum()} cells, p {p_value:.3f}; both empty {empty:.3f}, theory {law[0, 0]:.3f}")
        assert p_value > 1e-3


def run_of(agent: QueueReactive, seconds: int, seed: int = 3) -> ms.Run:
    sim = ms.Simulation(seed=seed, duration=f"{seconds}s")
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    sim.add_agent(agent, name="market", latency=ms.Constant(0))
    return sim.run()


@pytest.mark.slow
def test_its_intensities_are_estimated_from_its_run() -> None:
    """Rates of each kind at each size of the best queue, of the first queue while the reference rests, to 4 errors.

    With one queue on each side every best queue is the first.
    """
    agent = QueueReactive(theta=0.0, limit_rates=(2.0,), cancel_rates=(0.45,), market_rates=(1.2,))
    table = queue_intensities(run_of(agent, 6_000), sizes=8)
    table = table[table["size"] < 8]
    print()
    print(table.round(3).to_string())
    assert table["size"].tolist() == list(range(1, 8))
    for kind in ("limit", "cancel", "market"):
        true = agent.rates(kind)[0, table["size"]]
        assert (np.abs(table[kind] - true) < 4 * table[f"{kind}_error"] + 1e-9).all(), kind
        assert (table[f"{kind}_error"] < 0.1 * table[kind]).sum() >= 5


def test_the_reference_price_walks_and_its_quotes_stay_beside_it() -> None:
    market = market_of(QueueReactive(), seed=5)
    places = []
    for second in range(50, 2_001, 50):
        market.run(second)
        below = int(market.state("queuereactive")["below"][0])
        bid, _, ask, _ = market.core.best(0)
        assert below - 2 <= bid <= below < ask <= below + 3
        places.append(below)
    assert len(set(places)) > 5
    sent = market.events[market.events["kind"] == EventKind.REJECTED]
    assert len(sent) == 0


def test_others_are_part_of_the_queue_and_the_market_goes_on_around_them() -> None:
    agents = [Crowd(QueueReactive(), latency=ZERO), Crowd(Noise(rate="1/s", quantity=50), 10, latency=ZERO)]
    market = Market(agents, processing=0, instrument=HIGH).run(300)
    below = int(market.state("queuereactive")["below"][0])
    bid, bid_quantity, ask, ask_quantity = market.core.best(0)
    assert bid_quantity > 0
    assert ask_quantity > 0
    assert abs(bid - below) < 10
    assert abs(ask - below) < 10


def test_others_cancel_their_part_by_themselves() -> None:
    """A queue of 30 lots of which none is its own is left by nobody, but joined and hit."""
    probe = quiet(limit_rates=(0.0,), cancel_rates=(1.0,), market_rates=(1.0,))
    probe.open = {}
    kinds = {action.kind for now in range(1, 2_000) for action in probe.see(Kind.WAKE, now)}
    assert kinds == {Kind.NEW}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"limit_rates": ("x", 1, 1)}, "limit_rates: 'x' is not a rate"),
        ({"limit_rates": (1.0,)}, "limit_rates: rates are given for 1 queues, cancels for 3 and market orders for 3"),
        ({"limit_rates": (), "cancel_rates": (), "market_rates": ()}, "limit_rates: rates are given for 0 queues"),
        ({"limit_rates": (20, 1, 1)}, "limit_rates: at queue 1 20 orders a second arrive when it is long, but only"),
        ({"cancel_table": ((0.0,) * 65,) * 3}, "cancel_table: a row holds 65 rates; write 1 to 64"),
        (
            {"cancel_table": ((0, 0, 9), (0, 9), (0, 9)), "market_table": ((0,), (0,), (0,))},
            "cancel_rates: nothing leaves queue 1 when it holds 1",
        ),
        ({"limit_rates": (1e8, 1, 1), "cancel_rates": (1e9, 1, 1)}, "limit_rates: the rates together exceed 1e+08"),
        ({"exposed_limit_table": ((1,),)}, "exposed_limit_table: 1 rows for 3 queues; write one for each"),
        ({"exposed_limit_table": ((8,),) * 3}, "limit_rates: at queue 2 8 orders a second arrive when it is long"),
        ({"theta": 1.5}, "theta: 1.5 must be from 0 to 1"),
        ({"quantity": 0}, "quantity: 0 must be from 1"),
        ({"market_scale": 0}, "market_scale: 0 must be above 0"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        QueueReactive(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_tables_are_read_from_a_scenario() -> None:
    text = {
        "duration": "10s",
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}},
        "agents": {
            "market": {
                "type": "queue_reactive",
                "limit_table": [["60/min", 2]],
                "cancel_table": [[0, "1.5/s", 4]],
                "market_table": [[0, 0.5]],
            }
        },
    }
    spec = ms.ScenarioSpec.from_dict(text)
    assert spec.agents["market"].type == "queue_reactive"
    assert len(ms.Simulation.from_spec(spec).run().orders) > 5
