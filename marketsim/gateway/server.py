"""The server: a live session behind a port of this machine, from the first check to the closed run.

``Gateway`` puts the parts together; ``serve`` runs it until the scenario is over or somebody ends it; ``background``
runs it on a thread of its own, for tests and notebooks. It holds no logic of a market and none of the dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.domain.units import SECOND
from marketsim.errors import (
    ConfigurationError,
    GatewayError,
    InvalidValueError,
    MissingDependency,
    StoreError,
    did_you_mean,
)
from marketsim.gateway.keys import KeyStore, NewKey, parse_addresses
from marketsim.gateway.quota import VENUE, Quota, Rule
from marketsim.kernel.pacing import Pacer, check_span, wall_milliseconds
from marketsim.results.folder import MANIFEST, RUNS, next_free
from marketsim.results.journal import JOURNAL, Past
from marketsim.results.manifest import Manifest
from marketsim.scenario.loader import load
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation.live import LiveSession, with_seats

if TYPE_CHECKING:
    from marketsim.gateway.binance.exchange import BinanceExchange
    from marketsim.gateway.heart import Turnstile
    from marketsim.gateway.metrics import Metrics
    from marketsim.results.run import Run
    from marketsim.simulation.execution import Progress

PORT = 8080
MOST_CONNECTIONS = 2_000
SEND_BUFFER = 128 << 10  # bytes that the system keeps for a client who does not read; none of them is conflated
_SPARE_FILES = 200  # of those that a process may open, for everything that is no connection
_LAST_ANSWERS = 0.5  # seconds in which requests under way may still be answered when the session ends


@dataclass(frozen=True)
class Options:
    """How a session is served.

    host, port: where; port 0 takes a free one. Another host than the loopback needs a certificate, or ``plain``.
    speed: simulated seconds in a second of wall time. paused: begin with the clock standing still.
    clients: names of seats, added where the scenario has none of them. venue: the one that is served.
    keys: of whom may trade; those who have none get one for this session. rules: limits of requests and orders.
    allow: addresses and networks that may connect; none means all. token: of the control.
    cancel_on_disconnect: wall seconds after which a client without a user stream loses its orders; None: never.
    durable: wait for the disk at each command.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    speed: float = 1.0
    paused: bool = False
    clients: Sequence[str] = ()
    venue: str | None = None
    keys: KeyStore | None = None
    rules: Sequence[Rule] = VENUE
    allow: Sequence[str] = ()
    token: str = ""
    certificate: Path | None = None
    private_key: Path | None = None
    plain: bool = False
    cancel_on_disconnect: float | None = None
    durable: bool = False


class Ending:
    """The wish that a session ends, from any thread, before or while it is served."""

    def __init__(self) -> None:
        self._asked = False
        self._tell: Callable[[], None] = lambda: None

    def come(self) -> None:
        """It should end."""
        self._asked = True
        self._tell()

    async def wait(self) -> None:
        """Come back when it should."""
        loop, bell = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is over: so is what should end
                loop.call_soon_threadsafe(bell.set)

        self._tell = tell
        if not self._asked:
            await bell.wait()


