"""Metaorders found again by hand; a planted power law; a market in which nothing says what impact is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, by_hand

import marketsim as ms
from marketsim.analysis import fit_impact, impact_curve, impact_decay, metaorder_figure, metaorders
from marketsim.errors import InvalidValueError
from tests.statistical import runs

AGENTS = [
    {"name": "big.0", "family": "big", "type": "T"},
    {"name": "big.1", "family": "big", "type": "T"},
    {"name": "mm", "family": "makers", "type": "M"},
]


def trade(at: float, side: int, quantity: float, taker: str = "big.0") -> dict[str, Any]:
    return {
        "time": int(at * SECOND), "side": side, "price": 100.0, "quantity": quantity, "taker": taker, "maker": "mm",
    }  # fmt: skip


def tables() -> Any:
    """Mids 100 at the start, 101 from 20 s, 103 from 40 s, 102 from 60 s, 100 from 80 s."""
    quotes = [(t * SECOND, mid - 1, 1, mid + 1, 1) for t, mid in ((0, 100), (20, 101), (40, 103), (60, 102), (80, 100))]
    trades = [
        trade(15, 1, 2), trade(16, -1, 5, "big.1"), trade(20, 1, 3), trade(24, 1, 1),  # big.0 buys 6 from 15 to 24 s
        trade(41, 1, 4), trade(45, -1, 2), trade(46, -1, 2), trade(99, 1, 9),
    ]  # fmt: skip
    return by_hand(trades, quotes, agents=AGENTS)


def test_fills_of_one_side_without_a_pause_are_one_metaorder() -> None:
    found = metaorders(tables(), "big", pause="9s", every="20s", after=(1.0,))
    by = found.sort_values(["begin"]).reset_index(drop=True)
    assert by["agent"].tolist() == ["big.0", "big.1", "big.0", "big.0"], "one at the end may go on: it is left out"
    assert by["side"].tolist() == [1, -1, 1, -1]
    assert by["quantity"].tolist() == [6, 5, 4, 4]
    assert by["fills"].tolist() == [3, 1, 1, 2]
    assert by["participation"].tolist() == pytest.approx([6 / 11, 1, 1, 1])
    assert by["impact"].tolist() == [1, 0, 0, 0]
    volume, volatility = 28 / 5, float(np.std([1, 2, -1, -2, 0], ddof=1))
    assert by["size"].tolist() == pytest.approx([6 / volume, 5 / volume, 4 / volume, 4 / volume])
    assert by["shift"].tolist() == pytest.approx([1 / volatility, 0, 0, 0])
    assert by["shift_1"].tolist() == pytest.approx([1 / volatility, 0, 0, 0])


def test_after_the_end_the_price_is_read_so_many_durations_later() -> None:
    found = metaorders(tables(), "big.0", pause="9s", every="20s", after=(2.0, 5.0, 9.0))
    first = found.iloc[0]  # from 15 to 24 s: two durations later it is 42 s, five 69 s, nine 105 s
    assert first[["shift_2", "shift_5"]].to_numpy(float) / first["shift"] == pytest.approx([3, 2])
    assert math.isnan(first["shift_9"])


@pytest.mark.parametrize(
    ("agents", "terms", "message"),
    [
        ("bog", {}, "no agent and no family is called bog"),
        ("mm", {}, "mm: took nothing of ABC"),
        ("big", {"every": "50s"}, "every='50s': the run has 2 such periods; volatility needs three"),
    ],
)
def test_what_cannot_be_measured_is_refused(agents: str, terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        metaorders(tables(), agents, **terms)
    assert str(caught.value) == message


def planted(exponent: float, count: int, noise: float, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size = np.exp(random.uniform(math.log(1e-3), math.log(1e-1), count))
    mean = 1.5 * size**exponent
    shift = mean + noise * np.sqrt(size) * random.standard_normal(count)
    later = 0.6 * mean + noise * np.sqrt(size) * random.standard_normal(count)
    return pd.DataFrame({"size": size, "shift": shift, "shift_1": later})


@pytest.mark.parametrize("exponent", [0.4, 0.5, 1.0])
def test_a_planted_power_law_is_found_exactly(exponent: float) -> None:
    fit = fit_impact(planted(exponent, 4_000, 1e-6, 1), 40, draws=20)
    assert fit.exponent == pytest.approx(exponent, abs=2e-3)
    assert fit.prefactor == pytest.approx(1.5, rel=0.01)
    if exponent == 0.5:
        assert fit.square_root == pytest.approx(1.5, rel=2e-3)


def test_the_interval_holds_the_planted_exponent_as_often_as_it_says() -> None:
    """Forty tables, intervals of 80 %: 32 expected, with a standard error of 2.5."""
    held = 0
    for seed in range(40):
        fit = fit_impact(planted(0.5, 400, 3.0, seed), 8, confidence=0.8, draws=100, seed=seed)
        held += fit.low <= 0.5 <= fit.high
    assert 32 - 3 * 2.5 <= held <= 40 - 1


def test_what_is_left_is_a_ratio_of_means_with_its_error() -> None:
    rows = [impact_decay(planted(0.5, 1_000, 2.0, seed)).iloc[0] for seed in range(30)]
    left = np.array([row["left"] for row in rows])
    error = np.array([row["standard_error"] for row in rows])
    assert abs(left.mean() - 0.6) < 4 * left.std() / math.sqrt(30)
    assert left.std(ddof=1) == pytest.approx(error.mean(), rel=0.5)


def test_too_few_metaorders_for_a_fit_are_refused_and_told_by_the_figure() -> None:
    few = planted(0.5, 4, 1.0, 1)
    with pytest.raises(InvalidValueError, match=r"4 metaorders fill . of 10 bins; a fit needs three at least"):
        fit_impact(few)
    assert metaorder_figure(few).axes[0].texts[0].get_text() == "4 metaorders are too few for 10 bins"
    assert len(metaorder_figure(planted(0.5, 400, 1.0, 1), width=5.0).axes) == 2


def of_the_market(seed: int) -> pd.DataFrame:
    run = ms.load("square_root_law", {"seed": seed, "duration": "40h", "warm_up": "4h"}).run()
    return metaorders(run, "measured", after=(1.0, 2.0))


@pytest.mark.statistical
def test_impact_grows_with_about_the_root_of_size_where_nothing_says_so() -> None:
    """Published: the exponent is .4 to .7 and Y of order one (Tóth et al. 2011), what is left is .5 to .7 of the peak
    (Moro et al. 2009). At least 2,000 metaorders over two decades of size; the whole interval must lie inside.
    """
    table = pd.concat([of_the_market(seed) for seed in range(1, runs(32, 64) + 1)], ignore_index=True)
    fit, decay = fit_impact(table), impact_decay(table)
    curve = impact_curve(table)
    left, error = decay["left"][0], decay["standard_error"][0]
    print(f"\n{fit.metaorders:,} metaorders, Q/V from {table['size'].min():.4f} to {table['size'].max():.3f}")
    print(f"exponent {fit.exponent:.3f} ({fit.low:.3f} to {fit.high:.3f}); published .4 to .7")
    print(f"Y {fit.square_root:.2f} ± {fit.square_root_error:.2f} at the root; published: of order one")
    print(f"left one duration after the end {left:.2f} ± {error:.2f}; published .5 to .7")
    assert fit.metaorders >= 2_000
    assert table["size"].max() / table["size"].min() >= 100
    assert fit.low > 0.4
    assert fit.high < 0.7
    assert 0.5 < fit.square_root < 3.0
    assert 0.5 - 3 * error < left < 0.7 + 3 * error
    assert (np.diff(curve["shift"]) > -2 * curve["standard_error"].to_numpy()[1:]).all()
