"""Optimisation: known optima, pruning, grids, importance, studies that are killed, what is refused, and honesty.

Most tests put a formula in the place of a run, so that hundreds of trials take no time.
"""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

import marketsim as ms
from marketsim.errors import (
    ConfigurationError,
    InvalidValueError,
    MissingDependency,
    SimulationError,
    StoreError,
)
from marketsim.experiment import study as study_module
from marketsim.experiment import workers as workers_module
from marketsim.experiment.optimization import Optimization, _aggregate, optimize
from marketsim.experiment.workers import Workers
from marketsim.kernel.random import key_of

pytest.importorskip("optuna", reason='optuna is not installed: pip install -e ".[optimize]"')

SPREAD, QUANTITY, RULE = "agents.mm.target_spread", "agents.mm.quantity", "venues.XSIM.allocation"
OVER = {SPREAD: "0.02..2 log", QUANTITY: "1..50"}


def scenario(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "duration": "20s",
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}},
        "agents": {
            "noise": {"type": "noise", "count": 20, "rate": "1/s"},
            "mm": {"type": "market_maker", "latency": "1ms", "target_spread": 0.4},
        },
        **changes,
    }


def noise(seed: int) -> float:
    """A number between -1 and 1 that only the seed decides."""
    return key_of(seed, "noise") / 2.0**63


def hill(given: Any, seed: int) -> float:
    """Best, 10, at a spread of 0.2; the quantity matters little. Seeds shift all trials alike."""
    mm = given["agents"]["mm"]
    return float(
        10.0 - math.log(mm["target_spread"] / 0.2) ** 2 - 0.0005 * (mm.get("quantity", 1) - 20) ** 2 + noise(seed)
    )


Formula = Callable[[Any, int], float]


@pytest.fixture
def formula(monkeypatch: pytest.MonkeyPatch) -> Callable[[Formula], list[tuple[float, int]]]:
    """Let a formula of scenario and seed stand for runs; the list tells what was run: (spread, seed)."""

    def put(function: Formula) -> list[tuple[float, int]]:
        ran: list[tuple[float, int]] = []

        def replicate(given: Any, seed: int, measures: Any) -> dict[str, float]:
            ran.append((given["agents"]["mm"]["target_spread"], seed))
            return {"value": function(given, seed)}

        monkeypatch.setattr(workers_module, "replicate", replicate)
        return ran

    return put


def search(over: Any = None, **more: Any) -> Optimization:
    given: dict[str, Any] = {"measure": "agents.mm.pnl", "seeds": 3, "trials": 24, "fresh": 0, "workers": 1, **more}
    return optimize(given.pop("scenario", scenario()), over or OVER, **given)


# --- it finds what there is to find ---


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_known_optimum_is_found(formula: Any, sampler: str) -> None:
    formula(hill)
    found = search(trials=60, sampler=sampler)
    assert found.best[SPREAD] == pytest.approx(0.2, rel=0.2)
    assert found.value == pytest.approx(10.0 + np.mean([noise(s) for s in (1, 2, 3)]), abs=0.1)
    assert found.base == pytest.approx(np.mean([hill(scenario(), s) for s in (1, 2, 3)]))
    assert found.history()["best"].is_monotonic_increasing
    assert found.best_spec.agents["mm"].parameters["target_spread"] == found.best[SPREAD]


def test_minimizing_is_maximizing_the_opposite(formula: Any) -> None:
    formula(hill)
    up = search()
    formula(lambda given, seed: -hill(given, seed))
    down = search(direction="minimize")
    assert down.best == up.best
    assert down.value == -up.value
    pd.testing.assert_frame_equal(up.trials.assign(value=-up.trials["value"], mean=-up.trials["mean"]), down.trials)


def test_every_trial_runs_under_the_same_seeds(formula: Any) -> None:
    ran = formula(hill)
    search(pruner="none", seeds=[5, 3, 9], trials=6)
    by_spread = {spread: [seed for other, seed in ran if other == spread] for spread, _ in ran}
    assert len(by_spread) == 7
    assert set(map(tuple, by_spread.values())) == {(5, 3, 9)}


