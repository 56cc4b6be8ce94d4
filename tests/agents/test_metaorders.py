"""Metaorders: sizes, shares and pauses as they are asked for, nothing bought twice, and the memory of order signs."""

import math

import numpy as np
import pytest
from probe import Probe
from scipy import stats

from marketsim.agents.metaorders import Metaorders
from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError
from tests.population.wiring import ZERO, Crowd, Market

SECOND = 1_000_000_000


def started(**terms: object) -> Probe:
    probe = Probe(Metaorders(**terms))  # type: ignore[arg-type]
    assert probe.see(Kind.START, 0) == []
    return probe


def worked(probe: Probe, there: int) -> tuple[int, list[int]]:
    """One metaorder to its end, with ``there`` lots always at the best prices: its side, and its orders' quantities."""
    quantities, side = [], 0
    while True:
        probe.see(Kind.WAKE, max(probe.wake, probe.now + 1))
        (order,) = probe.quote(9_999, 10_001, bid_quantity=there, ask_quantity=there)
        assert (order.kind, order.order_type) == (Kind.NEW, OrderType.MARKET)
        assert side in (0, order.side)
        side = order.side
        quantities.append(order.quantity)
        probe._out.rows["next_id"] = 1
        probe.report(EventKind.TRADE, order.order_id, order.quantity, 10_000)
        if probe["left"] == 0:
            return side, quantities


@pytest.mark.parametrize("tail", [0.0, 0.5, 1.5])
def test_sizes_have_the_distribution_that_was_asked_for(tail: float) -> None:
    probe = started(smallest=100, largest=100_000, tail=tail)
    found = [worked(probe, 10**9 // 2) for _ in range(800)]
    sizes = np.array([sum(quantities) for _, quantities in found], dtype=float)
    assert sizes.min() >= 100
    assert sizes.max() <= 100_000
    if tail == 0.0:
        places = np.log(sizes / 100) / math.log(1_000)
    else:
        places = (1 - (sizes / 100) ** -tail) / (1 - 1_000**-tail)
    assert stats.kstest(places, "uniform").pvalue > 1e-3
    bought = sum(side > 0 for side, _ in found)
    assert abs(bought - 400) < 4 * math.sqrt(200)


@pytest.mark.parametrize("selectivity", [0.5, 1.0, 4.0])
def test_shares_of_the_best_price_are_selective(selectivity: float) -> None:
    """F(f) = 1 − (1 − f)^ζ; the last order of a metaorder is cut and left out."""
    probe = started(smallest=10**9, largest=10**9, selectivity=selectivity)
    shares = []
    for _ in range(6):
        shares += [quantity / 10_000_000 for quantity in worked(probe, 10_000_000)[1][:-1]]
    assert len(shares) > 500
    assert stats.kstest(1 - (1 - np.array(shares)) ** selectivity, "uniform").pvalue > 1e-3


def test_an_order_is_a_lot_at_least_and_never_more_than_is_missing() -> None:
    probe = started(smallest=7, largest=7, selectivity=50)
    _, quantities = worked(probe, 1)
    assert quantities == [1] * 7
    _, quantities = worked(probe, 10**9)
    assert quantities == [7]


def test_nothing_is_sent_while_an_order_is_under_way_nor_into_an_empty_book() -> None:
    probe = started(smallest=1_000, largest=1_000)
    probe.see(Kind.WAKE, 1)
    assert probe.quote(0, 0) == []
    (order,) = probe.quote(9_999, 10_001)
    assert probe.quote(9_999, 10_001) == []
    probe.report(EventKind.TRADE, order.order_id, order.quantity, 10_001)
    assert int(probe["left"]) == 1_000 - order.quantity
    assert len(probe.quote(9_999, 10_001)) == 1


def test_what_found_nobody_is_sent_again() -> None:
    probe = started(smallest=5, largest=5, selectivity=0.01)
    probe.see(Kind.WAKE, 1)
    (order,) = probe.quote(9_999, 10_001)
    assert order.quantity == 5
    probe.report(EventKind.TRADE, order.order_id, 2, 10_001)
    probe.report(EventKind.CANCELED, order.order_id)
    (order,) = probe.quote(9_999, 10_001)
    assert order.quantity == 3


def test_it_rests_between_metaorders() -> None:
    probe = started(smallest=10, largest=10, rest="1min", rate="10/s")
    worked(probe, 10**6)
    done = probe.now
    waited = []
    while probe["left"] == 0:
        probe.see(Kind.WAKE, probe.wake)
        waited.append(probe.now - done)
    assert waited[-1] > 60 * SECOND
    assert all(wait <= 60 * SECOND for wait in waited[:-1])
    assert len(waited) <= 2, "it sleeps through its rest"


def test_it_asks_at_its_rate() -> None:
    probe = started(rate="2/s")
    pauses = []
    for _ in range(2_000):
        before = probe.now
        (asked,) = probe.see(Kind.WAKE, probe.wake)
        assert asked.kind == Kind.QUERY
        pauses.append((probe.now - before) / SECOND)
    assert stats.kstest(pauses[1:], stats.expon(scale=0.5).cdf).pvalue > 1e-3


@pytest.mark.statistical
def test_signs_of_orders_have_the_long_memory_of_their_tail() -> None:
    """C(l) ~ l^(1−α), Lillo, Mike and Farmer 2005, where an order is a lot: for lags well above the number of traders.

    The error is that of the mean of four markets; the law holds in the limit of long lags, so 0.1 is allowed on top.
    """
    found: dict[float, list[float]] = {1.2: [], 1.5: []}
    lags = [10, 14, 20, 28, 40, 56, 80, 112, 160]
    for tail, slopes in found.items():
        for seed in range(4):
            crowd = Metaorders(rate="2/s", smallest=1, largest=10**8, tail=tail, selectivity=100)
            book = PoissonFlow(limit_rate=0.2, market_rate=0, cancel_rate=0.01, reach=20, quantity=10)
            market = Market(
                [Crowd(book, latency=ZERO), Crowd(crowd, 5, latency=ZERO)],
                seed=seed,
                processing=0,
                instrument=Instrument("ABC", reference_price="1000"),
            )
            events = market.run(6_000).events
            takes = (events["kind"] == EventKind.ACCEPTED) & (events["order_type"] == OrderType.MARKET)
            signs = events["side"][takes].astype(float)  # of mean 0 by construction: nothing is taken off
            known = np.array([np.mean(signs[lag:] * signs[:-lag]) for lag in lags])
            slopes.append(float(np.polyfit(np.log(lags), np.log(np.maximum(known, 1e-4)), 1)[0]))
    for tail, slopes in found.items():
        error = float(np.std(slopes, ddof=1) / math.sqrt(len(slopes)))
        print(f"tail {tail}: C(l) ~ l^{np.mean(slopes):.2f} ± {error:.2f}; in the limit l^{1 - tail:.2f}")
        assert abs(np.mean(slopes) - (1 - tail)) < 4 * error + 0.1
    assert np.mean(found[1.5]) < np.mean(found[1.2])


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": 0}, "rate: 0/s is no rate to wake at"),
        ({"smallest": 0}, "smallest: 0 must be from 1"),
        ({"smallest": 10, "largest": 9}, "largest: 9 lots are fewer than those of smallest, 10"),
        ({"tail": -1}, "tail: -1 must be from 0 to 10"),
        ({"selectivity": 0}, "selectivity: 0 must be from 0.01 to 100"),
        ({"rest": -1}, "rest: -1 ns must not be below zero"),
        ({"rest": "soon"}, "rest: 'soon' is not a duration"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Metaorders(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
