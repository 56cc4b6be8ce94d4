"""The liquidity taker by hand: its signal, its delay, its size, and how it lets go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from statistical import runs

import marketsim as ms
from marketsim.agents import LiquidityTaker
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")


def taker(**changes: Any) -> tuple[LiquidityTaker, HandMarket]:
    me = LiquidityTaker(**{"signal_decay": 0.5, "signal_threshold": 0.2, **changes})
    return me, HandMarket(me, (ABC,))


def test_the_documents_defaults() -> None:
    me = LiquidityTaker()
    assert (me.signal_threshold, me.max_order, me.execution_delay, me.signal_decay) == (0.005, 500, 100_000_000, 0.95)


def test_the_signal_by_hand() -> None:
    """Weights 1, 0.5 and 0.5; decay 0.5."""
    me, market = taker()
    market.quote(100, 6, 102, 2)
    lean = (6 - 2) / 8
    assert me.signal_strength() == pytest.approx(0.5 * (0.5 * lean / 2))
    first = me.signal_strength()
    market.quote(101, 5, 103, 5)
    flow = (5 + 2) / 5  # a better bid of 5, an ask of 2 that is gone: cut to 1
    moved = 1 / 2
    assert flow > 1
    assert me.signal_strength() == pytest.approx(0.5 * first + 0.5 * (1.0 * 1.0 + 0.5 * 0.0 + 0.5 * moved) / 2)


@pytest.mark.parametrize("weight", ["flow_weight", "microprice_weight", "momentum_weight"])
def test_each_part_can_stand_alone(weight: str) -> None:
    weights = dict.fromkeys(("flow_weight", "microprice_weight", "momentum_weight"), 0.0) | {weight: 1.0}
    me, market = taker(**weights, signal_threshold=1.0)
    market.quote(100, 5, 102, 5)
    assert me.signal_strength() == 0.0
    market.quote(101, 9, 103, 1)
    assert me.signal_strength() > 0.0
    market.quote(100, 1, 102, 9)
    market.quote(99, 1, 101, 9)
    assert me.signal_strength() < 0.0


def test_the_signal_decays_when_nothing_happens() -> None:
    me, market = taker(microprice_weight=0.0, signal_threshold=1.0)
    market.quote(100, 5, 102, 5)
    market.quote(101, 5, 103, 5)
    before = me.signal_strength()
    for _ in range(3):
        market.quote(101, 5, 103, 5)
    assert me.signal_strength() == pytest.approx(before / 8)


def press(market: HandMarket, up: bool = True) -> None:
    market.quote(100, 5, 102, 5)
    market.quote(101, 30, 103, 2) if up else market.quote(99, 2, 101, 30)


@pytest.mark.parametrize(("up", "side", "price"), [(True, Side.BUY, 103), (False, Side.SELL, 99)])
def test_it_takes_at_the_best_price_after_the_delay(up: bool, side: Side, price: int) -> None:
    _, market = taker(execution_delay="100ms")
    press(market, up)
    market.advance("99ms")
    assert market.asked(Kind.NEW) == []
    market.advance("2ms")
    (order,) = market.orders
    assert (order.side, order.price, order.time_in_force) == (side, price, TimeInForce.IOC)


def test_the_price_is_that_of_the_time_of_execution() -> None:
    _, market = taker(slippage=2)
    press(market)
    market.advance("50ms")
    market.quote(103, 30, 105, 2)
    market.advance("100ms")
    assert market.orders[0].price == 107


def test_a_signal_that_fades_in_the_meantime_is_not_acted_on() -> None:
    _, market = taker(microprice_weight=0.0)
    press(market)
    for _ in range(9):
        market.quote(101, 30, 103, 2)
    market.advance("1s")
    assert market.asked(Kind.NEW) == []


def test_a_weak_signal_is_not_acted_on() -> None:
    _, market = taker(signal_threshold=0.9)
    press(market)
    market.advance("1s")
    assert market.asked(Kind.NEW) == []


def test_size_follows_strength() -> None:
    sizes = []
    for quantity in (6, 10, 30):
        me, market = taker(max_order=500, full_strength=1.0)
        market.quote(100, 5, 102, 5)
        market.quote(100, quantity, 102, 5)
        strength = me.signal_strength()
        market.advance("200ms")
        sizes.append(market.orders[0].quantity if market.orders else 0)
        assert sizes[-1] == (int(500 * strength) if strength >= 0.2 else 0)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_full_strength_is_worth_the_largest_order() -> None:
    _, market = taker(max_order=40, full_strength=0.2, max_position=1000)
    press(market)
    market.advance("200ms")
    assert market.orders[0].quantity == 40


def test_the_position_limit_holds() -> None:
    me, market = taker(max_order=40, full_strength=0.2, max_position=60, cooldown="1ms", holding="1h")
    for _ in range(4):
        press(market)
        market.advance("1s")
        for order in market.orders:
            market.accept(order)
            market.fill(order)
    assert me.position() == 60


def test_it_rests_between_orders() -> None:
    _, market = taker(cooldown="2s", holding="1h")
    press(market)
    market.advance("200ms")
    order = market.orders[0]
    market.accept(order)
    market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)
    market.clear()
    press(market)
    market.advance("1500ms")
    assert market.asked(Kind.NEW) == []
    market.advance("400ms")
    press(market)
    market.advance("200ms")
    assert len(market.asked(Kind.NEW)) == 1


def test_a_position_is_unwound_when_its_signal_is_old() -> None:
    me, market = taker(holding="5s", max_order=40, full_strength=0.2)
    press(market)
    market.advance("200ms")
    order = market.orders[0]
    market.accept(order)
    market.fill(order)
    market.advance("6s")
    (out,) = market.orders
    assert (out.side, out.quantity, out.price) == (Side.SELL, 40, 101)
    market.accept(out)
    market.fill(out, 30)
    market.cancel(out, reason=Reason.IMMEDIATE_OR_CANCEL)
    market.advance("1s")
    assert [o.quantity for o in market.orders] == [10], "the rest is tried again"
    market.fill(market.orders[0])
    market.clear()
    market.advance("20s")
    assert me.position() == 0
    assert market.asked() == []


# --- several levels ---

BIDS, ASKS = [(100, 6), (99, 10), (98, 4)], [(102, 2), (103, 10), (104, 8)]
FLOW_ALONE = {"microprice_weight": 0.0, "momentum_weight": 0.0, "signal_decay": 0.0}


def looker(**changes: Any) -> tuple[LiquidityTaker, HandMarket]:
    me, market = taker(**{"levels": 3, "level_decay": 0.5, "signal_threshold": 1.0, **FLOW_ALONE, **changes})
    assert [r.kind for r in market.asked(Kind.SUBSCRIBE)] == [Kind.SUBSCRIBE], "levels alone, once"
    market.book(BIDS, ASKS, 7)
    return me, market


def test_the_flow_of_several_levels_by_hand() -> None:
    """Weights 1, 1/2, 1/4 of the levels' flows over their mean quantities 4, 10 and 6."""
    me, market = looker()
    assert me.signal_strength() == 0.0, "the first book is no step"
    market.level(Side.BUY, 99, 13, 8)
    assert me.signal_strength() == pytest.approx(0.5 * (3 / 11.5) / 1.75)
    market.level(Side.SELL, 104, 5, 9)
    assert me.signal_strength() == pytest.approx(0.25 * (3 / 4.5) / 1.75)
    market.level(Side.SELL, 102, 0, 10)  # the best ask is gone; 10 lots over 9 are cut to 1; there is no third ask
    assert me.signal_strength() == pytest.approx((2 / 8 + 0.5 * 1.0) / 1.5)


