"""A market in which everything goes wrong at once, with traders that count what they ask and what they are told.

Python and compiled traders do the same: they send, change and cancel orders at random until ``until``, and then wait.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import marketsim as ms
from marketsim import policies as p
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import Reason
from marketsim.trading.order import Order

WHEN, WHAT, HOW, WHICH = (p.purpose_of(name) for name in ("when", "what", "how", "which"))
ANSWERS = (Reason.BY_REQUEST, Reason.BY_REPLACE)
BY_REQUEST, DISCONNECTED = int(Reason.BY_REQUEST), int(Reason.DISCONNECTED)


@dataclass
class Sprinkler(ms.CompiledAgent):
    """A compiled trader."""

    until: int | str = field(default="8s", metadata={"unit": "duration"})
    pause: int | str = field(default="40ms", metadata={"unit": "duration"})
    draw: int = field(default=0, init=False)
    sent: int = field(default=0, init=False)
    begun: int = field(default=0, init=False)  # orders that were accepted or rejected
    asked: int = field(default=0, init=False)  # cancels
    answered: int = field(default=0, init=False)
    last: int = field(default=0, init=False)  # order
    breaks: int = field(default=0, init=False)
    up: int = field(default=1, init=False)
    unsent: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START or seen.kind == p.WAKE:
            if seen.now < me.until:
                me.draw += 1
                p.wake_at(out, seen.now + 1 + int(me.pause * p.exponential(seen.key, WHEN, me.draw)))
                sprinkle(me, seen, out)
        elif seen.kind == p.ACCEPTED or seen.kind == p.REJECTED:
            me.begun += 1
            if seen.kind == p.REJECTED and seen.reason == DISCONNECTED:
                me.unsent += 1
        elif seen.kind == p.CANCEL_REJECTED or (seen.kind == p.CANCELED and seen.reason == BY_REQUEST):
            me.answered += 1
        elif seen.kind == p.CONNECTION:
            me.up = seen.side
            me.breaks += 1 if seen.side < 0 else 0


@p.compiled
def sprinkle(me, seen, out):
    what = p.uniform(seen.key, WHAT, me.draw)
    side = 1 if p.uniform(seen.key, HOW, me.draw) < 0.5 else -1
    if what < 0.3 and me.last > 0:
        p.cancel(out, me.last)
        me.asked += 1
    elif what < 0.4:
        p.market_order(out, side, 3)
        me.sent += 1
    else:
        me.last = p.limit_order(out, side, 10_000 - side * (p.below(seen.key, WHICH, me.draw, 6) - 1), 5)
        me.sent += 1


@dataclass
class Rover(ms.Agent):
    """A Python trader, which keeps the venue's book."""

    until: int = 8 * p.SECOND
    pause: int = 30 * p.MILLISECOND
    fast: bool = False

    def on_start(self) -> None:
        """Begin to trade, and to count."""
        self.book = self.keep_book()
        self.sent = self.changes = 0
        self.told: list[Report] = []
        self.connections: list[tuple[int, str]] = []
        self.mine: list[Order] = []
        self.after(self.pause, self.act)

    def act(self) -> None:
        """One thing at random, and the next one later."""
        if self.now >= self.until:
            return
        for _ in range(10 if self.fast and self.random("fast").bernoulli(0.1) else 1):
            self.one()
        self.after(1 + int(self.random("when").exponential(self.pause)), self.act)

    def one(self) -> None:
        """Change or cancel an order, or send one."""
        draws, live = self.random("what"), self.orders()
        what = draws.uniform()
        if what < 0.25 and live:
            self._session.broker.cancel(draws.choice(live), draws.integer(0, 2))
            self.changes += 1
        elif what < 0.45 and live:
            order = draws.choice(live)
            self.replace(
                order, limit=order.price + draws.integer(-1, 1), quantity=order.quantity + draws.integer(-2, 2)
            )
            self.changes += 1
        else:
            side = draws.choice([ms.BUY, ms.SELL])
            price = 10_000 - side * draws.integer(-1, 5)
            limit = None if draws.bernoulli(0.1) else price
            self.mine.append(self.order(side, self.instrument, draws.integer(0, 9), limit=limit))
            self.sent += 1

    def on_report(self, report: Report, order: Order | None) -> None:
        """Remember."""
        self.told.append(report)

    def on_disconnected(self, venue: str) -> None:
        """Remember."""
        self.connections.append((self.now, f"{venue} down"))

    def on_reconnected(self, venue: str) -> None:
        """Remember."""
        self.connections.append((self.now, f"{venue} up"))

    def kinds(self) -> Counter[EventKind]:
        """How many reports of each kind."""
        return Counter(report.kind for report in self.told)

    def answers_to_changes(self) -> int:
        """Reports that answer a cancel or a replace."""
        kinds = self.kinds()
        ended = sum(report.kind is EventKind.CANCELED and report.reason in ANSWERS for report in self.told)
        refused = kinds[EventKind.CANCEL_REJECTED] + kinds[EventKind.REPLACE_REJECTED]
        return ended + kinds[EventKind.REPLACED] + refused


INSTRUMENT = ms.Instrument("ABC", tick_size="0.01", reference_price="100")
FAULTS: tuple[tuple[Any, str | list[str] | None], ...] = (
    (ms.Loss(0.1), None),
    (ms.Duplicates(0.2), None),
    (ms.Delays(0.1, "30ms"), None),
    (ms.Spike("2s", "2500ms", "40ms"), None),
    (ms.Disconnect("3s", "4s"), ["rover.0", "sprinkler"]),
    (ms.Disconnect("5s", "5100ms", data=True), "rover.1"),
    (ms.Outages(between="2s", lasting="200ms"), ["rover.2", "rover.3", "sprinkler.0", "sprinkler.1"]),
)


def faulty(
    seed: int = 7,
    duration: str = "20s",
    rovers: int = 4,
    sprinklers: int = 6,
    faults: Any = FAULTS,
    throttle: Any = ("20/s", 5),
    compiled: bool = True,
    **terms: Any,
) -> ms.Simulation:
    """The market; it is quiet from 8 s on, and all sessions are up for good soon after."""
    sim = ms.Simulation(seed, duration, latency=ms.LogNormal(median="2ms", sigma=0.5), **terms)
    sim.add_venue(
        "XSIM", [INSTRUMENT], processing="20us", throttle=throttle, cancel_on_disconnect="300ms", heartbeat="500ms"
    )
    sim.add_agents(Rover(), rovers, "rover", computation="3us")
    sim.add_agents(Rover(fast=True), 2, "speeder", latency=ms.Constant("1ms"))
    sim.add_agents(Sprinkler(), sprinklers, "sprinkler", computation="5us", compiled=compiled)
    for fault, agents in faults:
        sim.add_fault(fault, agents)
    return sim
