"""The table of targets: what is fed to each, and how many of a thousand inputs it gets; slow ones get few."""

from __future__ import annotations

from tests.fuzz.books import books
from tests.fuzz.campaign import Target
from tests.fuzz.dialect import dialect
from tests.fuzz.folders import folders
from tests.fuzz.logs import logs
from tests.fuzz.recorded import recorded
from tests.fuzz.requests import requests
from tests.fuzz.scenarios import scenarios
from tests.fuzz.texts import texts
from tests.fuzz.worlds import worlds

TARGETS: dict[str, tuple[Target, int]] = {
    "requests": (requests, 620),
    "worlds": (worlds, 70),
    "texts": (texts, 130),
    "books": (books, 90),
    "logs": (logs, 75),
    "dialect": (dialect, 80),
    "scenarios": (scenarios, 9),
    "recorded": (recorded, 4),
    "folders": (folders, 2),
}
