"""Comparisons: two scenarios and more, variants, agents, chosen measures, failed runs, what is refused and written."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from statistical import runs

import marketsim as ms
from marketsim.errors import InvalidValueError, ScenarioError, SimulationError, StoreError
from marketsim.experiment import comparison
from marketsim.experiment.comparison import Comparison, compare
from marketsim.experiment.replication import Failed
from marketsim.scenario.spec import ScenarioSpec


def scenario(rate: float = 2.0, name: str = "small", **more: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict(
        {
            "name": name,
            "duration": "4s",
            "venues": {"XSIM": {}},
            "instruments": {"ABC": {}},
            "agents": {"noise": {"type": "noise", "count": 20, "rate": rate}, **more},
        }
    )


MAKERS = {
    f"mm_{name}": {"type": "market_maker", "target_spread": spread, "latency": "1ms"}
    for name, spread in (("near", 0.02), ("far", 0.06))
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let runs give numbers of the test's: a function from (scenario's name, seed) to measures, or to an error."""

    def play(results: Any) -> None:
        def replicated(jobs: Any, **_: Any) -> list[Any]:
            return [results(spec["name"], seed) for spec, seed in jobs]

        monkeypatch.setattr(comparison, "replicate_all", replicated)

    return play


def _numbers(name: str, seed: int) -> dict[str, float]:
    """a: 1, 2, 3 …; b: one more, and 0 or 0.1; c: half of a; x is the same for all."""
    value = {"a": seed, "b": seed + 1 + 0.1 * (seed % 2), "c": seed / 2}[name]
    return {"m": float(value), "x": 3.0 * seed}


# --- what is found ---


def test_a_scenario_compared_with_itself_differs_in_nothing() -> None:
    found = compare(scenario(), scenario(), seeds=3, workers=1)
    assert found.rows
    assert not any(row.differs for row in found.rows)
    assert all(row.equal and (row.low, row.high) == (0, 0) for row in found.rows if row.seeds)
    assert found.changes == {"small (B)": ()}
    assert found.tests == 0
    assert found.order() == []
    assert "market.ABC.trades" in found.main


def test_more_noise_trades_more_and_the_scenarios_difference_is_told() -> None:
    found = compare(scenario(), scenario(8.0, "busy"), seeds=4, workers=1)
    row = found.of("market.ABC.trades")
    assert row.differs
    assert row.difference > 0
    assert row.p_adjusted >= row.p
    assert [change.path for change in found.changes["busy"]] == ["agents.noise.rate"]
    assert found.names == ("small", "busy")
    assert found.main == "agents.noise.pnl", "of the one agent that was changed"
    tidy = found.values()
    assert tidy.groupby("name")["seed"].nunique().to_dict() == {"small": 4, "busy": 4}
    assert set(found.table()["measure"]) == {row.measure for row in found.rows}
    again = pickle.loads(pickle.dumps(found))
    assert again.table().equals(found.table())


def test_three_of_them_by_hand(given: Any) -> None:
    """b - a: 1.1, 1, 1.1, 1; c - a: -1/2, -1, -3/2, -2. The family is two measures' two others, less what is equal."""
    given(_numbers)
    found = compare(scenario(name="a"), scenario(name="b"), scenario(name="c"), seeds=4)
    assert [(row.measure, row.name, row.base) for row in found.rows] == [
        ("m", "b", "a"), ("x", "b", "a"), ("m", "c", "a"), ("x", "c", "a"),
    ]  # fmt: skip
    b, c = found.of("m", "b"), found.of("m", "c")
    assert (b.left, b.right, b.difference) == pytest.approx((2.5, 3.55, 1.05))
    assert c.difference == pytest.approx(-1.25)
    assert found.tests == 2
    assert b.p_adjusted == pytest.approx(2 * b.p)  # the smaller of two
    assert c.p_adjusted == pytest.approx(c.p)
    assert found.of("x", "c").p_adjusted == 1.0
    assert found.order() == ["m"]
    table = found.table().set_index(["name", "measure"])
    assert table.loc[("c", "m"), "smallest_80"] == pytest.approx(c.smallest_difference(0.8))
    assert table.loc[("c", "m"), "seeds_90"] == c.seeds_needed(power=0.9)
    assert math.isnan(table.loc[("c", "x"), "seeds_80"])
    ranked = found.ranking("m")
    assert ranked["candidate"].tolist() == ["b", "a", "c"]
    least = found.ranking("m", largest=False)
    assert least["candidate"].tolist() == ["c", "a", "b"]
    assert least["mean"].tolist() == pytest.approx([1.25, 2.5, 3.55])
    assert (least["low"] < least["high"]).all()
    assert len(found.every_pair("m")) == 3


