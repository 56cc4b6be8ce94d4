"""What a user edits in a policy or in the core takes effect at the next run, although compiled code is cached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import marketsim as ms
from marketsim.agents.noise import Noise
simulation = ms.Simulation(seed=1, duration="3s").add_venue(instruments=[ms.Instrument("ABC")])
simulation.add_agents(Noise(rate="2/s"), 20, "noise")
run = simulation.run()
print(run.digest, sorted(set(run.orders["reason"])), int(run.orders["quantity"].max()))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package as a checkout without symlinks lays it out when installed."""
    package = tmp_path / "marketsim"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "marketsim", package, ignore=shutil.ignore_patterns("__pycache__", "agents", "analysis", "scenarios")
    )
    for room in ("agents", "analysis", "scenarios"):
        shutil.copytree(ROOT / room, package / room, ignore=ignored)
    return tmp_path


def run(checkout: Path, code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "MARKETSIM_CACHE": str(checkout / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{path.name} no longer holds {old!r}: quote what stands there now"
    path.write_text(text.replace(old, new), encoding="utf-8")


FINGERPRINT = "from marketsim.kernel.compiled import source_fingerprint; print(source_fingerprint())"


@pytest.mark.parametrize("name", ["population/loop.py", "exchange/ladder.py", "domain/event.py", "network/link.py"])
def test_every_compiled_source_of_the_market_is_in_the_name_of_the_cache(checkout: Path, name: str) -> None:
    before = run(checkout, FINGERPRINT)
    assert run(checkout, FINGERPRINT) == before
    path = checkout / "marketsim" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert run(checkout, FINGERPRINT) != before


def test_who_edits_an_agent_need_not_compile_the_market_again(checkout: Path) -> None:
    before = run(checkout, FINGERPRINT)
    path = checkout / "marketsim/agents/noise.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert run(checkout, FINGERPRINT) == before


@pytest.mark.slow
def test_an_edited_policy_and_core_take_effect_at_the_next_run(checkout: Path) -> None:
    before = run(checkout, RUN)
    edit(checkout / "marketsim/agents/noise.py", "seen.kind == _QUOTE", "seen.kind == _QUOTE and seen.now % 3 != 0")
    policy = run(checkout, RUN)
    assert policy != before
    assert policy == run(checkout, RUN, NUMBA_DISABLE_JIT="1")
    edit(
        checkout / "marketsim/exchange/matching.py",
        "int(Reason.BY_REQUEST), int(Reason.WOULD_TRADE)",
        "int(Reason.RISK), int(Reason.WOULD_TRADE)",
    )
    core = run(checkout, RUN)
    assert "RISK" in core
    assert "RISK" not in policy
    assert core == run(checkout, RUN, NUMBA_DISABLE_JIT="1")
