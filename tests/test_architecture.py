"""The map is the territory: ARCHITECTURE.md names what is there, modules say what they are, imports run downward."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
BESIDE = ("agents", "analysis", "scenarios")  # rooms that lie at the top of the repository
SOURCES = ("marketsim", *BESIDE, "benchmarks", "examples", "docs", "tests", ".ci")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cff", ".in", ".ipynb", ".html", ".css", ".js", ".sh", ""}


def _python() -> Iterator[Path]:
    """Every Python file once, also where the rooms beside the package are seen through links."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            if not (parts[0] == "marketsim" and parts[1] in BESIDE):
                yield path


def _tracked() -> list[Path]:
    if (ROOT / ".git").exists() and shutil.which("git"):
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            paths = [ROOT / name for name in done.stdout.split("\0") if name]
            return [path for path in paths if path.is_file() and not path.is_symlink()]
    return [*_python(), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def _rooms() -> set[str]:
    """What marketsim has."""
    package = ROOT / "marketsim"
    folders = {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    return folders | modules | set(BESIDE)


def _drawn() -> list[set[str]]:
    """The rooms of the map by line, from the top down."""
    house = re.search(r"^```\n(.*?)^```", MAP, re.MULTILINE | re.DOTALL)
    assert house is not None
    lines = [line.split("  ") for line in house[1].splitlines()]
    return [set(re.findall(r"(\w+)(?:/|\.py|(?= |$))", " ".join(_words(line)))) for line in lines]


def _words(columns: list[str]) -> list[str]:
    """The columns of a line before its number."""
    names = []
    for column in columns:
        if re.fullmatch(r"\s*\d+", column):
            break
        names.append(column.strip())
    return names


def test_the_map_shows_every_room_and_no_other() -> None:
    drawn = [room for line in _drawn() for room in line]
    assert sorted(drawn) == sorted(set(drawn)), "a room is drawn twice"
    elsewhere = {"scenarios", "testing"}  # data, and what is given to people who write their own
    assert _rooms() - elsewhere == set(drawn) - elsewhere


def test_the_map_and_the_import_contract_agree() -> None:
    import tomllib

    description = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in description["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    layers = [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]
    height = {room: place for place, layer in enumerate(layers) for room in layer}
    levels = [{height[room] for room in line if room in height} for line in _drawn()]
    assert [place for level in levels for place in level] == sorted(place for level in levels for place in level)


def test_files_that_the_map_names_exist() -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", MAP)
    assert len(named) > 10
    for name in named:
        assert any((place / name).exists() for place in (ROOT, ROOT / "marketsim")), f"ARCHITECTURE.md names {name}"


def test_every_module_says_what_it_is() -> None:
    for path in _python():
        source = path.read_text(encoding="utf-8")
        if not source.strip():
            continue
        said = ast.get_docstring(ast.parse(source))
        assert len(said or "") > 15, f"{path.relative_to(ROOT)} does not say what it is"


def test_test_files_have_names_of_their_own() -> None:
    """Tests are imported by their base names: two of one name would hide one another."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_tests_mirror_the_rooms() -> None:
    others = {"benchmarks", "examples", "fuzz", "mesa", "mutation", "packaging"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders - _rooms() - others == set()


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    """Paths, users and package mirrors of a developer's machine are nobody else's."""
    deep = [re.escape(str(ROOT))] if len(ROOT.parts) > 2 else []
    told = [*deep, re.escape(str(Path.home())) + r"/(?!\.cache)", r"/(?:home|Users)/(?!\.\.\.)\w+"]
    told += [r"/wor" + r"k/\w", r"/opt/" + r"\w", r"/\.libr" + r"ary\b", r"index-" + r"url"]
    pattern = re.compile("|".join(told))
    for path in _tracked():
        if path.suffix in TEXT and path.stat().st_size < 2_000_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            found = pattern.search(text)
            assert found is None, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"


def test_no_recorded_data_is_kept_here() -> None:
    recorded = re.compile(r"_(?:message|orderbook)_\d+\.csv|\.(?:gz|parquet|itch|pcap)$", re.IGNORECASE)
    assert [path.name for path in _tracked() if recorded.search(path.name)] == []


def test_imports_run_downward_only() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists() and not command.with_suffix(".exe").exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
