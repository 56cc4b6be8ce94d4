"""Views to zoom into: what is packed is what the tables say, small, and thinned by its extremes."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SECOND, by_hand, market

from marketsim.analysis import explorer
from marketsim.analysis.explorer import NOTHING, _packed, _thin, book_view, price_view, script
from marketsim.analysis.page_parts import document, hash_of
from marketsim.analysis.tape import Tape


def data_of(view: str) -> dict[str, Any]:
    """What a view holds."""
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', view)
    return dict(json.loads(text))


def unpacked(text: str) -> np.ndarray[Any, Any]:
    """As the script does it."""
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4"), dtype=np.int32)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40))
def test_numbers_are_packed_without_loss(values: list[int]) -> None:
    assert unpacked(_packed(np.array(values, dtype=np.int64))).tolist() == values


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=400), st.integers(12, 60))
def test_thinning_keeps_the_extremes_and_the_end(values: list[int], most: int) -> None:
    array = np.array(values)
    kept = _thin(np.arange(len(array)), [array, -array], most)
    assert np.all(np.diff(kept) > 0)
    assert array[kept].min() == array.min()
    assert array[kept].max() == array.max()
    assert kept[0] == 0
    assert len(kept) <= max(most + 2 * len(array) // most + 3, 1)


def test_prices_are_those_of_the_tape() -> None:
    quotes = [(1 * SECOND, 99.0, 1, 101.0, 2), (2 * SECOND, 99.0, 1, float("nan"), 0), (5 * SECOND, 98.0, 1, 100.0, 1)]
    trades = [
        {"time": 3 * SECOND, "price": 99.0, "quantity": 2.0, "side": -1},
        {"time": 4 * SECOND, "price": 101.0, "quantity": 3.0, "side": 1},
    ]
    tape = Tape.of(by_hand(trades, quotes))
    data = data_of(price_view(tape))
    tick = tape.tick
    times = unpacked(data["time"]).astype(np.int64) * data["unit"]
    assert np.abs(times - [t[0] - tape.start for t in quotes]).max() < data["unit"]
    assert (unpacked(data["bid"]) * tick).tolist() == pytest.approx([99.0, 99.0, 98.0])
    assert unpacked(data["ask"])[1] == NOTHING
    assert (unpacked(data["tradePrice"]) * tick).tolist() == pytest.approx([99.0, 101.0])
    assert (unpacked(data["tradeLots"]) * tape.lot).tolist() == pytest.approx([-2.0, 3.0])
    assert unpacked(data["volume"]).sum() * tape.lot == pytest.approx(5.0)


def test_the_book_shows_bids_below_asks_and_more_as_darker() -> None:
    tables = market(3, quotes=400, trades=100, minutes=1)
    tape = Tape.of(tables)
    data = data_of(book_view(tables, tape))
    cells = np.frombuffer(zlib.decompress(base64.b64decode(data["cells"])), np.uint8)
    cells = cells.reshape(data["rows"], data["columns"])
    book = tables.depth(10, tape.symbol, data["step"])
    last = book.iloc[-1]
    height = (data["high"] - data["low"]) / data["rows"]
    for side, offset in (("bid", 0), ("ask", 128)):
        row = int((last[f"{side}_1"] - data["low"]) / height)
        shade = int(cells[row, -1])
        assert 1 <= shade - offset <= 127
        quantity = data["least"] * (data["top"] / data["least"]) ** ((shade - offset - 1) / 126)
        expected = np.clip(last[f"{side}_quantity_1"], data["least"], data["top"])
        assert quantity == pytest.approx(expected, rel=0.05)


def test_a_long_tape_stays_small_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "MOST_QUOTES", 500)
    monkeypatch.setattr(explorer, "MOST_TRADES", 300)
    tape = Tape.of(market(4, quotes=5000, trades=2000, minutes=2))
    view = price_view(tape)
    assert "Of 5,000 quotes and 2,000 trades the extremes of short stretches are shown." in view
    data = data_of(view)
    assert len(unpacked(data["time"])) <= 520
    assert unpacked(data["bid"]).min() == np.rint(np.nanmin(tape.bid) / tape.tick)


def test_nothing_to_show_is_nothing() -> None:
    assert price_view(Tape.of(by_hand())) == ""


def test_a_page_permits_this_script_alone() -> None:
    page = document("x", [], script())
    assert f"script-src '{hash_of(script())}'" in page
    assert "script-src" not in document("x", [])
    assert "</script" not in script()
