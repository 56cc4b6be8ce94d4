"""Where a venue is: the addresses of its WebSocket API and of its market streams.

Real money is at stake on any machine but this one, so another address than a loopback one is refused unless ``live``
is said. It opens no connection.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from marketsim.errors import InvalidValueError

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True)
class Endpoints:
    """Two addresses of one venue: of requests (``…/ws-api/v3``) and of combined streams (``…/stream``)."""

    api: str
    streams: str

    @classmethod
    def of(cls, url: str | Endpoints) -> Endpoints:
        """Those of a gateway, from its address such as ``http://127.0.0.1:8080``."""
        if isinstance(url, Endpoints):
            return url
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query:
            raise InvalidValueError(
                f"{url!r} is no address of a venue: write http://127.0.0.1:8080, or give both addresses as "
                "marketsim.realtime.Endpoints(api, streams)"
            )
        base = f"{_SCHEMES[parts.scheme]}://{parts.netloc}"
        return cls(f"{base}/ws-api/v3?returnRateLimits=false", f"{base}/stream")

    def check(self, *, live: bool, allow: str = "live=True") -> None:
        """Refuse what is not on this machine unless ``live``, and what is not encrypted on another one.

        allow: how whoever asks can say ``live``, for the message.
        """
        for address in (self.api, self.streams):
            parts = urlsplit(address)
            if parts.scheme not in ("ws", "wss") or not parts.hostname:
                raise InvalidValueError(f"{address!r}: a WebSocket address begins with ws:// or wss://")
            if is_loopback(parts.hostname):
                continue
            if not live:
                raise InvalidValueError(
                    f"{parts.hostname} is not this machine: orders there may cost real money, and trading live is off; "
                    f"serve a simulated market with marketsim serve, or say {allow}"
                )
            if parts.scheme != "wss":
                raise InvalidValueError(
                    f"{address}: orders leave this machine encrypted only; write https:// or wss://"
                )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, which no other reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
