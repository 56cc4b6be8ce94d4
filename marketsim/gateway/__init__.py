"""The gateway: the simulated market as an exchange that real trading clients trade on, over HTTP and WebSocket.

``serve`` and ``background`` run a session that ``prepare`` has put together; ``ccxt_config`` and its siblings let
foreign clients talk to it and to nobody else; ``binance`` is the dialect. Orders from outside take the same way as
those of every agent: nothing here ever matches one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.gateway.clients import (
        binance_socket_settings,
        ccxt_config,
        freqtrade_config,
        point_python_binance,
    )
    from marketsim.gateway.keys import KeyStore
    from marketsim.gateway.quota import parse_rules
    from marketsim.gateway.server import Gateway, Options, background, prepare, resumed, running, serve

_HOMES = {
    "Gateway": "server",
    "KeyStore": "keys",
    "Options": "server",
    "background": "server",
    "binance_socket_settings": "clients",
    "ccxt_config": "clients",
    "freqtrade_config": "clients",
    "parse_rules": "quota",
    "point_python_binance": "clients",
    "prepare": "server",
    "resumed": "server",
    "running": "server",
    "serve": "server",
}

__all__ = [
    "Gateway",
    "KeyStore",
    "Options",
    "background",
    "binance_socket_settings",
    "ccxt_config",
    "freqtrade_config",
    "parse_rules",
    "point_python_binance",
    "prepare",
    "resumed",
    "running",
    "serve",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