def test_a_grid_is_the_whole_product_and_knows_its_best(formula: Any) -> None:
    ran = formula(hill)
    over = {SPREAD: [0.1, 0.4, 0.2], QUANTITY: "10..30 step 10", RULE: [{"rule": "price_time"}, {"rule": "pro_rata"}]}
    found = search(over, sampler="grid", trials=None, pruner="none")
    table = found.trials
    assert list(zip(table[SPREAD], table[QUANTITY], strict=True)) == [
        (spread, quantity) for spread, quantity, _ in product((0.1, 0.4, 0.2), (10, 20, 30), (0, 1))
    ]
    assert len(ran) == (18 + 1) * 3
    assert found.best[SPREAD] == 0.2
    assert found.best[QUANTITY] == 20
    assert found.value == max(table["value"])


def test_the_levels_of_a_grid_go_from_end_to_end(formula: Any) -> None:
    formula(hill)
    found = search({SPREAD: "0.02..2 log"}, sampler="grid", trials=None, levels=5)
    assert found.trials[SPREAD].tolist() == pytest.approx([0.02, 0.0632456, 0.2, 0.632456, 2.0])


def test_the_parameter_that_matters_is_the_most_important(formula: Any) -> None:
    formula(hill)
    found = search(trials=40, sampler="random", pruner="none")
    shares = found.importance.set_index("parameter")["importance"]
    assert list(shares.index) == [SPREAD, QUANTITY]
    assert shares[SPREAD] > 0.9
    assert shares.sum() == pytest.approx(1.0)
    few = search(trials=4)
    assert few.importance["importance"].isna().all()
    assert few.figure("importance").axes[0].texts[0].get_text().startswith("too few")


# --- seeds, and trials that are given up ---


def test_pruning_saves_runs_and_keeps_the_winner(formula: Any) -> None:
    formula(hill)
    whole = search(sampler="random", trials=40, seeds=6, pruner="none")
    ran = formula(hill)
    found = search(sampler="random", trials=40, seeds=6)
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned) >= 10
    assert (pruned["seeds"] == 2).all(), "seeds shift all alike, so two of them tell as much as six"
    assert (found.trials.loc[found.trials["state"] == "complete", "seeds"] == 6).all()
    assert len(ran) == found.trials["seeds"].sum() + 6
    assert found.winner == whole.winner
    assert set(pruned["trial"]).isdisjoint(range(10)), "the first ones only show what is usual"
    worst = whole.trials.set_index("trial").loc[pruned["trial"], "value"].max()
    assert worst <= whole.trials["value"].quantile(0.75)


@pytest.mark.parametrize(
    ("aggregate", "direction", "value"),
    [
        ("mean", "maximize", 3.0),
        ("median", "maximize", 2.0),
        ("worst", "maximize", 1.0),
        ("worst", "minimize", 6.0),
        ("cautious", "maximize", 3.0 - 7**0.5 / 3**0.5),  # deviations -2, -1, 3: s² = 7
        ("cautious 2", "minimize", 3.0 + 2 * 7**0.5 / 3**0.5),
        ("q50", "maximize", 2.0),
        ("q0", "maximize", 1.0),
    ],
)
def test_aggregates_by_hand(aggregate: str, direction: str, value: float) -> None:
    assert _aggregate(aggregate, direction)(np.array([1.0, 2.0, 6.0])) == pytest.approx(value)


def test_a_single_seed_has_no_standard_error() -> None:
    assert _aggregate("cautious", "maximize")(np.array([4.0])) == 4.0


# --- honesty ---


def test_the_check_by_hand(formula: Any) -> None:
    """Fresh seeds 4, 5 and 6; a finalist's differences to the base do not depend on them but for a known part."""

    def function(given: Any, seed: int) -> float:
        spread = given["agents"]["mm"]["target_spread"]
        return {0.1: 1.0, 0.3: 2.0, 0.4: 0.0}[spread] * (1 + (seed - 5) / 10) + 10 * noise(seed)

    formula(function)
    found = search({SPREAD: [0.1, 0.3]}, sampler="grid", trials=None, fresh=3, finalists=2, confidence=0.9)
    assert found.fresh == (4, 5, 6)
    table = found.finalists.set_index("candidate")
    assert list(table.index) == ["base", "1", "0"]
    assert table.loc["1", "difference"] == pytest.approx(2.0)
    # Differences 1.8, 2.0, 2.2: s = 0.2; both finalists at once: t(1 - 0.1/4; 2).
    half = stats.t.ppf(1 - 0.1 / 4, 2) * 0.2 / 3**0.5
    assert table.loc["1", ["difference_low", "difference_high"]].tolist() == pytest.approx([2 - half, 2 + half])
    numbers = [function(scenario(agents={"mm": {"target_spread": 0.3}}), s) for s in (4, 5, 6)]
    assert table.loc["1", "mean"] == pytest.approx(np.mean(numbers))
    reach = stats.t.ppf(0.95, 2) * np.std(numbers, ddof=1) / 3**0.5
    assert table.loc["1", "high"] == pytest.approx(np.mean(numbers) + reach)
    searched = np.mean([function(scenario(agents={"mm": {"target_spread": 0.3}}), s) for s in (1, 2, 3)])
    assert table.loc["1", "optimism"] == pytest.approx(searched - np.mean(numbers))
    assert table["better"].tolist() == [False, True, True]
    assert table[SPREAD].tolist() == [0.4, 0.3, 0.1]


