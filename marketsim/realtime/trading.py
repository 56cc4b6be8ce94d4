"""Trading: an agent at a venue from the first connection to the closed account, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from marketsim.domain.instrument import Instrument
from marketsim.domain.limits import Limits
from marketsim.domain.units import duration as to_duration
from marketsim.domain.units import format_duration
from marketsim.errors import GatewayError, InvalidValueError, MarketSimError
from marketsim.realtime.endpoints import Endpoints
from marketsim.realtime.refusals import Refusal
from marketsim.realtime.session import RealtimeSession
from marketsim.realtime.settings import Note, Settings
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Fill, Portfolio


@dataclass(frozen=True)
class Latency:
    """From sending requests to their answers, wall time in ms."""

    count: int
    median: float
    p90: float
    p99: float
    longest: float

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Latency:
        """That of some requests."""
        ordered = sorted(nanoseconds)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        median, p90, p99 = (ordered[min(int(s * len(ordered)), len(ordered) - 1)] / 1e6 for s in (0.5, 0.9, 0.99))
        return cls(len(ordered), median, p90, p99, ordered[-1] / 1e6)


@dataclass(frozen=True)
class Trading:
    """What came of trading at a venue.

    orders: all that the agent ever sent. fills: with fees, from the portfolio. notes: remarks with their times.
    latencies: by kind of request: "place", "cancel", "replace". marks: prices at the end. begun, ended: ns of the
    venue's clock. why: it ended. differences: between the portfolio and what the venue says the account gained; none
    where both agree. missed: fills that no event had told and that were asked for. reconnections: of any connection.
    refusals: what limits or the venue refused, counted by reason.
    """

    name: str
    instruments: tuple[Instrument, ...]
    portfolio: Portfolio
    orders: tuple[Order, ...]
    notes: tuple[Note, ...]
    latencies: Mapping[str, Latency]
    marks: Mapping[str, Decimal]
    begun: int
    ended: int
    why: str
    differences: tuple[str, ...]
    reports: int
    missed: int
    reconnections: int
    refusals: tuple[Refusal, ...] = ()

    @property
    def fills(self) -> list[Fill]:
        """Every fill, oldest first."""
        return self.portfolio.history

    @property
    def pnl(self) -> Decimal:
        """Currency gained after fees, positions at ``marks``."""
        return self.portfolio.value(self.marks) - self.portfolio.initial_cash

    def summary(self) -> dict[str, object]:
        """The main numbers as plain values."""
        return {
            "name": self.name,
            "time": format_duration(self.ended - self.begun),
            "ended": self.why,
            "orders": len(self.orders),
            "fills": len(self.fills),
            "refusals": [asdict(refusal) | {"reason": refusal.reason.name} for refusal in self.refusals],
            "positions": dict(self.portfolio.lots),
            "pnl": float(self.pnl),
            "differences": list(self.differences),
            "latency_ms": {verb: round(told.median, 3) for verb, told in self.latencies.items() if told.count},
        }

    def __repr__(self) -> str:
        return (
            f"<Trading {self.name!r}, {format_duration(self.ended - self.begun)}, {len(self.orders)} orders, "
            f"{len(self.fills)} fills, {self.why}>"
        )


async def trade_async(
    agent: Agent,
    url: str | Endpoints,
    api_key: str,
    secret: str,
    *,
    duration: int | str | None = None,
    started: Callable[[RealtimeSession], None] = lambda session: None,
    **settings: Any,
) -> Trading:
    """``trade`` for who has an event loop already. ``started``: is given the session, whose ``stop`` ends it."""
    span = None if duration is None else to_duration(duration)
    if span is not None and span <= 0:
        raise InvalidValueError(f"duration {duration!r}: it must be above zero")
    session = await RealtimeSession.open(agent, url, api_key, secret, Settings(**settings))
    failure: MarketSimError | None = None
    try:
        started(session)
        try:
            await session.run(span)
        except MarketSimError as error:
            failure = error
        result = await _result(session)
    finally:
        await session.close()
    if failure is not None:
        failure.result = result  # type: ignore[attr-defined]
        raise failure
    return result


def trade(
    agent: Agent,
    url: str | Endpoints,
    api_key: str,
    secret: str,
    *,
    instruments: Sequence[str] | None = None,
    limits: Limits | None = None,
    duration: int | str | None = None,
    seed: int = 0,
    name: str = "trader",
    venue: str = "BINANCE",
    speed: float = 1.0,
    live: bool = False,
    cancel_on_stop: bool = True,
    started: Callable[[RealtimeSession], None] = lambda session: None,
    **settings: Any,
) -> Trading:
    """Let an agent trade at a venue that speaks Binance's spot dialect, and wait until it is over.

    url: of a gateway, such as ``http://127.0.0.1:8080`` (``marketsim serve``). Other machines are refused unless
    ``live``. instruments: symbols as the venue writes them; all when left out. duration: of the venue's time; until it
    is interrupted or the venue closes when left out. seed, name: of the agent's random draws. venue: our name for it.
    speed: that of a simulated market, so that the agent's timers keep its pace. cancel_on_stop: cancel open orders at
    the end. started: is given the session once it is open, before the agent begins. More settings: see
    ``marketsim.realtime.Settings``.

    Raises InvalidValueError, GatewayError when the venue is not there or gone for good, AgentError when the agent's
    own code raises (both carry what was done so far as ``result``), and MissingDependency.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise InvalidValueError("trade() waits for its end, and an event loop is running here: await trade_async()")

    async def whole() -> Trading:
        with contextlib.ExitStack() as stack:

            def opened(session: RealtimeSession) -> None:
                stack.enter_context(_interruptible(session))
                started(session)

            return await trade_async(
                agent, url, api_key, secret, duration=duration, instruments=instruments, limits=limits, seed=seed,
                name=name, venue=venue, speed=speed, live=live, cancel_on_stop=cancel_on_stop,
                started=opened, **settings,
            )  # fmt: skip

    return asyncio.run(whole())


