"""What a class's fields accept from a scenario, and what they say of what they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario_types import Everything, Maker, Mood, Needy, Plain, Sniper, Window

from marketsim.errors import MissingDependency
from marketsim.network.latency import Constant, LogNormal
from marketsim.scenario.parameters import REQUIRED, describe_value, parameters_of, summary
from marketsim.scenario.registry import Registry

T = TypeVar("T")
R = Registry()


def values(cls: type, **given: Any) -> dict[str, Any]:
    found, problems = R.check_parameters(cls, given)
    assert problems == []
    return found


def problems(cls: type, given: Mapping[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(".".join(map(str, path)), message) for path, message in R.check_parameters(cls, given, **options)[1]]


def test_parameters_are_the_fields_that_people_may_set() -> None:
    assert [(p.name, p.type, p.default_text, p.doc) for p in parameters_of(Sniper)] == [
        ("threshold", "float", "0.6", ""),
        ("quantity", "int", "5", ""),
        ("limit", "decimal | none", "none", ""),
    ]
    assert [(p.name, p.type, p.default_text, p.doc) for p in parameters_of(Maker)] == [
        ("gamma", "float", "0.1", "risk aversion"),
        ("spread", "price", "0.01", ""),
        ("refresh", "duration", "1ms", ""),
        ("rate", "rate", "0.5/s", ""),
        ("feed", "text", "", ""),
        ("weights", "list of float", "[]", ""),
    ]
    size, speed = parameters_of(Needy)
    assert (size.required, size.default, size.default_text) == (True, REQUIRED, "")
    assert speed.required


def test_types_are_told_in_words() -> None:
    words = {parameter.name: parameter.type for parameter in parameters_of(Everything)}
    assert words == {
        "whole": "int", "real": "float", "flag": "bool", "word": "text", "exact": "decimal", "mood": "calm | wild",
        "choice": "buy | sell | 3", "maybe": "int | none", "either": "int | text", "ticks": "int", "noted": "int",
        "numbers": "list of int", "pair": "list of int, text", "names": "list of text", "table": "mapping to float",
        "by_number": "mapping to text", "waits": "list of duration",
        "prices": "list of price", "rates": "list of rate", "window": "Window | none", "path": "file",
        "delay": "LatencyModel", "anything": "any", "odd": "any", "price": "price", "opens": "time_of_day",
    }  # fmt: skip


def test_a_summary_is_the_first_line_that_the_author_wrote() -> None:
    assert summary(Sniper) == "Lift the offer when the book leans to the bid."
    assert summary(type("Bare", (), {})) == ""


ACCEPTED = [
    ("whole", 3, 3), ("whole", 1e3, 1000), ("whole", np.int64(4), 4),
    ("real", 3, 3.0), ("real", 0.25, 0.25), ("real", "inf", float("inf")), ("real", np.float32(0.5), 0.5),
    ("flag", True, True), ("word", "x", "x"), ("word", "3", "3"),
    ("exact", "0.10", Decimal("0.10")), ("exact", 0.1, Decimal("0.1")), ("exact", 3, Decimal(3)),
    ("mood", "wild", Mood.WILD), ("mood", "WILD", Mood.WILD), ("mood", 2, Mood.WILD), ("mood", Mood.WILD, Mood.WILD),
    ("choice", "sell", "sell"), ("choice", 3, 3),
    ("maybe", None, None), ("maybe", 3, 3), ("either", "x", "x"), ("either", 3, 3), ("either", "3", "3"),
    ("ticks", 5, 5), ("noted", 5, 5),
    ("numbers", [1, 2.0], (1, 2)), ("numbers", (1,), (1,)), ("pair", [1, "x"], (1, "x")),
    ("names", ["a", "b", "a"], frozenset("ab")),
    ("table", {"a": 1}, {"a": 1.0}), ("by_number", {"3": "x", "-4": "y"}, {3: "x", -4: "y"}),
    ("waits", ["1us", 5], [1000, 5]), ("prices", ["0.5", 1], (0.5, 1.0)), ("prices", None, None),
    ("rates", "3/s", 3.0), ("rates", ["3/s", "6/min"], [3.0, 0.1]),
    ("window", {"length": 3}, Window(3)), ("window", {"length": 3, "step": "1ms"}, Window(3, 1_000_000)),
    ("maybe", "none", None), ("window", "none", None), ("word", "none", "none"), ("either", "none", "none"),
    ("window", None, None), ("window", Window(4), Window(4)),
    ("path", "a/b.csv", Path("a/b.csv")),
    ("delay", "5us", Constant(5_000)), ("delay", 7, Constant(7)), ("delay", Constant(3), Constant(3)),
    ("delay", {"type": "lognormal", "median": "100us"}, LogNormal(median=100_000)),
    ("delay", {"type": "log_normal", "median": "100us"}, LogNormal(median=100_000)),
    ("anything", {"x": [1]}, {"x": [1]}), ("odd", "x", "x"),
    ("price", "0.01", Decimal("0.01")), ("price", 0.01, Decimal("0.01")),
    ("opens", "09:30", 34_200_000_000_000), ("opens", "1h", 3_600_000_000_000),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "expected"), ACCEPTED)
def test_what_is_accepted(name: str, given: Any, expected: Any) -> None:
    found = values(Everything, **{name: given})[name]
    assert found == expected
    assert type(found) is type(expected)


def test_units_follow_the_annotation() -> None:
    found = values(Maker, spread="0.02", refresh="2us", rate="30/min")
    assert found == {"spread": 0.02, "refresh": 2_000, "rate": 0.5}
    assert [type(value) for value in found.values()] == [float, int, float]


DURATION = 'write a number with a unit (ns, us, ms, s, min, h, d), such as "150us" or "1h 30min"'
REFUSED = [
    ("whole", 1.5, "whole", "1.5 is not a whole number"),
    ("whole", "3", "whole", "'3' is not a whole number: remove the quotes"),
    ("whole", "three", "whole", "'three' is not a whole number"),
    ("whole", True, "whole", "true is not a whole number"),
    ("whole", None, "whole", "null is not a whole number"),
    ("whole", [1], "whole", "a list is not a whole number"),
    ("real", "0.5", "real", "'0.5' is not a number: remove the quotes"),
    ("real", "high", "real", "'high' is not a number"),
    ("real", False, "real", "false is not a number"),
    ("real", float("nan"), "real", "nan is not a number that anything can be done with: write another"),
    ("flag", "yes", "flag", "'yes' is not true or false: write true"),
    ("flag", "off", "flag", "'off' is not true or false: write false"),
    ("flag", 1, "flag", "1 is not true or false"),
    ("word", 3, "word", '3 is not text: put it in quotes, "3"'),
    ("word", True, "word", 'true is not text: put it in quotes, "true"'),
    ("word", {"a": 1}, "word", "a mapping is not text"),
    ("exact", "x", "exact", "'x' is not a number"),
    ("mood", "wyld", "mood", "'wyld' is not one of the choices; did you mean \"wild\"?"),
    ("mood", 7, "mood", "7 is not one of the choices; known: calm, wild"),
    ("mood", True, "mood", "true is not one of the choices; known: calm, wild"),
    ("choice", "by", "choice", "'by' is not one of the choices; did you mean \"buy\"?"),
    ("choice", 4, "choice", "4 is not one of the choices; known: buy, sell, 3"),
    ("whole", "none", "whole", "'none' is not a whole number"),
    ("maybe", "x", "maybe", "'x' is not a whole number"),
    ("either", [1], "either", "a list is none of: int, text"),
    ("numbers", "12", "numbers", "'12' is not a list: write [one, two]"),
    ("numbers", [1, "x", 2.5], "numbers.1", "'x' is not a whole number"),
    ("pair", [1], "pair", "the list has 1 entries, but 2 are wanted"),
    ("pair", [1, 2], "pair.1", '2 is not text: put it in quotes, "2"'),
    ("table", [1], "table", 'a list is not a mapping: write "name: value" lines below it'),
    ("table", {"a": "x"}, "table.a", "'x' is not a number"),
    ("waits", ["1us", "soon"], "waits.1", f"'soon' is not a duration: {DURATION}"),
    ("rates", ["x"], "rates.0", "'x' is not a rate: write a number per unit of time, such as \"0.5/s\""),
    ("prices", [1, "y"], "prices.1", "'y' is not a number"),
    ("window", {}, "window.length", "missing: it has no default; write a value (int)"),
    ("window", {"length": 1, "stepp": 3}, "window.stepp", 'unknown parameter; did you mean "step"?'),
    ("window", 3, "window", '3 is not a Window: write "name: value" for each of its parameters'),
    ("delay", {"median": 3}, "delay", f"the latency has no type: add type, one of {', '.join(R.names('latency'))}"),
    ("delay", {"type": "lognrmal"}, "delay.type",
     'no latency type is called "lognrmal"; did you mean "lognormal"?'),
    ("delay", {"type": "lognormal", "sigma": "x"}, "delay.sigma", "'x' is not a number"),
    ("delay", {"type": "series", "parts": ["1us", {"type": "pareto"}]}, "delay.parts.1.minimum",
     "missing: it has no default; write a value (duration)"),
    ("delay", {"type": "lognormal"}, "delay", 'give either median or mean, such as median="150us"'),
    ("delay", "soon", "delay.latency", f"'soon' is not a duration: {DURATION}"),
    ("price", "cheap", "price", "'cheap' is not a number"),
    ("opens", "25:00", "opens", "'25:00' is not a time of day: hours to 24, minutes and seconds to 59"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "path", "message"), REFUSED)
def test_what_is_refused_and_how(name: str, given: Any, path: str, message: str) -> None:
    assert problems(Everything, {name: given})[0] == (path, message)


def test_everything_wrong_is_said_at_once() -> None:
    assert problems(Everything, {"numbers": ["x", 1, "y"], "real": "z", "wrd": 1}) == [
        ("numbers.0", "'x' is not a whole number"),
        ("numbers.2", "'y' is not a whole number"),
        ("real", "'z' is not a number"),
        ("wrd", 'unknown parameter; did you mean "word"?'),
    ]


def test_the_class_has_its_say_when_the_types_are_right() -> None:
    assert problems(Maker, {"gamma": -1}) == [("gamma", "gamma -1 must be above zero")]
    assert problems(Maker, {"spread": 11}) == [("spread", "more than 10 is no market; lower it")]
    assert problems(Maker, {"weights": [1]}) == [("", "one weight is none; give two, or leave them out")]
    assert problems(Maker, {"gamma": -1, "gama": 2}) == [
        ("gama", 'unknown parameter; did you mean "gamma"?'),
        ("gamma", "gamma -1 must be above zero"),
    ]
    assert problems(Maker, {"gamma": -1, "spread": "x"}) == [("spread", "'x' is not a number")]


def test_missing_parameters_are_named_unless_they_are_evidently_misspelt() -> None:
    assert problems(Needy, {}) == [
        ("size", "missing: it has no default; write a value (int)"),
        ("speed", "missing: it has no default; write a value (rate)"),
    ]
    assert problems(Needy, {"sise": 3, "speed": 1}) == [("sise", 'unknown parameter; did you mean "size"?')]


def test_neighbours_of_the_parameters_are_suggested_but_not_listed() -> None:
    assert problems(Sniper, {"cuont": 3}, also=["count"]) == [("cuont", 'unknown parameter; did you mean "count"?')]
    assert problems(Sniper, {"zzz": 3}, also=["count"]) == [
        ("zzz", "unknown parameter; known: limit, quantity, threshold")
    ]


@dataclass
class Odd:
    bare: list = field(default_factory=list)  # type: ignore[type-arg]
    free: object = None
    variable: T = 0  # type: ignore[valid-type]
    opaque: Plain | None = None
    fixed: Final[int] = 3
    call: Callable[[], int] | None = None
    array: Any = field(default_factory=lambda: np.zeros(2))


def test_odd_annotations_are_taken_for_what_they_are() -> None:
    made = values(Odd, bare=[1, "x"], free={"a": 1}, variable="x", fixed=4)
    assert made == {"bare": [1, "x"], "free": {"a": 1}, "variable": "x", "fixed": 4}
    assert problems(Odd, {"opaque": 3, "fixed": "x"}) == [
        ("opaque", '3 is not a Plain: write "name: value" for each of its parameters'),
        ("fixed", "'x' is not a whole number"),
    ]
    assert problems(Odd, {"opaque": {"x": 3}}) == [("opaque", "a Plain cannot be written in a scenario")]
    assert summary(Odd) == ""
    assert {p.name: p.default_text for p in parameters_of(Odd)}["array"] == "[0, 0]"
    assert R.describe("agent", Odd(array=np.ones(2)))["array"] == [1, 1]
    assert "array" in R.describe("agent", Odd(array=np.zeros(2)))


def test_numbers_out_of_range() -> None:
    [(place, words)] = problems(Everything, {"waits": ["1e999999999s"]})
    assert place == "waits.0"
    assert words.startswith("'1e999999999s' is too long or too short a time: write a number with a unit")


def test_default_values_that_no_scenario_can_hold_are_shown_as_they_are() -> None:
    assert describe_value(test_numbers_out_of_range).startswith("<function")
    assert (describe_value(True), describe_value(None), describe_value(1.5)) == ("true", "null", "1.5")


def test_a_missing_library_is_told_by_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Sniper) -> None:
        raise MissingDependency("torch", "learn")

    monkeypatch.setattr(Sniper, "validate", missing, raising=False)
    with pytest.raises(MissingDependency):
        R.check_parameters(Sniper, {})


def test_hidden_fields_are_no_parameters() -> None:
    for name in ("_hidden", "log_level"):
        assert problems(Sniper, {name: 1})[0][0] == name


@given(st.dictionaries(st.sampled_from([p.name for p in parameters_of(Everything)]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6,
), max_size=4))  # fmt: skip
def test_nothing_but_findings_comes_of_any_value(given: dict[str, Any]) -> None:
    """Whatever is written, the answer is a value for each parameter or a finding that names it."""
    found, wrong = R.check_parameters(Everything, given)
    for name in given:
        assert (name in found) != any(path[:1] == (name,) for path, _ in wrong) or not wrong[0][0]
