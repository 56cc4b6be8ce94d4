"""Each scenario of a mechanism is the same compiled, stepped event by event and as plain Python, bit for bit.

Scenarios are shortened to a piece in which their mechanism is at work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from marketsim.domain.event import EventKind
from marketsim.scenario.loader import check
from marketsim.simulation.simulation import Simulation

PIECES = {
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
        "start=17:00", "end=2026-03-09 09:20", "agents.fundamental.count=4", "agents.noise.count=6",
        "agents.fundamental.rate=1/h", "agents.noise.rate=2/h", "venues.XSIM.auctions.interval=30s",
    ),
    "two_venues_latency_arbitrage": ("duration=20s", "warm_up=0s"),
    "fee_wars": ("duration=20s", "warm_up=0s"),
    "index_arbitrage": ("duration=8s", "warm_up=0s", "agents.noise.count=40", "agents.noise.rate=2/s"),
    "spoofing": (
        "duration=12s", "warm_up=0s", "agents.noise.count=40", "agents.spoofer.interval=2s",
        "agents.layering.interval=2s",
    ),
    "lossy_feed": (
        "duration=40s", "warm_up=0s", "network.faults[3].at=2s", "network.faults[3].until=4s",
        "network.faults[4].at=6s", "network.faults[4].until=9s", "network.faults[5].between=3s",
        "network.faults[5].lasting=500ms",
    ),
    "perpetual": (
        "duration=24s", "instruments.COIN-PERP.funding_every=5s", "agents.gambler.rate=4/s", "agents.gambler.cash=130",
        "feeds.value.volatility=0.8",
    ),
}  # fmt: skip
# Kinds of rows and their least number: if nothing happened, equal digests would say nothing.
HAPPENED = {
    "opening_auction": {EventKind.PHASE: 1, EventKind.INDICATIVE: 10},
    "volatility_halt": {EventKind.PHASE: 4, EventKind.INDICATIVE: 5},
    "three_days": {EventKind.PHASE: 10, EventKind.INDICATIVE: 5},
    "two_venues_latency_arbitrage": {EventKind.TRADE: 50},
    "fee_wars": {EventKind.TRADE: 50},
    "index_arbitrage": {EventKind.TRADE: 30},
    "spoofing": {EventKind.TRADE: 20, EventKind.CANCELED: 10},
    "lossy_feed": {EventKind.DISCONNECTED: 3, EventKind.RECONNECTED: 3},
    "perpetual": {EventKind.FUNDING: 20, EventKind.MARGIN_CALL: 1, EventKind.LIQUIDATION: 1},
}
_CODE = """
import json, sys
from marketsim.scenario.loader import check
from marketsim.simulation.simulation import Simulation
run = Simulation.from_spec(check(sys.argv[1], sys.argv[2:])).run()
print(json.dumps([run.digest, run.manifest.counts["events handled"]]))
"""


@pytest.fixture(scope="module", params=PIECES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def compiled(name: str) -> Any:
    return Simulation.from_spec(check(name, PIECES[name])).run()


def test_the_piece_shows_what_the_scenario_is_about(name: str, compiled: Any) -> None:
    kinds = compiled.events["kind"].tolist()
    counts = {kind: kinds.count(kind) for kind in HAPPENED[name]}
    assert all(counts[kind] >= least for kind, least in HAPPENED[name].items()), counts
    assert len(compiled.trades) > 0


@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_stepped_equals_compiled(name: str, compiled: Any, grid: str) -> None:
    """On a grid of 1 ms many events fall on one moment, so ties decide."""
    spec = check(name, (*PIECES[name], f"grid={grid}"))
    run = compiled if grid == "1ns" else Simulation.from_spec(spec).run()
    assert run.digest == Simulation.from_spec(spec, stepped=True).run().digest


@pytest.mark.slow
def test_plain_python_equals_compiled(name: str, compiled: Any) -> None:
    plain = subprocess.run(
        [sys.executable, "-c", _CODE, name, *PIECES[name]],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.splitlines()[-1]
    assert json.loads(plain) == [compiled.digest, compiled.manifest.counts["events handled"]]
