"""Cross checks: whether the parts of a scenario fit each other, judged on its plain mapping.

Works on mappings that are partly wrong, so that one reading reports everything: what has not the right form is passed
over here, because the spec's fields report it. It never reads the parameters of a type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from marketsim.domain import units
from marketsim.domain.instrument import contradiction
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario.document import Finding, Path
from marketsim.scenario.riskcheck import limit_findings
from marketsim.scenario.sessioncheck import session_findings

Raw = Mapping[str, Any]


def cross_findings(raw: Raw) -> Iterator[Finding]:
    """Everything in a scenario that contradicts another part of it."""
    yield from _venues(raw)
    yield from _contracts(raw)
    yield from _times(raw)
    yield from _feeds(raw)
    yield from _indices(raw)
    for name, agent in sections(raw, "agents"):
        yield from _agent(raw, ("agents", name), agent)
    for index, fault in enumerate(items(mapping(raw.get("network")).get("faults"))):
        if isinstance(fault, Mapping):
            yield from _fault(raw, ("network", "faults", index), fault)
    for index, shock in enumerate(items(raw.get("timeline"))):
        if isinstance(shock, Mapping):
            yield from _shock(raw, ("timeline", index), shock)
    yield from _risk(raw)
    yield from session_findings(raw)


def _risk(raw: Raw) -> Iterator[Finding]:
    """Limits of all agents together."""
    risk = raw.get("risk")
    if not isinstance(risk, Mapping):
        return
    yield from known(_many(risk.get("agents")), mapping(raw.get("agents")), ("risk", "agents"), "agent")
    if not any(value is not None for name, value in risk.items() if name not in ("agents", "capital")):
        yield Finding(("risk",), 'it limits nothing: add a limit, or write "risk: default"')
    yield from limit_findings(raw, ("risk",), risk, mapping(raw.get("instruments")))


def mapping(value: Any) -> Raw:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, a text as a list of one, else nothing."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, (list, tuple)) else []


def sections(raw: Raw, field: str) -> Iterator[tuple[str, Raw]]:
    """Name and content of the sections under ``agents``, ``venues`` and the like; an empty one is a default one."""
    for name, section in mapping(raw.get(field)).items():
        if section is None or isinstance(section, Mapping):
            yield str(name), section or {}


def hosts(raw: Raw) -> set[str] | None:
    """The sites that a topology names itself; None when some come from a preset, or when there is no topology."""
    topology = mapping(mapping(raw.get("network")).get("topology"))
    if not topology or "preset" in topology or "include" in topology:
        return None
    return {str(site) for site in mapping(topology.get("sites"))}


def known(names: Iterable[Any], choices: Iterable[str], path: Path, what: str, hint: str = "") -> Iterator[Finding]:
    """A finding for each name that is not among the choices. A list's items are reported at their index."""
    choices = sorted(set(choices))
    listed = isinstance(names, (list, tuple))
    for index, name in enumerate(names):
        if isinstance(name, str) and name not in choices:
            where = (*path, index) if listed else path
            repair = did_you_mean(name, choices) or hint or f"; the scenario has no {what}s"
            yield Finding(where, f'no {what} is called "{name}"{repair}')


def _one(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else set()


def _many(value: Any) -> Iterable[Any]:
    """Names as they were written: a list keeps its indices, a single text has none."""
    return value if isinstance(value, (list, tuple)) else _one(value)


def _venues(raw: Raw) -> Iterator[Finding]:
    instruments, venues = dict(sections(raw, "instruments")), dict(sections(raw, "venues"))
    for field in ("venues", "instruments"):
        if isinstance(raw.get(field), Mapping) and not raw[field]:
            yield Finding((field,), f"empty: a market needs at least one of the {field}")
    for name, venue in venues.items():
        yield from known(_many(venue.get("instruments")), instruments, ("venues", name, "instruments"), "instrument")
        yield from _host(raw, ("venues", name), venue)
        shared = mapping(venue.get("allocation")).get("instruments")
        where = ("venues", name, "allocation", "instruments")
        yield from known(
            _many(shared), items(venue.get("instruments")) or instruments, where, "instrument of the venue"
        )
    traded = {symbol for venue in venues.values() for symbol in items(venue.get("instruments"))}
    everything = not venues or any(not items(venue.get("instruments")) for venue in venues.values())
    for symbol in instruments:
        if not everything and symbol not in traded:
            yield Finding(("instruments", symbol), "no venue trades it: add it to the instruments of a venue")


_PLAIN_TERMS: dict[str, Any] = {"tick_size": "0.01", "lot_size": 1, "multiplier": 1, "currency": "USD"}
_READERS: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(
        ("tick_size", "lot_size", "multiplier", "strike", "initial_margin", "maintenance_margin"), units.decimal
    ),
    **dict.fromkeys(("funding_rate", "funding_cap", "min_notional", "max_notional", "price_band"), units.decimal),
    "expiry": units.time_of_day,
    "funding_every": units.duration,
}


