"""The closing lines of a run's table: who was stopped, and whose orders came to nothing and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketsim.cli.console import say

if TYPE_CHECKING:
    from marketsim.results.run import Run

_MOST_STOPS = 10
_MOST_REFUSALS = 6


def tell_decisions(done: Run) -> None:
    """Say it."""
    for line in _stops(done):
        say(f"stopped {line}")
    for line in _refused(done):
        say(line)


def _stops(done: Run) -> list[str]:
    """Which strategies risk control stopped, when and why."""
    from marketsim.domain.local_time import time_text
    from marketsim.results.risk import stopped

    rows = stopped(done.risk)
    local = done.manifest.local_time
    shown = [
        f"{agent} at {time_text(time, local)} ({rule}, {action}): {text}"
        for time, agent, rule, action, text in rows[["time", "agent", "rule", "action", "text"]]
        .head(_MOST_STOPS)
        .itertuples(index=False)
    ]
    return shown + ([f"and {len(rows) - _MOST_STOPS:,} more; run.risk has all"] if len(rows) > _MOST_STOPS else [])


def _refused(done: Run) -> list[str]:
    """Orders that risk control refused, and those that venues rejected, where that is worth a line."""
    from marketsim.results.refusals import refusals

    found = refusals(done)
    rest = len(found) - _MOST_REFUSALS
    more = [f"and {rest:,} others; run.risk and run.orders have all"] if rest > 0 else []
    return [str(one) for one in found[:_MOST_REFUSALS]] + more
