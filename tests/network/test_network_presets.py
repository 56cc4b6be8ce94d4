"""The presets against physics and published latencies, and topologies that users write."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from marketsim.errors import ConfigurationError, InvalidValueError, UnknownParameterError
from marketsim.network.geography import LIGHT, geodesic
from marketsim.network.presets import from_mapping, preset, preset_mapping, preset_names
from marketsim.network.topology import GraphTopology

MS = 1e6


def _milliseconds(name: str, source: str, target: str, media: list[str] | None = None) -> float:
    topology = preset(name, media, access=0)
    topology.add_agent("from", source)
    topology.add_venue("to", target)
    return topology.expected("from", "to") / MS


def test_names() -> None:
    assert preset_names() == ("europe", "us", "world")


@pytest.mark.parametrize("name", preset_names())
def test_every_site_reaches_every_other_and_no_link_outruns_light(name: str) -> None:
    for media in (None, ["fibre"]):
        topology = preset(name, media)
        for site in topology.graph:
            topology.add_agent(f"at {site}", site, latency=0)
        for a, b in itertools.permutations(topology.graph, 2):
            ends = [topology.graph.nodes[site][axis] for site in (a, b) for axis in ("latitude", "longitude")]
            bound = geodesic(*ends) / LIGHT * 1e9
            index = 1.468 if media else 1.0
            # Metro sites are rounded to a kilometre; Chicago-Carteret and the Atlantic have cited lengths.
            assert topology.expected(f"at {a}", f"at {b}") >= bound * index
            assert topology.expected(f"at {a}", f"at {b}") == topology.expected(f"at {b}", f"at {a}")


def test_chicago_and_new_jersey() -> None:
    # Fibre from Chicago to Carteret: published as 12.98 ms both ways.
    assert _milliseconds("us", "chicago", "carteret", ["fibre"]) == pytest.approx(6.51, abs=0.03)
    for site in ("carteret", "mahwah", "secaucus"):
        # The speed of light allows 3.93 ms; published microwave networks need 3.98 to 4.15.
        assert 3.98 < _milliseconds("us", "aurora", site) < 4.15
        assert _milliseconds("us", "aurora", site, ["fibre"]) > 6.5


def test_new_jersey_and_europe() -> None:
    assert 0.15 < _milliseconds("us", "mahwah", "carteret") < 0.25
    assert _milliseconds("europe", "basildon", "frankfurt") == 2.096
    assert 2.2 < _milliseconds("europe", "slough", "frankfurt") < 2.6
    assert 4.0 < _milliseconds("europe", "slough", "frankfurt", ["fibre"]) < 4.6  # some 8.4 ms both ways


def test_the_oceans() -> None:
    assert _milliseconds("world", "secaucus", "slough") == pytest.approx(58.95 / 2, abs=0.05)
    assert 30 < _milliseconds("world", "tokyo", "singapore") < 36
    assert 50 < _milliseconds("world", "aurora", "tokyo") < 70
    assert 31 < _milliseconds("world", "carteret", "frankfurt", ["microwave", "fibre"]) < 33


def test_coordinates_are_where_they_should_be() -> None:
    sites = {
        name: site for preset_name in preset_names() for name, site in preset_mapping(preset_name)["sites"].items()
    }
    cities = {
        "new_york": (40.7128, -74.0060), "mahwah": (41.0886, -74.1435), "carteret": (40.5773, -74.2282),
        "secaucus": (40.7895, -74.0565), "aurora": (41.7606, -88.3201), "chicago": (41.8781, -87.6298),
        "london": (51.5072, -0.1276), "slough": (51.5105, -0.5950), "basildon": (51.5761, 0.4887),
        "frankfurt": (50.1109, 8.6821), "zurich": (47.3769, 8.5417), "bergamo": (45.6983, 9.6773),
        "tokyo": (35.6764, 139.6500), "hong_kong": (22.3193, 114.1694), "singapore": (1.3521, 103.8198),
    }  # fmt: skip
    assert set(sites) == set(cities)
    for name, city in cities.items():
        assert geodesic(sites[name]["latitude"], sites[name]["longitude"], *city) < 16_000, name


def test_access_and_media_of_a_preset() -> None:
    topology = preset("us", access="20us")
    topology.add_agent("x", "carteret")
    topology.add_venue("NDQ", "carteret")
    assert topology.expected("x", "NDQ") == 20_000
    with pytest.raises(ConfigurationError, match='no network preset "usa"; did you mean "us"'):
        preset("usa")
    topology = preset("us", media=["fiber"])
    topology.add_agent("x", "carteret")
    topology.add_venue("Y", "mahwah")
    with pytest.raises(ConfigurationError, match='no medium "fiber"; did you mean "fibre"'):
        topology.route("x", "Y")


def _written(**changes: object) -> GraphTopology:
    mapping: dict[str, object] = {
        "description": "two rooms",
        "access": {"type": "uniform", "low": "1us", "high": "3us"},
        "default_site": "hall",
        "media": {"wire": {"index": 1.5, "relay_every": 100, "relay_delay": "1us"}},
        "sites": {"hall": None, "attic": {"description": "dusty"}, "cellar": {}},
        "links": [
            {"between": ["hall", "attic", "cellar"], "latency": "30us", "source": "measured"},
            {"from": "attic", "to": "hall", "medium": "wire", "length": "200m", "jitter": "5ns"},
        ],
    }
    return from_mapping({**mapping, **changes})


def test_a_topology_as_a_mapping() -> None:
    topology = _written()
    topology.add_venue("X")
    topology.add_agent("x", "attic")
    assert topology.site_of("X") == "hall"
    assert topology.expected("X", "x") == 32_000
    assert topology.expected("x", "X") == 2_000 + 5 + 1_000 + 1001  # 200 m of wire are 1,000.7 ns
    assert set(topology.graph.edges(keys=False)) == set(itertools.permutations(("hall", "attic", "cellar"), 2))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"sites": ["hall"]}, InvalidValueError, r"network.sites: \['hall'\] must be a mapping"),
        ({"links": {}}, InvalidValueError, "network.links: {} must be a list"),
        ({"include": "us"}, InvalidValueError, "network.include: 'us' must be a list"),
        ({"include": ["mars"]}, ConfigurationError, 'no network preset "mars"'),
        ({"lnks": []}, UnknownParameterError, 'network.lnks: unknown; did you mean "links"'),
        (
            {"sites": {"hall": {"lattitude": 5}}},
            UnknownParameterError,
            'sites.hall.lattitude: unknown; did you mean "la',
        ),
        ({"sites": {"hall": 5}}, InvalidValueError, "network.sites.hall: 5 must be a mapping with latitude"),
        ({"default_site": "hal"}, ConfigurationError, 'default_site: there is no site "hal"; did you mean "hall"'),
        ({"media": {"wire": {"indx": 2}}}, UnknownParameterError, 'media.wire.indx: unknown; did you mean "index"'),
        ({"links": [{"between": "hall"}]}, InvalidValueError, r"links\[0\].between: 'hall' must be a list"),
        ({"links": [{"between": ["hall"]}]}, InvalidValueError, r"links\[0\].between: \['hall'\] must be a list of at"),
        ({"links": [{"from": "hall", "latency": 5}]}, InvalidValueError, r"links\[0\]: give either between"),
        ({"links": [{"between": ["hall", "atic"], "latency": 5}]}, ConfigurationError, r"links\[0\]: there is no site"),
        ({"links": [{"between": ["hall", "attic"], "latency": "x"}]}, InvalidValueError, r"links\[0\]: not a latency"),
        ({"links": [5]}, InvalidValueError, r"links\[0\]: 5 must be a mapping"),
        ({"access": "fast"}, InvalidValueError, "not a latency: 'fast'"),
    ],
)
def test_mistakes_in_a_topology_are_named_with_their_path(
    changes: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _written(**changes)


@pytest.mark.parametrize("name", ["mars", 1.5, None, ["us"]])
def test_what_is_no_preset(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="there is no network preset"):
        preset_mapping(name)
