"""Indicators: against TA-Lib on random and recorded bars, by hand where it has none, warm-up, constant cost, names."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents import indicators as room
from marketsim.agents.indicators import INDICATORS, Indicator, make, parse_line
from marketsim.agents.indicators.base import Highest, Moments
from marketsim.data import find_data
from marketsim.errors import InvalidValueError

RECORDED = find_data("bars")


class Bar(NamedTuple):
    """A bar in floats."""

    open: float
    high: float
    low: float
    close: float
    volume: float


def random_bars(seed: int = 1, length: int = 400) -> list[Bar]:
    """A walk with gaps, quiet stretches, and bars that repeat the one before."""
    draw = np.random.default_rng(seed)
    bars: list[Bar] = []
    price = 100.0
    for _ in range(length):
        first = price * math.exp(0.002 * draw.standard_normal())
        price = first * math.exp(0.01 * draw.standard_normal())
        high = max(first, price) * (1 + 0.004 * draw.random())
        low = min(first, price) * (1 - 0.004 * draw.random())
        bars.append(
            bars[-1] if bars and draw.random() < 0.02 else Bar(first, high, low, price, int(draw.integers(0, 5_000)))
        )
    return bars


def recorded_bars(name: str, length: int = 1_500) -> list[Bar]:
    """The first bars of a recorded file, prices in ticks of 0.01: equal prices are then equal numbers."""
    if RECORDED is None:
        pytest.skip("no recorded data: set MARKETSIM_DATA or put them into ../shared/data")
    with gzip.open(RECORDED / name, "rt", encoding="utf-8") as file:
        next(file)
        rows = [line.split(",")[1:] for _, line in zip(range(length), file, strict=False)]
    return [Bar(*(float(round(100 * float(price))) for price in row[:4]), float(row[4])) for row in rows]


BARS: dict[str, Callable[[], list[Bar]]] = {
    "random": random_bars,
    "minutes": lambda: recorded_bars("BTCUSD_1m_coinbase.csv.gz"),
    "days": lambda: recorded_bars("SPY_1d_1998_2021.csv.gz"),
}


def seen_by(indicator: Indicator, bar: Bar) -> Any:
    """What an indicator takes of a bar."""
    return {"price": bar.close, "volume": bar.volume, "bar": bar}[indicator.OF]


def lines_of(text: str, bars: list[Bar]) -> dict[str, np.ndarray]:
    """All lines of an indicator after each bar."""
    indicator = make(text)
    rows = []
    for bar in bars:
        assert indicator.update(seen_by(indicator, bar)) == pytest.approx(indicator.value, nan_ok=True, abs=0)
        rows.append([getattr(indicator, name) for name in indicator.LINES])
    return dict(zip(indicator.LINES, np.array(rows, dtype=float).T, strict=True))


ORACLES: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "sma(10)": lambda ta, b: {"value": ta.SMA(b.close, 10)},
    "ema(12)": lambda ta, b: {"value": ta.EMA(b.close, 12)},
    "wma(9)": lambda ta, b: {"value": ta.WMA(b.close, 9)},
    "dema(8)": lambda ta, b: {"value": ta.DEMA(b.close, 8)},
    "tema(6)": lambda ta, b: {"value": ta.TEMA(b.close, 6)},
    "kama(10)": lambda ta, b: {"value": ta.KAMA(b.close, 10)},
    "rsi(14)": lambda ta, b: {"value": ta.RSI(b.close, 14)},
    "cmo(14)": lambda ta, b: {"value": ta.CMO(b.close, 14)},
    "macd(12, 26, 9)": lambda ta, b: dict(
        zip(("value", "signal", "histogram"), ta.MACD(b.close, 12, 26, 9), strict=True)
    ),
    "momentum(10)": lambda ta, b: {"value": ta.MOM(b.close, 10)},
    "roc(10)": lambda ta, b: {"value": ta.ROC(b.close, 10)},
    "trix(5)": lambda ta, b: {"value": ta.TRIX(b.close, 5)},
    "stochastic(14, 3, 3)": lambda ta, b: dict(
        zip(("value", "d"), ta.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0), strict=True)
    ),
    "williams_r(14)": lambda ta, b: {"value": ta.WILLR(b.high, b.low, b.close, 14)},
    "cci(20)": lambda ta, b: {"value": ta.CCI(b.high, b.low, b.close, 20)},
    "true_range": lambda ta, b: {"value": ta.TRANGE(b.high, b.low, b.close)},
    "atr(14)": lambda ta, b: {"value": ta.ATR(b.high, b.low, b.close, 14)},
    "natr(14)": lambda ta, b: {"value": ta.NATR(b.high, b.low, b.close, 14)},
    "deviation(10)": lambda ta, b: {"value": ta.STDDEV(b.close, 10)},
    "bollinger(20, 2)": lambda ta, b: dict(
        zip(("upper", "value", "lower"), ta.BBANDS(b.close, 20, 2.0, 2.0), strict=True)
    ),
    "donchian(20)": lambda ta, b: {"upper": ta.MAX(b.high, 20), "lower": ta.MIN(b.low, 20)},
    "adx(14)": lambda ta, b: {
        "value": ta.ADX(b.high, b.low, b.close, 14),
        "plus": ta.PLUS_DI(b.high, b.low, b.close, 14),
        "minus": ta.MINUS_DI(b.high, b.low, b.close, 14),
    },
    "aroon(14)": lambda ta, b: dict(zip(("down", "up"), ta.AROON(b.high, b.low, 14), strict=True)),
    "slope(14)": lambda ta, b: {"value": ta.LINEARREG_SLOPE(b.close, 14)},
    "volume_average(20)": lambda ta, b: {"value": ta.SMA(b.volume, 20)},
    "obv": lambda ta, b: {"value": ta.OBV(b.close, b.volume)},
    "mfi(14)": lambda ta, b: {"value": ta.MFI(b.high, b.low, b.close, b.volume, 14)},
    "accumulation": lambda ta, b: {"value": ta.AD(b.high, b.low, b.close, b.volume)},
}
BY_HAND = {"ichimoku", "keltner", "supertrend", "vwap"}  # TA-Lib has none


class Columns(NamedTuple):
    """Bars as columns."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray


