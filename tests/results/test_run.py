"""A run shows what was recorded in the shape that analysis reads, from memory and from its folder alike."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import apply, generate
from flow import kept_run, manifest, row, run_of

import marketsim as ms
from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.fees import Fee, FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.tables import AGENTS, ORDERS, QUOTES, TRADES, MarketTables
from marketsim.errors import InvalidValueError, StoreError
from marketsim.exchange.core import MatchingCore
from marketsim.results.events import MemoryEvents, PartEvents
from marketsim.results.log import EventLog
from marketsim.results.manifest import AgentEntry, Failure, MarketEntry
from marketsim.results.run import Run

LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
STOP, STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
GTC, IOC = int(TimeInForce.GTC), int(TimeInForce.IOC)
SECOND = 1_000_000_000
NOBODY = float("nan")

COIN = Instrument("COIN", tick_size="0.5", lot_size="0.001", reference_price="100")
MARKETS = (
    MarketEntry.of(0, "NYX", Instrument("ABC"), FeeSchedule.of("-0.2", "0.3")),
    MarketEntry.of(1, "CHX", COIN, FeeSchedule(Fee("share", 2), Fee("bps", 10))),  # type: ignore[arg-type]
)
PEOPLE = (
    AgentEntry(number=2, name="mm", family="makers", type="MarketMaker", initial_cash=5_000.0),
    AgentEntry(number=0, name="noise.0", family="noise", type="Noise"),
    AgentEntry(number=5, name="noise.1", family="noise", type="Noise"),
)


def day() -> Run:
    """A short day on two markets by the real core: 10003 ticks of 0.01 is 100.03, 201 of 0.5 is 100.5."""
    log = EventLog()
    core = MatchingCore(2, log=log)
    core.new(1 * SECOND, 2, 0, 1, LIMIT, GTC, 0, 10_003, 0, 100)  # 1
    core.new(2 * SECOND, 2, 0, -1, LIMIT, GTC, 0, 10_007, 0, 50)  # 2
    core.new(2 * SECOND, 2, 1, -1, LIMIT, GTC, 0, 201, 0, 1_500)  # 3, the other market
    core.new(3 * SECOND, 5, 0, -1, MARKET, GTC, 0, 0, 0, 30)  # 4 trades with 1
    core.new(4 * SECOND, 0, 1, 1, LIMIT, IOC, 0, 210, 0, 2_000)  # 5 trades 1500 with 3, the rest is canceled
    core.new(5 * SECOND, 5, 0, 1, STOP_LIMIT, GTC, 0, 10_010, 10_006, 20)  # 6 waits
    core.replace(6 * SECOND, 2, 1, 10_004, 110)  # 1 has 110 in all, 80 open, at a new price
    core.cancel(7 * SECOND, 2, 2, 20)  # 2 has 30
    core.new(8 * SECOND, 0, 0, 1, LIMIT, GTC, 0, 10_007, 0, 10)  # 7 trades with 2; 6 is elected and takes the rest
    core.new(9 * SECOND, 0, 0, 1, LIMIT, GTC, 0, 10_000, 0, 0)  # 8 is refused
    core.cancel(9 * SECOND, 5, 1)  # not his
    core.cancel(9 * SECOND, 2, 1)
    core.new(9 * SECOND, 77, 7, 1, LIMIT, GTC, 0, 10_000, 0, 5)  # 9 of nobody on no market
    log.annotate(6 * SECOND, "mm", "quantity", 110)
    return kept_run(core, log, markets=MARKETS, agents=PEOPLE, start=0, warm_up=2 * SECOND, end=10 * SECOND)


@pytest.fixture(params=["memory", "folder"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """The day, as it was left in memory and as it is found in a folder."""
    return day() if request.param == "memory" else day().save(tmp_path / "run")


def same(table: pd.DataFrame, columns: dict[str, str], rows: list[list[object]]) -> None:
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == columns
    expected = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_trades(run: Run) -> None:
    rows = [
        [3 * SECOND, "ABC", "NYX", 100.03, 30.0, -1, "noise.1", "mm", 4, 1, 0.090027, -0.060018],
        [4 * SECOND, "COIN", "CHX", 100.5, 1.5, 1, "noise.0", "mm", 5, 3, 0.15075, 3.0],
        [8 * SECOND, "ABC", "NYX", 100.07, 10.0, 1, "noise.0", "mm", 7, 2, 0.030021, -0.020014],
        [8 * SECOND, "ABC", "NYX", 100.07, 20.0, 1, "noise.1", "mm", 6, 2, 0.060042, -0.040028],
    ]
    same(run.trades, TRADES, rows)


def test_quotes(run: Run) -> None:
    rows = [
        [1 * SECOND, "ABC", "NYX", 100.03, 100.0, NOBODY, 0.0],
        [2 * SECOND, "ABC", "NYX", 100.03, 100.0, 100.07, 50.0],
        [2 * SECOND, "COIN", "CHX", NOBODY, 0.0, 100.5, 1.5],
        [3 * SECOND, "ABC", "NYX", 100.03, 70.0, 100.07, 50.0],
        [4 * SECOND, "COIN", "CHX", NOBODY, 0.0, NOBODY, 0.0],
        [6 * SECOND, "ABC", "NYX", 100.04, 80.0, 100.07, 50.0],
        [7 * SECOND, "ABC", "NYX", 100.04, 80.0, 100.07, 30.0],
        [8 * SECOND, "ABC", "NYX", 100.04, 80.0, NOBODY, 0.0],
        [9 * SECOND, "ABC", "NYX", NOBODY, 0.0, NOBODY, 0.0],
    ]
    same(run.quotes, QUOTES, rows)


def test_orders(run: Run) -> None:
    s = SECOND
    rows = [
        [1, 1 * s, 9 * s, "ABC", "NYX", "mm", 1, "LIMIT", "GTC", 100.04, NOBODY, 110.0, 30.0, "CANCELED",
         "BY_REQUEST", 2],
        [2, 2 * s, 8 * s, "ABC", "NYX", "mm", -1, "LIMIT", "GTC", 100.07, NOBODY, 30.0, 30.0, "FILLED", "", 1],
        [3, 2 * s, 4 * s, "COIN", "CHX", "mm", -1, "LIMIT", "GTC", 100.5, NOBODY, 1.5, 1.5, "FILLED", "", 0],
        [4, 3 * s, 3 * s, "ABC", "NYX", "noise.1", -1, "MARKET", "GTC", NOBODY, NOBODY, 30.0, 30.0, "FILLED", "", 0],
        [5, 4 * s, 4 * s, "COIN", "CHX", "noise.0", 1, "LIMIT", "IOC", 105.0, NOBODY, 2.0, 1.5, "CANCELED",
         "IMMEDIATE_OR_CANCEL", 0],
        [6, 5 * s, 8 * s, "ABC", "NYX", "noise.1", 1, "STOP_LIMIT", "GTC", 100.1, 100.06, 20.0, 20.0, "FILLED", "", 0],
        [7, 8 * s, 8 * s, "ABC", "NYX", "noise.0", 1, "LIMIT", "GTC", 100.07, NOBODY, 10.0, 10.0, "FILLED", "", 0],
        [8, 9 * s, 9 * s, "ABC", "NYX", "noise.0", 1, "LIMIT", "GTC", 100.0, NOBODY, 0.0, 0.0, "REJECTED",
         "INVALID_QUANTITY", 0],
        [9, 9 * s, 9 * s, "", "", "", 1, "LIMIT", "GTC", NOBODY, NOBODY, 0.0, 0.0, "REJECTED", "UNKNOWN_MARKET", 0],
    ]  # fmt: skip
    same(run.orders, ORDERS, rows)


def test_agents_instruments_and_times(run: Run) -> None:
    rows = [
        ["mm", "makers", "MarketMaker", 5000.0],
        ["noise.0", "noise", "Noise", 0.0],
        ["noise.1", "noise", "Noise", 0.0],
    ]
    same(run.agents, AGENTS, rows)
    assert run.instruments == {"ABC": Instrument("ABC"), "COIN": COIN}
    assert (run.start, run.end) == (2 * SECOND, 10 * SECOND)
    assert run.annotations.values.tolist() == [[6 * SECOND, "mm", "quantity", "110"]]
    assert (run.name, run.seed, run.complete, len(run.digest)) == ("flow", 7, True, 32)
    tables: MarketTables = run
    assert tables.end == 10 * SECOND


def test_depth(run: Run) -> None:
    depth = run.depth(2, "ABC")
    cells = [f"{kind}_{level}" for level in (1, 2) for kind in ("ask", "ask_quantity", "bid", "bid_quantity")]
    assert depth.columns.tolist() == ["time", *cells]
    assert depth["time"].dtype == "int64"
    assert depth["bid_1"].tolist()[:4] == [100.03, 100.03, 100.03, 100.04]
    assert depth["bid_quantity_2"].eq(0).all()
    assert depth["bid_2"].isna().all()
    every = run.depth(1, "ABC", every="4s")
    assert every["time"].tolist() == [4 * SECOND, 8 * SECOND], "multiples of it from start to end"
    assert every["ask_quantity_1"].tolist() == [50.0, 0.0], "what happened at that very time included"
    assert math.isnan(every["ask_1"][1])
    assert run.depth(1, "ABC", every=4 * SECOND).equals(every)
    assert run.depth(1, "COIN", venue="CHX")["ask_1"].tolist()[0] == 100.5


def test_what_cannot_be_asked_for(run: Run) -> None:
    with pytest.raises(InvalidValueError, match="name one of the instruments of this run: ABC, COIN"):
        run.depth(1)
    with pytest.raises(InvalidValueError, match="no instrument is called 'ABX'; did you mean \"ABC\""):
        run.depth(1, "ABX")
    with pytest.raises(InvalidValueError, match="no venue of ABC is called 'NYY'; did you mean \"NYX\""):
        run.depth(1, "ABC", venue="NYY")
    with pytest.raises(InvalidValueError, match="depth of 0 levels"):
        run.depth(0, "ABC")
    for every in (0, 1):
        with pytest.raises(InvalidValueError, match="use a longer time, such as '1s'"):
            run.depth(10, "ABC", every=every)


def test_an_instrument_on_two_venues() -> None:
    orders = [(0, 10_000, 3), (1, 10_000, 4), (1, 10_001, 5)]
    rows = [
        row(EventKind.ACCEPTED, at, order_id=at, market=market, price=price, quantity=quantity, leaves=quantity, side=1,
            order_type=LIMIT, time_in_force=GTC)
        for at, (market, price, quantity) in enumerate(orders, 1)
    ]  # fmt: skip
    markets = tuple(MarketEntry.of(number, venue, Instrument("ABC")) for number, venue in enumerate(("X", "Y")))
    run = run_of(rows, markets=markets)
    assert list(run.instruments) == ["ABC"]
    assert run.quotes["venue"].tolist() == ["X", "Y", "Y"]
    assert run.quotes["bid_quantity"].tolist() == [3.0, 4.0, 5.0]
    assert run.depth(2)["bid_quantity_1"].tolist() == [3.0, 7.0, 5.0]
    assert run.depth(2)["bid_quantity_2"].tolist() == [0.0, 0.0, 7.0]
    assert run.depth(2, venue="Y")["bid_quantity_1"].tolist() == [4.0, 5.0]


def test_tables_are_built_once(run: Run) -> None:
    for name in ("trades", "quotes", "orders", "agents", "annotations", "events", "instruments"):
        assert getattr(run, name) is getattr(run, name), name


def test_raw_events(run: Run) -> None:
    assert run.events.dtype == EVENT
    assert run.events["kind"].tolist().count(EventKind.TRADE) == 4
    assert sum(len(block["time"]) for block in run.event_log.blocks(["time"])) == len(run.events)


def test_an_empty_run() -> None:
    run = run_of([])
    for columns, table in ((TRADES, run.trades), (QUOTES, run.quotes), (ORDERS, run.orders)):
        same(table, columns, [])
    assert len(run.depth(3)) == 0
    assert run.depth(1, every=10).values.tolist()[0][0] == 0
    assert "0 events" in repr(run)
    assert "<table>" in run._repr_html_()
    assert len(run.query("select * from events")) == 0


def test_a_run_of_no_market() -> None:
    run = Run(manifest(0, 0))
    assert len(run.quotes) == len(run.trades) == len(run.orders) == len(run.agents) == 0
    assert run._repr_html_().startswith("<div")


def test_memory_and_folder_tell_the_same_of_a_long_stream(tmp_path: Path) -> None:
    log = EventLog(memory=1_000)
    core = MatchingCore(3, log=log)
    for command in generate(seed=9, count=4_000):
        apply(core, command)
    run = kept_run(core, log, markets=3, end=20_000)
    saved = run.save(tmp_path / "a" / "run")
    for name in ("trades", "quotes", "orders"):
        pd.testing.assert_frame_equal(getattr(run, name), getattr(saved, name))
        assert len(getattr(run, name)) > 500
    assert run.trades["time"].is_monotonic_increasing
    assert run.quotes["time"].is_monotonic_increasing
    assert run.quotes["instrument"].nunique() == 3
    saved.check()
    run.check()


# --- SQL -------------------------------------------------------------------------------------------------------------


def test_sql_over_all_tables(run: Run) -> None:
    volumes = run.query("SELECT maker, sum(quantity) AS volume FROM Trades GROUP BY maker")
    assert volumes.values.tolist() == [["mm", 61.5]]
    joined = run.query(
        "select a.family, count(*) as n from orders o join agents a on a.name = o.agent group by 1 order by 1"
    )
    assert joined.values.tolist() == [["makers", 3], ["noise", 5]]
    assert run.query("select max(bid) from quotes").iloc[0, 0] == 100.04
    assert run.query("select value from annotations").iloc[0, 0] == "110"
    kinds = run.query(f"select count(*) from events where kind = {int(EventKind.TRADE)}")
    assert kinds.iloc[0, 0] == 4


def test_sql_builds_only_what_it_names(run: Run) -> None:
    run.query("select count(*) from events")
    assert "trades" not in run.__dict__
    assert "orders" not in run.__dict__


def test_sql_that_is_wrong(run: Run) -> None:
    with pytest.raises(InvalidValueError, match=r"the query failed: .*nonsense"):
        run.query("select nonsense from trades")


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_saved_run_is_the_same_run(tmp_path: Path) -> None:
    run = day()
    saved = run.save(tmp_path / "deep" / "run")
    assert saved.path == tmp_path / "deep" / "run"
    assert sorted(path.name for path in saved.path.iterdir()) == ["annotations.parquet", "events", "manifest.json"]
    assert saved.manifest == run.manifest
    assert np.array_equal(saved.events, run.events)
    saved.check()
    again = Run.open(saved.path / "manifest.json")
    assert again.digest == run.digest
    with pytest.raises(StoreError, match="exists: nothing is overwritten"):
        run.save(tmp_path / "deep" / "run")


def test_folders_name_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = day()
    assert [str(run.save().path) for _ in range(2)] == ["runs/flow-7-1", "runs/flow-7-2"]
    odd = Run(run.manifest.with_(name="../my scenario: ä", annotations=0), run.event_log)
    assert str(odd.save().path) == "runs/my-scenario-7-1"


def test_an_incomplete_run_is_read_and_says_so(tmp_path: Path) -> None:
    run = day()
    failure = Failure(error="AgentError: sniper: division by zero", time=5 * SECOND)
    stopped = Run(run.manifest.with_(complete=False, failure=failure), run.event_log, run.remarks)
    saved = stopped.save(tmp_path / "run")
    assert not saved.complete
    assert saved.end == 5 * SECOND
    assert len(saved.trades) == 4
    assert "incomplete: AgentError: sniper: division by zero, at 00:00:05" in repr(saved)
    assert "division by zero" in saved._repr_html_()


def test_a_damaged_folder_is_not_believed(tmp_path: Path) -> None:
    saved = day().save(tmp_path / "run")
    assert saved.path is not None
    part = saved.path / "events" / "00000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"00000.parquet: not a readable Parquet file"):
        Run.open(saved.path)
    part.unlink()
    with pytest.raises(StoreError, match=r"damaged: its manifest says 20 events, 0 are there"):
        Run.open(saved.path)
    part.write_bytes(whole)
    (saved.path / "annotations.parquet").unlink()
    with pytest.raises(StoreError, match=r"says 1 annotations, 0 are there"):
        Run.open(saved.path)


def test_changed_events_do_not_pass_the_check(tmp_path: Path) -> None:
    run = day()
    rows = run.events.copy()
    rows["quantity"][3] += 1
    other = Run(run.manifest, MemoryEvents([rows]), run.remarks).save(tmp_path / "run")
    with pytest.raises(StoreError, match="damaged: its events have the digest"):
        other.check()
    with pytest.raises(StoreError, match="damaged: its events have the digest"):
        Run(run.manifest, run.event_log).check()  # without its annotations


def test_a_part_of_something_else(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "00000.parquet")
    with pytest.raises(StoreError, match="not a part of an event log: column 'time' is missing"):
        PartEvents([tmp_path / "00000.parquet"])


# --- a notebook ------------------------------------------------------------------------------------------------------


def test_in_a_notebook(run: Run) -> None:
    html = run._repr_html_()
    text = html.split("</style>")[1]
    assert "<b>flow</b>, seed 7: 10s from 00:00:00.000000000, the first 2s as warm-up; 20 events" in text
    assert run.digest[:16] in text
    assert "<tr><td>ABC on NYX</td><td>3</td><td>60</td><td>100.03</td><td>100.07</td>" in text
    assert "<tr><td>makers</td><td>1</td><td>MarketMaker</td><td>3</td><td>4</td><td>61.5</td></tr>" in text
    assert "<tr><td>noise</td><td>2</td><td>Noise</td><td>5</td><td>4</td><td>61.5</td></tr>" in text
    assert (str(run.path) in text) == (run.path is not None)


def test_the_mean_spread_is_that_of_measured_time(run: Run) -> None:
    """ABC from 2 s on: 0.04 for 4 s, then 0.03 for 2 s, then one side is empty."""
    assert f"<td>{(0.04 * 4 + 0.03 * 2) / 6:.4g}</td>" in run._repr_html_()


def test_names_cannot_write_html() -> None:
    people = (AgentEntry(number=0, name="<i>", family="<script>alert(1)</script>", type="<b>"),)
    run = run_of([], agents=people, name="<u>")
    html = run._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>&lt;u&gt;</b>" in html


def test_a_notebook_imports_no_analysis(tmp_path: Path) -> None:
    day().save(tmp_path / "run")
    code = (
        "import sys; from marketsim.results.run import Run\n"
        f"html = Run.open({str(tmp_path / 'run')!r})._repr_html_()\n"
        "assert '<table>' in html\n"
        "print([m for m in sys.modules if m.startswith(('marketsim.analysis', 'matplotlib', 'sklearn'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_a_run_and_writing_a_log_are_light(tmp_path: Path) -> None:
    """What the command line lists must not wait for pandas, Numba or DuckDB; nor may a simulation wait for pandas."""
    day().save(tmp_path / "run")
    opening = (
        "from marketsim.results.run import Run\n"
        f"run = Run.open({str(tmp_path / 'run')!r}); repr(run); run.start, run.end\n"
    )
    writing = (
        "from pathlib import Path; from marketsim.results.log import EventLog\n"
        f"log = EventLog(Path({str(tmp_path / 'log')!r}))\n"
        "chunk = log.next_chunk(log.next_chunk(None, 0, 1), 50, 1); log.close()\n"
    )
    for code, heavy in ((opening, ("pandas", "numba", "duckdb")), (writing, ("pandas", "duckdb"))):
        shown = f"import sys\n{code}print([m for m in {heavy} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_kept_priority_is_known(run: Run) -> None:
    """The day has a replace that loses its place; the flag tells them apart."""
    replaced = run.events[run.events["kind"] == EventKind.REPLACED]
    assert not (replaced["flags"] & OrderFlag.KEPT_PRIORITY).any()
    assert run.events["reason"].tolist().count(int(Reason.NOT_OWNER)) == 1


def test_a_long_run_is_read_without_its_names_and_block_by_block(tmp_path: Path) -> None:
    """What measures read of one market, in the columns and stretches that they read, is what the tables say."""
    run = _moving_market().run(tmp_path / "run")
    slim_trades, slim_quotes = Run.open(tmp_path / "run").slim("ABC")
    assert "taker" not in slim_trades
    pd.testing.assert_frame_equal(slim_trades, run.trades[slim_trades.columns])
    for name in slim_quotes.columns:
        assert slim_quotes[name].tolist() == pytest.approx(run.quotes[name].tolist(), nan_ok=True)
    parts = list(run.depth_blocks(3))
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), run.depth(3))
    assert run.slim("ABC")[0] is run.trades  # what was built is not built again
    with pytest.raises(InvalidValueError, match="depth of 0 levels"):
        next(run.depth_blocks(0))
    with pytest.raises(InvalidValueError, match="ABD"):
        next(run.depth_blocks(1, "ABD"))


def _moving_market() -> ms.Simulation:
    simulation = ms.Simulation(name="moving", duration="20s", seed=3)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.ZeroIntelligence(rate="5/s"), 20)
    return simulation
