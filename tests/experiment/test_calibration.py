"""Calibration: knobs, a recovery of known parameters, recorded days judged on the half not seen, errors, resuming."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.errors import DataError, InvalidValueError
from marketsim.experiment.calibration import Calibration, calibrate, place_of
from marketsim.experiment.knobs import Knobs, scaled

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'marketsim[optimize]'")

TRUTH = {"agents.book.cancel_rate": "0.3/s", "agents.touch.improve_share": 0.35, "agents.splitters.rest": "2min"}
OVER = {
    "agents.book.cancel_rate": "0.05/s..1/s log",
    "agents.touch.improve_share": "0.05..0.6",
    "agents.splitters.rest": "30s..20min log",
}
SHORT: dict[str, Any] = {"trials": 6, "fresh": 2, "steps": 0, "errors": 0, "workers": 1}


def synthetic_day(folder: Path, minutes: int, seed: int = 77) -> Path:
    """A day of the simulator's own with known parameters, as LOBSTER files."""
    run = ms.load("stock_flow", {**TRUTH, "duration": f"{minutes + 2}min", "seed": seed}).run()
    return run.to_lobster(folder)[0]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_day(tmp_path_factory.mktemp("recorded") / "day", 20)


@pytest.fixture(scope="module")
def found(day: Path) -> Calibration:
    return calibrate("stock_flow", day, OVER, fit="09:32-09:42", judge="09:42-09:52", estimate=False, **SHORT)


@pytest.mark.slow
def test_what_came_of_it(found: Calibration, tmp_path: Path) -> None:
    assert list(found.distances["stage"]) == ["before", "estimated", "after", "other half"] * 2
    assert found.distance("after", "fit") < found.distance("before", "fit")
    assert (found.distances["low"] <= found.distances["high"]).all()
    assert list(found.parameters.index) == list(OVER)
    assert found.parameters.loc["agents.splitters.rest", "before"] == "5min"
    assert len(found.trials) == 6
    table = found.table()
    assert {"spread", "volatility", "sign_memory_10"} <= set(table.index)
    # The distance is the root mean square of the statistics' own distances.
    rows = found.statistics[(found.statistics["half"] == "judge") & (found.statistics["stage"] == "after")]
    assert found.distance("after", "judge") == pytest.approx(np.sqrt((rows["distance"] ** 2).mean()))
    kept = ms.load(str(found.save(tmp_path / "calibrated.yaml"))).spec
    assert kept.to_dict() == found.spec.to_dict()
    assert "# stock_flow calibrated to STOCK, 09:32-09:42." in (tmp_path / "calibrated.yaml").read_text("utf-8")


@pytest.mark.slow
def test_workers_change_nothing_and_a_kept_study_goes_on(found: Calibration, day: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"fit": "09:32-09:42", "judge": "09:42-09:52", "estimate": False, **SHORT}
    study = tmp_path / "study.db"
    calibrate("stock_flow", day, OVER, study=study, **{**given, "trials": 4})
    counted: list[tuple[int, int]] = []
    again = calibrate("stock_flow", day, OVER, study=study, progress=lambda *now: counted.append(now), **given)
    assert counted[0] == (4, 16), "four trials were there"
    assert counted[-1] == (16, 16)
    assert again.trials["value"].tolist() == found.trials["value"].tolist()
    assert again.distances.equals(found.distances)


