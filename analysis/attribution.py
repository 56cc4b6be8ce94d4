"""Attribution: which rule earned what, and what an agent did beside a benchmark, instrument by instrument (M12).

It takes round trips and positions apart; it fits nothing and judges no rule by more than its own trades.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.active_returns import brinson
from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

NO_RULE = "no rule said"
CASH = "cash"
_BY = {"entry": ["entry_rule"], "exit": ["exit_rule"], "both": ["entry_rule", "exit_rule"]}


def rule_contribution(
    tables: MarketTables,
    agent: str | None = None,
    *,
    by: Literal["entry", "exit", "both"] = "entry",
    books: Accounts | None = None,
) -> pd.DataFrame:
    """Realised P&L by the rule that caused the entry, the exit, or both; the best first, agent by agent.

    A trade is what one entry order opened and one rule closed, however many fills that took. Columns ``agent``,
    ``entry_rule`` and/or ``exit_rule``, ``trades``, ``win_rate``, ``quantity`` (units closed), ``gross``, ``fees``
    (negative when paid) and ``pnl`` = gross + fees in currency, ``share`` (of the agent's; NaN where that is 0),
    ``mean`` (P&L a trade), ``standard_error`` (of ``pnl``, with trades independent: their standard deviation ·
    sqrt(trades); NaN of one trade). Σ ``gross`` is the agent's ``realized``; fees are those of what was closed. What
    came from no rule (a position at the start, what risk control closed) is NO_RULE.

    All agents that said a rule, or the one named. Empty where none did.
    """
    if by not in _BY:
        raise InvalidValueError(f"by={by!r} is unknown{did_you_mean(by, _BY)}")
    books = accounts(tables) if books is None else books
    trips = _trips(books, agent)
    keys = ["agent", *_BY[by]]
    trades = trips.groupby([*keys, "instrument", "entry_order", *({"exit_rule"} - set(keys))], sort=False)
    sums = trades[["quantity", "gross", "fees", "pnl"]].sum().reset_index()
    groups = sums.assign(won=sums["pnl"] > 0).groupby(keys, sort=False)
    found = groups[["quantity", "gross", "fees", "pnl"]].sum()
    count = groups.size()
    found.insert(0, "trades", count.astype(np.int64))
    found.insert(1, "win_rate", groups["won"].mean())
    total = found.groupby(level="agent")["pnl"].transform("sum")
    found["share"] = (found["pnl"] / total).where(total != 0)
    found["mean"] = found["pnl"] / count
    found["standard_error"] = groups["pnl"].std(ddof=1) * np.sqrt(count)
    found = found.reset_index()
    order = found["agent"].map({name: number for number, name in enumerate(books.names)})
    return found.iloc[np.lexsort((-found["pnl"].to_numpy(np.float64), order.to_numpy()))].reset_index(drop=True)


def _trips(books: Accounts, agent: str | None) -> pd.DataFrame:
    """Round trips of the agents asked for."""
    trips = books.round_trips
    spoke = (trips["entry_rule"] != "") | (trips["exit_rule"] != "")
    if agent is not None:
        books[agent]  # an unknown name is refused with the nearest one
        trips = trips[trips["agent"] == agent]
    else:
        trips = trips[trips["agent"].isin(set(trips["agent"][spoke]))]
    blank = {"": NO_RULE}
    return trips.assign(entry_rule=trips["entry_rule"].replace(blank), exit_rule=trips["exit_rule"].replace(blank))


def benchmark_attribution(
    tables: MarketTables,
    agent: str,
    *,
    weights: Mapping[str, float] | None = None,
    every: object = None,
    capital: float | None = None,
    books: Accounts | None = None,
) -> pd.DataFrame:
    """What an agent did beside a benchmark portfolio, instrument by instrument: allocation and selection.

    ``weights`` are the benchmark's by symbol, kept at them period by period; what is left to 1 is cash, which earns
    nothing. Equal ones when left out. A period is ``every`` long, about 200 of them when left out. Index ``segment``:
    the instruments, then "cash"; columns ``weight`` and ``benchmark_weight`` (means over time), ``contribution`` (Σ of
    the agent's P&L over its equity at the beginning of each period), ``allocation``, ``selection`` and ``active``,
    their sum, which over all segments is the agent's return less the benchmark's. Formulas and sources: ``brinson``.
    """
    books = accounts(tables) if books is None else books
    profit, value = books.worth(agent, step_of(tables.start, tables.end, 200) if every is None else duration(every))
    symbols = list(profit.columns)
    start = books.initial_cash(agent) if capital is None else float(capital)
    equity = start + profit.sum(axis=1).to_numpy()
    if not (equity > 0).all():
        raise InvalidValueError(
            f"capital={start:g}: the equity of {agent} falls to {equity.min():g}, and returns need one above zero: "
            "say a larger capital="
        )
    base = _weights(weights, symbols)
    held = value.to_numpy()[:-1] / equity[:-1, None]
    made = np.diff(profit.to_numpy(), axis=0) / equity[:-1, None]
    marks = np.column_stack([Tape.of(tables, symbol).marks_at(profit.index.to_numpy()) for symbol in symbols])
    bench = np.tile(np.append(base, 1.0 - base.sum()), (len(held), 1))
    own = _with(held, 1.0 - held.sum(axis=1))
    found = brinson(own, _with(made, 0.0), bench, _with(marks[1:] / marks[:-1] - 1.0, 0.0))
    return pd.DataFrame(
        {
            "weight": own.mean(axis=0),
            "benchmark_weight": bench[0],
            "contribution": np.append(made.sum(axis=0), 0.0),
            "allocation": found.allocation,
            "selection": found.selection,
            "active": found.allocation + found.selection,
        },
        index=pd.Index([*symbols, CASH], name="segment"),
    )


def _with(columns: Floats, last: Floats | float) -> Floats:
    return np.column_stack((columns, np.broadcast_to(last, len(columns))))


def _weights(weights: Mapping[str, float] | None, symbols: list[str]) -> Floats:
    if weights is None:
        return np.full(len(symbols), 1.0 / len(symbols))
    for name in weights:
        if name not in symbols:
            raise InvalidValueError(f"weights: {name!r} is no instrument{did_you_mean(name, symbols)}")
    total = sum(weights.values())
    if total > 1.0 + 1e-9:
        raise InvalidValueError(f"weights add up to {total:g}: they must be at most 1, and cash is what is left")
    return np.array([float(weights.get(symbol, 0.0)) for symbol in symbols])
