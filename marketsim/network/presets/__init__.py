"""Topologies with the real distances between trading sites, and topologies that users write the same way.

A topology file is plain YAML; ``from_mapping`` describes its form and reads the parsed mapping, so that a scenario may
hold one as well. The files beside this module are the presets. Nothing here draws or sends anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from marketsim.errors import ConfigurationError, InvalidValueError, UnknownParameterError, did_you_mean
from marketsim.network.geography import Medium
from marketsim.network.latency import LatencyModel
from marketsim.network.topology import GraphTopology

_TOP = ("description", "include", "access", "default_site", "media", "sites", "links")
_SITE = ("latitude", "longitude", "description")
_LINK = ("between", "from", "to", "medium", "length", "detour", "latency", "jitter", "source")
_MEDIUM = ("index", "route", "relay_every", "relay_delay", "source")


def preset_names() -> tuple[str, ...]:
    """The presets that ``preset`` knows."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _files() if file.name.endswith(".yaml")))


def preset(
    name: str, media: Iterable[str] | None = None, access: LatencyModel | str | int | None = None
) -> GraphTopology:
    """A topology of real trading sites.

    media: only links of these ("fibre", "microwave"); all by default, so that messages take the fastest.
    access: between an agent and its site; the preset's own when not given.
    """
    mapping = preset_mapping(name)
    if access is not None:
        mapping = {**mapping, "access": access}
    return from_mapping(mapping, media)


def preset_mapping(name: str) -> dict[str, Any]:
    """What the file of a preset says."""
    import yaml

    if name not in preset_names():
        raise ConfigurationError(f'there is no network preset "{name}"{did_you_mean(name, (*preset_names(), "line"))}')
    text = (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    mapping: dict[str, Any] = yaml.safe_load(text)
    return mapping


def from_mapping(mapping: Mapping[str, Any], media: Iterable[str] | None = None) -> GraphTopology:
    """A topology written as a mapping.

    include: presets whose sites and links are taken over
    access: latency between an agent and its site
    default_site: where parties sit that name no site
    media: name → index, route, relay_every, relay_delay (see Medium)
    sites: name → latitude, longitude, description (or nothing)
    links: a list; each has
        between: two sites, or more, every two of which are then joined; or from and to, for one direction
        latency (a duration or a latency model), or medium with length, or with detour (length over the geodesic)
        jitter: a latency model that is added
        source: where the figures are from
    """
    _check(mapping, _TOP, "network")
    settings = {name: mapping[name] for name in ("access", "default_site") if name in mapping}
    topology = GraphTopology(**settings, media=media)
    for name in _typed(mapping, "include", list):
        _fill(topology, preset_mapping(name))
    _fill(topology, mapping)
    if topology.default_site is not None and topology.default_site not in topology.graph:
        known = did_you_mean(topology.default_site, topology.graph)
        raise ConfigurationError(f'network: default_site: there is no site "{topology.default_site}"{known}')
    return topology


def _fill(topology: GraphTopology, mapping: Mapping[str, Any]) -> None:
    for name, about in _typed(mapping, "media", Mapping).items():
        _check(about, _MEDIUM, f"network.media.{name}")
        topology.add_medium(Medium(name, **{key: about[key] for key in about if key != "source"}))
    for name, about in _typed(mapping, "sites", Mapping).items():
        _check(about or {}, _SITE, f"network.sites.{name}")
        topology.add_site(str(name), **{key: value for key, value in (about or {}).items() if key != "description"})
    for place, link in enumerate(_typed(mapping, "links", list)):
        _connect(topology, link, f"network.links[{place}]")


def _connect(topology: GraphTopology, link: Mapping[str, Any], where: str) -> None:
    _check(link, _LINK, where)
    one_way = "between" not in link
    if one_way != ("from" in link and "to" in link):
        raise InvalidValueError(f"{where}: give either between: [site, site], or from and to")
    ends = [link["from"], link["to"]] if one_way else link["between"]
    if not isinstance(ends, list) or len(ends) < 2:
        raise InvalidValueError(f"{where}.between: {ends!r} must be a list of at least two sites")
    asked = {key: link[key] for key in ("latency", "medium", "length", "detour", "jitter") if key in link}
    for place, source in enumerate(ends):
        for target in ends[place + 1 :]:
            try:
                topology.connect(source, target, one_way=one_way, **asked)
            except ConfigurationError as error:
                raise type(error)(f"{where}: {error}") from None


def _typed(mapping: Mapping[str, Any], key: str, kind: type) -> Any:
    """What a mapping holds under a key, empty when it holds nothing."""
    value = mapping.get(key)
    if value is None:
        return kind() if kind is list else {}
    if not isinstance(value, kind):
        raise InvalidValueError(f"network.{key}: {value!r} must be a {'list' if kind is list else 'mapping'}")
    return value


def _check(mapping: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if not isinstance(mapping, Mapping):
        raise InvalidValueError(f"{where}: {mapping!r} must be a mapping with {', '.join(known)}")
    for name in mapping:
        if name not in known:
            raise UnknownParameterError(f"{where}.{name}: unknown{did_you_mean(str(name), known)}")


def _files() -> Iterable[Any]:
    return resources.files(__name__).iterdir()
