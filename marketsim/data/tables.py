"""The tables of a tape, in the shape that analysis reads: DataFrames in currency and units. It changes no tape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.order import OrderState, OrderType, Reason, TimeInForce
from marketsim.domain.tables import AGENTS, ORDERS, QUOTES, TRADES

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.data.tape import Tape

_ADD, _REDUCE, _DELETE, _EXECUTE = 1, 2, 3, 4  # TapeKind, which would be an import in a circle
_TRADED = (4, 5, 6, 10)
_CROSS = 6
_FRACTION = 10_000


def trades(tape: Tape) -> pd.DataFrame:
    """Every trade of the tape; ``side`` is 0 where the aggressor is unknown, as in an auction; fees are unknown: 0."""
    rows = tape.events[np.isin(tape.events["kind"], _TRADED)]
    spec = tape.instrument
    price = (rows["price"] + rows["beyond"] / _FRACTION) * spec.tick
    return _frame(
        TRADES,
        len(rows),
        time=rows["time"],
        instrument=spec.symbol,
        price=np.round(price, 10),
        quantity=rows["quantity"] * spec.lot,
        side=np.where(rows["kind"] == _CROSS, 0, -rows["side"]),
        maker_order=_numbers(tape)[rows["order_id"]],
    )


def quotes(tape: Tape) -> pd.DataFrame:
    """Rows of the recorded book at which its best prices or their quantities changed."""
    if tape.book is None:
        return _frame(QUOTES, 0)
    best = tape.book[:, 0]
    rows = _changed(best)
    spec = tape.instrument
    bid, bid_quantity = _level(best[rows], 2, spec.tick, spec.lot)
    ask, ask_quantity = _level(best[rows], 0, spec.tick, spec.lot)
    return _frame(
        QUOTES,
        len(rows),
        time=tape.events["time"][rows],
        instrument=spec.symbol,
        bid=bid,
        bid_quantity=bid_quantity,
        ask=ask,
        ask_quantity=ask_quantity,
    )


def orders(tape: Tape) -> pd.DataFrame:
    """The orders whose arrival was recorded, with what became of them as far as the tape tells."""
    events, spec, count = tape.events, tape.instrument, len(tape.numbers)
    added = events[events["kind"] == _ADD]
    named = np.isin(events["kind"], (_REDUCE, _DELETE, _EXECUTE))
    sums = {
        kind: np.bincount(events["order_id"][rows], weights=events["quantity"][rows], minlength=count)
        for kind, rows in ((kind, events["kind"] == kind) for kind in (_REDUCE, _DELETE, _EXECUTE))
    }
    last = np.full(count, -1, np.int64)
    np.maximum.at(last, events["order_id"][named], events["time"][named])
    asked = np.bincount(events["order_id"][named & (events["kind"] != _EXECUTE)], minlength=count)
    ids = added["order_id"]
    filled, removed = sums[_EXECUTE][ids], sums[_REDUCE][ids] + sums[_DELETE][ids]
    deleted = np.bincount(events["order_id"][events["kind"] == _DELETE], minlength=count)[ids] > 0
    state = np.select(
        [filled >= added["quantity"], deleted | (filled + removed >= added["quantity"]), filled > 0],
        [OrderState.FILLED.name, OrderState.CANCELED.name, OrderState.PARTIALLY_FILLED.name],
        OrderState.ACCEPTED.name,
    )
    live = (state != OrderState.FILLED.name) & (state != OrderState.CANCELED.name)
    return _frame(
        ORDERS,
        len(added),
        order_id=_numbers(tape)[ids],
        time=added["time"],
        end_time=np.where(live, -1, last[ids]),
        instrument=spec.symbol,
        side=added["side"],
        order_type=OrderType.LIMIT.name,
        time_in_force=TimeInForce.GTC.name,
        price=np.round(added["price"] * spec.tick, 10),
        stop_price=np.nan,
        quantity=added["quantity"] * spec.lot,
        filled=filled * spec.lot,
        state=state,
        reason=np.where(state == OrderState.CANCELED.name, Reason.BY_REQUEST.name, ""),
        cancel_requests=asked[ids],
    )


def agents() -> pd.DataFrame:
    """Nobody is known by name."""
    return _frame(AGENTS, 0)


def depth(tape: Tape, levels: int, every: int | None) -> pd.DataFrame:
    """The book by level, at each change of it or on a clock."""
    import pandas as pd

    assert tape.book is not None
    book = tape.book[:, :levels]
    if every is None:
        rows = _changed(book.reshape(len(book), -1))
        time = tape.events["time"][rows]
    else:
        first = -(-tape.start // every) * every
        time = np.arange(first, tape.end + 1, every, dtype=np.int64)
        rows = np.searchsorted(tape.events["time"], time, "right") - 1
    columns: dict[str, NDArray[Any]] = {"time": time}
    for level in range(levels):
        for name, column in (("ask", 0), ("bid", 2)):
            price, quantity = _level(book[rows, level], column, tape.instrument.tick, tape.instrument.lot)
            columns[f"{name}_{level + 1}"] = np.where(rows < 0, np.nan, price)
            columns[f"{name}_quantity_{level + 1}"] = np.where(rows < 0, 0.0, quantity)
    return pd.DataFrame(columns)


def _changed(states: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row, and every row that differs from the one before."""
    changed = np.ones(len(states), np.bool_)
    changed[1:] = (states[1:] != states[:-1]).any(axis=1)
    return np.flatnonzero(changed)


def _level(rows: NDArray[np.int64], column: int, tick: float, lot: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """(price in currency, NaN where there is no level; quantity in units) of rows (ask, its quantity, bid, its …)."""
    quantity = rows[:, column + 1]
    return np.where(quantity > 0, np.round(rows[:, column] * tick, 10), np.nan), quantity * lot


def _numbers(tape: Tape) -> NDArray[np.int64]:
    """The number of each order for the tables: the source's, or our own where the source has names."""
    if tape.numbers.dtype.kind == "i":
        return tape.numbers.astype(np.int64)
    return np.arange(len(tape.numbers), dtype=np.int64)


def _frame(shape: dict[str, str], length: int, **columns: Any) -> pd.DataFrame:
    """A table with every column of a shape; a column that is not given is empty text or 0."""
    import pandas as pd

    values = {
        name: np.broadcast_to(np.asarray(columns.get(name, "" if kind == "str" else 0)), (length,))
        for name, kind in shape.items()
    }
    return pd.DataFrame(values).astype(shape)
