"""Compiled code: the one place that sets Numba up, owns addresses and hides the difference to plain Python.

Everything compiled in marketsim uses ``compiled`` as its decorator, keeps its state in a ``Table`` and reaches it in
compiled code with ``array_at(address, length, DTYPE)``. With ``NUMBA_DISABLE_JIT=1`` the same functions run as the
Python they are written in. This module never holds state of a market.

The cache of compiled code lies in a folder named by a hash of every source that may be compiled and of the versions
involved, because Numba does not notice a changed callee or record layout in another file. The folder lies in the
user's cache, so installs in read-only places are served too. Functions outside marketsim, and those of its agents, have
a cache of their own in it (kernel.own_code), which notices whatever they reach.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import sys
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import config

from marketsim.kernel.own_code import OwnCode, is_apart, is_own

F = TypeVar("F", bound=Callable[..., Any])
Rows = Any  # an array of records: attribute access to fields is not expressible for the type checker
Record = Any  # one record of such an array

CACHE_LINE = 64  # bytes
UNCOMPILED = bool(config.DISABLE_JIT)
_ROOMS = ("domain", "kernel", "exchange", "network", "trading", "population", "replay", "data", "results")


def _user_cache() -> Path:
    if chosen := os.environ.get("MARKETSIM_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "marketsim"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "marketsim"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "marketsim"


def source_fingerprint() -> str:
    """A hash of every source that may be compiled and of the versions that compile it."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(digest_size=12)
    digest.update(f"{platform.python_version()} {numba.__version__} {np.__version__}".encode())
    digest.update(f"{config.BOUNDSCHECK}".encode())
    for room in _ROOMS:
        folder = package / room
        if not folder.is_dir():  # a checkout without symlinks: the room lies beside the package
            folder = package.parent / room
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.name.encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where compiled code of these sources is kept; made when missing."""
    folder = _user_cache() / "compiled" / source_fingerprint()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"marketsim-{user}" / folder.name


config.CACHE_DIR = str(cache_folder())


def compiled(function: F) -> F:
    """Compile a function on first use for the types that it is given, and keep the result on disk."""
    return _made(function, nogil=True)


def inlined(function: F) -> F:
    """The same for a small function on a hot path: it becomes part of whoever calls it, at each of its calls."""
    return _made(function, nogil=True, forceinline=True)


def entrance(function: F) -> F:
    """The same for a short way from Python into compiled code: handing Python's lock over costs more than the call."""
    return _made(function)


def _made(function: Any, **options: bool) -> Any:
    if UNCOMPILED:
        return function
    folder = Path(config.CACHE_DIR) / ("own" if is_apart(function) else "parts")
    part = numba.njit(pipeline_class=PartCompiler, **options)(function)
    part._cache = PartCache(function, folder)
    if is_apart(function):
        dispatcher = numba.njit(**options)(function)
        dispatcher._cache = OwnCode(function, folder)
    else:
        dispatcher = numba.njit(cache=True, **options)(function)
    return _widened(offer_part(dispatcher, part))


def _widened(dispatcher: Any) -> Any:
    """Every integer that fits 64 bits travels as one, and nothing else where marketsim wants an integer.

    Numba would otherwise compile a function, and all that it calls, again for each constant and each narrow field
    that somebody passes to it; and cut the fraction off a price without a word.
    """
    usual = dispatcher.get_call_template
    names = list(inspect.signature(dispatcher.py_func).parameters)
    whole = set() if is_own(dispatcher.py_func) else _whole(dispatcher.py_func)

    def get_call_template(arguments: Any, keywords: Any) -> Any:
        given = {**dict(zip(names, arguments, strict=False)), **keywords}
        for name in whole & given.keys():
            if isinstance(given[name], types.Float):
                raise TypingError(f"{dispatcher.py_func.__name__} takes a whole number as {name}, not a float")
        return usual([_wide(argument) for argument in arguments], {n: _wide(kind) for n, kind in keywords.items()})

    dispatcher.get_call_template = get_call_template
    return dispatcher


