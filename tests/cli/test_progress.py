"""Progress, on a terminal and where there is none."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.console import Console

import marketsim.cli.console as consoles
from marketsim.cli import progress as module
from marketsim.cli.progress import CountProgress, RunProgress
from marketsim.simulation import Progress, Simulation, load

SECOND = 1_000_000_000
NOON = 12 * 3600 * SECOND


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=request.param, width=140, color_system=None)
    for place in (consoles, module):
        monkeypatch.setattr(place, "notices", lambda: console)
    return request.param, written


def test_a_run_tells_time_rate_and_what_is_left(screen: tuple[bool, io.StringIO]) -> None:
    terminal, written = screen
    with RunProgress(NOON, NOON + 100 * SECOND) as progress:
        progress(Progress(NOON + SECOND, 0.01, 100, 20.0, math.nan))
        progress(Progress(NOON + 2 * SECOND, 0.02, 1_100, 21.0, 98.0))  # too soon for another line
        progress(Progress(NOON + 25 * SECOND, 0.25, 200_100, 40.0, 60.0))
        if terminal:
            progress._bar.refresh()  # type: ignore[union-attr]
    text = written.getvalue()
    if terminal:
        assert "running" in text
        assert "25%" in text
        assert "12:00:25 · 10,474 events/s · 60 s left" in text
    else:
        assert text.splitlines() == ["  1%  12:00:01 · 5 events/s", " 25%  12:00:25 · 10,000 events/s · 60 s left"]


def test_compiling_is_told_once(screen: tuple[bool, io.StringIO]) -> None:
    _, written = screen
    with RunProgress(0, SECOND) as progress:
        progress.compiling("_one")
        progress.compiling("two")
    assert written.getvalue().count("compiling the market") == 1


def test_counts_are_told_in_tenths(screen: tuple[bool, io.StringIO]) -> None:
    terminal, written = screen
    with CountProgress("runs") as progress:
        for done in range(1, 41):
            progress(done, 40)
    lines = written.getvalue().splitlines()
    if not terminal:
        assert len(lines) == 10
        assert re.fullmatch(r" 10%  4 of 40 runs · \d+ s left", lines[0])
        assert lines[-1] == "100%  40 of 40 runs"


def test_a_runs_own_estimate_leaves_the_first_slice_out(place: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import marketsim.simulation.execution as execution

    simulation: Simulation = load("small.yaml")
    under_way = simulation.start()
    ticks = iter([100.0, *(160.0 + k for k in range(10_000))])
    monkeypatch.setattr(under_way, "_go", lambda moment: None)
    monkeypatch.setattr(execution.wall, "perf_counter", lambda: next(ticks))
    told: list[Progress] = []
    under_way._run_out(under_way.spec.end, told.append)
    assert math.isnan(told[0].remaining)
    assert told[1].remaining == pytest.approx(198.0)  # a second for each of the slices that are left
    assert told[-1].remaining == 0.0
    assert told[-1].fraction == 1.0
    monkeypatch.undo()
    under_way.finish()
