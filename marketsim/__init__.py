"""marketsim: a laboratory for electronic markets.

``import marketsim as ms`` gives everything that most people need; names are loaded when first used, so that importing
costs nothing. Code inside marketsim imports rooms, never this façade.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from marketsim import agents, analysis, gateway, gym, policies
    from marketsim.analysis.page import report
    from marketsim.analysis.paired import seeds_needed
    from marketsim.domain.basket import Basket
    from marketsim.domain.forms import from_dict, from_json, to_dict, to_json
    from marketsim.domain.instrument import Instrument
    from marketsim.domain.limits import Limits
    from marketsim.domain.market_data import (
        Bar,
        BookSnapshot,
        Imbalance,
        Indicative,
        LevelUpdate,
        OrderAction,
        OrderUpdate,
        Quote,
        Report,
        Status,
        TradePrint,
        Volume,
    )
    from marketsim.domain.order import OrderState, OrderType, Reason, Side, TimeInForce
    from marketsim.domain.phase import Phase
    from marketsim.domain.risk import RiskEvent
    from marketsim.errors import MarketSimError
    from marketsim.exchange.book import OrderBook
    from marketsim.exchange.core import MatchingCore
    from marketsim.experiment.calibration import calibrate
    from marketsim.experiment.comparison import compare
    from marketsim.experiment.counterfactual import counterfactual
    from marketsim.experiment.fork import fork
    from marketsim.experiment.optimization import optimize
    from marketsim.experiment.sweep import Sweep, sweep
    from marketsim.experiment.tournament import tournament
    from marketsim.experiment.verification import verify
    from marketsim.kernel.environment import Environment
    from marketsim.network.bandwidth import Bandwidth
    from marketsim.network.faults import Delays, Disconnect, Duplicates, Loss, Outages, Spike
    from marketsim.network.latency import (
        Constant,
        CubicJitter,
        Empirical,
        Gamma,
        LinearInLoad,
        LogNormal,
        Pareto,
        TruncatedNormal,
        Uniform,
    )
    from marketsim.population.agent import CompiledAgent, policy
    from marketsim.realtime.trading import trade
    from marketsim.results.run import Run
    from marketsim.scenario.spec import ScenarioSpec
    from marketsim.simulation import Progress, Simulation, load
    from marketsim.simulation.delays import feed_delays
    from marketsim.trading.agent import Agent
    from marketsim.trading.book import LocalBook
    from marketsim.trading.by_order import OrderByOrderBook
    from marketsim.trading.consolidated import ConsolidatedQuote, MarketState
    from marketsim.trading.feed import MeanReverting, RandomWalk
    from marketsim.trading.index import IndexValue
    from marketsim.trading.order import Order
    from marketsim.trading.parent_order import ParentOrder
    from marketsim.trading.portfolio import Portfolio
    from marketsim.trading.router import RoutedOrder

    BUY, SELL = Side.BUY, Side.SELL
    DAY, GTC, GTD = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD
    FOK, IOC = TimeInForce.FOK, TimeInForce.IOC

_HOMES = {
    "analysis.page": ("report",),
    "analysis.paired": ("seeds_needed",),
    "domain.basket": ("Basket",),
    "domain.forms": ("from_dict", "from_json", "to_dict", "to_json"),
    "domain.instrument": ("Instrument",),
    "domain.market_data": (
        "Bar",
        "BookSnapshot",
        "Imbalance",
        "Indicative",
        "LevelUpdate",
        "OrderAction",
        "OrderUpdate",
        "Quote",
        "Report",
        "Status",
        "TradePrint",
        "Volume",
    ),
    "domain.order": ("OrderState", "OrderType", "Reason", "Side", "TimeInForce"),
    "domain.phase": ("Phase",),
    "domain.risk": ("RiskEvent",),
    "errors": ("MarketSimError",),
    "exchange.book": ("OrderBook",),
    "exchange.core": ("MatchingCore",),
    "experiment.calibration": ("calibrate",),
    "experiment.comparison": ("compare",),
    "experiment.counterfactual": ("counterfactual",),
    "experiment.fork": ("fork",),
    "experiment.optimization": ("optimize",),
    "experiment.sweep": ("Sweep", "sweep"),
    "experiment.tournament": ("tournament",),
    "experiment.verification": ("verify",),
    "kernel.environment": ("Environment",),
    "network.bandwidth": ("Bandwidth",),
    "network.faults": ("Delays", "Disconnect", "Duplicates", "Loss", "Outages", "Spike"),
    "network.latency": (
        "Constant",
        "CubicJitter",
        "Empirical",
        "Gamma",
        "LinearInLoad",
        "LogNormal",
        "Pareto",
        "TruncatedNormal",
        "Uniform",
    ),
    "population.agent": ("CompiledAgent", "policy"),
    "realtime.trading": ("trade",),
    "results.run": ("Run",),
    "scenario.spec": ("ScenarioSpec",),
    "simulation.delays": ("feed_delays",),
    "simulation": ("Progress", "Simulation", "load"),
    "trading.agent": ("Agent",),
    "trading.book": ("LocalBook",),
    "trading.by_order": ("OrderByOrderBook",),
    "trading.consolidated": ("ConsolidatedQuote", "MarketState"),
    "trading.feed": ("MeanReverting", "RandomWalk"),
    "trading.index": ("IndexValue",),
    "trading.order": ("Order",),
    "trading.parent_order": ("ParentOrder",),
    "trading.portfolio": ("Portfolio",),
    "domain.limits": ("Limits",),
    "trading.router": ("RoutedOrder",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MEMBERS = {"BUY": "Side", "SELL": "Side"} | dict.fromkeys(("DAY", "FOK", "GTC", "GTD", "IOC"), "TimeInForce")
_ROOMS = ("agents", "analysis", "gateway", "gym", "policies")

# Written out: type checkers read it.
__all__ = [  # noqa: RUF022 - in plain order
    "Agent",
    "BUY",
    "Bandwidth",
    "Bar",
    "Basket",
    "BookSnapshot",
    "CompiledAgent",
    "ConsolidatedQuote",
    "Constant",
    "CubicJitter",
    "DAY",
    "Delays",
    "Disconnect",
    "Duplicates",
    "Empirical",
    "Environment",
    "FOK",
    "GTC",
    "GTD",
    "Gamma",
    "IOC",
    "Imbalance",
    "IndexValue",
    "Indicative",
    "Instrument",
    "LevelUpdate",
    "Limits",
    "LinearInLoad",
    "LocalBook",
    "LogNormal",
    "Loss",
    "MarketSimError",
    "MarketState",
    "MatchingCore",
    "MeanReverting",
    "Order",
    "OrderAction",
    "OrderBook",
    "OrderByOrderBook",
    "OrderState",
    "OrderType",
    "OrderUpdate",
    "Outages",
    "ParentOrder",
    "Pareto",
    "Phase",
    "Portfolio",
    "Progress",
    "Quote",
    "RandomWalk",
    "Reason",
    "Report",
    "RiskEvent",
    "RoutedOrder",
    "Run",
    "SELL",
    "ScenarioSpec",
    "Side",
    "Simulation",
    "Spike",
    "Status",
    "Sweep",
    "TimeInForce",
    "TradePrint",
    "TruncatedNormal",
    "Uniform",
    "Volume",
    "__version__",
    "agents",
    "analysis",
    "calibrate",
    "compare",
    "counterfactual",
    "feed_delays",
    "fork",
    "from_dict",
    "from_json",
    "gateway",
    "gym",
    "load",
    "optimize",
    "policies",
    "policy",
    "report",
    "seeds_needed",
    "sweep",
    "to_dict",
    "to_json",
    "tournament",
    "trade",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"marketsim.{name}")
    if name in _MEMBERS:
        return getattr(importlib.import_module("marketsim.domain.order"), _MEMBERS[name])[name]
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'marketsim' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"marketsim.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
