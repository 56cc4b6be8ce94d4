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


MOST_PARTS = 10_000  # that an iceberg may be shown in: the log must have room for a row for each of them


class OrderType(IntEnum):
    """How an order meets the book."""

    LIMIT = 1
    MARKET = 2
    STOP = 3
    STOP_LIMIT = 4
    TRAILING_STOP = 5  # a stop that follows the last price at a distance
    MARKET_TO_LIMIT = 6  # what does not trade at once rests at the price of its last trade
    PRIMARY_PEG = 7  # hidden; behind the best price of its own side
    MARKET_PEG = 8  # hidden; behind the best price of the other side
    MID_PEG = 9  # hidden; behind the middle


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 1
    DAY = 2
    GTD = 3
    IOC = 4
    FOK = 5
    AT_OPEN = 6
    AT_CLOSE = 7


class OrderFlag(IntFlag):
    """Instructions that may be added to an order or that a report carries."""

    NONE = 0
    POST_ONLY = 1
    KEPT_PRIORITY = 2  # in reports only
    HIDDEN = 4
    SLIDE = 8  # a post-only order that would trade moves one tick behind instead of being refused
    PARENT = 16  # remembered after its end, for orders that are conditional on it
    AUCTION = 64  # in trades only: made by an uncross, without an aggressor


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
    SELF_TRADE = 19  # what would have traded with its own account
    WRONG_PHASE = 20  # the market's phase does not take it
    OUTSIDE_BANDS = 21  # a price beyond the bands of its market
    LINKED = 22  # the partner traded or ended, or the parent ended
    UNKNOWN_LINK = 23  # no such partner or parent
    AUCTION_ENDED = 24  # an order for an auction that is over
    MINIMUM_QUANTITY = 25  # an IOC order could not trade its minimum
    BY_MASS_CANCEL = 26  # the participant asked for the cancel of all its orders
    THROTTLED = 27  # more requests than the venue takes from a participant
    DISCONNECTED = 28  # the participant's session is down
    LIQUIDATION = 29  # the venue closes a position for want of margin
    MARGIN = 30  # not enough margin for the order
    SCHEDULE = 31  # the calendar of the venue
    CIRCUIT_BREAKER = 32  # the whole venue halts
    EXTENSION = 33  # an auction goes on because its price is beyond the bands
    NOTIONAL = 34  # worth less or more than the instrument allows
    POSITION_SIDE = 35  # closes more than the leg of a hedged position holds


class SelfTrade(IntEnum):
    """What becomes of an order that would trade with its own account's."""

    ALLOW = 0
    CANCEL_NEWEST = 1  # the rest of the aggressor
    CANCEL_OLDEST = 2  # the resting order
    CANCEL_BOTH = 3
    DECREMENT = 4  # both lose the smaller quantity
