"""The profile: its parts add up to the engine time, it finds who is slow, and it changes nothing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import pandas as pd
import pytest
from markets import INSTRUMENT, Bomb, market

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.errors import AgentError, StoreError
from marketsim.results.log import EventLog
from marketsim.results.run import Run
from marketsim.simulation.profile import KERNEL, Ledger, Purpose

MS = 1_000_000  # ns


@dataclass
class Sleeper(ms.Agent):
    """Takes wall time in its callbacks."""

    seconds: float = 0.002

    def on_start(self) -> None:
        """A timer and a process."""
        self.every("500ms", self.work)
        self.process(self.live())

    def work(self) -> None:
        """Nothing but time."""
        sleep(self.seconds)

    def live(self) -> Generator[Any, Any, None]:
        """The same in a process."""
        while True:
            yield self.sleep("1s")
            sleep(self.seconds)

    def on_quote(self, quote: ms.Quote) -> None:
        """Listen."""


def spent(profile: pd.DataFrame, **where: str) -> int:
    for column, value in where.items():
        profile = profile[profile[column] == value]
    return int(profile["nanoseconds"].sum())


@pytest.mark.parametrize("terms", [{}, {"stepped": True}, {"computation": "0"}])
def test_a_profile_changes_no_event(terms: dict[str, Any]) -> None:
    plain, measured = (market(duration="4s", **terms).run(profile=profile) for profile in (False, True))
    assert measured.digest == plain.digest
    assert measured.manifest.counts == plain.manifest.counts


def test_the_parts_add_up_to_the_engine_time_and_its_events_to_all() -> None:
    run = market().run(profile=True)
    profile = run.profile
    engine = profile[profile["part"] != "log thread"]
    assert engine["nanoseconds"].sum() == round(run.manifest.timings["engine"] * 1e9)
    assert engine["share"].sum() == pytest.approx(1)
    assert (engine["nanoseconds"] >= 0).all()
    assert profile.loc[profile["part"] == "log thread", "share"].isna().all()
    callbacks = profile[profile["part"].isin(["compiled", "venues", "python"])]
    ends = callbacks.loc[callbacks["event"] == "stop", "events"].sum()
    assert callbacks["events"].sum() - ends == run.manifest.counts["events handled"]
    python = callbacks.loc[callbacks["part"] == "python", "events"].sum()
    assert python - ends == run.manifest.counts["of them in Python"]


def test_everybody_is_there_with_the_kinds_of_events_they_handle() -> None:
    profile = market(duration="20s").run(profile=True).profile.set_index(["part", "family", "event"]).sort_index()
    assert {"start", "wake", "quote", "report accepted"} <= set(profile.loc["compiled", "noise"].index)
    assert {"new", "cancel", "query", "subscribe"} <= set(profile.loc["venues", ""].index)
    assert {"start", "quote", "timer", "report accepted", "stop"} <= set(profile.loc["python", "leaner_0"].index)
    wakes = profile.loc[("compiled", "noise", "wake")]
    assert (wakes["type"], wakes["agents"]) == ("Noise", 30)
    assert profile.loc[("compiled", "noise", "start"), "events"] == 30


def test_who_is_slow_is_found() -> None:
    simulation = market(duration="10s", leaners=0)
    simulation.add_agent(Sleeper(), "slow")
    simulation.add_agent(Sleeper(seconds=0.0), "fast")
    profile = simulation.run(profile=True).profile
    assert spent(profile, family="slow", event="timer") >= 19 * 2 * MS
    assert spent(profile, family="slow", event="process") >= 9 * 2 * MS
    assert spent(profile, family="slow") > spent(profile, family="fast")
    assert profile.loc[profile["family"] == "slow", "share"].sum() > 0.1


def test_a_slow_log_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = EventLog.next_chunk

    def slow(self: EventLog, *words: Any) -> Any:
        sleep(0.02)
        return usual(self, *words)

    monkeypatch.setattr(EventLog, "next_chunk", slow)
    profile = market(duration="2s").run(profile=True).profile
    assert spent(profile, part="log", event="chunk handed over") >= 20 * MS
    assert spent(profile, part="log thread", event="hashing") > 0


def test_it_is_kept_with_the_run(tmp_path: Path) -> None:
    run = market(duration="2s").run(tmp_path / "run", profile=True)
    again = Run.open(tmp_path / "run")
    pd.testing.assert_frame_equal(run.profile, again.profile)
    pd.testing.assert_frame_equal(run.profile, again.save(tmp_path / "copy").profile)
    in_memory = market(duration="2s").run(profile=True)
    pd.testing.assert_frame_equal(in_memory.profile, in_memory.save(tmp_path / "third").profile)


def test_a_run_without_one_says_how_to_get_it(tmp_path: Path) -> None:
    run = market(duration="1s").run(tmp_path / "run")
    assert not (tmp_path / "run" / "profile.csv").exists()
    with pytest.raises(StoreError, match=r"run: this run was not profiled; .* --profile, .* run\(profile=True\)"):
        _ = Run.open(run.path).profile  # type: ignore[arg-type]
    (tmp_path / "run" / "profile.csv").write_text("part,family\ncompiled,noise\n")
    with pytest.raises(StoreError, match=r"profile\.csv: not a profile"):
        _ = Run.open(tmp_path / "run").profile


def test_a_run_that_breaks_has_its_profile_until_then(tmp_path: Path) -> None:
    simulation = market()
    simulation.add_agent(Bomb(), "bomb")
    with pytest.raises(AgentError, match="bomb: KeyError"):
        simulation.run(tmp_path / "broken", profile=True)
    broken = Run.open(tmp_path / "broken")
    assert spent(broken.profile, family="bomb", event="timer") > 0
    assert broken.profile["share"].sum() == pytest.approx(1)


def test_engine_time_lasts_until_the_log_is_closed_and_counts_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = EventLog.close

    def slow(self: EventLog) -> str:
        sleep(0.3)
        return usual(self)

    monkeypatch.setattr(EventLog, "close", slow)
    market(duration="1s").run()  # what must be loaded is
    began = perf_counter()
    execution = ms.Simulation(duration="1s").add_venue(instruments=[INSTRUMENT]).add_agents(Noise(), 3).start()
    sleep(0.3)
    execution.advance("1s")
    sleep(0.3)
    timings = execution.finish().manifest.timings
    assert 0.3 <= timings["engine"] < timings["wall"] - 0.6
    assert timings["wall"] <= perf_counter() - began
    assert 0 <= timings["code"] <= timings["building"] < 0.6


def test_a_ledger_lets_one_pay_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100
    monkeypatch.setattr("marketsim.simulation.profile.perf_counter_ns", lambda: now)
    ledger = Ledger()
    outer, inner = Purpose("a"), Purpose("b")
    ledger.enter(outer)  # nothing counts yet
    now += 1000
    ledger.leave()
    with ledger.running():
        now += 1
        with ledger.paying(outer):
            now += 20
            with ledger.paying(inner):
                now += 300
            now += 20
        now += 1
    ledger.leave()
    now += 1000
    accounts = ledger.accounts
    assert [accounts[purpose].nanoseconds for purpose in (KERNEL, outer, inner)] == [2, 40, 300]
    assert [accounts[purpose].events for purpose in (outer, inner)] == [1, 1]
