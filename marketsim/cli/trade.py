"""``marketsim trade``: one agent trades at a venue, such as one that ``marketsim serve`` serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import note, output, say
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.options import Debug
from marketsim.errors import AgentError, ConfigurationError, GatewayError

if TYPE_CHECKING:
    from marketsim.domain.limits import Limits
    from marketsim.realtime import RealtimeSession, Trading
    from marketsim.trading.agent import Agent

_VENUE, _RISK = "The venue", "Risk"


@guarded
def trade(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help='A name that "marketsim list agents" shows, or module:Class.')
    ],
    url: Annotated[
        str, typer.Option("--url", help="Address of the venue.", rich_help_panel=_VENUE)
    ] = "http://127.0.0.1:8080",
    key: Annotated[
        str, typer.Option("--key", envvar="MARKETSIM_API_KEY", help="API key.", rich_help_panel=_VENUE)
    ] = "",
    secret: Annotated[
        str,
        typer.Option(
            "--secret",
            envvar="MARKETSIM_API_SECRET",
            help="Its secret; better in the environment, where no list of processes shows it.",
            rich_help_panel=_VENUE,
        ),
    ] = "",
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument",
            metavar="SYMBOL",
            help="Such as ABCUSD; all when left out. May be repeated.",
            rich_help_panel=_VENUE,
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            help="That of the served market: its seconds in a second. When left out, a market that is served on this "
            "machine is asked; 1 for any other.",
            rich_help_panel=_VENUE,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Allow another machine than this one.", rich_help_panel=_VENUE)
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the agent. May be repeated."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help='Such as "10min"; until Ctrl-C when left out.')
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the agent's random draws.")] = 0,
    name: Annotated[str, typer.Option("--name", help="Of the agent, which decides its draws too.")] = "trader",
    max_order: Annotated[
        int | None, typer.Option("--max-order", metavar="LOTS", help="Largest order.", rich_help_panel=_RISK)
    ] = None,
    max_position: Annotated[
        int | None, typer.Option("--max-position", metavar="LOTS", help="Largest position.", rich_help_panel=_RISK)
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="NAME=VALUE",
            help='Any limit of docs/risk.md, such as max_drawdown=10%, or "default". May be repeated.',
            rich_help_panel=_RISK,
        ),
    ] = None,
    keep_orders: Annotated[
        bool, typer.Option("--keep-orders", help="Leave open orders at the end.", rich_help_panel=_RISK)
    ] = False,
    debug: Debug = False,
) -> None:
    """Let an agent trade at a venue, in real time, and sum up what it did."""
    from marketsim.realtime import Endpoints
    from marketsim.realtime import trade as trade_there

    if not key or not secret:
        missing = "an API key" if not key else "a secret"
        raise ConfigurationError(
            f"{missing} is needed: give --key and --secret, or set MARKETSIM_API_KEY and MARKETSIM_API_SECRET to what "
            "marketsim serve or marketsim keys create has shown"
        )
    trader = _agent(agent, settings or ())
    limits = _limits(limit or (), max_order, max_position)
    Endpoints.of(url).check(live=live, allow="--live")
    pace = _pace(url, speed)

    def started(session: RealtimeSession) -> None:
        note(f"{name} trades at {url}, speed {pace:g}; Ctrl-C ends it in order")

    try:
        done = trade_there(
            trader, url, key, secret, instruments=instrument, limits=limits, duration=duration, seed=seed, name=name,
            speed=pace, live=live, cancel_on_stop=not keep_orders, started=started,
        )  # fmt: skip
    except AgentError as error:
        from marketsim.cli.blame import tell_agent_error

        tell_agent_error(error, debug=debug)
        _tell(getattr(error, "result", None))
        raise typer.Exit(FAILED) from None
    except GatewayError as error:
        _tell(getattr(error, "result", None))
        raise
    _tell(done)


def _limits(given: Sequence[str], max_order: int | None, max_position: int | None) -> Limits:
    """Limits as a scenario would say them."""
    from marketsim.scenario.limits import LimitsSpec
    from marketsim.scenario.overrides import with_overrides

    said = [f"limits.{text}" if "=" in text else f"limits.preset={text}" for text in given]
    said += [f"limits.{n}={v}" for n, v in (("max_order", max_order), ("max_position", max_position)) if v is not None]
    try:
        return LimitsSpec.model_validate(with_overrides({"limits": {}}, said)["limits"]).limits()
    except ValueError as error:
        raise ConfigurationError(f"limits: {_words(error)}") from None


def _words(error: ValueError) -> str:
    """What is wrong, without the frame that pydantic puts around it."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    return "; ".join(
        ".".join(map(str, one["loc"])) + ": " * bool(one["loc"]) + one["msg"].removeprefix("Value error, ")
        for one in errors()
    )


