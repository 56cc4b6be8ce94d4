"""The page and the figures of a calibration; opened in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from browsing import assert_readable, browser

import marketsim as ms
from marketsim.analysis.figures.calibration import KINDS
from marketsim.analysis.page_calibration import calibration_report, parameters_table, verdict, verdict_of
from marketsim.errors import InvalidValueError

__all__ = ["browser"]  # a fixture

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'marketsim[optimize]'")


@pytest.fixture(scope="module")
def found() -> Any:
    """A calibration to twelve minutes of the simulator's own."""
    run = ms.load("stock_flow", {"duration": "14min", "seed": 5, "agents.book.cancel_rate": "0.4/s"}).run()
    over = {"agents.book.cancel_rate": "0.05/s..1/s log", "agents.book.quantity": "x0.8..1.2"}
    return ms.calibrate(
        "stock_flow", run, over, fit="09:32-09:38", judge="09:38-09:44", estimate=False, trials=4, fresh=2, steps=0,
        errors=1, workers=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(found: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return calibration_report(found, tmp_path_factory.mktemp("page") / "calibration.html")


def test_it_tells_both_halves_the_parameters_and_the_method(written: Path, found: Any) -> None:
    text = written.read_text(encoding="utf-8")
    assert written.stat().st_size < 5_000_000
    assert text.count("<figure") == len(KINDS)
    for words in ("fitted half", "judged half", "the other recorded half", "estimated", "CMA-ES", "09:38 to 09:44"):
        assert words in text
    assert verdict(found).split(":")[0] in text
    assert "agents.book.cancel_rate" in text.replace("<wbr>", "")
    addresses = re.findall(r"""(?:src|srcset|href)="([^"]*)\"""", text)
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_parameters_are_values_of_the_scenario_that_is_written(found: Any) -> None:
    row = found.parameters.loc["agents.book.quantity"]  # searched by a factor
    assert row["kind"] == "value"
    assert row["value"] == found.spec.to_dict()["agents"]["book"]["quantity"]
    assert row["low"] <= row["value"] <= row["high"]
    assert row["estimated"] == row["before"]
    told = parameters_table(found)
    assert list(told.columns) == ["before", "estimated", "value", "range"]
    assert not any("×" in cell for cell in told.to_numpy().ravel())


def test_it_says_how_long_each_side_of_a_figure_is(written: Path, found: Any) -> None:
    text = written.read_text(encoding="utf-8")
    assert "Recorded: the judged half, 09:38 to 09:44, 6 minutes. Simulated: a run of 6 minutes before" in text
    assert "Their lengths differ" not in text
    drawn = found.figure("prices")
    assert len({axes.get_xlim() for axes in drawn.axes}) == 1, "one scale"
    assert {axes.get_xlabel() for axes in drawn.axes} == {"minutes since the start"}


def test_of_a_list_the_factor_is_told(found: Any) -> None:
    lists = found.parameters.assign(kind="factor", before=[[1, 2]] * 2, estimated=[[2, 4]] * 2, value=0.5, low=0.25)
    told = parameters_table(SimpleNamespace(parameters=lists.assign(high=1.0)))  # type: ignore[arg-type]
    assert told.iloc[0].tolist() == ["2 numbers", "2 numbers", "each ×0.5", "each ×0.25 … each ×1"]


def test_verdicts_of_statistics() -> None:
    told = [verdict_of(z) for z in (0.0, -2.0, 3.0, 4.1, -9.0, float("nan"))]
    assert told == ["agrees", "agrees", "near", "too high", "too low", "not told"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_figure_shows_before_and_after(found: Any, kind: str) -> None:
    figure = found.figure(kind, half="fit", width=4.2)
    if kind == "prices":
        words = {axes.get_title(loc="left").removeprefix("Mid, ") for axes in figure.axes}
    else:
        words = {text.get_text() for axes in figure.axes for text in axes.get_legend().get_texts()}
    assert words == ({"before", "after"} if kind == "statistics" else {"recorded", "before", "after"})
    assert all(axes.get_xlabel() for axes in figure.axes)


def test_an_unknown_picture_is_named(found: Any) -> None:
    with pytest.raises(InvalidValueError, match="did you mean"):
        found.figure("price")
    with pytest.raises(InvalidValueError, match="half="):
        found.figure("prices", half="fitt")
    with pytest.raises(InvalidValueError, match="stage="):
        found.run("later")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser_nothing_is_missing_or_asked_for(browser: Any, written: Path, width: int) -> None:
    assert_readable(browser, written, width, pictures=len(KINDS), sections=7)
