"""Compilation: what the first start on a machine waits for, what the next ones pay for loading it, and how it grows.

Everything is measured on a copy of the package that nobody may write to, as an installed one often is; compiled code
lies in the user's cache. Where permissions bind nobody (a superuser's process), the copy must at least be as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from compileall import compile_dir
from pathlib import Path
from typing import NamedTuple

from benchmarks.measurement import Measurement, show

_ROOT = Path(__file__).resolve().parent.parent
_BESIDE = ("agents", "analysis", "scenarios")  # rooms that a checkout keeps beside the package
_OWN = _ROOT / "examples" / "09_own_policy.py"
_TIMED = """
import time
wall, own = time.perf_counter(), time.process_time()
{}
print(time.perf_counter() - wall, time.process_time() - own)
"""
_EVERYTHING = """
from marketsim.simulation import warm
warm()
"""
_FIRST_EVENTS = """
import sys
import marketsim as ms
from marketsim.simulation.warming import compiled_agents
sys.path.insert(0, sys.argv[1])
simulation = ms.Simulation(duration="1s")
simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
agents = compiled_agents()
for name in sys.argv[2:]:
    agents.append(getattr(__import__(name.split(":")[0]), name.split(":")[1])())
for agent in agents:
    simulation.add_agents(agent, 1)
execution = simulation.start()
execution.advance(1)
assert execution.events >= len(agents), "every policy should have been called"
"""
_MODULES = """
import inspect
from marketsim.simulation.warming import compiled_agents
for agent in compiled_agents():
    print(type(agent).__name__, inspect.getsourcefile(type(agent)))
"""


class Took(NamedTuple):
    """Seconds of one process, without the interpreter's own start."""

    wall: float
    own: float  # of the processor


def read_only_copy(folder: Path) -> Path:
    """The package in a folder of its own, with its bytecode, not to be written to."""
    package = folder / "site" / "marketsim"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_ROOT / "marketsim", package, ignore=ignored)
    for room in _BESIDE:
        shutil.copytree(_ROOT / room, package / room, ignore=ignored, dirs_exist_ok=True)
    compile_dir(package, quiet=2)
    for path in [package, *package.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return package.parent


def twins(folder: Path, site: Path) -> list[str]:
    """A second copy of every module with a policy, under another name: ``module:class`` of each."""
    folder.mkdir()
    found = []
    for line in _said(_MODULES, site, folder, []).splitlines():
        kind, path = line.split(" ", 1)
        twin = folder / f"twin_{Path(path).stem}.py"
        if not twin.exists():
            twin.write_bytes(Path(path).read_bytes())
        found.append(f"{twin.stem}:{kind}")
    return found


def took(script: str, site: Path, cache: Path, arguments: list[str]) -> Took:
    """Seconds that a script takes in a process of its own."""
    words = _said(_TIMED.format(script), site, cache, arguments).split()
    return Took(float(words[-2]), float(words[-1]))


def _said(script: str, site: Path, cache: Path, arguments: list[str]) -> str:
    environment = {**os.environ, "MARKETSIM_CACHE": str(cache), "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, cwd=cache, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{script}\nfailed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _state(site: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in site.rglob("*"))


def measure() -> list[Measurement]:
    """With an empty cache, with a full one, with a policy of one's own, and with twice as many policies."""
    with tempfile.TemporaryDirectory(prefix="marketsim-compilation-") as name:
        folder = Path(name)
        site, cache = read_only_copy(folder), folder / "cache"
        cache.mkdir()
        before = _state(site)
        first = took(_EVERYTHING, site, cache, [])
        again = min(took(_EVERYTHING, site, cache, []) for _ in range(3))
        mine = folder / "mine"
        mine.mkdir()
        shutil.copy(_OWN, mine / "own_policy.py")
        start = [str(mine), "own_policy:Contrarian"]
        own = took(_FIRST_EVENTS, site, cache, start)
        begun = min(took(_FIRST_EVENTS, site, cache, start) for _ in range(5))
        doubled = twins(folder / "twins", site)
        more = took(_FIRST_EVENTS, site, cache, [str(folder / "twins"), *doubled])
        loaded = min(took(_FIRST_EVENTS, site, cache, [str(folder / "twins")]) for _ in range(3))
        if _state(site) != before:
            raise SystemExit(f"{site}: a package that may not be written to was written to")
    growth = (first.own + more.own - loaded.own) / first.own
    return [
        Measurement("compilation: everything, once", first.own, "s of processor", most=60, note=_wall(first)),
        Measurement("compilation: everything again, with tables read", again.wall, "s", note=_own(again)),
        Measurement(
            "compilation: import to first events, loaded",
            begun.wall,
            "s",
            most=1.5,
            note=f"{_own(begun)}; own policy too",
        ),
        Measurement("compilation: a policy of one's own, once", own.own - begun.own, "s of processor"),
        Measurement(
            f"compilation: {len(doubled)} policies more", growth, "x the time", most=1.5, note="twice as many policies"
        ),
    ]


def _wall(seconds: Took) -> str:
    return f"{seconds.wall:.1f} s on the clock"


def _own(seconds: Took) -> str:
    return f"{seconds.own:.2f} s of processor"


if __name__ == "__main__":
    show(measure())
