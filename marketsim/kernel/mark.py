"""A mark: what objects and the tables in them hold at one moment, to go back to it as often as one likes.

Tables go back to the memory in which they lay, so that addresses in records hold again. It follows lists, tuples and
dicts of tables, one level deep; whatever else an attribute holds is kept as it is and must not change by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from marketsim.kernel.compiled import Table


class Mark:
    """The attributes of some objects, and the contents of all tables that they own."""

    def __init__(self, *owners: object) -> None:
        self._owners = [
            (owner, [(name, value, _copied(value)) for name, value in vars(owner).items()]) for owner in owners
        ]
        tables = {id(table): table for owner in owners for table in _tables_of(vars(owner).values())}
        self._tables = [table.remember() for table in tables.values()]

    def back(self) -> None:
        """Make everything what it was. Lists and dicts stay the same objects: others may hold them."""
        for owner, held in self._owners:
            for name, value, content in held:
                if isinstance(value, list):
                    value[:] = content
                elif isinstance(value, dict):
                    value.clear()
                    value.update(content)
                setattr(owner, name, value)
        for table in self._tables:
            table()


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, (list, dict)) else None


def _tables_of(values: Iterable[Any]) -> Iterator[Table]:
    for value in values:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        yield from (thing for thing in inside if isinstance(thing, Table))
