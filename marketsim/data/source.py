"""Sources: where recorded data lie, and the bytes of a file, compressed or not. It knows no format."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from marketsim.data.finding import Findings
from marketsim.errors import DataError

_GZIP = b"\x1f\x8b"


def find_data(name: str = "", *, start: Path | None = None) -> Path | None:
    """The folder of recorded data, or what lies at ``name`` in it; None where it is missing.

    It is the folder that the environment variable MARKETSIM_DATA names, or ``../shared/data`` seen from the project's
    root (``start``, the folder that holds the package by default).
    """
    chosen = os.environ.get("MARKETSIM_DATA")
    root = start or Path(__file__).resolve().parents[2]
    folder = Path(chosen).expanduser() if chosen else root.parent / "shared" / "data"
    place = folder / name
    return place if place.exists() else None


def read_bytes(path: Path, findings: Findings) -> bytes:
    """What a file holds, decompressed when it is gzip; a cut-off end is a finding, its part line left out."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", source=str(path)) from error
    return _expand(raw, path.name, findings) if raw[:2] == _GZIP else raw


def _expand(raw: bytes, name: str, findings: Findings) -> bytes:
    parts: list[bytes] = []
    rest = raw
    while rest:
        stream = zlib.decompressobj(wbits=31)
        try:
            parts += [stream.decompress(rest), stream.flush()]
        except zlib.error as error:
            findings.note(name, 0, f"damaged gzip file ({error}): expected whole compressed data")
            return _whole_lines(b"".join(parts))
        if not stream.eof:
            findings.note(name, 0, "truncated gzip file: expected compressed data with an end")
            return _whole_lines(b"".join(parts))
        rest = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]
