"""What every execution algorithm shares: the terms of a parent order, slices in time, and catching up.

A plan is an agent: started in a scenario, it executes its own order. It is also what any other agent hands to
``execute``; then it is never started, and only says how. So it keeps nothing about an order: its workers do.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from marketsim.agents.checks import check_choice, to_duration, to_number, to_share, to_whole
from marketsim.agents.execution.working import Pace, Slicing, jittered, round_goals
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND, duration, format_duration
from marketsim.errors import InvalidValueError
from marketsim.scenario.document import Path
from marketsim.trading.agent import Agent
from marketsim.trading.parent_order import ParentOrder, Terms, Worker

AtEnd: TypeAlias = Literal["take", "force", "stop", "go_on"]
CatchUp: TypeAlias = Literal["next", "spread", "none"]

_DURATION = "duration"
_SHORTEST = SECOND // 1_000_000  # slice
CATCH_UP: dict[str, Any] = {
    "help": "what a slice did not get: the next one gets it, it is spread over those to come, or none does"
}
SLICES: dict[str, Any] = {"help": "parts"}
MAX_PARTICIPATION: dict[str, Any] = {
    "help": "largest share of all lots traded since it began that its own may be, above 0 to 1; none: no limit"
}
AT_END: dict[str, Any] = {
    "help": "what becomes of lots that are missing at the end: take them (within max_participation), force them "
    "(whatever it says), stop without them, or go_on until they are done"
}


@dataclass
class ExecutionPlan(Agent):
    """Buys or sells ``quantity`` lots, from ``begin`` to the end of ``horizon``, at ``limit`` or better.

    Raises InvalidValueError for what cannot be.
    """

    side: Literal["buy", "sell"] = field(default="buy", metadata={"help": "buy or sell"})
    quantity: int = field(default=1000, metadata={"help": "lots of the parent order"})
    begin: int | str = field(
        default="0s", metadata={"unit": _DURATION, "help": "from when it is given: of an agent, the start of the run"}
    )
    horizon: int | str = field(default="10min", metadata={"unit": _DURATION, "help": "time that it has, from begin on"})
    limit: float | None = field(default=None, metadata={"unit": "price", "help": "worst price, in currency"})
    at_end: AtEnd = field(default="take", metadata=AT_END)

    cap_name = "max_participation"  # the parameter that ``cap`` is

    def __post_init__(self) -> None:
        check_choice(self, "side", ("buy", "sell"))
        check_choice(self, "at_end", ("take", "force", "stop", "go_on"))
        to_whole(self, "quantity", low=1)
        to_duration(self, "horizon")
        to_number(self, "limit", low=0.0, open_low=True)
        if hasattr(self, "max_participation"):
            to_number(self, "max_participation", low=0.0, high=1.0, open_low=True)
        self.begin = duration(self.begin)
        if self.begin < 0:
            raise InvalidValueError(f"begin: {self.begin} ns lies before the start; use 0s or more")

    # --- as an agent ---

    def check_duration(self, duration: int) -> list[tuple[Path, str]]:
        """What its own order cannot do in a run of so many ns: begin after its end, or go on beyond it."""
        begin, horizon, run = int(self.begin), int(self.horizon), format_duration(duration)
        if begin >= duration:
            message = f"{format_duration(begin)} is not before the end of a run of {run}, so that nothing would be done"
            return [(("begin",), f"{message}: begin earlier, or lengthen the run")]
        if begin + horizon > duration:
            message = f"{format_duration(horizon)} from {format_duration(begin)} on end after a run of {run}"
            least = format_duration(begin + horizon)
            repair = f"use at most {format_duration(duration - begin)}, begin earlier, or let the run last {least}"
            return [(("horizon",), f"{message}: {repair}")]
        return []

    def subscriptions(self) -> dict[str, Any]:
        """Nothing of its own: what is needed is asked for when the work begins."""
        return {}

    def on_start(self) -> None:
        """Give the order to itself."""
        self.parent = self.execute(_Own(self))

    def on_parameters(self) -> None:
        """Amend its order to the new quantity and limit; the rest of its parameters count for the next one."""
        limit = None if self.limit is None else self.instrument.to_ticks(self.limit)
        self.parent.amend(quantity=max(self.quantity, self.parent.filled), limit=limit)

    @property
    def done(self) -> int:
        """Lots filled, as far as is known, of an agent's own order."""
        return self.parent.filled

    # --- as a plan ---

    @property
    def cap(self) -> float | None:
        """Largest share of the market that it may be; None for any."""
        share: float | None = getattr(self, "max_participation", None)
        return share

    def terms(self, instrument: Instrument, now: int) -> Terms:
        """What it wants when it is given at ``now``."""
        begin = now + int(self.begin)
        return Terms(
            type(self).__name__,
            Side.BUY if self.side == "buy" else Side.SELL,
            self.quantity,
            None if self.limit is None else instrument.to_ticks(self.limit),
            begin,
            begin + int(self.horizon),
            now,
        )

    @abstractmethod
    def work(self, parent: ParentOrder) -> Worker:
        """Begin with a parent order of these terms."""


