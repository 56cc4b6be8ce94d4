"""Figures of a strategy's returns: four panels of one agent, the distribution of returns, and a heat map of months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from marketsim.analysis import performance
from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.figures import style
from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats
from marketsim.domain.units import duration, format_duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.domain.tables import MarketTables

FEWEST = 10  # values that a distribution is drawn of
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LOSS_TO_GAIN = LinearSegmentedColormap.from_list("months", [style.VERMILLION, "#FFFFFF", style.BLUE])


@style.styled
def agent_summary(
    tables: MarketTables,
    agent: str | None = None,
    *,
    every: object = None,
    books: Accounts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """One agent in four panels: P&L, how far below its best it stood, position, distribution of changes of the P&L.

    ``agent``: the one with the most fills by default. ``every``: over what time changes are taken, about 120 of them by
    default. The position is that in the instrument that it traded most.
    """
    books = books or accounts(tables)
    narrow = width < style.NARROW
    figure = style.canvas(width, 10.0 if narrow else 5.6)
    if len(books) == 0:
        return style.empty(figure, "no agents: a recorded tape has nobody's P&L")
    name = str(books.table["fills"].idxmax()) if agent is None else agent
    books[name]  # an unknown name is refused with the nearest one
    curve = books.equity()[name]
    step = step_of(tables.start, tables.end, 120) if every is None else duration(every)
    changes = books.equity(step)[name].diff().dropna().to_numpy()
    profit, fall, held, law = style.panels(figure, 4, columns=1 if narrow else 2)
    time, local = curve.index.to_numpy(), getattr(tables, "local_time", None)
    currency = "/".join(sorted({one.currency for one in tables.instruments.values()}))
    _draw_curve(profit, time, curve.to_numpy(), style.BLUE, f"{name}: P&L", f"P&L ({currency})")
    under = curve.to_numpy() - np.maximum.accumulate(curve.to_numpy())
    _draw_curve(fall, time, under, style.VERMILLION, "Drawdown", f"below the best ({currency})")
    symbol = books.main_instrument(name)
    if symbol:
        position = books.inventory(instrument=symbol)[name].to_numpy()
        _draw_curve(held, time, position, style.GREEN, f"Position in {symbol}", "position (units)")
    for axes in (profit, fall, held):
        style.time_axis(axes, tables.start, tables.end, local=local, label=narrow or axes is not profit)
    _draw_law(law, changes, f"Changes of the P&L over {format_duration(step)}", f"change ({currency})")
    return figure


@style.styled
def return_distribution(
    returns: npt.ArrayLike, *, title: str = "Returns", unit: str = "bps", width: float = style.WIDTH
) -> Figure:
    """How often returns (or any changes) of each size came, the normal law of the same mean and deviation, and the
    5 % value at risk. ``returns`` are fractions where ``unit`` is "bps" or "%", else in that unit.
    """
    values = np.asarray(returns, dtype=np.float64)
    values = values[np.isfinite(values)] * {"bps": 1e4, "%": 100.0}.get(unit, 1.0)
    figure = style.canvas(width, 3.4)
    if len(values) < FEWEST:
        return style.empty(figure, f"{title}: {len(values)} values are too few for a distribution")
    (axes,) = style.panels(figure, 1)
    _draw_law(axes, values, title, f"return ({unit})")
    return figure


@style.styled
def monthly_heat_map(
    months: pd.DataFrame, *, title: str = "Return of each month", width: float = style.WIDTH
) -> Figure:
    """A row a year and a column a month: the table of ``analysis.monthly_returns``, in percent, gains blue and losses
    orange. Raises InvalidValueError for another table.
    """
    wanted = [*range(1, 13), "year"]
    if not hasattr(months, "columns"):
        raise InvalidValueError(
            f"{type(months).__name__} is no table of months: use marketsim.analysis.monthly_returns(returns, times)"
        )
    if list(months.columns) != wanted:
        raise InvalidValueError(
            f"columns {list(months.columns)} are not those of a table of months, 1 to 12 and year: "
            "use marketsim.analysis.monthly_returns(returns, times)"
        )
    values = months.to_numpy(dtype=np.float64) * 100.0
    figure = style.canvas(width, 1.3 + 0.36 * max(len(values), 1))
    if len(values) == 0 or not np.isfinite(values).any():
        return style.empty(figure, f"{title}: there are no months")
    (axes,) = style.panels(figure, 1)
    reach = max(float(np.nanmax(np.abs(values[:, :12]))), 1e-9)
    axes.imshow(
        values[:, :12],
        _LOSS_TO_GAIN,
        TwoSlopeNorm(0.0, -reach, reach),
        aspect="auto",
        extent=(0, 12, 0, len(values)),
        origin="lower",
    )
    small = width < style.NARROW
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if np.isfinite(value):
                dark = column < 12 and abs(value) > 0.65 * reach
                text = f"{value:.0f}" if small else f"{value:.1f}"
                place = column + (0.8 if column == 12 else 0.5)
                axes.text(place, row + 0.5, text.replace("-", "−"), ha="center", va="center",
                          fontsize=6.5 if small else 8.0, color="white" if dark else style.BLACK,
                          fontweight="bold" if column == 12 else "normal")  # fmt: skip
    axes.set_xlim(0, 13.6)
    axes.set_ylim(len(values), 0)
    names = [month[0] if small else month for month in MONTHS]
    axes.set_xticks([*(np.arange(12) + 0.5), 12.8], [*names, "year"])
    axes.set_yticks(np.arange(len(values)) + 0.5, [str(year) for year in months.index])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{title} (%)")
    return figure


def _draw_curve(axes: Axes, time: npt.NDArray[np.int64], values: Floats, colour: str, title: str, label: str) -> None:
    seconds, shown = style.thin(time, values)
    axes.plot(seconds, shown, color=colour, linewidth=1.1)
    axes.fill_between(seconds, shown, 0, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_title(title)
    axes.set_ylabel(label)
    style.plain_numbers(axes, sign=True)


def _draw_law(axes: Axes, values: Floats, title: str, label: str) -> None:
    """Bars of equal width, the normal law, and where the worst 5 % begin."""
    axes.set_title(title)
    axes.set_xlabel(label)
    axes.set_ylabel("share")
    if len(values) < FEWEST or values.std() == 0:
        axes.text(
            0.5, 0.5, "too few different values", ha="center", va="center", color=style.GREY, transform=axes.transAxes
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return
    low, high = np.quantile(values, [0.002, 0.998])
    edges = np.linspace(low, high, int(np.clip(2 * len(values) ** (1 / 3), 12, 60)) + 1)
    count = np.histogram(values, edges)[0] / len(values)
    axes.stairs(count, edges, fill=True, color=style.SKY, alpha=0.8, linewidth=0)
    middle = np.linspace(low, high, 200)
    deviation = values.std()
    density = np.exp(-0.5 * ((middle - values.mean()) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    axes.plot(middle, density * (edges[1] - edges[0]), color=style.BLACK, linewidth=1.1, label="normal law")
    risk = performance.value_at_risk(values)
    axes.axvline(-risk, color=style.VERMILLION, linewidth=1.2, linestyle="--", label="worst 5 %")
    left = -risk < (low + high) / 2  # the legend stands away from the line
    axes.legend(loc="upper right" if left else "upper left", borderaxespad=0.1, handlelength=1.4)
    axes.set_ylim(0, 1.28 * max(float(count.max()), float(density.max() * (edges[1] - edges[0]))))
    style.plain_numbers(axes, "x", sign=True, most=5)
    style.plain_numbers(axes, most=5)
