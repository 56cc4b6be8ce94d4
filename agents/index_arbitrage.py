"""An arbitrageur of index against basket: trades a fund, or a future, against the members of its index.

Such trading holds the basis within its costs; E. Budish, P. Cramton and J. Shim, "The high-frequency trading arms
race", Quarterly Journal of Economics 130(4), 2015, 1547–1621, study it between the S&P 500 future and fund. It takes
and never makes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from marketsim.agents.checks import check_choice, to_duration, to_number, to_whole
from marketsim.domain.basket import Basket
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import Side, TimeInForce
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_BUY, _SELL, _IOC = Side.BUY, Side.SELL, TimeInForce.IOC


class _Leg(NamedTuple):
    """One member: ``ratio`` of its lots hedge one lot of the fund."""

    instrument: Instrument
    venue: str
    ratio: float


class Chance(NamedTuple):
    """Something to do: the fund's side, its lots, and the basis in currency a unit after fees that is earned."""

    side: Side
    lots: int
    gain: float


@dataclass
class IndexArbitrage(Agent):
    """Buys the fund and sells its members when they are dearer, or the other way round, all at once.

    A unit of the fund stands for one unit of the index (times the fund's ``multiplier``). With the index value of the
    members' bids B and asks A, and the fund's bid b and ask a, buying the fund earns B − a and selling it b − A a unit.
    When that, less the taker fees of all legs, exceeds ``threshold``, immediate-or-cancel orders go out for the lots
    that all quotes show, at most ``quantity`` of the fund and within ``max_position``; members are sized by their
    weights, and rounded so that the whole position, not each trade, is hedged to half a lot. A position is left when
    leaving it costs no more than ``exit`` a unit, fees included; so a round trip earns ``threshold`` − ``exit`` at
    least, where no leg misses.

    A leg may miss, because quotes are late. Once all legs are answered, ``legs`` complete takes what is missing at
    market, up to what the leg that traded most is worth; unwind trades back what others did too much. What cannot be
    had is tried again every ``patience``; nothing new is begun before, and no quote is traded on twice.
    """

    fund: str | None = field(
        default=None,
        metadata={"reference": "instrument", "help": "what stands for the index; the one with a basket when left out"},
    )
    basket: str | None = field(
        default=None, metadata={"reference": "index", "help": "name of the index; the fund's own when left out"}
    )
    threshold: float = field(
        default=0.01, metadata={"unit": "price", "help": "basis of a unit, after fees, that it must beat"}
    )
    exit: float = field(default=0.0, metadata={"unit": "price", "help": "what leaving may cost a unit, fees included"})
    quantity: int = field(default=50, metadata={"help": "most lots of the fund in one trade"})
    max_position: int = field(default=500, metadata={"help": "most lots of the fund held long or short"})
    legs: Literal["complete", "unwind"] = field(
        default="complete", metadata={"help": "what is done about legs that missed"}
    )
    patience: int | str = field(
        default="100ms", metadata={"unit": "duration", "help": "time between two tries to get a missing leg"}
    )
    cooldown: int | str = field(
        default="10ms", metadata={"unit": "duration", "help": "least time from one trade's answers to the next trade"}
    )

    def __post_init__(self) -> None:
        to_number(self, "threshold", low=0.0)
        to_number(self, "exit")
        to_whole(self, "quantity", "max_position", low=1)
        check_choice(self, "legs", ("complete", "unwind"))
        to_duration(self, "patience", "cooldown")
        if self.exit > self.threshold:
            raise InvalidValueError(
                f"exit: paying {self.exit:g} to leave what earned {self.threshold:g} loses; use at most the threshold"
            )

    def on_start(self) -> None:
        """Find the fund, its index, and how many lots of each member hedge one of the fund's."""
        self._fund = self._find_fund()
        name = self._fund.basket if self.basket is None else self.basket
        self.index(name)  # says what is wrong where there is none, or members are not seen
        self._basket = self._session.baskets[name]
        self._place = self._session.venues(self._fund)[0]
        self._members = self._sized(self._basket)
        self._quotes: dict[str, Quote] = {}  # by symbol, those with both sides on which it has not traded
        self._working: list[Order] = []
        self._before = 0  # the fund's lots before the present trade …
        self._lots = 0  # … and those that it is about, signed
        self._repairing = False
        self._rest_until = 0  # ns

    def on_quote(self, quote: Quote) -> None:
        """Something moved: is there anything to do?"""
        symbol = quote.instrument.symbol
        if quote.venue != (self._place if symbol == self._fund.symbol else self._basket.venue):
            return
        if not quote.two_sided:
            self._quotes.pop(symbol, None)
            return
        self._quotes[symbol] = quote
        if self._working or self._repairing or self.now < self._rest_until:
            return
        chance = self.chance()
        if chance is not None:
            self._trade(chance)

    def basis(self) -> float | None:
        """Mid of the fund less the index of the members' mids, in currency; None while a quote is missing."""
        if len(self._quotes) <= len(self._members):
            return None
        fund = self._quotes[self._fund.symbol]
        return self._fund.price(fund.mid) - 0.5 * (self._worth(_BUY) + self._worth(_SELL))

    def chance(self) -> Chance | None:
        """What to do at the present quotes; None for nothing."""
        if len(self._quotes) <= len(self._members):
            return None
        held = self.position(self._fund)
        for side in (_BUY, _SELL):
            leaving = held * side < 0
            room = abs(held) if leaving else self.max_position - abs(held)
            lots = self._available(side, min(self.quantity, room))
            if lots < 1:
                continue
            gain = self._gain(side, lots)
            if gain > self.threshold or (leaving and gain >= -self.exit):
                return Chance(side, lots, gain)
        return None

    def on_fill(self, order: Order, report: Report) -> None:
        """A leg traded."""
        self._answered()

    def on_canceled(self, order: Order, report: Report) -> None:
        """A leg has missed, or part of it."""
        self._answered()

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """A leg was refused."""
        self._answered()

    # --- inner ---

    def _find_fund(self) -> Instrument:
        known = {instrument.symbol: instrument for instrument in self.instruments}
        if self.fund is not None:
            if self.fund not in known:
                raise InvalidValueError(
                    f"fund: {self.name} does not trade {self.fund!r}{did_you_mean(self.fund, known)}"
                )
            found = known[self.fund]
            if not found.basket and self.basket is None:
                raise InvalidValueError(f"basket: {self.fund} names no index of its own; say which one")
            return found
        funds = [i for i in self.instruments if i.basket and self.basket in (None, i.basket)]
        if len(funds) != 1:
            what = ", ".join(i.symbol for i in funds) or "none"
            raise InvalidValueError(f"fund: {self.name} trades {what} with a basket; name one that it trades")
        return funds[0]

    def _sized(self, basket: Basket) -> list[_Leg]:
        """Units of a member per unit of the index are weight / divisor; lots follow from both lot sizes."""
        known = {instrument.symbol: instrument for instrument in self.instruments}
        unit = self._fund.lot_size * self._fund.multiplier / basket.divisor
        return [
            _Leg(known[symbol], basket.venue, float(unit * weight / known[symbol].lot_size))
            for symbol, weight in basket.members.items()
        ]

    def _worth(self, side: Side) -> float:
        """The index at the members' bids (to sell the basket: BUY of the fund) or asks."""
        quotes = self._quotes
        return self._basket.value(
            {
                leg.instrument.symbol: leg.instrument.price(_near(quotes[leg.instrument.symbol], side.opposite))
                for leg in self._members
            }
        )

    def _available(self, side: Side, most: int) -> int:
        """Lots of the fund for which all legs are displayed."""
        lots = min(most, _shown(self._quotes[self._fund.symbol], side))
        for leg in self._members:
            lots = min(lots, math.floor(_shown(self._quotes[leg.instrument.symbol], side.opposite) / leg.ratio))
        return lots

    def _gain(self, side: Side, lots: int) -> float:
        """Currency a unit of the fund that trading now earns against the basket, after the fees of all legs."""
        fund = self._quotes[self._fund.symbol]
        edge = side * (self._worth(side) - self._fund.price(_near(fund, side)))
        fees = self._session.fee(self._fund, self._place, _near(fund, side), lots, False)
        for leg in self._members:
            price = _near(self._quotes[leg.instrument.symbol], side.opposite)
            some = max(1, round(leg.ratio * lots))
            fees += self._session.fee(leg.instrument, leg.venue, price, some, False) * Decimal(leg.ratio * lots / some)
        return edge - float(fees / (lots * self._fund.lot_size * self._fund.multiplier))

    def _trade(self, chance: Chance) -> None:
        side, lots, _ = chance
        self._before, self._lots = self.position(self._fund), side * lots
        for instrument, gap in self._gaps(self._before + self._lots):
            quote = self._quotes.pop(instrument.symbol)  # spent: what it shows next counts
            self._send(instrument, gap, _near(quote, _BUY if gap > 0 else _SELL))

    def _gaps(self, goal: int) -> list[tuple[Instrument, int]]:
        """What must trade for the fund to stand at ``goal`` lots, hedged: signed lots by instrument."""
        wanted = [(self._fund, goal), *((leg.instrument, -round(leg.ratio * goal)) for leg in self._members)]
        gaps = [(instrument, lots - self.position(instrument)) for instrument, lots in wanted]
        return [(instrument, gap) for instrument, gap in gaps if gap]

    def _send(self, instrument: Instrument, lots: int, limit: int | None = None) -> None:
        side = _BUY if lots > 0 else _SELL
        venue = self._place if instrument is self._fund else self._basket.venue
        tag = "arbitrage" if limit is not None else self.legs
        made = self.order(side, instrument, abs(lots), limit=limit, time_in_force=_IOC, venue=venue, tag=tag)
        self._working.append(made)

    def _answered(self) -> None:
        """Once no leg is open: balance what missed, or look for the next chance."""
        if any(order.live for order in self._working):
            return
        tried, self._working = bool(self._working), []
        if not tried:
            return
        self._rest_until = self.now + int(self.cooldown)
        if not self._gaps(self._goal()):
            self._repairing = False
        elif self._repairing:
            self.after(int(self.patience), self._repair)
        else:
            self._repairing = True
            self._repair()

    def _goal(self) -> int:
        """The fund's lots that make a whole of the present trade: as much as its best leg did, or its worst."""
        side, lots = (1, self._lots) if self._lots > 0 else (-1, -self._lots)
        ratios = {leg.instrument.symbol: -leg.ratio for leg in self._members}
        done = dict.fromkeys((self._fund.symbol, *ratios), float(lots))
        for instrument, gap in self._gaps(self._before + self._lots):
            done[instrument.symbol] -= side * gap / ratios.get(instrument.symbol, 1.0)
        chosen = max(done.values()) if self.legs == "complete" else min(done.values())
        return self._before + side * min(max(math.floor(chosen + 0.5), 0), lots)

    def _repair(self) -> None:
        """Take at market what is missing, or give back what is too much."""
        gaps = self._gaps(self._goal())
        self._repairing = bool(gaps)
        for instrument, gap in gaps:
            self._send(instrument, gap)


def _near(quote: Quote, side: Side) -> int:
    """Ticks at which one can buy, or sell, now."""
    return quote.ask if side is _BUY else quote.bid


def _shown(quote: Quote, side: Side) -> int:
    """Lots that one can buy, or sell, there."""
    return quote.ask_quantity if side is _BUY else quote.bid_quantity
