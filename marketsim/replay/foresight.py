"""Foresight: what the whole record tells about each order and each level that comes into view.

A file that shows the best n levels says nothing about what happens behind them. But an order that a later row names,
and whose arrival was not seen, must have come while its price was out of view, so it was there when the price came
into view. This module finds where: numbers only, no book.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketsim.data.tape import ASK_PRICE, ASK_QUANTITY, BID_PRICE, BID_QUANTITY, Tape, TapeFlag, TapeKind
from marketsim.kernel.compiled import Rows, zeros

NOTE = np.dtype(  # one an order, by its order id
    [
        ("left", np.int64),  # lots that rows still to come cancel or execute
        ("number", np.int64),  # the source's number: a lower one came earlier
        ("arrived", np.int64),  # index of the event that added it; -1 where that was not recorded
        ("next", np.int64),  # next order of the list of an entry
        ("last", np.int64),  # entry at which it must be there at the latest; -1 for none
        ("taken", np.int64),  # 1 + event at which the core executed it and the record another order
        ("spared", np.int64),  # 1 + event at which the record executed it and the core another order
        ("loose", np.int64),  # the record has deleted it; what the core still holds stands for unseen orders
    ]
)
ENTRY = np.dtype(  # one for each time that a level comes into view, in the order of events
    [
        ("row", np.int64),  # index of the event
        ("side", np.int64),
        ("price", np.int64),
        ("quantity", np.int64),  # recorded
        ("first", np.int64),  # first order of the list of those to place here; 0 for none
        ("later", np.int64),  # the next entry at this price; -1 for none
    ]
)
UNSEEN = 1 << 62  # sort key better than any price: nothing is in view
EVERYTHING = -(1 << 62)  # worse than any price: the whole side is in view
_UNTOLD = 1 << 60  # lots


@dataclass(frozen=True)
class Foresight:
    """``notes`` by order id, ``entries`` by event, ``opening`` the first order to place before the first event."""

    notes: Rows
    entries: Rows
    opening: int


def foresee(tape: Tape, *, ahead: bool = True) -> Foresight:
    """Read the whole tape for what the replay must know beforehand.

    With ``ahead=False`` nothing of a later row is used: no order is placed before it is named, and none is known to
    be named again or not.
    """
    notes = _notes(tape)
    entries = _entries(tape)
    if ahead:
        return Foresight(notes, entries, _place_unseen(tape, notes, entries))
    notes["left"] = _UNTOLD
    return Foresight(notes, entries, 0)


def windows(tape: Tape) -> NDArray[np.int64]:
    """Sort keys (rows, 2) of the worst price in view after each event; columns bid and ask. Larger is better."""
    assert tape.book is not None
    bounds = np.empty((len(tape), 2), np.int64)
    for column, price, quantity, sign in ((0, BID_PRICE, BID_QUANTITY, 1), (1, ASK_PRICE, ASK_QUANTITY, -1)):
        full = tape.book[:, -1, quantity] > 0
        bounds[:, column] = np.where(full, sign * tape.book[:, -1, price], EVERYTHING)
    return bounds


def _notes(tape: Tape) -> Rows:
    events = tape.events
    notes = zeros(len(tape.numbers), NOTE)
    named = np.isin(events["kind"], (TapeKind.REDUCE, TapeKind.DELETE, TapeKind.EXECUTE))
    np.add.at(notes["left"], events["order_id"][named], events["quantity"][named])
    numbered = tape.numbers.dtype.kind == "i"
    notes["number"] = tape.numbers if numbered else np.arange(len(tape.numbers))
    notes["arrived"] = -1
    notes["last"] = -1
    added = np.flatnonzero(events["kind"] == TapeKind.ADD)
    notes["arrived"][events["order_id"][added]] = added
    return notes


def _entries(tape: Tape) -> Rows:
    if tape.book is None:
        return zeros(1, ENTRY)[:0]
    before = np.empty((len(tape), 2), np.int64)
    before[1:] = windows(tape)[:-1]
    before[(tape.events["flags"] & TapeFlag.GAP) != 0] = UNSEEN
    before[0] = UNSEEN
    found = []
    for column, price, quantity, sign in ((0, BID_PRICE, BID_QUANTITY, 1), (1, ASK_PRICE, ASK_QUANTITY, -1)):
        prices, sizes = tape.book[:, :, price], tape.book[:, :, quantity]
        rows, levels = np.nonzero((sizes > 0) & (sign * prices < before[:, column, None]))
        part = np.zeros(len(rows), ENTRY)
        part["row"], part["side"] = rows, sign
        part["price"], part["quantity"] = prices[rows, levels], sizes[rows, levels]
        found.append(part)
    joined = np.concatenate(found)
    joined = joined[np.argsort(joined["row"], kind="stable")]
    joined["later"] = -1
    entries = zeros(max(1, len(joined)), ENTRY)[: len(joined)]
    entries[:] = joined
    return entries


def _place_unseen(tape: Tape, notes: Rows, entries: Rows) -> int:
    """List each order without recorded arrival at the first entry of its price that it can have been there for."""
    ids, mention = _first_mentions(tape, notes)
    if len(ids) == 0:
        return 0
    by_number = np.argsort(notes["number"][ids], kind="stable")
    ids, mention = ids[by_number], mention[by_number]
    if tape.book is None:
        notes["next"][ids[:-1]] = ids[1:]
        return int(ids[0])
    span = len(tape) + 1
    keys = entries["price"] * 2 + (entries["side"] > 0)
    names, group = np.unique(keys, return_inverse=True)
    place = group * span + entries["row"]
    order = np.argsort(place)
    place, group = place[order], group[order]
    entries["later"][order[:-1]] = np.where(group[1:] == group[:-1], order[1:], -1)
    mine = tape.events["price"][mention] * 2 + (tape.events["side"][mention] > 0)
    at = np.minimum(np.searchsorted(names, mine), len(names) - 1)
    afresh = (tape.events["flags"][mention] & TapeFlag.GAP != 0) | (mention == 0)  # the row itself is an entry
    last = np.searchsorted(place, at * span + mention + afresh, "left") - 1
    seen = (names[at] == mine) & (last >= 0) & (group[np.maximum(last, 0)] == at)
    first = np.searchsorted(place, at * span + _earliest(tape, notes, ids), "left")
    first = np.minimum(first, last)
    notes["last"][ids[seen]] = order[last[seen]]
    for order_id, entry in zip(ids[seen][::-1], order[first[seen]][::-1], strict=True):
        notes["next"][order_id] = entries["first"][entry]
        entries["first"][entry] = order_id
    return 0


def _first_mentions(tape: Tape, notes: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Orders without recorded arrival, and the event that names each of them first."""
    named = np.flatnonzero(tape.events["order_id"])
    ids, first = np.unique(tape.events["order_id"][named], return_index=True)
    unseen = notes["arrived"][ids] < 0
    return ids[unseen], named[first[unseen]]


def _earliest(tape: Tape, notes: Rows, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The event after which each order can have come, by its number; numbers are given in the order of arrival."""
    added = np.flatnonzero(tape.events["kind"] == TapeKind.ADD)
    if tape.numbers.dtype.kind != "i" or len(added) == 0:
        return np.full(len(ids), len(tape), np.int64)
    numbers = notes["number"][tape.events["order_id"][added]]
    highest = np.maximum.accumulate(numbers)
    if (numbers < highest).mean() > 0.05:  # not numbered in the order of arrival
        return np.full(len(ids), len(tape), np.int64)
    before = np.searchsorted(highest, notes["number"][ids], "left")
    return np.where(before > 0, added[np.maximum(before - 1, 0)] + 1, 0)
