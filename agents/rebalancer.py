"""A rebalancing portfolio: holds given shares of its value in several instruments, and trades back when they drift.

It trades on a calendar, when a share has drifted out of a band, or both. With costs in proportion to what is traded it
is best to do nothing within a region around the targets and to trade no farther than to its edge (M. Davis and A.
Norman, "Portfolio selection with transaction costs", Mathematics of Operations Research 15, 1990, 676-713). It has no
view of prices: it knows the best quotes, its own position and the fees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from marketsim.agents.checks import check_choice, to_duration, to_number
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import Reason, Side
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order


@dataclass
class Rebalancer(Agent):
    """Keeps ``weights`` of its value W, cash and all positions at their mids, in instruments; the rest stays cash.

    It looks at its weights every ``look``. It trades back at the first look and then every ``interval`` from the start
    on (where given), and whenever the weight of an instrument is more than ``band`` away from its target (where given):
    with ``to`` target all the way, with ``to`` band only to the edge of the band. Sales go first. Orders are market
    orders; what one of them found nobody for is traded at the next looks, as part of the same rebalancing.

    Left out are trades that move less than ``smallest`` of W, and those whose half spread and taker's fee are more than
    ``most_cost`` of what they trade; a later look may do them. Instruments that it does not name are left alone. At the
    end it notes ``tracking``: mean and largest sum of |weight − target| over the looks, how often it traded, turnover
    (value of what was filled over W) and the half spreads and fees that it expected to pay for it.
    """

    weights: dict[str, float] = field(
        metadata={
            "help": "target share of the portfolio's value by instrument, together at most 1",
            "reference": "instrument",
        }
    )
    interval: int | str | None = field(
        default="10min",
        metadata={"unit": "duration", "help": "calendar: time between two rebalancings; none when null"},
    )
    band: float | None = field(
        default=None, metadata={"help": "drift of a weight at which it trades at once; none when left out"}
    )
    to: Literal["target", "band"] = field(
        default="target", metadata={"help": "how far it trades back: to the target, or to the edge of the band"}
    )
    look: int | str = field(
        default="1s", metadata={"unit": "duration", "help": "time between two looks at its weights"}
    )
    smallest: float = field(default=0.001, metadata={"help": "least share of its value that is worth a trade"})
    most_cost: float = field(
        default=0.01, metadata={"help": "most that half spread and fee may be, as a share of what is traded"}
    )

    def __post_init__(self) -> None:
        self.weights = _checked(self.weights)
        to_duration(self, "interval", "look")
        to_number(self, "band", "smallest", "most_cost", low=0.0, high=1.0)
        check_choice(self, "to", ("target", "band"))
        if self.interval is None and self.band is None:
            raise InvalidValueError("interval: neither it nor band is given: nothing would ever be traded; give one")
        if self.to == "band" and self.band is None:
            raise InvalidValueError("to: there is no band to trade back to; give one, or use target")
        if self.interval is not None and int(self.interval) < int(self.look):
            raise InvalidValueError(
                f"interval: {self.interval} ns is shorter than look, {self.look} ns; look more often"
            )

    def check_cash(self, cash: Decimal) -> str:
        """What is wrong with shares of nothing."""
        return "" if cash > 0 else "the weights are shares of its value, and with no cash it has none: give it cash"

    def subscriptions(self) -> dict[str, Any]:
        """Quotes."""
        return {"quotes": True}

    def on_start(self) -> None:
        """Find the instruments, and look from now on."""
        by_symbol = {instrument.symbol: instrument for instrument in self.instruments}
        if missing := [symbol for symbol in self.weights if symbol not in by_symbol]:
            raise InvalidValueError(f"weights: {', '.join(missing)} is none of its instruments; add it to them")
        self._held = [by_symbol[symbol] for symbol in self.weights]
        self._venue = {instrument: self._session.venues(instrument)[0] for instrument in self._held}
        for instrument in self._held:
            if instrument.kind != "spot" or instrument.currency != self.portfolio.currency:
                raise InvalidValueError(
                    f"weights: {instrument.symbol} is no spot instrument in {self.portfolio.currency}; leave it out"
                )
        self._quotes: dict[Instrument, Quote] = {}
        self._due = self.now
        self._drifts: list[float] = []
        self._sent: dict[int, tuple[float, float]] = {}  # value and cost of a lot of each open order
        self._unfinished = False  # an order of the latest rebalancing found nobody for all of it
        self.rebalancings = 0
        self.traded = self.costs = 0.0  # currency
        self.every(int(self.look), self._look)

    def on_quote(self, quote: Quote) -> None:
        """Remember it."""
        if quote.two_sided and self._venue.get(quote.instrument) == quote.venue:
            self._quotes[quote.instrument] = quote

    def on_fill(self, order: Order, report: Report) -> None:
        """What was traded, and what it was expected to cost."""
        value, cost = self._sent.get(order.client_order_id, (0.0, 0.0))
        self.traded += report.quantity * value
        self.costs += report.quantity * cost

    def on_canceled(self, order: Order, report: Report) -> None:
        """The next look goes on where nobody was there to trade with."""
        if order.client_order_id in self._sent and report.reason is Reason.NO_LIQUIDITY:
            self._unfinished = True

    def on_stop(self) -> None:
        """Say how well it held its weights."""
        if self._drifts:
            mean, worst = sum(self._drifts) / len(self._drifts), max(self._drifts)
            self.note(
                "tracking",
                f"drift {mean:.4f} mean, {worst:.4f} at most; {self.rebalancings} rebalancings, turnover "
                f"{self.traded / self.worth():.4f}, costs {self.costs:.2f}",
            )

    def worth(self) -> float:
        """Cash and positions at their mids, in currency."""
        cash = float(self.portfolio.cash.get(self.portfolio.currency, 0))
        return cash + sum(self.position(each) * self._lot(each) for each in self._quotes)

    def shares(self) -> dict[str, float]:
        """The weight of each instrument that it names and has seen quotes of, by symbol."""
        worth = self.worth()
        return {
            each.symbol: self.position(each) * self._lot(each) / worth for each in self._held if each in self._quotes
        }

    # --- inner ---

    def _lot(self, instrument: Instrument) -> float:
        """What a lot is worth at the mid, in currency."""
        return instrument.price(self._quotes[instrument].mid) * instrument.lot

    def _look(self) -> None:
        """Weights against targets; what is due is traded."""
        if len(self._quotes) < len(self._held) or self.orders():
            return
        shares = self.shares()
        gaps = {each: shares[each.symbol] - self.weights[each.symbol] for each in self._held}
        on_calendar = self.interval is not None and self.now >= self._due
        if self.rebalancings:
            self._drifts.append(sum(abs(gap) for gap in gaps.values()))
        drifted = self.band is not None and any(abs(gap) > self.band for gap in gaps.values())
        if self._unfinished or on_calendar or drifted:
            self._rebalance(gaps)
            while self.interval is not None and self._due <= self.now:
                self._due += int(self.interval)

    def _rebalance(self, gaps: dict[Instrument, float]) -> None:
        """Send what is worth its cost, sales first."""
        sent, goes_on = False, self._unfinished
        self._unfinished = False
        self._sent.clear()
        for instrument, gap in sorted(gaps.items(), key=lambda entry: (-entry[1], entry[0].symbol)):
            sent |= self._trade(instrument, gap)
        self.rebalancings += sent and not goes_on

    def _trade(self, instrument: Instrument, gap: float) -> bool:
        """Trade a weight back that is off by ``gap``; whether anything was sent."""
        kept = 0.0
        if self.to == "band" and self.band is not None:
            kept = min(abs(gap), self.band)
        moved = abs(gap) - kept
        value = self._lot(instrument)
        lots = round(moved * self.worth() / value)
        cost = self._cost(instrument, lots, buys=gap < 0)
        if lots == 0 or moved < self.smallest or cost > self.most_cost * lots * value:
            return False
        side = Side.BUY if gap < 0 else Side.SELL
        order = self.order(side, instrument, lots, venue=self._venue[instrument], tag="rebalance")
        self._sent[order.client_order_id] = value, cost / lots
        return True

    def _cost(self, instrument: Instrument, lots: int, *, buys: bool) -> float:
        """Half the spread and the taker's fee for so many lots, in currency."""
        quote = self._quotes[instrument]
        price = quote.ask if buys else quote.bid
        fee = self._session.fee(instrument, self._venue[instrument], price, lots, False) if lots else 0
        return instrument.price(0.5 * quote.spread) * instrument.lot * lots + float(fee)


def _checked(weights: Any) -> dict[str, float]:
    """Weights from 0 to 1, at most 1 together."""
    if not isinstance(weights, dict) or not weights:
        raise InvalidValueError(f"weights: {weights!r} names no instrument; write {{ABC: 0.5}}")
    for symbol, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0.0 <= weight <= 1.0:
            raise InvalidValueError(f"weights: {symbol}: {weight!r} must be a number from 0 to 1")
    total = sum(weights.values())
    if total > 1.0 + 1e-12:
        raise InvalidValueError(f"weights: together {total:g}, more than the whole portfolio; make them at most 1")
    return {str(symbol): float(weight) for symbol, weight in weights.items()}
