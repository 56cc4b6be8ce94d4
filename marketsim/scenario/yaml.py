"""YAML 1.2 in, YAML out: text becomes a tree of nodes with their places, a plain value becomes text.

Differs from PyYAML's own loader where that follows YAML 1.1: ``10:30`` and ``no`` are text, ``1e6`` is a number,
``010`` is ten and ``0o10`` is eight. A key given twice is an error. Keys are always text, as written. It builds nothing
but mappings, lists and scalars, and it never runs what a tag asks for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml as pyyaml

from marketsim.scenario.document import Finding, Mark, Node, Path, Scalar, show

try:
    from yaml import CSafeLoader as _FastLoader
except ImportError:  # PyYAML was built without libyaml: slower, otherwise the same
    _FastLoader = pyyaml.SafeLoader  # type: ignore[assignment,misc]

_TAG = "tag:yaml.org,2002:"
_NULL: Final = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT: Final = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_RULES = (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT))
_FIRST = {
    "null": ["~", "n", "N", ""],
    "bool": list("tTfF"),
    "int": list("-+0123456789"),
    "float": list("-+.0123456789"),
}
_LONGEST_INT = 4_000  # characters; Python refuses to read longer ones
_DEEPEST = 100  # levels of mappings and lists
_TOO_DEEP = f"nested too deeply, more than {_DEEPEST} levels"
_MOST_VALUES = 200_000  # what aliases may expand to


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, rule in _RULES:
        for first in _FIRST[name]:
            table.setdefault(first, []).append((_TAG + name, rule))
    return table


class _Shallow:
    """Counts how deep PyYAML composes: its C composer takes the process down where documents are nested too deeply."""

    depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Called before each value is composed."""
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = current_node.start_mark if current_node is not None else None
            raise pyyaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=mark)

    def ascend_resolver(self) -> None:
        """Called after it."""
        self.depth -= 1


class _Loader(_Shallow, _FastLoader):
    """PyYAML's loader under the rules of YAML 1.2."""

    yaml_implicit_resolvers = _resolvers()


class _PureLoader(_Shallow, pyyaml.SafeLoader):
    """The same without libyaml."""

    yaml_implicit_resolvers = _resolvers()


