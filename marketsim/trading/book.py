"""A book as a participant rebuilds it from the feed: a snapshot, then increments in sequence.

It never sees the venue's own book. Increments count up one by one, so a lost one is noticed at the next, or at the next
heartbeat where none follows. The book then asks for a snapshot, keeps what arrives meanwhile, and goes on from the
snapshot's sequence.
"""

from __future__ import annotations

from collections.abc import Callable

from marketsim.domain.market_data import BookSnapshot, LevelUpdate
from marketsim.domain.order import Side


class LocalBook:
    """Quantities by price on both sides. ``synchronized`` is False before a snapshot and after a gap.

    ask: called when a snapshot is needed; without it the owner looks at ``synchronized`` and asks on its own.
    """

    def __init__(self, ask: Callable[[], None] | None = None) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.sequence = -1
        self.synchronized = False
        self.gaps = 0  # times that something was missing
        self._ask = ask
        self._waiting: list[LevelUpdate] = []  # since the last gap, or before the first snapshot

    def apply_snapshot(self, book: BookSnapshot) -> None:
        """Start over from a snapshot and what has arrived since; one older than the book itself is passed over."""
        if self.synchronized and book.sequence < self.sequence:
            return
        self.bids, self.asks = dict(book.bids), dict(book.asks)
        self.sequence = book.sequence
        self.synchronized = True
        waiting, self._waiting = self._waiting, []
        for update in waiting:
            self.apply(update)

    def apply(self, update: LevelUpdate) -> bool:
        """Take in an increment; False when it has not changed the book (older than the snapshot, or behind a gap)."""
        if not self.synchronized:
            self._waiting.append(update)
            return False
        if update.sequence <= self.sequence:
            return False
        if update.sequence != self.sequence + 1:
            self._waiting.append(update)
            self._miss()
            return False
        side = self.bids if update.side is Side.BUY else self.asks
        if update.quantity:
            side[update.price] = update.quantity
        else:
            side.pop(update.price, None)
        self.sequence = update.sequence
        return True

    def heartbeat(self, sequence: int) -> bool:
        """The venue's last increment has this number; False when the book has not come so far."""
        if self.synchronized and sequence > self.sequence:
            self._miss()
        return self.synchronized

    def best_bids(self, levels: int) -> list[tuple[int, int]]:
        """(price, quantity) of the best bids, best first."""
        return sorted(self.bids.items(), reverse=True)[:levels]

    def best_asks(self, levels: int) -> list[tuple[int, int]]:
        """(price, quantity) of the best asks, best first."""
        return sorted(self.asks.items())[:levels]

    def _miss(self) -> None:
        """Something between this and the last increment is lost."""
        self.synchronized = False
        self.gaps += 1
        if self._ask is not None:
            self._ask()
