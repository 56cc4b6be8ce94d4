"""How far a run is: a bar on a terminal, elsewhere a line now and then. It knows nothing about what runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from marketsim.cli.console import note, notices

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from marketsim.domain.local_time import LocalTime
    from marketsim.simulation import Progress

_EVERY = 10.0  # seconds between two lines where there is no terminal


class _Shown:
    """A bar that comes and goes with a ``with``."""

    def __init__(self, bar: Callable[[], Bar]) -> None:
        self._bar = bar() if notices().is_terminal else None
        self._task: Any = None
        self._compiled = 0

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("preparing", total=None, details="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def compiling(self, function: str) -> None:
        """A function is being compiled."""
        self._compiled += 1
        if self._compiled == 1:
            note("compiling the market: only the first time, up to a minute; kept until sources change")
        if self._bar is not None:
            self._bar.update(self._task, description="compiling", details=f"{function.strip('_')} ({self._compiled})")


class RunProgress(_Shown):
    """Shows compilation, then how much of the simulated time is over, the rate, and the time that is left.

    start, end: of the simulated time, ns. local: its dates, where it has some.
    """

    def __init__(self, start: int, end: int, local: LocalTime | None = None) -> None:
        super().__init__(_run_bar)
        self._start, self._end, self._local = start, end, local
        self._last = (0.0, 0)  # wall seconds and events when it was last told

    def __call__(self, progress: Progress) -> None:
        """The run is this far."""
        if self._bar is not None:
            done, total = progress.time - self._start, self._end - self._start
            self._bar.update(
                self._task, description="running", completed=done, total=total, details=self._details(progress)
            )
        elif progress.elapsed - self._last[0] >= _EVERY:
            note(f"{progress.fraction:4.0%}  {self._details(progress)}")

    def _details(self, progress: Progress) -> str:
        """Simulated time, events a second since it was last told, and the time that is left."""
        from marketsim.domain.local_time import time_text

        seconds, events = progress.elapsed - self._last[0], progress.events - self._last[1]
        self._last = (progress.elapsed, progress.events)
        rate = f" · {events / seconds:,.0f} events/s" if seconds > 0 else ""
        left = f" · {progress.remaining:,.0f} s left" if progress.remaining >= 0 else ""
        return f"{time_text(progress.time, self._local).partition('.')[0]}{rate}{left}"


class CountProgress(_Shown):
    """Shows how many of several equal pieces of work are done."""

    def __init__(self, what: str) -> None:
        super().__init__(_count_bar)
        self._what = what
        self._told = 0
        self._began = time.perf_counter()

    def compiling(self, function: str) -> None:
        """A function is being compiled; the work has not begun."""
        super().compiling(function)
        self._began = time.perf_counter()

    def __call__(self, done: int, total: int, details: str = "") -> None:
        """So many are done. details: what else there is to tell."""
        if self._bar is not None:
            self._bar.update(self._task, description=self._what, completed=done, total=total, details=details)
        elif done * 10 // total > self._told:
            self._told = done * 10 // total
            left = (time.perf_counter() - self._began) / done * (total - done)
            more = f" · {left:,.0f} s left" if done < total else ""
            more += f" · {details}" if details else ""
            note(f"{done / total:4.0%}  {done:,} of {total:,} {self._what}{more}")


def _run_bar() -> Bar:
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[details]}"),
        console=notices(),
        transient=True,
    )


def _count_bar() -> Bar:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[details]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        console=notices(),
        transient=True,
    )
