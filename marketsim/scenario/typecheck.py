"""Type checks: whether every type of a scenario exists and takes the parameters that it is given.

This is the part of checking that imports agents, latencies, feeds and shocks, by way of the registry. It constructs
them to hear what they say about their parameters, and it runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from marketsim.domain import units
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.scenario.crosscheck import Raw, items, known, mapping, sections
from marketsim.scenario.document import Finding, Path
from marketsim.scenario.overrides import parse_path
from marketsim.scenario.parameters import Parameter, coerce, parameters_of
from marketsim.scenario.registry import Registry
from marketsim.scenario.shape import typed_section

Found: TypeAlias = Iterator[tuple[Finding, bool]]

_KINDS = {
    "AgentSpec": "agent",
    "FaultSpec": "fault",
    "FeedSpec": "feed",
    "LatencySpec": "latency",
    "ShockSpec": "shock",
}
_PLURALS = {"index": "indices"}
_BOUND_BY = {"order": ("max_order", "max_position"), "position": ("max_position",)}
_NETWORK_PATH = re.compile(r"^network((?:\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*)(?:: |(?=\.))")


def type_findings(raw: Raw, registry: Registry) -> list[tuple[Finding, bool]]:
    """Each finding, and whether it is about the key rather than the value."""
    return list(_type_findings(raw, registry))


def _type_findings(raw: Raw, registry: Registry) -> Found:
    yield from _topology(raw, registry)
    for path, section in typed_sections(raw):
        yield from _typed(raw, registry, path, section)
    yield from ((finding, False) for finding in _overlaps(raw, registry))
    for index, shock in enumerate(items(raw.get("timeline"))):
        if isinstance(shock, Mapping) and shock.get("type") == "set":
            yield from _changed_parameter(raw, registry, ("timeline", index), shock)
        if isinstance(shock, Mapping) and shock.get("type") == "kill_switch":
            key = str(shock.get("agent")).partition(".")[0]
            named: list[tuple[Path, str]] = [] if shock.get("agent") is None else [(("timeline", index, "agent"), key)]
            yield from _guarded(raw, registry, ("timeline", index), named)
    if isinstance(risk := raw.get("risk"), (Mapping, str)):
        yield from _guarded(raw, registry, ("risk",), _members(mapping(risk).get("agents")))


def typed_sections(raw: Raw) -> Iterator[tuple[Path, Raw]]:
    """Every section with a type and where it stands."""
    latency = mapping(raw.get("network")).get("latency")
    if isinstance(latency, Mapping):
        yield ("network", "latency"), latency
    for index, fault in enumerate(items(mapping(raw.get("network")).get("faults"))):
        if isinstance(fault, Mapping):
            yield ("network", "faults", index), fault
    for field in ("feeds", "agents"):
        for name, section in sections(raw, field):
            yield (field, name), section
            if field == "agents" and isinstance(section.get("latency"), Mapping):
                yield ("agents", name, "latency"), section["latency"]
    for index, shock in enumerate(items(raw.get("timeline"))):
        if isinstance(shock, Mapping):
            yield ("timeline", index), shock


def kind_of(path: Path) -> str:
    """The registry's kind of the section at a path."""
    spec = typed_section(path)
    assert spec is not None
    return _KINDS[spec.__name__]


def given_parameters(path: Path, section: Raw, cls: type) -> dict[str, Any]:
    """The parameters that a section gives to a class: all that is not a field of the section itself.

    A field of the section (such as a feed's ``instrument``) is handed on to a class that asks for one of that name,
    except among agents, whose fields are the simulation's.
    """
    spec = typed_section(path)
    assert spec is not None
    own = {name: value for name, value in section.items() if name not in spec.model_fields}
    wanted = {parameter.name for parameter in parameters_of(cls)} - {"type", "parameters"}
    shared = {n: section[n] for n in spec.model_fields if n in wanted and section.get(n) is not None}
    if path[0] == "agents":
        shared = {}
    return {**shared, **mapping(section.get("parameters")), **own}


def _typed(raw: Raw, registry: Registry, path: Path, section: Raw) -> Found:
    spec = typed_section(path)
    assert spec is not None
    name = section.get("type")
    if not isinstance(name, str) or not name.strip():
        return  # the fields report it
    try:
        cls = registry.resolve(kind_of(path), name)
    except ConfigurationError as error:
        yield Finding((*path, "type"), str(error)), False
        return
    given = given_parameters(path, section, cls)
    _, problems = registry.check_parameters(cls, given, also=set(spec.model_fields) - {"parameters"})
    for inner, message in problems:
        yield Finding(_where(path, section, inner), message), message.startswith("unknown parameter")
    yield from ((finding, False) for finding in _references(raw, registry, path, section, cls, given))
    if kind_of(path) == "agent":
        if not problems:
            yield from ((finding, False) for finding in _too_long(raw, registry, path, section, cls))
            yield from ((finding, False) for finding in _too_poor(registry, path, section, cls))
        yield from ((finding, False) for finding in _compilation(path, section, compiles=hasattr(cls, "policy")))
        yield from ((finding, False) for finding in _beyond_limits(path, section, given, cls))


