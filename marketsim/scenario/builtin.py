"""The names of what ships with marketsim, as text: nothing is imported until a name is used.

``BUILTIN`` has a line for each type: kind, name, ``module:Class``. ``BASES`` says of which kind an object is when a
parameter is annotated with one of these classes, so that ``{type: …}`` can stand for it.
"""

from __future__ import annotations

_AGENTS = "marketsim.agents"
_FAULTS = "marketsim.network.faults"
_FEED = "marketsim.trading.feed"
_LATENCY = "marketsim.network.latency"

BUILTIN: dict[str, dict[str, str]] = {
    "agent": {
        "avellaneda_stoikov": f"{_AGENTS}.avellaneda_stoikov:AvellanedaStoikov",
        "client": f"{_AGENTS}.client:Client",
        "fundamental": f"{_AGENTS}.fundamental:Fundamental",
        "ladder_maker": f"{_AGENTS}.ladder_maker:LadderMaker",
        "liquidity_taker": f"{_AGENTS}.liquidity_taker:LiquidityTaker",
        "machine_learning": f"{_AGENTS}.machine_learning:MachineLearning",
        "market_maker": f"{_AGENTS}.market_maker:MarketMaker",
        "momentum": f"{_AGENTS}.momentum:Momentum",
        "noise": f"{_AGENTS}.noise:Noise",
        "poisson_flow": f"{_AGENTS}.poisson_flow:PoissonFlow",
        "public_feed": f"{_AGENTS}.public_feed:PublicFeed",
        "replay": f"{_AGENTS}.replay:Replay",
        "routed_flow": f"{_AGENTS}.routed_flow:RoutedFlow",
        "twap": f"{_AGENTS}.twap:Twap",
        "venue_arbitrage": f"{_AGENTS}.venue_arbitrage:VenueArbitrage",
        "venue_maker": f"{_AGENTS}.venue_maker:VenueMaker",
        "visitor": f"{_AGENTS}.visitor:Visitor",
        "zero_intelligence": f"{_AGENTS}.zero_intelligence:ZeroIntelligence",
    },
    "feed": {
        "constant": f"{_FEED}:Constant",
        "mean_reverting": f"{_FEED}:MeanReverting",
        "random_walk": f"{_FEED}:RandomWalk",
        "recorded": f"{_FEED}:Recorded",
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
    "shock": {
        "halt": "marketsim.scenario.shocks:Halt",
        "kill_switch": "marketsim.scenario.shocks:KillSwitch",
        "news": "marketsim.scenario.shocks:News",
        "resume": "marketsim.scenario.shocks:Resume",
        "set": "marketsim.scenario.shocks:SetParameter",
    },
    "topology": {
        "graph": "marketsim.network.presets:from_mapping",
        "line": "marketsim.network.line:line",
        "preset": "marketsim.network.presets:preset",
    },
}

ALIASES = {"latency": {"log_normal": "lognormal"}}
"""Second names that are understood and not listed."""

BASES = {f"{_LATENCY}:LatencyModel": "latency"}
