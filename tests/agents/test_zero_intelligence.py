"""Zero intelligence: nobody ever trades at a loss, prices are uniform, markets are nearly as efficient as published."""

import numpy as np
import pytest
from probe import Probe
from scipy import stats
from trading_floor import WHOLE, Session

from marketsim.agents.assignment import UNITS
from marketsim.agents.zero_intelligence import ZeroIntelligence
from marketsim.analysis.double_auctions import DoubleAuction
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError
from marketsim.network.latency import LogNormal
from tests.population.wiring import LATENCY, ZERO, Crowd, Market
from tests.statistical import runs

# Gode and Sunder 1993: redemption values and costs of each of six buyers and six sellers.
MARKETS = {
    1: ((102, 97, 92, 87, 82, 77), (34, 46, 58, 70, 82, 94)),
    2: ((117, 105, 93, 81, 69, 57), (49, 54, 59, 64, 69, 74)),
    3: ((133, 95, 90), (90, 95, 100)),
    4: ((180, 175, 170, 165, 160), (90, 142, 170, 190, 198)),
}
# Their tables 2 (efficiency, per cent) and 3 (dispersion of profits), markets 1 to 4.
PUBLISHED = {
    "ZI-C": {"efficiency": (99.9, 99.2, 99.0, 98.2), "dispersion": (28.53, 49.81, 15.90, 60.47)},
    "ZI-U": {"efficiency": (90.0, 90.0, 76.7, 48.8), "dispersion": (225.48, 253.12, 90.54, 363.80)},
}


def buyer(**terms: object) -> Probe:
    terms = {"values": (102, 97, 92), "side": "buy", "rate": 1.0, **terms}
    return Probe(ZeroIntelligence(**terms), instrument=WHOLE)  # type: ignore[arg-type]


def session(number: int, shouts: int, periods: int) -> Session:
    """Six buyers and six sellers who all have all units, and so many wake-ups of the twelve in a period."""
    values, costs = MARKETS[number]
    return Session([values] * 6, [costs] * 6, shouts / 12, periods)


def play(number: int, seed: int, shouts: int, periods: int = 1, *, constrained: bool = True) -> DoubleAuction:
    return session(number, shouts, periods).play(ZeroIntelligence, seed, rate=1.0, reset=True, constrained=constrained)


@pytest.mark.statistical
@pytest.mark.parametrize("number", MARKETS)
def test_the_tables_of_gode_and_sunder(number: int) -> None:
    """Efficiency (their table 2) and dispersion of profits (their table 3), both kinds of traders, markets 1 to 4.

    100 periods of 1,000 wake-ups, nearly all of them shouts: the upper end of the usual 500 to 1,000. What is drawn is
    a period, and a published number is taken to be the mean of the six of a session; so the rule is 3.5 standard
    deviations of a mean of six periods (ours has more of them, and counts little). Of sixteen numbers one lies beyond
    3, dispersion of the unconstrained in market 1: 169 to 225, -3.3 with 2,000 periods. Efficiency of the constrained
    depends on the length: with 2,000 shouts market 1 comes closer (99.7) and market 4 moves away (99.4). One known
    difference of rules: here a trader that shouts again takes its old order back even where that was the best.
    Unconstrained efficiency is exact, all units trade. Market 5 has no comparison: its schedule is not among the
    published data that we have.
    """
    for kind, constrained in (("ZI-C", True), ("ZI-U", False)):
        table = play(number, 1, 1_000, runs(100, 2_000), constrained=constrained).table
        for name, scale in (("efficiency", 100.0), ("dispersion", 1.0)):
            wanted = PUBLISHED[kind][name][number - 1]
            ours, spread = scale * table[name].mean(), scale * table[name].std()
            error = spread / np.sqrt(len(table))
            print(f"market {number} {kind} {name:10} {ours:7.2f} ± {error:.2f}, published {wanted:7.2f}")
            assert abs(ours - wanted) < 3.5 * np.hypot(spread / np.sqrt(6), error) + 0.05
    constrained_runs, free = (play(number, 2, 1_000, 20, constrained=kind) for kind in (True, False))
    assert constrained_runs.efficiency > free.efficiency + 0.08, "the constraint is what makes the market efficient"
    assert constrained_runs.dispersion < 0.3 * free.dispersion


@pytest.mark.parametrize("number", MARKETS)
def test_without_the_constraint_all_units_trade_and_the_surplus_is_exact(number: int) -> None:
    """Unconstrained traders trade every unit in the end: 90.0, 90.0, 76.7 and 48.8 percent, whatever the draws."""
    for seed in range(3):
        found = 100.0 * play(number, seed, 3_000, constrained=False).efficiency
        assert found == pytest.approx(PUBLISHED["ZI-U"]["efficiency"][number - 1], abs=0.05)


