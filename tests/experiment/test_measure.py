"""Measures by name: the same numbers as the analysis, and names that are checked before anything runs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sweep_market import small

from marketsim.analysis import accounts, market_table, sharpe
from marketsim.errors import InvalidValueError
from marketsim.experiment.measure import USUAL, known_measures, measure, measured
from marketsim.experiment.replication import measures_of
from marketsim.results.run import Run
from marketsim.simulation import Simulation

SPEC = small(duration="3min")


@pytest.fixture(scope="module")
def run() -> Run:
    return Simulation.from_spec(SPEC).run()


def test_names_are_what_the_analysis_says(run: Run) -> None:
    market, families, table = market_table(run), accounts(run).families, accounts(run).table
    found = measured(["market.ABC.spread_bps", "agents.noise.pnl", "agents.noise.3.volume"], SPEC)(run)
    assert found == {
        "market.ABC.spread_bps": market["spread_bps"]["ABC"],
        "agents.noise.pnl": families["pnl"]["noise"],
        "agents.noise.3.volume": table["volume"]["noise.3"],
    }
    everything = {name: measure(run, name) for name in known_measures(SPEC)}
    summary = measures_of(run)
    assert {name: everything[name] for name in summary} == pytest.approx(summary, nan_ok=True, rel=1e-12)


def test_performance_is_that_of_the_familys_profit(run: Run) -> None:
    equity = accounts(run).equity("1min", by="family")["noise"].to_numpy()
    assert measure(run, "agents.noise.sharpe") == sharpe(np.diff(equity), 1.0)
    alone = accounts(run).performance("1min")
    for name in ("sharpe", "sortino", "max_drawdown", "var_95", "cvar_95"):
        assert measure(run, f"agents.noise.0.{name}") == pytest.approx(alone[name]["noise.0"], nan_ok=True)


def test_what_was_not_executed_costs_nothing_and_is_nan(run: Run) -> None:
    assert np.isnan(measure(run, "agents.noise.shortfall_bps"))


def test_a_star_stands_for_anything_and_nothing_is_taken_twice() -> None:
    assert measured(["agents.noise.pnl", "agents.*.pnl", "market.*.spread*"], SPEC).names == (
        "agents.noise.pnl", "market.ABC.spread", "market.ABC.spread_bps",
    )  # fmt: skip
    assert len(measured(USUAL, SPEC).names) == 4
    chosen = measured(USUAL, SPEC)
    assert pickle.loads(pickle.dumps(chosen)) == chosen


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("agents.nose.pnl", 'no agent is called "nose"; did you mean "noise"'),
        ("agents.noise.20.pnl", 'no agent is called "noise.20"'),
        ("agents.noise.pnll", '"pnll" is not measured there; did you mean "pnl"'),
        ("market.ABC.sprd", 'did you mean "spread"'),
        ("market.XYZ.spread", 'no instrument is called "XYZ"'),
        ("markt.ABC.spread", 'did you mean "market.ABC.spread"'),
        ("pnl", "write market.SYMBOL.NAME or agents.NAME.NAME"),
        ("agents.*.pnll", "is like none of the scenario"),
    ],
)
def test_a_slip_of_the_pen_is_told_at_once(name: str, words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        measured(name, SPEC)
    assert words in str(raised.value)


def test_no_measure_is_no_question() -> None:
    with pytest.raises(InvalidValueError, match="no measure is named"):
        measured([], SPEC)


def test_a_name_copied_with_its_breaks_is_the_same_name() -> None:
    copied = "agents.\u200bnoise.\u200bpnl"
    assert measured([copied, "market.\u200b*.trades"], SPEC).names == ("agents.noise.pnl", "market.ABC.trades")
