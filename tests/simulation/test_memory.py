"""A population that does not fit into memory is refused before anything is made, and one that fits is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from markets import INSTRUMENT, Counter

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.errors import ConfigurationError
from marketsim.simulation import memory

NOISE = memory.COMPILED + memory.VENUE + Noise.STATE.itemsize
PYTHON = memory.PYTHON + memory.VENUE
HUGE = 2_000_000_000


@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let this much memory be available."""

    def set_available(amount: int) -> None:
        monkeypatch.setattr(memory, "available_memory", lambda: amount)

    return set_available


def crowd(count: int, venues: int = 1) -> ms.Simulation:
    simulation = ms.Simulation(duration="10ms")
    for number in range(venues):
        simulation.add_venue(f"X{number}", [INSTRUMENT])
    return simulation.add_agents(Noise(rate="1/s"), count, "noise")


def test_the_border_is_where_the_estimate_says(available: Callable[[int], None]) -> None:
    available(20 * NOISE)
    assert crowd(20).run().complete
    with pytest.raises(ConfigurationError, match=r"agents\.noise\.count: 21 agents need at least .* use at most 20$"):
        crowd(21).run()


def test_more_venues_and_python_agents_take_more(available: Callable[[int], None]) -> None:
    available(20 * NOISE)
    with pytest.raises(ConfigurationError, match="noise"):
        crowd(20, venues=2).start()
    available(20 * NOISE + 3 * PYTHON)
    simulation = crowd(20).add_agents(Counter(), 3, "counter")
    assert simulation.run().complete
    available(20 * NOISE + 3 * PYTHON - 1)
    with pytest.raises(ConfigurationError, match=r"agents\.noise\.count: 20 .*, and all others .* use at most 19$"):
        simulation.run()
    available(21 * NOISE)
    driven = ms.Simulation(duration="10ms").add_venue(instruments=[INSTRUMENT])
    driven.add_agents(Noise(rate="1/s"), 20, "noise", compiled=False)
    with pytest.raises(ConfigurationError, match=f"{PYTHON:,} bytes each"):
        driven.start()
    available(2 * PYTHON)
    with pytest.raises(ConfigurationError, match="use fewer of all"):
        simulation.run()


def test_billions_are_refused_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    """The estimate, what there is, and what to do; on any machine of today."""
    with pytest.raises(ConfigurationError) as caught:
        crowd(HUGE).run(tmp_path / "run")
    assert str(caught.value).startswith("agents.noise.count: 2,000,000,000 agents need at least 5.3")
    assert " TB of memory (2," in str(caught.value)
    assert " are available here: use at most " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_hundred_thousand_fit_into_half_a_gigabyte(available: Callable[[int], None]) -> None:
    available(500_000_000)
    memory.require_memory(crowd(100_000).spec)


def test_the_estimate_is_not_above_what_is_taken() -> None:
    """Tables and links alone, which can be counted, are a part of it; the whole is not ten times as much."""
    world = crowd(4096).start().world
    assert world.engine.nbytes + world.network.nbytes < 4096 * NOISE + 5_000_000


def write_group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"memory.{name}").write_text(text)


@pytest.mark.parametrize("version", [1, 2])
def test_the_nearest_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=10_000))
    membership = tmp_path / "membership"
    monkeypatch.setattr(memory, "_MEMBERSHIP", membership)
    assert memory.available_memory() == 10_000
    if version == 2:
        membership.write_text("0::/pod/ours\n")
        write_group(tmp_path / "pod" / "ours", max="max\n", current="700\n", stat="anon 1\ninactive_file 100\n")
        write_group(tmp_path / "pod", max="2000\n", current="800\n", stat="anon 1\ninactive_file 100\n")
    else:
        membership.write_text("3:cpu:/x\n2:memory:/ours\n")
        names = {"limit_in_bytes": "2000\n", "usage_in_bytes": "800\n", "stat": "total_inactive_file 100\n"}
        write_group(tmp_path / "memory" / "ours", **names)
    assert memory.available_memory() == 2000 - 800 + 100
