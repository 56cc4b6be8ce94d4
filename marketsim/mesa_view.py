"""A Mesa view of a running market: a Mesa model whose agents stand for ours, compiled ones included.

So Mesa's AgentSet queries, DataCollector and tools work on a market. It is a view, not a base: the agents know nothing
of Mesa, and see no more of the market than they always do. ``step()`` lets simulated time pass. Needs the extra
``mesa``; importing marketsim imports no Mesa.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, MissingDependency

try:
    import mesa
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingDependency("mesa", "mesa") from error

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.simulation.assembly import Participant
    from marketsim.simulation.simulation import Simulation


class MarketAgent(mesa.Agent):  # type: ignore[misc]
    """Stands for one agent of the market; everything is read live."""

    def __init__(self, model: MarketModel, participant: Participant) -> None:
        super().__init__(model)
        self.number = participant.number
        self.name = participant.name
        self.family = participant.family
        self.kind = participant.type
        self.compiled = participant.compiled
        self.initial_cash = float(participant.initial_cash)

    @property
    def trader(self) -> Any:
        """Our own agent object; None for a compiled agent."""
        session = self.model.world.sessions.get(self.name)
        return None if session is None else session.agent

    @property
    def position(self) -> float:
        """Units held in its (first) instrument, as it knows."""
        return float(self._lots() * self._instrument().lot_size)

    @property
    def cash(self) -> float:
        """Currency, as it knows, before fees for compiled agents."""
        if self.compiled:
            instrument = self._instrument()
            return float(int(self._account()["cash"]) * instrument.tick_size * instrument.lot_size)
        portfolio = self.model.world.sessions[self.name].portfolio
        return float(portfolio.cash[portfolio.currency])

    @property
    def wealth(self) -> float:
        """Cash and position at the mid of its (first) market."""
        mid = self.model.mid_of(self._market())
        return self.cash + (self.position * mid if mid is not None else 0.0)

    @property
    def pnl(self) -> float:
        """Wealth above what it began with."""
        return self.wealth - self.initial_cash

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of a Python agent, live; empty for compiled ones."""
        return {} if self.trader is None else self.trader.parameters()

    def _account(self) -> Any:
        return self.model.world.engine.accounts()[self.number]

    def _lots(self) -> int:
        if self.compiled:
            return int(self._account()["position"])
        return int(self.model.world.sessions[self.name].portfolio.lots.get(self._instrument().symbol, 0))

    def _market(self) -> int:
        if self.compiled:
            return int(self._account()["market"])
        session = self.model.world.sessions[self.name]
        place = (session.venues(session.instruments[0])[0], session.instruments[0])
        places = [(market.venue, market.instrument) for market in self.model.world.markets]
        return places.index(place)

    def _instrument(self) -> Any:
        return self.model.world.markets[self._market()].instrument


class MarketModel(mesa.Model):  # type: ignore[misc]
    """A Mesa model of one market.

    simulation: what runs. step: simulated time that one ``step()`` lets pass, such as ``"1s"``.
    """

    def __init__(self, simulation: Simulation, step: str | int = "1s") -> None:
        super().__init__(seed=simulation.spec.seed)
        self.step_length = duration(step)
        if self.step_length < 1:
            raise InvalidValueError(f"step={step!r}: a step must take time")
        self.execution = simulation.start()
        self.world = self.execution.world
        for participant in sorted(self.world.participants, key=lambda participant: participant.number):
            _class_of(participant.type)(self, participant)

    @property
    def now(self) -> int:
        """Simulated time, ns."""
        return self.execution.now

    @property
    def mid(self) -> float | None:
        """Mid of the first market in currency; None while a side is empty."""
        return self.mid_of(0)

    @property
    def spread(self) -> float | None:
        """Spread of the first market in currency; None while a side is empty."""
        bid, bid_quantity, ask, ask_quantity = self.world.core.best(0)
        return self.world.markets[0].instrument.price(ask - bid) if bid_quantity and ask_quantity else None

    def mid_of(self, market: int) -> float | None:
        """Mid of a market in currency."""
        bid, bid_quantity, ask, ask_quantity = self.world.core.best(market)
        return self.world.markets[market].instrument.price((bid + ask) / 2) if bid_quantity and ask_quantity else None

    def step(self) -> None:
        """Let simulated time pass; the model stops running at the end."""
        end = self.execution.spec.end
        self.execution.advance(min(self.now + self.step_length, end))
        if self.now >= end:
            self.running = False

    def finish(self) -> Run:
        """Close the run: complete when its end was reached."""
        return self.execution.finish()


@lru_cache(maxsize=256)
def _class_of(kind: str) -> type[MarketAgent]:
    """A class of its own for each type of trader, so that ``agents_by_type`` tells them apart."""
    return type(kind, (MarketAgent,), {"__doc__": f"Stands for a {kind}.", "__module__": __name__})
