"""``marketsim serve``: a simulated market as an exchange that trading clients connect to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import complain, note, say
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.options import Browse, Debug, Seed, Settings

if TYPE_CHECKING:
    from marketsim.gateway.server import Gateway, Options
    from marketsim.results.journal import Past
    from marketsim.results.run import Run
    from marketsim.scenario.spec import ScenarioSpec

_SECURITY, _MARKET, _LIMITS = "Who may connect", "The market", "Limits"


@guarded
def serve(
    scenario: Annotated[
        str,
        typer.Argument(metavar="SCENARIO", help='A scenario file, or the name of a ready one; see "marketsim list".'),
    ] = "",
    seed: Seed = None,
    settings: Settings = None,
    speed: Annotated[
        float, typer.Option("--speed", help="Simulated seconds in a second.", rich_help_panel=_MARKET)
    ] = 1.0,
    duration: Annotated[
        str | None,
        typer.Option("--duration", help='How long the market runs, such as "8h".', rich_help_panel=_MARKET),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", help="A client. May be repeated.", rich_help_panel=_MARKET),
    ] = None,
    venue: Annotated[
        str | None,
        typer.Option("--venue", help="The venue that is served; the first when left out.", rich_help_panel=_MARKET),
    ] = None,
    paused: Annotated[
        bool, typer.Option("--paused", help="Begin with the clock standing still.", rich_help_panel=_MARKET)
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.", rich_help_panel=_SECURITY)] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 for any that is free.", rich_help_panel=_SECURITY)] = 8080,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help='Keys made by "marketsim keys create"; the usual file when left out.',
            rich_help_panel=_SECURITY,
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NET", help="Who may connect, such as 10.0.0.0/8.", rich_help_panel=_SECURITY),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="PEM", help="For TLS 1.3.", rich_help_panel=_SECURITY)
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", metavar="PEM", help="Its key.", rich_help_panel=_SECURITY)
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="No TLS on another host than this.", rich_help_panel=_SECURITY)
    ] = False,
    control_token: Annotated[
        str,
        typer.Option(
            "--control-token",
            envvar="MARKETSIM_CONTROL_TOKEN",
            help="That X-MARKETSIM-TOKEN must say to pause, step or end.",
            rich_help_panel=_SECURITY,
        ),
    ] = "",
    limits: Annotated[
        str,
        typer.Option(
            "--limits",
            help='Of requests and orders, such as "ORDERS=50/10s", or "off"; the real venue\'s when left out.',
            rich_help_panel=_LIMITS,
        ),
    ] = "",
    cancel_on_disconnect: Annotated[
        str | None,
        typer.Option(
            "--cancel-on-disconnect",
            metavar="TIME",
            help="Cancel the orders of a client whose user stream has been gone for so long.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    durable: Annotated[
        bool, typer.Option("--durable", help="Wait for the disk at each order.", rich_help_panel=_LIMITS)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The run's folder; runs/<scenario>-<seed>-<n> when left out."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="FOLDER", help="Go on with a session whose server was killed.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report at the end.")] = False,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Serve a simulated market to real trading clients, over HTTP and WebSocket."""
    from marketsim.domain.units import SECOND
    from marketsim.domain.units import duration as nanoseconds
    from marketsim.gateway.keys import KeyStore, default_path
    from marketsim.gateway.quota import parse_rules
    from marketsim.gateway.server import Options

    spec, past = _chosen(scenario, settings, seed, duration, resume)
    place = keys or default_path()
    store = KeyStore(place) if keys is not None or place.exists() else None
    options = Options(
        host=host,
        port=port,
        speed=speed,
        paused=paused,
        clients=tuple(client or ()),
        venue=venue,
        keys=store,
        rules=parse_rules(limits),
        allow=tuple(allow or ()),
        token=control_token or _token(host),
        certificate=certificate,
        private_key=private_key,
        plain=plain,
        cancel_on_disconnect=None if cancel_on_disconnect is None else nanoseconds(cancel_on_disconnect) / SECOND,
        durable=durable,
    )
    done = _serve(spec, past, options, out)
    from marketsim.cli.run import tell

    tell(done, with_report=not no_report, profile=False, browse=browse)


