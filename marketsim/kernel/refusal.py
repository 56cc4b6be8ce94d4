"""A refusal: why a function could not be compiled, as a sentence with the file and line of its author's source.

Numba tells what it was doing; this module finds in that what the author can change. It compiles nothing.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numba

from marketsim.errors import ConfigurationError, did_you_mean
from marketsim.kernel.own_code import reach

_PACKAGE = Path(__file__).resolve().parent.parent
_INNER = (_PACKAGE, _PACKAGE.parent / "agents", Path(numba.__file__).resolve().parent)
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r"(?:\bat|\bfrom) (?P<file>[^\n\"']+?) \((?P<line>\d+)\)")
_CALLEE = re.compile(r"<function (\w+) at ")
_NUMBERS = "fields of the record and local variables hold numbers"
_OPCODES = {
    "IMPORT_NAME": "an import cannot stand inside a policy: move it to the top of the file",
    "LOAD_BUILD_CLASS": "a class cannot be made inside a policy: move it to the top of the file",
    "STORE_GLOBAL": "a global cannot be changed: keep what changes in a field of the agent",
}
_SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "neg": "-",
    "iadd": "+=", "isub": "-=", "imul": "*=", "itruediv": "/=", "ifloordiv": "//=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[…]", "setitem": "[…] =", "contains": "in", "and_": "&", "or_": "|",
}  # fmt: skip
_KINDS = (
    (r".*\bgenerator\(", "a generator: yield has no place in it"),
    (r"Literal\[int\]|u?int\d+", "an int"),
    (r"float\d+", "a float"),
    (r"bool", "a bool"),
    (r"Literal\[str\]|unicode", "text"),
    (r"[Nn]one", "None"),
    (r"nestedarray|array", "a list of numbers"),
    (r"Record", "a record"),
    (r"(?:U?ni)?[Tt]uple", "a tuple"),
    (r"(?:reflected )?list|List", "a list"),
    (r"DictType|dict", "a dict"),
    (r"Optional", "an int on one way and None on another"),
    (r"type\(CPUDispatcher|Function", "a function"),
)


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        path = Path(self.file)
        with suppress(ValueError, OSError):
            path = path.relative_to(Path.cwd())
        return f"{path}:{self.line}"

    @property
    def text(self) -> str:
        """What stands there."""
        linecache.checkcache(self.file)
        return linecache.getline(self.file, self.line).strip()


def explained(function: Any, arguments: Sequence[Any], error: BaseException) -> ConfigurationError:
    """What to tell of an error that compiling a function for these types raised; the error should be its cause."""
    told = _short(_COLORS.sub("", str(error))).strip()
    if isinstance(error, KeyError):
        place, sentence = _unknown_field(function, arguments, str(error.args[0]))
    elif isinstance(error, AttributeError):
        place, sentence = _unknown_name(function, told)
    else:
        place, sentence = _place(function, told, getattr(error, "loc", None)), _sentence(function, told)
    return refused(function, place or start_of(function), sentence)


def refused(function: Any, place: Place, sentence: str) -> ConfigurationError:
    """The error to raise."""
    source = f"\n    {place.text}" if place.text else ""
    return ConfigurationError(f"{place}: {_python(function).__qualname__} cannot be compiled: {sentence}{source}")


def start_of(function: Any) -> Place:
    """Where a function begins: its def, below its decorators."""
    code = _python(function).__code__
    for node, offset in _nodes(_python(function)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return Place(code.co_filename, node.lineno + offset)
    return Place(code.co_filename, code.co_firstlineno)


def kind_of(type_name: object) -> str:
    """A type of Numba's in words."""
    text = str(type_name)
    return next((words for pattern, words in _KINDS if re.match(pattern, text)), text.partition("(")[0])


def _short(told: str) -> str:
    """Without the layouts of records, which Numba spells out."""
    head, found, rest = told.partition("Record(")
    if not found:
        return told
    depth = 1
    for place, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return f"{head}Record{_short(rest[place + 1 :])}"
    return told


# --- where ---


def _place(function: Any, told: str, location: Any) -> Place | None:
    """The innermost line of the author's own that an error tells of."""
    found = [Place(match["file"], int(match["line"])) for match in _PLACE.finditer(told)]
    if location is not None:
        found.append(Place(str(location.filename), int(location.line)))
    if "'with (" in told:
        found += _lines(function, lambda node: isinstance(node, (ast.With, ast.AsyncWith)))
    own = [place for place in found if not _is_inner(place.file)]
    own += [place for place in found if place.file == _python(function).__code__.co_filename]
    return own[0] if own else None


