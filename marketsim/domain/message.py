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
    ORDERS = 16  # the book order by order
    STATUS = 32  # the phase of trading
    BARS = 64  # trades summed up by time; their length in ns is in ``other_price``
    INDICATIVE = 128  # the price and volume at which an auction would end


class Kind(IntEnum):
    """What a message is. Reports carry REPORT + EventKind."""

    START = 1
    WAKE = 2
    TIMER = 3
    SCHEDULE = 4  # a venue's own timer: a phase, a halt or a look at an auction is due
    FLUSH = 5  # a venue's own timer: conflated data, or a bar, is due
    CONNECTION = 6
    CLEARING = 7  # a venue's own timer
    NEW = 8
    CANCEL = 9
    REPLACE = 10
    QUERY = 11
    SUBSCRIBE = 12
    EXPIRE = 13
    ASK_VOLUME = 14
    MASS_CANCEL = 15
    QUOTE = 16
    TRADE_PRINT = 17
    LEVEL = 18
    SNAPSHOT = 19
    SNAPSHOT_LEVEL = 20
    VOLUME = 21
    IMBALANCE = 22
    STATUS = 23
    INDICATIVE = 24
    ORDER_UPDATE = 25
    BAR = 26
    SNAPSHOT_REQUEST = 27
    HEARTBEAT = 29
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
        ("side", np.int64),  # CONNECTION: +1 up, -1 down, 0 given up
        ("price", np.int64),
        ("quantity", np.int64),
        ("other_price", np.int64),  # NEW: stop price; else see below
        ("leaves", np.int64),
        ("expire", np.int64),  # NEW: time; TIMER: tag; SUBSCRIBE: ns between two quotes or two updates of levels
        ("order_type", np.int64),
        ("time_in_force", np.int64),
        ("instructions", np.int64),  # OrderFlag; in a report of a trade 1 tells that this order was the maker's
        ("reason", np.int64),  # of a report; in a request that a session does not take to its venue: why
        ("ready", np.int64),  # the receiver's slot in time is reserved
        ("next", np.int64),  # in the free list; of a report in a session with faults: its number there
        ("display", np.int64),  # of a NEW, as are the others from here on: lots that an iceberg shows
        ("minimum", np.int64),
        ("parent", np.int64),  # order that releases this one
        ("partner", np.int64),  # order that this one cancels
    ]
)
"""One message. What market data has in fields that are named for orders:

============== ============ ============== ============== ============== ========================================
kind           price        quantity       other_price    leaves         expire, and others
============== ============ ============== ============== ============== ========================================
QUOTE          bid          bid quantity   ask            ask quantity   last price
TRADE_PRINT    price        quantity                                     side: the aggressor's
LEVEL          price        quantity                                     sequence; side: +1 bid, -1 ask
SNAPSHOT                    levels                                       sequence; instructions: channel
HEARTBEAT                                                                sequence of the last LEVEL
VOLUME                      lots bought                   lots sold      ns looked back
IMBALANCE                   lots bid                      lots offered   side: the heavy one, 0 for neither
STATUS                      phase                                        until when; reason
INDICATIVE     price        volume                        surplus        side: of the surplus, 0 for none
ORDER_UPDATE   limit        lots           priority       displayed      sequence; order_id, side; instructions:
                                                                         OrderAction
BAR            open         volume         close          trades         ns; order_type: high, time_in_force: low,
                                                                         order_id: value in ticks x lots
============== ============ ============== ============== ============== ========================================

A SUBSCRIBE has what it wants in ``instructions`` (Wanted), the share of the book in millionths in ``price`` and the
length of bars in ``other_price``. A SNAPSHOT_REQUEST has the interval of the levels in ``expire``.
"""
