"""Connections that do not behave, and ends that do: slow readers, half-open sockets, crowds, closing time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from marketsim.experiment.verification import verify
from marketsim.gateway import connection as connections
from marketsim.gateway import guard, server
from marketsim.gateway.connection import ABORT, Connection, Outboxes
from marketsim.gateway.heart import Turnstile
from marketsim.gateway.metrics import Metrics
from marketsim.gateway.signature import sign, websocket_payload
from tests.gateway import served
from tests.gateway.good import HttpTrader, SocketTrader, control, metrics
from tests.gateway.wire import CLOSE, PING, Closed, Wire, frame, request, run

# --- the outbox ---


class Client:
    """What stands for a client's end of the wire."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.aborted = False
        self.reads = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.read.append(message.get("text", ""))

    def abort(self) -> None:
        self.aborted = True


def _connected(outboxes: Outboxes | None = None) -> tuple[Connection, Client]:
    client = Client()
    scope = {"client": ("127.0.0.1", 5), ABORT: client.abort}
    return Connection(scope, client.send, Metrics(), outboxes), client


async def _written(connection: Connection) -> None:
    writing = asyncio.create_task(connection.write())
    await asyncio.sleep(0.01)
    writing.cancel()


def test_a_newer_quote_takes_the_place_of_one_that_waits() -> None:
    async def scene() -> list[str]:
        connection, client = _connected()
        for text, latest in (
            ("trade 1", ""),
            ("quote 1", "q"),
            ("trade 2", ""),
            ("quote 2", "q"),
            ("ticker 1", "t"),
            ("quote 3", "q"),
        ):
            connection.put(text, latest)
        client.reads.set()
        await _written(connection)
        connection.put("quote 4", "q")
        await _written(connection)
        return client.read

    assert run(scene()) == ["trade 1", "quote 3", "trade 2", "ticker 1", "quote 4"]


def test_who_does_not_read_is_cut_off_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_MESSAGES", 100)

    async def scene() -> None:
        together = Outboxes()
        slow, idle = _connected(together)
        other, reader = _connected(together)
        for number in range(101):
            slow.put(f"trade {number}")
        other.put("trade")
        reader.reads.set()
        await _written(other)
        assert (slow.closed, idle.aborted, slow.waiting, slow.reason) == (True, True, 0, "slow consumer")
        assert (other.closed, reader.aborted, reader.read) == (False, False, ["trade"])
        assert together.bytes == 0
        slow.put("more")
        assert slow.waiting == 0

    run(scene())


def test_bytes_count_too_and_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_TOGETHER", 3_000)
    monkeypatch.setattr(connections, "FAIR_SHARE", 500)

    async def scene() -> list[bool]:
        together = Outboxes()
        made = [_connected(together)[0] for _ in range(5)]
        for each in made[:4]:
            each.put("x" * 900)
        made[4].put("x" * 100)  # little waits for this one: it stays
        return [each.closed for each in made]

    assert run(scene()) == [False, False, False, True, False]


def test_a_full_outbox_of_quotes_alone_stays_small() -> None:
    async def scene() -> int:
        connection, _ = _connected()
        for number in range(50_000):
            connection.put(f"quote {number}", f"stream {number % 20}")
        return connection.waiting

    assert run(scene()) == 20


# --- the turnstile ---


def test_an_overdue_market_comes_first_and_then_each_in_turn() -> None:
    async def scene() -> list[str]:
        turnstile, order = Turnstile(), list[str]()

        async def ask(who: str, name: str) -> None:
            await turnstile.passed(who)
            order.append(name)

        turnstile.turned(-1.0)  # due a second ago
        asked = [asyncio.create_task(ask("greedy", f"greedy {number}")) for number in range(4)]
        asked += [asyncio.create_task(ask("modest", "modest"))]
        gone = asyncio.create_task(ask("gone", "gone"))
        await asyncio.sleep(0.01)
        assert (order, turnstile.waiting) == ([], 6)
        gone.cancel()
        turnstile.turned(10.0)
        await asyncio.gather(*asked)
        assert turnstile.waiting == 0
        await ask("late", "late")
        return order

    assert run(scene()) == ["greedy 0", "modest", "greedy 1", "greedy 2", "greedy 3", "late"]


# --- on the wire ---


