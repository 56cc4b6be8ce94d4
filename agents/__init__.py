"""Traders: every agent that ships with marketsim, one file or small family each. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.agents.aa_trader import Aa
    from marketsim.agents.auction_sniper import AuctionSniper
    from marketsim.agents.avellaneda_stoikov import AvellanedaStoikov
    from marketsim.agents.chartist_fundamentalist import ChartistFundamentalist
    from marketsim.agents.client import Client
    from marketsim.agents.fundamental import Fundamental
    from marketsim.agents.gd_trader import Gd
    from marketsim.agents.giveaway import Giveaway
    from marketsim.agents.heuristic_belief import HeuristicBelief
    from marketsim.agents.ladder_maker import LadderMaker
    from marketsim.agents.liquidity_taker import LiquidityTaker
    from marketsim.agents.machine_learning import MachineLearning
    from marketsim.agents.market_maker import MarketMaker
    from marketsim.agents.mean_reversion import MeanReversion
    from marketsim.agents.momentum import Momentum
    from marketsim.agents.noise import Noise
    from marketsim.agents.poisson_flow import PoissonFlow
    from marketsim.agents.public_feed import PublicFeed
    from marketsim.agents.replay import Replay
    from marketsim.agents.routed_flow import RoutedFlow
    from marketsim.agents.shaver import Shaver
    from marketsim.agents.twap import Twap
    from marketsim.agents.venue_arbitrage import VenueArbitrage
    from marketsim.agents.venue_maker import VenueMaker
    from marketsim.agents.visitor import Visitor
    from marketsim.agents.zero_intelligence import ZeroIntelligence
    from marketsim.agents.zip_trader import Zip

_HOMES = {
    "Aa": "aa_trader",
    "AuctionSniper": "auction_sniper",
    "AvellanedaStoikov": "avellaneda_stoikov",
    "ChartistFundamentalist": "chartist_fundamentalist",
    "Client": "client",
    "Fundamental": "fundamental",
    "Gd": "gd_trader",
    "Giveaway": "giveaway",
    "HeuristicBelief": "heuristic_belief",
    "LadderMaker": "ladder_maker",
    "LiquidityTaker": "liquidity_taker",
    "MachineLearning": "machine_learning",
    "MarketMaker": "market_maker",
    "MeanReversion": "mean_reversion",
    "Momentum": "momentum",
    "Noise": "noise",
    "PoissonFlow": "poisson_flow",
    "PublicFeed": "public_feed",
    "Replay": "replay",
    "RoutedFlow": "routed_flow",
    "Shaver": "shaver",
    "Twap": "twap",
    "VenueArbitrage": "venue_arbitrage",
    "VenueMaker": "venue_maker",
    "Visitor": "visitor",
    "ZeroIntelligence": "zero_intelligence",
    "Zip": "zip_trader",
}

__all__ = [
    "Aa",
    "AuctionSniper",
    "AvellanedaStoikov",
    "ChartistFundamentalist",
    "Client",
    "Fundamental",
    "Gd",
    "Giveaway",
    "HeuristicBelief",
    "LadderMaker",
    "LiquidityTaker",
    "MachineLearning",
    "MarketMaker",
    "MeanReversion",
    "Momentum",
    "Noise",
    "PoissonFlow",
    "PublicFeed",
    "Replay",
    "RoutedFlow",
    "Shaver",
    "Twap",
    "VenueArbitrage",
    "VenueMaker",
    "Visitor",
    "ZeroIntelligence",
    "Zip",
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
