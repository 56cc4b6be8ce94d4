"""Scenarios of any shape, replications over processes, and verification of kept runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketsim.errors import ConfigurationError, InvalidValueError, SimulationError, StoreError
from marketsim.experiment.comparison import compare
from marketsim.experiment.replication import replicate, replicate_all, spec_of
from marketsim.experiment.verification import verify
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation import Simulation


def scenario(rate: float = 2.0, name: str = "small", **more: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict(
        {
            "name": name,
            "duration": "4s",
            "venues": {"XSIM": {}},
            "instruments": {"ABC": {}},
            "agents": {"noise": {"type": "noise", "count": 20, "rate": rate}, **more},
        }
    )


def test_a_simulation_a_mapping_and_a_file_are_scenarios(tmp_path: Path) -> None:
    """As their specs are, for all experiments."""
    spec = scenario()
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    given = [spec, Simulation.from_spec(spec), spec.to_dict(), file, str(file)]
    assert [spec_of(one).to_dict() for one in given] == [spec.to_dict()] * 5
    found = compare(Simulation.from_spec(spec), file, seeds=2, workers=1)
    assert all(row.difference == 0 for row in found.rows if not np.isnan(row.difference))
    assert replicate(Simulation.from_spec(spec), 2) == pytest.approx(replicate(spec.to_dict(), 2), nan_ok=True)
    with pytest.raises(InvalidValueError, match=r"list is no scenario: give a simulation such as ms.load\(…\)"):
        compare([spec], spec, seeds=2)  # type: ignore[arg-type]


def test_processes_give_what_one_process_gives() -> None:
    jobs = [(scenario().to_dict(), seed) for seed in (1, 2, 3)]
    told: list[tuple[int, int]] = []
    spread = replicate_all(jobs, workers=2, progress=lambda done, all_: told.append((done, all_)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    again = [replicate(given, seed) for given, seed in jobs]
    assert json.dumps(spread) == json.dumps(again)


def test_a_run_that_fails_is_named_by_its_seed() -> None:
    broken = scenario().to_dict()
    broken["agents"]["noise"]["rate"] = -1.0
    with pytest.raises(SimulationError, match=r"seed [56] failed: noise: rate"):
        replicate_all([(broken, 5), (broken, 6)], workers=2)


def test_verification(tmp_path: Path) -> None:
    run = Simulation.from_spec(scenario()).run(tmp_path / "kept")
    found = verify(tmp_path / "kept")
    assert found.equal
    assert found.found == run.digest
    assert found.versions == ()


def test_a_changed_manifest_is_found_out(tmp_path: Path) -> None:
    Simulation.from_spec(scenario()).run(tmp_path / "kept")
    manifest = tmp_path / "kept" / "manifest.json"
    changed = json.loads(manifest.read_text())
    changed["spec"]["seed"] = 99
    manifest.write_text(json.dumps(changed))
    assert not verify(tmp_path / "kept").equal


def test_only_complete_runs_are_verified(tmp_path: Path) -> None:
    execution = Simulation.from_spec(scenario()).start(tmp_path / "half")
    execution.advance("1s")
    execution.finish()
    with pytest.raises(StoreError, match="incomplete"):
        verify(tmp_path / "half")


def test_agents_of_a_notebook_cannot_be_verified(tmp_path: Path) -> None:
    Simulation.from_spec(scenario()).run(tmp_path / "kept")
    manifest = tmp_path / "kept" / "manifest.json"
    changed = json.loads(manifest.read_text())
    changed["spec"]["agents"]["noise"]["type"] = "__main__:Mine"
    manifest.write_text(json.dumps(changed))
    with pytest.raises(ConfigurationError, match="put it into a module"):
        verify(tmp_path / "kept")
