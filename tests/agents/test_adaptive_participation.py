"""Adaptive participation: sizes, spreads and presence that follow the market's activity."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marketsim as ms
from marketsim.agents import AdaptiveParticipation
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")
CALM: dict[str, Any] = {
    "quantity": 100, "max_position": 1_000, "volatility_factor": 0.0, "adverse_selection_protection": False,
    "microprice_weight": 0.0, "target_spread": 0.04, "spread_share": 0.0, "skew": 0.0, "window": "10s",
    "toxicity_limit": 1.0, "toxicity_widening": 0.0, "volatility_limit": 1e9,
}  # fmt: skip


def maker(**changes: Any) -> tuple[AdaptiveParticipation, HandMarket]:
    me = AdaptiveParticipation(**{**CALM, **changes})
    return me, HandMarket(me, (ABC,))


def shown(market: HandMarket) -> dict[Side, tuple[int, int]]:
    return {order.side: (order.price, order.leaves) for order in market.orders}


def quote(market: HandMarket, spread: int = 20) -> None:
    market.quote(10_000 - spread // 2, 50, 10_000 + spread // 2, 70)


def test_its_size_is_a_share_of_the_volume_of_the_window() -> None:
    _, market = maker(participation=0.1, smallest=2)
    quote(market)
    assert shown(market) == {Side.BUY: (9_998, 2), Side.SELL: (10_002, 2)}, "nothing is going on: the least"
    market.trade(10_000, 200, Side.BUY)
    market.trade(10_000, 100, Side.SELL)
    me, market = maker(participation=0.1, smallest=2)
    market.trade(10_000, 200, Side.BUY)
    market.trade(10_000, 100, Side.SELL)
    quote(market)
    assert shown(market) == {Side.BUY: (9_998, 30), Side.SELL: (10_002, 30)}
    desk = me.desks["ABC"]
    market.advance("11s")
    assert me.size(desk) == 2, "what is long ago does not count"
    market.trade(10_000, 5_000, Side.BUY)
    assert me.size(desk) == 100, "never more than quantity"


def test_its_size_may_be_a_share_of_what_others_show() -> None:
    me, market = maker(measure="depth", participation=0.5)
    quote(market)
    assert shown(market) == {Side.BUY: (9_998, 30), Side.SELL: (10_002, 30)}, "half of (50 + 70)/2"
    market.accept()
    market.advance("1s")
    market.quote(9_998, 30, 10_002, 30)
    assert me.size(me.desks["ABC"]) == 30, "its own quotes are no depth of others"


@pytest.mark.parametrize(("held", "bid", "ask"), [(0, 30, 30), (500, 15, 45), (-1_000, 60, None)])
def test_sizes_lean_against_the_inventory(held: int, bid: int, ask: int | None) -> None:
    me, market = maker(participation=0.1, size_skew=1.0)
    if held:
        order = me.buy(ABC, held) if held > 0 else me.sell(ABC, -held)
        market.accept(order)
        market.fill(order, abs(held), 10_000)
    market.trade(10_000, 150, Side.BUY)
    market.trade(10_000, 150, Side.SELL)
    quote(market)
    quotes = shown(market)
    assert quotes[Side.BUY][1] == bid
    assert quotes.get(Side.SELL, (0, None))[1] == ask


def test_its_spread_follows_the_one_that_others_show() -> None:
    me, market = maker(spread_share=0.5)
    quote(market, 20)
    assert shown(market)[Side.SELL][0] - shown(market)[Side.BUY][0] == 10
    market.advance("1s")
    quote(market, 40)
    assert me.spread(me.desks["ABC"]) == pytest.approx(0.5 * (20 + 20 * (1 - math.exp(-0.1)))), "slowly"
    market.advance("60s")
    quote(market, 40)
    assert me.spread(me.desks["ABC"]) == pytest.approx(0.5 * 40.0, rel=0.02)
    market.advance("60s")
    quote(market, 6)
    assert me.spread(me.desks["ABC"]) == pytest.approx(4.0, rel=0.02), "never below the target"


def test_one_sided_volume_widens_and_then_drives_it_away() -> None:
    me, market = maker(toxicity_widening=2.0, toxicity_limit=0.8, toxicity_volume=100)
    desk = me.desks["ABC"]
    quote(market)
    market.accept()
    market.trade(10_000, 99, Side.BUY)
    assert (me.toxicity(desk), me.spread(desk)) == (0.0, 4.0), "too little to tell"
    market.trade(10_000, 33, Side.SELL)
    assert me.toxicity(desk) == pytest.approx(0.5)
    assert me.spread(desk) == pytest.approx(4.0 * (1 + 2.0 * 0.5))
    market.trade(10_000, 2_000, Side.BUY)
    market.advance("1s")
    assert me.withdrawn(desk)
    assert all(order.state.name == "PENDING_CANCEL" for order in market.orders)
    for order in market.orders:
        market.cancel(order)
    market.advance("11s")
    assert {order.side for order in market.orders} == {Side.BUY, Side.SELL}, "it comes back by itself"


def test_a_storm_drives_it_away_until_it_is_the_new_calm() -> None:
    me, market = maker(volatility_limit=1.5, volatility_memory="5s", calm_memory="60s")
    desk = me.desks["ABC"]
    for step in range(200):
        market.quote(9_990 + step % 2, 50, 10_010 + step % 2, 50)
        market.advance("200ms")
    assert not me.withdrawn(desk)
    away = []
    for step in range(1_000):
        market.quote(9_990 + 30 * (step % 2), 50, 10_010 + 30 * (step % 2), 50)
        market.advance("200ms")
        away.append(me.withdrawn(desk))
    assert any(away[:10])
    assert not away[-1]


@given(st.lists(st.tuples(st.integers(1, 4_000), st.integers(0, 1_000), st.sampled_from(Side)), max_size=60))
def test_volumes_are_those_of_the_window(trades: list[tuple[int, int, Side]]) -> None:
    from marketsim.agents.estimators import TradedVolume

    volume, now, told = TradedVolume(3_000), 0, []
    for gap, lots, side in trades:
        now += gap
        volume.traded(now, side, lots)
        told.append((now, side, lots))
        inside = [(s, n) for t, s, n in told if t > now - 3_000]
        total = sum(n for _, n in inside)
        assert volume.total(now) == total
        assert volume.imbalance(now) == (sum(s * n for s, n in inside) / total if total else 0)
    assert volume.total(now + 3_000) == 0


def test_in_a_market_it_takes_its_part_and_keeps_its_limit() -> None:
    sim = ms.Simulation(seed=5, duration="2min")
    sim.add_venue("XSIM", [ms.Instrument("ABC")])
    sim.add_agents(ms.agents.Noise(rate="1/s"), 50, "noise")
    me = AdaptiveParticipation(max_position=150, participation=0.05, target_spread=0.02)
    sim.add_agent(me, "maker", latency="1ms")
    run = sim.run()
    mine = run.trades[run.trades["maker"] == "maker"]
    assert 0.01 < mine["quantity"].sum() / run.trades["quantity"].sum() < 0.6
    assert (-mine["side"] * mine["quantity"]).cumsum().abs().max() <= 150
    assert not (run.trades["taker"] == "maker").any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"participation": 0}, "participation: 0 must be above 0"),
        ({"measure": "trades"}, "measure: 'trades' is not one of the choices"),
        ({"smallest": 200}, "smallest: 200 lots are more than quantity 100, the most; lower it"),
        ({"toxicity_limit": 1.5}, "toxicity_limit: 1.5 must be from 0 to 1"),
        ({"volatility_limit": 1}, "volatility_limit: 1 must be above 1"),
        ({"calm_memory": "15s", "volatility_memory": "15s"}, "calm_memory: it must be longer than volatility_memory"),
        ({"inventory_target": -1_001}, "inventory_target: -1001 lies outside max_position 1000; move one"),
        ({"window": "0s"}, "window: 0s must be above zero"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        AdaptiveParticipation(**{**CALM, **changes})
    assert str(caught.value).startswith(message)
