"""Accounts: by hand, by conservation laws, and against slow twins that walk through fills one by one."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SECOND, Tables, by_hand, market

from marketsim.analysis import accounts, round_trips
from marketsim.analysis.accounting import PARTS
from marketsim.analysis.tape import Tape
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError

AGENTS = [
    {"name": "mm", "family": "maker", "type": "MarketMaker", "initial_cash": 1000.0},
    {"name": "t1", "family": "taker", "type": "Taker", "initial_cash": 500.0},
    {"name": "t2", "family": "taker", "type": "Taker", "initial_cash": 500.0},
]
# The mid is 100, at 20 s 102, at 60 s 98.
QUOTES = [(0, 99.0, 1, 101.0, 1), (20 * SECOND, 101.0, 1, 103.0, 1), (60 * SECOND, 97.0, 1, 99.0, 1)]


def trade(
    at: float, side: int, price: float, quantity: float, taker: str, maker: str = "mm", **more: Any
) -> dict[str, Any]:
    when = int(at * SECOND)
    return {"time": when, "side": side, "price": price, "quantity": quantity, "taker": taker, "maker": maker, **more}


def hand() -> Tables:
    trades = [
        trade(18, 1, 101.0, 4.0, "t1", taker_fee=0.5, maker_fee=-0.25, taker_order=1, maker_order=10),
        trade(30, -1, 101.0, 6.0, "t2", taker_fee=0.75, maker_fee=-0.5, taker_order=2, maker_order=11),
    ]
    orders = [
        {"order_id": 10, "time": 16 * SECOND, "agent": "mm", "quantity": 8.0, "filled": 4.0, "cancel_requests": 2},
        {"order_id": 11, "time": 29 * SECOND, "agent": "mm", "quantity": 6.0, "filled": 6.0},
        {"order_id": 1, "time": 18 * SECOND, "agent": "t1", "quantity": 4.0, "filled": 4.0},
        {"order_id": 3, "time": 19 * SECOND, "agent": "t1", "quantity": 9.0, "state": "REJECTED", "reason": "RISK"},
        {"order_id": 2, "time": 30 * SECOND, "agent": "t2", "quantity": 6.0, "filled": 6.0},
    ]
    return by_hand(trades, QUOTES, agents=AGENTS, orders=sorted(orders, key=lambda order: order["time"]))


def test_a_market_makers_account_by_hand() -> None:
    mm = accounts(hand(), horizon="5s")["mm"]
    # Sold 4 at 101 (mid 100), bought 6 at 101 (mid 102); ends long 2 at 98.
    assert mm.position == 2.0
    assert mm.position_value == 196.0
    assert mm.cash == 1000.0 + 404.0 - 606.0 + 0.75
    assert mm.fees == 0.75  # rebates
    assert mm.spread_capture == 4.0 + 6.0
    assert mm.adverse_selection == -4 * 2.0 + 6 * 0.0  # five seconds after the sale the mid is 102
    assert mm.inventory == -4 * (98 - 102) + 6 * (98 - 102)
    assert mm.pnl == 10.0 - 8.0 - 8.0 + 0.75
    assert mm.pnl == mm.cash - 1000.0 + mm.position_value
    # First in, first out: the short of 4 at 101 is bought back at 101; 2 bought at 101 are worth 98.
    assert (mm.realized, mm.unrealized) == (0.0, -6.0)
    assert (mm.fills, mm.volume, mm.value) == (2, 10.0, 1010.0)
    assert mm.maker_share == 1.0
    assert mm.fill_ratio == 10 / 14
    assert (mm.orders, mm.order_to_trade) == (2, (2 + 2) / 2)
    assert mm.queue_time == pytest.approx((4 * 2 + 6 * 1) / 10)
    assert mm.max_position == 4.0
    assert mm.mean_position == pytest.approx((4 * 12 + 2 * 70) / 100)
    assert (mm.family, mm.type) == ("maker", "MarketMaker")


def test_takers_pay_what_the_maker_captures() -> None:
    found = accounts(hand())
    t1 = found["t1"]
    assert t1.spread_capture == -4.0
    assert t1.adverse_selection == 8.0
    assert t1.fees == -0.5
    assert t1.maker_share == 0.0
    assert np.isnan(t1.queue_time)
    assert t1.order_to_trade == 2.0  # the rejected order was a message too
    assert t1.fill_ratio == 1.0  # but it was no accepted order
    assert found.table.loc["t1", "rejected"] == 1
    assert found.families.loc["taker", "agents"] == 2
    assert found.families.loc["taker", "spread_capture"] == -10.0
    assert found.families.loc["taker", "fees"] == -1.25


def test_gains_and_losses_that_cancel_in_a_family_leave_no_dust() -> None:
    agents = [{"name": name, "family": "all", "type": "T"} for name in ("a", "b", "c")]
    trades = [
        trade(1 + n, 1 - 2 * (n % 2), 100.0 + 0.01 * (n % 7), 1.0 + n % 3, "abc"[n % 3], "abc"[(n + 1) % 3])
        for n in range(60)
    ]
    found = accounts(by_hand(trades, [(0, 99.99, 1, 100.04, 1)], agents=agents))
    assert found.table["pnl"].abs().max() > 0.1
    assert found.families.loc["all", ["pnl", "spread_capture", "inventory"]].tolist() == [0.0, 0.0, 0.0]
    assert (found.equity("1s", by="family")["all"] == 0.0).all()


def test_the_horizon_moves_profit_between_adverse_selection_and_inventory_only() -> None:
    near, far = (accounts(hand(), horizon=h)["mm"] for h in (0, "1min"))
    assert near.adverse_selection == 0.0
    assert far.adverse_selection == -4 * -2.0 + 6 * -4.0
    assert near.pnl == far.pnl
    assert near.spread_capture == far.spread_capture


def test_a_position_from_the_warm_up_is_taken_over_at_its_mark() -> None:
    tables = replace(hand(), start=25 * SECOND)
    mm = accounts(tables)["mm"]
    # Short 4 at 102 when measuring starts; then buys 6 at 101; the end is at 98.
    assert mm.position == 2.0
    assert mm.pnl == -4 * (98 - 102) + 6 * (98 - 101) + 0.5
    assert mm.spread_capture == 6.0
    assert mm.inventory == -4 * (98 - 102) + 6 * (98 - 102)
    assert mm.fills == 1
    assert mm.volume == 6.0
    assert (mm.realized, mm.unrealized) == (4 * (102 - 101), 2 * (98 - 101))
    trips = accounts(tables).round_trips
    assert trips[["agent", "side", "quantity", "entry_time", "entry_price", "exit_price"]].to_dict("records") == [
        {
            "agent": "mm",
            "side": -1,
            "quantity": 4.0,
            "entry_time": 25 * SECOND,
            "entry_price": 102.0,
            "exit_price": 101.0,
        }
    ]


def test_round_trips_by_hand() -> None:
    trades = [
        trade(1, 1, 101.0, 2.0, "t1", taker_fee=0.2),
        trade(2, 1, 102.0, 2.0, "t1", taker_fee=0.4),
        trade(3, -1, 104.0, 3.0, "t1", taker_fee=0.3),
        trade(5, -1, 100.0, 2.0, "t1"),
    ]
    found = round_trips(by_hand(trades, QUOTES, agents=AGENTS))
    mine = found[found["agent"] == "t1"].reset_index(drop=True)
    assert mine["quantity"].tolist() == [2.0, 1.0, 1.0]
    assert mine["entry_price"].tolist() == [101.0, 102.0, 102.0]
    assert mine["exit_price"].tolist() == [104.0, 104.0, 100.0]
    assert mine["gross"].tolist() == [6.0, 2.0, -2.0]
    assert mine["fees"].tolist() == pytest.approx([-0.4, -0.3, -0.2])
    assert mine["pnl"].tolist() == pytest.approx([5.6, 1.7, -2.2])
    assert mine["pnl_percent"].tolist() == pytest.approx([100 * 5.6 / 202, 100 * 1.7 / 102, -100 * 2.2 / 102])
    assert (mine["holding_time"] // SECOND).tolist() == [2, 1, 3]
    assert mine["family"].tolist() == ["taker"] * 3
    other = found[found["agent"] == "mm"]
    assert other["side"].tolist() == [-1, -1, -1]
    assert other["gross"].tolist() == [-6.0, -2.0, 2.0]


def fill_lists() -> st.SearchStrategy[list[tuple[int, int, int, int, int, int]]]:
    names = st.integers(0, 4)
    row = st.tuples(
        st.integers(0, 50), st.sampled_from([-1, 1]), st.integers(9900, 10100), st.integers(1, 9), names, names
    )
    return st.lists(row, max_size=30).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def quote_lists() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    row = st.tuples(st.integers(0, 50), st.integers(9900, 10100), st.integers(1, 20))
    return st.lists(row, max_size=15).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def drawn(fills: list[tuple[int, int, int, int, int, int]], quotes: list[tuple[int, int, int]], start: int) -> Tables:
    names = ["a", "b", "c", "d", "e"]
    trades = [
        trade(t / SECOND, s, p / 100, q, names[x], names[y], taker_fee=q / 64, maker_fee=-q / 128)
        for t, s, p, q, x, y in fills
    ]
    trades = [{**row, "time": fill[0]} for row, fill in zip(trades, fills, strict=True)]
    agents = [{"name": n, "family": "fg"[k % 2], "type": "T"} for k, n in enumerate(names)]
    book = [(t, b / 100, 1, (b + s) / 100, 1) for t, b, s in quotes]
    return by_hand(trades, book, agents=agents, start=start, end=45)


@given(fill_lists(), quote_lists(), st.integers(0, 20), st.integers(0, 30))
def test_parts_add_up_and_nothing_is_made_or_lost(
    fills: list[tuple[int, int, int, int, int, int]], quotes: list[tuple[int, int, int]], start: int, horizon: int
) -> None:
    tables = drawn(fills, quotes, start)
    found = accounts(tables, horizon=horizon)
    table = found.table
    # Exact: sums of half ticks times lots are whole numbers, and these fees are sums of powers of two.
    half_tick = 0.005
    whole = (table[[*PARTS, "pnl"]].drop(columns="fees").sub(0)).copy()
    whole["pnl"] = table["pnl"] - table["fees"]
    units = (whole / half_tick).round().astype(np.int64)
    assert (units[["spread_capture", "adverse_selection", "inventory"]].sum(axis=1) == units["pnl"]).all()
    assert np.allclose(whole / half_tick, units, atol=1e-6)
    assert table[list(PARTS)].sum(axis=1).to_numpy() == pytest.approx(table["pnl"].to_numpy(), abs=1e-10)
    assert (table["realized"] + table["unrealized"] + table["fees"]).to_numpy() == pytest.approx(
        table["pnl"].to_numpy(), abs=1e-9
    )
    inside = tables.trades["time"].between(start, 45)
    paid = tables.trades.loc[inside, ["taker_fee", "maker_fee"]].to_numpy().sum()
    assert table["pnl"].sum() == pytest.approx(-paid, abs=1e-9)
    assert table["position"].sum() == 0
    assert table["volume"].sum() == 2 * tables.trades.loc[inside, "quantity"].sum()
    assert found.families["pnl"].sum() == pytest.approx(table["pnl"].sum(), abs=1e-9)


@settings(max_examples=30)
@given(fill_lists(), quote_lists(), st.integers(0, 20))
def test_accounts_agree_with_walking_through_the_fills(
    fills: list[tuple[int, int, int, int, int, int]], quotes: list[tuple[int, int, int]], start: int
) -> None:
    tables = drawn(fills, quotes, start)
    found = accounts(tables)
    equity, held = found.equity(1), found.inventory(1)
    trips = found.round_trips
    for name in found.names:
        twin = _Twin(tables, name)
        row = found.table.loc[name]
        assert row["position"] == twin.position
        assert row["pnl"] == pytest.approx(twin.pnl, abs=1e-9)
        assert row["realized"] == pytest.approx(twin.realized, abs=1e-9)
        assert row["max_position"] == twin.largest
        assert equity[name].tolist() == pytest.approx(twin.equity, abs=1e-9)
        assert held[name].tolist() == twin.positions
        mine = trips[trips["agent"] == name]
        assert mine["gross"].sum() == pytest.approx(row["realized"], abs=1e-9)
        closed = (
            mine[["entry_time", "exit_time", "side", "quantity"]].groupby(["entry_time", "exit_time", "side"]).sum()
        )
        assert dict(closed["quantity"].items()) == twin.trips


class _Twin:
    """One agent's account the obvious way: a loop, a queue of open lots, prices looked up by scanning."""

    def __init__(self, tables: Tables, name: str) -> None:
        self.quotes = tables.quotes
        self.tables = tables
        fills = []
        for row in tables.trades.to_dict("records"):
            if row["time"] > tables.end:
                continue
            if row["taker"] == name:
                fills.append((row["time"], row["side"] * row["quantity"], row["price"], row["taker_fee"]))
            if row["maker"] == name:
                fills.append((row["time"], -row["side"] * row["quantity"], row["price"], row["maker_fee"]))
        opening = sum(quantity for when, quantity, _, _ in fills if when < tables.start)
        fills = [fill for fill in fills if fill[0] >= tables.start]
        if opening:
            fills.insert(0, (tables.start, opening, self.mark(tables.start - 1), 0.0))
        self.fills = fills
        self.position = float(sum(quantity for _, quantity, _, _ in fills))
        moments = range(tables.start, tables.end + 1)
        self.positions = [float(sum(q for t, q, _, _ in fills if t <= moment)) for moment in moments]
        self.equity = [self.value(moment) for moment in moments]
        self.pnl = self.value(tables.end)
        self.largest = max((abs(position) for position in self.positions), default=0.0)
        self.realized, self.trips = self.match()

    def mark(self, moment: int) -> float:
        mids = [(r["bid"] + r["ask"]) / 2 for r in self.quotes.to_dict("records") if r["time"] <= moment]
        return float(mids[-1]) if mids else 100.0

    def value(self, moment: int) -> float:
        seen = [fill for fill in self.fills if fill[0] <= moment]
        return float(sum(q * (self.mark(moment) - p) - fee for _, q, p, fee in seen))

    def match(self) -> tuple[float, dict[tuple[int, int, int], float]]:
        lots: deque[list[float]] = deque()
        realized, trips = 0.0, {}
        for when, quantity, price, _ in self.fills:
            rest = quantity
            while rest and lots and lots[0][1] * rest < 0:
                size = min(abs(rest), abs(lots[0][1]))
                side = 1 if lots[0][1] > 0 else -1
                realized += side * size * (price - lots[0][2])
                key = (int(lots[0][0]), int(when), side)
                trips[key] = trips.get(key, 0.0) + size
                lots[0][1] -= side * size
                rest += side * size
                if lots[0][1] == 0:
                    lots.popleft()
            if rest:
                lots.append([when, rest, price])
        return realized, trips