@pytest.mark.statistical
def test_where_nothing_matters_the_winner_looks_good_and_is_rarely_called_better(formula: Any) -> None:
    """Values are pure chance: the search is too optimistic each time, and the check is not fooled."""
    optimism, better = [], 0
    for game in range(40):
        formula(
            lambda given, seed, game=game: float(
                stats.norm.ppf((key_of(seed, f"{game} {given['agents']['mm']['target_spread']}") / 2.0**63 + 1) / 2)
            )
        )
        found = search(sampler="random", sampler_seed=game, trials=12, pruner="none", fresh=8, finalists=1)
        row = found.finalists.set_index("candidate").loc[str(found.winner)]
        optimism.append(row["optimism"])
        better += bool(row["better"])
    # The largest of 12 means of 3: 1.63 of their standard deviation 3^-1/2.
    error = np.std(optimism, ddof=1) / 40**0.5
    assert np.mean(optimism) == pytest.approx(1.63 / 3**0.5, abs=4 * error)
    assert better <= stats.binom.ppf(0.9999, 40, 0.025)


# --- failures ---


def test_failures_are_recorded_and_stop_nobody(formula: Any) -> None:
    def function(given: Any, seed: int) -> float:
        spread = given["agents"]["mm"]["target_spread"]
        if spread == 0.1 and seed == 2:
            raise SimulationError("it went wrong")
        return math.nan if spread == 0.2 else spread

    formula(function)
    found = search({SPREAD: [0.1, 0.2, 0.3, 0.5]}, sampler="grid", trials=None, fresh=2)
    table = found.trials
    assert table["state"].tolist() == ["failed", "failed", "complete", "complete"]
    assert table["error"].tolist()[:2] == [
        "seed 2: SimulationError: it went wrong",
        "seed 1: value is nan: this run has nothing to measure",
    ]
    assert table["seeds"].tolist() == [1, 0, 3, 3]
    assert found.best == {SPREAD: 0.5}
    assert found.figure("history").axes


def test_values_that_do_not_fit_together_are_a_failed_trial(formula: Any) -> None:
    formula(lambda given, seed: given["agents"]["mm"]["target_spread"])
    over = {"warm_up": ["1s", "15s"], "duration": ["10s", "20s"]}
    found = search(over, sampler="grid", trials=None)
    assert found.trials["state"].tolist().count("failed") == 1
    (error,) = found.trials.loc[found.trials["state"] == "failed", "error"]
    assert "warm_up" in error


def test_where_all_fail_the_first_error_is_told(formula: Any) -> None:
    def function(given: Any, seed: int) -> float:
        raise ValueError("never")

    ran = formula(function)
    with pytest.raises(
        SimulationError, match=r"the scenario as it is fails and so did all 4 trials.*ValueError: never"
    ):
        search()
    assert len(ran) < 4 * 3 + 4, "it gives up after the first batch"


def test_time_may_be_over_before_the_first_trial(formula: Any) -> None:
    formula(hill)
    with pytest.raises(SimulationError, match="time was over before the first"):
        search(timeout=0)


# --- studies that are kept ---


class _Stop(Exception):
    """Ends a search in its middle."""


def _stopping(ran: list[Any], most: int) -> Callable[[Any], None]:
    def progress(step: Any) -> None:
        if len(ran) >= most:
            raise _Stop

    return progress


