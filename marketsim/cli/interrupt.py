"""Ctrl-C, whatever is going on: who does not hear it in time is ended.

Python hears an interrupt between two of its own steps. Where the machine is busy elsewhere for long (the compiler, a
policy that never returns), a thread of this module ends the process. What was recorded until then is as readable as
after a kill. An interrupt that is heard is left to whoever handles KeyboardInterrupt; one that Python drops, because
it came while an object was being freed, is repeated. What it tore off half-made is freed without complaint.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 0.7  # seconds in which an interrupt must be heard
INTERRUPTED = 130  # exit code
_AGAIN = 0.02  # seconds after which one that was dropped comes again


@contextmanager
def interrupts_are_heard(end: Callable[[], None]) -> Iterator[None]:
    """Call ``end``, which ends the process, when an interrupt inside is not heard within the patience.

    What an interrupt was turned into on its way, such as an error of the compiler, comes out as KeyboardInterrupt.
    Where signals are none of ours (another thread than the main one, a handler of somebody else) it does nothing.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    watch = _Watch(end)
    before = signal.set_wakeup_fd(watch.bell.fileno(), warn_on_full_buffer=False)
    drop, sys.unraisablehook = sys.unraisablehook, watch.dropped
    signal.signal(signal.SIGINT, watch.hear)
    try:
        yield
    except Exception as error:
        if watch.rang and getattr(error, "exit_code", None) != INTERRUPTED:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if not watch.rang:  # what an interrupt has torn off is freed as late as at the end of the process
            sys.unraisablehook = drop
        signal.set_wakeup_fd(before)
        watch.stop()


class _Watch:
    """A thread that is told of each signal at once, also while Python cannot handle it."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._ear, self.bell = socket.socketpair()
        self.bell.setblocking(False)
        self._heard = threading.Event()
        self.rang = self._stopped = False
        self._thread = threading.Thread(target=self._listen, name="marketsim interrupts", daemon=True)
        self._thread.start()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Python handles the signal."""
        self._heard.set()
        self.rang = True
        signal.default_int_handler(number, frame)

    def dropped(self, error: sys.UnraisableHookArgs) -> None:
        """Python drops an error: an interrupt comes again, another is told unless an interrupt is its likely cause."""
        if issubclass(error.exc_type, KeyboardInterrupt):
            if not self._stopped:
                threading.Timer(_AGAIN, _thread.interrupt_main).start()
        elif not self.rang:
            sys.__unraisablehook__(error)

    def stop(self) -> None:
        """Listen no longer."""
        self._stopped = True
        self.bell.close()
        self._thread.join()
        self._ear.close()

    def _listen(self) -> None:
        while rung := self._ear.recv(1):
            if rung[0] == signal.SIGINT and not self._heard.wait(PATIENCE):
                self._end()
            self._heard.clear()


def end_now(code: int) -> None:
    """End the process without asking anybody."""
    os._exit(code)
