"""Exactness: compiled, stepped and uncompiled runs write the same bytes, ties or not, with Python agents or without."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from marketsim.agents.fundamental import Fundamental
from marketsim.agents.hawkes_flow import HawkesFlow
from marketsim.agents.momentum import Momentum
from marketsim.agents.noise import Noise
from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.agents.queue_reactive import QueueReactive
from marketsim.agents.zero_intelligence import ZeroIntelligence
from tests.population.wiring import LATENCY, Crowd, Market, Meddler

SECONDS = 3
SECONDS_OF_PLAIN = 1  # where the fast tests run plain Python, which needs seconds of its own for each of these
FEED = (10_000.0 + 40.0 * np.sin(np.arange(500) / 7.0), 0, 10_000_000)


def noise() -> Crowd:
    return Crowd(Noise(rate=2, sizes="lognormal"), 20)


def fundamental() -> Crowd:
    agent = Fundamental(rate=3, sizes="hundreds", believed_volatility=0.1, believed_kappa="0.01/s", close="1min")
    return Crowd(agent, 8, feed=FEED, computation=50)


def momentum() -> Crowd:
    return Crowd(Momentum(rate=4, short=2, long=5, sizes="uniform"), 6, computation=1_000_000)


def reverting() -> Crowd:
    return Crowd(
        Momentum(rate=4, short=3, long=4, direction="revert", orders="market", max_position=40), 4, "reverting"
    )


def poisson_flow() -> Crowd:
    return Crowd(PoissonFlow(limit_rate=1, market_rate=2, cancel_rates=(0.5, 0.2, 0.1), reach=8))


def hawkes_flow() -> Crowd:
    return Crowd(HawkesFlow(lifetime="5s"), 2)


def queue_reactive() -> Crowd:
    return Crowd(QueueReactive(), 1)


def zero_intelligence() -> Crowd:
    return Crowd(ZeroIntelligence(rate=5, quantity=3), 8, feed=FEED)


def traders() -> list[Crowd]:
    values = (101.0, 100.5, 100.0, 99.5)
    return [
        Crowd(ZeroIntelligence(rate=5, side="buy", values=values, period="1s", reset=True, low=99, high=102), 4, "b"),
        Crowd(ZeroIntelligence(rate=5, side="sell", values=values[::-1], quantity=2, low=99, high=102), 4, "s"),
    ]


CROWDS: dict[str, Callable[[], list[Crowd]]] = {
    "noise": lambda: [noise()],
    "fundamental": lambda: [fundamental(), noise()],
    "momentum": lambda: [momentum(), noise()],
    "reverting": lambda: [reverting(), noise()],
    "poisson_flow": lambda: [poisson_flow()],
    "hawkes_flow": lambda: [hawkes_flow()],
    "queue_reactive": lambda: [queue_reactive()],
    "zero_intelligence": lambda: [zero_intelligence()],
    "schedules": traders,
    "everyone": lambda: [
        noise(),
        fundamental(),
        momentum(),
        reverting(),
        poisson_flow(),
        zero_intelligence(),
        *traders(),
    ],
}


def digest(
    crowds: list[Crowd], *, python: bool, grid: int, stepped: bool = False, seconds: int = SECONDS
) -> tuple[str, int]:
    market = Market(crowds, grid=grid, stepped=stepped, extra=[("meddler", LATENCY)] if python else [])
    if python:
        Meddler(market)
    market.run(seconds)
    assert len(market.events) <= 20_000
    return market.digest, len(market.events)


@pytest.mark.boundscheck
@pytest.mark.parametrize("grid", [1, 1_000_000])
@pytest.mark.parametrize("python", [False, True], ids=["alone", "with Python"])
@pytest.mark.parametrize("name", CROWDS)
def test_stepping_changes_nothing(name: str, python: bool, grid: int) -> None:
    compiled, count = digest(CROWDS[name](), python=python, grid=grid)
    stepped, _ = digest(CROWDS[name](), python=python, grid=grid, stepped=True)
    assert count > 50, "a run in which nothing happens proves nothing"
    assert compiled == stepped
    assert compiled == digest(CROWDS[name](), python=python, grid=grid)[0]


@pytest.mark.uncompiled
@pytest.mark.parametrize("name", ["fundamental", "schedules"])
def test_stepping_plain_python_changes_nothing(name: str) -> None:
    compiled, stepped = (digest(CROWDS[name](), python=True, grid=1_000_000, stepped=way) for way in (False, True))
    assert compiled == stepped


def test_a_grid_of_a_millisecond_makes_ties() -> None:
    market = Market(CROWDS["everyone"](), grid=1_000_000).run(SECONDS)
    times = market.events["time"]
    assert len(np.unique(times)) < 0.75 * len(times)
    assert (
        digest(CROWDS["everyone"](), python=True, grid=1)[0]
        != digest(CROWDS["everyone"](), python=True, grid=1_000_000)[0]
    )


SCRIPT = """
import sys
from tests.population.test_digests import report
report(sys.argv[2:], int(sys.argv[1]))
"""


def lines(names: list[str], seconds: int = SECONDS) -> list[str]:
    """A line for each run: everybody, or all crowds by name, with and without Python agents, ties forced or not."""
    runs = [(name, grid, python) for name in names for grid in (1, 1_000_000) for python in (False, True)]
    return [f"{run} {digest(CROWDS[run[0]](), python=run[2], grid=run[1], seconds=seconds)}" for run in runs]


def report(names: list[str], seconds: int) -> None:
    print("\n".join(lines(names, seconds)))


def other_process(names: list[str], seconds: int = SECONDS, **environment: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(seconds), *names],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


ONE_OF_EACH = ["schedules", "everyone"]


@pytest.mark.slow
def test_plain_python_writes_the_same_bytes() -> None:
    told = other_process(ONE_OF_EACH, SECONDS_OF_PLAIN, NUMBA_DISABLE_JIT="1")
    assert told == lines(ONE_OF_EACH, SECONDS_OF_PLAIN)


@pytest.mark.slow
def test_plain_python_writes_the_same_bytes_for_each_policy_alone() -> None:
    assert other_process(list(CROWDS), NUMBA_DISABLE_JIT="1") == lines(list(CROWDS))


def test_another_process_writes_the_same_bytes() -> None:
    assert other_process(list(CROWDS), NUMBA_DISABLE_JIT="0", PYTHONHASHSEED="123") == lines(list(CROWDS))
