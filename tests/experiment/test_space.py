"""A space of parameters: what text means, units, whole numbers, the unit cube, and what the scenario refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_market import small

import marketsim as ms
from marketsim.domain import units
from marketsim.errors import InvalidValueError, ScenarioError
from marketsim.experiment.space import Choice, Space, Span, read_given, value_at
from marketsim.scenario.loader import check

SPEC = small()
OVER: dict[str, Any] = {
    "network.latency.median": "100us..5ms log",
    "agents.noise.count": "5..50",
    "agents.noise.rate": "0.5/s..2/s",
    "venues.XSIM.fees.taker": "0.1bps..2bps",
    "agents.noise.cancel_share": "0..0.5 step 0.1",
    "agents.noise.quantity": [5, 10, 20],
}
SPACE = Space.of(OVER, SPEC)


def test_text_says_a_list_or_a_span() -> None:
    assert read_given("0.05, 0.1,0.2") == Choice((0.05, 0.1, 0.2))
    assert read_given("buy") == Choice(("buy",))
    assert read_given("100us..5ms:log") == Span("100us", "5ms", "log")
    assert read_given("100us .. 5ms log") == Span("100us", "5ms", "log")
    assert (
        read_given("0..1:step:0.1")
        == read_given("0..1 step 0.1")
        == read_given("0..1 step=0.1")
        == Span(0, 1, "linear", 0.1)
    )
    assert read_given("-5..5 linear") == Span(-5, 5)


def test_every_form_of_the_same_is_the_same() -> None:
    path = "network.latency.median"
    forms: list[Any] = ["100us..5ms log", Span("100us", "5ms", "log"), {"low": "100us", "high": "5ms", "scale": "log"}]
    assert len({Space.of({path: form}, SPEC) for form in forms}) == 1
    lists: list[Any] = [[5, 10], Choice((5, 10)), "5, 10", {"values": [5, 10]}]
    assert len({Space.of({"agents.noise.count": form}, SPEC) for form in lists}) == 1
    assert Space.of(SPACE.to_dict(), SPEC) == SPACE


def test_ends_keep_their_units_and_what_lies_between_has_the_first() -> None:
    latency = SPACE["network.latency.median"]
    assert (latency.unit, latency.low, latency.high) == ("us", 100.0, 5000.0)
    assert (
        latency.at(0.5) == units.format_duration(round(math.sqrt(100e3 * 5e6) // 1)) or latency.at(0.5) == "707.107us"
    )
    assert latency.number("5ms") == 5000.0
    assert SPACE["agents.noise.rate"].at(0.5) == "1.25/s"
    assert SPACE["venues.XSIM.fees.taker"].at(0.5) == "1.05bps"
    mixed = Space.of({"agents.noise.rate": "30/min..2/s"}, SPEC)["agents.noise.rate"]
    assert (mixed.low, mixed.high) == (30.0, 120.0)


def test_whole_numbers_stay_whole_and_each_has_its_share() -> None:
    count = SPACE["agents.noise.count"]
    assert count.whole
    assert count.size == 46
    assert [count.at(u) for u in (0.0, 0.5, 1.0)] == [5, 28, 50]
    drawn = [count.at((k + 0.5) / 460) for k in range(460)]
    assert {value: drawn.count(value) for value in range(5, 51)} == dict.fromkeys(range(5, 51), 10)
    assert not Space.of({"agents.noise.improve_share": "0..1"}, SPEC)["agents.noise.improve_share"].whole


def test_levels_of_a_grid() -> None:
    assert SPACE["agents.noise.cancel_share"].levels(3) == (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert SPACE["network.latency.median"].levels(3) == ("100us", "707.107us", "5ms")
    assert SPACE["agents.noise.count"].levels(4) == (5, 20, 35, 50)
    assert SPACE["agents.noise.quantity"].levels(99) == (5, 10, 20)
    with pytest.raises(InvalidValueError, match="at least 2 values of a span"):
        SPACE["network.latency.median"].levels(1)


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_every_point_of_the_unit_cube_is_a_valid_scenario_between_the_ends(point: list[float]) -> None:
    values = SPACE.at(point)
    for dimension in SPACE:
        number = dimension.number(values[dimension.path])
        if not dimension.is_choice:
            assert dimension.low <= number <= dimension.high
    spec = SPACE.spec(SPEC, values)
    assert spec.agents["noise"].count == values["agents.noise.count"]
    assert spec == check(SPEC, values)


@given(st.floats(0, 1), st.floats(0, 1))
def test_values_rise_with_their_place(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for dimension in SPACE:
        assert dimension.number(dimension.at(low)) <= dimension.number(dimension.at(high))


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({}, "nothing varies"),
        ({"agents.nose.count": [5]}, 'no agent is called "nose"; did you mean "noise"'),
        ({"agents.noise.cout": [5]}, 'unknown parameter; did you mean "count"'),
        ({"duratoin": ["4s"]}, 'unknown field; did you mean "duration"'),
        ({"agents.noise.count": []}, "there are no values: write a list"),
        ({"agents.noise.count": [5, 5]}, "5 is given twice"),
        ({"agents.noise.count": [0]}, "agents.noise.count: 0 must be at least 1"),
        ({"agents.noise.count": "50..5"}, "ends below its beginning: write 5..50"),
        ({"agents.noise.count": "0..5 log"}, "a log scale begins above zero, not at 0"),
        ({"agents.noise.count": "5..5us"}, "different units"),
        ({"agents.noise.count": "5..9 step 0"}, "steps are above zero"),
        ({"agents.noise.count": Span(5, 9, "cubic")}, 'write "linear" or "log"'),  # type: ignore[arg-type]
        ({"agents.noise.count": {"low": 5, "hihg": 9}}, "a mapping has values, or low and high"),
        ({"agents.noise.type": "a..b"}, "'a' is no number"),
        ({"seed": [1, 2]}, "every point runs under the same seeds"),
        ({"a b": [1]}, "'a b' is not a path"),
    ],
)
def test_what_cannot_be_is_named_with_what_to_do(over: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        Space.of(over, SPEC)
    assert words in str(raised.value)


def test_a_point_needs_a_number_a_path_and_values_must_fit_together() -> None:
    with pytest.raises(InvalidValueError, match="needs 6 numbers, one a path; these are 2"):
        SPACE.at([0.1, 0.2])
    with pytest.raises(InvalidValueError, match="no path of the space"):
        SPACE["agents.noise.rat"]
    with pytest.raises(ScenarioError):
        SPACE.spec(SPEC, {"agents.noise.count": -1})


def test_what_a_scenario_writes_at_a_path() -> None:
    spec = ms.load("quickstart").spec
    assert value_at(spec, "duration") == spec.to_dict()["duration"]
    assert value_at(spec, "agents") == spec.to_dict()["agents"]
    for path in ("agents.nobody.count", "duration[0]", "instruments.ABC.tick_size[3].x", ""):
        assert value_at(spec, path) is None


@pytest.mark.parametrize("given", ["1..5", [1, 5], Span(1, 5), "1, 5ms"])
def test_a_duration_without_a_unit_is_refused(given: Any) -> None:
    with pytest.raises(InvalidValueError, match=r'network.latency.median: 1 means 1 ns.*write a unit, such as "1ms"'):
        Space.of({"network.latency.median": given}, SPEC)


def test_zero_is_a_duration_and_other_numbers_need_no_unit() -> None:
    assert Space.of({"agents.noise.latency": [0, "1ms"]}, SPEC)["agents.noise.latency"].values == (0, "1ms")
    assert Space.of({"agents.noise.count": "1..5"}, SPEC)["agents.noise.count"].whole
