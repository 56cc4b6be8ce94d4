"""The figure of risk control: its title fits a telephone, and the loss that was too much is drawn."""

from __future__ import annotations

from typing import Any

import pytest

import marketsim as ms
from marketsim.trading.agent import Agent


class Payer(Agent):
    """Buys and sells at the market, and so pays the spread again and again."""

    def on_start(self) -> None:
        """From the second second on."""
        self.every("500ms", self.act)

    def act(self) -> None:
        """Both sides."""
        self.buy(self.instrument, 2)
        self.sell(self.instrument, 2)


def market(**limits: Any) -> Any:
    simulation = ms.Simulation(seed=1, duration="20s")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    return simulation.add_agent(Payer(), "payer", limits=ms.Limits(**limits)).run()


def dashed(figure: Any) -> list[tuple[float, str]]:
    return [(line.get_ydata()[0], line.get_label()) for line in figure.axes[0].lines if line.get_linestyle() == "--"]


def test_the_daily_loss_is_a_dashed_line() -> None:
    figure = ms.analysis.risk_figure(market(max_daily_loss_money=0.05))
    assert dashed(figure) == [(pytest.approx(-0.05), "daily loss limit")]


def test_without_one_there_is_no_line() -> None:
    figure = ms.analysis.risk_figure(market(max_order=2))
    assert figure.axes[0].lines
    assert dashed(figure) == []


def test_the_title_fits_a_narrow_figure() -> None:
    figure = ms.analysis.risk_figure(market(max_daily_loss_money=0.05), width=403 / 96)
    figure.canvas.draw()
    title = figure.axes[0].title.get_window_extent()
    assert title.x1 <= figure.bbox.x1
