"""The report of a replay: how far the core and the record agree, in figures that are defined in docs/replay.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data.finding import Finding
from marketsim.data.tape import Tape
from marketsim.domain.units import format_time

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group


class ExceptionCause(IntEnum):
    """Why the core executed another order first than the record."""

    FOLLOWS = 1
    OLDER = 2
    JUMPED = 3
    UNPLACED = 4
    CHANGED = 5
    LOST = 6
    NOTHING = 7

    @property
    def text(self) -> str:
        """In words."""
        return _CAUSES[self]


_CAUSES = {
    ExceptionCause.FOLLOWS: "follows from an earlier exception: since then an order was still there or already gone",
    ExceptionCause.OLDER: "the recorded order has a lower number than the first one: it kept an earlier time",
    ExceptionCause.JUMPED: "the recorded venue passed over an earlier order at the same price",
    ExceptionCause.UNPLACED: "an order whose arrival was not recorded stood first: its place is not known",
    ExceptionCause.CHANGED: "what is left of an order that was deleted with a smaller size stood first",
    ExceptionCause.LOST: "the core does not hold the recorded order: its level was changed out of view",
    ExceptionCause.NOTHING: "nothing stood at that price",
}


@dataclass(frozen=True, eq=False)
class ReplayReport:
    """What came of a replay. Counts are of rows, orders or level observations as named; see docs/replay.md.

    tape: what was replayed.
    observations: recorded levels (price and size, empty ones included), levels × 2 sides × rows.
    entered: those that took their size from the record because they came into view in that row.
    entered_equal: those of them that already held just that size.
    mismatches, mismatch_rows: levels at which core and record differ, and the first 10,000 of them.
    executions: of visible orders.
    known, known_first: executions of orders whose arrival was recorded; those of them that the core executed first.
    known_queued, known_queued_first: the same where other orders stood at that price too.
    unseen_first: executions of other orders that the core executed first.
    exception_rows: every execution of a known order in which another one came first.
    elsewhere: executions at another price than recorded. lacking: cancels or executions of more than there was.
    crossed: recorded arrivals that traded at once. refused: requests that the core refused.
    instead: cancels of orders that the core did not hold in that size, so that another order gave way.
    left_over: orders deleted with less than the core held. cleared: levels that were gone when they came into view.
    seeds, rests: orders placed because a level came into view: named by a later row, or not.
    requests: what the core was asked, rows REQUEST.
    seconds: how long it took, reading and compiling not included.
    """

    tape: Tape
    observations: int
    entered: int
    entered_equal: int
    mismatches: int
    mismatch_rows: NDArray[Any]
    executions: int
    known: int
    known_first: int
    known_queued: int
    known_queued_first: int
    unseen_first: int
    exception_rows: NDArray[Any]
    elsewhere: int
    lacking: int
    crossed: int
    refused: int
    instead: int
    left_over: int
    cleared: int
    seeds: int
    rests: int
    requests: NDArray[Any]
    seconds: float

    @property
    def compared(self) -> int:
        """Level observations held against the core's book."""
        return self.observations - self.entered

    @property
    def coverage(self) -> float:
        """Share of the level observations that were compared, 0 … 1; NaN without a recorded book."""
        return _share(self.compared, self.observations)

    @property
    def priority(self) -> float:
        """Share of the executions of known orders in which the core executed the recorded one first, 0 … 1."""
        return _share(self.known_first, self.known)

    @property
    def queued_priority(self) -> float:
        """The same where other orders stood at that price too, so that the core had a choice."""
        return _share(self.known_queued_first, self.known_queued)

    @property
    def agrees(self) -> bool:
        """Whether the core's book was the recorded one in every level compared, each execution at its price."""
        return not (self.mismatches or self.elsewhere or self.lacking or self.crossed or self.refused)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Bad rows of the source that were left out."""
        return self.tape.findings

    def causes(self) -> dict[ExceptionCause, int]:
        """How many exceptions there are of each cause."""
        causes, counts = np.unique(self.exception_rows["cause"], return_counts=True)
        return {ExceptionCause(int(cause)): int(count) for cause, count in zip(causes, counts, strict=True)}

    # --- tables ---

    def to_frame(self) -> pd.DataFrame:
        """Columns ``figure`` and ``value``: every figure of the report, for files and notebooks."""
        import pandas as pd

        return pd.DataFrame([(name, float(value)) for name, value, _ in self._figures()], columns=["figure", "value"])

    def exceptions(self) -> pd.DataFrame:
        """Every execution in which the core executed another order first than the record, with its cause.

        Columns: ``row`` (line of the source), ``time`` (ns), ``order`` and ``first`` (source's numbers of the order
        that the record executes and of the one that the core executed first; "" for an order that the source does not
        name), ``price``, ``quantity``, ``position`` (of the recorded order in the core's queue, from 0 on; -1 when it
        is not there), ``queue`` (orders in it), ``cause``, ``explanation``, ``follows`` (the row of the exception from
        which this one follows; 0 for none).
        """
        import pandas as pd

        rows, events = self.exception_rows, self.tape.events
        at = events[rows["row"]]
        causes = [ExceptionCause(int(cause)) for cause in rows["cause"]]
        return pd.DataFrame(
            {
                "row": at["row"],
                "time": at["time"],
                "order": [self._name(order) for order in rows["order_id"]],
                "first": [self._name(order) for order in rows["first"]],
                "price": np.round(at["price"] * self.tape.instrument.tick, 10),
                "quantity": rows["quantity"] * self.tape.instrument.lot,
                "position": rows["position"],
                "queue": rows["queue"],
                "cause": [cause.name for cause in causes],
                "explanation": [cause.text for cause in causes],
                "follows": np.where(rows["related"] >= 0, events["row"][np.maximum(rows["related"], 0)], 0),
            }
        )

    def mismatched(self) -> pd.DataFrame:
        """The first 10,000 levels at which core and record differ. A missing level has price NaN and quantity 0.

        Columns: ``row`` (line of the source), ``time``, ``side``, ``level``, ``recorded_price``,
        ``recorded_quantity``, ``price``, ``quantity`` (the core's).
        """
        import pandas as pd

        rows, spec = self.mismatch_rows, self.tape.instrument
        at = self.tape.events[rows["row"]]
        frame = {"row": at["row"], "time": at["time"], "side": rows["side"], "level": rows["level"]}
        for prefix in ("recorded_", ""):
            quantity = rows[f"{prefix}quantity"]
            price = np.round(rows[f"{prefix}price"] * spec.tick, 10)
            frame[f"{prefix}price"] = np.where(quantity > 0, price, np.nan)
            frame[f"{prefix}quantity"] = quantity * spec.lot
        return pd.DataFrame(frame)

    def write_csv(self, folder: str | Path) -> list[Path]:
        """Write summary, exceptions, mismatches and left-out rows as CSV files into a folder; answers their paths."""
        import pandas as pd

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        left_out = pd.DataFrame(
            [(finding.source, finding.row, finding.message) for finding in self.findings],
            columns=["source", "row", "message"],
        )
        tables = {
            "summary": self.to_frame(),
            "exceptions": self.exceptions(),
            "mismatches": self.mismatched(),
            "left_out": left_out,
        }
        paths = []
        for name, table in tables.items():
            paths.append(place / f"{self.tape.instrument.symbol}_replay_{name}.csv")
            table.to_csv(paths[-1], index=False)
        return paths

    def _name(self, order_id: int) -> str:
        return str(self.tape.numbers[order_id]) if 0 < order_id < len(self.tape.numbers) else ""

    # --- text ---

    def _figures(self) -> list[tuple[str, float, str]]:
        """(name, value, as people read it) of every figure."""
        whole = {
            "rows": len(self.tape),
            "rows left out": self.tape.skipped,
            "level observations": self.observations,
            "  compared": self.compared,
            "  took their size on coming into view": self.entered,
            "    and held it already": self.entered_equal,
            "mismatches": self.mismatches,
            "executions of visible orders": self.executions,
            "  at another price": self.elsewhere,
            "  of orders whose arrival was recorded": self.known,
            "    recorded order executed first": self.known_first,
            "    with others at that price": self.known_queued,
            "      recorded order executed first": self.known_queued_first,
            "  of other orders, executed first": self.unseen_first,
            "priority exceptions": len(self.exception_rows),
            "orders placed on coming into view, named later": self.seeds,
            "orders placed on coming into view, never named": self.rests,
            "levels gone on coming into view": self.cleared,
            "cancels in which another order gave way": self.instead,
            "orders deleted with less than was held": self.left_over,
            "cancels and executions of more than there was": self.lacking,
            "arrivals that traded at once": self.crossed,
            "requests refused": self.refused,
        }
        shares = {
            "compared": self.coverage,
            "recorded order executed first": self.priority,
            "recorded order executed first, others waiting": self.queued_priority,
        }
        figures: list[tuple[str, float, str]] = [(name, value, f"{value:,}") for name, value in whole.items()]
        figures += [(f"share {name}", value, f"{100 * value:.3f} %") for name, value in shares.items()]
        return figures

    def _verdict(self) -> str:
        if not self.observations:
            return "no book was recorded: only executions could be judged"
        if self.agrees:
            return f"the core agrees with the record on every level compared ({100 * self.coverage:.2f} %)"
        return f"the core and the record DIFFER: {self.mismatches:,} mismatches, first {self._first_mismatch()}"

    def _first_mismatch(self) -> str:
        if not len(self.mismatch_rows):
            return "none, but some requests went wrong"
        row = int(self.mismatch_rows["row"][0])
        event = self.tape.events[row]
        return f"at row {int(event['row'])}, {format_time(int(event['time']))}"

    def _title(self) -> str:
        window = f"{format_time(self.tape.start)[:8]} to {format_time(self.tape.end)[:8]}"
        return f"Replay of {self.tape.instrument.symbol}, {window}, {self.tape.levels} levels"

    def __str__(self) -> str:
        figures = self._figures()
        width = max(len(name) for name, _, _ in figures)
        lines = [self._title(), *(f"  {name:<{width}}  {shown:>12}" for name, _, shown in figures)]
        lines += [f"  exceptions: {count:,} × {cause.text}" for cause, count in self.causes().items()]
        lines += [f"  left out: {finding}" for finding in self.findings[:10]]
        return "\n".join([*lines, self._verdict()])

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self._title(), title_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, _, shown in self._figures():
            table.add_row(name, shown)
        parts: list[Any] = [table]
        if len(self.exception_rows):
            causes = Table(title="Priority exceptions by cause", title_justify="left")
            causes.add_column("cause")
            causes.add_column("number", justify="right")
            for cause, count in self.causes().items():
                causes.add_row(cause.text, f"{count:,}")
            parts.append(causes)
        parts += [Text(f"left out: {finding}") for finding in self.findings[:10]]
        parts.append(Text(self._verdict(), style="bold green" if self.agrees else "bold red"))
        return Group(*parts)

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}. {self._verdict()}</p>{self.to_frame().to_html(index=False)}"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
