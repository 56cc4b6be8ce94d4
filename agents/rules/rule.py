"""A rule: something that is true or not after each bar, such as "the RSI is below 30". It decides, and trades nothing.

Rules are small objects, joined with ``&``, ``|`` and ``~``; ``parse`` reads what a scenario file says::

    Rsi(below=30) | Bollinger(below="lower") & ~Volume(above=3)
    {any: [{rsi: {below: 30}}, {all: [{bollinger: {below: lower}}, {not: {volume: {above: 3}}}]}]}

As long as an indicator has not seen enough bars, a rule that looks at it is neither true nor false, and nor is its
opposite. ``any`` is true as soon as one of its rules is, ``all`` false as soon as one is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from marketsim.agents.checks import to_whole
from marketsim.agents.indicators.naming import Line, parse_line
from marketsim.agents.rules.charts import Chart, Charts, Series
from marketsim.domain.units import duration
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.scenario.document import Path, show
from marketsim.scenario.parameters import Problems, below
from marketsim.scenario.registry import REGISTRY

JOINTS = ("all", "any", "not")

TIMEFRAME: dict[str, Any] = {"unit": "duration", "help": "length of its bars; the strategy's when left out"}


class Need(NamedTuple):
    """A line that a rule looks at, and the length in ns of its bars; None for the strategy's."""

    line: Line
    timeframe: int | None


class Condition:
    """A rule on the charts of a market. ``evaluate`` is called once after each bar of the base.

    ``several`` tells whether the reason is of several parts, which need brackets inside of another joint. ``label`` is
    the reason without what was seen, the same each time, so that what came of it can be added up.
    """

    __slots__ = ("evaluate", "label", "reason", "several")

    def __init__(
        self,
        evaluate: Callable[[], bool | None],
        reason: Callable[[], str],
        several: Callable[[], bool] = lambda: False,
    ) -> None:
        self.evaluate = evaluate
        self.reason = reason
        self.several = several
        self.label = reason

    def part(self) -> str:
        """The reason as a part of a longer one."""
        return f"({self.reason()})" if self.several() else self.reason()


class Rule:
    """Base of every rule."""

    def __and__(self, other: Rule) -> Rule:
        return AllOf((*_parts(self, AllOf), *_parts(other, AllOf)))

    def __or__(self, other: Rule) -> Rule:
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> Rule:
        return self.rule if isinstance(self, Not) else Not(self)

    def within(self, bars: int) -> Rule:
        """True when this rule was at one of the latest ``bars``."""
        return Lately(self, bars)

    def bind(self, charts: Charts) -> Condition:
        """The rule on charts; asks them for what it looks at."""
        raise NotImplementedError

    def needs(self) -> Iterator[Need]:
        """What it looks at."""
        raise NotImplementedError

    def mirror(self) -> Rule:
        """The same for a price that goes the other way; InvalidValueError where there is no such thing."""
        raise InvalidValueError(f"{name_of(self)} has no mirror image: say enter_short")

    def plain(self) -> Any:
        """How a scenario file says it."""
        told = REGISTRY.describe("rule", self)
        name = told.pop("type")
        return {name: told} if told else name

    def words(self) -> str:
        """The rule in words, without what it sees."""
        told = self.plain()
        if isinstance(told, str):
            return told
        name, given = next(iter(told.items()))
        return " ".join([name, *(f"{key} {value}" for key, value in given.items())])


def _parts(rule: Rule, joint: type) -> tuple[Rule, ...]:
    return rule.rules if isinstance(rule, (AllOf, AnyOf)) and type(rule) is joint else (rule,)


def _bracketed(condition: Condition) -> str:
    return f"({condition.label()})" if condition.several() else condition.label()


def name_of(rule: Rule) -> str:
    """Its name in scenario files."""
    return REGISTRY.name_of("rule", type(rule))


# --- joints ---


@dataclass
class AllOf(Rule):
    """True when all of its rules are."""

    rules: tuple[Rule, ...]

    def bind(self, charts: Charts) -> Condition:
        """All of them; each is evaluated after each bar, as some remember."""
        conditions = [rule.bind(charts) for rule in self.rules]
        parts = [condition.evaluate for condition in conditions]

        def evaluate() -> bool | None:
            found = [part() for part in parts]
            return False if False in found else None if None in found else True

        made = Condition(evaluate, lambda: " and ".join(one.part() for one in conditions), lambda: True)
        made.label = lambda: " and ".join(_bracketed(one) for one in conditions)
        return made

    def needs(self) -> Iterator[Need]:
        """What any of them looks at."""
        for rule in self.rules:
            yield from rule.needs()

    def mirror(self) -> Rule:
        """All mirror images."""
        return AllOf(tuple(rule.mirror() for rule in self.rules))

    def words(self) -> str:
        """All of them."""
        return f"({' and '.join(rule.words() for rule in self.rules)})"

    def plain(self) -> Any:
        """A list under "all"."""
        return {"all": [rule.plain() for rule in self.rules]}


