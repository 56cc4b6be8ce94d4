"""A strategy's signals on the price: where it entered and left, and the reason of each, as its annotations tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.tape import Tape
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

    class Run(MarketTables, Protocol):
        """A run with annotations: time, agent, key and value."""

        @property
        def annotations(self) -> pd.DataFrame:
            """Remarks of agents."""

        @property
        def agents(self) -> pd.DataFrame:
            """Who took part."""


_PRICE = re.compile(r" at ([0-9.eE+-]+)(?=:|$)")
_LETTERS = 108  # of a reason that fit into WIDTH inches
_MARKS = {"long": ("^", style.BUY), "short": ("v", style.SELL), "exit": ("X", style.BLACK)}


class _Remark(NamedTuple):
    time: int
    price: float
    kind: str  # long, short or exit
    words: str


@style.styled
def signal_figure(
    run: Run, agent: str | None = None, instrument: str | None = None, *, most: int = 10, width: float = style.WIDTH
) -> Figure:
    """The mid with every signal and exit of a strategy, and the reasons of the first ``most`` of them in words.

    A strategy tells them with ``note("signal", …)`` and ``note("exit", …)``, as ``rule_strategy`` does; a limit order
    that follows a signal need not have been filled. ``agent`` may be left out where only one tells signals.
    """
    tape = Tape.of(run, instrument)
    agent = _only(run) if agent is None else agent
    if not agent:
        return style.empty(style.canvas(width, 3.6), "nobody told a signal")
    remarks = _remarks(run, agent, tape.symbol)
    told = remarks[:most]
    lines = len(told) + (len(told) < len(remarks))
    figure = style.canvas(width, 3.6 + 0.19 * lines)
    if not remarks or len(tape.quote_time) == 0:
        return style.empty(figure, f"{agent}: no signals in {tape.symbol}")
    price, words = style.panels(figure, 2, heights=(3.2, 0.19 * lines + 0.2))
    price.plot(tape.quote_time / SECOND, tape.mid, color=style.GREY, linewidth=0.8, drawstyle="steps-post", zorder=1)
    for kind, (marker, colour) in _MARKS.items():
        found = [remark for remark in remarks if remark.kind == kind]
        times, prices = [remark.time / SECOND for remark in found], [remark.price for remark in found]
        if found:
            price.scatter(times, prices, s=46, marker=marker, color=colour, edgecolors="white", label=kind, zorder=3)
    for number, remark in enumerate(told, start=1):
        price.annotate(
            str(number), (remark.time / SECOND, remark.price), (5, 4), textcoords="offset points", fontsize=8
        )
    price.set_ylabel(f"price ({tape.currency})")
    style.head(price, f"{agent}: {_count(remarks)} in {tape.symbol}", width)
    style.plain_numbers(price)
    style.time_axis(price, tape.start, tape.end, local=tape.local_time)
    _write(words, told, len(remarks), width)
    return figure


def _only(run: Run) -> str:
    """The one agent that tells signals; "" when nobody does."""
    table = run.annotations
    names = sorted(set(table[table["key"].isin(["signal", "exit"])]["agent"]))
    if len(names) > 1:
        raise InvalidValueError(f"agent: {', '.join(names)} tell signals; name one")
    return names[0] if names else ""


def _count(remarks: list[_Remark]) -> str:
    """How many signals and exits, in words."""
    exits = sum(remark.kind == "exit" for remark in remarks)
    entries = len(remarks) - exits
    return f"{entries} entry signal{'' if entries == 1 else 's'}, {exits} exit{'' if exits == 1 else 's'}"


def _remarks(run: Run, agent: str, symbol: str) -> list[_Remark]:
    table, names = run.annotations, set(run.agents["name"])
    if agent not in names:
        raise InvalidValueError(f"no agent is called {agent!r}{did_you_mean(agent, names)}")
    found = []
    for row in table[(table["agent"] == agent) & table["key"].isin(["signal", "exit"])].itertuples():
        text = str(row.value)
        price = _PRICE.search(text)
        if price is not None and re.search(rf"\b{re.escape(symbol)}\b", text):
            kind = "exit" if row.key == "exit" else text.split(" ", 1)[0]
            found.append(_Remark(int(str(row.time)), float(price.group(1)), kind if kind in _MARKS else "exit", text))
    return found


def _write(axes: Axes, remarks: list[_Remark], of: int, width: float) -> None:
    """The reasons, a line each, and how many there are when these are not all."""
    axes.set_axis_off()
    lines = len(remarks) + (len(remarks) < of)
    if len(remarks) < of:
        text = f"{len(remarks)} of {of}; all are in run.annotations"
        axes.text(0.0, 0.5 / lines, text, fontsize=8, color=style.GREY, va="center")
    fits = int(_LETTERS * width / style.WIDTH)
    for number, remark in enumerate(remarks, start=1):
        text = remark.words if len(remark.words) <= fits else f"{remark.words[: fits - 1]}…"
        colour = _MARKS[remark.kind][1]
        axes.text(0.0, 1.0 - (number - 0.5) / lines, f"{number}  {text}", fontsize=8, color=colour, va="center")
