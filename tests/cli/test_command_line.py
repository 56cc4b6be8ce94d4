"""The command as a whole: help that costs nothing, errors that are told, the version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import marketsim as package

COMMANDS = ("run", "check", "init", "report", "compare", "tournament", "impact", "verify", "replay", "list", "keys")
HEAVY = (
    "numba",
    "numpy",
    "pandas",
    "matplotlib",
    "pydantic",
    "pyarrow",
    "scipy",
    "simpy",
    "yaml",
    "networkx",
    "duckdb",
    "cryptography",
)


def test_help_names_every_command(marketsim: Any) -> None:
    result = marketsim("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_every_option(marketsim: Any, command: str) -> None:
    from typer.main import get_command

    from marketsim.cli.app import app

    result = marketsim(command, "--help")
    assert result.exit_code == 0
    (found,) = [c for name, c in get_command(app).commands.items() if name == command]  # type: ignore[attr-defined]
    assert found.help
    for parameter in found.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{command} {parameter.opts[0]} has no words"
            assert parameter.opts[0] in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['marketsim', '--help']\n"
        "from marketsim.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('IMPORTED', [name for name in {HEAVY} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert said.stdout.splitlines()[-1] == "IMPORTED []"


@pytest.mark.skipif(os.name == "nt", reason="processor time of children is not told on Windows")
def test_help_takes_under_four_tenths_of_a_second() -> None:
    import resource

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "marketsim", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(4)) < 0.4  # of the processor's time, so that a busy machine changes little


def test_the_version_is_told(marketsim: Any) -> None:
    assert marketsim("--version").output.strip() == f"marketsim {package.__version__}"


def test_without_words_it_helps(marketsim: Any) -> None:
    assert "Usage: marketsim" in marketsim().output


def test_it_is_a_module_too() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "marketsim", "--version"], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert said.stdout.strip() == f"marketsim {package.__version__}"


def test_configuration_that_cannot_be_built_ends_with_2_and_no_traceback(marketsim: Any, place: Path) -> None:
    (place / "bad.yaml").write_text(
        "duration: 1s\nvenues: {X: {}}\ninstruments: {A: {tick: 1}}\nagents: {a: {type: nois}}\n"
    )
    result = marketsim("run", "bad.yaml")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines == [
        'bad.yaml:3:19  instruments.A.tick: unknown field; did you mean "tick_size"?',
        'bad.yaml:4:20  agents.a.type: no agent type is called "nois"; did you mean "noise"?',
    ]
    assert result.stdout == ""
    assert not (place / "runs").exists()


def test_debug_shows_the_traceback_as_well(marketsim: Any) -> None:
    plain, debug = marketsim("run", "nothing.yaml"), marketsim("run", "nothing.yaml", "--debug")
    assert plain.exit_code == debug.exit_code == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback (most recent call last)" in debug.stderr
    assert debug.stderr.endswith(plain.stderr)


def test_other_errors_end_with_1(marketsim: Any) -> None:
    result = marketsim("report", "runs/none")
    assert result.exit_code == 1
    assert "no such run folder" in result.stderr


def test_wrong_words_end_with_2(marketsim: Any) -> None:
    assert marketsim("run").exit_code == 2
    assert marketsim("run", "small.yaml", "--sed", "3").exit_code == 2
    assert marketsim("nothing").exit_code == 2


def test_signs_that_a_terminal_does_not_know_end_nothing(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marketsim", "run", "small.yaml", "--no-save"],
        cwd=place, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, encoding="ascii",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "volatility bps/?min" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise on Windows")
def test_a_reader_that_goes_away_is_no_error() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "marketsim", "list", "agents"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    complaint = child.stderr.read()
    child.wait()
    child.stderr.close()
    assert "Traceback" not in complaint
