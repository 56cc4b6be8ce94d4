"""The event log's row: everything that happened at a venue, one fixed 64-byte record an event.

A row is also the execution report that its owner receives. Every table, measure, figure and digest is computed
from these rows. There are no padding bytes, so equal events are equal bytes. Layout and codes are part of every
golden digest: never renumber a kind, only add.

Meaning of the columns by kind (a column not named is 0):

========================== ======== ======== ===== ======== =================== =====
kind                       order_id match_id price quantity leaves              peer
========================== ======== ======== ===== ======== =================== =====
ACCEPTED                   order             limit total    open                -
TERMS (after ACCEPTED)     order             stop           expire time in ns   -
TRADE                      taker    maker    price traded   maker's open rest   maker
CANCELED, EXPIRED          order             limit removed  open rest (0: gone) -
REPLACED                   order             new   new total open               -
TRIGGERED                  order             stop           open                -
REJECTED                   order             limit asked                        -
CANCEL_REJECTED            order                   asked                        -
REPLACE_REJECTED           order             asked asked                        -
========================== ======== ======== ===== ======== =================== =====

Rows of clearing concern no order: ``order_id`` is 0, ``price`` the mark in ticks, ``owner`` whom it concerns, money in
money units of the settlement currency (domain.contract), positive to the owner:

========================== ===================== ================= =========================================== =====
kind                       match_id              quantity          leaves                                      flags
========================== ===================== ================= =========================================== =====
MARK (owner -1)            index, ticks          -                 -                                           -
FUNDING                    rate, in 10^-9        position, lots    money paid to the owner                     -
SETTLED                    -                     position, lots    money paid to the owner                     Settled
MARGIN_CALL                maintenance margin    position, lots    equity                                      -
LIQUIDATION                the venue's order     lots to close     equity                                      -
========================== ===================== ================= =========================================== =====

``owner`` is the participant of ``order_id`` (the taker's in a TRADE), ``side`` that order's side (+1 buy, -1 sell).
A partial cancel is a CANCELED row whose ``leaves`` is above zero. The price of a market order is 0.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class EventKind(IntEnum):
    """What happened."""

    ACCEPTED = 1
    TERMS = 2
    TRADE = 3
    CANCELED = 4
    REPLACED = 5
    EXPIRED = 6
    TRIGGERED = 7
    REJECTED = 8
    CANCEL_REJECTED = 9
    REPLACE_REJECTED = 10
    CONDITIONS = 11
    REFRESHED = 12
    REPRICED = 13
    ACTIVATED = 14
    PHASE = 15
    INDICATIVE = 16
    MASS_CANCELED = 17
    MARK = 20
    FUNDING = 21
    SETTLED = 22
    LIQUIDATION = 23
    MARGIN_CALL = 24
    DISCONNECTED = 25
    RECONNECTED = 26


class Settled(IntEnum):
    """What a SETTLED row pays, in its ``flags``."""

    VARIATION = 0  # profit since the last settlement; the position goes on at this price
    EXPIRY = 1  # the same at the end of the contract: the position is gone
    FUND = 2  # between the account and the insurance fund; the position is left alone


EVENT = np.dtype(
    [
        ("time", np.int64),  # ns of simulated time at which the venue did it
        ("order_id", np.int64),
        ("match_id", np.int64),
        ("price", np.int64),  # ticks
        ("quantity", np.int64),  # lots
        ("leaves", np.int64),  # lots
        ("owner", np.int32),  # participant number
        ("peer", np.int32),  # participant number of the maker
        ("market", np.uint16),  # market number: one instrument on one venue
        ("kind", np.uint8),  # EventKind
        ("side", np.int8),  # +1 buy, -1 sell
        ("reason", np.uint8),  # Reason
        ("order_type", np.uint8),  # OrderType
        ("time_in_force", np.uint8),  # TimeInForce
        ("flags", np.uint8),  # OrderFlag
    ]
)
assert EVENT.itemsize == 64