@dataclass
class Gateway:
    """A live session that is served. ``fresh``: keys that were made for this session, by client."""

    live: LiveSession
    pacer: Pacer
    exchange: BinanceExchange
    metrics: Metrics
    options: Options
    socket: socket.socket
    secure: ssl.SSLContext | None
    fresh: Mapping[str, NewKey] = field(default_factory=dict)
    failure: BaseException | None = None
    result: Run | None = None  # once it is closed
    _ends: Ending = field(default_factory=Ending)

    @property
    def url(self) -> str:
        """Where it is, such as ``http://127.0.0.1:8080``."""
        host, port = self.socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.secure else 'http'}://{shown}:{port}"

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until the session is over or ``stop`` is called. What broke the market is raised."""
        from marketsim.gateway.guard import sweep
        from marketsim.gateway.heart import Heart, Turnstile

        turnstile = Turnstile()
        server = self._server(turnstile)
        heart = Heart(
            self.pacer,
            self._publish,
            lambda: self.exchange.desk.waiting > 0,
            self._is_over,
            self.metrics,
            turnstile,
        )
        self._guard_orders()
        serving = asyncio.create_task(server.serve(sockets=[self.socket]))
        beating = asyncio.create_task(heart.beat())
        ending = asyncio.create_task(self._ends.wait())
        sweeping = asyncio.create_task(sweep(server.server_state.connections))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        started()
        await asyncio.wait((serving, beating, ending), return_when=asyncio.FIRST_COMPLETED)
        if beating.done() and beating.exception() is not None:
            self.failure = beating.exception()
        await self._answer_the_last(beating)
        server.should_exit = True
        await serving
        for task in (beating, ending, sweeping):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    def ccxt_config(self, client: str) -> dict[str, Any]:
        """What ccxt's ``binance`` classes take, for a client with a key of this session."""
        from marketsim.gateway.clients import ccxt_config

        new = self.fresh.get(client)
        if new is None:
            raise ConfigurationError(
                f"no key was made for {client!r} in this session{did_you_mean(client, self.fresh)}; clients with "
                "lasting keys name them themselves"
            )
        return ccxt_config(self.url, new.api_key, new.secret)

    def stop(self) -> None:
        """Let ``run`` come to its end; from any thread, also before it has begun."""
        self._ends.come()

    def close(self) -> Run:
        """Close the session, in order or, when the market broke, marked incomplete."""
        self.socket.close()
        for client in self.live.clients.values():
            client.hear(None)
        if self.failure is not None:
            self.live.abandon()
            raise self.failure
        if self.result is None:
            self.result = self.live.finish()
        return self.result

    # --- inner ---

    def _server(self, turnstile: Turnstile) -> Any:
        from marketsim.gateway import guard
        from marketsim.gateway.control import control_application
        from marketsim.gateway.door import LONGEST_MESSAGE, Door

        uvicorn = _uvicorn()
        control = control_application(
            self.live, self.pacer, self.exchange, self.metrics, token=self.options.token, end=self.stop
        )
        most = _most_connections()
        door = Door(
            self.exchange, control, self.metrics, parse_addresses(self.options.allow), turnstile,
            lambda: len(server.server_state.connections) > most,
        )  # fmt: skip
        self._watch(door)
        config = uvicorn.Config(
            door, http=guard.GuardedHttp, ws=guard.GuardedSocket, ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False, ws_ping_interval=guard.PING_EVERY, ws_ping_timeout=guard.PING_PATIENCE,
            lifespan="off", proxy_headers=False, server_header=False, log_config=None, log_level="error",
            access_log=False, timeout_keep_alive=30, timeout_graceful_shutdown=2, backlog=2048,
        )  # fmt: skip
        config.load()
        config.ssl = self.secure
        server = _quiet_server(uvicorn, config)
        return server

    async def _answer_the_last(self, beating: asyncio.Task[None]) -> None:
        """Let requests under way be answered while the market still goes; tell the others that it does not."""
        desk, clock = self.exchange.desk, asyncio.get_running_loop().time
        until = clock() + _LAST_ANSWERS
        while desk.waiting and not beating.done() and clock() < until:
            await asyncio.sleep(0.005)
        desk.give_up()
        await asyncio.sleep(0.02)

    def _publish(self) -> None:
        self.exchange.streams.publish()
        self.exchange.desk.expire()

    def _is_over(self) -> bool:
        return self.live.now >= self.live.end

    def _watch(self, door: Any) -> None:
        metrics, desk = self.metrics, self.exchange.desk
        metrics.watch_pace(lambda: self.pacer.pace, self.live.spec.start)
        metrics.gauge("marketsim_connections", "WebSocket connections", lambda: len(door.connections))
        metrics.gauge("marketsim_waiting_requests", "Requests without an answer", lambda: desk.waiting)
        metrics.gauge("marketsim_streams", "Market streams that are listened to", self.exchange.streams.count)
        metrics.gauge(
            "marketsim_outbox_messages", "Messages that wait for slow clients",
            lambda: sum(connection.waiting for connection in tuple(door.connections)),
        )  # fmt: skip
        metrics.gauge("marketsim_events", "Events of the market so far", lambda: self.live.execution.events)
        metrics.gauge("marketsim_journal_bytes", "Size of the journal", lambda: self.live.journal.size)
        metrics.labelled(
            "marketsim_open_orders", "Orders that may still trade, by client", "client",
            lambda: [(name, sum(1 for _ in client.live())) for name, client in self.live.clients.items()],
        )  # fmt: skip

    def _guard_orders(self) -> None:
        """Cancel the orders of who is gone for too long, where that is asked for."""
        general = self.options.cancel_on_disconnect
        loop = asyncio.get_running_loop()
        audience, desk = self.exchange.audience, self.exchange.desk

        def later(client: str) -> None:
            own = self.live.seat(client).cancel_on_disconnect
            patience = general if own is None else int(own) / SECOND
            if patience is not None:
                loop.call_later(patience, check, client)

        def check(client: str) -> None:
            if not audience.anyone(client) and not self._is_over():
                with contextlib.suppress(GatewayError):  # the market closes at this very moment
                    desk.silence(self.live.seat(client))

        audience.when_gone(later)


