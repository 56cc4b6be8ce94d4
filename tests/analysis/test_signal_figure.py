"""The figure of a strategy's signals: what it marks, what it writes, and what it says where there is nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest

import marketsim as ms
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent


class Teller(Agent):
    """Tells of signals, and trades nothing."""

    def on_start(self) -> None:
        """Plan what is told."""
        self.after("5s", self.note, "signal", "long 10 ABC at 100.01: rsi(14) 28.3 below 30")
        self.after("8s", self.note, "exit", "target of long ABC at 100.05")
        self.after("9s", self.note, "signal", f"short 4 ABC at 99.98: {'because ' * 40}")
        self.after("10s", self.note, "exit", "close short XYZ at 12: another instrument")
        self.after("11s", self.note, "other", "long ABC at 1: not a signal")


@pytest.fixture(scope="module")
def run() -> Any:
    simulation = ms.Simulation(seed=1, duration="15s")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    simulation.add_agent(Teller(), "teller")
    return simulation.run()


def words(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_entries_and_exits_are_marked_where_they_were_and_told_in_words(run: Any) -> None:
    figure = ms.analysis.signal_figure(run, "teller")
    marks = {mark.get_label(): mark.get_offsets().tolist() for mark in figure.axes[0].collections}
    assert marks == {"long": [[5.0, 100.01]], "short": [[9.0, 99.98]], "exit": [[8.0, 100.05]]}
    told = words(figure)
    assert "1  long 10 ABC at 100.01: rsi(14) 28.3 below 30" in told
    assert "2  target of long ABC at 100.05" in told
    assert any(text.startswith("3  short 4 ABC at 99.98: because") and text.endswith("…") for text in told)
    figure.savefig(picture := io.BytesIO(), format="png")
    assert len(picture.getvalue()) > 5_000


def test_only_the_first_are_told(run: Any) -> None:
    told = [text for text in words(ms.analysis.signal_figure(run, "teller", most=1)) if "  " in text]
    assert told == ["1  long 10 ABC at 100.01: rsi(14) 28.3 below 30"]


def test_who_told_nothing_has_an_empty_figure_and_who_is_not_there_none(run: Any) -> None:
    assert words(ms.analysis.signal_figure(run, "noise.3")) == ["noise.3: no signals in ABC"]
    with pytest.raises(InvalidValueError, match="no agent is called 'tellr'; did you mean \"teller\""):
        ms.analysis.signal_figure(run, "tellr")