def _whole(function: Callable[..., Any]) -> set[str]:
    """The arguments that a function calls int."""
    return {name for name, kind in function.__annotations__.items() if kind in (int, "int")}


def _wide(kind: Any) -> Any:
    kind = types.unliteral(kind)
    fits = isinstance(kind, types.Integer) and (kind.signed or kind.bitwidth < 64)
    return types.int64 if fits else kind


if UNCOMPILED:
    _arrays: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def array_at(address: int, length: int, dtype: np.dtype[Any]) -> Rows:
        """The array that lies at an address (the one a Table registered)."""
        return _arrays[int(address)]

    def shift(rows: Rows, start: int, stop: int, by: int) -> None:
        """Move rows[start:stop] by ``by`` places; the ranges may overlap."""
        rows[start + by : stop + by] = rows[start:stop].copy()

    def prefetch(address: int) -> None:
        """Ask the processor to bring what lies at an address near: nothing, here."""

    def zeros(length: int, dtype: np.dtype[Any]) -> Rows:
        """An array whose records show their fields as attributes, as in compiled code."""
        array = np.zeros(length, dtype)
        return array.view(np.recarray) if dtype.names else array

else:
    from numba import types
    from numba.core.errors import TypingError

    from marketsim.kernel import rows
    from marketsim.kernel.parts import PartCache, PartCompiler, offer_part

    array_at, shift, prefetch = rows.rows_at, rows.move_rows, rows.prefetch_line

    def zeros(length: int, dtype: np.dtype[Any]) -> Rows:
        """A zeroed array for compiled code, at the beginning of a line of the processor's cache."""
        size = length * dtype.itemsize
        room = np.zeros(size + CACHE_LINE, np.uint8)
        skipped = -room.ctypes.data % CACHE_LINE
        return room[skipped : skipped + size].view(dtype)


def entry_of(function: Callable[..., Any], integers: int) -> Callable[..., Any]:
    """The way into a compiled function of so many ints that costs least: its C entry, past the type dispatch.

    It truncates floats silently: the caller checks its arguments. Where Numba does not offer it, the function itself.
    """
    if UNCOMPILED:
        return function
    signature = (types.int64,) * integers
    try:
        function.compile(signature)  # type: ignore[attr-defined]
        entry: Callable[..., Any] = function.overloads[signature].entry_point  # type: ignore[attr-defined]
    except (AttributeError, KeyError):
        return function
    return entry


class Table:
    """An array that compiled code reaches by its address. It grows by copying; old addresses are then void.

    The Table owns the memory: whoever keeps its ``address`` in a record must keep the Table alive.
    """

    def __init__(self, dtype: np.dtype[Any], length: int) -> None:
        self.rows: Rows = zeros(max(length, 1), dtype)
        self._register()

    def _register(self) -> None:
        self.address = int(self.rows.ctypes.data)
        if UNCOMPILED:
            _arrays[self.address] = self.rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes)

    def grow(self, length: int) -> None:
        """Make room for ``length`` rows, keeping what is there; zeros behind it."""
        if length > len(self.rows):
            rows = zeros(length, self.rows.dtype)
            rows[: len(self.rows)] = self.rows
            self.rows = rows
            self._register()

    def remember(self) -> Callable[[], None]:
        """What takes the table back to how it is now: the same memory, so that every address to it holds again."""
        rows, held = self.rows, self.rows.view(np.uint8).copy()

        def back() -> None:
            rows.view(np.uint8)[:] = held
            self.rows = rows
            self._register()

        return back

    def chain(self, first: int, then: int = 0, link: str = "next") -> int:
        """Link the records from ``first`` on into a free list that goes on with ``then``, 0 for none; how many."""
        self.rows[link][first:] = np.append(np.arange(first + 1, len(self)), then)
        return len(self) - first
