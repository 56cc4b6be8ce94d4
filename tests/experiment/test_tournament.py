"""Tournaments: the statistics by hand, seats and heats, what is refused, the same table in one process and in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from marketsim.errors import InvalidValueError
from marketsim.experiment import league
from marketsim.experiment.tournament import MEASURES, Tournament, _heats, _seated, tournament
from marketsim.scenario.loader import load
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation import Simulation

NAMES = ("a", "b", "c")


def scenario(**candidates: Any) -> ScenarioSpec:
    chosen = candidates or {"candidate_near": {"target_spread": 0.02}, "candidate_far": {"target_spread": 0.2}}
    return ScenarioSpec.from_dict(
        {
            "name": "cup",
            "duration": "40s",
            "warm_up": "10s",
            "venues": {"XSIM": {}},
            "instruments": {"ABC": {}},
            "agents": {
                "noise": {"type": "noise", "count": 30, "rate": "2/s"},
                **{name: {"type": "market_maker", "latency": "1ms", **terms} for name, terms in chosen.items()},
            },
        }
    )


# --- the statistics ---


def test_standings_by_hand() -> None:
    """Scores of a: 3, 5, 7; of b: 4, 4, 4; of c: 0, 0, 3. t(0.975; 2) = 4.302653."""
    scores = np.array([[3.0, 4.0, 0.0], [5.0, 4.0, 0.0], [7.0, 4.0, 3.0]])
    table = league.standings(NAMES, scores, 0.95).set_index("candidate")
    assert table["rank"].to_dict() == {"a": 1, "b": 2, "c": 3}
    assert table["mean"].to_dict() == {"a": 5.0, "b": 4.0, "c": 1.0}
    half = 4.302652729911275 * 2 / 3**0.5
    assert table.loc["a", ["low", "high"]].tolist() == pytest.approx([5 - half, 5 + half])
    assert table.loc["b", ["low", "high"]].tolist() == [4.0, 4.0]
    assert table["wins"].to_dict() == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0.0})
    assert table.loc["a", "sharpe"] == pytest.approx(2.5)
    # Of the 27 resamples b is above a in 3, 3, 3 … (mean of a below 4): 3+3+3, 3+3+5 in three orders; equal: none.
    assert table.loc["a", "first"] == pytest.approx(1 - 4 / 27, abs=4 * (4 / 27 * 23 / 27 / league.RESAMPLES) ** 0.5)
    assert table.loc["c", ["rank_low", "rank_high"]].tolist() == [3, 3]


def test_equal_scores_share_the_better_rank() -> None:
    table = league.standings(NAMES, np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]), 0.95)
    assert table["rank"].tolist() == [1, 1, 3]
    assert table["candidate"].tolist() == list(NAMES)


def test_pairs_are_compared_seed_by_seed() -> None:
    """a beats b by 1, 2, 3: t = 2/(1/√3) with two degrees of freedom; equal columns never differ."""
    from scipy.stats import ttest_rel

    scores = np.array([[11.0, 10.0, 10.0], [22.0, 20.0, 20.0], [33.0, 30.0, 30.0]])
    pairs = league.differences(NAMES, scores, 0.95).set_index(["better", "worse"])
    assert pairs.loc[("a", "b"), "difference"] == pytest.approx(2.0)
    assert pairs.loc[("a", "b"), "p"] == pytest.approx(ttest_rel(scores[:, 0], scores[:, 1]).pvalue)
    assert pairs.loc[("b", "c"), ["difference", "p", "p_holm"]].tolist() == [0.0, 1.0, 1.0]
    assert not pairs["differs"].any()
    half = pairs.loc[("a", "b"), "high"] - 2.0
    assert half == pytest.approx(7.648849 / 3**0.5, rel=1e-4), "t at 1 − .05/3, for all three pairs at once"


def test_equal_candidates_are_told_apart_no_more_often_than_they_may() -> None:
    """Five alike, 300 tables: some pair differs in 5 % at most, with a standard error of 1.3 %."""
    random = np.random.default_rng(3)
    names = tuple("abcde")
    wrong = 0
    for _ in range(300):
        scores = random.standard_normal((12, 5)) + random.standard_normal((12, 1))
        wrong += bool(league.differences(names, scores, 0.95)["differs"].any())
    assert wrong / 300 < 0.05 + 3 * 0.0126
    assert wrong > 0


# --- the heats ---


def test_everybody_sits_in_every_seat_equally_often() -> None:
    heats = list(_heats(NAMES, (1, 2, 3), ("alone", "pairs", "together")))
    assert [heat.seats for heat in heats if heat.form == "together"] == [
        ("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"),
    ]  # fmt: skip
    assert [heat.seats for heat in heats if heat.form == "alone" and heat.seed == 2] == [("a",), ("b",), ("c",)]
    assert [heat.seats for heat in heats if heat.form == "pairs" and heat.seed == 2] == [
        ("b", "a"), ("c", "a"), ("c", "b"),
    ]  # fmt: skip


def test_a_heat_is_the_scenario_with_its_candidates_in_the_seats() -> None:
    spec = scenario()
    (heat, *_) = _heats(("candidate_near", "candidate_far"), (4, 5), ("together",))
    given = _seated(spec, ("candidate_near", "candidate_far"), heat)
    assert set(given["agents"]) == {"noise", "seat_1", "seat_2"}
    assert given["agents"]["seat_1"] == spec.to_dict()["agents"]["candidate_near"]
    assert ScenarioSpec.from_dict(given).agents["seat_2"].count == 1


def test_candidates_that_are_not_chosen_stay_at_home() -> None:
    spec = scenario(candidate_a={}, candidate_b={}, candidate_c={}, mm={})
    (heat, *_) = _heats(("candidate_a", "candidate_c"), (1, 2), ("alone",))
    assert set(_seated(spec, ("candidate_a", "candidate_c"), heat)["agents"]) == {"noise", "mm", "seat_1"}


@pytest.fixture(scope="module")
def held() -> Tournament:
    return tournament(scenario(), seeds=3, forms=("alone", "pairs", "together"), workers=1)


def test_a_tournament_has_every_heat_and_measure_once(held: Tournament) -> None:
    assert held.candidates == ("far", "near"), "in the order of names"
    assert len(held.values) == 3 * 2 * 3 * len(MEASURES)
    assert not held.values.duplicated(["form", "seed", "candidate", "against", "measure"]).any()
    assert set(held.values[held.values["form"] == "alone"]["against"]) == {""}
    near = held.scores("alone", "fills")["near"]
    assert (near > held.scores("alone", "fills")["far"]).all(), "the tighter quote trades more"


def test_two_alone_meet_the_same_chance_and_two_alike_are_equal() -> None:
    alike = {"candidate_one": {"target_spread": 0.02}, "candidate_two": {"target_spread": 0.02}}
    found = tournament(Simulation.from_spec(scenario(**alike)), seeds=2, forms=("alone",), workers=1)
    scores = found.scores()
    assert (scores["one"] == scores["two"]).all()
    assert not found.differences()["differs"].any()
    assert not found.clear
    assert found.table()["rank"].tolist() == [1, 1]


def test_pairs_of_two_are_all_together(held: Tournament) -> None:
    pd.testing.assert_frame_equal(held.scores("pairs"), held.scores("together"))


def test_the_parts_add_up_to_the_profit(held: Tournament) -> None:
    table = held.table()
    parts = table[["spread_capture", "adverse_selection", "inventory", "fees"]].sum(axis=1)
    assert parts.tolist() == pytest.approx(table["mean"].tolist())


def test_other_measures_make_tables_too(held: Tournament) -> None:
    table = held.table("alone", "fills")
    assert table["candidate"][0] == "near"
    assert "pnl" in table
    with pytest.raises(InvalidValueError, match=r"measure 'fill' is unknown; did you mean"):
        held.table("alone", "fill")
    with pytest.raises(InvalidValueError, match="form='duel': it was held as alone, pairs, together"):
        held.table("duel")


def test_two_processes_make_the_same_table(held: Tournament) -> None:
    again = tournament(scenario(), seeds=3, forms=("alone",), workers=2)
    pd.testing.assert_frame_equal(again.table(), held.table())


def test_it_is_written(held: Tournament, tmp_path: Path) -> None:
    paths = held.save(tmp_path / "cup")
    assert {path.name for path in paths} == {
        "values.csv", "league.png",
        *(f"{table}_{form}.csv" for table in ("league", "differences") for form in held.forms),
    }  # fmt: skip
    assert pd.read_csv(tmp_path / "cup" / "league_alone.csv")["candidate"].tolist() == list(held.table()["candidate"])
    held.save(tmp_path / "cup", parquet=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cup" / "values.parquet"), held.values)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"candidates": ("candidate_near",)}, "candidates candidate_near: two different ones are needed at least"),
        ({"candidates": ("candidate_near", "mm")}, "no agent of cup is called 'mm'"),
        ({"candidates": ("candidate_near", "noise")}, "agents.noise.count: 30; a candidate is one agent"),
        ({"seeds": 1}, "an interval needs at least two different seeds"),
        ({"forms": ("duel",)}, "form 'duel' is unknown"),
        ({"forms": ()}, "name each of alone, pairs, together once at most, and one at least"),
        ({"confidence": 1.0}, "confidence=1.0: it lies between 0 and 1"),
    ],
)
def test_what_cannot_be_held_is_refused(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        tournament(scenario(), **{"seeds": 2, "workers": 1, **terms})
    assert message in str(caught.value)


def test_seats_are_the_tournaments_own() -> None:
    with pytest.raises(InvalidValueError, match="names that begin with seat_ are those of a tournament's seats"):
        tournament(scenario(candidate_a={}, candidate_b={}, seat_x={}), seeds=2, workers=1)


def test_a_class_of_ones_own_competes_from_a_file_beside_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/tournament.md says, run where the file lies. It buys ten lots once, which is all that it ever holds."""
    (tmp_path / "cup_entrant.py").write_text(
        "from dataclasses import dataclass\n\nimport marketsim as ms\n\n\n@dataclass\nclass Buyer(ms.Agent):\n"
        '    """Buys once."""\n\n    lots: int = 5\n\n    def on_start(self) -> None:\n'
        '        self.after("20s", lambda: self.buy(self.instrument, self.lots))\n',
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = {"candidate_own": {"type": "cup_entrant:Buyer", "lots": 10}, "candidate_near": {"target_spread": 0.02}}
    text = yaml.safe_dump(scenario(**own).to_dict())
    (tmp_path / "cup.yaml").write_text(text, encoding="utf-8")
    found = tournament(load(tmp_path / "cup.yaml"), list(own), seeds=2, forms=("alone",), workers=1)
    assert found.table("alone").set_index("candidate").loc["own", "largest_position"] == 10
