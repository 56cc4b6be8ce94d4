"""The rules of clearing: how a venue marks, settles and secures the contracts that it trades. It clears nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from marketsim.domain.fees import Fee
from marketsim.domain.units import DAY, SECOND


@dataclass(frozen=True)
class ClearingRules:
    """How a venue clears. Times in ns.

    mark: what positions are valued at: the ``mid`` (the last trade where a side is empty), the ``last`` trade, or the
    ``index``. every: how often; marks fall on multiples of it after midnight, fundings on multiples of theirs.
    settle_every, settle_at: futures are settled each ``settle_every``, at ``settle_at`` after midnight.
    margin: whether orders without margin are refused and positions without it closed.
    liquidation_fee: share of the value of what was closed by force, to the insurance fund.
    insurance_fund: currency in each of the venue's funds at the start.
    """

    mark: Literal["mid", "last", "index"] = "mid"
    every: int = SECOND
    settle_every: int = DAY
    settle_at: int = 0
    margin: bool = True
    liquidation_fee: Fee = field(default_factory=Fee)
    insurance_fund: Decimal = Decimal(0)
