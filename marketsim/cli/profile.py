"""The words of ``marketsim run --profile``: where the engine time of a run went. It measures nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from marketsim.cli.console import empty_table, output, say

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.results.profile import ProfileRow
    from marketsim.results.run import Run

_MANY = 12  # families of a kind; beyond them their types are told
_SMALL = 0.0005  # shares of the engine time that are told together
_AGENTS = {"compiled": "compiled agents", "python": "Python agents"}
_PARTS = {
    "compiled": "compiled agents",
    "venues": "venues",
    "python": "Python agents",
    "log": "logging",
    "code": "loading compiled code",
    "profiler": "this profile itself",
    "kernel": "kernel, all else",
}
_PLACES = {"compiled": "compiled agent", "venues": "venue", "python": "Python agent"}


class _Line(NamedTuple):
    """One line of a table; below 0 there is no such number."""

    name: str
    agents: int
    events: int
    nanoseconds: int


def tell_profile(run: Run) -> None:
    """Print the profile of a run that has one."""
    rows = run.profile_rows
    engine = sum(_spent(rows, part) for part in _PARTS)
    events = sum(row.events for row in rows if row.part in _PLACES)
    timings = run.manifest.timings
    rate = f", {events / engine * 1e9:,.0f} a second" if engine else ""
    say(f"Profile: {engine / 1e9:,.3f} s of engine time, {events:,} events{rate}")
    say(f"before it {timings['building']:,.2f} s of building, {timings['code']:,.2f} s of that for compiled code")
    beside = ", ".join(f"{row.event} {_ms(row.nanoseconds)} ms" for row in rows if row.part not in _PARTS)
    say(f"beside it the log's own thread: {beside}")
    say()
    output().print(_who(rows, engine, events))
    output().print(_what(rows, engine))


def _who(rows: Sequence[ProfileRow], engine: int, events: int) -> Table:
    table = _table("Time by agents", "who", "number", "events", "ms", "share", "ns/event")
    for part, name in _PARTS.items():
        mine = [row for row in rows if row.part == part]
        if not sum(row.nanoseconds for row in mine):
            continue
        if part in _AGENTS:
            families = list(_families(mine))
            table.add_row(*_cells(_sum(name, families), engine), style="bold")
            for family in families:
                table.add_row(*_cells(family._replace(name=f"  {family.name}"), engine))
        else:
            agents = mine[0].agents if part == "venues" else -1
            counted = sum(row.events for row in mine) if part == "venues" else -1
            line = _Line(name, agents, counted, sum(row.nanoseconds for row in mine))
            table.add_row(*_cells(line, engine), style="bold")
    table.add_section()
    table.add_row(*_cells(_Line("engine time", -1, events, engine), engine), style="bold")
    return table


def _what(rows: Sequence[ProfileRow], engine: int) -> Table:
    table = _table("Time by kind of event", "event", "handled by", "events", "ms", "share", "ns/event")
    table.columns[1].justify = "left"
    sums: defaultdict[tuple[str, str], list[ProfileRow]] = defaultdict(list)
    for row in rows:
        if row.part in _PLACES:
            sums[row.event, row.part].append(row)
    lines = {key: _Line(key[0], -1, *_totals(found)) for key, found in sums.items()}
    small = [line for line in lines.values() if line.nanoseconds < _SMALL * engine]
    for (_, part), line in sorted(lines.items(), key=lambda item: -item[1].nanoseconds):
        if line not in small:
            name, _, *cells = _cells(line, engine)
            table.add_row(name, _PLACES[part], *cells)
    if small:
        name, _, *cells = _cells(_sum(f"{len(small)} rarer ones", small), engine)
        table.add_row(name, "", *cells)
    return table


def _families(rows: Iterable[ProfileRow]) -> Iterator[_Line]:
    """A line for each family, or for each type where there are too many; who took longest comes first."""
    rows = list(rows)
    by_type = len({row.family for row in rows}) > _MANY
    groups: defaultdict[str, list[ProfileRow]] = defaultdict(list)
    for row in rows:
        groups[row.type if by_type else row.family].append(row)
    lines = []
    for name, found in groups.items():
        agents = sum({row.family: row.agents for row in found}.values())
        lines.append(_Line(name, agents, *_totals(found)))
    yield from sorted(lines, key=lambda line: -line.nanoseconds)


def _totals(rows: Iterable[ProfileRow]) -> tuple[int, int]:
    rows = list(rows)
    return sum(row.events for row in rows), sum(row.nanoseconds for row in rows)


def _sum(name: str, lines: Sequence[_Line]) -> _Line:
    return _Line(name, *(sum(column) for column in list(zip(*lines, strict=True))[1:]))


def _spent(rows: Iterable[ProfileRow], part: str) -> int:
    return sum(row.nanoseconds for row in rows if row.part == part)


def _cells(line: _Line, engine: int) -> list[str]:
    each = f"{line.nanoseconds / line.events:,.0f}" if line.events > 0 else ""
    return [
        line.name,
        f"{line.agents:,}" if line.agents >= 0 else "",
        f"{line.events:,}" if line.events >= 0 else "",
        _ms(line.nanoseconds),
        f"{line.nanoseconds / max(engine, 1):.1%}",
        each,
    ]


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.1f}"


def _table(title: str, *headings: str) -> Table:
    table = empty_table(title=title, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    return table
