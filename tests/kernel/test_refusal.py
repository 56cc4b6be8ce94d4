"""What cannot be compiled is told with the file, the line and what to do."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from marketsim.errors import ConfigurationError

if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    pytest.skip("nothing is compiled", allow_module_level=True)

import numba

from marketsim.kernel.compilation import procedure
from marketsim.kernel.compiled import compiled
from marketsim.population.state import OUT, SEEN

ME = np.dtype([("pause", np.int64), ("last_mid", np.int64), ("share", np.float64), ("mids", np.int64, (8,))])
TYPES = tuple(numba.from_dtype(dtype) for dtype in (ME, SEEN, OUT))
HEAD = """\
import math
import random
import sys
from dataclasses import dataclass

import numpy as np
from marketsim import policies as p
from marketsim.policies import compiled, limit_order


class Thing:
    bound = 1


thing = Thing()


def plain(x):
    return x


@compiled
def remember(me, x):
    me.nowhere = x


def act(me, seen, out):
"""

CASES = [  # the body; the line in it, from 1, 0 for the file's other functions; what is told
    ("me.lst_mid = 3", 1, 'me has no field "lst_mid"; did you mean "last_mid"?'),
    ("x = 1\nif seen.knd == x:\n    return 1\nreturn 0", 2, 'seen has no field "knd"; did you mean "kind"?'),
    ("remember(me, 3)", 0, 'me has no field "nowhere"; known: last_mid, mids, pause, share'),
    ("x = 1\ny = np.random.rand()", 2, "it draws from a generator that the whole process shares"),
    ("if random.random() < 0.5:\n    me.pause = 1", 1, "use policies.uniform(seen.key, PURPOSE, draw)"),
    ("x = 1\ny = undefined + x", 2, "undefined is not defined: define or import it"),
    ("p.limit_ordr(out, 1, 100, 1)", 1, 'has no limit_ordr; did you mean "limit_order"?'),
    ("limit_order(out, 1, 100)", 1, "limit_order takes (out, side, price, quantity): missing a required argument"),
    ("limit_order(out, 1, 100, 5, 6)", 1, "limit_order takes (out, side, price, quantity): too many"),
    ("limit_order(1, 1, 100, 1)", 1, "limit_order cannot take these arguments: it takes (out, side, price, quantity)"),
    ("limit_order(out, 1, 0.5 * seen.bid, 1)", 1, "limit_order takes a whole number as price, not a float: round it"),
    ("limit_order(out, 1, price=0.5, quantity=1)", 1, "takes a whole number as price, not a float"),
    ("p.uniform(seen.key, 'side', 3)", 1, "uniform cannot take these arguments: it takes (key, purpose, draw)"),
    ("plain(3)", 1, "plain is a plain Python function: decorate it with @compiled"),
    ("x = thing.bound", 1, "thing is a own_refused.Thing, which compiled code cannot use"),
    ("me.last_mid = 'text'", 1, "me.last_mid holds an int and cannot be given text"),
    ("me.share = None", 1, "me.share holds a float and cannot be given None"),
    ("me.mids = 3", 1, "me.mids is a list of numbers: set them one by one, me.mids[place] = value"),
    ("me.mids.append(3)", 1, "a list of numbers in a record has no append: its length is fixed"),
    ("x = seen.bid + 'a'", 1, "+ does not work with an int and text"),
    ("me[3] = 2", 1, "[…] = does not work with a record and an int"),
    ("seen.bid()", 1, "an int is called like a function: take away the parentheses"),
    ("x = 1\nx = {}", 2, "x is a dict of nobody knows what: fields of the record and local variables hold numbers"),
    ("x = []", 1, "x is a list of nobody knows what"),
    ("if seen.kind == 1:\n    x = 3\nelse:\n    x = (1, 2)\nme.pause = x", 5, "x is a tuple on one way and an int on"),
    ("import math", 1, "an import cannot stand inside a policy: move it to the top of the file"),
    ("class Inner:\n    pass", 1, "a class cannot be made inside a policy"),
    ("global thing\nthing = 3", 2, "a global cannot be changed: keep what changes in a field of the agent"),
    ("x = 1\nwith open('x') as f:\n    x = 2", 2, "The 'with (context manager) as (variable):' construct is not"),
    ("try:\n    me.pause = 1 // me.pause\nexcept ZeroDivisionError:\n    pass", 3, "only `except Exception:` is"),
    ("del me.pause", 1, "is not supported"),
    ("print(f'{me.pause:>5}')", 1, "format spec in f-strings not supported"),
    ("if seen.kind == 1:\n    return\nreturn 0", 3, "it returns an int on one way and None on another: return nothing"),
    ("return 0.5", 1, "it returns a float: return nothing anywhere, or 0 everywhere"),
    ("return seen.kind == 1", 1, "it returns a bool"),
    ("yield 3", 1, "it returns a generator"),
]


@pytest.mark.parametrize(("body", "line", "told"), CASES, ids=[body.split("\n")[-1] for body, _, _ in CASES])
def test_the_line_and_the_reason_are_told(tmp_path: Path, body: str, line: int, told: str) -> None:
    path = tmp_path / "own_refused.py"
    path.write_text(HEAD + "".join(f"    {part}\n" for part in body.split("\n")), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("own_refused", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["own_refused"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        with pytest.raises(ConfigurationError) as caught:
            procedure(compiled(module.act), TYPES)
    finally:
        del sys.modules["own_refused"]
    place = HEAD.count("\n") + line if line else HEAD.split("me.nowhere")[0].count("\n") + 1
    first, _, source = str(caught.value).partition("\n")
    assert first.startswith(f"{path}:{place}: act cannot be compiled: ")
    assert told in first
    assert source.strip() == path.read_text(encoding="utf-8").splitlines()[place - 1].strip()


def test_numbas_own_words_are_kept_as_the_cause() -> None:
    @compiled
    def act(me, seen, out):  # type: ignore[no-untyped-def]
        return me.pause + "text"

    with pytest.raises(ConfigurationError, match=r"\+ does not work with an int and text") as caught:
        procedure(act, TYPES)
    assert "No implementation of function" in str(caught.value.__cause__)


def test_without_a_source_the_function_is_named() -> None:
    scope = {"compiled": compiled}
    exec("def act(me, seen, out):\n    me.nowhere = 1\n", scope)
    with pytest.raises(ConfigurationError, match=r'<string>:1: act cannot be compiled: .* no field "nowhere"'):
        procedure(compiled(scope["act"]), TYPES)


@pytest.mark.parametrize("body", ["pass", "return", "return 0", "return seen.kind", "me.pause += 1"])
def test_nothing_and_an_int_are_what_may_be_answered(body: str) -> None:
    scope: dict[str, object] = {}
    exec("def act(me, seen, out):\n" + "".join(f"    {part}\n" for part in body.split("\n")), scope)
    assert procedure(compiled(scope["act"]), TYPES) > 0  # type: ignore[arg-type]
