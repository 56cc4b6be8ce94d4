"""The user's own records of order events or of trades, as CSV (plain or .gz) or Parquet with named columns, as a Tape.

Which column is which, in what units and in what words is said by the caller; nothing is guessed from the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marketsim.data.fields import Fields, read_fields
from marketsim.data.finding import Findings, OnError
from marketsim.data.numbering import number_orders
from marketsim.data.tape import FRACTION, ORDER_EVENT, Tape, TapeFlag, TapeKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import decimal
from marketsim.errors import DataError, InvalidValueError, did_you_mean

Extra = Literal["error", "ignore"]
_KINDS = {kind.name.lower(): int(kind) for kind in TapeKind} | {str(int(kind)): int(kind) for kind in TapeKind}
_SIDES = {"buy": 1, "b": 1, "bid": 1, "1": 1, "+1": 1, "sell": -1, "s": -1, "ask": -1, "a": -1, "-1": -1}
_NAMED = (TapeKind.ADD, TapeKind.REDUCE, TapeKind.DELETE, TapeKind.EXECUTE)
_HALTS = (TapeKind.HALT, TapeKind.QUOTING, TapeKind.RESUME)
_UNSIDED = (*_HALTS, TapeKind.EXECUTE_HIDDEN, TapeKind.CROSS, TapeKind.TRADE)
_NEAR = 1e-6  # parts of a step within which a floating-point number counts as whole
_LARGEST = float(1 << 53)


def read_events(
    path: str | Path,
    *,
    symbol: str,
    columns: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    sides: Mapping[str, str] | None = None,
    time_unit: str = "ns",
    price_unit: object = 1,
    quantity_unit: object = 1,
    tick_size: object = "0.01",
    lot_size: object = 1,
    extra: Extra = "error",
    on_error: OnError = "raise",
) -> Tape:
    """Read order events, one a row, in the order of their times.

    Columns: ``time``; ``kind`` (a name or number of TapeKind); ``order_id`` (number or text; may be empty in rows that
    name no order); ``side`` of the resting order; ``price``; ``quantity``. In rows about an order that the file added
    before, price and side may be empty; so may the quantity of a DELETE, which is then what was left.

    columns: the file's name of a column where it is another one, such as ``{"quantity": "shares"}``.
    kinds, sides: the file's words, such as ``{"A": "add", "X": "delete"}`` and ``{"0": "buy", "1": "sell"}``.
    time_unit: "ns", "us", "ms", "s", or "iso" for timestamps as text. price_unit, quantity_unit: what a 1 means, in
    currency and in units of the instrument. tick_size, lot_size: the instrument's grid.
    extra: "ignore" leaves columns alone that are not named here. on_error: "skip" leaves bad rows out and counts them.

    Raises DataError with file, row and what was expected. The tape has no book: ``marketsim.replay.rebuild`` makes it.
    """
    findings = Findings(on_error)
    needed = ("time", "kind", "order_id", "side", "price", "quantity")
    fields = read_fields(path, needed, (), columns or {}, extra, findings)
    spec = Instrument(symbol, tick_size=tick_size, lot_size=lot_size, reference_price=tick_size)  # type: ignore[arg-type]
    kind = fields.codes("kind", _words(_KINDS, kinds, "kinds", {k.name.lower(): int(k) for k in TapeKind}), "a kind")
    fields.reject(kind == 0, lambda i: f"kind {fields.shown('kind', i)!r}: expected a kind such as add or delete")
    side = fields.codes("side", _words(_SIDES, sides, "sides", {"buy": 1, "sell": -1}), "a side")
    names, named = _order_names(fields, kind)
    ids, numbers = number_orders(names, kind == TapeKind.ADD, named)
    price, beyond = _grid(fields, "price", decimal(price_unit), spec.tick_size, ~np.isin(kind, _UNSIDED))
    quantity, _ = _grid(fields, "quantity", decimal(quantity_unit), spec.lot_size, np.ones(len(fields), np.bool_))
    side, price, quantity = _fill(fields, kind, ids, len(numbers), side, price, quantity)
    _require(fields, kind, side, price, quantity)
    time = _ordered_times(fields, time_unit)
    rows = _assemble(fields, time, kind, ids, side, price, beyond, quantity)
    return _tape(path, spec, rows, numbers, fields)


def read_trades(
    path: str | Path,
    *,
    symbol: str,
    columns: Mapping[str, str] | None = None,
    sides: Mapping[str, str] | None = None,
    time_unit: str = "ns",
    price_unit: object = 1,
    quantity_unit: object = 1,
    tick_size: object = "0.01",
    lot_size: object = 1,
    tick_rule: bool = False,
    extra: Extra = "error",
    on_error: OnError = "raise",
) -> Tape:
    """Read trades, one a row, in the order of their times.

    Columns: ``time``, ``price``, ``quantity`` and, where there is one, ``side`` of the aggressor. A price may lie
    between two ticks. The other parameters are those of ``read_events``.

    tick_rule: give a trade without a side the sign of the last price change (Lee and Ready, 1991); without it the
    side of such a trade is 0.
    """
    findings = Findings(on_error)
    fields = read_fields(path, ("time", "price", "quantity"), ("side",), columns or {}, extra, findings)
    spec = Instrument(symbol, tick_size=tick_size, lot_size=lot_size, reference_price=tick_size)  # type: ignore[arg-type]
    kind = np.full(len(fields), int(TapeKind.TRADE), np.int64)
    words = _words(_SIDES, sides, "sides", {"buy": 1, "sell": -1})
    aggressor = fields.codes("side", words, "a side") if "side" in fields else np.zeros(len(fields), np.int64)
    price, beyond = _grid(fields, "price", decimal(price_unit), spec.tick_size, np.zeros(len(fields), np.bool_))
    quantity, _ = _grid(fields, "quantity", decimal(quantity_unit), spec.lot_size, np.ones(len(fields), np.bool_))
    _require(fields, kind, aggressor, price, quantity)
    time = _ordered_times(fields, time_unit)
    if tick_rule:
        aggressor = np.where(aggressor == 0, _tick_rule(price * FRACTION + beyond), aggressor)
    ids = np.zeros(len(fields), np.int64)
    rows = _assemble(fields, time, kind, ids, -aggressor, price, beyond, quantity)
    return _tape(path, spec, rows, np.zeros(1, np.int64), fields)


# --- words and numbers -----------------------------------------------------------------------------------------------


def _words(
    known: Mapping[str, int], own: Mapping[str, str] | None, what: str, meanings: Mapping[str, int]
) -> dict[str, int]:
    """Our words, or the file's own ones in our meanings."""
    if own is None:
        return dict(known)
    words = {}
    for word, meaning in own.items():
        if meaning.lower() not in meanings:
            raise InvalidValueError(f"{what}: {word!r} means {meaning!r}{did_you_mean(meaning.lower(), meanings)}")
        words[word] = meanings[meaning.lower()]
    return words


