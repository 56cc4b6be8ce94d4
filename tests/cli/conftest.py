"""A small market, runs of it, and the command as users call it: in this process, and as one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from marketsim.cli.app import app

SMALL = """
name: small
description: Noise only.
seed: 5
start: "09:30"
duration: 20s
venues: {XSIM: {fees: {taker: 0.3bps}}}
instruments: {ABC: {tick_size: 0.01, reference_price: 100}}
agents:
  noise: {type: noise, count: 20, rate: 2/s, latency: 1ms}
"""

Command = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with small.yaml in it, in which commands run."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands let scenarios find modules beside them
    return tmp_path


@pytest.fixture
def marketsim(place: Path) -> Command:
    """Call the command line in this process; an exception that it does not tell is raised here."""

    def call(*words: object) -> Any:
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="marketsim")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def process(place: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line as a process of its own."""

    def start(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "marketsim", *map(str, words)],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return start


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run of the small market; not to be changed."""
    from marketsim import Simulation, load

    folder = tmp_path_factory.mktemp("kept")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    simulation: Simulation = load(folder / "small.yaml")
    simulation.run(folder / "run")
    return folder / "run"
