"""Traders: every agent that ships with marketsim, one file or small family each. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.agents.avellaneda_stoikov import AvellanedaStoikov
    from marketsim.agents.client import Client
    from marketsim.agents.copy_trader import CopyTrader
    from marketsim.agents.fundamental import Fundamental
    from marketsim.agents.ladder_maker import LadderMaker
    from marketsim.agents.liquidity_taker import LiquidityTaker
    from marketsim.agents.machine_learning import MachineLearning
    from marketsim.agents.market_maker import MarketMaker
    from marketsim.agents.metaorders import Metaorders
    from marketsim.agents.momentum import Momentum
    from marketsim.agents.noise import Noise
    from marketsim.agents.poisson_flow import PoissonFlow
    from marketsim.agents.public_feed import PublicFeed
    from marketsim.agents.rebalancer import Rebalancer
    from marketsim.agents.replay import Replay
    from marketsim.agents.routed_flow import RoutedFlow
    from marketsim.agents.twap import Twap
    from marketsim.agents.venue_arbitrage import VenueArbitrage
    from marketsim.agents.venue_maker import VenueMaker
    from marketsim.agents.visitor import Visitor
    from marketsim.agents.zero_intelligence import ZeroIntelligence

_HOMES = {
    "AvellanedaStoikov": "avellaneda_stoikov",
    "Client": "client",
    "CopyTrader": "copy_trader",
    "Fundamental": "fundamental",
    "LadderMaker": "ladder_maker",
    "LiquidityTaker": "liquidity_taker",
    "MachineLearning": "machine_learning",
    "MarketMaker": "market_maker",
    "Metaorders": "metaorders",
    "Momentum": "momentum",
    "Noise": "noise",
    "PoissonFlow": "poisson_flow",
    "PublicFeed": "public_feed",
    "Rebalancer": "rebalancer",
    "Replay": "replay",
    "RoutedFlow": "routed_flow",
    "Twap": "twap",
    "VenueArbitrage": "venue_arbitrage",
    "VenueMaker": "venue_maker",
    "Visitor": "visitor",
    "ZeroIntelligence": "zero_intelligence",
}

__all__ = [
    "AvellanedaStoikov",
    "Client",
    "CopyTrader",
    "Fundamental",
    "LadderMaker",
    "LiquidityTaker",
    "MachineLearning",
    "MarketMaker",
    "Metaorders",
    "Momentum",
    "Noise",
    "PoissonFlow",
    "PublicFeed",
    "Rebalancer",
    "Replay",
    "RoutedFlow",
    "Twap",
    "VenueArbitrage",
    "VenueMaker",
    "Visitor",
    "ZeroIntelligence",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
