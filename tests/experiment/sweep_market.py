"""A small market that sweeps are tried on, and work for pools that other processes find."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from marketsim.scenario.spec import ScenarioSpec


def small(**more: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict(
        {
            "name": "small",
            "duration": "4s",
            "venues": {"XSIM": {"fees": {"taker": "0.3bps"}}},
            "instruments": {"ABC": {}},
            "network": {"latency": {"type": "lognormal", "median": "500us"}},
            "agents": {"noise": {"type": "noise", "count": 20, "rate": "2/s"}},
            **more,
        }
    )


def work(item: tuple[str, int]) -> int:
    """Square a number, fail, or end this process."""
    kind, number = item
    if kind == "fail":
        raise ValueError(f"{number} fails")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "wait":
        time.sleep(0.05)
    return number * number


def once_killed(item: tuple[str, str]) -> str:
    """End this process the first time."""
    place, name = item
    if name and not (Path(place) / name).exists():
        (Path(place) / name).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


if __name__ == "__main__":  # a sweep in a process of its own, to be killed
    import sys

    from marketsim.experiment.sweep import sweep

    sweep(
        small(), {"agents.noise.count": [10, 20, 30, 40]}, seeds=100, measures="market.ABC.trades",
        folder=sys.argv[1], workers=int(sys.argv[2]),
    )  # fmt: skip
