"""Mean reversion: deviations by hand and against NumPy, entries, exits, limits of the position, bad parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe import Action, Probe

import marketsim as ms
from marketsim.agents.mean_reversion import MeanReversion, deviations
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError


def probe(mids: tuple[int, ...] = (), **terms: Any) -> Probe:
    """It has seen quotes a tick on either side of these mids."""
    made = Probe(MeanReversion(**{"window": 4, **terms}))
    made.see(Kind.START, 0)
    for mid in mids:
        assert made.quote(mid - 1, mid + 1) == []
    return made


def sent(actions: list[Action]) -> list[tuple[int, int, int]]:
    return [(a.side, a.price, a.quantity) for a in actions]


def test_it_waits_for_its_window_and_trades_against_two_deviations() -> None:
    """Mids 100, 102, 100, 102: mean 101, deviation 1. At 103 z = 2: sells at the bid; then 99 and the like."""
    before = (100, 102, 100, 102)
    assert sent(probe(before).quote(102, 104)) == [(-1, 102, 20)]
    assert sent(probe(before).quote(98, 100)) == [(1, 100, 20)]
    assert sent(probe(before).quote(101, 103)) == [], "one deviation"
    assert sent(probe(before[:3]).quote(102, 104)) == []
    assert sent(probe(before, entry=2.1).quote(102, 104)) == []
    assert sent(probe((100, 100, 100, 100)).quote(120, 122)) == [], "nothing has moved, so there is no deviation"
    (order,) = probe(before, orders="market").quote(102, 104)
    assert (order.kind, order.price) == (Kind.NEW, 0)


def test_it_closes_its_position_near_the_mean_and_respects_its_limit() -> None:
    made = probe((100, 102, 100, 102), max_position=30)
    (order,) = made.quote(102, 104)
    made.report(EventKind.TRADE, order.order_id, 20)
    made["mids"][:4], made["total"], made["squares"] = (0, 4, 0, 4), 8, 32
    assert sent(made.quote(102, 104)) == [(-1, 102, 10)], "up to 30 lots short"
    made = probe((100, 102, 100, 102))
    made.position = -15
    assert sent(made.quote(100, 102)) == [(1, 102, 15)]
    made = probe((100, 102, 100, 102))
    made.position = 15
    assert sent(made.quote(100, 102)) == [(-1, 100, 15)]
    assert sent(probe((100, 102, 100, 102)).quote(100, 102)) == []


def test_on_waking_it_takes_back_and_asks() -> None:
    made = probe((100, 102, 100, 102))
    made.quote(102, 104)
    assert [a.kind for a in made.see(Kind.WAKE, 10)] == [Kind.CANCEL, Kind.QUERY]
    assert made.wake > 10
    assert made.quote(100, 0) == [], "one side is empty"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 100_000), min_size=6, max_size=40), st.integers(2, 5))
def test_deviations_are_those_of_the_window(mids: list[int], window: int) -> None:
    made = probe(window=window, entry=1e6)
    for mid in mids[:-1]:
        made.quote(mid, mid + 1)
    last = np.array([2 * mid + 1 for mid in mids[-window - 1 : -1]], float)
    expected = 0.0 if last.std() == 0 else (2 * mids[-1] + 1 - last.mean()) / last.std()
    assert deviations(made._me.rows[0], 2 * mids[-1] + 1) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_in_a_market_it_earns_from_a_price_that_comes_back() -> None:
    simulation = ms.Simulation(seed=2, duration="4min")
    simulation.add_venue("X", [ms.Instrument("ABC")])
    simulation.add_feed("value", ms.MeanReverting(half_life="10s", volatility=0.2))
    simulation.add_agents(ms.agents.Noise(rate="1/s", distance=3), 60, "noise")
    simulation.add_agents(ms.agents.Fundamental(rate="1/s", noise=0.01, take_share=0.8, quantity=50), 20, "informed")
    simulation.add_agent(MeanReversion(rate=4, window=100, entry=1.5), "reverting", latency="1ms")
    book = ms.analysis.accounts(simulation.run())["reverting"]
    assert book.fills > 10
    assert book.max_position <= 200
    assert book.pnl > 0


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"window": 1}, "window: 1 must be from 2 to 512"),
        ({"entry": 0}, "entry: 0 must be above 0"),
        ({"leave": 3}, "leave: 3 deviations must be fewer than entry 2; swap them"),
        ({"orders": "stop"}, "orders: 'stop' is not one of the choices"),
        ({"max_position": 0}, "max_position: 0 must be from 1"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        MeanReversion(**terms)
    assert str(caught.value).startswith(message)
