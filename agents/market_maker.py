"""A market maker with a fair value, a target spread, an inventory skew, a spread that follows volatility, and a guard
against those who know more. It quotes both sides and never takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_number, to_share
from marketsim.agents.maker import PROTECTION, WIDENING, Maker
from marketsim.agents.quoting import Desk, Targets


@dataclass
class MarketMaker(Maker):
    """Quotes around a fair value, leans against its inventory, and steps back from toxic flow.

    Fair value: f = (1 − w)·mid + w·microprice of what others show, w = ``microprice_weight``.
    Spread: s = ``target_spread`` + ``volatility_factor``·σ·√h, σ the realized volatility per √second over
    ``volatility_memory`` and h = ``volatility_horizon``.
    Centre: c = f − ``skew``·s·(position − ``inventory_target``) / ``max_position`` with ``skew_adjustment``.
    Quotes: c ± s/2, rounded to ticks, never narrower than s.

    ``adverse_selection_protection``: when ``guard_run`` quotes' worth of net flow has hit one side of late (forgotten
    over ``guard_memory``), that side moves away by ``guard_widening``·s; when its fills, marked to the fair value
    ``guard_horizon`` later, lose on average over the last ``guard_fills`` or so, it is pulled for ``guard_pause``.
    """

    target_spread: float = field(default=0.01, metadata={"unit": "price", "help": "quoted spread in calm times"})
    skew: float = field(default=2.0, metadata={"help": "spreads by which the quotes lean at the largest position"})
    microprice_weight: float = field(default=0.5, metadata={"help": "weight of the microprice in the fair value"})
    volatility_factor: float = field(default=0.5, metadata=WIDENING)
    adverse_selection_protection: bool = field(default=True, metadata=PROTECTION)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "target_spread", low=0.0, open_low=True)
        to_number(self, "skew", low=0.0)
        to_share(self, "microprice_weight")

    # --- where the quotes should be ---

    @property
    def microprice_share(self) -> float:
        """Weight of the microprice in the fair value."""
        return self.microprice_weight

    def fair_value(self, desk: Desk) -> float:
        """Ticks."""
        return desk.fair

    def spread(self, desk: Desk) -> float:
        """The quoted spread in ticks: the target, and what volatility adds."""
        return self.target_spread / desk.instrument.tick + self.widening(desk)

    def inventory_skew(self, desk: Desk, spread: float) -> float:
        """Ticks by which the quotes are moved: down when long, up when short."""
        return -self.skew * spread * self.excess(desk.instrument) / self.max_position

    def targets(self, desk: Desk) -> Targets:
        """Both quotes around the skewed fair value, the guard's stance applied."""
        spread = self.spread(desk)
        wanted = self.spread_around(desk, self.fair_value(desk) + self.inventory_skew(desk, spread), spread)
        return self.guarded(desk, wanted, spread)
