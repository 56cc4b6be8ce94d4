"""The audience of the accounts: who listens to the events of which client, and the listen keys that let one listen.

It passes events on as they are and keeps none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from marketsim.gateway.binance.errors import VenueError
from marketsim.kernel.pacing import wall_milliseconds
from marketsim.kernel.token import fresh_token

_HOUR = 3_600_000  # ms that a listen key lives after its last renewal
encode: Callable[[Any], str] = json.JSONEncoder(
    separators=(",", ":")
).encode  # ASCII: halves of characters come back as sent


class Listener(Protocol):
    """Somebody who is told the events of an account."""

    def hear(self, event: str) -> None:
        """An event as JSON."""


class Audience:
    """Listeners by client."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._gone: Callable[[str], None] = lambda client: None

    def when_gone(self, call: Callable[[str], None]) -> None:
        """Call something when the last listener of a client has left."""
        self._gone = call

    def join(self, client: str, listener: Listener) -> None:
        """Tell a listener of a client's events from now on."""
        self._listeners.setdefault(client, []).append(listener)

    def leave(self, client: str, listener: Listener) -> None:
        """Tell it no more."""
        listeners = self._listeners.get(client, [])
        if listener in listeners:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[client]
                self._gone(client)

    def anyone(self, client: str) -> bool:
        """Whether anybody listens."""
        return client in self._listeners

    def tell(self, client: str, event: dict[str, Any]) -> None:
        """Pass an event on."""
        text = encode(event)
        for listener in tuple(self._listeners.get(client, ())):
            listener.hear(text)


class ListenKeys:
    """Listen keys, each for one client and for an hour."""

    def __init__(self, clock: Callable[[], int] = wall_milliseconds) -> None:
        self._clock = clock
        self._keys: dict[str, tuple[str, int]] = {}  # key -> client, until

    def start(self, client: str) -> str:
        """The client's key; the one that it has, renewed, or a new one."""
        now = self._clock()
        self._keys = {key: entry for key, entry in self._keys.items() if entry[1] > now}
        key = next((key for key, (owner, _) in self._keys.items() if owner == client), None) or fresh_token(60)
        self._keys[key] = (client, now + _HOUR)
        return key

    def renew(self, key: str, client: str) -> None:
        """Another hour."""
        self._own(key, client)
        self._keys[key] = (client, self._clock() + _HOUR)

    def stop(self, key: str, client: str) -> None:
        """Forget it."""
        self._own(key, client)
        del self._keys[key]

    def client(self, key: str) -> str | None:
        """Whose key it is; None when it is nobody's, or no longer."""
        owner, until = self._keys.get(key, (None, 0))
        return owner if until > self._clock() else None

    def _own(self, key: str, client: str) -> None:
        if self.client(key) != client:
            raise VenueError(-1125, "This listenKey does not exist.")
