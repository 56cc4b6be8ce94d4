"""Requests of the matching core: a life of hundreds on a fresh core, sound ones and hostile ones mixed.

After each: one answer, no negative or excessive quantity, never crossed in continuous trading. Now and then, and at the
end: the core's own audit, its queries, and the book as the rows alone tell it.
"""

from __future__ import annotations

from random import Random
from typing import Any

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import SelfTrade
from marketsim.exchange.core import MatchingCore
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.replayed import compare_books
from tests.fuzz.values import EDGES, NO_INTS, word64

REQUESTS = 500  # of a life
AUDIT = 50  # requests between two audits
GTC, GTD = 1, 3
_TRADE = int(EventKind.TRADE)
_FIRST_ANSWERS = {  # of EventKind
    "new": (1, 8),
    "cancel": (4, 9),
    "replace": (5, 10, 4),
}
_REFUSALS = (8, 9, 10)
_REQUESTS = ("new", "cancel", "replace", "expire", "cancel_owner", "set_phase", "end_session")
_WEIGHTS = {
    "new": 60,
    "cancel": 10,
    "replace": 9,
    "expire": 2,
    "cancel_owner": 1,
    "set_phase": 2.5,
    "end_session": 0.4,
    "set_bands": 0.6,
    "clear_bands": 0.3,
    "set_allocation": 0.4,
    "set_account": 0.4,
    "prevent_self_trades": 0.6,
    "set_reference": 0.4,
    "ask": 1.5,
    "garbage": 2,
}
_KINDS, _CHANCES = tuple(_WEIGHTS), tuple(_WEIGHTS.values())


