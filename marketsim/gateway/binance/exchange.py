"""The venue in Binance's dialect: whoever asks is identified, counted and answered, over a live session.

``request`` takes what came over HTTP, ``call`` what came over the WebSocket API; both read it by the table of
``operations``. It opens no socket and decides nothing about the market.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from marketsim.agents.client import Client
from marketsim.domain.units import MILLISECOND
from marketsim.errors import ConfigurationError, StoreError, UnsupportedVersionError, did_you_mean
from marketsim.gateway.binance.audience import Audience, ListenKeys
from marketsim.gateway.binance.desk import Desk
from marketsim.gateway.binance.errors import VenueError, illegal, missing
from marketsim.gateway.binance.markets import ServedMarket, ServedMarkets
from marketsim.gateway.binance.operations import Asked, Operation, Security, by_method, by_path
from marketsim.gateway.binance.orders import SELF_TRADES
from marketsim.gateway.binance.parameters import LONG, read_all
from marketsim.gateway.binance.streams import Streams
from marketsim.gateway.keys import Key, KeyStore, allowed
from marketsim.gateway.quota import Quota, Verdict
from marketsim.gateway.signature import split_signature, verify, websocket_payload
from marketsim.kernel.pacing import Pacer, wall_milliseconds
from marketsim.simulation.live import LiveSession

_WINDOW, _WIDEST, _AHEAD = 5_000, 60_000, 1_000  # ms: of a signed request's timestamp
_MOST_PARAMETERS = 64
_SIGNING = ("timestamp", "recvWindow", "signature", "apiKey")
_UNKNOWN_KEY = "Invalid API-key, IP, or permissions for action."


class Reply(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: Any
    headers: dict[str, str]


class BinanceExchange:
    """One venue of a live session, in the dialect.

    keys: of those who may sign. quota: how much may be asked. clock: ms since 1970, for signatures and limits.
    """

    def __init__(
        self,
        live: LiveSession,
        pacer: Pacer,
        keys: KeyStore,
        quota: Quota,
        *,
        clock: Callable[[], int] = wall_milliseconds,
    ) -> None:
        self.live = live
        self.keys = keys
        self.quota = quota
        self.clock = clock
        self._shift = live.epoch * MILLISECOND - live.spec.start
        first = next(iter(live.clients.values()))
        for name, client in live.clients.items():
            if client.markets != first.markets:
                raise ConfigurationError(f"agents.{name}: all clients must trade on the same markets: name one venue")
        self.markets = ServedMarkets(first, live.feed)
        self.venue = first.markets[0].venue
        self.self_trades = SELF_TRADES[live.spec.venues[self.venue].self_trades]
        self.audience = Audience()
        self.listen_keys = ListenKeys(clock)
        self.desk = Desk(live, pacer, self.markets, self.self_trades, self.audience)
        self.streams = Streams(self.markets, lambda: self.shifted_now, clock)
        self._paths = by_path()
        self._methods = by_method()
        self._assets = {m.own_base: m.base for m in self.markets.all} | {m.own_quote: m.quote for m in self.markets.all}

    # --- asking ---

    def knows(self, path: str) -> bool:
        """Whether a path is the dialect's."""
        return path.startswith(("/api/", "/sapi/", "/fapi/", "/dapi/", "/eapi/"))

    async def request(
        self, method: str, path: str, query: bytes, body: bytes, api_key: str | None, address: str
    ) -> Reply:
        """Answer what came over HTTP."""
        headers: dict[str, str] = {}
        try:
            operation = self._paths.get((method, path))
            verdict = self._spend(address, operation.weight if operation is not None else 1)
            headers = verdict.headers()
            if operation is None:
                raise self._no_path(method, path)
            given = _parameters(query, body)
            client = self._client_of(operation, given, api_key, lambda: split_signature(query, body), address)
            asked = Asked(self._read(operation, given), client)
            if operation.orders and client is not None:
                headers |= self._spend_order(client.name, operation.orders).headers()
            answer = operation.answer(self, asked)
            return Reply(200, await answer if inspect.isawaitable(answer) else answer, headers)
        except VenueError as error:
            return Reply(error.status, error.body, {**headers, **error.headers})

    async def call(
        self, method: str, params: Mapping[str, Any], address: str, *, count: bool = True
    ) -> tuple[Any, list[dict[str, Any]]]:
        """Answer what came over the WebSocket API: the result, and the limits that it counted against."""
        operation = self._methods.get(method)
        self._spend(address, operation.weight if operation is not None else 1)
        if operation is None:
            raise VenueError(-1020, f"Unknown method {method[:60]!r}{_near(method, self._methods)}")
        given = {name: value for name, value in params.items() if name != "returnRateLimits"}  # signed, no parameter
        key = given.get("apiKey")
        signed = lambda: (websocket_payload(params), _signature_in(params))  # noqa: E731
        client = self._client_of(operation, given, key if isinstance(key, str) else None, signed, address)
        asked = Asked(self._read(operation, given), client)
        if operation.orders and client is not None:
            self._spend_order(client.name, operation.orders)
        answer = operation.answer(self, asked)
        result = await answer if inspect.isawaitable(answer) else answer
        if not count:
            return result, []
        now = self.clock()
        if operation.orders and client is not None:
            return result, self.quota.usage("ORDERS", client.name, now)
        return result, self.quota.usage("REQUEST_WEIGHT", address, now)

    def identify(self, params: Mapping[str, Any], address: str) -> Client:
        """Whose signed request over the WebSocket API this is."""
        key = params.get("apiKey")
        payload = websocket_payload(params)
        found = self._key(key if isinstance(key, str) else None, address, "read")
        self._check_signature(found, payload, _signature_in(params), params)
        return self._seat(found)

    # --- for the operations ---

    @property
    def shifted_now(self) -> int:
        """The market's time as ns since 1970."""
        return self.live.now + self._shift

    def shown_asset(self, asset: str) -> str:
        """An asset's name in the dialect."""
        return self._assets[asset]

    def uid(self, client: Client) -> int:
        """A number for an account, the same in every session."""
        return zlib.crc32(client.name.encode())

    def fee_rate(self, market: ServedMarket, *, maker: bool) -> Decimal:
        """The fee of a lot at the last price, as a share of its value."""
        instrument = market.instrument
        last = market.view.last
        price = last.price if last is not None else instrument.reference
        fees = self.live.spec.venues[self.venue].fees.schedule()
        value = price * instrument.tick_size * instrument.lot_size
        return fees.side(maker).of_ticks(price, 1, instrument) / value if value else Decimal(0)

    def rate_limits(self) -> list[dict[str, Any]]:
        """The limits that hold."""
        return self.quota.rate_limits()

    def order_limits(self, client: str) -> list[dict[str, Any]]:
        """The limits of orders, with what a client has used."""
        return self.quota.usage("ORDERS", client, self.clock())

    # --- inner ---

    def _no_path(self, method: str, path: str) -> VenueError:
        others = sorted(known for known, same in self._paths if same == path)
        if others:
            told = f"Path {path}, Method {method} is invalid; send {' or '.join(others)}"
            return VenueError(-5000, told, 405, {"Allow": ", ".join(others)})
        hint = _near(path, {same for _, same in self._paths})
        return VenueError(-5000, f"Path {path[:200]}, Method {method} is invalid{hint}", 404)

    def _read(self, operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
        own = {parameter.name for parameter in operation.parameters}
        signed = operation.security is not Security.NONE
        kept = {name: text for name, text in given.items() if name in own or not (signed and name in _SIGNING)}
        return read_all(operation.parameters, kept)

    def _spend(self, address: str, weight: int) -> Verdict:
        now = self.clock()
        raw = self.quota.spend("RAW_REQUESTS", address, 1, now)
        verdict = raw if not raw.ok else self.quota.spend("REQUEST_WEIGHT", address, weight, now)
        if verdict.ok:
            return verdict
        until = f"IP banned until {verdict.retry_at}." if verdict.banned else ""
        message = f"Way too much request weight used; {until}" if until else "Too much request weight used"
        raise VenueError(
            -1003,
            f"{message} Please use WebSocket Streams for live updates to avoid polling the API.",
            verdict.status,
            verdict.headers(),
            {"data": {"serverTime": now, "retryAfter": verdict.retry_at}},
        )

    def _spend_order(self, client: str, weight: int) -> Verdict:
        verdict = self.quota.spend("ORDERS", client, weight, self.clock())
        if verdict.ok:
            return verdict
        raise VenueError(
            -1015, "Too many new orders; the limits are in exchangeInfo.", verdict.status, verdict.headers()
        )

    def _client_of(
        self,
        operation: Operation,
        given: Mapping[str, Any],
        api_key: str | None,
        signed: Callable[[], tuple[bytes, str | None]],
        address: str,
    ) -> Client | None:
        """Whose request it is; VenueError where it must be somebody's and is nobody's."""
        if operation.security is Security.NONE:
            return None
        key = self._key(api_key, address, "trade" if operation.security is Security.TRADE else "read")
        if operation.security is not Security.KEY:
            payload, signature = signed()
            self._check_signature(key, payload, signature, given)
        return self._seat(key)

    def _key(self, api_key: str | None, address: str, permission: str) -> Key:
        if not api_key or len(api_key) != 64 or not api_key.isalnum():
            raise VenueError(-2014, "API-key format invalid.", 401)
        try:
            key = self.keys.find(api_key)
        except (StoreError, UnsupportedVersionError):
            raise VenueError(-1001, "Internal error; the file of keys cannot be read. Please try again.", 503) from None
        if key is None or (key.addresses and not allowed(address, key.addresses)) or permission not in key.permissions:
            raise VenueError(-2015, _UNKNOWN_KEY, 401)
        return key

    def _seat(self, key: Key) -> Client:
        client = self.live.clients.get(key.client)
        if client is None:
            raise VenueError(-2015, f"{_UNKNOWN_KEY} The key is of {key.client}, who has no seat here.", 401)
        return client

    def _check_signature(self, key: Key, payload: bytes, signature: str | None, given: Mapping[str, Any]) -> None:
        if signature is None:
            raise missing("signature")
        stamp, window = _whole(given, "timestamp"), _whole(given, "recvWindow")
        if stamp is None:
            raise missing("timestamp")
        if window is not None and window > _WIDEST:
            raise VenueError(-1131, "recvWindow must be less than 60000.")
        if not verify(key.secret, payload, signature):
            raise VenueError(-1022, "Signature for this request is not valid.")
        now = self.clock()
        stamp = stamp // 1000 if stamp > 10**14 else stamp
        if stamp >= now + _AHEAD:
            raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - stamp > (_WINDOW if window is None else window):
            raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _near(name: str, known: Iterable[str]) -> str:
    """A repair that stays short, however much there is."""
    hint = did_you_mean(name, known)
    return "; /docs shows what there is" if hint.startswith("; known") else hint


def _parameters(query: bytes, body: bytes) -> dict[str, str]:
    """The parameters of a query and a form, each given once."""
    given: dict[str, str] = {}
    for raw in (query, body):
        if not raw:
            continue
        try:
            text = raw.decode("ascii")
            pairs = parse_qsl(
                text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_PARAMETERS
            )
        except ValueError as error:
            if "fields" in str(error):
                raise VenueError(-1101, "Too many parameters sent for this endpoint.") from None
            raise VenueError(-1100, "Illegal characters found in a parameter.") from None
        for name, value in pairs:
            if name in given:
                raise VenueError(-1101, f"Duplicate values for parameter '{name[:40]}' detected.")
            given[name] = value
    return given


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    text = str(value).removesuffix(".0") if not isinstance(value, str) else value
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise illegal(name, LONG)
    return int(text)


def _signature_in(params: Mapping[str, Any]) -> str | None:
    signature = params.get("signature")
    return signature if isinstance(signature, str) else None
