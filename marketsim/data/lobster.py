"""LOBSTER files: a message file and an orderbook file of one day, plain or gzip-compressed, as a Tape.

The format is described on https://lobsterdata.com. Prices in the files count ten-thousandths of a dollar. Hidden
executions may lie between two ticks; everything else must lie on one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data.columns import INTEGER, NUMBER, TEXT, Columns, read_columns
from marketsim.data.finding import Findings, OnError
from marketsim.data.numbering import number_orders
from marketsim.data.source import read_bytes
from marketsim.data.tape import ORDER_EVENT, Tape, TapeFlag, TapeKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import MILLISECOND, SECOND, decimal
from marketsim.errors import DataError, InvalidValueError

_UNIT = Decimal("0.0001")  # dollars in which the files count
_CENT = Decimal("0.01")
_MESSAGE = {
    "time": NUMBER,
    "type": INTEGER,
    "order id": INTEGER,
    "size": INTEGER,
    "price": INTEGER,
    "direction": INTEGER,
}
_NAME = re.compile(
    r"(?P<symbol>.+?)_(?P<day>\d{4}-\d{2}-\d{2})_(?P<start>\d+)_(?P<end>\d+)_(message|orderbook)_(?P<levels>\d+)"
    r"\.csv(\.gz)?",
    re.IGNORECASE,
)
_LATEST = 1_000_000.0  # seconds; later a float is coarser than a nanosecond
_HALTS = {-1: TapeKind.HALT, 0: TapeKind.QUOTING, 1: TapeKind.RESUME}


@dataclass(frozen=True)
class LobsterFiles:
    """The two files of one day. ``book`` is None when the messages are to be read alone."""

    messages: Path
    book: Path | None

    @property
    def symbol(self) -> str:
        """As the file's name says."""
        return self.messages.name.split("_")[0]

    @property
    def window(self) -> tuple[int, int] | None:
        """ns between which was recorded, as the file's name says; None when it does not."""
        name = _NAME.fullmatch(self.messages.name)
        return (int(name["start"]) * MILLISECOND, int(name["end"]) * MILLISECOND) if name else None