class _Own:
    """An agent's own order: nobody has it before it begins, so that no delay is counted."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self._plan = plan

    def terms(self, instrument: Instrument, now: int) -> Terms:
        terms = self._plan.terms(instrument, now)
        return terms._replace(decided=terms.begin)

    def work(self, parent: ParentOrder) -> Worker:
        return self._plan.work(parent)


@dataclass
class SlicedPlan(ExecutionPlan):
    """Works in slices. ``style="take"`` takes each slice at once. ``style="post"`` joins the best price of its own
    side with a post-only order, follows it, and takes what is left after ``patience``, a share of the slice's time.
    """

    style: Literal["take", "post"] = field(default="take", metadata={"help": "take, or post first"})
    patience: float = field(default=0.8, metadata={"help": "share of a slice's time that posted orders wait, 0 to 1"})
    vary_time: float = field(
        default=0.0, metadata={"help": "share of a slice's time by which it comes later at random, 0 to 1"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "style", ("take", "post"))
        to_share(self, "patience", "vary_time")
        if hasattr(self, "catch_up"):
            check_choice(self, "catch_up", ("next", "spread", "none"))

    def work(self, parent: ParentOrder) -> Worker:
        """Slices at the plan's pace."""
        return Slicing(parent, self, self.pace(parent))

    @abstractmethod
    def pace(self, parent: ParentOrder) -> Pace:
        """When the slices are, and how much is to be done by then."""


def check_slices(slices: int, plan: ExecutionPlan) -> None:
    """InvalidValueError unless each of so many slices has a lot, and a time in which something can happen."""
    to_whole(plan, "slices", low=1)
    if slices > plan.quantity:
        raise InvalidValueError(
            f"slices: {slices} parts of {plan.quantity} lots; use at most as many as there are lots"
        )
    if int(plan.horizon) < slices * _SHORTEST:
        raise InvalidValueError(
            f"horizon: {format_duration(int(plan.horizon))} in {slices} slices are less than "
            f"{format_duration(_SHORTEST)} each; use fewer slices, or a longer horizon"
        )


@dataclass
class ScheduledPlan(SlicedPlan):
    """Slices that are known when it begins: a share of the order for each of ``slices`` equal stretches of time."""

    slices: int = field(default=60, metadata=SLICES)
    vary_size: float = field(default=0.0, metadata={"help": "share by which slices are larger or smaller at random"})
    catch_up: CatchUp = field(default="next", metadata=CATCH_UP)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_share(self, "vary_size")
        check_slices(self.slices, self)

    def pace(self, parent: ParentOrder) -> Pace:
        """The shares, varied where that is wanted, as lots."""
        shares = self.shares(parent)
        if self.vary_size:
            shares = jittered(shares, self.vary_size, parent.draws("size"))
        return round_goals(shares, parent)

    @abstractmethod
    def shares(self, parent: ParentOrder) -> list[float]:
        """Share of the order that is to be done after each slice, rising to 1."""
