"""The room's front door: every agent that ships is exported, named in scenarios and documented."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys

import pytest

import marketsim.agents as room
from marketsim.population.agent import CompiledAgent
from marketsim.scenario.parameters import parameters_of, summary
from marketsim.scenario.registry import REGISTRY
from marketsim.trading.agent import Agent

UNITS = {"side": "buy", "values": (101, 99)}
NEEDED = {"Replay": {"scenario": "quickstart"}, "AuctionSniper": {**UNITS, "period": "1min"}}
NEEDED |= dict.fromkeys(("Aa", "Gd", "Giveaway", "Shaver", "Zip"), UNITS)
NEEDED |= {"CopyTrader": {"leader": "mm"}, "Rebalancer": {"weights": {"ABC": 0.5}}}
AGENTS = [getattr(room, name) for name in room.__all__]


def test_the_list_is_sorted_and_complete() -> None:
    assert list(room.__all__) == sorted(room.__all__)
    assert dir(room) == room.__all__
    named = {REGISTRY.resolve("agent", name) for name in REGISTRY.names("agent")}
    assert named == set(AGENTS)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nois'"):
        room.Nois  # noqa: B018


@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.__name__)
def test_every_agent_is_documented_and_can_be_written_down(kind: type) -> None:
    assert issubclass(kind, Agent | CompiledAgent)
    assert summary(kind)
    assert all(parameter.doc for parameter in parameters_of(kind)), [p.name for p in parameters_of(kind) if not p.doc]
    made = kind(**NEEDED.get(kind.__name__, {}))
    text = REGISTRY.describe("agent", made)
    again = REGISTRY.build("agent", text.pop("type"), text)
    assert again == made
    assert copy.deepcopy(made) == made
    assert dataclasses.replace(made) == made, "checking a checked agent changes nothing"


def test_importing_the_room_imports_no_agent() -> None:
    code = "import sys, marketsim.agents; print([m for m in ('sklearn', 'numba', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
