"""Own code: compiled functions outside marketsim or among its agents, and the cache that keeps them between starts.

Numba looks at a function's own file only: a changed function of another file, or a changed value, would go unnoticed.
Here a result is found by a fingerprint of everything of that kind that decides what a function compiles to: its code,
the values that it names, and the same of every function that it calls. So a result is never stale, serves a copy
of the file elsewhere as well, and needs no file beside the source: that may lie in a read-only place, or nowhere.
The sources of the market itself are in the name of the folder (see kernel.compiled); who works on one agent need not
wait for that to be compiled again. This module compiles nothing.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

KEPT = 1000  # files in a folder: some ten MB
KNOWN = frozenset(sys.stdlib_module_names) | {"marketsim", "numba", "numpy"}  # what the folder's name speaks for
_AGENTS = "marketsim.agents."
UNREADABLE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def is_own(function: Any) -> bool:
    """Whether a function lies outside marketsim and the libraries that its compiled code is made of."""
    return str(getattr(function, "__module__", None) or "").partition(".")[0] not in KNOWN


def is_apart(function: Any) -> bool:
    """Whether a function is kept by its own fingerprint: it is own code, or an agent's."""
    return is_own(function) or str(function.__module__).startswith(_AGENTS)


class OwnCode(NullCache):  # type: ignore[misc]
    """The cache of one function that is kept apart: a file for each kind of arguments, in ``folder``."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._function = function
        self._folder = folder

    @property
    def cache_path(self) -> str:
        """Where its files lie."""
        return str(self._folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled before for a signature; None when there is nothing, or nothing readable."""
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        with suppress(*UNREADABLE):  # a damaged file is as good as none: it is compiled and written anew
            return CompileResult._rebuild(target_context, *pickle.loads(path.read_bytes()))  # noqa: S301 - our own file
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a result where that is possible; a disk that is full or read-only costs the next start, not this one."""
        path = self._path(sig, data.codegen)
        if path is None or data.lifted or data.library.has_dynamic_globals:
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_at_once(path, dumps(data._reduce()))
            forget_oldest(self._folder)

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        words = repr((sig, codegen.magic_tuple()))
        if ADDRESS.search(words):  # a function among the arguments: it has another name in each process
            return None
        target = hashlib.blake2b(words.encode(), digest_size=6).hexdigest()
        return self._folder / f"{short_name(self._function)}-{fingerprint(self._function)}-{target}.code"


def short_name(function: Callable[..., Any]) -> str:
    """What people recognise a function's file by."""
    return re.sub(r"[^\w.]", "", function.__qualname__)[-60:]


def write_at_once(path: Path, content: bytes) -> None:
    """At once: whoever reads meanwhile sees all of it or nothing."""
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def forget_oldest(folder: Path) -> None:
    """Each edit leaves a file: keep the latest."""
    files = [entry for entry in os.scandir(folder) if entry.is_file()]
    for entry in sorted(files, key=lambda entry: entry.stat().st_mtime_ns)[:-KEPT]:
        Path(entry.path).unlink(missing_ok=True)


def fingerprint(function: Callable[..., Any]) -> str:
    """A hash of everything in its own or agents' code that decides what a function compiles to."""
    digest = hashlib.blake2b(digest_size=12)
    for reached in reach(function):
        digest.update(f"{reached.__qualname__} {_code(reached.__code__)} {_value(reached.__defaults__)}\0".encode())
        for name, value in named(reached):
            digest.update(f"{name}={_value(value)}\0".encode())
    return digest.hexdigest()


def reach(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """A function and all functions of that kind that it may call, each once, as the Python they are written in."""
    waiting, met = [function], set()
    while waiting:
        current = _python(waiting.pop(0))
        if current is None or current in met:
            continue
        met.add(current)
        yield current
        waiting.extend(value for _, value in named(current) if is_apart(value))


def _python(value: Any) -> FunctionType | None:
    """The Python function that a value is, or was compiled from."""
    value = getattr(value, "py_func", value)
    return value if isinstance(value, FunctionType) else None


def named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function's names stand for outside itself; through modules, what they hold under its names."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not yet filled
            yield name, cell.cell_contents
    names = list(dict.fromkeys(name for code in _codes(function.__code__) for name in code.co_names))
    for name in names:
        if name in function.__globals__:
            yield from _through(name, function.__globals__[name], names, {id(function.__globals__)})


def _through(name: str, value: Any, names: list[str], met: set[int]) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, ModuleType):
        yield name, value
    elif value.__name__.partition(".")[0] not in KNOWN and id(value) not in met:
        met.add(id(value))
        for inner in names:
            if inner in vars(value):
                yield from _through(f"{name}.{inner}", vars(value)[inner], names, met)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions, comprehensions and so on inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _code(code: CodeType) -> str:
    """Everything of a code but where it stands."""
    constants = [_code(value) if isinstance(value, CodeType) else _value(value) for value in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return repr((code.co_code, constants, names, code.co_argcount, code.co_kwonlyargcount, code.co_flags))


def _value(value: Any) -> str:
    """A value as compiled code may hold it for good; functions by their names, as their code is hashed by itself."""
    kind = type(value).__name__
    if isinstance(value, (tuple, list)):
        return f"{kind}({', '.join(map(_value, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{kind}({', '.join(sorted(map(_value, value)))})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype.descr} {value.shape} {hashlib.blake2b(value.tobytes()).hexdigest()}"
    if isinstance(value, Enum):
        return f"{_name(type(value))}.{value.name}={value.value!r}"
    if callable(value) or isinstance(value, type):
        options = repr(sorted(getattr(value, "targetoptions", {}).items()))
        source = _source(value.__module__) if isinstance(value, type) and is_apart(value) else ""
        return f"{_name(getattr(value, 'py_func', value))} {options} {source}"
    words = repr(value)
    return f"{kind} {words}" if not ADDRESS.search(words) else f"{kind} {_source(type(value).__module__)}"


def _name(thing: Any) -> str:
    """The qualified name; the module of a user's own may be called __main__ at one time and otherwise at another."""
    name = getattr(thing, "__qualname__", str(thing))
    return name if is_apart(thing) else f"{thing.__module__}.{name}"


def _source(module: str) -> str:
    """A hash of a module's source: for values that tell nothing about themselves."""
    with suppress(OSError, TypeError, KeyError):
        return hashlib.blake2b(inspect.getsource(sys.modules[module]).encode()).hexdigest()
    return module