@pytest.mark.parametrize(
    "sampler", ["tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cmaes", "random", "grid"))]
)
def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(formula: Any, tmp_path: Path, sampler: str) -> None:
    given: dict[str, Any] = {"trials": 22, "sampler": sampler, "levels": 5, "fresh": 3}
    ran = formula(hill)
    whole = search(**given)
    count = len(ran)
    file = tmp_path / "study.db"
    for stop in (1, 22, 13):  # after so many runs more
        with pytest.raises(_Stop):
            search(**given, study=file, progress=_stopping(formula(hill), stop))
    ran = formula(hill)
    found = search(**given, study=file)
    pd.testing.assert_frame_equal(found.trials, whole.trials)
    pd.testing.assert_frame_equal(found.values, whole.values)
    assert count - 36 <= len(ran) <= count - 33, "a run is lost at each stop, at most"
    ran = formula(hill)
    again = search(**given, study=file)
    assert ran == [], "all is known"
    pd.testing.assert_frame_equal(again.finalists, whole.finalists)
    assert search(**{**given, "trials": 25}, study=file).trials["trial"].tolist() == list(range(25))


_KILLED = """
import sys
from marketsim.experiment.optimization import optimize

if __name__ == "__main__":
    optimize(sys.argv[1], {"agents.mm.target_spread": "0.02..2 log"}, "agents.mm.pnl", seeds=3, trials=60, fresh=0,
             study=sys.argv[2], workers=int(sys.argv[3]))
"""


