"""The adverse-selection guard: notices from a market maker's own fills when those who trade with it know more.

Two signs: fills that keep coming on one side (at once), and mark-outs, the fair value some time after a fill against
its price (a little later, and surer). The first makes the hit side wide, the second pulls it for a while. It never
trades.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

from marketsim.domain.order import Side

_BUY = Side.BUY


class Stance(Enum):
    """How a side should be quoted."""

    NORMAL = 0
    WIDE = 1
    PULLED = 2


@dataclass
class _Flank:
    """What one side of the quotes has met. ``mean`` is of mark-outs, ticks, in the market maker's favour."""

    mean: float = 0.0
    weight: float = 0.0
    pulled_until: int = -1


class AdverseSelectionGuard:
    """Watches the fills of one instrument.

    horizon: ns after a fill at which it is marked to the fair value.
    memory: ns over which one-sided flow is forgotten (e-folding).
    run: lots of net one-sided flow at which the hit side becomes wide.
    fills: how many mark-outs the running mean looks back on.
    pause: ns for which a side is pulled.
    """

    def __init__(self, horizon: int, memory: int, run: float, fills: int, pause: int) -> None:
        self._horizon, self._memory, self._run, self._pause = horizon, memory, run, pause
        self._forget = 1.0 / fills
        self._flanks = {side: _Flank() for side in Side}
        self._young: deque[tuple[int, Side, float, int]] = deque()
        self._flow = 0.0  # lots, positive when our bid is hit
        self._flow_time = 0

    def filled(self, now: int, side: Side, price: float, quantity: int) -> None:
        """A quote on ``side`` traded at ``price`` ticks."""
        self._flow = self.flow(now) + side * quantity
        self._flow_time = now
        self._young.append((now, side, price, quantity))

    def observe(self, now: int, fair: float) -> None:
        """The fair value, in ticks, at a time: fills that are old enough are marked to it."""
        young = self._young
        while young and young[0][0] + self._horizon <= now:
            _, side, price, _ = young.popleft()
            self._mark(self._flanks[side], now, side * (fair - price))

    def flow(self, now: int) -> float:
        """Net one-sided flow of late, lots; positive when the bid is hit."""
        return self._flow * math.exp(-(now - self._flow_time) / self._memory)

    def markout(self, side: Side) -> float:
        """Running mean of the mark-outs of a side, ticks; below zero it loses."""
        flank = self._flanks[side]
        return flank.mean if flank.weight else 0.0

    def stance(self, now: int, side: Side) -> Stance:
        """How a side should be quoted now."""
        if now < self._flanks[side].pulled_until:
            return Stance.PULLED
        return Stance.WIDE if side * self.flow(now) >= self._run else Stance.NORMAL

    def next_change(self, now: int) -> int | None:
        """The time at which a pulled side may come back; None when none is pulled."""
        ends = [flank.pulled_until for flank in self._flanks.values() if flank.pulled_until > now]
        return min(ends) if ends else None

    def _mark(self, flank: _Flank, now: int, markout: float) -> None:
        flank.weight += self._forget * (1.0 - flank.weight)
        flank.mean += self._forget / flank.weight * (markout - flank.mean)
        if flank.mean < 0.0 and flank.weight > 0.25:
            flank.pulled_until = now + self._pause
            flank.mean = flank.weight = 0.0  # it comes back on probation
