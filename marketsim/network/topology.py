"""Who sits where, and what lies between: venues and agents at sites, sites joined by links.

A ``Topology`` answers one question, ``route(source, target)``: the stretches a message travels. It is built before a
run and sends nothing itself. ``GraphTopology`` is the general one, a networkx graph of sites; ``star`` is the graph of
a single site, and the default. ``line.LineTopology`` places everyone on a line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.network.catalogue import latency_model
from marketsim.network.geography import MEDIA, Medium, distance, geodesic
from marketsim.network.hop import LONGEST
from marketsim.network.latency import Constant, LatencyModel, Series
from marketsim.network.route import Leg

if TYPE_CHECKING:
    import networkx as nx

_AT_ONCE = Constant(0)
_SMALLEST_STEP = 1  # so that of two routes of equal latency the one with fewer links is shorter


class _Place(NamedTuple):
    """Where one party sits and how it reaches its site."""

    site: str
    out: LatencyModel
    back: LatencyModel
    media: frozenset[str] | None  # None: every medium


class Topology(ABC):
    """The port: places for venues and agents, and routes between any two of them."""

    def __init__(self, access: LatencyModel | str | int) -> None:
        """``access``: what lies between an agent and its site when the agent does not say otherwise."""
        self.access = latency_model(access)
        self._places: dict[str, _Place] = {}
        self._models: dict[Any, LatencyModel] = {}

    def add_venue(self, name: str, site: str | None = None, latency: LatencyModel | str | int = _AT_ONCE) -> None:
        """Put a venue at a site; ``latency`` lies between the site and the venue, in both directions."""
        model = self._intern(latency_model(latency))
        self._place(name, site, model, model, None)

    def add_agent(
        self,
        name: str,
        site: str | None = None,
        latency: LatencyModel | str | int | None = None,
        returning: LatencyModel | str | int | None = None,
        media: Iterable[str] | None = None,
    ) -> None:
        """Put an agent at a site. To colocate it, give it the site of a venue.

        latency: between the agent and its site; ``access`` when not given. returning: the same for what the agent
        receives, when that differs. media: the only ones that the agent's messages may use ("microwave", …).
        """
        out = self._intern(self.access if latency is None else latency_model(latency))
        back = out if returning is None else self._intern(latency_model(returning))
        self._place(name, site, out, back, None if media is None else frozenset(media))

    def add_agents(
        self, names: Sequence[str], site: str | None = None, latency: LatencyModel | str | int | None = None
    ) -> None:
        """Put many agents at a site, each as ``add_agent`` puts one."""
        access = self._intern(self.access if latency is None else latency_model(latency))
        for name in names:
            self._require_new(name)
        for name, place in zip(names, self._sites(names, site), strict=True):
            self._places[name] = _Place(place, access, access, None)

    def both_ways(self, source: str, target: str) -> tuple[tuple[Leg, ...], tuple[Leg, ...]]:
        """The routes from source to target and from target to source."""
        return self.route(source, target), self.route(target, source)

    @abstractmethod
    def route(self, source: str, target: str) -> tuple[Leg, ...]:
        """The stretches from one party to another; the same object for every pair with the same way."""

    def expected(self, source: str, target: str) -> float:
        """Expected latency of one message from source to target with idle links, ns."""
        return sum(leg.latency.expected() for leg in self.route(source, target))

    @property
    def parties(self) -> tuple[str, ...]:
        """Names of the venues and agents placed so far."""
        return tuple(self._places)

    def site_of(self, name: str) -> str:
        """The site of a venue or agent."""
        return self._party(name).site

    @abstractmethod
    def _site(self, name: str, site: str | None) -> str:
        """The site that a party gets which asked for ``site``; ConfigurationError when there is none such."""

    def _sites(self, names: Sequence[str], site: str | None) -> Iterable[str]:
        """The sites of many parties that asked for ``site``; see ``_site``."""
        return (self._site(name, site) for name in names)

    def _place(
        self, name: str, site: str | None, out: LatencyModel, back: LatencyModel, media: frozenset[str] | None
    ) -> None:
        self._require_new(name)
        self._places[name] = _Place(self._site(name, site), out, back, media)

    def _require_new(self, name: str) -> None:
        if name in self._places:
            raise ConfigurationError(f'"{name}" has a place in the network already; names are unique')

    def _party(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None:
            raise ConfigurationError(
                f'"{name}" has no place in the network{did_you_mean(name, self._places) or "; add it first"}'
            )
        return place

    def _intern(self, model: LatencyModel) -> LatencyModel:
        """Equal models become one object, so that routes can be recognised by identity."""
        try:
            return self._models.setdefault(model, model)
        except TypeError:  # a model of the user's that cannot be hashed
            return self._models.setdefault(id(model), model)


class GraphTopology(Topology):
    """Sites joined by links; a message takes the way with the smallest expected latency.

    Of ways with equal expected latency it takes the one with fewer links, then the one whose sites come first in the
    alphabet, so that the order in which links are added never matters. The links live in ``graph``, a networkx
    MultiDiGraph with an edge for each direction and medium; edge attributes: ``latency``, ``expected``, ``metres``.
    """

    def __init__(
        self,
        access: LatencyModel | str | int = "5us",
        default_site: str | None = None,
        media: Iterable[str] | None = None,
    ) -> None:
        """access: between an agent and its site; media: only links of these are used (all by default)."""
        super().__init__(access)
        import networkx as nx

        self.graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self.media = dict(MEDIA)
        self.default_site = default_site
        self._allowed = None if media is None else frozenset(media)
        self._routes: dict[Any, tuple[Leg, ...]] = {}
        self._distances: dict[Any, dict[str, int]] = {}

    def add_site(self, name: str, latitude: float | None = None, longitude: float | None = None) -> None:
        """A place that links join; coordinates in degrees, needed only where a link gives no length."""
        if (latitude is None) != (longitude is None):
            raise InvalidValueError(f'site "{name}": give both latitude and longitude, or neither')
        if latitude is not None and longitude is not None:
            geodesic(latitude, longitude, latitude, longitude)
        self.graph.add_node(name, latitude=latitude, longitude=longitude)

    def add_medium(self, medium: Medium) -> None:
        """A medium of the user's own, or another idea of a known one."""
        self.media[medium.name] = medium

    def connect(
        self,
        source: str,
        target: str,
        latency: LatencyModel | str | int | None = None,
        medium: str = "",
        length: float | str | None = None,
        detour: float | None = None,
        jitter: LatencyModel | str | int | None = None,
        one_way: bool = False,
    ) -> None:
        """Join two sites by a link.

        latency: of the link; without it, that of the medium over ``length`` (text such as "1331km", or metres) or,
        where none is given, over the geodesic between the sites times ``detour`` (by default the medium's ``route``).
        medium: what carries the signal; agents may ask for it by name. jitter is added to the latency. A second link
        of the same medium between the same sites replaces the first.
        """
        for site in (source, target):
            self._known_site(site)
        if source == target:
            raise InvalidValueError(f'a link joins two sites, not "{source}" with itself')
        carrier = self._medium(medium) if medium else None
        metres = 0.0 if length is None else distance(length)
        if latency is not None:
            model = latency_model(latency)
        elif carrier is not None:
            metres = metres if length is not None else self._way_over_ground(source, target, detour or carrier.route)
            model = carrier.latency(metres)
        else:
            raise InvalidValueError(f"link {source}-{target}: give a latency or a medium")
        if jitter is not None:
            model = Series((model, latency_model(jitter)))
        self._add_edge(source, target, medium, self._intern(model), metres)
        if not one_way:
            self._add_edge(target, source, medium, self._intern(model), metres)

    def route(self, source: str, target: str) -> tuple[Leg, ...]:
        """Access, links between the sites, access; see Topology. ConfigurationError where there is no way."""
        a, b = self._party(source), self._party(target)
        out, back = _access(source, a.out, "out"), _access(target, b.back, "in")
        media = _both(_both(a.media, b.media), self._allowed)
        key = (a.site, b.site, media, out.shared or id(out.latency), back.shared or id(back.latency))
        route = self._routes.get(key)
        if route is None:
            way = self._way(source, target, a.site, b.site, media)
            route = tuple(leg for leg in (out, *way, back) if leg.latency != _AT_ONCE)
            self._routes[key] = route
        return route

    def sites_between(self, source: str, target: str) -> list[str]:
        """The sites that a message from one party to another passes, both ends included."""
        a, b = self._party(source), self._party(target)
        media = _both(_both(a.media, b.media), self._allowed)
        return [a.site] + [step for _, step, _ in self._steps(source, target, a.site, b.site, media)]

    def _site(self, name: str, site: str | None) -> str:
        if site is None:
            site = self.default_site
        if site is None:
            sites = ", ".join(sorted(self.graph)) or "there are none yet; add one"
            raise ConfigurationError(f'"{name}" needs a site in this network: {sites}')
        return self._known_site(site)

    def _known_site(self, site: str) -> str:
        if site not in self.graph:
            raise ConfigurationError(
                f'there is no site "{site}"{did_you_mean(site, self.graph) or "; add it with add_site"}'
            )
        return site

    def _medium(self, name: str) -> Medium:
        if name not in self.media:
            raise ConfigurationError(f'there is no medium "{name}"{did_you_mean(name, self.media)}')
        return self.media[name]

    def _way_over_ground(self, source: str, target: str, detour: float) -> float:
        """Metres between two sites that have coordinates."""
        if detour < 1.0:
            raise InvalidValueError(f"link {source}-{target}: detour {detour} must be at least 1: no way is shorter")
        ends = [self.graph.nodes[site] for site in (source, target)]
        for site, end in zip((source, target), ends, strict=True):
            if end["latitude"] is None:
                raise ConfigurationError(
                    f'link {source}-{target}: give its length, or coordinates of site "{site}" to compute it from'
                )
        places = [end[axis] for end in ends for axis in ("latitude", "longitude")]
        return geodesic(*places) * detour

    def _add_edge(self, source: str, target: str, medium: str, model: LatencyModel, metres: float) -> None:
        expected = model.expected()
        weight = (round(min(expected, LONGEST)) << 16) + _SMALLEST_STEP
        self.graph.add_edge(source, target, key=medium, latency=model, expected=expected, metres=metres, weight=weight)
        self._routes.clear()
        self._distances.clear()

    def _way(self, source: str, target: str, start: str, end: str, media: frozenset[str] | None) -> list[Leg]:
        return [
            Leg(self.graph.edges[before, after, medium]["latency"], f"{before}->{after}/{medium}")
            for before, after, medium in self._steps(source, target, start, end, media)
        ]

    def _steps(
        self, source: str, target: str, start: str, end: str, media: frozenset[str] | None
    ) -> list[tuple[str, str, str]]:
        """(site, next site, medium) from start to end, found backwards from the smallest distances."""
        for medium in media or ():
            self._medium(medium)
        reached = self._reached(start, media)
        if end not in reached:
            using = "" if media is None else f" by {' or '.join(sorted(media)) or 'no medium'}"
            raise ConfigurationError(
                f'"{target}" at site "{end}" cannot be reached from "{source}" at site "{start}"{using}: no chain of '
                f"links joins them. From {start} one gets to: {', '.join(sorted(set(reached) - {start})) or 'nowhere'}"
            )
        steps: list[tuple[str, str, str]] = []
        while end != start:
            before, medium = min(
                (site, medium)
                for site, edges in self.graph.pred[end].items()
                for medium, edge in edges.items()
                if _usable(medium, media) and site in reached and reached[site] + edge["weight"] == reached[end]
            )
            steps.append((before, end, medium))
            end = before
        return steps[::-1]

    def _reached(self, start: str, media: frozenset[str] | None) -> dict[str, int]:
        """Distance from start of every site that can be reached, in steps of 2**-16 ns."""
        import networkx as nx

        def weight(source: str, target: str, edges: dict[str, dict[str, Any]]) -> int | None:
            return min((int(edge["weight"]) for medium, edge in edges.items() if _usable(medium, media)), default=None)

        key = (start, media)
        if key not in self._distances:
            reached = nx.single_source_dijkstra_path_length(self.graph, start, weight=weight)
            self._distances[key] = {site: int(steps) for site, steps in reached.items()}
        return self._distances[key]


