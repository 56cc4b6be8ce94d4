"""A seeded stream of commands for the matching core: every kind, valid and invalid, aimed at what is live.

``generate`` runs the naive twin alongside so that cancels, replaces and expiries find their orders, and returns plain
tuples ``(method, *arguments)`` that any core can be fed with. It never sees the compiled core.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from naive import BUY, LARGEST, LIMIT, MARKET, POST_ONLY, SELL, STOP, STOP_LIMIT, Book, NaiveCore, Order

from marketsim.domain.order import TimeInForce

Command = tuple[str, *tuple[int, ...]]

GTC, DAY, GTD = int(TimeInForce.GTC), int(TimeInForce.DAY), int(TimeInForce.GTD)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)


@dataclass(frozen=True)
class Regime:
    """A kind of weather: which commands are likely, how far prices reach, how large quantities are."""

    name: str
    new: float  # weights of the commands
    cancel: float
    replace: float
    expire: float
    sessions: float  # close and open
    types: tuple[float, float, float, float]  # LIMIT, MARKET, STOP, STOP_LIMIT
    reach: int  # how far from the centre on the own side, in ticks
    cross: int  # how far beyond it
    largest: int  # quantities are 1 to largest
    fill_or_kill: float = 0.08


REGIMES = (
    Regime("quiet", 5, 3, 2, 0.3, 0.05, (8, 1, 0.5, 0.5), 8, 1, 20),
    Regime("crossing", 6, 1, 3, 0.2, 0.05, (6, 4, 0.5, 0.5), 4, 2, 40, 0.25),
    Regime("stops", 6, 1, 3, 0.3, 0.05, (5, 1.5, 2.5, 2.5), 6, 1, 12),
    Regime("replacing", 3, 1, 6, 0.3, 0.05, (6, 0.7, 1, 1.5), 5, 1, 15),
    Regime("sessions", 5, 2, 2, 1.0, 1.0, (6, 1, 1, 1), 5, 1, 20),
    Regime("wide", 5, 3, 2, 0.3, 0.05, (8, 0.6, 1, 1), 100_000, 10_000, 1_000),
)

CROWDS = (4, 20, 50, 150)  # live orders a market that commands steer to


def guarded_of(markets: int) -> int:
    """The one market of a trial in which self-trades are prevented."""
    return markets // 2


class Generator:
    """Draws one command after another; ``core`` is the twin that has run all commands so far."""

    def __init__(self, seed: int, markets: int = 3, owners: int = 5, regimes: tuple[Regime, ...] = REGIMES) -> None:
        self.random = random.Random(seed)
        self.core = NaiveCore(markets)
        self.core.prevent_self_trades(guarded_of(markets))
        self.markets = markets
        self.owners = owners
        self.regimes = regimes
        self.regime = self.random.choice(regimes)
        self.crowd = CROWDS[1] * markets
        self.centre = [100, -40, 0][:markets] + [1_000_000] * (markets - 3)
        self.time = 1_000

    def next(self) -> Command:
        """One command, already run by the twin."""
        if self.random.random() < 0.005:
            self.regime = self.random.choice(self.regimes)
            self.crowd = self.random.choice(CROWDS) * self.markets
        command = self._draw()
        apply(self.core, command)
        return command

    def _draw(self) -> Command:
        draw = self.random
        self.time += draw.choice((0, 0, 0, 1, 2, 5))  # ties are common
        now = self.regime
        crowded = 2.0 if len(self.core.live) > self.crowd else 0.3
        reopen = 20.0 if any(book.closed for book in self.core.books) else 1.0
        weights = (now.new / crowded, now.cancel * crowded, now.replace, now.expire, now.sessions * reopen)
        kind = draw.choices(("new", "cancel", "replace", "expire", "session"), weights)[0]
        if kind == "new":
            return self._new()
        if kind == "cancel":
            return self._cancel()
        if kind == "replace":
            return self._replace()
        if kind == "expire":
            return ("expire", self.time, self._order_id())
        return self._session()

    # -- new --------------------------------------------------------------------------------------------------

    def _new(self) -> Command:
        draw = self.random
        market = draw.randrange(self.markets)
        side = draw.choice((BUY, SELL))
        order_type = draw.choices((LIMIT, MARKET, STOP, STOP_LIMIT), self.regime.types)[0]
        kill = self.regime.fill_or_kill
        time_in_force = draw.choices((GTC, DAY, GTD, IOC, FOK), (0.5, 0.2, 0.12, 0.08, kill))[0]
        flags = POST_ONLY if draw.random() < (0.15 if order_type == LIMIT else 0.02) else 0
        if flags and time_in_force in (IOC, FOK) and draw.random() < 0.8:
            time_in_force = GTC
        price = self._price(market, side)
        stop_price = self._stop_price(market, side)
        if order_type == STOP_LIMIT and draw.random() < 0.7:
            price = stop_price + draw.randint(-1, 3) * side
        if order_type in (MARKET, STOP) and draw.random() < 0.9:
            price = 0
        if order_type in (LIMIT, MARKET) and draw.random() < 0.9:
            stop_price = 0
        quantity = self._quantity(market, side, 0.4 if time_in_force == FOK else 0.08)
        expire = self.time + draw.randint(1, 500) if time_in_force == GTD else 0
        arguments = [
            self.time, draw.randrange(self.owners), market, side, order_type, time_in_force, flags, price, stop_price,
            quantity, expire, 0,
        ]  # fmt: skip
        if draw.random() < 0.06:
            self._spoil_new(arguments)
        return ("new", *arguments)

    def _spoil_new(self, arguments: list[int]) -> None:
        """Break one rule, or several: the order of the checks must hold too."""
        draw = self.random
        breaks = {
            "market": (2, draw.choice((-1, self.markets, 65_535, 70_000, 2**40))),
            "quantity": (9, draw.choice((0, 0, -1, -LARGEST, LARGEST + 1, 2**62, -(2**63)))),
            "price": (7, draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))),
            "stop price": (8, draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))),
            "expire": (10, draw.choice((0, self.time, self.time - 1, self.time + 7, -5))),
            "flags": (6, POST_ONLY),
            "order id": (11, draw.choice((self._order_id(), draw.randint(1, self.core.highest + 2)))),
            "own id": (11, self.core.highest + draw.randint(1, 3)),
        }
        for name in draw.sample(sorted(breaks), draw.choice((1, 1, 1, 2, 3))):
            place, value = breaks[name]
            arguments[place] = value

    def _price(self, market: int, side: int) -> int:
        """Mostly on the own side of the centre, so that books fill; the rest crosses."""
        draw = self.random
        book: Book = self.core.books[market]
        if draw.random() < 0.01:
            self.centre[market] += draw.choice((-3, -2, -1, 1, 2, 3))
        if self.regime.name == "wide":
            chance = draw.random()
            if chance < 0.03:
                return draw.choice((LARGEST, -LARGEST, LARGEST - 1, 1 - LARGEST))
            if chance < 0.15:
                return self.centre[market] + draw.choice((-1, 1)) * draw.randint(10**9, 10**12)
            if chance < 0.5:
                return self.centre[market] + draw.randint(-self.regime.reach, self.regime.reach)
            return self.centre[market] + draw.randint(-9, 9)
        if draw.random() < 0.02:  # far stub quotes
            return self.centre[market] + draw.choice((-1, 1)) * draw.randint(1_000, 10**9)
        if book.last is not None and abs(book.last - self.centre[market]) < 50 and draw.random() < 0.2:
            return book.last
        return self.centre[market] - side * draw.randint(-self.regime.cross, self.regime.reach)

    def _stop_price(self, market: int, side: int) -> int:
        """Mostly on the far side of the last price, so that it waits; sometimes already triggered."""
        book: Book = self.core.books[market]
        last = self.centre[market] if book.last is None else book.last
        if abs(last - self.centre[market]) > 50:
            last = self.centre[market]
        return last + side * self.random.choice((-1, 0, 1, 1, 1, 2, 2, 3, 4, 6))

    def _quantity(self, market: int, side: int, exact: float) -> int:
        draw = self.random
        if draw.random() < exact:  # what the nearest levels hold, or one lot beside it
            levels = self.core.depth(market, -side, draw.randint(1, 4))
            if levels:
                return min(sum(level[1] for level in levels) + draw.choice((-1, 0, 0, 0, 1)), LARGEST) or 1
        if draw.random() < 0.002:
            return LARGEST
        return draw.randint(1, self.regime.largest)

    # -- cancel, replace, expire, sessions --------------------------------------------------------------------

    def _live(self) -> Order | None:
        orders = self.core.live
        if not orders or self.random.random() < 0.04:
            return None
        return orders[self.random.choice(list(orders))]

    def _order_id(self) -> int:
        """Mostly a live one, else one that is gone or was never there."""
        order = self._live()
        return self._any_id() if order is None else order.order_id

    def _any_id(self) -> int:
        """Live, gone, or beyond every number that was given."""
        if self.random.random() < 0.3:
            return self.core.highest + self.random.randint(1, 1_000)
        return self.random.randint(0, self.core.highest)

    def _owner(self, order: Order | None) -> int:
        if order is None or self.random.random() < 0.03:
            return self.random.randrange(self.owners)
        return order.owner

    def _cancel(self) -> Command:
        draw = self.random
        order = self._live()
        order_id = self._any_id() if order is None else order.order_id
        open_quantity = 10 if order is None else order.open
        quantity = draw.choices(
            (0, open_quantity, open_quantity + draw.randint(1, 9), draw.randint(1, open_quantity), -1, -LARGEST),
            (10, 1, 2, 7, 0.3, 0.1),
        )[0]
        return ("cancel", self.time, self._owner(order), order_id, quantity)

    def _replace(self) -> Command:
        draw = self.random
        order = self._live()
        if order is None:
            asked = (self._price(0, BUY), draw.randint(1, 20), self._stop_price(0, BUY))
            return ("replace", self.time, self._owner(None), self._any_id(), *asked)
        price = order.price if draw.random() < 0.45 else self._price(order.market, order.side)
        stop_price = order.stop_price if draw.random() < 0.5 else self._stop_price(order.market, order.side)
        quantity = draw.choices(
            (
                order.quantity,
                order.quantity + draw.randint(1, 10),
                max(1, order.quantity - draw.randint(1, 10)),
                max(1, order.filled + draw.choice((-1, 0, 1))),
                draw.choice((0, -1, -LARGEST, LARGEST + 1, 2**62)),
            ),
            (4, 3, 4, 1.5, 0.3),
        )[0]
        if draw.random() < 0.01:
            price = draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))
        if draw.random() < 0.01:
            stop_price = draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))
        return ("replace", self.time, self._owner(order), order.order_id, price, quantity, stop_price)

    def _session(self) -> Command:
        closed = [number for number, book in enumerate(self.core.books) if book.closed]
        if closed and self.random.random() < 0.9:
            return ("open", self.random.choice(closed))
        return ("close", self.time, self.random.randrange(self.markets))


def apply(core: object, command: Command) -> int:
    """Run one command on any core; the order id that ``new`` answers, else 0."""
    method, *arguments = command
    return getattr(core, method)(*arguments) or 0


def generate(
    seed: int, count: int, markets: int = 3, owners: int = 5, regimes: tuple[Regime, ...] = REGIMES
) -> list[Command]:
    """The first ``count`` commands of a seed."""
    generator = Generator(seed, markets, owners, regimes)
    return [generator.next() for _ in range(count)]
