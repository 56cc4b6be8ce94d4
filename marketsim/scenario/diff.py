"""The difference of two scenarios: path by path, what one says and what the other says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marketsim.scenario.document import Path, format_path
from marketsim.scenario.spec import ScenarioSpec

_LONG = 48  # letters of a value in a line


class _Absent:
    """Stands for a value that one of the two does not have."""

    def __repr__(self) -> str:
        return "(nothing)"

    def __reduce__(self) -> str:
        return "ABSENT"  # the same one in every process


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Difference:
    """One path at which two scenarios differ; ``ABSENT`` where one has nothing."""

    path: str
    left: Any
    right: Any

    @property
    def texts(self) -> tuple[str, str]:
        """Both values as they are written."""
        return _text(self.left), _text(self.right)

    @property
    def section(self) -> bool:
        """Whether one of the two has a whole section here, or a list, that the other has not."""
        there = self.right if self.left is ABSENT else self.left
        return ABSENT in (self.left, self.right) and isinstance(there, (Mapping, list))

    @property
    def short(self) -> tuple[str, str]:
        """Both values for a line: of a section what it is, and of long ones their beginning."""
        left, right = (_brief(side) if self.section else _cut(_text(side)) for side in (self.left, self.right))
        return left, right

    def __str__(self) -> str:
        return f"{self.path}: {_text(self.left)} → {_text(self.right)}"


def diff(left: ScenarioSpec, right: ScenarioSpec) -> list[Difference]:
    """Every value that differs, in the order of the canonical form; a section that one lacks is one difference."""
    return differences(left.to_dict(), right.to_dict())


def differences(left: Any, right: Any, under: str = "") -> list[Difference]:
    """The same of any two plain values: mappings, lists, scalars. under: a first step of all paths."""
    return list(_differences((under,) if under else (), left, right))


def format_diff(differences: Iterable[Difference]) -> str:
    """A line for each difference, values in columns; "no differences" for none."""
    rows = [(difference.path, *difference.texts) for difference in differences]
    if not rows:
        return "no differences"
    wide, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{path:<{wide}}  {left:<{middle}}  →  {right}" for path, left, right in rows)


def format_changes(differences: Iterable[Difference]) -> str:
    """As ``format_diff``, in short: a section that is new or gone is told by its type and count, a long value cut."""
    found = list(differences)
    if not found:
        return "no differences"
    lines = []
    values = [one for one in found if not one.section]
    wide, middle = (max((len(text) for text in texts), default=0) for texts in (
        [one.path for one in values], [one.short[0] for one in values]
    ))  # fmt: skip
    for one in found:
        left, right = one.short
        if one.section:
            lines.append(f"{one.path}: {f'added {right}' if one.left is ABSENT else f'gone {left}'}")
        else:
            lines.append(f"{one.path:<{wide}}  {left:<{middle}}  →  {right}")
    return "\n".join(lines)


def _brief(value: Any) -> str:
    """Of a section its type and count, or how many values it has."""
    if isinstance(value, list):
        return f"({len(value)} {'entry' if len(value) == 1 else 'entries'})"
    if isinstance(value, Mapping):
        told = [f"{key} {value[key]}" for key in ("type", "count") if key in value]
        return f"({', '.join(told) or f'{len(value)} values'})"
    return _text(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _differences(path: Path, left: Any, right: Any) -> Iterator[Difference]:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        names = [*left, *(name for name in right if name not in left)]
        for name in names:
            yield from _differences((*path, name), left.get(name, ABSENT), right.get(name, ABSENT))
    elif isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            parts = (side[index] if index < len(side) else ABSENT for side in (left, right))
            yield from _differences((*path, index), *parts)
    elif left is ABSENT or right is ABSENT or _text(left) != _text(right):
        yield Difference(format_path(path), left, right)


def _text(value: Any) -> str:
    return repr(value) if value is ABSENT else value if _is_word(value) else json.dumps(value, ensure_ascii=False)


def _is_word(value: Any) -> bool:
    """Text that cannot be taken for a number, a boolean or nothing."""
    return (
        isinstance(value, str)
        and value.strip() == value
        and value[:1].isalpha()
        and value not in ("true", "false", "null")
    )
