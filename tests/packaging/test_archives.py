"""Wheels and source archives hold every file exactly once, whatever the checkout looks like."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from copies import BESIDE

Wheel = Callable[[str], Path]


def _source_files(root: Path, room: str) -> set[Path]:
    return {
        path.relative_to(root)
        for path in (root / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".md")
    }


def _expected(root: Path) -> dict[str, bytes]:
    """Every file of the package by its installed name: the rooms beside it move inside."""
    inside = {path.as_posix(): path for path in _source_files(root, "marketsim") if path.parts[1] not in BESIDE}
    beside = {f"marketsim/{path.as_posix()}": path for room in BESIDE for path in _source_files(root, room)}
    return {name: (root / path).read_bytes() for name, path in (inside | beside).items()}


def _packed(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("source", ["kept", "missing", "text", "sdist"])
def test_a_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Wheel, snapshot: Path, source: str) -> None:
    packed, expected = _packed(wheel(source)), _expected(snapshot)
    assert sorted(packed) == sorted(expected), (
        "a wheel must hold what lies in marketsim/, agents/, analysis/ and scenarios/: "
        "is an __init__.py missing, or a pattern in [tool.setuptools.package-data]?"
    )
    assert packed == expected


@pytest.mark.parametrize("source", ["kept", "missing", "text", "sdist"])
def test_no_file_is_packed_twice(wheel: Wheel, source: str) -> None:
    with zipfile.ZipFile(wheel(source)) as archive:
        names = Counter(archive.namelist())
    assert [name for name, count in names.items() if count > 1] == []


def test_a_wheel_installs_one_top_level_name(wheel: Wheel) -> None:
    with zipfile.ZipFile(wheel("kept")) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"marketsim"}


def test_a_wheel_carries_the_licence_the_types_and_the_command(wheel: Wheel) -> None:
    with zipfile.ZipFile(wheel("kept")) as archive:
        names = archive.namelist()
        (commands,) = [archive.read(name).decode() for name in names if name.endswith("entry_points.txt")]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "marketsim/py.typed" in names
    assert "marketsim = marketsim.cli:main" in commands


def test_the_source_archive_holds_what_the_readme_speaks_of(sdist: Path) -> None:
    names = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    wanted = {"README.md", "LICENSE", "CITATION.cff", "start.py", "setup.py", "pyproject.toml", ".ci/run"}
    wanted |= {"tests/conftest.py", "tests/packaging/test_archives.py", "tests/ruff.toml", ".pre-commit-config.yaml"}
    assert wanted - names == set()


def test_the_source_archive_holds_the_rooms_once(sdist: Path) -> None:
    for room in BESIDE:
        assert (sdist / room / "__init__.py").is_file()
        assert not (sdist / "marketsim" / room).exists()
    assert not list(sdist.rglob("*.pyc"))
