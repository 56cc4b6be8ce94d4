"""The cache of functions outside marketsim: it notices whatever a function reaches, and serves what has not changed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest

from marketsim.kernel.own_code import OwnCode, fingerprint, is_own, reach

SOURCE = """
import math

import numpy as np

import {helper} as h
from marketsim.kernel.compiled import compiled
from {helper} import plus

LIMIT = 3
WEIGHTS = (1.0, 2.0)
TABLE = np.array([1, 2, 3])
UNUSED = 1


@compiled
def act(x: int) -> float:
    # a comment
    return twice(x) + LIMIT + WEIGHTS[1] + TABLE[0] + h.SHIFT + plus(x)


@compiled
def twice(x: int) -> int:
    return 2 * x


def factory(k: int):
    @compiled
    def inner(x: int) -> int:
        return k * x

    return inner
"""
HELPER = """
from marketsim.kernel.compiled import compiled

SHIFT = 5


@compiled
def plus(x: int) -> int:
    return deep(x) + 1


@compiled
def deep(x: int) -> int:
    return x
"""
needs_numba = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The two modules of a user, freshly imported, with replacements in either."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))

    def load(old: str = "", new: str = "", *, folder: Path = tmp_path) -> ModuleType:
        folder.mkdir(exist_ok=True)
        monkeypatch.syspath_prepend(str(folder))
        for name, text in (("own_helper", HELPER), ("own_agent", SOURCE.replace("{helper}", "own_helper"))):
            (folder / f"{name}.py").write_text(text.replace(old, new) if old else text, encoding="utf-8")
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            sys.dont_write_bytecode, before = True, sys.dont_write_bytecode  # two versions within a second
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.dont_write_bytecode = before
        return module

    yield load
    for name in ("own_helper", "own_agent"):
        sys.modules.pop(name, None)


def test_what_is_our_own_and_what_is_not(load: Load) -> None:
    assert is_own(load().act)
    for other in (fingerprint, np.mean, os.getcwd, len):
        assert not is_own(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x", "3 * x"),  # the callee in the same file
        ("deep(x) + 1", "deep(x) + 2"),  # the callee in another file
        ("    return x\n", "    return -x\n"),  # its callee
        ("LIMIT = 3", "LIMIT = 4"),
        ("(1.0, 2.0)", "(1.0, 2.5)"),
        ("[1, 2, 3]", "[2, 2, 3]"),
        ("SHIFT = 5", "SHIFT = 6"),  # through a module
        ("twice(x) + LIMIT", "twice(x) - LIMIT"),
    ],
)
def test_what_a_function_reaches_decides(load: Load, old: str, new: str) -> None:
    before = fingerprint(load().act)
    assert fingerprint(load(old, new).act) != before
    assert fingerprint(load().act) == before


@pytest.mark.parametrize(
    ("old", "new"), [("# a comment", "# another"), ("UNUSED = 1", "UNUSED = 2"), ("\n\n\n", "\n\n")]
)
def test_what_it_does_not_reach_does_not(load: Load, old: str, new: str) -> None:
    assert fingerprint(load(old, new).act) == fingerprint(load().act)


def test_the_folder_of_the_source_does_not_matter(load: Load, tmp_path: Path) -> None:
    assert fingerprint(load(folder=tmp_path / "elsewhere").act) == fingerprint(load().act)


def test_what_a_function_closes_over_decides(load: Load) -> None:
    factory = load().factory
    assert fingerprint(factory(2)) == fingerprint(factory(2)) != fingerprint(factory(3))


def test_functions_that_call_one_another_come_to_an_end(load: Load) -> None:
    module = load("return 2 * x", "return twice(x - 1) + factory(1)(x) if x > 0 else act(0)")
    assert [function.__name__ for function in reach(module.act)] == ["act", "twice", "plus", "factory", "deep"]
    assert fingerprint(module.act) != fingerprint(module.twice)


def test_values_that_tell_nothing_are_known_by_their_source(load: Load) -> None:
    thing = "class Thing:\n    bound = 1\n\n\nLIMIT = Thing()\n"
    before = fingerprint(load("LIMIT = 3\n", thing).act)
    assert fingerprint(load("LIMIT = 3\n", thing).act) == before
    assert fingerprint(load("LIMIT = 3\n", thing.replace("1", "2")).act) != before


@needs_numba
def test_an_unchanged_function_is_loaded_and_a_changed_callee_is_not(load: Load) -> None:
    first = load()
    assert first.act(10) == 20 + 3 + 2 + 1 + 5 + 11
    again = load()
    assert again.act(10) == first.act(10)
    assert _loaded(again.act) == (1, 0)
    changed = load("deep(x) + 1", "deep(x) + 100")
    assert changed.act(10) == first.act(10) + 99
    assert _loaded(changed.act) == (0, 1)


@needs_numba
def test_a_folder_that_cannot_be_written_costs_no_run(load: Load, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    function = load().act
    function._cache = OwnCode(function.py_func, tmp_path / "file" / "own")
    assert function(10) == 42


@needs_numba
@pytest.mark.parametrize("damage", [b"", b"no pickle", b"\x80\x04K\x01."])
def test_a_damaged_file_is_replaced(load: Load, tmp_path: Path, damage: bytes) -> None:
    def called() -> tuple[int, int]:
        function = load().act
        function._cache = OwnCode(function.py_func, tmp_path / "own")
        assert function(10) == 42
        return _loaded(function)

    assert called() == (0, 1)
    (file,) = (tmp_path / "own").iterdir()
    file.write_bytes(damage)
    assert called() == (0, 1)
    assert called() == (1, 0)


@needs_numba
def test_the_oldest_are_forgotten(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketsim.kernel.own_code.KEPT", 3)
    factory = load().factory
    for k in range(5):
        assert factory(k)(10) == 10 * k
    kept = list((tmp_path / "cache" / "own").iterdir())
    assert len(kept) == 3
    newest = factory(4)
    assert newest(10) == 40
    assert _loaded(newest) == (1, 0)


@needs_numba
def test_a_function_without_a_file_is_compiled_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    words = "from marketsim.kernel.compiled import compiled\n@compiled\ndef typed(x: int) -> int:\n    return x + 7\n"
    counts = []
    for _ in range(2):
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(words, "<typed in>", "exec"), scope)
        assert scope["typed"](1) == 8
        counts.append(_loaded(scope["typed"]))
    assert counts == [(0, 1), (1, 0)]


NAMESAKES = """
import sys
from numba import types
from marketsim.kernel.compilation import procedure
from marketsim.kernel.compiled import compiled

