"""marketsim run: what it shows, what it keeps, and every way in which a run can end early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import marketsim as ms
from marketsim.results.run import Run

START = Callable[..., subprocess.Popen[str]]
LONG = ("--set", "duration=30d", "--set", "agents.noise.count=500", "--no-report")

FAULTY = '''
from dataclasses import dataclass

import marketsim as ms


def divide(quantity: int) -> float:
    return 1 / (quantity - quantity)


@dataclass
class Faulty(ms.Agent):
    """Fails when it first sees a price."""

    where: str = "quote"

    def on_start(self) -> None:
        if self.where == "start":
            raise LookupError("no idea")
        if self.where == "process":
            self.process(self.live())
        if self.where == "order":
            self.after("1s", lambda: self.buy(self.instrument, 1.5))

    def on_quote(self, quote: ms.Quote) -> None:
        if self.where == "quote":
            divide(quote.bid_quantity)

    def live(self):
        yield self.sleep("2s")
        raise KeyError("in a process")
'''


def _digest(output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.startswith("digest")]
    return line.split()[1]


def test_a_run_shows_its_table_and_keeps_everything(marketsim: Any, place: Path) -> None:
    result = marketsim("run", "small.yaml")
    assert result.exit_code == 0, result.output
    run = Run.open(place / "runs" / "small-5-1")
    assert run.complete
    assert _digest(result.stdout) == run.digest
    assert result.stdout.startswith(f"small, seed 5: 20 agents, {len(run.events):,} events, 20s in ")
    for word in ("orders", "fills", "P&L", "inventory", "noise", "spread", "volatility", "volume"):
        assert word in result.stdout
    orders = ms.analysis.summarize(run).families.loc["noise", "orders"]
    assert f"{orders:,.0f}" in result.stdout
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert run.digest in page
    assert "data:image/" in page or "<svg" in page
    assert result.stdout.splitlines()[-2:] == [
        f"run     {Path('runs/small-5-1')}",
        f"report  {Path('runs/small-5-1/report.html')}",
    ]


def test_the_command_line_and_python_make_the_same_run(marketsim: Any, place: Path) -> None:
    result = marketsim("run", "small.yaml", "--no-save")
    assert _digest(result.stdout) == ms.load(place / "small.yaml").run().digest


MISTAKEN = """
from dataclasses import dataclass

import marketsim as ms


@dataclass
class Mistaken(ms.Agent):
    quantity: int = 5

    def on_start(self):
        self.every("1s", self.ask)

    def ask(self):
        self.buy(self.instrument, self.quantity, limit=9_000)
"""
REFUSED = """
extends: small.yaml
agents:
  modest: {type: "mistaken:Mistaken", limits: {max_order: 4}}
  wrong: {type: "mistaken:Mistaken", quantity: -1}
  right: {type: "mistaken:Mistaken", limits: {max_order: 5}}
