"""The spec: defaults, one canonical form, a fingerprint, and that it stays as it was checked."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marketsim.domain.fees import Fee
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import MINUTE, SECOND
from marketsim.errors import InvalidValueError, ScenarioError, UnsupportedVersionError
from marketsim.scenario.document import canonical
from marketsim.scenario.loader import load
from marketsim.scenario.spec import SCHEMA, AgentSpec, LatencySpec, ScenarioSpec, TypedSection

SMALL: dict[str, Any] = {"duration": "30min", "venues": {"XSIM": {}}, "instruments": {"ABC": {}}}


def spec(**more: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict({**SMALL, **more})


def test_defaults() -> None:
    small = spec(agents={"mm": {"type": "Maker"}})
    assert small.to_dict() == {
        "schema": 1,
        "name": "scenario",
        "description": "",
        "seed": 0,
        "start": "00:00:00",
        "duration": "30min",
        "warm_up": "0s",
        "grid": "1ns",
        "venues": {"XSIM": {"fees": {"maker": "0bps", "taker": "0bps"}, "processing": "0s", "self_trades": "allow"}},
        "instruments": {"ABC": {"tick_size": "0.01", "lot_size": 1, "reference_price": 100, "currency": "USD"}},
        "network": {"latency": {"type": "constant", "latency": "100us"}},
        "feeds": {},
        "agents": {"mm": {"type": "Maker", "count": 1, "computation": "0s", "cash": 1_000_000}},
        "timeline": [],
        "record": {"log": True},
    }
    assert (small.start, small.duration, small.end, small.warm_up, small.grid) == (0, 30 * MINUTE, 30 * MINUTE, 0, 1)
    assert small.instrument("ABC") == Instrument("ABC")
    assert small.instruments_of("XSIM") == ("ABC",)


def test_times_become_nanoseconds() -> None:
    made = spec(start="09:30", warm_up="1min", grid="10us", timeline=[
        {"at": "10min", "type": "news", "shock": 1}, {"at": "09:45:00.5", "type": "news", "shock": 2},
    ])  # fmt: skip
    assert (made.start, made.warm_up, made.grid) == (34_200 * SECOND, MINUTE, 10_000)
    assert [shock.at for shock in made.timeline] == [10 * MINUTE, 15 * MINUTE + SECOND // 2]
    closing = ScenarioSpec.from_dict(
        {**{k: v for k, v in SMALL.items() if k != "duration"}, "start": "09:30", "end": "16:00"}
    )
    assert closing.duration == int(6.5 * 3600) * SECOND
    assert closing.end == 16 * 3600 * SECOND


def test_fees_latencies_and_limits() -> None:
    made = spec(
        venues={
            "A": {"fees": {"maker": "-0.20bps", "taker": "0.1%"}},
            "B": {"fees": {"maker": 0, "taker": "0.003 / share"}},
        },
        agents={
            "a": {"type": "X", "latency": "0.15ms", "limits": {"max_position": 5}},
            "b": {"type": "X", "latency": 7},
        },
    )
    assert (made.venues["A"].fees.maker, made.venues["A"].fees.taker) == (
        Fee("bps", Decimal("-0.2")),
        Fee("bps", Decimal(10)),
    )
    assert (made.venues["B"].fees.maker, made.venues["B"].fees.taker) == (Fee(), Fee("share", Decimal("0.003")))
    assert made.to_dict()["venues"]["A"]["fees"] == {"maker": "-0.2bps", "taker": "10bps"}
    assert made.to_dict()["venues"]["B"]["fees"] == {"maker": "0bps", "taker": "0.003/share"}
    assert made.agents["a"].latency == LatencySpec.model_validate({"type": "constant", "latency": "150us"})
    assert made.agents["b"].latency is not None
    assert made.agents["b"].latency.arguments() == {"latency": "7ns"}
    assert made.agents["a"].limits is not None
    assert (made.agents["a"].limits.max_order, made.agents["a"].limits.max_position) == (None, 5)


def test_participants_come_in_an_order_that_no_file_decides() -> None:
    one = spec(agents={"b": {"type": "X", "count": 3}, "a": {"type": "X"}})
    other = spec(agents={"a": {"type": "X"}, "b": {"count": 3, "type": "X"}})
    assert [(name, key) for name, key, _ in one.participants()] == [
        ("a", "a"),
        ("b.0", "b"),
        ("b.1", "b"),
        ("b.2", "b"),
    ]
    assert list(one.participants()) == list(other.participants())
    assert one.fingerprint() == other.fingerprint()


def test_the_order_in_a_file_decides_nothing_but_the_order_of_what_an_agent_prefers() -> None:
    one = spec(venues={"Y": {"instruments": ["D", "C"]}, "X": {}}, instruments={"D": {}, "C": {}})
    other = spec(instruments={"C": {}, "D": {}}, venues={"X": {}, "Y": {"instruments": ["C", "D"]}})
    assert one.to_json() == other.to_json()
    assert list(one.venues) == ["X", "Y"]
    assert one.instruments_of("Y") == one.instruments_of("X") == ("C", "D")
    legs = [
        spec(instruments={"C": {}, "D": {}}, agents={"a": {"type": "X", "instruments": list(names)}})
        for names in ("CD", "DC")
    ]
    assert [leg.agents["a"].instruments for leg in legs] == [("C", "D"), ("D", "C")]
    assert legs[0].fingerprint() != legs[1].fingerprint()


EQUAL = [
    ({"duration": "30min"}, {"duration": "1800s"}),
    ({"start": "09:30"}, {"start": "9h 30min"}),
    ({"instruments": {"ABC": {"tick_size": 0.01}}}, {"instruments": {"ABC": {"tick_size": "0.0100"}}}),
    ({"instruments": {"ABC": None}}, {"instruments": {"ABC": {}}}),
    ({"agents": {"a": {"type": "X", "cash": 1e6}}}, {"agents": {"a": {"type": "X"}}}),
    ({"agents": {"a": {"type": "X", "gamma": 1.0}}}, {"agents": {"a": {"type": "X", "gamma": 1}}}),
    ({"agents": {"a": {"type": "X", "parameters": {"g": 1}}}}, {"agents": {"a": {"type": "X", "g": 1}}}),
    ({"agents": {"a": {"type": "X", "g": np.float64(0.5)}}}, {"agents": {"a": {"type": "X", "g": 0.5}}}),
    ({"agents": {"a": {"type": "X", "g": (1, 2)}}}, {"agents": {"a": {"type": "X", "g": np.array([1, 2])}}}),
    ({"agents": {"a": {"type": "X", "venues": "XSIM"}}}, {"agents": {"a": {"type": "X", "venues": ["XSIM"]}}}),
    ({"seed": None}, {"seed": 0}),
    ({"network": {"latency": "0.1ms"}}, {}),
]  # fmt: skip
DIFFERENT = [
    ({"seed": 1}, {"seed": 2}),
    ({"agents": {"a": {"type": "X", "g": True}}}, {"agents": {"a": {"type": "X", "g": 1}}}),
    ({"agents": {"a": {"type": "X", "g": "1"}}}, {"agents": {"a": {"type": "X", "g": 1}}}),
    ({"agents": {"a": {"type": "X", "g": None}}}, {"agents": {"a": {"type": "X"}}}),
    ({"agents": {"a": {"type": "X", "parameters": {"count": 2}}}}, {"agents": {"a": {"type": "X", "count": 2}}}),
    ({"name": "x"}, {"name": "y"}),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_means_the_same_has_one_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    left, right = spec(**one), spec(**other)
    assert left == right
    assert left.fingerprint() == right.fingerprint()
    assert hash(left) == hash(right)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_something_else_has_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert spec(**one).fingerprint() != spec(**other).fingerprint()


def test_the_fingerprint_is_golden() -> None:
    """It is written into manifests: a change of the canonical form needs a new schema version."""
    made = spec(agents={"mm": {"type": "Maker", "count": 2, "gamma": 0.25}}, start="09:30")
    assert made.to_json() == (
        '{"agents":{"mm":{"cash":1000000,"computation":"0s","count":2,"gamma":0.25,"type":"Maker"}},"description":"",'
        '"duration":"30min","feeds":{},"grid":"1ns","instruments":{"ABC":{"currency":"USD","lot_size":1,'
        '"reference_price":100,"tick_size":"0.01"}},"name":"scenario","network":{"latency":{"latency":"100us",'
        '"type":"constant"}},"record":{"log":true},"schema":1,"seed":0,"start":"09:30:00","timeline":[],'
        '"venues":{"XSIM":{"fees":{"maker":"0bps","taker":"0bps"},"processing":"0s","self_trades":"allow"}},"warm_up":"0s"}'
    )
    assert made.fingerprint() == "85dccdaab15ec633c10a5bc9037ebb25"


def test_a_spec_cannot_be_changed() -> None:
    made = spec(agents={"a": {"type": "X", "weights": [1, {"x": 2}]}})
    with pytest.raises(ValidationError):
        made.seed = 3  # type: ignore[misc]
    for mapping in (made.agents, made.venues, made.agents["a"].parameters, made.agents["a"].parameters["weights"][1]):
        with pytest.raises(TypeError):
            mapping["new"] = 1
    arguments = made.agents["a"].arguments()
    arguments["weights"].append(3)
    assert made.agents["a"].arguments() == {"weights": [1, {"x": 2}]}
    made.to_dict()["agents"].clear()
    assert list(made.agents) == ["a"]


def test_a_spec_travels_between_processes() -> None:
    made = spec(agents={"a": {"type": "X", "weights": [1, {"x": None}]}}, network={"topology": {"sites": {"hub": {}}}})
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert again == made
        assert again.fingerprint() == made.fingerprint()


def test_parameters_that_have_the_name_of_a_field_stand_apart() -> None:
    given = {"type": "X", "count": 2, "parameters": {"count": 5, "cash": "lots", "g": 1}}
    made = spec(agents={"a": given})
    assert (made.agents["a"].count, made.agents["a"].arguments()) == (2, {"count": 5, "cash": "lots", "g": 1})
    assert made.to_dict()["agents"]["a"] == {
        "type": "X", "count": 2, "computation": "0s", "cash": 1_000_000, "g": 1,
        "parameters": {"cash": "lots", "count": 5},
    }  # fmt: skip
    assert ScenarioSpec.from_dict(made.to_dict()) == made


def test_infinities_and_fees_from_python() -> None:
    made = spec(agents={"a": {"type": "X", "up": float("inf"), "down": [float("-inf")]}})
    assert made.agents["a"].arguments() == {"up": "inf", "down": ["-inf"]}
    assert ScenarioSpec.from_dict(json.loads(made.to_json())) == made
    fee = Fee("share", Decimal("0.001"))
    assert spec(venues={"V": {"fees": {"taker": fee}}}).venues["V"].fees.taker == fee
    assert repr(made.agents["a"].parameters) == "{'down': ('-inf',), 'up': 'inf'}"


def test_a_parameter_given_twice_is_refused_in_python_too() -> None:
    with pytest.raises(ValidationError, match='the parameter "g" is given twice'):
        AgentSpec.model_validate({"type": "X", "g": 1, "parameters": {"g": 2}})


def test_what_cannot_be_written_is_refused() -> None:
    for value, words in (
        (float("nan"), "nan cannot be written"),
        (object(), "a value of type object cannot be written"),
    ):
        with pytest.raises(ScenarioError, match=rf"^agents\.a\.parameters: {words}"):
            spec(agents={"a": {"type": "X", "g": value}})
    with pytest.raises(InvalidValueError):
        canonical({1, 2})


def test_a_spec_made_field_by_field_is_cross_checked_too() -> None:
    with pytest.raises(ValidationError, match="no venue is called"):
        ScenarioSpec.model_validate({**SMALL, "agents": {"a": {"type": "X", "venues": ["NOWHERE"]}}})


def test_reserved_names_are_told_apart_from_parameters() -> None:
    assert AgentSpec(type="X", count=2, gamma=0.1).arguments() == {"gamma": 0.1}  # type: ignore[call-arg]
    assert issubclass(AgentSpec, TypedSection)
    assert AgentSpec(type="X").names("mm") == ("mm",)
    assert AgentSpec(type="X", count=2).names("mm") == ("mm.0", "mm.1")


def test_versions() -> None:
    assert spec(schema=1) == spec()
    assert ScenarioSpec.VERSION == SCHEMA == 1
    with pytest.raises(UnsupportedVersionError, match=r"^schema: version 2 is not known: this build reads 0 to 1"):
        spec(schema=2)
    with pytest.raises(ScenarioError, match=r"^schema: true is not a version: write schema: 1$"):
        spec(schema=True)


# --- round trips of any scenario ---

NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_-]{0,6}\Z")
DURATIONS = st.integers(1, 10**15).map(lambda ns: f"{ns}ns") | st.sampled_from(["1s", "30min", "1h 30min", "2.5ms"])
AMOUNTS = st.integers(0, 10**9) | st.decimals(0, 10**6, places=4).map(str)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
TYPED = st.fixed_dictionaries({"type": st.sampled_from(["Noise", "a.b:C", "x"])})


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    venues, symbols = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)), draw(
        st.lists(st.text("ABC.$/é1", min_size=1, max_size=4), min_size=1, max_size=3, unique=True)
    )  # fmt: skip
    parameters = st.dictionaries(st.text(max_size=6), VALUES, max_size=3)
    agent = st.fixed_dictionaries(
        {"type": st.sampled_from(["Noise", "a.b:C"])},
        optional={
            "count": st.integers(1, 999), "latency": DURATIONS, "computation": DURATIONS, "cash": AMOUNTS,
            "venues": st.just(venues), "parameters": parameters, "limits": st.just({"max_order": 4}),
        },
    )  # fmt: skip
    size = st.integers(1, 10**6).map(lambda n: str(Decimal(n) / 1000))
    instrument = st.builds(
        lambda tick, n, lot: {"tick_size": tick, "lot_size": lot, "reference_price": str(Decimal(tick) * n)},
        size, st.integers(0, 10**6), size,
    )  # fmt: skip
    fees = st.just({"maker": "-0.25bps", "taker": "0.0035/share"})
    venue = st.none() | st.fixed_dictionaries({}, optional={"processing": DURATIONS, "fees": fees})
    duration = draw(st.integers(1, 10**15))
    shock = st.fixed_dictionaries({"at": st.integers(0, duration - 1), "type": st.just("news")}, optional={"x": VALUES})
    return {
        "name": draw(st.text(max_size=8)), "description": draw(st.text(max_size=20)),
        "seed": draw(st.integers(0, 2**62)),
        "start": draw(st.integers(0, 3 * 10**18)), "duration": duration, "warm_up": draw(st.integers(0, duration - 1)),
        "grid": draw(st.integers(1, duration)),
        "venues": {name: draw(venue) for name in venues},
        "instruments": {symbol: draw(instrument) for symbol in symbols},
        "network": draw(st.just({}) | st.fixed_dictionaries({"latency": DURATIONS | TYPED})),
        "feeds": draw(st.dictionaries(NAMES, TYPED, max_size=2)),
        "agents": draw(st.dictionaries(NAMES, agent, max_size=3)),
        "timeline": draw(st.lists(shock, max_size=2)), "record": {"log": draw(st.booleans())},
    }  # fmt: skip


@given(scenarios())
def test_every_form_of_a_spec_is_read_back_as_the_same_spec(tmp_path_factory: Any, given: dict[str, Any]) -> None:
    made = ScenarioSpec.from_dict(given)
    assert ScenarioSpec.from_dict(made.to_dict()) == made
    assert ScenarioSpec.from_dict(json.loads(made.to_json())) == made
    file = tmp_path_factory.getbasetemp() / "again.yaml"
    file.write_text(made.to_yaml(), encoding="utf-8")
    again = load(file, environment={})
    assert again == made
    assert again.to_json() == made.to_json()
    assert again.fingerprint() == made.fingerprint()
    assert pickle.loads(pickle.dumps(made)) == made
