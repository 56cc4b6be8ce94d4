"""The ladder maker: prices and sizes as its formula says, its pauses, and what it does when it knows nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe import Action, Probe

from marketsim.agents.ladder_maker import LadderMaker
from marketsim.agents.noise import Noise
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind, Wanted
from marketsim.errors import InvalidValueError
from tests.population.wiring import Crowd, Market

SECOND = 1_000_000_000


def started(**terms: object) -> Probe:
    probe = Probe(LadderMaker(**terms))  # type: ignore[arg-type]
    probe.see(Kind.START, 0)
    return probe


def asked(probe: Probe, bid: int, ask: int, bought: int = 0, sold: int = 0) -> list[Action]:
    """Wake it, let it ask, answer; what it places."""
    probe.see(Kind.WAKE, probe.now + SECOND)
    asks = probe.see(Kind.TIMER, probe.now + 50)
    assert [ask.kind for ask in asks] == [Kind.QUERY, Kind.ASK_VOLUME]
    assert probe.quote(bid, ask) == []
    probe.open.clear()
    return probe.see(Kind.VOLUME, quantity=bought, leaves=sold)


def test_at_the_start_it_lets_the_venue_remember_trades_and_warn() -> None:
    probe = Probe(LadderMaker(lookback="30s", imbalance=0.8))
    volume, warning = probe.see(Kind.START, 0)
    assert (volume.kind, volume.tag) == (Kind.ASK_VOLUME, 30 * SECOND)
    assert (warning.kind, warning.instructions, warning.price) == (Kind.SUBSCRIBE, Wanted.IMBALANCE, 800_000)
    assert probe.wake > 0
    assert [action.kind for action in Probe(LadderMaker(imbalance=None)).see(Kind.START, 0)] == [Kind.ASK_VOLUME]


def test_waking_cancels_everything_and_asks_after_a_pause() -> None:
    probe = started(settle="70ns")
    asked(probe, 9_998, 10_002)
    open_orders = [action.order_id for action in probe.see(Kind.VOLUME)] or list(probe.open)
    actions = probe.see(Kind.WAKE, probe.now + SECOND)
    assert [action.kind for action in actions[:-1]] == [Kind.CANCEL] * 20
    assert {action.order_id for action in actions[:-1]} == set(open_orders)
    assert actions[-1].kind == Kind.TIMER
    assert actions[-1].price == probe.now + 70
    assert probe.wake < 0  # the next wake-up waits for the answers


@given(
    bid=st.integers(5_000, 15_000),
    spread=st.integers(1, 40),
    bought=st.integers(0, 5_000),
    sold=st.integers(0, 5_000),
    levels=st.integers(1, 12),
    spacing=st.floats(0.0, 6.0),
)
def test_ladders_stand_where_the_formula_puts_them(
    bid: int, spread: int, bought: int, sold: int, levels: int, spacing: float
) -> None:
    probe = started(levels=levels, spacing=spacing, skew=0.04, spread_weight=0.75, first_spread=0.5)
    orders = asked(probe, bid, bid + spread, bought, sold)
    averaged = 0.75 * spread + 0.25 * 50
    lean = (bought - sold) / (bought + sold) if bought + sold else 0.0
    centre = math.floor((2 * bid + spread) // 2 + 4 * lean)
    step = max(1, math.floor(0.5 + spacing * averaged))
    quantity = max(1, math.floor(0.5 + 0.025 * (bought + sold)))
    bids = [centre - math.floor(averaged / 2) - rung * step for rung in range(levels)]
    asks = [centre + math.ceil(averaged / 2) + rung * step for rung in range(levels)]
    assert [(o.side, o.price, o.quantity) for o in orders] == [
        *((1, price, quantity) for price in bids if price > 0),
        *((-1, price, quantity) for price in asks),
    ]
    assert probe.wake > probe.now


def test_the_order_of_the_answers_does_not_matter() -> None:
    one, other = started(), started()
    first = asked(one, 9_990, 10_010, 300, 100)
    other.see(Kind.WAKE, SECOND)
    other.see(Kind.TIMER, SECOND + 50)
    assert other.see(Kind.VOLUME, quantity=300, leaves=100) == []
    assert [(o.side, o.price, o.quantity) for o in other.quote(9_990, 10_010)] == [
        (o.side, o.price, o.quantity) for o in first
    ]


def test_answers_that_it_did_not_wait_for_place_nothing() -> None:
    probe = started()
    assert probe.see(Kind.VOLUME, quantity=10, leaves=10) == []
    assert probe.quote(9_990, 10_010) == []


@pytest.mark.parametrize("persistent", [True, False])
def test_without_quotes_of_both_sides_it_places_nothing_and_wakes_again_if_it_is_persistent(persistent: bool) -> None:
    probe = started(persistent=persistent)
    for bid, ask in ((0, 0), (9_990, 0), (0, 10_010)):
        assert asked(probe, bid, ask) == []
        assert (probe.wake > 0) == persistent


def test_an_empty_side_leaves_the_last_mid_and_spread() -> None:
    probe = started(persistent=False)
    first = asked(probe, 9_990, 10_010)
    again = asked(probe, 9_000, 0)
    assert [order.price for order in again] == [order.price for order in first]
    assert probe.wake > 0


def test_a_warning_places_both_ladders_once_more() -> None:
    probe = started()
    assert probe.see(Kind.IMBALANCE, side=1) == []  # nothing is known yet
    placed = asked(probe, 9_990, 10_010, 4_000, 0)
    again = probe.see(Kind.IMBALANCE, side=-1)
    assert [(o.side, o.price, o.quantity) for o in again] == [(o.side, o.price, o.quantity) for o in placed]
    assert probe.see(Kind.IMBALANCE, side=0) == []


def test_with_a_limit_the_ladders_end_where_they_would_lead_beyond_it() -> None:
    probe = started(levels=4, smallest=10, max_position=25, imbalance=0.9)
    orders = asked(probe, 9_990, 10_010)
    assert [(o.side, o.quantity) for o in orders] == [(1, 10), (1, 10), (1, 5), (-1, 10), (-1, 10), (-1, 5)]
    assert probe.see(Kind.IMBALANCE, side=1) == [], "what is open counts"
    probe.position = 25
    orders = asked(probe, 9_990, 10_010)
    assert [(o.side, o.quantity) for o in orders] == [(-1, 10)] * 4
    probe.position = -30
    assert {o.side for o in asked(probe, 9_990, 10_010)} == {1}


def test_inventory_moves_the_centre_back() -> None:
    plain = asked(started(max_position=1_000), 9_990, 10_010)
    probe = started(max_position=1_000, inventory_skew=0.2, inventory_target=100)
    probe.position = 600
    assert [o.price for o in asked(probe, 9_990, 10_010)] == [o.price - 10 for o in plain], "half of 20 ticks"


def test_no_bid_stands_at_zero_or_below() -> None:
    orders = asked(started(levels=10, spacing=5.0), 20, 40)
    assert min(order.price for order in orders) > 0
    assert len(orders) < 20


def test_in_a_market_its_orders_are_a_share_of_the_volume() -> None:
    crowds = [Crowd(Noise(rate=20.0, market_share=0.4), 40), Crowd(LadderMaker(rate="1/s", lookback="5s"), 2)]
    market = Market(crowds, processing=0).run(30)
    events = market.events
    mine = {market.numbers[name] for name in market.numbers if name.startswith("laddermaker")}
    placed = events[(events["kind"] == EventKind.ACCEPTED) & np.isin(events["owner"], list(mine))]
    assert len(placed) > 500
    trades = events[events["kind"] == EventKind.TRADE]
    late = placed[placed["time"] > 10 * SECOND]
    for row in late[:: len(late) // 20]:
        window = trades[(trades["time"] <= row["time"]) & (trades["time"] > row["time"] - 5 * SECOND)]
        assert row["quantity"] == pytest.approx(0.025 * window["quantity"].sum(), rel=0.1, abs=2)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"levels": 0}, "levels: 0 must be from 1 to 100"),
        ({"rate": 0}, "rate: 0/s is no rate"),
        ({"imbalance": 0.4}, "imbalance: 0.4 must be from 0.5 to 1"),
        ({"spread_weight": 2}, "spread_weight: 2 must be from 0 to 1"),
        ({"lookback": "0s"}, "lookback: 0s must be above zero"),
        ({"volume_share": -1}, "volume_share: -1 must be at least 0"),
        ({"max_position": 0}, "max_position: 0 must be from 1"),
        ({"max_position": 10, "inventory_target": -11}, "inventory_target: -11 lies outside max_position 10"),
        ({"inventory_target": 5}, "inventory_skew: without max_position nothing says"),
    ],
)
def test_parameters_are_checked(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        LadderMaker(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
