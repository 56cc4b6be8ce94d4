"""Sweeps: every point under every seed, the same numbers as single runs, kept, continued after a kill, never mixed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from sweep_market import small

import marketsim as ms
from marketsim.errors import InvalidValueError, StoreError
from marketsim.experiment import sweep as module
from marketsim.experiment.measure import measure
from marketsim.experiment.record import read_rows
from marketsim.experiment.sweep import Sweep, resume, sweep
from marketsim.simulation import Simulation

SPEC = small()
OVER: dict[str, Any] = {"agents.noise.count": [10, 20], "network.latency.median": ["100us", "5ms"]}
MEASURES = ("market.ABC.trades", "agents.noise.pnl")


def run(folder: Path | None = None, **more: Any) -> Sweep:
    return sweep(SPEC, OVER, seeds=3, measures=MEASURES, folder=folder, **{"workers": 1, **more})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return run(tmp_path_factory.mktemp("sweeps") / "small")


def test_a_row_a_run_with_parameters_and_measures(done: Sweep) -> None:
    table = done.table
    assert list(table.columns) == [
        "point", *OVER, "seed", "status", "error", "engine_seconds", "wall_seconds", *MEASURES,
    ]  # fmt: skip
    assert len(table) == 12
    assert done.complete
    assert done.failures == ()
    assert set(table["status"]) == {"ok"}
    assert table.groupby("point")["seed"].apply(list).tolist() == [[1, 2, 3]] * 4
    assert sorted(table["network.latency.median"].unique()) == [100.0, 5000.0]
    assert done.units == {"agents.noise.count": "", "network.latency.median": "us"}
    assert (table["wall_seconds"] > table["engine_seconds"]).all()


def test_each_row_is_what_a_run_by_itself_gives(done: Sweep) -> None:
    row = done.table.iloc[7]
    changes = {"agents.noise.count": row["agents.noise.count"], "network.latency.median": "100us", "seed": 2}
    alone = ms.load(SPEC.to_dict(), changes).run()
    assert {name: row[name] for name in MEASURES} == {name: measure(alone, name) for name in MEASURES}


def test_the_summary_is_means_and_students_intervals(done: Sweep) -> None:
    summary = done.summary("agents.noise.pnl")
    values = done.table[done.table["point"] == 2]["agents.noise.pnl"].to_numpy()
    row = summary[summary["point"] == 2].iloc[0]
    low, high = t.interval(0.95, 2, values.mean(), values.std(ddof=1) / np.sqrt(3))
    assert (row["mean"], row["low"], row["high"], row["runs"]) == pytest.approx((values.mean(), low, high, 3))


def test_a_whole_sweep_is_read_and_not_run(done: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.OneRun, "__call__", _never)
    again = run(done.folder)
    assert again.table.equals(done.table)
    assert Sweep.open(done.folder or "").table.equals(done.table)
    assert resume(done.folder or "").table.equals(done.table)


def test_a_sweep_that_was_stopped_goes_on_and_repeats_nothing(tmp_path: Path, done: Sweep, monkeypatch: Any) -> None:
    folder, ran = tmp_path / "s", []
    real = module.OneRun.__call__

    def counted(self: Any, item: Any) -> Any:
        ran.append((tuple(item[0].values()), item[1]))
        return real(self, item)

    def stop(finished: int, _: int) -> None:
        if finished == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.OneRun, "__call__", counted)
    with pytest.raises(KeyboardInterrupt):
        run(folder, progress=stop)
    assert len(read_rows(folder)) == 5
    partial = Sweep.open(folder)
    assert not partial.complete
    assert len(partial.table) == 5
    told: list[tuple[int, int]] = []
    found = run(folder, progress=lambda *so_far: told.append(so_far))
    assert told == [(n, 7) for n in range(1, 8)]
    assert len(ran) == len(set(ran)) == 12
    columns = ["point", "seed", *MEASURES]
    assert found.table[columns].equals(done.table[columns])


def test_a_run_that_fails_is_a_row_and_stops_nobody(tmp_path: Path) -> None:
    over = {"warm_up": ["0s", "3s"], "duration": ["4s", "2s"]}  # 3s of 2s is no run
    spec = small(warm_up="1s")
    found = sweep(spec, {**over, "warm_up": ["1s", "3s"]}, seeds=2, measures=MEASURES, workers=1, folder=tmp_path / "s")
    table = found.table
    assert table["status"].tolist() == ["ok"] * 6 + ["failed"] * 2
    assert "shorten it, or lengthen the duration" in table["error"].iloc[-1]
    assert table[MEASURES[0]].isna().tolist() == [False] * 6 + [True] * 2
    assert [row["kind"] for row in found.failures] == ["ScenarioError"] * 2
    summary = found.summary(MEASURES[0])
    assert summary["runs"].tolist() == [2, 2, 2, 0]
    told: list[int] = []
    resume(tmp_path / "s", workers=1, progress=lambda n, _: told.append(n))
    assert told == []
    resume(tmp_path / "s", workers=1, retry_failed=True, progress=lambda n, _: told.append(n))
    assert told == [1, 2]
    assert len(Sweep.open(tmp_path / "s").table) == 8


def test_a_table_of_points_is_a_design(tmp_path: Path) -> None:
    points = [{"agents.noise.count": 5}, {"agents.noise.count": 9}]
    assert len(sweep(SPEC, points=points, seeds=[4], measures=MEASURES, workers=1).table) == 2
    with pytest.raises(InvalidValueError, match="points is a table, which says what varies"):
        sweep(SPEC, OVER, points=points)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": 0}, "give at least one"),
        ({"seeds": [1, 1]}, "none twice"),
        ({"seeds": ["a"]}, "is no seed"),
        ({"measures": "agents.noise.pnll"}, 'did you mean "pnl"'),
        ({"design": "gird"}, 'did you mean "grid"'),
        ({"points": 0}, "the design is empty"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"workers": 0}, "at least one process"),
        ({"over": {"agents.nose.count": [1]}}, 'did you mean "noise"'),
        ({"over": {}}, "nothing varies"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_runs(arguments: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError) as raised:
        sweep(SPEC, **{"over": OVER, "folder": tmp_path / "s", **arguments})
    assert words in str(raised.value)
    assert not (tmp_path / "s").exists()


def test_another_sweep_into_the_same_folder_is_refused_with_what_differs(done: Sweep) -> None:
    with pytest.raises(StoreError) as raised:
        sweep(SPEC, OVER, seeds=4, measures=MEASURES, folder=done.folder, workers=1)
    assert "seeds: [1, 2, 3] there, [1, 2, 3, 4] now" in str(raised.value)


def test_files_of_a_sweep(done: Sweep, tmp_path: Path) -> None:
    paths = done.save(tmp_path / "out")
    assert [path.name for path in paths] == ["table.csv", "summary.csv", "sweep.png"]
    assert len(paths[0].read_text().splitlines()) == 13
    with pytest.raises(InvalidValueError, match="this sweep has no folder"):
        Sweep(done.spec, done.design, done.seeds, done.measures, done.rows).save()
    with pytest.raises(InvalidValueError, match="was not taken"):
        done.figure("market.ABC.spread")


@pytest.mark.slow
def test_several_processes_find_the_same(done: Sweep) -> None:
    columns = ["point", "seed", *MEASURES]
    assert run(workers=2).table[columns].equals(done.table[columns])


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    script = Path(__file__).with_name("sweep_market.py")
    process = subprocess.Popen([sys.executable, str(script), str(folder), "2"])
    try:
        while process.poll() is None and _lines(folder) < 20:
            time.sleep(0.02)
        with pytest.raises(StoreError, match="another process is at work"):
            resume(folder)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = (folder / "runs.jsonl").read_bytes()
    there = kept.count(b"\n")
    assert 20 <= there < 400, "it was to be killed midway"
    told: list[tuple[int, int]] = []
    found = resume(folder, workers=2, progress=lambda *so_far: told.append(so_far))
    assert told[-1] == (400 - there, 400 - there)
    assert found.complete
    assert len(found.table.drop_duplicates(["point", "seed"])) == len(found.table) == 400
    assert (folder / "runs.jsonl").read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    row = found.table.iloc[-1]
    alone = Simulation.from_spec(found.spec.with_overrides({"agents.noise.count": 40, "seed": 100})).run()
    assert row["market.ABC.trades"] == measure(alone, "market.ABC.trades")


def _lines(folder: Path) -> int:
    runs = folder / "runs.jsonl"
    return runs.read_bytes().count(b"\n") if runs.exists() else 0


def _never(*_: Any) -> Any:
    raise AssertionError("this run is there already")


@pytest.mark.parametrize(
    ("values", "log"),
    [([50.0, 2e3, 2e5], True), ([1.0, 2.0, 50.0], False), ([0.0, 1.0, 200.0], False), (["a", "b", "c"], False),
     ([1.0, 1000.0], False), ([True, False], False)],
)  # fmt: skip
def test_lists_over_decades_are_drawn_on_a_logarithmic_scale(values: list[object], log: bool) -> None:
    import pandas as pd

    from marketsim.experiment.sweep import _over_decades

    assert _over_decades(pd.Series(values)) == log
