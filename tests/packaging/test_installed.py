"""What is installed imports under its names, from any folder, and leaves other people's names alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from copies import BESIDE, Environment, copy_repository, run

WHERE = """
import importlib, json
found = {}
for room in ("marketsim", "marketsim.agents", "marketsim.analysis", "marketsim.scenarios"):
    found[room] = importlib.import_module(room).__file__
print(json.dumps(found))
"""
TOP_LEVEL = """
from importlib.util import find_spec
print([name for name in ("agents", "analysis", "scenarios") if find_spec(name)])
"""
SCENARIOS = """
from importlib.resources import files
print("\\n".join(sorted(f.name for f in files("marketsim.scenarios").iterdir() if f.name.endswith(".yaml"))))
"""
EVERY_MODULE = """
import importlib, json, pkgutil, sys, marketsim
print(json.dumps(sorted(module.name for module in pkgutil.walk_packages(marketsim.__path__, "marketsim."))))
"""


def _places(environment: Environment) -> dict[str, Path]:
    return {room: Path(file).resolve() for room, file in json.loads(environment.tell(WHERE)).items()}


def _check_names(environment: Environment, root: Path) -> None:
    assert environment.tell(TOP_LEVEL) == "[]", "a top-level agents, analysis or scenarios belongs to somebody else"
    assert environment.tell(SCENARIOS).splitlines() == sorted(path.name for path in (root / "scenarios").glob("*.yaml"))


def test_the_wheel_installs_inside_marketsim_only(
    wheel: Callable[[str], Path], snapshot: Path, environment: Environment
) -> None:
    environment.install(wheel("missing"))
    for room, file in _places(environment).items():
        assert file == (environment.site / Path(*room.split(".")) / "__init__.py").resolve()
    _check_names(environment, snapshot)


def test_the_installed_command_starts(wheel: Callable[[str], Path], environment: Environment) -> None:
    environment.install(wheel("kept"))
    said = run(environment.bin / "marketsim", "--help", cwd=environment.folder).stdout
    assert "run" in said
    assert "marketsim" in said


@pytest.mark.parametrize("links", ["kept", "missing", "text"])
def test_an_editable_install_follows_the_sources(
    environment: Environment, snapshot: Path, tmp_path: Path, links: str
) -> None:
    copy = copy_repository(tmp_path / "copy", links, snapshot)
    environment.install("--editable", copy)
    for room, file in _places(environment).items():
        folder = copy / room.partition(".")[2] if "." in room else copy / room
        assert file == (folder / "__init__.py").resolve()
    _check_names(environment, snapshot)
    for room in BESIDE:  # a package added later is found without another installation
        added = copy / room / "added_later"
        added.mkdir()
        (added / "__init__.py").write_text("VALUE = 41\n", encoding="utf-8")
        code = f"from marketsim.{room}.added_later import VALUE; print(VALUE + 1)"
        assert environment.tell(code) == "42"


def test_every_module_of_the_sources_is_a_module_of_the_installation(
    wheel: Callable[[str], Path], snapshot: Path, environment: Environment
) -> None:
    environment.install(wheel("text"))
    installed = json.loads(environment.tell(EVERY_MODULE))
    rooms = [(snapshot / "marketsim", "marketsim"), *((snapshot / room, f"marketsim.{room}") for room in BESIDE)]
    names = {
        ".".join([prefix, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
        for folder, prefix in rooms
        for path in folder.rglob("*.py")
    }
    assert set(installed) == names - {"marketsim"}
