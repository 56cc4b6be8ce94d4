"""What risk control says: an event of a limit, how grave it is and what was done. It decides nothing."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NamedTuple

from marketsim.errors import InvalidValueError

NOTE = "risk"
"""The key of annotations that hold a risk event."""


class Severity(StrEnum):
    """How grave an event is, in rising order."""

    INFO = "info"  # something is over: a pause, a stop, a day
    WARNING = "warning"  # a limit is near
    BREACH = "breach"  # an order was refused, or a live limit is passed
    CRITICAL = "critical"  # a strategy was stopped


class Action(StrEnum):
    """What was done, in rising order of strength from ``warn`` on."""

    RESUME = "resume"  # orders pass again
    REFUSE = "refuse"  # one request did not leave
    WARN = "warn"  # nothing but this event
    BLOCK = "block"  # orders that open more are canceled, only those that reduce a position pass
    PAUSE = "pause"  # open orders are canceled, save those that only reduce a position; nothing passes for a while
    STOP = "stop"  # open orders are canceled, nothing passes any more
    FLATTEN = "flatten"  # the same, and positions are closed


STOPPING = (Action.PAUSE, Action.STOP, Action.FLATTEN)
"""Actions after which a strategy sends nothing any more."""


class RiskEvent(NamedTuple):
    """One decision of risk control.

    time: ns. agent: whom it concerns. scope: "agent" for its own limits, "firm" for those of all. rule: such as
    ``position``. value, limit: in the rule's unit. allowed: lots that would pass, where an order was refused, else -1.
    symbol: "" where it is about everything. order: the agent's number of the order, 0 where there is none. text: words.
    """

    time: int
    agent: str
    scope: str
    rule: str
    severity: Severity
    action: Action
    value: float = 0.0
    limit: float = 0.0
    allowed: int = -1
    symbol: str = ""
    order: int = 0
    text: str = ""

    def note(self) -> str:
        """The event as the value of an annotation, whose time and agent are its own."""
        told = {name: value for name, value in self._asdict().items() if name not in ("time", "agent")}
        return json.dumps({name: value for name, value in told.items() if value != _DEFAULTS.get(name)})

    @classmethod
    def of_note(cls, time: int, agent: str, value: str) -> RiskEvent:
        """The event that ``note`` wrote."""
        try:
            told = json.loads(value)
            return cls(
                time, agent, **{**told, "severity": Severity(told["severity"]), "action": Action(told["action"])}
            )
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidValueError(f"{value!r} is no risk event: {error}") from None


_DEFAULTS = RiskEvent._field_defaults
