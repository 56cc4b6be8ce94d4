"""Exits: when a position is given up: at prices set when it was opened, after some time, or when a rule says so.

An exit trades nothing. It says how far from the entry price a stop and targets lie, how closely the stop follows, and
whether the position should be closed now; ``agents.protection`` keeps the orders. Distances are above zero, in
currency, for a long position downwards to the stop and upwards to a target, for a short one the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from marketsim.agents.checks import check_choice, to_duration, to_number, to_share, to_whole
from marketsim.agents.indicators.naming import parse_line
from marketsim.agents.rules.charts import Charts, Series
from marketsim.agents.rules.conditions import CrossesBelow
from marketsim.agents.rules.rule import TIMEFRAME, Condition, Need, Rule, parse, parse_named, to_timeframe
from marketsim.domain.units import SECOND, format_duration
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario.document import Path, show
from marketsim.scenario.parameters import Problems, below
from marketsim.scenario.registry import REGISTRY

_SHARE = {"help": "share of the position that it closes, above 0 to 1"}
_PERIOD = {"help": "bars of the average true range"}


class Target(NamedTuple):
    """A price at which a share of the position is given up."""

    distance: float  # from the entry price
    share: float


class Levels(NamedTuple):
    """What an exit sets when a position is opened; None for what it does not."""

    stop: float | None = None
    targets: tuple[Target, ...] = ()
    breakeven: float | None = None  # gain from which the stop is at the entry price


class Watch:
    """An exit on the charts of a market. A base that sets nothing and never closes."""

    def levels(self, price: float, stop: float | None) -> Levels:
        """What it sets at an entry price; ``stop`` is the nearest stop that exits before it have set."""
        return Levels()

    def trail(self, best: float) -> float | None:
        """How far behind the best close the stop follows now."""
        return None

    def due(self, bars: int, held: int) -> str:
        """Why the position is to be closed now, after so many bars and ns; "" when it is not."""
        return ""

    def label(self) -> str:
        """The same without what was seen; "" where the reason is the same each time."""
        return ""


class Exit:
    """Base of every exit. ``share`` below 1 closes a part."""

    sets_stop: bool = False
    needs_stop: bool = False

    def bind(self, charts: Charts, side: int) -> Watch:
        """The exit on charts, for a long position (1) or a short one (−1)."""
        raise NotImplementedError

    def needs(self) -> Iterator[Need]:
        """The lines that it looks at."""
        yield from ()

    def plain(self) -> Any:
        """How a scenario file says it."""
        told = REGISTRY.describe("exit", self)
        name = told.pop("type")
        return {name: told} if told else name


# --- by the average true range ---


class _AtrWatch(Watch):
    def __init__(self, told: Atr | AdvancedAtr, span: Series) -> None:
        self._told = told
        self._span = span
        self._follows = isinstance(told, AdvancedAtr) and told.trailing
        self._after = told.breakeven_after if isinstance(told, AdvancedAtr) and told.breakeven else None

    def levels(self, price: float, stop: float | None) -> Levels:
        span, told = self._span.now, self._told
        if not span > 0.0:
            return Levels()
        targets = () if told.target is None else (Target(told.target * span, told.share),)
        return Levels(told.stop * span, targets, None if self._after is None else self._after * span)

    def trail(self, best: float) -> float | None:
        span = self._span.now
        return self._told.stop * span if self._follows and span > 0.0 else None


@dataclass
class Atr(Exit):
    """A stop and a target, both multiples of the average true range at the entry."""

    period: int = field(default=14, metadata=_PERIOD)
    stop: float = field(default=2.0, metadata={"help": "average true ranges to the stop"})
    target: float | None = field(default=3.0, metadata={"help": "average true ranges to the target; null for none"})
    share: float = field(default=1.0, metadata={"help": "share of the position that the target closes"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    sets_stop = True

    def __post_init__(self) -> None:
        to_whole(self, "period", low=1)
        to_number(self, "stop", "target", low=0.0, open_low=True)
        _to_part(self)
        to_timeframe(self)

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at the average true range."""
        return _AtrWatch(self, _range_of(charts, self.period, self.timeframe))

    def needs(self) -> Iterator[Need]:
        """The average true range."""
        yield _range_need(self.period, self.timeframe)


