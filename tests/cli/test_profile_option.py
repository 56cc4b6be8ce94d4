"""marketsim run --profile: a table that adds up, fits a terminal, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import marketsim as ms
from marketsim.results.run import Run

MAKER = "agents.maker={type: market_maker}"


def test_a_profile_is_shown_kept_and_changes_nothing(marketsim: Any, place: Path) -> None:
    plain = marketsim("run", "small.yaml", "--set", MAKER, "--no-save")
    result = marketsim("run", "small.yaml", "--set", MAKER, "--profile", "--no-report")
    assert result.exit_code == 0, result.output
    run = Run.open(place / "runs" / "small-5-1")
    assert f"digest  {run.digest}" in plain.stdout
    assert f"digest  {run.digest}" in result.stdout
    assert "Profile" not in plain.stdout
    shown = result.stdout[result.stdout.index("Profile:") : result.stdout.index("digest")]
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    handled = run.manifest.counts["events handled"]
    assert f"{run.manifest.timings['engine']:.3f} s of engine time, {handled + 1:,} events" in shown  # and one on_stop
    for words in (
        "compiled agents noise venues Python agents maker logging kernel, all else engine time 100.0%",
        "wake compiled agent new venue quote Python agent",
        "beside it the log's own thread: hashing",
    ):
        for word in words.split():
            assert word in shown
    profile = run.profile
    row = next(line for line in shown.splitlines() if line.split()[:1] == ["noise"]).split()
    noise = profile[profile["family"] == "noise"]
    assert row[1:4] == ["20", f"{noise['events'].sum():,}", f"{noise['nanoseconds'].sum() / 1e6:,.1f}"]
    assert row[4] == f"{noise['share'].sum():.1%}"


def test_many_single_agents_of_a_type_are_told_together(marketsim: Any, place: Path) -> None:
    words = [word for n in range(13) for word in ("--set", f"agents.mm{n}={{type: market_maker}}")]
    shown = marketsim("run", "small.yaml", *words, "--profile", "--no-save").stdout
    assert "MarketMaker" in shown
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["MarketMaker"]]
    assert line.split()[1] == "13"


def test_a_market_too_large_for_this_machine(marketsim: Any, place: Path) -> None:
    huge = ("--set", "agents.noise.count=2000000000")
    refused = marketsim("run", "small.yaml", *huge)
    assert refused.exit_code == 2
    assert "agents.noise.count: 2,000,000,000 agents need at least 5." in refused.stderr
    assert "use at most" in refused.stderr
    assert not (place / "runs").exists() or list((place / "runs").iterdir()) == []
    checked = marketsim("check", "small.yaml", *huge)
    assert checked.exit_code == 0
    assert "but this machine cannot run it: agents.noise.count: 2,000,000,000 agents need at least" in checked.stdout
    assert "this machine" not in marketsim("check", "small.yaml").stdout
    assert ms.load(place / "small.yaml").spec.agents["noise"].count == 20
