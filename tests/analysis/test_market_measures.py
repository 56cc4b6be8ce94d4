"""The one table: values are those of the measures, gaps are explained, warm-up and intervals cut what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, Tables, by_hand, market, with_rows

from marketsim import analysis as a
from marketsim.analysis.market_measures import COLUMNS
from marketsim.analysis.tape import Tape
from marketsim.analysis.windows import Window
from marketsim.domain.instrument import Instrument
from marketsim.errors import DataError, InvalidValueError, NotRecordedError, StoreError


@pytest.fixture(scope="module")
def day() -> Tables:
    return market(2, minutes=10, quotes=20_000, trades=6_000)


@pytest.fixture(scope="module")
def found(day: Tables) -> a.Microstructure:
    return a.microstructure(day)


def test_values_are_those_of_the_measures(day: Tables, found: a.Microstructure) -> None:
    assert list(found.table.columns) == list(COLUMNS)
    assert found.value("quoted_spread") == a.quoted_spread(day)
    assert found.value("effective_spread_bps") == pytest.approx(a.effective_spread(day, unit="bps"))
    assert found.value("realized_spread_bps") == pytest.approx(a.realized_spread(day, unit="bps"))
    assert found.value("kyle_lambda") == a.kyle_lambda(day).slope
    assert found.value("order_flow_r_squared") == a.order_flow_impact(day).loc["best", "r_squared"]
    assert found.value("sign_autocorrelation", "lag 10, fills") == pytest.approx(
        a.sign_autocorrelation(day, (10,))["autocorrelation"].iloc[0]
    )
    assert found.value("propagator", "G(10)") == pytest.approx(
        a.fit_propagator(day, 150).table.loc[10, "propagator"], rel=0.05
    )
    assert found.value("vpin") == pytest.approx(a.vpin(day)["vpin"].mean())
    assert (found.table["standard_error"].dropna() >= 0).all()


def test_what_is_missing_says_why(found: a.Microstructure) -> None:
    assert "information_share_lower" in found.missing
    assert not set(found.missing) & set(found.table["measure"])
    with pytest.raises(DataError, match=r"component_share: .*several venues"):
        found.value("component_share")
    with pytest.raises(DataError, match="no such measure"):
        found.value("nonsense")


def test_a_tape_of_trades_alone_has_what_trades_alone_tell(day: Tables) -> None:
    bare = with_rows(day, quotes=day.quotes.iloc[:0], book=pd.DataFrame({"time": np.array([], np.int64)}))
    found = a.microstructure(bare)
    assert {"trades", "volume", "roll_spread_bps", "amihud", "vpin", "pin"} <= set(found.table["measure"])
    assert "needs quotes, which this source did not record" in found.missing["quoted_spread"]
    for measure in (a.quoted_spread, a.effective_spread, a.best_depth, a.resiliency, a.kyle_lambda, a.mark_outs):
        with pytest.raises(NotRecordedError, match="needs quotes"):
            measure(bare)
    unsigned = with_rows(day, trades=day.trades.assign(side=np.int8(0)))
    assert "aggressor's side" in a.microstructure(unsigned).missing["kyle_lambda"]
    joined = a.microstructure(Tape.of(day))
    assert "give it the run or the recorded day itself" in joined.missing["depth_within"]
    assert joined.value("quoted_spread") == a.quoted_spread(day)


def test_nothing_happened() -> None:
    found = a.microstructure(by_hand())
    assert found.value("trades") == 0
    assert "few observations" in found.missing["effective_spread_bps"]


def test_the_warm_up_is_removed(day: Tables) -> None:
    late = a.after_warm_up(day, "4min")
    assert isinstance(late, Window)
    by_tape = a.after_warm_up(Tape.of(day), "4min")
    moved = with_rows(day, start=day.start + 240 * SECOND)
    for measure in (a.quoted_spread, a.effective_spread, a.best_depth):
        assert measure(late) == pytest.approx(measure(moved))
        assert measure(by_tape) == pytest.approx(measure(moved))
    pd.testing.assert_frame_equal(a.microstructure(day, warm_up="4min").table, a.microstructure(moved).table)
    with pytest.raises(InvalidValueError, match="must be shorter than the source, which lasts 10min"):
        a.microstructure(day, warm_up="10min")
    with pytest.raises(InvalidValueError, match="end must come after the start"):
        a.during(day, 5, 5)


def test_intervals_are_measured_each_by_itself(day: Tables) -> None:
    found = a.microstructure(day, every="5min")
    assert found.table.columns[0] == "time"
    spread = found.table[(found.table["measure"] == "quoted_spread") & (found.table["about"] == "over time")]
    assert spread["time"].tolist() == [day.start, day.start + 300 * SECOND]
    second = a.during(day, day.start + 300 * SECOND, day.end)
    assert spread["value"].iloc[1] == pytest.approx(a.quoted_spread(second))
    lines = found.table[(found.table["measure"] == "deep_order_flow_r_squared")]
    alone = a.order_flow_impact(second, levels=5)
    assert lines["value"].iloc[2] == pytest.approx(alone.loc["levels", "r_squared"], abs=1e-6)


def test_several_instruments_are_told_apart() -> None:
    quotes = [(0, 99, 1, 101, 1, "ABC"), (0, 49, 1, 51, 1, "XYZ")]
    both = by_hand(quotes=quotes, instruments=(Instrument("ABC"), Instrument("XYZ")))
    found = a.microstructure(both)
    rows = found.table[(found.table["measure"] == "quoted_spread_bps")]
    assert dict(zip(rows["instrument"], rows["value"], strict=True)) == pytest.approx({"ABC": 200, "XYZ": 400})
    assert "XYZ vpin" in found.missing
    assert set(a.microstructure(both, "XYZ").table["instrument"]) == {"XYZ"}
    with pytest.raises(InvalidValueError, match="unknown instrument 'XY'"):
        a.microstructure(both, "XY")


def test_it_is_written_as_csv_parquet_and_json(found: a.Microstructure, tmp_path: Path) -> None:
    csv, parquet = found.to_csv(tmp_path / "deep" / "m.csv"), found.to_parquet(tmp_path / "m.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), found.table)
    kept = pd.read_csv(csv, keep_default_na=False, na_values={"value": [""], "standard_error": [""]})
    pd.testing.assert_frame_equal(kept, found.table, check_dtype=False)
    told = json.loads(found.to_json(tmp_path / "m.json").read_text(encoding="utf-8"))
    assert len(told["measures"]) == len(found.table)
    assert told["missing"] == found.missing
    assert not list(tmp_path.rglob("*.partial"))
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match="choose another place"):
        found.to_csv(tmp_path / "taken")
    assert "quoted_spread" in str(found)
