"""The reference market is the published one: measures over ten seeds, counts by type; the same bytes however run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.analysis.reference_market import PUBLISHED, PUBLISHED_ORDERS, compare_with_published, reference_measures
from marketsim.errors import InvalidValueError

SEEDS = range(1, 11)
MORE: dict[str, Any] = {  # Python agents that join the crowd
    "agents.maker": {"type": "market_maker", "quantity": 20, "latency": "100us", "computation": "10us"},
    "agents.taker": {"type": "liquidity_taker", "signal_threshold": 0.3, "max_order": 20, "latency": "200us"},
    "agents.learner": {
        "type": "machine_learning", "feature_window": 200, "label_horizon": 50, "retrain_interval": 200,
        "prediction_threshold": 0.6, "quantity": 10, "cooldown": "5s", "latency": "200us",
    },
}  # fmt: skip


def reference(stepped: bool = False, **overrides: Any) -> Any:
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    return ms.load("reference_day", given, stepped=stepped).run()


def crowded(stepped: bool, duration: str, grid: str) -> Any:
    return ms.load("reference_day", {**MORE, "duration": duration, "grid": grid}, stepped=stepped).run()


@pytest.fixture(scope="module")
def days() -> list[Any]:
    return [reference_measures(reference(seed=seed)) for seed in SEEDS]


@pytest.mark.statistical
@pytest.mark.parametrize("measure", PUBLISHED)
def test_the_mean_of_ten_seeds_lies_in_the_published_interval(days: list[Any], measure: str) -> None:
    row = compare_with_published(days).loc[measure]
    assert row["least"] <= row["mean"] <= row["most"], row.to_string()


@pytest.mark.statistical
def test_the_spread_is_one_cent_at_most_updates(days: list[Any]) -> None:
    assert [day["median_spread"] for day in days] == pytest.approx([1.0] * len(days))


@pytest.mark.statistical
def test_each_type_of_agent_sends_the_published_number_of_orders(days: list[Any]) -> None:
    """One published seed against ten of ours: within the range of ours, widened by a twentieth of the number."""
    for family, count in PUBLISHED_ORDERS.items():
        ours = [day[f"orders of {family}"] for day in days]
        assert min(ours) - 0.05 * count <= count <= max(ours) + 0.05 * count, (family, ours)


def test_a_day_has_the_published_shape() -> None:
    """A coarse look at one seed for every run of the tests; the ten seeds are for the statistical ones."""
    day = reference_measures(reference(seed=1))
    for measure in ("orders", "trades", "volume", "cancels", "spread", "volatility"):
        theirs = PUBLISHED[measure]
        assert 0.7 * theirs.low <= day[measure] <= 1.3 * theirs.high, measure
    assert day["median_spread"] == pytest.approx(1.0)


def test_noise_traders_come_at_both_ends_of_the_day_and_once_each() -> None:
    run = reference(seed=3)
    noise = run.orders[run.orders["agent"].str.startswith("noise.")]
    assert noise["agent"].is_unique
    hours = (noise["time"].to_numpy() - run.start) / 3.6e12
    first, middle, last = (int(((hours >= a) & (hours < b)).sum()) for a, b in ((0, 1), (2.75, 3.75), (5.5, 6.5)))
    assert first > 5 * middle
    assert last > 5 * middle
    assert 760 <= len(noise) <= 860  # of 1,000: 185 come before the open and find nothing


def test_the_hour_is_the_beginning_of_the_day() -> None:
    day, hour = reference(seed=5).trades, ms.load("reference_hour", {"seed": 5}).run().trades
    assert len(hour) > 1000
    early = day[day["time"] < hour["time"].iloc[-1]]
    assert (early.to_numpy() == hour.iloc[: len(early)].to_numpy()).all()


@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_the_day_run_compiled_and_one_event_at_a_time_is_the_same(grid: str) -> None:
    assert reference(grid=grid).digest == reference(stepped=True, grid=grid).digest


@pytest.mark.slow
@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_the_day_with_python_agents_is_the_same_however_it_is_run(grid: str) -> None:
    together, stepped = (crowded(way, "6h 30min", grid) for way in (False, True))
    assert together.digest == stepped.digest
    senders = set(together.orders["agent"])
    assert {"maker", "taker", "learner"} <= senders


@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_the_hour_with_python_agents_is_the_same_however_it_is_run(grid: str) -> None:
    together, stepped = (crowded(way, "20min", grid) for way in (False, True))
    assert together.digest == stepped.digest
    assert {"maker", "taker"} <= set(together.orders["agent"])


def test_the_beginning_of_the_day_is_the_same_as_plain_python() -> None:
    """Compiled here, uncompiled in a process of its own: at most 20,000 events, as those take a while."""
    given = {**MORE, "duration": "3min"}
    run = ms.load("reference_day", given).run()
    assert 5_000 < run.manifest.counts["events handled"] <= 20_000
    assert len(run.trades) > 20
    code = f"import marketsim as ms; print(ms.load('reference_day', {given!r}).run().digest)"
    plain = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.strip() == run.digest


# --- the comparison itself ---


def test_the_interval_is_students() -> None:
    """By hand for the orders: s = 7,001 / 2.326 = 3,009.9; t(4) = 2.7764; √(1/5 + 1/10) = 0.54772; half 4,577."""
    days = [reference_measures(reference(seed=1, duration="30min"))] * 10
    row = compare_with_published(days).loc["orders"]
    assert row["most"] - row["published"] == pytest.approx(4577, abs=1)
    assert row["published"] - row["least"] == pytest.approx(4577, abs=1)


def test_one_day_is_no_comparison() -> None:
    with pytest.raises(InvalidValueError, match="at least two seeds"):
        compare_with_published([reference_measures(reference(duration="30min"))])


def test_the_figure_draws_every_measure_and_the_three_distributions() -> None:
    runs = [reference(seed=seed, duration="30min") for seed in (1, 2)]
    figure = ms.analysis.reference_figure(runs)
    assert len(figure.axes) == 4
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == len(PUBLISHED)
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert np.isclose(sum(heights), 1.0)
