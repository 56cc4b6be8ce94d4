"""Noise: shares, distances and sizes are as written, whatever the book looks like; and the sizes of all agents."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from probe import Action, Probe
from scipy import stats

from marketsim.agents.noise import Noise
from marketsim.agents.order_size import SIZE_FIELDS, check_size, fill_size, order_size
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import zeros
from marketsim.kernel.random import key_of
from tests.population.wiring import Crowd, Market

DRAWS = 8_000


def answers(bid: int, ask: int, count: int = DRAWS, **terms: object) -> list[Action]:
    probe = Probe(Noise(**terms))  # type: ignore[arg-type]
    probe.see(Kind.START, 0)
    found: list[Action] = []
    for now in range(1, count + 1):
        probe.open = {4000: (1, 1, 1)}  # something to cancel
        assert probe.see(Kind.WAKE, now)[-1].kind == Kind.QUERY
        found += probe.quote(bid, ask)
        probe._out.rows["next_id"] = 1
    return found


def test_every_kind_of_action_has_its_share() -> None:
    found = answers(9_990, 10_010, cancel_share=0.2, market_share=0.3)
    cancels = sum(action.kind == Kind.CANCEL for action in found)
    markets = sum(action.order_type == OrderType.MARKET for action in found)
    limits = sum(action.order_type == OrderType.LIMIT for action in found)
    assert stats.chisquare([cancels, markets, limits], DRAWS * np.array([0.2, 0.3, 0.5])).pvalue > 1e-3
    buys = sum(action.side > 0 for action in found)
    assert stats.binomtest(buys, markets + limits).pvalue > 1e-3


def test_distances_are_geometric_behind_the_own_best() -> None:
    found = answers(9_990, 10_010, market_share=0, cancel_share=0, improve_share=0.25, distance=3.0)
    away = np.array([(9_990 - a.price) if a.side > 0 else (a.price - 10_010) for a in found])
    assert stats.binomtest(int((away == -1).sum()), DRAWS, 0.25).pvalue > 1e-3
    behind = away[away >= 0]
    counts = np.bincount(np.minimum(behind, 12), minlength=13)
    law = stats.geom(0.25, loc=-1)  # mean 3
    expected = np.append(law.pmf(np.arange(12)), law.sf(11))
    assert stats.chisquare(counts, expected * counts.sum()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("bid", "ask", "best_bid", "best_ask"),
    [(0, 0, 9_999, 10_001), (9_500, 0, 9_500, 9_501), (0, 9_500, 9_499, 9_500), (9_999, 10_000, 9_999, 10_000)],
)
def test_an_empty_or_closed_book_still_has_prices(bid: int, ask: int, best_bid: int, best_ask: int) -> None:
    """The spread cannot be improved where it is one tick or unknown; nobody takes from an empty side."""
    found = answers(bid, ask, 400, market_share=0.5, cancel_share=0)
    limits = [action for action in found if action.order_type == OrderType.LIMIT]
    assert max(action.price for action in limits if action.side > 0) == best_bid
    assert min(action.price for action in limits if action.side < 0) == best_ask
    taken = {action.side for action in found if action.order_type == OrderType.MARKET}
    assert taken == {side for side, there in ((1, ask), (-1, bid)) if there}


def test_no_price_is_below_a_tick() -> None:
    found = answers(2, 3, 2_000, distance=50.0)
    prices = [action.price for action in found if action.order_type == OrderType.LIMIT]
    assert min(prices) >= 1


def test_wake_ups_are_a_poisson_process() -> None:
    market = Market([Crowd(Noise(rate="2/s", market_share=0, cancel_share=0), 50)]).run(60)
    counts = market.state("noise")["draw"] - 1
    assert stats.chisquare(counts, np.full(50, counts.mean())).pvalue > 1e-3
    assert counts.mean() == pytest.approx(120, rel=0.05)
    times = market.events["time"][market.events["kind"] == EventKind.ACCEPTED]
    assert stats.kstest(np.diff(times) / 1e9, stats.expon(scale=0.01).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": "0/s"}, "rate: 0/s is no rate to wake at"),
        ({"rate": "often"}, "rate: 'often' is not a rate"),
        ({"market_share": 0.7, "cancel_share": 0.7}, "market_share: 0.7 and cancel_share 0.7 together exceed 1"),
        ({"improve_share": -0.1}, "improve_share: -0.1 must be from 0 to 1"),
        ({"distance": 0}, "distance: 0 must be above 0"),
        ({"quantity": "20"}, "quantity: '20' is not a number"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Noise(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


# --- sizes -----------------------------------------------------------------------------------------------------------


def sizes(kind: str, quantity: float, sigma: float = 1.0, count: int = 20_000) -> Any:
    terms = SimpleNamespace(sizes=kind, quantity=quantity, sigma=sigma)
    check_size(terms)
    rows = zeros(1, np.dtype(SIZE_FIELDS))
    fill_size(rows, terms)
    return np.array([order_size(rows[0], key_of(1, kind), draw) for draw in range(count)])


@pytest.mark.parametrize(
    ("kind", "quantity"),
    [("constant", 7), ("geometric", 20), ("geometric", 1.5), ("uniform", 20), ("lognormal", 50), ("geometric", 1)],
)
def test_sizes_have_the_mean_that_was_asked_for(kind: str, quantity: float) -> None:
    found = sizes(kind, quantity)
    assert found.min() >= 1
    assert abs(found.mean() - quantity) <= 4 * found.std() / np.sqrt(len(found)) + (0.2 if kind == "lognormal" else 0)


def test_sizes_have_the_shape_that_was_asked_for() -> None:
    geometric = np.bincount(np.minimum(sizes("geometric", 4), 20), minlength=21)[1:]
    law = stats.geom(0.25)
    assert stats.chisquare(geometric, 20_000 * np.append(law.pmf(np.arange(1, 20)), law.sf(19))).pvalue > 1e-3
    uniform = np.bincount(sizes("uniform", 5), minlength=10)[1:]
    assert len(uniform) == 9
    assert stats.chisquare(uniform).pvalue > 1e-3
    assert set(sizes("constant", 7, count=50)) == {7}
    large = sizes("lognormal", 1e6, sigma=0.5)
    assert stats.kstest(np.log(large), stats.norm(np.log(1e6) - 0.125, 0.5).cdf).pvalue > 1e-3


def test_hundreds_are_the_mixture_of_the_reference_market() -> None:
    """Counts of round hundreds against the weights, the lognormal part adding next to nothing to any of them."""
    count = 60_000
    found = sizes("hundreds", 1, count=count)
    for hundreds, weight in zip(
        range(1, 11), (0.7, 0.06, 0.004, 0.0329, 0.001, 0.0006, 0.0004, 0.0005, 0.0003, 0.0003), strict=True
    ):
        stray = 0.2 * (stats.lognorm(1.2, scale=np.exp(2.9)).cdf(100 * hundreds + 0.5)
                       - stats.lognorm(1.2, scale=np.exp(2.9)).cdf(100 * hundreds - 0.5))  # fmt: skip
        assert stats.binomtest(int((found == 100 * hundreds).sum()), count, weight + stray).pvalue > 1e-4
    rest = found[(found % 100 != 0) & (found < 99)]
    small = stats.lognorm(1.2, scale=np.exp(2.9))
    assert np.median(rest) == pytest.approx(small.ppf(small.cdf(98.5) / 2), rel=0.05)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"sizes": "constant", "quantity": 1.5}, "quantity: 1.5 is no whole number of lots"),
        ({"sizes": "poisson", "quantity": 2}, "sizes: 'poisson' is not one of the choices"),
        ({"sizes": "lognormal", "quantity": 2, "sigma": 9}, "sigma: 9 must be from 0 to 5"),
        ({"sizes": "uniform", "quantity": 0.9}, "quantity: 0.9 must be from 1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check_size(SimpleNamespace(**{"sigma": 1.0, **terms}))
    assert str(caught.value).startswith(message)