def test_a_correction_is_chosen(given: Any) -> None:
    given(_numbers)
    sides = [scenario(name=name) for name in "abc"]
    p = {name: compare(*sides, seeds=4, correction=name).of("m", "c").p_adjusted for name in ("none", "bonferroni")}
    assert p["bonferroni"] == pytest.approx(2 * p["none"])


def test_seeds_to_see_a_difference_come_from_the_deviation_found(given: Any) -> None:
    given(_numbers)
    row = compare(scenario(name="a"), scenario(name="c"), seeds=6).of("m")
    assert row.seeds_needed(0.5) == ms.seeds_needed(0.5, row.deviation)
    assert row.seeds_needed(0.5, 0.9, tests=10) > row.seeds_needed(0.5, 0.9)
    assert row.smallest_difference() < row.smallest_difference(0.95)


# --- failures ---


def _failing(name: str, seed: int) -> Any:
    if (name, seed) in {("a", 2), ("b", 4), ("b", 5)}:
        return Failed(seed, "the queue overflowed", "SimulationError")
    return _numbers(name, seed)


def test_a_failed_run_is_recorded_and_its_pair_left_out(given: Any) -> None:
    given(_failing)
    found = compare(scenario(name="a"), scenario(name="b"), scenario(name="c"), seeds=6)
    assert found.of("m", "b").seeds == 3
    assert found.of("m", "c").seeds == 5
    assert found.of("m", "b").left == pytest.approx((1 + 3 + 6) / 3)
    assert found.failed().to_dict("records") == [
        {"name": "a", "seed": 2, "kind": "SimulationError", "error": "the queue overflowed"},
        {"name": "b", "seed": 4, "kind": "SimulationError", "error": "the queue overflowed"},
        {"name": "b", "seed": 5, "kind": "SimulationError", "error": "the queue overflowed"},
    ]
    assert found.scores("m").index.tolist() == [1, 3, 6]
    assert len(found.values()) == 2 * (18 - 3)


def test_where_everything_failed_there_is_nothing_to_tell(given: Any) -> None:
    def played(lost: str) -> Comparison:
        given(lambda name, seed: Failed(seed, "no", "AgentError") if name in lost else _numbers(name, seed))
        return compare(scenario(name="a"), scenario(name="b"), scenario(name="c"), seeds=2)

    for lost, named in (("a", "a"), ("bc", "b")):
        with pytest.raises(SimulationError, match=f"every run of {named} failed; under seed 1: AgentError: no"):
            played(lost)
    found = played("c")
    assert {row.name for row in found.rows} == {"b"}
    assert len(found.failures["c"]) == 2
    assert found.ranking("m")["candidate"].tolist() == ["b", "a"]


@dataclass
class Fragile(ms.Agent):
    """Raises under some seeds."""

    def on_start(self) -> None:
        """Fail, or not."""
        if self.random("luck").uniform() < 0.4:
            raise ValueError("not today")


def test_an_agent_that_raises_under_some_seeds_stops_no_other() -> None:
    """The real thing."""
    other = scenario(name="fragile", fragile={"type": "test_comparison:Fragile"})
    found = compare(scenario(), other, seeds=6, workers=1)
    failed = found.failures["fragile"]
    assert 0 < len(failed) <= 4
    assert all(one.kind == "AgentError" and "not today" in one.error for one in failed)
    assert found.of("market.ABC.trades").seeds == 6 - len(failed)
    assert found.of("market.ABC.trades").equal