def still(text: str, bars: Columns, length: int) -> np.ndarray:
    """Where nothing moved in the window, so that a scale has no meaning: TA-Lib answers 0 there, ours the middle."""
    if not text.startswith(("stochastic", "williams_r")):
        return np.zeros(len(bars.close), dtype=bool)
    windows = np.lib.stride_tricks.sliding_window_view
    flat = np.zeros(len(bars.close), dtype=bool)
    flat[length - 1 :] = windows(bars.high, length).max(axis=1) == windows(bars.low, length).min(axis=1)
    reach = 5 if text.startswith("stochastic") else 1  # its smoothing remembers
    return np.convolve(flat, np.ones(reach, dtype=int))[: len(flat)] > 0


@pytest.mark.parametrize("source", BARS)
@pytest.mark.parametrize("text", ORACLES)
def test_agrees_with_talib(text: str, source: str) -> None:
    """To 1e-9 of the value, and of the scale of what it was computed from: TA-Lib's own sums round at 1e-16 of that."""
    talib = pytest.importorskip("talib", reason="TA-Lib, the oracle, is not installed")
    bars = BARS[source]()
    columns = Columns(*np.array(bars, dtype=float).T)
    ours, theirs = lines_of(text, bars), ORACLES[text](talib, columns)
    scale = np.nanmax(np.abs(columns.volume if make(text).OF == "volume" else columns.close))
    tolerance = {"deviation(10)": 1e-7, "bollinger(20, 2)": 1e-7}.get(text, 1e-12)  # it subtracts squares of prices
    for name, expected in theirs.items():
        known = ~np.isnan(expected)
        assert known.any()
        assert np.array_equal(known, ~np.isnan(ours[name])), f"{name}: first value at another bar"
        compared = known & ~still(text, columns, 14)
        np.testing.assert_allclose(
            ours[name][compared], expected[compared], rtol=1e-9, atol=tolerance * scale, err_msg=name
        )


