"""The server's own protocols, with what uvicorn leaves open: requests that never end, heads that are too long, sockets
that must be ended at once.

It answers nothing itself.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from marketsim.gateway.connection import ABORT

PATIENCE = 10.0  # seconds in which a request must have arrived
LONGEST_HEAD = 32_768  # bytes


class GuardedHttp(HttpToolsProtocol):
    """HTTP whose requests have to arrive in time, with heads of a bounded length."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        """A client is there: the time for its first request runs."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; heads are counted."""
        if self._in_head:
            self._head += len(data)
            if self._head > LONGEST_HEAD + 65_536:
                self._end()
                return
        try:
            super().data_received(data)
        except (UnicodeDecodeError, ValueError):
            self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        if self._deadline is None:
            self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of its head."""
        self._head += len(name) + len(value)
        if self._head > LONGEST_HEAD:
            self._end()
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._arrived()
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(PATIENCE, self._end)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._arrived()
        if self.transport is not None:
            self.transport.abort()


class GuardedSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose connection can be ended at once by whoever serves it."""

    async def run_asgi(self) -> None:
        """Serve it."""
        cast(dict[str, Any], self.scope)[ABORT] = self.transport.abort
        await super().run_asgi()
