"""What `run` and `report` say of markets whose traders have units with values."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pytest

from marketsim.agents.assignment import schedule_of
from marketsim.analysis import double_auction
from marketsim.cli.bargains import bargains
from marketsim.results.run import Run

AUCTION = """
name: auction
seed: 5
duration: 20s
venues: {XSIM: {}}
instruments: {ABC: {tick_size: 0.01, reference_price: 100}}
agents:
  buyer: {type: zero_intelligence, count: 4, side: buy, values: [125, 75], steps: 4, period: 10s, rate: 2/s}
  seller: {type: zero_intelligence, count: 4, side: sell, values: [75, 125], steps: 4, period: 10s, rate: 2/s}
"""


def test_efficiency_and_alpha_are_told_by_run(marketsim: Any, place: Path) -> None:
    (place / "auction.yaml").write_text(AUCTION, encoding="utf-8")
    ran = marketsim("run", "auction.yaml", "--no-report", "--out", "done")
    run = Run.open(place / "done")
    found = double_auction(run, schedule_of(run))
    words = f"ABC: efficiency {found.efficiency:.3f}, Smith's alpha {found.alpha:.1f} %"
    assert 0.5 < found.efficiency <= 1.0
    assert words in ran.stdout
    assert f"buyer {found.families()['ratio']['buyer']:.2f}, seller" in ran.stdout


@pytest.mark.slow
def test_report_and_its_page_tell_them_too(marketsim: Any, place: Path) -> None:
    (place / "auction.yaml").write_text(AUCTION, encoding="utf-8")
    ran = marketsim("run", "auction.yaml", "--no-report", "--out", "done")
    (words,) = [line for line in ran.stdout.splitlines() if "efficiency" in line]
    assert words in marketsim("report", "done").stdout
    page = (place / "done" / "report.html").read_text(encoding="utf-8")
    assert escape(words) in page


@pytest.mark.parametrize(
    "more",
    [
        "  noise: {type: noise, count: 20, rate: 5/s}",  # trades without units
        "  odd: {type: zero_intelligence, side: buy, values: [125, 75], steps: 4, period: 5s, rate: 2/s}",
    ],
)
def test_nothing_is_told_where_no_one_schedule_holds(marketsim: Any, place: Path, more: str) -> None:
    (place / "auction.yaml").write_text(AUCTION + more, encoding="utf-8")
    ran = marketsim("run", "auction.yaml", "--no-report", "--out", "done")
    assert ran.exit_code == 0
    assert "efficiency" not in ran.stdout


def test_nothing_is_told_of_other_markets(kept_run: Path) -> None:
    assert bargains(Run.open(kept_run)) == []
