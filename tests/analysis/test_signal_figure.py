"""The figure of a strategy's signals: what it marks, what it writes, and what it says where there is nothing."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

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
    figure = ms.analysis.signal_figure(run, most=1)  # nobody else tells any
    told = [text.get_text() for text in figure.axes[1].texts]
    assert sorted(told) == ["1  long 10 ABC at 100.01: rsi(14) 28.3 below 30", "1 of 3; all are in run.annotations"]
    assert figure.axes[0].get_title("left") == "teller: 2 entry signals, 1 exit in ABC"
    assert len(ms.analysis.signal_figure(run, most=3).axes[1].texts) == 3


class Signals(NamedTuple):
    """A run with other remarks."""

    run: Any
    annotations: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


def test_the_agent_is_named_where_several_tell_signals_or_nobody_does(run: Any) -> None:
    table = run.annotations
    other = table.assign(agent=["noise.3", *table["agent"][1:]])
    with pytest.raises(InvalidValueError, match=r"agent: noise\.3, teller tell signals; name one"):
        ms.analysis.signal_figure(Signals(run, other))
    assert words(ms.analysis.signal_figure(Signals(run, table[:0]))) == ["nobody told a signal"]
    one = Signals(run, table[table["key"] == "signal"][:1])
    assert ms.analysis.signal_figure(one).axes[0].get_title("left") == "teller: 1 entry signal, 0 exits in ABC"


def test_who_told_nothing_has_an_empty_figure_and_who_is_not_there_none(run: Any) -> None:
    assert words(ms.analysis.signal_figure(run, "noise.3")) == ["noise.3: no signals in ABC"]
    with pytest.raises(InvalidValueError, match="no agent is called 'tellr'; did you mean \"teller\""):
        ms.analysis.signal_figure(run, "tellr")
