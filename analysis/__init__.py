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
    from marketsim.analysis.active_returns import (
        Brinson,
        active_measures,
        alpha,
        beta,
        brinson,
        correlation,
        information_ratio,
        tracking_error,
        treynor,
    )
    from marketsim.analysis.at_best import time_at_best
    from marketsim.analysis.attribution import benchmark_attribution, rule_contribution
    from marketsim.analysis.book_costs import depth_weighted_spread, depth_within, round_trip_cost, time_at_spread
    from marketsim.analysis.conditional_volatility import GarchFit, fit_garch
    from marketsim.analysis.daily_pattern import intraday_profile
    from marketsim.analysis.detection import AlertScore, Share, detection_curve, score_alerts
    from marketsim.analysis.double_auctions import DoubleAuction, double_auction, profit_dispersion, smiths_alpha
    from marketsim.analysis.execution_report import execution_holdings, executions, volume_curve
    from marketsim.analysis.fact_distances import FactDistance, fact_distance, fact_statistics
    from marketsim.analysis.fact_verdicts import StylizedFacts, stylized_facts
    from marketsim.analysis.figures.comparison import forest_figure, pairs_figure
    from marketsim.analysis.figures.contracts import clearing_figure
    from marketsim.analysis.figures.counterfactual import counterfactual_figure
    from marketsim.analysis.figures.double_auction import double_auction_figure
    from marketsim.analysis.figures.executions import execution_figure
    from marketsim.analysis.figures.league import league_figure
    from marketsim.analysis.figures.metaorders import metaorder_figure
    from marketsim.analysis.figures.order_flow import order_flow_figure, propagator_figure, vpin_figure
    from marketsim.analysis.figures.price_and_day import information_share_figure, intraday_figure
    from marketsim.analysis.figures.reference_market import reference_figure
    from marketsim.analysis.figures.risk import risk_figure
    from marketsim.analysis.figures.rules import rule_figure
    from marketsim.analysis.figures.signals import signal_figure
    from marketsim.analysis.figures.stress import stress_figure
    from marketsim.analysis.figures.surveillance import surveillance_figure
    from marketsim.analysis.figures.sweep import sweep_figure
    from marketsim.analysis.figures.venues import crossed_figure, venue_figure
    from marketsim.analysis.flow_estimation import FlowEstimates, flow_estimates
    from marketsim.analysis.flow_imbalance import order_flow_imbalance, order_flow_impact
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
    from marketsim.analysis.informed_trading import PinFit, fit_pin, pin_log_likelihood, trade_counts, vpin
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
    from marketsim.analysis.market_measures import Microstructure, microstructure
    from marketsim.analysis.market_numbers import market_statistics
    from marketsim.analysis.memory import LongMemory, long_memory
    from marketsim.analysis.metaorder_impact import ImpactFit, fit_impact, impact_curve, impact_decay, metaorders
    from marketsim.analysis.page import report
    from marketsim.analysis.page_counterfactual import counterfactual_page
    from marketsim.analysis.page_sweep import sweep_report
    from marketsim.analysis.paired import (
        PairedDifference,
        paired_difference,
        power_of,
        seeds_needed,
        smallest_difference,
    )
    from marketsim.analysis.performance import (
        Drawdown,
        annualized_return,
        average_drawdown,
        average_loss,
        average_win,
        best_period,
        calmar,
        conditional_value_at_risk,
        cumulative_returns,
        daily_mean_return,
        downside_deviation,
        drawdown,
        expectancy,
        gain_to_pain,
        longest_runs,
        max_drawdown,
        monthly_returns,
        omega,
        payoff_ratio,
        profit_factor,
        return_measures,
        returns_of,
        sharpe,
        sortino,
        tail_ratio,
        total_return,
        trade_measures,
        turnover,
        ulcer_index,
        value_at_risk,
        volatility,
        win_rate,
        worst_period,
    )
    from marketsim.analysis.price_discovery import (
        PriceDiscovery,
        information_bounds,
        information_shares,
        price_discovery_of,
        venue_mids,
    )
    from marketsim.analysis.price_illiquidity import Amihud, amihud, corwin_schultz, roll_spread
    from marketsim.analysis.prices import mid_returns, mid_series, realized_volatility
    from marketsim.analysis.queue_race import QueueRace, birth_death_law
    from marketsim.analysis.queues import queue_intensities
    from marketsim.analysis.reactions import reaction_times
    from marketsim.analysis.reference_market import compare_with_published, reference_measures
    from marketsim.analysis.running_performance import RunningAccount, RunningReturns, RunningTrades
    from marketsim.analysis.scorecard import benchmark_returns, inventory_half_life, performance_table
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
    from marketsim.analysis.surveillance import surveil
    from marketsim.analysis.sweep_table import main_effects, summarize_points
    from marketsim.analysis.tape import Tape
    from marketsim.analysis.transient_impact import Propagator, fit_propagator, propagator_of
    from marketsim.analysis.windows import Window, after_warm_up, during

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
    "active_returns": (
        "Brinson",
        "active_measures",
        "alpha",
        "beta",
        "brinson",
        "correlation",
        "information_ratio",
        "tracking_error",
        "treynor",
    ),
    "at_best": ("time_at_best",),
    "attribution": ("benchmark_attribution", "rule_contribution"),
    "running_performance": ("RunningAccount", "RunningReturns", "RunningTrades"),
    "scorecard": ("benchmark_returns", "inventory_half_life", "performance_table"),
    "execution_report": ("execution_holdings", "executions", "volume_curve"),
    "fact_distances": ("FactDistance", "fact_distance", "fact_statistics"),
    "fact_verdicts": ("StylizedFacts", "stylized_facts"),
    "hawkes": ("HawkesFit", "branching_ratio", "fit_hawkes", "hawkes_log_likelihood", "simulate_hawkes"),
    "detection": ("AlertScore", "Share", "detection_curve", "score_alerts"),
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
    "market_numbers": ("market_statistics",),
    "metaorder_impact": ("ImpactFit", "fit_impact", "impact_curve", "impact_decay", "metaorders"),
    "page": ("report",),
    "paired": ("PairedDifference", "paired_difference", "power_of", "seeds_needed", "smallest_difference"),
    "page_sweep": ("sweep_report",),
    "performance": (
        "Drawdown",
        "annualized_return",
        "average_drawdown",
        "average_loss",
        "average_win",
        "best_period",
        "calmar",
        "conditional_value_at_risk",
        "cumulative_returns",
        "daily_mean_return",
        "downside_deviation",
        "drawdown",
        "expectancy",
        "gain_to_pain",
        "longest_runs",
        "max_drawdown",
        "monthly_returns",
        "omega",
        "payoff_ratio",
        "profit_factor",
        "return_measures",
        "returns_of",
        "sharpe",
        "sortino",
        "tail_ratio",
        "total_return",
        "trade_measures",
        "turnover",
        "ulcer_index",
        "value_at_risk",
        "volatility",
        "win_rate",
        "worst_period",
    ),
    "prices": ("mid_returns", "mid_series", "realized_volatility"),
    "queue_race": ("QueueRace", "birth_death_law"),
    "queues": ("queue_intensities",),
    "reactions": ("reaction_times",),
    "reference_market": ("compare_with_published", "reference_measures"),
    "figures.reference_market": ("reference_figure",),
    "figures.comparison": ("forest_figure", "pairs_figure"),
    "figures.contracts": ("clearing_figure",),
    "figures.executions": ("execution_figure",),
    "figures.double_auction": ("double_auction_figure",),
    "figures.stress": ("stress_figure",),
    "figures.sweep": ("sweep_figure",),
    "figures.signals": ("signal_figure",),
    "figures.league": ("league_figure",),
    "figures.counterfactual": ("counterfactual_figure",),
    "page_counterfactual": ("counterfactual_page",),
    "figures.metaorders": ("metaorder_figure",),
    "figures.risk": ("risk_figure",),
    "figures.rules": ("rule_figure",),
    "figures.order_flow": ("order_flow_figure", "propagator_figure", "vpin_figure"),
    "figures.price_and_day": ("information_share_figure", "intraday_figure"),
    "figures.surveillance": ("surveillance_figure",),
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
    "surveillance": ("surveil",),
    "sweep_table": ("main_effects", "summarize_points"),
    "tape": ("Tape",),
    "book_costs": (
        "depth_weighted_spread",
        "depth_within",
        "round_trip_cost",
        "time_at_spread",
    ),
    "daily_pattern": ("intraday_profile",),
    "flow_imbalance": (
        "order_flow_imbalance",
        "order_flow_impact",
    ),
    "informed_trading": (
        "PinFit",
        "fit_pin",
        "pin_log_likelihood",
        "trade_counts",
        "vpin",
    ),
    "market_measures": (
        "Microstructure",
        "microstructure",
    ),
    "price_discovery": (
        "PriceDiscovery",
        "information_bounds",
        "information_shares",
        "price_discovery_of",
        "venue_mids",
    ),
    "price_illiquidity": (
        "Amihud",
        "amihud",
        "corwin_schultz",
        "roll_spread",
    ),
    "transient_impact": (
        "Propagator",
        "fit_propagator",
        "propagator_of",
    ),
    "windows": (
        "Window",
        "after_warm_up",
        "during",
    ),
}
_WHERE = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Account",
    "Accounts",
    "AlertScore",
    "Amihud",
    "Brinson",
    "ClusteringTest",
    "DoubleAuction",
    "Drawdown",
    "FactDistance",
    "FlowEstimates",
    "GarchFit",
    "HawkesFit",
    "ImpactFit",
    "KyleLambda",
    "LongMemory",
    "Microstructure",
    "PairedDifference",
    "PinFit",
    "PriceDiscovery",
    "Propagator",
    "QueueRace",
    "Resiliency",
    "RunningAccount",
    "RunningReturns",
    "RunningTrades",
    "Share",
    "StylizedFacts",
    "Summary",
    "TailIndex",
    "Tape",
    "Window",
    "accounts",
    "active_measures",
    "after_warm_up",
    "alpha",
    "amihud",
    "annualized_return",
    "autocorrelation",
    "average_drawdown",
    "average_loss",
    "average_win",
    "benchmark_attribution",
    "benchmark_returns",
    "best_depth",
    "best_period",
    "beta",
    "birth_death_law",
    "book_imbalance",
    "branching_ratio",
    "brinson",
    "calmar",
    "clearing_figure",
    "compare_with_published",
    "conditional_value_at_risk",
    "consolidated_quotes",
    "correlation",
    "corwin_schultz",
    "counterfactual_figure",
    "counterfactual_page",
    "crossed_figure",
    "crossed_times",
    "cumulative_returns",
    "daily_mean_return",
    "depth_profile",
    "depth_weighted_spread",
    "depth_within",
    "detection_curve",
    "double_auction",
    "double_auction_figure",
    "downside_deviation",
    "drawdown",
    "during",
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
    "fit_pin",
    "fit_propagator",
    "flow_estimates",
    "flows_by_venue",
    "forest_figure",
    "gain_to_pain",
    "hawkes_log_likelihood",
    "hill_tail_index",
    "impact_curve",
    "impact_decay",
    "index_values",
    "information_bounds",
    "information_ratio",
    "information_share_figure",
    "information_shares",
    "intraday_figure",
    "intraday_profile",
    "inventory_half_life",
    "kyle_lambda",
    "labels",
    "league_figure",
    "locked_and_crossed",
    "long_memory",
    "longest_runs",
    "main_effects",
    "mark_outs",
    "market_statistics",
    "market_table",
    "market_turnover",
    "max_drawdown",
    "mean_imbalance",
    "metaorder_figure",
    "metaorders",
    "microstructure",
    "mid_returns",
    "mid_series",
    "monthly_returns",
    "omega",
    "order_flow_figure",
    "order_flow_imbalance",
    "order_flow_impact",
    "paired_difference",
    "pairs_figure",
    "payoff_ratio",
    "performance_table",
    "pin_log_likelihood",
    "power_of",
    "price_discovery_of",
    "price_improvement",
    "profit_dispersion",
    "profit_factor",
    "propagator_figure",
    "propagator_of",
    "queue_intensities",
    "quote_imbalance",
    "quoted_spread",
    "reaction_times",
    "realized_spread",
    "realized_volatility",
    "reference_figure",
    "reference_measures",
    "report",
    "resiliency",
    "response_function",
    "return_autocorrelation",
    "return_measures",
    "returns_of",
    "risk_figure",
    "roll_spread",
    "round_trip_cost",
    "round_trips",
    "rule_contribution",
    "rule_figure",
    "score_alerts",
    "seeds_needed",
    "seen_and_true",
    "sharpe",
    "sign_autocorrelation",
    "signal_figure",
    "simulate_hawkes",
    "skewness",
    "smallest_difference",
    "smiths_alpha",
    "sortino",
    "spread_bps",
    "spread_over_time",
    "states_seen",
    "stress_figure",
    "stylized_facts",
    "summarize",
    "summarize_points",
    "surveil",
    "surveillance_figure",
    "sweep_figure",
    "sweep_report",
    "tail_ratio",
    "time_at_best",
    "time_at_spread",
    "total_return",
    "tracking_error",
    "trade_counts",
    "trade_measures",
    "trade_spreads",
    "treynor",
    "turnover",
    "ulcer_index",
    "value_at_risk",
    "venue_figure",
    "venue_mids",
    "venue_shares",
    "volatility",
    "volatility_clustering",
    "volume_curve",
    "vpin",
    "vpin_figure",
    "win_rate",
    "worst_period",
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
