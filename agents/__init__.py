"""Traders: every agent that ships with marketsim, one file or small family each.

``marketsim.agents.Noise`` and the like are loaded when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

from marketsim.scenario.builtin import BUILTIN

_HOMES = {name: module for module, name in (home.split(":") for home in BUILTIN["agent"].values())}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - every name is text


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'marketsim.agents' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
