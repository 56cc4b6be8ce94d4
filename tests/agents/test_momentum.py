"""Momentum: the averages are exact, sides follow them, and both directions are each other's mirror."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe import Action, Probe

from marketsim.agents.momentum import MIDS, Momentum
from marketsim.agents.noise import Noise
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError
from tests.population.wiring import Crowd, Market


def started(**terms: object) -> Probe:
    probe = Probe(Momentum(**{"short": 2, "long": 4, **terms}))  # type: ignore[arg-type]
    assert probe.see(Kind.START, 0) == []
    return probe


def asked(probe: Probe, bid: int, ask: int) -> list[Action]:
    assert probe.see(Kind.WAKE, probe.now + 1)[-1].kind == Kind.QUERY
    return probe.quote(bid, ask)


@given(
    mids=st.lists(st.tuples(st.integers(9_900, 10_100), st.integers(1, 9)), min_size=1, max_size=60),
    short=st.integers(1, 6),
    more=st.integers(1, 20),
    threshold=st.sampled_from([0, 1, 5]),
)
def test_sides_follow_the_averages(mids: list[tuple[int, int]], short: int, more: int, threshold: int) -> None:
    """Against averages that are taken anew each time."""
    probe = started(short=short, long=short + more, threshold=threshold / 100)
    known: list[float] = []
    for bid, spread in mids:
        orders = asked(probe, bid, bid + spread)
        known.append(bid + spread / 2)
        if len(known) < short + more:
            assert orders == []
            continue
        gap = np.mean(known[-short:]) - np.mean(known[-short - more :])
        if abs(abs(gap) - threshold) < 1e-9:
            continue  # a rounding error decides
        if abs(gap) < threshold:
            assert orders == []
        else:
            side = 1 if gap >= 0 else -1
            assert [(order.side, order.price) for order in orders] == [(side, bid + spread if side > 0 else bid)]
        probe.open.clear()


def test_equal_averages_count_as_rising() -> None:
    probe = started()
    for _ in range(3):
        assert asked(probe, 9_999, 10_001) == []
    assert asked(probe, 9_999, 10_001)[0].side == 1


def test_the_longest_average_keeps_every_mid() -> None:
    probe = started(short=1, long=MIDS)
    draws = np.random.default_rng(1)
    mids: list[int] = []
    for _ in range(2 * MIDS + 10):
        bid = int(draws.integers(9_000, 11_000))
        mids.append(2 * bid + 2)
        asked(probe, bid, bid + 2)
        probe.open.clear()
    assert int(probe["long_sum"]) == sum(mids[-MIDS:])
    assert int(probe["short_sum"]) == mids[-1]


def test_half_a_book_has_no_mid() -> None:
    probe = started(short=1, long=2)
    for bid, ask in ((9_999, 0), (0, 10_001), (0, 0)):
        assert asked(probe, bid, ask) == []
    assert int(probe["seen_mids"]) == 0


def test_reverting_is_the_mirror_of_following() -> None:
    sides = {}
    for direction in ("follow", "revert"):
        probe = started(direction=direction, cancels=False)
        draws = np.random.default_rng(4)
        sides[direction] = [
            order.side
            for bid in 10_000 + np.cumsum(draws.integers(-5, 6, 200))
            for order in asked(probe, int(bid), int(bid) + 2)
        ]
        probe.open.clear()
    assert len(sides["follow"]) == 197
    assert sides["follow"] == [-side for side in sides["revert"]]
    assert len(set(sides["follow"])) == 2


def test_orders_may_be_market_orders() -> None:
    probe = started(short=1, long=2, orders="market")
    asked(probe, 9_999, 10_001)
    (order,) = asked(probe, 10_000, 10_002)
    assert (order.order_type, order.side, order.price) == (OrderType.MARKET, 1, 0)


def test_positions_stay_within_their_limit() -> None:
    probe = started(short=1, long=2, max_position=30, quantity=1_000, sizes="constant")
    asked(probe, 9_999, 10_001)
    for position, expected in ((0, 30), (29, 1), (30, 0), (-10, 40)):
        probe.position = position
        assert sum(order.quantity for order in asked(probe, 9_999, 10_001)) == expected


def test_it_trades_with_a_trend_in_a_real_market() -> None:
    market = Market([Crowd(Noise(rate=2), 40), Crowd(Momentum(rate=2, short=3, long=9), 10)]).run(60)
    mine = np.isin(market.events["owner"], [n for name, n in market.numbers.items() if name.startswith("momentum")])
    assert mine.sum() > 300
    assert set(np.unique(market.events["side"][mine])) == {-1, 1}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"short": 50, "long": 50}, "short: 50 mids must be fewer than the 50 of long; swap them"),
        ({"short": 0}, f"short: 0 must be from 1 to {MIDS}"),
        ({"long": MIDS + 1}, f"long: {MIDS + 1} must be from 1 to {MIDS}"),
        ({"direction": "fallow"}, "direction: 'fallow' is not one of the choices; did you mean \"follow\"?"),
        ({"orders": "stop"}, "orders: 'stop' is not one of the choices"),
        ({"threshold": float("inf")}, "threshold: inf must be at least 0"),
        ({"quantity": 0.5}, "quantity: 0.5 must be from 1"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Momentum(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
