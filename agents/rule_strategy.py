"""A strategy made of rules: enters when one set of rules is true after a bar, leaves by exits, says why each time.

It looks at completed bars alone, so it never knows more than a trader at that time. Its exits stand at the venue as
orders (``agents.protection``), so a stop does not wait for the next bar. It knows nothing of the book.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from marketsim.agents.checks import check_choice, to_duration, to_whole
from marketsim.agents.indicators.base import Moments
from marketsim.agents.protection import PositionGuard, planned
from marketsim.agents.rules.charts import Charts, Joined, check_multiple
from marketsim.agents.rules.credit import Credit
from marketsim.agents.rules.exits import Exit, Exits, parse_exits
from marketsim.agents.rules.rule import Need, Rule, parse
from marketsim.agents.sizing import Percent, Results, Sizing, Trade
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Bar, Report
from marketsim.domain.order import OrderType, Side, TimeInForce
from marketsim.domain.risk import STOPPING, Action, RiskEvent
from marketsim.domain.units import format_duration
from marketsim.errors import InvalidValueError
from marketsim.scenario.document import Path
from marketsim.scenario.parameters import Problems
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_TRADE = EventKind.TRADE
_LONG, _SHORT = 1, -1
_WORDS = {_LONG: "long", _SHORT: "short"}


class _Side:
    """Entries and exits of one side on the charts of an instrument."""

    def __init__(self, side: int, enter: Rule, exits: tuple[Exit, ...], charts: Charts) -> None:
        self.side = side
        condition = enter.bind(charts)
        self.evaluate, self.reason, self.label = condition.evaluate, condition.reason, condition.label
        self.exits = Exits(exits, charts, side)


class _Desk:
    """Everything about one instrument."""

    def __init__(self, strategy: RuleStrategy, instrument: Instrument) -> None:
        self.instrument = instrument
        self.venue = strategy._session.venues(instrument)[0]
        self.guard = PositionGuard(strategy, instrument, self.venue)
        self.results = Results()
        self.entry: Order | None = None
        self.active: _Side | None = None  # of the position, or of the latest one
        self.bars = 0
        self.rest = 0  # bar before which nothing is entered
        self.entered = 0  # bar of the entry
        self.since = 0  # ns of the first fill
        self.close = 0.0  # currency
        self.why = self.leaving = ("", "")  # rule and reason of the latest entry, and of the latest close at market
        self.flattened = False  # risk control has begun to close the position, without reports
        self.told: set[tuple[str, int]] = set()  # exits of the position that were told: why, and at which level
        self.tick, self.lot = instrument.tick, float(instrument.lot_size)
        parts = 1 / instrument.tick_size
        self._parts = float(parts) if parts == parts.to_integral_value() else 0.0
        self.begin(strategy)

    def price(self, ticks: int) -> float:
        """In currency, as the number that its text stands for: 10,010 ticks of 0.01 are 100.1, and not a hair more."""
        return ticks / self._parts if self._parts else ticks * self.tick

    def begin(self, strategy: RuleStrategy) -> None:
        """Charts and rules, which have seen nothing yet."""
        self.charts = Charts(int(strategy.timeframe))
        self.sides = [_Side(side, enter, strategy.exits, self.charts) for side, enter in strategy.entries()]
        if self.active is not None:
            self.active = next((one for one in self.sides if one.side == self.active.side), self.active)
        self.changes = Moments(strategy.sizing.period) if strategy.sizing.needs_deviation else None


@dataclass
class RuleStrategy(Agent):
    """Trades by rules: enters a position when ``enter`` is true after a bar, and leaves it by ``exit``.

    ``enter`` is a rule, a list of rules (all must be true), or the name of a ready one; ``exit`` an exit or a list of
    exits, of which each closes the position; docs/rules.md has all of them. Both are objects in Python and mappings in
    a scenario, and are kept as mappings. A short position is entered when ``enter_short`` is true, or the mirror image
    of ``enter``. One position at a time; at least ``cooldown`` bars lie between an entry or exit and the next entry.

    Entries are market orders, or limit orders at the close of the bar moved by ``offset``, which wait for ``patience``
    bars. Annotations tell the reason of each signal, entry and exit. While risk control has stopped it, or lets it only
    reduce its position, it watches and enters nothing.
    """

    enter: Any = field(default="rsi_or_bollinger", metadata={"help": "rules for a long position"})
    exit: Any = field(default="atr", metadata={"help": "exits, one or a list"})
    enter_short: Any = field(default=None, metadata={"help": "rules for a short one; mirror image when left out"})
    direction: Literal["long", "short", "both"] = field(default="long", metadata={"help": "which positions it takes"})
    timeframe: int | str = field(default="1min", metadata={"unit": "duration", "help": "length of its bars"})
    cooldown: int = field(default=5, metadata={"help": "bars between an entry or exit and the next entry"})
    sizing: Sizing = field(default_factory=Percent, metadata={"help": "how many lots: {type: risk, share: 0.02}"})
    max_position: int | None = field(default=None, metadata={"help": "most lots of a position; any when left out"})
    entry_orders: Literal["market", "limit"] = field(default="market", metadata={"help": "how it enters"})
    offset: int = field(default=0, metadata={"help": "ticks by which a limit order is better than the close"})
    patience: int = field(default=1, metadata={"help": "bars that a limit order waits"})

    def __post_init__(self) -> None:
        check_choice(self, "direction", ("long", "short", "both"))
        check_choice(self, "entry_orders", ("market", "limit"))
        to_duration(self, "timeframe")
        to_whole(self, "cooldown", low=0)
        to_whole(self, "max_position", "patience", low=1)
        to_whole(self, "offset", low=-(1 << 40))
        if not isinstance(self.sizing, Sizing):
            raise InvalidValueError(f"sizing: {self.sizing!r} is no sizing; use one of agents.sizing, such as Percent")
        self._read_rules()
        self._check_needs()

    def _read_rules(self) -> None:
        """Rules and exits become what a scenario file would say."""
        self.enter = parse(self.enter, ("enter",)).plain()
        if self.enter_short is not None:
            if self.direction == "long":
                raise InvalidValueError('enter_short: a strategy with direction "long" never uses it; say both')
            self.enter_short = parse(self.enter_short, ("enter_short",)).plain()
        exits = parse_exits(self.exit, ("exit",))
        if not exits:
            raise InvalidValueError(
                "exit: the list is empty, so a position would never be closed; name one, such as atr"
            )
        self.exit = [told.plain() for told in exits]

    def _check_needs(self) -> None:
        """Bars that can be made, mirror images that exist, a stop where the size hangs on one."""
        for path, need in self._needs():
            if need.timeframe is not None:
                try:
                    check_multiple(need.timeframe, int(self.timeframe))
                except InvalidValueError as error:
                    raise Problems([(path, str(error))]) from None
        self._check_sides()
        if self.sizing.needs_stop and not any(told.sets_stop for told in self.exits):
            raise InvalidValueError(
                f"sizing: {type(self.sizing).__name__.lower()} needs a stop and no exit sets one: add stop_loss or atr"
            )

    def _check_sides(self) -> None:
        try:
            sides = [side for side, _ in self.entries()]
        except InvalidValueError as error:
            raise Problems([(("enter",), str(error))]) from None
        for told in self.exits if _SHORT in sides else ():
            try:
                told.bind(Charts(int(self.timeframe)), _SHORT)
            except InvalidValueError as error:
                raise Problems(
                    [(("exit",), f"{error}".replace("say enter_short", "leave out short positions"))]
                ) from None

    # --- what it is made of ---

    @property
    def exits(self) -> tuple[Exit, ...]:
        """The exits as objects."""
        return parse_exits(self.exit)

    def entries(self) -> Iterator[tuple[int, Rule]]:
        """Side (1 long, −1 short) and rule of each entry."""
        enter = parse(self.enter)
        if self.direction != "short":
            yield _LONG, enter
        if self.direction != "long":
            yield _SHORT, parse(self.enter_short) if self.enter_short is not None else enter.mirror()

    def _needs(self) -> Iterator[tuple[Path, Need]]:
        for name in ("enter", "enter_short"):
            if getattr(self, name) is not None:
                yield from (((name,), need) for need in parse(getattr(self, name)).needs())
        for number, told in enumerate(self.exits):
            yield from ((("exit", number), need) for need in told.needs())

    def check_duration(self, duration: int) -> list[tuple[Path, str]]:
        """What cannot come true in a run of so many ns: bars that never end, indicators that never have seen enough."""
        base, run = int(self.timeframe), format_duration(duration)
        if base > duration:
            message = f"no bar of {format_duration(base)} ends in a run of {run}: shorten it, or lengthen the run"
            return [(("timeframe",), message)]
        found: dict[Path, str] = {}
        for path, need in self._needs():
            length, bars = need.timeframe or base, need.line.warm_up
            if bars * length > duration:
                found.setdefault(
                    path,
                    f"{need.line} needs {bars} bars of {format_duration(length)}, and nobody makes so many in a run of "
                    f"{run}: shorten the timeframe or the period, or lengthen the run",
                )
        return list(found.items())

    def check_cash(self, cash: Decimal) -> str:
        """What is wrong with a size that is a share of nothing."""
        if cash > 0 or not self.sizing.of_equity:
            return ""
        name = type(self.sizing).__name__.lower()
        return f"{name} is a share of the equity, and with no cash there is none: give it cash, or a fixed size"

    def subscriptions(self) -> dict[str, Any]:
        """Bars of its own length; longer ones are joined from them."""
        return {"bars": int(self.timeframe)}

    # --- hooks ---

    def on_start(self) -> None:
        """Charts, rules and a guard for each instrument."""
        self._begun = self._looks()
        self._holds: set[tuple[str, str]] = set()  # scope and rule of what keeps it from entering
        self._lengths = {int(self.timeframe)}
        self._credit = Credit(self)
        self._desks = {instrument.symbol: _Desk(self, instrument) for instrument in self.instruments}

    def on_parameters(self) -> None:
        """Rules that were changed begin anew, with positions and their orders as they are."""
        if self._looks() == self._begun:
            return
        self._begun = self._looks()
        self._lengths.add(int(self.timeframe))
        for desk in self._desks.values():
            desk.begin(self)
            self.subscribe(desk.instrument, bars=self.timeframe, venue=desk.venue)

    def on_bar(self, bar: Bar) -> None:
        """Look, follow the position, enter."""
        desk = self._desks[bar.instrument.symbol]
        if bar.venue and bar.venue != desk.venue:
            return
        if bar.interval != self.timeframe:
            if bar.interval in self._lengths:
                return  # its timeframe was changed
            raise InvalidValueError(
                f"{self.name} is told bars of {format_duration(bar.interval)} and trades on bars of "
                f"{format_duration(int(self.timeframe))}: choose the same timeframe"
            )
        if not bar.close:
            return  # nothing has ever traded
        signal = self._look(desk, bar)
        self._see_closed(desk)
        if desk.guard.lots:
            self._hold(desk, bar)
        elif desk.guard.covered:
            desk.guard.on_price(bar.close)  # what is left of an earlier position goes first
        elif desk.entry is not None and desk.entry.live:
            self._wait(desk)
        elif signal is not None and desk.bars >= desk.rest and not self._holds:
            self._enter(desk, signal)

    def on_report(self, report: Report, order: Order | None) -> None:
        """Fills of entries set the exits; the guard keeps them."""
        desk = self._desks.get(report.instrument.symbol)
        if desk is None:
            return
        guard = desk.guard
        if report.kind is _TRADE:
            desk.results.fill(report.side * report.quantity, float(report.price))
            self._give_credit(desk, report, order)
            if order is desk.entry and not guard.lots:
                self._protect(desk, report)
        guard.on_report(report, order)
        if report.kind is _TRADE and order is not desk.entry:
            self._tell_exit(desk, report, order)

    def on_risk(self, event: RiskEvent) -> None:
        """Stopped, or let go on: the guards wait, and forget what risk control has closed."""
        if event.action in STOPPING or event.action is Action.BLOCK:
            self._holds.add((event.scope, event.rule))
        elif event.action is Action.RESUME:
            self._holds.discard((event.scope, event.rule))
        for desk in self._desks.values():
            desk.flattened |= event.action is Action.FLATTEN
            self._see_closed(desk)
            desk.guard.on_risk(event)

    # --- inner ---

    def _looks(self) -> tuple[object, ...]:
        """What the charts hang on."""
        return self.enter, self.enter_short, self.exit, self.direction, self.timeframe, self.sizing

    def _look(self, desk: _Desk, bar: Bar) -> _Side | None:
        """Take in a bar; the first side whose entry is true."""
        price = desk.price
        close = price(bar.close)
        if desk.changes is not None and desk.close > 0.0:
            desk.changes.update(math.log(close / desk.close))
        desk.close = close
        desk.bars += 1
        desk.charts.add(
            Joined(bar.time, price(bar.open), price(bar.high), price(bar.low), close, bar.volume * desk.lot)
        )
        signal: _Side | None = None
        for side in desk.sides:
            side.exits.update()
            if side.evaluate() and signal is None:
                signal = side
        return signal

    def _see_closed(self, desk: _Desk) -> None:
        """What risk control has closed is counted at the latest close, as no report tells its price."""
        lots = desk.guard.lots
        desk.guard.refresh()
        held, flattened = desk.guard.lots, desk.flattened
        desk.flattened = flattened and bool(self._holds or held)
        if held == lots or not flattened:
            return
        desk.results.fill(held - lots, desk.close / desk.tick)
        if held == 0:
            word = _WORDS[_LONG if lots > 0 else _SHORT]
            self.note("exit", f"close {word} {desk.instrument.symbol} at {desk.close:.8g}: risk control closed it")
            desk.rest = max(desk.rest, desk.bars + self.cooldown)

    def _hold(self, desk: _Desk, bar: Bar) -> None:
        """A position is held: its stop follows, or it is closed."""
        guard, active = desk.guard, desk.active
        if active is None:
            guard.on_price(bar.close)
            return
        if desk.entry is not None and desk.entry.live and desk.bars - desk.entered >= self.patience:
            self.cancel(desk.entry)
        distance = active.exits.trail(desk.close)
        guard.on_price(bar.close, trail=None if distance is None else max(1, round(distance / desk.tick)))
        reason = active.exits.due(desk.bars - desk.entered, bar.time - desk.since)
        if reason and not guard.closing:
            if desk.entry is not None:
                self.cancel(desk.entry)
            self.note("exit", f"close {_WORDS[active.side]} {desk.instrument.symbol} at {desk.close:.8g}: {reason}")
            desk.leaving = active.exits.label, reason
            guard.close(reason)

    def _wait(self, desk: _Desk) -> None:
        """A limit order has found nobody."""
        if desk.entry is not None and desk.bars - desk.entered >= self.patience:
            self.cancel(desk.entry)

    def _enter(self, desk: _Desk, signal: _Side) -> None:
        stop = signal.exits.levels(desk.close).stop
        if stop is None and self.sizing.needs_stop:
            return  # the range is not known yet
        lots = self._lots(desk, stop)
        if lots < 1:
            self.note(
                "signal", f"{_WORDS[signal.side]} {desk.instrument.symbol}: {signal.reason()}, and too little for a lot"
            )
            return
        side = Side.BUY if signal.side == _LONG else Side.SELL
        ticks = round(desk.close / desk.tick)
        price = None if self.entry_orders == "market" else ticks - signal.side * self.offset
        level = None if stop is None else ticks - signal.side * max(1, round(stop / desk.tick))
        desk.why = signal.label(), signal.reason()
        self.note("signal", f"{_WORDS[signal.side]} {lots} {desk.instrument.symbol} at {desk.close:.8g}: {desk.why[1]}")
        desk.active, desk.entered, desk.rest = signal, desk.bars, desk.bars + self.cooldown
        force = TimeInForce.IOC if price is None else TimeInForce.GTC
        desk.entry = self.order(
            side, desk.instrument, lots, limit=price, time_in_force=force, venue=desk.venue, tag=planned(level)
        )

    def _lots(self, desk: _Desk, stop: float | None) -> int:
        """Lots of the next position."""
        instrument = desk.instrument
        unit = float(instrument.lot_size * instrument.multiplier)
        deviation = math.sqrt(desk.changes.variance) if desk.changes is not None else 0.0
        trade = Trade(
            self._equity(), desk.close * unit, 0.0 if stop is None else stop * unit,
            deviation if deviation == deviation else 0.0, int(self.timeframe), desk.results.shares,
        )  # fmt: skip
        lots = self.sizing.lots(trade)
        return lots if self.max_position is None else min(lots, self.max_position)

    def _equity(self) -> float:
        """Cash in the portfolio's currency, and what is held at the latest closes."""
        portfolio = self.portfolio
        equity = float(portfolio.cash.get(portfolio.currency, 0))
        for symbol, position in portfolio.positions.items():
            if position.quantity and symbol in self._desks:
                close = Decimal(str(self._desks[symbol].close))
                worth = position.unrealized(close) if position.contract is not None else position.quantity * close
                equity += float(worth)
        return equity

    def _protect(self, desk: _Desk, report: Report) -> None:
        """The first fill of an entry: exits are measured from its price."""
        active = desk.active
        assert active is not None
        desk.since, tick, price = report.time, desk.tick, report.price
        desk.told.clear()
        levels = active.exits.levels(desk.price(price))

        def at(distance: float, towards: int) -> int:
            return price + towards * active.side * max(1, round(distance / tick))

        desk.guard.protect(
            stop=None if levels.stop is None else max(1, at(levels.stop, -1)),
            targets=[(max(1, at(target.distance, 1)), target.share) for target in levels.targets],
            breakeven=None if levels.breakeven is None else at(levels.breakeven, 1),
        )

    def _give_credit(self, desk: _Desk, report: Report, order: Order | None) -> None:
        """Which rule the order came from; one of risk control has none."""
        why = desk.guard.why(order)
        if order is desk.entry and order is not None:
            self._credit.fill(report, *desk.why)
        elif why:
            self._credit.fill(report, *(desk.leaving if why == desk.leaving[1] else (why, why)))

    def _tell_exit(self, desk: _Desk, report: Report, order: Order | None) -> None:
        """Say once of each level why exits stood there; after the last the cooldown begins."""
        guard, active = desk.guard, desk.active
        why = guard.why(order)
        if why and order is not None and active is not None and order.order_type is not OrderType.MARKET:
            level = why, order.price  # of a stop 0; a close at market was told when it was decided
            if level not in desk.told:
                desk.told.add(level)
                price = desk.price(report.price)
                self.note("exit", f"{why} of {_WORDS[active.side]} {desk.instrument.symbol} at {price:.8g}")
        if not guard.lots:
            desk.rest = max(desk.rest, desk.bars + self.cooldown)
            if desk.entry is not None:
                self.cancel(desk.entry)
