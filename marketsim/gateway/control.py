"""Control over HTTP: status, pause, resume, step, speed, the book as the venue has it, metrics, and the OpenAPI page.

It is for whoever runs the market, not for those who trade on it: with a token where one is set, and without one for
this machine only, under its own names, so that no page in a browser and no name that somebody else points here can use
it. It trades nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from marketsim.domain.units import SECOND, duration, format_duration
from marketsim.errors import InvalidValueError
from marketsim.gateway.binance.exchange import BinanceExchange
from marketsim.gateway.metrics import Metrics
from marketsim.gateway.openapi import page, whole_description
from marketsim.kernel.pacing import FASTEST, SLOWEST, Pacer
from marketsim.simulation.live import LiveSession

LONGEST_STEP = 24 * 3600 * SECOND


class Refused(BaseModel):
    """Why something was not done."""

    detail: str


class Health(BaseModel):
    """That it is there."""

    status: str


class Status(BaseModel):
    """How the session goes."""

    scenario: str
    seed: int
    state: str = Field(description="running, paused or over")
    time: str = Field(description="simulated time since the start")
    simulated_ns: int
    left: str = Field(description="simulated time until the scenario is over")
    speed: float = Field(description="simulated seconds in a second")
    lag_ms: float = Field(description="by which the simulated clock is behind, wall time")
    slipped_s: float = Field(description="wall time that was given up because the market was slower")
    events: int
    clients: list[str]
    symbols: list[str]
    waiting: int = Field(description="requests that have no answer yet")
    streams: int = Field(description="market streams that somebody listens to")
    commands: int = Field(description="in the journal")
    journal_bytes: int


class Level(BaseModel):
    """One price of a book."""

    price: str
    quantity: str
    orders: int


class Book(BaseModel):
    """A book as the venue itself has it."""

    symbol: str
    simulated_ns: int
    phase: str
    bids: list[Level]
    asks: list[Level]


class Step(BaseModel):
    """How far to go."""

    span: str = Field(alias="for", description='simulated time, such as "1s"', max_length=40, examples=["1s"])


class Speed(BaseModel):
    """Another speed."""

    speed: float = Field(ge=SLOWEST, le=FASTEST, description="simulated seconds in a second")


class Stop(BaseModel):
    """Whom to stop."""

    client: str | None = Field(default=None, max_length=200, description="one client; all when left out")
    flatten: bool = Field(default=False, description="close positions too")


class Who(BaseModel):
    """Whom it is about."""

    client: str | None = Field(default=None, max_length=200, description="one client; all when left out")


class Control:
    """What the control answers. Each method is a request; their first lines are what the OpenAPI page says of them."""

    def __init__(
        self,
        live: LiveSession,
        pacer: Pacer,
        exchange: BinanceExchange,
        metrics: Metrics,
        token: str,
        end: Callable[[], None],
    ) -> None:
        self._live = live
        self._pacer = pacer
        self._exchange = exchange
        self._metrics = metrics
        self._token = token
        self._end = end

    async def permitted(
        self,
        request: Request,
        x_marketsim_token: Annotated[str | None, Header()] = None,
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> None:
        """Refuse who has not the token; where there is none, who is not on this machine."""
        if not self._token:
            _check_neighbour(request)
            return
        given = x_marketsim_token or (authorization or "").removeprefix("Bearer ")
        if not hmac.compare_digest(self._token.encode(), given.encode("utf-8", "replace")):
            raise HTTPException(
                401, "the header X-MARKETSIM-TOKEN must say the control token", {"WWW-Authenticate": "Bearer"}
            )

    async def get_status(self) -> Status:
        """How the session goes."""
        live, exchange, pace = self._live, self._exchange, self._pacer.pace
        spec = live.spec
        return Status(
            scenario=spec.name,
            seed=spec.seed,
            state="over" if pace.over else "paused" if pace.paused else "running",
            time=format_duration(pace.time - spec.start),
            simulated_ns=pace.time,
            left=format_duration(max(0, spec.end - pace.time)),
            speed=pace.speed,
            lag_ms=pace.lag / 1e6,
            slipped_s=pace.slipped / 1e9,
            events=live.execution.events,
            clients=list(live.clients),
            symbols=[market.symbol for market in exchange.markets.all],
            waiting=exchange.desk.waiting,
            streams=exchange.streams.count(),
            commands=live.journal.commands,
            journal_bytes=live.journal.size,
        )

    async def pause(self) -> Status:
        """Let the simulated clock stand still. Orders are still taken; they are answered when it goes on."""
        self._pacer.pause()
        return await self.get_status()

    async def start(self) -> Status:
        """Let it go on."""
        self._pacer.resume()
        return await self.get_status()

    async def step(self, wanted: Annotated[Step, Body()]) -> Status:
        """Let a paused clock go on by a span, as fast as it can; answers when it is there."""
        try:
            span = duration(wanted.span)
            if span > LONGEST_STEP:
                raise InvalidValueError(f"{wanted.span}: a step is a day at most")
            goal = self._pacer.step(span)
        except InvalidValueError as error:
            raise HTTPException(400, str(error)) from None
        while self._live.now < goal and self._pacer.pace.paused:
            await asyncio.sleep(0.001)
        return await self.get_status()

    async def set_speed(self, wanted: Annotated[Speed, Body()]) -> Status:
        """Another speed from now on."""
        self._pacer.set_speed(wanted.speed)
        return await self.get_status()

    async def emergency_stop(self, wanted: Annotated[Stop, Body()]) -> Status:
        """Cancel all orders of a client, or of all, and let none pass any more; close positions where asked for."""
        for name in self._chosen(wanted.client):
            self._live.command(name, "stop", wanted.flatten)
        return await self.get_status()

    async def resume_trading(self, wanted: Annotated[Who, Body()]) -> Status:
        """Let the orders of a stopped client, or of all, pass again."""
        for name in self._chosen(wanted.client):
            self._live.command(name, "resume")
        return await self.get_status()

    def _chosen(self, client: str | None) -> list[str]:
        known = list(self._live.clients)
        if client is not None and client not in known:
            raise HTTPException(404, f"no client of this name; there are {known}")
        if self._live.now >= self._live.end:
            raise HTTPException(400, "the session is over")
        return known if client is None else [client]

    async def end_session(self) -> Status:
        """Close the session here, in order: the run is kept, and the server ends."""
        self._end()
        return await self.get_status()

    async def book(
        self, symbol: Annotated[str, Path(max_length=40)], levels: Annotated[int, Query(ge=1, le=5000)] = 20
    ) -> Book:
        """A book as the venue itself has it at this moment, before any latency."""
        markets = self._exchange.markets
        market = markets.find(symbol.upper())
        if market is None:
            raise HTTPException(404, f"no symbol {symbol!r}; there are {[m.symbol for m in markets.all]}")
        bids, asks = (
            [Level(price=market.price(at), quantity=market.quantity(lots), orders=count) for at, lots, count in side]
            for side in self._live.book(market.view.venue, market.instrument.symbol, levels)
        )
        phase = market.view.phase.name.lower()
        return Book(symbol=market.symbol, simulated_ns=self._live.now, phase=phase, bids=bids, asks=asks)

    async def get_metrics(self) -> Response:
        """Metrics in Prometheus' text format."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def health(self) -> Health:
        """Whether the server is there."""
        return Health(status="ok")


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "it cannot be done"},
    401: {"model": Refused, "description": "the control token is missing or wrong"},
    403: {"model": Refused, "description": "there is no token, and the request does not come from this machine"},
    422: {"model": Refused, "description": "the request is not written as it must be"},
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Refused, "description": "there is no such symbol"}}
_NO_CLIENT: dict[int | str, dict[str, Any]] = {404: {"model": Refused, "description": "there is no such client"}}
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


