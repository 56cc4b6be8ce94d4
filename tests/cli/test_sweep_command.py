"""sweep: options, study files, folders that go on, and what is told when something is wrong."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

ASKED = ("--over", "agents.noise.count=10,20", "--seeds", 2, "-m", "market.ABC.trades", "--workers", 1)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_sweep_is_told_and_kept_and_the_same_command_repeats_nothing(marketsim: Any, place: Path) -> None:
    first = marketsim("sweep", "small.yaml", *ASKED, "--set", "duration=4s", "--report", "pages/two.html")
    assert (place / "pages" / "two.html").stat().st_size > 20_000
    assert first.exit_code == 0, first.output
    assert "small: 2 points, 2 seeds, 4 runs" in first.stdout
    assert "agents.noise.count: 10, 20" in first.stdout
    folder = place / "sweeps" / "small"
    names = {"table.csv", "summary.csv", "sweep.png", "runs.jsonl", "manifest.json", "lock"}
    assert {path.name for path in folder.iterdir()} == names
    assert [(row["seed"], row["point"]) for row in lines(folder)] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    kept = (folder / "runs.jsonl").read_bytes()
    for again in (("small.yaml", *ASKED, "--set", "duration=4s"), ("sweeps/small",)):
        result = marketsim("sweep", *again)
        assert result.exit_code == 0, result.output
        assert "small: 2 points, 2 seeds, 4 runs" in result.stdout
        assert (folder / "runs.jsonl").read_bytes() == kept


def test_a_study_file_says_it_all_and_options_say_it_better(marketsim: Any, place: Path) -> None:
    (place / "studies").mkdir()
    (place / "studies" / "small.csv").write_text("agents.noise.count\n10\n30\n", encoding="utf-8")
    (place / "studies" / "market.yaml").write_text((place / "small.yaml").read_text(), encoding="utf-8")
    study = place / "studies" / "study.yaml"
    study.write_text(
        "scenario: market.yaml\nover:\n  agents.noise.count: [10, 20]\n  network.latency: 1ms..10ms log\n"
        "set: {duration: 4s}\ndesign: latin\npoints: 3\nseeds: [7]\nmeasures: [market.*.trades]\nout: kept\n",
        encoding="utf-8",
    )
    result = marketsim("sweep", study, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "3 points, 1 seed, 3 runs" in result.stdout
    assert {row["seed"] for row in lines(place / "kept")} == {7}
    study.write_text(
        "scenario: market.yaml\npoints: small.csv\nset: {duration: 4s}\nmeasures: [market.*.trades]\n", "utf-8"
    )
    result = marketsim("sweep", study, "--seeds", 1, "--workers", 1, "--out", "more")
    assert result.exit_code == 0, result.output
    assert "2 points, 1 seed, 2 runs" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("small.yaml",), "nothing varies"),
        (("small.yaml", "--over", "agents.nose.count=1"), 'did you mean "noise"'),
        (("small.yaml", "--over", "agents.noise.count"), "write PATH=VALUES"),
        (("small.yaml", *ASKED, "-m", "agents.noise.pnll"), 'did you mean "pnl"'),
        (("small.yaml", *ASKED, "--design", "gird"), 'did you mean "grid"'),
        (("small.yaml", *ASKED, "--points", "0"), "the design is empty"),
        (("small.yaml", "--points", "nothing.csv"), "cannot be read as a table of points"),
        (("small.yaml", *ASKED, "--points", "nothing.csv"), "there is no such file: leave out --over"),
        (("wrong.yaml",), "'sedes' is unknown in a study; did you mean \"seeds\""),
    ],
)
def test_what_cannot_be_run_ends_with_2_and_leaves_nothing(words: Any, said: str, marketsim: Any, place: Path) -> None:
    (place / "wrong.yaml").write_text("scenario: small.yaml\nover: {agents.noise.count: [1]}\nsedes: 3\n", "utf-8")
    result = marketsim("sweep", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (place / "sweeps").exists()


def test_another_sweep_into_a_folder_is_refused(marketsim: Any, place: Path) -> None:
    marketsim("sweep", "small.yaml", *ASKED, "--set", "duration=1s", "--out", "kept")
    other = marketsim("sweep", "small.yaml", *ASKED, "--set", "duration=2s", "--out", "kept")
    assert other.exit_code == 1
    assert 'scenario.duration: "1s" there, "2s" now' in other.stderr
    told = marketsim("sweep", "kept", "--seeds", 3)
    assert told.exit_code == 2
    assert "leave out --seeds" in told.stderr


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(marketsim: Any, process: Any, place: Path) -> None:
    words = (
        "small.yaml",
        "--over",
        "agents.noise.count=10,20",
        "--seeds",
        300,
        "-m",
        "market.ABC.trades",
        "--out",
        "kept",
    )
    running = process("sweep", *words, "--workers", 2)
    runs = place / "kept" / "runs.jsonl"
    while running.poll() is None and not (runs.exists() and runs.read_bytes().count(b"\n") > 10):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Go on with: marketsim sweep kept" in told
    there = len(lines(place / "kept"))
    assert 10 < there < 600
    result = marketsim("sweep", "kept", "--workers", 1)
    assert result.exit_code == 0, result.output
    assert len({(row["point"], row["seed"]) for row in lines(place / "kept")}) == len(lines(place / "kept")) == 600


def test_stopped_before_its_first_run_it_says_how_to_go_on(
    marketsim: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("marketsim.cli.compare.compile_market", stopped)
    told = marketsim("sweep", "small.yaml", *ASKED, "--out", "kept", "--workers", 2)
    assert "every run is kept in kept as soon as it is over" in told.stderr
    assert "Go on with: marketsim sweep kept" in told.stderr
    assert (place / "kept" / "manifest.json").exists()
