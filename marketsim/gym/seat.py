"""A seat: one participant's place in a market, from which somebody outside of it acts and is judged.

It keeps what the participant has been told (the latest quote, the book, the trades of a step) and how it fares. What it
tells for decisions has come over the participant's own data link; what it tells for rewards (``true_mid``, ``wealth``)
is the venue's own book at that moment. It never trades: actions do, through ``seat.agent``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report, TradePrint
from marketsim.domain.order import OrderState, Side
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.book import LocalBook
from marketsim.trading.order import Order

if TYPE_CHECKING:
    from marketsim.brokers.simulated import SimulatedSession
    from marketsim.exchange.core import MatchingCore
    from marketsim.kernel.random import Stream
    from marketsim.trading.portfolio import Fill

_BUY, _PENDING_NEW = Side.BUY, OrderState.PENDING_NEW


class Ear(Protocol):
    """Wants to hear market data as it arrives, not only at the end of a step."""

    def heard_quote(self, quote: Quote) -> None:
        """The best bid or ask changed."""

    def heard_trade(self, trade: TradePrint) -> None:
        """Somebody traded."""


class Mandate(NamedTuple):
    """A parent order that is to be executed within an episode."""

    side: Side
    quantity: int  # lots
    arrival: float  # ticks: the venue's mid when the episode began


class Hearing:
    """What an agent has that tells its seat what it hears."""

    seat: Seat | None = None  # from before its first event on


@dataclass
class Learner(Hearing, Agent):
    """Trades for somebody outside of the market: passes on what it hears and sends what an action says."""

    def __post_init__(self) -> None:
        self.rejected = 0  # requests that were refused so far

    def subscriptions(self) -> dict[str, Any]:
        """What the observation needs; quotes in any case."""
        return {"quotes": True, "trades": self.seat is not None and "trades" in self.seat.needs}

    def on_start(self) -> None:
        """Begin to keep the book where the observation looks at it."""
        if self.seat is not None:
            self.seat.begin_listening()

    def on_quote(self, quote: Quote) -> None:
        """Pass it on."""
        if self.seat is not None:
            self.seat.hear_quote(quote)

    def on_trade(self, trade: TradePrint) -> None:
        """Pass it on."""
        if self.seat is not None:
            self.seat.hear_trade(trade)

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """Count it: the environment tells how many."""
        self.rejected += 1


class _Overheard(Hearing):
    """Before an ordinary agent's own hooks: its seat hears the same."""

    def subscriptions(self) -> dict[str, Any]:
        """The agent's own, and what the observation needs."""
        asked: dict[str, Any] = super().subscriptions()  # type: ignore[misc]
        return {**asked, "quotes": True, "trades": asked.get("trades") or (self.seat and "trades" in self.seat.needs)}

    def on_start(self) -> None:
        """Begin to keep the book where the observation looks at it."""
        if self.seat is not None:
            self.seat.begin_listening()
        super().on_start()  # type: ignore[misc]

    def on_quote(self, quote: Quote) -> None:
        """The seat hears it, then the agent."""
        if self.seat is not None:
            self.seat.hear_quote(quote)
        super().on_quote(quote)  # type: ignore[misc]

    def on_trade(self, trade: TradePrint) -> None:
        """The seat hears it, then the agent."""
        if self.seat is not None:
            self.seat.hear_trade(trade)
        super().on_trade(trade)  # type: ignore[misc]


def overheard(agent: Agent) -> Agent:
    """An agent like this one whose seat hears what it is told; it asks for quotes, and what an observation needs."""
    kind = type(agent)
    made = copy.deepcopy(agent)
    made.__class__ = type(kind.__name__, (_Overheard, kind), {"__doc__": kind.__doc__, "__module__": kind.__module__})
    return made