def test_everything_is_checked_somewhere() -> None:
    assert {parse_line(text).indicator for text in ORACLES} | BY_HAND == set(INDICATORS)
    assert list(INDICATORS) == sorted(INDICATORS)
    assert set(INDICATORS.values()) <= {getattr(room, name) for name in room.__all__ if name != "INDICATORS"}


@pytest.mark.parametrize("name", INDICATORS)
def test_the_first_value_comes_when_it_says(name: str) -> None:
    indicator = make(name)
    for number, bar in enumerate(random_bars(3, indicator.warm_up), start=1):
        if number > 1:
            assert indicator.ready is (name == "vwap" or name == "accumulation" or name == "obv")
        indicator.update(seen_by(indicator, bar))
    assert indicator.ready
    assert all(getattr(indicator, line) == getattr(indicator, line) for line in indicator.LINES)


@pytest.mark.parametrize(
    ("text", "middle"), [("rsi", 50.0), ("cmo", 0.0), ("stochastic", 50.0), ("williams_r", -50.0), ("mfi", 50.0)]
)
def test_a_price_that_stands_still_is_in_the_middle_of_every_scale(text: str, middle: float) -> None:
    lines = lines_of(text, [Bar(100, 100, 100, 100, 10)] * 40)
    assert lines["value"][-1] == middle


def test_bollinger_of_a_high_price_keeps_its_digits() -> None:
    """Prices of a million that move by cents: squares of prices would leave two digits."""
    prices = [1_000_000 + 0.01 * (number % 5) for number in range(60)]
    bands = make("bollinger(20, 2)")
    for price in prices:
        bands.update(price)
    width = 2 * math.sqrt(0.0002)  # of 0, 0.01 … 0.04: the variance is 2e-4
    assert bands.upper - bands.value == pytest.approx(width, rel=1e-7)  # type: ignore[attr-defined]


def test_a_simple_average_does_not_drift() -> None:
    """Large values that have left the window leave nothing behind."""
    average = make("sma(3)")
    for value in [1e16, 1.0, 3.0, 1e16, 1.0, 2.0, 3.0, 4.0, 5.0]:
        average.update(value)
    assert average.value == 4.0


def test_supertrend_by_hand() -> None:
    """Average of one true range, multiple 1: the line follows, stays, turns, and follows on the other side."""
    bars = [
        Bar(10, 11, 9, 10, 1),  # no true range yet
        Bar(10, 12, 10, 12, 1),  # range 2, middle 11: up, line 9
        Bar(12, 14, 12, 13, 1),  # range 2, middle 13: line 11
        Bar(13, 13, 11, 12, 1),  # range 2, middle 12: 10 would be lower, so 11 stays
        Bar(12, 12, 8, 9, 1),  # range 4, middle 10: 11 stays, the close is below: down, line 14
        Bar(9, 10, 8, 9, 1),  # range 2, middle 9: line 11
        Bar(9, 13, 9, 12, 1),  # range 4, middle 11: 11 stays, the close is above: up, line 7
    ]
    lines = lines_of("supertrend(1, 1)", bars)
    assert lines["value"][1:].tolist() == [9, 11, 11, 14, 11, 7]
    assert lines["direction"][1:].tolist() == [1, 1, 1, -1, -1, 1]


def test_ichimoku_by_hand() -> None:
    """Ranges of 2, 3 and 4 bars, drawn 2 bars ahead, on bars whose middles are easy."""
    highs = [4, 6, 8, 10, 12, 10, 8]
    bars = [Bar(high - 1, high, high - 2, high - 1, 1) for high in highs]
    lines = lines_of("ichimoku(2, 3, 4, 2)", bars)
    assert lines["conversion"][1:].tolist() == [4, 6, 8, 10, 10, 8]
    assert lines["base"][2:].tolist() == [5, 7, 9, 10, 9]
    assert lines["ahead_a"][2:].tolist() == [5.5, 7.5, 9.5, 10, 8.5]
    assert lines["ahead_b"][3:].tolist() == [6, 8, 9, 9]  # (10+2)/2, (12+4)/2, (12+6)/2, (12+6)/2
    assert lines["span_a"][5:].tolist() == [7.5, 9.5]  # of two bars before
    assert lines["span_b"][5:].tolist() == [6, 8]
    assert lines["top"][5:].tolist() == [7.5, 9.5]
    assert lines["bottom"][5:].tolist() == [6, 8]
    assert lines["lagging"][5:].tolist() == [9, 11]


