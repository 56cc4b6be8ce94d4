"""Speed of risk control: a check before an order leaves, beside a small fixed piece of Python; VaR and correlation.

The check has the limits that are typical: size, position, order value, price collar and rate, with other orders open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import marketsim as ms
from benchmarks.measurement import Measurement, show
from marketsim.domain.order import OrderType, Side
from marketsim.kernel.random import Stream
from marketsim.testing import HandMarket
from marketsim.trading.order import Order
from marketsim.trading.risk.history import History

TYPICAL = ms.Limits(max_order=100, max_position=10_000, max_notional=1e6, price_collar=0.05, max_rate=(10_000_000, 1))
INSTRUMENTS, SAMPLES = 50, 250


def best(function: Callable[[], Any], times: int, repeats: int = 60) -> float:
    """Seconds of one call, the best of many short rows of them: others work on the machine too."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(times):
            function()
        found.append((time.perf_counter() - began) / times)
    return min(found)


def yardstick() -> int:
    """Fixed work: twenty rounds of adding, comparing and looking up."""
    total, table = 0, {0: 1, 1: 2}
    for number in range(20):
        total += table[number & 1]
        if total > 1_000:
            total = 0
    return total


def checking(open_orders: int) -> Callable[[], Any]:
    """A check of an order that passes, with so many others open."""
    me = ms.Agent()
    market = HandMarket(me, limits=TYPICAL)
    instrument = market.markets[0].instrument
    for number in range(open_orders):
        me.buy(instrument, 1, limit=10_000 - number % 50)
    guard, order = market.session.guard, Order(1, instrument, "XSIM", Side.BUY, OrderType.LIMIT, 10, 10_000)
    return lambda: guard.refuses(order, 10, 10_000, 0)


def history() -> History:
    """Marks of many instruments that move at random."""
    draw, marks = Stream(1, "risk", "marks"), [10_000.0] * INSTRUMENTS
    found = History(INSTRUMENTS, SAMPLES + 1, 1_000_000_000)
    for _ in range(SAMPLES + 1):
        marks = [mark * (1 + 1e-4 * draw.normal()) for mark in marks]
        found.add(marks)
    return found


def recompute(marks: History, method: str) -> None:
    """A new sample, then the value at risk."""
    marks.add([10_000.0] * INSTRUMENTS)
    marks.value_at_risk([1e5] * INSTRUMENTS, 0.95, method, 86_400_000_000_000)


def correlate(marks: History) -> None:
    """A new sample, then the correlations."""
    marks.add([10_000.0] * INSTRUMENTS)
    marks.correlation(0, 1)


def measure() -> list[Measurement]:
    """Absolute, and beside the yardstick in the same run."""
    fixed = best(yardstick, 2_000)
    found = []
    for open_orders in (0, 1_000):
        check = best(checking(open_orders), 2_000)
        what = f"risk check, {open_orders:,} open orders"
        note = f"{check / fixed:.2f} times twenty rounds of plain Python ({fixed * 1e6:.2f} µs)"
        found.append(Measurement(what, check * 1e6, "µs", most=2, note=note))
    marks = history()
    size = f"{INSTRUMENTS} instruments, {SAMPLES} returns"
    for what, work in (
        ("value at risk, historical", lambda: recompute(marks, "historical")),
        ("value at risk, parametric", lambda: recompute(marks, "parametric")),
        ("correlations", lambda: correlate(marks)),
    ):
        took = best(work, 20, 10)
        note = f"{size}; {took / fixed:,.0f} times the same"
        found.append(Measurement(what, took * 1e3, "ms", most=10, note=note))
    found.append(Measurement("correlation, cached", best(lambda: marks.correlation(0, 1), 2_000) * 1e6, "µs", most=2))
    return found


if __name__ == "__main__":
    show(measure())
