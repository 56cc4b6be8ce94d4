"""A seeded stream of commands for the matching core: every kind, valid and invalid, aimed at what is live.

``generate`` runs the naive twin alongside so that cancels, replaces and expiries find their orders, and returns plain
tuples ``(method, *arguments)`` that any core can be fed with. It never sees the compiled core.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from naive import NaiveCore
from naive_book import (
    AT_CLOSE,
    AT_OPEN,
    BUY,
    DAY,
    FOK,
    GTC,
    GTD,
    HIDDEN,
    IOC,
    LARGEST,
    LARGEST_PRO_RATA,
    LIMIT,
    MARKET,
    MARKET_PEG,
    MARKET_TO_LIMIT,
    PARENT,
    PEGS,
    POST_ONLY,
    SELL,
    SLIDE,
    STOP,
    STOP_LIMIT,
    STOPS,
    TRAILING_STOP,
    Book,
    Order,
)

from marketsim.domain.order import Reason, SelfTrade
from marketsim.domain.phase import BandAction, Phase

Command = tuple[str, *tuple[int, ...]]

CONTINUOUS, CLOSED = int(Phase.CONTINUOUS), int(Phase.CLOSED)
SETTINGS = ("prevent_self_trades", "set_account", "set_allocation", "set_bands", "set_reference")  # no requests
FAR = 2**60  # static bands that bind nothing


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
    features: float = 0.0  # chance that a new order has a type, a life or an instruction beyond the plain ones
    phases: float = 0.0  # weight of changes to any phase
    mass: float = 0.0  # weight of mass cancels
    settings: float = 0.0  # weight of changes of bands and self-trade prevention
    stubs: float = 0.02  # chance of a price far away


REGIMES = (
    Regime("quiet", 5, 3, 2, 0.3, 0.05, (8, 1, 0.5, 0.5), 8, 1, 20),
    Regime("crossing", 6, 1, 3, 0.2, 0.05, (6, 4, 0.5, 0.5), 4, 2, 40, 0.25),
    Regime("stops", 6, 1, 3, 0.3, 0.05, (5, 1.5, 2.5, 2.5), 6, 1, 12),
    Regime("replacing", 3, 1, 6, 0.3, 0.05, (6, 0.7, 1, 1.5), 5, 1, 15),
    Regime("sessions", 5, 2, 2, 1.0, 1.0, (6, 1, 1, 1), 5, 1, 20),
    Regime("wide", 5, 3, 2, 0.3, 0.05, (8, 0.6, 1, 1), 100_000, 10_000, 1_000),
)

EVERYTHING = (
    Regime("mixture", 7, 2.5, 2, 0.3, 0.1, (6, 2, 1, 1), 5, 2, 15, 0.08, 0.6, 0.15, 0.05, 0.05),
    Regime("narrow", 8, 1.5, 2, 0.3, 0.05, (5, 2, 1, 1), 2, 1, 12, 0.1, 0.7, 0.1, 0.05, 0.05),
    Regime("auctions", 7, 1.5, 1.5, 0.3, 0.2, (5, 2, 1, 1), 4, 3, 15, 0.02, 0.6, 0.8, 0.05, 0.05),
    Regime("links", 7, 2, 2, 0.3, 0.1, (5, 3, 1, 1), 4, 2, 20, 0.05, 0.9, 0.15, 0.05, 0.02),
)

CROWDS = (4, 20, 50, 150)  # live orders a market that commands steer to


def guarded_of(markets: int) -> int:
    """The one market of a plain stream in which self-trades are prevented."""
    return markets // 2


def prepare(core: Any, markets: int) -> None:
    """What a core must be told before it is fed with a plain stream."""
    core.prevent_self_trades(guarded_of(markets), int(SelfTrade.CANCEL_NEWEST))


class Generator:
    """Draws one command after another; ``core`` is the twin that has run all commands so far."""

    def __init__(self, seed: int, markets: int = 3, owners: int = 5, regimes: tuple[Regime, ...] = REGIMES) -> None:
        self.random = random.Random(seed)
        self.core = NaiveCore(markets)
        prepare(self.core, markets)
        self.markets = markets
        self.owners = owners
        self.regimes = regimes
        self.regime = self.random.choice(regimes)
        self.crowd = CROWDS[1] * markets
        self.centre = [100, -40, 0][:markets] + [1_000_000] * (markets - 3)
        self.time = 1_000
        self.bracketed: list[int] = []  # orders that a conditional order may want for a parent
        self.first: list[Command] = self._settings() if any(regime.features for regime in regimes) else []

    def next(self) -> Command:
        """One command, already run by the twin."""
        if self.random.random() < 0.005:
            self.regime = self.random.choice(self.regimes)
            self.crowd = self.random.choice(CROWDS) * self.markets
        command = self.first.pop(0) if self.first else self._draw()
        answer = apply(self.core, command)
        if command[0] == "new" and command[7] & PARENT:
            self.bracketed = [*self.bracketed[-20:], answer]
        return command

    def _draw(self) -> Command:
        draw = self.random
        self.time += draw.choice((0, 0, 0, 1, 2, 5))  # ties are common
        now = self.regime
        crowded = 2.0 if len(self.core.live) > self.crowd else 0.3
        reopen = 20.0 if any(book.phase != CONTINUOUS for book in self.core.books) else 1.0
        draws = (
            (self._new, now.new / crowded),
            (self._cancel, now.cancel * crowded),
            (self._replace, now.replace),
            (self._expire, now.expire),
            (self._session, now.sessions * (1.0 if now.phases else reopen)),
            (self._phase, now.phases),
            (self._mass_cancel, now.mass),
            (self._setting, now.settings),
        )
        kinds, weights = zip(*draws, strict=True)
        command: Command = draw.choices(kinds, weights)[0]()
        return command

    # -- new --------------------------------------------------------------------------------------------------

    def _new(self) -> Command:
        draw = self.random
        market = draw.randrange(self.markets)
        side = draw.choice((BUY, SELL))
        if draw.random() < self.regime.features:
            return self._new_with_features(market, side)
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
            "flags": (6, POST_ONLY if not self.regime.features else draw.randrange(32) & ~2),
            "order id": (11, draw.choice((self._order_id(), draw.randint(1, self.core.highest + 2)))),
            "own id": (11, self.core.highest + draw.randint(1, 3)),
        }
        if self.regime.features:
            breaks["life"] = (5, draw.randint(1, 7))
            if arguments[4] in (TRAILING_STOP, MARKET_TO_LIMIT, *PEGS):
                breaks["a life that ends at once"] = (5, draw.choice((IOC, FOK)))
            breaks["display"] = (12, draw.choice((-1, 1, arguments[9], arguments[9] + 1)))
            breaks["minimum"] = (13, draw.choice((-1, 1, arguments[9], arguments[9] + 1)))
            breaks["parts"] = (12, max(arguments[9] // 20_000, 1))
            breaks["parent"] = (14, draw.choice((-1, self._any_id(), self._order_id())))
            breaks["partner"] = (15, draw.choice((-1, self._any_id(), self._order_id())))
        arguments += [0] * (16 - len(arguments))
        for name in draw.sample(sorted(breaks), draw.choice((1, 1, 1, 2, 3))):
            place, value = breaks[name]
            arguments[place] = value
            if name == "parts":
                arguments[9] = 10_000 * value + draw.choice((0, 1))

    def _new_with_features(self, market: int, side: int) -> Command:
        """An order with a newer type, life or instruction: mostly one that is taken."""
        draw = self.random
        book = self.core.books[market]
        price, stop_price, life, flags, display, minimum, parent, partner = (
            self._price(market, side),
            0,
            GTC,
            0,
            0,
            0,
            0,
            0,
        )
        quantity = self._quantity(market, side, 0.05)
        order_type = LIMIT
        what = draw.choices(
            ("iceberg", "hidden", "slide", "minimum", "peg", "trailing", "market-to-limit", "auction", "link"),
            (3, 3, 1, 1, 3, 2, 1.5, 2 if book.phase == CONTINUOUS else 5, 6 if self.regime.name == "links" else 2),
        )[0]
        if what == "iceberg":
            display, life = draw.randint(1, max(1, quantity // 2)), draw.choice((GTC, GTC, DAY, AT_CLOSE))
        elif what == "hidden":
            flags, minimum = HIDDEN, draw.choice((0, 0, 1, 2, quantity))
        elif what == "slide":
            flags = POST_ONLY | SLIDE
        elif what == "minimum":
            order_type, life, minimum = draw.choice((LIMIT, MARKET)), IOC, draw.randint(1, quantity)
        elif what == "peg":
            order_type, minimum = draw.choice(PEGS), draw.choice((0, 0, 0, 0, 2))
            stop_price, price = draw.choice((0, 0, 1, 2)), price + side * draw.choice((-1, 2, 10, 10))
            stop_price += order_type == MARKET_PEG
        elif what == "trailing":
            order_type, stop_price = TRAILING_STOP, draw.randint(1, 3)
        elif what == "market-to-limit":
            order_type = MARKET_TO_LIMIT
        elif what == "auction":
            order_type = draw.choice((LIMIT, LIMIT, MARKET))
            life = draw.choice((AT_OPEN, AT_CLOSE, GTC)) if draw.random() < 0.8 else draw.choice((IOC, FOK, DAY))
        else:
            order_type = draw.choice((LIMIT, LIMIT, *STOPS))
            flags, parent, partner = self._links(market)
            if order_type in STOPS:
                stop_price = draw.randint(1, 3) if order_type == TRAILING_STOP else self._stop_price(market, side)
        if minimum and book.phase != CONTINUOUS and draw.random() < 0.8:
            minimum = 0
        if life == GTC and draw.random() < 0.2:
            life = DAY
        quantity = min(quantity, LARGEST_PRO_RATA) if book.pro_rata else quantity
        owner = self.core.live[partner].owner if partner in self.core.live else draw.randrange(self.owners)
        if parent in self.core.used and parent:
            known = self.core.live.get(parent) or self.core.remembered.get(parent)
            owner = known.owner if known else owner
        arguments = [
            self.time, owner, market, side, order_type, life, flags, price, stop_price, quantity, 0, 0, display,
            min(minimum, quantity), parent, partner,
        ]  # fmt: skip
        if draw.random() < 0.05:
            self._spoil_new(arguments)
        return ("new", *arguments)

    def _links(self, market: int) -> tuple[int, int, int]:
        """Flags, parent and partner of an order that is linked, or that others may be linked to."""
        draw = self.random
        if draw.random() < 0.3:
            return PARENT, 0, 0
        here = [order for order in self.core.live.values() if order.market == market]
        parents = [order.order_id for order in here if order.order_type not in PEGS]
        parents += [order_id for order_id in self.bracketed if self._knows(order_id, market)]
        parent = draw.choice(parents) if parents and draw.random() < 0.6 else 0
        known = self.core.live.get(parent) or self.core.remembered.get(parent)
        alone = [order for order in here if order.partner is None and (known is None or order.owner == known.owner)]
        siblings = [order.order_id for order in alone if known is not None and order.parent is known]
        others = siblings or [order.order_id for order in alone]
        partner = draw.choice(others) if others and draw.random() < 0.6 else 0
        return draw.choice((0, 0, PARENT)), parent, partner if partner != parent else 0

    def _knows(self, order_id: int, market: int) -> bool:
        order = self.core.remembered.get(order_id)
        return order is not None and order.market == market

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
        if draw.random() < self.regime.stubs:  # far stub quotes
            return self.centre[market] + draw.choice((-1, 1)) * draw.randint(1_000, 10**9)
        if book.traded is not None and abs(book.last - self.centre[market]) < 50 and draw.random() < 0.2:
            return book.last
        return self.centre[market] - side * draw.randint(-self.regime.cross, self.regime.reach)

    def _stop_price(self, market: int, side: int) -> int:
        """Mostly on the far side of the last price, so that it waits; sometimes already triggered."""
        book: Book = self.core.books[market]
        last = self.centre[market] if book.traded is None else book.last
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

    # -- cancel, replace, expire, phases, settings ----------------------------------------------------------------

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
        if order.order_type in (TRAILING_STOP, *PEGS):
            stop_price = order.stop_price + draw.choice((-1, 0, 0, 0, 1))
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
        if 0 < order.display < 1_000 and draw.random() < 0.05:
            quantity = 10_000 * order.display + draw.choice((0, 1))
        if draw.random() < 0.01:
            price = draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))
        if draw.random() < 0.01:
            stop_price = draw.choice((LARGEST + 1, -LARGEST - 1, 2**62, -(2**63)))
        return ("replace", self.time, self._owner(order), order.order_id, price, quantity, stop_price)

    def _expire(self) -> Command:
        return ("expire", self.time, self._order_id())

    def _session(self) -> Command:
        """A session of a market ends or begins."""
        closed = [book.number for book in self.core.books if book.phase == CLOSED]
        if closed and self.random.random() < 0.9:
            return self._to(self.random.choice(closed), CONTINUOUS)
        return self._to(self.random.randrange(self.markets), CLOSED)

    def _phase(self) -> Command:
        """Any phase after any other; back to continuous trading more often than not."""
        draw = self.random
        elsewhere = [book.number for book in self.core.books if book.phase != CONTINUOUS]
        if elsewhere and draw.random() < 0.5:
            return self._to(draw.choice(elsewhere), CONTINUOUS)
        return self._to(draw.randrange(self.markets), int(draw.choice(list(Phase))))

    def _to(self, market: int, phase: int) -> Command:
        return ("set_phase", self.time, market, phase, int(Reason.SCHEDULE))

    def _mass_cancel(self) -> Command:
        first = self.random.randrange(self.markets)
        last = self.random.randrange(first, self.markets)
        reason = self.random.choice((Reason.BY_MASS_CANCEL, Reason.DISCONNECTED))
        return ("cancel_owner", self.time, self.random.randrange(self.owners + 1), first, last, int(reason))

    def _setting(self) -> Command:
        draw = self.random
        market = draw.randrange(self.markets)
        if draw.random() < 0.5:
            return ("prevent_self_trades", market, int(draw.choice(list(SelfTrade))))
        centre, action = self.centre[market], int(draw.choice(list(BandAction)))
        static = draw.choice((4, 6, 10, FAR))
        return ("set_bands", market, centre - static, centre + static, draw.choice((0, 0, 2, 3, 5)), action)

    def _settings(self) -> list[Command]:
        """What is set once: accounts, reference prices, and how markets allocate."""
        draw = self.random
        first: list[Command] = [("set_account", self.owners - 1, 1)]
        for market in range(self.markets):
            first.append(("set_reference", market, self.centre[market]))
            first.append(("prevent_self_trades", market, int(draw.choice(list(SelfTrade)))))
            if draw.random() < 0.4:
                terms = (draw.choice((0, 0, 2, 100)), draw.choice((0, 25, 40, 100)), draw.choice((0, 2, 5)))
                first.append(("set_allocation", market, True, *terms))
        return first


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
