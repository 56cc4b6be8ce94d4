"""Run folders damaged: the manifest's text and entries, Parquet files and profile, cut, flipped, exchanged, lost.

Opening one and asking for everything in it either works or ends in a StoreError (or another error of marketsim).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from marketsim.results.run import Run
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.values import anything, damaged, damaged_bytes

CASES = 5  # folders of a case


@lru_cache(maxsize=1)
def _sound() -> Path:
    """A small run of two markets, saved; it goes with the process."""
    import marketsim as ms

    sim = ms.Simulation(3, "2s")
    sim.add_venue("XSIM", [ms.Instrument("ABC"), ms.Instrument("DEF", tick_size="0.05")], maker_fee="-1bps")
    sim.add_agents(ms.agents.Noise(rate="20/s"), 10, "noise")
    run = sim.run()
    parent = Path(tempfile.mkdtemp(prefix="fuzz-"))
    weakref.finalize(_sound, shutil.rmtree, parent, ignore_errors=True)
    return run.save(parent / "run").path or parent


def _damage_manifest(draw: Random, path: Path) -> None:
    written = path.read_text(encoding="utf-8")
    if draw.random() < 0.4:
        path.write_bytes(damaged(draw, written).encode("utf-8", "replace"))
        return
    tree = json.loads(written)
    place: Any = tree
    for _ in range(draw.randint(0, 4)):
        inner = [
            each
            for each in (place.values() if isinstance(place, dict) else place)
            if isinstance(each, dict | list) and each
        ]
        if not inner:
            break
        place = draw.choice(inner)
    key = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
    place[key] = anything(draw)
    path.write_bytes(json.dumps(tree).encode("utf-8", "replace"))


def _use(draw: Random, path: Path) -> None:
    run = Run.open(path)
    repr(run), run.end, run.local_time, run.manifest.to_json()
    for name in draw.sample(
        [
            "trades",
            "quotes",
            "orders",
            "agents",
            "annotations",
            "phases",
            "auctions",
            "indications",
            "payments",
            "marks",
        ],
        3,
    ):
        with refusals():
            getattr(run, name)
    with refusals():
        run.depth(2)
    with refusals():
        run.check()
    if draw.random() < 0.1:
        with refusals():
            run._repr_html_()


def folders(draw: Random, trace: Trace) -> int:
    """Each folder is an input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as parent:
        for number in range(CASES):
            path = Path(parent) / str(number)
            shutil.copytree(_sound(), path)
            file = draw.choice(
                [each for each in sorted(path.rglob("*")) if each.is_file()] + [path / "manifest.json"] * 3
            )
            if file.name == "manifest.json" and draw.random() < 0.9:
                _damage_manifest(draw, file)
            elif draw.random() < 0.1:
                file.unlink()
            else:
                file.write_bytes(damaged_bytes(draw, file.read_bytes()))
            trace.inputs = [(file.name, file.read_bytes() if file.exists() else None)]
            with refusals():
                _use(draw, path)
    return CASES
