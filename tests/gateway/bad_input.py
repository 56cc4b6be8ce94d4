"""Bad input, drawn: requests, messages, frames and heads as only a broken or wicked client sends them.

Most are sound but for a part or two, so that they come as far as they can. It sends nothing.
"""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

from marketsim.gateway.binance.operations import OPERATIONS, Security
from marketsim.gateway.signature import sign, websocket_payload
from tests.fuzz.values import EDGES, WORDS, anything, damaged, damaged_bytes, text
from tests.gateway.wire import CLOSE, HANDSHAKE, PING, PONG, TEXT, frame, request

Keys = dict[str, tuple[str, str]]
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
NUMBERS = (
    "0",
    "-0",
    "-0.0",
    "00001",
    "1e5",
    "1E-7",
    "1e400",
    "-1e400",
    "NaN",
    "nan",
    "Infinity",
    "9" * 30,
    "0." + "0" * 30 + "1",
    "1." + "0" * 25,
    "1_000",
    "1,5",
    "+1",
    " 1",
    "1 ",
    "1\n",
    "\t1",
    "١٢",
    "²",
    "0x10",
    "1.",
    ".5",
    "",
    "99999999999999999999",
    "1099511627776",
    "9000000000",
    "9000000001",
    "0.00000001",
    "0.000000001",
    "100.005",
    "18446744073709551616",
    "true",
)
STREAMS = (
    "abcusd@trade",
    "abcusd@aggTrade",
    "abcusd@bookTicker",
    "abcusd@depth",
    "abcusd@depth@100ms",
    "abcusd@depth5",
    "abcusd@depth20@100ms",
    "abcusd@kline_1s",
    "abcusd@kline_1m",
    "abcusd@miniTicker",
    "abcusd@ticker",
    "abcusd@avgPrice",
    "abcusd@ticker_1h",
    "!ticker@arr",
    "!miniTicker@arr",
    "!bookTicker",
)
NO_STREAMS = (
    "",
    "@",
    "abcusd",
    "@trade",
    "abcusd@",
    "ABCUSD@trade",
    "abcusd@nothing",
    "nobody@trade",
    "!x@arr",
    "abcusd@depth7",
    "abcusd@kline_7m",
    "abcusd@trade\0",
    "abcusd@trade\n",
    "\ud800@trade",
    "a" * 30_000,
    "abcusd@" + "x" * 300,
    "..%2f..",
    "abcusd@trade@trade",
    "!ticker",
    "🤖@trade",
)


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
        "symbol": "ABCUSD",
        "symbols": '["ABCUSD"]',
        "interval": "1m",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "90",
        "orderId": "1",
        "limit": "5",
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "newQty": "1",
        "listenKey": "a" * 60,
        "windowSize": "1h",
    }
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
        (
            str(now),
            str(now),
            str(now),
            str(now),
            str(now - 6_000),
            str(now + 5_000),
            str(now - 86_400_000),
            "0",
            "-1",
            "1e12",
            "",
            str(now * 1_000),
            str(now) + ".5",
            "NaN",
            "9" * 18,
            "9" * 19,
            " " + str(now),
            "None",
        )
    )


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


def http_request(draw: Random, keys: Keys) -> tuple[str, bytes]:
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
            (
                path + "/",
                path.upper(),
                path[:-1],
                "//" + path,
                path.replace("/", "/./", 1),
                path + "%00",
                "/api/v3/../v3/time",
                "/api/",
                "/api/v9/order",
                "/sapi/v1/%2e%2e/x",
                "/",
                "/%ff%fe",
                "/docs/../control/end",
                "/x" * 900,
                "/api/v3/%F0%9F%A4%96",
                "/not-served/x",
                "/control/nothing",
                "/control/book/%00",
                "/control/book/" + "x" * 50,
                "/static/..%2f..%2fetc/passwd",
            )
        )
    elif what < 0.15 and body is None:
        body = draw.choice(
            (b"", b"{}", b"\0" * 100, b"a=b&a=b", b"[" * 10_000, b"x" * 65_536, b"\xff\xfe=1", b"x" * 70_000)
        )
    elif what < 0.16:
        method, path, query, body = "POST", draw.choice(("/control/step", "/control/speed")), b"", control_body(draw)
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


