"""Who may connect, who may control, and what nobody is told: TLS, addresses, tokens, foreign names, secrets."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from marketsim.gateway.signature import sign
from tests.gateway import served
from tests.gateway.wire import Answer, Closed, Wire, request, run

TOKEN = "a-token-of-nobody-else"


def ask(url: str, path: str, headers: dict[str, str] | None = None, method: str = "GET", **terms: Any) -> Answer:
    """One answer over a connection of its own."""

    async def once() -> Answer:
        wire = await Wire.open(url, **terms)
        try:
            named = headers or {}
            host = named.get("Host", "x")
            rest = [pair for pair in named.items() if pair[0] != "Host"]
            await wire.send(request(method, path.encode(), rest, host=host))
            return await wire.answer(method)
        finally:
            wire.close()

    return run(once())


def signed(path: str, keys: tuple[str, str]) -> tuple[str, dict[str, str]]:
    """A signed path and its header."""
    query = f"timestamp={int(time.time() * 1000)}"
    return f"{path}?{query}&signature={sign(keys[1], query.encode())}", {"X-MBX-APIKEY": keys[0]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Served]:
    """Without a token, on the loopback."""
    with served.on_a_thread(tmp_path_factory.mktemp("security") / "run") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Served]:
    """With a token, and an allow-list that leaves out 127.0.0.2."""
    place = tmp_path_factory.mktemp("guarded")
    with served.on_a_thread(place / "run", token=TOKEN, allow=["127.0.0.1", "127.0.0.3"]) as running:
        yield running


# --- foreign names ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "localhost@evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "file://"},
    ],
)
def test_no_page_and_no_name_of_others_controls_the_market(server: served.Served, headers: dict[str, str]) -> None:
    for method, path in (
        ("POST", "/control/pause"),
        ("POST", "/control/end"),
        ("GET", "/control/status"),
        ("GET", "/metrics"),
    ):
        answer = ask(server.url, path, headers, method)
        assert answer.status == 403, (path, answer)
        assert "127.0.0.1" in json.loads(answer.body)["detail"]
    assert json.loads(ask(server.url, "/control/status").body)["state"] == "running"


@pytest.mark.parametrize(
    "headers",
    [{"Host": "localhost"}, {"Host": "127.0.0.1:99"}, {"Host": "[::1]:8"}, {"Origin": "http://localhost:3000"}],
)
def test_this_machine_controls_it_under_its_own_names(server: served.Served, headers: dict[str, str]) -> None:
    assert ask(server.url, "/control/status", headers).status == 200


def test_a_header_of_a_proxy_makes_nobody_somebody_else(server: served.Served, guarded: served.Served) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert ask(guarded.url, "/api/v3/time", {name: "127.0.0.1"}, source="127.0.0.2").status == 403
        path, headers = signed("/api/v3/account", server.keys["elsewhere"])
        assert ask(server.url, path, {**headers, name: "10.9.8.7"}).status == 401


# --- the control token ---


def test_the_token_opens_the_control(guarded: served.Served) -> None:
    for headers in (
        {},
        {"X-MARKETSIM-TOKEN": ""},
        {"X-MARKETSIM-TOKEN": TOKEN[:-1]},
        {"X-MARKETSIM-TOKEN": "é"},
        {"Authorization": f"Basic {TOKEN}"},
    ):
        for path in ("/control/status", "/metrics"):
            answer = ask(guarded.url, path, headers)
            assert answer.status == 401
            assert "X-MARKETSIM-TOKEN" in json.loads(answer.body)["detail"]
    for headers in (
        {"X-MARKETSIM-TOKEN": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"X-MARKETSIM-TOKEN": TOKEN, "Host": "market.example"},
    ):
        assert ask(guarded.url, "/control/status", headers).status == 200
        assert ask(guarded.url, "/metrics", headers).status == 200


def test_what_is_no_secret_needs_no_token(guarded: served.Served) -> None:
    for path in ("/health", "/docs", "/openapi.json", "/api/v3/time"):
        assert ask(guarded.url, path).status == 200
    page = ask(guarded.url, "/docs")
    assert b"://" not in page.body  # it loads nothing from anywhere
    assert "default-src 'none'" in page.headers["content-security-policy"]


# --- addresses and keys ---


def test_addresses_that_are_not_listed_stay_outside(guarded: served.Served) -> None:
    assert ask(guarded.url, "/api/v3/time", source="127.0.0.3").status == 200
    for path in ("/api/v3/time", "/control/status", "/docs", "/nothing"):
        answer = ask(guarded.url, path, {"X-MARKETSIM-TOKEN": TOKEN}, source="127.0.0.2")
        assert (answer.status, json.loads(answer.body)["code"]) == (403, -1005)

    async def knock() -> int:
        wire = await Wire.open(guarded.url, source="127.0.0.2")
        try:
            return (await wire.upgrade("/ws/abcusd@trade")).status
        finally:
            wire.close()

    assert run(knock()) == 403


@pytest.mark.parametrize(
    ("who", "path", "method", "code"),
    [
        ("elsewhere", "/api/v3/account", "GET", -2015),
        ("revoked", "/api/v3/account", "GET", -2015),
        ("seatless", "/api/v3/account", "GET", -2015),
        ("reader", "/api/v3/order", "POST", -2015),
        ("reader", "/api/v3/openOrders", "DELETE", -2015),
    ],
)
def test_a_key_opens_only_what_it_is_for(server: served.Served, who: str, path: str, method: str, code: int) -> None:
    target, headers = signed(path, server.keys[who])
    answer = ask(server.url, target, headers, method)
    assert (answer.status, json.loads(answer.body)["code"]) == (401, code)
    target, headers = signed("/api/v3/account", server.keys["reader"])
    assert ask(server.url, target, headers).status == 200


def test_nobody_is_told_a_secret(server: served.Served, tmp_path: Path) -> None:
    told = b""
    for who in server.keys:
        key, secret = server.keys[who]
        for path in ("/api/v3/account", "/api/v3/openOrders", "/api/v3/nothing"):
            for pair in ((key, secret), (key, secret[::-1]), (secret, key)):
                target, headers = signed(path, pair)
                answer = ask(server.url, target, headers)
                told += answer.body + repr(answer.headers).encode()
    for path in ("/metrics", "/openapi.json", "/control/status", "/docs"):
        told += ask(server.url, path).body
    assert server.gateway is not None
    folder = server.gateway.live.journal.path.parent
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    logged = "\n".join(server.log()).encode() + repr(server.gateway).encode()
    for _, secret in server.keys.values():
        assert secret.encode() not in told + kept + logged


# --- TLS ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, made here."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    place = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "marketsim test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (place / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (place / "key.pem").write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    (place / "locked.pem").write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"word")))
    other = ec.generate_private_key(ec.SECP256R1())
    (place / "other.pem").write_bytes(other.private_bytes(*form, serialization.NoEncryption()))
    return place / "cert.pem", place / "key.pem"


def test_tls_13_and_nothing_older(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    def context(version: ssl.TLSVersion) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(certificate[0]))
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.maximum_version = version
        return made

    async def stream() -> tuple[int, str]:
        wire = await Wire.open(running.url, tls=context(ssl.TLSVersion.TLSv1_3))
        status = (await wire.upgrade("/ws/abcusd@depth@100ms")).status
        text = await wire.text()
        version = wire.writer.get_extra_info("ssl_object").version()
        wire.close()
        assert "depthUpdate" in text
        return status, version

    async def plain() -> bytes:
        wire = await Wire.open(running.url)
        await wire.send(request("GET", b"/api/v3/time"))
        told = await wire.rest(5)
        wire.close()
        return told

    with served.on_a_thread(tmp_path / "run", certificate=certificate[0], private_key=certificate[1]) as running:
        assert running.url.startswith("https://127.0.0.1:")
        target, headers = signed("/api/v3/account", running.keys["alice"])
        assert ask(running.url, target, headers, tls=context(ssl.TLSVersion.TLSv1_3)).status == 200
        assert run(stream()) == (101, "TLSv1.3")
        with pytest.raises(OSError, match=r"(?i)ssl|reset|closed"):
            urllib.request.urlopen(running.url + "/api/v3/time", context=context(ssl.TLSVersion.TLSv1_2), timeout=10)
        assert b"HTTP/1.1" not in run(plain())
        with pytest.raises((Closed, OSError)):
            ask(running.url, "/api/v3/time")
        assert ask(running.url, "/api/v3/time", tls=context(ssl.TLSVersion.TLSv1_3)).status == 200
    assert not running.log()


# --- the emergency stop ---


def test_the_control_stops_a_client_and_lets_it_go_on(server: served.Served) -> None:
    def post(what: str, **said: object) -> tuple[int, dict[str, object]]:
        body, kind = json.dumps(said).encode(), {"Content-Type": "application/json"}
        try:
            with urlopen(Request(f"{server.url}/control/{what}", body, kind, method="POST"), timeout=20) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    assert server.gateway is not None
    guards = {name: seat._session.guard for name, seat in server.gateway.live.clients.items()}
    assert post("emergency_stop", client="alice", flatten=True)[0] == 200
    assert [name for name, guard in guards.items() if guard.stopped] == ["alice"]
    status, said = post("emergency_stop", client="alise")
    assert (status, "no client of this name" in str(said["detail"])) == (404, True)
    assert post("emergency_stop")[0] == 200
    assert all(guard.stopped for guard in guards.values())
    assert post("resume_trading", client="bob")[0] == 200
    assert not guards["bob"].stopped
    assert post("resume_trading")[0] == 200
    assert not any(guard.stopped for guard in guards.values())
