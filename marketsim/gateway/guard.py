"""The server's own protocols, with what uvicorn leaves open: requests that never end, heads that are too long, floods
of small frames, clients that do not read, connections that do not go.

Whoever oversteps is cut off, so that nobody waits for him. It answers nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import perf_counter
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from marketsim.gateway.connection import ABORT, GONE

PATIENCE = 10.0  # seconds in which a request must have arrived, and a client must have read something of what it gets
LONGEST_HEAD = 32_768  # bytes
MOST_PIPELINED = 64  # requests that one connection may send before the first is answered
MOST_CONTROL_FRAMES = 100  # pings and pongs of one connection in a second
MOST_FRAGMENTS = 1_024  # of one message
CLOSE_PATIENCE = 5.0  # seconds in which a client must have closed what the server has closed
PING_EVERY, PING_PATIENCE = 20.0, 60.0  # seconds between two pings, and until one must be answered
_SLICE, _SHARE = 1_024, 0.002  # bytes that are parsed at once, and seconds after which others have their turn
_LONGEST_READ = 1 << 18  # bytes that may come at once
_MOST_HELD = 1 << 20  # bytes that wait to be parsed
_MOST_UNREAD = 1 << 18  # bytes of pongs that nobody reads
_POLICY, _TOO_BIG, _NO_TEXT = 1008, 1009, 1007


class _Overstepped(ValueError):
    """A client did what none may; it is cut off."""


class GuardedHttp(HttpToolsProtocol):
    """HTTP whose requests have to arrive in time, with heads of a bounded length and few at once."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0  # bytes of its lines that are whole
    _raw = 0  # bytes that came and ended no head
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
        try:
            super().data_received(data)
        except (UnicodeError, ValueError):
            self.send_400_response("Invalid HTTP request received.")
        if self._in_head:
            self._raw += len(data)
            if self._raw > LONGEST_HEAD + _LONGEST_READ:
                self._end()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head, self._raw = True, 0, 0
        if self._deadline is None:
            self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of its head."""
        self._head += len(name) + len(value)
        if self._head > LONGEST_HEAD:
            self._end()
            raise _Overstepped("a head that is too long")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        if len(self.pipeline) >= MOST_PIPELINED:
            self._end()
            raise _Overstepped("too many requests at once")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._arrived()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        async def gone() -> bool:
            if self.flow.write_paused:
                await self.flow.drain()
            cycle.disconnected = cycle.disconnected or self.transport.is_closing()
            return bool(cycle.disconnected)

        cycle.scope[GONE] = gone
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Say that it is no HTTP, where somebody may still hear it."""
        self._arrived()
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the other protocol; from here on it has its own patience."""
        self._arrived()
        if not self.url.isascii():
            raise _Overstepped("an address that is none")
        super().handle_websocket_upgrade()

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
    """A WebSocket that whoever serves it can end at once, and whose frames are taken in small portions."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.close_timeout = CLOSE_PATIENCE
        self._held = bytearray()
        self._second, self._frames_in_it = 0, 0

    # --- what comes in ---

    def data_received(self, data: bytes) -> None:
        """Bytes came: parse them a slice at a time, and let others have their turn between."""
        if not self.handshake_initiated:
            super().data_received(data)
            if not self.handshake_initiated:  # the parser took offence, and would wait for ever
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self.transport.close()
            return
        waits = bool(self._held)
        if not waits and len(data) <= _SLICE:
            super().data_received(data)
            return
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.transport.abort()
        elif not waits:
            self._parse()

    def _parse(self) -> None:
        began = perf_counter()
        while self._held:
            piece = bytes(self._held[:_SLICE])
            del self._held[:_SLICE]
            if not self.transport.is_closing():
                super().data_received(piece)
            if self.transport.is_closing():
                self._held.clear()
            elif self._held and perf_counter() - began > _SHARE:
                self._pause()
                self.loop.call_soon(self._parse)
                return
        self._maybe_resume()

    def _pause(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _maybe_resume(self) -> None:
        if self.read_paused and self.queue.empty() and not self._held and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """The next message; more is read only when all that came was taken."""
        message = await self.queue.get()
        if self.read_paused:
            self._maybe_resume()
        return message

    # --- frames ---

    def handle_ping(self) -> None:
        """Answer it, if there are not too many and somebody reads the answers."""
        if self.transport.is_closing():
            return
        if self._may_go_on() and self.transport.get_write_buffer_size() < _MOST_UNREAD:
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_pong(self, event: Any) -> None:
        """One of ours came back, or one that nobody asked for."""
        if self._may_go_on():
            super().handle_pong(event)
        else:
            self.transport.abort()

    def handle_cont(self, event: Any) -> None:
        """More of a message."""
        if len(self.frames) >= MOST_FRAGMENTS:
            self._fail(_TOO_BIG, "too many fragments")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A message is whole; what is no text is not passed on."""
        if self.curr_msg_data_type != "text":
            super().send_receive_event_to_app()
            return
        whole, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            self._fail(_NO_TEXT, "not UTF-8")
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        self._pause()

    def _may_go_on(self) -> bool:
        """Count a control frame."""
        second = int(perf_counter())
        if second != self._second:
            self._second, self._frames_in_it = second, 0
        self._frames_in_it += 1
        return self._frames_in_it <= MOST_CONTROL_FRAMES

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    # --- what goes out ---

    async def run_asgi(self) -> None:
        """Serve it."""
        cast(dict[str, Any], self.scope)[ABORT] = self.transport.abort
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        """Send, unless the connection is being closed."""
        ended = self.close_sent and message["type"] in ("websocket.send", "websocket.close")
        if ended or self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # there will be none; else uvicorn complains that there was none

    def shutdown(self) -> None:
        """The server ends."""
        if not self.transport.is_closing():
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Nobody answers: whatever is still to be sent would not be read."""
        super().keepalive_timeout()
        self.transport.abort()


async def sweep(connections: Iterable[Any], every: float = 1.0) -> None:
    """Cut off, again and again, who does not read: connections that are being closed, or wait to go on writing, and of
    whose bytes none has left for a while.

    connections: the server's set of protocols, as it changes.
    """
    stuck: dict[Any, tuple[int, float]] = {}  # by protocol: bytes to be written, since when no fewer
    while True:
        await asyncio.sleep(every)
        now = perf_counter()
        seen: dict[Any, tuple[int, float]] = {}
        for protocol in tuple(connections):
            if not _should_move(protocol):
                continue
            size = protocol.transport.get_write_buffer_size()
            before, since = stuck.get(protocol, (size + 1, now))
            seen[protocol] = (size, since if size >= before else now)
            if now - seen[protocol][1] > PATIENCE:
                protocol.transport.abort()
        stuck = seen


def _should_move(protocol: Any) -> bool:
    if protocol.transport is None:
        return False
    flow = getattr(protocol, "flow", None)
    return protocol.transport.is_closing() or (flow is not None and flow.write_paused)
