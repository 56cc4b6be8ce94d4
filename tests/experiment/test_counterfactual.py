"""Counterfactual impact: the statistics by hand, all ways to the same numbers, and what a market does with an order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from marketsim.agents.intervention import Intervention
from marketsim.errors import InvalidValueError, SimulationError, StoreError
from marketsim.experiment.counterfactual import Counterfactual, counterfactual, label_of
from marketsim.experiment.fork import fork
from tests.statistical import runs

SECOND = 1_000_000_000
NAN = float("nan")


def market(duration: str = "60s", **agents: Any) -> dict[str, Any]:
    return {
        "name": "market",
        "duration": duration,
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}},
        "feeds": {"value": {"type": "mean_reverting"}},
        "agents": {
            "noise": {"type": "noise", "count": 100, "rate": "1/s"},
            "fundamental": {"type": "fundamental", "count": 20},
            **agents,
        },
    }


# --- the statistics ---


def by_hand(without: Any, with_order: Any, **terms: Any) -> Counterfactual:
    """One time of the fork; axes of the mids: seeds, (orders,) points. The mid at the fork is 100 everywhere."""
    base, forked = np.array(without)[:, None, :], np.array(with_order)[:, None]
    seeds, _, orders, points = forked.shape
    given: dict[str, Any] = {
        "orders": (Intervention(quantity=100), Intervention(side="sell", quantity=200))[:orders],
        "band": "student",
        "mid": np.full((seeds, 1), 100.0),
        "spread": np.full((seeds, 1), 0.04),
        "executed": np.full((seeds, 1, orders), 100.0),
        "paid": np.full((seeds, 1, orders), 100.02),
        **terms,
    }
    return Counterfactual(
        scenario="hand", instrument="ABC", venue="XSIM", how="snapshot", seeds=tuple(range(seeds)), at=(0,),
        points=np.arange(points) * SECOND, tick=0.01, confidence=0.95, without=base, with_order=forked,
        digests=np.full((seeds, 1, 1 + orders), "d"), **given,
    )  # fmt: skip


THREE = by_hand(
    [[100.0, 101.0], [100.0, 103.0], [100.0, 99.0]],
    [[[100.0, 101.01], [100.0, 100.98]], [[100.0, 103.02], [100.0, 102.96]], [[100.0, 99.03], [100.0, 98.94]]],
)


def test_curves_by_hand() -> None:
    """Impacts of 1, 2, 3 bps of the buy, of 2, 4, 6 of the sell, whatever the price did: t(0.975; 2) = 4.302653."""
    table = THREE.table("bps")
    assert table["order"].tolist() == ["buy 100"] * 2 + ["sell 200"] * 2
    assert table["seconds"].tolist() == [0.0, 1.0] * 2
    assert table["impact"].tolist() == pytest.approx([0.0, 2.0, 0.0, 4.0])
    half = 4.302652729911275 / 3**0.5
    assert table["low"].tolist() == pytest.approx([0.0, 2.0 - half, 0.0, 4.0 - 2 * half])
    assert table["high"].tolist() == pytest.approx([0.0, 2.0 + half, 0.0, 4.0 + 2 * half])
    assert table["seeds"].tolist() == [3] * 4


@pytest.mark.parametrize(("unit", "impact"), [("currency", 0.02), ("ticks", 2.0), ("spreads", 0.5), ("bps", 2.0)])
def test_units(unit: Any, impact: float) -> None:
    assert THREE.table(unit)["impact"][1] == pytest.approx(impact)


def test_the_summary_by_hand() -> None:
    """Returns without: 1, 3, -1 (variance 4); with: 1.01, 3.02, -0.97; differences of deviation 0.01."""
    row = THREE.summary("bps").iloc[0]
    assert (row["order"], row["quantity"], row["executed"], row["seeds"]) == ("buy 100", 100.0, 100.0, 3)
    assert row["cost"] == pytest.approx(2.0)
    assert (row["peak"], row["peak_seconds"], row["lasting"]) == pytest.approx((2.0, 1.0, 2.0))
    assert np.isnan(row["left"]), "2.0 ± 2.5 may be chance, and a share of chance says nothing"
    clear = by_hand([[100.0]] * 3, [[[100.019]], [[100.020]], [[100.021]]])
    assert clear.summary("bps").iloc[0]["left"] == pytest.approx(1.0)
    with_order = np.array([1.01, 3.02, -0.97])
    assert row["gain"] == pytest.approx((4.0 + with_order.var(ddof=1)) ** 0.5 / 0.01)
    assert THREE.summary().iloc[1]["cost"] == pytest.approx(-2.0), "who sells above the mid has gained"


def test_times_of_one_seed_are_averaged_before_anything_else() -> None:
    """Two forks of a seed are no two seeds."""
    one = np.array([[1.0, 3.0], [2.0, 6.0]])  # seeds, times
    found = by_hand(np.full((2, 1), 100.0), np.full((2, 1, 1), 100.0))
    twice = Counterfactual(
        **{**vars(found), "at": (0, 1), "mid": np.full((2, 2), 100.0), "spread": np.full((2, 2), 0.04),
           "without": np.full((2, 2, 1), 100.0), "with_order": 100.0 + 0.01 * one[:, :, None, None]}
    )  # fmt: skip
    assert twice.table()["impact"].tolist() == pytest.approx([3.0])
    assert twice.table()["seeds"].tolist() == [2]
    assert twice.table(at=1)["impact"].tolist() == pytest.approx([4.5])


def test_an_empty_book_is_left_out_and_counted() -> None:
    found = by_hand(
        [[100.0], [NAN], [100.0]], [[[100.01]], [[100.02]], [[100.03]]], paid=np.array([[[100.0]], [[NAN]], [[100.0]]])
    )
    assert found.table()[["impact", "seeds"]].to_numpy().ravel().tolist() == pytest.approx([2.0, 2.0])
    assert found.summary()["cost"][0] == 0.0
    nothing = by_hand([[NAN]] * 2, [[[100.0]]] * 2)
    assert nothing.table()["impact"].isna().all()
    assert nothing.summary()["peak"].isna().all()
    assert "No fork has a mid in both markets" in nothing.figure().axes[0].texts[0].get_text()


def test_the_bootstrap_is_that_of_its_percentiles() -> None:
    """Of two seeds with 0 and 2 the mean of a resample is 0, 1 or 2 with odds of 1/4, 1/2 and 1/4."""
    found = by_hand([[100.0], [100.0]], [[[100.0]], [[100.02]]], band="bootstrap")
    assert found.table()[["impact", "low", "high"]].to_numpy().ravel().tolist() == pytest.approx([1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Intervention(quantity=1500), "buy 1,500"),
        (Intervention(side="sell", quantity=0.5), "sell 0.5"),
        (Intervention(quantity=10, pieces=5, over="1min"), "buy 10 in 5 pieces over 1min"),
        (Intervention(quantity=10, orders="limit", offset=-0.02), "buy 10 by limits -0.02"),
    ],
)
def test_orders_in_words(order: Intervention, words: str) -> None:
    assert label_of(order) == words


# --- from the market ---

TERMS: dict[str, Any] = {"at": ["20s", "30s"], "buy": [0, 300], "sell": 300, "seeds": [4, 9], "horizon": "10s"}


SEEN = ("mid", "spread", "without", "with_order", "executed", "paid", "digests")


def test_snapshots_and_replays_come_to_the_same_also_where_horizons_overlap() -> None:
    terms = {**TERMS, "at": ["20s", "25s", "30s"]}
    found, again = (counterfactual(market(), **terms, how=how, workers=1) for how in ("snapshot", "replay"))
    apart = counterfactual(market(), **TERMS, workers=1)
    assert (found.how, again.how) == ("snapshot", "replay")
    for name in SEEN:
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name), err_msg=name)
        if name != "digests":  # a participant more has other numbers in the log
            np.testing.assert_array_equal(getattr(found, name)[:, [0, 2]], getattr(apart, name), err_msg=name)


@pytest.mark.slow
def test_two_processes_come_to_the_same_as_one() -> None:
    one, two = (counterfactual(market(), **TERMS, workers=workers) for workers in (1, 2))
    for name in SEEN:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


def test_an_order_for_nothing_has_no_impact_at_all() -> None:
    found = counterfactual(market(), **TERMS, workers=1)
    assert (found.impacts()[:, :, 0] == 0.0).all()
    assert (found.digests[:, :, 1] == found.digests[:, :, 0]).all()
    assert len(set(found.digests[:, 0, 0])) == 2
    assert (found.executed[:, :, 0] == 0).all()
    assert found.impacts()[:, :, 1].mean() > 0 < found.impacts()[:, :, 2].mean()
    assert (found.impacts()[..., 0] == 0).all(), "nothing has happened yet at the time of the fork itself"


def test_the_numbers_are_those_of_the_runs() -> None:
    """Mids and fills of one seed against the tables of the same fork, which is run to its end."""
    spec = {**market(), "seed": 4}
    found = counterfactual(market(), "20s", 300, seeds=[4, 5], horizon="10s", every="1s", workers=1)
    whole = fork(spec, "20s", Intervention(quantity=300))
    for run, mids in ((whole.base, found.without[0, 0]), (whole.forked, found.with_order[0, 0, 0])):
        quotes = run.quotes
        mid = (quotes["bid"] + quotes["ask"]).to_numpy() / 2
        place = np.searchsorted(quotes["time"].to_numpy(), 20 * SECOND + found.points, "left") - 1
        assert mids.tolist() == pytest.approx(mid[place].tolist())
    mine = whole.forked.trades[whole.forked.trades["taker"] == whole.name]
    assert found.executed[0, 0, 0] == mine["quantity"].sum()
    assert found.paid[0, 0, 0] == pytest.approx(np.average(mine["price"], weights=mine["quantity"]))


def test_tables_files_figure_and_page(tmp_path: Path) -> None:
    found = counterfactual(market("40s"), "20s", [100, 300], seeds=2, horizon="10s", workers=1)
    values, forks = found.values(), found.forks()
    assert len(values) == 2 * 1 * 2 * 61
    row = values[(values["seed"] == 2) & (values["order"] == "buy 300")].iloc[-1]
    assert (row["without"], row["with_order"]) == (found.without[1, 0, -1], found.with_order[1, 0, 1, -1])
    assert forks["digest"].tolist() == found.digests.ravel().tolist()
    assert forks["order"].tolist() == ["", "buy 100", "buy 300"] * 2
    paths = found.save(tmp_path / "out", "ticks")
    names = ["curves.csv", "forks.csv", "impact.html", "impact.png", "mids.csv", "orders.csv"]
    assert sorted(path.name for path in paths) == sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    page = (tmp_path / "out" / "impact.html").read_text(encoding="utf-8")
    assert "What an order does to ABC in market" in page
    assert "buy 300" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert isinstance(found.figure(), Figure)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another"):
        found.save(tmp_path / "file")


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"at": "60s"}, "lies outside of the run"),
        ({"horizon": "50s"}, "horizon='50s': 00:01:10.000000000 lies after the end of the run"),
        ({"horizon": "0s"}, "both must be above zero"),
        ({"every": "1ns"}, "more than 100,000 points"),
        ({"buy": ()}, "there is no order"),
        ({"horizon": 30}, 'horizon=30: 30 means 30 ns; write "30s"'),
        ({"at": 120}, 'at=120: 120 means 120 ns; write "120s"'),
        ({"buy": 1.5}, "is not a multiple of 1: use 1 or 2"),
        ({"buy": [5, 5]}, "each may be there once"),
        ({"buy": -1}, "buy=-1: quantity: -1 must be at least 0"),
        ({"instrument": "X"}, "instrument='X'"),
        ({"seeds": 1}, "at least two different seeds"),
        ({"confidence": 95}, "it lies between 0 and 1"),
        ({"band": "boot"}, "band='boot' is unknown"),
    ],
)
def test_what_is_refused(terms: dict[str, Any], words: str) -> None:
    given = {"at": "20s", "buy": 100, "seeds": 2, "horizon": "10s", **terms}
    with pytest.raises(InvalidValueError) as caught:
        counterfactual(market(), **given, workers=1)
    assert words in str(caught.value)


def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="unit='tick' is unknown; did you mean \"ticks\""):
        THREE.table("tick")  # type: ignore[arg-type]


def test_a_fork_that_fails_names_its_seed() -> None:
    spec = market(maker={"type": "market_maker"})
    with pytest.raises(SimulationError, match=r'the fork with seed 7 failed: .*use how="replay"'):
        counterfactual(spec, "20s", 100, seeds=[7, 8], horizon="10s", how="snapshot", workers=1)


# --- what it finds out ---


FOLLOWERS = {
    "type": "momentum",
    "count": 40,
    "rate": "0.5/s",
    "short": 5,
    "long": 20,
    "threshold": 0.01,
    "max_position": 100,
}


@pytest.mark.statistical
def test_followers_make_more_of_an_order() -> None:
    """Where nobody follows, impact decays; where many do, they carry it on: 20 s later it is several times as large."""
    terms: dict[str, Any] = {"at": ["90s", "150s", "210s"], "buy": 600, "horizon": "40s", "seeds": runs(16, 60)}
    calm = counterfactual(market("5min"), **terms)
    moved = counterfactual(market("5min", followers=FOLLOWERS), **terms)
    middle = len(calm.points) // 2
    alone, followed = (found.table().iloc[middle] for found in (calm, moved))
    print(f"\nafter 20 s: {alone['impact']:.2f} bps alone, {followed['impact']:.2f} followed")
    assert alone["low"] > 0, "an order moves the price"
    assert calm.summary()["lasting"][0] < calm.summary()["peak"][0], "which comes back"
    assert followed["low"] > alone["high"]
    assert calm.summary()["gain"][0] > 1.5, "what pairing is for"


def test_a_market_without_a_mid_is_no_result() -> None:
    empty = market() | {"agents": {"buyer": {"type": "noise", "count": 1, "rate": "1/h"}}}
    with pytest.raises(SimulationError, match="no fork has a mid with and without the order"):
        counterfactual(empty, "20s", buy=100, seeds=2, horizon="10s", workers=1)


def test_its_repr_is_a_line_that_says_how_to_go_on() -> None:
    assert repr(THREE).startswith("<Counterfactual of hand: buy 100")
    assert repr(THREE).endswith("3 seeds; .summary(), .table(), .figure(), .report(PATH), .save(FOLDER)>")