@dataclass
class AdvancedAtr(Exit):
    """As ``atr``, with a stop that follows the best close at its distance, and goes to the entry price early.

    ``trailing``: with each bar the stop moves to ``stop`` present ranges behind the best close, if that is closer.
    ``breakeven``: once the close has gained ``breakeven_after`` ranges of the entry, it is at least the entry price.
    """

    period: int = field(default=14, metadata=_PERIOD)
    stop: float = field(default=2.0, metadata={"help": "average true ranges to the stop"})
    target: float | None = field(default=3.0, metadata={"help": "average true ranges to the target; null for none"})
    trailing: bool = field(default=True, metadata={"help": "whether the stop follows"})
    breakeven: bool = field(default=True, metadata={"help": "whether the stop goes to the entry price"})
    breakeven_after: float = field(default=1.0, metadata={"help": "average true ranges of gain from which it does"})
    share: float = field(default=1.0, metadata={"help": "share of the position that the target closes"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    sets_stop = True

    def __post_init__(self) -> None:
        to_whole(self, "period", low=1)
        to_number(self, "stop", "target", "breakeven_after", low=0.0, open_low=True)
        _to_part(self)
        to_timeframe(self)
        if self.breakeven and self.target is not None and self.share == 1.0 and self.breakeven_after >= self.target:
            raise InvalidValueError(
                f"breakeven_after: {self.breakeven_after:g} ranges are never gained: the target at {self.target:g} "
                "closes the position before; use less"
            )

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at the average true range."""
        return _AtrWatch(self, _range_of(charts, self.period, self.timeframe))

    def needs(self) -> Iterator[Need]:
        """The average true range."""
        yield _range_need(self.period, self.timeframe)


# --- by shares of the price ---


class _Shares(Watch):
    """Stop and target at shares of the price, or at multiples of the stop."""

    def __init__(self, stop: float | None, target: float | None, ratio: float | None, share: float) -> None:
        self._stop, self._target, self._ratio, self._share = stop, target, ratio, share
        self.follows = 0.0

    def levels(self, price: float, stop: float | None) -> Levels:
        own = None if self._stop is None else self._stop * price
        lost = own if own is not None else stop
        if self._target is not None:
            return Levels(own, (Target(self._target * price, self._share),))
        if self._ratio is not None and lost is not None:
            return Levels(own, (Target(self._ratio * lost, self._share),))
        return Levels(own)

    def trail(self, best: float) -> float | None:
        return self.follows * best if self.follows else None


@dataclass
class StopLoss(Exit):
    """A stop at a share of the entry price."""

    distance: float = field(default=0.02, metadata={"help": "share of the entry price to the stop"})

    sets_stop = True

    def __post_init__(self) -> None:
        _to_distance(self, "distance")

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at nothing."""
        return _Shares(self.distance, None, None, 1.0)


class _RangeTarget(Watch):
    def __init__(self, span: Series, multiple: float, share: float) -> None:
        self._span, self._multiple, self._share = span, multiple, share

    def levels(self, price: float, stop: float | None) -> Levels:
        span = self._span.now
        return Levels(None, (Target(self._multiple * span, self._share),)) if span > 0.0 else Levels()


@dataclass
class TakeProfit(Exit):
    """A target: at a share of the entry price, so many average true ranges away, or so many distances of the stop."""

    distance: float | None = field(default=None, metadata={"help": "share of the entry price; 0.04 if nothing is said"})
    atr: float | None = field(default=None, metadata={"help": "average true ranges"})
    risk: float | None = field(default=None, metadata={"help": "distances of the stop that stands before it"})
    share: float = field(default=1.0, metadata=_SHARE)
    period: int = field(default=14, metadata=_PERIOD)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        said = [name for name in ("distance", "atr", "risk") if getattr(self, name) is not None]
        if not said:
            self.distance = 0.04
        if len(said) > 1:
            raise InvalidValueError(f"{said[1]}: {said[0]} says where the target is already: keep one of them")
        if self.distance is not None:
            to_number(self, "distance", low=0.0, open_low=True)
        to_number(self, "atr", "risk", low=0.0, open_low=True)
        to_whole(self, "period", low=1)
        _to_part(self)
        to_timeframe(self)

    @property
    def needs_stop(self) -> bool:  # type: ignore[override]
        """Whether it is measured by a stop."""
        return self.risk is not None

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at the average true range, where that measures it."""
        if self.atr is not None:
            return _RangeTarget(_range_of(charts, self.period, self.timeframe), self.atr, self.share)
        return _Shares(None, self.distance, self.risk, self.share)

    def needs(self) -> Iterator[Need]:
        """The average true range, where that measures it."""
        if self.atr is not None:
            yield _range_need(self.period, self.timeframe)


@dataclass
class RiskReward(Exit):
    """A stop at a share of the entry price, and a target ``ratio`` times as far away."""

    risk: float = field(default=0.02, metadata={"help": "share of the entry price to the stop"})
    ratio: float = field(default=2.0, metadata={"help": "distance of the target over that of the stop"})
    share: float = field(default=1.0, metadata={"help": "share of the position that the target closes"})

    sets_stop = True

    def __post_init__(self) -> None:
        _to_distance(self, "risk")
        to_number(self, "ratio", low=0.0, open_low=True)
        _to_part(self)

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at nothing."""
        return _Shares(self.risk, None, self.ratio, self.share)


@dataclass
class Trailing(Exit):
    """A stop at a share of the best close since the entry, which it follows with each bar."""

    distance: float = field(default=0.02, metadata={"help": "share of the best close to the stop"})

    sets_stop = True

    def __post_init__(self) -> None:
        _to_distance(self, "distance")

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at nothing."""
        watch = _Shares(self.distance, None, None, 1.0)
        watch.follows = self.distance
        return watch


# --- by time, and by rules ---


class _Clock(Watch):
    def __init__(self, bars: int | None, after: int | None) -> None:
        self._bars, self._after = bars, after

    def due(self, bars: int, held: int) -> str:
        if self._bars is not None and bars >= self._bars:
            return f"time: held for {bars} bars"
        if self._after is not None and held >= self._after:
            return f"time: held for {format_duration(held // SECOND * SECOND or held)}"
        return ""

    def label(self) -> str:
        return "time"


@dataclass
class Time(Exit):
    """After some bars of the strategy, or some time, the position is closed; after 20 bars when nothing is said."""

    bars: int | None = field(default=None, metadata={"help": "bars after the entry"})
    after: int | str | None = field(default=None, metadata={"unit": "duration", "help": "time after the entry"})

    def __post_init__(self) -> None:
        if self.bars is None and self.after is None:
            self.bars = 20
        to_whole(self, "bars", low=1)
        to_duration(self, "after")

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at nothing."""
        return _Clock(self.bars, None if self.after is None else int(self.after))


class _RuleWatch(Watch):
    def __init__(self, condition: Condition) -> None:
        self._reason, self._label = condition.reason, condition.label
        self.evaluate = condition.evaluate
        self.holds: bool | None = None

    def due(self, bars: int, held: int) -> str:
        return self._reason() if self.holds else ""

    def label(self) -> str:
        return self._label()


@dataclass
class When(Exit):
    """Closes the position when a rule is true, for a short position when its mirror image is."""

    rule: Any = field(metadata={"help": "a rule"})

    def __post_init__(self) -> None:
        self.rule = parse(self.rule, ("rule",))

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at what the rule looks at."""
        return _RuleWatch((self.rule if side > 0 else self.rule.mirror()).bind(charts))

    def needs(self) -> Iterator[Need]:
        """What the rule looks at."""
        found: Iterator[Need] = self.rule.needs()
        return found

    def plain(self) -> Any:
        """The rule under "when"."""
        return {"when": self.rule.plain()}


@dataclass
class MovingAverageCross(Exit):
    """Closes a long position when a fast moving average crosses below a slow one, a short one when it crosses above."""

    fast: int = field(default=10, metadata={"help": "bars of the fast average"})
    slow: int = field(default=30, metadata={"help": "bars of the slow average"})
    kind: Literal["sma", "ema", "wma"] = field(default="sma", metadata={"help": "simple, exponential or weighted"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        to_whole(self, "fast", "slow", low=1)
        check_choice(self, "kind", ("sma", "ema", "wma"))
        to_timeframe(self)
        if self.fast >= self.slow:
            raise InvalidValueError(f"fast: {self.fast} must be less than slow, {self.slow}; swap them")

    @property
    def rule(self) -> Rule:
        """The crossing that closes a long position."""
        return CrossesBelow(f"{self.kind}({self.fast})", f"{self.kind}({self.slow})", self.timeframe)

    def bind(self, charts: Charts, side: int) -> Watch:
        """Looks at both averages."""
        return When(self.rule).bind(charts, side)

    def needs(self) -> Iterator[Need]:
        """Both averages."""
        return self.rule.needs()


# --- all of a position's exits ---


class Exits:
    """All exits of a position of one side, on charts."""

    def __init__(self, exits: tuple[Exit, ...], charts: Charts, side: int) -> None:
        self._watches = [told.bind(charts, side) for told in exits]
        self._ruled = [watch for watch in self._watches if isinstance(watch, _RuleWatch)]
        self.label = ""  # of what was due last

    def update(self) -> None:
        """A bar of the base is over: rules are evaluated, whether there is a position or not."""
        for watch in self._ruled:
            watch.holds = watch.evaluate()

    def levels(self, price: float) -> Levels:
        """The nearest stop, every target from the nearest on, and the earliest breakeven."""
        stop: float | None = None
        breakeven: float | None = None
        targets: list[Target] = []
        for watch in self._watches:
            found = watch.levels(price, stop)
            stop = _least(stop, found.stop)
            breakeven = _least(breakeven, found.breakeven)
            targets.extend(found.targets)
        return Levels(stop, tuple(sorted(targets)), breakeven)

    def trail(self, best: float) -> float | None:
        """The closest distance behind the best close at which the stop follows."""
        distance: float | None = None
        for watch in self._watches:
            distance = _least(distance, watch.trail(best))
        return distance

    def due(self, bars: int, held: int) -> str:
        """Why the position is to be closed now; "" when it is not."""
        for watch in self._watches:
            if reason := watch.due(bars, held):
                self.label = watch.label() or reason
                return reason
        return ""


def _least(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def parse_exits(told: object, path: Path = ()) -> tuple[Exit, ...]:
    """The exits that a list, or one alone, stands for. A rule among them closes the position when it is true.

    Raises Problems with the path below ``path`` of each thing that is wrong.
    """
    listed = told if isinstance(told, (list, tuple)) else [told]
    problems: list[tuple[Path, str]] = []
    exits: list[Exit] = []
    for number, part in enumerate(listed):
        where = (*path, number) if listed is told else path
        try:
            exits.append(_parse_exit(part, where))
        except Problems as error:
            problems.extend(error.problems)
        except InvalidValueError as error:
            problems.extend(((*where, *inner[1:]), message) for inner, message in below(0, error))
    if not problems:
        problems = _out_of_place(exits, path)
    if problems:
        raise Problems(problems)
    return tuple(exits)


def _out_of_place(exits: list[Exit], path: Path) -> list[tuple[Path, str]]:
    """Targets that are measured by a stop which no exit before them sets."""
    for number, found in enumerate(exits):
        if found.needs_stop and not any(other.sets_stop for other in exits[:number]):
            return [((*path, number), "no exit before it sets a stop to measure it by: put stop_loss or atr before it")]
    return []


def _parse_exit(told: object, path: Path) -> Exit:
    if isinstance(told, Exit):
        return told
    if isinstance(told, Rule):
        return When(told)
    name: object = told
    given: object = {}
    if isinstance(told, Mapping):
        if len(told) != 1:
            raise Problems([(path, f"{show(told)} is not one exit: write a list with an entry for each")])
        name, given = next(iter(told.items()))
    if not isinstance(name, str):
        raise Problems([(path, f"{show(told)} is no exit: write a name such as atr, or {{atr: {{stop: 2}}}}")])
    inside = (*path, name) if isinstance(told, Mapping) else path
    if name == "when":
        return When(parse(given["rule"] if isinstance(given, Mapping) and "rule" in given else given, inside))
    names = REGISTRY.names("exit")
    if name in names or ":" in name:
        made: Exit = parse_named("exit", name, given, path, inside)
        return made
    if name in ("all", "any", "not") or name in REGISTRY.names("rule"):
        return When(parse(told, path))
    raise Problems([(path, f'no exit type is called "{name}"{did_you_mean(name, names)}')])


def _range_of(charts: Charts, period: int, timeframe: Any) -> Series:
    return charts.chart(timeframe).series(parse_line(f"atr({period})"))


def _range_need(period: int, timeframe: Any) -> Need:
    return Need(parse_line(f"atr({period})"), timeframe)


def _to_distance(told: Any, name: str) -> None:
    to_number(told, name, low=0.0, high=1.0, open_low=True)
    if getattr(told, name) == 1.0:
        raise InvalidValueError(f"{name}: a stop at 1.0 of the price is at zero; use less, such as 0.02")


def _to_part(told: Any) -> None:
    to_share(told, "share")
    if told.share == 0.0:
        raise InvalidValueError("share: 0 closes nothing; use more, up to 1")
