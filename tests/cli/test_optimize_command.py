"""``marketsim optimize``: what it says and writes, a study file, Ctrl-C, and what it refuses."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketsim import load

pytest.importorskip("optuna", reason='optuna is not installed: pip install -e ".[optimize]"')

MAKER = """
extends: small.yaml
duration: 4s
agents:
  mm: {type: market_maker, latency: 1ms, target_spread: 0.4}
"""
WORDS = ("--measure", "agents.mm.pnl", "--over", "agents.mm.target_spread=0.02..0.4:log", "--workers", "1")
FEW = ("--trials", "4", "--seeds", "2", "--fresh", "2", "--finalists", "1")


@pytest.fixture(autouse=True)
def maker(place: Path) -> Path:
    file = place / "maker.yaml"
    file.write_text(MAKER, encoding="utf-8")
    return file


def test_it_tells_the_best_and_writes_it(marketsim: Callable[..., Any], place: Path) -> None:
    words = ("--study", "s.db", "--best", "best.yaml", "--report", "page.html")
    result = marketsim("optimize", "maker.yaml", *WORDS, *FEW, *words)
    assert result.exit_code == 0, result.output
    assert "maker: maximized agents.mm.pnl, mean over 2 seeds" in result.stdout
    assert "4 trials (tpe): 4 complete" in result.stdout
    assert "as it is" in result.stdout
    assert "against the scenario as it is under 2 fresh seeds" in result.stdout
    assert "written best.yaml" in result.stdout
    best = load(place / "best.yaml").spec.agents["mm"].parameters["target_spread"]
    assert 0.02 <= float(best) <= 0.4
    assert (place / "page.html").stat().st_size > 50_000
    again = marketsim("optimize", "maker.yaml", *WORDS, *FEW, "--study", "s.db")
    assert again.exit_code == 0
    assert "going on with s.db" in again.stderr
    assert again.stdout.split("written")[0] == result.stdout.split("written")[0]
    other = marketsim("optimize", "maker.yaml", *WORDS, *FEW, "--study", "s.db", "--minimize")
    assert other.exit_code == 2
    assert 'direction: "maximize" → "minimize"' in other.stderr


def test_a_study_file_says_all_of_it(marketsim: Callable[..., Any], place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "search.yaml").write_text(
        "scenario: ../maker.yaml\nset: {duration: 2s}\n"
        "over:\n  agents.mm.target_spread: [0.02, 0.1]\n  agents.mm.quantity: {low: 10, high: 30, step: 10}\n"
        "measure: agents.mm.fills\ndirection: minimize\nsampler: grid\nseeds: [4]\nfresh: 0\nworkers: 1\n",
        encoding="utf-8",
    )
    result = marketsim("optimize", "sub/search.yaml", "--out", "out", "--parquet")
    assert result.exit_code == 0, result.output
    assert "minimized agents.mm.fills, mean over 1 seeds" in result.stdout
    assert "6 trials (grid): 6 complete" in result.stdout
    assert "Not checked under fresh seeds" in result.stdout
    assert {path.name for path in (place / "out").iterdir()} >= {"trials.parquet", "best.yaml", "slices.png"}
    assert load(place / "out" / "best.yaml").spec.duration == 2_000_000_000
    changed = marketsim("optimize", "sub/search.yaml", "--trials", "2", "--measure", "agents.mm.orders")
    assert "minimized agents.mm.orders" in changed.stdout
    assert "2 trials (grid)" in changed.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("maker.yaml", "--measure", "agents.mm.pnl"), "nothing varies: say --over"),
        (("maker.yaml", "--over", "agents.mm.quantity=1..5"), "no measure is named: say --measure"),
        (("maker.yaml", "--over", "agents.mm.quantity", "--measure", "agents.mm.pnl"), "write PATH=VALUES"),
        (("maker.yaml", *WORDS, "--over", "agents.mm.target_spread=1..2"), "is given twice"),
        (("maker.yaml", *WORDS, "--measure", "agents.mm.pnll"), 'did you mean "pnl"'),
        (("maker.yaml", *WORDS, "--sampler", "bayes"), "sampler 'bayes' is unknown"),
        (("nothing.yaml", *WORDS), "there is no such file"),
    ],
)
def test_what_it_refuses(marketsim: Callable[..., Any], words: tuple[str, ...], said: str) -> None:
    result = marketsim("optimize", *words)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.slow
def test_after_an_interrupt_the_same_command_goes_on(
    marketsim: Callable[..., Any], process: Callable[..., Any], place: Path
) -> None:
    words = ("optimize", "maker.yaml", *WORDS, "--trials", "400", "--seeds", "3", "--study", "s.db")
    started = process(*words)
    log = place / "s.db-wal"
    while started.poll() is None and not (log.exists() and log.stat().st_size > 300_000):
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert "all of it is in s.db: the same command goes on from there" in said
    result = marketsim(*words, "--trials", "30", "--fresh", "0")
    assert result.exit_code == 0, result.output
    assert "going on with s.db" in result.stderr
