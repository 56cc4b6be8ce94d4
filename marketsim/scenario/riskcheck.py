"""Checks of limits: whether they fit the scenario, judged on its plain mapping. It knows no type's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marketsim.domain.limits import LIVE
from marketsim.scenario.document import Finding, Path

Raw = Mapping[str, Any]

_OF_LIVE = {
    "daily_loss": ("max_daily_loss", "max_daily_loss_money"),
    "drawdown": ("max_drawdown",),
    "var": ("max_var",),
    "exposure": ("max_exposure",),
    "stop_loss": ("stop_within",),
}
_NEEDS = {
    "correlation_above": ("max_correlated",),
    "var_confidence": ("max_var",),
    "var_method": ("max_var",),
    "var_horizon": ("max_var",),
    "breaker_within": ("breaker_loss",),
    "cooldown": ("breaker_loss",),
    "sample_every": ("max_var", "max_correlated", "max_volatility_bps"),
    "samples": ("max_var", "max_correlated", "max_volatility_bps"),
}


def limit_findings(raw: Raw, path: Path, limits: Any, symbols: Iterable[str]) -> Iterator[Finding]:
    """What limits ask for that nothing in the scenario could ever come to. symbols: what the limits are about."""
    if not isinstance(limits, Mapping):
        return
    given = {name for name, value in limits.items() if value is not None}
    known = given | ({"max_daily_loss", "max_drawdown", "max_var"} if limits.get("preset") == "default" else set())
    instruments = [_section(raw, symbol) for symbol in symbols]
    if "max_sector" in given and not any(instrument.get("sector") for instrument in instruments):
        yield Finding((*path, "max_sector"), "no instrument has a sector: add sector to the instruments")
    if "max_margin" in given and all(instrument.get("kind", "spot") in ("spot", None) for instrument in instruments):
        yield Finding((*path, "max_margin"), "there is no contract whose margin it could be: use max_leverage")
    if "max_correlated" in given and len(instruments) < 2:
        yield Finding((*path, "max_correlated"), "one instrument moves with nothing: use max_concentration")
    for name, needed in _NEEDS.items():
        if name in given and not known & set(needed):
            yield Finding((*path, name), f"it does nothing without {' or '.join(needed)}: add it, or leave this out")
    yield from _actions(path, limits.get("on_breach"), known)


def _actions(path: Path, on_breach: Any, known: set[str]) -> Iterator[Finding]:
    if on_breach is None:
        return
    rules = [rule for rule in on_breach if rule in LIVE] if isinstance(on_breach, Mapping) else list(LIVE)
    missing = [rule for rule in rules if not known & set(_OF_LIVE[rule])]
    if isinstance(on_breach, Mapping):
        for rule in missing:
            fields = " or ".join(_OF_LIVE[rule])
            yield Finding((*path, "on_breach", rule), f"there is no limit that could be passed: add {fields}")
    elif len(missing) == len(LIVE):
        fields = ", ".join(field for fields in _OF_LIVE.values() for field in fields)
        yield Finding((*path, "on_breach"), f"there is no live limit that could be passed: add one of {fields}")


def _section(raw: Raw, symbol: str) -> Raw:
    instruments = raw.get("instruments")
    found = instruments.get(symbol) if isinstance(instruments, Mapping) else None
    return found if isinstance(found, Mapping) else {}