def _is_inner(file: str) -> bool:
    path = Path(file).resolve()
    return any(path.is_relative_to(folder) for folder in _INNER)


def refused_chance(function: Any) -> ConfigurationError | None:
    """The error for a function that draws from a generator of the process: no run with it could be repeated."""
    for reached in reach(function):
        world = reached.__globals__

        def draws(node: Any, world: dict[str, Any] = world) -> bool:
            if isinstance(node, ast.Attribute):
                named = world.get(node.value.id) if isinstance(node.value, ast.Name) else None
                return node.attr == "random" and getattr(named, "__name__", "") == "numpy"
            home = world.get(node.id) if isinstance(node, ast.Name) else None
            return "random" in (getattr(home, "__name__", ""), getattr(home, "__module__", "")) or (
                getattr(home, "__name__", "") == "numpy.random"
            )

        place = line_of(reached, draws)
        if place is not None:
            return refused(
                function,
                place,
                "it draws from a generator that the whole process shares, so no run could be repeated; use "
                "policies.uniform(seen.key, PURPOSE, draw), exponential, normal or below",
            )
    return None


def line_of(function: Any, wanted: Callable[[Any], bool]) -> Place | None:
    """The first line of a function that holds such a piece of syntax."""
    code = _python(function).__code__
    lines = [getattr(node, "lineno", 1) + offset for node, offset in _nodes(_python(function)) if wanted(node)]
    return Place(code.co_filename, min(lines)) if lines else None


def _lines(function: Any, wanted: Callable[[ast.AST], bool]) -> list[Place]:
    """Where nodes stand in a function and in those of its author that it may call."""
    return [
        Place(reached.__code__.co_filename, getattr(node, "lineno", 1) + offset)
        for reached in reach(function)
        for node, offset in _nodes(reached)
        if wanted(node)
    ]


def _nodes(function: FunctionType) -> Iterator[tuple[ast.AST, int]]:
    """The syntax of a function, and what to add to its line numbers; nothing where the source is not to be had."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return
    for node in ast.walk(tree):
        yield node, first - 1


def _python(function: Any) -> FunctionType:
    python: FunctionType = getattr(function, "py_func", function)
    return python


# --- what ---


def _unknown_field(function: Any, arguments: Sequence[Any], name: str) -> tuple[Place | None, str]:
    """A record was asked for a field that it does not have."""
    records: Mapping[str, Any] = dict(zip(inspect.signature(_python(function)).parameters, arguments, strict=False))
    for reached in reach(function):
        for node, offset in _nodes(reached):
            if not (isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)):
                continue
            fields = getattr(records.get(node.value.id), "fields", {})
            if name not in fields:
                owner = node.value.id
                place = Place(reached.__code__.co_filename, node.lineno + offset)
                return place, f'{owner} has no field "{name}"{did_you_mean(name, fields)}'
    return None, f'a record has no field "{name}"'


def _unknown_name(function: Any, told: str) -> tuple[Place | None, str]:
    """A module was asked for a name that it does not have."""
    match = re.search(r"module '([\w.]+)' has no attribute '(\w+)'", told)
    if match is None:
        return None, told
    module, name = match.groups()
    lines = _lines(function, lambda node: isinstance(node, ast.Attribute) and node.attr == name)
    known = [each for each in dir(sys.modules.get(module)) if not each.startswith("_")]
    repair = did_you_mean(name, known)
    return lines[0] if lines else None, f"{module} has no {name}{repair if '?' in repair else ''}"


def _sentence(function: Any, told: str) -> str:
    for pattern, words in _SENTENCES:
        match = re.search(pattern, told, re.DOTALL)
        if match is not None:
            return words(function, match)
    inner = list(_PLACE.finditer(told))
    if inner and _is_inner(inner[0]["file"]) and (callee := _callee(told, inner)):
        return f"{callee} cannot take these arguments: it takes ({_takes(function, callee)})"
    lines = (line.strip() for line in told.splitlines())
    return next((line.rstrip(".") for line in lines if line and not line.startswith("Failed in nopython")), told)


def _callee(told: str, places: Sequence[re.Match[str]]) -> str:
    """The function of marketsim that the author called: the last one that is told of before a line of the author's."""
    end = next((place.start() for place in places if not _is_inner(place["file"])), len(told))
    names = _CALLEE.findall(told[:end])
    return names[-1] if names else ""


