"""Phases of a market: what it does with orders at a time of its day. The numbers are in event logs: only add."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """docs/matching-rules.md says what each phase takes."""

    CONTINUOUS = 0
    CLOSED = 1
    OPENING_AUCTION = 2
    CLOSING_AUCTION = 3
    VOLATILITY_AUCTION = 4
    HALT = 5
    PRE_OPEN = 6

    @property
    def call(self) -> bool:
        """Whether orders are collected for an auction."""
        return self in (Phase.PRE_OPEN, Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION, Phase.VOLATILITY_AUCTION)


class BandAction(IntEnum):
    """What happens where a trade would lie outside the price bands."""

    REFUSE = 0  # the rest of the order is canceled
    INTERRUPT = 1  # a volatility auction begins
    HALT = 2