"""


def test_orders_that_came_to_nothing_are_said_by_run_and_report(marketsim: Any, place: Path) -> None:
    (place / "mistaken.py").write_text(MISTAKEN, encoding="utf-8")
    (place / "refused.yaml").write_text(REFUSED, encoding="utf-8")
    ran = marketsim("run", "refused.yaml", "--no-report", "--out", "kept").stdout.splitlines()
    told = marketsim("report", "kept").stdout.splitlines()
    for lines in (ran, told):
        assert [line for line in lines if "refused" in line and line.startswith("modest")] == [
            "modest: all 19 orders refused (max_order)"
        ]
        assert [line for line in lines if "rejected" in line] == ["wrong: all 19 orders rejected (INVALID_QUANTITY)"]
        assert not any(line.startswith("right: ") for line in lines)


def test_who_was_stopped_is_said(marketsim: Any, place: Path) -> None:
    words = ["agents.noise.count=12", "agents.noise.compiled=false", "timeline=[{at: 5s, type: kill_switch}]"]
    result = marketsim("run", "small.yaml", "--no-save", *(part for word in words for part in ("--set", word)))
    lines = [line for line in result.stdout.splitlines() if line.startswith("stopped")]
    assert lines[0].startswith("stopped noise.0 at 09:30:05")
    assert lines[0].endswith("(kill_switch, stop): the kill switch was thrown")
    assert len(lines) == 11
    assert lines[10] == "stopped and 2 more; run.risk has all"
    assert "stopped" not in marketsim("run", "small.yaml", "--no-save").stdout


def test_the_next_run_takes_the_next_number(marketsim: Any, place: Path) -> None:
    first, second = (marketsim("run", "small.yaml", "--no-report") for _ in range(2))
    assert sorted(path.name for path in (place / "runs").iterdir()) == ["small-5-1", "small-5-2"]
    assert _digest(first.stdout) == _digest(second.stdout)
    assert not (place / "runs" / "small-5-1" / "report.html").exists()
    assert "report" not in second.stdout


def test_seed_and_settings_change_the_run(marketsim: Any, place: Path) -> None:
    plain, seeded, same, other = (
        _digest(marketsim("run", "small.yaml", "--no-save", *words).stdout)
        for words in ((), ("--seed", 6), ("--set", "seed=6"), ("--set", "agents.noise.count=21"))
    )
    assert seeded == same
    assert len({plain, seeded, other}) == 3


def test_a_seed_on_the_command_line_is_stored_with_the_run(marketsim: Any, place: Path) -> None:
    marketsim("run", "small.yaml", "--seed", 9, "--set", "agents.noise.rate=1/s", "--no-report", "--out", "kept/here")
    run = Run.open(place / "kept" / "here")
    assert (run.seed, run.manifest.spec["agents"]["noise"]["rate"]) == (9, "1/s")


def test_nothing_is_overwritten(marketsim: Any, place: Path) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("years of work")
    result = marketsim("run", "small.yaml", "--out", "mine")
    assert result.exit_code == 1
    assert "mine exists: nothing is overwritten" in result.stderr
    assert [path.name for path in (place / "mine").iterdir()] == ["thesis.txt"]


def test_no_save_leaves_nothing(marketsim: Any, place: Path) -> None:
    before = sorted(place.rglob("*"))
    result = marketsim("run", "small.yaml", "--no-save")
    assert result.exit_code == 0
    assert sorted(place.rglob("*")) == before
    assert "P&L" in result.stdout
    assert marketsim("run", "small.yaml", "--no-save", "--out", "x").exit_code == 2


def test_a_place_that_cannot_be_written_is_told(marketsim: Any, place: Path) -> None:
    (place / "file").write_text("")
    result = marketsim("run", "small.yaml", "--out", "file/run")
    assert result.exit_code == 1
    assert "file: cannot make this folder" in result.stderr


# --- an agent that raises ---


def _faulty(place: Path, where: str) -> str:
    module = f"faulty_{where}"
    (place / f"{module}.py").write_text(FAULTY, encoding="utf-8")
    return f"agents.faulty={{type: '{module}:Faulty', where: {where}}}"


@pytest.mark.parametrize(
    ("where", "error", "lines", "moment"),
    [
        ("quote", "ZeroDivisionError: division by zero", ["in on_quote", "in divide"], "09:30:00."),
        ("start", "LookupError: no idea", ["in on_start"], "09:30:00.000000000"),
        ("process", "KeyError: 'in a process'", ["in live"], "09:30:02.000000000"),
        (
            "order",
            "InvalidValueError: quantity 1.5 is not a whole number of lots",
            ["in <lambda>"],
            "09:30:01.000000000",
        ),
    ],
)
def test_an_agent_that_raises_is_named_with_its_own_frames(
    marketsim: Any, place: Path, where: str, error: str, lines: list[str], moment: str
) -> None:
    result = marketsim("run", "small.yaml", "--set", _faulty(place, where))
    assert result.exit_code == 1
    assert error.partition(":")[2].strip() in result.stderr
    frames = [line for line in result.stderr.splitlines() if line.startswith("  File ")]
    assert [frame.rpartition(", ")[2] for frame in frames] == lines
    assert all(f"faulty_{where}.py" in frame for frame in frames)
    (told,) = [line for line in result.stderr.splitlines() if line.startswith("faulty:")]
    assert error.partition(":")[0] in told
    assert moment in told
    run = Run.open(place / "runs" / "small-5-1")
    assert not run.complete
    assert "runs/small-5-1" in result.stderr.replace("\\", "/")
    assert "marked incomplete" in result.stderr


def test_what_was_recorded_before_an_agent_raised_can_be_read(marketsim: Any, place: Path) -> None:
    assert marketsim("run", "small.yaml", "--set", _faulty(place, "process")).exit_code == 1
    run = Run.open(place / "runs" / "small-5-1")
    full = ms.load(place / "small.yaml", [_faulty(place, "nowhere")]).run()
    assert 0 < len(run.events) < len(full.events)
    assert run.events.tobytes() == full.events[: len(run.events)].tobytes()
    result = marketsim("report", "runs/small-5-1")
    assert result.exit_code == 0
    assert "incomplete" in result.stdout
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "did not come to its end" in page
    assert "KeyError" in page


def test_debug_shows_all_frames_of_an_agent_that_raises(marketsim: Any, place: Path) -> None:
    result = marketsim("run", "small.yaml", "--set", _faulty(place, "quote"), "--debug")
    assert "simulated.py" in result.stderr


# --- interrupts, kills ---


def _wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 240
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_an_interrupt_leaves_a_readable_run_that_says_so(process: START, place: Path, marketsim: Any) -> None:
    child = process("run", "small.yaml", *LONG)
    events = place / "runs" / "small-5-1.partial" / "events"
    _wait_for(lambda: any(events.glob("*.parquet")), child)
    child.send_signal(signal.SIGINT)
    said, complaint = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said == ""
    assert "interrupted at " in complaint
    assert "marked incomplete" in complaint
    assert "Traceback" not in complaint
    run = Run.open(place / "runs" / "small-5-1")
    assert not run.complete
    assert "KeyboardInterrupt" in run.manifest.reason
    assert len(run.events) == run.manifest.events > 0
    assert run.digest
    run.check()
    verified = marketsim("verify", "runs/small-5-1")
    assert verified.exit_code == 1
    assert "incomplete" in verified.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL to send")
def test_a_killed_process_leaves_nothing_that_looks_complete(process: START, place: Path, marketsim: Any) -> None:
    child = process("run", "small.yaml", *LONG)
    partial = place / "runs" / "small-5-1.partial"
    _wait_for(lambda: any((partial / "events").glob("*.parquet")), child)
    child.kill()
    child.communicate(timeout=60)
    assert [path.name for path in (place / "runs").iterdir()] == ["small-5-1.partial"]
    assert json.loads((partial / "manifest.json").read_text())["complete"] is False
    assert marketsim("report", "runs/small-5-1").exit_code == 1
    result = marketsim("report", partial)
    assert result.exit_code == 0
    assert "incomplete" in result.stdout
    assert marketsim("verify", partial).exit_code == 1


# --- compilation ---


@pytest.mark.slow
def test_the_first_run_says_that_it_compiles_and_the_second_does_not(place: Path) -> None:
    environment = {**os.environ, "MARKETSIM_CACHE": str(place / "cache")}
    told = []
    for _ in range(2):
        command = [sys.executable, "-m", "marketsim", "run", "small.yaml", "--no-save"]
        told.append(subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True))
    assert [done.stderr.count("compiling the market") for done in told] == [1, 0]
    assert _digest(told[0].stdout) == _digest(told[1].stdout)
