"""The engine: works a parent order slice by slice, within its limit and its share of the market, to its end.

It never sends more than is missing: what is at the venue counts as done until its last answer, and a posted order makes
room for a taking one only when the venue has said that it is gone. Lots that are out count as printed already when it
asks how much of the market it may be, so that a fill which is told late never lets it go too far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Quote, Report, TradePrint
from marketsim.domain.order import OrderState, Side, TimeInForce
from marketsim.domain.units import SECOND
from marketsim.kernel.random import Stream
from marketsim.trading.order import Order
from marketsim.trading.parent_order import ParentOrder

_PENDING_CANCEL, _IOC, _TRADE = OrderState.PENDING_CANCEL, TimeInForce.IOC, EventKind.TRADE
_REJECTED = OrderState.REJECTED


class Pace(NamedTuple):
    """When slices begin, ns after the parent order does, and how much is to be done by the end of each."""

    times: Sequence[int]
    goals: Goals


class Goals(Protocol):
    """How far a parent order should be."""

    def after(self, number: int, parent: ParentOrder) -> int:
        """Lots that are to be done by the end of slice ``number`` (0, 1, …)."""


class Shares:
    """Goals that are shares of the parent's quantity, whatever that comes to be."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares

    def after(self, number: int, parent: ParentOrder) -> int:
        """The rounded share."""
        return round(parent.quantity * self._shares[number])


