"""The README's two commands, the files around them, and start.py on machines good and bad."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from copies import BESIDE, ROOT, attempt, build_tools, copy_repository, run
from packaging.requirements import Requirement

import marketsim

TEST_COMMAND = "python3 start.py test"
RUN_COMMAND = "python3 start.py run quickstart"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
NEEDED = ("pyproject.toml", "setup.py", "start.py", "README.md", "LICENSE", "MANIFEST.in")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    description: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return description


@pytest.fixture
def start(tmp_path: Path) -> ModuleType:
    """start.py loaded from a copy, so that its .venv is not ours."""
    place = tmp_path / "repository"
    place.mkdir()
    for name in NEEDED:
        (place / name).write_bytes((ROOT / name).read_bytes())
    spec = importlib.util.spec_from_file_location("start_copy", place / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _console_lines(text: str) -> list[str]:
    blocks = re.findall(r"^```(?:console|bash|sh|shell)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]


def test_the_readme_prints_the_two_commands() -> None:
    lines = _console_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    assert RUN_COMMAND in lines
    assert TEST_COMMAND in lines
    assert lines.index(RUN_COMMAND) < lines.index(TEST_COMMAND)


def test_ci_runs_the_readmes_commands_as_they_are_printed() -> None:
    lines = [line.strip() for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()]
    assert lines.count(TEST_COMMAND) == 1
    assert lines.count(RUN_COMMAND) == 1


def test_ci_and_the_fast_tests_leave_no_test_out(start: ModuleType) -> None:
    fast = start.FAST_TESTS[start.FAST_TESTS.index("-m") + 1]
    assert fast == "not slow and not statistical"
    assert '-m "slow or statistical"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == marketsim.__version__
    assert citation["license"] == "MIT"


def test_libraries_have_lower_bounds_only(project: dict[str, Any]) -> None:
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    for requirement in map(Requirement, chain.from_iterable(lists)):
        if requirement.name == "marketsim" or requirement.name.startswith("types-"):
            continue
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == ({">=", "<"} if requirement.name == "mesa" else {">="}), str(requirement)


def test_the_extra_all_names_every_extra_but_dev(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == set(extras) - {"all", "dev"}


def test_pre_commit_fetches_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    assert {hook["language"] for repository in hooks["repos"] for hook in repository["hooks"]} == {"system"}


def test_start_is_read_by_pythons_that_it_turns_away() -> None:
    ast.parse((ROOT / "start.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_start_imports_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "start.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_is_told_which_to_take(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 6, "final", 0))
    monkeypatch.setattr(start.shutil, "which", lambda name: name if name == "python3.12" else None)
    assert start.main(["run", "quickstart"]) == 1
    said = capsys.readouterr().err
    assert "needs Python 3.11 or newer" in said
    assert "python3.12 start.py" in said
    assert not start.VENV.exists()


@pytest.mark.parametrize("missing", ["ensurepip", "venv"])
def test_a_debian_without_venv_is_told_what_to_install(start: ModuleType, tmp_path: Path, missing: str) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / f"{missing}.py").write_text(f"raise ImportError('No module named {missing}')\n", encoding="utf-8")
    apt = tmp_path / "bin" / "apt"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\n", encoding="utf-8")
    apt.chmod(0o755)
    path = f"{apt.parent}{os.pathsep}{os.environ['PATH']}"
    done = attempt(sys.executable, "start.py", "run", "x", cwd=start.ROOT, PYTHONPATH=str(broken), PATH=path)
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not start.VENV.exists()


def test_a_folder_that_is_no_environment_is_left_alone(start: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    start.VENV.mkdir()
    (start.VENV / "diary.txt").write_text("mine", encoding="utf-8")
    assert start.main(["list"]) == 1
    assert "is not a Python environment" in capsys.readouterr().err
    assert (start.VENV / "diary.txt").read_text(encoding="utf-8") == "mine"


class _Recorder:
    """Stands for pip and for what start.py hands over to."""

    def __init__(self, start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pip: list[list[str]] = []
        self.commands: list[list[str]] = []
        self.start = start
        monkeypatch.setattr(start, "make_environment", lambda: start.BIN.mkdir(parents=True, exist_ok=True))
        monkeypatch.setattr(start, "run_pip", self._pip)
        monkeypatch.setattr(start, "hand_over", self._hand_over)
        monkeypatch.chdir(start.ROOT)

    def _pip(self, words: list[str]) -> None:
        self.pip.append(words)
        self.start.MARKETSIM.touch()

    def _hand_over(self, command: list[str]) -> int:
        self.commands.append(command)
        return 7


@pytest.fixture
def recorder(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    return _Recorder(start, monkeypatch)


def test_words_reach_the_command_and_its_status_comes_back(start: ModuleType, recorder: _Recorder) -> None:
    assert start.main(["run", "quickstart", "--seed", "8"]) == 7
    assert recorder.commands == [[str(start.MARKETSIM), "run", "quickstart", "--seed", "8"]]
    assert recorder.pip == [["install", "--editable", "."]]


def test_an_installation_is_made_once(start: ModuleType, recorder: _Recorder) -> None:
    for _ in range(3):
        start.main(["list"])
    assert len(recorder.pip) == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "setup.py"])
def test_a_changed_description_is_installed_anew(start: ModuleType, recorder: _Recorder, name: str) -> None:
    start.main(["list"])
    with (start.ROOT / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    start.main(["list"])
    start.main(["list"])
    assert len(recorder.pip) == 2


def test_test_brings_its_tools_and_they_stay(start: ModuleType, recorder: _Recorder) -> None:
    start.main(["list"])
    start.main(["test", "-k", "book"])
    start.main(["list"])
    start.main(["test"])
    assert [words[-1] for words in recorder.pip] == [".", ".[dev]"]
    with (start.ROOT / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    start.main(["list"])
    assert recorder.pip[-1][-1] == ".[dev]"
    assert recorder.commands[1][1:] == ["-m", "pytest", *start.FAST_TESTS, "-k", "book"]


@pytest.mark.parametrize("words", [["list"], ["test"]])
def test_an_installation_that_failed_is_made_good_by_the_next_call(
    start: ModuleType, recorder: _Recorder, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    start.main(["list"])
    if words == ["list"]:
        (start.ROOT / "setup.py").write_text("# changed\n", encoding="utf-8")

    def fail(words: list[str]) -> None:
        raise start.Stop("no network")

    with monkeypatch.context() as broken:
        broken.setattr(start, "run_pip", fail)
        assert start.main(words) == 1
    start.main(["list"])
    assert len(recorder.pip) == 2
    assert len(recorder.commands) == 2


def test_a_moved_repository_is_installed_anew(
    start: ModuleType, recorder: _Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.main(["list"])
    before = start.fingerprint()
    monkeypatch.setattr(start, "ROOT", start.ROOT.rename(tmp_path / "moved"))
    assert start.fingerprint() != before


def test_a_stamp_that_cannot_be_read_counts_as_none(start: ModuleType, recorder: _Recorder) -> None:
    start.main(["list"])
    for content in ("", "[]", "{"):
        start.STAMP.write_text(content, encoding="utf-8")
        start.main(["list"])
    assert len(recorder.pip) == 4


@pytest.mark.slow
def test_start_on_a_fresh_copy(tmp_path: Path) -> None:
    """The whole way for real, with pip kept off the network and without the libraries."""
    copy = copy_repository(tmp_path / "copy", "text")
    command = copy / "marketsim" / "cli" / "__init__.py"
    command.parent.mkdir(exist_ok=True)
    command.write_text("import sys\ndef main():\n    print(sys.argv[1:])\n    sys.exit(3)\n", encoding="utf-8")
    borrowed = OFFLINE | {"PYTHONPATH": str(build_tools(tmp_path / "tools"))}

    def go(*words: str) -> tuple[list[str], str]:
        done = attempt(sys.executable, copy / "start.py", *words, cwd=tmp_path, **borrowed)
        assert done.returncode == 3, done.stderr
        return ast.literal_eval(done.stdout), done.stderr

    words, said = go("run", "two words", "--seed=1")
    assert words == ["run", "two words", "--seed=1"]
    assert "making a Python environment in .venv" in said
    assert "installing marketsim" in said
    assert go("list") == (["list"], "")
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "installing marketsim" in go("list")[1]
    assert json.loads((copy / ".venv" / "marketsim-installed.json").read_text(encoding="utf-8"))["extras"] == []


@pytest.mark.slow
def test_a_failed_installation_shows_why_and_leaves_no_stamp(tmp_path: Path) -> None:
    copy = copy_repository(tmp_path / "copy", "missing")
    description = copy / "pyproject.toml"
    text = description.read_text(encoding="utf-8")
    description.write_text(text.replace('"duckdb>=1.1"', '"no-such-library-for-marketsim>=1"'), encoding="utf-8")
    offline = {name: value for name, value in OFFLINE.items() if name != "PIP_NO_DEPS"}
    done = attempt(
        sys.executable, "start.py", "list", cwd=copy, PYTHONPATH=str(build_tools(tmp_path / "tools")), **offline
    )
    assert done.returncode == 1
    assert "no-such-library-for-marketsim" in done.stderr
    assert "marketsim-install.log" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (copy / ".venv" / "marketsim-installed.json").exists()


def test_the_symlinks_are_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: links are what the archive made of them")
    tracked = run("git", "ls-files", "-s", *(f"marketsim/{room}" for room in BESIDE), cwd=ROOT).stdout.splitlines()
    assert [line.split()[0] for line in tracked] == ["120000"] * len(BESIDE)
