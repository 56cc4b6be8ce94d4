"""The line: everyone at a random place on a line of given length, as in the reference market.

A message takes the distance between the two places at the speed of light; places stay for the run. Where a party
stands depends on its own name and the seed alone, so that one more agent moves nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import compiled
from marketsim.kernel.random import key_of, keys_of, purpose_of, uniform
from marketsim.network.geography import VACUUM, Medium, distance
from marketsim.network.latency import Constant, LatencyModel
from marketsim.network.route import Leg
from marketsim.network.topology import Topology

REFERENCE_LENGTH = "3866660m"
"""Length of the line in the field's reference market."""


class LineTopology(Topology):
    """Parties on a line. A ``site`` is a distance from its start, such as "1200km"; without one it is random."""

    def __init__(
        self,
        seed: int,
        length: float | str = REFERENCE_LENGTH,
        access: LatencyModel | str | int = 0,
        medium: Medium = VACUUM,
    ) -> None:
        """access: added to the way of each agent, in both directions."""
        super().__init__(access)
        self.seed = seed
        self.length = distance(length)
        self.medium = medium
        self._positions: dict[str, float] = {}
        self._at_once = self._intern(_NONE)
        self._plain: dict[int, tuple[Leg, ...]] = {}  # ways between parties without accesses, by their ns

    def position(self, name: str) -> float:
        """Metres from the start of the line to a party."""
        self._party(name)
        return self._positions[name]

    def route(self, source: str, target: str) -> tuple[Leg, ...]:
        """The way along the line between the accesses of both ends."""
        a, b = self._places.get(source) or self._party(source), self._places.get(target) or self._party(target)
        delay = self.medium.delay(abs(self._positions[source] - self._positions[target]))
        if a.out is b.back is self._at_once:
            return self._plain.get(delay) or self._plainly(delay)
        return self._through(a.out, b.back, delay, source, target)

    def both_ways(self, source: str, target: str) -> tuple[tuple[Leg, ...], tuple[Leg, ...]]:
        """The routes from source to target and from target to source; between plain parties they are one."""
        a, b = self._party(source), self._party(target)
        if not a.out is a.back is b.out is b.back is self._at_once:
            return self.route(source, target), self.route(target, source)
        delay = self.medium.delay(abs(self._positions[source] - self._positions[target]))
        way = self._plain.get(delay) or self._plainly(delay)
        return way, way

    @staticmethod
    def _through(out: LatencyModel, back: LatencyModel, delay: int, source: str, target: str) -> tuple[Leg, ...]:
        """The way of a delay between two accesses."""
        way = Constant(delay)
        ends = (Leg(out, f"{source}/out"), Leg(way), Leg(back, f"{target}/in"))
        return tuple(Leg(leg.latency, leg.shared if leg.latency.loaded else "") for leg in ends if leg.latency != _NONE)

    def _plainly(self, delay: int) -> tuple[Leg, ...]:
        """The way of a delay alone; one object for each, so that a crowd's thousands of links are made quickly."""
        way = self._plain.get(delay)
        if way is None:
            way = self._plain[delay] = (Leg(Constant(delay)),) if delay else ()
        return way

    def _sites(self, names: Sequence[str], site: str | None) -> Iterable[str]:
        if site is not None:
            return super()._sites(names, site)
        return map(self._put, names, [self.length * share for share in _shares(keys_of(self.seed, names), _POSITION)])

    def _site(self, name: str, site: str | None) -> str:
        if site is None:
            place = self.length * uniform(key_of(self.seed, name), _POSITION, 0)
        else:
            place = distance(site)
        if place > self.length:
            raise InvalidValueError(f'"{name}": {site} lies beyond the end of the line, {self.length:g} m')
        return self._put(name, place)

    def _put(self, name: str, place: float) -> str:
        self._positions[name] = place
        return f"{place:g}m"


def line(seed: int, length: float | str = REFERENCE_LENGTH, access: LatencyModel | str | int = 0) -> LineTopology:
    """The topology that a scenario calls ``{preset: line}``: light in a vacuum."""
    return LineTopology(seed, length, access)


@compiled
def _each(result: NDArray[np.float64], keys: NDArray[np.int64], purpose: int) -> None:
    for place in range(len(keys)):
        result[place] = uniform(keys[place], purpose, 0)


def _shares(keys: NDArray[np.int64], purpose: int) -> list[float]:
    """The first uniform draw of each key."""
    result = np.zeros(len(keys))
    _each(result, keys, purpose)
    return result.tolist()


_NONE = Constant(0)
_POSITION = purpose_of("position")
