"""Designs: all combinations, one point in each slice of a Latin hypercube, the same points every time, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from sweep_market import small

from marketsim.errors import InvalidValueError
from marketsim.experiment.design import design, design_of
from marketsim.experiment.space import Space

SPEC = small()
SPACE = Space.of({"network.latency.median": "100us..5ms log", "agents.noise.improve_share": "0..1"}, SPEC)


def test_a_grid_is_every_combination_the_last_path_fastest() -> None:
    space = Space.of({"agents.noise.count": [5, 10], "agents.noise.quantity": "1..3 step 1"}, SPEC)
    assert [tuple(point.values()) for point in design(space).points] == [
        (5, 1),
        (5, 2),
        (5, 3),
        (10, 1),
        (10, 2),
        (10, 3),
    ]
    assert len(design(SPACE)) == 25
    assert len(design(SPACE, points=3)) == 9


@given(st.integers(1, 40), st.integers(0, 5))
def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_path(points: int, seed: int) -> None:
    found = design(SPACE, "latin", points, seed).points
    share = np.array([point["agents.noise.improve_share"] for point in found])
    latency = np.array([SPACE["network.latency.median"].number(p["network.latency.median"]) for p in found])
    for places in (share, np.log(latency / 100) / np.log(50)):
        assert np.abs(np.sort(places) - (np.arange(points) + 0.5) / points).max() <= 0.5 / points + 1e-5


@pytest.mark.parametrize("kind", ["random", "latin", "sobol"])
def test_what_is_drawn_is_uniform_and_the_same_every_time(kind: str) -> None:
    found = design(SPACE, kind, 200, 3).points
    assert found == design(SPACE, kind, 200, 3).points
    assert found != design(SPACE, kind, 200, 4).points
    assert len(found) == 200
    assert kstest([point["agents.noise.improve_share"] for point in found], "uniform").pvalue > 0.01


def test_no_point_is_there_twice() -> None:
    space = Space.of({"agents.noise.count": [5, 10, 20]}, SPEC)
    assert sorted(point["agents.noise.count"] for point in design(space, "latin", 30).points) == [5, 10, 20]


def test_a_table_says_what_varies(tmp_path: Path) -> None:
    rows = [
        {"agents.noise.count": 5, "network.latency.median": "1ms"},
        {"agents.noise.count": 9, "network.latency.median": "2ms"},
    ]
    file = tmp_path / "points.csv"
    file.write_text("agents.noise.count,network.latency.median\n5,1ms\n9,2ms\n", encoding="utf-8")
    given: list[Any] = [rows, pd.DataFrame(rows), file, str(file)]
    for table in given:
        found = design_of(table, SPEC)
        assert list(found.points) == rows
        assert found.space["network.latency.median"].unit == "ms"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grid", 0), "the design is empty"),
        (("latin", -3), "the design is empty"),
        (("ltin", 5), 'did you mean "latin"'),
        (("table", 5), "is unknown"),
        (("latin", 5, -1), "not below zero"),
        (("grid", 2000), "4,000,000 points, and 1,000,000 are the most"),
    ],
)
def test_what_is_no_design_is_told(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        design(SPACE, *arguments)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the design is empty"),
        ("agents.noise.count\n", "the design is empty"),
        ("agents.noise.count,agents.noise.rate\n5,\n", "row 1: agents.noise.rate: every row has the same paths"),
        ("agents.noise.count\n5,6\n", "more values than the first line has paths"),
        ("agents.nose.count\n5\n", 'did you mean "noise"'),
        ("agents.noise.count\n0\n", "must be at least 1"),
    ],
)
def test_a_table_that_is_wrong_is_told_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValueError) as raised:
        design_of(tmp_path / "points.csv", SPEC)
    assert words in str(raised.value)
    with pytest.raises(InvalidValueError, match="cannot be read as a table of points"):
        design_of(tmp_path / "nothing.csv", SPEC)