def _contracts(raw: Raw) -> Iterator[Finding]:
    """Terms of instruments that contradict each other, and venues that clear what there is not."""
    instruments = dict(sections(raw, "instruments"))
    for symbol, section in instruments.items():
        terms = {**_PLAIN_TERMS, **{name: value for name, value in section.items() if value is not None}}
        try:
            read = {name: _READERS[name](value) if name in _READERS else value for name, value in terms.items()}
            found = contradiction(read)
        except (InvalidValueError, ArithmeticError, TypeError):
            continue  # reported by the fields
        if found and found[0] not in ("kind", "right"):  # those two are reported by the fields
            name, said = found
            yield Finding(("instruments", symbol, *((name,) if name in section else ())), said)
        path = ("instruments", symbol, "underlying")
        yield from known(_one(section.get("underlying")), instruments, path, "instrument")
        start, expiry = (_nanoseconds(units.time_of_day, value) for value in (raw.get("start", 0), read.get("expiry")))
        if start is not None and expiry is not None and expiry <= start:
            yield Finding(
                ("instruments", symbol, "expiry"), "it is not after the start of the run: choose a later time"
            )
    for name, venue in sections(raw, "venues"):
        if venue.get("clearing") is None:
            continue
        listed = items(venue.get("instruments")) or list(instruments)
        if all(
            instruments.get(symbol, {}).get("kind", "spot") == "spot" for symbol in listed if isinstance(symbol, str)
        ):
            yield Finding(
                ("venues", name, "clearing"), "the venue trades no contract to clear: leave it out, or name a kind"
            )
        index = mapping(venue.get("clearing")).get("index")
        yield from known(_one(index), mapping(raw.get("feeds")), ("venues", name, "clearing", "index"), "feed")


def _host(raw: Raw, path: Path, section: Raw) -> Iterator[Finding]:
    host = section.get("host")
    if not isinstance(host, str):
        return
    if not mapping(mapping(raw.get("network")).get("topology")):
        yield Finding((*path, "host"), "the scenario has no topology: add network.topology, or leave the host out")
    elif (choices := hosts(raw)) is not None:
        yield from known(_one(host), choices, (*path, "host"), "site")


def _nanoseconds(read: Callable[[object], int], value: Any, default: int | None = None) -> int | None:
    """A time that can be read, else None (its field reports it)."""
    try:
        return default if value is None else read(value)
    except (InvalidValueError, ArithmeticError):
        return None


def _times(raw: Raw) -> Iterator[Finding]:
    duration = _nanoseconds(units.duration, raw.get("duration"))
    warm_up = _nanoseconds(units.duration, raw.get("warm_up"), 0)
    grid = _nanoseconds(units.duration, raw.get("grid"), 1)
    if not duration or duration < 0:
        return
    if warm_up is not None and warm_up >= duration:
        yield Finding(
            ("warm_up",),
            f"{units.format_duration(warm_up)} leaves nothing of a run of {units.format_duration(duration)}: "
            "shorten it, or lengthen the duration",
        )
    if grid is not None and grid > duration:
        yield Finding(
            ("grid",), f"{units.format_duration(grid)} is longer than the run of {units.format_duration(duration)}"
        )


def _feeds(raw: Raw) -> Iterator[Finding]:
    for name, feed in sections(raw, "feeds"):
        yield from known(
            _one(feed.get("instrument")), mapping(raw.get("instruments")), ("feeds", name, "instrument"), "instrument"
        )


def _indices(raw: Raw) -> Iterator[Finding]:
    instruments, indices = mapping(raw.get("instruments")), mapping(raw.get("indices"))
    for symbol, instrument in sections(raw, "instruments"):
        yield from known(_one(instrument.get("basket")), indices, ("instruments", symbol, "basket"), "index")
    for name, index in sections(raw, "indices"):
        path, members = ("indices", name), mapping(index.get("members"))
        if isinstance(index.get("members"), Mapping) and not members:
            yield Finding((*path, "members"), "empty: an index needs at least one member")
        for symbol in members:
            yield from known(_one(symbol), instruments, (*path, "members", symbol), "instrument")
            if mapping(instruments.get(symbol)).get("basket") == name:
                yield Finding((*path, "members", symbol), f'"{symbol}" stands for {name} itself: an index is no member')
        if index.get("base") is not None and index.get("divisor") is not None:
            yield Finding((*path, "base"), "divisor says the same: give one of the two")
        yield from _basket_venue(raw, path, index, [symbol for symbol in members if symbol in instruments])
        currencies = {mapping(instruments.get(symbol)).get("currency") or "USD" for symbol in members}
        if len(currencies) > 1:
            yield Finding(
                (*path, "members"), f"members are paid in {' and '.join(sorted(map(str, currencies)))}: keep one"
            )


