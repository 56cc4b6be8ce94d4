"""Small LOBSTER days on disk, written line by line, and ways to spoil them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

NAME = "ABC_2020-01-02_34200000_57600000_{}_{}.csv"
MESSAGES = [
    "34200.000000001,1,11,100,1000000,1",
    "34200.5,1,12,50,1000200,-1",
    "34200.500000001,4,12,20,1000200,-1",
    "34201,5,0,7,1000150,1",
    "34202.25,2,11,10,1000000,1",
    "34202.25,7,0,0,-1,-1",
    "34203,7,0,0,1,-1",
    "34204,3,11,90,1000000,1",
]
_NOTHING = "9999999999,0,-9999999999,0"
BOOK = [
    f"9999999999,0,1000000,100,{_NOTHING}",
    f"1000200,50,1000000,100,{_NOTHING}",
    f"1000200,30,1000000,100,{_NOTHING}",
    f"1000200,30,1000000,100,{_NOTHING}",
    f"1000200,30,1000000,90,{_NOTHING}",
    f"1000200,30,1000000,90,{_NOTHING}",
    f"1000200,30,1000000,90,{_NOTHING}",
    f"1000200,30,-9999999999,0,{_NOTHING}",
]


def write_pair(
    folder: Path, messages: Sequence[str] = MESSAGES, book: Sequence[str] = BOOK, *, packed: bool = False
) -> Path:
    """Write both files; answers the message file."""
    levels = (book[0].count(",") + 1) // 4
    paths = []
    for word, lines in (("message", messages), ("orderbook", book)):
        text = "".join(f"{line}\n" for line in lines).encode()
        path = folder / (NAME.format(word, levels) + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(text) if packed else text)
        paths.append(path)
    return paths[0]


def with_line(lines: Sequence[str], row: int, line: str | None) -> list[str]:
    """The lines with one of them (from 1 on) changed, or left out."""
    return [*lines[: row - 1], *([] if line is None else [line]), *lines[row:]]
