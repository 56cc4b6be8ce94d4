"""Actions: the orders that each choice sends, their sums and spaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gym_market import market

from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError

gymnasium = pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from gymnasium import spaces  # noqa: E402

from marketsim import gym  # noqa: E402


def quoted(env: Any) -> dict[Side, tuple[int, int]]:
    return {order.side: (order.price, order.leaves) for order in env.seat.agent.orders()}


def ready(action: Any, seed: int = 2, **changes: Any) -> Any:
    env = gym.MarketMaking(market(**changes), action=action, learner={"latency": "10us"})
    env.reset(seed=seed)
    return env


def test_offsets_stand_as_far_from_the_mid_as_was_said() -> None:
    env = ready(gym.QuoteOffsets(most=40, quantity=7))
    mid = env.seat.mid
    env.step(np.array([0.5, 1.0], np.float32))  # 30 and 40 ticks: too far for anybody
    assert quoted(env) == {Side.BUY: (int(mid - 30), 7), Side.SELL: (int(mid + 40.5), 7)}
    numbers = {order.client_order_id for order in env.seat.agent.orders()}
    mid = env.seat.mid
    env.step(np.array([1.0, 0.5], np.float32))
    assert quoted(env) == {Side.BUY: (int(mid - 40), 7), Side.SELL: (int(mid + 30.5), 7)}
    assert {order.client_order_id for order in env.seat.agent.orders()} == numbers, "quotes are moved, not sent anew"


def test_a_skew_moves_both_quotes_the_same_way() -> None:
    env = ready(gym.QuoteSkew(skew=10, most=30, quantity=7))
    mid = env.seat.mid
    env.step(np.array([1.0, 1.0], np.float32))
    assert quoted(env) == {Side.BUY: (int(mid - 20), 7), Side.SELL: (int(mid + 40.5), 7)}


def test_a_grid_has_a_choice_of_no_quote() -> None:
    env = ready(gym.QuoteGrid((30, 40), quantity=7))
    assert env.action_space == spaces.MultiDiscrete([3, 3])
    mid = env.seat.mid
    env.step(np.array([1, 2]))
    assert quoted(env) == {Side.BUY: (int(mid - 40), 7)}
    env.step(np.array([2, 2]))
    assert quoted(env) == {}


def test_quotes_keep_the_position_within_its_limit() -> None:
    env = ready(gym.QuoteOffsets(most=2, quantity=30, max_position=40), duration="65s")
    held = [env.step(np.array([-1.0, 1.0], np.float32))[4]["position"] for _ in range(60)]
    assert max(map(abs, held)) <= 40
    assert max(map(abs, held)) > 20


def test_a_target_position_is_reached_with_market_orders_and_held() -> None:
    env = ready(gym.TargetPosition((-1, 0, 1), unit=25))
    held = [env.step(choice)[4]["position"] for choice in (2, 2, 0, 1)]
    assert held == [25, 25, -25, 0]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_pace_takes_or_joins_and_cleans_up(side: str) -> None:
    action = gym.Pace(paces=(0, 1, 100), ways=("join", "improve", "take"))
    env = gym.Execution(market(), action=action, mandate={"quantity": 40, "side": side}, learner={"latency": "10us"})
    sign = 1 if side == "buy" else -1
    env.reset(seed=2)
    env.step(np.array([0, 2]))
    assert env.seat.remaining == 40, "a pace of 0 holds back"
    env.step(np.array([1, 2]))
    assert env.seat.remaining == 40 - 3, "40 lots in 19 steps: three at once keep up"
    quote = env.seat.quote
    env.step(np.array([2, 0]))
    best = quote.bid if side == "buy" else quote.ask
    assert {order.price for order in env.seat.agent.orders()} <= {best}
    assert all(order.side is Side(sign) for order in env.seat.agent.orders())
    over = env.seat.remaining <= 0
    while not over:
        _, _, over, truncated, _ = env.step(np.array([0, 0]))
        assert not truncated
    assert env.seat.position == 40 * sign


def test_an_order_that_stands_where_it_should_keeps_its_place() -> None:
    action = gym.Pace(paces=(1000,), ways=("join",))
    env = gym.Execution(market(), action=action, mandate={"quantity": 5_000}, learner={"latency": "10us"})
    env.reset(seed=2)
    for _ in range(6):
        env.step(np.array([0, 0]))
    sent = {order.client_order_id for order in env.seat.agent.orders()}
    assert sent == {1}


def test_actions_are_added_and_their_spaces_with_them() -> None:
    boxes = gym.QuoteOffsets() + gym.QuoteSkew()
    assert boxes.space == spaces.Box(-1, 1, (4,), np.float32)
    choices = gym.TargetPosition() + gym.QuoteGrid((1, 2))
    assert choices.space == spaces.MultiDiscrete([3, 3, 3])
    mixed = gym.TargetPosition() + gym.QuoteOffsets()
    assert isinstance(mixed.space, spaces.Tuple)
    env = ready(gym.QuoteOffsets(most=40, quantity=7) + gym.QuoteOffsets(most=20, quantity=3))
    env.step(np.array([1, 1, 1, 1], np.float32))
    assert sorted(order.leaves for order in env.seat.agent.orders()) == [3, 3, 7, 7]
    env = ready(gym.TargetPosition() + gym.QuoteGrid((30,), quantity=7))
    env.step(np.array([1, 0, 0]))
    assert len(quoted(env)) == 2
    env = ready(mixed)
    env.step((2, np.array([1.0, 1.0], np.float32)))
    assert env.seat.position == 100


def test_one_of_ones_own_takes_a_few_lines() -> None:
    class Once(gym.Action):
        space = spaces.Discrete(2)

        def act(self, seat: Any, choice: Any) -> None:
            if choice and seat.step == 0:
                seat.agent.buy(seat.instrument, 4)

    env = ready(Once())
    assert [env.step(1)[4]["position"] for _ in range(3)] == [4, 4, 4]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gym.QuoteOffsets(most=0), "most: 0 must be a number above 0"),
        (lambda: gym.QuoteOffsets(quantity=1.5), "quantity: 1.5 must be a whole number of at least 1"),  # type: ignore[arg-type]
        (lambda: gym.QuoteGrid(()), "offsets: give at least one"),
        (lambda: gym.TargetPosition((1,)), "levels: give at least two"),
        (lambda: gym.Pace(paces=()), "paces: give at least one"),
        (lambda: gym.Pace(paces=(-1,)), "paces: give at least one number that is not below 0"),
        (lambda: gym.Pace(ways=("jion",)), "ways: 'jion' is no way; did you mean \"join\""),  # type: ignore[arg-type]
        (lambda: gym.Pace(ways=()), "ways: give at least one"),
        (lambda: gym.actions.combined([3]), "3 is no action"),  # type: ignore[list-item]
    ],
)
def test_what_makes_no_sense_is_said(make: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        make()
