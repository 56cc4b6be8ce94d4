"""impact: a table, files with digests, and refusals in words."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


def test_it_prints_a_table_and_writes_everything(marketsim: Any, place: Path) -> None:
    result = marketsim(
        "impact", "small.yaml", "--at", "8s", "--at", "09:30:10", "--buy", 20, "--buy", 40, "--sell", 40,
        "--seeds", 2, "--horizon", "5s", "--every", "1s", "--unit", "ticks", "--workers", 1, "--out", "found",
        "--report", "page.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for words in (
        "What an order does to ABC in small",
        "forked at: 09:30:08, 09:30:10",
        "seeds: 2, each with and without the order",
        "continued from: a snapshot of the market at that time",
        "buy 20",
        "sell 40",
        "95 % interval",
        "In ticks, positive where the price went with the order.",
    ):
        assert words in result.stdout
    with (place / "found" / "forks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 4
    assert len({row["digest"] for row in rows}) == len(rows), "every order left a trace"
    assert (place / "found" / "impact.png").stat().st_size > 10_000
    assert "Impact and cost in ticks" in (place / "page.html").read_text(encoding="utf-8")
    assert "buy 40" in (place / "found" / "impact.html").read_text(encoding="utf-8")


def test_it_refuses_what_cannot_be(marketsim: Any) -> None:
    def told(*words: object) -> str:
        result = marketsim("impact", "small.yaml", "--workers", 1, "--seeds", 2, *words)
        assert result.exit_code == 2
        return str(result.stderr)

    assert "there is no order: say --buy 500 or --sell 500" in told("--at", "8s", "--horizon", "5s")
    assert "--buy -5: a quantity is above zero" in told("--at", "8s", "--buy", -5, "--horizon", "5s")
    assert "--seeds 1: an interval needs at least two" in told("--at", "8s", "--buy", 5, "--seeds", 1)
    assert "lies outside of the run" in told("--at", "20s", "--buy", 10)
    assert "lies after the end of the run" in told("--at", "8s", "--buy", 10)
    assert "is not a multiple of 1" in told("--at", "8s", "--buy", 1.5, "--horizon", "5s")
    assert "unit='tick' is unknown" in told("--at", "8s", "--buy", 1, "--horizon", "5s", "--unit", "tick")
    assert "band='boot' is unknown" in told("--at", "8s", "--buy", 1, "--horizon", "5s", "--band", "boot")
