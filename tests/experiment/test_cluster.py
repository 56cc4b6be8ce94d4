"""A Dask cluster: the same table as here, a worker killed midway loses nothing, and addresses where nobody is."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

import pytest
from sweep_market import small

from marketsim.errors import ConfigurationError, MissingDependency
from marketsim.experiment import cluster as module
from marketsim.experiment.sweep import sweep

OVER = {"agents.noise.count": [10, 20, 30]}
MEASURES = ("market.ABC.trades", "agents.noise.pnl")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency, match="cluster"):
        sweep(small(), OVER, cluster="tcp://127.0.0.1:1")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_where_nobody_answers_it_says_how_to_start_one(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed: the extra cluster")
    with pytest.raises(ConfigurationError, match="dask scheduler"):
        next(module.spread_over(address, len, ["a"], patience=0.3))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_midway_loses_nothing_and_doubles_nothing(tmp_path: Any) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: the extra cluster")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    spec, told = small(), []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as local:

        def progress(done: int, _: int) -> None:
            told.append(done)
            if done == 10:
                os.kill(next(iter(local.workers.values())).pid, signal.SIGKILL)

        found = sweep(
            spec, OVER, seeds=30, measures=MEASURES, cluster=local.scheduler_address, folder=tmp_path / "s",
            progress=progress,
        )  # fmt: skip
    assert told == list(range(1, 91))
    assert found.complete
    assert found.failures == ()
    assert (tmp_path / "s" / "runs.jsonl").read_text().count("\n") == 90
    here = sweep(spec, OVER, seeds=30, measures=MEASURES, workers=1)
    columns = ["point", "seed", *MEASURES]
    assert found.table[columns].equals(here.table[columns])
