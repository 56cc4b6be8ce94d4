"""How a market trades, as a list of numbers with errors: spread, depth, pace and sizes, and what its best queues do.

What ``fact_statistics`` is for returns and signs, ``market_statistics`` is for quotes and trades: the same columns, so
that both make one table. Only the best quotes and the trades are asked, which every recording has, however few levels
of the book it shows. It judges nothing and searches for nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.fact_measures import BLOCKS, LONGEST, SHORTEST, UNKNOWN, Estimate, estimate
from marketsim.analysis.prices import clock_grid
from marketsim.analysis.queues import queue_changes
from marketsim.analysis.resampling import Blocks
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import MINUTE, SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

CLOCK = 10 * SECOND
FEWEST = 6  # intervals of the clock below which nothing is told
_JOINED, _LEFT, _HIT = 0, 1, 2


def market_statistics(
    source: MarketTables | Tape, instrument: str | None = None, *, times: int = 200, seed: int = 1
) -> pd.DataFrame:
    """Numbers of quotes and trades, with columns ``value`` and ``standard_error``, indexed by ``statistic``.

    Of quotes, over time: ``spread`` (ticks), ``spread_variation`` (its standard deviation over its mean, between
    intervals of 10 s), ``depth`` (units at a best price, mean of both). Of trades, the fills of one order as one:
    ``trades_per_minute``, ``trade_size`` (units), ``trade_clustering`` (variance over mean of their number in 10 s; 1
    for a Poisson process). Of the best queues (see ``queue_intensities``): ``arrivals_per_minute`` (a queue is joined
    or a better price is shown), ``improving_share`` (of those, the better prices), ``cancel_share`` (of queues that
    shrink, those that nobody traded with), and ``mid_changes_per_minute``.

    Standard errors are of the stationary bootstrap (``resampling.Blocks``) with ``times`` resamples, as those of
    ``fact_statistics``. Intervals without quotes on both sides are left out, and several changes in one nanosecond
    count as one, so that a run and the files written of it tell the same. NaN where there is nothing to count.
    """
    found = market_estimates(Tape.of(source, instrument), times, seed)
    rows = {name: (one.value, one.standard_error) for name, one in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "standard_error"])
    return table.rename_axis("statistic")


def market_estimates(tape: Tape, times: int, seed: int) -> dict[str, Estimate]:
    """By name: what ``market_statistics`` tells, with resampled values that vary together."""
    columns = _columns(tape)
    count = len(columns["spread"])
    if count < FEWEST:
        return dict.fromkeys(NAMES, UNKNOWN)
    span = count * CLOCK
    blocks = Blocks(count, max(min(max(span / BLOCKS, SHORTEST), LONGEST) / CLOCK, 1.0), times, seed)
    minute = MINUTE / CLOCK

    def mean(name: str, scale: float = 1.0) -> Estimate:
        return estimate(blocks, [columns[name]], lambda m: scale * m[..., 0])

    def share(part: str, *others: str) -> Estimate:
        return estimate(blocks, [columns[n] for n in (part, *others)], lambda m: m[..., 0] / m.sum(axis=-1))

    spread, trades = columns["spread"], columns["trades"]
    return {
        "spread": mean("spread", 1.0 / tape.tick),
        "spread_variation": estimate(
            blocks, [spread, spread**2], lambda m: np.sqrt(np.maximum(m[..., 1] / m[..., 0] ** 2 - 1.0, 0.0))
        ),
        "depth": mean("depth"),
        "trades_per_minute": mean("trades", minute),
        "trade_size": estimate(blocks, [columns["volume"], trades], lambda m: m[..., 0] / m[..., 1]),
        "trade_clustering": estimate(blocks, [trades, trades**2], lambda m: (m[..., 1] - m[..., 0] ** 2) / m[..., 0]),
        "arrivals_per_minute": estimate(
            blocks, [columns["joined"], columns["improved"]], lambda m: minute * m.sum(axis=-1)
        ),
        "improving_share": share("improved", "joined"),
        "cancel_share": share("left", "hit"),
        "mid_changes_per_minute": mean("moved", minute),
    }


NAMES = (
    "spread", "spread_variation", "depth", "trades_per_minute", "trade_size", "trade_clustering",
    "arrivals_per_minute", "improving_share", "cancel_share", "mid_changes_per_minute",
)  # fmt: skip


def _columns(tape: Tape) -> dict[str, Floats]:
    """Sums and means of every interval of the clock that has quotes on both sides."""
    edges = clock_grid(tape.start, tape.end, CLOCK)
    if len(edges) < 2 or len(tape.quote_time) < 2:
        return {"spread": np.empty(0)}
    tape, merged = _settled(tape), tape.merged()
    found = {
        "spread": tape.time_weighted_in(tape.spread, edges),
        "depth": tape.time_weighted_in(0.5 * (tape.bid_quantity + tape.ask_quantity), edges),
        "trades": _counts(merged.trade_time, edges),
        "volume": _counts(merged.trade_time, edges, merged.quantity),
        "improved": _counts(np.concatenate([_improvements(tape, side) for side in (1, -1)]), edges),
        "moved": _counts(_moves(tape), edges),
    }
    sides = [queue_changes(tape, side) for side in (1, -1)]
    kind, when = (np.concatenate([side[part] for side in sides]) for part in (2, 4))
    for name, number in (("joined", _JOINED), ("left", _LEFT), ("hit", _HIT)):
        found[name] = _counts(when[kind == number].astype(np.int64), edges)
    known = np.isfinite(found["spread"]) & np.isfinite(found["depth"])
    return {name: values[known] for name, values in found.items()}


def _settled(tape: Tape) -> Tape:
    """With the last quotes of each nanosecond only: recordings tell the fills of one order one by one, runs do not."""
    last = np.append(np.diff(tape.quote_time) > 0, True)
    names = ("quote_time", "bid", "bid_quantity", "ask", "ask_quantity")
    indicated = None if tape.indicated is None else tape.indicated[last]
    return replace(tape, **{name: getattr(tape, name)[last] for name in names}, indicated=indicated)


def _counts(times: Ints, edges: Ints, weights: Floats | None = None) -> Floats:
    """How many, or how much, in (edge, next edge]."""
    place = np.searchsorted(edges, times, "left") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    return np.bincount(place[inside], None if weights is None else weights[inside], len(edges) - 1).astype(np.float64)


def _improvements(tape: Tape, side: int) -> Ints:
    price = tape.bid if side > 0 else tape.ask
    with np.errstate(invalid="ignore"):
        return tape.quote_time[1:][side * np.diff(price) > 0.0]


def _moves(tape: Tape) -> Ints:
    change = np.diff(tape.mid)
    return tape.quote_time[1:][np.isfinite(change) & (np.abs(change) > 0.0)]
