"""``marketsim list``: the scenarios and types that can be named, with their parameters and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Debug
from marketsim.errors import ConfigurationError, UnknownTypeError, did_you_mean

_KINDS = {
    "agents": "agent",
    "exits": "exit",
    "faults": "fault",
    "feeds": "feed",
    "latencies": "latency",
    "rules": "rule",
    "shocks": "shock",
    "sizings": "sizing",
}  # plural: the registry's name
_WHAT = ("scenarios", *_KINDS, "indicators", "limits", "networks")


class _Word(NamedTuple):
    """What may be written somewhere and is no type: what stands beside it in a list, and what it means, in full."""

    beside: str
    text: str


@guarded
def listing(
    what: Annotated[str | None, typer.Argument(metavar="WHAT", help=", ".join(_WHAT) + "; all when left out.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, told in full.")] = None,
    debug: Debug = False,
) -> None:
    """List scenarios, types and their parameters."""
    if what is None:
        for each in _WHAT:
            _print_overview(each)
    elif what not in _WHAT:
        raise UnknownTypeError(f'there is no list of "{what}"{did_you_mean(what, _WHAT)}')
    elif name is not None:
        _print_one(what, name)
    elif what in _KINDS:
        for each in _names(what):
            _print_type(_KINDS[what], each)
    else:
        _print_overview(what)


def _names(what: str) -> tuple[str, ...]:
    if what == "scenarios":
        from marketsim.scenario.loader import ready_scenarios

        return ready_scenarios()
    if what == "networks":
        from marketsim.network.presets import preset_names

        return preset_names()
    if what in _WORDS:
        return tuple(_WORDS[what][1]())
    from marketsim.scenario.registry import REGISTRY

    return REGISTRY.names(_KINDS[what])


def _print_overview(what: str) -> None:
    if what in _WORDS:
        _print_words(what)
        return
    table = empty_table()
    table.add_column(what, no_wrap=True)
    table.add_column("")
    tell = _teller(what)
    for name in _names(what):
        table.add_row(name, tell(name))
    output().print(table)


def _teller(what: str) -> Callable[[str], str]:
    """What says in a line what a name stands for."""
    if what == "scenarios":
        return lambda name: _first_line(_scenario(name).get("description"))
    if what == "networks":
        from marketsim.network.presets import preset_mapping

        return lambda name: _first_line(preset_mapping(name).get("description"))
    from marketsim.scenario.registry import REGISTRY

    def tell(name: str) -> str:
        try:
            return REGISTRY.summary(_KINDS[what], name)
        except (ConfigurationError, ImportError) as error:  # a plug-in that is broken must not hide the others
            return f"cannot be used: {error}"

    return tell


def _scenario(name: str) -> dict[str, Any]:
    from marketsim.scenario.loader import load

    return load(name).to_dict()


def _first_line(text: object) -> str:
    return str(text or "").strip().partition("\n")[0]


def _indicators() -> dict[str, _Word]:
    import inspect

    from marketsim.agents.indicators.naming import INDICATORS, parameters_of

    def word(name: str) -> _Word:
        kind = INDICATORS[name]
        given = ", ".join(f"{key}={default:g}" for key, default in parameters_of(kind).items())
        lines = f"\n\nLines: {', '.join(kind.LINES)}." if len(kind.LINES) > 1 else ""
        return _Word(given, (inspect.getdoc(kind) or "") + lines)

    return {name: word(name) for name in sorted(INDICATORS)}


def _limits() -> dict[str, _Word]:
    from marketsim.domain.limits import DEFAULTS
    from marketsim.domain.units import format_duration
    from marketsim.scenario.limits import LimitsSpec

    def usual(name: str) -> str:
        value = DEFAULTS.get(name, "")
        if isinstance(value, tuple):
            return f"{value[0]}/{format_duration(value[1]).removeprefix('1')}"
        return f"{value:,.10g}" if value else ""

    return {name: _Word(usual(name), field.description or "") for name, field in LimitsSpec.model_fields.items()}


_WORDS: dict[str, tuple[str, Callable[[], dict[str, _Word]]]] = {
    "indicators": ("parameters", _indicators),
    "limits": ("limits: default", _limits),
}  # heading of what stands beside them


def _print_words(what: str) -> None:
    beside, words = _WORDS[what]
    table = empty_table()
    table.add_column(what, no_wrap=True)
    table.add_column(beside)
    table.add_column("")
    for name, word in words().items():
        table.add_row(name, word.beside, " ".join(word.text.partition("\n\n")[0].split()))
    output().print(table)


def _print_word(what: str, name: str) -> None:
    beside, words = _WORDS[what]
    word = words().get(name)
    if word is None:
        raise UnknownTypeError(f'no {what.removesuffix("s")} is called "{name}"{did_you_mean(name, words())}')
    output().print(name, style="bold", markup=False)
    say(word.text)
    if word.beside:
        say(f"\n{beside.capitalize()}: {word.beside}." if what == "indicators" else f'"{beside}" sets {word.beside}')


def _print_one(what: str, name: str) -> None:
    if what in _WORDS:
        _print_word(what, name)
    elif what == "scenarios":
        from marketsim.scenario.loader import read_ready

        typer.echo(read_ready(name).rstrip())
    elif what == "networks":
        import yaml

        from marketsim.network.presets import preset_mapping

        typer.echo(yaml.safe_dump(preset_mapping(name), sort_keys=False, allow_unicode=True).rstrip())
    else:
        from marketsim.cli.scenarios import find_modules

        find_modules()  # the name may be that of a class in a file here
        _print_type(_KINDS[what], name, in_full=True)


def _print_type(kind: str, name: str, *, in_full: bool = False) -> None:
    import inspect

    from marketsim.scenario.registry import REGISTRY

    cls = REGISTRY.resolve(kind, name)
    output().print(name, style="bold", markup=False)
    say(inspect.getdoc(cls) or "" if in_full else REGISTRY.summary(kind, name))
    parameters = REGISTRY.parameters(kind, name)
    if parameters:
        table = empty_table()
        for heading in ("parameter", "type", "default", ""):
            table.add_column(heading, no_wrap=heading == "parameter")
        for parameter in parameters:
            default = "(required)" if parameter.required else parameter.default_text
            table.add_row(parameter.name, parameter.type, default, parameter.doc)
        output().print(table)
    say()