def control_body(draw: Random) -> bytes:
    """What no control takes."""
    return draw.choice(
        (
            b"",
            b"{",
            b"null",
            b"[]",
            b"1e400",
            b'{"for": "1y"}',
            b'{"for": "-1s"}',
            b'{"for": NaN}',
            b'{"speed": NaN}',
            b'{"speed": 1e400}',
            b'{"speed": "x"}',
            b'{"speed": -1}',
            b'{"speed": 1e9}',
            b'{"for": "\\ud800"}',
            b'{"for": 5}',
            b"\xff\xfe",
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b'{"for": "' + b"1" * 5_000 + b'"}',
            b'{"speed": ' + b"9" * 5_000 + b"}",
        )
    )


def api_message(draw: Random, keys: Keys, number: int) -> tuple[str, bool]:
    """A message to the WebSocket API, and whether the answer must repeat its number."""
    what = draw.random()
    if what < 0.08:
        return damaged(draw, '{"id": 1, "method": "ping", "params": {}}'), False
    if what < 0.12:
        return draw.choice(
            (
                "",
                " ",
                "null",
                "1",
                "[]",
                "{}",
                '"x"',
                "[" * 20_000,
                '{"a":' * 8_000,
                '{"id":' + "9" * 5_000 + ', "method":"ping"}',
                '{"id":1e400,"method":"ping"}',
                '{"id":NaN,"method":"ping"}',
                '{"id":[1],"method":"ping"}',
                '{"id":{},"method":"ping"}',
                '{"id":true,"method":"ping"}',
                '{"method":"ping"}',
                '{"id":null,"method":"ping"}',
                '{"id":1,"method":5}',
                '{"id":1,"method":null}',
                '{"id":1,"method":"ping","params":[]}',
                '{"id":1,"method":"ping","params":"x"}',
                '{"id":1,"id":2,"method":"ping"}',
                '{"id":"' + "x" * 64 + '","method":"ping"}',
                '{"id":"' + "x" * 65 + '","method":"ping"}',
                '{"id":9223372036854775807,"method":"ping"}',
                '{"id":9223372036854775808,"method":"ping"}',
                '{"id":-1,"method":"ping"}',
                '{"id":"\\ud800","method":"ping"}',
                '{"id":"\\u0000","method":"\\ud800"}',
                '{"id":1,"method":"' + "m" * 60_000 + '"}',
                "\0",
                "\ufeff{}",
                '{"id":1,"method":"ping","params":{"\\ud83d":"\\udc00"}}',
                '{"id": 1.0, "method": "ping"}',
                '{"id":1,"method":"depth","params":{"symbol":["ABCUSD"],"limit":{"a":1}}}',
                "x" * 65_000,
            )
        ), False
    operation = draw.choice(OPERATIONS)
    own = (
        "userDataStream.subscribe.signature",
        "userDataStream.subscribe",
        "userDataStream.unsubscribe",
        "session.status",
        "session.logon",
        "session.logout",
        "session.subscriptions",
    )
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


