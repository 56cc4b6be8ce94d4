"""Views of prices and of the book that a reader moves and zooms: packed data beside the small script that draws it.

A view stands in a page that loads nothing: its numbers are compressed into the page, and the page's policy names the
script by its hash. Without the script a view is hidden, and the page's pictures tell the same. It measures nothing.
"""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from marketsim.analysis.continuous import is_continuous
from marketsim.analysis.figures import style
from marketsim.analysis.figures.book import book_cells, raster
from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import DAY, format_duration

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST_QUOTES, MOST_TRADES = 60_000, 40_000  # rows of a view; beyond that the extremes of equal stretches are kept
VOLUMES = 4_000  # stretches of equal length that the volume is counted in
MOST_COLUMNS, MOST_ROWS, MOST_CELLS = 4_000, 1_000, 600_000  # of a book
NOTHING = 2**31 - 1  # ticks where a side is empty
_HOW = "Click it, then turn the wheel or pinch to zoom, and drag to move; a double click shows all of it again."


@cache
def script() -> str:
    """The script that draws every view of a page."""
    return files("marketsim.analysis").joinpath("explorer.js").read_text(encoding="utf-8")


def price_view(tape: Tape) -> str:
    """Best quotes, trades and volume of one instrument as a piece of a page; empty where there are no quotes."""
    inside = tape.quote_time >= tape.start
    if inside.sum() < 2:
        return ""
    time = tape.quote_time[inside]
    bid, ask = (_ticks(side[inside], tape.tick) for side in (tape.bid, tape.ask))
    kept = _thin(time, [np.where(bid == NOTHING, 2**30, bid), -np.where(ask == NOTHING, -(2**30), ask)], MOST_QUOTES)
    price = _ticks(tape.price, tape.tick)
    shown = _thin(tape.trade_time, [price, -price], MOST_TRADES)
    unit = _unit(tape)
    edges = np.linspace(tape.start, tape.end, VOLUMES + 1)
    volume = np.histogram(tape.trade_time, edges, weights=tape.quantity)[0]
    words = f"{tape.symbol}: bid (blue), ask (orange), trades (dots: blue where a buyer took) and volume. {_HOW}"
    if len(kept) < len(time) or len(shown) < len(price):
        words += f" Of {len(time):,} quotes and {len(price):,} trades the extremes of short stretches are shown."
    return _view(
        f"{tape.symbol}: prices to zoom into",
        words,
        {
            **_frame(tape, "price", unit),
            "time": _packed((time[kept] - tape.start) // unit),
            "bid": _packed(bid[kept]),
            "ask": _packed(ask[kept]),
            "tradeTime": _packed((tape.trade_time[shown] - tape.start) // unit),
            "tradePrice": _packed(price[shown]),
            "tradeLots": _packed(np.rint(tape.side * tape.quantity / tape.lot)[shown].astype(np.int64)),
            "volume": _packed(np.rint(volume / tape.lot).astype(np.int64)),
        },
    )


def book_view(tables: MarketTables, tape: Tape, levels: int = 10) -> str:
    """Where quantity rested over time, as a piece of a page; empty where no book was recorded."""
    step = step_of(tape.start, tape.end, MOST_COLUMNS)
    book = tables.depth(levels, tape.symbol, step)
    book = book[(book["time"] >= tape.start).to_numpy()].reset_index(drop=True)
    if len(book) < 2:
        return ""
    sides = [book_cells(book, side) for side in ("bid", "ask")]
    prices = np.concatenate([price for _, price, _ in sides])
    if len(prices) == 0:
        return ""
    low, high = float(prices.min()) - tape.tick / 2, float(prices.max()) + tape.tick / 2
    most = min(MOST_ROWS, max(MOST_CELLS // len(book), 50))
    rows = int(np.clip(round((high - low) / tape.tick), 2, most))
    images = [raster(cells, len(book), rows, low, high) for cells in sides]
    resting = np.concatenate([image[image > 0] for image in images])
    top = float(np.quantile(resting, 0.995))
    least = max(float(np.quantile(resting, 0.02)), top / 1000)
    mid = 0.5 * (book["bid_1"].to_numpy(dtype=float) + book["ask_1"].to_numpy(dtype=float))
    mid[~is_continuous(tables, tape.symbol, book["time"].to_numpy())] = np.nan
    return _view(
        f"{tape.symbol}: the book to zoom into",
        f"{tape.symbol}: quantity resting at each price, bids blue and asks orange, the darker the more (from "
        f"{least:,.0f} to {top:,.0f} units, logarithmic), every {format_duration(step)}; line: mid. {_HOW}",
        {
            **_frame(tape, "book", _unit(tape)),
            "columns": len(book),
            "rows": rows,
            "first": int(book["time"].iloc[0]) - tape.start,
            "step": step,
            "low": low,
            "high": high,
            "least": least,
            "top": top,
            "cells": _zipped(_cells(images, least, top)),
            "mid": _packed(_ticks(mid, tape.tick / 2)),
        },
    )


def _cells(images: list[Floats], least: float, top: float) -> bytes:
    """A byte a cell: 1 to 127 for a bid, 129 to 255 for an ask, 0 where nothing rests."""
    bids, asks = (_shades(image, least, top) for image in images)
    return np.where(asks > 0, 128 + asks, bids).astype(np.uint8).tobytes()


def _shades(image: Floats, least: float, top: float) -> Floats:
    """1 (least) to 127 (most) on a logarithmic scale; 0 where nothing rests."""
    span = float(np.log(top / least)) or 1.0
    scaled = 1 + 126 * np.log(np.clip(image, least, top) / least) / span
    return np.where(image > 0, np.rint(scaled), 0)


def _frame(tape: Tape, kind: str, unit: int) -> dict[str, Any]:
    """What every view knows of its market and time."""
    return {
        "kind": kind,
        "start": tape.start,
        "span": tape.end - tape.start,
        "unit": unit,
        "date": "" if tape.local_time is None else tape.local_time.date.isoformat(),
        "days": tape.end > DAY,
        "tick": tape.tick,
        "lot": tape.lot,
        "currency": tape.currency,
        "colours": {"bid": style.BID, "ask": style.ASK, "ink": style.BLACK, "grey": style.GREY},
    }


def _unit(tape: Tape) -> int:
    """ns of a whole number of time, so that the span fits into 31 bits."""
    return max(1, -(-(tape.end - tape.start) // (2**31 - 2)))


def _ticks(values: Floats, tick: float) -> Ints:
    known = np.isfinite(values)
    return np.where(known, np.rint(np.where(known, values, 0.0) / tick), NOTHING).astype(np.int64)


def _thin(time: Ints, extremes: list[Ints], most: int) -> npt.NDArray[np.intp]:
    """All rows, or of each of equal many rows the first and those in which one of ``extremes`` is least."""
    if len(time) <= most:
        return np.arange(len(time))
    size = -(-len(time) * (len(extremes) + 1) // most)
    whole = len(time) // size * size
    starts = np.arange(0, whole, size)
    kept = [starts, np.arange(whole, len(time))]
    kept += [starts + values[:whole].reshape(-1, size).argmin(axis=1) for values in extremes]
    return np.unique(np.concatenate(kept))


def _packed(values: Ints) -> str:
    """Whole numbers as compressed differences of 32 bits."""
    return _zipped(np.diff(values.astype(np.int32), prepend=np.int32(0)).astype("<i4").tobytes())


def _zipped(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 6)).decode("ascii")


def _view(label: str, words: str, data: dict[str, Any]) -> str:
    numbers = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure class="box explorer" hidden><canvas tabindex="0" role="img" aria-label="{escape(label)}"></canvas>'
        f'<figcaption>{escape(words)}</figcaption><script type="application/json">{numbers}</script></figure>'
    )
