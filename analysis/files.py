"""Files that people keep: tables, figures, pages. Each appears whole or not at all, in the place of one of its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import InvalidValueError, StoreError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


TABLES = (".csv", ".parquet", ".json")


def write_tables(frames: Mapping[str, pd.DataFrame], folder: str | Path, *, parquet: bool = False) -> list[Path]:
    """Write each table as ``NAME.csv`` or ``NAME.parquet``; the paths. StoreError where that is impossible."""
    ending = "parquet" if parquet else "csv"
    return [write_table(frame, Path(folder) / f"{name}.{ending}") for name, frame in frames.items()]


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table in the format that its name ends with: CSV, Parquet, or JSON (a list of rows; NaN is null)."""
    ending = table_ending(path)
    if ending == ".json":
        text = frame.to_json(orient="records", double_precision=15, indent=1, force_ascii=False)
        return write_text(path, f"{text}\n")
    if ending == ".parquet":
        mixed = [name for name in frame.columns if frame[name].map(type).nunique() > 1]  # Parquet has a type a column
        whole = frame.astype(dict.fromkeys(mixed, str))
        return write_file(path, lambda place: whole.to_parquet(place, index=False))
    return write_file(path, lambda place: frame.to_csv(place, index=False))


def table_ending(path: Path) -> str:
    """The format that a table's name ends with; InvalidValueError where it is none."""
    ending = path.suffix.lower()
    if ending not in TABLES:
        told = f"{path.suffix!r} is no format of a table" if ending else "its name has no ending, which is its format"
        raise InvalidValueError(f"{path}: {told}{did_you_mean(ending, TABLES)}; end it in .csv, .parquet or .json")
    return ending


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a picture in the format that its name ends with."""
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise StoreError(f"{path}: cannot be written: {path.suffix!r} is no picture; end it in .png, .svg or .pdf")
    plain = {"Software": None} if path.suffix.lower() == ".png" else None
    return write_file(path, lambda place: figure.savefig(place, dpi=150, metadata=plain))


def write_text(path: Path, text: str) -> Path:
    """Write a text, in UTF-8."""
    return write_file(path, lambda place: place.write_text(text, encoding="utf-8"))


def write_file(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let ``write`` make a file beside its place, then move it there. StoreError where that is impossible."""
    beside = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be written: {error.strerror or error}; choose another place or make room"
        ) from error
    return path
