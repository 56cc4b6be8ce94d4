"""The journal of a live session: every command from outside with its simulated time, in the order of arrival.

Text, a record a line: the checksum of the rest, then JSON. A command is written before it is carried out, and the clock
never goes further than the last record allows (its *lease*), so whatever somebody outside was told can be worked out
again from the file, also after a kill. A last line that was cut off is no record. It never interprets a command.

::

    5c1fa0b2 ["journal", 1, {"clients": [...], "epoch": 1700000000000, ...}]
    0f9d2c11 ["lease", 61000000000]                      the clock may come to here
    a81be7d0 ["do", 60000123456, "alice", "place", [0, 1, 1, 100, 9995]]
    77aa09c3 ["end", 95000000000]                        the session was closed here, in order
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from marketsim.errors import StoreError, UnsupportedVersionError

JOURNAL = "journal.jsonl"
VERSION = 1
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


class Command(NamedTuple):
    """One command. ``time``: simulated ns at which it is carried out."""

    time: int
    client: str
    verb: str
    arguments: list[Any]


class Journal:
    """A journal that is being written; ``size`` is in bytes.

    durable: wait for the disk at every command, so that it outlives a power cut too; without, it outlives a kill.
    """

    def __init__(self, path: Path, *, durable: bool = False, _fresh: bool = True) -> None:
        self.path = path
        self._durable = durable
        try:
            self._file: IO[bytes] = path.open("xb" if _fresh else "ab", buffering=0)
        except OSError as error:
            raise StoreError(f"{path}: the journal cannot be written: {error.strerror}") from error
        self.size = path.stat().st_size
        self.commands = 0

    @classmethod
    def begin(cls, path: Path, facts: dict[str, Any], *, durable: bool = False) -> Journal:
        """A new journal; ``facts`` are kept in its first record."""
        journal = cls(path, durable=durable)
        journal._write(["journal", VERSION, facts])
        return journal

    @classmethod
    def resume(cls, past: Past, path: Path, *, durable: bool = False) -> Journal:
        """A journal that begins with all of an earlier one, in a new file."""
        try:
            path.write_bytes(past.text)
        except OSError as error:
            raise StoreError(f"{path}: the journal cannot be written: {error.strerror}") from error
        journal = cls(path, durable=durable, _fresh=False)
        journal.commands = len(past.commands)
        return journal

    def do(self, command: Command) -> None:
        """Write down a command, before it is carried out."""
        self.commands += 1
        self._write(["do", *command])
        if self._durable:
            os.fsync(self._file.fileno())

    def lease(self, time: int) -> None:
        """The clock may come to a simulated time."""
        self._write(["lease", time])

    def end(self, time: int) -> None:
        """The session is closed in order at a simulated time."""
        self._write(["end", time])
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, record: list[Any]) -> None:
        line = _line(record)
        try:
            written = self._file.write(line)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written: {error.strerror}; the session cannot go on") from error
        self.size += written
        if written != len(line):
            raise StoreError(f"{self.path}: the disk is full; the session cannot go on")


class Past:
    """A journal that was read.

    facts: of its first record. commands: in order. lease: how far the clock may have come. end: when it was closed in
    order, or None. text: the bytes of all whole records.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: list[Command] = []
        self.facts: dict[str, Any] = {}
        self.lease = 0
        self.end: int | None = None
        try:
            whole = path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path}: no readable journal: {error.strerror}") from error
        read = 0
        for number, (line, record) in enumerate(_records(path, whole), 1):
            self._take(number, record)
            read += len(line)
        if not self.facts:
            raise StoreError(f"{path}: not a journal: its first record is missing")
        self.text = whole[:read]

    def _take(self, number: int, record: list[Any]) -> None:
        try:
            kind = record[0]
            if kind == "journal" and number == 1:
                if record[1] > VERSION:
                    raise UnsupportedVersionError(
                        f"{self.path}: version {record[1]} is of a newer marketsim; this one reads up to {VERSION}"
                    )
                self.facts = dict(record[2])
            elif kind == "do" and self.facts:
                time, client, verb, arguments = record[1:]
                self.commands.append(Command(int(time), str(client), str(verb), list(arguments)))
                self.lease = max(self.lease, int(time))
            elif kind == "lease" and self.facts:
                self.lease = max(self.lease, int(record[1]))
            elif kind == "end" and self.facts:
                self.end = int(record[1])
            else:
                raise ValueError(f"a record {kind!r} here")
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise StoreError(f"{self.path}:{number}: not a record of a journal: {error}") from error


def has_journal(folder: Path) -> bool:
    """Whether a run folder is that of a live session."""
    return (folder / JOURNAL).is_file()


def _line(record: list[Any]) -> bytes:
    text = _encode(record).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _records(path: Path, whole: bytes) -> Iterator[tuple[bytes, list[Any]]]:
    """Every whole record; a last line that was cut off is left out, damage before it is an error."""
    lines = whole.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is None:
            if number == len(lines):
                return
            raise StoreError(f"{path}:{number}: damaged: the checksum does not fit; what stands before it is whole")
        yield line, record


def _record(line: bytes) -> list[Any] | None:
    checksum, _, text = line.partition(b" ")
    if not text.endswith(b"\n"):
        return None
    try:
        if int(checksum, 16) != zlib.crc32(text[:-1]):
            return None
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, list) and record else None
