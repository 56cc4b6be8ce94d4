"""What every clock of an agent must do, as numbered cards; it runs on any implementation of the port Clock."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from marketsim.errors import MarketSimError
from marketsim.trading.ports import Clock


class ClockCase(Protocol):
    """A clock under test, idle and at some time."""

    clock: Clock

    def settle(self) -> None:
        """Let time pass until nothing is planned; errors of what is called come out of it."""


def clock_conformance(new_case: Callable[[], ClockCase]) -> None:
    """Run every card on a fresh case; AssertionError with the first promise that is broken."""
    for card in (
        _c1_time_is_whole,
        _c2_calls_at_their_time,
        _c3_in_order_of_time,
        _c4_ties_in_order_of_asking,
        _c5_never_at_once,
        _c6_never_in_the_past,
        _c7_a_process_sleeps,
        _c8_processes_and_calls_share_one_order,
    ):
        card(new_case())


def _c1_time_is_whole(case: ClockCase) -> None:
    assert type(case.clock.now) is int, "C1: now is an int of nanoseconds"


def _c2_calls_at_their_time(case: ClockCase) -> None:
    clock, seen = case.clock, list[tuple[int, str]]()
    start = clock.now
    clock.call_at(start + 1_000_003, lambda word: seen.append((clock.now, word)), "late")
    case.settle()
    assert seen == [(start + 1_000_003, "late")], f"C2: a call comes once, at its time, with its arguments; got {seen}"


def _c3_in_order_of_time(case: ClockCase) -> None:
    clock, seen = case.clock, list[int]()
    start = clock.now
    for delay in (30_000, 10_000, 20_000):
        clock.call_at(start + delay, seen.append, delay)
    case.settle()
    assert seen == [10_000, 20_000, 30_000], f"C3: what is due earlier comes earlier; got {seen}"


def _c4_ties_in_order_of_asking(case: ClockCase) -> None:
    clock, seen = case.clock, list[int]()
    moment = clock.now + 5_000
    for number in range(20):
        clock.call_at(moment, seen.append, number)
    case.settle()
    assert seen == list(range(20)), f"C4: what is due at one time comes in the order in which it was asked; got {seen}"


def _c5_never_at_once(case: ClockCase) -> None:
    clock, seen = case.clock, list[str]()

    def outer() -> None:
        clock.call_at(clock.now, seen.append, "inner")
        seen.append("outer")

    clock.call_at(clock.now + 1_000, outer)
    case.settle()
    assert seen == ["outer", "inner"], f"C5: a call for now waits until the present one is over; got {seen}"


def _c6_never_in_the_past(case: ClockCase) -> None:
    clock = case.clock
    clock.call_at(clock.now + 1_000, lambda: None)
    case.settle()
    if clock.now < 1:
        return
    try:
        clock.call_at(clock.now - 1, lambda: None)
    except MarketSimError:
        return
    raise AssertionError("C6: a call in the past is refused with an error of marketsim")


def _c7_a_process_sleeps(case: ClockCase) -> None:
    clock, seen = case.clock, list[int]()
    start = clock.now

    def steps() -> Generator[Any, Any, None]:
        for delay in (1_000, 0, 2_000):
            yield clock.sleep(delay)
            seen.append(clock.now - start)

    clock.process(steps())
    case.settle()
    assert seen == [1_000, 1_000, 3_000], f"C7: a process goes on after its delay; got {seen}"


def _c8_processes_and_calls_share_one_order(case: ClockCase) -> None:
    clock, seen = case.clock, list[str]()

    def steps() -> Generator[Any, Any, None]:
        yield clock.sleep(2_000)
        seen.append("process")

    clock.process(steps())
    clock.call_at(clock.now + 1_000, seen.append, "early")
    clock.call_at(clock.now + 3_000, seen.append, "late")
    case.settle()
    assert seen == ["early", "process", "late"], f"C8: processes and calls happen on one clock; got {seen}"
