"""Compiled functions as parts of others: translated once, kept, and the machine's only where they are entered."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketsim.kernel import compiled as compilation

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import numba

    from marketsim.kernel import parts

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(parts, "_loaded", {})
    return tmp_path


SOURCE = """
def leaf(x):
    return x + 1

def left(x):
    return leaf(x) * 2

def right(x):
    return leaf(x) * leaf(x + 3)

def root(x):
    return left(x) + right(x)
"""


def written(order: str = "leaf left right root") -> dict[str, Any]:
    """The functions of SOURCE, compiled anew, as a process of its own would."""
    names: dict[str, Any] = {"__name__": "a_module_of_mine"}
    exec(SOURCE, names)
    for name in order.split():
        names[name] = compilation.compiled(names[name])
    return names


def told(work: Any) -> tuple[Any, list[str]]:
    from marketsim.kernel.compilation import watched_compilation

    names: list[str] = []
    with watched_compilation(names.append):
        return work(), names


def test_what_several_functions_share_is_translated_once_and_linked_once(folder: Path) -> None:
    functions = written()
    answer, names = told(lambda: functions["root"](4))
    assert answer == 10 + 5 * 8
    assert names == ["root", "left", "leaf", "right"]
    text = str(functions["root"].overloads[functions["root"].signatures[0]].library._final_module)
    assert text.count("define linkonce_odr i32 @") <= 3, "one copy of each at most"


def test_a_function_that_only_others_call_is_never_made_the_machines(folder: Path) -> None:
    functions = written()
    functions["root"](4)
    assert not functions["leaf"].signatures
    assert functions["leaf"](4) == 5, "called from Python it gets its own machine code"
    assert len(functions["leaf"].signatures) == 1


def test_parts_of_an_earlier_process_serve_new_callers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketsim.kernel import parts

    written()["root"](4)
    assert {path.suffix for path in (folder / "own").iterdir()} == {".part", ".code"}
    monkeypatch.setattr(parts, "_loaded", {})
    functions = written()
    mine = compilation.compiled(eval("lambda x: left(x) - right(x)", functions))
    answer, names = told(lambda: mine(4))
    assert answer == 10 - 40
    assert names == ["<lambda>"], "left, right and leaf come from their files"


@pytest.mark.parametrize("damage", [b"", b"nonsense", pickle.dumps((1, 2))])
def test_a_damaged_or_missing_file_costs_a_compilation_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    from marketsim.kernel import parts

    written()["root"](4)
    for path in list((folder / "own").iterdir()):
        if path.suffix == ".code" or ("leaf" in path.name and not damage):
            path.unlink()
        elif "leaf" in path.name:
            path.write_bytes(damage)
    monkeypatch.setattr(parts, "_loaded", {})
    functions = written()
    answer, names = told(lambda: functions["root"](4))
    assert answer == 50
    assert "leaf" in names


def test_functions_of_one_name_are_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketsim.kernel import parts

    def times(factor: int) -> Any:
        def product(x: int) -> int:
            return x * factor

        return compilation.compiled(product)

    def sum_of(first: Any, second: Any) -> Any:
        return compilation.compiled(eval("lambda x: a(x) + b(x)", {"a": first, "b": second, "__name__": "mine"}))

    assert sum_of(times(2), times(3))(10) == 50
    monkeypatch.setattr(parts, "_loaded", {})
    assert sum_of(times(4), times(3))(10) == 70, "one of them new, one from its file"


TWO_PROCESSES = """
import numpy as np
{first}
from marketsim.exchange.book import OrderBook
from marketsim.kernel import parts
from numba import from_dtype
from marketsim.exchange.state import CORE, ORDER
from marketsim.exchange import orders
print(parts._name_of("x", (from_dtype(CORE), from_dtype(ORDER))))
"""


def test_symbols_are_the_same_in_every_process() -> None:
    """Numba numbers records in the order in which it meets them."""
    words = [
        subprocess.run(
            [sys.executable, "-c", TWO_PROCESSES.format(first=first)], capture_output=True, text=True, check=True
        ).stdout
        for first in ("", "import numba; [numba.from_dtype(np.dtype([(c, float)])) for c in 'abc']")
    ]
    assert words[0] == words[1] != ""


@pytest.mark.slow
def test_processes_that_compile_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = (
        "from marketsim.exchange.matching import cancel_order; from numba import from_dtype, int64\n"
        "from marketsim.exchange.state import CORE; import sys, numba\n"
        "if sys.argv[1] == '1': numba.from_dtype(numba.np.numpy_support.np.dtype([('a', float)]))\n"
        "cancel_order.compile((from_dtype(CORE), int64, int64, int64, int64))\n"
    )
    environment = {**os.environ, "MARKETSIM_CACHE": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)], env=environment) for number in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]


def test_an_error_in_a_part_reaches_whoever_called(folder: Path) -> None:
    def divided(x: int, y: int) -> int:
        return x // y

    divided = compilation.compiled(divided)
    outer = compilation.compiled(lambda x, y: divided(x, y) + 1)
    assert outer(7, 2) == 4
    with pytest.raises(ZeroDivisionError):
        outer(7, 0)


def test_what_numba_brings_along_is_kept_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketsim.kernel import parts

    def spread(values: np.ndarray) -> float:
        return float(np.sort(values)[-1] - np.median(values))

    values = np.array([3.0, 1.0, 2.0, 9.0])
    for _ in range(2):
        monkeypatch.setattr(parts, "_loaded", {})
        inner = compilation.compiled(spread)
        outer = compilation.compiled(eval("lambda v: inner(v) * 2", {"inner": inner, "__name__": "mine"}))
        assert outer(values) == 13.0
        for path in (folder / "own").glob("*.code"):
            path.unlink()
