"""Same spec, seed and build: same digest, however the run is carried out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from markets import market

import marketsim as ms

HERE = Path(__file__).parent
GRIDS = ["1ns", "1ms"]


def _in_another_process(expression: str, **environment: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); from markets import *; print({expression})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("leaners", [0, 2])
def test_stepped_equals_compiled(grid: str, leaners: int) -> None:
    compiled = market(grid=grid, leaners=leaners).run()
    stepped = market(grid=grid, leaners=leaners, stepped=True).run()
    assert compiled.digest == stepped.digest
    assert len(compiled.trades) > 20


def test_a_coarse_grid_forces_ties() -> None:
    """Otherwise equal digests at 1 ms would say nothing about ties."""
    times = market(grid="1ms").run().events["time"]
    assert (np.diff(times) == 0).mean() > 0.3


@pytest.mark.parametrize("grid", GRIDS)
def test_uncompiled_equals_compiled(grid: str) -> None:
    expression = (
        f'(lambda run: (run.digest, run.manifest.counts["events handled"]))(market(grid={grid!r}, duration="2s").run())'
    )
    run = market(grid=grid, duration="2s").run()
    handled = run.manifest.counts["events handled"]
    assert _in_another_process(expression, NUMBA_DISABLE_JIT="1") == str((run.digest, handled))
    assert 500 < handled < 20_000


def test_two_processes_agree() -> None:
    expression = "market().run().digest"
    first = _in_another_process(expression, PYTHONHASHSEED="1")
    second = _in_another_process(expression, PYTHONHASHSEED="2")
    assert first == second == market().run().digest


def test_the_order_in_which_things_are_added_decides_nothing() -> None:
    assert market().run().digest == market(reverse=True).run().digest


def test_another_seed_is_another_run() -> None:
    assert market(seed=7).run().digest != market(seed=8).run().digest


def test_the_log_in_slices_is_the_log_in_one_go() -> None:
    execution = market().start()
    for moment in ("1ns", "1ms", "3s", "5s"):
        execution.advance(moment)
    assert execution.run().digest == market().run().digest


def test_another_agent_shifts_nobody_elses_draws() -> None:
    """A listener that never trades changes no event at all; the other agents' draws are the same numbers."""

    def draws(leaners: int) -> list[float]:
        execution = market(leaners=leaners).start()
        execution.advance("5s")
        found: list[float] = execution.world.sessions["leaner_0"].agent.draws  # type: ignore[attr-defined]
        return found

    alone, accompanied = draws(1), draws(3)
    shared = min(len(alone), len(accompanied))
    assert shared > 50
    assert alone[:shared] == accompanied[:shared]


def test_a_listener_changes_nothing() -> None:
    class Listener(ms.Agent):
        def on_quote(self, quote: ms.Quote) -> None:
            self.last = quote

    silent = market()
    silent.add_agent(Listener(), "aaa_listener")
    rows, heard = market().run().events, silent.run().events
    for name in ("time", "price", "quantity", "kind", "side", "leaves"):
        assert (rows[name] == heard[name]).all()