@dataclass
class AnyOf(Rule):
    """True when one of its rules is."""

    rules: tuple[Rule, ...]

    def bind(self, charts: Charts) -> Condition:
        """Any of them; each is evaluated after each bar, as some remember."""
        conditions = [rule.bind(charts) for rule in self.rules]
        parts = [condition.evaluate for condition in conditions]
        found: list[bool | None] = []

        def evaluate() -> bool | None:
            found[:] = [part() for part in parts]
            return True if True in found else None if None in found else False

        def holding() -> list[Condition]:
            return [one for one, held in zip(conditions, found, strict=True) if held]

        def reason() -> str:
            true = holding()
            return true[0].reason() if len(true) == 1 else " or ".join(one.part() for one in true)

        def several() -> bool:
            true = holding()
            return len(true) > 1 or any(one.several() for one in true)

        def label() -> str:
            true = holding()
            return true[0].label() if len(true) == 1 else " or ".join(_bracketed(one) for one in true)

        made = Condition(evaluate, reason, several)
        made.label = label
        return made

    def needs(self) -> Iterator[Need]:
        """What any of them looks at."""
        for rule in self.rules:
            yield from rule.needs()

    def mirror(self) -> Rule:
        """Any mirror image."""
        return AnyOf(tuple(rule.mirror() for rule in self.rules))

    def words(self) -> str:
        """Any of them."""
        return f"({' or '.join(rule.words() for rule in self.rules)})"

    def plain(self) -> Any:
        """A list under "any"."""
        return {"any": [rule.plain() for rule in self.rules]}


@dataclass
class Not(Rule):
    """True when its rule is known to be false."""

    rule: Rule

    def bind(self, charts: Charts) -> Condition:
        """The opposite; what is not known stays so."""
        inner = self.rule.bind(charts)
        part = inner.evaluate

        def evaluate() -> bool | None:
            found = part()
            return None if found is None else not found

        return Condition(evaluate, self.words)

    def needs(self) -> Iterator[Need]:
        """What its rule looks at."""
        return self.rule.needs()

    def mirror(self) -> Rule:
        """The opposite of the mirror image."""
        return Not(self.rule.mirror())

    def words(self) -> str:
        """Not its rule."""
        return f"not {self.rule.words()}"

    def plain(self) -> Any:
        """The rule under "not"."""
        return {"not": self.rule.plain()}


@dataclass
class Lately(Rule):
    """True when its rule was at one of the latest ``bars`` bars of the strategy, the present one included."""

    rule: Any = field(metadata={"help": "a rule"})
    bars: int = field(default=10, metadata={"help": "bars to look back on"})

    def __post_init__(self) -> None:
        to_whole(self, "bars", low=1)
        self.rule = parse(self.rule, ("rule",))

    def bind(self, charts: Charts) -> Condition:
        """Counts the bars since its rule was true, and keeps why it was."""
        inner, length = self.rule.bind(charts), self.bars
        age, why, label = length, "", ""

        def evaluate() -> bool | None:
            nonlocal age, why, label
            found = inner.evaluate()
            age += 1
            if found:
                age, why, label = 0, inner.part(), _bracketed(inner)
            return True if age < length else found

        made = Condition(evaluate, lambda: f"{why}{f' {age} bars ago' if age else ''}")
        made.label = lambda: f"{label} within {length} bars"
        return made

    def needs(self) -> Iterator[Need]:
        """What its rule looks at."""
        found: Iterator[Need] = self.rule.needs()
        return found

    def mirror(self) -> Rule:
        """The mirror image, lately."""
        return Lately(self.rule.mirror(), self.bars)

    def words(self) -> str:
        """Its rule, lately."""
        return f"{self.rule.words()} within {self.bars} bars"

    def plain(self) -> Any:
        """The rule and the number of bars."""
        return {"lately": {"rule": self.rule.plain(), "bars": self.bars}}


# --- leaves ---


class Leaf(Rule):
    """A rule that looks at lines of one chart. Subclasses are dataclasses with a field ``timeframe``."""

    timeframe: int | str | None

    def lines(self) -> tuple[object, ...]:
        """The lines that it looks at, as text or numbers."""
        raise NotImplementedError

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """The condition on its lines, which are as ``lines`` says."""
        raise NotImplementedError

    def bind(self, charts: Charts) -> Condition:
        """On the chart of its timeframe."""
        chart = charts.chart(self._length())
        made = self.judge([chart.series(parse_line(line)) for line in self.lines()], chart)
        made.label = self.words
        return made

    def needs(self) -> Iterator[Need]:
        """Its lines."""
        for line in self.lines():
            yield Need(parse_line(line), self._length())

    def flipped(self, **changes: Any) -> Self:
        """The same rule with other parameters."""
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def _length(self) -> int | None:
        return None if self.timeframe is None else int(self.timeframe)


