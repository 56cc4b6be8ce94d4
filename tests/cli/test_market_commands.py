"""marketsim facts and marketsim surveil: on a run that was kept, on a scenario, on a recorded day, and on nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marketsim.results.run import Run


@pytest.fixture
def day(kept_run: Path, place: Path) -> Path:
    """A LOBSTER day in a folder of its own."""
    Run.open(kept_run).to_lobster(place / "day", levels=2)
    return place / "day"


def test_facts_of_a_run_beside_a_day(marketsim: Any, kept_run: Path, day: Path, place: Path) -> None:
    result = marketsim("facts", kept_run, "--beside", day, "--out", "facts.csv", "--report", "facts.html")
    assert "stylized facts" in (place / "facts.html").read_text(encoding="utf-8")
    assert result.exit_code == 0, result.output
    assert "small, seed 5" in result.stdout
    assert "ABC, recorded" in result.stdout
    assert "no linear autocorrelation" in result.stdout
    assert "too little data" in result.stdout  # 20 seconds
    assert "Distance " in result.stdout
    table = pd.read_csv(place / "facts.csv")
    assert table["rule"].str.startswith("present: ").all()


def test_facts_of_a_scenario_and_a_lobster_file(marketsim: Any, day: Path, place: Path) -> None:
    (messages,) = day.glob("*_message_*")
    result = marketsim("facts", "small.yaml", "--seed", 6, "--set", "duration=5s", "--figure", "facts.png")
    assert result.exit_code == 0, result.output
    assert "small, seed 6" in result.stdout
    assert (place / "facts.png").stat().st_size > 1000
    assert marketsim("facts", messages, "--report", "day.html", "--out", "facts.parquet").exit_code == 0
    assert "ABC, recorded" in (place / "day.html").read_text(encoding="utf-8")
    assert len(pd.read_parquet(place / "facts.parquet")) > 0


def test_two_markets_are_told_in_one_table(marketsim: Any, kept_run: Path, day: Path) -> None:
    told = marketsim("facts", kept_run, "--beside", day).stdout
    assert told.count("no linear autocorrelation") == 1
    assert told.count("conditional heavy tails") == 1


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_run_folder_is_no_scenario(marketsim: Any, kept_run: Path, place: Path, command: str) -> None:
    refused = marketsim(command, kept_run)
    assert refused.exit_code in (1, 2)
    assert "is a run folder, and a scenario is wanted" in " ".join(refused.output.split())
    (place / "swept").mkdir()
    (place / "swept" / "summary.csv").write_text("a", encoding="utf-8")
    assert "swept is a folder of results" in " ".join(marketsim(command, "swept").output.split())
    assert "such as ./small.yaml" in " ".join(marketsim(command, "./").output.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("facts", "nosuch"), "no ready scenario is called"),
        (("facts", "."), "not a run folder"),
        (("facts", "small.yaml", "--instrument", "XYZ"), "unknown instrument 'XYZ'"),
        (("facts", "small.yaml", "--figure", "facts.xyz"), "end it in .png"),
        (("facts", "small.yaml", "--out", "facts.txt"), "end it in .csv, .parquet or .json"),
        (("surveil", "small.yaml", "--out", "alerts"), "has no ending"),
        (("facts", "small.yaml", "--out", "small.yaml/facts.csv"), "choose another place"),
        (("surveil", "small.yaml", "--threshold", "7"), "between 0 and 1"),
    ],
)
def test_nonsense_is_told(marketsim: Any, words: tuple[str, ...], told: str, place: Path) -> None:
    result = marketsim(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert sorted(path.name for path in place.iterdir()) == ["small.yaml"]


def test_surveillance_of_a_labelled_run(marketsim: Any, place: Path) -> None:
    words = ("--set", "duration=90s", "--figure", "seen.png", "--out", "alerts.csv")
    result = marketsim("surveil", "spoofing", *words)
    assert result.exit_code == 0, result.output
    assert "Against the labels of the run:" in result.stdout
    assert "episodes that were found" in result.stdout
    assert (place / "seen.png").stat().st_size > 1000
    alerts = pd.read_csv(place / "alerts.csv")
    assert set(alerts["kind"]) <= {"spoofing", "layering"}
    assert (alerts["score"] >= 0.7).all()


def test_an_honest_run_and_an_anonymous_day(marketsim: Any, kept_run: Path, day: Path) -> None:
    result = marketsim("surveil", kept_run, "--threshold", 0.9)
    assert result.exit_code == 0, result.output
    assert "0 alerts among" in result.stdout
    assert "labels" not in result.stdout
    refused = marketsim("surveil", day)
    assert refused.exit_code in (1, 2)
    assert "participants" in refused.output
