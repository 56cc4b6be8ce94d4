"""Populations: which parameters of a scenario's flows can be read off a recording, and which have to be searched.

By the type of agent, whatever its name. It knows the scenario and the estimates, runs nothing and searches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.analysis.flow_estimation import FlowEstimates
    from marketsim.scenario.spec import ScenarioSpec

_FLOW_REACH = 512  # of poisson_flow
Changes = dict[str, Any]


def estimated(spec: ScenarioSpec, symbol: str, found: FlowEstimates) -> Changes:
    """Changes of a scenario: what its agents for an instrument take from estimates as they are."""
    changes: Changes = {}
    for name, agent in _agents(spec, symbol):
        reader = _READ.get(agent["type"])
        if reader is not None:
            changes |= {f"agents.{name}.{field}": value for field, value in reader(agent, found).items()}
    for name, feed in _feeds(spec, symbol):
        if feed["type"] == "mean_reverting":
            changes[f"feeds.{name}.volatility"] = _digits(found.volatility)
            changes[f"feeds.{name}.jump_rate"] = feed.get("jump_rate") or "1/min"
            changes[f"feeds.{name}.jump_deviation"] = _digits(max(found.spread, found.volatility))
    return changes


def searched(spec: ScenarioSpec, symbol: str) -> dict[str, str]:
    """What is searched by default: path -> a span or a factor, as ``Knobs`` reads them."""
    over = {
        f"agents.{name}.{field}": given
        for name, agent in _agents(spec, symbol)
        for field, given in _SEARCHED.get(agent["type"], {}).items()
    }
    for name, feed in _feeds(spec, symbol):
        if feed["type"] == "mean_reverting":
            over |= {f"feeds.{name}.{field}": given for field, given in _FEED.items()}
    return over


def _agents(spec: ScenarioSpec, symbol: str) -> list[tuple[str, Mapping[str, Any]]]:
    agents = spec.to_dict()["agents"]
    return [(name, agent) for name, agent in agents.items() if symbol in (agent.get("instruments") or [symbol])]


def _feeds(spec: ScenarioSpec, symbol: str) -> list[tuple[str, Mapping[str, Any]]]:
    feeds = spec.to_dict()["feeds"]
    return [(name, feed) for name, feed in feeds.items() if feed.get("instrument", symbol) == symbol]


def _poisson(agent: Mapping[str, Any], found: FlowEstimates) -> Changes:
    reach = min(found.reach, _FLOW_REACH)
    return {
        "limit_rates": [_digits(rate) for rate in found.limit_rates[:reach]],
        "cancel_rates": [_digits(max(rate, 1e-4)) for rate in found.cancel_rates[:reach]],
        "reach": reach,
        "quantity": max(round(found.order_size), 1),
    }


def _hawkes(agent: Mapping[str, Any], found: FlowEstimates) -> Changes:
    return {
        "quantity": _digits(max(found.order_size, 1.0)),
        "sizes": "lognormal",
        "sigma": _digits(min(found.order_log_deviation, 5.0)),
    }


def _fundamental(agent: Mapping[str, Any], found: FlowEstimates) -> Changes:
    return {
        "quantity": _digits(max(found.trade_size, 1.0)),
        "threshold": _digits(found.spread),
        "believed_volatility": _digits(found.volatility),
    }


def _digits(value: float) -> float:
    """Four significant ones: an estimate has no more, and a scenario is read by people."""
    return float(f"{value:.4g}")


_READ: dict[str, Callable[[Mapping[str, Any], FlowEstimates], Changes]] = {
    "poisson_flow": _poisson,
    "hawkes_flow": _hawkes,
    "fundamental": _fundamental,
}
_SEARCHED: dict[str, dict[str, str]] = {
    "poisson_flow": {"limit_rates": "x0.1..1.6", "cancel_rates": "x0.25..4", "quantity": "x0.5..2.5"},
    "hawkes_flow": {
        "base_rates": "x0.2..20",
        "quantity": "x0.5..3",
        "improve_share": "0.02..0.5",
        "distance": "0.05..2 log",
        "lifetime": "300ms..20s log",
        "decays[0]": "0.05/s..20/s log",
    },
    "metaorders": {
        "rate": "0.1/s..10/s log",
        "rest": "30s..40min log",
        "largest": "500..20000 log",
        "selectivity": "0.1..3 log",
        "tail": "0.4..2",
    },
    "fundamental": {"rate": "0.002/s..0.5/s log", "threshold": "x0.2..3", "quantity": "x0.4..4"},
}
_FEED = {"volatility": "x0.1..2", "jump_rate": "0.05/min..12/min log", "jump_deviation": "x0.1..3"}
