"""Messages between participants and venues inside a simulation: one fixed record for all of them.

Only integers, so that a message can be handed between Python and compiled code as a plain row of numbers.
A receiver below 0 is the venue with number -1 - receiver.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np


class Wanted(IntFlag):
    """What a SUBSCRIBE asks for, in its ``instructions``."""

    QUOTES = 1
    TRADES = 2
    LEVELS = 4
    IMBALANCE = 8  # told when one side of the book holds more than a share of it; the share is in ``price``


class Kind(IntEnum):
    """What a message is. Reports carry REPORT + EventKind."""

    START = 1
    WAKE = 2
    TIMER = 3
    NEW = 8
    CANCEL = 9
    REPLACE = 10
    QUERY = 11
    SUBSCRIBE = 12
    EXPIRE = 13
    ASK_VOLUME = 14
    QUOTE = 16
    TRADE_PRINT = 17
    LEVEL = 18
    SNAPSHOT = 19
    SNAPSHOT_LEVEL = 20
    VOLUME = 21
    IMBALANCE = 22
    REPORT = 32


MESSAGE = np.dtype(
    [
        ("time", np.int64),  # delivery
        ("order", np.int64),  # key: priority and sequence
        ("sent", np.int64),  # ns at which it left; for what a venue says, when the venue did it
        ("kind", np.int64),
        ("sender", np.int64),
        ("receiver", np.int64),
        ("market", np.int64),
        ("order_id", np.int64),
        ("side", np.int64),  # IMBALANCE: the heavy side, 0 when neither is
        ("price", np.int64),  # QUOTE: bid; SUBSCRIBE to IMBALANCE: share of the book, in millionths
        ("quantity", np.int64),  # QUOTE: bid quantity; VOLUME: lots that aggressors bought; IMBALANCE: all lots bid
        ("other_price", np.int64),  # NEW: stop price; QUOTE: ask
        ("leaves", np.int64),  # QUOTE: ask quantity; VOLUME: lots that aggressors sold; IMBALANCE: all lots offered
        ("expire", np.int64),  # NEW: time; LEVEL: feed sequence; QUOTE: last price; TIMER: tag; VOLUME: ns looked back
        ("order_type", np.int64),
        ("time_in_force", np.int64),
        ("instructions", np.int64),  # OrderFlag; in a report of a trade 1 tells that this order was the maker's
        ("reason", np.int64),
        ("ready", np.int64),  # the receiver's slot in time is reserved
        ("next", np.int64),  # in the free list
    ]
)