def star(latency: LatencyModel | str | int = "100us") -> GraphTopology:
    """Everyone at one hub: each agent at ``latency`` from every venue unless it says otherwise."""
    topology = GraphTopology(access=latency, default_site="hub")
    topology.add_site("hub")
    return topology


def from_networkx(graph: nx.Graph[Any], access: LatencyModel | str | int = "5us") -> GraphTopology:
    """A topology of a networkx graph: nodes are sites (``latitude``, ``longitude``), edges are links.

    Edges carry ``latency``, or ``medium`` and perhaps ``length`` or ``detour``, and perhaps ``jitter``, as
    ``connect`` takes them.
    An undirected edge joins both ways.
    """
    topology = GraphTopology(access)
    for node, about in graph.nodes(data=True):
        topology.add_site(str(node), about.get("latitude"), about.get("longitude"))
    known = ("latency", "medium", "length", "detour", "jitter")
    for source, target, about in graph.edges(data=True):
        asked = {name: about[name] for name in known if name in about}
        topology.connect(str(source), str(target), one_way=graph.is_directed(), **asked)
    return topology


def _access(name: str, model: LatencyModel, direction: str) -> Leg:
    """The stretch between a party and its site; what depends on load is one line for all that the party sends."""
    return Leg(model, f"{name}/{direction}" if model.loaded else "")


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _usable(medium: str, media: frozenset[str] | None) -> bool:
    return media is None or medium in media or medium == ""
