"""Figures of returns: what they show is what was measured, and their texts stay apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic import by_hand, market
from test_figures import texts_are_apart, visible_texts

from marketsim.analysis import accounts, figures, monthly_returns
from marketsim.domain.units import MINUTE
from marketsim.errors import InvalidValueError

TABLES = market(8, quotes=5000, trades=3000, minutes=10)


def months() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    times = pd.date_range("2019-03-01 18:00", "2024-08-20", freq="B")
    return monthly_returns(rng.normal(0.0004, 0.011, len(times)), times)


@pytest.mark.parametrize("width", [8.2, 4.2])
def test_the_heat_map_tells_every_month(width: float) -> None:
    table = months()
    figure = figures.monthly_heat_map(table, width=width)
    texts_are_apart(figure)
    told = [text.get_text().replace("−", "-") for text in figure.axes[0].texts]
    digits = 0 if width < 5 else 1
    wanted = [f"{100 * value:.{digits}f}" for value in table.to_numpy().ravel() if np.isfinite(value)]
    assert told == wanted
    (image,) = figure.axes[0].images
    shown = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_allclose(shown, 100 * table.to_numpy()[:, :12])


def test_another_table_is_refused_and_no_months_are_said() -> None:
    with pytest.raises(InvalidValueError, match=r"use marketsim\.analysis\.monthly_returns"):
        figures.monthly_heat_map(pd.DataFrame({"a": [1.0]}))
    empty = months().iloc[:0]
    assert "there are no months" in visible_texts(figures.monthly_heat_map(empty))[0].get_text()


@pytest.mark.parametrize("width", [8.2, 4.2])
def test_the_distribution_adds_up_and_marks_the_worst(width: float) -> None:
    returns = np.random.default_rng(2).standard_t(4, 3000) / 100
    figure = figures.return_distribution(returns, width=width)
    texts_are_apart(figure)
    axes = figure.axes[0]
    (bars,) = axes.patches
    assert bars.get_data().values.sum() == pytest.approx(0.996, abs=0.002)
    assert float(axes.lines[1].get_xdata()[0]) == pytest.approx(1e4 * np.quantile(returns, 0.05), rel=1e-3)
    assert "too few" in visible_texts(figures.return_distribution([0.1, 0.2]))[0].get_text()


def test_the_four_panels_are_the_agents_own() -> None:
    books = accounts(TABLES)
    name = books.names[1]
    figure = figures.agent_summary(TABLES, name, books=books)
    profit, fall, held, law = figure.axes
    assert profit.lines[0].get_ydata()[-1] == pytest.approx(books[name].pnl)
    assert min(fall.lines[0].get_ydata()) == pytest.approx(
        -np.max(np.maximum.accumulate(books.equity()[name]) - books.equity()[name])
    )
    assert held.lines[0].get_ydata()[-1] == pytest.approx(books[name].position)
    assert "over 5s" in law.get_title(loc="left")
    assert "over 1min" in figures.agent_summary(TABLES, name, every=MINUTE).axes[3].get_title(loc="left")
    with pytest.raises(InvalidValueError):
        figures.agent_summary(TABLES, "nobody")
    assert "nobody's P&L" in visible_texts(figures.agent_summary(by_hand()))[0].get_text()


def test_no_table_of_months_is_refused_in_words() -> None:
    with pytest.raises(
        InvalidValueError, match=r"Tables is no table of months: use marketsim\.analysis\.monthly_returns"
    ):
        figures.monthly_heat_map(TABLES)  # type: ignore[arg-type]


def test_drawdown_has_times_and_the_legend_leaves_the_worst_5_percent_free() -> None:
    drawn = figures.agent_summary(TABLES)
    _, fall, held, law = drawn.axes
    drawn.canvas.draw()
    assert all(any(label.get_text() for label in axes.get_xticklabels()) for axes in (fall, held))
    assert fall.get_xlabel() == held.get_xlabel() == "time (HH:MM:SS)"
    (line,) = [one for one in law.get_lines() if one.get_label() == "worst 5 %"]
    x = law.transData.transform((float(line.get_xdata()[0]), 0.0))[0]  # type: ignore[index,arg-type]
    legend = law.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert not box.x0 <= x <= box.x1