def test_prices_are_uniform_up_to_the_value_of_the_present_unit() -> None:
    probe = buyer()
    probe.see(Kind.START, 0)
    shouts = []
    for now in range(1, 6_001):
        actions = probe.see(Kind.WAKE, now)
        order = actions[-1]
        shouts.append(order.price)
        assert (order.kind, order.side, order.quantity) == (Kind.NEW, 1, 1)
        probe.open.clear()  # as if it had been taken back
    assert (min(shouts), max(shouts)) == (1, 102)
    counts = np.bincount(shouts, minlength=103)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_seller_asks_for_its_cost_or_more() -> None:
    probe = buyer(side="sell", values=(150.0,), high=160)
    probe.see(Kind.START, 0)
    shouts = set()
    for now in range(1, 400):
        (order,) = probe.see(Kind.WAKE, now)
        assert order.side == -1
        shouts.add(order.price)
        probe.open.clear()
    assert shouts == set(range(150, 161))


def test_a_new_shout_waits_until_the_old_one_is_back() -> None:
    probe = buyer()
    probe.see(Kind.START, 0)
    (first,) = probe.see(Kind.WAKE, 10)
    (cancel,) = probe.see(Kind.WAKE, 20)
    assert (cancel.kind, cancel.order_id) == (Kind.CANCEL, first.order_id)
    (second,) = probe.report(EventKind.CANCELED, first.order_id, 1)
    assert second.kind == Kind.NEW
    # Now the cancel comes too late: the order has traded, and the next shout is for the next unit.
    probe.see(Kind.WAKE, 30)
    probe["low"] = 97  # so that the price tells the unit
    (third,) = probe.report(EventKind.TRADE, second.order_id, 1)
    assert (third.kind, third.price) == (Kind.NEW, 97)
    assert probe.report(EventKind.CANCEL_REJECTED, second.order_id) == []


def test_a_trader_without_units_is_silent_until_the_next_period() -> None:
    probe = buyer(values=(102,), period="10s")
    assert [(a.kind, a.price) for a in probe.see(Kind.START, 5)] == [(Kind.TIMER, 10_000_000_005)]
    (order,) = probe.see(Kind.WAKE, 10)
    assert probe.report(EventKind.TRADE, order.order_id, 1) == []
    assert probe.see(Kind.WAKE, 20) == []
    assert probe.wake > 20
    (again,) = probe.see(Kind.TIMER, 10_000_000_005)
    assert (again.kind, again.price) == (Kind.TIMER, 20_000_000_005)
    assert len(probe.see(Kind.WAKE, 10_000_000_006)) == 1


def test_any_trade_takes_the_order_back_where_the_rules_say_so() -> None:
    probe = buyer(reset=True)
    assert [a.kind for a in probe.see(Kind.START, 0)] == [Kind.SUBSCRIBE]
    (order,) = probe.see(Kind.WAKE, 10)
    (cancel,) = probe.see(Kind.TRADE_PRINT, 11)
    assert (cancel.kind, cancel.order_id) == (Kind.CANCEL, order.order_id)
    assert probe.report(EventKind.CANCELED, order.order_id, 1) == []


def test_a_unit_of_several_lots_is_bought_bit_by_bit() -> None:
    probe = buyer(quantity=10)
    probe.see(Kind.START, 0)
    (order,) = probe.see(Kind.WAKE, 10)
    assert order.quantity == 10
    probe.report(EventKind.TRADE, order.order_id, 4)
    probe.see(Kind.WAKE, 20)
    probe["low"] = 102
    (rest,) = probe.report(EventKind.CANCELED, order.order_id, 6)
    assert (rest.quantity, rest.price) == (6, 102)
    probe.see(Kind.WAKE, 30)
    probe["low"] = 97
    probe.report(EventKind.TRADE, rest.order_id, 5)
    (last,) = probe.report(EventKind.CANCELED, rest.order_id, 1)
    assert last.quantity == 1
    probe.report(EventKind.TRADE, last.order_id, 1)
    (following,) = probe.see(Kind.WAKE, 40)
    assert (following.quantity, following.price) == (10, 97)


@pytest.mark.parametrize("latency", [ZERO, LATENCY, LogNormal(median="300ms", sigma=1.0)])
def test_nobody_trades_at_a_loss_whatever_the_latency(latency: object) -> None:
    values, costs = (103.0, 101.0, 99.0), (97.0, 99.0, 101.0)
    market = Market(
        [
            Crowd(ZeroIntelligence(rate=5, side="buy", values=values, low=90, high=110), 10, "b", latency=latency),  # type: ignore[arg-type]
            Crowd(ZeroIntelligence(rate=5, side="sell", values=costs, low=90, high=110), 10, "s", latency=latency),  # type: ignore[arg-type]
        ]
    ).run(60)
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    assert len(trades) > 10
    done: dict[int, int] = {}
    for trade in trades:
        for owner, side in ((trade["owner"], trade["side"]), (trade["peer"], -trade["side"])):
            unit = done.get(int(owner), 0)
            done[int(owner)] = unit + 1
            worth = 100 * (values if side > 0 else costs)[unit]
            assert side * (worth - trade["price"]) >= 0


