"""The race of two queues: hand-made cases, a twin that steps, and the published tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import lobster_folder

from marketsim.analysis import QueueRace, birth_death_law
from marketsim.errors import InvalidValueError

FOLDER = lobster_folder()
TABLES = FOLDER.parent / "published" / "tables.json" if FOLDER else None
PUBLISHED = pytest.mark.skipif(
    TABLES is None or not TABLES.exists(), reason="published tables not found: set MARKETSIM_DATA to their folder"
)


def published() -> dict[str, np.ndarray]:
    assert TABLES is not None
    found = json.loads(TABLES.read_text(encoding="utf-8"))["cont_stoikov_talreja_2010"]
    return {name[:2]: np.array(values) for name, values in found.items() if "laplace" in name}


def by_steps(race: QueueRace, own: int, other: int, births: bool, runs: int, seed: int) -> float:
    """How often one queue (with births, or of an order that is never canceled and those before it) empties first."""
    random = np.random.default_rng(seed)
    won = 0
    for _ in range(runs):
        first, second = own, other
        while first and second:
            ahead = first if births else first - 1
            rates = np.array(
                [
                    race.limit_rate if births else 0.0,
                    race.market_rate + race.cancel_rate * ahead,
                    race.limit_rate,
                    race.market_rate + race.cancel_rate * second,
                ]
            )
            what = random.choice(4, p=rates / rates.sum())
            first += (what == 0) - (what == 1)
            second += (what == 2) - (what == 3)
        won += first == 0
    return won / runs


def test_without_births_the_smallest_cases_are_known_by_hand() -> None:
    race = QueueRace(0.0, market_rate=1.0, cancel_rate=0.5)
    # One order on each side leaves at 1.5; two of them at 2.0 and then 1.5.
    assert race.mid_rises(1, 1) == pytest.approx(0.5)
    assert race.mid_rises(1, 2) == pytest.approx(2.0 / 3.5 * 0.5)
    # Ours is hit at rate 1 only, while the other side loses its last order at 1.5.
    assert race.bid_executes(1, 1) == pytest.approx(1.0 / 2.5)
    assert race.bid_executes(2, 1) == pytest.approx(1.5 / 3.0 * 1.0 / 2.5)
    # With nobody behind ours, one execution empties the queue: both are never made.
    assert race.spread_is_made(1, 1) == 0.0


@settings(max_examples=10, deadline=None)
@given(limit=st.floats(0.0, 1.0), market=st.floats(0.1, 3.0), cancel=st.floats(0.05, 2.0))
def test_probabilities_are_ordered_as_they_must_be(limit: float, market: float, cancel: float) -> None:
    race = QueueRace(limit, market, cancel, most=20)
    rises, executes, makes = (race.table(what) for what in ("mid_rises", "bid_executes", "spread_is_made"))
    assert rises + rises.T == pytest.approx(np.ones((5, 5)), abs=1e-6)
    for table in (rises, executes, makes):
        assert (table >= -1e-9).all()
        assert (table <= 1.0 + 1e-9).all()
    assert (np.diff(executes, axis=0) <= 1e-9).all(), "the farther behind, the less likely"
    assert (np.diff(executes, axis=1) >= -1e-9).all(), "the longer the other queue, the more time"
    assert makes == pytest.approx(makes.T, abs=1e-9)


def test_queues_that_hardly_ever_empty_are_refused_and_not_computed_wrongly() -> None:
    with pytest.raises(InvalidValueError, match=r"limit_rate 3\.0 lets queues empty so rarely .* most below 20"):
        QueueRace(3.0, 0.1, 0.05, most=20).mid_rises(1, 1)


def test_a_walk_step_by_step_ends_as_computed() -> None:
    race = QueueRace(1.0, 0.8, 0.6)
    for births, what in ((True, race.mid_rises(3, 2)), (False, race.bid_executes(2, 3))):
        own, other = 2, 3
        found = by_steps(race, own, other, births, 2_000, seed=3)
        assert abs(found - what) < 4 * np.sqrt(what * (1 - what) / 2_000)


@PUBLISHED
def test_tables_3_and_5_of_cont_stoikov_and_talreja_come_out_to_a_unit_of_their_last_digit() -> None:
    race, tables = QueueRace(1.85, 0.94, 0.71), published()
    assert race.table("mid_rises") == pytest.approx(tables["T3"], abs=0.001)
    assert race.table("spread_is_made") == pytest.approx(tables["T5"], abs=0.001)


@PUBLISHED
def test_table_4_as_printed_is_of_the_mirrored_event() -> None:
    """Its entry for b bids and a offers is P(the b bids are gone before the last of the a offers is executed).

    That is one minus ours with rows and columns exchanged, to the last digit in all 25 places; read as its title says
    it is up to .21 off, while table 5, which rests on the same probability, agrees with ours.
    """
    ours, printed = QueueRace(1.85, 0.94, 0.71).table("bid_executes"), published()["T4"]
    assert np.abs(1.0 - ours.T - printed).max() < 0.001
    assert 0.2 < np.abs(ours - printed).max() < 0.22


def test_a_law_of_births_and_deaths() -> None:
    assert birth_death_law([1.0, 2.0], [2.0, 4.0]) == pytest.approx(np.array([4, 2, 1]) / 7)
    assert birth_death_law([1.0, 0.0], [1.0, 1.0]) == pytest.approx([0.5, 0.5, 0.0])
    poisson = birth_death_law(np.full(60, 3.0), np.arange(1, 61) * 1.0)
    assert poisson @ np.arange(61) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: QueueRace(1, 0, 1), "market_rate must be above 0"),
        (lambda: QueueRace(1, 1, 1, most=2), "most=2"),
        (lambda: QueueRace(1, 1, 1).mid_rises(0, 1), "0 orders: a queue holds 1 to 30"),
        (lambda: birth_death_law([1], [1, 2]), "births and deaths: 1 and 2 rates"),
        (lambda: birth_death_law([1], [0]), "births must not be below 0"),
    ],
)
def test_what_makes_no_sense_is_refused(call: object, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        call()  # type: ignore[operator]
