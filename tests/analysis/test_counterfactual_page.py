"""The figure and the page of a counterfactual, from tables alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from marketsim.analysis import counterfactual_figure, counterfactual_page
from marketsim.analysis.page_counterfactual import verdict

ORDERS = pd.DataFrame(
    {
        "order": ["buy 100", "buy 400", "sell 400"],
        "quantity": [100.0, 400.0, 400.0],
        "executed": [100.0, 390.0, 400.0],
        "cost": [0.5, 1.0, float("nan")],
        "peak": [1.0, 2.0, 1.9],
        "peak_seconds": [1.0, 2.0, 2.0],
        "lasting": [0.5, 1.0, 0.9],
        "low": [0.2, 0.4, 0.3],
        "high": [0.8, 1.6, 1.5],
        "left": [0.5, 0.5, 0.47],
        "gain": [9.0, 5.0, 4.0],
        "seeds": [12, 12, 12],
    }
)
CURVES = pd.concat(
    pd.DataFrame({"order": row.order, "seconds": np.arange(5.0), "impact": row.peak * np.array([0, 1, 1, 0.7, 0.5])})
    for row in ORDERS.itertuples()
).assign(low=lambda frame: frame["impact"] - 0.2, high=lambda frame: frame["impact"] + 0.2)


@pytest.mark.parametrize(("width", "rows"), [(8.0, 1), (4.2, 2)])
def test_curves_and_sizes_stand_side_by_side_or_one_above_the_other(width: float, rows: int) -> None:
    figure = counterfactual_figure(CURVES, ORDERS, "ticks", 0.9, width=width)
    curves, sizes = figure.axes
    assert (curves.get_position().y0 > sizes.get_position().y1) == (rows == 2)
    assert [line.get_label() for line in curves.get_lines()[:3]] == list(ORDERS["order"])
    assert curves.get_lines()[1].get_ydata().tolist() == pytest.approx([0.0, 2.0, 2.0, 1.4, 1.0])  # type: ignore[union-attr]
    assert curves.get_ylabel() == "impact (ticks, 90 % band)"
    assert sizes.get_xlabel() == "quantity (units)"


def test_one_size_has_one_panel() -> None:
    figure = counterfactual_figure(CURVES[CURVES["order"] == "buy 400"], ORDERS.iloc[[1]])
    assert len(figure.axes) == 1
    assert figure.axes[0].get_xlabel() == "time after the order (s)"


def test_the_page_is_whole_and_escaped(tmp_path: Path) -> None:
    path = counterfactual_page(
        tmp_path / "page.html", CURVES, ORDERS, "bps", 0.95, title="A <market>", facts={"seeds": "12 & more"}
    )
    page = path.read_text(encoding="utf-8")
    assert "A &lt;market&gt;" in page
    assert "12 &amp; more" in page
    assert page.count("<img ") == 1
    for words in (
        "bps last of buy 100<",
        "bps last of buy 400<",
        "seeds: 12 &amp; more",
        "gain of pairing",
        "sell 400",
        "How it was found out",
    ):
        assert words in page
    assert list(tmp_path.iterdir()) == [path]


def test_what_may_be_chance_is_said_so(tmp_path: Path) -> None:
    orders = ORDERS.head(2).assign(low=[-0.2, 0.4])
    assert verdict(orders, "bps", 0.95) == (
        "Clearly not chance (95 %): what buy 400 leaves, +1.00 bps (+0.40 to +1.60). "
        "May be chance: what buy 100 leaves, +0.50 bps (−0.20 to +0.80); more seeds tell more."
    )
    path = counterfactual_page(tmp_path / "page.html", CURVES, orders, "bps", 0.95, title="A", facts={})
    assert "bps last of buy 100; may be chance" in path.read_text(encoding="utf-8")