@contextlib.contextmanager
def _interruptible(session: RealtimeSession) -> Iterator[None]:
    """Ctrl-C ends the session in order; a second one ends it at once."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        session.stop("interrupted")

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, RuntimeError):  # not on every system
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _result(session: RealtimeSession) -> Trading:
    """What came of a session, compared with the account where the venue still answers."""
    marks: dict[str, Decimal] = {}
    differences: list[str] = ["the venue could not be asked"]
    try:
        if session.api.up:
            marks = await session.marks()
            differences = _differences(session, await session.holdings())
    except GatewayError as error:
        session.note("end", f"the account could not be compared: {error}")
    for fill in session.portfolio.history:
        marks.setdefault(fill.symbol, fill.price)
    return Trading(
        session.name,
        session.instruments,
        session.portfolio,
        tuple(session.orders),
        tuple(session.notes),
        {verb: Latency.of(times) for verb, times in session.desk.latencies.items()},
        marks,
        session.begun,
        session.now,
        session.ended,
        tuple(differences),
        session.reports,
        session.desk.missed,
        session.reconnections,
        session.refusals.all(),
    )


def _differences(session: RealtimeSession, now: Mapping[str, Decimal]) -> list[str]:
    """Between the portfolio and what the account has gained since the beginning, asset by asset."""
    gained = {asset: amount - session.before.get(asset, Decimal(0)) for asset, amount in now.items()}
    markets = session.markets.values()
    quotes = {market.quote for market in markets}
    positions = {
        market.instrument.symbol: gained[market.base]
        for market in markets
        if market.base in gained and market.base not in quotes and sum(m.base == market.base for m in markets) == 1
    }
    return session.portfolio.reconcile(positions, {asset: now[asset] for asset in quotes if asset in now})
