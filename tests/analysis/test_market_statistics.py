"""Numbers of quotes and trades: counted by hand, and the same for a run and for the files written of it."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import SECOND, Tables, by_hand

import marketsim as ms
from marketsim.analysis import Window, flow_estimates, market_statistics
from marketsim.analysis.market_numbers import NAMES
from marketsim.errors import InvalidValueError


def two_minutes() -> Tables:
    """The spread is 4 ticks for a minute and 2 for the next; every ten seconds the bid is joined and left again."""
    quotes = [(0, 99.98, 10.0, 100.02, 20.0)]
    for tens in range(12):
        ask, time = (100.02 if tens < 6 else 100.00), tens * 10 * SECOND
        quotes += [
            (time + 1 * SECOND, 99.98, 10.0, ask, 20.0),
            (time + 2 * SECOND, 99.98, 30.0, ask, 20.0),
            (time + 3 * SECOND, 99.98, 10.0, ask, 20.0),
            (time + 4 * SECOND, 99.98, 10.0, ask, 15.0),  # bought from
            (time + 4 * SECOND, 99.98, 10.0, ask, 14.0),  # by the same order
            (time + 5 * SECOND, 99.98, 10.0, ask, 20.0),
        ]
    trades = [
        {
            "time": tens * 10 * SECOND + 4 * SECOND,
            "price": 100.02,
            "quantity": quantity,
            "side": 1,
            "taker_order": tens + 1,
        }
        for tens in range(12)
        for quantity in (5.0, 1.0)
    ]
    return by_hand(trades, quotes, end=120 * SECOND)


def test_counts_are_those_made_by_hand() -> None:
    found = market_statistics(two_minutes(), times=20)["value"]
    assert tuple(found.index) == NAMES
    assert found["spread"] == pytest.approx((61 * 4 + 59 * 2) / 120)
    assert found["trades_per_minute"] == pytest.approx(6.0)  # two fills of an order are one trade
    assert found["trade_size"] == pytest.approx(6.0)
    assert found["trade_clustering"] == pytest.approx(0.0)
    # In every ten seconds the bid is joined once, the ask once; once in all the ask is bettered.
    assert found["arrivals_per_minute"] == pytest.approx(12.5)
    assert found["improving_share"] == pytest.approx(1 / 25)
    assert found["cancel_share"] == pytest.approx(0.5)  # the bid is left, the ask is hit: one change of one nanosecond
    assert found["mid_changes_per_minute"] == pytest.approx(0.5)


def test_a_market_too_short_tells_nothing() -> None:
    found = market_statistics(by_hand(quotes=[(0, 1.0, 1.0, 2.0, 1.0)], end=5 * SECOND))
    assert found["value"].isna().all()


def test_standard_errors_are_those_of_other_seeds() -> None:
    """The bootstrap of one run tells about how far runs lie apart."""
    runs = [ms.load("stock_flow", {"seed": seed, "duration": "17min"}).run() for seed in range(1, 7)]
    tables = [market_statistics(run) for run in runs]
    apart = np.std([table["value"] for table in tables], axis=0, ddof=1)
    told = np.mean([table["standard_error"] for table in tables], axis=0)
    ratio = told / apart
    assert 0.5 < np.median(ratio) < 2.0
    assert (ratio > 0.2).all()


def test_a_run_and_its_lobster_files_tell_the_same(tmp_path: object) -> None:
    from pathlib import Path

    from marketsim.data import read_lobster

    run = ms.load("stock_flow", {"duration": "12min"}).run()
    tape = read_lobster(run.to_lobster(Path(str(tmp_path)) / "day")[0])
    part = (run.start, run.end)
    ours, theirs = (market_statistics(Window(source, *part), times=2)["value"] for source in (run, tape))
    assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-9)


def test_estimates_find_the_rates_of_a_flow() -> None:
    """A book of Poisson orders at every distance, on its own: what was put in comes out, with Poisson errors."""
    changes = {"agents.touch": None, "agents.splitters": None, "agents.fundamental": None, "duration": "1h2min"}
    changes |= {"agents.book.market_rate": "0.05/s", "agents.book.reach": 12}
    run = ms.load("stock_flow", changes).run()
    found = flow_estimates(run)
    agent = ms.agents.PoissonFlow(limit_rate=0.15, reach=12, cancel_rate=0.15, market_rate=0.05, quantity=80)
    expected = agent.arrivals()[: found.reach]
    error = np.sqrt(expected / (2 * 3600))
    assert (np.abs(found.limit_rates - expected) < 4.5 * error).all()
    assert found.order_size == 80
    assert found.trade_rate == pytest.approx(0.05, rel=0.2)
    assert found.cancel_rates[3:9] == pytest.approx(0.15, rel=0.1)


def test_estimates_need_orders_and_trades() -> None:
    with pytest.raises(InvalidValueError, match="0 limit orders and 0 trades"):
        flow_estimates(by_hand(quotes=[(0, 1.0, 1.0, 2.0, 1.0)]))


def test_a_window_is_a_market_of_its_own() -> None:
    """What lies outside does not count, whether the rest of the day is there or not."""
    window = Window(two_minutes(), 30 * SECOND, 90 * SECOND)
    found = market_statistics(window, times=20)["value"]
    assert found["spread"] == pytest.approx((31 * 4 + 29 * 2) / 60)
    assert found["trades_per_minute"] == pytest.approx(6.0)
    assert found["mid_changes_per_minute"] == pytest.approx(1.0)
    with pytest.raises(InvalidValueError, match="end must come after the start"):
        Window(two_minutes(), 5, 5)
