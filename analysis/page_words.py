"""What the page of a run calls things: columns of its tables with their units, and the terms explained."""

from __future__ import annotations

Column = tuple[str, str, str, str]  # column of the table, heading, unit below it, format

MARKET_COLUMNS: tuple[Column, ...] = (
    ("trades", "trades", "", ",.0f"),
    ("volume", "volume", "units", ",.0f"),
    ("open", "first mid", "{currency}", ",.2f"),
    ("close", "last mid", "{currency}", ",.2f"),
    ("low", "low", "{currency}", ",.2f"),
    ("high", "high", "{currency}", ",.2f"),
    ("spread", "quoted spread", "{currency}", ",.4f"),
    ("spread_bps", "quoted spread", "bps", ",.2f"),
    ("effective_spread_bps", "effective spread", "bps", ",.2f"),
    ("realized_spread_bps", "realized spread", "bps, after 5 s", ",.2f"),
    ("improvement_bps", "price improvement", "bps", "+,.2f"),
    ("best_depth", "depth at best", "units", ",.1f"),
    ("imbalance", "imbalance", "−1 … 1", ",.3f"),
    ("depth_turnover", "depth turned over", "per minute", ",.1f"),
    ("recovery", "spread back after", "median", ""),
    ("volatility_bps", "volatility", "bps/√min", ",.2f"),
)
PNL_COLUMNS: tuple[Column, ...] = (
    ("agents", "agents", "", ",.0f"),
    ("pnl", "P&L", "{currency}", "+,.2f"),
    ("spread_capture", "spread capture", "{currency}", "+,.2f"),
    ("adverse_selection", "adverse selection", "{currency}", "+,.2f"),
    ("inventory", "inventory", "{currency}", "+,.2f"),
    ("fees", "fees", "{currency}", "+,.2f"),
    ("funding", "funding", "{currency}", "+,.2f"),
    ("position", "position", "units at the end", ",.0f"),
)
ACTIVITY_COLUMNS: tuple[Column, ...] = (
    ("orders", "orders", "", ",.0f"),
    ("fills", "fills", "", ",.0f"),
    ("volume", "volume", "units", ",.0f"),
    ("maker_share", "maker share", "of volume", ".0%"),
    ("fill_ratio", "fill ratio", "of quantity", ".0%"),
    ("order_to_trade", "messages", "a fill", ",.2f"),
    ("queue_time", "queue time", "s", ",.2f"),
)
AGENT_COLUMNS: tuple[Column, ...] = (
    ("family", "family", "", ""),
    ("pnl", "P&L", "{currency}", "+,.2f"),
    ("position", "position", "units", ",.0f"),
    ("sharpe", "Sharpe", "of {every} P&L", ",.2f"),
    ("sortino", "Sortino", "of {every} P&L", ",.2f"),
    ("max_drawdown", "drawdown", "{currency}", ",.2f"),
    ("recovered", "recovered", "at", ""),
    ("var_95", "VaR 95 %", "{currency}, {every}", ",.2f"),
    ("cvar_95", "CVaR 95 %", "{currency}, {every}", ",.2f"),
    ("round_trips", "round trips", "", ",.0f"),
    ("win_rate", "win rate", "", ".0%"),
    ("profit_factor", "profit factor", "", ",.2f"),
)
EXECUTION_COLUMNS: tuple[Column, ...] = (
    ("algorithm", "algorithm", "", ""),
    ("side", "side", "", ""),
    ("quantity", "wanted", "units", ",.0f"),
    ("fill_rate", "filled", "of it", ".0%"),
    ("left_because", "left because", "", ""),
    ("orders", "orders", "", ",.0f"),
    ("maker_share", "maker share", "of what was filled", ".0%"),
    ("participation", "participation", "of the volume", ".1%"),
    ("average_price", "average", "{currency}", ",.3f"),
    ("arrival_price", "arrival", "{currency}", ",.3f"),
    ("shortfall", "shortfall", "{currency}", ",.2f"),
    ("shortfall_bps", "shortfall", "bps", ",.2f"),
    ("vwap_bps", "to VWAP", "bps", ",.2f"),
    ("twap_bps", "to TWAP", "bps", ",.2f"),
    ("close_bps", "to close", "bps", ",.2f"),
    ("score", "score", "0 … 100", ",.0f"),
)
FACT_COLUMNS: tuple[Column, ...] = (
    ("verdict", "verdict", "", ""),
    ("value", "value", "", ",.2f"),
    ("interval", "interval", "95 %", ""),
    ("horizon", "horizon", "", ""),
    ("statistic", "statistic", "", ""),
    ("rule", "rule", "", ""),
)
TERMS = {
    "Quoted spread": "Best ask minus best bid, averaged over time. In basis points of the mid: 1e4 · spread / mid.",
    "Effective spread": "2 · side · (trade price − mid just before it), by volume: what a round trip cost takers.",
    "Realized spread": "2 · side · (trade price − mid 5 s later): what makers kept once the price had moved.",
    "Price improvement": "How much better than the quote trades were; negative where orders walked the book.",
    "Shortfall": "What an execution cost against the mid when it was given: delay until it began, trading, what the "
    "part that was not done would cost at its end, and fees. Positive is a cost, also against VWAP, TWAP and close.",
    "Arrival": "The moment at which an execution begins; its price is the mid just before it.",
    "Score": "The share of the market's volume in the interval that traded at worse prices than the execution: 50 is "
    "the middle of the market.",
    "Volatility": "Root of the mean squared 10 s log return of the mid, scaled to one minute, in bps.",
    "Indicative price": "At which an auction would trade if it ended now; positions are marked at it until it does.",
    "Funding": "Paid by the longs of a perpetual to its shorts, or the other way round, to hold its price near the "
    "index; what an insurance fund pays counts here too.",
    "Imbalance": "(bid quantity − ask quantity) / (their sum) at the best quotes, averaged over time.",
    "Depth turned over": "How many times a minute the quantity shown at the best quotes was traded.",
    "Spread back after": "Median time until the spread is as tight as before the trade that widened it, 10 s at most.",
    "P&L": "Change of cash and of the position's value at the mid over the measured time, after fees.",
    "Spread capture": "Signed quantity · (mid before the fill − fill price): earned by resting, paid by crossing.",
    "Adverse selection": "Signed quantity · (mid 5 s after the fill − mid before it).",
    "Inventory": "Revaluation of positions after that. With fees and funding the parts add up to the P&L exactly.",
    "Messages a fill": "Orders, cancels and replaces sent for each fill received.",
    "Queue time": "From a resting order's acceptance to its fills, weighted by quantity.",
    "Sharpe, Sortino": "Mean over standard deviation, or over downside deviation, of P&L changes; not annualised.",
    "VaR, CVaR 95 %": "The loss that one interval in twenty exceeds, and the mean loss of those intervals.",
    "Profit factor": "Profits of winning round trips over losses of losing ones, first in first out, after fees.",
    "Mark-out": "Profit of a maker's fill, in bps of the mid, when valued at the mid some time later.",
    "Response": "Mean move of the mid in the direction of a trade, counted in trades after it.",
}
