"""The market of the theory of market making: what the lean is worth, and that it is exact, compiled or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.scenario.loader import check
from marketsim.simulation.simulation import Simulation

LADDER = {"type": "ladder_maker", "rate": "2/s", "levels": 4, "smallest": 10, "max_position": 60, "inventory_skew": 0.1}
STEPS = {"agents.customers.step": "100ms"}
_CODE = """
import json, sys
import marketsim as ms
print(ms.load(json.loads(sys.argv[1])).run().digest)
"""


def scenario(ladder: bool = False, **changes: Any) -> dict[str, Any]:
    spec = check("market_making_glft", changes).to_dict()
    if ladder:
        spec["agents"]["ladder"] = LADDER
    return spec


@pytest.mark.parametrize("changes", [{}, STEPS], ids=["any time", "steps"])
def test_stepped_equals_compiled(changes: dict[str, Any]) -> None:
    spec = ms.ScenarioSpec.from_dict(scenario(True, duration="20s", **changes))
    run = Simulation.from_spec(spec).run()
    assert run.digest == Simulation.from_spec(spec, stepped=True).run().digest
    assert set(run.trades["maker"]) >= {"maker", "ladder"}
    assert "customers" in set(run.trades["taker"])


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, STEPS], ids=["any time", "steps"])
def test_plain_python_equals_compiled(changes: dict[str, Any]) -> None:
    spec = scenario(True, duration="3s", **changes)
    plain = subprocess.run(
        [sys.executable, "-c", _CODE, json.dumps(spec)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert plain.stdout.split()[-1] == ms.load(spec).run().digest


def test_the_ladder_keeps_its_limit() -> None:
    trades = ms.load(scenario(True, duration="2min")).run().trades
    made = np.where(trades["maker"] == "ladder", -trades["side"] * trades["quantity"], 0)
    taken = np.where(trades["taker"] == "ladder", trades["side"] * trades["quantity"], 0)
    held = np.cumsum(made + taken)
    assert 20 < np.abs(held).max() <= 60


def test_the_lean_makes_the_position_small() -> None:
    """Without it the position is a random walk: less than half of its deviation, in the same three minutes."""
    wide = []
    for lean in (True, False):
        trades = ms.load(scenario(duration="3min", **{"agents.maker.skew_adjustment": lean})).run().trades
        mine = trades[trades["maker"] == "maker"]
        wide.append((-mine["side"] * mine["quantity"]).cumsum().std())
    assert wide[0] < wide[1] / 2
