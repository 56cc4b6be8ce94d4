"""A campaign of bad input against a gateway: all that a broken or wicked client may send, drawn from a seed.

Each attack draws its inputs, sends them and judges what comes back: a refusal in the protocol's own words, or the end
of the connection. An answer of 500, no answer, or half of one is a finding.

    python -m tests.gateway.hostile URL KEYS.json --seed 7 --inputs 100000     against a server that runs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

from marketsim.gateway.binance.operations import OPERATIONS, Security
from marketsim.gateway.signature import sign, websocket_payload
from tests.fuzz.values import EDGES, WORDS, anything, damaged, damaged_bytes, text
from tests.gateway.wire import CLOSE, HANDSHAKE, PING, PONG, TEXT, Closed, Wire, frame, request

MOST_FINDINGS = 20
ABANDON = 90  # messages on a connection for streams, which takes a hundred a second
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
NUMBERS = (
    "0", "-0", "-0.0", "00001", "1e5", "1E-7", "1e400", "-1e400", "NaN", "nan", "Infinity", "9" * 30, "0." + "0" * 30 + "1",
    "1." + "0" * 25, "1_000", "1,5", "+1", " 1", "1 ", "1\n", "\t1", "١٢", "²", "0x10", "1.", ".5", "", "99999999999999999999",
    "1099511627776", "9000000000", "9000000001", "0.00000001", "0.000000001", "100.005", "18446744073709551616", "true",
)  # fmt: skip
STREAMS = (
    "abcusd@trade", "abcusd@aggTrade", "abcusd@bookTicker", "abcusd@depth", "abcusd@depth@100ms", "abcusd@depth5",
    "abcusd@depth20@100ms", "abcusd@kline_1s", "abcusd@kline_1m", "abcusd@miniTicker", "abcusd@ticker", "abcusd@avgPrice",
    "abcusd@ticker_1h", "!ticker@arr", "!miniTicker@arr", "!bookTicker",
)  # fmt: skip
NO_STREAMS = (
    "", "@", "abcusd", "@trade", "abcusd@", "ABCUSD@trade", "abcusd@nothing", "nobody@trade", "!x@arr", "abcusd@depth7",
    "abcusd@kline_7m", "abcusd@trade\0", "abcusd@trade\n", "\ud800@trade", "a" * 30_000, "abcusd@" + "x" * 300, "..%2f..",
    "abcusd@trade@trade", "!ticker", "🤖@trade",
)  # fmt: skip


@dataclass
class Report:
    """What a campaign has done."""

    seed: int
    inputs: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Inputs of all kinds."""
        return sum(self.inputs.values())

    def find(self, kind: str, what: str, sent: object) -> None:
        """Something that should not be."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"{kind} (seed {self.seed}): {what}\n    sent: {sent!r}"[:1500])


Keys = dict[str, tuple[str, str]]


@dataclass
class Enemy:
    """Somebody who sends bad input. ``source``: the address that it comes from."""

    url: str
    keys: Keys
    draw: Random
    report: Report
    source: str = ""

    async def wire(self, **terms: Any) -> Wire:
        """A connection."""
        return await Wire.open(self.url, source=self.source, **terms)

    async def socket(self, target: str) -> Wire:
        """A WebSocket that was accepted."""
        wire = await self.wire()
        answer = await wire.upgrade(target)
        if answer.status != 101:
            wire.close()
            raise Closed(f"{target}: {answer.status}")
        return wire


# --- words ---


def _value(draw: Random) -> str:
    what = draw.random()
    if what < 0.45:
        return draw.choice(NUMBERS)
    if what < 0.6:
        return str(draw.choice(EDGES))
    if what < 0.75:
        return draw.choice(WORDS)
    if what < 0.78:
        return draw.choice("aA0\0é") * draw.choice((37, 200, 201, 2_000))
    return text(draw)


def _parameters(draw: Random, operation: Any) -> list[tuple[str, str]]:
    """Of an operation: mostly as they should be, and some not."""
    good = {
        "symbol": "ABCUSD", "symbols": '["ABCUSD"]', "interval": "1m", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "1", "price": "90", "orderId": "1", "limit": "5", "cancelReplaceMode": "STOP_ON_FAILURE",
        "newQty": "1", "listenKey": "a" * 60, "windowSize": "1h",
    }  # fmt: skip
    names = [parameter.name for parameter in operation.parameters]
    given = [(name, good[name]) for name in names if name in good and draw.random() < 0.8]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        name = draw.choice(names) if names and draw.random() < 0.85 else text(draw)
        what = draw.random()
        if what < 0.8:
            given = [pair for pair in given if pair[0] != name]
            choices = next((p.choices for p in operation.parameters if p.name == name and p.choices), ())
            given.append((name, draw.choice(choices) if choices and draw.random() < 0.4 else _value(draw)))
        elif what < 0.9 and given:
            given.append(draw.choice(given))
        elif given:
            given.pop(draw.randrange(len(given)))
    draw.shuffle(given)
    return given


def _query(draw: Random, given: list[tuple[str, str]]) -> bytes:
    what = draw.random()
    plain = urlencode(
        [(name.encode(errors="replace"), value.encode(errors="replace")) for name, value in given]
    ).encode()
    if what < 0.85:
        return plain
    if what < 0.9:
        return quote_from_bytes(damaged_bytes(draw, plain), safe="=&%;+").encode()
    if what < 0.93:
        return plain + draw.choice(
            (b"&", b"&&", b"&=", b"=", b"&a", b"&%", b"&%zz", b"&%00=1", b"&%ff%fe=%c0%80", b";b=1")
        )
    if what < 0.95:
        return plain.replace(b"=", b"%3D")
    if what < 0.98:
        return b"&".join(b"p%d=%d" % (number, number) for number in range(draw.choice((64, 65, 300, 1_000))))
    return plain + b"&x=" + b"a" * draw.choice((4_000, 8_200, 9_000))


def _stamp(draw: Random) -> str:
    now = int(time.time() * 1000)
    return draw.choice(
        (str(now), str(now), str(now), str(now), str(now - 6_000), str(now + 5_000), str(now - 86_400_000), "0", "-1", "1e12", "",
         str(now * 1_000), str(now) + ".5", "NaN", "9" * 18, "9" * 19, " " + str(now), "None")
    )  # fmt: skip


def _signed(draw: Random, keys: Keys, query: bytes) -> tuple[bytes, bytes, list[tuple[str, str]]]:
    """A query and a body with a signature that is mostly wrong, and the header with the key."""
    name = draw.choice(("mallory", "mallory", "mallory", "reader", "elsewhere", "revoked", "seatless", "alice"))
    key, secret = keys[name]
    if name == "alice" or draw.random() < 0.1:
        secret = draw.choice(("", "a" * 64, secret[:-1] + "!"))
    parts = [query] if query else []
    if draw.random() < 0.97:
        parts.append(b"timestamp=" + _stamp(draw).encode())
    if draw.random() < 0.15:
        window = draw.choice(("60000", "60001", "0", "-5", "1e3", "99999999999999999999", "x", "5000"))
        parts.append(b"recvWindow=" + window.encode())
    payload = b"&".join(parts)
    cut = draw.randrange(len(parts) + 1) if draw.random() < 0.2 else len(parts)
    query, body = b"&".join(parts[:cut]), b"&".join(parts[cut:])
    signature = sign(secret, query + body)
    what = draw.random()
    if what < 0.1:
        signature = draw.choice(
            (signature[:-1], signature + "0", "", "0" * 64, "zz" * 32, signature[::-1], signature * 2, "é")
        )
    elif what < 0.15:
        body += draw.choice((b"&quantity=2", b"a=b", b"{}", b"\0"))  # right for another body
    elif what < 0.18:
        query += b"&price=1"
    elif what < 0.2:
        query = b"signature=" + signature.encode() + b"&" + query
    told = b"signature=" + quote_from_bytes(signature.encode()).encode()
    if draw.random() < 0.03:
        told = b""
    if body and draw.random() < 0.5:
        body = b"&".join(filter(None, (body, told)))
    else:
        query = b"&".join(filter(None, (query, told)))
    if draw.random() < 0.05:
        key = draw.choice(
            (key[:-1], key + "a", key.lower(), "", " ", "é" * 64, "0" * 64, "a" * 5_000, key + ", " + key)
        )
    del payload
    return query, body, [("X-MBX-APIKEY", key)] if draw.random() < 0.97 else []


def _http_request(draw: Random, keys: Keys) -> tuple[str, bytes]:
    """A method and a request that keeps to HTTP, but to nothing else."""
    operation = draw.choice(OPERATIONS)
    while operation.http is None:
        operation = draw.choice(OPERATIONS)
    method, path = operation.http
    query = _query(draw, _parameters(draw, operation))
    body: bytes | None = None
    headers: list[tuple[str, str]] = []
    if operation.security is not Security.NONE or draw.random() < 0.05:
        query, sent, headers = _signed(draw, keys, query)
        body = sent or None
    what = draw.random()
    if what < 0.06:
        method = draw.choice(METHODS)
    elif what < 0.12:
        path = draw.choice(
            (path + "/", path.upper(), path[:-1], "//" + path, path.replace("/", "/./", 1), path + "%00", "/api/v3/../v3/time",
             "/api/", "/api/v9/order", "/sapi/v1/%2e%2e/x", "/", "/%ff%fe", "/docs/../control/end", "/x" * 900, "/api/v3/%F0%9F%A4%96",
             "/not-served/x", "/control/nothing", "/control/book/%00", "/control/book/" + "x" * 50, "/static/..%2f..%2fetc/passwd")
        )  # fmt: skip
    elif what < 0.15 and body is None:
        body = draw.choice(
            (b"", b"{}", b"\0" * 100, b"a=b&a=b", b"[" * 10_000, b"x" * 65_536, b"\xff\xfe=1", b"x" * 70_000)
        )
    elif what < 0.16:
        method, path, query, body = "POST", draw.choice(("/control/step", "/control/speed")), b"", _control_body(draw)
        headers = [
            ("Content-Type", draw.choice(("application/json", "text/plain", "application/x-www-form-urlencoded")))
        ]
    elif what < 0.17:
        headers = [("Host", "evil.example")]
        method, path, query, body = "POST", draw.choice(("/control/pause", "/control/end")), b"", None
    target = path.encode() + (b"?" + query if query else b"")
    target = bytes(byte for byte in target if 32 < byte < 127)
    return method, request(
        method, target, headers, body, host="evil.example" if headers[:1] == [("Host", "evil.example")] else "x"
    )


def _control_body(draw: Random) -> bytes:
    """What no control takes."""
    return draw.choice(
        (b"", b"{", b"null", b"[]", b"1e400", b'{"for": "1y"}', b'{"for": "-1s"}', b'{"for": NaN}', b'{"speed": NaN}',
         b'{"speed": 1e400}', b'{"speed": "x"}', b'{"speed": -1}', b'{"speed": 1e9}', b'{"for": "\\ud800"}', b'{"for": 5}',
         b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b'{"for": "' + b"1" * 5_000 + b'"}', b'{"speed": ' + b"9" * 5_000 + b"}")
    )  # fmt: skip


def _judge(report: Report, kind: str, status: int, headers: dict[str, str], body: bytes, sent: object) -> None:
    report.statuses[f"{kind} {status}"] += 1
    if status >= 500:
        report.find(kind, f"{status} {body[:200]!r}", sent)
    elif body and headers.get("content-type", "").startswith("application/json"):
        try:
            told = json.loads(body)
        except ValueError:
            report.find(kind, f"no JSON: {body[:200]!r}", sent)
            return
        if status >= 400 and not (isinstance(told, dict) and ("detail" in told or {"code", "msg"} <= told.keys())):
            report.find(kind, f"a refusal that says nothing: {body[:200]!r}", sent)


# --- attacks: each sends some inputs and says how many ---


async def attack_requests(enemy: Enemy) -> int:
    """Requests that keep to HTTP, several at once on a connection that is kept."""
    done = 0
    wire = await enemy.wire()
    try:
        for _ in range(8):
            batch = [_http_request(enemy.draw, enemy.keys) for _ in range(enemy.draw.choice((1, 4, 16, 16)))]
            await wire.send(b"".join(sent for _, sent in batch))
            for method, sent in batch:
                answer = await wire.answer(method)
                done += 1
                _judge(enemy.report, "requests", answer.status, answer.headers, answer.body, sent)
                if answer.headers.get("connection") == "close":
                    return done
    except Closed as error:
        enemy.report.find("requests", f"the connection ended: {error}", [sent for _, sent in batch][-3:])
    finally:
        wire.close()
    return done


def _api_message(draw: Random, keys: Keys, number: int) -> tuple[str, bool]:
    """A message to the WebSocket API, and whether the answer must repeat its number."""
    what = draw.random()
    if what < 0.08:
        return damaged(draw, '{"id": 1, "method": "ping", "params": {}}'), False
    if what < 0.12:
        return draw.choice(
            ("", " ", "null", "1", "[]", "{}", '"x"', "[" * 20_000, '{"a":' * 8_000, '{"id":' + "9" * 5_000 + ', "method":"ping"}',
             '{"id":1e400,"method":"ping"}', '{"id":NaN,"method":"ping"}', '{"id":[1],"method":"ping"}', '{"id":{},"method":"ping"}',
             '{"id":true,"method":"ping"}', '{"method":"ping"}', '{"id":null,"method":"ping"}', '{"id":1,"method":5}',
             '{"id":1,"method":null}', '{"id":1,"method":"ping","params":[]}', '{"id":1,"method":"ping","params":"x"}',
             '{"id":1,"id":2,"method":"ping"}', '{"id":"' + "x" * 64 + '","method":"ping"}', '{"id":"' + "x" * 65 + '","method":"ping"}',
             '{"id":9223372036854775807,"method":"ping"}', '{"id":9223372036854775808,"method":"ping"}', '{"id":-1,"method":"ping"}',
             '{"id":"\\ud800","method":"ping"}', '{"id":"\\u0000","method":"\\ud800"}', '{"id":1,"method":"' + "m" * 60_000 + '"}',
             "\0", "\ufeff{}", '{"id":1,"method":"ping","params":{"\\ud83d":"\\udc00"}}', '{"id": 1.0, "method": "ping"}',
             '{"id":1,"method":"depth","params":{"symbol":["ABCUSD"],"limit":{"a":1}}}', "x" * 65_000)
        ), False  # fmt: skip
    operation = draw.choice(OPERATIONS)
    own = ("userDataStream.subscribe.signature", "userDataStream.subscribe", "userDataStream.unsubscribe", "session.status",
           "session.logon", "session.logout", "session.subscriptions")  # fmt: skip
    method = operation.websocket or draw.choice(own)
    params: dict[str, Any] = dict(_parameters(draw, operation))
    for name in list(params):
        if draw.random() < 0.15:
            params[name] = anything(draw)
        elif draw.random() < 0.1 and params[name].isascii() and params[name].isdigit() and len(params[name]) < 400:
            params[name] = int(params[name])
    if operation.security is not Security.NONE or draw.random() < 0.1:
        key, secret = keys[draw.choice(("mallory", "mallory", "reader", "elsewhere", "revoked", "seatless"))]
        params["apiKey"] = key if draw.random() < 0.95 else anything(draw)
        stamp: Any = _stamp(draw)
        params["timestamp"] = int(stamp) if stamp.isdigit() and draw.random() < 0.8 else stamp
        if draw.random() < 0.1:
            params["recvWindow"] = draw.choice((0, -1, 60_000, 60_001, 1e3, "x", None, 2**70))
        try:
            params["signature"] = sign(secret, websocket_payload(json.loads(json.dumps(params))))
        except (ValueError, TypeError):
            params["signature"] = "0" * 64
        if draw.random() < 0.15:
            params["signature"] = draw.choice((anything(draw), "0" * 64, params["signature"][:-1], None))
    if draw.random() < 0.05:
        method = draw.choice((method + "x", method.upper(), text(draw), ""))
    if draw.random() < 0.03:
        params["returnRateLimits"] = anything(draw)
    message = json.dumps({"id": number, "method": method, "params": params})
    return message, not any(word in message for word in ("NaN", "Infinity"))  # which are no JSON


async def attack_api(enemy: Enemy) -> int:
    """Messages to the WebSocket API."""
    done = number = 0
    wire = await enemy.socket(enemy.draw.choice(("/ws-api/v3", "/ws-api/v3/", "/ws-api/v3?returnRateLimits=false")))
    try:
        for _ in range(6):
            batch, expected = [], set()
            for _ in range(enemy.draw.choice((1, 8, 24))):
                number += 1
                message, numbered = _api_message(enemy.draw, enemy.keys, number)
                batch.append(message)
                expected |= {number} if numbered else set()
            await wire.send(b"".join(frame(message.encode(errors="replace")) for message in batch))
            for _ in batch:
                told = json.loads(await wire.text())
                while "event" in told:
                    told = json.loads(await wire.text())
                done += 1
                enemy.report.statuses[f"api {told['status']}"] += 1
                if told["status"] >= 500 or (told["status"] != 200 and "error" not in told):
                    enemy.report.find("api", str(told)[:300], [m[:200] for m in batch])
                expected.discard(told["id"]) if isinstance(told["id"], int) else None
            if expected:
                enemy.report.find("api", f"no answer to {expected}", [m[:200] for m in batch])
    except (Closed, TimeoutError) as error:
        enemy.report.find("api", f"{type(error).__name__}: {error}", [m[:200] for m in batch])
    finally:
        wire.close(rudely=enemy.draw.random() < 0.5)
    return done


def _stream_message(draw: Random, keys: Keys, number: int) -> str:
    what = draw.random()
    if what < 0.2:
        return (
            _api_message(draw, keys, number)[0]
            if what < 0.05
            else damaged(draw, '{"method": "SUBSCRIBE", "params": ["abcusd@trade"], "id": 1}')
        )
    method = draw.choice(
        ("SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY", "subscribe")
    )
    names: Any = [draw.choice(STREAMS) for _ in range(draw.choice((0, 1, 1, 3)))]
    if draw.random() < 0.4:
        names.append(draw.choice(NO_STREAMS) if draw.random() < 0.7 else text(draw))
    if draw.random() < 0.1:
        names = draw.choice(
            (anything(draw), None, {}, "abcusd@trade", [1], [None], ["abcusd@trade"] * 3_000, [[]], ["combined", 1])
        )
    number = draw.choice((number, number, -1, 2**70, "x" * 100, None, [], 1.5, True, "\ud800"))
    return json.dumps({"method": method, "params": names, "id": number})


async def attack_streams(enemy: Enemy) -> int:
    """Messages to a connection for streams, with data between the answers."""
    done = 0
    wire = await enemy.socket(
        enemy.draw.choice(("/ws", "/stream", "/ws/abcusd@trade", "/stream?streams=abcusd@depth/!ticker@arr"))
    )
    sent = [_stream_message(enemy.draw, enemy.keys, number) for number in range(enemy.draw.randint(1, ABANDON))]
    try:
        await wire.send(b"".join(frame(message.encode(errors="replace")) for message in sent))
        while done < len(sent):
            told = json.loads(await wire.text())
            if isinstance(told, dict) and "id" in told and ("result" in told or "error" in told):
                done += 1
                enemy.report.statuses["streams " + ("refused" if "error" in told else "taken")] += 1
    except (Closed, TimeoutError) as error:
        enemy.report.find("streams", f"{type(error).__name__}: {error}", [m[:200] for m in sent])
    finally:
        wire.close(rudely=enemy.draw.random() < 0.5)
    return done


def _bad_frames(draw: Random) -> bytes:
    """What breaks the protocol, and must end the connection."""
    ping = frame(b'{"id":1,"method":"ping"}')
    return draw.choice(
        (frame(b"x", masked=False), frame(b"x", draw.choice((3, 4, 5, 6, 7, 11, 15))), frame(b"x", reserved=draw.randint(1, 7)),
         frame(b"x", 0), frame(b"\xff\xfe"), frame(b"\xc0\x80"), frame(b"\xed\xa0\x80"), frame(b"x", 2) + frame(b"\x03\xe8", CLOSE), frame(b"x" * 70_000),
         frame(b"", length=2**63), frame(b"", length=2**62), frame(b"x" * 126, PING), frame(b"x", PING, final=False),
         frame(b"\0", CLOSE), frame(b"\x03\xe7", CLOSE), frame(b"\x00\x00", CLOSE), frame(b"\x03\xec", CLOSE), frame(b"\xff\xff", CLOSE),
         frame(b"\x03\xe8\xff\xfe", CLOSE), frame(b"a", TEXT, final=False) + frame(b"b", TEXT), frame(b"x" * 40_000, final=False) * 3,
         frame(b"a", final=False) + frame(b"", 0, final=False) * 2_000, frame(b"", PING) * 300, frame(b"x" * 125, PONG) * 300,
         frame(b"\x03\xe8", CLOSE) + ping, frame(b"", CLOSE), b"\xf3" + draw.randbytes(200),
         frame(b"\xc3", final=False) + frame(b"(", 0))
    )  # fmt: skip


async def attack_frames(enemy: Enemy) -> int:
    """Frames that are none."""
    wire = await enemy.socket(enemy.draw.choice(("/ws-api/v3", "/ws/abcusd@trade", "/stream")))
    sent = _bad_frames(enemy.draw)
    try:
        await wire.send(sent)
        rest = await wire.rest(10)
        if not rest.endswith(b"<end>"):
            enemy.report.find("frames", f"the connection goes on after {rest[-100:]!r}", sent[:200])
        enemy.report.statuses["frames ended"] += 1
    except Closed:
        enemy.report.statuses["frames cut"] += 1
    finally:
        wire.close(rudely=True)
    return 1


def _bad_head(draw: Random) -> bytes:
    """What is no request, or none that the server should wait for."""
    host = b"Host: 127.0.0.1\r\n"
    post = b"POST /api/v3/order HTTP/1.1\r\n" + host
    good = b"GET /api/v3/time HTTP/1.1\r\n" + host + b"\r\n"
    upgrade = request("GET", b"/ws", HANDSHAKE)
    return draw.choice(
        (draw.randbytes(draw.choice((1, 10, 100, 3_000))), b"\0" * 50, b"\r\n" * 50 + b"x", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\n\r\n",
         b"get /api/v3/time HTTP/1.1\r\n\r\n", b"GET /api/v3/time HTTP/1.1\r\n" + b"a" * 40_000, b"GET /" + b"a" * 120_000,
         b"GET /api/v3/time HTTP/1.1\r\n" + b"X: y\r\n" * 9_000, b"GET /api/v3/time HTTP/1.1\r\nX: " + b"y" * 50_000 + b"\r\n\r\n",
         b"GET /api/v3/time HTTP/1.1\r\n: x\r\n\r\n", b"GET /api/v3/time HTTP/1.1\r\nX y: z\r\n\r\n", b"GET /api/v3/time HTTP/1.1\r\nX: a\0b\r\n\r\n",
         b"GET /a b HTTP/1.1\r\n\r\n", b"GET /\xff\xfe\xf0 HTTP/1.1\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\n\r\n", b"GET //:99999/ HTTP/1.1\r\n\r\n",
         b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"CONNECT / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n",
         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200, b"SSH-2.0-OpenSSH_9.9\r\n", b"*1\r\n$4\r\nPING\r\n",
         post + b"Content-Length: -1\r\n\r\n", post + b"Content-Length: 99999999999999999999\r\n\r\n", post + b"Content-Length: 1e3\r\n\r\n",
         post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", post + b"Content-Length: 2000000000\r\n\r\nabc",
         post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
         post + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
         post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n", post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
         post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n", post + b"Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n",
         post + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", good * 200, good * 3 + b"garbage", b"GET /api/v3/time HTTP/1.0\r\n\r\n",
         b"GET /api/v3/time HTTP/1.1\r\n" + host + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\nxyz", upgrade.replace(b"/ws", b"/\xff\xfe"),
         upgrade.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"), upgrade.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 400 + b"\r\n"),
         upgrade + frame(b"x", 15), upgrade * 3, damaged_bytes(draw, upgrade), damaged_bytes(draw, good), damaged_bytes(draw, post + b"\r\n"))
    )  # fmt: skip


async def attack_heads(enemy: Enemy) -> int:
    """Bytes that are no HTTP, each on a connection of its own."""
    wire = await enemy.wire()
    sent = _bad_head(enemy.draw)
    try:
        await wire.send(sent)
        rest = await wire.rest(0.15)
        status = rest[9:12].decode("latin-1") if rest.startswith(b"HTTP/1.1 ") else ""
        enemy.report.statuses[f"heads {status or ('ended' if rest.endswith(b'<end>') else 'open')}"] += 1
        if status.startswith("5"):
            enemy.report.find("heads", repr(rest[:300]), sent[:300])
    except Closed:
        enemy.report.statuses["heads cut"] += 1
    finally:
        wire.close(rudely=enemy.draw.random() < 0.5)
    return 1


async def attack_handshakes(enemy: Enemy) -> int:
    """WebSockets that must not be had."""
    draw = enemy.draw
    target = draw.choice(("/ws", "/stream", "/ws-api/v3"))
    headers = dict(HANDSHAKE)
    what = draw.random()
    if what < 0.4:
        many = "/".join(f"abcusd@kline_1m{'' if n == 0 else n}" for n in range(5))
        target = draw.choice(
            ("/nothing", "/ws-api/v2", "/ws-api", "/ws/nobody@trade", "/ws/" + "a" * 60, "/stream?streams=x", "/ws/abcusd@", f"/ws/{many}",
             "/stream?streams=" + "/".join(["abcusd@trade"] * 400) + "/x", "/ws/%00", "/ws/abcusd@trade%0d%0aX:y", "/not-served/linear",
             "/ws/" + "%ff" * 50, "/control/status", "/api/v3/time", "/stream/ws/nobody@depth")
        )  # fmt: skip
    elif what < 0.9:
        name = draw.choice(list(headers))
        if draw.random() < 0.4:
            del headers[name]
        else:
            headers[name] = draw.choice(
                ("", "x", "12", "13, 13", "websocket", "a" * 5_000, "é", "AAAA", "close", "\x7f")
            )
    else:
        headers |= {
            "Sec-WebSocket-Extensions": draw.choice(
                ("permessage-deflate; x=y", "x" * 3_000, ";;", "permessage-deflate; server_max_window_bits=99")
            )
        }
    wire = await enemy.wire()
    try:
        await wire.send(
            request(draw.choice(("GET", "GET", "GET", "POST", "PUT")), target.encode(), tuple(headers.items()))
        )
        answer = await wire.answer()
        enemy.report.statuses[f"handshakes {answer.status}"] += 1
        if answer.status >= 500:
            enemy.report.find("handshakes", repr(answer), (target, headers))
    except Closed:
        enemy.report.statuses["handshakes cut"] += 1
    except TimeoutError:
        enemy.report.find("handshakes", "no answer", (target, headers))
    finally:
        wire.close(rudely=draw.random() < 0.5)
    return 1


async def attack_replays(enemy: Enemy) -> int:
    """The same signed order again: its name is taken. Of yesterday: it is too old."""
    key, secret = enemy.keys["mallory"]
    name = f"replay-{enemy.draw.getrandbits(60):x}"
    terms = f"symbol=ABCUSD&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50&newClientOrderId={name}"
    payload = f"{terms}&timestamp={int(time.time() * 1000)}"
    sent = request(
        "POST",
        f"/api/v3/order?{payload}&signature={sign(secret, payload.encode())}".encode(),
        [("X-MBX-APIKEY", key)],
        b"",
    )
    late = f"{terms}&timestamp={int(time.time() * 1000) - 10_000}"
    old = request(
        "POST", f"/api/v3/order?{late}&signature={sign(secret, late.encode())}".encode(), [("X-MBX-APIKEY", key)], b""
    )
    cancel = f"symbol=ABCUSD&origClientOrderId={name}&timestamp={int(time.time() * 1000)}"
    away = request(
        "DELETE", f"/api/v3/order?{cancel}&signature={sign(secret, cancel.encode())}".encode(), [("X-MBX-APIKEY", key)]
    )
    wire = await enemy.wire()
    try:
        told = []
        for each in (sent, sent, sent, old, away):
            await wire.send(each)
            told.append(json.loads((await wire.answer()).body).get("code", 0))
        if told not in ([0, -2010, -2010, -1021, 0], [-2010, -2010, -2010, -1021, -2011]):
            enemy.report.find("replays", f"codes {told}", sent)
    except Closed as error:
        enemy.report.find("replays", str(error), sent)
    finally:
        wire.close()
    return 4


Attack = Callable[[Enemy], Awaitable[int]]
ATTACKS: dict[str, tuple[Attack, float]] = {
    "requests": (attack_requests, 0.42), "api": (attack_api, 0.36), "streams": (attack_streams, 0.12),
    "frames": (attack_frames, 0.03), "heads": (attack_heads, 0.04), "handshakes": (attack_handshakes, 0.025),
    "replays": (attack_replays, 0.005),
}  # fmt: skip


# --- those who stay ---


async def stay_silent(enemy: Enemy, over: asyncio.Event) -> int:
    """Connect, and say nothing; again when cut off."""
    return await _held(enemy, over, lambda wire: wire.send(b""), websocket=False)


async def stay_deaf(enemy: Enemy, over: asyncio.Event) -> int:
    """A WebSocket that subscribes to all there is, and never reads."""
    names = json.dumps({"method": "SUBSCRIBE", "params": STREAMS, "id": 1}).encode()
    return await _held(enemy, over, lambda wire: wire.send(frame(names)), websocket=True)


async def stay_dumb(enemy: Enemy, over: asyncio.Event) -> int:
    """A WebSocket that never says anything, and answers no ping."""
    return await _held(enemy, over, lambda wire: wire.send(b""), websocket=True)


async def drip(enemy: Enemy, over: asyncio.Event) -> int:
    """A request that comes letter by letter."""
    count = 0
    while not over.is_set():
        wire = await enemy.wire()
        count += 1
        try:
            sent = b"POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n" + b"x" * 100
            for letter in sent[enemy.draw.randrange(len(sent)) :]:
                await wire.send(bytes([letter]))
                await asyncio.wait_for(over.wait(), 0.3)
        except (TimeoutError, Closed, OSError):
            await asyncio.sleep(0.05)
        finally:
            wire.close(rudely=True)
    return count


async def churn(enemy: Enemy, over: asyncio.Event) -> int:
    """Subscribe and unsubscribe as fast as it is taken."""
    count = 0
    while not over.is_set():
        wire = await enemy.socket("/ws")
        try:
            for number in range(150):
                method = "SUBSCRIBE" if number % 2 else "UNSUBSCRIBE"
                await wire.send(frame(json.dumps({"method": method, "params": STREAMS, "id": number}).encode()))
                count += 1
                if number % 10 == 9:
                    await wire.text()
                    await asyncio.sleep(0.01)
        except (Closed, TimeoutError):
            pass
        finally:
            wire.close(rudely=True)
    return count


async def greedy(enemy: Enemy, over: asyncio.Event) -> int:
    """Ask for large answers, many at once, and read none of them."""
    count = 0
    sent = request("GET", b"/api/v3/depth?symbol=ABCUSD&limit=5000") * 40 + request("GET", b"/openapi.json") * 20
    while not over.is_set():
        wire = await enemy.wire(receive_buffer=4_096)
        count += 60
        try:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(sent)
            await _until(over, 5.0)
        except (Closed, RuntimeError):
            pass
        finally:
            wire.close(rudely=True)
    return count


async def _held(enemy: Enemy, over: asyncio.Event, begin: Callable[[Wire], Awaitable[None]], *, websocket: bool) -> int:
    count = 0
    while not over.is_set():
        wire = await (enemy.socket("/ws") if websocket else enemy.wire(receive_buffer=4_096))
        count += 1
        try:
            await begin(wire)
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            while not over.is_set() and not wire.writer.transport.is_closing():
                await _until(over, 0.5)
        except (Closed, RuntimeError):
            pass
        finally:
            wire.close(rudely=enemy.draw.random() < 0.5)
    return count


async def _until(over: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return


STAYERS: tuple[tuple[Callable[[Enemy, asyncio.Event], Awaitable[int]], int], ...] = (
    (stay_silent, 20), (stay_deaf, 10), (stay_dumb, 20), (drip, 10), (churn, 2), (greedy, 2),
)  # fmt: skip


# --- the campaign ---


async def campaign(
    url: str, keys: Keys, seed: int, inputs: int, *, source: str = "", crowd: float = 1.0, hands: int = 6
) -> Report:
    """Send so many inputs, several at a time, beside those who stay. crowd: how many of these, 1 for 64."""
    report = Report(seed)
    over = asyncio.Event()
    begun = time.perf_counter()

    def enemy(name: str) -> Enemy:
        return Enemy(url, keys, Random(f"{seed}/{name}"), report, source)

    stayers = [
        asyncio.create_task(_counted(stay(enemy(f"{stay.__name__}/{number}"), over), report, stay.__name__))
        for stay, count in STAYERS
        for number in range(max(1, int(count * crowd)))
    ]
    due = {name: inputs * share for name, (_, share) in ATTACKS.items()}
    await asyncio.gather(*(_attack(enemy(f"hand/{number}"), due, number) for number in range(hands)))
    over.set()
    await asyncio.gather(*stayers)
    report.seconds = time.perf_counter() - begun
    return report


async def _counted(staying: Awaitable[int], report: Report, name: str) -> None:
    try:
        report.inputs[name] += await staying
    except (Closed, OSError) as error:
        report.find(name, f"could not come back: {error!r}", None)


async def _attack(enemy: Enemy, due: dict[str, float], number: int) -> None:
    """One thing after another, whatever is most behind."""
    case = 0
    while len(enemy.report.findings) < MOST_FINDINGS:
        waiting = [name for name in due if due[name] > 0]
        if not waiting:
            return
        name = enemy.draw.choices(waiting, [due[each] for each in waiting])[0]
        enemy.draw = Random(f"{enemy.report.seed}/{number}/{case}")
        case += 1
        try:
            done = await ATTACKS[name][0](enemy)
        except (Closed, OSError, TimeoutError) as error:
            enemy.report.find(name, f"case {number}/{case - 1}: {error!r}", None)
            done = 1
        due[name] -= max(done, 1)
        enemy.report.inputs[name] += done


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.hostile", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("keys", help="JSON file: name to [key, secret]")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--inputs", type=int, default=100_000)
    options = parser.parse_args()
    with open(options.keys, encoding="utf-8") as file:
        keys = {name: tuple(pair) for name, pair in json.load(file).items()}
    report = asyncio.run(campaign(options.url, keys, options.seed, options.inputs))
    print(
        json.dumps(
            {
                "inputs": report.inputs,
                "statuses": report.statuses,
                "findings": report.findings,
                "seconds": report.seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
