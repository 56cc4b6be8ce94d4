"""What a sweep's table says: means and intervals by hand, effects of one parameter at a time, failed runs left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway, t

from marketsim.analysis.figures.sweep import sweep_figure
from marketsim.analysis.sweep_table import grouped, main_effects, strength, summarize_points


def runs(
    points: Sequence[Sequence[Any]], paths: Sequence[str], of: Callable[..., float], seeds: int = 3
) -> pd.DataFrame:
    rows = [
        {"point": number, **dict(zip(paths, point, strict=True)), "seed": seed, "status": "ok", "error": "",
         "engine_seconds": 0.1, "wall_seconds": 0.2, "m": of(*point, seed)}
        for number, point in enumerate(points)
        for seed in range(1, seeds + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


GRID = list(itertools.product([1.0, 2.0, 4.0], ["a", "b"]))
TABLE = runs(GRID, ["x", "w"], lambda x, w, seed: 10 * x + (5 if w == "b" else 0) + seed)


def test_a_points_mean_has_students_interval_over_the_seeds() -> None:
    row = summarize_points(TABLE, ["x", "w"], ["m"]).iloc[3]
    assert (row["point"], row["x"], row["w"], row["runs"]) == (3, 2.0, "b", 3)
    low, high = t.interval(0.95, 2, 27.0, np.std([26, 27, 28], ddof=1) / np.sqrt(3))
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((27.0, low, high))


def test_failed_runs_are_left_out_and_counted() -> None:
    table = TABLE.copy()
    table.loc[table["point"] == 0, "status"] = "failed"
    table.loc[table.index[3], "status"] = "failed"
    table.loc[table["status"] == "failed", "m"] = np.nan
    found = summarize_points(table, ["x", "w"], ["m"])
    assert found["runs"].tolist() == [0, 2, 3, 3, 3, 3]
    assert np.isnan(found["mean"][0])
    assert found["mean"][1] == pytest.approx(10 + 5 + 2.5)


def test_one_run_has_a_mean_and_no_interval() -> None:
    row = summarize_points(runs([(1,)], ["x"], lambda x, seed: x, seeds=1), ["x"], ["m"]).iloc[0]
    assert row["mean"] == 1
    assert np.isnan(row["low"])


def test_an_effect_is_the_mean_over_everything_else() -> None:
    effect = main_effects(TABLE, "x", "m")
    assert effect["value"].tolist() == [1.0, 2.0, 4.0]
    assert effect["mean"].tolist() == pytest.approx([10 + 2.5 + 2, 20 + 2.5 + 2, 40 + 2.5 + 2])
    assert effect["runs"].tolist() == [3, 3, 3]
    half = t.ppf(0.975, 2) / np.sqrt(3)  # the seeds' means are 1 apart, whatever w does
    assert (effect["high"] - effect["mean"]).tolist() == pytest.approx([half] * 3)
    assert main_effects(TABLE, "w", "m")["value"].tolist() == ["a", "b"]


def test_many_values_are_grouped_into_eight() -> None:
    table = runs([(float(n),) for n in range(80)], ["x"], lambda x, seed: x + seed)
    effect = main_effects(table, "x", "m")
    assert effect["value"].tolist() == pytest.approx([4.5 + 10 * k for k in range(8)])
    assert effect["mean"].tolist() == pytest.approx([6.5 + 10 * k for k in range(8)])


def test_strength_is_eta_squared() -> None:
    """Against the F statistic of a one-way analysis of variance: η² = F·k / (F·k + n − k − 1)."""
    groups = [TABLE[TABLE["x"] == x]["m"] for x in (1.0, 2.0, 4.0)]
    statistic = f_oneway(*groups).statistic
    assert strength(TABLE, "x", "m") == pytest.approx(statistic * 2 / (statistic * 2 + len(TABLE) - 3))
    assert 0.0 < strength(TABLE, "w", "m") < strength(TABLE, "x", "m") < 1.0
    assert np.isnan(strength(TABLE.assign(m=1.0), "x", "m"))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_groups_keep_the_order_of_values(values: list[float]) -> None:
    level = grouped(pd.Series(values)).to_numpy()
    order = np.argsort(values, kind="stable")
    assert (np.diff(level[order]) >= 0).all()
    equal = np.diff(np.array(values)[order]) == 0
    assert (np.diff(level[order])[equal] == 0).all()


# --- the figure ---


def test_one_parameter_is_a_curve_with_bars() -> None:
    table = runs([(x,) for x in (100.0, 1000.0, 300.0)], ["lag"], lambda x, seed: x + seed)
    figure = sweep_figure(table, ["lag"], ["m"], units={"lag": "us"}, log=["lag"])
    (axes,) = figure.axes
    assert axes.get_xlabel() == "lag (us)"
    assert axes.get_xscale() == "log"
    assert axes.get_title(loc="left") == "m"
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [100.0, 300.0, 1000.0]  # type: ignore[union-attr]
    assert line.get_ydata().tolist() == [102.0, 302.0, 1002.0]  # type: ignore[union-attr]


def test_a_grid_of_two_is_a_map_with_the_second_upward() -> None:
    figure = sweep_figure(TABLE, ["x", "w"], ["m"])
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == [[12, 22, 42], [17, 27, 47]]  # type: ignore[union-attr]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "w")


def test_more_are_the_effects_of_each_with_a_row_a_measure() -> None:
    points = [(float(n % 5), float(n % 3), "ab"[n % 2]) for n in range(30)]
    table = runs(points, ["x", "y", "w"], lambda x, y, w, seed: x - y + seed).assign(other=1.0)
    figure = sweep_figure(table, ["x", "y", "w"], ["m", "other"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["m", "", "", "other", "", ""]
    assert [axes.get_xlabel() for axes in figure.axes] == ["x", "y", "w"] * 2
    assert len(sweep_figure(table, ["x", "y", "w"], ["m"], width=4.2).axes) == 3


def test_nothing_to_draw_is_said() -> None:
    figure = sweep_figure(TABLE.assign(status="failed"), ["x", "w"], ["m"])
    assert "nothing to draw" in figure.axes[0].texts[0].get_text()
    never = sweep_figure(TABLE.assign(m=np.nan), ["x"], ["m"])
    assert "never measured" in never.axes[0].texts[0].get_text()
