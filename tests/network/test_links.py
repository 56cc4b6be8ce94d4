"""Links: FIFO sessions, draws of their own, load, and the same arithmetic compiled and not."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.kernel.compiled import UNCOMPILED
from marketsim.network.hop import CONSTANT, LONGEST
from marketsim.network.latency import (
    Constant,
    CubicJitter,
    Empirical,
    Gamma,
    LatencyModel,
    LinearInLoad,
    LogNormal,
    Pareto,
    Series,
    Tabulated,
    TruncatedNormal,
    Uniform,
)
from marketsim.network.link import LINK
from marketsim.network.route import Leg
from marketsim.network.sampling import HOP
from marketsim.network.table import NetworkTables

pytestmark = [pytest.mark.uncompiled, pytest.mark.boundscheck]


class Square(Tabulated):
    """Some model of a user's own."""

    def quantile(self, u: float) -> float:
        """A distribution with density falling from zero on."""
        return 40_000.0 * u * u


ROUTES: dict[str, LatencyModel | list[Leg | LatencyModel]] = {
    "constant": Constant("20us"),
    "uniform": Uniform("1us", "40us"),
    "truncated": TruncatedNormal("20us", "20us", low="1us", high="90us"),
    "reflected": TruncatedNormal(0, "20us", low="60us"),
    "lognormal": LogNormal("20us", 1.0),
    "gamma": Gamma("20us", 0.7),
    "bounded": Pareto("5us", 1.2, maximum="1s"),
    "empirical": Empirical([3.5, 17_000, 2_000, 90_000]),
    "cubic": CubicJitter("10us"),
    "load": LinearInLoad("1us", "2us", "1ms"),
    "tabulated": Square(),
    "path": [
        Constant("1us"),
        Leg(LinearInLoad("2us", "1us"), "cable"),
        LogNormal("5us"),
        Leg(Gamma("9us")),
        Constant(3),
    ],
}
gaps = st.lists(st.integers(0, 60_000), min_size=1, max_size=60)
names = st.sampled_from(sorted(ROUTES))


def _times(start: int, steps: list[int]) -> list[int]:
    return [start + sum(steps[: place + 1]) for place in range(len(steps))]


def _arrivals(seed: int, route: str, sent: list[int], fifo: bool) -> list[int]:
    tables = NetworkTables(seed)
    link = tables.add_link("a", "b", "orders", ROUTES[route], fifo)
    return [tables.transit(link, now) for now in sent]


@settings(deadline=None, max_examples=150)
@given(names, st.integers(0, 2**40), st.sampled_from([0, 34_200_000_000_000, 1_700_000_000_000_000_000]), gaps)
def test_no_message_overtakes_another_in_a_session(route: str, seed: int, start: int, steps: list[int]) -> None:
    sent = _times(start, steps)
    alone = _arrivals(seed, route, sent, fifo=False)
    session = _arrivals(seed, route, sent, fifo=True)
    assert session == np.maximum.accumulate(np.array(alone)).tolist()  # held up by those before, and by nothing else
    assert all(arrival >= now for arrival, now in zip(alone, sent, strict=True))


def test_overtaking_happens_where_it_may() -> None:
    sent = list(range(0, 100_000, 1000))
    alone = _arrivals(1, "lognormal", sent, fifo=False)
    assert alone != sorted(alone)
    assert _arrivals(1, "lognormal", sent, fifo=True) == np.maximum.accumulate(np.array(alone)).tolist()


def test_a_constant_link_is_exact_at_epoch_times() -> None:
    now = 1_760_000_000_123_456_789
    assert _arrivals(1, "constant", [now], fifo=True) == [now + 20_000]


def test_a_session_remembers_the_latest_arrival_of_messages_before_time_zero() -> None:
    assert _arrivals(1, "constant", [-50_000, -60_000], fifo=True) == [-30_000, -30_000]


def test_a_tail_without_bound_does_not_overflow() -> None:
    tables = NetworkTables(3)
    link = tables.add_link("a", "b", "orders", [Pareto("1s", 0.1)] * 12)
    arrivals = [tables.transit(link, 1_700_000_000_000_000_000) for _ in range(300)]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] == 1_700_000_000_000_000_000 + LONGEST


@settings(deadline=None, max_examples=40)
@given(names, names, gaps)
def test_another_link_and_its_traffic_change_no_draw(route: str, other: str, steps: list[int]) -> None:
    if route == other == "path":
        other = "gamma"  # these two would share a cable, and its load is meant to be felt
    sent = _times(0, steps)
    expected = _arrivals(5, route, sent, fifo=True)
    tables = NetworkTables(5)
    before = tables.add_link("x", "b", "orders", ROUTES[other])
    link = tables.add_link("a", "b", "orders", ROUTES[route])
    after = tables.add_link("a", "b", "reports", ROUTES[other])
    arrivals = []
    for now in sent:
        tables.transit(before, now)
        arrivals.append(tables.transit(link, now))
        tables.transit(after, now)
    assert arrivals == expected