@pytest.mark.slow
def test_a_study_whose_process_was_killed_goes_on(tmp_path: Path) -> None:
    """Real runs, a real kill; and what comes out is what an undisturbed search finds, with any number of workers."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(scenario(duration="6s")), encoding="utf-8")
    (tmp_path / "killed.py").write_text(_KILLED, encoding="utf-8")
    words = [sys.executable, "killed.py", "small.yaml", "study.db", "2"]
    root = Path(ms.__file__).parents[1]
    there = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen(words, cwd=tmp_path, env=there, start_new_session=True)
    while process.poll() is None and _outcomes(tmp_path / "study.db") < 20:
        time.sleep(0.02)
    assert process.poll() is None, "it was over before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = _outcomes(tmp_path / "study.db")
    over = {SPREAD: "0.02..2 log"}
    given: dict[str, Any] = {"seeds": 3, "trials": 16, "fresh": 0}
    counted: list[int] = []
    found = optimize(
        tmp_path / "small.yaml", over, "agents.mm.pnl", **given, study=tmp_path / "study.db", workers=2,
        progress=lambda step: counted.append(step.trials),
    )  # fmt: skip
    whole = optimize(tmp_path / "small.yaml", over, "agents.mm.pnl", **given, workers=1)
    assert done >= 20
    assert counted[0] > 0, "what was done is not done again"
    first = slice(0, 16)
    pd.testing.assert_frame_equal(found.trials[first], whole.trials[first])


def _outcomes(file: Path) -> int:
    """How many runs a study has kept."""
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            rows = connection.execute("select value_json from trial_user_attributes where key = 'outcomes'").fetchall()
    except sqlite3.OperationalError:
        return 0
    finally:
        if "connection" in locals():
            connection.close()
    return sum(text.count(":") for (text,) in rows)


_OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"direction": "minimize"}, 'direction: "maximize" → "minimize"'),
    ({"seeds": 4}, r"seeds: \[1, 2, 3\] → \[1, 2, 3, 4\]"),
    ({"measure": "agents.mm.fees"}, 'measure: "agents.mm.pnl" → "agents.mm.fees"'),
    ({"over": {SPREAD: "0.02..3 log"}}, r"over.*high +2 +→ +3"),
    ({"scenario": scenario(duration="21s")}, r'scenario.duration +"20s" +→ +"21s"'),
    ({"sampler": "random"}, 'sampler: "tpe" → "random"'),
]


def test_another_study_is_not_gone_on_with(formula: Any, tmp_path: Path) -> None:
    formula(hill)
    file = tmp_path / "study.db"
    search({SPREAD: "0.02..2 log"}, trials=2, study=file)
    for change, words in _OTHERS:
        given = {"over": {SPREAD: "0.02..2 log"}, **change}
        with pytest.raises(InvalidValueError, match=words) as caught:
            search(given.pop("over"), trials=2, study=file, **given)
        assert "study.db holds another study" in str(caught.value)
    search({SPREAD: "0.02..2 log"}, trials=2, study=file, scenario=scenario(seed=99))  # which no trial uses


def test_files_that_are_no_study_are_left_alone(formula: Any, tmp_path: Path) -> None:
    import optuna

    formula(hill)
    text = tmp_path / "notes.txt"
    text.write_text("a note of mine", encoding="utf-8")
    with pytest.raises(StoreError, match=r"notes\.txt: it is no SQLite file"):
        search(study=text)
    assert text.read_text(encoding="utf-8") == "a note of mine"
    with pytest.raises(StoreError, match="cannot be opened: No such file or directory"):
        search(study=tmp_path / "nowhere" / "study.db")
    foreign = tmp_path / "foreign.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{foreign}")
    other = optuna.create_study(study_name=study_module.NAME, storage=storage)
    other.tell(other.ask(), 1.0)
    storage.remove_session()
    storage.engine.dispose()
    with pytest.raises(StoreError, match=r"foreign\.db: its study was not made by marketsim"):
        search(study=foreign)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock on Windows")
def test_two_processes_do_not_work_on_one_study(formula: Any, tmp_path: Path) -> None:
    import fcntl

    formula(hill)
    file = tmp_path / "study.db"
    search(trials=1, study=file)
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process works on this study"):
            search(trials=2, study=file)


# --- real runs ---


def wide_spread(run: Any) -> float:
    """How near the spread of the maker is to 0.3, with a little of the seed in it; of a real run."""
    spread = run.manifest.spec["agents"]["mm"]["target_spread"]
    return -abs(math.log(spread / 0.3)) + run.seed * 1e-3


def test_a_function_of_a_run_is_a_measure() -> None:
    found = optimize(
        scenario(duration="2s"), {SPREAD: "0.02..2 log"}, wide_spread, seeds=2, trials=14, fresh=2, workers=1
    )
    assert found.best[SPREAD] == pytest.approx(0.3, rel=0.5)
    assert found.measure.endswith("test_optimization:wide_spread")
    assert found.finalists.set_index("candidate").loc[str(found.winner), "better"]


@pytest.mark.slow
def test_any_number_of_workers_finds_the_same(tmp_path: Path) -> None:
    given: Any = {"seeds": 4, "trials": 20, "fresh": 3, "sampler": "random"}
    one, two = (optimize(scenario(duration="2s"), OVER, wide_spread, **given, workers=count) for count in (1, 2))
    assert (one.trials["state"] == "pruned").any()
    pd.testing.assert_frame_equal(one.trials, two.trials)
    pd.testing.assert_frame_equal(one.finalists, two.finalists)


def dies(run: Any) -> float:
    """Takes its whole process down for one value."""
    if run.manifest.spec["agents"]["mm"]["target_spread"] == 0.2:
        os._exit(1)
    return float(run.seed)


@pytest.mark.slow
def test_a_process_that_dies_fails_its_trial_alone() -> None:
    found = optimize(
        scenario(duration="2s"), {SPREAD: [0.1, 0.2, 0.3]}, dies, seeds=2, sampler="grid", fresh=0, workers=2
    )
    assert found.trials["state"].tolist() == ["complete", "failed", "complete"]
    assert "its process was ended from outside" in found.trials["error"][1]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_replayed_tape_is_searched_like_any_market(sampler: str) -> None:
    """The parameter search of a backtest: the tape is the same for every trial and seed."""
    changes = {"duration": "40s", "warm_up": "5s"}
    spec = ms.load("replay_day", changes).spec
    over = {"agents.market_maker.target_spread": [0.01, 0.02, 0.05], "agents.market_maker.quantity": [5, 20]}
    found = optimize(spec, over, "agents.market_maker.pnl", seeds=1, trials=6, sampler=sampler, fresh=0, workers=1)
    assert len(found.trials) == 6
    assert (found.trials["state"] == "complete").all()
    assert found.trials["value"].nunique() > 1
    again = ms.load(found.best_spec.with_overrides({"seed": 1})).run()
    assert ms.analysis.accounts(again).families.loc["market_maker", "pnl"] == pytest.approx(found.value)
    if sampler == "grid":
        combinations = found.trials[list(over)].drop_duplicates()
        assert len(combinations) == 6


@pytest.mark.slow
def test_a_recorded_day_is_searched() -> None:
    from marketsim.data import find_data

    folder = find_data("lobster")
    if folder is None:
        pytest.skip("recorded LOBSTER days not found: set MARKETSIM_DATA to their folder")
    (message,) = folder.glob("AMZN*message_5.csv*")
    given = {
        "name": "amzn", "start": "09:30", "duration": "4min", "warm_up": "30s", "venues": {"NASDAQ": {}},
        "instruments": {"AMZN": {"tick_size": 0.01, "reference_price": 223}},
        "agents": {
            "tape": {"type": "replay", "path": str(message), "latency": "0ns"},
            "mm": {"type": "market_maker", "target_spread": 0.1, "quantity": 20, "latency": "200us"},
        },
    }  # fmt: skip
    over = {SPREAD: "0.05..0.4 log", "agents.mm.latency": ["50us", "5ms"]}
    found = optimize(given, over, "agents.mm.pnl", seeds=1, trials=8, fresh=0, workers=1)
    assert (found.trials["state"] == "complete").all()
    assert found.trials["value"].nunique() > 4


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"over": {"agents.mm.target_spred": "1..2"}}, 'did you mean "target_spread"'),
        ({"over": {"agents.maker.quantity": "1..2"}}, "agents.maker"),
        ({"over": {"seed": [1, 2]}}, "seed"),
        ({"over": {SPREAD: []}}, "there are no values"),
        ({"measure": "agents.mm.pnk"}, 'did you mean "pnl"'),
        ({"measure": 3}, "a function of a run"),
        ({"measure": "agents.*.pnl"}, "one measure, please; the pattern matches agents."),
        ({"direction": "up"}, "direction 'up' is unknown; known: maximize, minimize"),
        ({"sampler": "grids"}, 'did you mean "grid"'),
        ({"pruner": "mean"}, "pruner 'mean' is unknown"),
        ({"aggregate": "max"}, "aggregate 'max' is unknown: write \"mean\""),
        ({"aggregate": "q101"}, "aggregate 'q101' is unknown"),
        ({"seeds": []}, "at least one"),
        ({"seeds": [1, 1]}, "each once"),
        ({"fresh": [3, 4]}, "3 served the search"),
        ({"fresh": 1}, "at least two different seeds"),
        ({"trials": 0}, "trials=0"),
        ({"trials": "many"}, "trials='many': it is a whole number"),
        ({"levels": 1}, "levels=1"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"timeout": "soon"}, "soon"),
    ],
)
def test_what_cannot_be_searched_is_named(change: Any, words: str, tmp_path: Path) -> None:
    given = {"over": OVER, "study": tmp_path / "study.db", **change}
    with pytest.raises(ConfigurationError, match=words):
        search(given.pop("over"), **given)
    assert not (tmp_path / "study.db").exists()


def test_an_empty_space_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="nothing varies"):
        optimize(scenario(), {}, "agents.mm.pnl")


def test_without_optuna_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependency, match=r'optuna is not installed.*"\.\[optimize\]"'):
        search()


def test_an_unknown_figure_is_named(formula: Any) -> None:
    formula(hill)
    with pytest.raises(InvalidValueError, match='did you mean "slices"'):
        search(trials=2).figure("slice")


# --- what is written ---


def test_the_best_is_a_scenario_that_runs(formula: Any, tmp_path: Path) -> None:
    formula(hill)
    over = {**OVER, "network.latency": ["100us", "2ms"]}
    found = search(over, trials=16, fresh=2)
    paths = found.save(tmp_path / "out")
    assert sorted(path.name for path in paths) == sorted(
        [
            "trials.csv",
            "values.csv",
            "importance.csv",
            "finalists.csv",
            "history.png",
            "importance.png",
            "slices.png",
            "best.yaml",
        ]
    )
    assert sorted(tmp_path.glob("out/*")) == sorted(paths)
    kept = ms.load(tmp_path / "out" / "best.yaml")
    assert kept.spec.to_dict() == found.best_spec.to_dict()
    assert kept.spec.agents["mm"].parameters["quantity"] == found.best[QUANTITY]
    values = pd.read_csv(tmp_path / "out" / "values.csv")
    assert set(values["stage"]) == {"search", "check"}
    assert set(values.loc[values["stage"] == "check", "seed"]) == {4, 5}
    parquet = found.save(tmp_path / "more", parquet=True)
    table = pd.read_parquet(next(path for path in parquet if path.name == "trials.parquet"))
    assert table["value"].tolist() == pytest.approx(found.trials["value"].tolist(), nan_ok=True)


def test_workers_answer_with_the_error_of_a_run() -> None:
    with Workers(1) as pool:
        pool.submit("a", {**scenario(), "agents": {"noise": {"type": "noise", "rate": -1}}}, 1, wide_spread)  # type: ignore[arg-type]
        assert not pool.free
        key, error = pool.answer()
    assert key == "a"
    assert isinstance(error, Exception)
