"""The command line: ``marketsim`` and its commands. It parses words and prints results, and holds no logic of its own.

Every command imports what it needs when it runs, so that ``marketsim --help`` costs nothing.
"""

from __future__ import annotations

import gc
import io
import sys


def main() -> None:
    """What the installed command ``marketsim`` and ``python -m marketsim`` call."""
    from marketsim.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that a terminal does not know must not end a run
    try:
        app(prog_name="marketsim")
    finally:
        gc.freeze()  # the process ends: Python need not look through a large market for what could be freed
