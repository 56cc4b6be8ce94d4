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

from marketsim.gateway.signature import sign
from tests.gateway.bad_input import STREAMS, Keys, api_message, bad_frames, bad_head, http_request, stream_message
from tests.gateway.wire import HANDSHAKE, Closed, Wire, frame, request

MOST_FINDINGS = 20
ABANDON = 90  # messages on a connection for streams, which takes a hundred a second


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
            batch = [http_request(enemy.draw, enemy.keys) for _ in range(enemy.draw.choice((1, 4, 16, 16)))]
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


async def attack_api(enemy: Enemy) -> int:
    """Messages to the WebSocket API."""
    done = number = 0
    wire = await enemy.socket(enemy.draw.choice(("/ws-api/v3", "/ws-api/v3/", "/ws-api/v3?returnRateLimits=false")))
    try:
        for _ in range(6):
            batch, expected = [], set()
            for _ in range(enemy.draw.choice((1, 8, 24))):
                number += 1
                message, numbered = api_message(enemy.draw, enemy.keys, number)
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


async def attack_streams(enemy: Enemy) -> int:
    """Messages to a connection for streams, with data between the answers."""
    done = 0
    wire = await enemy.socket(
        enemy.draw.choice(("/ws", "/stream", "/ws/abcusd@trade", "/stream?streams=abcusd@depth/!ticker@arr"))
    )
    sent = [stream_message(enemy.draw, enemy.keys, number) for number in range(enemy.draw.randint(1, ABANDON))]
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


async def attack_frames(enemy: Enemy) -> int:
    """Frames that are none."""
    wire = await enemy.socket(enemy.draw.choice(("/ws-api/v3", "/ws/abcusd@trade", "/stream")))
    sent = bad_frames(enemy.draw)
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


async def attack_heads(enemy: Enemy) -> int:
    """Bytes that are no HTTP, each on a connection of its own."""
    wire = await enemy.wire()
    sent = bad_head(enemy.draw)
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
            (
                "/nothing",
                "/ws-api/v2",
                "/ws-api",
                "/ws/nobody@trade",
                "/ws/" + "a" * 60,
                "/stream?streams=x",
                "/ws/abcusd@",
                f"/ws/{many}",
                "/stream?streams=" + "/".join(["abcusd@trade"] * 400) + "/x",
                "/ws/%00",
                "/ws/abcusd@trade%0d%0aX:y",
                "/not-served/linear",
                "/ws/" + "%ff" * 50,
                "/control/status",
                "/api/v3/time",
                "/stream/ws/nobody@depth",
            )
        )
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
    "requests": (attack_requests, 0.42),
    "api": (attack_api, 0.36),
    "streams": (attack_streams, 0.12),
    "frames": (attack_frames, 0.03),
    "heads": (attack_heads, 0.04),
    "handshakes": (attack_handshakes, 0.025),
    "replays": (attack_replays, 0.005),
}


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
    (stay_silent, 20),
    (stay_deaf, 10),
    (stay_dumb, 20),
    (drip, 10),
    (churn, 2),
    (greedy, 2),
)


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
        count = await staying
        report.inputs[name] += count
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
