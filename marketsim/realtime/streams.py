"""Market streams of a venue on one connection: who listens to which, asked for again after each reconnection.

Each message goes to the one who listens to its stream. It understands no message and does not decide when to reconnect.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from marketsim.errors import GatewayError
from marketsim.realtime.line import Line

Take = Callable[[Any], None]


class Streams:
    """Streams by name.

    on_ready: is told the names that the venue has just taken on. on_lost: is told the close code. on_refused: is told
    the venue's words when it has no such stream. on_broken: is told when the venue says what is not understood.
    """

    def __init__(
        self,
        url: str,
        on_ready: Callable[[list[str]], None],
        on_lost: Callable[[int], None],
        on_refused: Callable[[str], None],
        on_broken: Callable[[GatewayError], None],
    ) -> None:
        self._url = url
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._on_broken = on_broken
        self._line: Line | None = None
        self._opening = asyncio.Lock()
        self._listeners: dict[str, Take] = {}
        self._asked: dict[int, list[str]] = {}
        self._numbers = 0
        self.messages = 0

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self._listeners)

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return self._line is not None and self._line.up

    async def open(self) -> None:
        """Connect where there is no connection, and ask for everything that is listened to."""
        async with self._opening:
            if self.up:
                return
            line = Line(self._url, self._take, self._lose, self._on_broken)
            await line.open()
            self._line = line
            if self._listeners:
                self._subscribe(list(self._listeners))

    async def close(self) -> None:
        """End the connection in order."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def listen(self, name: str, take: Take) -> None:
        """Listen to a stream from now on; one listener a stream."""
        self._listeners[name] = take
        if self.up:
            self._subscribe([name])

    # --- inner ---

    def _subscribe(self, names: list[str]) -> None:
        assert self._line is not None
        self._numbers += 1
        self._asked[self._numbers] = names
        self._line.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": self._numbers}))

    def _take(self, text: str) -> None:
        message = json.loads(text)
        stream = message.get("stream")
        if stream is not None:
            self.messages += 1
            listener = self._listeners.get(stream)
            if listener is not None:
                listener(message["data"])
            return
        names = self._asked.pop(message.get("id"), [])
        if "error" in message:
            self._on_refused(f"{', '.join(names)}: {message['error'].get('msg')}")
        elif names:
            self._on_ready(names)

    def _lose(self, code: int) -> None:
        self._line = None
        self._asked.clear()
        self._on_lost(code)