def test_with_one_level_of_the_book_the_signal_is_that_of_the_quotes() -> None:
    """The first of several levels, alone in weight, against the quotes that the same book makes."""
    deep, hall = looker(level_decay=0.0, microprice_weight=0.5, momentum_weight=0.5, signal_decay=0.5)
    flat, street = taker(signal_threshold=1.0)
    street.quote(100, 6, 102, 2)
    for sequence, (side, price, quantity, seen) in enumerate(
        [
            (Side.BUY, 100, 9, (100, 9, 102, 2)),
            (Side.SELL, 102, 0, (100, 9, 103, 10)),
            (Side.BUY, 101, 5, (101, 5, 103, 10)),
            (Side.SELL, 103, 12, (101, 5, 103, 12)),
        ],
        8,
    ):
        hall.level(side, price, quantity, sequence)
        street.quote(*seen)
        assert deep.signal_strength() == pytest.approx(flat.signal_strength())


def test_what_lies_deeper_than_the_levels_does_not_move_the_signal() -> None:
    me, market = looker(signal_decay=0.5)
    market.level(Side.BUY, 100, 9, 8)
    before = me.signal_strength()
    assert before > 0.0
    market.level(Side.BUY, 90, 500, 9)
    assert me.signal_strength() == before


def test_after_a_gap_it_waits_for_the_book_and_starts_anew() -> None:
    me, market = looker()
    market.level(Side.BUY, 100, 9, 8)
    before = me.signal_strength()
    market.level(Side.BUY, 100, 500, 10)
    assert me.signal_strength() == before, "something was lost"
    assert market.asked(Kind.SNAPSHOT_REQUEST)
    market.book([(90, 500)], [(92, 1)], 11)
    assert me.signal_strength() == 0.0
    market.level(Side.BUY, 90, 501, 12)
    assert me.signal_strength() > 0.0


