"""Places, links and routes."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.network.geography import LIGHT
from marketsim.network.latency import Constant, LatencyModel, LinearInLoad, LogNormal, Pareto, Tabulated
from marketsim.network.line import LineTopology
from marketsim.network.route import Leg
from marketsim.network.table import NetworkTables
from marketsim.network.topology import GraphTopology, Topology, from_networkx, star

ROOT = Path(__file__).parent.parent.parent


def _chain(*links: tuple[str, str, str], **settings: object) -> GraphTopology:
    topology = GraphTopology(**settings)  # type: ignore[arg-type]
    for site in sorted({site for link in links for site in link[:2]}):
        topology.add_site(site)
    for source, target, latency in links:
        topology.connect(source, target, latency)
    return topology


def test_star_is_one_latency_between_every_agent_and_every_venue() -> None:
    topology = star("150us")
    for venue in ("XA", "XB"):
        topology.add_venue(venue)
    topology.add_agent("slow")
    topology.add_agent("other")
    topology.add_agent("fast", latency="5us")
    topology.add_agent("odd", latency="10us", returning=LogNormal("1ms"))
    for venue in ("XA", "XB"):
        assert topology.route("slow", venue) == topology.route(venue, "other") == (Leg(Constant("150us")),)
        assert topology.expected("fast", venue) == 5_000
        assert topology.route("odd", venue) == (Leg(Constant("10us")),)
        assert topology.route(venue, "odd") == (Leg(LogNormal("1ms")),)
    assert topology.route("slow", "XA") is topology.route("other", "XB")  # shared, whoever travels it
    assert topology.expected("slow", "fast") == 155_000
    assert topology.parties == ("XA", "XB", "slow", "other", "fast", "odd")


def test_a_star_of_thousands_writes_its_hops_once() -> None:
    topology, tables = star("150us"), NetworkTables(7)
    topology.add_venue("X")
    for number in range(5000):
        topology.add_agent(f"a{number}", latency=Constant("150us") if number % 2 else None)
        tables.add_link(f"a{number}", "X", "orders", topology.route(f"a{number}", "X"))
        tables.add_link("X", f"a{number}", "reports", topology.route("X", f"a{number}"))
    assert (tables.hops.rows["p0"] > 0).sum() == 1
    assert tables.transit(tables.find("a77", "X", "orders"), 10) == 150_010


def test_access_venue_and_links_add_up() -> None:
    topology = _chain(("here", "there", "2ms"), access="5us")
    topology.add_venue("X", "there", latency="1us")
    topology.add_agent("remote", "here")
    topology.add_agent("colocated", "there")
    assert topology.expected("remote", "X") == 2_006_000
    assert topology.expected("X", "remote") == 2_006_000
    assert topology.expected("colocated", "X") == 6_000
    assert topology.sites_between("remote", "X") == ["here", "there"]
    assert topology.site_of("colocated") == "there"


def test_messages_take_the_way_of_the_smallest_mean() -> None:
    topology = _chain(("a", "b", "1ms"), ("b", "c", "1ms"), ("a", "c", "3ms"), ("c", "d", "1ms"))
    topology.connect("a", "d", LogNormal("2ms", 1.5))  # median 2 ms, but a mean of more than 6
    topology.add_agent("x", "a", latency=0)
    topology.add_venue("V", "d")
    assert topology.sites_between("x", "V") == ["a", "b", "c", "d"]
    assert topology.expected("x", "V") == 3_000_000
    topology.connect("a", "d", "1ms", one_way=True)
    assert topology.sites_between("x", "V") == ["a", "d"]
    assert topology.sites_between("V", "x") == ["d", "c", "b", "a"]


def test_of_equal_ways_the_shorter_and_then_the_first_by_name_is_taken_in_any_order() -> None:
    links = [
        ("a", "m", "1ms"),
        ("m", "z", "1ms"),
        ("a", "k", "1ms"),
        ("k", "z", "1ms"),
        ("a", "b", "0s"),
        ("b", "k", "1ms"),
    ]
    for order in itertools.permutations(links):
        topology = _chain(*order)
        topology.add_agent("x", "a")
        topology.add_venue("V", "z")
        assert topology.sites_between("x", "V") == ["a", "k", "z"]
        assert topology.sites_between("V", "x") == ["z", "k", "a"]


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.data())
def test_routes_are_the_shortest_of_all_simple_paths(size: int, data: st.DataObject) -> None:
    sites = [f"s{number}" for number in range(size)]
    topology = GraphTopology(access=0)
    for site in sites:
        topology.add_site(site)
        topology.add_venue(f"V{site}", site)
        topology.add_agent(f"A{site}", site)
    pairs = [(a, b) for a in sites for b in sites if a != b]
    for a, b in data.draw(st.lists(st.sampled_from(pairs), unique=True)):
        topology.connect(a, b, data.draw(st.integers(0, 5)), one_way=True)
    for a, b in pairs:
        ways = list(nx.all_simple_paths(topology.graph, a, b))
        if not ways:
            with pytest.raises(ConfigurationError, match=f'"V{b}" at site "{b}" cannot be reached from "A{a}" at site'):
                topology.route(f"A{a}", f"V{b}")
            continue
        lengths = [sum(topology.graph[x][y][""]["expected"] for x, y in itertools.pairwise(way)) for way in ways]
        assert topology.expected(f"A{a}", f"V{b}") == min(lengths)
        assert topology.sites_between(f"A{a}", f"V{b}") in ways


def _two_media() -> GraphTopology:
    topology = GraphTopology(access=0)
    topology.add_site("aurora", 41.80, -88.24)
    topology.add_site("carteret", 40.59, -74.24)
    topology.connect("aurora", "carteret", medium="fibre")
    topology.connect("aurora", "carteret", medium="microwave")
    topology.add_venue("NDQ", "carteret")
    return topology


def test_an_agent_uses_only_its_media() -> None:
    topology = _two_media()
    for name, media in (("any", None), ("slow", ["fibre"]), ("fast", ["microwave"]), ("none", [])):
        topology.add_agent(name, "aurora", media=media)
    assert topology.expected("any", "NDQ") == topology.expected("fast", "NDQ") < topology.expected("slow", "NDQ")
    assert topology.expected("NDQ", "slow") == topology.expected("slow", "NDQ")
    with pytest.raises(ConfigurationError, match=r'cannot be reached from "none" at site "aurora" by no medium'):
        topology.route("none", "NDQ")
    topology.add_agent("odd", "aurora", media=["fiber"])
    with pytest.raises(ConfigurationError, match='there is no medium "fiber"; did you mean "fibre"'):
        topology.route("odd", "NDQ")
    with pytest.raises(ConfigurationError, match='no medium "copper"'):
        topology.connect("aurora", "carteret", "9ms", medium="copper")


def test_a_network_of_some_media_binds_every_agent() -> None:
    topology = GraphTopology(access=0, media=["fibre"])
    for site in "ab":
        topology.add_site(site)
    topology.connect("a", "b", "9ms", medium="fibre")
    topology.connect("a", "b", "1ms", medium="microwave")
    topology.add_venue("V", "b")
    topology.add_agent("x", "a")
    topology.add_agent("y", "a", media=["microwave"])
    assert topology.expected("x", "V") == 9_000_000
    with pytest.raises(ConfigurationError, match="by no medium"):
        topology.route("y", "V")
    topology.connect("a", "b", "20ms")  # of no named medium: open to all
    assert topology.expected("y", "V") == 20_000_000


def test_jitter_is_added_to_the_distance() -> None:
    topology = _two_media()
    topology.connect("aurora", "carteret", medium="microwave", jitter={"type": "gamma", "mean": "10us"})
    topology.add_agent("x", "aurora", media=["microwave"])
    tables = NetworkTables(3)
    link = tables.add_link("x", "NDQ", "orders", topology.route("x", "NDQ"), fifo=False)
    metres = topology.graph.edges["aurora", "carteret", "microwave"]["metres"]
    assert metres == pytest.approx(1.01 * 1_180_300, rel=0.002)
    floor = metres * 1.0003 / LIGHT * 1e9 + 23_000  # 23 relays on some 1,190 km
    delays = np.array([tables.transit(link, 0) for _ in range(4000)])
    assert delays.min() >= floor
    assert delays.mean() - floor == pytest.approx(10_000, rel=0.06)


def test_load_of_a_cable_is_felt_by_all_who_use_it_in_that_direction() -> None:
    topology = GraphTopology(access=0)
    for site in ("a", "b", "c"):
        topology.add_site(site)
    topology.connect("a", "b", LinearInLoad("1us", "1us", "1s"))
    topology.connect("b", "c", "1us")
    topology.add_venue("B", "b")
    topology.add_venue("C", "c")
    topology.add_agent("x", "a")
    topology.add_agent("y", "a", latency=LinearInLoad(0, "10us", "1s"))
    tables = NetworkTables(1)
    ways = [("x", "B"), ("x", "C"), ("y", "B"), ("y", "C"), ("B", "x")]
    links = {way: tables.add_link(*way, "orders", topology.route(*way), fifo=False) for way in ways}
    tables.check()
    assert [tables.transit(links[way], 0) for way in ways] == [1000, 3000, 3000, 15_000, 1000]


def test_graphs_of_networkx() -> None:
    graph = nx.Graph()
    graph.add_edge("a", "b", latency="1ms")
    graph.add_edge("b", 3, latency=Constant("2ms"), jitter="5us")
    topology = from_networkx(graph, access=0)
    topology.add_agent("x", "a")
    topology.add_venue("V", "3")
    assert topology.expected("x", "V") == topology.expected("V", "x") == 3_005_000
    directed = nx.DiGraph()
    directed.add_node("a", latitude=41.80, longitude=-88.24)
    directed.add_node("b", latitude=40.59, longitude=-74.24)
    directed.add_edge("a", "b", medium="vacuum")
    topology = from_networkx(directed, access=0)
    topology.add_agent("x", "a")
    topology.add_venue("V", "b")
    assert topology.expected("x", "V") == pytest.approx(3.937e6, rel=0.002)
    with pytest.raises(ConfigurationError, match='"x" at site "a" cannot be reached from "V" at site "b": no chain'):
        topology.route("V", "x")


def test_unknown_names_are_met_with_the_nearest_one() -> None:
    topology = _chain(("frankfurt", "london", "4ms"))
    topology.add_venue("XETR", "frankfurt")
    with pytest.raises(ConfigurationError, match='there is no site "frankfort"; did you mean "frankfurt"'):
        topology.add_agent("x", "frankfort")
    with pytest.raises(ConfigurationError, match='"x" needs a site in this network: frankfurt, london'):
        topology.add_agent("x")
    topology.add_agent("x", "london")
    with pytest.raises(ConfigurationError, match='"XTER" has no place in the network; did you mean "XETR"'):
        topology.route("x", "XTER")
    with pytest.raises(ConfigurationError, match='"x" has a place in the network already; names are unique'):
        topology.add_venue("x", "london")
    with pytest.raises(ConfigurationError, match='there is no site "paris"'):
        topology.connect("paris", "london", "1ms")


def test_an_unreachable_venue_names_both_ends_and_what_can_be_reached() -> None:
    topology = _chain(("a", "b", "1ms"), ("c", "d", "1ms"))
    topology.add_agent("x", "a")
    topology.add_venue("V", "d")
    words = '"V" at site "d" cannot be reached from "x" at site "a": .* From a one gets to: b'
    with pytest.raises(ConfigurationError, match=words):
        topology.route("x", "V")
    topology.connect("b", "c", "1ms")  # a later link is seen
    assert topology.sites_between("x", "V") == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "link a-b: give a latency or a medium"),
        ({"length": "5km"}, "link a-b: give a latency or a medium"),
        ({"medium": "fibre"}, 'give its length, or coordinates of site "a"'),
        ({"medium": "fibre", "length": "5 parsecs"}, "is not a distance"),
        ({"latency": 1.5}, "not a latency: 1.5 is not a duration"),
        ({"latency": "1ms", "jitter": "much"}, "not a latency: 'much'"),
    ],
)
def test_impossible_links(arguments: dict[str, str], words: str) -> None:
    topology = GraphTopology()
    topology.add_site("a")
    topology.add_site("b")
    with pytest.raises(InvalidValueError if "coord" not in words else ConfigurationError, match=words):
        topology.connect("a", "b", **arguments)
    with pytest.raises(InvalidValueError, match='a link joins two sites, not "a" with itself'):
        topology.connect("a", "a", "1ms")
    with pytest.raises(InvalidValueError, match='site "c": give both latitude and longitude, or neither'):
        topology.add_site("c", 5.0)
    with pytest.raises(InvalidValueError, match="is no coordinate"):
        topology.add_site("c", 5.0, 500.0)


def test_a_detour_below_the_geodesic_is_refused() -> None:
    topology = _two_media()
    with pytest.raises(InvalidValueError, match=r"detour 0\.5 must be at least 1: no way is shorter"):
        topology.connect("aurora", "carteret", medium="fibre", detour=0.5)


def test_a_model_without_a_mean_is_a_last_resort() -> None:
    topology = _chain(("a", "c", "1h"), ("c", "b", "1h"))
    topology.connect("a", "b", Pareto("1us", 0.9))
    topology.add_agent("x", "a")
    topology.add_venue("V", "b")
    assert topology.sites_between("x", "V") == ["a", "c", "b"]


def test_a_users_model_that_cannot_be_hashed_travels_too() -> None:
    class Odd(Tabulated):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return self is other

        def quantile(self, u: float) -> float:
            return 1000.0 * u

    topology, tables = star(), NetworkTables(1)
    topology.add_venue("X")
    model: LatencyModel = Odd()
    for name in ("a", "b"):
        topology.add_agent(name, latency=model)
        tables.add_link(name, "X", "orders", topology.route(name, "X"))
    assert 0 <= tables.transit(0, 0) <= 1000
    assert tables.expected(1) == pytest.approx(500.0, rel=1e-4)
    assert (tables.hops.rows["length"] > 0).sum() == 1


def _line(seed: int, agents: int) -> LineTopology:
    topology = LineTopology(seed)
    topology.add_venue("X")
    for number in range(agents):
        topology.add_agent(f"a{number}")
    return topology


def test_the_line_is_uniform_and_travelled_at_the_speed_of_light() -> None:
    topology = _line(7, 3000)
    places = np.array([topology.position(f"a{number}") for number in range(3000)])
    assert stats.kstest(places, stats.uniform(0, 3_866_660).cdf).pvalue > 0.001
    for number in range(50):
        expected = abs(places[number] - topology.position("X")) / LIGHT * 1e9
        for way in ((f"a{number}", "X"), ("X", f"a{number}")):
            assert topology.expected(*way) == math.ceil(expected)
            assert topology.expected(*way) <= 12_897_790  # 12.9 ms from end to end


def test_one_more_agent_moves_nobody_on_the_line() -> None:
    few, many = _line(7, 3), _line(7, 9)
    assert [few.position(name) for name in few.parties] == [many.position(name) for name in few.parties]
    assert _line(8, 3).position("a1") != few.position("a1")


@pytest.mark.parametrize("access", [0, "3us", LinearInLoad("1us", "1us")])
@pytest.mark.parametrize("site", [None, "1200km"])
def test_many_agents_are_put_as_each_alone_would_be(access: LatencyModel | str | int, site: str | None) -> None:
    names = [f"a{number}" for number in range(20)]
    together, alone = (LineTopology(3, access=access) for _ in range(2))
    for topology in (together, alone):
        topology.add_venue("X")
    together.add_agents(names, site)
    for name in names:
        alone.add_agent(name, site)
        assert together.position(name) == alone.position(name)
        assert together.site_of(name) == alone.site_of(name)
        assert together.both_ways(name, "X") == (alone.route(name, "X"), alone.route("X", name))
    with pytest.raises(ConfigurationError, match='"a3" has a place'):
        together.add_agents(["b", "a3"])


def test_places_on_the_line_may_be_given() -> None:
    topology = LineTopology(1, "3000km", access="2us")
    topology.add_venue("X", "1000km")
    topology.add_agent("near", "1000km")
    topology.add_agent("far", "2500km", returning=LinearInLoad("1us", "1us"))
    assert topology.route("near", "X") == (Leg(Constant("2us")),)
    assert topology.expected("far", "X") == math.ceil(1.5e6 / LIGHT * 1e9) + 2000
    assert topology.expected("X", "far") == math.ceil(1.5e6 / LIGHT * 1e9) + 1000
    assert topology.route("X", "far")[-1] == Leg(LinearInLoad("1us", "1us"), "far/in")
    with pytest.raises(InvalidValueError, match='"odd": 3001km lies beyond the end of the line, 3e\\+06 m'):
        topology.add_agent("odd", "3001km")
    with pytest.raises(ConfigurationError, match='"fra" has no place in the network; did you mean "far"'):
        topology.route("fra", "X")


def test_models_are_made_without_loading_the_compiler_or_the_graph_library() -> None:
    script = (
        "import sys, marketsim.network.catalogue as c, marketsim.network.topology\n"
        "c.latency_model({'type': 'log_normal', 'median': '1ms'})\n"
        "print([name for name in ('numba', 'networkx', 'numpy', 'yaml', 'pyarrow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


def test_every_topology_is_one() -> None:
    for topology in (star(), LineTopology(1)):
        assert isinstance(topology, Topology)