def find_lobster(path: str | Path, *, book: bool = True) -> LobsterFiles:
    """The pair of files that ``path`` means: one of the two, or a folder that holds one pair.

    Raises DataError when a file is missing or a folder holds several.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        found = sorted(file for file in place.iterdir() if "_message_" in file.name and ".csv" in file.name)
        if len(found) != 1:
            held = f"holds {len(found)}: {', '.join(file.name for file in found)}" if found else "holds none"
            raise DataError(
                f"expected one LOBSTER message file (…_message_….csv); the folder {held}", source=str(place)
            )
        place = found[0]
    if "orderbook" in place.name:
        place = _sibling(place, "orderbook", "message")
    if not place.is_file():
        raise DataError("no such file; expected a LOBSTER message file", source=str(place))
    if not book:
        return LobsterFiles(place, None)
    if "message" not in place.name:
        raise DataError(
            "expected …_message_….csv beside …_orderbook_….csv, as LOBSTER names them; book=False reads messages alone",
            source=str(place),
        )
    return LobsterFiles(place, _sibling(place, "message", "orderbook"))


def _sibling(place: Path, word: str, other: str) -> Path:
    head, _, tail = place.name.rpartition(word)
    name = f"{head}{other}{tail}"
    choices = [name, name.removesuffix(".gz"), f"{name}.gz"]
    for choice in choices:
        if (place.parent / choice).is_file():
            return place.parent / choice
    raise DataError(f"expected {name} (plain or .gz) beside it; book=False reads messages alone", source=str(place))


def read_lobster(
    path: str | Path,
    *,
    symbol: str | None = None,
    tick_size: object = None,
    on_error: OnError = "raise",
    book: bool = True,
) -> Tape:
    """Read one day of LOBSTER files.

    path: the message file, the orderbook file beside it, or a folder that holds one pair.
    symbol: by default the first word of the file's name.
    tick_size: dollars; by default a cent when all visible prices are whole cents, else a hundredth of one.
    on_error: "raise" stops at the first bad row; "skip" leaves bad rows out of both files and counts them.
    book: whether to read the orderbook file.

    Raises DataError with file, row and what was expected.
    """
    files = find_lobster(path, book=book)
    findings = Findings(on_error)
    messages = _read_messages(files.messages, findings)
    states = _read_states(files.book, findings) if files.book else None
    good = _check_messages(messages, files.messages.name, findings)
    if states is not None and files.book is not None:
        messages, states, good = _pair(messages, states, good, files, findings)
        good &= _check_states(states, files.book.name, findings)
    findings.settle()
    return _tape(files, messages, states, good, findings, symbol, tick_size)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_messages(path: Path, findings: Findings) -> Columns:
    text = read_bytes(path, findings)
    findings.settle()
    kinds = dict(_MESSAGE)
    fields = text[: text.find(b"\n")].rstrip(b"\r").split(b",")
    if len(fields) == len(kinds) + 1 and not re.fullmatch(rb"-?[0-9.]+", fields[-1]):
        kinds["attribution"] = TEXT  # newer files name who sent an order, or say "null"
    return read_columns(text, kinds, path.name, findings)


def _read_states(path: Path, findings: Findings) -> Columns:
    text = read_bytes(path, findings)
    findings.settle()
    width = text[: text.find(b"\n")].count(b",") + 1
    if text and width % 4:
        raise DataError(
            f"{width} columns, expected four for each level (ask price, ask size, bid price, bid size)",
            source=path.name,
            record=1,
        )
    names = [
        f"{side} {what} {level}"
        for level in range(1, width // 4 + 1)
        for side in ("ask", "bid")
        for what in ("price", "size")
    ]
    return read_columns(text, dict.fromkeys(names, INTEGER), path.name, findings)


# --- checking --------------------------------------------------------------------------------------------------------


def _check_messages(rows: Columns, source: str, findings: Findings) -> NDArray[np.bool_]:
    """Which messages are good; the others become findings."""
    kind, time, size, price = rows["type"], rows["time"], rows["size"], rows["price"]
    halt = kind == 7
    with np.errstate(invalid="ignore"):
        in_range = (time >= 0) & (time < _LATEST)
    latest = np.maximum.accumulate(np.where(in_range, time, 0.0))
    checks: list[tuple[NDArray[np.bool_], Callable[[int], str]]] = [
        (~in_range, lambda i: f"time {time[i]}: expected seconds after midnight, 0 to {_LATEST:.0f}"),
        (
            in_range & (time < latest),
            lambda i: f"time {time[i]} after {latest[i]}: expected rows in the order of their times",
        ),
        ((kind < 1) | (kind > 7), lambda i: f"type {kind[i]}: expected 1 to 7"),
        (~halt & (size < 1), lambda i: f"size {size[i]}: expected a whole number above 0"),
        (~halt & (price < 1), lambda i: f"price {price[i]}: expected a whole number above 0"),
        (halt & (np.abs(price) > 1), lambda i: f"price {price[i]} of a trading halt: expected -1, 0 or 1"),
        ((kind < 5) & (rows["order id"] < 1), lambda i: f"order id {rows['order id'][i]}: expected a number above 0"),
        (
            ~halt & (np.abs(rows["direction"]) != 1),
            lambda i: f"direction {rows['direction'][i]}: expected 1 (buy) or -1 (sell)",
        ),
    ]
    return _apply(checks, rows, source, findings)


def _check_states(rows: Columns, source: str, findings: Findings) -> NDArray[np.bool_]:
    """Which states of the book are good; the others become findings."""
    levels = len(rows.values) // 4
    bad_size = np.zeros(len(rows), np.bool_)
    bad_order = np.zeros(len(rows), np.bool_)
    for side, sign in (("ask", 1), ("bid", -1)):
        for level in range(1, levels + 1):
            price, size = rows[f"{side} price {level}"], rows[f"{side} size {level}"]
            bad_size |= (size < 0) | ((size > 0) & (price < 1))
            if level > 1:
                better, there = rows[f"{side} price {level - 1}"], rows[f"{side} size {level - 1}"]
                bad_order |= (size > 0) & ((there == 0) | (sign * (price - better) <= 0))
    ask, bid = rows["ask price 1"], rows["bid price 1"]
    crossed = (rows["ask size 1"] > 0) & (rows["bid size 1"] > 0) & (bid >= ask)
    checks: list[tuple[NDArray[np.bool_], Callable[[int], str]]] = [
        (bad_size, lambda i: "a level with a negative size, or without a price: expected sizes of 0 or more"),
        (bad_order, lambda i: "levels out of order: expected asks ascending, bids descending, empty levels last"),
        (crossed, lambda i: f"best bid {bid[i]} and best ask {ask[i]}: expected a book that is not crossed"),
    ]
    return _apply(checks, rows, source, findings)


def _apply(
    checks: list[tuple[NDArray[np.bool_], Callable[[int], str]]], rows: Columns, source: str, findings: Findings
) -> NDArray[np.bool_]:
    good = np.ones(len(rows), np.bool_)
    for bad, describe in checks:
        if bad.any():
            findings.note_rows(source, rows.lines, bad & good, describe)
            good &= ~bad
    return good


def _pair(
    messages: Columns, states: Columns, good: NDArray[np.bool_], files: LobsterFiles, findings: Findings
) -> tuple[Columns, Columns, NDArray[np.bool_]]:
    """Both files row by row; rows that only one of them has are a finding."""
    assert files.book is not None
    if messages.total != states.total:
        shorter, longer = sorted(((messages.total, files.messages.name), (states.total, files.book.name)))
        findings.note(
            shorter[1],
            shorter[0] + 1,
            f"the file ends after {shorter[0]} rows and {longer[1]} has {longer[0]}: "
            "expected a row of the book for each message (truncated?)",
        )
    if len(messages) == messages.total == len(states) == states.total:
        return messages, states, good
    lines, mine, theirs = np.intersect1d(messages.lines, states.lines, assume_unique=True, return_indices=True)
    return (
        Columns({name: values[mine] for name, values in messages.values.items()}, lines, messages.total),
        Columns({name: values[theirs] for name, values in states.values.items()}, lines, states.total),
        good[mine],
    )


# --- the tape --------------------------------------------------------------------------------------------------------


def _tape(
    files: LobsterFiles,
    messages: Columns,
    states: Columns | None,
    good: NDArray[np.bool_],
    findings: Findings,
    symbol: str | None,
    tick_size: object,
) -> Tape:
    if not good.any():
        raise DataError("no good row is left", source=files.messages.name)
    visible = messages["type"] <= 4
    prices = [messages["price"][visible & good]]
    if states is not None:
        prices += [
            states[name][good & (states[name.replace("price", "size")] > 0)]
            for name in states.values
            if "price" in name
        ]
    tick = _tick(prices, tick_size)
    per_tick = int(tick / _UNIT)
    good = good & _on_ticks(messages, states, visible, per_tick, files, findings)
    findings.settle()
    if not good.any():
        raise DataError("no good row is left", source=files.messages.name)
    events = _events(messages, good, per_tick)
    numbers = _number(events, messages, good)
    book = None if states is None else _book(states, good, per_tick)
    start, end = files.window or (int(events["time"][0]), int(events["time"][-1]))
    reference = _reference(events, book)
    instrument = Instrument(symbol or files.symbol, tick_size=tick, reference_price=reference * tick)
    return Tape(
        instrument,
        events,
        numbers,
        book,
        min(start, int(events["time"][0])),
        max(end, int(events["time"][-1])),
        str(files.messages),
        findings.all(),
        max(messages.total, states.total if states else 0) - len(events),
    )


def _tick(prices: list[NDArray[np.int64]], wanted: object) -> Decimal:
    if wanted is None:
        whole = int(_CENT / _UNIT)
        return _CENT if not any((part % whole).any() for part in prices) else _UNIT
    tick = decimal(wanted)
    if tick <= 0 or tick % _UNIT:
        raise InvalidValueError(
            f"tick_size={tick}: expected a multiple of {_UNIT} above zero, the unit of LOBSTER files"
        )
    return tick


def _on_ticks(
    messages: Columns,
    states: Columns | None,
    visible: NDArray[np.bool_],
    per_tick: int,
    files: LobsterFiles,
    findings: Findings,
) -> NDArray[np.bool_]:
    if per_tick == 1:
        return np.ones(len(messages), np.bool_)
    price = messages["price"]
    rule = f"expected a multiple of {per_tick} (the tick size); choose a finer tick_size"
    good = _apply([(visible & (price % per_tick != 0), lambda i: f"price {price[i]}: {rule}")], messages,
                  files.messages.name, findings)  # fmt: skip
    if states is not None and files.book is not None:
        off = np.zeros(len(states), np.bool_)
        for name in states.values:
            if "price" in name:
                off |= (states[name] % per_tick != 0) & (states[name.replace("price", "size")] > 0)
        good &= _apply([(off, lambda i: f"a price between two ticks: {rule}")], states, files.book.name, findings)
    return good


def _events(messages: Columns, good: NDArray[np.bool_], per_tick: int) -> NDArray[Any]:
    events = np.zeros(int(good.sum()), ORDER_EVENT)
    kind, price = messages["type"][good], messages["price"][good]
    events["time"] = np.rint(messages["time"][good] * SECOND)
    events["quantity"] = messages["size"][good]
    events["row"] = messages.lines[good]
    events["kind"] = kind
    events["side"] = messages["direction"][good]
    events["price"] = price // per_tick
    events["beyond"] = price % per_tick * (10_000 // per_tick) if 10_000 % per_tick == 0 else (
        price % per_tick * 10_000 // per_tick)  # fmt: skip
    halted = kind == 7
    for code, meaning in _HALTS.items():
        events["kind"][halted & (price == code)] = meaning
    for name in ("price", "beyond", "side", "quantity"):
        events[name][halted] = 0
    before = np.concatenate([[0], events["row"][:-1]])
    events["flags"] = np.where(events["row"] - before > 1, TapeFlag.GAP, 0)
    return events


def _number(events: NDArray[Any], messages: Columns, good: NDArray[np.bool_]) -> NDArray[Any]:
    names = messages["order id"][good]
    named = (events["kind"] <= TapeKind.EXECUTE) & (names > 0)
    events["order_id"], numbers = number_orders(names, events["kind"] == TapeKind.ADD, named)
    return numbers


def _book(states: Columns, good: NDArray[np.bool_], per_tick: int) -> NDArray[np.int64]:
    levels = len(states.values) // 4
    book = np.empty((int(good.sum()), levels, 4), np.int64)
    everything = bool(good.all())
    for position, (name, values) in enumerate(states.values.items()):
        kept = values if everything else values[good]
        book[:, position // 4, position % 4] = kept // per_tick if "price" in name else kept
    book[:, :, 0][book[:, :, 1] == 0] = 0
    book[:, :, 2][book[:, :, 3] == 0] = 0
    return book


def _reference(events: NDArray[Any], book: NDArray[np.int64] | None) -> int:
    """A price in ticks from which the day started: the first best bid, ask, or price of all."""
    if book is not None and len(book):
        for column in (2, 0):
            if book[0, 0, column + 1] > 0:
                return int(book[0, 0, column])
    priced = events["price"][events["price"] > 0]
    return int(priced[0]) if len(priced) else 1