def _run(folder: Path, play: Callable[[served.Served], Coroutine[Any, Any, None]], **options: Any) -> None:
    with served.on_a_thread(folder, **options) as running:
        run(play(running))
    assert not running.log(), running.log()


async def _settles(url: str, name: str, value: float, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while (found := (await metrics(url)).get(f"marketsim_{name}", 0.0)) != value:
        assert time.monotonic() < until, (name, found)
        await asyncio.sleep(0.05)


@pytest.mark.slow
def test_a_reader_that_stops_is_cut_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_BYTES", 20_000)
    monkeypatch.setattr(server, "SEND_BUFFER", 4_096)

    async def play(running: served.Served) -> None:
        slow = await Wire.open(running.url, receive_buffer=2_048)
        assert (await slow.upgrade("/stream?streams=abcusd@trade/abcusd@depth@100ms")).status == 101
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        good = await Wire.open(running.url)
        assert (await good.upgrade("/ws/abcusd@trade")).status == 101
        trader = SocketTrader(running.url, *running.keys["alice"])
        over = asyncio.Event()
        trading = asyncio.create_task(trader.trade(over, pause=0.0))
        cut = 'connections_cut_total{reason="slow consumer"}'
        numbers: list[int] = []
        until = time.monotonic() + 20
        while not (await metrics(running.url)).get(f"marketsim_{cut}", 0.0):
            assert time.monotonic() < until
            numbers += [json.loads(await good.text())["t"] for _ in range(50)]
        over.set()
        await trading
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        slow.close(rudely=True)
        good.close()
        await _settles(running.url, "connections", 0)

    _run(tmp_path / "run", play, speed=60.0, duration="12h")


def test_half_open_connections_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.3)
    monkeypatch.setattr(guard, "PING_EVERY", 0.2)
    monkeypatch.setattr(guard, "PING_PATIENCE", 0.3)

    async def ended(wire: Wire) -> bytes:
        try:
            return await wire.rest(5)
        finally:
            wire.close()

    async def play(running: served.Served) -> None:
        silent, halfway = await Wire.open(running.url), await Wire.open(running.url)
        await halfway.send(b"POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc")
        dumb, pinged = await Wire.open(running.url), await Wire.open(running.url)
        for wire in (dumb, pinged):
            assert (await wire.upgrade("/ws/abcusd@trade")).status == 101
        answering = asyncio.create_task(_answers(pinged, 1.5))
        for told in await asyncio.gather(*map(ended, (silent, halfway, dumb))):
            assert told.endswith(b"<end>")
        assert await answering > 3  # pings; it is still there
        pinged.close()
        await _settles(running.url, "connections", 0)

    _run(tmp_path / "run", play)


async def _answers(wire: Wire, seconds: float) -> int:
    until, pings = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        opcode, held = await wire.frame()
        if opcode == PING:
            pings += 1
            await wire.send(frame(held, 10))
    return pings


@pytest.mark.slow
def test_who_never_reads_an_answer_is_swept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.5)

    async def play(running: served.Served) -> None:
        wire = await Wire.open(running.url, receive_buffer=2_048)
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        until = time.monotonic() + 15
        cut = False
        while not cut and time.monotonic() < until:
            try:
                await wire.send(request("GET", b"/openapi.json") * 60)
                await asyncio.sleep(0.3)
            except Closed:
                cut = True
        assert cut
        wire.close(rudely=True)

    _run(tmp_path / "run", play)


def test_a_crowd_is_told_to_come_back_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 5)

    async def play(running: served.Served) -> None:
        inside = [await Wire.open(running.url) for _ in range(5)]
        for wire in inside:
            assert (await wire.upgrade("/ws/abcusd@trade")).status == 101
        for path, headers in (("/api/v3/time", ()), ("/control/status", ())):
            late = await Wire.open(running.url)
            await late.send(request("GET", path.encode(), headers))
            answer = await late.answer()
            assert (answer.status, json.loads(answer.body)["code"]) == (503, -1008)
            assert answer.headers["connection"] == "close"
            late.close()
        late = await Wire.open(running.url)
        assert (await late.upgrade("/ws/abcusd@trade")).status == 503
        late.close()
        assert "trade" in await inside[0].text()
        for wire in inside:
            wire.close()
        await asyncio.sleep(0.2)
        trader = HttpTrader(running.url, *running.keys["alice"])
        over = asyncio.Event()
        over.set()
        await trader.trade(over)

    _run(tmp_path / "run", play, speed=20.0)


