"""Executions against benchmarks by hand: Perold's parts, intervals, what was not done, venues, and the curve."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from rich.console import Console
from synthetic import SECOND, Tables, by_hand

import marketsim as ms
from marketsim.agents.execution.twap import Twap
from marketsim.agents.execution.vwap import DayCurve
from marketsim.analysis.execution_report import COLUMNS, execution_holdings, executions, volume_curve
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError

MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Noted(Tables):
    annotations: pd.DataFrame = field(default_factory=pd.DataFrame)


def terms(**changes: Any) -> str:
    told = {
        "number": 1, "algorithm": "Twap", "instrument": "ABC", "venue": "X", "side": 1, "quantity": 100.0,
        "limit": None, "decided": 5 * SECOND, "begin": 10 * SECOND, "end": 50 * SECOND, "tag": "",
    }  # fmt: skip
    return json.dumps({**told, **changes})


def noted(tables: Tables, *notes: tuple[int, str, str]) -> Noted:
    rows = [(time * SECOND, "desk", key, value) for time, key, value in notes]
    frame = pd.DataFrame(rows, columns=["time", "agent", "key", "value"])
    return Noted(**{name: getattr(tables, name) for name in tables.__dataclass_fields__}, annotations=frame)


def trade(time: float, price: float, quantity: float, taker: int = 0, maker: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "time": int(time * SECOND), "price": price, "quantity": quantity, "taker_order": taker, "maker_order": maker,
        "venue": "X", **more,
    }  # fmt: skip


QUOTES = [(0, 99.5, 5, 100.5, 5), (10 * SECOND - 1, 100.5, 5, 101.5, 5), (30 * SECOND, 101.5, 5, 102.5, 5),
          (60 * SECOND, 103.5, 5, 104.5, 5)]  # fmt: skip


def test_perolds_parts_by_hand() -> None:
    """Given at a mid of 100, begun at 101; 60 of 100 bought at 101.5; 102 at its end and 104 at the close."""
    market = by_hand(
        [
            trade(5, 100.0, 1000.0),  # before it began
            trade(11, 101.0, 40.0, taker=7, taker_fee=0.3, maker_fee=-9.0),
            trade(12, 102.0, 120.0),
            trade(40, 102.5, 20.0, maker=8, maker_fee=-0.1, taker_fee=9.0),
            trade(70, 104.0, 500.0, taker=9),  # another's
        ],
        QUOTES,
        end=100 * SECOND,
    )
    tables = noted(
        market,
        (5, "execution", terms()),
        (10, "execution order", "1 7 X"),
        (12, "parameter limit", "3"),
        (20, "execution order", "1 8 X"),
        (50, "execution over", '{"number": 1, "state": "CANCELED"}'),
    )
    (row,) = executions(tables).to_dict("records")
    average = (40 * 101 + 20 * 102.5) / 60
    assert (row["agent"], row["algorithm"], row["instrument"], row["state"]) == ("desk", "Twap", "ABC", "CANCELED")
    assert (row["decision_price"], row["arrival_price"], row["end_price"], row["close"]) == (100, 101, 102, 104)
    assert row["average_price"] == pytest.approx(average)
    assert row["delay"] == pytest.approx(100 * 1.0)
    assert row["trading"] == pytest.approx(60 * (average - 101))
    assert row["opportunity"] == pytest.approx(40 * 1.0)
    assert row["fees"] == pytest.approx(0.2)
    paper_less_real = 60 * average + 40 * 102 - 100 * 100
    assert row["shortfall"] == pytest.approx(paper_less_real + 0.2)
    assert row["shortfall_bps"] == pytest.approx(row["shortfall"])  # of 10,000
    assert (row["fill_rate"], row["orders"], row["fills"], row["duration"]) == (0.6, 2, 2, 40.0)
    assert row["maker_share"] == pytest.approx(1 / 3)
    assert row["participation"] == pytest.approx(60 / 180)
    assert row["vwap"] == pytest.approx((40 * 101 + 120 * 102 + 20 * 102.5) / 180)
    assert row["twap"] == pytest.approx((101 * 20 + 102 * 20) / 40)
    for name, price in (("arrival", 101), ("vwap", row["vwap"]), ("twap", row["twap"]), ("close", 104)):
        assert row[f"{name}_bps"] == pytest.approx(1e4 * (average / price - 1)), name
    assert row["arrival_z"] == pytest.approx((average - 101) / 1.0)  # the mid moved once in its time, by 1
    deviation = np.sqrt(((np.array([101, 102, 102.5]) - row["vwap"]) ** 2 @ [40, 120, 20]) / 180)
    assert row["vwap_z"] == pytest.approx((average - row["vwap"]) / deviation)
    assert row["twap_z"] == pytest.approx((average - 101.5) / 0.5)
    assert row["score"] == pytest.approx(100 * 140 / 180)  # 120 and 20 units were bought dearer
    left = execution_holdings(tables)["desk", 1]
    assert left["time"].tolist() == [0.0, 1.0, 30.0, 40.0]
    assert left["left"].tolist() == pytest.approx([1.0, 0.6, 0.4, 0.4])


def test_selling_costs_the_other_way_round() -> None:
    market = by_hand([trade(11, 101.0, 100.0, taker=7), trade(12, 99.0, 100.0)], QUOTES)
    tables = noted(
        market, (5, "execution", terms(side=-1)), (11, "execution order", "1 7 X"),
        (11, "execution over", '{"number": 1, "state": "FILLED"}'),
    )  # fmt: skip
    (row,) = executions(tables).to_dict("records")
    assert (row["delay"], row["trading"], row["opportunity"]) == (-100.0, 0.0, 0.0)
    assert row["vwap_bps"] == pytest.approx(-100.0)  # 101 where 100 was paid on average
    assert row["score"] == 75.0  # 100 at 99, and half of its own 100 at 101
    assert row["vwap_z"] == -1.0
    assert (row["end"], row["duration"]) == (50 * SECOND, 1.0), "judged to its planned end, though done at once"


@pytest.mark.parametrize(
    ("over", "end"),
    [
        ((70, '{"number": 1, "state": "FILLED"}'), 70),  # it went on
        ((30, '{"number": 1, "state": "CANCELED"}'), 30),  # it was called back
        (None, 50),  # it never said
    ],
)
def test_intervals(over: Any, end: int) -> None:
    notes = [(5, "execution", terms())] + ([(over[0], "execution over", over[1])] if over else [])
    (row,) = executions(noted(by_hand([], QUOTES), *notes)).to_dict("records")
    assert row["end"] == end * SECOND
    assert row["state"] == (json.loads(over[1])["state"] if over else "OPEN")
    assert row["left_because"] == ("" if over else "run ended")
    assert np.isnan(row["average_price"])
    assert np.isnan([row["score"], row["vwap_z"], row["arrival_z"]]).all()
    assert np.isnan(row["vwap"])
    assert row["opportunity"] == pytest.approx(100 * ({70: 104, 30: 102, 50: 102}[end] - 101))


def test_one_whose_time_lies_beyond_the_run() -> None:
    (row,) = executions(
        noted(by_hand([], QUOTES), (5, "execution", terms(begin=200 * SECOND, end=300 * SECOND)))
    ).to_dict("records")
    assert (row["begin"], row["end"], row["duration"]) == (100 * SECOND, 100 * SECOND, 0.0)
    assert row["shortfall"] == pytest.approx(100 * 4.0)


def test_numbers_of_orders_repeat_from_venue_to_venue() -> None:
    market = by_hand(
        [trade(11, 101.0, 10.0, taker=7), trade(12, 50.0, 10.0, taker=7, venue="Y"), trade(13, 50.0, 9.0, maker=7)],
        QUOTES,
        instruments=[Instrument("ABC"), Instrument("XYZ")],
    )
    market.trades.loc[2, "instrument"] = "XYZ"
    tables = noted(
        market, (5, "execution", terms()), (5, "execution", terms(quantity=20.0)), (10, "execution order", "1 7 X")
    )
    (row,) = executions(tables).to_dict("records")
    assert (row["filled"], row["quantity"], row["average_price"]) == (10.0, 20.0, 101.0)


def test_the_page_of_the_docs_names_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "execution.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| column | what it is |")
    firsts = [line.split("|")[1] for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(firsts))) == set(COLUMNS)


def test_recorded_days_have_none() -> None:
    frame = executions(by_hand())
    assert (len(frame), list(frame.columns)) == (0, list(COLUMNS))
    assert len(executions(noted(by_hand(), (1, "remark", "x")))) == 0


BECAUSE = "held back by max_participation 0.1"


def two_of_a_desk() -> Noted:
    market = by_hand([trade(11, 101.0, 40.0, taker=7)], QUOTES, end=100 * SECOND)
    return noted(
        market, (5, "execution", terms()), (10, "execution order", "1 7 X"),
        (6, "execution", terms(number=2, algorithm="AlmgrenChriss", side=-1)),
        (50, "execution over", json.dumps({"number": 1, "state": "CANCELED", "left_because": BECAUSE})),
    )  # fmt: skip


def test_tables_and_picture_say_who_wanted_what_and_why_it_is_not_done() -> None:
    tables = two_of_a_desk()
    found = executions(tables)
    assert found["left_because"].tolist() == [BECAUSE, "run ended"]
    cells = ms.analysis.summarize(tables)._tables()["Executions"]
    assert [line[:3] for line in cells[1:]] == [["desk 1", "Twap", "buy"], ["desk 2", "AlmgrenChriss", "sell"]]
    assert [line[-1] for line in cells] == ["left because", BECAUSE, "run ended"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(ms.analysis.summarize(tables).rich())
    told = console.export_text()
    assert "…" not in told, "a narrow terminal breaks words, and leaves none out"
    assert all(words in told for words in ("shortfall", "buy", "sell", "held", "back by"))
    figure = ms.analysis.execution_figure(tables)
    assert [line.get_label() for line in figure.axes[0].lines] == ["desk 1\nTwap buy", "desk 2\nAlmgrenChriss sell"]
    orders = {to_hex(line.get_color()) for line in figure.axes[0].lines}
    assert not orders & {to_hex(patch.get_facecolor()) for patch in figure.axes[1].patches}, "parts are no orders"


@pytest.mark.slow
def test_the_page_says_why_too(tmp_path: Path) -> None:
    page = ms.analysis.report(two_of_a_desk(), tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"<td>{BECAUSE}</td>" in page
    assert "<td>sell</td>" in page


# --- a run ---


@pytest.fixture(scope="module")
def run() -> Any:
    simulation = ms.Simulation(seed=1, duration="70s", start="09:30")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")], taker_fee="1bps")
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 60, "noise")
    for number, style in enumerate(("take", "post"), 1):
        plan = Twap(quantity=50 * number, begin="10s", horizon="40s", slices=10, style=style)
        simulation.add_agent(plan, style, latency="1ms")
    return simulation.run()


def test_a_runs_executions_agree_with_its_accounts(run: Any) -> None:
    found = executions(run).set_index("agent")
    books = ms.analysis.accounts(run)
    assert found["filled"].to_dict() == {"take": 50.0, "post": 100.0}
    for name in ("take", "post"):
        row, account = found.loc[name], books[name]
        assert row["average_price"] == pytest.approx(account.value / account.volume)
        assert row["fees"] == pytest.approx(-account.fees)
        assert row["maker_share"] == pytest.approx(account.maker_share)
        assert (row["orders"], row["fills"]) == (account.orders, account.fills)
        assert (row["state"], row["fill_rate"], row["left_because"]) == ("FILLED", 1.0, "")
        total = row[["delay", "trading", "opportunity", "fees"]].sum()
        assert row["shortfall"] == pytest.approx(total)
        assert 30.0 < row["duration"] < 41.0
    assert found.loc["take", "arrival_bps"] > found.loc["post", "arrival_bps"]


def test_the_summary_shows_them(run: Any) -> None:
    text = str(ms.analysis.summarize(run))
    assert "shortfall bps" in text
    assert "take 1" in text
    assert "Twap   buy" in text
    assert "left because" not in text, "all was done"
    assert "Executions" not in ms.analysis.summarize(by_hand([], QUOTES))._tables()


@pytest.mark.slow
def test_the_page_shows_them(run: Any, tmp_path: Path) -> None:
    page = ms.analysis.report(run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<section id="executions">' in page
    assert '<a href="#executions">' in page
    assert "post 1</th>" in page
    plain = ms.analysis.report(by_hand([], QUOTES), tmp_path / "plain.html").read_text(encoding="utf-8")
    assert "executions" not in plain


def test_the_figure_shows_each_order(run: Any) -> None:
    figure = ms.analysis.execution_figure(run)
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["post", "take"]
    assert [tick.get_text() for tick in right.get_yticklabels()] == ["post", "take"]
    assert left.lines[0].get_ydata()[-1] == pytest.approx(0.0)


# --- the curve ---


def test_a_volume_curve_is_the_mean_of_days() -> None:
    first = by_hand([trade(t, 100.0, q) for t, q in ((5, 10.0), (15, 30.0), (25, 20.0))], end=30 * SECOND)
    second = by_hand([trade(t, 100.0, q) for t, q in ((12, 30.0), (29, 40.0))], end=40 * SECOND)
    curve = volume_curve(first, second, every="10s")
    assert curve["start"].tolist() == [0, 10 * SECOND, 20 * SECOND]
    assert curve["end"].tolist() == [10 * SECOND, 20 * SECOND, 30 * SECOND]
    assert curve["volume"].tolist() == [5.0, 30.0, 30.0]
    assert curve["share"].sum() == pytest.approx(1.0)


def test_bins_that_do_not_fit_are_longer_at_the_end() -> None:
    curve = volume_curve(by_hand([trade(34, 100.0, 1.0)], end=35 * SECOND), every="10s")
    assert (curve["end"].iloc[-1], curve["volume"].iloc[-1], len(curve)) == (35 * SECOND, 1.0, 3)


@pytest.mark.parametrize("name", ["curve.csv", "curve.parquet"])
def test_an_agent_reads_the_curve_that_was_written(run: Any, tmp_path: Path, name: str) -> None:
    curve = volume_curve(run, every="10s")
    path = tmp_path / name
    curve.to_csv(path, index=False) if name.endswith("csv") else curve.to_parquet(path)
    read = DayCurve.read(path)
    begin, end = int(curve["start"].iloc[0]), int(curve["end"].iloc[-1])
    shares = read.shares(begin, end, np.arange(1, len(curve) + 1) / len(curve))
    assert shares.tolist() == pytest.approx(np.cumsum(curve["share"]).tolist())


def test_curves_that_cannot_be() -> None:
    with pytest.raises(InvalidValueError, match="needs a source"):
        volume_curve()
    with pytest.raises(InvalidValueError, match="nothing was traded"):
        volume_curve(by_hand(), every="10s")
    with pytest.raises(InvalidValueError, match="longer than the 100 s"):
        volume_curve(by_hand(), every="5min")
    with pytest.raises(InvalidValueError, match="above zero"):
        volume_curve(by_hand(), every=0)
