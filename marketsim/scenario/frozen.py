"""Frozen mappings: what a spec holds instead of dictionaries, so that a spec that was checked stays as it was checked.

It can be pickled and compared; it never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class FrozenMapping(Mapping[str, V], Generic[V]):
    """A mapping of names that cannot be changed; it keeps the order in which it was built."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, V] | None = None) -> None:
        self._entries: dict[str, V] = dict(entries or {})

    def __getitem__(self, name: str) -> V:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return repr(self._entries)


def freeze(value: Any) -> Any:
    """Mappings and lists, at any depth, as frozen mappings and tuples."""
    if isinstance(value, Mapping):
        return FrozenMapping({name: freeze(part) for name, part in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(freeze(part) for part in value)
    return value


def thaw(value: Any) -> Any:
    """What ``freeze`` was given: dictionaries and lists."""
    if isinstance(value, Mapping):
        return {name: thaw(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [thaw(part) for part in value]
    return value
