"""The guard of every command: errors raised on purpose become one message and an exit code, never a traceback.

Configuration that cannot be built ends with 2, everything else with 1, an interrupt with 130. With ``--debug`` the
traceback is shown as well. What is not one of our errors is a bug and is left to Python to show.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import typer

from marketsim.cli.console import complain, print_traceback
from marketsim.cli.interrupt import INTERRUPTED
from marketsim.errors import ConfigurationError, MarketSimError

FAILED, NOT_BUILT = 1, 2

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors are told; it must have a parameter ``debug``."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except MarketSimError as error:
            if options.get("debug"):
                print_traceback(error)
            complain(str(error))
            raise typer.Exit(NOT_BUILT if isinstance(error, ConfigurationError) else FAILED) from None
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    return run
