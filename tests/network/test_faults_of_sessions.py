"""What goes wrong with a session: the rules of each fault, and what several of them come to."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.network.bandwidth import Bandwidth
from marketsim.network.conformance import check_latency_model
from marketsim.network.faults import (
    Delays,
    Disconnect,
    Duplicates,
    Fault,
    Impairment,
    Loss,
    Outages,
    Spike,
    Spikes,
    impairment,
    spikes,
)
from marketsim.network.latency import Constant, Series
from marketsim.network.route import Leg
from marketsim.network.table import NetworkTables

SECOND = 1_000_000_000


def wrong(*faults: Fault, start: int = 0, end: int = 60 * SECOND, agent: str = "a", **terms: Any) -> Impairment:
    return impairment(faults, start, end, 1, agent, "X", **terms)


def test_nothing_is_wrong_without_faults() -> None:
    assert wrong() == wrong(Spike("1s", "2s", "1ms")) == Impairment()


def test_times_count_from_the_start_of_the_run() -> None:
    assert wrong(Disconnect("1s", "2s"), start=5 * SECOND).outages == ((6 * SECOND, 7 * SECOND),)
    assert wrong(Disconnect("1s", "2s")).dark == ()
    assert wrong(Disconnect("1s", "2s", data=True)).dark == ((SECOND, 2 * SECOND),)
    assert wrong(Disconnect("90s", "95s")).outages == (), "after the end"


def test_outages_lie_on_the_grid_outwards() -> None:
    found = wrong(Disconnect("1500ns", "2500ns"), grid=1000).outages
    assert found == ((1000, 3000),)


def test_what_touches_becomes_one() -> None:
    assert wrong(Disconnect("1s", "2s"), Disconnect("2s", "3s")).outages == ((SECOND, 3 * SECOND),)


@pytest.mark.parametrize("second", [Disconnect("1500ms", "3s"), Disconnect("0s", "5s"), Disconnect("1s", "2s")])
def test_scheduled_disconnects_of_a_session_do_not_overlap(second: Disconnect) -> None:
    with pytest.raises(InvalidValueError, match=r"1s to 2s and .* overlap; join them"):
        wrong(Disconnect("1s", "2s"), second)


def test_random_outages_are_a_sessions_own_and_last_as_long_as_they_should() -> None:
    faults = Outages(between="10s", lasting="2s")
    hour = 3600 * SECOND
    first, second = wrong(faults, end=hour).outages, wrong(faults, end=hour, agent="b").outages
    assert first != second
    assert first == wrong(faults, end=hour).outages
    down = sum(last - begin for begin, last in first)
    assert 0.12 < down / hour < 0.21, "2 of 12 seconds"
    assert all(begin < last for begin, last in first)
    assert all(one[1] < two[0] for one, two in pairwise(first))


def test_two_chances_are_one_of_either() -> None:
    assert wrong(Loss(0.1)).loss == 0.1
    assert wrong(Loss(0.5), Loss(0.5)).loss == 0.75
    assert wrong(Loss(1.0), Loss(0.5)).loss == 1.0
    assert wrong(Duplicates(0.2)).duplicates == 0.2
    late = wrong(Delays(0.3, "2ms"))
    assert (late.delays, late.delay) == (0.3, 2_000_000)
    with pytest.raises(ConfigurationError, match="2 faults of type delays; keep one"):
        wrong(Delays(0.3, "2ms"), Delays(0.1, "2ms"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loss(1.1), "probability: 1.1 is not a probability"),
        (lambda: Loss(-0.1), "probability: -0.1 is not"),
        (lambda: Loss(float("nan")), "probability: nan is not"),
        (lambda: Duplicates(True), "probability: True is not"),
        (lambda: Delays(0.1, 0), "delay: 0 must be above zero"),
        (lambda: Disconnect("2s", "1s"), "until: 1s is not after 2s"),
        (lambda: Disconnect("2s", "2s"), "until: 2s is not after 2s"),
        (lambda: Spike("1s", "2s", 0), "added: 0 must be above zero"),
        (lambda: Outages(0, "1s"), "between: 0 must be above zero"),
        (lambda: Outages("1s", 0), "lasting: 0 must be above zero"),
        (lambda: Bandwidth(0), "per_message must be above zero"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make()


# --- hops ---


def test_a_spike_adds_to_what_leaves_within_it() -> None:
    added = spikes([Spike("1us", "2us", "5us"), Loss(0.1), Spike("1500ns", "3us", "7us")], start=100)
    assert added is not None
    tables = NetworkTables(1)
    link = tables.add_link("a", "X", "orders", [Constant("10us"), Leg(added)], fifo=False)
    taken = {now: tables.transit(link, now) - now for now in (0, 1099, 1100, 1600, 2100, 3099, 3100)}
    assert taken == {0: 10_000, 1099: 10_000, 1100: 15_000, 1600: 22_000, 2100: 17_000, 3099: 17_000, 3100: 10_000}
    assert spikes([Loss(0.1)], 0) is None
    assert Spikes(((0, 1, 2),)).expected() == 0.0


def test_a_line_puts_one_message_after_the_other() -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "X", "orders", Series([Constant("1us"), Bandwidth("10us")]))
    assert [tables.transit(link, now) for now in (0, 0, 5_000, 100_000)] == [11_000, 21_000, 31_000, 111_000]


def test_a_shared_line_is_one_line() -> None:
    tables = NetworkTables(1)
    leg = Leg(Bandwidth("10us"), "a/in")
    one = tables.add_link("X", "a", "reports", [leg])
    other = tables.add_link("X", "a", "data", [leg])
    assert (tables.transit(one, 0), tables.transit(other, 0), tables.transit(one, 1)) == (10_000, 20_000, 30_000)
    tables.check()


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=40))
def test_a_line_is_a_queue_with_one_server(gaps: list[int]) -> None:
    tables = NetworkTables(1)
    link = tables.add_link("a", "X", "orders", Bandwidth("10us"))
    now = free = 0
    for gap in gaps:
        now += gap
        free = max(now, free) + 10_000
        assert tables.transit(link, now) == free


def test_bandwidth_keeps_what_latency_models_promise() -> None:
    check_latency_model(Bandwidth("10us"))