@pytest.mark.parametrize("quantity", [1, 4])
def test_background_traders_keep_their_private_budget(quantity: int) -> None:
    """No price is above common plus private value of the unit bought, or below that of the unit sold."""
    agent = ZeroIntelligence(rate=5, units=4, quantity=quantity, deviation=0.5, period="1000h")
    feed = (np.array([10_000.0, 10_040.0, 9_970.0]), 0, 5_000_000_000)
    market = Market([Crowd(agent, 60, feed=feed)]).run(15)
    worth = market.state("zerointelligence")["worth"]
    assert (np.diff(worth[:, :8]) <= 0).all()
    assert (worth[:, 8:] == 0).all()
    assert stats.kstest(worth[:, :8].ravel() / 50.0, stats.norm.cdf).pvalue > 1e-3
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    assert len(trades) > 30
    position: dict[int, int] = {}
    highest = feed[0].max()
    for trade in trades:
        for owner, side in ((int(trade["owner"]), int(trade["side"])), (int(trade["peer"]), -int(trade["side"]))):
            held = position.get(owner, 0)
            unit = held // quantity if side > 0 else -(-held // quantity) - 1
            value = highest if side > 0 else feed[0].min()  # the order may be older than the present value
            assert side * (value + worth[owner, unit + 4] - trade["price"]) >= 0
            position[owner] = held + side * int(trade["quantity"])
            assert abs(position[owner]) <= 4 * quantity


def test_background_prices_follow_the_feed() -> None:
    probe = Probe(ZeroIntelligence(side="buy", deviation=0.0, margin=1.0))
    probe.see(Kind.START, 0)
    prices: dict[float, list[int]] = {}
    for value in (9_000.25, float("nan")):
        probe.value = value
        for now in range(1, 500):
            (order,) = probe.see(Kind.WAKE, now)
            prices.setdefault(value, []).append(order.price)
            probe.open.clear()
    low, unknown = prices.values()
    assert 8_900 <= min(low) < 8_903
    assert 8_997 < max(low) <= 9_000
    assert 9_900 <= min(unknown) < 9_903
    assert 9_997 < max(unknown) <= 10_000


def test_values_can_be_dealt_out() -> None:
    agent = ZeroIntelligence(side="buy", values=(5, 4, 3, 2, 1), dealt=True, low=0)
    rows = agent.records(2, WHOLE)
    assert rows["units"].tolist() == [3, 2]
    assert rows["worth"][:, :3].tolist() == [[5, 3, 1], [4, 2, 0]]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": "0/s"}, 'rate: 0/s is no rate to wake at; use more than 0/s, such as "0.1/s"'),
        ({"side": "bye"}, "side: 'bye' is not one of the choices; did you mean \"buy\"?"),
        ({"values": (1.0,)}, "side: values are a buyer's or a seller's; write buy or sell"),
        ({"values": "12", "side": "buy"}, "values: '12' is not a list of numbers"),
        ({"values": (1.0, -2.0), "side": "buy"}, "values: -2.0 must be at least 0"),
        ({"values": (1.0,) * (UNITS + 1), "side": "buy"}, "values: 65 units are more than 64; use more agents"),
        ({"replenish": "drip", "period": "1s"}, "replenish: private values are drawn anew and do not drip"),
        ({"replenish": "drip", "values": (1.0,), "side": "buy"}, "replenish: units that drip need a period to drip in"),
        ({"steps": 3, "values": (1.0,), "side": "buy"}, "steps: 3 steps lie between two values, not 1"),
        ({"constrained": False}, "constrained: there is no unconstrained trader without values; give values"),
        ({"units": 33}, "units: 33 must be from 1 to 32"),
        ({"quantity": 0}, "quantity: 0 must be from 1"),
        ({"quantity": 1.5}, "quantity: 1.5 is not a whole number"),
        ({"margin": float("nan")}, "margin: nan must be at least 0"),
        ({"period": "0s"}, "period: 0s must be above zero"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        ZeroIntelligence(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_private_values_are_drawn_anew_so_that_trade_goes_on() -> None:
    crowd = Crowd(ZeroIntelligence(rate=2, period="10s"), 40)
    market = Market([crowd]).run(60)
    trades = market.events[market.events["kind"] == EventKind.TRADE]["time"] // 20_000_000_000
    early, middle, late = np.bincount(trades, minlength=3)
    assert min(middle, late) > 0.5 * early > 20
    drawn = market.state("zerointelligence")["drawn"] / 20
    assert drawn.mean() == pytest.approx(1 + 60 / 10, rel=0.15)
    stubborn = Market([Crowd(ZeroIntelligence(rate=2, period="1000h"), 40)]).run(60)
    frozen = stubborn.events[stubborn.events["kind"] == EventKind.TRADE]["time"]
    assert (frozen > 40_000_000_000).sum() < 0.2 * late
