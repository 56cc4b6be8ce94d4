"""Compiled agents for tests: policies that do one thing, so that what the engine does to them can be seen."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import (
    QUOTES,
    Policy,
    ask_quote,
    cancel,
    limit_order,
    post_only_order,
    subscribe,
    timer_at,
    wake_at,
)

KEPT = 4096
START, WAKE, TIMER, QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.QUOTE)

DIARY = np.dtype(
    [
        ("calls", np.int64),
        ("amount", np.int64),
        ("kinds", np.int64, (KEPT,)),
        ("times", np.int64, (KEPT,)),
        ("notes", np.int64, (KEPT,)),
    ]
)


@compiled
def write(me: Record, seen: Record, note: int) -> None:
    place = me.calls % KEPT
    me.kinds[place] = seen.kind
    me.times[place] = seen.now
    me.notes[place] = note
    me.calls += 1


@compiled
def echo_policy(me: Record, seen: Record, out: Record) -> int:
    """Answer every quote with an order far from the market."""
    write(me, seen, seen.bid)
    if seen.kind == START:
        subscribe(out, QUOTES)
    elif seen.kind == QUOTE and seen.bid_quantity + seen.ask_quantity > 0:
        post_only_order(out, 1, 1, me.amount)
    return 0


@compiled
def alarm_policy(me: Record, seen: Record, out: Record) -> int:
    """Ask for many wake-ups, timers and quotes at once, and note them."""
    write(me, seen, seen.tag)
    if seen.kind == START:
        for number in range(me.amount):
            timer_at(out, seen.now + 1000 * (number % 5), number)
        wake_at(out, seen.now + 7)
        wake_at(out, seen.now + 3)
    elif seen.kind == TIMER and seen.tag < 50:
        wake_at(out, seen.now + 10_000)
    elif seen.kind == WAKE:
        ask_quote(out)
    return 0


@compiled
def greedy_policy(me: Record, seen: Record, out: Record) -> int:
    """Place ``amount`` orders at once, at the start."""
    if seen.kind == START:
        for _ in range(me.amount):
            limit_order(out, 1, 100, 1)
    return 0


@compiled
def broken_policy(me: Record, seen: Record, out: Record) -> int:
    """Divide by zero when its timer rings."""
    if seen.kind == START:
        timer_at(out, seen.now + 5_000_000_000, 1)
    elif seen.kind == TIMER:
        return 1 // (me.amount - me.amount)
    return 0


@compiled
def undecided_policy(me: Record, seen: Record, out: Record) -> int:
    """Place an order, cancel it at once, cancel it again when it is gone."""
    write(me, seen, seen.order_id)
    if seen.kind == START:
        order_id = limit_order(out, 1, 100, 1)
        cancel(out, order_id)
        timer_at(out, seen.now + 1_000_000_000, order_id)
    elif seen.kind == TIMER:
        cancel(out, seen.tag)
    return 0


@dataclass
class Puppet(CompiledAgent):
    amount: int = 1

    STATE: ClassVar = DIARY
    policy: ClassVar[Policy]

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        rows["amount"] = self.amount


class Echo(Puppet):
    policy: ClassVar[Policy] = staticmethod(echo_policy)


class Alarm(Puppet):
    policy: ClassVar[Policy] = staticmethod(alarm_policy)


class Greedy(Puppet):
    policy: ClassVar[Policy] = staticmethod(greedy_policy)


class Broken(Puppet):
    policy: ClassVar[Policy] = staticmethod(broken_policy)


class Undecided(Puppet):
    policy: ClassVar[Policy] = staticmethod(undecided_policy)


@compiled
def hasty_policy(me: Record, seen: Record, out: Record) -> int:
    """After a second of patience, wake at once, again and again."""
    wake_at(out, max(seen.now, 1_000_000_000))
    return 0


class Hasty(Puppet):
    policy: ClassVar[Policy] = staticmethod(hasty_policy)
