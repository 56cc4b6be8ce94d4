"""A copy trader: holds what another agent holds, some time later and on its own scale.

It is told of the leader's fills by a service of the leader's broker (``marketsim.trading.copying``), with the leader's
permission (``copied_by``) and after a delay; it adds them up and trades towards the leader's position. It never sees
the leader's orders, quotes or reasons, and pays its own spread, fees and delay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_number, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.trading.copying import Copied, Follower

_IOC = TimeInForce.IOC


@dataclass
class CopyTrader(Follower):
    """Trades towards ``ratio`` times the position that the leader has built since the start.

    With every fill that it is told of, the target in that instrument is ratio · Σ side · quantity, cut to
    ±``max_position`` and to whole lots towards zero. What is missing, orders under way counted, is taken at once: by a
    market order, or with ``slippage`` by a limit order at most so many ticks worse than the leader's own price, whose
    rest is canceled. What could not be had is tried again with the next fill in the same instrument. A ratio below zero
    trades against the leader. Instruments and venues where it may not trade are left out.
    """

    ratio: float = field(default=1.0, metadata={"help": "lots for one lot of the leader; below zero against it"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short in an instrument"})
    slippage: int | None = field(
        default=None, metadata={"help": "ticks that it pays beyond the leader's price; any when left out"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "ratio", low=-1_000.0, high=1_000.0)
        to_whole(self, "max_position", low=1)
        to_whole(self, "slippage", low=0)
        if self.ratio == 0.0:
            raise InvalidValueError("ratio: 0 copies nothing; use another number, such as 0.5")

    def on_start(self) -> None:
        """The leader is taken to hold nothing."""
        self._leads: dict[Instrument, int] = {}  # lots that the leader has built
        self._places = {instrument: self._session.venues(instrument) for instrument in self.instruments}

    def on_copied(self, fill: Copied) -> None:
        """The leader has traded: the target moves, and what is missing is taken."""
        self._leads[fill.instrument] = self._leads.get(fill.instrument, 0) + fill.side * fill.quantity
        venues = self._places.get(fill.instrument, ())
        if not venues:
            return
        missing = self.target(fill.instrument) - self.position(fill.instrument) - self._under_way(fill.instrument)
        if missing != 0:
            side = Side.BUY if missing > 0 else Side.SELL
            limit = None if self.slippage is None else max(1, fill.price + side * self.slippage)
            venue = fill.venue if fill.venue in venues else venues[0]
            self.order(side, fill.instrument, abs(missing), limit=limit, time_in_force=_IOC, venue=venue, tag="copy")

    def target(self, instrument: Instrument | None = None) -> int:
        """Lots that it wants to hold, from what it was told so far."""
        wanted = int(self.ratio * self._leads.get(instrument or self.instrument, 0))
        return min(max(wanted, -self.max_position), self.max_position)

    def _under_way(self, instrument: Instrument) -> int:
        """Lots that its orders may still buy, less those that they may sell."""
        return sum(order.side * order.leaves for order in self.orders(instrument))
