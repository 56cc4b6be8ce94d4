"""``marketsim serve`` as people call it: what it says, how it is ended, and what is left when it is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from marketsim.experiment.verification import verify
from marketsim.gateway.server import resumed
from marketsim.results.run import Run

Start = Callable[..., subprocess.Popen[str]]
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send to one process")


class Served:
    """A command that serves, and the lines that it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if "secret" in line:
                break

    @property
    def url(self) -> str:
        found = re.search(r"at (http\S+)", "\n".join(self.lines))
        assert found, self.lines
        return found[1]

    def get(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        asked = urllib.request.Request(self.url + path, data, headers or {})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read())

    def ended(self, within: float = 20) -> tuple[int, str]:
        """The exit status, and all that was said."""
        rest, errors = self.process.communicate(timeout=within)
        return self.process.returncode, "\n".join(self.lines) + rest + errors


@pytest.fixture
def serve(process: Start) -> Iterator[Callable[..., Served]]:
    """Start ``marketsim serve`` on a free port; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object) -> Served:
        running = process("serve", "small.yaml", "--port", 0, *words)
        started.append(running)
        return Served(running)

    yield start
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


# --- in this process ---


def test_help_tells_what_can_be_set(marketsim: Callable[..., Any]) -> None:
    told = marketsim("serve", "--help")
    assert told.exit_code == 0
    for option in (
        "--port",
        "--host",
        "--keys",
        "--certificate",
        "--limits",
        "--resume",
        "--cancel-on-disconnect",
        "--speed",
    ):
        assert option in told.output
    assert "Serve a simulated market" in told.output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "which scenario"),
        (("smal.yaml",), 2, "smal.yaml"),
        (("small.yaml", "--port", "99999"), 2, "65535"),
        (("small.yaml", "--host", "0.0.0.0", "--port", "0"), 1, "--plain"),
        (("small.yaml", "--speed", "100", "--port", "0"), 2, "less than a second"),
        (("small.yaml", "--certificate", "none.pem", "--port", "0"), 1, "private key"),
        (("small.yaml", "--limits", "ORDERS=x", "--port", "0"), 2, "KIND=LIMIT/INTERVAL"),
        (("small.yaml", "--cancel-on-disconnect", "soon", "--port", "0"), 2, "soon"),
        (("small.yaml", "--client", "noise", "--port", "0"), 2, "agents.noise"),
        (("small.yaml", "--venue", "XSIN", "--port", "0"), 2, "XSIM"),
        (("--resume", "runs/none"), 1, "no session's folder"),
        (("small.yaml", "--resume", "runs/none"), 2, "leave the scenario"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    marketsim: Callable[..., Any], place: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    told = marketsim("serve", *words)
    assert told.exit_code == status, told.output
    assert said in " ".join(told.output.split())
    assert "Traceback" not in told.output
    assert not (place / "runs").exists()


# --- as a process ---


@pytest.mark.slow
@not_on_windows
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_session_in_order(serve: Callable[..., Served], place: Path, number: int) -> None:
    served = serve("--duration", "10min", "--out", "kept", "--client", "bot")
    banner = "\n".join(served.lines)
    for said in ("small, seed 5", "symbols  ABCUSD", "speed 1", "journal  kept.partial", "client   bot", "api key"):
        assert said in banner, banner
    assert served.get("/control/status")["state"] == "running"
    assert served.get("/api/v3/ping") == {}
    served.process.send_signal(number)
    status, told = served.ended()
    assert status == 0, told
    assert "closing the session" in told
    assert "Traceback" not in told
    with pytest.raises(urllib.error.URLError):
        served.get("/api/v3/ping")
    run = Run.open(place / "kept")
    assert run.manifest.complete
    assert (place / "kept" / "report.html").is_file()
    assert not (place / "kept.partial").exists()
    assert verify(place / "kept").equal


@pytest.mark.slow
@not_on_windows
def test_a_second_signal_ends_it_at_once_and_a_kill_can_be_resumed(
    serve: Callable[..., Served], process: Start, place: Path
) -> None:
    served = serve("--duration", "10min", "--out", "kept")
    served.process.kill()
    served.ended()
    spec, past = resumed(place / "kept")
    assert (spec.name, past.end) == ("small", None)
    again = Served(process("serve", "--resume", "kept", "--port", 0, "--out", "again", "--no-report"))
    assert "gone on after 0 commands" in "\n".join(again.lines)
    again.process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    again.process.send_signal(signal.SIGINT)
    status, told = again.ended()
    assert status in (0, 130), told
    assert "Traceback" not in told


@pytest.mark.slow
def test_the_end_of_the_scenario_and_the_control_end_it_too(serve: Callable[..., Served], place: Path) -> None:
    served = serve("--out", "short", "--speed", "15", "--no-report")
    status, told = served.ended()
    assert (status, "Traceback" in told) == (0, False), told
    assert Run.open(place / "short").manifest.complete
    served = serve("--duration", "1h", "--out", "ended", "--no-report", "--control-token", "word-of-mouth")
    with pytest.raises(urllib.error.HTTPError) as refused:
        served.get("/control/end", b"")
    assert refused.value.code == 401
    refused.value.close()
    assert "word-of-mouth" in "\n".join(served.lines) or served.process.poll() is None
    served.get("/control/end", b"", {"X-MARKETSIM-TOKEN": "word-of-mouth"})
    status, told = served.ended()
    assert (status, "Traceback" in told) == (0, False), told
    assert verify(place / "ended").equal