def _basket_venue(raw: Raw, path: Path, index: Raw, members: list[Any]) -> Iterator[Finding]:
    """All members of an index must be traded on its venue; without one, on some venue."""
    venues, chosen = dict(sections(raw, "venues")), index.get("venue")
    yield from known(_one(chosen), venues, (*path, "venue"), "venue")
    trading = {
        name: [s for s in members if venue.get("instruments") is None or s in items(venue["instruments"])]
        for name, venue in venues.items()
    }
    if isinstance(chosen, str) and chosen in venues:
        for symbol in members:
            if symbol not in trading[chosen]:
                where = _where(venues, symbol)
                message = f'{chosen} does not trade the member "{symbol}": it trades on {where}'
                yield Finding((*path, "venue"), message)
    elif chosen is None and members and not any(len(found) == len(members) for found in trading.values()):
        yield Finding((*path, "members"), "no venue trades all members: an index is calculated from one venue's prices")


def _agent(raw: Raw, path: Path, agent: Raw) -> Iterator[Finding]:
    for field, what in (("venues", "venue"), ("instruments", "instrument"), ("feeds", "feed")):
        yield from known(_many(agent.get(field)), mapping(raw.get(field)), (*path, field), what)
    yield from known(_many(agent.get("copied_by")), mapping(raw.get("agents")), (*path, "copied_by"), "agent")
    yield from _host(raw, path, agent)
    yield from _tradable(raw, path, agent)
    symbols = agent.get("instruments") or mapping(raw.get("instruments"))
    yield from limit_findings(raw, (*path, "limits"), agent.get("limits"), items(symbols) or list(symbols))


def _tradable(raw: Raw, path: Path, agent: Raw) -> Iterator[Finding]:
    """Each instrument that an agent chose must be traded on one of the venues that it chose."""
    venues = dict(sections(raw, "venues"))
    chosen = [name for name in items(agent.get("venues")) if name in venues]
    if not chosen:
        return
    listed: set[str] = set()
    for name in chosen:
        own = venues[name].get("instruments")
        listed |= set(mapping(raw.get("instruments"))) if own is None else {s for s in items(own) if isinstance(s, str)}
    wanted = {symbol for symbol in items(agent.get("instruments")) if isinstance(symbol, str)}
    for index, name in enumerate(items(agent.get("venues"))):
        own = mapping(venues.get(name)).get("instruments")
        if wanted and name in venues and own is not None and not wanted & set(items(own)):
            message = f"{name} trades none of its instruments: leave it out, or add one of {', '.join(items(own))}"
            yield Finding((*path, "venues") if isinstance(agent["venues"], str) else (*path, "venues", index), message)
    where = (*path, "instruments")
    for index, symbol in enumerate(items(agent.get("instruments"))):
        if symbol in mapping(raw.get("instruments")) and symbol not in listed:
            message = f'"{symbol}" is not traded on {", ".join(chosen)}: it trades on {_where(venues, symbol)}'
            yield Finding(where if isinstance(agent["instruments"], str) else (*where, index), message)


def _where(venues: Mapping[str, Raw], symbol: str) -> str:
    trading = [
        name
        for name, venue in venues.items()
        if venue.get("instruments") is None or symbol in items(venue["instruments"])
    ]
    return ", ".join(sorted(trading)) or "no venue"


def _shock(raw: Raw, path: Path, shock: Raw) -> Iterator[Finding]:
    duration = _nanoseconds(units.duration, raw.get("duration"))
    at = _nanoseconds(units.duration, shock.get("at"))
    if duration is not None and at is not None and at >= duration > 0:
        yield Finding(
            (*path, "at"),
            f"{units.format_duration(at)} after the start is not before the end of the run of "
            f"{units.format_duration(duration)}: choose an earlier time, or lengthen the duration",
        )
    for field, what in (("feed", "feed"), ("instrument", "instrument"), ("venue", "venue")):
        yield from known(_one(shock.get(field)), mapping(raw.get(field + "s")), (*path, field), what)
    yield from _shocked_agent(raw, path, shock)


def _shocked_agent(raw: Raw, path: Path, shock: Raw) -> Iterator[Finding]:
    agent = shock.get("agent")
    if isinstance(agent, str):
        yield from _participant(raw, (*path, "agent"), agent)


def _fault(raw: Raw, path: Path, fault: Raw) -> Iterator[Finding]:
    yield from known(_many(fault.get("venues")), mapping(raw.get("venues")), (*path, "venues"), "venue")
    agents = fault.get("agents")
    for index, agent in enumerate(items(agents)):
        if isinstance(agent, str):
            where = (*path, "agents") if isinstance(agents, str) else (*path, "agents", index)
            yield from _participant(raw, where, agent)


def _participant(raw: Raw, path: Path, agent: str) -> Iterator[Finding]:
    """The name of an agent, or of all agents of a key."""
    agents = dict(sections(raw, "agents"))
    key, dot, number = agent.partition(".")
    count = agents.get(key, {}).get("count", 1)
    if not dot or key not in agents:
        yield from known(_one(key), agents, path, "agent")
    elif not isinstance(count, int) or count < 2:
        yield Finding(path, f'no agent is called "{agent}": there is one {key}, called "{key}"')
    elif not (number.isdigit() and str(int(number)) == number and int(number) < count):
        yield Finding(path, f'no agent is called "{agent}": {key} has {key}.0 to {key}.{count - 1}')
