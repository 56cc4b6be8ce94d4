"""``marketsim calibrate``: what it shows and writes, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import marketsim as ms
from marketsim.cli.app import app

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'marketsim[optimize]'")

OVER = ["--over", "agents.book.cancel_rate=0.05/s..1/s:log", "--over", "agents.book.quantity=x0.8..1.2"]
HALVES = ["--fit", "09:32-09:38", "--judge", "09:38-09:44"]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = ms.load("stock_flow", {"duration": "14min", "seed": 5}).run()
    return run.to_lobster(tmp_path_factory.mktemp("recorded") / "day", levels=5)[0]


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["calibrate", *words])


def test_it_shows_the_distances_and_writes_a_scenario_that_runs(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("stock_flow", "--to", str(day), *HALVES, *OVER, "--trials", "3", "--fresh", "2", "--workers", "1")
    assert done.exit_code == 0, done.output
    for words in (
        "before: the scenario as given",
        "the other recorded half",
        "judged half",
        "agents.book.quantity",
        "estimated",
    ):
        assert words in done.output
    assert "written calibrated.yaml" in done.output
    assert len(ms.load("calibrated.yaml", {"duration": "3min"}).run().trades) > 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "nowhere_message_1.csv"], "no such file"),
        (["--fit", "18:00-19:00"], "has no trade in it"),
        (["--over", "agents.book.quantty=x0.5..2"], "agents.book.quantty"),
        (["--over", "nothing"], "write PATH=VALUES"),
        (["--set", "instruments.STOCK.tick_size=0.05"], "tick_size=0.01"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    day: Path, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["stock_flow", "--to", str(day), *HALVES, "--trials", "2", *words]
    done = call(*given)
    assert done.exit_code == 2 if "nowhere" not in words[-1] else done.exit_code in (1, 2)
    assert told in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_of_several_instruments_needs_a_name(day: Path) -> None:
    done = call("order_flows", "--to", str(day), *HALVES)
    assert done.exit_code == 2
    assert "name one of HAWK, POIS, QUEU" in " ".join(done.output.split())