def make(k):
    @compiled
    def act(x):
        return k * x
    return act

functions = [make(int(k)) for k in sys.argv[1:]]
for _ in range(2):
    print(*(procedure(function, (types.int64,)) for function in functions))
print(sum(sum(function.stats.cache_hits.values()) for function in functions))
"""


@needs_numba
def test_namesakes_from_the_cache_keep_apart(tmp_path: Path) -> None:
    """Compiled in processes of their own they have one symbol, of which Numba finds the one that was loaded last."""
    for numbers in ("3", "5", "3 5"):
        done = subprocess.run(
            [sys.executable, "-c", NAMESAKES, *numbers.split()],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MARKETSIM_CACHE": str(tmp_path)},
        )
    first, again, hits = done.stdout.split("\n")[:3]
    assert hits == "2"
    assert first == again
    assert len(set(first.split())) == 2


@needs_numba
def test_a_read_only_folder_of_sources_is_no_hindrance(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    first = load("LIMIT = 3", "LIMIT = 77", folder=folder)
    folder.chmod(0o555)
    try:
        assert first.act(10) == 42 + 74
    finally:
        folder.chmod(0o755)
    shutil.rmtree(folder)
    copy = load("LIMIT = 3", "LIMIT = 77", folder=tmp_path / "elsewhere")
    assert copy.act(10) == 42 + 74
    assert _loaded(copy.act) == (1, 0)


def _loaded(function: Any) -> tuple[int, int]:
    """How many kinds of arguments were loaded, and how many compiled."""
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())
