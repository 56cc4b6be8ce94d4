"""Auctions: how long an uncross takes, by the number of orders and by what they are.

Orders are collected in a phase that does not match, at prices drawn around the middle so that the two sides overlap;
then the market goes over to continuous trading, which uncrosses them: one price, every trade and what becomes of the
rest, as rows of the log. Each case is the least of several auctions. ``icebergs``: every fifth order shows a tenth of
itself, so that it also rests again and again while it trades. The price alone is what an indicative message costs.
"""

from __future__ import annotations

import time

from benchmarks.matching import Recycled
from benchmarks.measurement import Measurement, show
from marketsim.domain.order import OrderType, Side, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.exchange.core import MatchingCore
from marketsim.kernel.random import Stream

ORDERS, ROUNDS = 100_000, 4
_MIDDLE, _SPREAD, _OVERLAP = 10_000, 400, 50  # ticks


def collected(orders: int, *, icebergs: bool, seed: int) -> MatchingCore:
    """A market in its opening auction with so many limit orders, every tenth of them without a limit."""
    draw = Stream(seed, "benchmark", "auction")
    core = MatchingCore(1, Recycled())
    core.set_phase(0, 0, Phase.OPENING_AUCTION)
    for number in range(orders):
        side = Side.BUY if draw.uniform() < 0.5 else Side.SELL
        lots = 1 + int(100 * draw.uniform())
        price = _MIDDLE + int(_SPREAD * (2 * draw.uniform() - 1)) + _OVERLAP * side
        unlimited = number % 10 == 9
        order_type = OrderType.MARKET if unlimited else OrderType.LIMIT
        shown = -(-lots // 10) if icebergs and number % 5 == 0 and not unlimited else 0
        core.new(
            number, number, 0, side, order_type, TimeInForce.GTC, 0, 0 if unlimited else price, 0, lots, display=shown
        )
    return core


def uncross(core: MatchingCore) -> tuple[float, float, int]:
    """Seconds for the price alone and for the whole uncross, and how many trades."""
    began = time.perf_counter()
    core.indicative(0)
    priced = time.perf_counter() - began
    began = time.perf_counter()
    core.set_phase(10**9, 0, Phase.CONTINUOUS)
    return priced, time.perf_counter() - began, core.statistics(0)["trades"]


def measure(orders: int = ORDERS, rounds: int = ROUNDS) -> list[Measurement]:
    """Plain orders, and with icebergs among them."""
    found = []
    for name, icebergs in (("plain orders", False), ("every fifth an iceberg", True)):
        uncross(collected(1_000, icebergs=icebergs, seed=0))
        tried = [uncross(collected(orders, icebergs=icebergs, seed=seed)) for seed in range(1, rounds + 1)]
        priced, whole, trades = (min(column) for column in zip(*tried, strict=True))
        note = f"{trades:,} trades; the price alone {1e3 * priced:.2g} ms"
        what = f"auctions: {orders:,} orders, {name}"
        found.append(Measurement(what, whole, "s", most=0.2, note=note))
    return found


if __name__ == "__main__":
    show(measure())