def test_equity_ends_at_the_profit_and_families_are_sums() -> None:
    found = accounts(market(4, quotes=6000, trades=2000, minutes=5, levels=1, warm_up=0.2))
    equity = found.equity("7s")
    assert equity.index[0] == found.equity().index[0]
    assert equity.iloc[-1].to_numpy() == pytest.approx(found.table["pnl"].to_numpy(), abs=1e-8)
    families = found.equity("7s", by="family")
    mine = found.table["family"] == "maker"
    assert families["maker"].to_numpy() == pytest.approx(
        equity.loc[:, mine.to_numpy()].sum(axis=1).to_numpy(), abs=1e-8
    )
    held = found.inventory("7s", by="family")
    assert held.sum(axis=1).abs().max() == 0.0
    assert held.iloc[-1]["maker"] == found.families.loc["maker", "position"]
    assert 300 <= len(found.equity()) <= 1002


def test_one_column_is_that_of_the_whole_table_to_the_bit() -> None:
    given = market(4, quotes=2000, trades=700, minutes=5, levels=1, warm_up=0.2)
    whole = accounts(given)
    tapes = {symbol: Tape.of(given, symbol) for symbol in given.instruments}
    for by, table in (("agent", whole.table), ("family", whole.families)):
        for name in table.columns:
            alone = accounts(given, tapes=tapes).column(name, by=by)  # type: ignore[arg-type]
            pd.testing.assert_series_equal(alone, table[name], check_exact=True, check_names=True)
    assert whole.column("agents") is None


