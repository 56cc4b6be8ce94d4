"""Hostile input to every decoder and command: no crash, no broken invariant, and refusals in words.

The long campaign is ``python -m tests.fuzz``; a finding tells the command that plays it again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import UNCOMPILED
from marketsim.simulation import warm
from tests.fuzz.campaign import Tally, Trace, play, work
from tests.fuzz.targets import TARGETS

SEED = 2026


@pytest.fixture(autouse=True)
def _compiled() -> None:
    """What is compiled is compiled before any case is timed."""
    if not UNCOMPILED:
        warm()


def _share(name: str, inputs: int) -> int:
    return max(inputs * TARGETS[name][1] // sum(share for _, share in TARGETS.values()), 1)


def _found(name: str, inputs: int) -> str:
    tally = work(name, TARGETS[name][0], SEED, inputs, Tally())
    assert tally.inputs >= inputs or tally.findings
    return "\n\n".join(map(str, tally.findings))


@pytest.mark.parametrize("name", TARGETS)
def test_twenty_thousand_inputs(name: str) -> None:
    assert not (found := _found(name, _share(name, 20_000))), found


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_three_hundred_thousand_inputs(name: str) -> None:
    assert not (found := _found(name, _share(name, 300_000))), found


# --- the campaign itself ---------------------------------------------------------------------------------------------


def _fragile(draw: Random, trace: Trace) -> int:
    for _ in range(5):
        number = draw.randrange(20)
        trace.note("number", number)
        if number == 13:
            raise ZeroDivisionError("thirteen")
    return 5


def test_a_finding_can_be_played_again() -> None:
    tally = work("fragile", _fragile, 3, 1_000, Tally())
    (finding,) = tally.findings
    assert "ZeroDivisionError: thirteen" in finding.error
    assert "('number', 13)" in finding.trace
    assert f"--seed 3 --target fragile --case {finding.case}" in str(finding)
    assert play("fragile", _fragile, 3, finding.case)[1] == finding


def test_errors_of_bad_input_are_none() -> None:
    from tests.fuzz.campaign import refusals

    with refusals():
        raise InvalidValueError("as it should be")
    with pytest.raises(KeyError), refusals():
        raise KeyError("a mistake")


@pytest.mark.slow
def test_the_command_tells_seed_rate_and_findings() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "2000", "--seed", "5", "--target", "books"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("seed 5, 2,000 inputs\nbooks ")
    assert done.stdout.rstrip().endswith("0 findings")
