"""A document: plain values in a tree in which every key and every value knows where it was written.

It neither reads files nor knows what a scenario is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeAlias

from marketsim.errors import InvalidValueError, ScenarioError

Scalar: TypeAlias = bool | int | float | str | None
Path: TypeAlias = tuple[str | int, ...]

_PLAIN_NAME = re.compile(r"^[^\s.\[\]\"=]+$")
_EXACT = 2**53  # whole floats up to here are exact, so they are written as integers
_SHOWN = 60  # characters of a wrong value that a message repeats


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source. Line and column count from 1; 0 means that the source has none (an override, Python)."""

    source: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


NOWHERE = Mark()


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a scalar, a mapping of nodes or a tuple of nodes.

    mark: where the value begins; key: where its key stands, when it is an entry of a mapping.
    plain: whether a scalar was written without quotes.
    """

    value: Scalar | Mapping[str, Node] | tuple[Node, ...] | Any
    mark: Mark = NOWHERE
    key: Mark | None = None
    plain: bool = False

    @property
    def entries(self) -> Mapping[str, Node]:
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, Mapping)

    def with_entries(self, entries: Mapping[str, Node]) -> Node:
        """The same mapping with other entries."""
        return replace(self, value=dict(entries))

    def child(self, step: str | int) -> Node | None:
        """The part under a key or an index, or None."""
        if isinstance(self.value, Mapping):
            return self.value.get(str(step))
        if isinstance(self.value, tuple) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def to_plain(self) -> Any:
        """The bare value: dictionaries, lists and scalars."""
        if isinstance(self.value, Mapping):
            return {name: node.to_plain() for name, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.to_plain() for node in self.value]
        return self.value


def from_plain(value: object, mark: Mark = NOWHERE) -> Node:
    """A node of dictionaries, lists and scalars built in Python, all of them marked with one place."""
    if isinstance(value, Mapping):
        return Node({str(name): replace(from_plain(part, mark), key=mark) for name, part in value.items()}, mark)
    if isinstance(value, (list, tuple)):
        return Node(tuple(from_plain(part, mark) for part in value), mark)
    return Node(value, mark)


def format_path(path: Iterable[str | int]) -> str:
    """``agents.mm.gamma`` or ``timeline[0].at``; names that contain a dot are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _PLAIN_NAME.match(step) else json.dumps(step, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def locate(root: Node, path: Path, *, at_key: bool = False) -> Mark:
    """Where the value (or its key) at a path was written; for a missing one, where its nearest parent was."""
    node = root
    for position, step in enumerate(path):
        child = node.child(step)
        if child is None:
            return node.mark if position == 0 else (node.key or node.mark)
        node = child
    return node.key if at_key and node.key else node.mark


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, at which path, and what to do about it."""

    path: Path
    message: str
    mark: Mark = NOWHERE

    def __str__(self) -> str:
        where = str(self.mark)
        what = f"{format_path(self.path)}: {self.message}" if self.path else self.message
        return f"{where}  {what}" if where else what

    def located(self, root: Node, *, at_key: bool = False) -> Finding:
        """The same finding with the mark of its path in a document."""
        return replace(self, mark=locate(root, self.path, at_key=at_key))


def raise_findings(findings: Iterable[Finding], files: Iterable[str] = ()) -> None:
    """Raise one ScenarioError that holds every finding, file by file and in the order of their lines; none: return.

    files: in which order files come; what was found elsewhere comes last.
    """
    found = list(findings)
    order = list(dict.fromkeys([*files, *(finding.mark.source for finding in found)]))
    found.sort(key=lambda finding: (order.index(finding.mark.source), finding.mark.line, finding.mark.column))
    if found:
        raise ScenarioError(dict.fromkeys(map(str, found)))


def outside(findings: Iterable[Finding], paths: Collection[Path]) -> Iterator[Finding]:
    """The findings that lie neither at nor below one of the paths: what follows from another finding is left out."""
    for finding in findings:
        if not any(finding.path[:length] in paths for length in range(1, len(finding.path) + 1)):
            yield finding


def show(value: object) -> str:
    """A wrong value as a message repeats it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def canonical(value: object) -> Any:
    """A free value as JSON knows it, one form for equal values: whole floats are ints, infinities are text.

    Raises InvalidValueError for what cannot be written into a scenario: NaN and objects of other kinds.
    """
    if isinstance(value, Mapping):
        return {str(name): canonical(part) for name, part in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # NumPy, which need not be imported for this
        return canonical(value.tolist())
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, (bool, str)):
        return value
    return _canonical_number(value)


def _canonical_number(value: object) -> Any:
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if value != value:
            raise InvalidValueError("nan cannot be written into a scenario: leave the value out, or write a number")
        if value in (float("inf"), float("-inf")):
            return "inf" if value > 0 else "-inf"
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if isinstance(value, Decimal):
        return canonical_decimal(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    raise InvalidValueError(
        f"a value of type {type(value).__name__} cannot be written into a scenario: "
        "use numbers, text, true or false, lists and mappings"
    )


def canonical_decimal(value: Decimal) -> int | str:
    """A decimal as JSON: an int when it is whole, its exact plain text otherwise."""
    if value == value.to_integral_value() and abs(value) <= _EXACT:
        return int(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
