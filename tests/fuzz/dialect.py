"""What clients of the gateway send, and the files that it keeps: parameters, queries, signatures, JSON, names of
streams, paths, orders, limits, addresses, journals and key files.

After each: a value of the promised kind, or a refusal in words; what was signed honestly verifies.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.gateway.binance import orders
from marketsim.gateway.binance.exchange import _parameters, _whole
from marketsim.gateway.binance.markets import MOST_LOTS, MOST_TICKS, ServedMarket
from marketsim.gateway.binance.operations import OPERATIONS
from marketsim.gateway.binance.parameters import Parameter, read_all
from marketsim.gateway.binance.sockets import _json, target
from marketsim.gateway.binance.streams import Streams
from marketsim.gateway.keys import KeyStore, allowed, parse_addresses
from marketsim.gateway.quota import parse_rules
from marketsim.gateway.signature import sign, split_signature, verify, websocket_payload
from marketsim.results.journal import Command, Journal, Past
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.values import EDGES, WORDS, anything, damaged, damaged_bytes, text

CALLS = 200  # of a case
_VIEW: Any = SimpleNamespace(last=SimpleNamespace(price=10_000), new_quote=False, new_trades=[], watched=False)
_MARKET = ServedMarket(
    0, "ABC", "USD", Instrument("ABC", tick_size="0.01", lot_size="0.1", reference_price="100"), _VIEW
)
_FINE = ServedMarket(
    1, "XYZ", "EUR", Instrument("XYZ", tick_size="0.00000001", lot_size="0.00000001", reference_price="1"), _VIEW
)
_MARKETS: Any = SimpleNamespace(all=(_MARKET, _FINE), find={"ABCUSD": _MARKET, "XYZEUR": _FINE}.get)
_STREAMS = Streams(_MARKETS, lambda: 0, lambda: 0)
_NUMBERS = (
    "1",
    "0",
    "0.1",
    "100.01",
    "1e5",
    "9" * 20,
    "9" * 21,
    "0." + "0" * 19 + "1",
    "1." + "9" * 20,
    "1\n",
    "-1",
    "NaN",
)
_STREAM_PARTS = (
    "abcusd",
    "@",
    "trade",
    "depth",
    "5",
    "20",
    "@100ms",
    "kline_",
    "1m",
    "!",
    "ticker",
    "_1h",
    "@arr",
    "miniTicker",
)
_PATHS = ("/", "ws", "ws-api", "v3", "stream", "stream?", "abcusd@trade", "0", "12", "%2f", "x")
_SECRET = "s" * 64


def _value(draw: Random) -> Any:
    what = draw.random()
    if what < 0.4:
        return draw.choice(_NUMBERS)
    if what < 0.5:
        return draw.choice(EDGES)
    return text(draw) if what < 0.8 else anything(draw)


def _one_parameter(draw: Random) -> Any:
    parameter = draw.choice(draw.choice(OPERATIONS).parameters or (Parameter("x", "amount"),))
    given = draw.choice(parameter.choices) if parameter.choices and draw.random() < 0.3 else _value(draw)
    yield parameter.name, given
    found: Any = parameter.read(given)
    assert isinstance(found, (int, str, bool, list, Decimal))
    if parameter.kind == "long":
        assert parameter.low <= found <= parameter.high
    if parameter.kind == "amount":
        assert found.is_finite()
        assert 0 <= found < 10**20
        assert found == found.quantize(Decimal("1e-8"))


def _all_parameters(draw: Random) -> Any:
    operation = draw.choice(OPERATIONS)
    given = {parameter.name: _value(draw) for parameter in operation.parameters if draw.random() < 0.7}
    yield operation.name, given
    assert read_all(operation.parameters, given).keys() == {parameter.name for parameter in operation.parameters}


def _query(draw: Random) -> Any:
    pairs = [(text(draw).encode(errors="replace"), str(_value(draw)).encode(errors="replace")) for _ in range(3)]
    query = damaged_bytes(draw, urlencode(pairs).encode())
    body = damaged_bytes(draw, b"a=1&b=2") if draw.random() < 0.3 else b""
    yield query, body
    split_signature(query, body)
    assert all(isinstance(value, str) for value in _parameters(query, body).values())


def _signature(draw: Random) -> Any:
    query, body = (
        draw.randbytes(draw.randint(0, 30)).replace(b"signature=", b""),
        draw.choice((b"", b"a=1&b=%20", b"&")),
    )
    yield query, body
    signed = (query + b"&" if query else b"") + b"signature=" + sign(_SECRET, query + body).upper().encode()
    payload, signature = split_signature(signed, body)
    assert payload == query + body
    assert signature is not None
    assert verify(_SECRET, payload, signature)
    assert not verify("t" * 64, payload, signature)
    assert not verify(_SECRET, payload, text(draw))


def _message(draw: Random) -> Any:
    params = {text(draw): anything(draw) for _ in range(draw.randint(0, 4))}
    written = json.dumps({"id": anything(draw), "method": text(draw), "params": params})
    written = written if draw.random() < 0.5 else damaged(draw, written)
    yield (written,)
    found = _json(written)
    params = found.get("params") or {} if isinstance(found, dict) else {}
    if isinstance(params, dict):
        payload = websocket_payload(params)
        assert verify(_SECRET, payload, sign(_SECRET, payload))
        for name in ("timestamp", "recvWindow", *params):
            with refusals():
                assert (_whole(params, name) or 0) >= 0
        with refusals():
            read_all(draw.choice(OPERATIONS).parameters, params)


def _stream(draw: Random) -> Any:
    name = "".join(draw.choices(_STREAM_PARTS, k=draw.randint(1, 5))) if draw.random() < 0.6 else text(draw)
    yield (name,)
    found = _STREAMS.parse(name)
    assert (found.name, found.interval in (0, 100, 1000, 2000)) == (name, True)


def _path(draw: Random) -> Any:
    path = "/" + "/".join(draw.choices(_PATHS, k=draw.randint(0, 4))) if draw.random() < 0.7 else text(draw)
    query = draw.choice(("", "streams=abcusd@trade/abcusd@depth", "streams=", text(draw)))
    yield path, query
    found = target(path, query)
    assert found is None or found[0] in ("api", "streams")


def _order(draw: Random) -> Any:
    given: dict[str, Any] = {parameter.name: None for parameter in orders.NEW_ORDER}
    given |= {"side": draw.choice(("BUY", "SELL")), "type": draw.choice(orders.TYPES), "symbol": "ABCUSD"}
    for name in ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice", "trailingDelta", "icebergQty"):
        if draw.random() < 0.5:
            given[name] = draw.choice(orders.FORCES) if name == "timeInForce" else draw.choice(_NUMBERS)
    yield (given,)
    asked = read_all(orders.NEW_ORDER, {name: value for name, value in given.items() if value is not None})
    market = draw.choice(_MARKETS.all)
    terms = orders.terms_of(asked, market, "x", lambda lots: (min(lots, 500), min(lots, 500) * 10_000))
    assert 0 < terms.quantity <= MOST_LOTS
    assert 0 <= terms.price <= MOST_TICKS
    assert 0 <= terms.display <= terms.quantity
    assert terms.side in (Side.BUY, Side.SELL)
    assert not terms.worth or Decimal(terms.worth) >= 0


def _limits(draw: Random) -> Any:
    given = draw.choice(("ORDERS=50/10s", "REQUEST_WEIGHT=6000/1m", "off", "RAW_REQUESTS=off", "orders=1/s"))
    given = damaged(draw, given) if draw.random() < 0.8 else text(draw)
    yield (given,)
    assert all(rule.limit > 0 and rule.milliseconds > 0 for rule in parse_rules(given))


def _addresses(draw: Random) -> Any:
    given = draw.choice(("10.0.0.0/8", "::1", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8::/32", "fe80::1%eth0"))
    given = damaged(draw, given) if draw.random() < 0.7 else given
    yield (given,)
    (found,) = parse_addresses([given])
    assert parse_addresses([found]) == (found,)
    allowed(text(draw), [found])


def _journal(draw: Random) -> Any:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "journal.jsonl"
        journal = Journal.begin(path, {"epoch": 1, "scenario": "x"})
        for number in range(draw.randint(0, 4)):
            journal.lease(number)
            journal.do(Command(number, "alice", "place", [anything_plain(draw)]))
        journal.close()
        whole = path.read_bytes()
        given = damaged_bytes(draw, whole) if draw.random() < 0.6 else whole + _record(draw)
        path.write_bytes(given)
        yield (given,)
        past = Past(path)
        assert given.startswith(past.text)
        assert past.lease >= max((command.time for command in past.commands), default=0)


def _record(draw: Random) -> bytes:
    """Whatever it says, its checksum is right."""
    record = draw.choice(
        (
            anything(draw),
            [draw.choice(("journal", "do", "lease", "end")), *(anything(draw) for _ in range(draw.randint(0, 5)))],
        )
    )
    written = draw.choice((json.dumps(record), "[" * 5_000, '["lease", 1e400]', '["end", -1]')).encode()
    return b"%08x %s\n" % (zlib.crc32(written), written)


def anything_plain(draw: Random) -> Any:
    """A value that a journal may hold."""
    return draw.choice((1, -1, "a", "é\ud800", None, True, [1, "b"], draw.choice(WORDS)))


_KEYS = json.dumps(
    {
        "version": 1,
        "salt": "c2FsdA==",
        "proof": "cHJvb2Y=",
        "keys": [
            {
                "api_key": "k",
                "secret": "cw==",
                "client": "a",
                "label": "",
                "permissions": ["read"],
                "addresses": [],
                "created": 1,
            }
        ],
    },
    indent=1,
)


def _keys(draw: Random) -> Any:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "keys.json"
        given = (
            damaged(draw, _KEYS).encode(errors="replace")
            if draw.random() < 0.7
            else damaged_bytes(draw, _KEYS.encode())
        )
        path.write_bytes(given)
        yield (given,)
        KeyStore(path).keys()


_DECODERS: tuple[tuple[Callable[[Random], Any], float], ...] = (
    (_one_parameter, 24),
    (_all_parameters, 16),
    (_query, 10),
    (_signature, 6),
    (_message, 12),
    (_stream, 10),
    (_path, 6),
    (_order, 12),
    (_limits, 4),
    (_addresses, 4),
    (_journal, 1.5),
    (_keys, 1.5),
)
_FUNCTIONS, _CHANCES = tuple(each for each, _ in _DECODERS), tuple(chance for _, chance in _DECODERS)


def dialect(draw: Random, trace: Trace) -> int:
    """Each decoder is called once for each input that it draws."""
    for decoder in draw.choices(_FUNCTIONS, _CHANCES, k=CALLS):
        trace.inputs = []
        with refusals():
            for given in decoder(draw):
                trace.note(decoder.__name__, *given)
    return CALLS
