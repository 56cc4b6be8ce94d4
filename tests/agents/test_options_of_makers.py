"""Options that all market makers share: the fair value of a feed, target, skew, volatility, guard, and their checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketsim.agents import AdaptiveParticipation, AvellanedaStoikov, Glft, MarketMaker
from marketsim.agents.estimators import Reach
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND
from marketsim.errors import AgentError, MarketSimError, ScenarioError
from marketsim.scenario.loader import check
from marketsim.testing import HandMarket
from marketsim.trading.feed import FeedHandle, FeedPath

ABC = Instrument("ABC")
BASE: dict[str, Any] = {"quantity": 10, "max_position": 100, "volatility_factor": 0.0}
BASE["adverse_selection_protection"] = False
THEORY = {"gamma": 20.0, "sigma": 0.02, "k": 40.0}
MAKERS: dict[str, tuple[type, dict[str, Any]]] = {
    "market_maker": (MarketMaker, {"target_spread": 0.04, "microprice_weight": 0.0}),
    "avellaneda_stoikov": (AvellanedaStoikov, {**THEORY, "gamma": 2.0}),
    "glft": (Glft, {**THEORY, "rate": 2.0}),
    "glft exact": (Glft, {**THEORY, "rate": 2.0, "solution": "exact"}),
    "adaptive_participation": (
        AdaptiveParticipation, {"target_spread": 0.04, "microprice_weight": 0.0, "smallest": 10, "spread_share": 0.0}
    ),
}  # fmt: skip
every_maker = pytest.mark.parametrize("name", MAKERS)


def maker(name: str, **changes: Any) -> tuple[Any, HandMarket]:
    kind, terms = MAKERS[name]
    me = kind(**{**BASE, **terms, **changes})
    return me, HandMarket(me, (ABC,))


def prices(market: HandMarket) -> tuple[int, int]:
    quotes = {order.side: order.price for order in market.orders}
    return quotes[Side.BUY], quotes[Side.SELL]


def give(market: HandMarket, lots: int) -> None:
    order = market.agent.buy(ABC, lots) if lots > 0 else market.agent.sell(ABC, -lots)
    market.accept(order)
    market.fill(order, abs(lots), 10_000)
    market.advance("1s")


def quoted(name: str, held: int = 0, **changes: Any) -> tuple[int, int]:
    _, market = maker(name, **changes)
    if held:
        give(market, held)
    market.quote(9_900, 50, 10_100, 50)
    return prices(market)


@every_maker
def test_each_leans_against_its_inventory_around_its_target(name: str) -> None:
    flat = quoted(name)
    long, short = quoted(name, 50), quoted(name, -50)
    assert long[0] < flat[0] < short[0]
    assert long[1] < flat[1] < short[1]
    assert quoted(name, 50, inventory_target=50) == flat
    assert quoted(name, 50, skew_adjustment=False) == flat


@every_maker
def test_each_keeps_its_limit(name: str) -> None:
    _, market = maker(name)
    give(market, 95)
    market.quote(9_900, 50, 10_100, 50)
    assert {order.side: order.quantity for order in market.orders} == {Side.BUY: 5, Side.SELL: 10}


@every_maker
def test_volatility_widens_the_spread_of_each(name: str) -> None:
    """Moves of 6 ticks a second: a factor of 2 adds 12 ticks, up to the rounding of both quotes."""
    spreads = []
    for factor in (0.0, 2.0):
        _, market = maker(name, volatility_factor=factor)
        for step in range(60):
            market.quote(9_900 + 6 * (step % 2), 50, 10_100 + 6 * (step % 2), 50)
            market.accept()
            market.advance("1s")
            for request in market.asked():
                if request.kind.name == "REPLACE":
                    order = next(o for o in market.orders if o.reference == request.order_id)
                    market.replaced(order, request)
            market.clear()
        bid, ask = prices(market)
        spreads.append(ask - bid)
    assert spreads[1] - spreads[0] == pytest.approx(12, abs=2)


@every_maker
def test_the_guard_of_each_moves_the_side_that_is_hit_away(name: str) -> None:
    asks = []
    for guarded in (False, True):
        _, market = maker(name, adverse_selection_protection=guarded, guard_run=0.5, skew_adjustment=False)
        market.quote(9_900, 50, 10_100, 50)
        market.accept()
        ask = next(order for order in market.orders if order.side is Side.SELL)
        market.advance("1s")
        market.fill(ask)
        market.advance("1s")
        asks.append(prices(market)[1])
    assert asks[1] > asks[0]


# --- a feed for the fair value ---


def with_feed(name: str, values: list[float], **changes: Any) -> tuple[Any, HandMarket]:
    kind, terms = MAKERS[name]
    me = kind(**{**BASE, **terms, "value_feed": "mid", "refresh": "100ms", "max_distance": 1.0, **changes})
    handle = FeedHandle(FeedPath(np.array(values), 0, SECOND // 10), ABC)
    return me, HandMarket(me, (ABC,), feeds={"mid": handle})


@every_maker
def test_a_feed_may_tell_the_fair_value(name: str) -> None:
    """It quotes without any message of the market, follows the feed at each refresh, and ignores others' mid."""
    plain = quoted(name)
    _, market = with_feed(name, [10_000.0, 10_000.0, 10_040.0])
    market.advance("1ms")
    assert prices(market) == plain
    market.accept()
    market.quote(9_800, 50, 10_120, 50)
    market.clear()
    market.advance("250ms")
    assert sorted(request.price for request in market.asked()) == [price + 40 for price in plain]


