"""Measures by name: ``market.ABC.spread_bps``, ``agents.mm.pnl``, or ``agents.mm.0.pnl`` of one of several agents.

Only what is asked for is computed. Names are checked against a scenario before anything runs, so that a slip of the pen
costs no hour. What each measure is, is told where it is defined: ``analysis.summary.market_table``,
``analysis.Accounts.table`` and ``performance``, ``analysis.executions``. It computes no expressions.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.analysis.accounting import Accounts
    from marketsim.analysis.tape import Tape
    from marketsim.domain.tables import MarketTables

Measures = dict[str, float]

MARKET = (
    "trades", "volume", "open", "close", "low", "high", "spread", "spread_bps", "effective_spread_bps", "best_depth",
    "volatility_bps",
)  # fmt: skip
ACCOUNT = (
    "agents", "orders", "rejected", "cancel_requests", "fills", "maker_fills", "volume", "maker_share", "fill_ratio",
    "order_to_trade", "queue_time", "value", "pnl", "spread_capture", "adverse_selection", "inventory", "fees",
    "funding", "realized", "unrealized", "position", "position_value", "max_position", "mean_position",
)  # fmt: skip
PERFORMANCE = ("sharpe", "sortino", "max_drawdown", "var_95", "cvar_95")  # of P&L changes over a minute
EXECUTION = ("shortfall_bps", "arrival_bps", "vwap_bps", "fill_rate", "participation")  # means over parent orders
AGENT = (*ACCOUNT, *PERFORMANCE, *EXECUTION)
USUAL = ("market.*.trades", "market.*.spread_bps", "market.*.volatility_bps", "agents.*.pnl")
"""What is measured where nobody says what."""


@dataclass(frozen=True)
class Measured:
    """A run boiled down to some measures: call it with a run. It can be sent to another process."""

    names: tuple[str, ...]

    def __call__(self, tables: MarketTables) -> Measures:
        """The measures in the order asked for; NaN where the run has nothing to measure."""
        source = _Source(tables)
        return {name: source.value(name) for name in self.names}


def measured(names: Sequence[str] | str, spec: ScenarioSpec) -> Measured:
    """What measures these names; ``*`` in one stands for anything, as in ``agents.*.pnl``.

    Raises InvalidValueError for a name that the scenario's runs do not have.
    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    if not chosen:
        raise InvalidValueError(
            "no measure is named: name at least one, such as agents.mm.pnl or market.ABC.spread_bps"
        )
    found = [name for given in chosen for name in _meant(plain_name(given), spec)]
    return Measured(tuple(dict.fromkeys(found)))


def plain_name(name: str) -> str:
    """A name as it was meant: without what a page or a terminal put into it to break its line."""
    return name.replace("\u200b", "").strip()


def _meant(name: str, spec: ScenarioSpec) -> Sequence[str]:
    if "*" not in name:
        _require(name, spec)
        return (name,)
    known = known_measures(spec)
    if found := [one for one in known if fnmatch.fnmatchcase(one, name)]:
        return found
    raise InvalidValueError(f"measure {name!r} is like none of the scenario; such are {known[0]} and {known[-1]}")


def measure(tables: MarketTables, name: str) -> float:
    """One measure of a run."""
    return _Source(tables).value(name)


def known_measures(spec: ScenarioSpec) -> tuple[str, ...]:
    """Every name for a scenario, agents added up by their key."""
    market = [f"market.{symbol}.{column}" for symbol in spec.instruments for column in MARKET]
    return (*market, *(f"agents.{key}.{column}" for key in spec.agents for column in AGENT))


def _require(name: str, spec: ScenarioSpec) -> None:
    kind, whose, column = _parts(name)
    columns = {"market": MARKET, "agents": AGENT}.get(kind, ())
    owners = set(spec.instruments) if kind == "market" else {*spec.agents, *(one for one, _, _ in spec.participants())}
    if columns and whose in owners and column in columns:
        return
    if not columns:
        near = difflib.get_close_matches(name, known_measures(spec), n=1, cutoff=0.6)
        repair = f'; did you mean "{near[0]}"?' if near else "; write market.SYMBOL.NAME or agents.NAME.NAME"
        raise InvalidValueError(f"measure {name!r} is unknown{repair}")
    if whose not in owners:
        what, keys = ("instrument", spec.instruments) if kind == "market" else ("agent", spec.agents)
        raise InvalidValueError(f'measure {name!r}: no {what} is called "{whose}"{did_you_mean(whose, keys)}')
    raise InvalidValueError(f'measure {name!r}: "{column}" is not measured there{did_you_mean(column, columns)}')


