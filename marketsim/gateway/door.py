"""The door: everything that comes to the server's port, over HTTP and WebSocket, as an ASGI application.

Requests of the dialect go to the venue, everything else (control, metrics, the OpenAPI page) to the control
application. Addresses that are not allowed, bodies that are too long or never end, and paths that are none are refused
here. It knows no market.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from time import perf_counter
from typing import Any

from marketsim.gateway.binance.audience import encode
from marketsim.gateway.binance.errors import VenueError
from marketsim.gateway.binance.exchange import BinanceExchange, Reply
from marketsim.gateway.binance.sockets import ApiSocket, StreamSocket, target
from marketsim.gateway.connection import Connection
from marketsim.gateway.keys import allowed
from marketsim.gateway.metrics import Metrics

LONGEST_BODY = 65_536  # bytes
LONGEST_QUERY = 8_192
LONGEST_MESSAGE = 65_536  # of a WebSocket, bytes
PATIENCE = 10.0  # seconds in which a body must have arrived
_METHODS = ("GET", "POST", "PUT", "DELETE")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """The ASGI application of a gateway.

    control: takes what is not the dialect's. addresses: who may come in, as networks; none means everybody.
    """

    def __init__(
        self, exchange: BinanceExchange, control: Application, metrics: Metrics, addresses: Sequence[str] = ()
    ) -> None:
        self._exchange = exchange
        self._control = control
        self._metrics = metrics
        self._addresses = tuple(addresses)
        self.connections: set[Connection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request or one connection."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    # --- HTTP ---

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._may_enter(scope):
            await _reply(send, Reply(403, {"code": -1005, "msg": "No such IP has been white listed"}, {}))
        elif self._exchange.knows(scope["path"]):
            await self._venue(scope, receive, send)
        else:
            await self._control(scope, receive, send)

    async def _venue(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = perf_counter()
        method, path = scope["method"], scope["path"]
        api_key = None
        length = 0
        for name, value in scope["headers"]:
            if name == b"x-mbx-apikey":
                api_key = value.decode("latin-1")
            elif name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 18 else LONGEST_BODY + 1
        if length > LONGEST_BODY or len(scope["query_string"]) > LONGEST_QUERY:
            await _reply(send, _too_long())
            return
        try:
            body = await asyncio.wait_for(_body(receive), PATIENCE) if method != "GET" or length else b""
        except TimeoutError:
            await _reply(send, Reply(408, {"code": -1007, "msg": "The body of the request did not arrive."}, _CLOSE))
            return
        if body is None:
            await _reply(send, _too_long())
            return
        reply = await self._exchange.request(method, path, scope["query_string"], body, api_key, _address(scope))
        await _reply(send, reply)
        if reply.status in (404, 405):
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
        kind, names, combined = found
        connection = Connection(dict(scope), send, self._metrics)
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
            connection.closed = True
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
        received = self._metrics.received
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            received.inc()
            text = message.get("text")
            if text is None:
                await connection.close(1003, "binary messages")
                return
            await socket.take(text)

    # --- inner ---

    def _may_enter(self, scope: Scope) -> bool:
        return allowed(_address(scope), self._addresses)


_CLOSE = {"Connection": "close"}


def _too_long() -> Reply:
    return Reply(413, {"code": -1101, "msg": f"The request is longer than {LONGEST_BODY:,} bytes."}, _CLOSE)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too long."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            return None
        if not message.get("more_body"):
            return body


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
    text = json.dumps(body or {"code": -1005 if status == 403 else -5000, "msg": "There is no such stream."}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text})
