"""Real time: an agent, unchanged, at a venue outside of the process.

``trade`` lets one trade through the gateway of ``marketsim serve`` (or, said explicitly, at a real venue of Binance's
spot dialect); ``RealtimeSession`` is its session for who wants to do more. It needs the extra ``trade``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.realtime.endpoints import Endpoints
    from marketsim.realtime.refusals import Refusal
    from marketsim.realtime.session import RealtimeSession
    from marketsim.realtime.settings import Settings
    from marketsim.realtime.trading import Latency, Trading, trade, trade_async

_HOMES = {
    "Endpoints": "endpoints",
    "Latency": "trading",
    "RealtimeSession": "session",
    "Refusal": "refusals",
    "Settings": "settings",
    "Trading": "trading",
    "trade": "trading",
    "trade_async": "trading",
}

__all__ = ["Endpoints", "Latency", "RealtimeSession", "Refusal", "Settings", "Trading", "trade", "trade_async"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"marketsim.realtime.{_HOMES[name]}"), name)
