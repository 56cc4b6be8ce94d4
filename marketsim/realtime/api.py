"""The venue's WebSocket API: requests with their answers, and the account's events between them, in one order.

Answers and events are handed over in the order in which the venue sent them; nothing is awaited in between, so that a
fill that was told before an answer is known when the answer is looked at. It knows no orders and does not reconnect.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from marketsim.errors import GatewayError
from marketsim.kernel.following import elapsed_nanoseconds
from marketsim.kernel.pacing import wall_milliseconds
from marketsim.realtime.dialect import VenueRefusal, signed
from marketsim.realtime.line import Line


class LineLost(GatewayError):
    """The connection broke before the answer came: nobody knows whether it was done."""


Answer = dict[str, Any] | VenueRefusal | LineLost
Then = Callable[[Any], None]
_PATIENCE = 30.0  # wall seconds after which an answer is taken for lost


class Api:
    """Requests to one venue, signed with one key.

    on_event: takes an event of the account. on_lost: is told the close code when the connection ends. on_broken: is
    told when the venue says what is not understood.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        secret: str,
        on_event: Callable[[dict[str, Any]], None],
        on_lost: Callable[[int], None],
        on_broken: Callable[[GatewayError], None],
    ) -> None:
        self._url = url
        self._key, self._secret = api_key, secret
        self._on_event = on_event
        self._on_lost = on_lost
        self._on_broken = on_broken
        self._line: Line | None = None
        self._waiting: dict[int, Then] = {}
        self._numbers = 0
        self._offset = 0  # ms that the venue's wall clock is ahead of ours
        self.round_trip = 0  # ns of the latest request about the time

    @property
    def up(self) -> bool:
        """Whether requests can be sent."""
        return self._line is not None and self._line.up

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    async def open(self) -> None:
        """Connect, and compare the clocks."""
        line = Line(self._url, self._take, self._lose, self._on_broken)
        await line.open()
        self._line = line
        asked, stamp = elapsed_nanoseconds(), wall_milliseconds()
        answer = await self.call("time", {})
        self.round_trip = elapsed_nanoseconds() - asked
        ahead = int(answer["serverTime"]) - stamp - self.round_trip // 2_000_000
        self._offset = ahead if abs(ahead) > 100 else 0

    async def close(self) -> None:
        """End the connection; what has no answer gets none from the venue."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()
        self._fail()

    def ask(self, method: str, params: Mapping[str, Any], then: Then, *, sign: bool = True) -> None:
        """Send a request; ``then`` is given its result, a VenueRefusal or LineLost."""
        line = self._line
        if line is None or not line.up:
            asyncio.get_running_loop().call_soon(then, LineLost(f"{method}: there is no connection to the venue"))
            return
        self._numbers += 1
        self._waiting[self._numbers] = then
        whole = (
            signed(params, self._key, self._secret, wall_milliseconds() + self._offset) if sign else dict(params)
        )  # fmt: skip
        line.send(json.dumps({"id": self._numbers, "method": method, "params": whole}))

    async def call(self, method: str, params: Mapping[str, Any], *, sign: bool = False) -> Any:
        """The same, to be awaited: the result, or the refusal raised."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def settle(answer: Any) -> None:
            if not future.done():
                future.set_result(answer)

        self.ask(method, params, settle, sign=sign)
        try:
            answer = await asyncio.wait_for(future, _PATIENCE)
        except TimeoutError:
            raise LineLost(f"{method}: the venue has not answered within {_PATIENCE:g} s") from None
        if isinstance(answer, (VenueRefusal, LineLost)):
            raise answer
        return answer

    # --- inner ---

    def _take(self, text: str) -> None:
        message = json.loads(text)
        event = message.get("event")
        if event is not None:
            self._on_event(event)
            return
        then = self._waiting.pop(message.get("id"), None)
        if then is None:
            return
        error = message.get("error")
        if error is None:
            then(message.get("result"))
        else:
            then(VenueRefusal(int(error["code"]), str(error["msg"]), error.get("data")))

    def _lose(self, code: int) -> None:
        self._line = None
        self._fail()
        self._on_lost(code)

    def _fail(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for then in waiting.values():
            then(LineLost("the connection to the venue broke"))
