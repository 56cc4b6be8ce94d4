"""What a policy is written with: what may happen, what may be answered, draws, and the decorators.

``from marketsim import policies as p`` gives all of it to the file of a compiled agent; ``docs/own-policies.md`` tells
how it is used. It holds nothing of its own.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, OrderType, Reason, Side, TimeInForce
from marketsim.domain.units import HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, SECOND
from marketsim.kernel.compiled import compiled
from marketsim.kernel.random import below, exponential, gamma, normal, purpose_of, uniform
from marketsim.population.agent import policy
from marketsim.population.policy import (
    INDICATIVES,
    QUOTES,
    STATUS_CHANGES,
    TRADES,
    ask_quote,
    ask_volume,
    cancel,
    cancel_all,
    cancel_everything,
    cancel_lots,
    find_working,
    limit_order,
    market_order,
    place,
    place_special,
    post_only_order,
    subscribe,
    subscribe_every,
    timer_at,
    wake_at,
    watch_imbalance,
)
from marketsim.population.state import ACTIONS

BUY, SELL = int(Side.BUY), int(Side.SELL)

# What ``place`` takes.
LIMIT, MARKET, POST_ONLY = int(OrderType.LIMIT), int(OrderType.MARKET), int(OrderFlag.POST_ONLY)
DAY, FOK = int(TimeInForce.DAY), int(TimeInForce.FOK)
GTC, IOC = int(TimeInForce.GTC), int(TimeInForce.IOC)

# What ``seen.kind`` may be.
START, WAKE, TIMER = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER)
QUOTE, TRADE = int(Kind.QUOTE), int(Kind.TRADE_PRINT)
VOLUME, IMBALANCE = int(Kind.VOLUME), int(Kind.IMBALANCE)
STATUS, INDICATIVE = int(Kind.STATUS), int(Kind.INDICATIVE)
CONNECTION = int(Kind.CONNECTION)  # ``side`` +1: the session is up again, -1: it broke
ACCEPTED = int(Kind.REPORT) + int(EventKind.ACCEPTED)
FILL = int(Kind.REPORT) + int(EventKind.TRADE)
CANCELED = int(Kind.REPORT) + int(EventKind.CANCELED)
EXPIRED = int(Kind.REPORT) + int(EventKind.EXPIRED)
REJECTED = int(Kind.REPORT) + int(EventKind.REJECTED)
CANCEL_REJECTED = int(Kind.REPORT) + int(EventKind.CANCEL_REJECTED)

__all__ = [
    "ACCEPTED",
    "ACTIONS",
    "BUY",
    "CANCELED",
    "CANCEL_REJECTED",
    "CONNECTION",
    "DAY",
    "EXPIRED",
    "FILL",
    "FOK",
    "GTC",
    "HOUR",
    "IMBALANCE",
    "INDICATIVE",
    "INDICATIVES",
    "IOC",
    "LIMIT",
    "MARKET",
    "MICROSECOND",
    "MILLISECOND",
    "MINUTE",
    "NANOSECOND",
    "POST_ONLY",
    "QUOTE",
    "QUOTES",
    "REJECTED",
    "SECOND",
    "SELL",
    "START",
    "STATUS",
    "STATUS_CHANGES",
    "TIMER",
    "TRADE",
    "TRADES",
    "VOLUME",
    "WAKE",
    "Reason",
    "ask_quote",
    "ask_volume",
    "below",
    "cancel",
    "cancel_all",
    "cancel_everything",
    "cancel_lots",
    "compiled",
    "exponential",
    "find_working",
    "gamma",
    "limit_order",
    "market_order",
    "normal",
    "place",
    "place_special",
    "policy",
    "post_only_order",
    "purpose_of",
    "subscribe",
    "subscribe_every",
    "timer_at",
    "uniform",
    "wake_at",
    "watch_imbalance",
]
