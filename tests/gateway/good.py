"""Well-behaved clients, which check each answer: one over HTTP, one over the WebSocket API with its user stream,
and one that keeps a book from a stream.

Each trades until it is told to stop, and notes how long its answers took. Whatever is not as it should be raises.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from marketsim.gateway.signature import sign, websocket_payload
from tests.gateway.wire import TEXT, Wire, frame, request


def _now() -> int:
    return int(time.time() * 1000)


@dataclass
class Trader:
    """One who trades. ``waits``: seconds that each answer took."""

    url: str
    key: str
    secret: str
    waits: list[float] = field(default_factory=list)
    orders: int = 0


class HttpTrader(Trader):
    """Over one kept connection of HTTP."""

    async def trade(self, over: asyncio.Event, pause: float = 0.02) -> None:
        """Place, ask, cancel, and look at the account."""
        self.wire = await Wire.open(self.url)
        account = await self.call("GET", "/api/v3/account")
        assert account["balances"], account
        while not over.is_set():
            self.orders += 1
            name = f"http-{self.orders}"
            terms = {
                "symbol": "ABCUSD",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "1",
                "price": "80",
            }
            placed = await self.call("POST", "/api/v3/order", **terms, newClientOrderId=name)
            assert (placed["status"], placed["clientOrderId"]) == ("NEW", name), placed
            found = await self.call("GET", "/api/v3/order", symbol="ABCUSD", orderId=placed["orderId"])
            assert (found["status"], found["price"], found["origQty"]) == ("NEW", "80.00000000", "1.00000000"), found
            gone = await self.call("DELETE", "/api/v3/order", symbol="ABCUSD", origClientOrderId=name)
            assert (gone["status"], gone["orderId"]) == ("CANCELED", placed["orderId"]), gone
            await asyncio.sleep(pause)
        assert await self.call("GET", "/api/v3/openOrders") == []
        self.wire.close()

    async def call(self, method: str, path: str, **params: Any) -> Any:
        """A signed request that must be answered with 200."""
        query = urlencode({**params, "timestamp": _now()})
        target = f"{path}?{query}&signature={sign(self.secret, query.encode())}"
        begun = time.perf_counter()
        await self.wire.send(request(method, target.encode(), [("X-MBX-APIKEY", self.key)]))
        answer = await self.wire.answer(method)
        self.waits.append(time.perf_counter() - begun)
        told = json.loads(answer.body)
        assert answer.status == 200, (method, path, answer.status, told)
        return told


class SocketTrader(Trader):
    """Over the WebSocket API, with the events of the account on the same connection."""

    async def trade(self, over: asyncio.Event, pause: float = 0.02) -> None:
        """Place and cancel, sometimes buy; each is told as an event too, once and in order."""
        self.wire = await Wire.open(self.url)
        assert (await self.wire.upgrade("/ws-api/v3")).status == 101
        self.number = 0
        self.events: list[tuple[str, str]] = []
        expected: list[tuple[str, str]] = []
        await self.call("userDataStream.subscribe.signature")
        while not over.is_set():
            self.orders += 1
            name = f"socket-{self.orders}"
            if self.orders % 10:
                terms = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "80.00"}
                placed = await self.call("order.place", symbol="ABCUSD", side="BUY", newClientOrderId=name, **terms)
                assert placed["status"] == "NEW", placed
                gone = await self.call("order.cancel", symbol="ABCUSD", orderId=placed["orderId"])
                assert gone["status"] == "CANCELED", gone
                expected += [(name, "NEW"), (name, "CANCELED")]
            else:
                side = "BUY" if self.orders % 20 else "SELL"
                filled = await self.call(
                    "order.place", symbol="ABCUSD", side=side, type="MARKET", quantity="1", newClientOrderId=name
                )
                assert (filled["status"], filled["executedQty"]) == ("FILLED", "1.00000000"), filled
                assert sum(Decimal(fill["qty"]) for fill in filled["fills"]) == 1
                expected += [(name, "NEW"), (name, "TRADE")]
            await asyncio.sleep(pause)
        await self.call("session.status")
        assert self.events == expected, (self.events[-6:], expected[-6:])
        self.wire.close()

    async def call(self, method: str, **params: Any) -> Any:
        """A signed request that must be answered with 200; events that come before are kept."""
        self.number += 1
        params = {**params, "apiKey": self.key, "timestamp": _now()}
        params["signature"] = sign(self.secret, websocket_payload(params))
        begun = time.perf_counter()
        await self.wire.send(frame(json.dumps({"id": self.number, "method": method, "params": params}).encode(), TEXT))
        while True:
            told = json.loads(await self.wire.text())
            if "event" in told:
                event = told["event"]
                if event["e"] == "executionReport":
                    self.events.append((event["C"] or event["c"], event["x"]))
                continue
            self.waits.append(time.perf_counter() - begun)
            assert (told["id"], told["status"]) == (self.number, 200), told
            return told["result"]


class BookKeeper:
    """Keeps a book from a stream of changes, as the venue's documentation asks for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self.last = 0
        self.updates = 0

    async def keep(self, over: asyncio.Event) -> None:
        """Until told to stop; the market stands still then, and the book must be the venue's."""
        wire = await Wire.open(self.url)
        assert (await wire.upgrade("/stream?streams=abcusd@depth@100ms/abcusd@trade")).status == 101
        waiting = [await self._next(wire)]
        snapshot = await self._depth()
        self.last = snapshot["lastUpdateId"]
        for name, side in (("bids", "b"), ("asks", "a")):
            self.sides[side] = {Decimal(price): Decimal(quantity) for price, quantity in snapshot[name]}
        for event in waiting:
            self._take(event, first=True)
        while not over.is_set():
            self._take(await self._next(wire), first=not self.updates)
        await control(self.url, "pause")
        await asyncio.sleep(0.3)
        final = await self._depth()
        while self.last < final["lastUpdateId"]:
            self._take(await self._next(wire))
        for name, side in (("bids", "b"), ("asks", "a")):
            told = {Decimal(price): Decimal(quantity) for price, quantity in final[name]}
            assert self.sides[side] == told, (name, self.last, final["lastUpdateId"])
        wire.close()

    async def _depth(self) -> Any:
        wire = await Wire.open(self.url)
        await wire.send(request("GET", b"/api/v3/depth?symbol=ABCUSD&limit=5000"))
        answer = await wire.answer()
        wire.close()
        return json.loads(answer.body)

    async def _next(self, wire: Wire) -> Any:
        while True:
            told = json.loads(await wire.text())
            if told["stream"] == "abcusd@depth@100ms":
                return told["data"]

    def _take(self, event: Any, *, first: bool = False) -> None:
        if event["u"] <= self.last:
            return
        assert event["U"] <= self.last + 1 if first else event["U"] == self.last + 1, (event["U"], self.last)
        self.last = event["u"]
        self.updates += 1
        for side, levels in self.sides.items():
            for price, quantity in event[side]:
                if Decimal(quantity):
                    levels[Decimal(price)] = Decimal(quantity)
                else:
                    levels.pop(Decimal(price), None)


async def control(url: str, action: str) -> Any:
    """Ask the control for something."""
    wire = await Wire.open(url)
    try:
        method = "GET" if action in ("status",) else "POST"
        await wire.send(request(method, f"/control/{action}".encode()))
        return json.loads((await wire.answer()).body)
    finally:
        wire.close()


async def metrics(url: str) -> dict[str, float]:
    """What the server has measured."""
    wire = await Wire.open(url)
    try:
        await wire.send(request("GET", b"/metrics"))
        lines = (await wire.answer()).body.decode().splitlines()
    finally:
        wire.close()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}
