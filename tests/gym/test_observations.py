"""Observations: each on a case computed by hand, their sums and multiples, bounds, and those of one's own."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from gym_market import market

import marketsim as ms
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.order import OrderState, Side
from marketsim.errors import InvalidValueError
from marketsim.trading.book import LocalBook

pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from marketsim import gym
from marketsim.gym.observations import Reader
from marketsim.gym.seat import Mandate, Seat

ABC = ms.Instrument("ABC")


def quote(bid: int, bid_lots: int, ask: int, ask_lots: int, time: int = 0) -> Quote:
    return Quote(time, ABC, bid, bid_lots, ask, ask_lots)


def trade(lots: int, side: Side) -> TradePrint:
    return TradePrint(0, ABC, 100, lots, side)


def seat(**known: Any) -> Any:
    """What an observation may look at, as far as a test says it."""
    given = {"mid": 10_000.0, "spread": 3.0, "position": 250, "pnl": -40.0, "time_left": 0.25, "dt": 1.0, "trades": []}
    return SimpleNamespace(**{**given, "mandate": None, "book": None, "quote": None, "now": 0, **known})


def order(side: Side, price: int, leaves: int) -> Any:
    return SimpleNamespace(side=side, price=price, leaves=leaves)


def with_orders(*orders: Any) -> Any:
    return seat(session=SimpleNamespace(broker=SimpleNamespace(open_orders=lambda: orders)))


MANDATE = Mandate(Side.SELL, 400, 10_010.0)
CASES: list[tuple[Any, Any, list[float]]] = [
    (gym.Inventory(unit=100), seat(), [2.5]),
    (gym.TimeLeft(), seat(), [0.25]),
    (gym.ProfitSoFar(unit=20), seat(), [-2.0]),
    (gym.Spread(ticks=2), seat(), [1.5]),
    (gym.Imbalance(), seat(quote=quote(99, 30, 101, 10)), [0.5]),
    (gym.Imbalance(), seat(), [0.0]),
    (gym.Remaining(), seat(mandate=MANDATE, remaining=100), [0.25]),
    (gym.Behind(), seat(mandate=MANDATE, remaining=300), [0.5]),
    (gym.SinceArrival(ticks=5), seat(mandate=MANDATE), [2.0]),  # a seller's price has fallen by ten ticks
    (gym.TradeFlow(lots=10), seat(trades=[trade(30, Side.BUY), trade(50, Side.SELL)]), [-2.0]),
    (
        gym.OwnQuotes(ticks=2, lots=10),
        with_orders(order(Side.BUY, 9_996, 5), order(Side.BUY, 9_998, 20), order(Side.SELL, 10_005, 10)),
        [1.0, 2.5, 2.0, 1.0],
    ),
    (gym.OwnQuotes(), with_orders(), [0.0] * 4),
]  # fmt: skip


@pytest.mark.parametrize(("observation", "known", "told"), CASES, ids=lambda x: type(x).__name__)
def test_it_tells_what_its_formula_says(observation: Any, known: Any, told: list[float]) -> None:
    reader = Reader(observation)
    assert reader.read(known).tolist() == pytest.approx(told)
    assert reader.space.shape == (len(told),)
    assert len(observation.labels()) == observation.size == len(told)


def test_depth_reads_the_book_that_the_feed_has_told() -> None:
    book = LocalBook()
    book.bids, book.asks = {99: 100, 98: 300, 97: 1}, {101: 50}
    reader = Reader(gym.Depth(2, lots=100))
    assert reader.needs == {"levels"}
    told = reader.read(seat(book=book))
    assert told.tolist() == pytest.approx([math.log(2), math.log(4), math.log(1.5), 0.0])
    assert Reader(gym.Depth(2)).read(seat()).tolist() == [0.0] * 4


def test_moves_and_averages_of_the_mid() -> None:
    returns, momentum = gym.MidReturns(3, ticks=2), gym.Momentum("2s", ticks=1)
    known = seat()
    for part in (returns, momentum):
        part.begin(known)
    told = []
    average = 10_000.0
    for mid in (10_000.0, 10_004.0, 10_002.0):
        known.mid = mid
        average = math.exp(-0.5) * average + (1 - math.exp(-0.5)) * mid
        told.append((returns.read(known), momentum.read(known)))
        assert told[-1][1] == pytest.approx(mid - average)
    assert told[1][0] == [2.0, 0.0, 0.0]
    assert told[2][0] == [-1.0, 2.0, 0.0]


def test_order_flow_adds_up_between_two_steps() -> None:
    flow = gym.OrderFlow(lots=10)
    for heard in (quote(99, 10, 101, 10), quote(100, 30, 101, 10)):
        flow.heard_quote(heard)
    assert flow.read(seat()) == 3.0  # a better bid of 30 lots
    assert flow.read(seat()) == 0.0


def test_volatility_is_measured_on_every_quote() -> None:
    volatility = gym.Volatility("1h", ticks=2)
    for number in range(200):
        volatility.heard_quote(quote(100 + 4 * (number % 2), 1, 102 + 4 * (number % 2), 1, number * 2_000_000_000))
    assert volatility.read(seat()) == pytest.approx(4 / math.sqrt(2) / 2, rel=0.01)


def test_sums_multiples_and_histories() -> None:
    observation = gym.Inventory() + -0.5 * gym.Spread() + gym.History(gym.TimeLeft(), 2)
    reader = Reader(observation)
    assert observation.labels() == ["Inventory", "Spread", "TimeLeft", "TimeLeft[-1]"]
    assert reader.space.low.tolist() == [-10.0, -10.0, 0.0, 0.0]
    assert reader.space.high.tolist() == [10.0, 0.0, 1.0, 1.0]
    reader.observation.begin(seat())
    assert reader.read(seat()).tolist() == [2.5, -1.5, 0.25, 0.0]
    assert reader.read(seat(time_left=0.0)).tolist() == [2.5, -1.5, 0.0, 0.25]
    assert len((gym.Inventory() + (gym.Spread() + gym.TimeLeft())).of) == 3
    with pytest.raises(TypeError):
        gym.Inventory() + 1  # type: ignore[operator]


def test_values_are_cut_to_the_bounds() -> None:
    reader = Reader(gym.Inventory(unit=1, most=3))
    assert reader.read(seat(position=-70)).tolist() == [-3.0]
    assert reader.space.contains(reader.read(seat(position=70)))


def test_one_of_ones_own_takes_a_few_lines() -> None:
    class Parity(gym.Observation):
        low, high = 0.0, 1.0

        def read(self, seat: Any) -> float:
            return float(seat.position % 2)

    env = gym.Trading(market(), Parity() + gym.Observe(lambda seat: [seat.step, 0.5], 0, 100, count=2, label="own"))
    assert env.labels == ["Parity", "own.0", "own.1"]
    env.reset(seed=1)
    assert env.step(1)[0].tolist() == [0.0, 1.0, 0.5]


def test_each_episode_begins_with_a_fresh_memory() -> None:
    env = gym.Trading(market(), gym.Volatility() + gym.MidReturns(2))
    first = [env.reset(seed=6)[0].tolist(), env.step(1)[0].tolist()]
    assert first[0][0] > 0.0, "the warm-up counts for the volatility"
    env.step(2)
    assert [env.reset(seed=6)[0].tolist(), env.step(1)[0].tolist()] == first


def mid_and_spread(heard: Quote, *own: Any, before: float = 10_000.0) -> tuple[float, float]:
    """What a seat takes for the mid and the spread, given its own orders and the mid before."""
    for mine in own:
        mine.state, mine.instrument = OrderState.ACCEPTED, ABC
    known = with_orders(*own)
    known.quote, known.mid, known.spread, known._symbol = heard, before, 9.0, "ABC"
    Seat._look_at_quote(known)
    return known.mid, known.spread


def test_own_orders_are_no_part_of_the_mid() -> None:
    heard = quote(9_998, 30, 10_006, 20)
    assert mid_and_spread(heard) == (10_002.0, 8.0)
    assert mid_and_spread(heard, order(Side.BUY, 9_998, 10), order(Side.SELL, 10_007, 50)) == (10_002.0, 8.0)
    # Alone at the bid: the mid stays, below what others ask.
    assert mid_and_spread(heard, order(Side.BUY, 9_998, 30)) == (10_000.0, 9.0)
    assert mid_and_spread(heard, order(Side.BUY, 9_998, 30), before=10_010.0) == (10_005.5, 9.0)
    assert mid_and_spread(heard, order(Side.SELL, 10_006, 20), before=9_990.0) == (9_998.5, 9.0)
    assert mid_and_spread(quote(0, 0, 0, 0)) == (10_000.0, 9.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gym.Inventory(unit=0), "unit: 0 must be a number above 0"),
        (lambda: gym.Spread(ticks=True), "ticks: True must be"),
        (lambda: gym.Momentum("0s"), "memory: '0s' must be above zero"),
        (lambda: gym.History(gym.Spread(), 0), "steps: 0 must be"),
        (lambda: 0 * gym.Spread(), "a finite number that is not 0"),
        (lambda: Reader(gym.Observe(lambda seat: 0.0, 1.0, 1.0)), "its bounds must be finite, low below high"),
        (lambda: Reader(gym.Observe(lambda seat: [1.0, 2.0])).read(seat()), "answered 2 numbers, and its size says 1"),
        (lambda: Reader(gym.Observe(lambda seat: math.nan, label="mine")).read(seat()), "mine is not a number"),
    ],
)
def test_what_makes_no_sense_is_said(make: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        make()


def test_one_that_tells_nothing_says_what_to_write() -> None:
    with pytest.raises(NotImplementedError, match="Observation tells nothing"):
        gym.Observation().read(seat())
