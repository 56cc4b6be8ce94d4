"""Liquidation with limit orders: a parent order that waits for its price, and comes down as time and risk press.

O. Guéant, C.-A. Lehalle and J. Fernandez-Tapia, "Optimal portfolio liquidation with limit orders", SIAM Journal on
Financial Mathematics 3(1), 2012, 740–764. It posts, and takes only what is left at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import check_choice, to_duration, to_number, to_whole
from marketsim.agents.glft import MOST_QUOTES, liquidation_table
from marketsim.agents.quoting import Desk, Targets
from marketsim.agents.utility_quoting import IntensityQuoting, down, up
from marketsim.domain.market_data import Report
from marketsim.domain.order import Side, TimeInForce
from marketsim.domain.units import SECOND, format_duration
from marketsim.errors import InvalidValueError
from marketsim.scenario.document import Path
from marketsim.trading.order import Order

_TIMES = 256  # steps of the table of distances
_PATIENCE = SECOND  # after which it tries again to take what the book could not give


@dataclass
class LimitLiquidator(IntensityQuoting):
    """Sells (or buys) ``quantity`` lots with limit orders of ``unit`` lots, one at a time, until ``horizon``.

    With q units left the ask stands at the distance

        δ(t, q) = (1/k)·ln(w_q(t)/w_(q−1)(t)) + (1/γ)·ln(1 + γ/k)

    above the mid, where dw_q/dt = (kγσ²q²/2 − kμq)·w_q − A·(1 + γ/k)^(−(1 + k/γ))·w_(q−1), w_0 = 1 and w_q(T) =
    e^(−kqb), b = ``penalty``: what a unit that is left at the end is believed to cost. A buyer's bid stands as far
    below it, with the drift's sign turned. Orders are post-only: where δ asks for a price beyond the other side's best,
    the order stands next to it. What is left at the end is taken, as soon as the book can give it, or left with
    ``finish="leave"``. (Where kγσ²q²T/2 is above 10⁶ the solution has too many digits, and δ is minus half of the
    price.)

    γ, σ, k are in currency and seconds, and σ, k and A = ``rate`` are measured where they are left out, as for
    ``glft``, and then taken to two digits.
    """

    quantity: int = field(default=1000, metadata={"help": "lots to sell or buy in all"})
    max_position: int = field(default=1_000_000_000, metadata={"help": "most lots held long or short"})
    side: Literal["buy", "sell"] = field(default="sell", metadata={"help": "buy or sell"})
    unit: int = field(default=100, metadata={"help": "lots of each order"})
    drift: float = field(default=0.0, metadata={"help": "expected drift μ of the mid, currency per second"})
    penalty: float = field(default=0.0, metadata={"help": "what a lot left at the end costs beyond the mid, currency"})
    horizon: int | str = field(default="5min", metadata={"unit": "duration", "help": "T, from the start of the run"})
    finish: Literal["take", "leave"] = field(
        default="take", metadata={"help": "take what is left at the end, or leave it"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "unit", low=1)
        to_number(self, "drift")
        to_number(self, "penalty", low=0.0)
        to_duration(self, "horizon")
        check_choice(self, "side", ("buy", "sell"))
        check_choice(self, "finish", ("take", "leave"))
        if self.unit > self.quantity:
            raise InvalidValueError(f"unit: {self.unit} lots are more than quantity {self.quantity}; lower it")
        if math.ceil(self.quantity / self.unit) > MOST_QUOTES:
            raise InvalidValueError(
                f"unit: {self.quantity} lots in units of {self.unit} are more than {MOST_QUOTES} orders; raise it"
            )

    def check_duration(self, duration: int) -> list[tuple[Path, str]]:
        """A horizon beyond a run of so many ns, at whose end nothing would be taken."""
        if int(self.horizon) <= duration:
            return []
        horizon, run = format_duration(int(self.horizon)), format_duration(duration)
        return [(("horizon",), f"{horizon} end after a run of {run}: use at most {run}, or lengthen the run")]

    def on_start(self) -> None:
        """The horizon begins."""
        super().on_start()
        self._side = Side.BUY if self.side == "buy" else Side.SELL
        self._first = self.position()
        self._over = self._taken = False
        self.at(self.now + int(self.horizon), self._finish)

    def on_fill(self, order: Order, report: Report) -> None:
        """Less is left."""
        super().on_fill(order, report)
        self._take_rest()

    def on_canceled(self, order: Order, report: Report) -> None:
        """At the end, the rest is free to be taken."""
        super().on_canceled(order, report)
        if order.tag == "rest" and self.remaining > 0:
            self._taken = False
            self.after(_PATIENCE, self._take_rest)
        else:
            self._take_rest()

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """So it is when there was nothing left to cancel."""
        super().on_rejected(order, report)
        self._take_rest()

    @property
    def remaining(self) -> int:
        """Lots that are not yet filled, as far as is known."""
        return self.quantity - (self.position() - self._first) * self._side

    def distance(self, units: int, sigma: float, k: float, rate: float, left: float) -> float:
        """δ in currency with so many units and seconds left."""
        horizon, drift = int(self.horizon) / SECOND, -self._side * self.drift
        most = math.ceil(self.quantity / self.unit)
        try:
            table = liquidation_table(self.gamma, sigma, k, rate, horizon, most, self.penalty, drift, _TIMES)
        except InvalidValueError:
            return -0.5 * self.desks[self.instrument.symbol].fair * self.instrument.tick
        place = left / horizon * _TIMES
        early = min(int(place), _TIMES - 1)
        now, later = float(table[early][units - 1]), float(table[early + 1][units - 1])
        return now + (place - early) * (later - now)

    def targets(self, desk: Desk) -> Targets:
        """One order on one side."""
        left, lots = self.until(int(self.horizon)), self.remaining
        if left <= 0.0 or lots <= 0 or desk.instrument is not self.instrument:
            return Targets(0, 0, 0, 0)
        tick = desk.instrument.tick
        reach = self.distance(math.ceil(lots / self.unit), *self.beliefs(desk), left)
        size = min(self.unit, lots)
        if self._side is Side.SELL:
            return Targets(0, 0, max(1, up(desk.instrument, desk.fair * tick + reach)), size)
        return Targets(down(desk.instrument, desk.fair * tick - reach), size, 0, 0)

    # --- inner ---

    def _finish(self) -> None:
        """The end: the last order is taken back, and when that is certain, what is left is taken."""
        self._over = True
        self.cancel_all()
        self._take_rest()

    def _take_rest(self) -> None:
        if self._over and not self._taken and not self.orders():
            self._taken = True
            if self.finish == "take" and self.remaining > 0:
                self.order(self._side, self.instrument, self.remaining, time_in_force=TimeInForce.IOC, tag="rest")