def stream_message(draw: Random, keys: Keys, number: int) -> str:
    what = draw.random()
    if what < 0.2:
        return (
            api_message(draw, keys, number)[0]
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


def bad_frames(draw: Random) -> bytes:
    """What breaks the protocol, and must end the connection."""
    ping = frame(b'{"id":1,"method":"ping"}')
    return draw.choice(
        (
            frame(b"x", masked=False),
            frame(b"x", draw.choice((3, 4, 5, 6, 7, 11, 15))),
            frame(b"x", reserved=draw.randint(1, 7)),
            frame(b"x", 0),
            frame(b"\xff\xfe"),
            frame(b"\xc0\x80"),
            frame(b"\xed\xa0\x80"),
            frame(b"x", 2) + frame(b"\x03\xe8", CLOSE),
            frame(b"x" * 70_000),
            frame(b"", length=2**63),
            frame(b"", length=2**62),
            frame(b"x" * 126, PING),
            frame(b"x", PING, final=False),
            frame(b"\0", CLOSE),
            frame(b"\x03\xe7", CLOSE),
            frame(b"\x00\x00", CLOSE),
            frame(b"\x03\xec", CLOSE),
            frame(b"\xff\xff", CLOSE),
            frame(b"\x03\xe8\xff\xfe", CLOSE),
            frame(b"a", TEXT, final=False) + frame(b"b", TEXT),
            frame(b"x" * 40_000, final=False) * 3,
            frame(b"a", final=False) + frame(b"", 0, final=False) * 2_000,
            frame(b"", PING) * 300,
            frame(b"x" * 125, PONG) * 300,
            frame(b"\x03\xe8", CLOSE) + ping,
            frame(b"", CLOSE),
            b"\xf3" + draw.randbytes(200),
            frame(b"\xc3", final=False) + frame(b"(", 0),
        )
    )


def bad_head(draw: Random) -> bytes:
    """What is no request, or none that the server should wait for."""
    host = b"Host: 127.0.0.1\r\n"
    post = b"POST /api/v3/order HTTP/1.1\r\n" + host
    good = b"GET /api/v3/time HTTP/1.1\r\n" + host + b"\r\n"
    upgrade = request("GET", b"/ws", HANDSHAKE)
    return draw.choice(
        (
            draw.randbytes(draw.choice((1, 10, 100, 3_000))),
            b"\0" * 50,
            b"\r\n" * 50 + b"x",
            b"GET",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\r\n\r\n",
            b"get /api/v3/time HTTP/1.1\r\n\r\n",
            b"GET /api/v3/time HTTP/1.1\r\n" + b"a" * 40_000,
            b"GET /" + b"a" * 120_000,
            b"GET /api/v3/time HTTP/1.1\r\n" + b"X: y\r\n" * 9_000,
            b"GET /api/v3/time HTTP/1.1\r\nX: " + b"y" * 50_000 + b"\r\n\r\n",
            b"GET /api/v3/time HTTP/1.1\r\n: x\r\n\r\n",
            b"GET /api/v3/time HTTP/1.1\r\nX y: z\r\n\r\n",
            b"GET /api/v3/time HTTP/1.1\r\nX: a\0b\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /\xff\xfe\xf0 HTTP/1.1\r\n\r\n",
            b"GET http://[::1 HTTP/1.1\r\n\r\n",
            b"GET //:99999/ HTTP/1.1\r\n\r\n",
            b"CONNECT x:1 HTTP/1.1\r\n\r\n",
            b"CONNECT / HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"*1\r\n$4\r\nPING\r\n",
            post + b"Content-Length: -1\r\n\r\n",
            post + b"Content-Length: 99999999999999999999\r\n\r\n",
            post + b"Content-Length: 1e3\r\n\r\n",
            post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            post + b"Content-Length: 2000000000\r\n\r\nabc",
            post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n",
            post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n",
            post + b"Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n",
            post + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            good * 200,
            good * 3 + b"garbage",
            b"GET /api/v3/time HTTP/1.0\r\n\r\n",
            b"GET /api/v3/time HTTP/1.1\r\n" + host + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\nxyz",
            upgrade.replace(b"/ws", b"/\xff\xfe"),
            upgrade.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"),
            upgrade.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 400 + b"\r\n"),
            upgrade + frame(b"x", 15),
            upgrade * 3,
            damaged_bytes(draw, upgrade),
            damaged_bytes(draw, good),
            damaged_bytes(draw, post + b"\r\n"),
        )
    )