@pytest.mark.parametrize("said", ["by the server", "by the scenario"])
def test_a_client_that_is_gone_loses_its_orders(tmp_path: Path, said: str) -> None:
    async def play(running: served.Served) -> None:
        staying, going = (SocketTrader(running.url, *running.keys[name]) for name in ("alice", "bob"))
        for trader in (staying, going):
            trader.number, trader.events = 0, []
            trader.wire = await Wire.open(running.url)
            assert (await trader.wire.upgrade("/ws-api/v3")).status == 101
            await trader.call("userDataStream.subscribe.signature")
            terms = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "80"}
            assert (await trader.call("order.place", symbol="ABCUSD", side="BUY", **terms))["status"] == "NEW"
        going.wire.close(rudely=True)
        again = HttpTrader(running.url, *running.keys["bob"])
        again.wire = await Wire.open(running.url)
        until = time.monotonic() + 5
        while await again.call("GET", "/api/v3/openOrders"):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        (order,) = await again.call("GET", "/api/v3/allOrders", symbol="ABCUSD")
        assert order["status"] == "CANCELED"
        assert len(await staying.call("openOrders.status")) == 1
        staying.wire.close()
        again.wire.close()

    if said == "by the server":
        _run(tmp_path / "run", play, cancel_on_disconnect=0.2)
    else:
        desk = tmp_path / "desk.yaml"
        seat = "{type: client, cancel_on_disconnect: 200ms}"
        desk.write_text(f"extends: quickstart\nagents:\n  bob: {seat}\n", encoding="utf-8")
        _run(tmp_path / "run", play, scenario=str(desk))


# --- the end ---


def test_at_the_end_everybody_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with served.on_a_thread(folder) as running:
        run(_ends(running))
    assert not running.log()
    assert verify(folder).equal


async def _ends(running: served.Served) -> None:
    """The session is ended while a stream is listened to and two orders wait in a market that stands still."""
    listener = await Wire.open(running.url)
    assert (await listener.upgrade("/ws/abcusd@trade")).status == 101
    await control(running.url, "pause")
    key, secret = running.keys["alice"]
    terms = {"symbol": "ABCUSD", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "80"}
    params: dict[str, Any] = {**terms, "apiKey": key, "timestamp": int(time.time() * 1000)}
    params["signature"] = sign(secret, websocket_payload(params))
    socket, plain = await Wire.open(running.url), await Wire.open(running.url)
    assert (await socket.upgrade("/ws-api/v3")).status == 101
    await socket.send(frame(json.dumps({"id": 1, "method": "order.place", "params": params}).encode()))
    query = "&".join(f"{name}={value}" for name, value in {**terms, "timestamp": params["timestamp"]}.items())
    target = f"/api/v3/order?{query}&signature={sign(secret, query.encode())}"
    await plain.send(request("POST", target.encode(), [("X-MBX-APIKEY", key)], b""))
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    assert (await control(running.url, "end"))["state"] == "paused"
    told = json.loads(await socket.text())
    assert (told["id"], told["status"], told["error"]["code"]) == (1, 408, -1007)
    answer = await plain.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (408, -1007)
    for wire in (listener, socket):
        opcode, held = await wire.frame()
        while opcode != CLOSE:
            opcode, held = await wire.frame()
        assert int.from_bytes(held[:2], "big") in (1001, 1012)
        wire.close()
    assert (await plain.rest(5)).endswith(b"<end>")
    plain.close()
    assert time.monotonic() - begun < 5


@pytest.mark.slow
def test_a_scenario_that_comes_to_its_end_closes_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with served.on_a_thread(folder, duration="62s", speed=1.0) as running:

        async def listen() -> int:
            wire = await Wire.open(running.url)
            assert (await wire.upgrade("/ws/abcusd@trade")).status == 101
            while True:
                opcode, held = await wire.frame(10)
                if opcode == CLOSE:
                    wire.close()
                    return int.from_bytes(held[:2], "big")

        assert run(listen()) in (1001, 1012)
    assert not running.log()
    assert verify(folder).equal