class Life:
    """A core and what is fed to it."""

    def __init__(self, draw: Random, trace: Trace) -> None:
        self.draw = draw
        self.trace = trace
        self.markets = draw.choice((1, 1, 2, 3))
        self.core = MatchingCore(self.markets)
        self.time = 0
        self.largest = 0  # order id
        self.hostile = draw.choice((0.0, 0.05, 0.3))  # chance that a field is any number at all
        self.features = draw.choice((0.1, 0.5, 0.9))
        trace.note("MatchingCore", self.markets)

    def play(self, requests: int) -> None:
        """So many requests."""
        names = self.draw.choices(_KINDS, _CHANCES, k=requests)
        for number, name in enumerate(names, 1):
            self.time += self.draw.choice((0, 0, 1, 5))
            getattr(self, f"_{name}")()
            if number % AUDIT == 0:
                self.core.check()
        self.core.check()

    # --- what is fed ---

    def _call(self, name: str, *fields: Any, order: int = 0) -> None:
        """One request or setting, and what it left; one that is refused by an error leaves nothing."""
        before = self.core.events_in_chunk
        self.trace.note(name, *fields)
        with refusals():
            answer = getattr(self.core, name)(*fields)
            if name == "new":
                order = answer
                self.largest = max(self.largest, answer)
            if name in _REQUESTS:
                self._judge(name, order)
            return
        assert self.core.events_in_chunk == before, "a refused call left rows"

    def _number(self, sound: int) -> int:
        return word64(self.draw) if self.draw.random() < self.hostile else sound

    def _market(self) -> int:
        return self._number(self.draw.randrange(self.markets))

    def _owner(self) -> int:
        return self._number(self.draw.randint(0, 4))

    def _order(self) -> int:
        return self._number(self.draw.randint(0, self.largest + 1))

    def _new(self) -> None:
        draw = self.draw
        side = draw.choice((1, -1))
        special = draw.random() < self.features
        order_type = draw.randint(1, 9) if special else draw.choice((1, 1, 1, 2))
        life = draw.randint(1, 7) if special else draw.choice((1, 1, 1, 4, 5))
        flags = draw.choice((0, 0, 1, 4, 5, 9, 16, 8, 2, 64, 20)) if special else 0
        price = 0 if order_type in (2, 3, 6) else draw.randint(-6, 6) - side
        stop = draw.randint(-6, 6) if order_type in (3, 4) else draw.randint(0, 4) if order_type in (5, 7, 8, 9) else 0
        quantity = draw.randint(1, 12)
        expire = self.time + draw.randint(1, 50) if life == GTD else 0
        display = draw.choice((0, 0, 0, 1, 3)) if special else 0
        minimum = draw.choice((0, 0, 0, 0, 2)) if special else 0
        parent = draw.choice((0, 0, 0, 0, self._order())) if special else 0
        partner = draw.choice((0, 0, 0, 0, self._order())) if special else 0
        number = 0 if draw.random() < 0.97 else self.largest + draw.choice((-1, 0, 1, 2, 500))
        fields = [
            draw.randint(0, 4),
            draw.randrange(self.markets),
            side,
            order_type,
            life,
            flags,
            price,
            stop,
            quantity,
            expire,
            max(number, 0),
            display,
            minimum,
            parent,
            partner,
        ]
        if draw.random() < self.hostile:
            for _ in range(draw.choice((1, 1, 2, 6))):
                fields[draw.randrange(len(fields))] = word64(draw)
            fields[10] = min(fields[10], self.largest + 100_000)  # each id costs eight bytes
        time = self.time if draw.random() > self.hostile / 10 else word64(draw)
        self._call("new", time, *fields)

    def _cancel(self) -> None:
        order, quantity = self._order(), self._number(self.draw.choice((0, 0, 1, 3)))
        self._call("cancel", self.time, self._owner(), order, quantity, order=order)

    def _replace(self) -> None:
        order, draw = self._order(), self.draw
        price, quantity, stop = (self._number(draw.randint(least, 6)) for least in (-6, 0, -6))
        self._call("replace", self.time, self._owner(), order, price, quantity, stop, order=order)

    def _expire(self) -> None:
        self._call("expire", self.time, self._order())

    def _cancel_owner(self) -> None:
        first, last, reason = self._market(), self._market(), self._number(26)
        self._call("cancel_owner", self.time, self._owner(), first, last, reason)

    def _set_phase(self) -> None:
        phase = self.draw.choice((0, 0, 0, 1, 2, 3, 4, 5, 6))
        self._call("set_phase", self.time, self._market(), self._number(phase), self._number(31))

    def _end_session(self) -> None:
        self._call("end_session", self.time, self._market())

    def _set_bands(self) -> None:
        low = self.draw.randint(-8, 2)
        high, dynamic, action = low + self.draw.randint(0, 10), self.draw.randint(0, 4), self.draw.randint(0, 2)
        self._call("set_bands", self._market(), *(self._number(each) for each in (low, high, dynamic, action)))

    def _clear_bands(self) -> None:
        self._call("clear_bands", self._market())

    def _set_allocation(self) -> None:
        draw = self.draw
        self._call(
            "set_allocation",
            self._market(),
            draw.random() < 0.7,
            self._number(draw.randint(0, 5)),
            self._number(draw.choice((0, 0, 40, 100))),
            self._number(draw.randint(0, 3)),
        )

    def _set_account(self) -> None:
        owner = self.draw.choice((self.draw.randint(0, 5), *EDGES)) if self.draw.random() < self.hostile else 1
        self._call("set_account", owner, self._number(self.draw.randint(0, 3)))

    def _prevent_self_trades(self) -> None:
        self._call("prevent_self_trades", self._market(), self._number(self.draw.randrange(len(SelfTrade))))

    def _set_reference(self) -> None:
        self._call("set_reference", self._market(), self._number(self.draw.randint(-5, 5)))

    def _ask(self) -> None:
        """Every query."""
        core, market, order = self.core, self._market(), self._order()
        side = self.draw.choice((1, -1))
        self.trace.note("queries", market, order)
        with refusals():
            uncross = core.indicative(market)
            assert uncross.volume >= 0 <= uncross.surplus, uncross
            core.order(order), core.stops(market, side), core.statistics(market), list(core.orders(market))
            for price, quantity, orders in core.depth(market, side):
                queue = core.queue(market, side, price)
                assert (sum(lots for _, lots in queue), len(queue)) == (quantity, orders), (price, queue)
            core.volume_on(market, side), core.phase(market)

    def _garbage(self) -> None:
        """Python values that are no integers of 64 bits, at any place of any request."""
        name, count = self.draw.choice(
            (
                ("new", 16),
                ("cancel", 4),
                ("replace", 6),
                ("expire", 2),
                ("cancel_owner", 5),
                ("set_phase", 4),
                ("end_session", 2),
                ("set_bands", 5),
                ("clear_bands", 1),
                ("set_account", 2),
                ("set_allocation", 5),
                ("prevent_self_trades", 2),
                ("set_reference", 2),
                ("indicative", 1),
                ("order", 1),
                ("depth", 3),
            )
        )
        fields: list[Any] = [self.draw.choice((0, 1, 1)) for _ in range(count)]
        for _ in range(self.draw.choice((1, 1, 2))):
            fields[self.draw.randrange(count)] = self.draw.choice(NO_INTS)
        before = self.core.events_in_chunk
        self.trace.note(name, *fields)
        with refusals(TypeError):
            answer = getattr(self.core, name)(*fields)
            if name == "new":
                self.largest = max(self.largest, answer)
            return
        assert self.core.events_in_chunk == before, "a refused call left rows"

    # --- what must hold ---

    def _judge(self, name: str, order_id: int) -> None:
        rows: list[tuple[int, ...]] = self.core.last_rows().tolist()
        if name in _FIRST_ANSWERS:
            assert rows, f"{name} has no answer"
            assert rows[0][9] in _FIRST_ANSWERS[name], f"{name} is answered by {rows[0]}"
            assert rows[0][1] == order_id, f"{name} of {order_id}: {rows[0]}"
        _judge_rows(rows)
        for market in range(self.markets):
            if self.core.phase(market) == 0:
                bid, bid_quantity, ask, ask_quantity = self.core.best(market)
                assert bid_quantity >= 0 <= ask_quantity
                assert not (bid_quantity and ask_quantity) or bid < ask, f"crossed: {bid} {ask}"


def _judge_rows(rows: list[tuple[int, ...]]) -> None:
    for row in rows:
        kind, quantity, leaves = row[9], row[4], row[5]
        if kind == _TRADE:
            assert quantity > 0 <= leaves, f"a trade of nothing, or a maker with less than nothing: {row}"
        elif kind not in _REFUSALS and kind < EventKind.CONDITIONS and kind != EventKind.TERMS:
            assert leaves >= 0, f"less than nothing is left: {row}"


def requests(draw: Random, trace: Trace) -> int:
    """A life, and its log replayed."""
    life = Life(draw, trace)
    life.play(REQUESTS)
    if draw.random() < 0.2:
        trace.note("replay")
        events = life.core.events()
        assert events.dtype == EVENT
        compare_books(events, life.core, life.markets)
    return REQUESTS
