"""Control over HTTP: status, pause, resume, step, speed, the book as the venue has it, metrics, and the OpenAPI page.

It is for whoever runs the market, not for those who trade on it: with a token, where one is set. It trades nothing.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Header, HTTPException, Path, Query
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic import BaseModel, Field

from marketsim.domain.units import SECOND, duration, format_duration
from marketsim.errors import InvalidValueError
from marketsim.gateway.binance.exchange import BinanceExchange
from marketsim.gateway.metrics import Metrics
from marketsim.gateway.openapi import dialect_paths
from marketsim.kernel.pacing import FASTEST, SLOWEST, Pacer
from marketsim.simulation.live import LiveSession

LONGEST_STEP = 24 * 3600 * SECOND


class Refused(BaseModel):
    """Why something was not done."""

    detail: str


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

    def permitted(x_marketsim_token: Annotated[str | None, Header()] = None) -> None:
        given = (x_marketsim_token or "").encode("utf-8", "replace")
        if token and not hmac.compare_digest(token.encode(), given):
            raise HTTPException(401, "the header X-MARKETSIM-TOKEN must say the control token")

    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Refused, "description": "it cannot be done"},
        401: {"model": Refused, "description": "the control token is missing or wrong"},
    }
    application = FastAPI(
        title="marketsim",
        description="A simulated market as an exchange, in Binance's spot dialect, and its control.",
        version="1",
        redoc_url=None,
    )

    def status() -> Status:
        pace = pacer.pace
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

    guarded: dict[str, Any] = {"dependencies": [Depends(permitted)], "responses": refusals, "tags": ["control"]}

    @application.get("/control/status", response_model=Status, **guarded)
    async def get_status() -> Status:
        """How the session goes."""
        return status()

    @application.post("/control/pause", response_model=Status, **guarded)
    async def pause() -> Status:
        """Let the simulated clock stand still. Orders are still taken; they are answered when it goes on."""
        pacer.pause()
        return status()

    @application.post("/control/start", response_model=Status, **guarded)
    async def start() -> Status:
        """Let it go on."""
        pacer.resume()
        return status()

    @application.post("/control/step", response_model=Status, **guarded)
    async def step(wanted: Annotated[Step, Body()]) -> Status:
        """Let a paused clock go on by a span, as fast as it can; answers when it is there."""
        try:
            span = duration(wanted.span)
            if span > LONGEST_STEP:
                raise InvalidValueError(f"{wanted.span}: a step is a day at most")
            goal = pacer.step(span)
        except InvalidValueError as error:
            raise HTTPException(400, str(error)) from None
        while live.now < goal:
            if not pacer.pace.paused:
                break
            await asyncio.sleep(0.001)
        return status()

    @application.post("/control/speed", response_model=Status, **guarded)
    async def set_speed(wanted: Annotated[Speed, Body()]) -> Status:
        """Another speed from now on."""
        pacer.set_speed(wanted.speed)
        return status()

    @application.post("/control/end", status_code=202, response_model=Status, **guarded)
    async def end_session() -> Status:
        """Close the session here, in order: the run is kept, and the server ends."""
        end()
        return status()

    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Refused, "description": "there is no such symbol"}}

    @application.get("/control/book/{symbol}", response_model=Book, **{**guarded, "responses": refusals | unknown})
    async def book(
        symbol: Annotated[str, Path(max_length=40)], levels: Annotated[int, Query(ge=1, le=5000)] = 20
    ) -> Book:
        """A book as the venue itself has it at this moment, before any latency."""
        market = exchange.markets.find(symbol.upper())
        if market is None:
            raise HTTPException(404, f"no symbol {symbol!r}; there are {[m.symbol for m in exchange.markets.all]}")
        sides = live.book(market.view.venue, market.instrument.symbol, levels)
        shown = [
            [
                Level(price=market.price(price), quantity=market.quantity(lots), orders=count)
                for price, lots, count in side
            ]
            for side in sides
        ]
        return Book(
            symbol=market.symbol,
            simulated_ns=live.now,
            phase=market.view.phase.name.lower(),
            bids=shown[0],
            asks=shown[1],
        )

    @application.get("/metrics", tags=["control"], response_class=Response, responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def get_metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @application.get("/health", tags=["control"])
    async def health() -> dict[str, str]:
        """Whether the server is there."""
        return {"status": "ok"}

    def described() -> dict[str, Any]:
        if application.openapi_schema is None:
            schema = get_openapi(
                title=application.title,
                version=application.version,
                description=application.description,
                routes=application.routes,
            )
            schema["paths"] |= dialect_paths()
            schema.setdefault("components", {}).setdefault("securitySchemes", {})["ApiKey"] = {
                "type": "apiKey", "in": "header", "name": "X-MBX-APIKEY",
            }  # fmt: skip
            application.openapi_schema = schema
        return application.openapi_schema

    application.openapi = described  # type: ignore[method-assign]
    return application
