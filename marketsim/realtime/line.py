"""A line: one WebSocket connection, read and written in order, that says when it is lost.

What arrives is handed over at once and one after the other; what is sent waits in an outbox. It knows no dialect and
does not reconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from marketsim.errors import GatewayError, MissingDependency
from marketsim.realtime.endpoints import is_loopback

_PATIENCE = 10.0  # wall seconds in which a connection must be there
_LONGEST = 16 << 20  # bytes of a message: whole books are long
_NOT_UNDERSTOOD = 1003
GOING_AWAY = (1001, 1012)  # close codes of a venue that shuts down in order


class Line:
    """One connection.

    take: takes each message. lost: is told once when the connection ends, with the close code (1006: without one),
    unless ``close`` was asked for. broken: is told what was wrong with a message that cannot be taken; the line is lost
    then.
    """

    def __init__(
        self,
        url: str,
        take: Callable[[str], None],
        lost: Callable[[int], None],
        broken: Callable[[GatewayError], None],
    ) -> None:
        self.url = url
        self._take = take
        self._lost = lost
        self._broken = broken
        self._socket: Any = None
        self._outbox: deque[str] = deque()
        self._bell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._proxy = None if is_loopback(urlsplit(url).hostname or "") else True  # of the environment, where there is

    @property
    def up(self) -> bool:
        """Whether it can be written to."""
        return self._socket is not None

    async def open(self) -> None:
        """Connect; GatewayError when that fails."""
        connect, failures = _library()
        try:
            self._socket = await connect(
                self.url, open_timeout=_PATIENCE, max_size=_LONGEST, compression=None, proxy=self._proxy
            )
        except (failures, OSError, TimeoutError) as error:
            raise GatewayError(
                f"{self.url} cannot be reached: {str(error) or type(error).__name__}; is it served there?"
            ) from error
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read()), loop.create_task(self._write())]

    def send(self, text: str) -> None:
        """Send a message soon, behind those that were sent before."""
        self._outbox.append(text)
        self._bell.set()

    async def close(self) -> None:
        """End the connection in order."""
        self._closing = True
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _read(self) -> None:
        _, failures = _library()
        socket = self._socket
        try:
            async for message in socket:
                try:
                    self._take(message)
                except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                    said = f"{type(error).__name__}: {error}"
                    self._broken(GatewayError(f"{self.url} says what is not understood ({said}): {message[:200]}"))
                    self._socket = None
                    await socket.close(_NOT_UNDERSTOOD)
                    break
        except failures:
            pass
        code = socket.close_code or 1006
        self._socket = None
        self._bell.set()
        if not self._closing:
            self._lost(code)

    async def _write(self) -> None:
        _, failures = _library()
        while (socket := self._socket) is not None:
            if not self._outbox:
                self._bell.clear()
                await self._bell.wait()
                continue
            try:
                await socket.send(self._outbox.popleft())
            except failures:
                return


def _library() -> tuple[Any, type[Exception]]:
    """What connects, and what it raises."""
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException
    except ImportError:
        raise MissingDependency("websockets", "trade") from None
    return connect, WebSocketException
