"""How a live session trades, and the remarks that it keeps. It does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from marketsim.domain.limits import Limits
from marketsim.errors import InvalidValueError


class Note(NamedTuple):
    """A remark. ``time``: ns of the venue's clock."""

    time: int
    key: str
    value: str


@dataclass(frozen=True)
class Settings:
    """How a session trades.

    instruments: symbols as the venue writes them, the preferred one first; None for all that it trades.
    limits: what risk control lets the agent do. seed, name: of the agent's random draws. venue: our name for the venue.
    speed: the venue's seconds in a second of wall time; 1 for every real one, ``--speed`` of a served simulation.
    live: whether another machine than this one may be traded on.
    cancel_on_stop: whether open orders are canceled at the end.
    attempts, pause: to connect anew after a loss; wall seconds before the first, doubled before each further one.
    """

    instruments: Sequence[str] | None = None
    limits: Limits | None = None
    seed: int = 0
    name: str = "trader"
    venue: str = "BINANCE"
    speed: float = 1.0
    live: bool = False
    cancel_on_stop: bool = True
    attempts: int = 5
    pause: float = 0.25

    def __post_init__(self) -> None:
        if self.attempts < 1 or not self.pause > 0:
            raise InvalidValueError(
                f"attempts={self.attempts}, pause={self.pause}: at least one attempt, after a pause above 0 seconds"
            )
        if isinstance(self.instruments, str):
            raise InvalidValueError(f'instruments={self.instruments!r}: give a list, such as ["{self.instruments}"]')