def test_distance_added_to_a_path_leaves_its_jitter() -> None:
    near, far = NetworkTables(5), NetworkTables(5)
    jitter = Series([LogNormal("20us"), Gamma("5us")])
    near.add_link("a", "b", "orders", jitter)
    far.add_link("a", "b", "orders", [Constant("1ms"), jitter, Constant("2ms")])
    for now in range(0, 10**9, 10**7):
        assert far.transit(0, now) - near.transit(0, now) == 3_000_000


def test_each_stretch_of_a_path_draws_its_own() -> None:
    tables = NetworkTables(5)
    tables.add_link("a", "b", "orders", [Uniform(0, 10**6), Uniform(0, 10**6)], fifo=False)
    totals = np.array([tables.transit(0, 0) for _ in range(1500)])
    assert totals.std() == pytest.approx(10**6 / math.sqrt(6), rel=0.06)  # 10**6 / sqrt(3) if the two were one draw


def test_load_is_a_leaky_count_of_the_messages_before() -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "b", "orders", LinearInLoad("10us", "3us", "1ms"), fifo=False)
    sent = [0, 0, 100, 50_000, 50_000, 900_000, 30_000_000, 30_000_000]
    for place, now in enumerate(sent):
        load = math.fsum(math.exp(-(now - before) / 1e6) for before in sent[:place])
        assert tables.transit(link, now) - now == pytest.approx(10_000 + 3_000 * load, abs=1)


def test_load_hovers_around_rate_times_window() -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "b", "orders", LinearInLoad(0, "1us", "1ms"), fifo=False)
    delays = [tables.transit(link, now) - now for now in range(0, 40_000_000, 20_000)]
    assert np.mean(delays[500:]) == pytest.approx(50_000, rel=0.02)


def test_a_message_that_leaves_earlier_than_the_last_finds_no_negative_time() -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "b", "orders", LinearInLoad(0, "1us", "1ms"), fifo=False)
    assert [tables.transit(link, now) - now for now in (5_000_000, 4_000_000)] == [0, 1000]


def test_load_is_felt_by_all_routes_over_the_same_cable_and_by_no_other() -> None:
    tables = NetworkTables(1)
    model = LinearInLoad(0, "1us", "1ms")
    cable, other, own = Leg(model, "cable"), Leg(model, "other cable"), Leg(model)
    first = tables.add_link("a", "v", "orders", [cable])
    second = tables.add_link("b", "v", "orders", [Constant(7), cable])
    aside = tables.add_link("c", "v", "orders", [other])
    private = [tables.add_link(name, "v", "orders", [own]) for name in "de"]
    tables.check()
    assert [tables.transit(first, 0) for _ in range(3)] == [0, 1000, 2000]
    assert tables.transit(second, 0) == 3007
    assert tables.transit(first, 0) == 4000
    assert [tables.transit(link, 0) for link in (aside, *private, *private)] == [0, 0, 0, 1000, 1000]


def test_two_equal_stretches_of_one_path_count_for_themselves() -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "v", "orders", Series([LinearInLoad(0, "1us")] * 2))
    assert [tables.transit(link, 0) for _ in range(3)] == [0, 2000, 4000]


def test_links_of_one_route_share_its_hops() -> None:
    tables = NetworkTables(1, links=2)
    shared = (Leg(Constant("1us")), Leg(LogNormal("20us")), Leg(Constant("2us")))
    for number in range(2000):
        tables.add_link(f"a{number}", "v", "orders", shared)
        tables.add_link(f"a{number}", "v", "reports", [Leg(Constant("3us")), LogNormal("20us")])  # equal, not identical
        tables.add_link(f"a{number}", "v", "quotes", Constant("7us"))
    tables.check()
    assert len(tables) == 6000
    kinds = tables.hops.rows["kind"][tables.hops.rows["p0"] > 0]
    assert (kinds == CONSTANT).sum() == 3  # the way of orders, of reports and of quotes, each written once
    assert len(set(tables.links.rows["key"][:6000].tolist())) == 6000
    assert tables.expected(2) == 7000.0
    assert tables.expected(0) == tables.expected(1)


def test_tables_grow_and_keep_what_they_hold() -> None:
    small, large = NetworkTables(1, links=1), NetworkTables(1, links=4096)
    for tables in (small, large):
        for number in range(600):
            tables.add_link("a", f"b{number}", "orders", Empirical([number, number + 500]))
            tables.transit(number, 1000)
    assert (small.links.rows[:600] == large.links.rows[:600]).all()
    assert [small.transit(n, 2000) for n in range(600)] == [large.transit(n, 2000) for n in range(600)]
    assert small.sent(5) == 2
    assert small.find("a", "b7", "orders") == 7
    assert small.names()[7] == ("a", "b7", "orders")
    small.check()


