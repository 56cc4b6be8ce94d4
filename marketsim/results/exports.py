"""Exports: the tables of a run as tidy CSV or Parquet files.

Every file is written under another name and gets its own when all of them are whole; nothing is overwritten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import StoreError
from marketsim.results.frames import to_arrow
from marketsim.results.parts import UNFINISHED, failed, put_in_place

if TYPE_CHECKING:
    from marketsim.results.run import Run

TABLES = ("trades", "quotes", "orders", "agents", "annotations")


class Batch:
    """Files that get their names together, in the order in which they were begun."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[Path, Path] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failed("making the folder", folder, error) from error

    def begin(self, name: str) -> Path:
        """Where to write the file ``name`` for now."""
        path = self.folder / name
        if path.exists():
            raise StoreError(f"{path} exists: nothing is overwritten; choose another folder or remove it")
        temporary = path.with_name(name + UNFINISHED)
        self._names[temporary] = path
        return temporary

    def commit(self) -> list[Path]:
        """Name them."""
        for temporary, path in self._names.items():
            put_in_place(temporary, path)
        return list(self._names.values())

    def abandon(self) -> None:
        """Remove what was begun."""
        for temporary in self._names:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def batch(folder: str | Path) -> Iterator[Batch]:
    """A Batch that is removed when something goes wrong; a failed write becomes a StoreError."""
    import pyarrow as pa

    files = Batch(Path(folder))
    try:
        yield files
    except BaseException as error:
        files.abandon()
        if isinstance(error, (OSError, pa.ArrowException)):
            raise _failed(files.folder, error) from error
        raise


def to_csv(run: Run, folder: str | Path, *, compress: bool = False) -> list[Path]:
    """Write ``trades.csv``, ``quotes.csv``, ``orders.csv``, ``agents.csv`` and, if there are any, ``annotations.csv``.

    The columns of domain.tables with a header, UTF-8; a missing price is an empty field. ``compress``: as ``.csv.gz``.
    """
    return _write(run, folder, ".csv.gz" if compress else ".csv", write_csv)


def to_parquet(run: Run, folder: str | Path) -> list[Path]:
    """Write the same tables as Parquet files, compressed with zstd; a missing price is null."""
    import pyarrow.parquet as pq

    return _write(run, folder, ".parquet", lambda table, path: pq.write_table(table, path, compression="zstd"))


def write_csv(table: Any, path: Path, *, header: bool = True) -> None:
    """One Arrow table as a CSV file, compressed where the name says so."""
    import pyarrow.csv as pc

    with open_stream(path) as stream:
        pc.write_csv(table, stream, pc.WriteOptions(include_header=header, quoting_style="needed"))


def open_stream(path: Path) -> Any:
    """A file to write bytes into, compressed where the name says so."""
    import pyarrow as pa

    compressed = path.name.removesuffix(UNFINISHED).endswith(".gz")
    return pa.output_stream(str(path), compression="gzip" if compressed else None)


def _write(run: Run, folder: str | Path, suffix: str, write: Callable[[Any, Path], None]) -> list[Path]:
    with batch(folder) as files:
        for name in TABLES:
            rows = getattr(run, name)
            if name != "annotations" or len(rows):
                write(to_arrow(rows), files.begin(name + suffix))
        return files.commit()


def _failed(folder: Path, error: BaseException) -> StoreError:
    cause = failed("writing files", folder, error)
    return StoreError(f"{str(cause).split('. What')[0]}. No file was left behind")