def to_timeframe(rule: Any) -> None:
    """The field ``timeframe`` becomes ns above zero; None stays."""
    if rule.timeframe is None:
        return
    try:
        rule.timeframe = duration(rule.timeframe)
    except InvalidValueError as error:
        raise InvalidValueError(f"timeframe: {error}") from None
    if rule.timeframe <= 0:
        raise InvalidValueError(f"timeframe: {rule.timeframe} ns must be above zero; write 1min")


def to_line(rule: Any, *names: str) -> None:
    """Fields become lines in their one form: text, or a number."""
    for name in names:
        try:
            line = parse_line(getattr(rule, name))
        except InvalidValueError as error:
            raise InvalidValueError(f"{name}: {error}") from None
        setattr(rule, name, str(line) if line.constant is None else line.constant)


# --- reading ---


def parse(told: object, path: Path = ()) -> Rule:
    """The rule that an object, a name, a mapping or a list (all of it) stands for.

    Raises Problems with the path below ``path`` of each thing that is wrong.
    """
    if isinstance(told, Rule):
        return told
    if isinstance(told, str):
        return _made(told, {}, path, path)
    if isinstance(told, (list, tuple)):
        return _joined(AllOf, told, path)
    if not isinstance(told, Mapping) or len(told) != 1:
        raise Problems([(path, _no_rule(told))])
    name, given = next(iter(told.items()))
    inside = (*path, name)
    if name == "not":
        return ~parse(given, inside)
    if name in ("all", "any"):
        if not isinstance(given, (list, tuple)):
            raise Problems([(inside, f"{show(given)} is not a list of rules: write [rsi, volume]")])
        return _joined(AllOf if name == "all" else AnyOf, given, inside)
    return _made(str(name), given, path, inside)


def parse_named(kind: str, name: str, given: object, path: Path, inside: Path) -> Any:
    """An object of a kind by its name and parameters: a mapping, or a list in the order of its parameters."""
    try:
        cls = REGISTRY.resolve(kind, name)
    except ConfigurationError as error:
        also = did_you_mean(name, JOINTS) if kind == "rule" else ""
        raise Problems([(path, f"{error}{also if 'did you mean' in also else ''}")]) from None
    if given is None:
        given = {}
    if isinstance(given, (list, tuple)):
        given = _by_name(kind, name, given, inside)
    if not isinstance(given, Mapping):
        raise Problems([(inside, f'{show(given)} are no parameters: write "name: value" for each')])
    values, problems = REGISTRY.check_parameters(cls, given)
    if problems:
        raise Problems([((*inside, *where), message) for where, message in problems])
    made = cls(**values)
    try:
        list(made.needs())  # its lines say what is wrong with them
    except InvalidValueError as error:
        raise Problems([(inside, str(error))]) from None
    return made


def _made(name: str, given: object, path: Path, inside: Path) -> Rule:
    made: Rule = parse_named("rule", name, given, path, inside)
    return made


def _by_name(kind: str, name: str, given: Sequence[object], inside: Path) -> dict[str, object]:
    names = [parameter.name for parameter in REGISTRY.parameters(kind, name)]
    if len(given) > len(names):
        raise Problems([(inside, f"{name} takes {', '.join(names)}: {len(given)} values are too many{_torn(given)}")])
    return dict(zip(names, given, strict=False))


def _torn(given: Sequence[object]) -> str:
    """A hint where an indicator's parameters were taken for values: ``[close, macd(12, 26, 9).signal]``."""
    texts = [part if isinstance(part, str) else show(part) for part in given]
    for first, text in enumerate(texts):
        if "(" in text and ")" not in text:
            last = next((place for place in range(first + 1, len(texts)) if ")" in texts[place]), None)
            if last is not None:
                return f'; quote a name with commas in it: "{", ".join(texts[first : last + 1])}"'
    return ""


def _joined(joint: type[AllOf] | type[AnyOf], told: Sequence[object], path: Path) -> Rule:
    if not told:
        raise Problems([(path, "the list of rules is empty: name one")])
    problems: list[tuple[Path, str]] = []
    rules: list[Rule] = []
    for number, part in enumerate(told):
        try:
            rules.append(parse(part, (*path, number)))
        except Problems as error:
            problems.extend(error.problems)
        except InvalidValueError as error:
            problems.extend(((*path, *where), message) for where, message in below(number, error))
    if problems:
        raise Problems(problems)
    return rules[0] if len(rules) == 1 else joint(tuple(rules))


def _no_rule(told: object) -> str:
    if isinstance(told, Mapping) and told:
        return f"{', '.join(map(str, told))} are several rules: join them with all or any"
    return f"{show(told)} is no rule: write a name such as rsi, or {{rsi: {{below: 30}}}}"
