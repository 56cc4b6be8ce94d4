"""A request for market data: what an agent asks one venue for, checked at the door. It sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from marketsim.domain.message import Wanted
from marketsim.domain.units import duration as to_duration
from marketsim.domain.units import format_duration
from marketsim.errors import InvalidValueError, did_you_mean

_FLAGS = {
    "quotes": Wanted.QUOTES,
    "trades": Wanted.TRADES,
    "levels": Wanted.LEVELS,
    "orders": Wanted.ORDERS,
    "status": Wanted.STATUS,
    "indicative": Wanted.INDICATIVE,
}
_PARAMETERS = ("bars", "imbalance", "interval")


class MarketDataRequest(NamedTuple):
    """What is wanted; see ``Agent.subscribe``."""

    wanted: Wanted
    bars: int = 0  # their length in ns; 0 for none
    interval: int = 0  # ns between two updates of quotes and levels; 0: each change
    imbalance: float = 0.0  # share of the book; 0 for none

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> MarketDataRequest:
        """What keywords of ``subscribe`` ask for; InvalidValueError where they contradict each other or ask nothing."""
        for name in asked:
            if name not in _FLAGS and name not in _PARAMETERS:
                raise InvalidValueError(f"no market data {name!r}{did_you_mean(name, [*_FLAGS, *_PARAMETERS])}")
        wanted = Wanted(0)
        for name, bit in _FLAGS.items():
            if asked.get(name):
                wanted |= bit
        bars, imbalance = _time(asked, "bars"), _share(asked.get("imbalance"))
        wanted |= (Wanted.BARS if bars else Wanted(0)) | (Wanted.IMBALANCE if imbalance else Wanted(0))
        if not wanted:
            raise InvalidValueError(
                "subscribe() asks for nothing; say quotes=True, trades=True, levels=True, orders=True, status=True, "
                'indicative=True, bars="1min" or imbalance=0.9'
            )
        interval = _time(asked, "interval")
        if interval and not wanted & (Wanted.QUOTES | Wanted.LEVELS):
            raise InvalidValueError(
                f"interval {format_duration(interval)}: only quotes and levels are conflated; add quotes=True or "
                "levels=True, or leave it out"
            )
        return cls(wanted, bars, interval, imbalance)


def _time(asked: Mapping[str, Any], name: str) -> int:
    """A length of time in ns; 0 where it is left out."""
    given = asked.get(name)
    if given is None or given is False:
        return 0
    time = to_duration(given)
    if time <= 0:
        raise InvalidValueError(f"{name} {given!r}: it must be above zero")
    return time


def _share(given: float | None) -> float:
    if given is None:
        return 0.0
    if not 0.5 <= given < 1.0:
        raise InvalidValueError(f"imbalance {given!r}: a share of the book from 0.5 up to below 1")
    return float(given)