def test_it_takes_at_the_best_price_of_the_book() -> None:
    _, market = looker(signal_threshold=0.1, max_order=40, full_strength=0.1)
    market.level(Side.BUY, 101, 30, 8)
    market.advance("200ms")
    (order,) = market.orders
    assert (order.side, order.price, order.quantity) == (Side.BUY, 102, 40)


def test_levels_may_change_while_it_runs() -> None:
    me, market = looker()
    me.set(levels=1)
    market.quote(100, 6, 102, 2)
    market.level(Side.BUY, 100, 9, 8)
    assert me.signal_strength() == 0.0
    market.quote(100, 9, 102, 2)
    assert me.signal_strength() > 0.0
    me.set(levels=2)
    market.book(BIDS, ASKS, 20)
    market.quote(100, 99, 102, 2)
    assert me.signal_strength() == 0.0
    market.level(Side.BUY, 99, 30, 21)
    assert me.signal_strength() > 0.0


@given(
    st.lists(
        st.tuples(st.integers(95, 99), st.integers(0, 30), st.integers(100, 105), st.integers(0, 30), st.booleans()),
        max_size=50,
    )
)
def test_the_signal_stays_within_its_range(steps: list[tuple[int, int, int, int, bool]]) -> None:
    me, market = taker(signal_threshold=0.05, max_position=50)
    for bid, bid_quantity, ask, ask_quantity, fills in steps:
        market.quote(bid, bid_quantity, ask, ask_quantity)
        market.advance("70ms")
        for order in market.orders:
            assert order.quantity >= 1
            market.accept(order)
            market.fill(order) if fills else market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)
        assert abs(me.signal_strength()) <= 1.0
        assert abs(me.position()) <= 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal_decay": 1.5}, "signal_decay: 1.5 must be from 0 to 1"),
        ({"max_order": 0}, "max_order: 0 must be at least 1"),
        ({"execution_delay": -1}, "execution_delay: -1 ns is below zero"),
        ({"flow_weight": 0, "microprice_weight": 0, "momentum_weight": 0}, "all 0; give one some weight"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        LiquidityTaker(**changes)


# --- whether its signal knows anything ---


@dataclass
class Coin(LiquidityTaker):
    """The same agent at the same times, but a coin says which side it takes."""

    def _execute(self, signal: Any) -> None:
        told = signal.strength
        if self.random("coin").bernoulli(0.5):
            signal.strength = -told
        super()._execute(signal)
        signal.strength = told


@pytest.mark.statistical
def test_its_trades_earn_before_costs_and_those_of_a_coin_do_not() -> None:
    """The mid's move within a second of its trades, in ticks, in its direction; paired over seeds.

    Before costs: the half spread that it pays is left out, as it is the same for both. The move after a trade is the
    difference of its mark-outs at 1 s and at 0. Tolerance: Student's interval of the mean difference.
    """

    def earned(seed: int, kind: type[LiquidityTaker]) -> float:
        changes = {"seed": seed, "duration": "5min", "agents.liquidity_taker": None, "agents.learner": None}
        simulation = ms.load("quickstart", changes)
        me = kind(signal_threshold=0.1, max_order=20, max_position=200, cooldown="1s")
        simulation.add_agent(me, "taker", latency="200us", computation="20us")
        table = ms.analysis.mark_outs(simulation.run(), (0, "1s"), role="taker", by="agent")
        at_once, later = table[table["agent"] == "taker"]["mark_out"]
        return float(later - at_once) / 0.01

    seeds = range(runs(5, 30))
    signal, coin = (np.array([earned(seed, kind) for seed in seeds]) for kind in (LiquidityTaker, Coin))
    factor = t.ppf(0.975, len(seeds) - 1) / np.sqrt(len(seeds))
    for words, values in (("signal", signal), ("coin", coin), ("difference", signal - coin)):
        print(f"\n{words}: {values.mean():+.2f} ± {factor * values.std(ddof=1):.2f} ticks a lot", end="")
    gap = signal - coin
    assert gap.mean() > factor * gap.std(ddof=1)
    assert abs(coin.mean()) < max(0.1, 2 * factor * coin.std(ddof=1)), "a coin knows nothing"
