"""The names of what ships with marketsim, as text: nothing is imported until a name is used.

``BUILTIN`` has a line for each type: kind, name, ``module:Class``. ``BASES`` says of which kind an object is when a
parameter is annotated with one of these classes, so that ``{type: …}`` can stand for it.
"""

from __future__ import annotations

_AGENTS = "marketsim.agents"
_FAULTS = "marketsim.network.faults"
_FEED = "marketsim.trading.feed"
_LATENCY = "marketsim.network.latency"
_RULES = "marketsim.agents.rules"
_SIZING = "marketsim.agents.sizing"

BUILTIN: dict[str, dict[str, str]] = {
    "agent": {
        "aa": f"{_AGENTS}.aa_trader:Aa",
        "adaptive_participation": f"{_AGENTS}.adaptive_participation:AdaptiveParticipation",
        "almgren_chriss": f"{_AGENTS}.execution.almgren_chriss:AlmgrenChriss",
        "auction_sniper": f"{_AGENTS}.auction_sniper:AuctionSniper",
        "avellaneda_stoikov": f"{_AGENTS}.avellaneda_stoikov:AvellanedaStoikov",
        "chartist_fundamentalist": f"{_AGENTS}.chartist_fundamentalist:ChartistFundamentalist",
        "client": f"{_AGENTS}.client:Client",
        "copy_trader": f"{_AGENTS}.copy_trader:CopyTrader",
        "fat_finger": f"{_AGENTS}.fat_finger:FatFinger",
        "fundamental": f"{_AGENTS}.fundamental:Fundamental",
        "gd": f"{_AGENTS}.gd_trader:Gd",
        "giveaway": f"{_AGENTS}.giveaway:Giveaway",
        "glft": f"{_AGENTS}.glft:Glft",
        "hawkes_flow": f"{_AGENTS}.hawkes_flow:HawkesFlow",
        "heuristic_belief": f"{_AGENTS}.heuristic_belief:HeuristicBelief",
        "iceberg": f"{_AGENTS}.execution.iceberg:Iceberg",
        "implementation_shortfall": f"{_AGENTS}.execution.implementation_shortfall:ImplementationShortfall",
        "index_arbitrage": f"{_AGENTS}.index_arbitrage:IndexArbitrage",
        "intervention": f"{_AGENTS}.intervention:Intervention",
        "ladder_maker": f"{_AGENTS}.ladder_maker:LadderMaker",
        "large_seller": f"{_AGENTS}.large_seller:LargeSeller",
        "layering": f"{_AGENTS}.layering:Layering",
        "limit_liquidator": f"{_AGENTS}.limit_liquidator:LimitLiquidator",
        "liquidation_cascade": f"{_AGENTS}.liquidation_cascade:LiquidationCascade",
        "liquidity_taker": f"{_AGENTS}.liquidity_taker:LiquidityTaker",
        "machine_learning": f"{_AGENTS}.machine_learning:MachineLearning",
        "market_maker": f"{_AGENTS}.market_maker:MarketMaker",
        "mean_reversion": f"{_AGENTS}.mean_reversion:MeanReversion",
        "metaorders": f"{_AGENTS}.metaorders:Metaorders",
        "momentum": f"{_AGENTS}.momentum:Momentum",
        "momentum_strategy": f"{_AGENTS}.momentum_strategy:MomentumStrategy",
        "noise": f"{_AGENTS}.noise:Noise",
        "participation": f"{_AGENTS}.execution.participation:Participation",
        "poisson_flow": f"{_AGENTS}.poisson_flow:PoissonFlow",
        "public_feed": f"{_AGENTS}.public_feed:PublicFeed",
        "queue_reactive": f"{_AGENTS}.queue_reactive:QueueReactive",
        "reaching_taker": f"{_AGENTS}.reaching_taker:ReachingTaker",
        "rebalancer": f"{_AGENTS}.rebalancer:Rebalancer",
        "replay": f"{_AGENTS}.replay:Replay",
        "routed_flow": f"{_AGENTS}.routed_flow:RoutedFlow",
        "rule_strategy": f"{_AGENTS}.rule_strategy:RuleStrategy",
        "shaver": f"{_AGENTS}.shaver:Shaver",
        "sniper": f"{_AGENTS}.execution.sniper:Sniper",
        "spoofer": f"{_AGENTS}.spoofer:Spoofer",
        "twap": f"{_AGENTS}.execution.twap:Twap",
        "venue_arbitrage": f"{_AGENTS}.venue_arbitrage:VenueArbitrage",
        "venue_maker": f"{_AGENTS}.venue_maker:VenueMaker",
        "visitor": f"{_AGENTS}.visitor:Visitor",
        "vwap": f"{_AGENTS}.execution.vwap:Vwap",
        "zero_intelligence": f"{_AGENTS}.zero_intelligence:ZeroIntelligence",
        "zip": f"{_AGENTS}.zip_trader:Zip",
    },
    "feed": {
        "constant": f"{_FEED}:Constant",
        "mean_reverting": f"{_FEED}:MeanReverting",
        "random_walk": f"{_FEED}:RandomWalk",
        "recorded": f"{_FEED}:Recorded",
    },
    "exit": {
        "advanced_atr": f"{_RULES}.exits:AdvancedAtr",
        "atr": f"{_RULES}.exits:Atr",
        "moving_average_cross": f"{_RULES}.exits:MovingAverageCross",
        "risk_reward": f"{_RULES}.exits:RiskReward",
        "stop_loss": f"{_RULES}.exits:StopLoss",
        "take_profit": f"{_RULES}.exits:TakeProfit",
        "time": f"{_RULES}.exits:Time",
        "trailing": f"{_RULES}.exits:Trailing",
        "when": f"{_RULES}.exits:When",
    },
    "fault": {
        "delays": f"{_FAULTS}:Delays",
        "disconnect": f"{_FAULTS}:Disconnect",
        "duplicates": f"{_FAULTS}:Duplicates",
        "loss": f"{_FAULTS}:Loss",
        "outages": f"{_FAULTS}:Outages",
        "spike": f"{_FAULTS}:Spike",
    },
    "latency": {
        "bandwidth": "marketsim.network.bandwidth:Bandwidth",
        "constant": f"{_LATENCY}:Constant",
        "cubic_jitter": f"{_LATENCY}:CubicJitter",
        "empirical": f"{_LATENCY}:Empirical",
        "gamma": f"{_LATENCY}:Gamma",
        "linear_in_load": f"{_LATENCY}:LinearInLoad",
        "lognormal": f"{_LATENCY}:LogNormal",
        "pareto": f"{_LATENCY}:Pareto",
        "series": f"{_LATENCY}:Series",
        "truncated_normal": f"{_LATENCY}:TruncatedNormal",
        "uniform": f"{_LATENCY}:Uniform",
    },
    "rule": {
        "above": f"{_RULES}.conditions:Above",
        "adx": f"{_RULES}.conditions:Adx",
        "below": f"{_RULES}.conditions:Below",
        "between": f"{_RULES}.conditions:Between",
        "bollinger": f"{_RULES}.conditions:Bollinger",
        "crosses_above": f"{_RULES}.conditions:CrossesAbove",
        "crosses_below": f"{_RULES}.conditions:CrossesBelow",
        "falling": f"{_RULES}.conditions:Falling",
        "ichimoku": f"{_RULES}.conditions:Ichimoku",
        "lately": f"{_RULES}.rule:Lately",
        "macd": f"{_RULES}.conditions:Macd",
        "rising": f"{_RULES}.conditions:Rising",
        "rsi": f"{_RULES}.conditions:Rsi",
        "rsi_bollinger_volume": f"{_RULES}.presets:RsiBollingerVolume",
        "rsi_ichimoku": f"{_RULES}.presets:RsiIchimoku",
        "rsi_or_bollinger": f"{_RULES}.presets:RsiOrBollinger",
        "rsi_volume_supertrend": f"{_RULES}.presets:RsiVolumeSuperTrend",
        "supertrend": f"{_RULES}.conditions:SuperTrend",
        "volume": f"{_RULES}.conditions:Volume",
    },
    "shock": {
        "halt": "marketsim.scenario.shocks:Halt",
        "kill_switch": "marketsim.scenario.shocks:KillSwitch",
        "news": "marketsim.scenario.shocks:News",
        "resume": "marketsim.scenario.shocks:Resume",
        "set": "marketsim.scenario.shocks:SetParameter",
    },
    "sizing": {
        "fixed": f"{_SIZING}:Fixed",
        "kelly": f"{_SIZING}:Kelly",
        "percent": f"{_SIZING}:Percent",
        "risk": f"{_SIZING}:Risk",
        "volatility": f"{_SIZING}:Volatility",
    },
    "topology": {
        "graph": "marketsim.network.presets:from_mapping",
        "line": "marketsim.network.line:line",
        "preset": "marketsim.network.presets:preset",
    },
}

ALIASES = {"latency": {"log_normal": "lognormal"}}
"""Second names that are understood and not listed."""

BASES = {f"{_LATENCY}:LatencyModel": "latency", f"{_SIZING}:Sizing": "sizing"}
