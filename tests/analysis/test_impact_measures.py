"""Mark-outs, response function and Kyle's lambda: by hand, against a planted impact, against scipy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, by_hand, market

from marketsim.analysis import effective_spread, kyle_lambda, mark_outs, realized_spread, response_function
from marketsim.analysis.tape import Tape
from marketsim.errors import InvalidValueError

AGENTS = [
    {"name": "mm", "family": "makers", "type": "M"},
    {"name": "m2", "family": "makers", "type": "M"},
    {"name": "t", "family": "takers", "type": "T"},
]
QUOTES = [(0, 99.0, 1, 101.0, 1), (11 * SECOND, 101.0, 1, 103.0, 1), (40 * SECOND, 95.0, 1, 97.0, 1)]


def trade(at: float, side: int, price: float, quantity: float = 1.0, maker: str = "mm") -> dict[str, object]:
    when = int(at * SECOND)
    return {"time": when, "side": side, "price": price, "quantity": quantity, "taker": "t", "maker": maker}


def test_mark_outs_of_makers_and_takers_mirror_each_other() -> None:
    tables = by_hand([trade(10, 1, 101.0, 3.0), trade(20, -1, 101.0, 1.0)], QUOTES, agents=AGENTS)
    maker = mark_outs(tables, [0, "2s", "30s", "85s"])
    # Horizon 0: half spreads 1 and 1. After 2 s the first is at 102 (-1), the second still at 102 (+1).
    # After 30 s both stand at 96: the first sold at 101 (+5), the second bought at 101 (-5). 85 s: only the first.
    assert maker["horizon"].tolist() == [0, 2 * SECOND, 30 * SECOND, 85 * SECOND]
    assert maker["mark_out"].tolist() == pytest.approx([1.0, (-3 + 1) / 4, (15 - 5) / 4, 5.0])
    assert maker["fills"].tolist() == [2, 2, 2, 1]
    assert maker["mark_out_bps"].iloc[0] == pytest.approx((3 * 100 + 1e4 / 102) / 4)
    taker = mark_outs(tables, [0, "2s", "30s", "85s"], role="taker")
    assert taker["mark_out"].tolist() == pytest.approx((-maker["mark_out"]).tolist())


def test_mark_outs_at_zero_and_later_are_half_the_spreads() -> None:
    tables = market(3, quotes=3000, trades=1000, minutes=5, levels=1)
    found = mark_outs(tables, [0, "5s"])["mark_out"]
    assert found[0] == pytest.approx(effective_spread(tables) / 2)
    assert found[1] == pytest.approx(realized_spread(tables, horizon="5s") / 2)


def test_mark_outs_by_agent_and_family() -> None:
    trades = [trade(10, 1, 101.0, 3.0), trade(12, -1, 101.0, 1.0, "m2"), trade(13, -1, 101.5, 1.0, "m2")]
    tables = by_hand(trades, QUOTES, agents=AGENTS)
    agents = mark_outs(tables, [0], by="agent").set_index("agent")["mark_out"]
    assert agents.to_dict() == pytest.approx({"mm": 1.0, "m2": 0.75})
    families = mark_outs(tables, [0], by="family")
    assert families["family"].tolist() == ["makers"]
    assert families["mark_out"].tolist() == pytest.approx([(3 + 1 + 0.5) / 5])


def test_standard_error_of_equal_weights_is_the_textbook_one() -> None:
    prices = [101.0, 100.5, 102.0, 99.5]
    tables = by_hand([trade(1 + n, 1, p) for n, p in enumerate(prices)], [(0, 99.0, 1, 101.0, 1)])
    found = mark_outs(tables, [0])["standard_error"].iloc[0]
    assert found == pytest.approx(np.std(np.array(prices) - 100.0, ddof=1) / 2)


def test_recorded_data_without_names_has_one_group_and_no_agents() -> None:
    rows = [{"time": SECOND, "side": 1, "price": 101.0, "quantity": 1.0}]
    tables = by_hand(rows, QUOTES)
    assert mark_outs(tables, [0])["fills"].tolist() == [1]
    assert mark_outs(tables, [0], by="family").empty


@pytest.mark.parametrize("call", [{"role": "makr"}, {"by": "famly"}])
def test_unknown_words_are_refused(call: dict[str, str]) -> None:
    with pytest.raises(InvalidValueError, match="did you mean"):
        mark_outs(by_hand([], QUOTES), **call)  # type: ignore[arg-type]


def test_groups_need_tables() -> None:
    with pytest.raises(InvalidValueError, match="needs tables"):
        mark_outs(Tape.of(by_hand([], QUOTES)), by="agent")


def test_response_in_trade_time_by_hand() -> None:
    quotes = [(0, 99.0, 1, 101.0, 1), (15 * SECOND, 101.0, 1, 103.0, 1), (25 * SECOND, 100.0, 1, 102.0, 1)]
    tables = by_hand([trade(10, 1, 101.0), trade(20, 1, 103.0), trade(30, -1, 100.0)], quotes)
    found = response_function(tables, [1, 2, 3])
    assert found["lag"].tolist() == [1, 2]  # lag 3 is longer than the tape
    assert found["response"].tolist() == pytest.approx([(2.0 - 1.0) / 2, 1.0])
    assert found["trades"].tolist() == [2, 1]
    assert found["response_bps"].iloc[0] == pytest.approx((200 - 1e4 / 102) / 2)


def test_fills_of_one_order_are_one_trade_unless_asked() -> None:
    trades = [{**trade(10, 1, 101.0), "taker_order": 5}, {**trade(10, 1, 102.0), "taker_order": 5}, trade(20, 1, 103.0)]
    tables = by_hand(trades, QUOTES)
    assert response_function(tables, [1])["trades"].tolist() == [1]
    assert response_function(tables, [1], merge=False)["trades"].tolist() == [2]


def test_a_lag_below_one_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="at least 1"):
        response_function(by_hand([], QUOTES), [0])


def planted(slope: float, seed: int) -> object:
    """A mid that moves by ``slope`` times the signed volume of each second, plus noise."""
    rng = np.random.default_rng(seed)
    count = 2000
    volume = rng.integers(1, 20, count) * rng.choice((-1, 1), count)
    mid = 1000 + np.cumsum(slope * volume + rng.normal(0, 0.05, count))
    quotes = [(0, 999.0, 1, 1001.0, 1)]
    quotes += [(n * SECOND + SECOND // 2, m - 1, 1, m + 1, 1) for n, m in enumerate(mid)]
    trades = [
        {"time": n * SECOND + SECOND // 4, "side": int(np.sign(v)), "price": 1000.0, "quantity": float(abs(v))}
        for n, v in enumerate(volume)
    ]
    return by_hand(trades, quotes, end=count * SECOND)


def test_kyles_lambda_finds_a_planted_impact() -> None:
    found = kyle_lambda(planted(0.01, 1), "1s")  # type: ignore[arg-type]
    assert found.intervals == 2000
    assert abs(found.slope - 0.01) < 4 * found.standard_error < 0.002
    assert 0.7 < found.r_squared < 0.9  # signal variance 0.0127, noise 0.0025
    flipped = kyle_lambda(planted(-0.01, 1), "1s")  # type: ignore[arg-type]
    assert flipped.slope < 0


def test_kyles_lambda_agrees_with_scipy() -> None:
    from scipy.stats import linregress

    tables = market(5, quotes=6000, trades=2000, minutes=10, levels=1)
    tape = Tape.of(tables)
    edges = np.arange(tables.start, tables.end + 1, 10 * SECOND)
    mids = pd.Series(tape.at(tape.mid, edges))
    flow = [
        sum(s * q for t, s, q in zip(tape.trade_time, tape.side, tape.quantity, strict=True) if a < t <= b)
        for a, b in pairwise(edges)
    ]
    kept = mids.diff()[1:].notna().to_numpy()
    expected = linregress(np.array(flow)[kept], mids.diff()[1:].to_numpy()[kept])
    found = kyle_lambda(tables, "10s")
    assert found.slope == pytest.approx(expected.slope)
    assert found.intercept == pytest.approx(expected.intercept)
    assert found.r_squared == pytest.approx(expected.rvalue**2)


def test_too_little_to_regress_gives_nan() -> None:
    assert np.isnan(kyle_lambda(by_hand([], QUOTES), "10s").slope)