def _careful() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The rules of YAML 1.1 and 1.2 together."""
    old, new = pyyaml.SafeDumper.yaml_implicit_resolvers, _resolvers()
    return {first: [*old.get(first, []), *new.get(first, [])] for first in {*old, *new}}


class _Dumper(pyyaml.SafeDumper):
    """Writes block style and quotes whatever YAML 1.1 or 1.2 would read as something else than text."""

    yaml_implicit_resolvers = _careful()

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time."""
        return True

    def represent_str(self, data: str) -> Any:
        """Text with rare characters goes into double quotes: PyYAML folds rare line breaks away elsewhere."""
        rare = any(not character.isprintable() and character != "\n" for character in data)
        return self.represent_scalar(_TAG + "str", data, style='"' if rare else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def scalar(text: str) -> Scalar:
    """What an unquoted scalar means under YAML 1.2: ``null``, a bool, an int, a float or the text itself.

    A number that is too large to be read stays text.
    """
    for name, rule in _RULES:
        if rule.match(text):
            return text if _too_large(name, text) else _construct(name, text)
    return text


def _too_large(name: str, text: str) -> bool:
    if name == "int":
        return len(text) > _LONGEST_INT
    return name == "float" and "inf" not in text.lower() and math.isinf(float(text.lower().replace(".nan", "nan")))


def _construct(name: str, text: str) -> Scalar:
    if name == "null":
        return None
    if name == "bool":
        return text.lower() == "true"
    if name == "int":
        return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def read(text: str, source: str = "", *, pure: bool = False) -> tuple[Node, list[Finding]]:
    """The tree of one YAML document and what is wrong with it; an unreadable text gives an empty tree.

    pure: read without libyaml.
    """
    loader: Any = None
    try:
        loader = (_PureLoader if pure else _Loader)(text)
        top = loader.get_single_node()
        return _Converter(source).convert(top)
    except pyyaml.MarkedYAMLError as error:
        return Node({}, Mark(source, 1, 1)), [_syntax_finding(error, source)]
    except pyyaml.reader.ReaderError as error:
        return Node({}, Mark(source, 1, 1)), [_character_finding(error.position, error.character, text, source)]
    except UnicodeEncodeError as error:  # half a surrogate pair, such as the command line makes of bytes
        return Node({}, Mark(source, 1, 1)), [_character_finding(error.start, text[error.start], text, source)]
    finally:
        if loader is not None:
            loader.dispose()


def _syntax_finding(error: pyyaml.MarkedYAMLError, source: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    where = Mark(source, mark.line + 1, mark.column + 1) if mark else Mark(source, 1, 1)
    if error.context and error.context.startswith("expected a single document"):
        return Finding((), 'not valid YAML: a second document begins here; a file holds one: remove the "---"', where)
    if error.problem and "nesting depth" in error.problem:  # a limit that newer releases of libyaml have themselves
        return Finding((), f"not valid YAML: {_TOO_DEEP}", where)
    begun = f" that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
    context = f" ({error.context}{begun})" if error.context else ""
    return Finding((), f"not valid YAML: {error.problem or 'unreadable'}{context}", where)


def _character_finding(position: int, found: int | str, text: str, source: str) -> Finding:
    before = text[:position]
    where = Mark(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
    character = found if isinstance(found, int) else ord(str(found)[:1] or "\0")
    return Finding((), f"not valid YAML: the character U+{character:04X} is not allowed; remove it", where)


class _Converter:
    """Turns PyYAML's nodes into ours; one for each document."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.findings: list[Finding] = []
        self.open: set[int] = set()  # the collections around the present one: an alias to one of them has no end
        self.values = 0

    def convert(self, top: Any) -> tuple[Node, list[Finding]]:
        """The tree and the findings."""
        if top is None:
            return Node(None, Mark(self.source, 1, 1)), self.findings
        return self._node(top, ()), self.findings

    def _mark(self, node: Any) -> Mark:
        return Mark(self.source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _report(self, node: Any, path: Path, message: str) -> None:
        self.findings.append(Finding(path, message, self._mark(node)))

    def _node(self, node: Any, path: Path) -> Node:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise pyyaml.MarkedYAMLError(
                problem=f"aliases expand to more than {_MOST_VALUES} values", problem_mark=node.start_mark
            )
        if isinstance(node, pyyaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self.open:
            self._report(node, path, "an alias refers to a value that contains it: write the value out")
            return Node(None, self._mark(node))
        self.open.add(id(node))
        converted = self._mapping(node, path) if isinstance(node, pyyaml.MappingNode) else self._sequence(node, path)
        self.open.discard(id(node))
        return converted

    def _scalar(self, node: Any, path: Path) -> Node:
        name = node.tag.removeprefix(_TAG)
        unquoted = not node.style
        rule = dict(_RULES).get(name)
        if name == "str":
            return Node(node.value, self._mark(node), plain=unquoted)
        if rule is None or not rule.match(node.value):
            self._report(node, path, f"the tag {node.tag!r} is not known or does not fit {node.value!r}: remove it")
            return Node(node.value, self._mark(node))
        if _too_large(name, node.value):
            self._report(node, path, f"{show(node.value)} is too large a number to be read: write a smaller one")
            return Node(0, self._mark(node))
        return Node(_construct(name, node.value), self._mark(node), plain=unquoted)

    def _sequence(self, node: Any, path: Path) -> Node:
        if node.tag != _TAG + "seq":
            self._report(node, path, f"the tag {node.tag!r} is not known: remove it")
        parts = tuple(self._node(part, (*path, index)) for index, part in enumerate(node.value))
        return Node(parts, self._mark(node))

    def _mapping(self, node: Any, path: Path) -> Node:
        if node.tag != _TAG + "map":
            self._report(node, path, f"the tag {node.tag!r} is not known: remove it")
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            name = self._name(key, path)
            if name is None:
                continue
            if name == "<<" and not key.style:
                merged = {**self._merged(value, path), **merged}
            elif name in entries:
                first = entries[name].key
                place = f"line {first.line}" if first else "above"
                self._report(key, (*path, name), f"given twice, first in {place}: keep one of them")
            else:
                part = self._node(value, (*path, name))
                entries[name] = Node(part.value, part.mark, self._mark(key), part.plain)
        return Node({**merged, **entries}, self._mark(node))

    def _name(self, key: Any, path: Path) -> str | None:
        if isinstance(key, pyyaml.ScalarNode):
            return str(key.value)
        self._report(key, path, "a key must be a name, not a list or a mapping")
        return None

    def _merged(self, value: Any, path: Path) -> dict[str, Node]:
        """The entries that ``<<: *other`` or ``<<: [*one, *two]`` brings in; an earlier one wins."""
        parts = value.value if isinstance(value, pyyaml.SequenceNode) else [value]
        entries: dict[str, Node] = {}
        for part in parts:
            node = self._node(part, path)
            if not node.is_mapping:
                self._report(part, path, '"<<" takes a mapping or a list of mappings')
            entries = {**node.entries, **entries}
        return entries


def write(value: Mapping[str, Any]) -> str:
    """A mapping as YAML text, in its own order; reading the text gives the mapping back."""
    return pyyaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110)
