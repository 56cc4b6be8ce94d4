"""A WebSocket connection as the gateway keeps it: an outbox of bounded length in front of a client that may be slow.

Messages that a newer one makes worthless (a best quote, a ticker) take each other's place in the outbox; when all else
grows too long the connection is cut, so that nobody waits for anybody. It knows no dialect.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from marketsim.gateway.metrics import Metrics

MOST_MESSAGES, MOST_BYTES = 20_000, 8 << 20  # that may wait for one client
MOST_TOGETHER, FAIR_SHARE = 128 << 20, 64 << 10  # bytes that may wait for all, and for one when there are as many
ABORT = "marketsim.abort"  # where the server puts what ends a connection at once
GONE = "marketsim.gone"  # and what tells, once it can be written to, whether a client has left
_SLOW_CONSUMER = 1008

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outboxes:
    """What waits for all clients together, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0


class Connection:
    """One client's end. ``address``: of the client. ``outboxes``: counts what waits for it among all."""

    def __init__(self, scope: dict[str, Any], send: Send, metrics: Metrics, outboxes: Outboxes | None = None) -> None:
        client = scope.get("client") or ("", 0)
        self.address: str = client[0]
        self._send = send
        self._abort: Callable[[], None] = scope.get(ABORT, lambda: None)
        self._metrics = metrics
        self._together = outboxes or Outboxes()
        self._outbox: deque[list[str]] = deque()
        self._latest: dict[str, list[str]] = {}
        self._bytes = 0
        self._bell = asyncio.Event()
        self.closed = False
        self.reason = ""

    @property
    def waiting(self) -> int:
        """Messages in the outbox."""
        return len(self._outbox)

    def put(self, text: str, latest: str = "") -> None:
        """Send a message soon. ``latest``: what makes the one before of the same name worthless."""
        if self.closed:
            return
        if latest:
            entry = self._latest.get(latest)
            if entry is not None and entry[0]:
                self._weigh(len(text) - len(entry[0]))
                entry[0] = text
                self._metrics.conflated.inc()
                return
        entry = [text]
        self._outbox.append(entry)
        if latest:
            self._latest[latest] = entry
        self._weigh(len(text))
        if len(self._outbox) > MOST_MESSAGES or self._bytes > self._room():
            self.cut("slow consumer")
        elif not self._bell.is_set():
            self._bell.set()

    def cut(self, reason: str) -> None:
        """End the connection at once, whatever is still to be sent."""
        if self.closed:
            return
        self.closed, self.reason = True, reason
        self._empty()
        self._metrics.cut.labels(reason).inc()
        self._bell.set()
        self._abort()

    async def close(self, code: int, reason: str) -> None:
        """Say why, and end."""
        if self.closed:
            return
        self.closed, self.reason = True, reason
        self._metrics.cut.labels(reason).inc()
        self._bell.set()
        await self._send({"type": "websocket.close", "code": code, "reason": reason[:120]})

    def gone(self) -> None:
        """The client is not there any more."""
        self.closed = True
        self._empty()
        self._bell.set()

    async def write(self) -> None:
        """Send what is put, until the connection is closed."""
        outbox, send, sent = self._outbox, self._send, self._metrics.sent
        while not self.closed:
            if not outbox:
                self._bell.clear()
                await self._bell.wait()
                continue
            entry = outbox.popleft()
            text, entry[0] = entry[0], ""
            self._weigh(-len(text))
            sent.inc()
            await send({"type": "websocket.send", "text": text})

    # --- inner ---

    def _room(self) -> int:
        """Bytes that may wait here: fewer when much waits for others."""
        return MOST_BYTES if self._together.bytes <= MOST_TOGETHER else FAIR_SHARE

    def _weigh(self, change: int) -> None:
        self._bytes += change
        self._together.bytes += change

    def _empty(self) -> None:
        self._outbox.clear()
        self._latest.clear()
        self._weigh(-self._bytes)