def _order_names(fields: Fields, kind: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """What the file calls the order of each row (numbers where all are), and which rows name one."""
    texts = fields.texts("order_id")
    empty = np.array([not text for text in texts], np.bool_)
    needs = np.isin(kind, _NAMED)
    fields.reject(
        needs & empty, lambda i: f"order_id is empty: expected one in a row of kind {TapeKind(int(kind[i])).name}"
    )
    named = needs & ~empty & fields.good
    if all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts if text):
        return np.array([int(text) if text else 0 for text in texts], np.int64), named
    return np.array(texts), named


def _grid(
    fields: Fields, name: str, unit: Decimal, step: Decimal, strict: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole steps of a column and ten-thousandths of one beyond, 0 where missing; whole where ``strict``."""
    if unit <= 0 or step <= 0:
        raise InvalidValueError(f"units and steps are above zero, not {unit} and {step}")
    values = fields.numbers(name)
    scaled = np.nan_to_num(values * float(unit / step))
    fields.reject(np.abs(scaled) > _LARGEST, lambda i: f"{name} {fields.shown(name, i)}: too large")
    scaled = np.where(np.abs(scaled) > _LARGEST, 0.0, scaled)
    whole = np.rint(scaled)
    on_step = np.abs(scaled - whole) <= np.maximum(_NEAR, 4e-16 * np.abs(scaled))
    fields.reject(
        strict & ~on_step & fields.good,
        lambda i: f"{name} {fields.shown(name, i)}: expected a multiple of {step / unit:f}",
    )
    low = np.where(on_step, whole, np.floor(scaled))
    beyond = np.rint((scaled - low) * FRACTION)
    beyond[on_step] = 0
    full = beyond >= FRACTION
    return (low + full).astype(np.int64), np.where(full, 0, beyond).astype(np.int64)


def _fill(
    fields: Fields,
    kind: NDArray[np.int64],
    ids: NDArray[np.int64],
    orders: int,
    side: NDArray[np.int64],
    price: NDArray[np.int64],
    quantity: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Take what a row about an order leaves out from the row that added it."""
    added = np.full(orders, -1, np.int64)
    arrivals = np.flatnonzero((kind == TapeKind.ADD) & (ids > 0))
    added[ids[arrivals]] = arrivals
    source = added[ids]
    known = (source >= 0) & (ids > 0)
    side = np.where(known & (side == 0), side[source], side)
    price = np.where(known & fields.missing("price"), price[source], price)
    open_ended = known & (kind == TapeKind.DELETE) & fields.missing("quantity")
    if open_ended.any():
        gone = np.isin(kind, (TapeKind.REDUCE, TapeKind.EXECUTE))
        removed = np.bincount(ids[gone], weights=quantity[gone], minlength=orders)[ids].astype(np.int64)
        quantity = np.where(open_ended, quantity[source] - removed, quantity)
    return side, price, quantity


def _require(
    fields: Fields,
    kind: NDArray[np.int64],
    side: NDArray[np.int64],
    price: NDArray[np.int64],
    quantity: NDArray[np.int64],
) -> None:
    halt = np.isin(kind, _HALTS)

    def shown(name: str, index: int) -> str:
        return fields.shown(name, index) or "is empty"

    fields.reject(~halt & (quantity < 1), lambda i: f"quantity {shown('quantity', i)}: expected a number above 0")
    fields.reject(~halt & (price < 1), lambda i: f"price {shown('price', i)}: expected a number above 0")
    fields.reject(~np.isin(kind, _UNSIDED) & (side == 0), lambda i: f"side {shown('side', i)}: expected buy or sell")


def _ordered_times(fields: Fields, unit: str) -> NDArray[np.int64]:
    time = fields.times("time", unit)
    fields.reject(time < 0, lambda i: f"time {fields.shown('time', i)}: expected a time that is not negative")
    latest = np.maximum.accumulate(np.where(fields.good, time, 0)) if len(time) else time
    fields.reject(
        time < latest,
        lambda i: f"time {fields.shown('time', i)} after a later one: expected rows in the order of their times",
    )
    return time


def _tick_rule(price: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sign of the last change of price; 0 before the first change."""
    change = np.sign(np.diff(price, prepend=price[:1]))
    moved = np.maximum.accumulate(np.where(change != 0, np.arange(len(price)), 0))
    return np.asarray(change[moved])


# --- the tape --------------------------------------------------------------------------------------------------------


def _assemble(
    fields: Fields,
    time: NDArray[np.int64],
    kind: NDArray[np.int64],
    ids: NDArray[np.int64],
    side: NDArray[np.int64],
    price: NDArray[np.int64],
    beyond: NDArray[np.int64],
    quantity: NDArray[np.int64],
) -> NDArray[Any]:
    fields.findings.settle()
    rows = np.zeros(len(fields), ORDER_EVENT)
    columns = {
        "time": time,
        "kind": kind,
        "order_id": ids,
        "side": side,
        "price": price,
        "beyond": beyond,
        "quantity": quantity,
        "row": fields.lines,
    }
    for name, values in columns.items():
        rows[name] = values
    rows = rows[fields.good]
    skipped = np.diff(rows["row"], prepend=fields.lines[:1] if len(fields) else 0) > 1
    rows["flags"] = np.where(skipped, TapeFlag.GAP, 0)
    for name in ("side", "price", "beyond", "quantity"):
        rows[name][np.isin(rows["kind"], _HALTS)] = 0
    return rows


def _tape(path: str | Path, spec: Instrument, rows: NDArray[Any], numbers: NDArray[Any], fields: Fields) -> Tape:
    if len(rows) == 0:
        raise DataError("no good row is left" if fields.total else "no rows", source=fields.source)
    priced = rows["price"][rows["price"] > 0]
    reference = int(priced[0]) if len(priced) else 1
    return Tape(
        Instrument(spec.symbol, spec.tick_size, spec.lot_size, reference * spec.tick_size, spec.currency),
        rows,
        numbers,
        None,
        int(rows["time"][0]),
        int(rows["time"][-1]),
        str(path),
        fields.findings.all(),
        fields.total - len(rows),
    )
