"""The error tree: every error can be copied and sent to another process as it is."""

from __future__ import annotations

import copy
import pickle

import pytest

from marketsim import errors

EXAMPLES = [
    errors.ScenarioError(["a.yaml:1:2  x: wrong", "a.yaml:3:4  y: wrong too"]),
    errors.InvalidValueError("size 0: use at least 1"),
    errors.DataError("not a number", source="tape.csv", record=7),
    errors.SimulationError("stopped", time=5),
    errors.AgentError("me: ZeroDivisionError", agent="me", time=5),
    errors.MissingDependency("mesa", "mesa"),
    errors.InvariantViolation("a crossed book"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_an_error_survives_a_copy(error: errors.MarketSimError, way: object) -> None:
    again = way(error)  # type: ignore[operator]
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert again.args == error.args
