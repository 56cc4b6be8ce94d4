"""A measurement: what was measured, how much, and what it should be. Shown as one table, kept as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True)
class Measurement:
    """One line of the table.

    value: in ``unit``. least, most: the target; None where there is none on that side.
    note: where it comes from, or why it is missing.
    """

    what: str
    value: float | None
    unit: str
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The target in words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return f"at most {self.most:g}" if self.most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the target is met; "" where there is none, or nothing was measured."""
        if self.value is None or (self.least is None and self.most is None):
            return ""
        met = (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)
        return "met" if met else "MISSED"

    @property
    def shown(self) -> str:
        """The value with three or more digits."""
        if self.value is None:
            return "-"
        return f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"


def skipped(what: str, why: str) -> Measurement:
    """Something that cannot be measured here."""
    return Measurement(what, None, "", note=f"skipped: {why}")


def show(measurements: Iterable[Measurement], title: str = "") -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for heading, justify in (("what", "left"), ("measured", "right"), ("unit", "left"), ("target", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("", justify="left")
    table.add_column("note", justify="left")
    for m in measurements:
        colour = {"met": "[green]met[/]", "MISSED": "[red]MISSED[/]"}.get(m.verdict, "")
        table.add_row(m.what, m.shown, m.unit, m.target, colour, m.note)
    console = Console()
    console = console if console.is_terminal else Console(width=150)
    console.print(table)


def keep(measurements: Iterable[Measurement], name: str) -> Path:
    """Write the table to a file of its own in ``out``."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "measured", "unit", "target", "verdict", "note"])
        for m in measurements:
            writer.writerow([m.what, "" if m.value is None else repr(m.value), m.unit, m.target, m.verdict, m.note])
    return path


def keep_rows(rows: Iterable[Any], name: str) -> Path:
    """Write a table of dataclasses of one kind to a file of its own in ``out``."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.csv"
    found = [asdict(row) for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    return path
