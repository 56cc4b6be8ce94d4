"""A gateway for tests: served on a thread of the test's process, or in one of its own, with all that it logged."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marketsim.gateway.keys import KeyStore
from marketsim.gateway.quota import parse_rules
from marketsim.gateway.server import Gateway, Options, background, prepare
from marketsim.scenario import loader

ROOT = Path(__file__).parents[2]
SMALL = {"agents.mallory": {"type": "client", "cash": 2_000, "holdings": {"ABC": 20}}}


@dataclass
class Served:
    """A gateway that runs. ``keys``: API key and secret by name; ``log``: what was logged as a warning or worse."""

    url: str
    keys: dict[str, tuple[str, str]]
    folder: Path
    log: Callable[[], list[str]]
    pid: int = 0
    gateway: Gateway | None = field(default=None, repr=False)


def store() -> tuple[KeyStore, dict[str, tuple[str, str]]]:
    """Keys of good and bad clients by name."""
    keys = KeyStore.in_memory()
    made = {
        "alice": keys.create("alice"),
        "bob": keys.create("bob"),
        "mallory": keys.create("mallory"),
        "reader": keys.create("mallory", permissions=["read"]),
        "elsewhere": keys.create("mallory", addresses=["10.9.8.7"]),
        "seatless": keys.create("nobody"),
        "revoked": keys.create("mallory"),
    }
    keys.revoke(made["revoked"].api_key)
    return keys, {name: (key.api_key, key.secret) for name, key in made.items()}


def ready(
    folder: Path, *, limits: str = "off", scenario: str = "quickstart", duration: str = "2h", **options: Any
) -> tuple[Gateway, Any]:
    """A gateway with the seats and keys of good and bad clients."""
    keys, told = store()
    spec = loader.check(scenario, []).with_overrides({**SMALL, "duration": duration})
    terms = {"port": 0, "clients": ["alice", "bob", "mallory"], "keys": keys, "rules": parse_rules(limits), **options}
    return prepare(spec, folder, Options(**terms)), told


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextlib.contextmanager
def kept_log() -> Iterator[list[str]]:
    """Warnings and errors of all loggers while the block lasts."""
    keeper = _Keeper()
    logging.getLogger().addHandler(keeper)
    try:
        yield keeper.lines
    finally:
        logging.getLogger().removeHandler(keeper)


@contextlib.contextmanager
def on_a_thread(folder: Path, **options: Any) -> Iterator[Served]:
    """Serve on a thread of this process."""
    with kept_log() as lines:
        gateway, keys = ready(folder, **options)
        with background(gateway):
            yield Served(gateway.url, keys, folder, lambda: list(lines), gateway=gateway)


@contextlib.contextmanager
def in_a_process(folder: Path, **options: Any) -> Iterator[Served]:
    """Serve in a process of its own, which ends in order when the block does."""
    log = folder.with_name(folder.name + ".log")
    command = [sys.executable, "-m", "tests.gateway.served", str(folder), json.dumps(options)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline() or "{}")
            assert told, log.read_text()
            keys = {name: tuple(pair) for name, pair in told["keys"].items()}
            yield Served(told["url"], keys, folder, lambda: log.read_text().splitlines(), process.pid)
        finally:
            process.communicate(timeout=60)
    assert process.returncode == 0, log.read_text()


def main() -> None:
    """Serve until the standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    gateway, keys = ready(Path(sys.argv[1]), **json.loads(sys.argv[2]))
    with background(gateway):
        print(json.dumps({"url": gateway.url, "keys": keys}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
