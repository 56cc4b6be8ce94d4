"""The heart: lets the market and the server take turns on one event loop.

After each turn of the market the streams are told what is new. While somebody waits for an answer it beats without a
pause, else about once a millisecond. It decides nothing about the market.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import perf_counter

from marketsim.gateway.metrics import Metrics
from marketsim.kernel.pacing import Pacer

_REST = 0.0003  # seconds between two turns, which are the server's


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
    ) -> None:
        self._pacer = pacer
        self._publish = publish
        self._busy = busy
        self._over = over
        self._metrics = metrics

    async def beat(self) -> None:
        """Turn after turn; whatever a turn raises comes out."""
        gc.collect()
        gc.freeze()  # the market's own objects stay: looking through them would only make a pause
        pacer, metrics = self._pacer, self._metrics
        due = 0.0
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
                await asyncio.sleep(0.0 if self._busy() else patience)
        finally:
            gc.unfreeze()