def prepare(
    spec: ScenarioSpec,
    folder: str | Path,
    options: Options | None = None,
    *,
    past: Past | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Gateway:
    """Everything that is needed to serve a scenario, checked in the order in which it costs least to find out.

    Raises ConfigurationError, GatewayError (the port, the certificate), StoreError (the folder) or MissingDependency.
    """
    chosen = options or Options()
    _uvicorn()
    from marketsim.gateway.binance.exchange import BinanceExchange
    from marketsim.gateway.binance.markets import check_names
    from marketsim.gateway.metrics import Metrics

    secure = _secure(chosen)
    _check_words(chosen)
    check_span(spec.duration - spec.warm_up, chosen.speed)
    seated = spec if past is not None else with_seats(spec, chosen.clients, venue=chosen.venue)
    check_names([seated.instrument(symbol) for symbol in seated.instruments_of(_served(seated, chosen.venue))])
    metrics = Metrics()
    listener = _listen(chosen)
    try:
        live = LiveSession(
            seated,
            folder,
            epoch=lambda: epoch_for(seated, wall_milliseconds()),
            lease=max(SECOND, int(SECOND * chosen.speed)),
            durable=chosen.durable,
            past=past,
            progress=progress,
        )
    except BaseException:
        listener.close()
        raise
    try:
        pacer = Pacer(live, live.end, chosen.speed, paused=chosen.paused)
        keys, fresh = _keys(chosen.keys, live)
        exchange = BinanceExchange(live, pacer, keys, Quota(chosen.rules))
    except BaseException:
        listener.close()
        live.abandon()
        if past is None:  # nobody was served: nothing is left behind
            shutil.rmtree(live.journal.path.parent, ignore_errors=True)
        raise
    return Gateway(live, pacer, exchange, metrics, chosen, listener, secure, fresh)


def epoch_for(spec: ScenarioSpec, wall: int) -> int:
    """ms since 1970 that the start of a scenario stands for, so that its warm-up ends now; full seconds agree."""
    start = wall - spec.warm_up // 1_000_000
    return start - start % 1000 + spec.start // 1_000_000 % 1000


def resumed(folder: str | Path) -> tuple[ScenarioSpec, Past]:
    """The scenario and the journal of a session whose server was killed."""
    found = Path(folder)
    for place in (found, found.with_name(found.name + ".partial")):
        if (place / JOURNAL).is_file():
            past = Past(place / JOURNAL)
            if past.end is not None:
                raise StoreError(f"{place}: this session was closed in order; there is nothing to resume")
            return ScenarioSpec.from_dict(Manifest.read(place / MANIFEST).spec), past
    raise StoreError(f"{found}: no session's folder: {JOURNAL} is missing; name the folder that marketsim serve made")


def serve(gateway: Gateway, started: Callable[[], None] = lambda: None) -> Run:
    """Serve until it is over, interrupted or ended by its control, and close the run."""
    try:
        _run(gateway.run(started))
    except KeyboardInterrupt:
        pass
    except BaseException as error:  # noqa: BLE001 - raised again when the run is closed
        gateway.failure = gateway.failure or error
    return gateway.close()


@contextlib.contextmanager
def background(gateway: Gateway) -> Iterator[Gateway]:
    """Serve on a thread of its own while the block lasts; the session is closed behind it."""
    ready = threading.Event()
    thread = threading.Thread(target=_thread, args=(gateway, ready), name="marketsim gateway", daemon=True)
    thread.start()
    ready.wait()
    try:
        if gateway.failure is not None:
            raise gateway.failure
        yield gateway
    finally:
        gateway.stop()
        thread.join()
        gateway.close()


@contextlib.contextmanager
def running(
    scenario: str | Path | Mapping[str, Any] | ScenarioSpec, folder: str | Path | None = None, **options: Any
) -> Iterator[Gateway]:
    """Serve a scenario while the block lasts, on a free port; afterwards ``result`` of what it gave is the run.

    scenario: a ready name, a file, a mapping or a spec (``simulation.spec``). folder: of the run; the next free one in
    ``runs`` when left out. options: as of ``Options``, such as ``speed=10`` and ``clients=["alice", "bob"]``.
    """
    spec = scenario if isinstance(scenario, ScenarioSpec) else load(scenario)
    place = folder if folder is not None else next_free(RUNS, spec.name, spec.seed)
    with background(prepare(spec, place, Options(**{"port": 0, **options}))) as gateway:
        yield gateway


def _thread(gateway: Gateway, ready: threading.Event) -> None:
    try:
        _run(gateway.run(ready.set))
    except BaseException as error:  # noqa: BLE001 - told where the block is left
        gateway.failure = gateway.failure or error
    finally:
        ready.set()


def _run(coroutine: Any) -> None:
    """Run on the fastest event loop that there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(coroutine)


def _uvicorn() -> Any:
    try:
        import fastapi  # noqa: F401
        import httptools  # noqa: F401
        import uvicorn
        import websockets  # noqa: F401
    except ImportError as error:
        raise MissingDependency(error.name or "uvicorn", "serve") from None
    return uvicorn


def _quiet_server(uvicorn: Any, config: Any) -> Any:
    """A server that leaves signals to whoever runs it."""

    class Server(uvicorn.Server):  # type: ignore[misc]
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(config)


def _served(spec: ScenarioSpec, venue: str | None) -> str:
    if venue is not None:
        return venue
    feed = next((agent for agent in spec.agents.values() if agent.type == "public_feed"), None)
    return feed.venues[0] if feed is not None and feed.venues else next(iter(spec.venues))


def _keys(store: KeyStore | None, live: LiveSession) -> tuple[KeyStore, dict[str, NewKey]]:
    """The keys of all seats: those of the store, and one for this session for each seat that has none."""
    temporary = KeyStore.in_memory()
    owners = {key.client for key in store.keys()} if store is not None else set()  # noqa: SIM118 - no mapping
    fresh = {name: temporary.create(name, label="this session") for name in live.clients if name not in owners}
    if store is None:
        return temporary, fresh
    return _Both(store, temporary) if fresh else store, fresh


class _Both(KeyStore):
    """Lasting keys and those of a session."""

    def __init__(self, lasting: KeyStore, temporary: KeyStore) -> None:
        self._stores = (lasting, temporary)

    def find(self, api_key: str) -> Any:
        """The key in one of them."""
        return next((key for store in self._stores if (key := store.find(api_key)) is not None), None)


def _check_words(options: Options) -> None:
    """Refuse what would only be noticed once somebody comes."""
    parse_addresses(options.allow)
    if options.keys is not None:
        options.keys.keys()  # a file that cannot be read is told now
    if not (options.token.isascii() and (not options.token or options.token.isprintable())) or " " in options.token:
        raise InvalidValueError(
            "the control token has signs that no header may have: use letters, digits and marks of ASCII"
        )
    patience = options.cancel_on_disconnect
    if patience is not None and not 0 <= patience < float("inf"):
        raise InvalidValueError(f"cancel on disconnect after {patience} s: write a time of 0 or more, such as 5s")


def _most_connections() -> int:
    """How many connections there is room for."""
    try:
        import resource
    except ImportError:  # not everywhere
        return MOST_CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(MOST_CONNECTIONS, max(50, files - _SPARE_FILES)) if files > 0 else MOST_CONNECTIONS


def _listen(options: Options) -> socket.socket:
    if not 0 <= options.port <= 65_535:
        raise InvalidValueError(f"port {options.port}: a port is a number from 0 (any free one) to 65535")
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections have the same
        listener.bind((options.host, options.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise GatewayError(
                f"host {options.host}: no address of this machine; listen on 127.0.0.1, on 0.0.0.0 for all of its "
                "addresses, or on one of them"
            ) from error
        raise GatewayError(
            f"port {options.port} on {options.host} cannot be had: {error.strerror}; choose another one with --port, "
            "or 0 for any that is free"
        ) from error
    listener.setblocking(False)
    return listener


def _secure(options: Options) -> ssl.SSLContext | None:
    """The TLS context; None on the loopback without a certificate."""
    if options.certificate is None:
        if options.private_key is not None:
            raise GatewayError(f"{options.private_key}: a private key without its certificate; give both")
        if not is_loopback(options.host) and not options.plain:
            raise GatewayError(
                f"host {options.host}: others than this machine could connect, and nothing would be encrypted; give a "
                "certificate, or say --plain if something else in front of it encrypts"
            )
        return None
    if options.private_key is None:
        raise GatewayError(f"{options.certificate}: a certificate needs its private key; give both")
    for what, path in (("certificate", options.certificate), ("private key", options.private_key)):
        if not path.is_file():
            raise GatewayError(f"{path}: there is no such file; give the {what} as PEM")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(options.certificate, options.private_key, password=lambda: "")  # nobody is asked
    except (ssl.SSLError, OSError, ValueError) as error:
        raise GatewayError(
            f"{options.certificate}: not a certificate with its key, unencrypted, in PEM form: {error}; make them again"
        ) from error
    return context


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's own, which no other reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ConfigurationError(f"host {host!r} is no address: write 127.0.0.1, ::1 or 0.0.0.0") from None
