"""Orders that came to nothing: refused by risk control before they left, or rejected by a venue. It only counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketsim.domain.event import EventKind
from marketsim.domain.order import Reason
from marketsim.domain.risk import Action

if TYPE_CHECKING:
    from marketsim.results.run import Run

_MISTAKES = (
    Reason.INVALID_QUANTITY, Reason.INVALID_PRICE, Reason.INVALID_EXPIRY, Reason.INVALID_INSTRUCTION,
    Reason.UNKNOWN_MARKET, Reason.DUPLICATE_ORDER, Reason.NOTIONAL,
)  # fmt: skip
_MANY = 0.1  # share of the orders of a family from which rejections of any kind are worth a line
_LIMIT = r"\b(max_[a-z_]+|price_collar|stop_within)\b"


@dataclass(frozen=True)
class Refusal:
    """A family of agents whose orders did not come to be, with how many of them for which reasons.

    orders: that reached a venue, the rejected among them. by_venue: who refused.
    """

    family: str
    orders: int
    by_venue: bool
    reasons: Counter[str]

    @property
    def count(self) -> int:
        """Orders that came to nothing."""
        return self.reasons.total()

    def __str__(self) -> str:
        """One line of it."""
        number = "1 order" if self.count == 1 else f"{self.count:,} orders"
        if self.count > 1 and self.orders == (self.count if self.by_venue else 0):
            number = f"all {number}"
        what = "rejected" if self.by_venue else "refused"
        most = self.reasons.most_common()
        told = most[0][0] if len(most) == 1 else ", ".join(f"{reason} {count:,}" for reason, count in most)
        return f"{self.family}: {number} {what} ({told})"


def refusals(run: Run) -> list[Refusal]:
    """What is worth telling: all that risk control refused, and what venues rejected for a mistake or often.

    The largest number comes first.
    """
    reached, rejected = _at_venues(run)
    found = [Refusal(name, reached[name], False, reasons) for name, reasons in _by_risk(run).items()]
    found += [Refusal(name, reached[name], True, reasons) for name, reasons in rejected.items()]
    return sorted(filter(_notable, found), key=lambda one: (-one.count, one.family, one.by_venue))


def _notable(refusal: Refusal) -> bool:
    wrong = any(reason.name in refusal.reasons for reason in _MISTAKES)
    return not refusal.by_venue or wrong or refusal.count > _MANY * refusal.orders


def _by_risk(run: Run) -> dict[str, Counter[str]]:
    risk = run.risk
    rows = risk[risk["action"] == Action.REFUSE.value]
    families = {agent.name: agent.family for agent in run.manifest.agents}
    limits = rows["text"].str.extract(_LIMIT, expand=False)
    words = limits.where(rows["rule"] != "hold", "trading stopped").fillna(rows["rule"])
    found: dict[str, Counter[str]] = {}
    for agent, word in zip(rows["agent"], words, strict=True):
        found.setdefault(families.get(agent, agent), Counter())[word] += 1
    return found


def _at_venues(run: Run) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Orders that reached a venue by family, and those of them that it rejected, by reason."""
    families = {agent.number: agent.family for agent in run.manifest.agents}
    reached: Counter[str] = Counter()
    rejected: dict[str, Counter[str]] = {}
    for block in run.event_log.blocks(("kind", "owner", "reason")):
        refused = block["kind"] == EventKind.REJECTED
        asked = refused | (block["kind"] == EventKind.ACCEPTED)
        for owner, count in zip(*np.unique(block["owner"][asked], return_counts=True), strict=True):
            reached[families.get(int(owner), "")] += int(count)
        pairs = np.stack([block["owner"][refused].astype(np.int64), block["reason"][refused].astype(np.int64)])
        for (owner, reason), count in zip(*_counted(pairs), strict=True):
            if int(owner) in families:
                rejected.setdefault(families[int(owner)], Counter())[Reason(int(reason)).name] += int(count)
    return reached, rejected


def _counted(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, counts = np.unique(pairs, axis=1, return_counts=True)
    return found.T, counts
