"""The WebSocket side of the dialect: market streams, user streams under a listen key, and the WebSocket API.

A socket reads what a client says, and puts the answers and the events into its connection's outbox. It asks the venue
for everything else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

from marketsim.agents.client import Client
from marketsim.gateway.binance.audience import encode
from marketsim.gateway.binance.errors import VenueError
from marketsim.gateway.binance.exchange import BinanceExchange
from marketsim.gateway.binance.streams import names_of
from marketsim.gateway.connection import Connection
from marketsim.gateway.metrics import Metrics
from marketsim.gateway.signature import Written
from marketsim.kernel.pacing import wall_milliseconds

MOST_STREAMS = 1024  # of one connection
MOST_PENDING = 512  # requests of one connection that have no answer yet
_REQUEST = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ORDERS = frozenset(("order.place", "order.cancelReplace"))


class StreamSocket:
    """A connection for streams: those of its path, and those that it subscribes to."""

    def __init__(self, exchange: BinanceExchange, connection: Connection, *, combined: bool) -> None:
        self._exchange = exchange
        self._connection = connection
        self._combined = combined
        self._names: dict[str, None] = {}
        self._accounts: list[tuple[str, _AccountStream]] = []

    def open(self, names: list[str]) -> None:
        """Subscribe to the streams of the path; VenueError when one is none."""
        for name in names:
            client = self._exchange.listen_keys.client(name)
            if client is not None:
                listener = _AccountStream(self, name)
                self._exchange.audience.join(client, listener)
                self._accounts.append((client, listener))
            else:
                self._subscribe([name])

    def send(self, stream: str, message: str, *, latest: bool) -> None:
        """Pass a stream's message on."""
        text = f'{{"stream":"{stream}","data":{message}}}' if self._combined else message
        self._connection.put(text, stream if latest else "")

    async def take(self, text: str) -> None:
        """Answer what the client says."""
        number: Any = None
        try:
            request = _json(text)
            number = request.get("id") if isinstance(request, dict) else None
            if not isinstance(request, dict) or request.get("method") not in _REQUEST:
                raise _invalid(f"unknown variant, expected one of {', '.join(_REQUEST)}")
            if number is not None and not _is_id(number):
                number = None
                raise _invalid("id must be a whole number or a text of at most 64 signs")
            result = self._carry_out(request["method"], request.get("params"))
            self._connection.put(encode({"result": result, "id": number}))
        except VenueError as error:
            self._connection.put(encode({"error": error.body, "id": number}))

    def end(self) -> None:
        """The connection is gone."""
        for name in self._names:
            self._exchange.streams.unsubscribe(name, self)
        for client, listener in self._accounts:
            self._exchange.audience.leave(client, listener)
        self._names, self._accounts = {}, []

    def _carry_out(self, method: str, params: Any) -> Any:
        if method == "LIST_SUBSCRIPTIONS":
            return list(self._names)
        if not isinstance(params, list) or not params:
            raise _invalid("params must be a list")
        if method.endswith("PROPERTY"):
            return self._property(method, params)
        if not all(isinstance(name, str) for name in params):
            raise _invalid("params must be a list of texts")
        if method == "SUBSCRIBE":
            self._subscribe(params)
        else:
            for name in params:
                self._names.pop(name, None)
                self._exchange.streams.unsubscribe(name, self)
        return None

    def _subscribe(self, names: list[str]) -> None:
        streams = self._exchange.streams
        for name in names:
            streams.parse(name)  # all of them, or none
        if len(self._names.keys() | set(names)) > MOST_STREAMS:
            raise _invalid(f"more than {MOST_STREAMS} streams on one connection")
        for name in names:
            streams.subscribe(name, self)
            self._names[name] = None

    def _property(self, method: str, params: list[Any]) -> Any:
        if params[0] != "combined":
            raise VenueError(0, "Unknown property")
        if method == "GET_PROPERTY":
            return self._combined
        if len(params) != 2 or not isinstance(params[1], bool):
            raise VenueError(1, "Invalid value type: expected Boolean")
        self._combined = params[1]
        return None


class _AccountStream:
    """An account's events on a stream socket, under its listen key."""

    def __init__(self, socket: StreamSocket, key: str) -> None:
        self._socket = socket
        self._key = key

    def hear(self, event: str) -> None:
        """Pass it on."""
        self._socket.send(self._key, event, latest=False)