def test_several_instruments_are_kept_apart_and_added_up() -> None:
    instruments = [Instrument("ABC"), Instrument("XYZ", tick_size="0.5", lot_size="10", reference_price="50")]
    quotes = [(0, 99.0, 1, 101.0, 1, "ABC"), (0, 49.0, 10, 51.0, 10, "XYZ")]
    trades = [trade(1, 1, 101.0, 2.0, "t1"), trade(2, -1, 49.0, 30.0, "t1", instrument="XYZ")]
    found = accounts(by_hand(trades, quotes, agents=AGENTS, instruments=instruments))
    parts = found.by_instrument
    assert parts.loc[("t1", "ABC"), "position"] == 2.0
    assert parts.loc[("t1", "XYZ"), "position"] == -30.0
    assert parts.loc[("t1", "XYZ"), "spread_capture"] == -30.0
    assert found["t1"].pnl == -2.0 - 30.0
    assert found.inventory("50s", instrument="XYZ")["t1"].tolist() == [0.0, -30.0, -30.0]
    with pytest.raises(InvalidValueError, match="name one of"):
        found.inventory("50s")


def test_agents_that_the_table_does_not_know_are_counted_as_others() -> None:
    found = accounts(by_hand([trade(1, 1, 101.0, 1.0, "ghost")], QUOTES, agents=AGENTS))
    assert found["ghost"].family == "other"
    assert found.names == ["mm", "t1", "t2", "ghost"]