def test_a_feed_tells_of_one_instrument() -> None:
    me = MarketMaker(value_feed="mid")
    with pytest.raises(AgentError, match="value_feed: mid tells of one instrument, me trades 2; give it one"):
        HandMarket(me, (ABC, Instrument("XYZ")))


def test_an_unknown_feed_is_told() -> None:
    with pytest.raises(MarketSimError, match="no feed 'mdi'; did you mean \"mid\""):
        HandMarket(MarketMaker(value_feed="mdi"), feeds={"mid": FeedHandle(FeedPath(np.ones(1), 0, 1), ABC)})


# --- what is measured ---


def test_reaches_tell_the_intensity() -> None:
    """10 trades of a side a second with reaches of mean 5 ticks; after a change the estimate follows."""
    generator = np.random.default_rng(7)
    reach, now = Reach(60 * SECOND), 0
    assert (reach.decay, reach.rate(0)) == (1.0, 1.0)
    for mean, rate in ((5.0, 10.0), (2.0, 40.0)):
        for _ in range(int(rate * 2 * 300)):
            now += int(generator.exponential(SECOND / (2 * rate)))
            reach.traded(now, generator.exponential(mean))
        assert reach.decay == pytest.approx(1 / mean, rel=0.1)
        assert reach.rate(now) == pytest.approx(rate, rel=0.1)
    assert reach.rate(now + 60 * SECOND) == pytest.approx(rate / np.e, rel=0.15), "nobody trades any more"


# --- in a scenario ---

SCENARIO = """\
duration: 1min
venues: {{XSIM: {{}}}}
instruments: {{ABC: {{tick_size: 0.01, reference_price: 100}}}}
agents:
  maker: {{type: {kind}, {parameter}: {value}}}
"""


@pytest.mark.parametrize(
    ("kind", "parameter", "value", "message"),
    [
        ("market_maker", "inventory_target", 2_000, "inventory_target: 2000 lies outside max_position 1000"),
        ("avellaneda_stoikov", "inventory_target", -2_000, "inventory_target: -2000 lies outside max_position 1000"),
        ("avellaneda_stoikov", "gamma", -0.1, "gamma: -0.1 must be at least 0"),
        ("glft", "gamma", -0.1, "gamma: -0.1 must be at least 0"),
        ("glft", "horizon_type", "finite", "the closed form has no end"),
        ("adaptive_participation", "smallest", 101, "smallest: 101 lots are more than quantity 100"),
        ("limit_liquidator", "unit", 2_000, "unit: 2000 lots are more than quantity 1000"),
        ("ladder_maker", "inventory_skew", 0.1, "without max_position nothing says how large"),
        ("reaching_taker", "k", -1, "k: -1.0 must be above 0"),
    ],
)
def test_what_cannot_be_is_refused_when_the_scenario_is_checked(
    kind: str, parameter: str, value: object, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(SCENARIO.format(kind=kind, parameter=parameter, value=value), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        check(file)
    assert message in str(caught.value)
