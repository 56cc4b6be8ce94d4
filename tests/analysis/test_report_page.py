"""The report: complete, self-contained, small, quick, written whole or not at all; opened in a real browser."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from browsing import assert_readable, browser
from synthetic import SECOND, by_hand, market

import marketsim as ms
from marketsim.analysis import page, page_parts, picture, report
from marketsim.domain.instrument import Instrument
from marketsim.errors import StoreError

__all__ = ["browser"]  # a fixture

FEW = {"agents.fundamental.count": 4, "agents.noise.count": 3, "agents.fundamental.rate": "1/h"}
TABLES = market(8, quotes=20_000, trades=6000, minutes=10)
MANIFEST = {"scenario": "quickstart", "seed": 7, "nested": {"path": Path("a/b"), "html": "<script>alert(1)</script>"}}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return report(
        TABLES, folder / "deep" / "report.html", title="Makers & <takers>", manifest=MANIFEST, notice="Stopped."
    )


def test_it_holds_headlines_tables_figures_and_the_manifest(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "<h1>Makers &amp; &lt;takers&gt;</h1>" in text
    assert "Stopped." in text
    assert ">6,000</b><span>trades" in text
    assert text.count("<figure") == 10 + 2  # random cancels give alerts, and so a picture of them; two to zoom into
    for words in ("noise", "learner", "adverse selection", "Kyle&#x27;s lambda", "Sharpe", "CVaR"):
        assert words in text
    assert "seed: 7" in text
    assert "path: a/b" in text
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json">'] * 2 + ["<script>"]
    assert "&lt;script&gt;" in text


def test_it_asks_nothing_of_any_network(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    addresses = re.findall(r"""(?:src|srcset|href)="([^"]*)\"""", text)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    outside = re.sub(r'"data:[^"]*"', '""', text)
    assert "fetch(" not in outside
    assert "script-src 'sha256-" in outside
    assert "http://" not in outside
    assert "https://" not in outside
    assert "url(" not in outside
    assert "@import" not in outside


def test_every_figure_has_words_for_those_who_cannot_see_it(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    words = re.findall(r'<img [^>]*alt="([^"]*)"', text)
    assert len(words) == 10
    assert len(set(words)) == 10
    assert all(len(alt) > 15 for alt in words)


@pytest.mark.slow
def test_it_is_small_and_made_in_seconds(tmp_path: Path) -> None:
    tables = market(1)  # 30 minutes, 300 agents, 50 thousand trades, 150 thousand quotes
    report(TABLES, tmp_path / "first.html")  # fonts and libraries are loaded
    begun = time.process_time()
    path = report(tables, tmp_path / "report.html")
    assert path.stat().st_size < 5_000_000
    assert time.process_time() - begun < 8.0  # about 3.4 s alone on a slow core


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    tables = market(2, quotes=600, trades=200, minutes=1, levels=2)
    one, other = (report(tables, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert one == other


def test_an_old_report_survives_a_failed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=r"report\.html.*No space left"):
        report(by_hand(), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_page_of_many_instruments_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = [f"S{n}" for n in range(5)]
    quotes = [(n * SECOND, 99.0, 1, 101.0 + n % 2, 1, symbol) for n in range(90) for symbol in symbols]
    tables = by_hand([], quotes, instruments=[Instrument(symbol) for symbol in symbols])
    monkeypatch.setattr(page, "ROOM", 100_000)
    text = report(tables, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h3>S0</h3>" in text
    assert "<h3>S4</h3>" not in text
    assert "No figures, to keep this page small: " in text
    assert ">S4</th>" in text  # its numbers are there all the same


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        (
            "volatility_halt",
            {"start": "10:08", "end": "10:14", "timeline[1].at": "5min"},
            ["price, phases and", "the first auction"],
        ),
        ("three_days", {"start": "17:00", "end": "2026-03-09 09:20", **FEW}, ["each trading day"]),
        ("fee_wars", {"duration": "5s"}, ["who takes and makes where"]),
        ("perpetual", {"duration": "5s", "instruments.COIN-PERP.funding_every": "2s"}, ["mark and index"]),
        ("quickstart", {"duration": "5s"}, []),
    ],
)  # fmt: skip
def test_mechanisms_are_shown_where_there_are_some(
    name: str, changes: dict[str, Any], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_parts, "image", lambda wide, narrow, alt, words: f"[{alt}]")
    monkeypatch.setattr(picture, "picture", lambda figure: b"")
    run = ms.load(name, {"warm_up": "0s", **changes}).run()
    text = report(run, tmp_path / "r.html").read_text(encoding="utf-8")
    words = [
        "price, phases and",
        "each trading day",
        "the first auction",
        "who takes and makes where",
        "mark and index",
    ]
    assert [part for part in words if part in text] == expected
    assert ("+ funding = P&amp;L" in text) == (name == "perpetual")


def test_a_market_without_anything_still_has_a_page(tmp_path: Path) -> None:
    text = report(by_hand(), tmp_path / "r.html").read_text(encoding="utf-8")
    assert "ABC: no quotes and no trades" not in text  # that is in the picture
    assert "nan" not in re.sub(r'"data:[^"]*"', "", text).lower().replace("financ", "")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser_nothing_is_missing_asked_for_or_wider_than_the_screen(
    browser: Any, written: Path, width: int
) -> None:
    assert_readable(browser, written, width, pictures=10, sections=5)
    _zoom_into_every_view(browser, written, width)


def _zoom_into_every_view(browser: Any, page: Path, width: int) -> None:
    """Wheel, keys, dragging and a double click change what is drawn, and the last brings all of it back."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_selector("figure.explorer:not([hidden]) >> nth=1")
    tab.wait_for_timeout(200)
    views = tab.query_selector_all("figure.explorer canvas")
    assert len(views) == 2
    pixels = "c => c.toDataURL()"
    for view in views:
        view.scroll_into_view_if_needed()
        box = view.bounding_box()
        whole = view.evaluate(pixels)
        assert view.evaluate("c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 20"), (
            "an empty view"
        )
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
        tab.mouse.wheel(0, 1)  # the page scrolls while nobody has clicked
        view.scroll_into_view_if_needed()
        box = view.bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 60)
        seen = [whole]
        for act in (
            lambda: tab.mouse.wheel(0, -400),
            lambda: tab.keyboard.press("ArrowRight"),
            lambda: tab.keyboard.press("+"),
        ):
            act()
            tab.wait_for_timeout(120)
            seen.append(view.evaluate(pixels))
        assert len(set(seen)) == 4
        tab.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + 60)
        tab.mouse.move(5, 5)
        tab.wait_for_timeout(120)
        assert view.evaluate(pixels) == whole
    assert complaints == []
    tab.close()


def test_risk_is_told_where_there_is_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_parts, "image", lambda wide, narrow, alt, words: f"[{alt}]")
    monkeypatch.setattr(picture, "picture", lambda figure: b"")
    changes = {"duration": "20s", "warm_up": "0s", "timeline[0].at": "10s", "agents.taker.limits.max_order": 5}
    run = ms.load("risk_limits", changes).run()
    text = report(run, tmp_path / "r.html").read_text(encoding="utf-8")
    section = text[text.index('<section id="risk">') :]
    assert "Stopped: maker.0, maker.1. " in section
    assert section.count("the kill switch was thrown") == 2
    assert '<a href="#risk">Risk</a>' in text
    refused = int((run.risk["rule"] == "size").sum())
    assert refused > 10
    assert f"{int((run.risk['action'] == 'refuse').sum()):,} requests were refused" in section
    assert "[P&L of the strategies that risk control warned or stopped]" in section
    assert "position could reach" not in section, "refusals are counted, not listed"
