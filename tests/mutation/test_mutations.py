"""The tests of the matching core are tested: each deliberate mistake in it must make one of them fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mutate_core
import pytest
from card_mutations import CARD_MUTATIONS
from mutate_core import MUTATIONS, Mutation, check_texts, mutated, survivors

ALL_TESTS = [f"tests/exchange/{name}" for name in mutate_core.TESTS]
HARMLESS = Mutation("a word in a docstring", "rows.py", '"""A row about an order itself."""', '"""A row."""', "None.")
DEADLY = next(mutation for mutation in MUTATIONS if mutation.name == "last come first served")


def test_every_mutation_fits_the_core_as_it_is_today() -> None:
    check_texts()
    assert len(MUTATIONS) >= 20
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
    assert {mutation.file for mutation in MUTATIONS} >= {"matching.py", "execution.py", "ladder.py", "core.py"}
    check_texts(CARD_MUTATIONS)
    assert len(CARD_MUTATIONS) >= 20
    assert len({mutation.name for mutation in CARD_MUTATIONS}) == len(CARD_MUTATIONS)


def test_a_mutation_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(SystemExit, match=r"0 times in marketsim/exchange/execution\.py"):
        mutated("something else", DEADLY)
    with pytest.raises(SystemExit, match="2 times"):
        mutated(DEADLY.old * 2, DEADLY)


@pytest.mark.slow
def test_the_script_tells_survivors_from_the_caught(capsys: pytest.CaptureFixture[str]) -> None:
    """One rule's test against a mistake, and against a change that is none."""
    tests = ["tests/exchange/test_rules.py::test_better_prices_first_then_first_come_first_served"]
    assert survivors((DEADLY, HARMLESS), tests) == [HARMLESS]
    told = capsys.readouterr().out
    assert "last come first served: caught by test_rules.py::test_better_prices" in told
    assert "a word in a docstring: SURVIVED" in told


def test_it_runs_as_a_script() -> None:
    script = Path(mutate_core.__file__)
    done = subprocess.run(
        [sys.executable, str(script), "--list", "--only", "fill or kill"], capture_output=True, text=True
    )
    assert done.returncode == 0
    names = [mutation.name for mutation in MUTATIONS if "fill or kill" in mutation.name]
    assert [line.split(": ")[0].split(maxsplit=1)[1] for line in done.stdout.splitlines()] == names


@pytest.mark.slow
def test_every_mutation_is_caught() -> None:
    """A few minutes: the quick tests of the core, uncompiled, once for each mistake."""
    alive = survivors(MUTATIONS, ALL_TESTS)
    assert not alive, [f"{mutation.name}: {mutation.mistake}" for mutation in alive]


@pytest.mark.slow
def test_every_mistake_breaks_a_card() -> None:
    """A few minutes: the conformance cards on the core alone, uncompiled, once for each mistake."""
    alive = survivors(CARD_MUTATIONS, ["tests/exchange/test_cards.py", "-k", "core"])
    assert not alive, [f"{mutation.name}: {mutation.mistake}" for mutation in alive]