def test_a_failed_run_of_agents_is_told_once(given: Any) -> None:
    def played(name: str, seed: int) -> Any:
        numbers = {f"agents.{agent}.pnl": float(seed) for agent in MAKERS}
        return Failed(seed, "no", "AgentError") if seed == 2 else numbers

    given(played)
    found = compare(scenario(**MAKERS), agents=list(MAKERS), seeds=4, measures="pnl")
    assert found.failed()[["name", "seed"]].to_numpy().tolist() == [["small", 2]]
    assert found.of("pnl").seeds == 3


# --- what is compared ---


def test_variants_of_one_scenario() -> None:
    found = compare(scenario(), variants={"agents.noise.rate": [4.0, "8/s"]}, seeds=2, workers=1, measures="*.trades")
    assert found.names == ("small", "rate=4.0", "rate=8/s")
    assert [str(change.path) for change in found.changes["rate=8/s"]] == ["agents.noise.rate"]
    means = [found.of("market.ABC.trades", name).right for name in found.names[1:]]
    assert found.rows[0].left < means[0] < means[1]
    assert comparison.variant_names([("a.g", 0.1), ("b.g", 0.1), ("b.g", 1)]) == ("a.g=0.1", "b.g=0.1", "g=1")


def test_agents_are_compared_within_the_same_runs() -> None:
    spec = scenario(**MAKERS)
    found = compare(spec, agents=["mm_near", "mm_far"], seeds=3, workers=1)
    assert found.names == ("mm_near", "mm_far")
    assert found.agents
    assert found.main == "pnl"
    assert [(change.path, change.left, change.right) for change in found.changes["mm_far"]] == [
        ("target_spread", 0.02, 0.06)
    ]
    alone = ms.load(spec, {"seed": 2}).run()
    books = ms.analysis.accounts(alone)
    assert found.scores("volume").loc[2].tolist() == [books["mm_near"].volume, books["mm_far"].volume]
    assert {row.measure for row in found.rows} == set(comparison.USUAL)


def test_measures_are_chosen_by_name_and_pattern() -> None:
    def chosen(*measures: str) -> list[str]:
        found = compare(scenario(), scenario(8.0), seeds=2, workers=1, measures=measures)
        return list(dict.fromkeys(row.measure for row in found.rows))

    assert chosen("agents.noise.pnl", "market.*.spread*") == [
        "agents.noise.pnl", "market.ABC.spread", "market.ABC.spread_bps",
    ]  # fmt: skip
    assert chosen("agents.noise.3.orders") == ["agents.noise.3.orders"]


def trades_and_more(run: Any) -> dict[str, float]:
    return {"trades": len(run.trades), "quotes": len(run.quotes)}


def test_measures_are_a_function_of_ones_own() -> None:
    found = compare(scenario(), scenario(8.0), seeds=2, workers=1, measures=trades_and_more)
    assert [row.measure for row in found.rows] == ["trades", "quotes"]
    assert found.rows[0].right > found.rows[0].left


def test_what_one_of_them_has_alone_is_listed() -> None:
    found = compare(scenario(), scenario(name="two", extra={"type": "noise"}), seeds=2, workers=1)
    assert "agents.extra.pnl" in found.only["two"]
    assert found.only["small"] == ()


