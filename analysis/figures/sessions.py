"""Figures of a venue's sessions: an auction as it comes about, interruptions, and days with their nights cut out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.tape import Tape
from marketsim.domain.units import HOUR, MINUTE, SECOND
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables, SessionTables

    class Run(MarketTables, SessionTables, Protocol):
        """A run with sessions."""


_CALLS = ("OPENING_AUCTION", "CLOSING_AUCTION", "VOLATILITY_AUCTION")
_SHADES = {
    "PRE_OPEN": (style.LIGHT, 0.7),
    "OPENING_AUCTION": (style.ORANGE, 0.22),
    "CLOSING_AUCTION": (style.ORANGE, 0.22),
    "VOLATILITY_AUCTION": (style.ORANGE, 0.22),
    "HALT": (style.VERMILLION, 0.22),
    "CLOSED": (style.GREY, 0.3),
}
_WORDS = {
    "PRE_OPEN": "pre-open",
    "OPENING_AUCTION": "auction",
    "CLOSING_AUCTION": "auction",
    "VOLATILITY_AUCTION": "auction",
    "HALT": "halt",
    "CLOSED": "closed",
}
_DAY = 2.2  # inches a day needs for its title
_HOUR = 0.65  # inches HH:MM needs
_MARGIN = 0.15  # of an auction's length, drawn after it


@style.styled
def auction(run: Run, instrument: str | None = None, *, number: int = 0, width: float = style.WIDTH) -> Figure:
    """Indicative price, volume and surplus of one auction, and the trades of its end; the first one by default."""
    tape = Tape.of(run, instrument)
    figure = style.canvas(width, 5.2)
    spans = [span for span in phase_spans(run, tape.symbol) if span[2] in _CALLS]
    if not spans:
        return style.empty(figure, f"{tape.symbol}: no auction")
    if not -len(spans) <= number < len(spans):
        raise InvalidValueError(f"number={number}: there are {len(spans)} auctions, counted from 0")
    start, end, _ = spans[number]
    until = min(end + max(int(_MARGIN * (end - start)), SECOND), tape.end)
    table = _of(run.indications, tape.symbol)
    table = table[(table["time"] >= start) & (table["time"] <= end)]
    price, volume = style.panels(figure, 2, heights=(1.4, 1))
    time = np.append(table["time"].to_numpy(), end) / SECOND
    _steps(price, time, table["price"], style.ORANGE)
    _uncross(price, run, tape, (end, end))
    _later_trades(price, tape, end, until)
    price.set_ylabel(f"price ({tape.currency})")
    style.head(price, f"{tape.symbol}: the auction's price", width)
    _steps(volume, time, table["volume"], style.GREEN, "would trade")
    surplus = table["surplus"] * np.sign(table["side"])
    _steps(volume, time, surplus, style.PURPLE, "surplus (+ bids, − offers)")
    volume.axhline(0, color=style.GREY, linewidth=0.7)
    volume.set_ylabel("quantity (units)")
    style.head(volume, "What would trade, and what would not", width)
    for axes in (price, volume):
        axes.axvline(end / SECOND, color=style.BLACK, linewidth=0.8, linestyle=":")
        style.plain_numbers(axes)
        style.time_axis(axes, start, until, label=axes is volume, local=tape.local_time)
    figure.align_ylabels([price, volume])
    return figure


@style.styled
def interruptions(run: Run, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """Trades and best quotes, the phases behind them, and the trades of each minute."""
    tape = Tape.of(run, instrument)
    figure = style.canvas(width, 5.0)
    if len(tape.price) == 0:
        return style.empty(figure, f"{tape.symbol}: no trades")
    spans = phase_spans(run, tape.symbol)
    if not any(phase in _SHADES and end > tape.start for _, end, phase in spans):
        return style.empty(figure, f"{tape.symbol}: no interruptions: it traded continuously all the time")
    price, pace = style.panels(figure, 2, heights=(2.2, 1))
    for axes in (price, pace):
        _shade(axes, spans, tape)
    _indicated(price, run, tape)
    _trades_with_gaps(price, tape, spans)
    _uncross(price, run, tape)
    price.set_ylabel(f"price ({tape.currency})")
    style.head(price, f"{tape.symbol}: price and phases", width)
    step = max(MINUTE, (tape.end - tape.start) // 240)
    edges = np.arange(tape.start, tape.end + step, step)
    count = np.histogram(tape.trade_time, edges)[0] / (step / MINUTE)
    pace.stairs(count, edges / SECOND, fill=True, color=style.BLUE, linewidth=0)
    pace.set_ylim(bottom=0)
    pace.set_ylabel("trades a minute")
    for axes in (price, pace):
        style.plain_numbers(axes)
        style.time_axis(axes, tape.start, tape.end, label=axes is pace, local=tape.local_time)
    figure.align_ylabels([price, pace])
    return figure


@style.styled
def trading_days(run: Run, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """The price of each trading day, side by side on one scale, nights left out; above each day the overnight gap."""
    tape = Tape.of(run, instrument)
    days = _days(phase_spans(run, tape.symbol))
    columns = min(max(int((width - 0.8) / _DAY), 1), max(len(days), 1))
    rows = -(-len(days) // columns)
    figure = style.canvas(width, 3.6 + 2.4 * max(rows - 1, 0))
    if not days or len(tape.price) == 0:
        return style.empty(figure, f"{tape.symbol}: no trades")
    panels = style.panels(figure, len(days), columns=columns)
    spans = phase_spans(run, tape.symbol)
    low, high = float(tape.price.min()), float(tape.price.max())
    room = 0.06 * max(high - low, tape.tick)
    last = np.nan
    for place, (axes, (start, end)) in enumerate(zip(panels, days, strict=True)):
        inside = (tape.trade_time >= start) & (tape.trade_time <= end)
        _shade(axes, [span for span in spans if start <= span[0] < end], tape, words=axes is panels[0])
        own = tape.price[inside]
        _title_day(axes, tape, start, own[0] / last - 1 if inside.any() else np.nan)
        if inside.any():
            axes.plot(*style.thin(tape.trade_time[inside], own), color=style.BLACK, linewidth=1.0, label="trades")
            last = own[-1]
        _uncross(axes, run, tape, within=(start, end), label=axes is panels[0])
        axes.set_ylim(low - room, high + room)
        style.plain_numbers(axes)
        _hours(axes, tape, (start, end), most=int((width - 0.8) / columns / _HOUR))
        if place % columns == 0:
            axes.set_ylabel(f"price ({tape.currency})")
        else:
            axes.tick_params(labelleft=False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=style.legend_columns(width))
    words = "time (HH:MM:SS)" if tape.local_time is None else f"local time, {tape.local_time.time_zone} (HH:MM)"
    figure.supxlabel(words, fontsize=9.0, color="#374151")
    return figure


def phase_spans(run: Run, symbol: str) -> list[tuple[int, int, str]]:
    """(start, end, phase) of every phase of an instrument on its first venue, from the start of measuring on."""
    table = _of(run.phases, symbol)
    table = table[table["venue"] == table["venue"].iloc[0]] if len(table) else table
    table = table[table["phase"] != table["before"]]
    begin = run.start
    if len(table) == 0:
        return [(begin, run.end, "CONTINUOUS")]
    times = [begin, *(max(int(time), begin) for time in table["time"]), run.end]
    names = [str(table["before"].iloc[0]), *(str(name) for name in table["phase"])]
    return [(a, b, name) for a, b, name in zip(times[:-1], times[1:], names, strict=True) if b > a]


def _of(table: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return table[table["instrument"] == symbol]


def _steps(axes: Axes, time: np.ndarray, values: pd.Series, colour: str, label: str = "indicative price") -> None:
    if len(values):
        ends = np.append(values.to_numpy(dtype=float), values.iloc[-1])
        axes.step(time, ends, where="post", color=colour, label=label)


def _uncross(axes: Axes, run: Run, tape: Tape, within: tuple[int, int] | None = None, *, label: bool = True) -> None:
    """Auctions that traded, as diamonds, whole ones also at the edge: a closing auction is the end of its day."""
    table = _of(run.auctions, tape.symbol)
    if within is not None:
        table = table[table["time"].between(*within)]
    if len(table):
        axes.plot(
            table["time"] / SECOND,
            table["price"],
            linestyle="none",
            marker="D",
            markersize=7,
            color=style.GREEN,
            markeredgecolor="white",
            zorder=4,
            clip_on=False,
            label="auction traded" if label else None,
        )


def _later_trades(axes: Axes, tape: Tape, start: int, end: int) -> None:
    later = (tape.trade_time > start) & (tape.trade_time <= end)
    if later.any():
        axes.plot(
            tape.trade_time[later] / SECOND,
            tape.price[later],
            color=style.BLUE,
            linewidth=0.8,
            marker="o",
            markersize=2.5,
            label="trades after it",
        )


def _shade(axes: Axes, spans: list[tuple[int, int, str]], tape: Tape, *, words: bool = True) -> None:
    told: set[str] = set()
    for start, end, phase in spans:
        if phase in _SHADES and end > tape.start:
            colour, strength = _SHADES[phase]
            word = _WORDS[phase]
            label = word if words and word not in told else None
            told.add(word)
            axes.axvspan(start / SECOND, end / SECOND, color=colour, alpha=strength, linewidth=0, label=label, zorder=0)


def _indicated(axes: Axes, run: Run, tape: Tape) -> None:
    table = _of(run.indications, tape.symbol)
    for start, end, phase in phase_spans(run, tape.symbol):
        if phase in _CALLS:
            own = table[(table["time"] >= start) & (table["time"] <= end)]
            _steps(axes, np.append(own["time"].to_numpy(), end) / SECOND, own["price"], style.ORANGE, "_")
    axes.plot([], [], color=style.ORANGE, label="indicative price")


def _trades_with_gaps(axes: Axes, tape: Tape, spans: list[tuple[int, int, str]]) -> None:
    """The trades as a line that breaks where nothing could trade."""
    first = True
    for start, end, phase in spans:
        inside = (tape.trade_time >= start) & (tape.trade_time < end)
        if phase == "CONTINUOUS" and inside.any():
            axes.plot(
                *style.thin(tape.trade_time[inside], tape.price[inside]),
                color=style.BLACK,
                linewidth=0.9,
                label="trades" if first else None,
            )
            first = False


def _days(spans: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    """From the first phase after each close to the next close."""
    days: list[tuple[int, int]] = []
    open_since: int | None = None
    for start, end, phase in spans:
        if phase == "CLOSED":
            if open_since is not None:
                days.append((open_since, start))
            open_since = None
        elif open_since is None:
            open_since = start
        if phase != "CLOSED" and (start, end, phase) == spans[-1] and open_since is not None:
            days.append((open_since, end))
    return days


def _title_day(axes: Axes, tape: Tape, start: int, gap: float) -> None:
    date = "" if tape.local_time is None else f"{tape.local_time.at(start):%a %Y-%m-%d}"
    overnight = "" if np.isnan(gap) else f"\novernight {gap:+.2%}".replace("-", "−")
    axes.set_title(f"{date}{overnight or chr(10)}")


def _hours(axes: Axes, tape: Tape, day: tuple[int, int], most: int) -> None:
    """An axis of one day that reads HH:MM, with at most ``most`` round hours when it is a long one."""
    start, end = day
    style.time_axis(axes, start, end, label=False)
    axes.tick_params(labelbottom=True)
    local = tape.local_time
    if local is not None:
        full = range(-(-start // HOUR) * HOUR, end + 1, HOUR)
        choices = ([time for time in full if local.at(time).hour % step == 0] for step in (3, 6, 12, 24))
        hours = next((hours for hours in choices if len(hours) <= most), [])
        if len(hours) > 1:
            axes.set_xticks([time / SECOND for time in hours])
        axes.xaxis.set_major_formatter(lambda x, _: f"{local.at(round(x * SECOND)):%H:%M}")