def _compilation(path: Path, section: Raw, *, compiles: bool) -> Iterator[Finding]:
    """Only what has a policy can be compiled, and only Python agents have risk checks."""
    driven = section.get("compiled") is False
    if driven and not compiles:
        yield Finding((*path, "compiled"), f"{section['type']} is written in Python and runs so anyway; leave this out")
    if compiles and not driven and section.get("limits"):
        message = f"{section['type']} is compiled and has no risk checks; add compiled: false, or leave this out"
        yield Finding((*path, "limits"), message)


def _too_long(raw: Raw, registry: Registry, path: Path, section: Raw, cls: type) -> Iterator[Finding]:
    """What an agent says cannot come true within the run: ``check_duration(ns)`` answers paths and messages."""
    if not hasattr(cls, "check_duration"):
        return
    try:
        duration = units.duration(raw.get("duration", "30min"))
    except (InvalidValueError, ArithmeticError):
        return  # the fields report it
    values, _ = registry.check_parameters(cls, given_parameters(path, section, cls))
    for inner, message in cls(**values).check_duration(duration):
        yield Finding(_where(path, section, inner), message)


def _too_poor(registry: Registry, path: Path, section: Raw, cls: type) -> Iterator[Finding]:
    """What an agent cannot do with the cash that it is given: ``check_cash(cash)`` says why, or nothing."""
    if not hasattr(cls, "check_cash") or "cash" not in section:
        return
    try:
        cash = units.decimal(section["cash"])
    except (InvalidValueError, ArithmeticError):
        return  # the fields report it
    values, _ = registry.check_parameters(cls, given_parameters(path, section, cls))
    if message := cls(**values).check_cash(cash):
        yield Finding((*path, "cash"), message)


def _members(names: Any) -> list[tuple[Path, str]]:
    """Whom the limits of a firm name, and where."""
    if isinstance(names, str):
        return [(("risk", "agents"), names)]
    return [(("risk", "agents", number), str(name)) for number, name in enumerate(items(names))]


def _guarded(raw: Raw, registry: Registry, path: Path, named: list[tuple[Path, str]]) -> Found:
    """Only what Python runs has a guard: each agent that is named, or one at least where none is."""
    compiled = {name for name, section in sections(raw, "agents") if _is_compiled(registry, section)}
    for where, name in named:
        if name in compiled:
            yield Finding(where, f"{name} is compiled and has no risk checks; add compiled: false to it"), False
    if not named and len(compiled) == len(mapping(raw.get("agents"))):
        message = "no agent is run by Python, and only those have risk checks; add compiled: false to some"
        yield Finding(path, message), False


def _is_compiled(registry: Registry, section: Raw) -> bool:
    try:
        cls = registry.resolve("agent", str(section.get("type")))
    except ConfigurationError:
        return False  # reported at the agent
    return hasattr(cls, "policy") and section.get("compiled") is not False


def _beyond_limits(path: Path, section: Raw, given: Raw, cls: type) -> Iterator[Finding]:
    """An agent whose every order, or whose target, is more than its limits let through.

    A parameter says so in its metadata: ``risk`` is "order" for lots of each order, "position" for lots to hold.
    """
    limits = mapping(section.get("limits"))
    for parameter in parameters_of(cls):
        role = parameter.metadata.get("risk")
        lots = given.get(parameter.name, parameter.default)
        if role not in _BOUND_BY or not isinstance(lots, int):
            continue
        for name in _BOUND_BY[role]:
            limit = limits.get(name)
            if isinstance(limit, int) and 0 < limit < abs(lots):
                message = f"{limit} lots are less than its {parameter.name} of {lots}: raise it, or lower the other"
                yield Finding((*path, "limits", name), message)


def _where(path: Path, section: Raw, inner: Path) -> Path:
    """The path of a problem with a parameter; what concerns the whole object stands at its type."""
    if not inner:
        return (*path, "type")
    nested = inner[0] not in section and inner[0] in mapping(section.get("parameters"))
    return (*path, "parameters", *inner) if nested else (*path, *inner)


def _references(raw: Raw, registry: Registry, path: Path, section: Raw, cls: type, given: Raw) -> Iterator[Finding]:
    """Parameters that name a feed, an agent, an index, an instrument or a venue must name one that there is."""
    for parameter in parameters_of(cls):
        what = parameter.metadata.get("reference")
        value = given.get(parameter.name)
        if isinstance(what, str) and value is not None:
            names = list(value) if isinstance(value, (list, tuple, Mapping)) else {value}
            where = _where(path, section, (parameter.name,))
            yield from known(names, mapping(raw.get(_PLURALS.get(what, f"{what}s"))), where, what)
            permission = parameter.metadata.get("permission")
            if isinstance(permission, str) and isinstance(value, str) and value in mapping(raw.get("agents")):
                yield from _permitted(raw, registry, path, where, parameter.name, permission)


