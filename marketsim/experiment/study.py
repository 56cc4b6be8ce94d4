"""A study: the trials of an optimisation as Optuna keeps them, in memory or in a SQLite file that outlives a kill.

It asks Optuna's samplers for values, remembers what came of every seed as soon as it is known, and lets Optuna's pruner
decide. A sampler is made anew for each trial, its seed a function of the trial's number: what a trial tries follows
from the trials before it and from nothing else, so that a study that was killed goes on as if it had not been. It runs
nothing.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, MissingDependency, StoreError
from marketsim.experiment.space import Dimension, Space, Values
from marketsim.kernel.random import key_of
from marketsim.scenario.diff import differences, format_diff

SAMPLERS = ("tpe", "cmaes", "random", "grid")
PRUNERS = ("median", "none")
NAME = "marketsim"  # of the study inside the file
STARTUP = 10  # trials before the pruner and the TPE say anything
_HEADER = b"SQLite format 3\0"
_DEFINITION, _OUTCOMES, _PRUNED, _VALUES = "definition", "outcomes", "pruned", "values"

Outcome = float | str
"""What came of a run: the measure, or why there is none."""


@dataclass
class Attempt:
    """One trial: the values it tries and what came of its seeds, in the order of the seeds where that matters."""

    number: int
    values: Values
    trial: Any  # of Optuna
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    decided: int = 0  # so many seeds have been judged
    pruned: bool = False
    error: str = ""

    def measured(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """The values of the seeds judged so far."""
        return np.array([self.outcomes[seed] for seed in seeds[: self.decided]], dtype=np.float64)


@dataclass(frozen=True)
class Rules:
    """How a study searches. ``aggregate`` makes one number of the values of several seeds."""

    direction: str
    seeds: tuple[int, ...]
    aggregate: Callable[[NDArray[np.float64]], float]
    sampler: str
    sampler_seed: int
    pruner: str
    levels: int


class Study:
    """The trials. ``definition``: what must be the same for a kept study to go on."""

    def __init__(self, space: Space, rules: Rules, definition: Mapping[str, Any], path: Path | None) -> None:
        self.space, self.rules = space, rules
        self._optuna = _optuna()
        self._grid = tuple(product(*(d.levels(rules.levels) for d in space))) if rules.sampler == "grid" else ()
        self._storage = _storage(self._optuna, path)
        self._study = self._optuna.create_study(
            study_name=NAME, storage=self._storage, direction=rules.direction, load_if_exists=True
        )
        try:
            _require_same(self._study, path, dict(definition))
        except BaseException:
            self.close()
            raise
        self._study.pruner = (
            self._optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=1)
            if rules.pruner == "median"
            else self._optuna.pruners.NopPruner()
        )

    def close(self) -> None:
        """Let go of the file."""
        if hasattr(self._storage, "engine"):
            self._storage.remove_session()
            self._storage.engine.dispose()

    @property
    def points(self) -> int:
        """How many points a grid has; 0 where there is no grid."""
        return len(self._grid)

    @property
    def asked(self) -> int:
        """How many trials there are, finished or not."""
        states = self._optuna.trial.TrialState
        return sum(trial.state != states.WAITING for trial in self._study.get_trials(deepcopy=False))

    def open(self) -> list[Attempt]:
        """The trials that were under way when the study was left, as far as they had come."""
        running = self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.RUNNING,))
        attempts = []
        for trial in running:
            self._study.sampler = self._sampler(trial.number)  # a kill may have come between two of its values
            attempts.append(self._attempt(self._optuna.Trial(self._study, trial._trial_id)))
        return attempts

    def ask(self) -> Attempt:
        """The next trial."""
        number = self.asked
        self._study.sampler = self._sampler(number)
        if self._grid and not self._waiting():
            given = zip(self.space, self._grid[number], strict=True)
            self._study.enqueue_trial({d.path: _internal(d, value) for d, value in given})
        return self._attempt(self._study.ask())

    def record(self, attempt: Attempt, seed: int, outcome: Outcome) -> None:
        """A run came to its end: keep what came of it, and judge as many seeds as can be judged in their order."""
        attempt.outcomes[seed] = outcome
        attempt.trial.set_user_attr(_OUTCOMES, {str(seed): outcome for seed, outcome in attempt.outcomes.items()})
        self._judge(attempt)

    def settled(self, attempt: Attempt) -> bool:
        """Whether no further run of it is wanted."""
        return bool(attempt.error) or attempt.pruned or attempt.decided == len(self.rules.seeds)

    def close_trial(self, attempt: Attempt) -> float:
        """Enter a settled trial's result; its value, NaN for one that is not complete."""
        state = self._optuna.trial.TrialState
        if attempt.error:
            self._study.tell(attempt.trial, state=state.FAIL)
            return math.nan
        if attempt.pruned:
            self._study.tell(attempt.trial, state=state.PRUNED)
            return math.nan
        value = self.rules.aggregate(attempt.measured(self.rules.seeds))
        self._study.tell(attempt.trial, value)
        return value

    def finished(self) -> list[tuple[Attempt, str, float]]:
        """Every finished trial in order, with "complete", "pruned" or "failed", and its value (NaN where none)."""
        states = self._optuna.trial.TrialState
        words = {states.COMPLETE: "complete", states.PRUNED: "pruned", states.FAIL: "failed"}
        return [
            (self._read(trial), words[trial.state], math.nan if trial.value is None else float(trial.value))
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in words
        ]

    def note(self, key: str) -> dict[int, Outcome]:
        """What was kept beside the trials under a name: outcomes by seed."""
        kept = self._study.user_attrs.get(key, {})
        return {int(seed): outcome for seed, outcome in kept.items()}

    def keep(self, key: str, outcomes: Mapping[int, Outcome]) -> None:
        """Keep outcomes by seed beside the trials."""
        self._study.set_user_attr(key, {str(seed): outcome for seed, outcome in outcomes.items()})

    def importance(self) -> dict[str, float]:
        """The share of each path in the variance of the value, the largest first; NaN where too few trials tell.

        Functional ANOVA over a random forest of the complete trials (F. Hutter, H. Hoos and K. Leyton-Brown, "An
        efficient approach for assessing hyperparameter importance", ICML 2014), main effects, made to add up to 1.
        """
        states = self._optuna.trial.TrialState
        complete = self._study.get_trials(deepcopy=False, states=(states.COMPLETE,))
        told = {trial.value for trial in complete}
        if len(complete) < 2 * len(self.space) + 2 or len(told) < 2:
            return dict.fromkeys(self.space.paths, math.nan)
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=1)
        found = self._optuna.importance.get_param_importances(
            self._study, evaluator=evaluator, params=list(self.space.paths)
        )
        return {path: float(share) for path, share in found.items()}

    # --- inner ---

    def _judge(self, attempt: Attempt) -> None:
        seeds = self.rules.seeds
        while not self.settled(attempt) and (outcome := attempt.outcomes.get(seeds[attempt.decided])) is not None:
            if isinstance(outcome, str):
                attempt.error = f"seed {seeds[attempt.decided]}: {outcome}"
                return
            attempt.decided += 1
            attempt.trial.report(self.rules.aggregate(attempt.measured(seeds)), step=attempt.decided - 1)
            self._ask_pruner(attempt)

    def _ask_pruner(self, attempt: Attempt) -> None:
        """After the last seed nothing is saved, so nothing is asked."""
        if 0 < attempt.decided < len(self.rules.seeds) and attempt.trial.should_prune():
            attempt.pruned = True
            attempt.trial.set_user_attr(_PRUNED, True)

    def _attempt(self, trial: Any) -> Attempt:
        """A trial with all its values drawn, and as far as it has come."""
        values = {d.path: _external(d, _suggested(trial, d)) for d in self.space}
        if _VALUES not in trial.user_attrs:
            trial.set_user_attr(_VALUES, values)
        frozen = self._study._storage.get_trial(trial._trial_id)
        attempt = self._read(frozen)
        attempt.trial = trial
        if not attempt.pruned:
            self._ask_pruner(attempt)
            self._judge(attempt)
        return attempt

    def _read(self, trial: Any) -> Attempt:
        outcomes = {int(seed): outcome for seed, outcome in trial.user_attrs.get(_OUTCOMES, {}).items()}
        values = {d.path: _external(d, trial.params[d.path]) for d in self.space if d.path in trial.params}
        attempt = Attempt(trial.number, values, None, outcomes, len(trial.intermediate_values))
        attempt.pruned = bool(trial.user_attrs.get(_PRUNED))
        wrong = [s for s in self.rules.seeds[attempt.decided :][:1] if isinstance(outcomes.get(s), str)]
        attempt.error = f"seed {wrong[0]}: {outcomes[wrong[0]]}" if wrong else ""
        return attempt

    def _waiting(self) -> bool:
        states = self._optuna.trial.TrialState
        return bool(self._study.get_trials(deepcopy=False, states=(states.WAITING,)))

    def _sampler(self, number: int) -> Any:
        seed = key_of(self.rules.sampler_seed, f"trial {number}") % 2**31
        samplers = self._optuna.samplers
        if self.rules.sampler == "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
        if self.rules.sampler == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        return samplers.RandomSampler(seed=seed)


