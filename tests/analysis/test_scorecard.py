"""The scorecard: every metric by its name, by hand, against the account that is fed, and what is missing is said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, Tables, by_hand, lobster, lobster_folder, market, with_rows
from test_accounting import hand

import marketsim as ms
from marketsim.analysis import (
    RunningAccount,
    RunningReturns,
    accounts,
    benchmark_returns,
    inventory_half_life,
    performance_table,
    return_measures,
    time_at_best,
)
from marketsim.analysis.scorecard import COLUMNS, GROUPS, joined_trades
from marketsim.errors import InvalidValueError

# The metrics of M4 as the list of the founding documents has them, and what they are called here.
NAMED = {
    "total": "total_return", "annualized": "annualized_return", "daily mean": "daily_mean_return",
    "best period": "best_period", "worst period": "worst_period", "Sharpe": "sharpe", "Sortino": "sortino",
    "Calmar": "calmar", "Omega": "omega", "information ratio": "information_ratio", "Treynor": "treynor",
    "alpha": "alpha", "tail ratio": "tail_ratio", "gain-to-pain": "gain_to_pain", "volatility": "volatility",
    "downside deviation": "downside_deviation", "maximum drawdown": "max_drawdown", "its start": "drawdown_start",
    "trough": "drawdown_trough", "recovery": "drawdown_recovery", "length": "drawdown_length",
    "average drawdown": "average_drawdown", "ulcer index": "ulcer_index", "VaR 95": "var_95", "VaR 99": "var_99",
    "CVaR 95": "cvar_95", "CVaR 99": "cvar_99", "Gaussian": "gaussian_var_95", "Gaussian CVaR": "gaussian_cvar_99",
    "Cornish–Fisher": "cornish_fisher_var_99", "Cornish–Fisher CVaR": "cornish_fisher_cvar_95",
    "skewness": "skewness", "kurtosis": "kurtosis", "beta": "beta", "correlation": "correlation",
    "tracking error": "tracking_error", "count": "trades", "winning": "winning_trades", "losing": "losing_trades",
    "win rate": "win_rate", "profit factor": "profit_factor", "average win": "average_win",
    "average loss": "average_loss", "payoff ratio": "payoff_ratio", "largest win": "largest_win",
    "largest loss": "largest_loss", "expectancy": "expectancy", "longest winning run": "longest_winning_run",
    "longest losing run": "longest_losing_run", "average holding time": "average_holding_time",
    "turnover": "turnover", "exposure time": "exposure_time", "commission paid": "commission_paid",
    "total P&L": "total_pnl", "spread captured": "spread_captured", "inventory mean": "inventory_mean",
    "deviation": "inventory_deviation", "half-life": "inventory_half_life", "fill ratio": "fill_ratio",
    "order-to-trade ratio": "order_to_trade", "time at best": "time_at_best",
    "adverse selection per fill": "adverse_selection_per_fill", "queue time": "queue_time",
}  # fmt: skip


def values(table: pd.DataFrame, agent: str) -> dict[str, float]:
    rows = table[table["agent"] == agent]
    return dict(zip(rows["measure"], rows["value"], strict=True))


def missing(table: pd.DataFrame, agent: str, measure: str) -> str:
    (row,) = table[(table["agent"] == agent) & (table["measure"] == measure)].to_dict("records")
    return str(row["missing"])


def test_every_metric_has_its_row_for_every_agent() -> None:
    table = performance_table(hand())
    known = [measure for group in GROUPS.values() for measure in group]
    assert set(NAMED.values()) <= set(known)
    assert list(table.columns) == list(COLUMNS)
    assert table["measure"].tolist() == known * 3
    assert ((table["missing"] == "") == table["value"].notna()).all()


def test_a_market_maker_by_hand() -> None:
    """The account of test_accounting: sold 4 at 101, bought 6 at 101, ends long 2 at 98."""
    found = values(performance_table(hand(), "mm", every="10s"), "mm")
    assert (found["trades"], found["realized_pnl"], found["total_pnl"]) == (1, 0.0, -5.25)
    assert found["commission_paid"] == -0.75
    assert found["total_return"] == pytest.approx(-5.25 / 1000)
    assert found["turnover"] == pytest.approx(1.01)
    assert found["exposure_time"] == pytest.approx(0.82)
    assert found["average_holding_time"] == 12.0
    mean = (-4 * 12 + 2 * 70) / 100
    assert found["inventory_mean"] == pytest.approx(mean)
    assert found["inventory_deviation"] == pytest.approx(math.sqrt((16 * 12 + 4 * 70) / 100 - mean**2))
    assert found["adverse_selection_per_fill"] == -4.0
    assert found["spread_captured"] == 10.0
    assert found["slippage_bps"] == pytest.approx(-1e4 * 10 / (4 * 100 + 6 * 102))
    # P&L on the clock: 0, 0, then -4·(102-101)+.25 at 20 s, 30 s and later; a period is 10 s, a day 6.5 h.
    equity = accounts(hand()).equity("10s")["mm"].to_numpy() + 1000
    changes = np.diff(equity) / equity[:-1]
    assert found["volatility"] == pytest.approx(changes.std(ddof=1) * math.sqrt(252 * 2340))
    assert found["daily_mean_return"] == pytest.approx(changes.mean() * 2340)
    hold = np.array([0, 0.02, 0, 0, 0, 98 / 102 - 1, 0, 0, 0, 0])
    assert benchmark_returns(hand(), np.arange(0, 101, 10) * SECOND) == pytest.approx(hold)
    assert found["beta"] == pytest.approx(np.cov(changes, hold)[0, 1] / hold.var(ddof=1))


def test_trading_days_are_as_said() -> None:
    day = values(performance_table(hand(), "mm", every="10s", day="24h", days_per_year=365), "mm")
    usual = values(performance_table(hand(), "mm", every="10s"), "mm")
    assert day["volatility"] / usual["volatility"] == pytest.approx(math.sqrt(365 * 8640 / (252 * 2340)))
    with pytest.raises(InvalidValueError, match="day='0s'"):
        performance_table(hand(), day="0s")


def test_without_capital_what_has_no_scale_is_left() -> None:
    tables = hand()
    poor = with_rows(tables, agents=tables.agents.assign(initial_cash=0.0))
    table = performance_table(poor, "mm", every="10s")
    found = values(table, "mm")
    assert math.isnan(found["total_return"])
    assert "say capital=" in missing(table, "mm", "total_return")
    rich = values(performance_table(poor, "mm", every="10s", capital=1e12), "mm")
    for measure in ("sharpe", "omega", "tail_ratio", "skewness", "kurtosis", "max_drawdown_amount", "drawdown_start"):
        assert found[measure] == pytest.approx(rich[measure], rel=1e-3, nan_ok=True), measure
    ruined = performance_table(poor, "mm", every="10s", capital={"mm": 2.0})
    assert "larger capital=" in missing(ruined, "mm", "volatility")


def test_what_was_not_recorded_is_said() -> None:
    quiet = by_hand(quotes=[(0, 99.0, 1, 101.0, 1)], agents=[{"name": "idle", "family": "idle", "initial_cash": 10.0}])
    table = performance_table(quiet)
    assert missing(table, "idle", "win_rate") == "needs a fill: the agent had none"
    assert "tables know of none" in missing(table, "idle", "time_at_best")
    assert values(table, "idle")["total_return"] == 0.0
    assert performance_table(by_hand()).empty
    with pytest.raises(InvalidValueError, match="no agent is called 'idel'; did you mean \"idle\""):
        performance_table(quiet, "idel")


def test_benchmarks() -> None:
    tables, times = hand(), np.arange(0, 101, 50) * SECOND
    assert benchmark_returns(tables, times, "ABC") == pytest.approx([0.02, 98 / 102 - 1])
    series = pd.Series([10.0, 11.0, 22.0], index=[-5, 40 * SECOND, 90 * SECOND])
    assert benchmark_returns(tables, times, series) == pytest.approx([0.1, 1.0])
    assert benchmark_returns(tables, times, [0.1, 0.2]).tolist() == [0.1, 0.2]
    for wrong, words in (
        ("ABD", 'no instrument and no index; did you mean "ABC"'),
        ([0.1], "1 returns for 2 periods"),
        (series.iloc[1:], "after 0 ns"),
        (series * 0, "zero or below"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            benchmark_returns(tables, times, wrong)


def test_half_life_by_hand() -> None:
    held = 8 * 0.5 ** np.arange(40)
    assert inventory_half_life(held, 2.0) == pytest.approx(2.0, rel=1e-6)
    assert math.isnan(inventory_half_life(np.ones(9), 1.0))
    assert math.isnan(inventory_half_life(np.array([1.0, -1.0, 1.0, -1.0]), 1.0))


def test_pieces_of_one_pair_of_orders_are_a_trade() -> None:
    trips = pd.DataFrame(
        {
            "instrument": "ABC", "entry_order": [1, 1, 1, 2, 0, 0], "exit_order": [7, 7, 8, 8, 9, 9],
            "pnl": [1.0, 2.0, -1.0, 3.0, 1.0, 1.0], "entry_time": [5, 1, 1, 4, 4, 4], "exit_time": [6, 8, 9, 9, 9, 9],
        }
    )  # fmt: skip
    found = joined_trades(trips)
    assert found["pnl"].tolist() == [3.0, -1.0, 3.0, 1.0, 1.0]
    assert found["holding_time"].tolist() == [7, 8, 5, 5, 5]


def fed(tables: Tables, agent: str) -> RunningAccount:
    """An account that was fed with all that happened to one agent, in order of time."""
    happened: list[tuple[int, int, str, dict[Any, Any]]] = [
        (row["time"], 0, "quote", row) for row in tables.quotes.to_dict("records")
    ]
    orders = tables.orders[tables.orders["agent"] == agent].to_dict("records")
    happened += [(row["time"], 1, "order", row) for row in orders]
    begun = dict(zip(tables.orders["order_id"], tables.orders["time"], strict=True))
    for row in tables.trades.to_dict("records"):
        for role, side in (("taker", row["side"]), ("maker", -row["side"])):
            if row[role] == agent:
                happened.append((row["time"], 1, role, {**row, "signed": side * row["quantity"]}))
    account = RunningAccount(tables.start, 100.0, capital=5e5)
    for time, _, kind, row in sorted(happened, key=lambda one: one[:2]):
        if kind == "quote":
            account.quote(max(time, tables.start), (row["bid"] + row["ask"]) / 2)
        elif kind == "order":
            account.order(row["quantity"])
            for _ in range(row["cancel_requests"]):
                account.request()
        else:
            order = row[f"{kind}_order"]
            waited = time - begun[order] if kind == "maker" else None
            account.fill(time, row["signed"], row["price"], row[f"{kind}_fee"], waited=waited, order=order)
    return account


def test_the_account_that_is_fed_has_the_numbers_of_the_table() -> None:
    tables = market(3, minutes=4, quotes=3000, trades=900, members=0.05)
    agent = str(tables.trades["maker"].mode()[0])
    wanted = values(performance_table(tables, agent, capital=5e5), agent)
    found = fed(tables, agent).measures(tables.end)
    assert found["trades"] > 20
    for measure, value in found.items():
        if measure != "time_at_best":  # nobody told it where its orders stood
            assert value == pytest.approx(wanted[measure], rel=1e-6, abs=1e-9, nan_ok=True), measure


class Watcher(ms.Agent):
    """Buys now and then, and measures itself while it trades."""

    def on_start(self) -> None:
        self.returns = RunningReturns(252 * 6.5 * 720)
        self.before = 100.0
        self.subscribe(quotes=True)
        self.mid = 0.0
        self.every("7s", self.trade)
        self.look()

    def on_quote(self, quote: Any) -> None:
        if quote.bid and quote.ask:
            self.mid = (quote.bid + quote.ask) / 2

    def trade(self) -> None:
        self.order(ms.Side.SELL if self.position() > 0 else ms.Side.BUY, self.instrument, 5)

    def look(self) -> None:
        self.every("5s", self.measure)

    def measure(self) -> None:
        mid = self.mid * self.instrument.tick
        worth = float(self.portfolio.cash[self.portfolio.currency]) + self.position() * self.instrument.lot * mid
        self.returns.add_equity(worth, mid / self.before - 1)
        self.before = mid
        self.note("measures", json.dumps({"count": len(self.returns), **self.returns.measures()}))


def test_an_agent_measures_itself_while_it_trades() -> None:
    simulation = ms.load("training_market", {"duration": "3min", "warm_up": "0s"})
    run = simulation.add_agent(Watcher(), "watcher", cash=10_000).run()
    found = json.loads(run.annotations["value"].iloc[-1])
    curve = accounts(run).equity("5s")["watcher"]
    seen = slice(1, 2 + found["count"])  # it looks first at 5 s; the last look may be after the end
    assert 2 + found["count"] in (len(curve), len(curve) - 1)
    equity, times = 10_000 + curve.to_numpy()[seen], curve.index.to_numpy()[seen]
    hold = benchmark_returns(run, times)
    wanted = return_measures(equity[1:] / equity[:-1] - 1, 252 * 6.5 * 720, benchmark=hold)
    for measure, value in wanted.items():
        assert found[measure] == pytest.approx(value, rel=1e-5, abs=1e-9, nan_ok=True), measure
    assert abs(wanted["beta"]) > 1e-3


def test_time_at_best_of_a_run_knows_where_replaced_orders_stood() -> None:
    simulation = ms.Simulation(seed=3, duration="1min")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="0.5/s", improve_share=0.02, distance=8), 30, "noise")
    run = simulation.add_agent(ms.agents.MarketMaker(quantity=50, target_spread=0.03), "mm").run()
    moved = run.order_prices
    assert len(moved) > 0
    first = moved.groupby("order_id")["time"].min()
    begun = run.orders.set_index("order_id")["time"]
    assert (first == begun[first.index]).all(), "the first price holds from the acceptance on"
    last = moved.groupby("order_id")["price"].last()
    assert (last == run.orders.set_index("order_id")["price"][last.index]).all()
    table = performance_table(run)
    best = time_at_best(run, "ABC")["both"]
    for name in best.index[:5]:
        assert values(table, name)["time_at_best"] == pytest.approx(best[name])
    assert best.between(0, 1).all()
    assert best.max() > 0.1


def test_the_table_is_kept_as_csv_and_parquet(tmp_path: Path) -> None:
    table = performance_table(hand())
    table.to_csv(tmp_path / "m.csv", index=False)
    table.to_parquet(tmp_path / "m.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "m.parquet"), table, check_dtype=False)
    assert pd.read_csv(tmp_path / "m.csv", keep_default_na=True)["value"].equals(table["value"])
    wide = table.pivot(index="measure", columns="agent", values="value")
    assert wide.loc["total_pnl", "mm"] == -5.25


@pytest.mark.slow
@pytest.mark.skipif(
    lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA to their folder"
)
def test_a_recorded_day_has_no_agents_and_an_agent_inside_of_it_has_everything() -> None:
    assert performance_table(lobster("AMZN", 5)).empty
    folder = lobster_folder()
    assert folder is not None
    day = folder / "AMZN_2012-06-21_34200000_57600000_message_5.csv.gz"
    simulation = ms.Simulation(seed=1, start="10:30", duration="4min", warm_up="5s")
    simulation.add_venue("XNAS", [ms.Instrument("AMZN", tick_size="0.01", reference_price=223)])
    simulation.add_agent(ms.agents.Replay(path=str(day)), "recorded", latency=0)
    maker = ms.agents.MarketMaker(quantity=100, target_spread=0.1)
    run = simulation.add_agent(maker, "maker", latency="200us", cash=1_000_000).run()
    books = accounts(run)
    account = books["maker"]
    assert account.fills > 5
    parts = account.spread_capture + account.adverse_selection + account.inventory + account.fees
    assert account.pnl == pytest.approx(parts, abs=1e-6)
    table = performance_table(run, "maker", every="10s", books=books)
    found = values(table, "maker")
    for measure in (
        "sharpe",
        "beta",
        "win_rate",
        "average_holding_time",
        "inventory_half_life",
        "fill_ratio",
        "queue_time",
    ):
        assert math.isfinite(found[measure]), measure
    assert 0 < found["time_at_best"] < 1
    assert 0 < found["exposure_time"] <= 1
    assert found["total_pnl"] == pytest.approx(account.pnl)


def test_a_family_gives_its_members_and_is_no_agent() -> None:
    tables = market(8, quotes=200, trades=100, minutes=2)
    books = accounts(tables)
    family, names = next((own, all_) for own in books.families.index if len(all_ := books.members(own)) > 1)
    assert performance_table(tables, family, books=books)["agent"].unique().tolist() == names
    with pytest.raises(InvalidValueError, match=f"'{family}' is a family of {len(names)}: name one of {names[0]}"):
        books[family]
