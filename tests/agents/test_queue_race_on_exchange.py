"""Tables 3, 4 and 5 of Cont, Stoikov and Talreja 2010 by simulation on the exchange, beside formula and paper."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from queue_racer import SIZES, QueueRacer
from scipy import stats

from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.analysis.queue_race import QueueRace
from marketsim.domain.instrument import Instrument
from tests.population.wiring import ZERO, Crowd, Market
from tests.statistical import runs

ROOT = os.environ.get("MARKETSIM_DATA")
TABLES = (Path(ROOT) if ROOT else Path(__file__).resolve().parents[3] / "shared" / "data") / "published/tables.json"
HIGH = Instrument("ABC", reference_price="1000")
FLOW = PoissonFlow(  # a second is the paper's minute; orders beyond the fifth tick matter for none of the tables
    limit_rates=(1.85, 1.51, 1.09, 0.88, 0.77), cancel_rates=(0.71, 0.81, 0.68, 0.56, 0.47), market_rate=0.94,
    quantity=1, reach=5,
)  # fmt: skip
WHAT = ("mid_rises", "bid_executes", "spread_is_made")


def trials(goal: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each of the 3 × 25 was tried, and how often it came true."""
    market = Market(
        [Crowd(FLOW, latency=ZERO), Crowd(QueueRacer(goal), latency=ZERO)], seed, processing=0, instrument=HIGH
    )
    for seconds in range(2_000, 2_000 * goal, 2_000):
        state = market.run(seconds).state("queueracer")[0]
        if state["tried"].min() == goal and state["stage"] == 0:
            break
    shape = (3, SIZES, SIZES)
    return state["tried"].reshape(shape).copy(), state["won"].reshape(shape).copy()


@pytest.mark.statistical
@pytest.mark.skipif(not TABLES.exists(), reason="published tables not found: set MARKETSIM_DATA to their folder")
def test_tables_3_to_5_come_out_on_the_exchange() -> None:
    """Each entry within 4 standard errors (of a binomial) of the formula, all 25 together by chi-square.

    To the paper's numbers come .001 for their rounding. Table 4 is compared with what its numbers are of: see
    tests/analysis/test_queue_race.py.
    """
    found = [trials(400, seed) for seed in range(runs(1, 25))]
    tried, won = (np.sum([each[part] for each in found], axis=0) for part in (0, 1))
    assert tried.min() >= 400 * len(found)
    race = QueueRace(1.85, 0.94, 0.71)
    paper = json.loads(TABLES.read_text(encoding="utf-8"))["cont_stoikov_talreja_2010"]
    printed = [np.array(paper[name]) for name in sorted(paper) if name.startswith("T") and "laplace" in name]
    printed[1] = 1.0 - printed[1].T
    for number, what in enumerate(WHAT):
        ours, theory = won[number] / tried[number], race.table(what)
        error = np.sqrt(theory * (1.0 - theory) / tried[number])
        chi_square = float((((ours - theory) / error) ** 2).sum())
        print(f"\ntable {number + 3} ({what}), {tried[number].min()} trials each; ours / paper (standard error)")
        for row in range(SIZES):
            print(
                "  ".join(
                    f"{ours[row, k]:.3f}/{printed[number][row, k]:.3f}({error[row, k]:.3f})" for k in range(SIZES)
                )
            )
        print(f"chi-square of ours to the formula, 25 degrees: {chi_square:.1f}, p {stats.chi2.sf(chi_square, 25):.3f}")
        assert (np.abs(ours - theory) < 4 * error).all()
        assert (np.abs(ours - printed[number]) < 4 * error + 0.001).all()
        assert stats.chi2.sf(chi_square, 25) > 1e-3


def test_the_racer_tries_what_it_says_and_its_orders_are_gone_afterwards() -> None:
    """A few trials: as many as were asked for of each state, some of each kind won and lost."""
    tried, won = trials(4, seed=1)
    assert (tried == 4).all()
    for way in range(3):
        assert 0.2 < won[way].sum() / tried[way].sum() < 0.8
