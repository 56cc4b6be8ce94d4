"""A campaign of fuzzing: which targets there are, whose turn it is, and what counts as a finding.

A target is a function ``target(draw, trace) -> inputs``: it draws one case, feeds it, checks what must hold, and
answers how many inputs that were. All its chance comes from ``draw``, which is seeded by seed, target and number of the
case, so each case can be played again alone. It notes in ``trace`` what it is about to feed. Errors of marketsim are
what bad input gets; everything else, an InvariantViolation too, is a finding.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

from marketsim.errors import InvariantViolation, MarketSimError

LONGEST = 20  # seconds of one case
SHOWN = 12  # inputs of a case that a finding shows
LONGEST_LINE = 2_000  # characters of each
MOST = 10  # findings, after which a campaign of a target ends


class Trace:
    """What a case has fed, its last inputs first of interest."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []

    def note(self, *what: Any) -> None:
        """About to be fed."""
        self.inputs.append(what)

    def text(self, short: bool = True) -> str:
        """The inputs, one a line."""
        if not short:
            return "\n".join(f"    {each!r}" for each in self.inputs)
        shown = [f"    {each!r}"[:LONGEST_LINE] for each in self.inputs[-SHOWN:]]
        more = len(self.inputs) - len(shown)
        return "\n".join([f"    … {more} inputs before", *shown] if more else shown)


Target = Callable[[Random, Trace], int]


@dataclass(frozen=True)
class Finding:
    """A case that went wrong."""

    target: str
    seed: int
    case: int
    place: str  # file, line and kind of the error: findings that share it are told once
    error: str
    trace: str

    def __str__(self) -> str:
        return (
            f"{self.target}, case {self.case} of seed {self.seed}:\n{self.error}\n  inputs, the last one failed:\n"
            f"{self.trace}\n  again: python -m tests.fuzz --seed {self.seed} --target {self.target} --case {self.case}"
        )


@dataclass
class Tally:
    """What a target has done so far."""

    cases: int = 0
    inputs: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)


class TooSlow(Exception):
    """A case took longer than any may."""


def accepts(error: BaseException) -> bool:
    """Whether an error is what marketsim answers to bad input."""
    return isinstance(error, MarketSimError) and not isinstance(error, InvariantViolation)


@contextmanager
def refusals(*others: type[Exception]) -> Iterator[None]:
    """Bad input may be refused here: by errors of marketsim, and by those named."""
    try:
        yield
    except Exception as error:
        if not accepts(error) and type(error) not in others:
            raise


def play(name: str, target: Target, seed: int, case: int, whole: bool = False) -> tuple[int, Finding | None]:
    """One case: how many inputs, and what went wrong; ``whole``: with all its inputs."""
    trace = Trace()
    try:
        with _limit(LONGEST):
            return target(Random(f"{seed}/{name}/{case}"), trace), None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        told = "".join(traceback.format_exception(error)[-6:])
        last = traceback.extract_tb((error.__cause__ or error).__traceback__)[-1]
        place = f"{type(error).__name__} at {last.filename}:{last.lineno}"
        return max(len(trace.inputs), 1), Finding(name, seed, case, place, told, trace.text(not whole))


def work(
    name: str, target: Target, seed: int, inputs: int, tally: Tally, told: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Cases of one target until so many inputs were fed, or there are MOST findings."""
    begun = perf_counter()
    while tally.inputs < inputs and len(tally.findings) < MOST:
        fed, finding = play(name, target, seed, tally.cases)
        tally.cases += 1
        tally.inputs += fed
        tally.seconds = perf_counter() - begun
        if finding is not None and finding.place not in {known.place for known in tally.findings}:
            tally.findings.append(finding)
        told(tally)
    return tally


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """TooSlow after so long, where the system can tell; compiled code hears of it when it returns."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TooSlow(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # again and again: one may come where it is passed over
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