class ApiSocket:
    """A connection for requests: the WebSocket API, with the user's events that it subscribes to."""

    def __init__(self, exchange: BinanceExchange, connection: Connection, metrics: Metrics, query: str) -> None:
        self._exchange = exchange
        self._connection = connection
        self._metrics = metrics
        self._tells_limits = dict(parse_qsl(query)).get("returnRateLimits", "true") != "false"
        self._accounts: dict[int, tuple[str, _Subscription]] = {}
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._own: dict[str, Callable[[dict[str, Any]], Any]] = {
            "userDataStream.subscribe.signature": self._listen,
            "userDataStream.subscribe": self._no_session,
            "userDataStream.unsubscribe": self._listen_no_more,
            "session.subscriptions": self._subscriptions,
            "session.status": self._status,
            "session.logout": self._status,
            "session.logon": self._no_logon,
        }

    async def take(self, text: str) -> None:
        """Answer a request, when its answer is there; others may be answered before."""
        arrived = perf_counter()
        try:
            request = _json(text)
        except VenueError as error:
            self._refuse(None, error)
            return
        number = request.get("id") if isinstance(request, dict) else None
        if not isinstance(request, dict) or (number is not None and not _is_id(number)):
            self._refuse(None, VenueError(-1135, "Invalid JSON Request: an object with id, method and params"))
            return
        method, params = request.get("method"), request.get("params")
        if not isinstance(method, str) or not (params is None or isinstance(params, dict)):
            self._refuse(number, VenueError(-1135, "Invalid JSON Request: method must be a text, params an object"))
            return
        if len(self._tasks) >= MOST_PENDING:
            self._refuse(number, VenueError(-1003, f"More than {MOST_PENDING} requests without an answer.", 429))
            return
        task = asyncio.get_running_loop().create_task(self._answer(number, method, params or {}, arrived))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """The connection is gone. Requests under way go on: they are at the venue."""
        for client, listener in self._accounts.values():
            self._exchange.audience.leave(client, listener)
        self._accounts = {}

    def send_event(self, number: int, event: str) -> None:
        """Pass a user's event on."""
        self._connection.put(f'{{"subscriptionId":{number},"event":{event}}}')

    async def _answer(self, number: Any, method: str, params: dict[str, Any], arrived: float) -> None:
        limits: list[dict[str, Any]] = []
        try:
            own = self._own.get(method)
            tells = self._tells_limits and params.get("returnRateLimits") is not False
            if own is not None:
                result = own(params)
            else:
                result, limits = await self._exchange.call(method, params, self._connection.address, count=tells)
        except VenueError as error:
            self._refuse(number, error)
        else:
            answer = {"id": number, "status": 200, "result": result}
            if tells:
                answer["rateLimits"] = limits
            self._connection.put(encode(answer))
            spent = perf_counter() - arrived
            self._metrics.requests.labels("websocket", "200").inc()
            self._metrics.latency.labels("websocket", method).observe(spent)
            if method in _ORDERS:
                self._metrics.acknowledged.observe(spent)

    def _refuse(self, number: Any, error: VenueError) -> None:
        self._metrics.requests.labels("websocket", str(error.status)).inc()
        self._connection.put(encode({"id": number, "status": error.status, "error": error.body}))

    # --- about the connection itself ---

    def _listen(self, params: dict[str, Any]) -> dict[str, Any]:
        client: Client = self._exchange.identify(params, self._connection.address)
        number = self._numbers
        self._numbers += 1
        listener = _Subscription(self, number)
        self._exchange.audience.join(client.name, listener)
        self._accounts[number] = (client.name, listener)
        return {"subscriptionId": number}

    def _listen_no_more(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = params.get("subscriptionId")
        chosen = list(self._accounts) if asked is None else [asked]
        for number in chosen:
            if not isinstance(number, int) or number not in self._accounts:
                raise VenueError(-1130, "Data sent for parameter 'subscriptionId' is not valid: there is no such.")
            client, listener = self._accounts.pop(number)
            self._exchange.audience.leave(client, listener)
        return {}

    def _subscriptions(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"subscriptionId": number} for number in self._accounts]

    def _status(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": None,
            "returnRateLimits": self._tells_limits,
            "serverTime": wall_milliseconds(),
            "userDataStream": bool(self._accounts),
        }

    def _no_logon(self, params: dict[str, Any]) -> Any:
        raise VenueError(-4056, "HMAC_SHA256 API key is not supported: sign each request, as HMAC keys do.")

    def _no_session(self, params: dict[str, Any]) -> Any:
        raise VenueError(-2014, "No session is logged on; use userDataStream.subscribe.signature.", 401)


class _Subscription:
    """An account's events on a socket of the WebSocket API, under a number."""

    def __init__(self, socket: ApiSocket, number: int) -> None:
        self._socket = socket
        self._number = number

    def hear(self, event: str) -> None:
        """Pass it on."""
        self._socket.send_event(self._number, event)


def target(path: str, query: str) -> tuple[str, list[str], bool] | None:
    """What a path is for ("streams" or "api"), the streams it names, and whether messages name theirs; None: nothing.

    ``/ws``, ``/ws/abcusd@trade/…``, ``/stream?streams=…``, and ``/stream/ws/0``, where numbers tell connections apart.
    """
    if path.rstrip("/") == "/ws-api/v3":
        return "api", [], False
    named = names_of(dict(parse_qsl(query)).get("streams", ""))
    for prefix, combined in (("/stream/ws", False), ("/stream", True), ("/ws", False)):
        if path == prefix or path.startswith(prefix + "/"):
            parts = [name for name in names_of(path.removeprefix(prefix)) if not name.isdigit()]
            return "streams", [*parts, *named], combined
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Written, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise VenueError(3, f"Invalid JSON: {str(error)[:80]}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_id(number: Any) -> bool:
    if isinstance(number, bool):
        return False
    if isinstance(number, int):
        return abs(number) < 1 << 63
    return isinstance(number, str) and len(number) <= 64


def _invalid(said: str) -> VenueError:
    return VenueError(2, f"Invalid request: {said}")
