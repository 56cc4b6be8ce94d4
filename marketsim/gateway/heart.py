"""The heart: lets the market and the server take turns on one event loop.

After each turn of the market the streams are told what is new. While somebody waits for an answer it beats without a
pause, else about once a millisecond. Requests pass a turnstile: when the market's turn is overdue they wait until it
has been, and then go on in turns by connection, so that neither the market nor anybody else waits for one who asks
much. It decides nothing about the market.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Hashable
from time import perf_counter

from marketsim.gateway.metrics import Metrics
from marketsim.kernel.pacing import Pacer

_REST = 0.0003  # seconds between two turns, which are the server's
_TIDY = 0.5  # seconds after which what is old is set aside
_AT_ONCE = 4  # requests that go on before the market is looked at again
_GRACE = 0.004  # seconds by which the market's turn may be late before requests wait


class Turnstile:
    """Where requests wait while the market is overdue."""

    def __init__(self) -> None:
        self._due = float("inf")
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._releasing = False

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(len(queue) for queue in self._queues.values())

    async def passed(self, who: Hashable) -> None:
        """Come back when a request may be worked on. ``who``: takes turns with others, such as a connection."""
        if not self._queues and not self._is_overdue():
            return
        place = asyncio.get_running_loop().create_future()
        self._queues.setdefault(who, deque()).append(place)
        if not self._releasing and not self._is_overdue():
            self._release()
        await place

    def turned(self, patience: float) -> None:
        """The market has had its turn; the next is due after so many seconds."""
        self._due = perf_counter() + patience
        if self._queues and not self._releasing:
            self._release()

    def _release(self) -> None:
        """Let a few go on, and the next after them, until the market is overdue again."""
        self._releasing = False
        released = 0
        while self._queues and not self._is_overdue():
            who, queue = next(iter(self._queues.items()))
            place = queue.popleft()
            del self._queues[who]
            if queue:
                self._queues[who] = queue  # at the end of the line
            if not place.done():  # else it was canceled
                place.set_result(None)
                released += 1
                if released == _AT_ONCE:
                    self._releasing = True
                    place.get_loop().call_soon(self._release)
                    return

    def _is_overdue(self) -> bool:
        return perf_counter() > self._due + _GRACE


def _set_aside() -> None:
    """Collect what is young and keep the rest out of sight: orders that are remembered are no garbage.

    Left alone, the collector would look through all of them now and then, half a second for a hundred thousand orders.
    """
    gc.collect(1)
    gc.freeze()


class Heart:
    """Beats until the market is over.

    pacer: of the market. publish: called after each turn. busy: whether somebody waits for an answer. over: whether
    the market has come to its end.
    """

    def __init__(
        self,
        pacer: Pacer,
        publish: Callable[[], None],
        busy: Callable[[], bool],
        over: Callable[[], bool],
        metrics: Metrics,
        turnstile: Turnstile | None = None,
    ) -> None:
        self._pacer = pacer
        self._publish = publish
        self._busy = busy
        self._over = over
        self._metrics = metrics
        self._turnstile = turnstile or Turnstile()

    async def beat(self) -> None:
        """Turn after turn; whatever a turn raises comes out."""
        gc.collect()
        gc.freeze()  # the market's own objects stay: looking through them would only make a pause
        pacer, metrics, turned = self._pacer, self._metrics, self._turnstile.turned
        due, tidy = 0.0, perf_counter() + _TIDY
        pacer.begin()
        try:
            while not self._over():
                began = perf_counter()
                patience = 0.0
                if began >= due:
                    metrics.see_lag(pacer.behind())
                    patience = pacer.turn()
                    self._publish()
                    ended = perf_counter()
                    metrics.turns.observe(ended - began)
                    due = ended + _REST
                    turned(patience)
                    if ended > tidy:
                        _set_aside()
                        tidy = perf_counter() + _TIDY
                await asyncio.sleep(0.0 if self._busy() else patience)
        finally:
            turned(float("inf"))
            gc.unfreeze()
