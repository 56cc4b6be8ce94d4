"""Compilation, watched: who waits for it wants to know what is going on. It compiles nothing and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watched_compilation(tell: Callable[[str], None]) -> Iterator[None]:
    """Call ``tell`` with the name of each function that is compiled meanwhile; what the cache holds is not."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, event: event.Event) -> None:
            tell(event.data["dispatcher"].py_func.__name__)

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
