"""Distances on the earth against published ones, and what light needs for them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError
from marketsim.network.geography import FIBRE, LIGHT, MICROWAVE, VACUUM, Medium, distance, geodesic
from marketsim.network.latency import Constant


def _degrees(degrees: int, minutes: int, seconds: float) -> float:
    return math.copysign(abs(degrees) + minutes / 60 + seconds / 3600, degrees)


def test_geodesic_of_the_surveyors_example() -> None:
    """Flinders Peak to Buninyong, the worked example of the Australian datum manual: 54,972.271 m."""
    peak = _degrees(-37, 57, 3.72030), _degrees(144, 25, 29.52440)
    town = _degrees(-37, 39, 10.15610), _degrees(143, 55, 35.38390)
    assert geodesic(*peak, *town) == pytest.approx(54_972.271, abs=0.002)


def test_geodesics_that_the_ellipsoid_itself_gives() -> None:
    assert geodesic(0, 0, 90, 0) == pytest.approx(10_001_965.729, abs=0.01)  # the quarter meridian of WGS 84
    assert geodesic(0, 0, 0, 1) == pytest.approx(math.radians(1) * 6_378_137.0, abs=1e-6)
    assert geodesic(51, 7, 51, 7) == 0.0
    # Opposite points: over the pole, where the formula does not settle.
    assert geodesic(0, 0, 0, 180) == pytest.approx(20_003_931.458, rel=0.006)
    assert geodesic(0.2, 0, -0.1, 179.9) == pytest.approx(19_990_000, rel=0.006)


@given(*[st.floats(-90, 90), st.floats(-180, 180)] * 2)
def test_geodesic_is_near_the_great_circle_and_symmetric(a: float, b: float, c: float, d: float) -> None:
    way = geodesic(a, b, c, d)
    assert way == pytest.approx(geodesic(c, d, a, b), rel=1e-9, abs=1e-3)
    x, y = (
        [
            math.cos(math.radians(p)) * math.cos(math.radians(q)),
            math.cos(math.radians(p)) * math.sin(math.radians(q)),
            math.sin(math.radians(p)),
        ]
        for p, q in ((a, b), (c, d))
    )
    chord = math.dist(x, y)
    circle = 2 * 6_371_008.8 * math.asin(min(1.0, chord / 2))
    assert way == pytest.approx(circle, rel=0.0062, abs=1.0)


@pytest.mark.parametrize("bad", [(91, 0, 0, 0), (0, 181, 0, 0), (0, 0, math.nan, 0), (0, 0, 0, "7"), (True, 0, 0, 0)])
def test_no_coordinates(bad: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidValueError, match="is no coordinate: latitudes lie within ±90"):
        geodesic(*bad)


def test_delays_of_media() -> None:
    assert VACUUM.delay(LIGHT) == 1_000_000_000
    assert VACUUM.delay(0.1) == 1  # rounded up: nothing outruns light
    assert FIBRE.delay(1000) == pytest.approx(1000 * 1.468 / LIGHT * 1e9, abs=1)
    assert MICROWAVE.delay(50e3) == math.ceil(50e3 * 1.0003 / LIGHT * 1e9)  # one span, no relay between
    assert MICROWAVE.delay(120e3) == math.ceil(120e3 * 1.0003 / LIGHT * 1e9) + 2_000
    assert Medium("string", 1.0, relay_delay="2us").delay(5e6) == VACUUM.delay(5e6)
    assert FIBRE.latency(1000) == Constant(FIBRE.delay(1000))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"index": 0.9}, "nothing outruns light"),
        ({"index": 1.0, "route": 0.5}, "nothing outruns light"),
        ({"index": 1.0, "relay_delay": -1}, "must not be negative"),
        ({"index": math.nan}, "must be at least 1"),
    ],
)
def test_impossible_media(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Medium("odd", **arguments)  # type: ignore[arg-type]


def test_distances_as_people_write_them() -> None:
    assert distance("1331km") == 1_331_000.0
    assert distance("827 mi") == pytest.approx(1_330_927.5, abs=0.1)
    assert distance("2.5nmi") == 4630.0
    assert distance("3866660m") == distance(3_866_660) == 3_866_660.0
    for bad in ("12", "12 parsecs", "-3km", -3, math.inf, None, True):
        with pytest.raises(InvalidValueError, match="is not a distance: write a number"):
            distance(bad)