def _permitted(
    raw: Raw, registry: Registry, path: Path, where: Path, parameter: str, permission: str
) -> Iterator[Finding]:
    """An agent that is told of another one's fills: that one permits it, has reports, and is not told of its own."""
    agents = dict(sections(raw, "agents"))
    me = str(path[1])
    chain = [me]
    while (name := str(agents.get(chain[-1], {}).get(parameter))) in agents and name not in chain:
        chain.append(name)
    leader, section = chain[1] if len(chain) > 1 else me, agents[chain[1] if len(chain) > 1 else me]
    if name == me:
        message = "itself" if leader == me else f"{' and '.join(chain[1:])}, which follows it"
        yield Finding(where, f"{me} follows {message}: its own fills would come back for ever; choose another")
    elif me not in items(section.get(permission)):
        yield Finding(where, f'{leader} does not permit it: add "{me}" to agents.{leader}.{permission}')
    elif section.get("count", 1) != 1:
        yield Finding(where, f"there are {section['count']} of {leader}: follow one that is alone")
    elif _is_compiled(registry, section):
        yield Finding(where, f"{leader} is compiled and nobody sees its reports: add compiled: false to it")


def _overlaps(raw: Raw, registry: Registry) -> Iterator[Finding]:
    """Of one session, no disconnect may begin before another is over."""
    seen: list[tuple[Raw, Any]] = []
    for index, fault in enumerate(items(mapping(raw.get("network")).get("faults"))):
        if not isinstance(fault, Mapping) or fault.get("type") != "disconnect":
            continue
        path: Path = ("network", "faults", index)
        cls = registry.resolve("fault", "disconnect")
        values, problems = registry.check_parameters(cls, given_parameters(path, fault, cls))
        if problems:
            continue  # reported there
        made = cls(**values)
        for section, other in seen:
            if made.overlaps(other) and _meet(fault, section):
                message = f"from {made.interval} the session is down already, from {other.interval}: join the two"
                yield Finding((*path, "at"), message)
                break
        seen.append((fault, made))


def _meet(one: Raw, other: Raw) -> bool:
    """Whether two faults concern a session together."""
    agents = _some_alike(one.get("agents"), other.get("agents"), lambda a, b: a.startswith(f"{b}."))
    return agents and _some_alike(one.get("venues"), other.get("venues"), lambda a, b: False)


def _some_alike(one: Any, other: Any, within: Callable[[str, str], bool]) -> bool:
    """Whether two lists of names have one in common, or one of them, left out, names everything."""
    if one is None or other is None:
        return True
    pairs = [(str(a), str(b)) for a in items(one) for b in items(other)]
    return any(a == b or within(a, b) or within(b, a) for a, b in pairs)


def _changed_parameter(raw: Raw, registry: Registry, path: Path, shock: Raw) -> Found:
    """A shock that sets a parameter must name one that the agent has, and a value that it can take."""
    agent = mapping(raw.get("agents")).get(str(shock.get("agent", "")).partition(".")[0])
    name = shock.get("parameter")
    if shock.get("agent") is None:
        yield Finding((*path, "agent"), "missing: name the agent whose parameter is set"), False
    if not isinstance(agent, Mapping) or not isinstance(agent.get("type"), str) or not isinstance(name, str):
        return
    try:
        parameters: dict[str, Parameter] = {p.name: p for p in registry.parameters("agent", agent["type"])}
    except ConfigurationError:
        return  # reported at the agent
    if name not in parameters:
        message = f'{agent["type"]} has no parameter "{name}"{did_you_mean(name, parameters)}'
        yield Finding((*path, "parameter"), message), False
        return
    try:
        coerce(parameters[name].annotation, shock.get("value"), parameters[name].unit)
    except InvalidValueError as error:
        yield Finding((*path, "value"), f"{name}: {error}"), False


def _topology(raw: Raw, registry: Registry) -> Found:
    """The topology is made as the simulation makes it; then every host must be one of its sites."""
    topology = mapping(mapping(raw.get("network")).get("topology"))
    if not topology:
        return
    path = ("network", "topology")
    try:
        made = registry.build_topology(topology)
    except ConfigurationError as error:
        yield _network_finding(path, str(error))
        return
    sites = [str(site) for site in getattr(made, "graph", ())]
    if sites:
        yield from _seats(raw, sites, getattr(made, "default_site", None) is not None)


def _network_finding(path: Path, message: str) -> tuple[Finding, bool]:
    """The network room names places as ``network.links[0]: …``."""
    match = _NETWORK_PATH.match(message)
    if match is None:
        return Finding(path, message), False
    inner = parse_path(match.group(1).lstrip("."))
    return Finding((*path, *inner), message[match.end() :].lstrip(".")), False


def _seats(raw: Raw, sites: list[str], default: bool) -> Found:
    """Every venue and agent stands at a site."""
    for field in ("venues", "agents"):
        for name, section in sections(raw, field):
            host = section.get("host")
            if isinstance(host, str):
                found = known({host}, sites, (field, name, "host"), "site")
                yield from ((finding, False) for finding in found)
            elif not default and not (field == "venues" and name in sites):
                message = f"missing: the topology has no default_site; choose one of {', '.join(sorted(sites))}"
                yield Finding((field, name, "host"), message), False
