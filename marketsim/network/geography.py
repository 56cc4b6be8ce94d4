"""Distances on the earth and how long a signal needs for them.

Places are latitude and longitude in degrees, distances are metres, delays are ns. It knows no topology.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError
from marketsim.network.latency import Constant, Duration

LIGHT = 299_792_458.0
"""Speed of light in vacuum, m/s."""

_MAJOR, _FLATTENING = 6_378_137.0, 1.0 / 298.257223563  # WGS 84
_MINOR = _MAJOR * (1.0 - _FLATTENING)
_METRES = {"m": 1.0, "km": 1e3, "mi": 1609.344, "nmi": 1852.0}
_DISTANCE = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)$")


@dataclass(frozen=True)
class Medium:
    """What carries the signal.

    index: refractive index; the signal travels at LIGHT / index.
    route: length of the way over the geodesic, for links whose real length is not known.
    relay_every: metres between relays; 0 for none.
    relay_delay: what each relay adds.
    """

    name: str
    index: float
    route: float = 1.0
    relay_every: float = 0.0
    relay_delay: Duration = field(default=0, metadata={"unit": "duration"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "relay_delay", duration(self.relay_delay))
        if not 1.0 <= self.index < 10.0 or not 1.0 <= self.route < 100.0:
            raise InvalidValueError(f"medium {self.name!r}: index and route must be at least 1: nothing outruns light")
        if self.relay_every < 0.0 or int(self.relay_delay) < 0:
            raise InvalidValueError(f"medium {self.name!r}: relay_every and relay_delay must not be negative")

    def delay(self, metres: float) -> int:
        """Whole ns, rounded up, that a signal needs for a way of that length."""
        relays = max(math.ceil(metres / self.relay_every) - 1, 0) if self.relay_every else 0
        return math.ceil(metres * self.index / LIGHT * 1e9) + relays * int(self.relay_delay)

    def latency(self, metres: float) -> Constant:
        """The latency model of a way of that length."""
        return Constant(self.delay(metres))


FIBRE = Medium("fibre", index=1.468, route=1.3)
"""Single-mode glass fibre. Group index 1.468 at 1550 nm is the data-sheet value of the usual G.652 fibre; 1.3 is the
median over the geodesic of the shortest conduits between large US cities (Bozkurt et al. 2018, arXiv:1811.10737)."""

MICROWAVE = Medium("microwave", index=1.0003, route=1.01, relay_every=50e3, relay_delay=1_000)
"""Line-of-sight radio through air. Relays some 50 km apart on nearly straight routes are what licences show (Laughlin,
Aguirre and Grundfest 2014, arXiv:1302.5966); 1 µs for each is this package's assumption."""

VACUUM = Medium("vacuum", index=1.0)
"""The bound that nothing beats."""

MEDIA = {medium.name: medium for medium in (FIBRE, MICROWAVE, VACUUM)}


def distance(value: object) -> float:
    """Metres of ``"1331km"``, ``"827mi"``, ``"12nmi"``, ``"30m"`` or a plain number of metres."""
    if isinstance(value, str) and (match := _DISTANCE.match(value.strip())) and match.group(2) in _METRES:
        return float(match.group(1)) * _METRES[match.group(2)]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value < math.inf:
        return float(value)
    raise InvalidValueError(
        f'{value!r} is not a distance: write a number of metres or text such as "1331km" or "827mi"'
    )


def geodesic(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Metres of the shortest way over the WGS 84 ellipsoid (Vincenty 1975, inverse formula, to about a millimetre).

    Nearly opposite points of the earth, where the formula does not settle, are measured on a sphere (to 0.6 %).
    """
    given: list[tuple[Any, int]] = [(latitude, 90), (other_latitude, 90), (longitude, 180), (other_longitude, 180)]
    for value, most in given:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            raise InvalidValueError(f"{value!r} is no coordinate: latitudes lie within ±90, longitudes within ±180")
    if (latitude, longitude) == (other_latitude, other_longitude):
        return 0.0
    radians = [math.radians(value) for value in (latitude, longitude, other_latitude, other_longitude)]
    result = _vincenty(*radians)
    return _great_circle(*radians) if result is None else result


def _vincenty(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float | None:
    span = other_longitude - longitude
    reduced = math.atan((1.0 - _FLATTENING) * math.tan(latitude))
    other = math.atan((1.0 - _FLATTENING) * math.tan(other_latitude))
    sin1, cos1, sin2, cos2 = math.sin(reduced), math.cos(reduced), math.sin(other), math.cos(other)
    turn = span
    for _ in range(200):
        across, along = cos2 * math.sin(turn), cos1 * sin2 - sin1 * cos2 * math.cos(turn)
        sin_arc = math.hypot(across, along)
        if sin_arc == 0.0:
            return 0.0
        cos_arc = sin1 * sin2 + cos1 * cos2 * math.cos(turn)
        arc = math.atan2(sin_arc, cos_arc)
        sin_azimuth = cos1 * cos2 * math.sin(turn) / sin_arc
        cos2_azimuth = 1.0 - sin_azimuth * sin_azimuth
        middle = cos_arc - 2.0 * sin1 * sin2 / cos2_azimuth if cos2_azimuth else 0.0
        c = _FLATTENING / 16.0 * cos2_azimuth * (4.0 + _FLATTENING * (4.0 - 3.0 * cos2_azimuth))
        twist = middle + c * cos_arc * (2.0 * middle * middle - 1.0)
        before, turn = turn, span + (1.0 - c) * _FLATTENING * sin_azimuth * (arc + c * sin_arc * twist)
        if abs(turn - before) < 1e-12:
            return _arc_length(cos2_azimuth, arc, sin_arc, cos_arc, middle)
        if abs(turn) > math.pi + 0.1:
            return None
    return None


def _arc_length(cos2_azimuth: float, arc: float, sin_arc: float, cos_arc: float, middle: float) -> float:
    u2 = cos2_azimuth * (_MAJOR * _MAJOR - _MINOR * _MINOR) / (_MINOR * _MINOR)
    a = 1.0 + u2 / 16384.0 * (4096.0 + u2 * (-768.0 + u2 * (320.0 - 175.0 * u2)))
    b = u2 / 1024.0 * (256.0 + u2 * (-128.0 + u2 * (74.0 - 47.0 * u2)))
    twice = 2.0 * middle * middle - 1.0
    inner = b / 6.0 * middle * (4.0 * sin_arc * sin_arc - 3.0) * (4.0 * middle * middle - 3.0)
    correction = b * sin_arc * (middle + b / 4.0 * (cos_arc * twice - inner))
    return _MINOR * a * (arc - correction)


def _great_circle(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    half_latitude = math.sin((other_latitude - latitude) / 2.0)
    half_longitude = math.sin((other_longitude - longitude) / 2.0)
    chord = (
        half_latitude * half_latitude + math.cos(latitude) * math.cos(other_latitude) * half_longitude * half_longitude
    )
    return 2.0 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(chord)))
