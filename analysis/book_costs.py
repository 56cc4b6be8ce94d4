"""What the book offers beyond its best prices: depth within a distance, what a size costs, its mean width (M1).

The book is sampled on a clock while trading is continuous. A source shows only so many levels; each measure says how
often they reached far enough. Nothing here knows an agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.continuous import is_continuous
from marketsim.analysis.liquidity import levels_in
from marketsim.analysis.prices import step_of
from marketsim.analysis.regression import mean_error
from marketsim.analysis.tape import Floats, Ints, Tape, quotient, the_instrument
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, NotRecordedError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

SAMPLES = 2_000  # of a book on a clock, unless ``every`` says otherwise
DISTANCES = (5.0, 10.0, 25.0, 50.0)
LEVELS = 20


@dataclass(frozen=True)
class Ladder:
    """Samples of a book. ``ask``, ``bid`` (currency; NaN where there is none) and their quantities (units) have a row
    a sample and a column a level, best first; ``mid`` and ``time`` (ns) a value a sample.
    """

    time: Ints
    mid: Floats
    ask: Floats
    ask_quantity: Floats
    bid: Floats
    bid_quantity: Floats

    @classmethod
    def of(
        cls, tables: MarketTables | Tape, levels: int, instrument: str | None, every: object, measure: str
    ) -> Ladder:
        """Sample the book of ``tables``. NotRecordedError, which names ``measure``, for a tape of one instrument."""
        if isinstance(tables, Tape):
            raise NotRecordedError(measure, "a book of several levels", "give it the run or the recorded day itself")
        symbol = the_instrument(tables, instrument)
        step = step_of(tables.start, tables.end, SAMPLES) if every is None else duration(every)
        if step <= 0:
            raise InvalidValueError(f"every={every!r} must be above zero, such as '1s'")
        book = tables.depth(levels, symbol, step)
        book = book[is_continuous(tables, symbol, book["time"].to_numpy())]
        shown = levels_in(book)
        if shown == 0:
            raise NotRecordedError(measure, "a book", "read the orderbook file too, or rebuild it from order events")
        ask, ask_quantity, bid, bid_quantity = (
            np.column_stack([book[f"{name}_{level}"].to_numpy(np.float64) for level in range(1, shown + 1)])
            for name in ("ask", "ask_quantity", "bid", "bid_quantity")
        )
        ask_quantity, bid_quantity = np.nan_to_num(ask_quantity), np.nan_to_num(bid_quantity)
        return cls(book["time"].to_numpy(np.int64), 0.5 * (ask[:, 0] + bid[:, 0]), ask, ask_quantity, bid, bid_quantity)

    def between(self, start: int, end: int) -> Ladder:
        """The samples inside [start, end]."""
        part = slice(int(np.searchsorted(self.time, start, "left")), int(np.searchsorted(self.time, end, "right")))
        names = ("time", "mid", "ask", "ask_quantity", "bid", "bid_quantity")
        return Ladder(*(getattr(self, name)[part] for name in names))

    @property
    def levels(self) -> int:
        """How many levels the source shows."""
        return int(self.ask.shape[1])

    def need_levels(self, least: int, measure: str) -> None:
        """NotRecordedError where the source has fewer."""
        if self.levels < least:
            raise NotRecordedError(
                measure,
                f"{least} levels of the book (there {'is' if self.levels == 1 else 'are'} {self.levels})",
                "use a recording with more levels, or a measure of the best quotes",
            )


def depth_within(
    tables: MarketTables,
    distances: Sequence[float] = DISTANCES,
    instrument: str | None = None,
    *,
    levels: int = LEVELS,
    every: object = None,
) -> pd.DataFrame:
    """Mean units that rest at most so many basis points away from the mid.

    Index ``distance`` (bps); ``bid_quantity``, ``ask_quantity`` (mean units), ``standard_error`` (units, of the mean of
    both sides; samples taken as independent), ``reached``: share of samples in which the levels shown went that far,
    or to the end of the book; below 1 the quantities are lower bounds. Source: Degryse, de Jong and van Kervel (2015).
    """
    return within(Ladder.of(tables, levels, instrument, every, "depth within a distance"), distances, levels)


def within(ladder: Ladder, distances: Sequence[float], levels: int) -> pd.DataFrame:
    """``depth_within`` of a ladder of which ``levels`` were asked for."""
    known = ~np.isnan(ladder.mid)
    mid = ladder.mid[known, None]
    sides = [
        (1e4 * (ladder.ask[known] - mid) / mid, ladder.ask_quantity[known]),
        (1e4 * (mid - ladder.bid[known]) / mid, ladder.bid_quantity[known]),
    ]
    rows = {}
    for distance in distances:
        if distance <= 0:
            raise InvalidValueError(f"distance {distance} bps must be above zero")
        near = distance * (1 + 1e-9)
        ask, bid = (np.where(away <= near, quantity, 0.0).sum(axis=1) for away, quantity in sides)
        far = [(quantity[:, -1] == 0) | (away[:, -1] > near) for away, quantity in sides]
        error = mean_error(0.5 * (ask + bid))[1]
        rows[float(distance)] = {
            "bid_quantity": float(bid.mean()) if len(bid) else float("nan"),
            "ask_quantity": float(ask.mean()) if len(ask) else float("nan"),
            "standard_error": error,
            "reached": float((far[0] & far[1]).mean()) if len(bid) else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("distance")


def round_trip_cost(
    tables: MarketTables,
    quantities: float | Sequence[float],
    instrument: str | None = None,
    *,
    levels: int = LEVELS,
    every: object = None,
) -> pd.DataFrame:
    """What it costs to buy and at once sell a quantity against the book: 1e4 · (buy price - sell price) / mid.

    The prices are means over the levels that the quantity takes. Index ``quantity`` (units); ``cost_bps`` (mean over
    samples that held enough), ``standard_error`` (bps; samples taken as independent), ``buy_bps``, ``sell_bps`` (the
    halves, from the mid), ``filled`` (share of samples that held enough). Source: Irvine, Benston and Kandel (2000);
    Gomber, Schweickert and Theissen (2015).
    """
    wanted = [float(quantities)] if np.isscalar(quantities) else [float(q) for q in quantities]  # type: ignore[arg-type, union-attr]
    return costs(Ladder.of(tables, levels, instrument, every, "the cost of a round trip"), wanted)


def costs(ladder: Ladder, quantities: Sequence[float]) -> pd.DataFrame:
    """``round_trip_cost`` of a ladder."""
    rows = {}
    for quantity in quantities:
        if not quantity > 0:
            raise InvalidValueError(f"quantity {quantity} must be above zero")
        buy = 1e4 * (_average(ladder.ask, ladder.ask_quantity, quantity) / ladder.mid - 1)
        sell = 1e4 * (1 - _average(ladder.bid, ladder.bid_quantity, quantity) / ladder.mid)
        held = ~np.isnan(buy) & ~np.isnan(sell)
        mean, error = mean_error(buy + sell)
        rows[quantity] = {
            "cost_bps": mean,
            "standard_error": error,
            "buy_bps": mean_error(buy[held])[0],
            "sell_bps": mean_error(sell[held])[0],
            "filled": float(held.mean()) if len(held) else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")


def depth_weighted_spread(
    tables: MarketTables, levels: int = 5, instrument: str | None = None, *, every: object = None
) -> float:
    """Mean of Σ ask · quantity / Σ quantity - the same of the bids, over the best ``levels``, in bps of the mid.

    Wider than the quoted spread by as much as the book lies away from its best prices. NotRecordedError where the
    source has fewer levels.
    """
    ladder = Ladder.of(tables, levels, instrument, every, "the depth-weighted spread")
    ladder.need_levels(levels, "the depth-weighted spread")
    return mean_error(weighted_spreads(ladder))[0]


def weighted_spreads(ladder: Ladder, levels: int | None = None) -> Floats:
    """The depth-weighted spread of each sample, in basis points of the mid."""
    part = slice(levels)
    ask, bid = (
        quotient((np.nan_to_num(price[:, part]) * quantity[:, part]).sum(axis=1), quantity[:, part].sum(axis=1))
        for price, quantity in ((ladder.ask, ladder.ask_quantity), (ladder.bid, ladder.bid_quantity))
    )
    return np.asarray(1e4 * (ask - bid) / ladder.mid, dtype=np.float64)


def time_at_spread(source: MarketTables | Tape, instrument: str | None = None) -> pd.DataFrame:
    """How long each spread was quoted inside [start, end].

    Index ``ticks``; ``spread`` (currency), ``share_of_time`` (of the time with both sides), which adds up to 1.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the time at each spread")
    known = ~np.isnan(tape.spread) & (tape.durations > 0)
    ticks, place = np.unique(np.rint(tape.spread[known] / tape.tick).astype(np.int64), return_inverse=True)
    held = np.bincount(place, tape.durations[known], len(ticks)).astype(np.float64)
    return pd.DataFrame(
        {"spread": ticks * tape.tick, "share_of_time": held / held.sum() if len(held) else held},
        index=pd.Index(ticks, name="ticks"),
    )


def _average(price: Floats, quantity: Floats, wanted: float) -> Floats:
    """Mean price of taking ``wanted`` units from each sample's levels; NaN where they hold less."""
    before = np.cumsum(quantity, axis=1) - quantity
    taken = np.clip(wanted - before, 0.0, quantity)
    mean = (np.nan_to_num(price) * taken).sum(axis=1) / wanted
    return np.where(quantity.sum(axis=1) >= wanted * (1 - 1e-12), mean, np.nan)
