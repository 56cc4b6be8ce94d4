"""Traders: every agent that ships with marketsim, one file or small family each. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.agents.aa_trader import Aa
    from marketsim.agents.adaptive_participation import AdaptiveParticipation
    from marketsim.agents.auction_sniper import AuctionSniper
    from marketsim.agents.avellaneda_stoikov import AvellanedaStoikov
    from marketsim.agents.chartist_fundamentalist import ChartistFundamentalist
    from marketsim.agents.client import Client
    from marketsim.agents.copy_trader import CopyTrader
    from marketsim.agents.execution.almgren_chriss import AlmgrenChriss
    from marketsim.agents.execution.iceberg import Iceberg
    from marketsim.agents.execution.implementation_shortfall import ImplementationShortfall
    from marketsim.agents.execution.participation import Participation
    from marketsim.agents.execution.sniper import Sniper
    from marketsim.agents.execution.twap import Twap
    from marketsim.agents.execution.vwap import Vwap
    from marketsim.agents.fat_finger import FatFinger
    from marketsim.agents.fundamental import Fundamental
    from marketsim.agents.gd_trader import Gd
    from marketsim.agents.giveaway import Giveaway
    from marketsim.agents.glft import Glft
    from marketsim.agents.hawkes_flow import HawkesFlow
    from marketsim.agents.heuristic_belief import HeuristicBelief
    from marketsim.agents.index_arbitrage import IndexArbitrage
    from marketsim.agents.intervention import Intervention
    from marketsim.agents.ladder_maker import LadderMaker
    from marketsim.agents.large_seller import LargeSeller
    from marketsim.agents.layering import Layering
    from marketsim.agents.limit_liquidator import LimitLiquidator
    from marketsim.agents.liquidation_cascade import LiquidationCascade
    from marketsim.agents.liquidity_taker import LiquidityTaker
    from marketsim.agents.machine_learning import MachineLearning
    from marketsim.agents.market_maker import MarketMaker
    from marketsim.agents.mean_reversion import MeanReversion
    from marketsim.agents.metaorders import Metaorders
    from marketsim.agents.momentum import Momentum
    from marketsim.agents.momentum_strategy import MomentumStrategy
    from marketsim.agents.noise import Noise
    from marketsim.agents.poisson_flow import PoissonFlow
    from marketsim.agents.public_feed import PublicFeed
    from marketsim.agents.queue_reactive import QueueReactive
    from marketsim.agents.reaching_taker import ReachingTaker
    from marketsim.agents.rebalancer import Rebalancer
    from marketsim.agents.replay import Replay
    from marketsim.agents.routed_flow import RoutedFlow
    from marketsim.agents.rule_strategy import RuleStrategy
    from marketsim.agents.shaver import Shaver
    from marketsim.agents.spoofer import Spoofer
    from marketsim.agents.venue_arbitrage import VenueArbitrage
    from marketsim.agents.venue_maker import VenueMaker
    from marketsim.agents.visitor import Visitor
    from marketsim.agents.zero_intelligence import ZeroIntelligence
    from marketsim.agents.zip_trader import Zip

_HOMES = {
    "Aa": "aa_trader",
    "AdaptiveParticipation": "adaptive_participation",
    "AlmgrenChriss": "execution.almgren_chriss",
    "AuctionSniper": "auction_sniper",
    "AvellanedaStoikov": "avellaneda_stoikov",
    "ChartistFundamentalist": "chartist_fundamentalist",
    "Client": "client",
    "CopyTrader": "copy_trader",
    "FatFinger": "fat_finger",
    "Fundamental": "fundamental",
    "Gd": "gd_trader",
    "Giveaway": "giveaway",
    "Glft": "glft",
    "HawkesFlow": "hawkes_flow",
    "HeuristicBelief": "heuristic_belief",
    "Iceberg": "execution.iceberg",
    "ImplementationShortfall": "execution.implementation_shortfall",
    "IndexArbitrage": "index_arbitrage",
    "Intervention": "intervention",
    "LadderMaker": "ladder_maker",
    "LargeSeller": "large_seller",
    "Layering": "layering",
    "LimitLiquidator": "limit_liquidator",
    "LiquidationCascade": "liquidation_cascade",
    "LiquidityTaker": "liquidity_taker",
    "MachineLearning": "machine_learning",
    "MarketMaker": "market_maker",
    "MeanReversion": "mean_reversion",
    "Metaorders": "metaorders",
    "Momentum": "momentum",
    "MomentumStrategy": "momentum_strategy",
    "Noise": "noise",
    "Participation": "execution.participation",
    "PoissonFlow": "poisson_flow",
    "PublicFeed": "public_feed",
    "QueueReactive": "queue_reactive",
    "ReachingTaker": "reaching_taker",
    "Rebalancer": "rebalancer",
    "Replay": "replay",
    "RoutedFlow": "routed_flow",
    "RuleStrategy": "rule_strategy",
    "Shaver": "shaver",
    "Sniper": "execution.sniper",
    "Spoofer": "spoofer",
    "Twap": "execution.twap",
    "VenueArbitrage": "venue_arbitrage",
    "VenueMaker": "venue_maker",
    "Visitor": "visitor",
    "Vwap": "execution.vwap",
    "ZeroIntelligence": "zero_intelligence",
    "Zip": "zip_trader",
}

__all__ = [
    "Aa",
    "AdaptiveParticipation",
    "AlmgrenChriss",
    "AuctionSniper",
    "AvellanedaStoikov",
    "ChartistFundamentalist",
    "Client",
    "CopyTrader",
    "FatFinger",
    "Fundamental",
    "Gd",
    "Giveaway",
    "Glft",
    "HawkesFlow",
    "HeuristicBelief",
    "Iceberg",
    "ImplementationShortfall",
    "IndexArbitrage",
    "Intervention",
    "LadderMaker",
    "LargeSeller",
    "Layering",
    "LimitLiquidator",
    "LiquidationCascade",
    "LiquidityTaker",
    "MachineLearning",
    "MarketMaker",
    "MeanReversion",
    "Metaorders",
    "Momentum",
    "MomentumStrategy",
    "Noise",
    "Participation",
    "PoissonFlow",
    "PublicFeed",
    "QueueReactive",
    "ReachingTaker",
    "Rebalancer",
    "Replay",
    "RoutedFlow",
    "RuleStrategy",
    "Shaver",
    "Sniper",
    "Spoofer",
    "Twap",
    "VenueArbitrage",
    "VenueMaker",
    "Visitor",
    "Vwap",
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