def even_times(parent: ParentOrder, slices: int) -> list[int]:
    """The beginnings of equal slices, in ns from the parent's own."""
    return [(parent.end - parent.begin) * number // slices for number in range(slices)]


def round_goals(shares: Sequence[float], parent: ParentOrder) -> Pace:
    """The pace of equal stretches of time with these cumulative shares."""
    return Pace(even_times(parent, len(shares)), Shares(shares))


def jittered(shares: Sequence[float], by: float, draws: Stream) -> list[float]:
    """Cumulative shares whose steps are multiplied with uniform draws from 1 − by to 1 + by."""
    done, last, result = 0.0, 0.0, []
    for share in shares:
        done += (share - last) * draws.uniform(1.0 - by, 1.0 + by)
        last = share
        result.append(done)
    return [value / done for value in result[:-1]] + [1.0] if done > 0.0 else list(shares)


def others_volume(parent: ParentOrder) -> int:
    """Lots that others traded with each other since it began; own ones that are out count as if they had traded."""
    return max(parent.printed - parent.filled - parent.working, 0)


def own_share(rate: float, others: int) -> float:
    """Lots x that are a share ``rate`` of the market when others traded so many: x = rate·(x + others)."""
    return math.inf if rate >= 1.0 else rate / (1.0 - rate) * others


class Working:
    """A worker: what is the same for every way of working. ``plan`` is an ExecutionPlan."""

    def __init__(self, parent: ParentOrder, plan: Any, *, quotes: bool) -> None:
        self.parent = parent
        self.plan = plan
        self.over = False  # whether its time is
        self._cap: float | None = plan.cap
        parent.watch(quotes=quotes, trades=self._cap is not None)
        parent.at(parent.end, self._end)

    def room(self) -> int:
        """Lots that may be sent now."""
        parent = self.parent
        missing = parent.quantity - parent.filled - parent.working
        if self._cap is None or self._cap >= 1.0:
            return missing
        allowed = math.floor(own_share(self._cap, others_volume(parent)) + 1e-9) - parent.filled - parent.working
        return max(min(missing, allowed), 0)

    def reason(self) -> str:
        """Why something is left, if anything is when it ends now."""
        parent = self.parent
        missing = parent.quantity - parent.filled - parent.working
        if self.room() < missing:
            return f"held back by {self.plan.cap_name} {self._cap:g}"
        if parent.children and parent.children[-1].state is _REJECTED:
            return "its orders were refused"
        if parent.limit is not None and self._beyond_limit(parent.limit):
            return f"limit {parent.instrument.price(parent.limit):g}"
        return "stopped by its rule (at_end: stop)" if self.plan.at_end == "stop" else "no liquidity"

    def _beyond_limit(self, limit: int) -> bool:
        """Whether nothing is to be had at the limit, as far as its quotes and its latest order tell."""
        parent, quote = self.parent, self.parent.quote
        if quote is not None:
            known, price = (quote.has_ask, quote.ask) if parent.side is Side.BUY else (quote.has_bid, quote.bid)
            return not known or parent.side * (price - limit) > 0
        if self.plan.at_end != "stop":
            return True  # what could be had is being taken
        last = parent.children[-1] if parent.children else None
        return last is not None and not last.live and last.filled < last.quantity

    def take(self, lots: int, limit: int | None) -> None:
        """Take up to so many lots at once."""
        lots = min(lots, self.room())
        if lots > 0:
            self.parent.send(lots, limit=limit, time_in_force=_IOC)

    def on_quote(self, quote: Quote) -> None:
        """The best price has moved."""

    def on_trade(self, trade: TradePrint) -> None:
        """Somebody traded."""

    def on_report(self, report: Report, order: Order) -> None:
        """A child order was answered."""

    def on_amended(self) -> None:
        """Terms have changed."""

    def finish(self) -> None:
        """Take what is missing, and be over with it: what cannot be had now is given up."""

    def keep_on(self) -> None:
        """Time is over, and it goes on as before."""

    def _end(self) -> None:
        self.over = True
        if self.plan.at_end == "stop":
            self.parent.stop(because=self.reason())
        elif self.plan.at_end == "go_on":
            self.keep_on()
        else:
            if self.plan.at_end == "force":
                self._cap = None
            self.finish()


class Slicing(Working):
    """Slices at a pace; each is taken, or posted and then taken. ``plan`` is a SlicedPlan."""

    def __init__(self, parent: ParentOrder, plan: Any, pace: Pace) -> None:
        posts = plan.style == "post"
        super().__init__(parent, plan, quotes=posts or getattr(plan, "looks", False))
        self._pace = pace
        self._catch_up = getattr(plan, "catch_up", "next")
        self._draws = parent.draws("time")
        self._posts = posts
        self._posting = False
        self._taking = False  # as soon as the posted order is gone
        self._ending = False
        self._posted: Order | None = None
        self._asked = (0, 0)  # limit and total that the posted order was last changed to
        self._goal = 0  # of the pace, by the end of the present slice
        self._wanted = 0  # lots by the end of the present slice, with what is caught up
        self._least, self._most = getattr(plan, "min_slice", None) or 1, getattr(plan, "max_slice", None)
        self._slices = 0  # that have begun
        self._schedule(0)

    # --- slices ---

    def _schedule(self, number: int) -> None:
        times = self._pace.times
        if number < len(times):
            late = self.plan.vary_time * self._length(number)
            delay = int(late * self._draws.uniform()) if late else 0
            self.parent.at(self.parent.begin + times[number] + delay, self._slice, number)

    def _length(self, number: int) -> int:
        """ns of a slice."""
        times = self._pace.times
        last = self.parent.end - self.parent.begin
        return (times[number + 1] if number + 1 < len(times) else last) - times[number]

    def _slice(self, number: int) -> None:
        """The next slice is due."""
        self._slices = number + 1
        self._schedule(number + 1)
        self._set_goal(number)
        self._go(self._length(number))

    def _go(self, length: int) -> None:
        if not self._posts:
            self._take()
            return
        self._posting = True
        self._post()
        if self.plan.patience < 1.0:
            self.parent.at(self.parent.now + int(length * self.plan.patience), self._take)

    def _set_goal(self, number: int) -> None:
        parent = self.parent
        before, self._goal = self._goal, min(self._pace.goals.after(number, parent), parent.quantity)
        behind = before - parent.filled - parent.working
        if self._catch_up == "next" or behind <= 0:
            self._wanted = self._goal
        elif self._catch_up == "spread":
            self._wanted = self._goal - behind + math.ceil(behind / (len(self._pace.times) - number))
        else:
            self._wanted = self._goal - behind

    def _missing(self, least: int) -> int:
        """Lots of the present slice that may be sent now, for which nothing is out."""
        parent = self.parent
        lots = min(self._wanted - parent.filled - parent.working, self.room())
        if self._most is not None and not self._ending:
            lots = min(lots, self._most)
        return lots if lots >= min(least, parent.left) else 0

    # --- taking ---

    def _take(self) -> None:
        """What is missing now is taken; a posted order makes room for it first."""
        self._posting = False
        posted = self._posted
        if posted is not None and posted.live:
            self._taking = True
            self.parent.call_back()
            return
        self._taking = False
        lots = self._missing(1 if self.over else self._least)
        if lots > 0:
            self.take(lots, self.parent.limit)
        if self._ending:
            self.parent.stop(call_back=False, because=self.reason())

    # --- posting ---

    def _post(self) -> None:
        """One order with all that is missing at the best price of the own side, or at the limit."""
        price = self._own_best()
        if price is None:
            return
        order = self._posted
        if order is not None and order.live:
            self._follow(order, price)
            return
        lots = self._missing(self._least)
        if lots > 0:
            self._asked = (price, lots)
            self._posted = self.parent.send(lots, limit=price, post_only=True, **self._shown(lots))

    def _follow(self, order: Order, price: int) -> None:
        if order.state is _PENDING_CANCEL:
            return
        total = order.filled + order.leaves + max(self._missing(self._least), 0)
        if (price != order.price or total != order.quantity) and self._asked != (price, total):
            self._asked = (price, total)
            self.parent.change(order, limit=price, quantity=total)

    def _own_best(self) -> int | None:
        quote, limit = self.parent.quote, self.parent.limit
        if quote is None:
            return None
        if self.parent.side is Side.BUY:
            if not quote.has_bid:
                return limit
            return quote.bid if limit is None else min(quote.bid, limit)
        if not quote.has_ask:
            return limit
        return quote.ask if limit is None else max(quote.ask, limit)

    def _shown(self, lots: int) -> dict[str, int]:
        display = getattr(self.plan, "display", None)
        return {"display": display} if display is not None and display < lots else {}

    # --- what happens ---

    def on_quote(self, quote: Quote) -> None:
        """A posted order follows the best price."""
        if self._posting:
            self._post()

    def on_report(self, report: Report, order: Order) -> None:
        """A posted order that is gone makes room; one whose change was answered may be changed again."""
        if order is self._posted:
            if not order.live:
                if self._taking:
                    self._take()
            elif report.kind is not _TRADE:
                self._asked = (order.price, order.quantity)

    def on_amended(self) -> None:
        """The goals are shares of the new quantity from the next slice on; a posted order follows the new limit."""
        if self.over:
            self._wanted = self.parent.quantity
        if self._posting:
            self._post()

    def finish(self) -> None:
        """All that is left is taken, and that is the end."""
        self._wanted, self._ending = self.parent.quantity, True
        self._take()

    def keep_on(self) -> None:
        """Further slices of the last one's length, each of all that is left."""
        self._wanted = self.parent.quantity
        length = max(self._length(len(self._pace.times) - 1), SECOND // 1000)
        self._go(length)
        self.parent.at(self.parent.now + length, self.keep_on)


class Sniping(Working):
    """Shows nothing, and takes when what is offered is good enough. ``plan`` is a Sniper."""

    def __init__(self, parent: ParentOrder, plan: Any) -> None:
        super().__init__(parent, plan, quotes=True)
        self._used: Quote | None = None  # by the latest order
        parent.at(parent.begin, self._look)

    def on_quote(self, quote: Quote) -> None:
        """Is it good enough?"""
        if self.parent.now >= self.parent.begin:
            self._look()

    def on_report(self, report: Report, order: Order) -> None:
        """There may be more, where the quote is another one than the order was sent for."""
        if not order.live and self.parent.quote is not self._used:
            self._look()

    def on_amended(self) -> None:
        """It may be good enough now."""
        self._look()

    def finish(self) -> None:
        """All that is left is taken, and that is the end."""
        self.take(self.parent.left, self.parent.limit)
        self.parent.stop(call_back=False, because=self.reason())

    def _look(self) -> None:
        parent, quote, plan = self.parent, self.parent.quote, self.plan
        if quote is None or parent.stopping or parent.working:
            return
        buys = parent.side is Side.BUY
        price, shown = (quote.ask, quote.ask_quantity) if buys else (quote.bid, quote.bid_quantity)
        if shown < min(plan.size, parent.left) or shown == 0:
            return
        if parent.limit is not None and parent.side * (price - parent.limit) > 0:
            return
        if plan.max_spread is not None and not (quote.two_sided and quote.spread <= plan.max_spread):
            return
        self._used = quote
        self.take(min(shown, parent.left), price)
