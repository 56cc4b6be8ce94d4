"""Strategies written in Python that trade on signals, in a compiled crowd: how many of their callbacks a second.

Twenty strategies hear every change of the best quotes among 1,000 compiled agents: half of them are ``LiquidityTaker``,
half follow two averages of the mid. All of them trade. A callback is one call of a hook, be it for a quote or for a
report on an order; the seconds are the processor's for the whole market, the crowd's own work and the log included.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import marketsim as ms
from benchmarks.crowd import AGENTS
from benchmarks.measurement import Measurement, show

STRATEGIES = 20
ROUNDS = 5
LEAST = 30_000  # callbacks a second
TAKER: dict[str, Any] = {
    "signal_threshold": 0.05, "max_order": 20, "max_position": 200, "execution_delay": "1ms", "cooldown": "200ms",
    "holding": "500ms",
}  # fmt: skip
_REPORTS = ("on_accepted", "on_fill", "on_canceled", "on_rejected")


class Trend(ms.Agent):
    """Two exponential averages of the mid; takes at the best price in the direction in which they part."""

    fast = 0.2  # weight of a new mid
    slow = 0.02
    threshold = 0.3  # ticks
    rest = 200_000_000  # ns between two orders
    most = 50  # lots

    def on_start(self) -> None:
        """Subscribe; no average is known."""
        self.quick = self.late = 0.0
        self.again = 0
        self.subscribe(quotes=True)

    def on_quote(self, quote: ms.Quote) -> None:
        """The averages move; an order may follow."""
        if not quote.two_sided:
            return
        mid = quote.mid
        if self.late == 0.0:
            self.quick = self.late = mid
        self.quick += self.fast * (mid - self.quick)
        self.late += self.slow * (mid - self.late)
        gap = self.quick - self.late
        if self.now >= self.again and abs(gap) >= self.threshold:
            self._take(1 if gap > 0 else -1, quote)

    def _take(self, side: int, quote: ms.Quote) -> None:
        if side * self.position() < self.most:
            self.again = self.now + self.rest
            send, price = (self.buy, quote.ask) if side > 0 else (self.sell, quote.bid)
            send(self.instrument, 5, limit=price, time_in_force=ms.IOC)


class Played(NamedTuple):
    """One run of the market."""

    seconds: float
    callbacks: int
    orders: int  # of the strategies
    fills: int


def counted(kind: type[ms.Agent], counts: dict[str, int]) -> type[ms.Agent]:
    """The same strategy, whose hooks count how often they are called."""

    def counting(name: str) -> Any:
        hook = getattr(kind, name)

        def count(self: Any, *arguments: Any) -> None:
            counts[name] += 1
            hook(self, *arguments)

        return count

    return type(kind.__name__, (kind,), {name: counting(name) for name in ("on_quote", *_REPORTS)})


def play(seconds: int = 20, strategies: int = STRATEGIES) -> Played:
    """So many simulated seconds, after one that fills the book."""
    counts = dict.fromkeys(("on_quote", *_REPORTS), 0)
    simulation = ms.Simulation(name="signals", duration=f"{seconds + 1}s", seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="1/s"), AGENTS)
    trend, taker = counted(Trend, counts), counted(ms.agents.LiquidityTaker, counts)
    for number in range(strategies):
        agent = trend() if number % 2 else taker(**TAKER)
        simulation.add_agent(agent, f"strategy_{number}", latency="100us")
    execution = simulation.start()
    execution.advance("1s")
    before = sum(counts.values()), counts["on_accepted"], counts["on_fill"]
    began = time.thread_time()
    execution.advance(execution.spec.end)
    took = time.thread_time() - began
    after = sum(counts.values()), counts["on_accepted"], counts["on_fill"]
    return Played(took, *(b - a for a, b in zip(before, after, strict=True)))


def measure(rounds: int = ROUNDS) -> list[Measurement]:
    """The best of some rounds."""
    play(1)  # compiles what it needs
    best = min(play() for _ in range(rounds))
    note = (
        f"{best.callbacks:,} callbacks, {best.orders:,} orders and {best.fills:,} fills of {STRATEGIES} strategies "
        f"among {AGENTS:,} compiled agents"
    )
    rate = best.callbacks / best.seconds / 1e3
    return [Measurement("strategies on signals", rate, "thousand callbacks a second", least=LEAST / 1e3, note=note)]


if __name__ == "__main__":
    show(measure())
