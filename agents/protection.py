"""Protection of a position: stop-loss, targets, trailing and breakeven, kept as orders at the venue, for any agent.

The orders stand at the venue and not in the agent's head: they work while the agent sleeps or is cut off, and a gap is
the venue's to fill. What is held is covered piece by piece as it is bought, each piece by a stop order, by a limit
order at its target, or by both as a pair of which one takes off the other what it trades. So:

- the pieces together are never more than what is held, whatever fills on the way;
- a stop only ever comes closer;
- when nothing is held any more, nothing is left standing;
- a stop or close that found nobody, or was refused, is sent again with the next price;
- what risk control has closed without a report is not sold again: no more is covered than the agent's own position.

A lone stop is moved by a replace. Of a pair neither is: a replace that crosses a fill could make it larger than the
position. A pair is canceled, and placed anew once the venue has said so; for a round trip that piece has no cover, and
a stop that the price has passed meanwhile is elected as it arrives. It knows one instrument on one venue, decides
nothing about entries, and takes every fill of the agent in that instrument for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, Reason, Side, TimeInForce
from marketsim.domain.risk import STOPPING, Action, RiskEvent
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.risk import OWN

_TRADE = EventKind.TRADE
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_REFUSALS = (EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)
_BY_LINK = (Reason.LINKED, Reason.UNKNOWN_LINK)  # its partner has done the work
_PLANNED = re.compile(r"\bstop=(-?\d+)\b")


def planned(stop: int | None, tag: str = "entry") -> str:
    """The tag of an order whose position will be protected: it names the stop price, for whoever checks orders."""
    return tag if stop is None else f"{tag} stop={stop}"


def planned_stop(order: Order) -> int | None:
    """The stop price, in ticks, that an order's tag promises; None when it promises none."""
    found = _PLANNED.search(order.tag)
    return None if found is None else int(found.group(1))


class _Piece:
    """Lots that are covered together. ``number``: of its target."""

    __slots__ = ("leaving", "level", "number", "stop", "target")

    def __init__(self, stop: Order | None, target: Order | None, number: int | None, level: int | None) -> None:
        self.level = level  # stop price that was asked for last; None when it is not known
        self.stop = stop
        self.target = target
        self.number = number
        self.leaving = False  # its cancel was asked for

    @property
    def orders(self) -> list[Order]:
        return [order for order in (self.stop, self.target) if order is not None]

    @property
    def lots(self) -> int:
        """That may still trade. Of a pair the order that was told of last knows: what one trades the other loses, and
        the end of one is the end of both.
        """
        stop, target = self.stop, self.target
        if target is None or target.state is OrderState.REJECTED:
            return stop.leaves if stop is not None and stop.live else 0
        if stop is None:
            return target.leaves if target.live else 0
        return min(stop.leaves, target.leaves) if stop.live and target.live else 0


