"""The door: everything that comes to the server's port, over HTTP and WebSocket, as an ASGI application.

Requests of the dialect go to the venue, everything else (control, metrics, the OpenAPI page) to the control
application. Addresses that are not allowed, bodies that are too long or never end, connections beyond those that there
is room for, and paths that are none are refused here. It knows no market.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from time import perf_counter
from typing import Any

from marketsim.gateway.binance.audience import encode
from marketsim.gateway.binance.errors import VenueError
from marketsim.gateway.binance.exchange import BinanceExchange, Reply
from marketsim.gateway.binance.operations import by_path
from marketsim.gateway.binance.sockets import ApiSocket, StreamSocket, target
from marketsim.gateway.connection import GONE, Connection, Outboxes
from marketsim.gateway.heart import Turnstile
from marketsim.gateway.keys import allowed
from marketsim.gateway.metrics import Metrics

LONGEST_BODY = 65_536  # bytes
LONGEST_QUERY = 8_192
LONGEST_MESSAGE = 65_536  # of a WebSocket, bytes
PATIENCE = 10.0  # seconds in which a body must have arrived
MOST_MESSAGES = 100  # that a connection for streams may send in a second
_POLICY = 1008

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """The ASGI application of a gateway.

    control: takes what is not the dialect's. addresses: who may come in, as networks; none means everybody.
    turnstile: where requests wait while the market has its turn. crowded: whether there is no room for more.
    """

    def __init__(
        self,
        exchange: BinanceExchange,
        control: Application,
        metrics: Metrics,
        addresses: Sequence[str] = (),
        turnstile: Turnstile | None = None,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._exchange = exchange
        self._control = control
        self._metrics = metrics
        self._addresses = tuple(addresses)
        self._turnstile = turnstile or Turnstile()
        self._crowded = crowded
        self._outboxes = Outboxes()
        self._known = by_path()
        self.connections: set[Connection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request or one connection."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _unless_gone(scope, send))

    # --- HTTP ---

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._may_enter(scope):
            await _reply(send, Reply(403, {"code": -1005, "msg": "No such IP has been white listed"}, {}))
            return
        if self._crowded():
            await _reply(send, Reply(503, _CROWDED, _CLOSE))
            return
        arrived = perf_counter()
        body = await self._whole_body(scope, receive, send)
        if body is None:
            return
        await self._turnstile.passed(scope.get("client"))
        if self._exchange.knows(scope["path"]):
            await self._venue(scope, body, send, arrived)
        else:
            await self._control(scope, _replayed(body, receive), send)

    async def _whole_body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """The body, once all of it is there; None where the request was refused for it, or its client is gone."""
        length, chunked = 0, False
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 18 else LONGEST_BODY + 1
            elif name == b"transfer-encoding":
                chunked = True
        if length > LONGEST_BODY or len(scope["query_string"]) > LONGEST_QUERY:
            await _reply(send, _too_long())
            return None
        if not length and not chunked:
            return b""
        try:
            return await asyncio.wait_for(_body(receive), PATIENCE)
        except TimeoutError:
            await _reply(send, Reply(408, {"code": -1007, "msg": "The body of the request did not arrive."}, _CLOSE))
        except _TooLong:
            await _reply(send, _too_long())
        except _Gone:
            pass
        return None

    async def _venue(self, scope: Scope, body: bytes, send: Send, arrived: float) -> None:
        method, path = scope["method"], scope["path"]
        api_key = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-mbx-apikey"), None)
        try:
            reply = await self._exchange.request(method, path, scope["query_string"], body, api_key, _address(scope))
        except Exception:  # noqa: BLE001 - told to the client, and to whoever runs the server
            _log.exception("a request could not be answered: %s", method)
            reply = Reply(500, _BROKEN, {})
        await _reply(send, reply)
        if (method, path) not in self._known:  # whoever asks must not decide on the names of metrics
            self._metrics.refused("http", reply.status)
            return
        spent = perf_counter() - arrived
        self._metrics.answered("http", f"{method} {path}", reply.status, spent)
        if reply.status == 200 and method == "POST" and path == "/api/v3/order":
            self._metrics.acknowledged.observe(spent)

    # --- WebSocket ---

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the wish to connect
        found = target(scope["path"], scope["query_string"].decode("latin-1"))
        if not self._may_enter(scope) or found is None:
            await _turn_away(send, 403 if found is not None else 404)
            return
        if self._crowded():
            await _turn_away(send, 503, _CROWDED)
            return
        await self._turnstile.passed(scope.get("client"))
        kind, names, combined = found
        connection = Connection(dict(scope), send, self._metrics, self._outboxes)
        socket: StreamSocket | ApiSocket
        if kind == "api":
            query = scope["query_string"].decode("latin-1")
            socket = ApiSocket(self._exchange, connection, self._metrics, query)
        else:
            socket = StreamSocket(self._exchange, connection, combined=combined)
            try:
                socket.open(names)
            except VenueError as error:
                socket.end()
                await _turn_away(send, 400, error.body)
                return
        self.connections.add(connection)
        try:
            await send({"type": "websocket.accept"})
            await self._serve(connection, socket, receive)
        finally:
            connection.gone()
            self.connections.discard(connection)
            socket.end()

    async def _serve(self, connection: Connection, socket: StreamSocket | ApiSocket, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        writing = loop.create_task(connection.write())
        reading = loop.create_task(self._read(connection, socket, receive))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, reading):
                task.cancel()
            for ended in await asyncio.gather(writing, reading, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, OSError):
                    raise ended

    async def _read(self, connection: Connection, socket: StreamSocket | ApiSocket, receive: Receive) -> None:
        received, passed = self._metrics.received, self._turnstile.passed
        second, messages = 0, 0
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            received.inc()
            text = message.get("text")
            if text is None:
                await connection.close(1003, "binary messages")
                return
            if isinstance(socket, StreamSocket):
                second, messages = _counted(second, messages)
                if messages > MOST_MESSAGES:
                    await connection.close(_POLICY, "too many messages")
                    return
            await passed(connection)
            if connection.closed:
                return
            await socket.take(text)

    # --- inner ---

    def _may_enter(self, scope: Scope) -> bool:
        return allowed(_address(scope), self._addresses)


_log = logging.getLogger("marketsim.gateway")
_CLOSE = {"Connection": "close"}
_CROWDED = {"code": -1008, "msg": "Server is currently overloaded with other requests. Please try again in a while."}
_BROKEN = {"code": -1000, "msg": "An unknown error occurred while processing the request."}


class _TooLong(Exception):
    """A body that is longer than any may be."""


class _Gone(Exception):
    """A client that left before its request was whole."""


def _counted(second: int, messages: int) -> tuple[int, int]:
    """One more message: the second that it came in, and how many came in that second."""
    now = int(perf_counter())
    return (second, messages + 1) if now == second else (now, 1)


def _too_long() -> Reply:
    return Reply(413, {"code": -1101, "msg": f"The request is longer than {LONGEST_BODY:,} bytes."}, _CLOSE)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


async def _body(receive: Receive) -> bytes:
    """The whole body; _TooLong or _Gone where there is none."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            raise _TooLong
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was taken in already, and then what comes after it."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _unless_gone(scope: Scope, send: Send) -> Send:
    """Send, as long as somebody is there to hear it."""
    gone: Callable[[], Awaitable[bool]] | None = scope.get(GONE)

    async def send_if_there(message: MutableMapping[str, Any]) -> None:
        if gone is None or not await gone():
            await send(message)

    return send_if_there


async def _reply(send: Send, reply: Reply) -> None:
    text = encode(reply.body).encode("utf-8", "replace")
    headers = [
        (b"content-type", b"application/json;charset=UTF-8"),
        (b"content-length", str(len(text)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in reply.headers.items()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _turn_away(send: Send, status: int, body: Any = None) -> None:
    said = "No such IP has been white listed" if status == 403 else "There is no such stream."
    text = json.dumps(body or {"code": -1005 if status == 403 else -5000, "msg": said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text})
