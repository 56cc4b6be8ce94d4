"""Measures on recorded NASDAQ days: the facts written beside the data come out, whoever wrote the reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series import gaussian, tape_of
from synthetic import Tables, lobster, lobster_folder

from marketsim.analysis import (
    accounts,
    depth_profile,
    effective_spread,
    excess_kurtosis,
    fact_distance,
    fact_statistics,
    kyle_lambda,
    mark_outs,
    microstructure,
    mid_returns,
    price_improvement,
    quoted_spread,
    realized_spread,
    report,
    resiliency,
    response_function,
    sign_autocorrelation,
    stylized_facts,
    summarize,
)
from marketsim.data.tape import TapeKind

pytestmark = pytest.mark.skipif(
    lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA to their folder"
)
DAYS = {"AAPL": 1, "AMZN": 5}
# Mean quoted spread over messages ($); sign autocorrelation at lags 1, 10, 100; excess kurtosis at 1 s and 60 s.
# The list gives three digits of spread over all messages; here it is over changes of the best quotes, which are nearly
# all of them, hence 1 %. Kurtosis at 1 s hangs on a handful of seconds: 5 %.
FACTS = {
    "AAPL": (0.155, (0.709, 0.204, 0.024), (28.8, 2.4)),
    "AMZN": (0.136, (0.718, 0.176, 0.037), (33.2, 3.4)),
}


@pytest.fixture(params=sorted(DAYS))
def day(request: pytest.FixtureRequest) -> Tables:
    return lobster(request.param, DAYS[request.param])


def facts(day: Tables) -> tuple[float, tuple[float, ...], tuple[float, float]]:
    return FACTS[next(iter(day.instruments))]


def test_mean_quoted_spread(day: Tables) -> None:
    assert quoted_spread(day, by="event") == pytest.approx(facts(day)[0], rel=0.01)
    # Wide spreads are quoted for a shorter time than narrow ones.
    assert 0.9 * facts(day)[0] < quoted_spread(day) < facts(day)[0]


def test_sign_autocorrelation(day: Tables) -> None:
    found = sign_autocorrelation(day, (1, 10, 100))["autocorrelation"]
    assert found.to_numpy() == pytest.approx(facts(day)[1], abs=0.0005)


def test_excess_kurtosis_of_mid_returns(day: Tables) -> None:
    second, minute = facts(day)[2]
    assert excess_kurtosis(mid_returns(day, "1s")) == pytest.approx(second, rel=0.05)
    assert excess_kurtosis(mid_returns(day, "60s")) == pytest.approx(minute, abs=0.05)


def test_statistics_of_facts(day: Tables) -> None:
    found = fact_statistics(day)
    signs = found["value"][["sign_memory_1", "sign_memory_10", "sign_memory_100"]]
    assert signs.to_numpy() == pytest.approx(facts(day)[1], abs=0.0005)
    second, minute = facts(day)[2]
    assert found.loc["kurtosis_1s", "value"] == pytest.approx(second, rel=0.05)
    assert found.loc["kurtosis_60s", "value"] == pytest.approx(minute, abs=0.05)
    assert 1.5 < found.loc["tail_index_1s", "value"] < 4
    assert (found["standard_error"] > 0).all()


def test_verdicts_on_a_real_day(day: Tables) -> None:
    verdicts = stylized_facts(day).verdicts
    present = [
        "heavy tails", "aggregational Gaussianity", "intermittency", "volatility clustering",
        "conditional heavy tails", "slow decay of absolute returns", "volume–volatility correlation",
        "asymmetry in time scales", "long memory of signs", "intraday volume",
    ]  # fmt: skip
    assert (verdicts[present] == "present").all(), verdicts[present]
    assert verdicts["no linear autocorrelation"] in ("present", "undecided")
    assert verdicts["leverage effect"] == "absent"  # seen over days, not within one
    assert verdicts["gain–loss asymmetry"] == "undecided"


def test_the_documentation_tells_what_these_days_show(day: Tables) -> None:
    """The page's table, row by row: its numbers cannot be run where the data are missing."""
    page = (Path(__file__).parents[2] / "docs" / "stylized-facts.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.count("|") == 7]
    place = rows[0].index(next(iter(day.instruments)))
    told = {row[0]: (row[place], row[place + 1]) for row in rows[2:]}
    leading = stylized_facts(day).leading
    names = zip(leading["fact"], leading["value"], leading["verdict"], strict=True)
    assert told == {fact: (f"{value:.3f}".replace("-", "−"), verdict) for fact, value, verdict in names}


def test_two_real_days_are_nearer_to_each_other_than_to_a_random_walk() -> None:
    apple, amazon = (fact_statistics(lobster(name, levels)) for name, levels in DAYS.items())
    walk = fact_statistics(tape_of(gaussian(1, 23_400), np.random.default_rng(1).choice((-1, 1), 20_000)))
    assert fact_distance(apple, amazon).high < min(fact_distance(walk, day).low for day in (apple, amazon))


def test_what_every_liquid_market_shows(day: Tables) -> None:
    assert 0 < price_improvement(day) < quoted_spread(day)  # hidden orders inside the spread
    assert 0 < effective_spread(day) < quoted_spread(day)  # takers come when it is tight
    assert realized_spread(day) < 0.1 * effective_spread(day)  # and makers keep next to nothing
    response = response_function(day, (1, 10, 50)).set_index("lag")["response"]
    assert 0 < response[1] < response[10] < response[50] + 0.01
    assert kyle_lambda(day).slope > 5 * kyle_lambda(day).standard_error
    assert 0.2 < kyle_lambda(day).r_squared < 0.5  # 32 % is published for trade imbalance at 10 s
    marks = mark_outs(day, (0, "1s", "60s"))["mark_out"].to_numpy()
    assert marks[0] > marks[1] > marks[2]
    assert 0.6 < resiliency(day).recovered < 0.95


def test_recorded_days_have_no_agents_and_a_summary(day: Tables) -> None:
    found = summarize(day)
    assert found.families.empty
    assert len(accounts(day)) == 0
    row = found.market.iloc[0]
    assert row["trades"] == len(day.trades)
    assert row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"]
    assert "spread" in str(found)


def test_the_one_table_agrees_with_the_facts(day: Tables) -> None:
    """As docs/measures.md shows it."""
    spread, signs, kurtosis = facts(day)
    table = microstructure(day)
    assert table.value("quoted_spread", "over events") == pytest.approx(spread, rel=0.01)
    for lag, sign in zip((1, 10, 100), signs, strict=True):
        assert table.value("sign_autocorrelation", f"lag {lag}, fills") == pytest.approx(sign, abs=0.0005)
    assert table.value("excess_kurtosis", "1s returns") == pytest.approx(kurtosis[0], rel=0.05)
    assert table.value("excess_kurtosis", "60s returns") == pytest.approx(kurtosis[1], abs=0.05)
    assert table.value("order_flow_r_squared") > 0.3
    assert 0 < table.value("propagator", "G(100)") < table.value("propagator", "G(10)")  # impact decays
    assert 0.05 < table.value("pin") < 0.4
    assert table.value("corwin_schultz_bps") < 2 * table.value("quoted_spread_bps")
    levels = levels_of(day)
    assert ("deep_order_flow_r_squared" in table.missing) == (levels == 1)
    if levels == 1:
        assert "5 levels of the book (it has 1)" in table.missing["deep_order_flow_r_squared"]
    else:
        assert table.value("deep_order_flow_r_squared") > table.value("order_flow_r_squared")


def levels_of(day: Tables) -> int:
    return DAYS[next(iter(day.instruments))]


@pytest.mark.parametrize(
    ("symbol", "counts"),
    [("AMZN", (77_381, 450, 66_685, 8_974, 2_445)), ("AAPL", (54_818, 252, 28_437, 23_658, 11_332))],
)
def test_numbers_of_messages(symbol: str, counts: tuple[int, ...]) -> None:
    from marketsim.data import read_lobster

    folder = lobster_folder()
    assert folder is not None
    stem = f"{symbol}_2012-06-21_34200000_57600000_message_{DAYS[symbol]}.csv.gz"
    found = read_lobster(folder / stem, book=False).counts()
    assert tuple(found[TapeKind(kind)] for kind in range(1, 6)) == counts


def test_depth_of_five_levels() -> None:
    profile = depth_profile(lobster("AMZN", 5), 5)
    assert len(profile) == 5
    assert (np.diff(profile["ask_distance"]) > 0).all()
    assert (np.diff(profile["bid_distance"]) > 0).all()
    assert (profile[["ask_quantity", "bid_quantity"]].to_numpy() > 50).all()


@pytest.mark.slow
def test_report_of_a_recorded_day(tmp_path: object) -> None:
    from pathlib import Path

    path = report(lobster("AMZN", 5), Path(str(tmp_path)) / "amzn.html", title="AMZN")
    text = path.read_text(encoding="utf-8")
    assert "AMZN" in text
    assert 'id="agents"' not in text  # nobody is known by name
    assert len(text) < 5_000_000
