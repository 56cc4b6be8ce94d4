"""A route: the stretches that a message travels, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from marketsim.network.latency import LatencyModel


class Leg(NamedTuple):
    """One stretch of a route. ``shared`` names the physical link whose load all routes over it have in common."""

    latency: LatencyModel
    shared: str = ""


Route: TypeAlias = LatencyModel | Sequence[Leg | LatencyModel]
