"""Indicators and rules: what one update costs, beside a method of Python that only keeps what it is given.

Bars come from a random walk in ticks; everything takes the same bars, in turns.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.measurement import Measurement, show
from marketsim.agents import rules as r
from marketsim.agents.indicators import INDICATORS, make
from marketsim.agents.rules.charts import Charts, Joined
from marketsim.domain.units import MINUTE
from marketsim.kernel.random import Stream

SIMPLE = (
    "atr", "bollinger", "deviation", "ema", "macd", "momentum", "obv", "roc", "rsi", "sma", "supertrend", "true_range",
    "volume_average", "vwap", "wma",
)  # fmt: skip
BARS = 3_000
SLICE = 300


class Keeper:
    """The yardstick: one call, one attribute."""

    __slots__ = ("value",)

    def update(self, value: float) -> float:
        self.value = value
        return value


def walk(bars: int = BARS) -> list[Joined]:
    """Bars of a random walk."""
    draw, price, made = Stream(1, "benchmark", "walk"), 10_000, []
    for number in range(1, bars + 1):
        first = price
        price += draw.integer(-20, 20)
        high, low = max(first, price) + draw.integer(0, 9), min(first, price) - draw.integer(0, 9)
        made.append(Joined(number * MINUTE, first, high, low, price, draw.integer(0, 500)))
    return made


def slices(update: Any, seen: list[Any]) -> list[float]:
    """ns of an update in each slice of the updates."""
    found = []
    for first in range(0, len(seen), SLICE):
        part = seen[first : first + SLICE]
        began = time.perf_counter_ns()
        for one in part:
            update(one)
        found.append((time.perf_counter_ns() - began) / len(part))
    return found


class Best:
    """The mean over all slices, of each the best pass: a busy machine interrupts some slices, and never all passes."""

    def __init__(self) -> None:
        self._slices: list[float] = []

    def add(self, found: list[float]) -> None:
        self._slices = [min(pair) for pair in zip(self._slices, found, strict=True)] if self._slices else found

    @property
    def nanoseconds(self) -> float:
        return statistics.fmean(self._slices)


def costs(bars: list[Joined], repeats: int = 7) -> tuple[float, dict[str, float]]:
    """ns of the yardstick, and of each indicator, in turns."""
    seen = {
        "price": [float(bar.close) for bar in bars],
        "volume": [float(bar.volume) for bar in bars],
        "bar": bars,
    }
    yardstick, found = Best(), {name: Best() for name in INDICATORS}
    for _ in range(repeats):
        for name, best in found.items():
            indicator = make(name)
            best.add(slices(indicator.update, seen[indicator.OF]))
        yardstick.add(slices(Keeper().update, seen["price"]))
    return yardstick.nanoseconds, {name: best.nanoseconds for name, best in found.items()}


def strategy_cost(bars: list[Joined], repeats: int = 7) -> float:
    """ns of a bar with the ready entry (RSI or Bollinger) on its chart."""
    best = Best()
    for _ in range(repeats):
        charts = Charts(MINUTE)
        evaluate = r.RsiOrBollinger().bind(charts).evaluate

        def look(bar: Joined, add: Any = charts.add, evaluate: Any = evaluate) -> None:
            add(bar)
            evaluate()

        best.add(slices(look, bars))
    return best.nanoseconds


def measure() -> list[Measurement]:
    """The simple ones, all of them, and a rule."""
    bars = walk()
    yardstick, found = costs(bars)
    simple = {name: found[name] for name in SIMPLE}
    slowest = max(simple, key=simple.__getitem__)
    told = ", ".join(f"{name} {cost:.0f}" for name, cost in sorted(found.items()))
    entry = strategy_cost(bars)
    median = statistics.median(simple.values())
    return [
        Measurement("indicators: slowest simple one", simple[slowest], "ns an update", most=1_000, note=slowest),
        Measurement(
            "indicators: median simple one", median / yardstick, "calls of Python", most=12,
            note=f"{median:.0f} ns; a call: {yardstick:.0f} ns",
        ),
        Measurement("indicators: all", max(found.values()), "ns an update", note=told),
        Measurement(
            "rules: a bar with RSI or Bollinger", entry / yardstick, "calls of Python", note=f"{entry / 1e3:.1f} µs"
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    show(measure())
