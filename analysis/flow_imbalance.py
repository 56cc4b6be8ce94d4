"""Order-flow imbalance of one level and of several, and the line that ties prices to it (M2).

It reads how quotes change, not who changed them; no order is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.continuous import is_continuous
from marketsim.analysis.prices import clock_grid
from marketsim.analysis.regression import LeastSquares, least_squares
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.errors import InvalidValueError, NotRecordedError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def order_flow_imbalance(
    source: MarketTables | Tape, every: object = "10s", instrument: str | None = None, *, levels: int = 1
) -> pd.DataFrame:
    """Net order flow at the best ``levels`` prices, interval by interval (index: its start in ns).

    From one quote to the next e = [b ≥ b']·q - [b ≤ b']·q' - [a ≤ a']·r + [a ≥ a']·r' (bid b with quantity q, ask a
    with r, primes before); level m does the same with the m-th best prices. ``ofi_1`` … are sums of e over the interval
    in units, positive when buyers press; ``change`` is that of the mid (currency), ``depth`` the mean units at a level
    and side. With several levels ``integrated``: the first principal component of the levels' flows, each over the mean
    of ``depth``, with weights that add up to 1 in size.

    Sources: Cont, Kukanov and Stoikov (2014); Xu, Gould and Howison (2018); Cont, Cucuringu and Zhang (2023).
    NotRecordedError where the source has fewer levels.
    """
    if levels < 1:
        raise InvalidValueError(f"levels={levels}: use 1 or more")
    tape = Tape.of(source, instrument)
    tape.need_quotes("order-flow imbalance")
    edges = clock_grid(tape.start, tape.end, every)
    count = max(len(edges) - 1, 0)
    sums, shown, rows = np.zeros((levels, count)), np.zeros(count), np.zeros(count)
    for time, flows, depth in _flows(source, tape, levels):
        cuts = np.searchsorted(time, edges, "right")
        for level, flow in enumerate(flows):
            sums[level] += _between(flow, cuts)
        shown += _between(depth, cuts)
        rows += np.diff(cuts)
    with np.errstate(invalid="ignore"):
        depth = shown / rows
    table = pd.DataFrame(
        {"change": np.diff(tape.at(tape.mid, edges)), "depth": depth}, index=pd.Index(edges[:-1], name="time")
    )
    for level in range(levels):
        table[f"ofi_{level + 1}"] = sums[level]
    if levels > 1:
        mean = shown.sum() / max(rows.sum(), 1)
        table["integrated"] = principal_weights(sums.T) @ sums / (mean if mean > 0 else np.nan)
    return table


def order_flow_impact(
    source: MarketTables | Tape, every: object = "10s", instrument: str | None = None, *, levels: int = 1
) -> pd.DataFrame:
    """Ordinary least squares of the mid's change over an interval on the order-flow imbalance in it.

    Index ``model``: "best" (the first level alone), with several levels also "levels" (each level a column) and
    "integrated". ``slope`` (currency a unit; of "levels" that of the first level; of "integrated" currency per mean
    depth), ``standard_error`` (robust, HC1), ``intercept``, ``r_squared``, ``adjusted_r_squared``, ``intervals``.
    For fifty stocks of the S&P 500 at 10 s "best" explains 65 % on average (Cont, Kukanov and Stoikov 2014, table 2).
    """
    return impact_of(order_flow_imbalance(source, every, instrument, levels=levels))


def impact_of(table: pd.DataFrame) -> pd.DataFrame:
    """``order_flow_impact`` of a table as ``order_flow_imbalance`` returns it."""
    names = [name for name in table.columns if name.startswith("ofi_")]
    models = {"best": names[:1]}
    if len(names) > 1:
        models |= {"levels": names, "integrated": ["integrated"]}
    kept = table[table["change"].notna()]
    rows = {}
    for model, columns in models.items():
        fit = least_squares(kept[columns].to_numpy(np.float64), kept["change"].to_numpy(np.float64))
        rows[model] = _row(fit)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def principal_weights(flows: Floats) -> Floats:
    """Weights of the first principal component of columns, the sum of their sizes 1 and the sum not negative."""
    if len(flows) < 2 or not np.isfinite(flows).all():
        return np.full(flows.shape[1], np.nan)
    _, vectors = np.linalg.eigh(np.cov(flows, rowvar=False))
    weights = vectors[:, -1] / np.abs(vectors[:, -1]).sum()
    return np.asarray(weights if weights.sum() >= 0 else -weights)


def _row(fit: LeastSquares) -> dict[str, Any]:
    return {
        "slope": float(fit.slopes[0]),
        "standard_error": float(fit.standard_errors[0]),
        "intercept": fit.intercept,
        "r_squared": fit.r_squared,
        "adjusted_r_squared": fit.adjusted_r_squared,
        "intervals": fit.observations,
    }


_Columns = tuple[Floats, Floats, Floats, Floats]  # bid, its quantity, ask, its quantity: of one level


def _flows(source: MarketTables | Tape, tape: Tape, levels: int) -> Iterator[tuple[Ints, list[Floats], Floats]]:
    """Time, flow of each level, and mean quantity of one level and side, of each change of the book."""
    if levels == 1:
        quotes = (tape.bid, tape.bid_quantity, tape.ask, tape.ask_quantity)
        yield tape.quote_time[1:], [_flow(*quotes)], _mean_depth([quotes])[1:]
        return
    last: tuple[Ints, list[_Columns]] | None = None
    for book in _blocks(source, tape.symbol, levels):
        time = book["time"].to_numpy(np.int64)
        columns = [_level(book, level) for level in range(1, levels + 1)]
        if last is not None:
            time = np.concatenate((last[0], time))
            columns = [_joined(old, new) for old, new in zip(last[1], columns, strict=True)]
        last = time[-1:], [_last(level) for level in columns]
        yield time[1:], [_flow(*level) for level in columns], _mean_depth(columns)[1:]


def _level(book: pd.DataFrame, level: int) -> _Columns:
    bid, bid_quantity, ask, ask_quantity = (
        book[f"{name}_{level}"].to_numpy(np.float64) for name in ("bid", "bid_quantity", "ask", "ask_quantity")
    )
    return bid, bid_quantity, ask, ask_quantity


def _joined(old: _Columns, new: _Columns) -> _Columns:
    bid, bid_quantity, ask, ask_quantity = (np.concatenate(pair) for pair in zip(old, new, strict=True))
    return bid, bid_quantity, ask, ask_quantity


def _last(level: _Columns) -> _Columns:
    bid, bid_quantity, ask, ask_quantity = (values[-1:] for values in level)
    return bid, bid_quantity, ask, ask_quantity


def _mean_depth(levels: Sequence[_Columns]) -> Floats:
    total = np.sum([level[place] for level in levels for place in (1, 3)], axis=0)
    return np.asarray(np.nan_to_num(total / (2 * len(levels))), dtype=np.float64)


def _between(values: Floats, cuts: npt.NDArray[np.intp]) -> Floats:
    """Sums of ``values`` between neighbouring cuts."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(np.diff(sums[cuts]), dtype=np.float64)


def _blocks(source: MarketTables | Tape, symbol: str, levels: int) -> Iterable[pd.DataFrame]:
    what = f"order-flow imbalance of {levels} levels"
    if isinstance(source, Tape):
        raise NotRecordedError(what, "a book of several levels", "give it the run or the recorded day itself")
    blocks: Any = getattr(source, "depth_blocks", None)
    found = blocks(levels, symbol) if blocks is not None else [source.depth(levels, symbol)]
    for book in found:
        if f"ask_{levels}" not in book:
            shown = sum(1 for name in book.columns if str(name).startswith("ask_quantity_"))
            raise NotRecordedError(
                what, f"{levels} levels of the book (it has {shown})", f"ask for levels={max(shown, 1)} or fewer"
            )
        open_ = is_continuous(source, symbol, book["time"].to_numpy(np.int64))
        book = book if open_.all() else book[open_]
        if len(book):
            yield book


def _flow(bid: Floats, bid_quantity: Floats, ask: Floats, ask_quantity: Floats) -> Floats:
    """What each row but the first adds; 0 where a side is missing before or after."""
    there = (bid_quantity > 0) & (ask_quantity > 0)
    gained = _change(bid, bid_quantity) - _change(-ask, ask_quantity)
    return np.where(there[1:] & there[:-1], gained, 0.0)


def _change(price: Floats, quantity: Floats) -> Floats:
    """Units that bids gained: all of a better one, the difference at one price, minus what was at a lost one."""
    now, before = price[1:], price[:-1]
    return np.asarray((now >= before) * quantity[1:] - (now <= before) * quantity[:-1], dtype=np.float64)
