"""Orders: sides, types, times in force, states and the reasons for a refusal, as stable small integers.

The numbers are written into event logs and into golden digests: never renumber one, only add.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Side(IntEnum):
    """BUY is +1 and SELL is -1, so that ``side * quantity`` is the signed quantity."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(IntEnum):
    """How an order meets the book."""

    LIMIT = 1
    MARKET = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 1
    DAY = 2
    GTD = 3
    IOC = 4
    FOK = 5


class OrderFlag(IntFlag):
    """Instructions that may be added to an order or that a report carries."""

    NONE = 0
    POST_ONLY = 1
    KEPT_PRIORITY = 2


class OrderState(IntEnum):
    """The life of an order as its participant sees it."""

    PENDING_NEW = 1
    ACCEPTED = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    PENDING_CANCEL = 5
    CANCELED = 6
    REJECTED = 7
    EXPIRED = 8

    @property
    def terminal(self) -> bool:
        return self in (OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED)


class Reason(IntEnum):
    """Why a request was refused, or why an order left the book without being filled."""

    NONE = 0
    BY_REQUEST = 1  # the participant asked for the cancel
    NO_LIQUIDITY = 2  # a market order met an empty book: its rest is canceled
    IMMEDIATE_OR_CANCEL = 3  # the rest of an IOC order is canceled
    FILL_OR_KILL = 4  # an FOK order could not be filled whole
    WOULD_TRADE = 5  # a post-only order would have traded
    UNKNOWN_ORDER = 6  # cancel or replace of an order that is not live
    INVALID_QUANTITY = 7  # not above zero
    INVALID_PRICE = 8  # a limit or stop price that the instrument does not allow
    UNKNOWN_MARKET = 9  # no such market
    NOT_OWNER = 10  # the order belongs to somebody else
    DUPLICATE_ORDER = 11  # this order id was used before
    END_OF_SESSION = 12  # a DAY order at the close of its session
    END_OF_TIME = 13  # a GTD order at its expire time
    INVALID_EXPIRY = 14  # GTD without a time in the future, or an expire time without GTD
    INVALID_INSTRUCTION = 15  # a contradiction, such as a post-only market order
    BY_REPLACE = 16  # replaced to no more than was already filled
    MARKET_CLOSED = 17  # the session is over
    RISK = 18  # refused by the participant's own risk checks, before it left
    SELF_TRADE = 19  # the rest of an order that would have traded with its own owner
