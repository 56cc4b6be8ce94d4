"""For people who write their own parts: a market played by hand, and the suites that implementations of a port pass.

``HandMarket`` puts one agent on a market where the test says what happens.
``broker_conformance`` and ``clock_conformance`` are given a function that makes a fresh case, ``check_latency_model``
a model; each raises AssertionError with the number and the sentence of the first promise that is broken. They are plain
functions: call them from a test of any framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.network.conformance import check_latency_model
    from marketsim.testing.broker import BrokerCase, broker_conformance
    from marketsim.testing.clock import ClockCase, clock_conformance
    from marketsim.testing.hand_market import HandMarket, Request

__all__ = [
    "BrokerCase",
    "ClockCase",
    "HandMarket",
    "Request",
    "broker_conformance",
    "check_latency_model",
    "clock_conformance",
]

_HOMES = {
    "BrokerCase": "marketsim.testing.broker",
    "ClockCase": "marketsim.testing.clock",
    "HandMarket": "marketsim.testing.hand_market",
    "Request": "marketsim.testing.hand_market",
    "broker_conformance": "marketsim.testing.broker",
    "check_latency_model": "marketsim.network.conformance",
    "clock_conformance": "marketsim.testing.clock",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