def test_keltner_by_hand() -> None:
    bars = [Bar(10, 11, 9, 10, 1), Bar(10, 13, 10, 13, 1), Bar(13, 16, 13, 16, 1)]
    lines = lines_of("keltner(2, 2, 1)", bars)
    # averages: 11.5, then 11.5 + 2/3 · 4.5 = 14.5; ranges 3 and 3
    assert lines["value"][1:].tolist() == [11.5, 14.5]
    assert lines["upper"][1:].tolist() == [17.5, 20.5]
    assert lines["lower"][1:].tolist() == [5.5, 8.5]


def test_vwap_by_hand() -> None:
    bars = [Bar(10, 12, 9, 12, 10), Bar(12, 15, 12, 12, 30), Bar(12, 12, 12, 12, 0), Bar(12, 21, 18, 21, 20)]
    assert lines_of("vwap", bars)["value"].tolist() == pytest.approx([11, 12.5, 12.5, (110 + 390 + 400) / 60])
    assert lines_of("vwap(2)", bars)["value"].tolist() == pytest.approx([11, 12.5, 13, 20])
    anchored = make("vwap")
    anchored.update(bars[0])
    anchored.restart()  # type: ignore[attr-defined]
    assert not anchored.ready
    assert anchored.update(bars[1]) == 13


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.integers(1, 9))
def test_moving_extremes_and_moments_are_those_of_the_window(values: list[int], length: int) -> None:
    highest, moments = Highest(length), Moments(length)
    for number, value in enumerate(values, start=1):
        window = values[max(0, number - length) : number]
        assert highest.update(value) == max(window)
        assert highest.age == window[::-1].index(max(window))
        assert moments.update(value) is (number >= length)
        if number >= length:
            assert moments.mean == pytest.approx(np.mean(window), abs=1e-12)
            assert moments.variance == pytest.approx(np.var(window), abs=1e-10)


@given(st.integers(0, 2**32), st.sampled_from(sorted(INDICATORS)))
def test_nothing_looks_ahead(seed: int, name: str) -> None:
    """What is known after some bars is the same whatever comes later."""
    bars = random_bars(seed % 50, 100)
    whole, part = lines_of(name, bars), lines_of(name, bars[:80])
    for line, values in part.items():
        np.testing.assert_array_equal(whole[line][:80], values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rsl(14)", "no indicator is called 'rsl'; did you mean \"rsi\""),
        ("ema(0)", "ema: period: 0 must be a whole number from 1 to 1,000,000"),
        ("ema(2.5)", "must be a whole number"),
        ("sma(1e9)", "must be a whole number from 1 to 1,000,000"),
        ("macd(30, 26)", "macd: fast: 30 must be less than slow, 26"),
        ("ichimoku(9, 60)", "medium: 60 must lie between"),
        ("bollinger(20, 0)", "deviations: 0 must be a number above 0"),
        ("ema(1, 2)", r"ema\(1, 2\) says too much: ema takes \(period\)"),
        ("obv(3)", "nothing in parentheses"),
        ("macd.sigal", "macd has no line 'sigal'; did you mean \"signal\""),
        ("rsi(x)", "parameters are numbers"),
        ("rsi(14", "is no line"),
        ("", "is no line"),
        (None, "is no line"),
        (True, "is no line"),
        (float("nan"), "no finite number"),
        ("close.high", "no indicator is called 'close'"),
    ],
)
def test_bad_lines_are_refused(text: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        parse_line(text)


def test_lines_have_one_form() -> None:
    assert str(parse_line(" macd( 12 ,26).signal ")) == "macd(12, 26, 9).signal"
    assert str(parse_line("rsi")) == "rsi(14)"
    assert str(parse_line("close")) == "close"
    assert str(parse_line(30.0)) == "30"
    assert parse_line(parse_line("obv")) == parse_line("obv")
    assert str(parse_line("obv")) == "obv"
    with pytest.raises(InvalidValueError, match="is no indicator"):
        make("close")