class Seat:
    """What one participant knows, and how it fares, from the beginning of an episode to its end.

    session: through which it trades; ``agent`` is bound to it. core, market: the venue's book, for valuation.
    begin, end: ns; the episode. interval: ns of a step. needs: of market data, besides quotes: "trades", "levels".

    Of the last step (``gain``, ``fills`` and ``dt`` are 0 or empty when the episode begins):

    - ``gain``: currency that wealth changed by, after fees
    - ``fills``: its own fills as a sequence of ``Fill`` (``time`` in ns, ``side``, ``price`` in currency, ``quantity``
      in units, ``fee`` in currency, all three Decimals), oldest first
    - ``trades``: everybody's trades that it was told of (at the beginning: in the warm-up), where an observation
      needs "trades"; else empty
    - ``dt``: seconds that it took
    - ``last_position``, ``last_mid``: lots, and ticks at the venue, as it began

    Now, since the episode began:

    - ``pnl``: currency gained since then, after fees
    - ``step``: steps so far; ``steps_left``, ``time_left`` (share, 1 to 0) and ``over``
    - ``position``: lots, below 0 when short; what the warm-up left is in it
    - ``wealth``: currency; cash and position at the venue's mid; ``first_wealth`` when the episode began
    - ``true_mid``: ticks; the venue's own mid
    - ``mid``, ``spread``: ticks; of what others show, as it has been told
    - ``quote``: the latest ``Quote`` that it was told, prices in ticks and quantities in lots; None before the first
    - ``book``: the ``LocalBook`` that it keeps where an observation needs "levels"; else None
    - ``now``: ns of the simulated clock
    - ``mandate``: the parent order, or None; ``done`` and ``remaining``: lots of it

    And ``agent``, which sends orders, ``instrument`` (``instrument.tick`` is currency a tick), ``venue`` and
    ``lot_value``: currency a lot and tick.
    """

    def __init__(
        self,
        session: SimulatedSession,
        core: MatchingCore,
        market: int,
        *,
        begin: int,
        end: int,
        interval: int,
        needs: frozenset[str] = frozenset(),
        ears: Sequence[Ear] = (),
    ) -> None:
        self.name = session.name
        self.session = session
        self.agent = session.agent
        self.instrument: Instrument = session.instruments[0]
        self.venue = session.venues(self.instrument)[0]
        self.begin, self.end, self.interval = begin, end, interval
        self.needs = needs
        self.now = begin
        self.step = 0  # of the episode so far
        self.dt = 0.0  # seconds that the last step took
        self.quote: Quote | None = None  # the latest that was told
        self.mid = float(self.instrument.reference)  # ticks, without own orders; see ``look``
        self.spread = 1.0  # ticks, of what others show; the last one known
        self.true_mid = self.mid  # ticks, at the venue
        self.last_mid = self.mid  # the same one step before
        self.position = 0  # lots
        self.last_position = 0  # one step before
        self.wealth = 0.0  # currency: cash and position at the venue's mid, after fees
        self.first_wealth = 0.0  # when the episode began
        self.gain = 0.0  # currency: of the last step
        self.fills: Sequence[Fill] = ()  # of the last step
        self.trades: list[TradePrint] = []  # told in the last step, where "trades" are needed
        self.mandate: Mandate | None = None
        self.book: LocalBook | None = None
        self._core, self._market = core, market
        self._ears = tuple(ears)
        self._heard: list[TradePrint] = []
        self._before = 0  # position when the mandate was given
        self._counted = 0
        self._cash = float(session.portfolio.initial_cash)
        self._symbol = self.instrument.symbol
        self.lot_value = self.instrument.lot * self.instrument.tick  # currency a lot and tick
        if isinstance(self.agent, Hearing):
            self.agent.seat = self

    # --- what arrives ---

    def begin_listening(self) -> None:
        """The participant has begun: keep the book, where it is needed."""
        if "levels" in self.needs:
            self.book = self.agent.keep_book(self.instrument, venue=self.venue)

    def hear_quote(self, quote: Quote) -> None:
        """A quote arrived."""
        if quote.venue == self.venue and quote.instrument.symbol == self._symbol:
            self.quote = quote
            for ear in self._ears:
                ear.heard_quote(quote)

    def hear_trade(self, trade: TradePrint) -> None:
        """A trade was told."""
        if trade.venue == self.venue and trade.instrument.symbol == self._symbol:
            self._heard.append(trade)
            for ear in self._ears:
                ear.heard_trade(trade)

    # --- steps ---

    def start(self) -> None:
        """The episode begins: from here on it counts."""
        self._look_at_market()
        self._count()
        self.last_mid, self.last_position = self.true_mid, self.position
        self.first_wealth, self.gain, self.fills = self.wealth, 0.0, ()

    def look(self, now: int) -> None:
        """A step has ended at ``now``: see how things are."""
        self.dt = (now - self.now) / SECOND
        self.now = now
        self.step += 1
        self.last_mid, self.last_position = self.true_mid, self.position
        before = self.wealth
        self._look_at_market()
        self._count()
        self.gain = self.wealth - before

    def _look_at_market(self) -> None:
        bid, bid_quantity, ask, ask_quantity = self._core.best(self._market)
        if bid_quantity > 0 and ask_quantity > 0 and bid < ask:
            self.true_mid = 0.5 * (bid + ask)
        self._look_at_quote()
        self.trades, self._heard = self._heard, []

    def _look_at_quote(self) -> None:
        """Mid and spread of what others show, as far as told: own orders are taken out of the best quotes.

        Where one side is all own, or empty, the mid stays, held outside of what others show.
        """
        quote = self.quote
        if quote is None:
            return
        bid_quantity, ask_quantity = quote.bid_quantity, quote.ask_quantity
        for order in self.session.broker.open_orders():
            if order.state is not _PENDING_NEW and order.instrument.symbol == self._symbol:
                if order.side is _BUY:
                    bid_quantity -= order.leaves if order.price == quote.bid else 0
                else:
                    ask_quantity -= order.leaves if order.price == quote.ask else 0
        if bid_quantity > 0 and ask_quantity > 0:
            self.mid, self.spread = 0.5 * (quote.bid + quote.ask), float(quote.ask - quote.bid)
        elif bid_quantity > 0:
            self.mid = max(self.mid, quote.bid + 0.5)
        elif ask_quantity > 0:
            self.mid = min(self.mid, quote.ask - 0.5)

    def _count(self) -> None:
        """Position and wealth, as reports have told, at the venue's mid."""
        portfolio = self.session.portfolio
        self.position = portfolio.lots.get(self._symbol, 0)
        history = portfolio.history
        self.fills = history[self._counted :]
        self._counted = len(history)
        if self.instrument.cleared:
            mark = Decimal(self.true_mid) * self.instrument.tick_size
            self.wealth = float(portfolio.value({self._symbol: mark}))
            return
        if self.fills:
            self._cash = float(portfolio.cash[portfolio.currency])
        self.wealth = self._cash + self.position * self.true_mid * self.lot_value

    # --- what hangs on it ---

    @property
    def pnl(self) -> float:
        """Currency gained since the episode began, after fees, at the venue's mid."""
        return self.wealth - self.first_wealth

    @property
    def time_left(self) -> float:
        """Share of the episode that is left, 1 to 0."""
        return (self.end - self.now) / (self.end - self.begin)

    @property
    def steps_left(self) -> int:
        """Steps that follow; the last may be shorter."""
        return -(-(self.end - self.now) // self.interval)

    @property
    def over(self) -> bool:
        """Whether the episode's time is over."""
        return self.now >= self.end

    @property
    def done(self) -> int:
        """Lots of the mandate that are filled."""
        if self.mandate is None:
            raise InvalidValueError(
                f"{self.name} has no mandate: give the environment mandate=..., or use the task Execution"
            )
        return (self.position - self._before) * self.mandate.side

    @property
    def remaining(self) -> int:
        """Lots of the mandate that are still to be filled; below zero when too much was."""
        done = self.done
        assert self.mandate is not None
        return self.mandate.quantity - done

    def give(self, side: Side, quantity: int) -> None:
        """The mandate of this episode."""
        self._before = self.position
        self.mandate = Mandate(side, quantity, self.true_mid)

    def stream(self, purpose: str) -> Stream:
        """Random draws for a purpose, from the scenario's seed and the seat's name."""
        return self.session.stream(purpose)

    def touch(self, side: Side) -> float:
        """The venue's best price in ticks at which an order of a side would trade now; the mid where there is none."""
        bid, bid_quantity, ask, ask_quantity = self._core.best(self._market)
        if side is _BUY:
            return float(ask) if ask_quantity > 0 else self.true_mid
        return float(bid) if bid_quantity > 0 else self.true_mid

    def levels(self, count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(price, quantity) of the venue's best bids and asks, for pictures: an observation sees what was told."""
        bids = self._core.depth(self._market, 1, count)
        asks = self._core.depth(self._market, -1, count)
        return [(int(p), int(q)) for p, q, *_ in bids], [(int(p), int(q)) for p, q, *_ in asks]