def _chosen(
    scenario: str, settings: list[str] | None, seed: int | None, duration: str | None, resume: Path | None
) -> tuple[ScenarioSpec, Past | None]:
    from marketsim.cli.scenarios import read
    from marketsim.gateway.server import resumed

    if resume is not None:
        if scenario or settings or seed is not None or duration is not None:
            raise typer.BadParameter("a session goes on as it was: leave the scenario and its settings out")
        return resumed(resume)
    if not scenario:
        raise typer.BadParameter('which scenario? For a beginning: "marketsim serve quickstart"')
    changed = [*(settings or ()), *([] if duration is None else [f"duration={duration}"])]
    return read(scenario, changed, seed), None


def _token(host: str) -> str:
    """A token for the control, where others than this machine can reach it."""
    from marketsim.gateway.server import is_loopback
    from marketsim.kernel.token import fresh_token

    return "" if is_loopback(host) else fresh_token(32)


def _serve(spec: ScenarioSpec, past: Past | None, options: Options, out: Path | None) -> Run:
    from marketsim.cli.progress import RunProgress
    from marketsim.gateway.server import prepare, serve
    from marketsim.kernel.compilation import watched_compilation
    from marketsim.results.folder import RUNS, next_free

    folder = out or next_free(RUNS, spec.name, spec.seed)
    end = past.lease if past is not None else spec.start + max(spec.warm_up, 1)
    with RunProgress(spec.start, end, spec.local_time) as progress, watched_compilation(progress.compiling):
        gateway = prepare(spec, folder, options, past=past, progress=progress)
    with _ended_by_signals(gateway):
        try:
            return serve(gateway, lambda: _welcome(gateway, folder, past))
        except Exception as error:
            complain(f"the market broke: {type(error).__name__}: {error}")
            note(f"what was recorded until then is in {folder}.partial, with the journal of all orders")
            raise typer.Exit(FAILED) from error


@contextmanager
def _ended_by_signals(gateway: Gateway) -> Iterator[None]:
    """An interrupt, or a request to terminate, closes the session in order; a second one ends it at once."""
    asked = False

    def end(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        note("closing the session")
        gateway.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _welcome(gateway: Gateway, folder: Path, past: Past | None) -> None:
    from marketsim.domain.units import SECOND, format_duration

    live, options = gateway.live, gateway.options
    left = format_duration(-(-(live.end - live.now) // SECOND) * SECOND)
    again = "" if past is None else f", gone on after {len(past.commands):,} commands of its journal"
    say(f"{live.spec.name}, seed {live.spec.seed}, at {gateway.url}{again}")
    served = gateway.exchange.markets.all
    say(f"symbols  {', '.join(f'{market.symbol} (in ccxt {market.base}/{market.quote})' for market in served)}")
    say(f"clock    speed {options.speed:g}{', paused' if options.paused else ''}, {left} until the market closes")
    say(f"journal  {folder}.partial")
    for name in live.clients:
        new = gateway.fresh.get(name)
        if new is None:
            say(f'client   {name}, with the keys that "marketsim keys list" shows')
        else:
            void = "" if past is None else ", those of before are void"
            say(f"client   {name}, with a key for this session{void}:")
            say(f"         api key  {new.api_key}")
            say(f"         secret   {new.secret}")
    if options.token:
        say(f"control  header X-MARKETSIM-TOKEN: {options.token}")
    note("In Python:  ccxt.binance(marketsim.gateway.ccxt_config(URL, API_KEY, SECRET))")
    note(f"Everything that can be asked: {gateway.url}/docs   Ctrl-C closes the session and writes the report.")