def test_recorded_data_without_names_has_no_accounts() -> None:
    found = accounts(by_hand([trade(1, 1, 101.0, 1.0, "", "")], QUOTES))
    assert len(found) == 0
    assert found.table.empty
    assert found.families.empty
    assert found.round_trips.empty
    assert found.equity().empty
    assert found.performance().empty


def test_an_unknown_agent_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidValueError, match='did you mean "mm"'):
        accounts(hand())["mmm"]
    with pytest.raises(InvalidValueError, match="did you mean"):
        accounts(hand()).equity(by="agnt")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="not be negative"):
        accounts(hand(), horizon=-1)


def test_order_ids_that_repeat_on_another_venue_are_told_apart() -> None:
    orders = [
        {"order_id": 7, "time": 1 * SECOND, "agent": "mm", "venue": "A", "quantity": 1.0},
        {"order_id": 7, "time": 4 * SECOND, "agent": "mm", "venue": "B", "quantity": 1.0},
    ]
    trades = [trade(5, 1, 101.0, 1.0, "t1", maker_order=7, venue="B")]
    assert accounts(by_hand(trades, QUOTES, agents=AGENTS, orders=orders))["mm"].queue_time == 1.0


def test_performance_of_agents() -> None:
    tables = hand()
    found = accounts(tables).performance("10s")
    equity = accounts(tables).equity("10s")["mm"].to_numpy()
    changes = np.diff(equity)
    mm = found.loc["mm"]
    assert mm["sharpe"] == pytest.approx(changes.mean() / changes.std(ddof=1))
    assert accounts(tables).performance("10s", 4.0).loc["mm", "sharpe"] == pytest.approx(2 * mm["sharpe"])
    fall = np.maximum.accumulate(equity) - equity
    assert mm["max_drawdown"] == pytest.approx(fall.max())
    assert mm["drawdown_trough"] == 60 * SECOND
    assert mm["drawdown_recovery"] == -1
    assert mm["round_trips"] == 1
    assert mm["turnover"] == pytest.approx(1.01)