def test_estimates_alone_bring_a_market_closer(day: Path) -> None:
    given: dict[str, Any] = {"fit": "09:32-09:42", "judge": "09:42-09:52", **SHORT, "trials": 1}
    over = {"agents.book.cancel_rates": "x0.9..1.1"}
    market = calibrate("stock_flow", day, over, **given)
    assert market.distance("estimated", "judge") < market.distance("before", "judge")
    assert market.parameters.loc["agents.book.cancel_rates", "kind"] == "factor"
    assert (
        market.parameters.loc["agents.book.cancel_rates", "estimated"]
        != market.parameters.loc["agents.book.cancel_rates", "before"]
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fit": "17:00-18:00"}, r"fit=17:00-18:00: STOCK has no trade in it; the recording is of 09:30-09:52"),
        ({"judge": "noon"}, 'write an interval of the day such as "09:30-12:45"'),
        ({"judge": "10:00-09:00"}, "an interval ends after its start"),
        ({"over": {"agents.boook.quantity": "x0.5..2"}}, "agents.boook.quantity: the scenario writes no value there"),
        ({"over": {"agents.splitters.rst": "1min..2min"}}, "agents.splitters.rst"),
        ({"over": {"agents.book.quantity": "x2..1"}}, "from above 0 to more"),
        ({"over": {}}, "nothing varies"),
        ({"scenario": "order_flows"}, "3 instruments: name one of HAWK, POIS, QUEU"),
        ({"instrument": "STOK"}, 'unknown instrument .STOK.*did you mean "STOCK"'),
        ({"scenario": {"instruments.STOCK.tick_size": 0.05}}, "set instruments.STOCK.tick_size=0.01"),
        ({"fresh": 1}, "needs at least two"),
        ({"trials": 0}, "at least one point"),
        ({"seeds": [1, 1]}, "different seeds"),
        ({"length": "0s"}, "above zero"),
    ],
)
def test_what_does_not_fit_is_named(day: Path, changes: dict[str, Any], words: str) -> None:
    given = {"over": OVER, "fit": "09:32-09:42", "judge": "09:42-09:52", "scenario": "stock_flow", **SHORT, **changes}
    if isinstance(given["scenario"], dict):
        given["scenario"] = ms.load("stock_flow", given["scenario"])
    with pytest.raises(InvalidValueError, match=words):
        calibrate(given.pop("scenario"), day, **given)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        calibrate("stock_flow", tmp_path / "X_message_1.csv", OVER)


def test_factors_multiply_whatever_stands_there() -> None:
    assert scaled([0.2, "0.5/s", [10, "2min"]], 1.5) == [pytest.approx(0.3), "0.75/s", [15, "3min"]]
    with pytest.raises(InvalidValueError, match="is no number"):
        scaled("geometric", 2.0)
    spec = ms.load("stock_flow").spec
    knobs = Knobs.of({"agents.touch.base_rates": "x0.5..2", "agents.touch.distance": "0.1..1 log"}, spec)
    changes = knobs.changes(knobs.space.at((1.0, 0.5)))
    assert changes["agents.touch.base_rates"][2] == "0.4/s"
    assert changes["agents.touch.distance"] == pytest.approx(np.sqrt(0.1), rel=1e-5)
    assert place_of(knobs.space["agents.touch.distance"], changes["agents.touch.distance"]) == pytest.approx(
        0.5, abs=1e-5
    )


@pytest.mark.slow
def test_known_parameters_are_found_within_their_intervals(tmp_path: Path) -> None:
    """An hour and a half of the simulator's own, whose parameters nobody tells the calibration."""
    day = synthetic_day(tmp_path / "day", 90)
    found = calibrate(
        "stock_flow", day, OVER, fit="09:32-10:17", judge="10:17-11:02", estimate=False, trials=60, fresh=8, workers=2
    )
    assert found.closer
    assert found.distance("after", "judge") < 2.0
    for path, true in TRUTH.items():
        dimension = Knobs.of(OVER, found.scenario).space[path]
        row = found.parameters.loc[path]
        low, at, high = (place_of(dimension, value) for value in (row["low"], true, row["high"]))
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        assert half < 0.25, f"{path}: the interval tells nothing"
        assert abs(at - middle) < 1.5 * half, path  # 3 standard errors


@pytest.mark.statistical
@pytest.mark.parametrize("symbol", ["AMZN", "AAPL"])
def test_a_recorded_day_is_closer_on_the_half_not_seen(symbol: str) -> None:
    from marketsim.data import find_data

    folder = find_data("lobster")
    if folder is None:
        pytest.skip("recorded LOBSTER days not found: set MARKETSIM_DATA to their folder")
    path = next(file for file in folder.iterdir() if file.name.startswith(symbol) and "_message_" in file.name)
    full = bool(os.environ.get("MARKETSIM_FULL"))
    found = calibrate(
        "stock_flow", path, trials=400 if full else 60, fresh=10 if full else 4, errors=2 if full else 0,
        length=None if full else "1h", workers=2,
    )  # fmt: skip
    print(found.distances.round(2).to_string())
    assert found.closer
    assert found.distance("after", "judge") < (0.6 if full else 0.85) * found.distance("before", "judge")
    assert found.distance("after", "fit") < found.distance("estimated", "fit")
