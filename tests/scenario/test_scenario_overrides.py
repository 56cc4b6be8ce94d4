"""Overrides: paths, values, and what is said about those that cannot be applied."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_bad_scenarios import TYPES

from marketsim.errors import ScenarioError
from marketsim.scenario.document import format_path
from marketsim.scenario.loader import check, load
from marketsim.scenario.overrides import parse_path, with_overrides

GIVEN: dict[str, Any] = {
    "duration": "30min",
    "venues": {"XSIM": {}},
    "instruments": {"ABC": {}, "BRK.B": {}, "BRK": {}},
    "agents": {
        "mm": {"type": "Maker", "gamma": 0.1, "weights": [1, 2], "latency": "5us", "parameters": {"spread": 0.02}},
        "noise": {"type": "Sniper", "count": 3},
    },
    "timeline": [{"at": "1min", "type": "news", "shock": 1}, {"at": "2min", "type": "news", "shock": 2}],
}


LATENCY = (
    'write a number with a unit (ns, us, ms, s, min, h, d), such as "150us" or "1h 30min", '
    'or a mapping such as {type: lognormal, median: "100us"}'
)
LATE = "of the run of 30min: choose an earlier time, or lengthen the duration"
UNCLOSED = "did not find expected ',' or ']' (while parsing a flow sequence that begins in line 1)"


def applied(*overrides: str) -> dict[str, Any]:
    return with_overrides(GIVEN, overrides)


def refused(*overrides: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        check(GIVEN, overrides, registry=TYPES)
    return list(caught.value.findings)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("seed", ("seed",)),
        ("agents.mm.gamma", ("agents", "mm", "gamma")),
        ("timeline[0].at", ("timeline", 0, "at")),
        ("timeline.0.at", ("timeline", "0", "at")),
        ('instruments."BRK.B".lot_size', ("instruments", "BRK.B", "lot_size")),
        ('a."x \\"y\\" [z]".b', ("a", 'x "y" [z]', "b")),
        ("a[1][22].b", ("a", 1, 22, "b")),
        (" a . b ", ("a", "b")),
        ("", ()),
        ("a..b", ()),
        (".a", ()),
        ("a.", ()),
        ("a[x]", ()),
        ("a b", ()),
        ('a"b"', ()),
        ("a[1", ()),
    ],
)
def test_paths(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@given(st.lists(st.text(min_size=1, max_size=5) | st.integers(0, 99), min_size=1, max_size=4).filter(
    lambda path: isinstance(path[0], str)
))  # fmt: skip
def test_every_path_of_a_message_can_be_given_back_as_an_override(path: list[str | int]) -> None:
    if not any(isinstance(step, str) and any(not character.isprintable() for character in step) for step in path):
        assert parse_path(format_path(path)) == tuple(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.2", 0.2), ("1e3", 1000.0), ("true", True), ("no", "no"), ("09:30", "09:30"), ("", None),
        ("10us", "10us"),
        ("'5'", "5"), ('"a b"', "a b"), ("[1, 2us, x]", [1, "2us", "x"]), ("{type: x, y: 1}", {"type": "x", "y": 1}),
        ("a: b", "a: b"), ("x=y", "x=y"), (" 7 ", 7), ("# no comment", "# no comment"),
    ],
)  # fmt: skip
def test_values_are_read_as_yaml_reads_scalars(text: str, value: Any) -> None:
    assert with_overrides({"description": "x"}, [f"description={text}"]).get("description") == value


def test_none_is_a_value_where_null_removes() -> None:
    ready = load("execution_race").to_dict()
    without = check(ready, ["agents.vwap.max_participation=none"])
    assert without.to_dict()["agents"]["vwap"]["max_participation"] == "none"
    removed = check(without.to_dict(), ["agents.vwap.max_participation=null"])
    assert "max_participation" not in removed.to_dict()["agents"]["vwap"]
    with pytest.raises(ScenarioError, match=r"agents\.vwap\.quantity: 'none' is not a whole number"):
        check(ready, ["agents.vwap.quantity=none"])


def test_what_is_set() -> None:
    changed = applied(
        "seed=4", "agents.mm.gamma=0.5", "agents.mm.parameters.spread=0.03", "agents.mm.count=2",
        "agents.mm.weights[1]=7",
        "timeline[1].shock=-3", "timeline[0]=null", "instruments.BRK.B.lot_size=10", "instruments.BRK.lot_size=5",
        'instruments."BRK.B".tick_size=0.5', "warm_up=1s", "agents.new={type: Sniper, quantity: 2}",
        "agents.noise.parameters={quantity: 9, count: 4}",
    )  # fmt: skip
    assert changed == {
        "duration": "30min",
        "seed": 4,
        "warm_up": "1s",
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}, "BRK.B": {"lot_size": 10, "tick_size": 0.5}, "BRK": {"lot_size": 5}},
        "agents": {
            "mm": {"type": "Maker", "gamma": 0.5, "spread": 0.03, "count": 2, "weights": [1, 7], "latency": "5us"},
            "noise": {"type": "Sniper", "count": 3, "quantity": 9, "parameters": {"count": 4}},
            "new": {"type": "Sniper", "quantity": 2},
        },
        "timeline": [{"at": "2min", "type": "news", "shock": -3}],
    }


def test_an_item_of_a_list_is_replaced_and_not_merged() -> None:
    """A list has items of any kind: what one had says nothing about what takes its place."""
    given = {**GIVEN, "agents": {"mm": {"type": "Maker", "enter": [{"rsi": {"below": 30}}, "volume"]}}}
    changed = with_overrides(given, ["agents.mm.enter[0]={rsj: {below: 40}}"])
    assert changed["agents"]["mm"]["enter"] == [{"rsj": {"below": 40}}, "volume"]
    deeper = with_overrides(given, ["agents.mm.enter[0].rsi={period: 7}"])
    assert deeper["agents"]["mm"]["enter"][0] == {"rsi": {"below": 30, "period": 7}}
    news = applied("timeline[0]={at: 5s, type: kill_switch}")["timeline"]
    assert news == [{"at": "5s", "type": "kill_switch"}, {"at": "2min", "type": "news", "shock": 2}]


def test_what_was_given_stays_as_it_was() -> None:
    before = repr(GIVEN)
    applied("agents.mm.gamma=9", "timeline[0]=null")
    assert repr(GIVEN) == before


def test_null_takes_away_and_another_type_drops_parameters() -> None:
    assert "gamma" not in applied("agents.mm.gamma=null")["agents"]["mm"]
    assert list(applied("agents.noise=null")["agents"]) == ["mm"]
    assert applied("agents.mm.type=Sniper")["agents"]["mm"] == {"type": "Sniper", "latency": "5us"}
    assert applied("agents.mm.latency.latency=7us")["agents"]["mm"]["latency"] == {"type": "constant", "latency": "7us"}
    assert applied("agents.mm.latency.type=gamma")["agents"]["mm"]["latency"] == {"type": "gamma"}
    assert applied("end=10:00")["end"] == "10:00"
    assert "duration" not in applied("end=10:00")


def test_a_mapping_of_values_from_python() -> None:
    spec = check(GIVEN, {"agents.mm.gamma": 0.7, "agents.noise.count": 5, "seed": 9}, registry=TYPES)
    assert (spec.agents["mm"].arguments()["gamma"], spec.agents["noise"].count, spec.seed) == (0.7, 5, 9)
    assert load(GIVEN, {"agents.mm": {"gamma": 0.3}}).agents["mm"].arguments()["spread"] == 0.02


def test_later_overrides_win() -> None:
    assert applied("seed=1", "seed=2")["seed"] == 2
    assert load(GIVEN, "seed=3").seed == 3, "a single text is one override, not one for each character"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("agents.m.gamma=1", '--set  agents.m.gamma: no agent is called "m"; did you mean "mm"?'),
        ("venues.XSIN.host=a", '--set  venues.XSIN.host: no venue is called "XSIN"; did you mean "XSIM"?'),
        ("feeds.f.x=1", '--set  feeds.f.x: no feed is called "f"; the scenario has no feeds'),
        ("agents.mm.gama=1", '--set  agents.mm.gama: unknown parameter; did you mean "gamma"?'),
        ("agents.mm.cuont=1", '--set  agents.mm.cuont: unknown parameter; did you mean "count"?'),
        ("sede=1", '--set  sede: unknown field; did you mean "seed"?'),
        ("agnets.mm.gamma=1", '--set  agnets: unknown field; did you mean "agents"?'),
        ("agents.mm.gamma=high", "--set  agents.mm.gamma: 'high' is not a number"),
        ("agents.mm.gamma=-1", "--set  agents.mm.gamma: gamma -1 must be above zero"),
        ("agents.mm.count=0", "--set  agents.mm.count: 0 must be at least 1"),
        ("agents.mm.gama=null", '--set  agents.mm.gama: there is nothing to remove; did you mean "gamma"?'),
        ("agents.mm.latency=fast", f"--set  agents.mm.latency: 'fast' is not a duration: {LATENCY}"),
        ("agents.mm.gamma.x=1",
         "--set  agents.mm.gamma.x: gamma is a value and has nothing inside: end the path there"),
        ("timeline[2].at=1s", "--set  timeline[2]: there is no such item: the list has [0] to [1]"),
        ("timeline.first.at=1s", "--set  timeline.first: there is no such item: the list has [0] to [1]"),
        ("timeline[0].at=40min", f"--set  timeline[0].at: 40min after the start is not before the end {LATE}"),
        ("agents.mm.weights=[1", f"--set  agents.mm.weights: not valid YAML: {UNCLOSED}"),
        ("seed", "--set  'seed' is not an override: write path=value, such as agents.mm.gamma=0.2"),
        ("=3", "--set  '=3' is not an override: write path=value, such as agents.mm.gamma=0.2"),
        ("a..b=3", "--set  'a..b=3' is not an override: write path=value, such as agents.mm.gamma=0.2"),
    ],
)  # fmt: skip
def test_what_is_refused(override: str, message: str) -> None:
    assert refused(override) == [message]


def test_all_refusals_come_at_once_together_with_those_of_the_scenario() -> None:
    assert refused("agents.m.gamma=1", "agents.mm.gamma=x", "seed", "agents.noise.quantity=1.5") == [
        '--set  agents.m.gamma: no agent is called "m"; did you mean "mm"?',
        "--set  'seed' is not an override: write path=value, such as agents.mm.gamma=0.2",
        "--set  agents.mm.gamma: 'x' is not a number",
        "--set  agents.noise.quantity: 1.5 is not a whole number",
    ]


def test_a_mapping_with_a_wrong_path() -> None:
    with pytest.raises(ScenarioError, match=r"^'a\.\.b' is not a path: write steps with dots"):
        with_overrides(GIVEN, {"a..b": 1})