def test_fees_off_the_grid_and_prices_between_half_ticks_still_add_up() -> None:
    trades = [trade(10, 1, 100.12345, 3.0, "t1", taker_fee=0.1234567), trade(70, -1, 97.777, 2.0, "t1")]
    row = accounts(by_hand(trades, QUOTES, agents=AGENTS)).table.loc["t1"]
    assert sum(row[part] for part in PARTS) == pytest.approx(row["pnl"], abs=1e-12)
    assert row["pnl"] == pytest.approx(3 * (98 - 100.12345) - 2 * (98 - 97.777) - 0.1234567, abs=1e-12)


def test_categories_serve_as_well_as_text() -> None:
    tables = market(4, quotes=3000, trades=1000, minutes=2, levels=1)
    names = dict.fromkeys(("taker", "maker", "instrument", "venue"), "category")
    other = replace(tables, trades=tables.trades.astype(names))
    pd.testing.assert_frame_equal(accounts(tables).table, accounts(other).table)


@pytest.mark.slow
def test_a_million_trades_of_a_thousand_agents_take_seconds() -> None:
    tables = market(1, quotes=1_200_000, trades=1_000_000, minutes=60, levels=1, members=1000 / 300)
    begun = time.process_time()
    found = accounts(tables)
    assert len(found.table) == 1000
    assert found.equity().shape[1] == 1000
    assert len(found.round_trips) > 1_000_000
    taken = time.process_time() - begun
    assert taken < 15.0, f"{taken:.1f} s"  # about 3 s on a quiet machine; a loop over rows takes minutes
    assert (found.table[list(PARTS)].sum(axis=1) - found.table["pnl"]).abs().max() < 1e-9
