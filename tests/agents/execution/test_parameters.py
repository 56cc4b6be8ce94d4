"""What execution algorithms refuse, before anything runs, and how they are written in scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.execution.vwap import DayCurve
from marketsim.domain.units import DAY, HOUR
from marketsim.errors import DataError, InvalidValueError, ScenarioError
from marketsim.scenario.loader import check
from marketsim.scenario.registry import REGISTRY

TYPES = ("almgren_chriss", "iceberg", "implementation_shortfall", "participation", "sniper", "twap", "vwap")


@pytest.mark.parametrize("name", TYPES)
def test_each_is_a_built_in_agent_with_one_set_of_terms(name: str) -> None:
    plan = REGISTRY.build("agent", name, {"side": "sell", "quantity": 500, "horizon": "5min", "limit": 99.5})
    cls = "".join(word.capitalize() for word in name.split("_"))
    assert type(plan) is getattr(ms.agents, cls)
    terms = plan.terms(ms.Instrument("ABC"), 7)
    assert (terms.algorithm, int(terms.side), terms.quantity, terms.limit) == (cls, -1, 500, 9_950)
    assert (terms.begin, terms.end - terms.begin) == (7, 300_000_000_000)


def test_the_default_cap_is_a_tenth_of_the_market() -> None:
    caps = {name: REGISTRY.build("agent", name, {}).cap for name in TYPES}
    assert caps == {
        "almgren_chriss": 0.1, "iceberg": None, "implementation_shortfall": 0.1, "participation": 0.1, "sniper": None,
        "twap": None, "vwap": 0.1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("iceberg", {"quantity": 600, "display": 700}, "display: 700 lots of 600; .*: lower it"),
        ("sniper", {"quantity": 600, "size": 1000}, "size: 1000 lots, .* one of 600; .*: lower it"),
        ("twap", {"horizon": "50us", "slices": 60}, "horizon: 50us in 60 slices are less than 1us each; use fewer"),
        ("implementation_shortfall", {"horizon": 59, "slices": 60}, "horizon: 59ns in 60 slices"),
    ],
)
def test_values_that_do_not_go_together(name: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        type(REGISTRY.build("agent", name, {}))(**given)


@pytest.mark.parametrize("name", TYPES)
def test_an_order_that_does_not_fit_into_the_run_is_refused(name: str, tmp_path: Path) -> None:
    """A run of a minute."""
    assert check(scenario(tmp_path, f"type: {name}, begin: 20s, horizon: 40s"))
    with pytest.raises(ScenarioError, match=r"horizon.*41s from 20s on end after .* 1min: use at most 40s, .* 1min 1s"):
        check(scenario(tmp_path, f"type: {name}, begin: 20s, horizon: 41s"))
    with pytest.raises(ScenarioError, match=r"begin.*1min is not before the end of a run of 1min.*: begin earlier"):
        check(scenario(tmp_path, f"type: {name}, begin: 1min, horizon: 1s"))


def test_so_it_is_with_a_liquidation_by_limit_orders(tmp_path: Path) -> None:
    assert check(scenario(tmp_path, "type: limit_liquidator, horizon: 1min"))
    with pytest.raises(ScenarioError, match=r"horizon.*1min 1s end after a run of 1min: use at most 1min"):
        check(scenario(tmp_path, "type: limit_liquidator, horizon: 61s"))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"side": "bye"}, 'side: .* did you mean "buy"'),
        ({"quantity": 0}, "quantity: 0 must be at least 1"),
        ({"quantity": 2.5}, "quantity: 2.5 is not a whole number"),
        ({"begin": -1}, "begin: -1 ns lies before the start"),
        ({"horizon": "0s"}, "horizon: 0s must be above zero"),
        ({"horizon": "-5min"}, "horizon"),
        ({"limit": 0}, "limit: 0 must be above 0"),
        ({"at_end": "wait"}, "at_end: 'wait' is not one of the choices"),
        ({"max_participation": 0}, "max_participation: 0 must be above 0 and at most 1"),
        ({"max_participation": 1.5}, "max_participation: 1.5 must be above 0 and at most 1"),
    ],
)
def test_terms_that_cannot_be(name: str, given: dict[str, Any], words: str) -> None:
    kind = type(REGISTRY.build("agent", name, {}))
    if name == "participation" and "max_participation" in given:
        given, words = {"rate": given["max_participation"]}, words.replace("max_participation", "rate")
    with pytest.raises(InvalidValueError, match=words):
        kind(**given)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("Twap", {"quantity": 5, "slices": 6}, "6 parts of 5 lots; use at most as many as there are lots"),
        ("Twap", {"vary_size": 1.5}, "vary_size"),
        ("Twap", {"vary_time": -0.1}, "vary_time"),
        ("Twap", {"catch_up": "never"}, "catch_up: 'never'"),
        ("Vwap", {"curve": (0, 0)}, "curve: weights add up to zero"),
        ("Vwap", {"curve": (1, -1)}, "curve: -1 must be at least 0"),
        ("Vwap", {"curve": "flat"}, "curve: 'flat' is not a list of numbers"),
        ("Vwap", {"curve": (1,), "curve_file": "x.csv"}, "give one of the two"),
        ("Vwap", {"quantity": 5}, "60 parts of 5 lots"),
        ("AlmgrenChriss", {"risk_aversion": -1}, "seeks more risk than its costs can stop"),
        ("AlmgrenChriss", {"temporary_impact": 0}, "temporary_impact: 0 must be above 0"),
        ("AlmgrenChriss", {"permanent_impact": 0.01, "slices": 2}, "use more slices"),
        ("ImplementationShortfall", {"quantity": 5}, "60 parts of 5 lots"),
        ("ImplementationShortfall", {"urgency": -1}, "urgency: -1"),
        ("Participation", {"rate": 1}, "rate: 1.0 is the whole market"),
        ("Participation", {"min_slice": 5, "max_slice": 4}, "max_slice: 4 lies below min_slice 5"),
        ("Participation", {"interval": "11min"}, "interval: it is longer than the horizon"),
        ("Iceberg", {"display": 0}, "display: 0 must be at least 1"),
        ("Sniper", {"size": 0}, "size: 0 must be at least 1"),
        ("Sniper", {"max_spread": 0}, "max_spread: 0 must be at least 1"),
    ],
)
def test_what_each_refuses(name: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        getattr(ms.agents, name)(**given)


def scenario(tmp_path: Path, agent: str) -> Path:
    path = tmp_path / "market.yaml"
    path.write_text(
        "duration: 1min\nvenues: {X: {}}\ninstruments: {ABC: {}}\nagents:\n  noise: {type: noise, count: 3}\n"
        f"  buyer: {{{agent}}}\n",
        encoding="utf-8",
    )
    return path


def test_a_scenario_that_asks_for_what_cannot_be_is_refused_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="60 parts of 5 lots"):
        check(scenario(tmp_path, "type: vwap, quantity: 5"))
    with pytest.raises(ScenarioError, match="there is no such file; write one with"):
        check(scenario(tmp_path, "type: vwap, curve_file: curve.csv"))


def test_a_curve_lies_beside_its_scenario(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_text("start,end,volume\n00:00,12:00,3\n12:00,23:00,1\n", encoding="utf-8")
    spec = check(scenario(tmp_path, "type: vwap, curve_file: curve.csv, horizon: 30s"))
    run = ms.Simulation.from_spec(spec).run()
    assert ms.analysis.executions(run)["algorithm"].tolist() == ["Vwap"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start,end\n0,1\n", "no column 'volume'; it needs start, end and volume"),
        ("start,end,volume\n0,10,1\n5,20,1\n", "the bin from 5 to 20 does not follow"),
        ("start,end,volume\n10,10,1\n", "does not follow"),
        ("start,end,volume\n0,10,-1\n", "volume -1.0 must be finite and at least 0"),
        ("start,end,volume\n0,10,nan\n", "volume nan"),
        ("start,end,volume\n0,10,0\n", "the volumes add up to zero"),
        ("start,end,volume\n", "the volumes add up to zero"),
        ("start,end,volume\n0,later,1\n", "not a volume curve"),
        ("start,end,volume\n0\n", "not a volume curve"),
    ],
)
def test_curve_files_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        DayCurve.read(path)
    broken = tmp_path / "curve.parquet"
    broken.write_bytes(b"PAR1nothing")
    with pytest.raises(DataError, match="not a volume curve"):
        DayCurve.read(broken)


def test_a_curve_knows_the_days() -> None:
    """An hour with 3 units, one without, one with 1; an order from the middle of the first to that of the third."""
    curve = DayCurve([(9 * HOUR, 10 * HOUR, 3.0), (11 * HOUR, 12 * HOUR, 1.0)], "curve")
    begin, end = 9 * HOUR + HOUR // 2, 11 * HOUR + HOUR // 2
    quarters = [0.25, 0.5, 0.75, 1.0]
    assert curve.shares(begin, end, quarters).tolist() == pytest.approx([0.75, 0.75, 0.75, 1.0])  # type: ignore[arg-type]
    assert curve.shares(DAY + begin, DAY + end, quarters).tolist() == pytest.approx([0.75, 0.75, 0.75, 1.0])  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="has no volume in the time of the order"):
        curve.shares(10 * HOUR, 11 * HOUR, quarters)  # type: ignore[arg-type]
