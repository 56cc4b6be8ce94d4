"""An arbitrageur across venues: buys an instrument where it is cheap and sells it where it is dear, both at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import Side, TimeInForce
from marketsim.trading.agent import Agent
from marketsim.trading.consolidated import ConsolidatedQuote
from marketsim.trading.order import Order
from marketsim.trading.router import RoutedOrder

_BUY, _SELL, _IOC = Side.BUY, Side.SELL, TimeInForce.IOC


class Chance(NamedTuple):
    """Something to earn: buy at one quote, sell at another. ``profit`` in ticks a lot, after fees."""

    profit: Decimal
    lots: int
    buy: Quote
    sell: Quote


class _Desk:
    """What it is doing in one instrument."""

    __slots__ = ("bought", "close_at", "closing", "legs", "sold")

    def __init__(self) -> None:
        self.legs: list[Order] = []
        self.bought: dict[str, Quote] = {}  # by venue: the quote that it acted on last
        self.sold: dict[str, Quote] = {}
        self.closing: RoutedOrder | None = None
        self.close_at = -1  # ns; -1 when nothing is to be closed

    @property
    def busy(self) -> bool:
        return self.closing is not None or any(leg.live for leg in self.legs)


@dataclass
class VenueArbitrage(Agent):
    """Takes both sides of a market that is crossed over two venues.

    With ask a at one venue and bid b at another, as its feeds show them, a lot earns b − a − f, f the taker fees of
    both. When that is more than ``edge``, it sends an immediate-or-cancel order to each, of the lots that both show
    and at most ``quantity``. It never acts twice on one quote. Feeds are late, so a leg may miss: what it holds is
    closed at the best prices after fees, ``hold`` after its legs were answered. Source: the latency arbitrageur of Wah
    and Wellman (2013), with fees, limited depth, and legs that can fail.
    """

    edge: float = field(default=0.0, metadata={"unit": "price", "help": "profit of a unit, after fees, to be beaten"})
    quantity: int = field(default=100, metadata={"help": "most lots of each leg"})
    max_position: int = field(default=500, metadata={"help": "most lots that legs which missed may leave it with"})
    hold: int | str = field(
        default="10ms", metadata={"unit": "duration", "help": "how long what it holds waits for a better occasion"}
    )

    def __post_init__(self) -> None:
        to_number(self, "edge")
        to_whole(self, "quantity", "max_position", low=1)
        to_duration(self, "hold")

    def on_start(self) -> None:
        """One desk for each instrument."""
        self.desks = {instrument.symbol: _Desk() for instrument in self.instruments}

    def on_consolidated(self, quote: ConsolidatedQuote) -> None:
        """Something moved: is there anything to earn?"""
        if quote.two_sided and quote.bid > quote.ask and not self.desks[quote.instrument.symbol].busy:
            chance = self.chance(quote)
            if chance is not None:
                self._take(quote.instrument, chance)

    def chance(self, quote: ConsolidatedQuote) -> Chance | None:
        """The best that can be earned on quotes that it has not acted on yet; None when nothing beats ``edge``."""
        desk, instrument = self.desks[quote.instrument.symbol], quote.instrument
        room = min(self.quantity, self.max_position - abs(self.position(instrument)))
        best: Chance | None = None
        for buy in quote.quotes:
            for sell in quote.quotes:
                lots = min(buy.ask_quantity, sell.bid_quantity, room)
                if lots < 1 or sell.bid <= buy.ask:
                    continue
                if desk.bought.get(buy.venue) is buy or desk.sold.get(sell.venue) is sell:
                    continue
                profit = self._profit(instrument, buy, sell, lots)
                if best is None or (profit, lots) > (best.profit, best.lots):
                    best = Chance(profit, lots, buy, sell)
        beaten = best is not None and best.profit * instrument.tick_size > Decimal(repr(self.edge))
        return best if beaten else None

    def on_fill(self, order: Order, report: Report) -> None:
        """A leg, or a closing order, traded."""
        self._settle(order)

    def on_canceled(self, order: Order, report: Report) -> None:
        """A leg has missed, or part of it."""
        self._settle(order)

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """A leg was refused."""
        if order is not None:
            self._settle(order)

    def on_routed(self, order: RoutedOrder) -> None:
        """What it held is closed, or as much of it as could be."""
        desk = self.desks[order.instrument.symbol]
        desk.closing = None
        self._close_later(order.instrument, desk)

    # --- inner ---

    def _profit(self, instrument: Instrument, buy: Quote, sell: Quote, lots: int) -> Decimal:
        fee = self._session.fee
        fees = fee(instrument, buy.venue, buy.ask, lots, False) + fee(instrument, sell.venue, sell.bid, lots, False)
        return sell.bid - buy.ask - fees / (instrument.tick_size * instrument.lot_size * lots)

    def _take(self, instrument: Instrument, chance: Chance) -> None:
        desk, (_, lots, buy, sell) = self.desks[instrument.symbol], chance
        desk.bought[buy.venue], desk.sold[sell.venue] = buy, sell
        desk.close_at = -1
        desk.legs = [
            self.buy(instrument, lots, limit=buy.ask, time_in_force=_IOC, venue=buy.venue, tag="arbitrage"),
            self.sell(instrument, lots, limit=sell.bid, time_in_force=_IOC, venue=sell.venue, tag="arbitrage"),
        ]

    def _settle(self, order: Order) -> None:
        """Once both legs are answered, think of closing what is left."""
        desk = self.desks[order.instrument.symbol]
        if order in desk.legs and not desk.busy:
            self._close_later(order.instrument, desk)

    def _close_later(self, instrument: Instrument, desk: _Desk) -> None:
        if self.position(instrument):
            desk.close_at = self.now + int(self.hold)
            self.at(desk.close_at, self._close, instrument, desk, desk.close_at)

    def _close(self, instrument: Instrument, desk: _Desk, due: int) -> None:
        held = self.position(instrument)
        if not held or desk.busy or due != desk.close_at:
            return
        desk.close_at = -1
        made = self.route(_SELL if held > 0 else _BUY, instrument, abs(held), tag="close")
        desk.closing = made if made.live else None