def test_names_are_given(given: Any) -> None:
    given(lambda name, seed: {"m": float(seed)})
    assert compare(scenario(), scenario(), seeds=2, names=("old", "new")).names == ("old", "new")
    assert compare(scenario(), scenario(), scenario(), seeds=2).names == ("small (A)", "small (B)", "small (C)")
    with pytest.raises(InvalidValueError, match="give 2 different ones"):
        compare(scenario(), scenario(), seeds=2, names=("old",))


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (2, {"seeds": 1}, "at least two different seeds"),
        (2, {"seeds": 0}, "at least two different seeds"),
        (2, {"seeds": [3]}, "at least two different seeds"),
        (2, {"seeds": [2, 2]}, "at least two different seeds"),
        (2, {"confidence": 95}, "confidence=95: it lies between 0 and 1"),
        (2, {"correction": "holms"}, 'did you mean "holm"'),
        (2, {"measures": "agents.nois.pnl"}, 'no agent is called "nois"; did you mean "noise"'),
        (2, {"measures": "agents.noise.pln"}, 'did you mean "pnl"'),
        (2, {"measures": "agents.*.pln"}, "measure 'agents.*.pln' is unknown"),
        (1, {}, "nothing to compare with"),
        (1, {"agents": ["noise", "nois"]}, 'did you mean "noise"'),
        (1, {"agents": ["noise"]}, "two different ones at least"),
        (1, {"agents": ["noise", "mm_far"], "measures": "pln"}, 'did you mean "pnl"'),
        (2, {"agents": ["noise", "mm_far"]}, "of one scenario, not of 2"),
        (1, {"agents": ["noise", "mm_far"], "variants": {"seed": [1]}}, "either agents of one market, or variants"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    given: Any, arguments: int, options: dict[str, Any], words: str
) -> None:
    given(lambda name, seed: pytest.fail("it ran"))
    with pytest.raises(InvalidValueError) as refused:
        compare(*[scenario(**MAKERS)] * arguments, **options)
    assert words in str(refused.value)


def test_a_number_is_no_scenario() -> None:
    with pytest.raises(InvalidValueError, match="seeds are given by name, compare\\(a, b, seeds=20\\)"):
        compare(scenario(), scenario(), 20)  # type: ignore[arg-type]


def test_nothing_in_common_is_told(given: Any) -> None:
    given(lambda name, seed: {"m" if name == "a" else "n": float(seed)})
    with pytest.raises(InvalidValueError, match="no measure is in all that is compared: a has m; b has n"):
        compare(scenario(name="a"), scenario(name="b"), seeds=2)


def test_what_was_not_compared_is_no_answer(given: Any) -> None:
    given(_numbers)
    found = compare(scenario(name="a"), scenario(name="b"), seeds=3)
    with pytest.raises(InvalidValueError, match="'y' was not compared; known: m, x"):
        found.of("y")
    with pytest.raises(InvalidValueError, match="'d' was not compared; known: b"):
        found.of("m", "d")
    with pytest.raises(InvalidValueError, match="'y' was not compared"):
        found.scores("y")


def test_a_variant_is_checked_before_anything_runs(given: Any) -> None:
    given(lambda name, seed: pytest.fail("it ran"))
    with pytest.raises(ScenarioError, match=r'^variants  agents\.noise\.rat: unknown parameter; did you mean "rate"'):
        compare(scenario(), variants={"agents.noise.rat": [1.0]})


def test_markets_and_families_of_different_size_are_told(given: Any) -> None:
    given(_numbers)
    longer = scenario(name="b").with_overrides({"duration": "8s"})
    assert "different length (a 4s, b 8s)" in compare(scenario(name="a"), longer, seeds=2).notes[0]
    assert compare(scenario(name="a"), scenario(name="b"), seeds=2).notes == ()
    given(lambda name, seed: {f"agents.{one}.pnl": float(seed) for one in ("noise", *MAKERS)})
    assert "(noise 20, mm_far 1)" in compare(scenario(**MAKERS), agents=["noise", "mm_far"], seeds=2).notes[0]
    assert compare(scenario(**MAKERS), agents=list(MAKERS), seeds=2).notes == ()


