"""A served market for tests: a scenario behind the gateway on a thread of its own, with keys for a few clients."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marketsim.gateway.server import Gateway, Options, background, prepare
from marketsim.scenario import loader

QUIET: dict[str, Any] = {
    "name": "quiet",
    "seed": 1,
    "duration": "10d",
    "venues": {"XSIM": {}},
    "instruments": {"ABC": {"tick_size": 0.01, "reference_price": 100}},
    "network": {"latency": "10us"},
}


@contextlib.contextmanager
def served(
    scenario: str | Mapping[str, Any],
    clients: tuple[str, ...],
    *,
    speed: float = 1.0,
    overrides: Mapping[str, Any] | tuple[str, ...] = (),
    **options: Any,
) -> Iterator[Gateway]:
    """A scenario at a speed, without limits of requests."""
    options.setdefault("rules", ())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # market and client share one interpreter here
    spec = loader.check(scenario, overrides)
    with tempfile.TemporaryDirectory() as folder:
        gateway = prepare(spec, Path(folder) / "run", Options(port=0, clients=clients, speed=speed, **options))
        try:
            with background(gateway):
                yield gateway
        finally:
            sys.setswitchinterval(interval)