def _pace(url: str, speed: float | None) -> float:
    """The speed to trade at: what was given, with a warning where the market has another one, else the market's."""
    from marketsim.realtime.served_speed import served_speed

    served = served_speed(url)
    if speed is None:
        return 1.0 if served is None else served
    if served is not None and served != speed:
        note(
            f"warning: the market at {url} runs at speed {served:g}, not {speed:g}: the agent's timers will not keep "
            f"its pace; leave --speed out, or say --speed {served:g}"
        )
    return speed


def _agent(name: str, settings: Any) -> Agent:
    """The agent with its parameters, read as a scenario reads them."""
    from marketsim.cli.scenarios import find_modules
    from marketsim.scenario.overrides import with_overrides
    from marketsim.scenario.registry import REGISTRY
    from marketsim.trading.agent import Agent

    _refuse_file(name)
    find_modules()
    described = {"agents": {"agent": {"type": name}}}
    given = with_overrides(described, [f"agents.agent.{text}" for text in settings])["agents"]["agent"]
    parameters = {**given.pop("parameters", {}), **{key: value for key, value in given.items() if key != "type"}}
    made = REGISTRY.build("agent", name, parameters)
    if not isinstance(made, Agent):
        raise ConfigurationError(
            f"{name} lives in the compiled market only: outside trade agents written in Python, such as market_maker"
        )
    return made


def _refuse_file(name: str) -> None:
    """A class is found by its module, not by the module's file."""
    file, _, wanted = name.partition(":")
    if not file.endswith(".py"):
        return
    path = Path(file)
    where = f" in the folder {path.parent}" if path.parent != Path() else ""
    raise ConfigurationError(
        f'"{name}" names a file, and an agent is named by its module: write {path.stem}:{wanted or "Class"}{where}'
    )


def _tell(done: Trading | None) -> None:
    """What came of it."""
    if done is None:
        return
    from marketsim.cli.console import empty_table

    say(f"{done.name} traded {(done.ended - done.begun) / 1e9:,.1f} s of the venue's time, ended by: {done.why}")
    table = empty_table()
    for heading in ("", "orders", "fills", "position", "P&L after fees"):
        table.add_column(heading, justify="left" if not heading else "right")
    held = ", ".join(f"{lots:+,} {symbol}" for symbol, lots in done.portfolio.lots.items()) or "0"
    pnl = f"{done.pnl:,.4f} {done.portfolio.currency}"
    table.add_row(done.name, f"{len(done.orders):,}", f"{len(done.fills):,}", held, pnl)
    output().print(table)
    for refusal in done.refusals:
        say(str(refusal))
    for verb, told in done.latencies.items():
        if told.count:
            say(f"{verb:8} {told.count:6,} answers, median {told.median:.2f} ms, 99 % {told.p99:.2f} ms")
    for difference in done.differences:
        note(f"account and portfolio: {difference}")
    if done.reconnections:
        note(f"{done.reconnections} reconnections, {done.missed} fills that were found out afterwards")
