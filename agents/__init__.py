"""Traders: every agent that ships with marketsim, one file or small family each. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.agents.avellaneda_stoikov import AvellanedaStoikov
    from marketsim.agents.client import Client
    from marketsim.agents.fat_finger import FatFinger
    from marketsim.agents.fundamental import Fundamental
    from marketsim.agents.index_arbitrage import IndexArbitrage
    from marketsim.agents.ladder_maker import LadderMaker
    from marketsim.agents.large_seller import LargeSeller
    from marketsim.agents.layering import Layering
    from marketsim.agents.liquidation_cascade import LiquidationCascade
    from marketsim.agents.liquidity_taker import LiquidityTaker
    from marketsim.agents.machine_learning import MachineLearning
    from marketsim.agents.market_maker import MarketMaker
    from marketsim.agents.momentum import Momentum
    from marketsim.agents.momentum_strategy import MomentumStrategy
    from marketsim.agents.noise import Noise
    from marketsim.agents.poisson_flow import PoissonFlow
    from marketsim.agents.public_feed import PublicFeed
    from marketsim.agents.replay import Replay
    from marketsim.agents.routed_flow import RoutedFlow
    from marketsim.agents.spoofer import Spoofer
    from marketsim.agents.twap import Twap
    from marketsim.agents.venue_arbitrage import VenueArbitrage
    from marketsim.agents.venue_maker import VenueMaker
    from marketsim.agents.visitor import Visitor
    from marketsim.agents.zero_intelligence import ZeroIntelligence

_HOMES = {
    "AvellanedaStoikov": "avellaneda_stoikov",
    "Client": "client",
    "FatFinger": "fat_finger",
    "Fundamental": "fundamental",
    "IndexArbitrage": "index_arbitrage",
    "LadderMaker": "ladder_maker",
    "LargeSeller": "large_seller",
    "Layering": "layering",
    "LiquidationCascade": "liquidation_cascade",
    "LiquidityTaker": "liquidity_taker",
    "MachineLearning": "machine_learning",
    "MarketMaker": "market_maker",
    "Momentum": "momentum",
    "MomentumStrategy": "momentum_strategy",
    "Noise": "noise",
    "PoissonFlow": "poisson_flow",
    "PublicFeed": "public_feed",
    "Replay": "replay",
    "RoutedFlow": "routed_flow",
    "Spoofer": "spoofer",
    "Twap": "twap",
    "VenueArbitrage": "venue_arbitrage",
    "VenueMaker": "venue_maker",
    "Visitor": "visitor",
    "ZeroIntelligence": "zero_intelligence",
}

__all__ = [
    "AvellanedaStoikov",
    "Client",
    "FatFinger",
    "Fundamental",
    "IndexArbitrage",
    "LadderMaker",
    "LargeSeller",
    "Layering",
    "LiquidationCascade",
    "LiquidityTaker",
    "MachineLearning",
    "MarketMaker",
    "Momentum",
    "MomentumStrategy",
    "Noise",
    "PoissonFlow",
    "PublicFeed",
    "Replay",
    "RoutedFlow",
    "Spoofer",
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
