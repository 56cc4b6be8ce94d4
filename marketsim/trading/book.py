"""A book as a participant rebuilds it from the feed: a snapshot, then increments in sequence.

It never sees the venue's own book. A gap in the sequence is an error of the feed, which the owner must repair by asking
for a new snapshot.
"""

from __future__ import annotations

from marketsim.domain.market_data import BookSnapshot, LevelUpdate
from marketsim.domain.order import Side


class LocalBook:
    """Quantities by price on both sides. ``synchronized`` is False before a snapshot and after a gap."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.sequence = -1
        self.synchronized = False

    def apply_snapshot(self, book: BookSnapshot) -> None:
        """Start over from a snapshot."""
        self.bids, self.asks = dict(book.bids), dict(book.asks)
        self.sequence = book.sequence
        self.synchronized = True

    def apply(self, update: LevelUpdate) -> bool:
        """Take in an increment; False when it could not be used (older than the snapshot, or a gap)."""
        if not self.synchronized or update.sequence <= self.sequence:
            return False
        if update.sequence != self.sequence + 1:
            self.synchronized = False
            return False
        side = self.bids if update.side is Side.BUY else self.asks
        if update.quantity:
            side[update.price] = update.quantity
        else:
            side.pop(update.price, None)
        self.sequence = update.sequence
        return True

    def best_bids(self, levels: int) -> list[tuple[int, int]]:
        """(price, quantity) of the best bids, best first."""
        return sorted(self.bids.items(), reverse=True)[:levels]

    def best_asks(self, levels: int) -> list[tuple[int, int]]:
        """(price, quantity) of the best asks, best first."""
        return sorted(self.asks.items())[:levels]