def _takes(function: Any, callee: str) -> str:
    for reached in reach(function):
        modules = [
            vars(value)
            for name, value in reached.__globals__.items()
            if isinstance(value, ModuleType) and name in reached.__code__.co_names
        ]
        for scope in (reached.__globals__, *modules):
            if callee in scope:
                return ", ".join(inspect.signature(_python(scope[callee])).parameters)
    return "…"


def _undefined(function: Any, match: re.Match[str]) -> str:
    return f"{match[1]} is not defined: define or import it at the top of the file"


def _untyped(function: Any, match: re.Match[str]) -> str:
    name, kind = match[1], match[2]
    if kind == "function":
        return f"{name} is a plain Python function: decorate it with @compiled of marketsim.policies"
    return f"{name} is a {kind}, which compiled code cannot use: {_NUMBERS}, and functions are decorated with @compiled"


def _bind(function: Any, match: re.Match[str]) -> str:
    parameters = ", ".join(re.findall(r"(\w+)(?=[:=,)])", re.sub(r": '?\w+'?", ":", match[2])))
    callee = _CALLEE.search(match.string)
    return f"{callee[1] if callee else 'the function'} takes ({parameters}): {match[3]}"


def _cast(function: Any, match: re.Match[str]) -> str:
    given, wanted, owner, name = match[1], match[2], match[3], match[4]
    if wanted.startswith("nestedarray"):
        return f"{owner}.{name} is a list of numbers: set them one by one, {owner}.{name}[place] = value"
    return f"{owner}.{name} holds {kind_of(wanted)} and cannot be given {kind_of(given)}"


def _operation(function: Any, match: re.Match[str]) -> str:
    kinds = " and ".join(kind_of(part.strip()) for part in re.split(r",(?![^(\[]*[)\]])", match[2]) if part.strip())
    name = match[1].rpartition(".")[2]
    return f"{_SIGNS.get(name, name)} does not work with {kinds}"


def _unprecise(function: Any, match: re.Match[str]) -> str:
    return f"{match[1]} is {kind_of(match[2])} of nobody knows what: {_NUMBERS}"


def _unified(function: Any, match: re.Match[str]) -> str:
    name = match[3].partition(".")[0]
    return f"{name} is {kind_of(match[1])} on one way and {kind_of(match[2])} on another: let it be one of them"


def _opcode(function: Any, match: re.Match[str]) -> str:
    return _OPCODES.get(match[1], f"this construct ({match[1]}) is not supported: say it in plainer words")


def _float(function: Any, match: re.Match[str]) -> str:
    return f"{match[0]}: round it, such as int({match[1]})"


_Words = Callable[[Any, "re.Match[str]"], str]
_SENTENCES: tuple[tuple[str, _Words], ...] = (
    (r"name '(\w+)' is not defined", _undefined),
    (r"Untyped global name '(\w+)':.*?Cannot determine Numba type of <class '([\w.]+)'>", _untyped),
    (r"Cannot bind '(.*)' to signature '(.*?)' due to \"TypeError: (.*?)\"", _bind),
    (r"\w+ takes a whole number as (\w+), not a float", _float),
    (r"Cannot cast (.+?) to (\w+.*?):.*lowering \"\((\w+)\)\.(\w+) =", _cast),
    (r"exception_match", lambda function, match: "only `except Exception:` is supported: name no other exception"),
    (r"No implementation of function [^\n]*found for signature:\s*>>> (\w+)\((.*?)\)\s*\n", _operation),
    (r"Cannot infer the type of variable '(\w+)[^']*'.*?imprecise type: (\w+)", _unprecise),
    (r"Cannot unify (.+?) and (.+?) for '([\w.]+)'", _unified),
    (r"unsupported opcode \((\w+)\)", _opcode),
    (r"No type info available for (.+?) as a callable",
     lambda function, match: f"{kind_of(match[1])} is called like a function: take away the parentheses"),
    (r"Unknown attribute '(\w+)' of type (\w*nestedarray)",
     lambda function, match: f"a list of numbers in a record has no {match[1]}: its length is fixed; set its places"),
    (r"Unsupported constraint encountered: (.*?)\n", lambda function, match: f"{match[1]} is not supported"),
    (r"^(.*?)\.*\s*Raised from", lambda function, match: match[1].strip()),
)  # fmt: skip
