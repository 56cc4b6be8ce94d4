"""Where words go: results to standard output, everything about how it went to standard error."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDE = 160  # columns where nobody's window sets them


@functools.cache
def output() -> Console:
    """For results."""
    return _console(stderr=False)


@functools.cache
def notices() -> Console:
    """For progress and complaints."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, emoji=False, width=_WIDE)


def say(text: str = "") -> None:
    """A line of results, as it is."""
    output().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A line about how it went, as it is."""
    notices().print(text, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong."""
    notices().print(text, markup=False, soft_wrap=True, style="red")


def empty_table(**look: Any) -> Table:
    """An empty table in the look of all of them; ``look`` as rich has it."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", **look)


def print_traceback(error: BaseException) -> None:
    """Python's own traceback, as it is."""
    import traceback

    note("".join(traceback.format_exception(error)).rstrip())