@contextmanager
def kept(path: Path | None) -> Iterator[None]:
    """Hold a study's file alone, Optuna quiet and its errors as ours, as long as the block lasts."""
    optuna = _optuna()
    from sqlalchemy.exc import SQLAlchemyError

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with _alone(path):
            yield
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise StoreError(f"{path}: the study cannot be read or written: {reason}") from error
    finally:
        optuna.logging.set_verbosity(verbosity)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingDependency("optuna", "optimize") from None
    return optuna


# --- the file ---


def _storage(optuna: Any, path: Path | None) -> Any:
    if path is None:
        return optuna.storages.InMemoryStorage()
    from sqlalchemy import URL

    address = URL.create("sqlite", database=str(path)).render_as_string()
    return optuna.storages.RDBStorage(address, engine_kwargs={"creator": partial(_connected, path)})


def _connected(path: Path) -> sqlite3.Connection:
    """With a log ahead of writing a kill loses nothing, a power cut the last moment, and an entry takes no 10 ms."""
    connection = sqlite3.connect(path, timeout=60.0, check_same_thread=False)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    return connection


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """The file locked for this process; StoreError for what is no study's file, or is somebody else's now."""
    if path is None:
        yield
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
    except OSError as error:
        raise StoreError(f"{path}: it cannot be opened: {error.strerror or error}; choose another file") from error
    try:
        begin = os.read(handle, len(_HEADER))
        if begin not in (b"", _HEADER):
            raise StoreError(
                f"{path}: it is no SQLite file: a study begins with a file of its own; choose another name"
            )
        _lock(handle, path)
        yield
    finally:
        os.close(handle)  # after SQLite has let go: closing any handle of a file gives its locks back


