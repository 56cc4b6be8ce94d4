"""What the room offers: sorted, complete, loaded when first used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import marketsim.analysis as room


def test_names_are_sorted_and_each_is_there() -> None:
    assert room.__all__ == sorted(room.__all__)
    assert len(set(room.__all__)) == len(room.__all__)
    for name in room.__all__:
        assert getattr(room, name) is not None
    assert dir(room) == room.__all__


def test_what_type_checkers_see_is_what_is_offered() -> None:
    tree = ast.parse(Path(str(room.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(room.__all__)


def test_no_module_hides_a_function_of_its_name() -> None:
    modules = {path.stem for path in Path(str(room.__file__)).parent.glob("*.py")}
    assert not modules & set(room.__all__)


def test_everything_offered_says_what_it_is() -> None:
    for name in room.__all__:
        assert inspect.getdoc(getattr(room, name)), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sharp'"):
        room.sharp  # noqa: B018


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'matplotlib', 'scipy', 'rich'}"
    code = f"import sys, marketsim.analysis; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_figures_never_touch_pyplot_or_the_users_settings() -> None:
    code = (
        "import sys, matplotlib as m; m.rcParams['lines.linewidth'] = 7\n"
        "from marketsim.analysis import figures\n"
        "assert m.rcParams['lines.linewidth'] == 7 and 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
