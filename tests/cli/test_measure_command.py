"""marketsim measure: of runs, recorded days and trades; what cannot be measured is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marketsim.analysis import microstructure
from marketsim.results.run import Run


def test_the_table_of_a_run_is_printed(marketsim: Any, kept_run: Path) -> None:
    result = marketsim("measure", kept_run)
    assert result.exit_code == 0, result.output
    assert "effective_spread_bps" in result.stdout
    assert "not measured: information_share_lower" in result.stderr


def test_it_is_written_in_the_format_of_the_file(marketsim: Any, kept_run: Path, place: Path) -> None:
    expected = microstructure(Run.open(kept_run), warm_up="2s", every="9s").table
    for name in ("m.csv", "m.parquet", "m.json"):
        result = marketsim("measure", kept_run, "--warm-up", "2s", "--every", "9s", "--out", name)
        assert result.exit_code == 0, result.output
        assert f"written {name}" in result.stdout
    pd.testing.assert_frame_equal(pd.read_parquet(place / "m.parquet"), expected)
    assert len(pd.read_csv(place / "m.csv")) == len(expected)
    told = json.loads(marketsim("measure", kept_run, "--format", "json").stdout)
    assert told["measures"][0]["measure"] == "quoted_spread"
    beside = marketsim("measure", kept_run, "--format", "json", "--report", "market.html")
    assert json.loads(beside.stdout) == told
    assert "small, seed 5" in (place / "market.html").read_text(encoding="utf-8")
    assert marketsim("measure", kept_run, "--format", "csv").stdout.startswith("instrument,group,measure")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "m.cvs"), 'did you mean ".csv"'),
        (("--format", "parquet"), "name a file with --out"),
        (("--format", "table", "--out", "m.csv"), "or print the table without --out"),
        (("--format", "csv", "--out", "m.parquet"), "contradict each other"),
        (("--out", "m.txt"), "end it in .csv, .parquet or .json"),
        (("--warm-up", "1h"), "must be shorter than the source"),
        (("--instrument", "ABD"), 'did you mean "ABC"'),
    ],
)
def test_what_cannot_be_asked(marketsim: Any, kept_run: Path, words: tuple[str, ...], said: str) -> None:
    result = marketsim("measure", kept_run, *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_run_that_is_not_there_incomplete_or_of_another_version(marketsim: Any, kept_run: Path, place: Path) -> None:
    shutil.copytree(kept_run, place / "run")
    missing = marketsim("measure", "rum")
    assert missing.exit_code == 1
    assert 'no such run folder, scenario or file; did you mean "run"?' in missing.stderr
    path = place / "run" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    killed = {
        **manifest,
        "complete": False,
        "failure": {"error": "the run is still going on, or its process was killed"},
    }
    path.write_text(json.dumps(killed), encoding="utf-8")
    partly = marketsim("measure", "run")
    assert partly.exit_code == 0
    assert "incomplete: the run is still going on" in partly.stderr
    assert "read until there" in partly.stderr
    for part in (place / "run" / "events").iterdir():
        part.unlink()
    empty = marketsim("measure", "run")
    assert empty.exit_code == 1
    assert "nothing to tell" in empty.stderr
    for version, repair in ((99, "upgrade it"), (0, "run the scenario again"), ("one", "run the scenario again")):
        path.write_text(json.dumps({**manifest, "format": version}), encoding="utf-8")
        other = marketsim("measure", "run")
        assert other.exit_code == 2
        assert repair in other.stderr


def test_a_scenario_is_run_and_times_are_those_of_the_clock(marketsim: Any, place: Path) -> None:
    result = marketsim("measure", "small.yaml", "--seed", 6, "--set", "duration=6s", "--every", "3s")
    assert result.exit_code == 0, result.output
    assert "09:30:03" in result.stdout
    assert "34203000000000" not in result.stdout
    assert marketsim("measure", "quickstrat").exit_code == 2


def test_runs_that_were_kept_are_suggested_first(marketsim: Any, kept_run: Path, place: Path) -> None:
    shutil.copytree(kept_run, place / "runs" / "small-5-1")
    result = marketsim("measure", "small-5-2")
    assert result.exit_code == 1
    assert 'did you mean "runs/small-5-1"?' in " ".join(result.stderr.split())


def test_trades_alone(marketsim: Any, place: Path) -> None:
    rows = ["time,price,quantity,side"] + [f"{n}000000000,{100 + n % 3 / 100},5,buy" for n in range(100)]
    (place / "XYZ.csv").write_text("\n".join(rows), encoding="utf-8")
    result = marketsim("measure", "XYZ.csv")
    assert result.exit_code == 0, result.output
    assert "roll_spread_bps" in result.stdout
    assert "needs quotes" in result.stderr
