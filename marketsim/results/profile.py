"""The profile of a run: where its engine time went, as one table, in memory or in the run's folder.

It is measured, so it differs between equal runs, and the digest knows nothing of it. ``simulation.profile`` makes it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marketsim.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

BESIDE = "log thread"  # works beside the engine, so its time is no share of the engine's

HOW = "run the scenario again with --profile, or in Python with run(profile=True)"


class ProfileRow(NamedTuple):
    """One line of a profile.

    part: ``compiled`` (policies of compiled agents), ``venues``, ``python`` (callbacks of Python agents), ``log``
        (rows handed over, waiting for the last ones to be stored), ``code`` (compiled code made or loaded meanwhile),
        ``profiler`` (measuring Python events), ``kernel`` (everything else), and beside the engine the ``log thread``.
    family: key of the agents in the scenario, empty where it is nobody's. type: theirs. agents: how many there are.
    event: the kind of event that was handled, or of work that was done. events: how many.
    nanoseconds: of wall time. All parts but the log's thread add up to the engine time of the manifest.
    """

    part: str
    family: str
    type: str
    agents: int
    event: str
    events: int
    nanoseconds: int


def engine_time(rows: Sequence[ProfileRow]) -> int:
    """Nanoseconds of all parts that share the engine's time."""
    return sum(row.nanoseconds for row in rows if row.part != BESIDE)


def frame(rows: Sequence[ProfileRow]) -> pd.DataFrame:
    """The rows as a table, with their ``share`` of the engine time; not a number for what works beside it."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(ProfileRow._fields))
    table["share"] = (table["nanoseconds"] / max(engine_time(rows), 1)).where(table["part"] != BESIDE)
    return table


def write(path: Path, rows: Sequence[ProfileRow]) -> None:
    """Keep a profile as CSV. StoreError when the disk does not take it."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(ProfileRow._fields)
            writer.writerows(rows)
    except OSError as error:
        raise StoreError(f"{path}: the profile cannot be written: {error.strerror}; free some space") from error


def read(path: Path) -> list[ProfileRow]:
    """What ``write`` wrote. StoreError when it is something else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_row(line) for line in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise StoreError(f"{path}: not a profile: {error}; run the scenario again with --profile") from error


def _row(line: dict[str, str]) -> ProfileRow:
    whole = {name: int(line[name]) for name in ("agents", "events", "nanoseconds")}
    return ProfileRow(**{**{name: line[name] for name in ProfileRow._fields}, **whole})  # type: ignore[arg-type]
