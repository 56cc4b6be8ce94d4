"""Tables of an experiment as files: each appears whole or not at all, in the place of one of the same name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


def write_tables(frames: Mapping[str, pd.DataFrame], folder: str | Path, *, parquet: bool = False) -> list[Path]:
    """Write each table as ``NAME.csv`` or ``NAME.parquet``; the paths. StoreError where that is impossible."""
    ending = "parquet" if parquet else "csv"
    return [write_file(Path(folder) / f"{name}.{ending}", _writer(frame, parquet)) for name, frame in frames.items()]


def write_file(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let ``write`` make a file beside its place, then move it there."""
    beside = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be written: {error.strerror or error}; choose another folder or make room"
        ) from error
    return path


def _writer(frame: pd.DataFrame, parquet: bool) -> Callable[[Path], Any]:
    return lambda path: frame.to_parquet(path, index=False) if parquet else frame.to_csv(path, index=False)
