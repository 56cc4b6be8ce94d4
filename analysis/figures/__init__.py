"""Figures: tables in, one Matplotlib ``Figure`` out, without pyplot and without global state.

Every function takes ``width`` in inches; below 5.5 panels that stand side by side are stacked. In a notebook a figure
shows itself; ``figure.savefig("price.png", dpi=150)`` writes it.
"""

from marketsim.analysis.figures.after_trades import impact
from marketsim.analysis.figures.agents import drawdown, equity, inventory, pnl_parts
from marketsim.analysis.figures.book import depth
from marketsim.analysis.figures.market import price_and_quotes, spread_and_activity
from marketsim.analysis.figures.optimization import optimization_history, optimization_slices, parameter_importance
from marketsim.analysis.figures.sessions import auction, interruptions, trading_days
from marketsim.analysis.figures.stylized import stylized_facts

__all__ = [
    "auction",
    "depth",
    "drawdown",
    "equity",
    "impact",
    "interruptions",
    "inventory",
    "optimization_history",
    "optimization_slices",
    "parameter_importance",
    "pnl_parts",
    "price_and_quotes",
    "spread_and_activity",
    "stylized_facts",
    "trading_days",
]
