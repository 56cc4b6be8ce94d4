"""Policies that never let time pass: they are stopped with their name and the time, and the run until then is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import marketsim as ms
from marketsim import policies as p
from marketsim.cli.app import app
from marketsim.errors import AgentError
from marketsim.results.run import Run

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="a million calls take minutes where nothing is compiled"
)
WHEN = 2_000_000_000  # ns after the start


@dataclass
class Waker(ms.CompiledAgent):
    """Behaves for two seconds; then it asks to be woken ``times`` times at once."""

    times: int = 1 << 40
    woken: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START:
            p.limit_order(out, p.BUY, 50, 1)
            p.wake_at(out, seen.now + WHEN)
        elif seen.kind == p.WAKE and me.woken < me.times:
            me.woken += 1
            p.wake_at(out, seen.now)


@dataclass
class Timers(ms.CompiledAgent):
    """The same with timers."""

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START:
            p.wake_at(out, seen.now + WHEN)
        else:
            p.timer_at(out, seen.now, 1)


@dataclass
class Asker(ms.CompiledAgent):
    """Answers every quote with a question, where nothing takes time."""

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START:
            p.wake_at(out, seen.now + WHEN)
        else:
            p.ask_quote(out)


@dataclass
class Spinner(ms.CompiledAgent):
    """Never returns."""

    turns: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START:
            p.wake_at(out, seen.now + WHEN)
        else:
            while me.turns >= 0:
                me.turns = (me.turns + 1) % 1000


def market(agent: ms.CompiledAgent, **terms: Any) -> ms.Simulation:
    simulation = ms.Simulation(7, "4s", start="09:30", latency=0)
    simulation.add_venue(instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="5/s"), 10, "noise", latency="1ms")
    return simulation.add_agents(agent, 3, "stuck", **terms)


@pytest.mark.parametrize("agent", [Waker(), Timers(), Asker()])
def test_a_policy_that_never_lets_time_pass_is_stopped_by_name(agent: ms.CompiledAgent, tmp_path: Path) -> None:
    with pytest.raises(AgentError) as caught:
        market(agent).run(tmp_path / "run")
    error = caught.value
    assert error.agent in ("stuck.0", "stuck.1", "stuck.2")
    assert error.time == 34_200 * 1_000_000_000 + WHEN
    assert str(error).startswith(
        f"{error.agent}: its compiled policy woke or asked for something 10,000 times at 09:30:02.000000000"
    )
    assert "time does not advance; wake it later than now" in str(error)
    left = Run.open(tmp_path / "run")
    assert not left.complete
    assert error.agent in left.manifest.reason
    assert left.end == error.time
    assert len(left.events) > 0
    assert left.events["time"].max() <= error.time
    left.check()


def test_what_was_recorded_until_then_is_what_a_well_behaved_run_records() -> None:
    whole = market(Waker(times=0)).run()
    execution = market(Waker()).start()
    with pytest.raises(AgentError):
        execution.run()
    until = execution.finish().events
    assert until.tobytes() == whole.events[: len(until)].tobytes()
    assert len(until) == (whole.events["time"] < 34_200 * 1_000_000_000 + WHEN).sum() > 10


def test_many_calls_at_one_moment_are_no_sin() -> None:
    run = market(Waker(times=9_000)).run()
    assert run.complete
    assert run.manifest.counts["events handled"] > 27_000


def test_a_computation_time_lets_time_pass() -> None:
    assert market(Asker(), computation="1ms").run().complete


YAML = """
seed: 7
start: "09:30"
duration: 4s
venues: {XSIM: {}}
instruments: {ABC: {}}
agents:
  noise: {type: noise, count: 10, rate: 5/s}
  stuck: {type: "test_stuck_policies:%s", count: 3}
"""


def test_the_command_line_tells_who_and_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stuck.yaml").write_text(YAML % "Waker")
    result = CliRunner().invoke(app, ["run", "stuck.yaml"])
    assert result.exit_code == 1
    assert ": its compiled policy woke or asked for something 10,000 times at 09:30:02.000000000" in result.stderr
    assert "stuck." in result.stderr
    assert "marked incomplete" in result.stderr
    assert "Traceback" not in result.output
    assert not Run.open(tmp_path / "runs" / "stuck-7-1").complete


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_a_policy_that_never_returns_can_be_interrupted(tmp_path: Path) -> None:
    """Nobody hears the interrupt inside of compiled code, so the process ends as if it had been killed."""
    (tmp_path / "stuck.yaml").write_text(YAML % "Spinner")
    child = subprocess.Popen(
        [sys.executable, "-m", "marketsim", "run", "stuck.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        stderr=subprocess.PIPE,
        text=True,
    )
    manifest = tmp_path / "runs" / "stuck-7-1.partial" / "manifest.json"
    limit = time.monotonic() + 240
    while not manifest.exists():
        assert child.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(2)
    began = time.perf_counter()
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=60)
    assert child.returncode == 130
    assert time.perf_counter() - began < 10  # a second on a machine of its own
    assert "ended at once because nobody heard it" in complaint
    assert "marketsim report " in complaint
    run = Run.open(manifest.parent)
    assert not run.complete
    assert len(run.manifest.agents) == 13