def _parts(name: str) -> tuple[str, str, str]:
    """Kind, whose and column; symbols and agents may have dots in their names."""
    kind, _, rest = name.partition(".")
    whose, _, column = rest.rpartition(".")
    return kind, whose, column


class _Source:
    """One run's tables, each computed when it is first needed."""

    def __init__(self, tables: MarketTables) -> None:
        self._tables = tables
        self._tapes: dict[str, Tape] = {}
        self._columns: dict[tuple[str, str], pd.Series | None] = {}

    def value(self, name: str) -> float:
        """One measure."""
        kind, whose, column = _parts(name)
        if kind == "market" and column in MARKET:
            return self._market(whose, column)
        if kind == "agents" and column in AGENT:
            return self._agent(whose, column)
        raise InvalidValueError(
            f"measure {name!r} is unknown{did_you_mean(column, MARKET if kind == 'market' else AGENT)}"
        )

    def _market(self, symbol: str, column: str) -> float:
        from marketsim.analysis.summary import MARKET_MEASURES
        from marketsim.analysis.tape import Tape

        if symbol not in self._tapes:
            self._tapes[symbol] = Tape.of(self._tables, symbol)
        return float(MARKET_MEASURES[column](self._tapes[symbol]))

    def _agent(self, whose: str, column: str) -> float:
        if column in EXECUTION:
            return self._execution(whose, column)
        if column in PERFORMANCE:
            return self._performance(whose, column)
        by = "family" if self._is_family(whose) else "agent"
        if (by, column) not in self._columns:
            self._columns[by, column] = self._books.column(column, by=by)  # type: ignore[arg-type]
        values = self._columns[by, column]
        if values is None:
            return float("nan")
        if whose not in values.index:
            raise InvalidValueError(f"no agent is called {whose!r}{did_you_mean(whose, values.index)}")
        return float(values[whose])

    def _performance(self, whose: str, column: str) -> float:
        from marketsim.analysis import performance

        equity = self._equity(whose)
        changes = equity[1:] - equity[:-1]
        measures: dict[str, Callable[[], float]] = {
            "sharpe": lambda: performance.sharpe(changes, 1.0),
            "sortino": lambda: performance.sortino(changes, 1.0),
            "max_drawdown": lambda: performance.max_drawdown(equity, relative=False).amount,
            "var_95": lambda: performance.value_at_risk(changes),
            "cvar_95": lambda: performance.conditional_value_at_risk(changes),
        }
        return float(measures[column]())

    def _execution(self, whose: str, column: str) -> float:
        orders = self._executions
        mine = (orders["agent"] == whose) | orders["agent"].str.startswith(f"{whose}.")
        found = orders.loc[mine, column]
        return float(found.mean()) if len(found) else float("nan")

    def _equity(self, whose: str) -> Any:
        by = "family" if self._is_family(whose) else "agent"
        frame = self._books.equity("1min", by=by)  # type: ignore[arg-type]
        if whose not in frame.columns:
            raise InvalidValueError(f"no agent is called {whose!r}{did_you_mean(whose, frame.columns)}")
        return frame[whose].to_numpy()

    def _is_family(self, whose: str) -> bool:
        return whose in self._families

    @cached_property
    def _families(self) -> set[str]:
        return set(self._tables.agents["family"].unique().tolist())

    @cached_property
    def _books(self) -> Accounts:
        from marketsim.analysis.accounting import accounts

        return accounts(self._tables, tapes=self._tapes)

    @cached_property
    def _executions(self) -> pd.DataFrame:
        from marketsim.analysis.execution_report import executions

        return executions(self._tables)