def test_an_interrupt_leaves_the_seeds_that_all_sides_have_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted_after(runs: int) -> Any:
        def replicated(jobs: Any, *, on_done: Any, **_: Any) -> list[Any]:
            for place in [1, 0, *range(2, runs)]:
                on_done(place, _numbers(jobs[place][0]["name"], jobs[place][1]))
            raise KeyboardInterrupt

        monkeypatch.setattr(comparison, "replicate_all", replicated)
        return compare(scenario(name="a"), scenario(name="b"), seeds=[5, 6, 7, 8], on_interrupt="keep")

    found = interrupted_after(5)
    assert (found.seeds, found.planned, found.interrupted) == ((5, 6), 4, True)
    assert found.scores("m").to_numpy().tolist() == [[5.0, 6.1], [6.0, 7.0]]
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(3)


# --- what is written ---


@pytest.mark.parametrize("parquet", [False, True])
def test_tables_are_written(given: Any, tmp_path: Path, parquet: bool) -> None:
    given(_failing)
    found = compare(scenario(name="a"), scenario(3.0, "b"), scenario(name="c"), seeds=6)
    for _ in range(2):  # again in the place of the old ones
        paths = found.save(tmp_path / "deep" / "out", parquet=parquet)
    assert [path.stem for path in paths] == ["differences", "values", "changes", "failures", "ranking", "every_pair"]
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == sorted(path.name for path in paths)
    read = pd.read_parquet if parquet else pd.read_csv
    table = read(paths[0])
    assert table["difference"].tolist() == pytest.approx(found.table()["difference"].tolist())
    assert read(paths[2]).to_dict("records")[0]["path"] == "agents.noise.rate"


def test_tables_of_an_earlier_comparison_do_not_stay(given: Any, tmp_path: Path) -> None:
    given(_failing)
    assert comparison.tables_in(tmp_path) == []
    compare(scenario(name="a"), scenario(name="b"), scenario(name="c"), seeds=6).save(tmp_path)
    (tmp_path / "mine.csv").write_text("kept")
    given(_numbers)
    written = compare(scenario(name="a"), scenario(name="b"), seeds=3).save(tmp_path)
    assert set(comparison.tables_in(tmp_path)) == set(written)
    assert len(written) == 3
    assert (tmp_path / "mine.csv").is_file()


def test_an_unwritable_folder_is_named(given: Any, tmp_path: Path) -> None:
    given(_numbers)
    found = compare(scenario(name="a"), scenario(name="b"), seeds=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"differences\.csv: cannot be written"):
        found.save(tmp_path / "file")


# --- what it keeps ---


def _of_the_one(run: Any) -> dict[str, float]:
    """Cheap measures of the strategy under test, whatever it is called."""
    mine = run.agents.loc[run.agents["family"] != "noise", "name"]
    orders = run.orders[run.orders["agent"].isin(mine)]
    sides = run.trades[run.trades["maker"].isin(mine) | run.trades["taker"].isin(mine)]
    return {
        "orders": float(len(orders)), "ordered": float(orders["quantity"].sum()),
        "filled": float(orders["filled"].sum()), "trades": float(len(sides)),
        "mean_price": float(sides["price"].mean()), "spent": float(sides["price"].sum()),
    }  # fmt: skip


@pytest.mark.statistical
def test_a_strategy_compared_with_itself_is_hardly_ever_found_different() -> None:
    """The same strategy under two names, so that it draws other numbers; the market around it draws the same."""
    count, seeds = runs(40, 400), 5

    def side(name: str) -> list[Any]:
        spec = scenario(3.0, **{name: {"type": "noise", "count": 3, "rate": 3.0}}).to_dict()
        jobs = [(spec, seed) for seed in range(1, count * seeds + 1)]
        return comparison.replicate_all(jobs, workers=1, measures=_of_the_one)

    left, right = side("one"), side("other")
    assert left != right
    found = 0
    for trial in range(count):
        part = slice(trial * seeds, (trial + 1) * seeds)
        rows, _ = comparison._rows(("a", "b"), {"a": left[part], "b": right[part]}, 0.95, "holm")
        assert len(rows) == 6
        found += any(row.differs for row in rows)
    # at most 5 %: a binomial count is above this once in a thousand times
    from scipy.stats import binom

    assert found <= binom.isf(0.001, count, 0.05)
