"""The gateway under load: orders a second from real sockets, order to acknowledgement, and the pace of the clock.

The market, the server and the loop that keeps the pace are one process, the clients another, as on two cores. Four
clients send orders over the WebSocket API on a timetable (open loop): each order's latency counts from the moment at
which it was due, so a stall shows in all orders that it delayed. Beside them a client subscribes to everything and
never reads.

``python -m benchmarks.gateway [SECONDS] [ORDERS A SECOND]`` for another load.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import os
import random  # noqa: TID251 - a load, not a market
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measurement import Measurement, show

CLIENTS, RATE, SECONDS = 4, 2_000, 60
AGENTS = 1_000
SPAN = 5  # ms by which the simulated clock may differ from the wall clock
_CLEAN = 400  # orders after which a client cancels what is left of them

SCENARIO = f"""
name: crowd
seed: 7
duration: 8h
warm_up: 10s
venues: {{XSIM: {{processing: 2us}}}}
instruments: {{ABC: {{tick_size: 0.01, reference_price: 100}}}}
network: {{latency: 200us}}
agents:
  maker: {{type: ladder_maker}}
  noise: {{type: noise, count: {AGENTS}, rate: 0.1/s, distance: 12, improve_share: 0.05}}
"""
SEAT = "{type: client, cash: 1000000000, holdings: {ABC: 10000000}, venues: [XSIM]}"


class Session(NamedTuple):
    """What one client has seen."""

    sent: int
    answered: int
    refused: int
    latencies: list[float]  # seconds from when it was due to its acknowledgement
    late: float  # seconds by which the client itself was late at worst


def measure(seconds: int = SECONDS, rate: int = RATE) -> list[Measurement]:
    """Serve, load, look."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (url, keys):
        quiet = json.loads(_get(url, "/control/status"))
        time.sleep(min(20, seconds))
        clock = _clock(url)
        with never_reads(url, "abcusd"):
            seen = asyncio.run(_load(url, keys, seconds, rate))
            loaded = _clock(url)
            status = json.loads(_get(url, "/control/status"))
            cut = _total(url, "marketsim_connections_cut_total")
    latencies = sorted(latency for session in seen for latency in session.latencies)
    sent, answered = sum(s.sent for s in seen), sum(s.answered for s in seen)
    refused = sum(s.refused for s in seen)
    assert quiet["state"] == status["state"] == "running"
    return [
        Measurement("orders sent over WebSocket by 4 clients", sent / seconds, "orders/s", least=0.99 * rate),
        Measurement("… without an answer", float(sent - answered), "orders", most=0),
        Measurement("… refused", float(refused), "orders", most=0),
        Measurement("order to acknowledgement, 50 %", 1e3 * _quantile(latencies, 0.5), "ms"),
        Measurement("… 99 %", 1e3 * _quantile(latencies, 0.99), "ms"),
        Measurement("… 99.9 %", 1e3 * _quantile(latencies, 0.999), "ms"),
        Measurement("… the client itself was late at worst", 1e3 * max(s.late for s in seen), "ms"),
        Measurement("clients cut that never read", cut, "connections"),
        Measurement(f"turns within {SPAN} ms of the wall clock, {AGENTS:,} agents", 100 * clock[0], "%", least=99.9),
        Measurement("… the latest of them", 1e3 * clock[1], "ms"),
        Measurement("… under that load", 100 * loaded[0], "%"),
    ]


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The market behind a port, in a process of its own: its address, and key and secret of each client."""
    scenario = folder / "crowd.yaml"
    seats = "".join(f"  c{number}: {SEAT}\n" for number in range(CLIENTS))
    scenario.write_text(SCENARIO + seats, encoding="utf-8")
    command = [sys.executable, "-m", "marketsim", "serve", str(scenario), "--port", "0", "--limits", "off"]
    more = ["--out", str(folder / "run"), "--no-report"]
    with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True, env=os.environ) as server:
        try:
            yield _read_welcome(server)
        finally:
            server.terminate()
            server.wait(60)


def _read_welcome(server: subprocess.Popen[str]) -> tuple[str, list[tuple[str, str]]]:
    assert server.stdout is not None
    url, keys, api_key = "", [], ""
    for line in server.stdout:
        if found := re.search(r" at (http\S+)", line):
            url = found[1].rstrip(",")
        elif "api key" in line:
            api_key = line.split()[-1]
        elif "secret" in line:
            keys.append((api_key, line.split()[-1]))
            if len(keys) == CLIENTS:
                return url, keys
    raise RuntimeError("the server did not start")


@contextmanager
def never_reads(url: str, symbol: str) -> Iterator[None]:
    """A client that subscribes to everything and never reads."""
    host, port = url.removeprefix("http://").split(":")
    names = "/".join(f"{symbol}@{kind}" for kind in ("trade", "aggTrade", "bookTicker", "depth@100ms", "depth20@100ms"))
    with socket.create_connection((host, int(port))) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /stream?streams={names} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        key = "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        silent.sendall((head + key).encode())
        yield


async def _load(url: str, keys: list[tuple[str, str]], seconds: int, rate: int) -> list[Session]:
    price = float(json.loads(_get(url, "/api/v3/ticker/price?symbol=ABCUSD"))["price"])
    begin = time.perf_counter() + 1.0
    sessions = (
        _client(url, *key, begin + number / rate, seconds, rate / CLIENTS, price, number)
        for number, key in enumerate(keys)
    )
    return list(await asyncio.gather(*sessions))


async def _client(
    url: str, key: str, secret: str, begin: float, seconds: int, rate: float, price: float, number: int
) -> Session:
    """One client: orders on a timetable, whose answers are taken in as they come."""
    from websockets.asyncio.client import connect

    draws = random.Random(number)
    due: dict[int, float] = {}
    latencies: list[float] = []
    refused = late = 0.0
    count = int(seconds * rate)
    async with connect(url.replace("http", "ws", 1) + "/ws-api/v3?returnRateLimits=false", compression=None) as socket:

        async def read() -> None:
            nonlocal refused
            while len(latencies) + refused < count:
                answer = json.loads(await socket.recv())
                moment = due.pop(answer["id"], None)
                if moment is not None and answer["status"] == 200:
                    latencies.append(time.perf_counter() - moment)
                elif moment is not None:
                    refused += 1

        reading = asyncio.create_task(read())
        for order in range(count):
            moment = begin + order / rate
            if (wait := moment - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            late = max(late, time.perf_counter() - moment - 0.001)
            due[order] = moment
            await socket.send(_order(order, key, secret, price, draws))
            if order % _CLEAN == _CLEAN - 1:
                await socket.send(_signed(-order, "openOrders.cancelAll", {"symbol": "ABCUSD"}, key, secret))
        with suppress(TimeoutError):
            await asyncio.wait_for(reading, 20)
    return Session(count, len(latencies) + int(refused), int(refused), latencies, late)


def _order(number: int, key: str, secret: str, price: float, draws: random.Random) -> str:
    side = draws.choice(("BUY", "SELL"))
    away = draws.randint(-2, 40) / 100
    limit = price - away if side == "BUY" else price + away
    terms = {
        "symbol": "ABCUSD", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": str(draws.randint(1, 20)),
        "price": f"{limit:.2f}", "newOrderRespType": "ACK",
    }  # fmt: skip
    return _signed(number, "order.place", terms, key, secret)


def _signed(number: int, method: str, terms: dict[str, Any], key: str, secret: str) -> str:
    terms |= {"apiKey": key, "timestamp": time.time_ns() // 1_000_000, "recvWindow": 60000}  # noqa: TID251
    text = "&".join(f"{name}={terms[name]}" for name in sorted(terms))
    terms["signature"] = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"id": number, "method": method, "params": terms})


def _get(url: str, path: str) -> bytes:
    with urllib.request.urlopen(url + path, timeout=20) as answer:
        found: bytes = answer.read()
    return found


def _clock(url: str) -> tuple[float, float]:
    """The share of turns before which the clock was within the span, and the worst."""
    text = _get(url, "/metrics").decode()
    inside = _value(text, rf'marketsim_clock_lag_seconds_bucket{{le="{SPAN / 1000}"}}')
    whole = _value(text, "marketsim_clock_lag_seconds_count")
    return inside / whole if whole else math.nan, _value(text, "marketsim_clock_lag_worst_seconds")


def _total(url: str, name: str) -> float:
    text = _get(url, "/metrics").decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def _value(text: str, name: str) -> float:
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), math.nan)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


if __name__ == "__main__":
    show(measure(*map(int, sys.argv[1:])), "The gateway under load")
