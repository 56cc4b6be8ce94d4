"""The façade: every name is there, listed in order, and importing costs nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import marketsim

LAZY = ("marketsim", "marketsim.agents", "marketsim.analysis", "marketsim.gateway")
HEAVY = {
    "duckdb", "matplotlib", "mesa", "networkx", "numba", "numpy", "pandas", "pyarrow", "pydantic", "rich", "scipy",
    "simpy", "sklearn", "skops", "typer", "yaml",
}  # fmt: skip


@pytest.fixture(params=LAZY)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_names_are_listed_in_order(package: ModuleType) -> None:
    assert list(package.__all__) == sorted(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)
    assert dir(package) == list(package.__all__)


def test_every_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type):
            assert value.__name__ == name
            assert value.__doc__, f"{name} says nothing about itself"


def test_the_type_checker_sees_the_same_names(package: ModuleType) -> None:
    """They stand there twice, for people and for the checker."""
    source = Path(str(package.__file__)).read_text(encoding="utf-8")
    hidden = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    seen = {
        alias.asname or alias.name: f"{statement.module}.{alias.name}"
        for statement in hidden.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    own = set(getattr(package, "_MEMBERS", ())) | {"__version__"}
    assert set(seen) == set(package.__all__) - own
    for name, home in seen.items():
        module, _, attribute = home.rpartition(".")
        try:
            value = getattr(importlib.import_module(module), attribute)
        except AttributeError:  # a module that its package does not load by itself
            value = importlib.import_module(home)
        assert getattr(package, name) is value


def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        package.Nonsense  # noqa: B018


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before), sep='\\n')"
    root = Path(marketsim.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", LAZY)
def test_importing_loads_no_library_and_no_room(name: str) -> None:
    loaded = _loaded_by(f"import {name}")
    assert not {module.partition(".")[0] for module in loaded} & HEAVY
    assert {module for module in loaded if module.startswith("marketsim")} == {"marketsim", name}


@pytest.mark.parametrize(("name", "allowed"), [("Instrument", set()), ("Side", set()), ("MarketSimError", set())])
def test_plain_nouns_need_no_library(name: str, allowed: set[str]) -> None:
    libraries = {module.partition(".")[0] for module in _loaded_by(f"import marketsim; marketsim.{name}")}
    assert libraries & HEAVY == allowed


def test_the_façade_is_not_used_inside() -> None:
    """Rooms import rooms: the façade would make every room depend on every other."""
    package = Path(marketsim.__file__).parent
    for folder in (package, *(package / room for room in ("agents", "analysis"))):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    assert "marketsim" not in {alias.name for alias in node.names}, path
                if isinstance(node, ast.ImportFrom) and node.module == "marketsim":
                    names = {alias.name for alias in node.names}
                    homes = {*marketsim._HOME_OF, *marketsim._MEMBERS}
                    assert not names & homes, f"{path}: from marketsim import {names & homes}"


def test_the_version_is_one_that_packaging_reads() -> None:
    version = pytest.importorskip("packaging.version")
    assert str(version.Version(marketsim.__version__)) == marketsim.__version__
