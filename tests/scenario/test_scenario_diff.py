"""The difference of two scenarios, and the JSON Schema for editors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from test_bad_scenarios import OK, TYPES, cases
from test_scenario_spec import scenarios

from marketsim.scenario import yaml
from marketsim.scenario.builtin import BUILTIN
from marketsim.scenario.diff import ABSENT, Difference, diff, format_changes, format_diff
from marketsim.scenario.loader import load
from marketsim.scenario.registry import Registry
from marketsim.scenario.schema import json_schema
from marketsim.scenario.spec import ScenarioSpec

GIVEN: dict[str, Any] = {"duration": "30min", "venues": {"X": {}}, "instruments": {"A": {}, "B.C": {}}}


def spec(**more: Any) -> ScenarioSpec:
    return load({**GIVEN, **more})


def test_equal_scenarios_do_not_differ() -> None:
    assert diff(spec(duration="1800s"), spec()) == []
    assert format_diff([]) == "no differences"


def test_every_difference_is_named() -> None:
    left = spec(agents={"a": {"type": "T", "g": 0.1, "w": [1, 2, 3]}, "b": {"type": "U"}}, seed=1)
    right = spec(
        agents={"a": {"type": "T", "g": True, "w": [1, 5], "h": "0.1"}},
        seed=2,
        instruments={"A": {}, "B.C": {"lot_size": 2}},
    )
    found = diff(left, right)
    assert found == [
        Difference("seed", 1, 2),
        Difference('instruments."B.C".lot_size', 1, 2),
        Difference("agents.a.g", 0.1, True),
        Difference("agents.a.w[1]", 2, 5),
        Difference("agents.a.w[2]", 3, ABSENT),
        Difference("agents.a.h", ABSENT, "0.1"),
        Difference("agents.b", {"type": "U", "count": 1, "computation": "0s", "cash": 1_000_000}, ABSENT),
    ]
    assert format_diff(found[:6]).splitlines() == [
        "seed                        1          →  2",
        'instruments."B.C".lot_size  1          →  2',
        "agents.a.g                  0.1        →  true",
        "agents.a.w[1]               2          →  5",
        "agents.a.w[2]               3          →  (nothing)",
        'agents.a.h                  (nothing)  →  "0.1"',
    ]
    assert str(found[0]) == "seed: 1 → 2"


def test_a_number_a_boolean_and_a_text_differ() -> None:
    for one, other in ((1, True), (0, False), (1, "1"), (None, "null"), ("true", True)):
        found = diff(spec(agents={"a": {"type": "T", "x": one}}), spec(agents={"a": {"type": "T", "x": other}}))
        assert [difference.path for difference in found] == ["agents.a.x"]
        assert str(found[0]).count("→") == 1
        left, right = str(found[0]).removeprefix("agents.a.x: ").split(" → ")
        assert left != right


def test_differences_are_overrides_that_lead_from_one_to_the_other() -> None:
    left = spec(agents={"a": {"type": "T", "g": 0.1}}, seed=1)
    right = spec(agents={"a": {"type": "T", "g": 0.2}, "b": {"type": "U"}}, seed=3)
    assert load(left, {difference.path: difference.right for difference in diff(left, right)}) == right


# --- JSON Schema ---

jsonschema = pytest.importorskip("jsonschema", reason="the JSON Schema is judged by the package jsonschema")


def errors(schema: dict[str, Any], text: str) -> list[str]:
    value = yaml.read(text)[0].to_plain()
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


FULL = (
    OK
    + """
extends: [base.yaml, quickstart]
end: "16:00"
seed: ${SEED}
warm_up: ${WARM:-1min}
network: {latency: 150us, topology: {preset: us}}
feeds:
  fundamental: {type: Wandering, instrument: ABC, volatility: 0.2}
agents:
  mm: {type: Maker, gamma: 0.1, count: 3, latency: {type: lognormal, median: 10us}, limits: {max_order: 5}, cash: 5}
  own: {type: 'my.module:Class', whatever: [1]}
  gone: null
  inherited: {gamma: 3}
timeline:
  - {at: 10min, type: set, agent: mm, parameter: gamma, value: 0.5}
record: {log: false}
"""
)


@pytest.mark.parametrize("types", [False, True])
def test_the_schema_is_one_and_accepts_what_may_be_written(types: bool) -> None:
    schema = json_schema(types, TYPES)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert errors(schema, FULL) == []
    assert errors(schema, load({**GIVEN, "agents": {"a": {"type": "Maker"}}}).to_yaml()) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("seed: ${SEED}", "sede: 1", "$"),
        ("seed: ${SEED}", "seed: one", "$.seed"),
        ("seed: ${SEED}", "seed: -1", "$.seed"),
        ("count: 3", "count: 0", "$.agents.mm"),
        ("record: {log: false}", "record: {log: no}", "$.record"),
        ("XSIM: {instruments: [ABC]}", "XSIM: {instrument: [ABC]}", "$.venues.XSIM"),
    ],
)
def test_the_schema_shows_what_is_wrong(old: str, new: str, where: str) -> None:
    assert old in FULL
    found = errors(json_schema(), FULL.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(where)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gamma: 0.1", "gama: 0.1"),
        ("type: Maker", "type: Makr"),
        ("type: lognormal", "type: lognorm"),
        ("volatility", "vol"),
    ],
)
def test_the_schema_with_types_knows_their_parameters(old: str, new: str) -> None:
    assert errors(json_schema(), FULL.replace(old, new)) == []
    assert errors(json_schema(True, TYPES), FULL.replace(old, new)) != []


def test_parameters_are_described_for_editors() -> None:
    schema = json_schema(True, TYPES)
    cases_of_agents = schema["$defs"]["AgentSpec"]["allOf"]
    maker = next(case for case in cases_of_agents if case["if"]["properties"]["type"]["const"] == "Maker")
    gamma = maker["then"]["properties"]["gamma"]
    assert (gamma["description"], gamma["default"]) == ("risk aversion (float)", "0.1")
    assert maker["then"]["properties"]["refresh"] == {"description": "duration", "default": "1ms"}


def test_a_type_that_cannot_be_imported_does_not_take_the_schema_with_it() -> None:
    types = Registry({**BUILTIN, "agent": {"Broken": "no_such_module_at_all:X", "Maker": "scenario_types:Maker"}})
    names = [
        case["if"]["properties"]["type"]["const"] for case in json_schema(True, types)["$defs"]["AgentSpec"]["allOf"]
    ]
    assert names == ["Maker"]


SCHEMA = json_schema()


@settings(max_examples=30)
@given(scenarios())
def test_the_schema_refuses_nothing_that_the_loader_accepts(given: dict[str, Any]) -> None:
    assert errors(SCHEMA, load(given).to_yaml()) == []


def test_the_schema_refuses_what_has_a_wrong_form() -> None:
    refused = {name for name, text, _ in cases() if errors(SCHEMA, text)}
    assert {"wrong forms", "unknown top field", "bad scalars", "venue2", "instrument", "agent parts"} <= refused


def test_a_section_of_one_side_is_told_in_short() -> None:
    found = [
        Difference("agents.spoofer", ABSENT, {"type": "spoofer", "count": 1, "quantity": 40}),
        Difference("rate", "1/s", "y" * 80),
        Difference("shocks", [{"at": "1min"}], ABSENT),
    ]
    first, second, third = format_changes(found).splitlines()
    assert first == "agents.spoofer: added (type spoofer, count 1)"
    assert second == 'rate  "1/s"  →  ' + "y" * 47 + "…"
    assert third == "shocks: gone (1 entry)"
    assert format_changes([]) == "no differences"