def control_application(
    live: LiveSession,
    pacer: Pacer,
    exchange: BinanceExchange,
    metrics: Metrics,
    *,
    token: str = "",
    end: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application. ``token``: that X-MARKETSIM-TOKEN must say; "" for nobody has to. ``end``: ends the session."""
    control = Control(live, pacer, exchange, metrics, token, end)
    application = FastAPI(
        title="marketsim",
        description="A simulated market as an exchange, in Binance's spot dialect, and its control.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    application.add_exception_handler(RequestValidationError, _unreadable)
    application.add_exception_handler(AnyHTTPException, _refused)
    _add_requests(application, control)
    _add_pages(application, [market.symbol for market in exchange.markets.all])
    return application


def _add_requests(application: FastAPI, control: Control) -> None:
    guarded: dict[str, Any] = {"dependencies": [Depends(control.permitted)], "tags": ["control"]}
    plain = {**guarded, "responses": _REFUSALS}
    get, post = application.get, application.post
    get("/control/status", **plain)(control.get_status)
    post("/control/pause", **plain)(control.pause)
    post("/control/start", **plain)(control.start)
    post("/control/step", **plain)(control.step)
    post("/control/speed", **plain)(control.set_speed)
    stopping = {**guarded, "responses": _REFUSALS | _NO_CLIENT}
    post("/control/emergency_stop", **stopping)(control.emergency_stop)
    post("/control/resume_trading", **stopping)(control.resume_trading)
    post("/control/end", status_code=202, **plain)(control.end_session)
    get("/control/book/{symbol}", **guarded, responses=_REFUSALS | _UNKNOWN)(control.book)
    get("/metrics", **guarded, response_class=Response, responses=_REFUSALS | _TEXT)(control.get_metrics)
    get("/health", tags=["control"])(control.health)


def _add_pages(application: FastAPI, symbols: list[str]) -> None:
    """The OpenAPI page, for programs and for people; made now, since that takes longer than a turn may."""
    description = whole_description(application, symbols)
    for_programs, for_people = json.dumps(description), page(description)

    @application.get("/", include_in_schema=False)
    async def front() -> Response:
        return Response(status_code=307, headers={"Location": "/docs"})

    @application.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(for_programs, media_type="application/json")

    @application.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(for_people, headers=_ALONE)


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"detail": _what_is_wrong(error.errors())}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHTTPException)
    return JSONResponse({"detail": str(error.detail)}, error.status_code, error.headers)


_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}  # the page needs nothing else
_NAME = re.compile(r"(?:[a-z]+://)?(\[[0-9a-fA-F:.]+\]|[^:/\[\]]+)(?::[0-9]{1,5})?", re.ASCII)


def _check_neighbour(request: Request) -> None:
    """Refuse who is not on this machine, or was sent here by a page or a name of somebody else's."""
    if request.client is not None and not _is_here(request.client.host):
        raise HTTPException(
            403, "without a control token only this machine may do this: start marketsim serve with --control-token"
        )
    for name in ("host", "origin"):
        for value in request.headers.getlist(name):
            found = _NAME.fullmatch(value)
            if found is None or not _is_here(found[1].strip("[]")):
                raise HTTPException(
                    403, f"the header {name.capitalize()} names another place than this machine: use 127.0.0.1"
                )


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _what_is_wrong(errors: Sequence[Any]) -> str:
    """Where and what, in a line, without repeating what was sent."""
    told = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in errors[:3]]
    return "; ".join(told).encode("ascii", "backslashreplace").decode()[:500]
