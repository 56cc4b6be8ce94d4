"""Signatures: the documented cases, what real clients send, and that nothing else passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError
from marketsim.gateway.signature import Written, sign, split_signature, verify, websocket_payload

# The venue's documentation prints these to check an implementation with.
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
WHOLE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
SOCKET = "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"


def _holds(query: bytes, body: bytes = b"") -> bool:
    payload, signature = split_signature(query, body)
    return signature is not None and verify(SECRET, payload, signature)


# --- the documented cases ---


def test_the_documented_requests_hold() -> None:
    signed = ORDER + b"&" + REST
    assert sign(SECRET, signed) == WHOLE
    assert _holds(signed + b"&signature=" + WHOLE.encode())
    assert _holds(b"", signed + b"&signature=" + WHOLE.encode())
    assert _holds(ORDER, REST + b"&signature=" + MIXED.encode())
    assert _holds(ORDER + b"&signature=" + MIXED.encode(), REST)
    assert not _holds(ORDER, REST + b"&signature=" + WHOLE.encode())


def test_the_documented_message_of_the_socket_holds() -> None:
    text = (
        '{"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",'
        '"price": "52000.00", "newOrderRespType": "ACK", "recvWindow": 100, "timestamp": 1645423376532,'
        f'"apiKey": "{KEY}", "signature": "left out"}}'
    )
    assert sign(SECRET, websocket_payload(json.loads(text))) == SOCKET


# --- where the signature stands ---


@pytest.mark.parametrize(
    ("query", "body", "payload", "signature"),
    [
        (b"a=1&signature=x", b"", b"a=1", "x"),
        (b"signature=x&a=1", b"", b"a=1", "x"),
        (b"a=1&signature=x&b=2", b"", b"a=1&b=2", "x"),
        (b"signature=x", b"a=1", b"a=1", "x"),
        (b"a=1", b"b=2&signature=x", b"a=1b=2", "x"),
        (b"a=1&signature=x", b"b=2", b"a=1b=2", "x"),
        (b"a=%2F&&signature=%78", b"", b"a=%2F&", "x"),
        (b"a=1&signature=", b"", b"a=1", ""),
        (b"a=1&mysignature=x", b"", b"a=1&mysignature=x", None),
        (b"a=1&signature=x&signature=y", b"", b"a=1", None),
        (b"a=1&signature=x", b"signature=x", b"a=1", None),
        (b"", b"", b"", None),
    ],
)
def test_the_signature_is_taken_out_wherever_it_stands(
    query: bytes, body: bytes, payload: bytes, signature: str | None
) -> None:
    assert split_signature(query, body) == (payload, signature)


PAIRS = st.lists(st.tuples(st.sampled_from(["symbol", "price", "x", "my"]), st.text(max_size=8)), max_size=5)


@given(PAIRS, PAIRS, st.integers(0, 5), st.booleans(), st.booleans())
def test_what_was_signed_holds_and_every_change_of_it_does_not(
    query: list[tuple[str, str]], body: list[tuple[str, str]], place: int, in_body: bool, upper: bool
) -> None:
    sent = [urlencode(query), urlencode(body)]
    signature = sign(SECRET, "".join(sent).encode())
    pairs = [part for part in sent[in_body].split("&") if part]
    pairs.insert(place, "signature=" + (signature.upper() if upper else signature))
    sent[in_body] = "&".join(pairs)
    raw = [part.encode() for part in sent]
    assert _holds(*raw)
    assert not _holds(raw[0] + b"&z=1", raw[1])
    assert not _holds(raw[0], b"z=1&" + raw[1])


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_nonsense_is_refused_and_breaks_nothing(query: bytes, body: bytes) -> None:
    for raw in (query, query + b"&signature=" + body):
        assert not _holds(raw, body)


@given(st.text(max_size=80))
def test_no_text_but_the_signature_holds(text: str) -> None:
    assert not verify(SECRET, ORDER, text)
    right = sign(SECRET, ORDER)
    assert verify(SECRET, ORDER, right)
    assert not verify(SECRET + "x", ORDER, right)
    assert not verify(SECRET, ORDER, right[:-1])


# --- parameters as they were written ---


def test_numbers_are_signed_as_they_were_written() -> None:
    text = '{"b": 0.00001, "a": 1.10, "c": true, "d": null, "e": ["x", "é"], "f": 12, "g": "é", "h": false, "i": 1e3}'
    written = json.loads(text, parse_float=Written)
    assert websocket_payload(written) == 'a=1.10&b=0.00001&c=true&d=null&e=["x","é"]&f=12&g=é&h=false&i=1e3'.encode()
    assert written["a"] == 1.1
    assert str(written["b"]) == "0.00001"
    assert websocket_payload({"a": 1.5}) == b"a=1.5"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=5
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_any_parsed_json_has_a_payload(params: dict[str, Any]) -> None:
    payload = websocket_payload(params)
    assert payload == websocket_payload({**dict(reversed(params.items())), "signature": "x"})
    assert payload.count(b"=") >= len(params)


def test_what_is_no_text_is_signed_all_the_same() -> None:
    assert websocket_payload(json.loads('{"a": "\\ud800"}')) == b"a=\xed\xa0\x80"
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for wrong in (nested, object()):
        with pytest.raises(InvalidValueError, match="parameter symbols"):
            websocket_payload({"symbols": wrong})


# --- what real clients send ---

PARAMS = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": 0.00001, "newClientOrderId": "x-R4:a/b_c"}


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_ccxt_over_http(method: str) -> None:
    ccxt = pytest.importorskip("ccxt")
    exchange = ccxt.binance({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
    sent: list[tuple[bytes, bytes]] = []

    def fetch(url: str, method: str, headers: object, body: str | None) -> dict[str, Any]:
        sent.append((url.partition("?")[2].encode(), (body or "").encode()))
        return {}

    exchange.fetch = fetch
    getattr(exchange, f"private_{method}_order")({**PARAMS, "symbol": "é/USDT"})
    ((query, body),) = sent
    assert bool(query) != bool(body)
    assert _holds(query, body)
    assert not _holds(query.replace(b"BUY", b"SELL"), body.replace(b"BUY", b"SELL"))


def test_ccxt_over_the_socket() -> None:
    pro = pytest.importorskip("ccxt.pro")
    exchange = pro.binance({"apiKey": KEY, "secret": SECRET})
    params = json.loads(exchange.json(exchange.sign_params({**PARAMS, "quantity": 0.5, "returnRateLimits": False})))
    assert b"returnRateLimits=false" in websocket_payload(params)
    assert verify(SECRET, websocket_payload(params), params["signature"])
    subscribe = json.loads(exchange.json(exchange.sign_params({})))
    assert verify(SECRET, websocket_payload(subscribe), subscribe["signature"])


@pytest.fixture
def client() -> Iterator[Any]:
    """python-binance's, which takes the thread's event loop and leaves it open."""
    binance = pytest.importorskip("binance")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    client = binance.Client(KEY, SECRET, ping=False)
    yield client
    client.session.close()
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_python_binance_over_http(client: Any, method: str) -> None:
    requests = pytest.importorskip("requests")
    sent: list[tuple[bytes, bytes]] = []

    def send(request: Any, **_: object) -> Any:
        sent.append((request.path_url.partition("?")[2].encode(), (request.body or "").encode()))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"{}"
        return answer

    client.session.send = send
    getattr(client, f"_{method}")("order", True, data={**PARAMS, "newClientOrderId": "x-HNA2TXFJabc"})
    ((query, body),) = sent
    assert bool(query) != bool(body)
    assert _holds(query, body)


def test_python_binance_over_the_socket(client: Any) -> None:
    order = {**PARAMS, "quantity": "0.5", "newClientOrderId": "x-HNA2TXFJabc"}
    params = json.loads(json.dumps(client._sign_ws_params(order, client._generate_ws_api_signature)))
    assert params["apiKey"] == KEY
    assert verify(SECRET, websocket_payload(params), params["signature"])
