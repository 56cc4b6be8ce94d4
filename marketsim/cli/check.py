"""``marketsim check``: whether a scenario can be built, and everything that is wrong with it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import say
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.options import Debug, Settings
from marketsim.errors import ConfigurationError

if TYPE_CHECKING:
    from marketsim.scenario.spec import ScenarioSpec


@guarded
def check(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCENARIO", help="Scenario files, or names of ready ones."),
    ] = None,
    settings: Settings = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of scenario files, for editors.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Find everything that is wrong with scenarios."""
    if schema:
        _print_schema()
    elif not scenarios:
        raise typer.BadParameter("name a scenario, or ask for --schema", param_hint="SCENARIO")
    if sum(_is_bad(scenario, settings, debug) for scenario in scenarios or ()):
        raise typer.Exit(FAILED)


def _is_bad(scenario: str, settings: list[str] | None, debug: bool) -> bool:
    from marketsim.cli.scenarios import describe, read

    try:
        spec = read(scenario, settings)
    except ConfigurationError as error:
        if debug:
            raise
        say(str(error))
        return True
    say(f"ok: {describe(spec)}")
    if spec.description:
        say(f"    {spec.description.strip()}")
    _tell_of_memory(spec)
    return False


def _tell_of_memory(spec: ScenarioSpec) -> None:
    """A scenario that is too large for this machine is not wrong: it may be meant for another one."""
    from marketsim.simulation.memory import require_memory

    try:
        require_memory(spec)
    except ConfigurationError as error:
        say(f"    but this machine cannot run it: {error}")


def _print_schema() -> None:
    import json

    from marketsim.scenario.schema import json_schema

    typer.echo(json.dumps(json_schema(types=True), indent=2, ensure_ascii=False))
