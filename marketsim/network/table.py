"""The links of one simulation and the hops they travel, in the tables that compiled code reads.

It owns the memory and hands out numbers and addresses; when a message is sent is none of its business.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.kernel.compiled import Table
from marketsim.kernel.random import key_of, keys_of
from marketsim.network.hop import CONSTANT, KEEPING, Hop
from marketsim.network.latency import Constant, LatencyModel
from marketsim.network.link import LINK, transit
from marketsim.network.route import Leg, Route
from marketsim.network.sampling import HOP, merged, write

_write_link = struct.Struct("=ihhqqq").pack_into  # a LINK


class _Path(NamedTuple):
    first_hop: int
    hops: int
    expected: float  # ns
    route: Any  # kept alive: routes are recognised by identity


class NetworkTables:
    """LINK and HOP records. Links of the same route share its hops, unless a hop keeps count of its own load.

    ``links.address`` and ``hops.address`` are void once a link is added: read them after building.
    """

    def __init__(self, seed: int, links: int = 1024) -> None:
        """``links``: how many to make room for at first."""
        self.seed = seed
        self.links = Table(LINK, links)
        self.hops = Table(HOP, 256)
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._paths: list[_Path] = []  # by link
        self._by_identity: dict[int, _Path] = {}
        self._by_value: dict[Any, _Path] = {}
        self._constants: dict[int, _Path] = {}
        self._keepers: dict[Any, int] = {}
        self._points: list[Table] = []
        self._hop_count = 0
        self._room = len(self.links)
        self._view()

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def nbytes(self) -> int:
        """Memory of the tables."""
        return self.links.nbytes + self.hops.nbytes + sum(points.nbytes for points in self._points)

    def add_link(self, source: str, target: str, channel: str, route: Route, fifo: bool = True) -> int:
        """Number of a new link for the messages that ``source`` sends to ``target`` on ``channel``."""
        name = (source, target, channel)
        number = len(self._numbers)
        if name in self._numbers:
            raise InvalidValueError(f"there is a link {_text(name)} already; give the second one another channel")
        path = self._by_identity.get(id(route)) or self._path(name, route)
        self._numbers[name] = number
        self._make_room(number + 1)
        key = key_of(self.seed, f"{source}->{target}/{channel}")
        _write_link(self._bytes, number * LINK.itemsize, path.first_hop, path.hops, fifo, _NEVER, 0, key)
        self._paths.append(path)
        return number

    def add_links(self, names: Sequence[tuple[str, str, str]], routes: Sequence[Route]) -> int:
        """Number of the first of many new links, in order: (source, target, channel), and the way of each."""
        first = len(self._numbers)
        numbers = dict(zip(names, range(first, first + len(names)), strict=True))
        if len(numbers) < len(names) or not numbers.keys().isdisjoint(self._numbers):
            seen = set(self._numbers)
            twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise InvalidValueError(f"there is a link {_text(twice)} already; give the second one another channel")
        paths = [
            self._by_identity.get(id(route)) or self._path(name, route)
            for name, route in zip(names, routes, strict=True)
        ]
        self._numbers |= numbers
        self._paths += paths
        self._make_room(len(self._numbers))
        rows = self.links.rows[first : len(self._numbers)]
        rows["first_hop"], rows["hops"] = [path.first_hop for path in paths], [path.hops for path in paths]
        rows["fifo"], rows["last_arrival"], rows["draws"] = True, _NEVER, 0
        rows["key"] = keys_of(self.seed, map(_text, names))
        return first

    def find(self, source: str, target: str, channel: str) -> int:
        """Number of a link that was added."""
        number = self._numbers.get((source, target, channel))
        if number is None:
            raise InvalidValueError(f"there is no link {_text((source, target, channel))}; add it first")
        return number

    def names(self) -> list[tuple[str, str, str]]:
        """(source, target, channel) of every link, by number."""
        return list(self._numbers)

    def expected(self, link: int) -> float:
        """Expected latency of an idle link, ns."""
        return self._paths[link].expected

    def sent(self, link: int) -> int:
        """Messages sent over a link so far."""
        return int(self.links.rows["draws"][link])

    def transit(self, link: int, now: int) -> int:
        """Send one message over a link: the time at which it arrives."""
        return int(transit(self.links.rows, self.hops.rows, link, now))

    def check(self) -> None:
        """InvariantViolation unless every link lies on hops that exist and every hop's load is kept by its like."""
        links, hops = self.links.rows[: len(self)], self.hops.rows[: self._hop_count]
        if (links["first_hop"] < 0).any() or (links["first_hop"] + links["hops"] > self._hop_count).any():
            raise InvariantViolation("a link lies outside the table of hops")
        kept = np.isin(hops["kind"], KEEPING)
        keepers = hops["keeper"][kept]
        if (keepers >= self._hop_count).any() or (hops["kind"][keepers] != hops["kind"][kept]).any():
            raise InvariantViolation("the load of a hop is kept by a hop of another kind")

    def _make_room(self, links: int) -> None:
        if links > self._room:
            self._room = max(2 * self._room, links)
            self.links.grow(self._room)
            self._view()

    def _view(self) -> None:
        self._bytes = memoryview(self.links.rows.view(np.uint8))

    def _path(self, name: tuple[str, str, str], route: Route) -> _Path:
        """The hops of a route that is not known by identity, shared with equal routes where they hold no load."""
        alone = route[0].latency if type(route) is tuple and len(route) == 1 and type(route[0]) is Leg else route
        if type(alone) is Constant:  # a hundred thousand parties may each have their own distance
            known = self._constants.get(int(alone.latency))
            if alone is route:
                return known or self._constant(alone, route)
            path = self._constant(alone, route) if known is None else known._replace(route=route)
            self._by_identity[id(route)] = path
            return path
        legs = _legs(name, route)
        if any(leg.latency.loaded and not leg.shared for leg in legs):
            return self._lower(_text(name), legs, route)
        try:
            known = self._by_value.get(legs)
        except TypeError:  # a model of the user's that cannot be hashed is known by identity alone
            known = None
        return self._remember(legs, route, known or self._lower(_text(name), legs, route))

    def _constant(self, model: Constant, route: Route) -> _Path:
        """The one hop of a constant latency that no path has yet."""
        first = self._hop_count
        if model.latency:  # no time is no hop, as everywhere
            self._append(Hop(CONSTANT, float(model.latency)), first)
        path = _Path(first, self._hop_count - first, model.expected(), route)
        self._constants[int(model.latency)] = path
        return path

    def _remember(self, legs: tuple[Leg, ...], route: Route, path: _Path) -> _Path:
        if isinstance(route, tuple | LatencyModel):  # a list may change while its identity stays
            path = path._replace(route=route)  # an equal route of another identity: it must stay alive as well
            self._by_identity[id(route)] = path
        with suppress(TypeError):
            self._by_value[legs] = path
        return path

    def _lower(self, name: str, legs: tuple[Leg, ...], route: Route) -> _Path:
        first, counted = self._hop_count, Counter[Any]()
        for hop in merged([hop for leg in legs for hop in _hops(leg)]):
            keeper = self._hop_count
            if hop.kind in KEEPING:
                load = (hop.shared or name, hop[:4])
                counted[load] += 1
                keeper = self._keepers.setdefault((load, counted[load]), keeper)
            self._append(hop, keeper)
        expected = sum(leg.latency.expected() for leg in legs)
        return _Path(first, self._hop_count - first, expected, route)

    def _append(self, hop: Hop, keeper: int) -> None:
        if self._hop_count == len(self.hops):
            self.hops.grow(2 * self._hop_count)
        points = write(self.hops.rows, self._hop_count, hop, keeper)
        if points is not None:
            self._points.append(points)
        self._hop_count += 1


def _hops(leg: Leg) -> tuple[Hop, ...]:
    hops = leg.latency.hops()
    return tuple(hop._replace(shared=leg.shared) for hop in hops) if leg.shared else hops


_NEVER = int(np.iinfo(np.int64).min)


def _text(name: tuple[str, str, str]) -> str:
    return f"{name[0]}->{name[1]}/{name[2]}"


def _legs(name: tuple[str, str, str], route: Route) -> tuple[Leg, ...]:
    parts = (route,) if isinstance(route, LatencyModel | Leg | str) else route
    try:
        legs = tuple(part if isinstance(part, Leg) else Leg(part) for part in parts)
    except TypeError:
        legs = (Leg(route),)  # type: ignore[arg-type]
    for leg in legs:
        if not isinstance(leg.latency, LatencyModel):
            raise InvalidValueError(
                f'{_text(name)}: {leg.latency!r} is not a latency model; write one such as Constant("150us")'
            )
    return legs
