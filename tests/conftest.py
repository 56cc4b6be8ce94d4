"""What all tests share: plots without a screen, hypothesis without deadlines, and skips that are listed.

Every skipped test is named with its reason at the end of a session, modules skipped as a whole on a worker included,
which pytest-xdist alone would not tell. Where MARKETSIM_SKIPS_TO names a file they are also appended to it, so that a
run of several sessions can list them all at its end.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
# A shell starts what runs in its background deaf to interrupts, and so would be the tests of interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Examples are the same on every machine and in every session: a failing test fails for everyone.
settings.register_profile("marketsim", deadline=None, derandomize=True, print_blob=True)
# For a hunt after what the fixed examples miss: --hypothesis-profile=hunt
settings.register_profile("hunt", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("marketsim")

_SKIPPED_MODULES = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SKIPPED_MODULES] = {}
    config.pluginmanager.register(_ModuleSkips(config))


class _ModuleSkips:
    """Modules skipped while they were collected, in this process or on its workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.found = config.stash[_SKIPPED_MODULES]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.found[report.nodeid] = _reason(report.longrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["skipped_modules"] = self.found

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.found.update(getattr(node, "workeroutput", {}).get("skipped_modules", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    skips = dict(_skips(terminalreporter, config))
    if not skips or hasattr(config, "workerinput"):  # the workers' skips arrive at the session that started them
        return
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for test, reason in skips.items():
        by_reason[reason].append(test)
    terminalreporter.section("skipped, and why", sep="-")
    for reason, tests in sorted(by_reason.items()):
        terminalreporter.line(reason)
        for test in sorted(tests):
            terminalreporter.line(f"    {test}")
    if target := os.environ.get("MARKETSIM_SKIPS_TO"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.writelines(f"{test}: {reason}\n" for test, reason in sorted(skips.items()))


def _skips(terminalreporter: Any, config: pytest.Config) -> Iterator[tuple[str, str]]:
    yield from config.stash[_SKIPPED_MODULES].items()
    for report in terminalreporter.stats.get("skipped", ()):
        yield report.nodeid, _reason(report.longrepr)


def _reason(longrepr: Any) -> str:
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ").strip() or "no reason given"
