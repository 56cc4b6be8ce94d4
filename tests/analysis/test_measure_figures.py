"""Figures of flow, propagator, VPIN, information shares and the day: they show what was measured, or say why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import SECOND, Tables, by_hand, market

from marketsim import analysis as a
from marketsim.analysis.figures import style

DRAWN: tuple[Callable[..., Figure], ...] = (
    a.propagator_figure,
    a.order_flow_figure,
    a.vpin_figure,
    a.intraday_figure,
    a.information_share_figure,
)


@pytest.fixture(scope="module")
def day() -> Tables:
    return market(2, minutes=120, quotes=20_000, trades=6_000)


def test_the_propagator_is_what_was_estimated(day: Tables) -> None:
    left, right = a.propagator_figure(day, horizon=100).axes
    found = a.fit_propagator(day, 100).table
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in left.lines}
    ratio = drawn["propagator"] / found["propagator"].to_numpy()
    assert ratio == pytest.approx(ratio[0])
    assert np.asarray(right.lines[0].get_ydata()) == pytest.approx(found["sign_autocorrelation"].to_numpy())


def test_the_line_of_order_flow_says_how_much_it_explains(day: Tables) -> None:
    best, several = a.order_flow_figure(day, levels=3).axes
    fits = a.order_flow_impact(day, levels=3)
    for axes, model in ((best, "best"), (several, "integrated")):
        assert f"R² {fits.loc[model, 'r_squared']:.2f}" in axes.get_title(loc="left")


def test_the_day_has_a_bar_an_interval(day: Tables) -> None:
    axes = a.intraday_figure(day, every="30min").axes
    heights = [bar.get_height() for bar in axes[0].patches]
    assert heights == pytest.approx(a.intraday_profile(day)["spread_bps"].tolist())


def test_information_shares_of_two_venues() -> None:
    rng = np.random.default_rng(1)
    quotes: list[tuple[Any, ...]] = []
    for n, mid in enumerate(100 + 0.01 * np.cumsum(rng.normal(size=600))):
        quotes.append((n * SECOND, mid - 0.01, 1, mid + 0.01, 1, "ABC", "FIRST"))
        quotes.append((n * SECOND + SECOND // 2, mid - 0.02, 1, mid + 0.02, 1, "ABC", "LATE"))
    figure = a.information_share_figure(by_hand(quotes=quotes, end=600 * SECOND), clocks=("1s", "2s"))
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["FIRST", "LATE"]


@pytest.mark.parametrize("draw", DRAWN)
def test_nothing_to_draw_is_said_in_the_picture(draw: Callable[..., Figure]) -> None:
    figure = draw(by_hand())
    assert len(figure.axes) >= 1
    assert figure.axes[0].texts or draw is a.intraday_figure


@pytest.mark.parametrize("draw", DRAWN[:4])
def test_on_a_phone_too(day: Tables, draw: Callable[..., Figure]) -> None:
    assert style.settle(draw(day, width=4.2)).get_size_inches()[0] == pytest.approx(4.2)
