"""Rewards: each on a case computed by hand, their sums, and what they add up to over episodes."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gym_market import market

import marketsim as ms
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.portfolio import Fill

pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from marketsim import gym

ABC = ms.Instrument("ABC")


def fill(side: Side, price: str, quantity: int, fee: str = "0") -> Fill:
    return Fill(0, "ABC", side, Decimal(price), Decimal(quantity), Decimal(fee), True, "USD")


def seat(**known: Any) -> Any:
    given = {"gain": 3.0, "position": -200, "last_position": 100, "true_mid": 10_004.0, "last_mid": 10_000.0, "dt": 2.0}
    plain = {"lot_value": 0.01, "instrument": ABC, "fills": (), "over": False, "mandate": None, "name": "me"}
    return SimpleNamespace(**{**given, **plain, **known})


FILLS = (fill(Side.BUY, "100.00", 10, "0.5"), fill(Side.SELL, "100.10", 20))


@pytest.mark.parametrize(
    ("reward", "known", "value"),
    [
        (gym.PnL(), seat(), 3.0),
        (gym.DampenedPnL(0.5), seat(), 3.0 - 0.5 * 100 * 4 * 0.01),
        (gym.DampenedPnL(0.5), seat(last_position=-100), 3.0),  # losses are not dampened
        (gym.InventoryPenalty(unit=100), seat(), 2.0**2 * 2.0),
        (gym.LastInventory(unit=50), seat(), 0.0),
        (gym.LastInventory(unit=50), seat(over=True), 4.0),
        (gym.SpreadCapture(), seat(fills=FILLS), 10 * 0.04 + 20 * 0.06),
        (gym.Turnover(), seat(fills=FILLS), 1000.0 + 2002.0),
        (gym.Judge(lambda seat: seat.gain**2), seat(), 9.0),
        (gym.PnL() - 0.1 * gym.InventoryPenalty() + 2 * gym.PnL(), seat(), 9.0 - 0.8),
        (-(gym.PnL() - gym.PnL() * 3), seat(), 6.0),
    ],
)  # fmt: skip
def test_it_is_what_its_formula_says(reward: Any, known: Any, value: float) -> None:
    reward.begin(known)
    assert reward.value(known) == pytest.approx(value)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_shortfall_of_fills_fees_and_of_what_is_left(side: Side) -> None:
    """Q = 100 at P0 = 100.00: 40 lots at 5 cents worse with 2.00 of fees, 60 left that would cost 8 cents each."""
    worse = Decimal("0.05") * side
    known = seat(
        mandate=gym.Mandate(side, 100, 10_000.0),
        fills=(fill(side, str(Decimal(100) + worse), 40, "2"),),
        over=True,
        remaining=60,
        touch=lambda given: 10_000.0 + 8.0 * given,
    )
    cost = 40 * 0.05 + 2.0 + 60 * 0.08
    assert gym.ImplementationShortfall().value(known) == pytest.approx(-1e4 * cost / (100 * 100.0))


def test_profits_of_the_steps_add_up_to_the_profit_of_the_episode() -> None:
    env = gym.MarketMaking(market(), reward=gym.PnL())
    played = gym.play(env, lambda told: np.array([-0.9, -0.9], np.float32), 4)
    assert played.info["pnl"] != 0.0
    assert played.total == pytest.approx(played.info["pnl"])


def test_shortfalls_of_the_steps_add_up_to_that_of_the_mandate() -> None:
    env = gym.Execution(market(), mandate={"quantity": 60, "side": "sell"})
    played = gym.play(env, lambda told: np.array([2, 1]), 4)
    fills = env.seat.session.portfolio.history
    got = float(sum(f.price * f.quantity - f.fee for f in fills))
    arrival = env.seat.mandate.arrival * 0.01  # type: ignore[union-attr]
    assert sum(f.quantity for f in fills) == 60
    assert played.total == pytest.approx(1e4 * (got - 60 * arrival) / (60 * arrival))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_shortfall_is_that_of_the_even_schedule_and_what_was_gained_on_it(side: str) -> None:
    env = gym.Execution(market(), mandate={"quantity": 60, "side": side}, reward=gym.ImplementationShortfall())
    other = gym.Execution(market(), mandate={"quantity": 60, "side": side}, reward=gym.AgainstSchedule())
    env.reset(seed=4)
    other.reset(seed=4)
    shortfall = gained = schedule = 0.0
    over = False
    while not over:
        left, mid = env.seat.time_left, env.seat.true_mid
        _, reward, over, _, _ = env.step(np.array([2, 0]))
        shortfall += reward
        gained += other.step(np.array([2, 0]))[1]
        schedule -= int(env.seat.mandate.side) * left * (env.seat.true_mid - mid) * 1e4 / env.seat.mandate.arrival  # type: ignore[union-attr]
    assert shortfall == pytest.approx(gained + schedule)
    assert schedule != 0.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gym.DampenedPnL(1.5), "eta: 1.5 must be from 0 to 1"),
        (lambda: gym.InventoryPenalty(0.0), "unit: 0.0 must be a number above 0"),
        (lambda: gym.LastInventory(-1.0), "unit: -1.0 must be a number above 0"),
        (lambda: float("nan") * gym.PnL(), "the weight nan of PnL must be finite"),
        (lambda: gym.ImplementationShortfall().value(seat()), "me has no mandate"),
        (lambda: gym.AgainstSchedule().value(seat()), "me has no mandate"),
    ],
)
def test_what_makes_no_sense_is_said(make: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        make()
