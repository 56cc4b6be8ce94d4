"""Figures of the book: its mean shape, and its depth over time as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from marketsim.analysis.continuous import Flags, is_continuous
from marketsim.analysis.figures import style
from marketsim.analysis.liquidity import levels_in, profile_of
from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats, the_instrument
from marketsim.domain.units import SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

Cells = tuple[npt.NDArray[np.intp], Floats, Floats]  # column number, price, quantity

COLUMNS, ROWS = 320, 160
_BIDS = LinearSegmentedColormap.from_list("bids", ["#DCEBF5", style.BLUE, "#00263D"])
_ASKS = LinearSegmentedColormap.from_list("asks", ["#FBE6D8", style.VERMILLION, "#4A1F00"])


@style.styled
def depth(
    tables: MarketTables, instrument: str | None = None, *, levels: int = 10, width: float = style.WIDTH
) -> Figure:
    """The mean book by level, and where quantity rested over time (colour, on a logarithmic scale).

    The mean, and the mid, are those of continuous trading. Over a time in which the price moved much further than the
    book is deep, the heat map is drawn around the mid.
    """
    symbol = the_instrument(tables, instrument)
    spec = tables.instruments[symbol]
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.4 if narrow else 3.9)
    book = tables.depth(levels, symbol, step_of(tables.start, tables.end, COLUMNS))
    book = book[(book["time"] >= tables.start).to_numpy()].reset_index(drop=True)
    trading = is_continuous(tables, symbol, book["time"].to_numpy()) if len(book) else np.zeros(0, dtype=bool)
    if len(book) < 2 or levels_in(book) == 0:
        return style.empty(figure, f"{symbol}: no recorded book")
    if narrow:
        grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.5), width_ratios=(1, 0.07))
        profile, heat, scale = grid[0, :], grid[1, 0], grid[1, 1]
    else:
        grid = figure.add_gridspec(1, 3, width_ratios=(1, 2.2, 0.1))
        profile, heat, scale = grid[0, 0], grid[0, 1], grid[0, 2]
    _draw_profile(figure.add_subplot(profile), book[trading])
    axes = figure.add_subplot(heat)
    norm = _draw_heat(axes, book, trading, spec.tick, spec.currency)
    axes.set_title(f"{symbol}: quantity resting over time")
    style.time_axis(axes, tables.start, tables.end, local=getattr(tables, "local_time", None))
    _draw_scale(figure.add_subplot(scale), norm)
    return figure


def _draw_profile(axes: Axes, book: pd.DataFrame) -> None:
    """Mean quantity by level: bids to the left, asks to the right."""
    profile = profile_of(book)
    level = profile.index.to_numpy()
    for side, name, sign, colour in (("bid", "bids", -1, style.BID), ("ask", "asks", 1, style.ASK)):
        axes.bar(sign * level, profile[f"{side}_quantity"].to_numpy(), width=0.85, color=colour, linewidth=0)
        place = 0.02 if sign < 0 else 0.98
        axes.text(
            place,
            0.98,
            name,
            transform=axes.transAxes,
            color=colour,
            fontweight="bold",
            ha="left" if sign < 0 else "right",
            va="top",
            fontsize=8.5,
        )
    axes.margins(y=0.15)
    axes.grid(visible=False, axis="x")
    shown = level if len(level) <= 5 else level[[0, *range(4, len(level), 5)]]
    axes.set_xticks(np.concatenate((-shown[::-1], shown)), [str(n) for n in (*shown[::-1], *shown)])
    axes.set_xlabel("level (1: best)")
    axes.set_ylabel("mean quantity (units)")
    axes.set_title("Mean book")
    style.plain_numbers(axes)


def _draw_heat(axes: Axes, book: pd.DataFrame, trading: Flags, tick: float, currency: str) -> LogNorm:
    mid = 0.5 * (book["ask_1"].to_numpy(dtype=float) + book["bid_1"].to_numpy(dtype=float))
    mid[~trading] = np.nan
    sides = {side: book_cells(book, side) for side in ("bid", "ask")}
    around = _travelled_far(mid, sides)
    if around:
        sides = {side: (place, price - mid[place], quantity) for side, (place, price, quantity) in sides.items()}
        sides = {side: tuple(v[np.isfinite(cells[1])] for v in cells) for side, cells in sides.items()}  # type: ignore[misc]
    prices = np.concatenate([price for _, price, _ in sides.values()])
    far = float(np.quantile(np.abs(prices), 0.99)) if around else np.inf
    low, high = max(float(prices.min()), -far) - tick / 2, min(float(prices.max()), far) + tick / 2
    rows = int(np.clip(round((high - low) / tick), 2, ROWS))
    time = book["time"].to_numpy() / SECOND
    extent = (time[0], time[-1] + float(np.median(np.diff(time))), low, high)
    images = {side: raster(cells, len(book), rows, low, high) for side, cells in sides.items()}
    shown = np.concatenate([image[image > 0] for image in images.values()])
    top = float(np.quantile(shown, 0.995))
    norm = LogNorm(max(float(np.quantile(shown, 0.02)), top / 1000), top * 1.001, clip=True)
    for side, colours in (("bid", _BIDS), ("ask", _ASKS)):
        picture = np.ma.masked_less_equal(images[side], 0)
        axes.imshow(picture, colours, norm, aspect="auto", interpolation="none", origin="lower", extent=extent)
    if not around:
        axes.plot(time, mid, color="white", linewidth=1.8)
        axes.plot(time, mid, color=style.BLACK, linewidth=0.9)
    axes.set_ylim(low, high)
    axes.grid(visible=False)
    axes.set_ylabel(f"distance from mid ({currency})" if around else f"price ({currency}), line: mid")
    style.plain_numbers(axes, sign=around)
    return norm


def _draw_scale(axes: Axes, norm: LogNorm) -> None:
    """One scale for both colours, quantities at its right."""
    gradient = np.linspace(0, 1, 256)
    image = np.stack([_BIDS(gradient), _ASKS(gradient)], axis=1)
    low, high = np.log10(float(norm.vmin or 1.0)), np.log10(float(norm.vmax or 10.0))
    axes.imshow(image, origin="lower", aspect="auto", extent=(0, 2, low, high))
    values = [m * 10.0**k for k in range(int(np.floor(low)), int(np.ceil(high)) + 1) for m in (1, 2, 5)]
    values = [value for value in values if low <= np.log10(value) <= high]
    values = values if len(values) <= 8 else [value for value in values if np.log10(value) % 1 == 0]
    axes.set_yticks(np.log10(values), [style.short_number(value) for value in values], fontsize=7.5)
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.set_ylabel("units (blue: bids, orange: asks)", fontsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _travelled_far(mid: Floats, sides: dict[str, Cells]) -> bool:
    """Whether the mid moved so much that the book would be a thin ribbon."""
    known = mid[np.isfinite(mid)]
    if len(known) == 0:
        return False
    offsets = np.concatenate([np.abs(price - mid[place]) for place, price, _ in sides.values()])
    offsets = offsets[np.isfinite(offsets)]
    return bool(len(offsets)) and float(np.ptp(known)) > 8 * float(np.quantile(offsets, 0.9))


def book_cells(book: pd.DataFrame, side: str) -> Cells:
    """Column number, price and quantity of every level of a side that was there."""
    levels = range(1, levels_in(book) + 1)
    price = np.concatenate([book[f"{side}_{n}"].to_numpy(dtype=float) for n in levels])
    quantity = np.concatenate([book[f"{side}_quantity_{n}"].to_numpy(dtype=float) for n in levels])
    column = np.tile(np.arange(len(book)), len(levels))
    kept = np.isfinite(price) & (quantity > 0)
    return column[kept], price[kept], quantity[kept]


def raster(cells: Cells, columns: int, rows: int, low: float, high: float) -> Floats:
    """Quantities in ``rows`` stretches of price from ``low`` to ``high``: rows × columns, the lowest price first."""
    column, price, quantity = cells
    inside = (price > low) & (price < high)
    row = ((price[inside] - low) / (high - low) * rows).astype(np.intp)
    image = np.bincount(row * columns + column[inside], quantity[inside], rows * columns)
    return image.reshape(rows, columns).astype(np.float64)
