"""A market maker that chooses where to quote: it goes to the venue at which it has earned most of late."""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_duration, to_share
from marketsim.agents.market_maker import MarketMaker
from marketsim.agents.quoting import Desk
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.units import SECOND
from marketsim.trading.order import Order


class _Ledger:
    """What one instrument's quotes have earned, venue by venue."""

    def __init__(self, since: int) -> None:
        self.since = since  # ns, when the present stay began
        self.earned: dict[str, float] = {}  # ticks x lots a second, of the venues that were tried
        self.fills: list[tuple[int, int, float]] = []  # signed lots, price, fee in ticks x lots, of the present stay


@dataclass
class VenueMaker(MarketMaker):
    """A market maker around the consolidated quote that quotes on one venue at a time, and moves.

    Every ``review`` it marks the fills of its stay to the fair value f: it earned Σ q·(f − p) − fees a second, q the
    signed lots and p the price of each fill, rebates counting as earnings. The estimate of that venue moves there by
    ``learning_rate``. Then it goes, with probability ``explore``, to a venue at random; else to one that it has not
    tried, or to the one with the best estimate. An ε-greedy bandit (Sutton and Barto 2018, chapter 2), one for each
    instrument. Everything else is as in ``market_maker``, its quotes held off the best prices of all venues, so that it
    never locks another venue's quote.
    """

    review: int | str = field(
        default="10s", metadata={"unit": "duration", "help": "how long it stays before it looks what it has earned"}
    )
    explore: float = field(default=0.1, metadata={"help": "probability of going to a venue at random"})
    learning_rate: float = field(default=0.3, metadata={"help": "weight of the latest stay in a venue's estimate"})

    def __post_init__(self) -> None:
        super().__post_init__()
        to_duration(self, "review")
        to_share(self, "explore", "learning_rate")

    def on_start(self) -> None:
        """Begin at a venue at random."""
        super().on_start()
        self.ledgers = {symbol: _Ledger(self.now) for symbol in self.desks}
        for desk in self.desks.values():
            self.consolidated(desk.instrument)
            desk.venue = self.random("venue").choice(self._session.venues(desk.instrument))
        self.every(int(self.review), self._review)

    def on_quote(self, quote: Quote) -> None:
        """The fair value follows the quotes of all venues."""
        desk, best = self.desks[quote.instrument.symbol], self.consolidated(quote.instrument)
        seen = Quote(quote.time, quote.instrument, best.bid, best.bid_quantity, best.ask, best.ask_quantity, desk.venue)
        super().on_quote(seen)

    def learn_fill(self, desk: Desk, order: Order, report: Report) -> None:
        """Remember it for the review."""
        super().learn_fill(desk, order, report)
        instrument = desk.instrument
        fee = self._session.fee(instrument, order.venue, report.price, report.quantity, True)
        ticks = float(fee / (instrument.tick_size * instrument.lot_size))
        self.ledgers[instrument.symbol].fills.append((order.side * report.quantity, report.price, ticks))

    # --- inner ---

    def _review(self) -> None:
        for desk in self.desks.values():
            ledger = self.ledgers[desk.instrument.symbol]
            seconds = (self.now - ledger.since) / SECOND
            earned = sum(lots * (desk.fair - price) - fee for lots, price, fee in ledger.fills) / seconds
            known = ledger.earned.get(desk.venue, earned)
            ledger.earned[desk.venue] = known + self.learning_rate * (earned - known)
            ledger.fills.clear()
            ledger.since = self.now
            self._move(desk, self._choose(desk, ledger))

    def _choose(self, desk: Desk, ledger: _Ledger) -> str:
        venues = self._session.venues(desk.instrument)
        if self.random("explore").bernoulli(self.explore):
            return self.random("venue").choice(venues)
        untried = [venue for venue in venues if venue not in ledger.earned]
        if untried:
            return self.random("venue").choice(untried)
        return max(venues, key=lambda venue: ledger.earned[venue])

    def _move(self, desk: Desk, venue: str) -> None:
        """Quotes are called back; once they are gone, new ones go to the new venue."""
        if venue == desk.venue:
            return
        desk.venue = venue
        for shown in (desk.bid, desk.ask):
            if shown.order is not None:
                self.cancel(shown.order)