def test_records_have_no_padding() -> None:
    for dtype in (LINK, HOP):
        assert dtype.itemsize == sum(dtype[name].itemsize for name in dtype.names or ())


def test_wrong_links_are_refused() -> None:
    tables = NetworkTables(1)
    tables.add_link("a", "b", "orders", Constant(1))
    with pytest.raises(InvalidValueError, match="there is a link a->b/orders already; give the second one another ch"):
        tables.add_link("a", "b", "orders", Constant(1))
    with pytest.raises(InvalidValueError, match="there is no link a->c/orders; add it first"):
        tables.find("a", "c", "orders")
    for route in ("5us", 5, [5], [Leg("5us")]):  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match=r'is not a latency model; write one such as Constant\("150us"\)'):
            tables.add_link("a", "d", "orders", route)  # type: ignore[arg-type]


def test_a_refused_link_leaves_no_trace() -> None:
    tables = NetworkTables(1)
    with pytest.raises(InvalidValueError, match="not a latency model"):
        tables.add_link("a", "b", "orders", [5])  # type: ignore[list-item]
    assert len(tables) == 0
    assert tables.add_link("a", "b", "orders", Constant(1)) == 0


def test_many_links_at_once_are_those_that_one_by_one_would_be() -> None:
    one, many = NetworkTables(5, links=2), NetworkTables(5, links=2)
    ways = [Constant(7), (Leg(Constant(7)),), LogNormal("1us", 0.5), (Leg(LinearInLoad("1us", "1us"), "cable"),)] * 3
    names = [(f"a{number}", "X", "orders") for number in range(len(ways))]
    for name, way in zip(names[:2], ways[:2], strict=True):
        many.add_link(*name, way)
    assert many.add_links(names[2:], ways[2:]) == 2
    for name, way in zip(names, ways, strict=True):
        one.add_link(*name, way)
    many.check()
    assert many.names() == one.names()
    assert np.array_equal(many.links.rows[: len(one)], one.links.rows[: len(one)])
    assert np.array_equal(many.hops.rows, one.hops.rows)


@pytest.mark.parametrize("names", [[("b", "X", "orders"), ("a", "X", "orders")], [("b", "X", "orders")] * 2])
def test_many_links_of_which_one_is_there_already_leave_no_trace(names: list[tuple[str, str, str]]) -> None:
    network = NetworkTables(1)
    network.add_link("a", "X", "orders", Constant(1))
    with pytest.raises(InvalidValueError, match=f"{names[1][0]}->X/orders already"):
        network.add_links(names, [Constant(2)] * 2)
    assert network.names() == [("a", "X", "orders")]


def test_check_finds_a_broken_table() -> None:
    tables = NetworkTables(1)
    tables.add_link("a", "b", "orders", [LinearInLoad(0, 1), Gamma("5us")])
    tables.check()
    tables.hops.rows["keeper"][0] = 1
    with pytest.raises(InvariantViolation, match="kept by a hop of another kind"):
        tables.check()
    tables.links.rows["hops"][0] = 9
    with pytest.raises(InvariantViolation, match="outside the table of hops"):
        tables.check()


def draws_of_every_kind() -> dict[str, list[int]]:
    """Arrivals over a link of every route, for comparison between compiled and plain Python."""
    sent = [34_200_000_000_000 + 7_919 * place for place in range(250)]
    return {route: _arrivals(7, route, sent, fifo=False) for route in sorted(ROUTES)}


def test_compiled_and_uncompiled_draws_are_equal_to_the_bit() -> None:
    other = "0" if UNCOMPILED else "1"
    command = "import json, test_links; print(json.dumps(test_links.draws_of_every_kind()))"
    here = Path(__file__).parent
    environment = dict(os.environ, NUMBA_DISABLE_JIT=other, NUMBA_BOUNDSCHECK="0")
    environment["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent.parent)])
    ran = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == draws_of_every_kind()


def test_draws_stay_what_they_were() -> None:
    """A change here changes the digest of every run: it belongs in the changelog with its reason."""
    draws = {
        route: (arrivals[0] - 34_200_000_000_000, sum(arrivals) % 1_000_003)
        for route, arrivals in draws_of_every_kind().items()
    }
    assert draws == GOLDEN


# Of each route: the first latency, and the sum of 250 arrivals modulo 1,000,003.
GOLDEN = {
    "bounded": (7874, 65643),
    "constant": (20000, 555072),
    "cubic": (12079, 36139),
    "empirical": (5905, 39604),
    "gamma": (33654, 747175),
    "load": (1000, 206658),
    "lognormal": (11978, 926581),
    "path": (20749, 599053),
    "reflected": (65098, 904621),
    "tabulated": (7060, 970414),
    "truncated": (20964, 178083),
    "uniform": (17384, 791503),
}
