"""Heuristic beliefs: frequencies and interpolation by hand, what is remembered and shouted, whether it pays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.agents.heuristic_belief import HeuristicBelief, Shouted, beliefs, smooth
from marketsim.agents.zero_intelligence import ZeroIntelligence
from marketsim.domain.market_data import OrderAction
from marketsim.domain.message import Kind
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.kernel.random import Stream, key_of, normal, purpose_of
from marketsim.testing.hand_market import HandMarket
from marketsim.trading.feed import FeedHandle, MeanReverting
from tests.statistical import runs

# A bid of 90 stood for half the grace, one of 95 traded, an offer of 100 stands, one of 98 traded.
SHOUTS = [
    Shouted(1, 90, 0, 50),
    Shouted(1, 95, 0, 10, traded=True),
    Shouted(-1, 100, 0),
    Shouted(-1, 98, 0, 20, traded=True),
]


def test_beliefs_by_hand() -> None:
    """Buying at 90: none good, half a rejection; at 95: the traded bid; at 100: three of three."""
    found = beliefs(np.array([90.0, 95.0, 98.0, 100.0]), 1, SHOUTS, 200, 100)
    assert found.tolist() == [0.0, 1.0, 1.0, 1.0]
    later = [*SHOUTS, Shouted(1, 97, 0, 1000)]
    assert beliefs(np.array([90.0, 95.0, 96.0, 97.0, 98.0]), 1, later, 200, 100).tolist() == pytest.approx(
        [0.0, 1 / 2, 1 / 2, 1 / 2, 1.0]
    )
    # Selling at 100: no bid so high, no offer so high traded, one has stood for all of the grace.
    found = beliefs(np.array([100.0, 98.0, 95.0, 90.0]), -1, SHOUTS, 200, 100)
    assert found.tolist() == [0.0, 1.0, 1.0, 1.0]
    assert beliefs(np.array([99.0]), -1, SHOUTS, 50, 100).tolist() == [0.5], "nothing is known in between"
    assert beliefs(np.array([1.0, 2.0]), 1, [], 0, 1).tolist() == [0.5, 0.5]


def test_between_prices_the_belief_is_the_cubic() -> None:
    found = smooth(np.array([80.0, 90.0, 92.0, 95.0, 99.0]), np.array([90.0, 95.0]), np.array([0.0, 1.0]))
    assert found.tolist() == pytest.approx([0, 0, 0.4**2 * (3 - 0.8), 1, 1])
    assert smooth(np.array([1.0, 2.0]), np.array([5.0]), np.array([0.3])).tolist() == [0.3, 0.3]


def hand(**terms: Any) -> tuple[HeuristicBelief, HandMarket]:
    agent = HeuristicBelief(**{"memory": 1, **terms})
    return agent, HandMarket(agent)


def show(
    market: HandMarket, action: OrderAction, order_id: int, side: Side, price: int, quantity: int, leaves: int
) -> None:
    market.order_update(action, order_id, side, price, quantity, leaves)


def test_it_remembers_orders_since_the_oldest_of_the_last_trades() -> None:
    agent, market = hand()
    show(market, OrderAction.ADDED, 1, Side.BUY, 9_000, 5, 5)
    market.advance("1s")
    show(market, OrderAction.ADDED, 2, Side.SELL, 9_100, 5, 5)
    show(market, OrderAction.EXECUTED, 1, Side.BUY, 9_000, 2, 3)
    market.advance("2s")
    show(market, OrderAction.REMOVED, 1, Side.BUY, 9_000, 3, 0)
    assert [(s.side, s.price, s.traded, s.end) for s in agent.remembered()] == [
        (1, 9_000, True, 3_000_000_002),
        (-1, 9_100, False, -1),
    ]
    show(market, OrderAction.EXECUTED, 2, Side.SELL, 9_100, 5, 0)
    market.trade(9_100, 5, Side.BUY)
    assert [(s.side, s.price, s.traded) for s in agent.remembered()] == [(-1, 9_100, True), (1, 9_100, True)]


def test_it_shouts_the_price_of_the_highest_expected_gain() -> None:
    """Bids of 9000 and 9010: the first was left behind, the second traded: between them the cubic from 0 to 1."""
    agent, market = hand(grace="1s")
    show(market, OrderAction.ADDED, 1, Side.BUY, 9_000, 1, 1)
    show(market, OrderAction.ADDED, 2, Side.BUY, 9_010, 1, 1)
    market.advance("2s")
    show(market, OrderAction.EXECUTED, 2, Side.BUY, 9_010, 1, 0)
    gains = {p: (9_015 - p) * ((p - 9_000) / 10) ** 2 * (3 - 2 * (p - 9_000) / 10) for p in range(9_000, 9_011)}
    best = max(gains, key=gains.__getitem__)
    assert agent.choose(Side.BUY, 9_015.0) == best == 9_008
    market.quote(9_000, 1, 9_006, 1)
    assert agent.choose(Side.BUY, 9_015.0) == 9_006, "certain, and 9 against 7 times 0.896"
    assert agent.choose(Side.BUY, 9_000.0) is None
    agent, market = hand(memory=2, margin=0.5)
    assert 8_950 <= (agent.choose(Side.BUY, 9_000.0) or 0) <= 9_000, "before it knows enough"
    assert 9_000 <= (agent.choose(Side.SELL, 9_000.0) or 0) <= 9_050


def test_orders_one_at_a_time_within_its_units() -> None:
    agent, market = hand(rate="1000/s", units=1, memory=1000)
    market.advance("1s")
    first = market.orders[0]
    assert len(market.asked(Kind.NEW)) == 1, "until the venue answers, nothing more"
    market.accept(first)
    market.advance("1s")
    assert [r.kind for r in market.asked(Kind.CANCEL)] == [Kind.CANCEL]
    market.fill(first)
    assert abs(agent.position()) == 1
    market.advance("1s")
    assert all(int(o.side) != agent.position() or o is first for o in market.orders), "no second unit on that side"


def test_the_value_is_projected_to_the_close() -> None:
    handle = FeedHandle.of(MeanReverting(initial=110, volatility=0), 1, "value", ms.Instrument("ABC"), 0, 10**12)
    agent = HeuristicBelief(value="value", believed_kappa=0.1, close=10_000_000_000, believed_mean=100)
    market = HandMarket(agent, feeds={"value": handle})
    assert agent.estimate() == pytest.approx(10_000 + (handle.value(0) - 10_000) * math.exp(-1.0))
    market.advance("60s")
    assert agent.estimate() == pytest.approx(handle.value(60_000_000_000))


def private(seed: int, name: str, kind: str, units: int, deviation: float) -> list[float]:
    """The private values that an agent of either kind has drawn, ticks, in falling order."""
    if kind == "hbl":
        stream = Stream(seed, name, "value")
        drawn = [stream.normal(0.0, deviation) for _ in range(2 * units)]
    else:
        key = key_of(seed, name)
        drawn = [deviation * normal(key, purpose_of("value"), number) for number in range(2 * units)]
    return sorted(drawn, reverse=True)


def surplus(seed: int, hbl: bool) -> float:
    """The mean gain in ticks of ten agents among thirty zero-intelligence traders: private values and cash."""
    terms: dict[str, Any] = {"rate": 0.3, "units": 5, "deviation": 0.2, "margin": 0.4}
    simulation = ms.Simulation(seed=seed, duration="3min", latency="1ms")
    simulation.add_venue("X", [ms.Instrument("ABC")])
    simulation.add_agents(ZeroIntelligence(**terms, period="1000h"), 30, "zi")
    ours = HeuristicBelief(**terms) if hbl else ZeroIntelligence(**terms, period="1000h")
    simulation.add_agents(ours, 10, "ours")
    run = simulation.run()
    trades = run.trades
    total = 0.0
    for number in range(10):
        name = f"ours.{number}"
        position, cash = 0, 0.0
        for who, sign in (("taker", 1), ("maker", -1)):
            mine = trades[trades[who] == name]
            position += int((sign * mine["side"]).sum())
            cash -= float((sign * mine["side"] * mine["price"]).sum()) * 100
        worth = private(seed, name, "hbl" if hbl else "zi", 5, 20.0)
        held = sum(worth[5 : 5 + position]) if position >= 0 else -sum(worth[5 + position : 5])
        total += cash + 10_000 * position + held
    return total / 10


@pytest.mark.statistical
def test_beliefs_earn_more_than_chance() -> None:
    """Ten of forty traders with private values: heuristic beliefs against zero intelligence in their places.

    Wah, Wright and Wellman 2017 and Wright and Wellman 2018 find that heuristic-belief learning is the better strategy;
    the difference must exceed three standard errors.
    """
    found = np.array([(surplus(seed, True), surplus(seed, False)) for seed in range(runs(6, 100))])
    difference = found[:, 0] - found[:, 1]
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    print(f"surplus: {found[:, 0].mean():.1f} with beliefs, {found[:, 1].mean():.1f} without; difference ± {error:.1f}")
    assert difference.mean() > 3 * error


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": 0}, "rate: 0/s is no rate to wake at"),
        ({"memory": 0}, "memory: 0 must be from 1 to 1000"),
        ({"grace": "0s"}, "grace: 0s must be above zero"),
        ({"deviation": -1}, "deviation: -1 must be at least 0"),
        ({"close": 0}, "close: 0 ns must be above zero"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        HeuristicBelief(**terms)
    assert str(caught.value).startswith(message)