def _lock(handle: int, path: Path) -> None:
    """Only where the system knows this lock; it is another one than SQLite's own."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StoreError(f"{path}: another process works on this study: wait for it, or end it") from None


def _require_same(study: Any, path: Path | None, definition: dict[str, Any]) -> None:
    """A new study is told its definition; one that goes on must have the same."""
    told = study.user_attrs.get(_DEFINITION)
    if told is None:
        if study.get_trials(deepcopy=False):
            raise StoreError(f"{path}: its study was not made by marketsim: choose another file")
        study.set_user_attr(_DEFINITION, definition)
        return
    now = json.loads(json.dumps(definition))
    if told != now:
        different = "\n".join(f"  {line}" for line in _different(told, now))
        raise InvalidValueError(
            f"{path} holds another study; what it says, and what is asked for now:\n{different}\n"
            "ask for the same, or give this study a file of its own"
        )


def _different(told: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*told, *now)):
        there, here = told.get(key), now.get(key)
        if there == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            yield from format_diff(differences(there, here, key)).splitlines()
        else:
            yield f"{key}: {json.dumps(there)} → {json.dumps(here)}"


# --- between a dimension and Optuna ---


def _suggested(trial: Any, dimension: Dimension) -> Any:
    """What a sampler says: a number of a span's unit, or the place of a value among those of a choice."""
    path, low, high = dimension.path, dimension.low, dimension.high
    if dimension.is_choice:
        places = range(len(dimension.values))
        ordered = _order(dimension) is not None
        return trial.suggest_int(path, 0, places[-1]) if ordered else trial.suggest_categorical(path, list(places))
    if dimension.step:
        return trial.suggest_float(path, low, low + (dimension.size - 1) * dimension.step, step=dimension.step)
    if dimension.whole:
        return trial.suggest_int(path, int(low), int(high), log=dimension.scale == "log")
    return trial.suggest_float(path, low, high, log=dimension.scale == "log")


def _external(dimension: Dimension, internal: Any) -> Any:
    """As the scenario writes it."""
    if not dimension.is_choice:
        return dimension.value(internal)
    order = _order(dimension)
    return dimension.values[internal if order is None else order[internal]]


def _internal(dimension: Dimension, value: Any) -> Any:
    if not dimension.is_choice:
        return dimension.number(value)
    place = dimension.values.index(value)
    order = _order(dimension)
    return place if order is None else order.index(place)


def _order(dimension: Dimension) -> list[int] | None:
    """The places of numbers from the smallest to the largest, so that a sampler knows who is near; None for words."""
    numbers = [math.nan if isinstance(value, bool) else dimension.number(value) for value in dimension.values]
    return None if any(map(math.isnan, numbers)) else sorted(range(len(numbers)), key=numbers.__getitem__)
