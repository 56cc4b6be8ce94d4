"""What all market makers can do beside their own rule: a target for the inventory, a spread that follows volatility,
and a guard against those who know more. Each has the same name everywhere, and each can be left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from marketsim.agents.adverse_selection import AdverseSelectionGuard, Stance
from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.agents.estimators import RealizedVolatility
from marketsim.agents.quoting import Desk, QuotingAgent, Targets
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order

_BUY, _SELL = Side.BUY, Side.SELL

WIDENING = {"help": "standard deviations of the price that widen the spread; 0 for none"}
PROTECTION = {"help": "guard against informed flow"}


class _Watch:
    """What a market maker watches in one instrument."""

    def __init__(self, volatility: RealizedVolatility, guard: AdverseSelectionGuard | None) -> None:
        self.volatility = volatility
        self.guard = guard
        self.back_at = -1  # ns at which a pulled side will be looked at again


@dataclass
class Maker(QuotingAgent):
    """Base of market makers with a target, a spread that follows volatility, and a guard.

    ``volatility_factor`` widens the spread by factor·σ·√h, σ the realized volatility per √second over
    ``volatility_memory`` and h = ``volatility_horizon``.

    ``adverse_selection_protection``: when ``guard_run`` quotes' worth of net flow has hit one side of late (forgotten
    over ``guard_memory``), that side moves away by ``guard_widening`` spreads; when its fills, marked to the fair value
    ``guard_horizon`` later, lose on average over the last ``guard_fills`` or so, it is pulled for ``guard_pause``.

    A subclass asks ``excess`` for its inventory, adds ``widening`` to its spread, and passes its quotes through
    ``guarded``.
    """

    inventory_target: int = field(default=0, metadata={"help": "position to return to, lots", "risk": "position"})
    skew_adjustment: bool = field(default=True, metadata={"help": "lean the quotes against the inventory"})
    volatility_factor: float = field(default=0.0, metadata=WIDENING)
    volatility_horizon: int | str = field(
        default="1s", metadata={"unit": "duration", "help": "time over which those deviations are taken"}
    )
    volatility_memory: int | str = field(
        default="1min", metadata={"unit": "duration", "help": "time over which volatility is measured"}
    )
    adverse_selection_protection: bool = field(default=False, metadata=PROTECTION)
    guard_horizon: int | str = field(
        default="1s", metadata={"unit": "duration", "help": "age at which fills are marked to the fair value"}
    )
    guard_memory: int | str = field(
        default="5s", metadata={"unit": "duration", "help": "time over which one-sided flow is forgotten"}
    )
    guard_run: float = field(default=2.0, metadata={"help": "quotes of net flow on one side that make it wide"})
    guard_widening: float = field(default=2.0, metadata={"help": "spreads by which a wide side moves away"})
    guard_fills: int = field(default=10, metadata={"help": "fills over which mark-outs are averaged"})
    guard_pause: int | str = field(
        default="5s", metadata={"unit": "duration", "help": "how long a losing side is pulled"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "volatility_factor", "guard_widening", low=0.0)
        to_number(self, "guard_run", low=0.0, open_low=True)
        to_whole(self, "guard_fills", low=1)
        to_duration(self, "volatility_horizon", "volatility_memory", "guard_horizon", "guard_memory", "guard_pause")
        to_whole(self, "inventory_target", low=-(1 << 60))
        if abs(self.inventory_target) > self.max_position:
            raise InvalidValueError(
                f"inventory_target: {self.inventory_target} lies outside max_position {self.max_position}; move one"
            )

    def on_start(self) -> None:
        """Begin to watch."""
        super().on_start()
        self._watches = {symbol: self._new_watch() for symbol in self.desks}

    def on_parameters(self) -> None:
        """The guard and the estimates begin anew with the new parameters."""
        self._watches = {symbol: self._new_watch() for symbol in self.desks}
        super().on_parameters()

    def learn(self, desk: Desk) -> None:
        """The fair value moves the volatility and marks old fills."""
        now, watch = self.now, self._watches[desk.instrument.symbol]
        if self.volatility_factor > 0.0:
            watch.volatility.update(now, desk.fair)
        if watch.guard is not None:
            watch.guard.observe(now, desk.fair)

    def learn_fill(self, desk: Desk, order: Order, report: Report) -> None:
        """The guard sees every fill."""
        guard = self._watches[desk.instrument.symbol].guard
        if guard is not None:
            guard.filled(self.now, order.side, report.price, report.quantity)

    # --- for subclasses ---

    def excess(self, instrument: Instrument) -> int:
        """Lots held beyond the target; 0 where the quotes should not lean."""
        return self.position(instrument) - self.inventory_target if self.skew_adjustment else 0

    def widening(self, desk: Desk) -> float:
        """Ticks by which volatility widens the spread."""
        if self.volatility_factor == 0.0:
            return 0.0
        volatility = self._watches[desk.instrument.symbol].volatility.value
        return self.volatility_factor * volatility * math.sqrt(int(self.volatility_horizon) / SECOND)

    def guarded(self, desk: Desk, wanted: Targets, spread: float) -> Targets:
        """Quotes with the guard's stance applied; ``spread`` in ticks is its measure for moving away."""
        guard = self._watches[desk.instrument.symbol].guard
        if guard is None:
            return wanted
        now = self.now
        guard.observe(now, desk.fair)
        away = math.ceil(self.guard_widening * spread)
        bid, bid_quantity, ask, ask_quantity = wanted
        buying, selling = guard.stance(now, _BUY), guard.stance(now, _SELL)
        if buying is not Stance.NORMAL:
            bid, bid_quantity = bid - away, bid_quantity if buying is Stance.WIDE else 0
        if selling is not Stance.NORMAL:
            ask, ask_quantity = ask + away, ask_quantity if selling is Stance.WIDE else 0
        self._come_back(desk, guard, now)
        return Targets(bid, bid_quantity, ask, ask_quantity)

    # --- inner ---

    def _new_watch(self) -> _Watch:
        guard = None
        if self.adverse_selection_protection:
            guard = AdverseSelectionGuard(
                int(self.guard_horizon),
                int(self.guard_memory),
                self.guard_run * self.quantity,
                self.guard_fills,
                int(self.guard_pause),
            )
        return _Watch(RealizedVolatility(SECOND // 10, int(self.volatility_memory)), guard)

    def _come_back(self, desk: Desk, guard: AdverseSelectionGuard, now: int) -> None:
        """Look again when a pulled side may come back, even if nothing else happens."""
        watch, back = self._watches[desk.instrument.symbol], guard.next_change(now)
        if back is not None and watch.back_at <= now:
            watch.back_at = back
            self.at(back, self._when_due, desk)
