"""Ctrl-C at any stage of a large run: it ends within a second, with exit code 130, and what was begun is readable."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marketsim.cli.interrupt import PATIENCE, interrupts_are_heard
from marketsim.results.run import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")

LARGE = """
name: large
seed: 1
duration: 10min
venues: {XSIM: {}}
instruments: {ABC: {}}
agents: {noise: {type: noise, count: 100000, rate: 1/s}}
"""
ATTEMPTS = 3  # other work on the machine may be in the way of one


def deaf(seconds: float) -> None:
    """Be busy where Python hears nothing."""
    turns = 50_000
    began = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"", b"", turns)
    hashlib.pbkdf2_hmac("sha256", b"", b"", int(turns * seconds / (time.perf_counter() - began)))


def interrupt_me() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_is_heard_ends_nothing_by_force() -> None:
    ended: list[str] = []

    def work() -> None:
        with interrupts_are_heard(lambda: ended.append("ended")):
            interrupt_me()
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        work()
    time.sleep(PATIENCE + 0.1)
    assert ended == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "marketsim interrupts" not in [thread.name for thread in threading.enumerate()]


def test_an_interrupt_that_nobody_hears_ends_by_force() -> None:
    ended: list[float] = []
    began = time.perf_counter()

    def work() -> None:
        with interrupts_are_heard(lambda: ended.append(time.perf_counter() - began)):
            threading.Timer(0.2, interrupt_me).start()
            deaf(PATIENCE + 2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(ended) == 1
    assert PATIENCE <= ended[0] < PATIENCE + 1.5


def test_an_interrupt_that_python_drops_comes_again() -> None:
    """Whatever is raised while an object is freed is only printed."""

    class Freed:
        def __del__(self) -> None:
            interrupt_me()
            time.sleep(0.2)

    went_on: list[bool] = []

    def work() -> None:
        with interrupts_are_heard(lambda: None):
            thing = Freed()
            del thing
            time.sleep(0.2)
            went_on.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert went_on == []


def test_where_signals_are_somebody_elses_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)

    def inside() -> None:
        with interrupts_are_heard(lambda: None):
            assert signal.getsignal(signal.SIGINT) is before

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        own = signal.getsignal(signal.SIGINT)
        with interrupts_are_heard(lambda: None):
            assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_became_another_error_is_one_still() -> None:
    """As when a compiler wraps whatever comes."""

    def work() -> None:
        with interrupts_are_heard(lambda: None):
            try:
                interrupt_me()
                time.sleep(5)
            except KeyboardInterrupt:
                raise SystemError("wrapped") from None

    with pytest.raises(KeyboardInterrupt):
        work()
    with pytest.raises(SystemError), interrupts_are_heard(lambda: None):
        raise SystemError("of its own")


# --- the real thing ---


def built(place: Path, child: subprocess.Popen[str]) -> bool:
    return any(place.glob("runs/*.partial"))


def running(place: Path, child: subprocess.Popen[str]) -> bool:
    return any(place.glob("runs/*.partial/events/*.parquet"))


def compiling(place: Path, child: subprocess.Popen[str]) -> bool:
    return "compiling the market" in (place / "complaints").read_text()


def interrupted(place: Path, stage: Callable[[Path, subprocess.Popen[str]], bool], wait: float) -> float:
    """Start a large run and interrupt it a while after a stage was reached; the seconds that it took to end."""
    with (place / "complaints").open("w") as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", "marketsim", "run", "large.yaml", "--no-report"],
            cwd=place,
            env={**os.environ, "MARKETSIM_CACHE": str(place / "cold")} if stage is compiling else None,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
    try:
        limit = time.monotonic() + 240
        while not stage(place, child):
            assert child.poll() is None, (place / "complaints").read_text()
            assert time.monotonic() < limit, "nothing happened"
            time.sleep(0.02)
        time.sleep(wait)
        began = time.perf_counter()
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=60)
        took = time.perf_counter() - began
    finally:
        child.kill()
    # What Python itself makes of an interrupt inside of exec() is a death by that signal; to a shell it is 130 too.
    assert child.returncode in (130, -signal.SIGINT)
    assert said == ""
    return took


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "wait"), [(compiling, 2.0), (built, 0.0), (built, 1.0), (running, 0.0), (running, 1.5)]
)
def test_a_hundred_thousand_agents_stop_within_a_second(
    tmp_path: Path, stage: Callable[[Path, subprocess.Popen[str]], bool], wait: float
) -> None:
    (tmp_path / "large.yaml").write_text(LARGE)
    took = []
    for _ in range(ATTEMPTS):
        took.append(interrupted(tmp_path, stage, wait))
        complaint = (tmp_path / "complaints").read_text()
        assert "interrupted" in complaint
        assert "Traceback" not in complaint
        if took[-1] < 1:
            break
    assert min(took) < 3, took  # a second, and more where others keep the machine busy
    left = sorted((tmp_path / "runs").iterdir())
    if stage is not running:
        assert left == []
        return
    run = Run.open(left[-1])
    assert not run.complete
    assert "KeyboardInterrupt" in run.manifest.reason
    assert len(run.manifest.agents) == 100_000
    run.check()
