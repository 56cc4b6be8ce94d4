"""Verdicts on markets whose facts are known: none, planted ones, and the same market played backwards."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from series import fractional, garch, gaussian, split_orders, tape_of
from synthetic import by_hand, market

from marketsim.analysis import StylizedFacts, fit_garch, long_memory, stylized_facts
from marketsim.analysis.fact_verdicts import COLUMNS, FEW, beside_table
from marketsim.errors import InvalidValueError

FACTS = [
    "no linear autocorrelation", "heavy tails", "gain–loss asymmetry", "aggregational Gaussianity", "intermittency",
    "volatility clustering", "conditional heavy tails", "slow decay of absolute returns", "leverage effect",
    "volume–volatility correlation", "asymmetry in time scales", "long memory of signs", "intraday volatility",
    "intraday volume",
]  # fmt: skip


def row(found: StylizedFacts, fact: str, horizon: str) -> dict[str, object]:
    table = found.table
    return dict(table[(table["fact"] == fact) & (table["horizon"] == horizon)].iloc[0])


def test_the_table_names_every_fact_with_its_rule() -> None:
    found = stylized_facts(tape_of(gaussian(1), np.random.default_rng(1).choice((-1, 1), 4000)))
    assert list(found.table.columns) == list(COLUMNS)
    assert found.verdicts.index.tolist() == FACTS
    assert found.table["rule"].str.startswith("present: ").all()
    known = found.table[found.table["verdict"] != FEW]
    assert (known["low"] <= known["high"]).all()
    assert known[["value", "low", "high"]].notna().all().all()
    assert found.table.loc[found.table["verdict"] == FEW, ["value", "low", "high"]].isna().all().all()
    assert "aggregational Gaussianity" in str(found)


def test_independent_normal_returns_show_no_fact() -> None:
    found = stylized_facts(tape_of(gaussian(1), np.random.default_rng(1).choice((-1, 1), 4000)))
    assert row(found, "no linear autocorrelation", "1s")["verdict"] == "present"
    for fact, horizon in (
        ("heavy tails", "1s"),
        ("intermittency", "in 1min"),
        ("volatility clustering", "1s"),
        ("conditional heavy tails", "1s"),
        ("slow decay of absolute returns", "1s"),
        ("leverage effect", "1s"),
        ("long memory of signs", "order"),
    ):
        assert row(found, fact, horizon)["verdict"] == "absent", fact
    assert found.verdicts["intraday volume"] == FEW  # an hour is no session


@pytest.mark.parametrize(
    ("returns", "fact", "horizon"),
    [
        (garch(1, df=4.0), "heavy tails", "1s"),
        (garch(1), "volatility clustering", "1s"),
        (garch(1), "intermittency", "in 1min"),
        (garch(1, df=4.0), "conditional heavy tails", "1s"),
        (garch(3, alpha=0.02, gamma=0.15), "leverage effect", "1s"),
        (np.exp(0.7 * fractional(1, 0.4, 7200)) * gaussian(2, 7200), "slow decay of absolute returns", "1s"),
        (garch(2, 7200, alpha=0.3, beta=0.5, df=5.0), "aggregational Gaussianity", "1s to 30s"),
    ],
)  # fmt: skip
def test_planted_facts_are_found(returns: np.ndarray, fact: str, horizon: str) -> None:
    assert row(stylized_facts(tape_of(returns)), fact, horizon)["verdict"] == "present"


def test_what_garch_explains_is_no_conditional_tail_and_symmetry_no_leverage() -> None:
    found = stylized_facts(tape_of(garch(1)))
    assert row(found, "heavy tails", "1s")["verdict"] == "present"
    assert row(found, "conditional heavy tails", "1s")["verdict"] == "absent"
    assert row(found, "leverage effect", "1s")["verdict"] == "absent"


def test_bounces_are_memory_and_jumps_down_are_asymmetry() -> None:
    noise = gaussian(3, 3601)
    found = stylized_facts(tape_of(noise[1:] - 0.6 * noise[:-1]))
    assert row(found, "no linear autocorrelation", "1s")["verdict"] == "absent"
    crashes = gaussian(4) - 1e-4 * np.random.default_rng(4).exponential(2.0, 3600) * (np.arange(3600) % 20 == 0)
    found = stylized_facts(tape_of(crashes))
    assert row(found, "gain–loss asymmetry", "1s")["verdict"] == "present"
    assert row(stylized_facts(tape_of(-crashes)), "gain–loss asymmetry", "1s")["verdict"] == "absent"


def cascade(seed: int, count: int) -> np.ndarray:
    """Sizes follow the size of the sum of the last twenty returns: coarse volatility comes before fine."""
    noise, found = np.random.default_rng(seed).normal(size=count), np.zeros(count)
    for n in range(count):
        lately = found[max(n - 20, 0) : n].sum()
        found[n] = noise[n] * np.sqrt(0.3 + 0.034 * lately**2)
    return 1e-4 * found


def test_time_scales_are_asymmetric_and_turn_round_when_time_does() -> None:
    returns = cascade(1, 20_000)
    there, back = (
        row(stylized_facts(tape_of(r)), "asymmetry in time scales", "1s in 20s") for r in (returns, returns[::-1])
    )
    assert there["verdict"] == "present"
    assert back["verdict"] == "absent"
    assert back["value"] == pytest.approx(-there["value"])


def test_volume_that_comes_with_moves_and_volume_that_does_not() -> None:
    returns, rng = gaussian(5, 14_400), np.random.default_rng(5)
    with_moves = rng.poisson(20 * np.abs(returns) / 1e-4) + 1
    for volume, verdict in ((with_moves, "present"), (rng.permutation(with_moves), "absent")):
        found = stylized_facts(tape_of(returns, volume=volume))
        assert row(found, "volume–volatility correlation", "1s")["verdict"] == verdict


@pytest.mark.parametrize("d", [0.2, 0.4])
def test_the_exponent_of_the_memory_of_signs_is_recovered(d: float) -> None:
    """Signs of a fractional normal process fall with its exponent, 1 - 2d."""
    signs = np.sign(fractional(3, d, 30_000))
    found = row(stylized_facts(tape_of(gaussian(6, 600), signs)), "long memory of signs", "order")
    assert found["verdict"] == "present"
    assert found["low"] < 1 - 2 * d < found["high"]


def test_split_orders_give_signs_long_memory() -> None:
    steep, flat = (
        row(stylized_facts(tape_of(gaussian(6, 600), split_orders(2, alpha, 60_000))), "long memory of signs", "order")
        for alpha in (1.3, 1.8)
    )
    assert steep["verdict"] == flat["verdict"] == "present"
    assert steep["high"] < flat["low"]


def test_intraday_shape() -> None:
    place = np.linspace(-1, 1, 23_400)
    shape = 0.5 + 2 * place**2
    found = stylized_facts(tape_of(gaussian(7, 23_400) * shape, volume=shape))
    assert found.verdicts["intraday volatility"] == "present"
    assert found.verdicts["intraday volume"] == "present"
    flat = stylized_facts(tape_of(gaussian(7, 23_400), volume=np.ones(23_400)))
    assert flat.verdicts["intraday volume"] == "absent"


def test_nothing_to_judge() -> None:
    for tape in (by_hand(), tape_of(np.zeros(3600)), tape_of(gaussian(1, 100))):
        found = stylized_facts(tape)
        assert (found.table["verdict"] == FEW).all()
        assert found.verdicts.index.tolist() == FACTS


def test_a_market_of_tables_shows_what_was_planted() -> None:
    found = stylized_facts(market(2, quotes=30_000, trades=10_000, minutes=30, levels=1))
    assert found.verdicts["heavy tails"] == "present"
    assert found.verdicts["volatility clustering"] == "present"
    assert found.verdicts["long memory of signs"] == "present"


# --- what the verdicts are made of ---


@pytest.mark.parametrize("d", [0.0, 0.2, 0.4])
def test_long_memory_of_a_fractional_process(d: float) -> None:
    found = long_memory(fractional(3, d, 20_000))
    assert found.frequencies == 141
    assert abs(found.d - d) < 3 * found.standard_error
    assert found.decay == pytest.approx(1 - 2 * found.d)
    assert long_memory(5 * fractional(3, d, 20_000) + 7).d == pytest.approx(found.d, abs=1e-4)


def test_long_memory_refuses_nonsense() -> None:
    assert np.isnan(long_memory(np.ones(100)).d)
    assert np.isnan(long_memory([1.0, 2.0]).decay)
    with pytest.raises(InvalidValueError, match="between 2 and half"):
        long_memory(gaussian(1), 3000)
    with pytest.raises(InvalidValueError, match="finite"):
        long_memory([1.0, float("nan")])


def test_garch_is_fitted() -> None:
    returns = garch(8, 20_000)
    found = fit_garch(returns)
    assert found is not None
    assert found.alpha == pytest.approx(0.1, abs=0.03)
    assert found.beta == pytest.approx(0.85, abs=0.05)
    assert found.omega / (1 - found.alpha - found.beta) == pytest.approx(returns.var())
    # The recursion, said again in a loop.
    variance, centred = returns.var(), returns - returns.mean()
    for n in range(1, 50):
        variance = found.omega + found.alpha * centred[n - 1] ** 2 + found.beta * variance
        assert found.volatility[n] == pytest.approx(np.sqrt(variance))
    assert found.residuals == pytest.approx(centred / found.volatility)
    assert found.residuals.std() == pytest.approx(1, abs=0.02)
    assert fit_garch(np.zeros(500)) is None
    assert fit_garch(returns[:50]) is None


@pytest.mark.statistical
def test_facts_that_are_not_there_are_rarely_called_present() -> None:
    count, wrong, of = 120, Counter(), Counter()
    for seed in range(count):
        signs = np.random.default_rng(10_000 + seed).choice((-1, 1), 4000)
        found = stylized_facts(tape_of(gaussian(seed), signs), times=200, seed=seed + 1)
        for one in found.table.itertuples():
            if one.fact != "no linear autocorrelation" and one.verdict != FEW:
                of[one.fact, one.horizon, one.statistic] += 1
                wrong[one.fact, one.horizon, one.statistic] += one.verdict == "present"
    assert len(of) >= 13
    # One of forty each if intervals kept their word; 12 of 120 have a chance of 1 in 20,000.
    assert max(wrong.values()) < 12, wrong
    assert sum(wrong.values()) / sum(of.values()) < 0.045


def test_two_markets_are_judged_at_the_same_horizon() -> None:
    def facts(*rows: tuple[str, str, str]) -> StylizedFacts:
        table = [(fact, "s", horizon, 1.0, 0.0, 2.0, verdict, "r") for fact, horizon, verdict in rows]
        return StylizedFacts("ABC", pd.DataFrame(table, columns=list(COLUMNS)))

    few = "too little data"
    first = facts(("a", "10s", "present"), ("a", "1s", "absent"), ("b", "1s", "absent"), ("c", "60s", "present"))
    second = facts(("a", "1s", "present"), ("a", "10s", few), ("b", "1s", few), ("c", "30s", "absent"))
    told = beside_table(first, second).set_index("fact")
    assert told["horizon"].to_dict() == {"a": "1s", "b": "1s", "c": "60s / 30s"}
    assert told["verdict_1"].to_dict() == {"a": "absent", "b": "absent", "c": "present"}
    assert told["verdict_2"].to_dict() == {"a": "present", "b": few, "c": "absent"}
