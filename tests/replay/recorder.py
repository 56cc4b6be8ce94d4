"""A recorder of made-up days: an obviously correct book in plain Python, and what a venue would record of it.

It shares nothing with the matching core: prices are dictionary keys, queues are lists. ``Day.view`` records what a file
with n levels shows: the best n levels after each event, and only the events that change what is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from marketsim.data.numbering import number_orders
from marketsim.data.tape import ORDER_EVENT, Tape, TapeKind
from marketsim.domain.instrument import Instrument

ADD, REDUCE, DELETE, EXECUTE = TapeKind.ADD, TapeKind.REDUCE, TapeKind.DELETE, TapeKind.EXECUTE
HIDDEN, HALT, RESUME = TapeKind.EXECUTE_HIDDEN, TapeKind.HALT, TapeKind.RESUME
SPEC = Instrument("ABC", reference_price=10)
Level = tuple[int, int, int, int]


@dataclass
class Event:
    time: int
    kind: int
    name: int
    side: int
    price: int
    quantity: int


@dataclass
class Day:
    """Events, and the whole book after each as {side: {price: quantity}} flattened by ``states``."""

    events: list[Event] = field(default_factory=list)
    states: list[dict[int, list[tuple[int, int]]]] = field(default_factory=list)

    def shown(self, index: int, levels: int) -> list[Level]:
        """The best levels after an event, as rows of Tape.book; before the first event the book is empty."""
        state = self.states[index] if index >= 0 else {1: [], -1: []}
        asks = sorted(state[-1])[:levels]
        bids = sorted(state[1], reverse=True)[:levels]
        asks += [(0, 0)] * (levels - len(asks))
        bids += [(0, 0)] * (levels - len(bids))
        return [(*ask, *bid) for ask, bid in zip(asks, bids, strict=True)]

    def view(self, levels: int, start: int = 0) -> Tape:
        """What a file with so many levels, beginning at the event ``start``, would hold."""
        kept, book = [], []
        before = self.shown(start - 1, levels)
        for index in range(start, len(self.events)):
            now = self.shown(index, levels)
            if now != before or self.events[index].kind in (HIDDEN, HALT, RESUME):
                kept.append(self.events[index])
                book.append(now)
            before = now
        return tape_of(kept, book)


def tape_of(events: list[Event], book: list[list[Level]] | None) -> Tape:
    """A tape of plain events."""
    rows = np.zeros(len(events), ORDER_EVENT)
    for name in ("time", "kind", "side", "price", "quantity"):
        rows[name] = [getattr(event, name) for event in events]
    rows["row"] = np.arange(1, len(events) + 1)
    names = np.array([event.name for event in events], np.int64)
    rows["order_id"], numbers = number_orders(names, rows["kind"] == ADD, rows["kind"] <= EXECUTE)
    states = None if book is None else np.array(book, np.int64)
    return Tape(SPEC, rows, numbers, states, int(rows["time"][0]), int(rows["time"][-1]), "made up")


class Recorder:
    """A venue that keeps price-time priority and writes everything down."""

    def __init__(self, seed: int = 0) -> None:
        self.draw = Random(seed)
        self.day = Day()
        self.book: dict[int, dict[int, list[list[int]]]] = {1: {}, -1: {}}  # side: price: [name, quantity]
        self.time = 1_000
        self.names = 100

    def note(self, kind: int, name: int, side: int, price: int, quantity: int) -> None:
        self.time += self.draw.choice((0, 0, 1, 7, 1000))
        self.day.events.append(Event(self.time, int(kind), name, side, price, quantity))
        self.day.states.append(
            {
                side: [(price, sum(order[1] for order in queue)) for price, queue in levels.items()]
                for side, levels in self.book.items()
            }
        )

    def best(self, side: int) -> int | None:
        levels = self.book[side]
        return (max(levels) if side > 0 else min(levels)) if levels else None

    # --- what participants do ---

    def add(self, side: int, price: int, quantity: int) -> int:
        """A new limit order; what crosses is executed first, a row for each resting order."""
        while quantity and (best := self.best(-side)) is not None and (best - price) * side <= 0:
            quantity = self.execute(-side, quantity, at_most=1)
        if quantity:
            self.names += self.draw.randint(1, 9)
            self.book[side].setdefault(price, []).append([self.names, quantity])
            self.note(ADD, self.names, side, price, quantity)
        return self.names

    def execute(self, side: int, quantity: int, at_most: int = 10**9) -> int:
        """An aggressive order against ``side``; answers what is left of it."""
        while quantity and at_most and (price := self.best(side)) is not None:
            queue = self.book[side][price]
            order = queue[0]
            part = min(order[1], quantity)
            order[1] -= part
            quantity -= part
            at_most -= 1
            if order[1] == 0:
                queue.pop(0)
            if not queue:
                del self.book[side][price]
            self.note(EXECUTE, order[0], side, price, part)
        return quantity

    def cancel(self, side: int, price: int, place: int, quantity: int | None = None) -> None:
        """Cancel the order at a place of the queue, or part of it."""
        queue = self.book[side][price]
        order = queue[place]
        if quantity is not None and quantity < order[1]:
            order[1] -= quantity
            self.note(REDUCE, order[0], side, price, quantity)
            return
        queue.pop(place)
        if not queue:
            del self.book[side][price]
        self.note(DELETE, order[0], side, price, order[1])

    # --- a random day ---

    def step(self) -> None:
        draw = self.draw
        side = draw.choice((1, -1))
        action = draw.random()
        prices = list(self.book[side])
        if action < 0.5 or not prices:
            middle = 1_000 + draw.randint(-3, 3)
            self.add(side, middle - side * int(draw.expovariate(0.25)), draw.randint(1, 30) * 10)
        elif action < 0.85:
            price = draw.choice(prices)
            place = draw.randrange(len(self.book[side][price]))
            self.cancel(side, price, place, draw.choice((None, None, None, 10)))
        elif action < 0.97:
            self.execute(side, draw.randint(1, 60) * 10)
        else:
            self.note(HIDDEN, 0, side, draw.randint(995, 1_005), draw.randint(1, 9))

    def run(self, steps: int) -> Day:
        for _ in range(steps):
            self.step()
        return self.day


def random_day(seed: int, steps: int = 400) -> Day:
    """Random arrivals, cancels, partial cancels and executions around a price of 1,000 ticks."""
    return Recorder(seed).run(steps)


def by_hand(write: Callable[[Recorder], object]) -> Day:
    """A day that the caller writes."""
    recorder = Recorder()
    write(recorder)
    return recorder.day
