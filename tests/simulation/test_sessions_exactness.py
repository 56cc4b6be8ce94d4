"""Scenarios with sessions, shortened: compiled, stepped and as plain Python their logs are the same, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from marketsim.scenario.loader import check
from marketsim.simulation.simulation import Simulation

SHORT = {
    "opening_auction": (
        "start=08:48", "end=09:04", "agents.fundamental.count=6", "agents.noise.count=6", "agents.market_maker.count=1",
        "agents.market_maker.refresh=5s", "venues.XSIM.auctions.interval=20s",
    ),
    "volatility_halt": (
        "start=10:08", "end=10:24", "warm_up=0s", "agents.fundamental.count=6", "agents.noise.count=6",
        "agents.market_maker.count=1", "agents.market_maker.refresh=5s", "timeline[1].at=13min",
        "venues.XSIM.auctions.interval=20s",
    ),
    "three_days": (
        "start=17:00", "end=2026-03-09 09:20", "agents.fundamental.count=4", "agents.noise.count=3",
        "agents.fundamental.rate=1/h", "agents.noise.rate=2/h", "venues.XSIM.auctions.interval=2min",
    ),
}  # fmt: skip
_CODE = """
import sys
from marketsim.scenario.loader import check
from marketsim.simulation.simulation import Simulation
print(Simulation.from_spec(check(sys.argv[1], sys.argv[2:])).run().digest)
"""


@pytest.mark.parametrize("name", SHORT)
def test_stepped_and_compiled_are_one(name: str) -> None:
    spec = check(name, SHORT[name])
    run = Simulation.from_spec(spec).run()
    assert len(run.phases) >= 2
    assert len(run.trades) > 0
    assert run.digest == Simulation.from_spec(spec, stepped=True).run().digest


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_compiled_and_plain_python_are_one(name: str) -> None:
    compiled = Simulation.from_spec(check(name, SHORT[name])).run().digest
    plain = subprocess.run(
        [sys.executable, "-c", _CODE, name, *SHORT[name]],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.strip()
    assert compiled == plain
