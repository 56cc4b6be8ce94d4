"""The search of an optimisation: which run comes next, and what came of it, until the study has its trials.

Trials are asked for in batches and entered in the order of their numbers. Inside a batch a run that is wanted for
certain comes before one that pruning may make superfluous, and seeds are judged in their order, so the answers may come
as they like: how many workers there are changes nothing in a study.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketsim.errors import ConfigurationError, SimulationError
from marketsim.experiment.replication import Measures
from marketsim.experiment.study import Attempt, Outcome, Study
from marketsim.experiment.workers import Workers
from marketsim.scenario.spec import ScenarioSpec

BASE = "base"  # the scenario as it is, among the candidates of the check


@dataclass(frozen=True)
class Step:
    """How far an optimisation is: ``runs`` of ``total``, those that pruning saves among them; ``trials`` of
    ``trials_total``; the best value so far (NaN: none).
    """

    runs: int
    total: int
    trials: int
    trials_total: int
    best: float


class Search:
    """Runs what a study asks for."""

    def __init__(
        self,
        spec: ScenarioSpec,
        study: Study,
        measuring: Callable[[Any], Measures],
        pool: Workers,
        batch: int,
        progress: Callable[[Step], None] | None,
    ) -> None:
        self.spec, self.study, self.measuring, self.pool = spec, study, measuring, pool
        self.batch, self.progress = batch, progress
        self.seeds = study.rules.seeds
        self._trials = self._later = self._checked = 0
        finished = study.finished()
        self._finished = len(finished)
        self._best = self._better(*(value for _, state, value in finished if state == "complete"))

    def run(self, trials: int, deadline: float, later: int) -> None:
        """Trials until there are so many, or time is over. later: how many runs come after them."""
        trials = min(trials, self.study.points or trials)
        self._trials, self._later = trials, later
        self._replicated({BASE: self.spec.to_dict()}, self.seeds, "search")
        under_way = self.study.open()
        while under_way or self.study.asked < trials:
            if time.monotonic() >= deadline:
                break
            asked = self.study.asked
            number = min((attempt.number for attempt in under_way), default=asked)
            for _ in range(min((number // self.batch + 1) * self.batch, trials) - asked):
                under_way.append(self.study.ask())
            self._run(under_way)
            for attempt in under_way:
                self._best = self._better(self._best, self.study.close_trial(attempt))
            self._finished += len(under_way)
            self._require_hope()
            under_way = []

    def check(self, finalists: int, fresh: Sequence[int]) -> dict[str, dict[int, Outcome]]:
        """The scenario as it is and the best trials under fresh seeds: outcomes by candidate and seed."""
        best = self._finalists(finalists)
        if not best or not fresh:
            return {}
        given = {BASE: self.spec.to_dict()}
        given |= {str(one.number): self.study.space.spec(self.spec, one.values).to_dict() for one in best}
        return self._replicated(given, fresh, "check")

    # --- inner ---

    def _run(self, attempts: list[Attempt]) -> None:
        """A batch: whose turn it is decides the order, so the answers may come as they like."""
        given = {attempt.number: self._given(attempt) for attempt in attempts}
        handed = {(attempt.number, seed) for attempt in attempts for seed in attempt.outcomes}
        by_number = {attempt.number: attempt for attempt in attempts}
        while True:
            while self.pool.free and (key := self._next(attempts, handed)) is not None:
                handed.add(key)
                self.pool.submit(key, given[key[0]], key[1], self.measuring)
            self._tell(attempts)
            if not self.pool.under_way:
                return
            (number, seed), found = self.pool.answer()
            self.study.record(by_number[number], seed, _outcome(found))

    def _given(self, attempt: Attempt) -> Mapping[str, Any]:
        """Its scenario's mapping; a trial whose values do not fit together has failed."""
        try:
            return self.study.space.spec(self.spec, attempt.values).to_dict()
        except ConfigurationError as error:
            self.study.record(attempt, self.seeds[0], f"{type(error).__name__}: {error}")
            return {}

    def _next(self, attempts: list[Attempt], handed: set[tuple[int, int]]) -> tuple[int, int] | None:
        """The most certain run: a next seed before one that pruning may make superfluous."""
        wanted = [
            (place - attempt.decided, place, attempt.number, seed)
            for attempt in attempts
            if not self.study.settled(attempt)
            for place, seed in enumerate(self.seeds)
            if (attempt.number, seed) not in handed
        ]
        return min(wanted)[2:] if wanted else None

    def _replicated(
        self, given: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], stage: str
    ) -> dict[str, dict[int, Outcome]]:
        """Runs outside of trials, kept beside them as they come."""
        found = {name: self.study.note(f"{stage} {name}") for name in given}
        for seed in seeds:
            for name, mapping in given.items():
                if seed not in found[name]:
                    self._wait_for_room(found, stage)
                    self.pool.submit((name, seed), mapping, seed, self.measuring)
        while self.pool.under_way:
            self._enter(found, stage)
        self._tell(())
        return {name: {seed: outcomes[seed] for seed in seeds} for name, outcomes in found.items()}

    def _wait_for_room(self, found: dict[str, dict[int, Outcome]], stage: str) -> None:
        while not self.pool.free:
            self._enter(found, stage)

    def _enter(self, found: dict[str, dict[int, Outcome]], stage: str) -> None:
        (name, seed), answer = self.pool.answer()
        found[name][seed] = _outcome(answer)
        self.study.keep(f"{stage} {name}", found[name])
        if stage == "check":
            self._checked += 1
        self._tell(())

    def _finalists(self, count: int) -> list[Attempt]:
        """The best complete trials with different values, the best first."""
        sign = -1.0 if self.study.rules.direction == "maximize" else 1.0
        complete = [(sign * value, one) for one, state, value in self.study.finished() if state == "complete"]
        chosen: list[Attempt] = []
        for _, one in sorted(complete, key=lambda pair: (pair[0], pair[1].number)):
            if len(chosen) < count and all(one.values != other.values for other in chosen):
                chosen.append(one)
        return chosen

    def _require_hope(self) -> None:
        """Where the scenario as it is fails and every trial too, more of them tell nothing."""
        base = self.study.note(f"search {BASE}").values()
        finished = self.study.finished()
        if all(isinstance(outcome, str) for outcome in base) and all(state == "failed" for _, state, _ in finished):
            raise SimulationError(
                f"the scenario as it is fails and so did all {len(finished)} trials until now: {finished[0][0].error}"
            )

    def _tell(self, attempts: Sequence[Attempt]) -> None:
        if self.progress is None:
            return
        each = len(self.seeds)
        settled = sum(self.study.settled(one) for one in attempts)
        under_way = sum(each if self.study.settled(one) else len(one.outcomes) for one in attempts)
        runs = len(self.study.note(f"search {BASE}")) + self._finished * each + under_way + self._checked
        total = (self._trials + 1) * each + self._later
        self.progress(Step(runs, total, self._finished + settled, self._trials, self._best))

    def _better(self, *values: float) -> float:
        """The best of some values, of which those that are NaN do not count."""
        there = [value for value in values if not math.isnan(value)]
        return (max if self.study.rules.direction == "maximize" else min)(there, default=math.nan)


def _outcome(found: Measures | BaseException) -> Outcome:
    if isinstance(found, BaseException):
        return f"{type(found).__name__}: {found}"
    ((name, value),) = found.items()
    return value if math.isfinite(value) else f"{name} is {value}: this run has nothing to measure"