class PositionGuard:
    """Guards what its agent holds of an instrument.

    The agent calls ``protect`` when it opens a position, hands on every report (``on_report``) and now and then a price
    (``on_price``), such as the close of each bar, and ``close`` to be rid of the position. An agent with limits hands
    on what risk control says too (``on_risk``): then nothing is sent in vain while it is stopped, and what is still
    held is protected again as soon as it trades on.
    """

    def __init__(self, agent: Agent, instrument: Instrument | None = None, venue: str | None = None) -> None:
        self._agent = agent
        self.instrument = instrument or agent.instrument
        self._venue = venue or agent._session.venues(self.instrument)[0]
        self.lots = agent.position(self.instrument)  # held; below zero when short
        self.entry_price = 0.0  # mean, ticks
        self._pieces: list[_Piece] = []
        self._exit: Order | None = None
        self._own: dict[int, str] = {}  # why each of its orders stands there
        self._numbers: dict[int, int] = {}  # which target an order stands at
        self._asked: set[int] = set()  # orders whose cancel it asked for
        self._patient = False  # something failed: not again before the next price
        self._holds: set[tuple[str, str]] = set()  # scope and rule of what has stopped the agent
        self._forget()

    def _forget(self) -> None:
        """A position is over, or another begins."""
        self.stop: int | None = None
        self._targets: list[tuple[int, float]] = []  # price; share of the position up to and with this one
        self._done: list[int] = []  # lots that were given up at each target
        self._opened = abs(self.lots)  # lots of the position so far
        self._breakeven: int | None = None
        self._trail: int | None = None
        self._best: float | None = None
        self._why_stop = "stop-loss"
        self._closing = ""

    # --- what the agent calls ---

    def protect(
        self,
        *,
        stop: int | None = None,
        targets: Iterable[tuple[int, float]] = (),
        breakeven: int | None = None,
        trail: int | None = None,
    ) -> None:
        """Say where the position, or the one that is about to be opened, is given up. All in ticks.

        targets: prices, and the share of the position that is given up there; nearest first. What is over 1 together
        is left out, and what is left to 1 has a stop alone. breakeven: the price from which the stop is the entry
        price. trail: how far the stop follows the best price that it was told.
        """
        self._forget()
        self.stop, self._breakeven, self._trail = stop, breakeven, trail
        reached = 0.0
        for price, share in targets:
            if not 0.0 < share <= 1.0:
                raise InvalidValueError(f"targets: share {share!r} at {price} must be above 0 and at most 1")
            if reached < 1.0:
                reached = min(1.0, reached + share)
                self._targets.append((price, reached))
        self._done = [0] * len(self._targets)
        self._leave(self._pieces)
        self._settle()

    def on_report(self, report: Report, order: Order | None) -> None:
        """A report of the agent: fills change what is held, and what is covered follows."""
        if report.instrument.symbol != self.instrument.symbol:
            return
        if report.kind is _TRADE:
            self._take_off(self._position() - report.side * report.quantity)
            self._fill(report, order)
        if order is not None and order.client_order_id in self._own:
            if self._refused(report, order) or self._failed(order):
                self._patient = True
        elif order is not None and order.live and order.time_in_force in _AT_ONCE:
            return  # its other fills, and its end, come in the same moment
        self._settle()

    def on_price(self, price: float, *, trail: int | None = None) -> None:
        """A price in ticks: the stop follows. ``trail``: another distance from now on."""
        self._take_off(self._position())
        self._patient = self._being_closed()
        if trail is not None:
            self._trail = trail
        if self.lots:
            self._follow(price)
        self._settle()

    def on_risk(self, event: RiskEvent) -> None:
        """What risk control says: nothing is sent while it has stopped the agent, and what is left is covered after."""
        if event.action in STOPPING:
            self._holds.add((event.scope, event.rule))
        elif event.action is Action.RESUME:
            self._holds.discard((event.scope, event.rule))
        else:
            return
        self._take_off(self._position())
        self._patient = self._being_closed()
        self._settle()

    def refresh(self) -> None:
        """Forget what was closed without a report; asked for by hand where no price is told for long."""
        if self._take_off(self._position()):
            self._settle()

    def tighten(self, stop: int, why: str = "stop-loss") -> bool:
        """Bring the stop closer; False, and nothing happens, when that is not closer."""
        side = 1 if self.lots > 0 else -1
        if self.lots == 0 or (self.stop is not None and side * (stop - self.stop) <= 0):
            return False
        self.stop, self._why_stop = stop, why
        self._settle()
        return True

    def close(self, reason: str = "close") -> None:
        """Give up all that is held, at market, once no other exit can trade any more."""
        if self.lots and not self._closing:
            self._closing = reason
            self._settle()

    @property
    def covered(self) -> int:
        """Lots for which an exit stands at the venue or is on its way, as far as is known."""
        waiting = self._exit.leaves if self._exit is not None and self._exit.live else 0
        return waiting + sum(piece.lots for piece in self._pieces)

    @property
    def closing(self) -> str:
        """Why the position is being closed; "" when it is not."""
        return self._closing

    def why(self, order: Order | None) -> str:
        """Why one of its orders stands there; "" for an order that is not its own."""
        return "" if order is None else self._own.get(order.client_order_id, "")

    # --- what is held ---

    def _position(self) -> int:
        return self._agent.position(self.instrument)

    def _take_off(self, held: int) -> bool:
        """Whether no more than ``held`` is there of what it believed to hold: the rest was closed without a report."""
        before = self.lots
        if before * (before - held) <= 0:
            return False
        self.lots = held
        if before * held <= 0:
            self._forget()
            self._closing = "" if held else "over"
        return True

    def _being_closed(self) -> bool:
        """Whether an order of risk control is on its way, which may close what would be covered."""
        return any(order.client_order_id >= OWN for order in self._agent.orders(self.instrument))

    def _fill(self, report: Report, order: Order | None) -> None:
        before, signed = self.lots, report.side * report.quantity
        self.lots = held = before + signed
        if before * held < 0 or (before == 0 and self._closing):
            self._forget()  # what was said was said of another position
            self._opened = 0 if before == 0 else abs(held)
        if before * signed >= 0:
            self._opened += report.quantity
            self.entry_price = (abs(before) * self.entry_price + report.quantity * report.price) / abs(held)
        elif before * held < 0:
            self.entry_price = float(report.price)
        number = None if order is None else self._numbers.get(order.client_order_id)
        if number is not None and number < len(self._done):
            self._done[number] += report.quantity
        if held == 0:
            self._closing = self._closing or "over"

    def _failed(self, order: Order) -> bool:
        """Whether an own order has ended without having done its work, by nobody's wish."""
        if order.live or order.state is OrderState.FILLED or order.client_order_id in self._asked:
            return False
        return order.reason not in _BY_LINK

    def _refused(self, report: Report, order: Order) -> bool:
        """Whether a cancel or replace of an order that still stands was refused: it is asked for again."""
        if report.kind not in _REFUSALS or not order.live:
            return False
        self._asked.discard(order.client_order_id)
        for piece in self._pieces:
            if order in piece.orders:
                piece.leaving, piece.level = False, None
        return True

    def _follow(self, price: float) -> None:
        """Breakeven and trailing."""
        side = 1 if self.lots > 0 else -1
        if self._best is None or side * (price - self._best) > 0:
            self._best = price
        if self._breakeven is not None and side * (self._best - self._breakeven) >= 0:
            self.tighten(_rounded(self.entry_price, up=side > 0), "breakeven stop")
        if self._trail is not None:
            self.tighten(_rounded(self._best - side * self._trail, up=side < 0), "trailing stop")

    # --- what stands at the venue ---

    def _settle(self) -> None:
        """What stands at the venue comes to agree with what is held."""
        self._pieces = [piece for piece in self._pieces if piece.lots]
        if self._exit is not None and not self._exit.live:
            self._exit = None
        held = abs(self.lots)
        if held == 0:
            if not self._patient:
                self._leave(self._pieces)
            if self._closing and not self._pieces and self._exit is None:
                self._forget()
            return
        if self._patient or self._holds:
            return
        self._leave(self._pieces if self._closing else self._misplaced(held))
        self._move()
        missing = held - self.covered
        if missing <= 0:
            return
        if any(piece.leaving for piece in self._pieces):
            return  # what is placed anew is placed together
        if not self._closing:
            self._cover(missing)
        elif not self._pieces:
            self._exit = self._send(missing, self._closing, time_in_force=TimeInForce.IOC)

    def _misplaced(self, held: int) -> list[_Piece]:
        """Pieces on the wrong side, and the newest ones that are more than what is held: somebody else has traded."""
        staying = [piece for piece in self._pieces if not piece.leaving]
        if wrong := [piece for piece in staying if piece.orders[0].side * self.lots > 0]:
            return wrong
        surplus = sum(piece.lots for piece in staying) - held
        newest: list[_Piece] = []
        while surplus > 0:
            newest.append(staying.pop())
            surplus -= newest[-1].lots
        return newest

    def _move(self) -> None:
        """Stops go to where they should be: a lone one is replaced, a pair leaves and is placed anew."""
        for piece in self._pieces:
            if piece.stop is None or piece.leaving or piece.level == self.stop or self.stop is None:
                continue
            if piece.target is None:
                piece.level = self.stop
                self._own[piece.stop.client_order_id] = self._why_stop
                self._agent.replace(piece.stop, stop=self.stop)
            else:
                self._leave([piece])

    def _leave(self, pieces: Iterable[_Piece]) -> None:
        """Cancel pieces; the end of one order of a pair is the end of both."""
        for piece in pieces:
            if not piece.leaving:
                piece.leaving = True
                self._asked.update(order.client_order_id for order in piece.orders)
                self._agent.cancel(next(order for order in piece.orders if order.live))

    def _cover(self, lots: int) -> None:
        """Orders for lots that have none."""
        for number, part in self._parts(lots):
            stop = target = None
            if self.stop is not None:
                stop = self._send(part, self._why_stop, stop=self.stop)
            if number is not None:
                terms: dict[str, Any] = {} if stop is None else {"partner": stop}
                target = self._send(part, "target", limit=self._targets[number][0], **terms)
                self._numbers[target.client_order_id] = number
            if stop is not None or target is not None:
                self._pieces.append(_Piece(stop, target, number, self.stop))

    def _parts(self, lots: int) -> list[tuple[int | None, int]]:
        """Lots divided among the targets that have not got their share yet; what has none comes last."""
        parts: list[tuple[int | None, int]] = []
        goal = 0
        for number, (_, share) in enumerate(self._targets):
            begun, goal = goal, int(share * self._opened + 0.5)
            standing = sum(piece.lots for piece in self._pieces if piece.number == number)
            part = min(max(0, goal - begun - self._done[number] - standing), lots)
            if part:
                parts.append((number, part))
                lots -= part
        return [*parts, (None, lots)] if lots else parts

    def _send(self, lots: int, why: str, **terms: Any) -> Order:
        side = Side.SELL if self.lots > 0 else Side.BUY
        order = self._agent.order(side, self.instrument, lots, venue=self._venue, tag=why, **terms)
        self._own[order.client_order_id] = why
        return order


def _rounded(price: float, *, up: bool) -> int:
    """A price in whole ticks."""
    whole = int(price // 1)
    return whole + 1 if up and whole != price else whole
