"""Run folders: where they lie, how they get their names, and how they become whole all at once.

``<name>.partial`` is being written; ``<name>`` is there only once everything in it is on the disk. In both the manifest
says whether the run came to its end, and it says no from the first moment on. Nothing is ever overwritten.

::

    quickstart-7-1/
        manifest.json
        events/00000.parquet, 00001.parquet …
        annotations.parquet       only when there are any
        profile.csv               only of a profiled run
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

from marketsim.errors import StoreError, did_you_mean
from marketsim.results.annotations import Annotations
from marketsim.results.manifest import Manifest

MANIFEST, EVENTS, ANNOTATIONS, PROFILE = "manifest.json", "events", "annotations.parquet", "profile.csv"
PARTIAL = ".partial"
RUNS = Path("runs")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def reserve(path: Path) -> Path:
    """Make ``<path>.partial`` to write into; StoreError when either of the two exists."""
    partial = path.with_name(path.name + PARTIAL)
    if path.exists():
        raise StoreError(f"{path} exists: nothing is overwritten; choose another name or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot make this folder: {error.strerror}; choose another one") from error
    try:
        partial.mkdir()
    except FileExistsError as error:
        raise StoreError(
            f"{partial} exists: another run is writing it, or was killed while it did; choose another name or remove it"
        ) from error
    except OSError as error:
        raise StoreError(f"{partial}: cannot make the run folder: {error.strerror}; choose another folder") from error
    if path.exists():  # another process finished it in between
        partial.rmdir()
        raise StoreError(f"{path} exists: nothing is overwritten; choose another name or remove it")
    return partial


def reserve_next(parent: Path, name: str, seed: int) -> Path:
    """Make the first free ``<parent>/<name>-<seed>-<n>.partial``, n from 1."""
    while True:
        path = next_free(parent, name, seed)
        try:
            return reserve(path)
        except StoreError:
            if path == next_free(parent, name, seed):
                raise


def next_free(parent: Path, name: str, seed: int) -> Path:
    """The first ``<parent>/<name>-<seed>-<n>`` that nobody has or is writing, n from 1; it makes nothing."""
    stem = f"{_UNSAFE.sub('-', name).strip('-.') or 'run'}-{seed}"
    numbered = (parent / f"{stem}-{number}" for number in itertools.count(1))
    return next(path for path in numbered if not path.exists() and not path.with_name(path.name + PARTIAL).exists())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in place: the old one or the new one is there at any moment, never a half."""
    path = folder / MANIFEST
    temporary = path.with_name(MANIFEST + PARTIAL)
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror}; the run stays marked incomplete") from error
    _sync(folder)


def commit(partial: Path) -> Path:
    """Give a folder that is whole its name."""
    path = partial.with_name(partial.name.removesuffix(PARTIAL))
    if path.exists():
        raise StoreError(f"{path} exists: nothing is overwritten; the run is in {partial}")
    try:
        _sync(partial)
        partial.rename(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be named: {error.strerror}; the run is in {partial}") from error
    _sync(path.parent)
    return path


def find(path: Path) -> Path:
    """The run folder meant by a path: itself, or the folder of a manifest. StoreError says what is there instead."""
    folder = path.parent if path.name == MANIFEST else path
    if (folder / MANIFEST).is_file():
        return folder
    if folder.name in ("", ".."):  # such as ".", which has no name of its own
        folder = folder.resolve()
    partial = folder.parent / f"{folder.name}{PARTIAL}"
    if (partial / MANIFEST).is_file():
        raise StoreError(f"{folder} was never finished; open {partial} to read what was recorded")
    if not folder.exists():
        raise StoreError(f"{folder}: no such run folder{_runs_beside(folder)}")
    raise StoreError(f"{folder}: not a run folder: {MANIFEST} is missing; name a folder that marketsim run wrote")


def _runs_beside(folder: Path) -> str:
    """Which run was meant."""
    if not folder.parent.is_dir():
        return f"; there is no folder {folder.parent} either"
    return did_you_mean(folder.name, [path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}")])


def parts(folder: Path) -> list[Path]:
    """The parts of the event log that are whole."""
    from marketsim.results.parts import parts_of

    return parts_of(folder / EVENTS)


def count_annotations(folder: Path) -> int:
    """How many annotations there are, without reading them."""
    from marketsim.results.parts import rows_of

    path = folder / ANNOTATIONS
    return rows_of(path) if path.exists() else 0


def read_annotations(folder: Path) -> Annotations:
    """The annotations; empty where no file holds any."""
    path = folder / ANNOTATIONS
    return Annotations.read(path) if path.exists() else Annotations()


def _sync(folder: Path) -> None:
    """Flush a folder's own entries to the disk, on systems that can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
