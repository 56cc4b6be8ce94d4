"""Measures, figures and reports: tables in, tables and figures out.

Every function takes anything of the protocol ``marketsim.domain.tables.MarketTables``: a run, or a recorded tape.
Names are loaded when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketsim.analysis import figures
    from marketsim.analysis.accounting import Account, Accounts, accounts, round_trips
    from marketsim.analysis.across_venues import (
        consolidated_quotes,
        crossed_times,
        flows_by_venue,
        locked_and_crossed,
        seen_and_true,
        states_seen,
        venue_shares,
    )
    from marketsim.analysis.conditional_volatility import GarchFit, fit_garch
    from marketsim.analysis.double_auctions import DoubleAuction, double_auction, profit_dispersion, smiths_alpha
    from marketsim.analysis.execution_report import execution_holdings, executions, volume_curve
    from marketsim.analysis.fact_distances import FactDistance, fact_distance, fact_statistics
    from marketsim.analysis.fact_verdicts import StylizedFacts, stylized_facts
    from marketsim.analysis.figures.contracts import clearing_figure
    from marketsim.analysis.figures.double_auction import double_auction_figure
    from marketsim.analysis.figures.executions import execution_figure
    from marketsim.analysis.figures.league import league_figure
    from marketsim.analysis.figures.metaorders import metaorder_figure
    from marketsim.analysis.figures.reference_market import reference_figure
    from marketsim.analysis.figures.risk import risk_figure
    from marketsim.analysis.figures.signals import signal_figure
    from marketsim.analysis.figures.stress import stress_figure
    from marketsim.analysis.figures.venues import crossed_figure, venue_figure
    from marketsim.analysis.flow_estimation import FlowEstimates, flow_estimates
    from marketsim.analysis.ground_truth import labels
    from marketsim.analysis.hawkes import (
        HawkesFit,
        branching_ratio,
        fit_hawkes,
        hawkes_log_likelihood,
        simulate_hawkes,
    )
    from marketsim.analysis.impact import KyleLambda, kyle_lambda, mark_outs, response_function
    from marketsim.analysis.index_baskets import index_values
    from marketsim.analysis.interval import Interval
    from marketsim.analysis.liquidity import (
        Resiliency,
        best_depth,
        book_imbalance,
        depth_profile,
        market_turnover,
        mean_imbalance,
        quote_imbalance,
        resiliency,
    )
    from marketsim.analysis.market_numbers import market_statistics
    from marketsim.analysis.memory import LongMemory, long_memory
    from marketsim.analysis.metaorder_impact import ImpactFit, fit_impact, impact_curve, impact_decay, metaorders
    from marketsim.analysis.page import report
    from marketsim.analysis.performance import (
        Drawdown,
        annualized_return,
        conditional_value_at_risk,
        downside_deviation,
        drawdown,
        expectancy,
        max_drawdown,
        payoff_ratio,
        profit_factor,
        returns_of,
        sharpe,
        sortino,
        total_return,
        turnover,
        value_at_risk,
        volatility,
        win_rate,
    )
    from marketsim.analysis.prices import mid_returns, mid_series, realized_volatility
    from marketsim.analysis.queue_race import QueueRace, birth_death_law
    from marketsim.analysis.queues import queue_intensities
    from marketsim.analysis.reference_market import compare_with_published, reference_measures
    from marketsim.analysis.spreads import (
        effective_spread,
        price_improvement,
        quoted_spread,
        realized_spread,
        spread_bps,
        spread_over_time,
        trade_spreads,
    )
    from marketsim.analysis.stylized import (
        ClusteringTest,
        TailIndex,
        autocorrelation,
        excess_kurtosis,
        hill_tail_index,
        return_autocorrelation,
        sign_autocorrelation,
        skewness,
        volatility_clustering,
    )
    from marketsim.analysis.summary import Summary, market_table, summarize
    from marketsim.analysis.tape import Tape

# Modules are named so that none shares its name with a function here: importing a module would hide the function.
_HOMES = {
    "across_venues": (
        "consolidated_quotes",
        "crossed_times",
        "flows_by_venue",
        "locked_and_crossed",
        "seen_and_true",
        "states_seen",
        "venue_shares",
    ),
    "accounting": ("Account", "Accounts", "accounts", "round_trips"),
    "execution_report": ("execution_holdings", "executions", "volume_curve"),
    "fact_distances": ("FactDistance", "fact_distance", "fact_statistics"),
    "fact_verdicts": ("StylizedFacts", "stylized_facts"),
    "hawkes": ("HawkesFit", "branching_ratio", "fit_hawkes", "hawkes_log_likelihood", "simulate_hawkes"),
    "double_auctions": ("DoubleAuction", "double_auction", "profit_dispersion", "smiths_alpha"),
    "flow_estimation": ("FlowEstimates", "flow_estimates"),
    "ground_truth": ("labels",),
    "impact": ("KyleLambda", "kyle_lambda", "mark_outs", "response_function"),
    "index_baskets": ("index_values",),
    "liquidity": (
        "Resiliency",
        "best_depth",
        "book_imbalance",
        "depth_profile",
        "market_turnover",
        "mean_imbalance",
        "quote_imbalance",
        "resiliency",
    ),
    "conditional_volatility": ("GarchFit", "fit_garch"),
    "memory": ("LongMemory", "long_memory"),
    "interval": ("Interval",),
    "market_numbers": ("market_statistics",),
    "metaorder_impact": ("ImpactFit", "fit_impact", "impact_curve", "impact_decay", "metaorders"),
    "page": ("report",),
    "performance": (
        "Drawdown",
        "annualized_return",
        "conditional_value_at_risk",
        "downside_deviation",
        "drawdown",
        "expectancy",
        "max_drawdown",
        "payoff_ratio",
        "profit_factor",
        "returns_of",
        "sharpe",
        "sortino",
        "total_return",
        "turnover",
        "value_at_risk",
        "volatility",
        "win_rate",
    ),
    "prices": ("mid_returns", "mid_series", "realized_volatility"),
    "queue_race": ("QueueRace", "birth_death_law"),
    "queues": ("queue_intensities",),
    "reference_market": ("compare_with_published", "reference_measures"),
    "figures.reference_market": ("reference_figure",),
    "figures.contracts": ("clearing_figure",),
    "figures.executions": ("execution_figure",),
    "figures.double_auction": ("double_auction_figure",),
    "figures.stress": ("stress_figure",),
    "figures.signals": ("signal_figure",),
    "figures.league": ("league_figure",),
    "figures.metaorders": ("metaorder_figure",),
    "figures.risk": ("risk_figure",),
    "figures.venues": ("crossed_figure", "venue_figure"),
    "spreads": (
        "effective_spread",
        "price_improvement",
        "quoted_spread",
        "realized_spread",
        "spread_bps",
        "spread_over_time",
        "trade_spreads",
    ),
    "stylized": (
        "ClusteringTest",
        "TailIndex",
        "autocorrelation",
        "excess_kurtosis",
        "hill_tail_index",
        "return_autocorrelation",
        "sign_autocorrelation",
        "skewness",
        "volatility_clustering",
    ),
    "summary": ("Summary", "market_table", "summarize"),
    "tape": ("Tape",),
}
_WHERE = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Account",
    "Accounts",
    "ClusteringTest",
    "DoubleAuction",
    "Drawdown",
    "FactDistance",
    "FlowEstimates",
    "GarchFit",
    "HawkesFit",
    "ImpactFit",
    "Interval",
    "KyleLambda",
    "LongMemory",
    "QueueRace",
    "Resiliency",
    "StylizedFacts",
    "Summary",
    "TailIndex",
    "Tape",
    "accounts",
    "annualized_return",
    "autocorrelation",
    "best_depth",
    "birth_death_law",
    "book_imbalance",
    "branching_ratio",
    "clearing_figure",
    "compare_with_published",
    "conditional_value_at_risk",
    "consolidated_quotes",
    "crossed_figure",
    "crossed_times",
    "depth_profile",
    "double_auction",
    "double_auction_figure",
    "downside_deviation",
    "drawdown",
    "effective_spread",
    "excess_kurtosis",
    "execution_figure",
    "execution_holdings",
    "executions",
    "expectancy",
    "fact_distance",
    "fact_statistics",
    "figures",
    "fit_garch",
    "fit_hawkes",
    "fit_impact",
    "flow_estimates",
    "flows_by_venue",
    "hawkes_log_likelihood",
    "hill_tail_index",
    "impact_curve",
    "impact_decay",
    "index_values",
    "kyle_lambda",
    "labels",
    "league_figure",
    "locked_and_crossed",
    "long_memory",
    "mark_outs",
    "market_statistics",
    "market_table",
    "market_turnover",
    "max_drawdown",
    "mean_imbalance",
    "metaorder_figure",
    "metaorders",
    "mid_returns",
    "mid_series",
    "payoff_ratio",
    "price_improvement",
    "profit_dispersion",
    "profit_factor",
    "queue_intensities",
    "quote_imbalance",
    "quoted_spread",
    "realized_spread",
    "realized_volatility",
    "reference_figure",
    "reference_measures",
    "report",
    "resiliency",
    "response_function",
    "return_autocorrelation",
    "returns_of",
    "risk_figure",
    "round_trips",
    "seen_and_true",
    "sharpe",
    "sign_autocorrelation",
    "signal_figure",
    "simulate_hawkes",
    "skewness",
    "smiths_alpha",
    "sortino",
    "spread_bps",
    "spread_over_time",
    "states_seen",
    "stress_figure",
    "stylized_facts",
    "summarize",
    "total_return",
    "trade_spreads",
    "turnover",
    "value_at_risk",
    "venue_figure",
    "venue_shares",
    "volatility",
    "volatility_clustering",
    "volume_curve",
    "win_rate",
]


def __getattr__(name: str) -> Any:
    if name == "figures":
        return importlib.import_module("marketsim.analysis.figures")
    if name not in _WHERE:
        raise AttributeError(f"module 'marketsim.analysis' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"marketsim.analysis.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
