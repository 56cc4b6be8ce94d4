"""The report of a sweep: everything on one page that asks for nothing, opened in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import assert_readable, browser
from test_sweep_table import runs

from marketsim.analysis.page_sweep import interval_text, sweep_report

__all__ = ["browser"]  # a fixture

PATHS = ["agents.market_maker.target_spread", "network.latency.median", "agents.noise.side"]
MEASURES = ["market.ABC.spread_bps", "agents.market_maker.pnl"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    points = [(n % 4 / 100 + 0.01, 100.0 + 37 * n, "buy" if n % 2 else "sell") for n in range(24)]
    table = runs(points, PATHS, lambda spread, lag, side, seed: spread * 100 + lag / 1e3 + np.sin(seed))
    table = table.rename(columns={"m": MEASURES[0]})
    table[MEASURES[1]] = table[MEASURES[0]] * -40
    table.loc[7, "status"], table.loc[7, "error"] = "failed", "AgentError: <b>boom</b>"
    table.loc[7, MEASURES] = np.nan
    return sweep_report(
        table, PATHS, MEASURES, tmp_path_factory.mktemp("sweep") / "deep" / "report.html", title="Sweep of <small>",
        units={PATHS[1]: "us"}, log=[PATHS[1]], runs=75, varied=["a: 1, 2"], design="a grid",
        manifest={"seeds": [1, 2]},
    )  # fmt: skip


def test_it_holds_what_varies_what_it_does_and_what_failed(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "<h1>Sweep of &lt;small&gt;</h1>" in text
    assert "24 points, a grid, each under the same 3 seeds" in text
    assert "Not complete: 72 of 75 runs are over." in text
    assert "AgentError: &lt;b&gt;boom&lt;/b&gt;" in text
    assert "<code>a: 1, 2</code>" in text
    assert text.count("<figure") == 1
    assert "nan" not in re.sub(r'"data:[^"]*"', "", text).lower()
    assert written.stat().st_size < 5_000_000
    assert "<script" not in text


def test_the_caption_fits_the_figure(tmp_path: Path) -> None:
    def caption(*paths: str) -> str:
        table = runs([(a, b) for a in (1.0, 2.0) for b in (1.0, 2.0)][:: 3 - len(paths)], PATHS[:2], _sum)
        return sweep_report(table, paths, ["m"], tmp_path / "page.html").read_text(encoding="utf-8")

    assert "shows means over the seeds only" in caption(*PATHS[:2])
    assert "Bars are" not in caption(*PATHS[:2])
    assert "Dots are means over the seeds, bars their 95 % intervals." in caption(PATHS[0])


def _sum(one: float, other: float, seed: int) -> float:
    return one + other + float(np.sin(seed))


def test_a_mean_is_told_with_two_digits_of_its_uncertainty() -> None:
    assert interval_text(12.3456, 12.2, 12.4912) == "12.35 ± 0.15"
    assert interval_text(-1234.5, -1334.5, -1134.5) == "−1,234 ± 100"
    assert interval_text(3.0, float("nan"), float("nan")) == "3.0"
    assert interval_text(float("nan"), float("nan"), float("nan")) == "–"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser_nothing_is_missing_asked_for_or_wider_than_the_screen(
    browser: Any, written: Path, width: int
) -> None:
    assert_readable(browser, written, width, pictures=1, sections=6)
