"""What the benchmarks are made of: verdicts, kept tables, the picture of scale, guests of the crowd."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import crowd, indicators, measurement, scale, signals
from benchmarks.measurement import Measurement


@pytest.mark.parametrize(
    ("value", "least", "most", "verdict"),
    [(2.0, None, 2.5, "met"), (2.6, None, 2.5, "MISSED"), (4.0, 4.0, None, "met"), (3.9, 4.0, None, "MISSED"),
     (1.0, None, None, ""), (None, None, 2.5, "")],
)  # fmt: skip
def test_a_measurement_knows_whether_its_target_is_met(
    value: float | None, least: float | None, most: float | None, verdict: str
) -> None:
    assert Measurement("thing", value, "s", least=least, most=most).verdict == verdict


def test_the_sizes_are_kept_as_a_table_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "OUT", tmp_path)
    monkeypatch.setattr(scale, "OUT", tmp_path)
    cases = [
        scale.Case(agents, instruments, 2_000_000, agents / 1e5, 0.4, 200 + agents / 1e3, 250 + agents / 400, 15)
        for instruments in scale.INSTRUMENTS
        for agents in scale.SIZES
    ]
    with measurement.keep_rows(cases, "scale").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["agents"]) for row in rows] == [*scale.SIZES, *scale.SIZES]
    assert float(rows[2]["nanoseconds"]) == 300
    assert scale.draw(cases, tmp_path / "scale.png").read_bytes()[1:4] == b"PNG"


def test_cost_of_many_agents_is_told_as_a_ratio_to_few() -> None:
    cases = [
        scale.Case(size, 1, 1, 1.0, 1.0, cost, 1.0, 1.0)
        for size, cost in zip(scale.SIZES, (100, 200, 260), strict=True)
    ]
    growth = scale._of(cases, 1)[0]
    assert growth.value == pytest.approx(2.6)
    assert growth.verdict == "MISSED"


def test_guests_of_the_crowd_do_what_they_are_measured_at() -> None:
    alone, heard, maker = (crowd.play(guest, 2) for guest in (None, crowd.Listener, crowd.Maker))
    assert alone.heard == alone.sent == heard.sent == 0
    assert heard.events == alone.events, "a listener changes nothing in the market"
    assert heard.heard > 1_000
    assert maker.sent == 2 * maker.heard, "both sides are quoted anew on every change"
    assert maker.events > alone.events + maker.sent - 10, "each of its orders reaches the venue, but for the last"


def test_the_yardstick_keeps_its_length() -> None:
    assert crowd.heap_rate(100, 2_000) > 0


def test_indicators_are_measured_beside_a_call() -> None:
    bars = indicators.walk(60)
    yardstick, found = indicators.costs(bars, 1)
    assert yardstick > 0
    assert set(indicators.SIMPLE) < set(found)
    assert all(cost > 0 for cost in found.values())
    assert indicators.strategy_cost(bars, 1) > found["rsi"] / 100


def test_strategies_on_signals_hear_decide_and_trade() -> None:
    played, fewer = signals.play(3), signals.play(3, 4)
    assert played.orders > 10
    assert played.fills > 10
    assert played.callbacks > 20 * 500, "each of the twenty hears every quote"
    assert fewer.callbacks < 0.5 * played.callbacks
