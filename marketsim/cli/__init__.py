"""The command line: ``marketsim`` and its commands. It parses words and prints results, and holds no logic of its own.

Every command imports what it needs when it runs, so that ``marketsim --help`` costs nothing.
"""

from __future__ import annotations


def main() -> None:
    """What the installed command ``marketsim`` and ``python -m marketsim`` call."""
    from marketsim.cli.app import app

    app(prog_name="marketsim")
