"""Requests: what a replay asks of a matching core, row by row of the tape, as plain rows of numbers.

They are what the recorded participants did, plus what makes the book take the recorded size where a level comes into
view. Played into any venue they are the recorded day as live order flow. Nothing here sends one.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class RequestKind(IntEnum):
    """What is asked."""

    NEW = 1  # a limit order, good till canceled
    CANCEL = 2  # ``quantity`` lots of an order, 0 for all of it
    EXECUTE = 3  # a marketable limit order, immediate or cancel, against the side of the executed order
    HALT = 4  # nothing is asked of a core: trading stops or resumes, see ``TapeKind``


class Cause(IntEnum):
    """Why it is asked."""

    MESSAGE = 1  # the tape says so
    SEED = 2  # a level came into view: an order that a later row names, placed as soon as it must have been there
    REST = 3  # a level came into view: what else its recorded size holds, as one order at the back
    CLEAR = 4  # a level came into view, or is seen to be gone: what the record does not hold any more
    INSTEAD = 5  # the tape cancels an order that the core does not hold: another one at that price gives way


REQUEST = np.dtype(
    [
        ("time", np.int64),  # ns
        ("row", np.int64),  # index of the tape's event
        ("order_id", np.int64),  # 1 … orders of the tape; above them: orders of a REST and aggressive orders
        ("target", np.int64),  # EXECUTE: the order that the record executes; INSTEAD: the one that it cancels
        ("price", np.int64),  # ticks
        ("quantity", np.int64),  # lots
        ("kind", np.int16),  # RequestKind
        ("side", np.int16),  # of the order itself: an EXECUTE has the aggressor's
        ("cause", np.int16),  # Cause
        ("halt", np.int16),  # HALT: the TapeKind
    ]
)
