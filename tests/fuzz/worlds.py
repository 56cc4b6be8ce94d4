"""Whole markets in which compiled and Python agents do anything at all: any order, any number, any market, any time.

Venues of spot and of contracts, halts, bands, auctions, throttles, every fault of the network. The run must come to its
end; then the core is sound, the log tells the core's book, and no request is without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

import marketsim as ms
from marketsim import policies as p
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.trading.order import Order
from tests.fuzz.campaign import Trace, accepts
from tests.fuzz.replayed import compare_books
from tests.fuzz.values import NO_INTS, WORDS, anything, word64

WHAT, WHEN, ODD, WHICH = (p.purpose_of(name) for name in ("what", "when", "odd", "which"))
LENGTH = "3s"
_ANSWERS = (
    EventKind.ACCEPTED,
    EventKind.REJECTED,
    EventKind.CANCEL_REJECTED,
    EventKind.REPLACE_REJECTED,
    EventKind.REPLACED,
)
_REQUESTS = (
    Kind.NEW,
    Kind.NEW,
    Kind.CANCEL,
    Kind.REPLACE,
    Kind.QUERY,
    Kind.SUBSCRIBE,
    Kind.ASK_VOLUME,
    Kind.MASS_CANCEL,
    Kind.SNAPSHOT_REQUEST,
)


@p.compiled
def odd(me, seen, place, least, most):
    """Mostly a number between two, sometimes one at the edge of what fits."""
    draw = me.draw * 16 + place
    what = p.uniform(seen.key, ODD, draw)
    if what >= me.hostile:
        return least + p.below(seen.key, WHICH, draw, most - least + 1)
    edge = p.below(seen.key, WHICH, draw, 12)
    if edge < 4:
        return edge - 2
    if edge < 8:
        return (1 << 53) + edge - 6
    if edge < 10:
        return ((1 << 62) - 1) * 2 + edge - 8
    return -((1 << 62) - 1) * 2 - edge + 8


@p.compiled
def misbehave(me, seen, out):
    what = p.uniform(seen.key, WHAT, me.draw)
    if what < 0.6:
        side = odd(me, seen, 0, 0, 1) * 2 - 1 if what < 0.55 else odd(me, seen, 0, -1, 1)
        plain = p.uniform(seen.key, WHEN, me.draw) < 0.4
        me.last = p.place_special(
            out,
            side,
            1 if plain else odd(me, seen, 1, 1, 9),
            1 if plain else odd(me, seen, 2, 1, 7),
            0 if plain else odd(me, seen, 3, 0, 31),
            odd(me, seen, 4, 9_990, 10_010),
            0 if plain else odd(me, seen, 5, -3, 3),
            odd(me, seen, 6, 1, 20),
            0 if plain else odd(me, seen, 7, 0, 3),
            0 if plain else odd(me, seen, 8, 0, 2),
            0 if plain or what < 0.5 else odd(me, seen, 9, 0, me.last),
            0 if plain or what < 0.45 else odd(me, seen, 10, 0, me.last),
        )
    elif what < 0.7:
        p.cancel_lots(out, odd(me, seen, 0, 0, me.last + 1), odd(me, seen, 1, 0, 3))
    elif what < 0.72:
        p.cancel_everything(out)
    elif what < 0.75:
        p.cancel_all(out)
    elif what < 0.8:
        p.subscribe_every(out, odd(me, seen, 0, 0, 255), odd(me, seen, 1, 0, 10_000_000))
    elif what < 0.85:
        p.ask_volume(out, odd(me, seen, 0, 0, 1_000_000_000))
    elif what < 0.9:
        p.watch_imbalance(out, p.uniform(seen.key, ODD, me.draw) * 2.0 - 0.5)
    elif what < 0.95:
        p.timer_at(out, seen.now + odd(me, seen, 0, 0, 1_000_000), odd(me, seen, 1, 0, 9))
    else:
        p.ask_quote(out)


@dataclass
class Wild(ms.CompiledAgent):
    """Does anything that a policy may."""

    pause: int | str = field(default="5ms", metadata={"unit": "duration"})
    hostile: float = 0.1
    draw: int = field(default=0, init=False)
    last: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START or seen.kind == p.WAKE:
            me.draw += 1
            p.wake_at(out, seen.now + 1 + int(me.pause * p.exponential(seen.key, WHEN, me.draw)))
            misbehave(me, seen, out)
        elif p.find_working(out, seen.order_id).order_id == seen.order_id and seen.kind == p.FILL:
            p.cancel(out, seen.order_id)


@dataclass
class Rascal(ms.Agent):
    """Does anything that a Python agent may, and what only its session may."""

    pause: int = 5_000_000

    def on_start(self) -> None:
        self.draw: Random = _now[0]
        self.trace: Trace = _now[1]
        self.book = self.keep_book()
        self.after(1, self.act)

    def act(self) -> None:
        self.after(1 + int(self.draw.random() * self.pause), self.act)
        name = self.draw.choice(
            ("_order", "_order", "_garbage", "_wire", "_wire", "_wire", "_change", "_change", "_hear")
        )
        try:
            getattr(self, name)()
        except Exception as error:
            if not accepts(error) and not isinstance(error, TypeError):
                raise

    def _do(self, name: str, *given: Any, **terms: Any) -> Any:
        self.trace.note(name, *given, terms)
        return getattr(self, name)(*given, **terms)

    def _order(self) -> None:
        draw = self.draw
        terms: dict[str, Any] = {}
        if draw.random() < 0.8:
            terms["limit"] = 10_000 + word64(draw, 8) if draw.random() < 0.9 else word64(draw)
        for name, choices in (
            ("stop", (10_000, 9_999)),
            ("time_in_force", list(ms.TimeInForce)),
            ("post_only", (True, "slide")),
            ("expire", (self.now + 9,)),
            ("display", (1, 0, -1)),
            ("hidden", (True,)),
            ("minimum", (1, 9)),
            ("trail", (1, 0)),
            ("peg", ("primary", "mid", "market", "x")),
            ("offset", (0, 1)),
            ("to_limit", (True,)),
            ("partner", self.orders()),
            ("parent", self.orders()),
            ("venue", ("X1", "X2", "X3")),
            ("position", ("long", "short", "")),
            ("tag", ("a",)),
        ):
            if choices and draw.random() < 0.08:
                terms[name] = draw.choice(choices)
        self._do("order", draw.choice((ms.BUY, ms.SELL)), draw.choice(self.instruments), word64(draw, 9), **terms)

    def _garbage(self) -> None:
        """Values of wrong types, for any argument."""
        draw = self.draw
        value = draw.choice((*NO_INTS, *WORDS[:20], anything(draw)))
        name, given, terms = draw.choice(
            (
                ("order", [ms.BUY, self.instrument, 1], {"limit": 1}),
                ("ask_volume", ["1s"], {}),
                ("ask_quote", [], {"venue": "X1"}),
                ("subscribe", [], {"bars": "1s", "interval": "1ms", "imbalance": 0.5, "venue": "X1"}),
                ("route", [ms.BUY, self.instrument, 5], {"limit": 10_000, "style": "spray", "patience": "1ms"}),
                ("after", ["1ms", _nothing], {}),
                ("at", [self.now + 1, _nothing], {}),
                ("cancel_everything", [], {"venue": "X1"}),
            )
        )
        given, terms = list(given), dict(terms)
        numbers = [place for place, each in enumerate(given) if type(each) in (int, str)]
        if terms and (draw.random() < 0.6 or not numbers):
            terms[draw.choice(list(terms))] = value
        elif numbers:
            given[draw.choice(numbers)] = value
        self._do(name, *given, **terms)

    def _wire(self) -> None:
        """What a session sends, with any fields."""
        draw, session = self.draw, self._session
        fields = [
            draw.choice((0, 1, 2, 3, word64(draw))),
            draw.choice((0, 1, 5, word64(draw, 50))),
            draw.choice((1, -1, word64(draw))),
            word64(draw, 9),
            word64(draw, 7),
            word64(draw, 31),
            10_000 + word64(draw, 9) % 20,
            word64(draw, 3),
            word64(draw, 20),
            draw.choice((0, self.now + 5, word64(draw))),
            *(word64(draw, 3) for _ in range(4)),
        ]
        kind = draw.choice(_REQUESTS)
        if kind in (Kind.NEW, Kind.CANCEL, Kind.REPLACE, Kind.MASS_CANCEL):
            fields[0] = draw.choice((0, 1))  # a session looks its reports up by their markets
        if kind is Kind.SUBSCRIBE:
            fields[7] = draw.choice((0, -1, 2**62, 10**7))  # the length of bars: one each ns would be no bounded run
        self.trace.note("send", kind.name, *fields)
        session._wire.send(session.number, self.now, kind, *fields)

    def _change(self) -> None:
        draw, live = self.draw, self.orders()
        if not live:
            return
        order: Order = draw.choice(live)
        if draw.random() < 0.5:
            self._do("cancel", order, word64(draw, 3))
        else:
            self._do("replace", order, limit=10_000 + word64(draw, 5), quantity=word64(draw, 9))

    def _hear(self) -> None:
        draw = self.draw
        names = draw.sample(["quotes", "trades", "levels", "orders", "status", "indicative"], draw.randint(0, 3))
        terms: dict[str, Any] = dict.fromkeys(names, True)
        if draw.random() < 0.3:
            terms["interval"] = draw.choice(("1ms", 0, -1, 2**62, "20ms"))
        if draw.random() < 0.2:
            terms["bars"] = draw.choice(("10ms", 0, -5, 2**63 - 1))
        self._do("subscribe", draw.choice(self.instruments), **terms)


def _nothing() -> None:
    pass


_now: list[Any] = [None, None]  # chance and trace of the case under way: agents are copied when they are added


def _market(draw: Random) -> ms.Simulation:
    abc = ms.Instrument("ABC", "0.01", 1, 100)
    sim = ms.Simulation(draw.getrandbits(32), LENGTH, latency=ms.LogNormal(median="1ms", sigma=0.5))
    terms: list[dict[str, Any]] = [
        {"throttle": ("50/s", 5)},
        {"cancel_on_disconnect": "100ms", "heartbeat": "100ms"},
        {"self_trades": "cancel_both"},
        {"bands": {"static": "1%", "dynamic": "0.1%"}, "interruptions": {"auction": "100ms"}},
        {"maker_fee": "-1bps"},
        {"processing": "20us"},
    ]
    chosen: dict[str, Any] = {}
    for each in draw.sample(terms, draw.randint(0, 3)):
        chosen |= each
    sim.add_venue("X1", [abc, ms.Instrument("DEF", "0.01", 1, 100)], **chosen)
    if draw.random() < 0.7:
        sim.add_venue("X2", [abc], processing="5us")
    if draw.random() < 0.5:
        contract = ms.Instrument("C", "0.01", 1, 100, kind="perpetual", funding_every="500ms", funding_rate="0.001")
        sim.add_venue("X3", [contract], clearing={"every": "100ms", "insurance_fund": 10})
    sim.add_agents(ms.agents.Noise(rate="20/s"), 5, "noise")
    sim.add_agents(
        Wild(hostile=draw.choice((0.0, 0.05, 0.3))), 4, "wild", computation=draw.choice(("0ns", "5us")), cash=1_000
    )
    sim.add_agents(Rascal(), 2, "rascal", cash=100)
    faults: list[Any] = [
        ms.Loss(0.1),
        ms.Duplicates(0.2),
        ms.Delays(0.1, "30ms"),
        ms.Disconnect("1s", "1200ms"),
        ms.Outages(between="500ms", lasting="50ms"),
        ms.Spike("500ms", "700ms", "40ms"),
    ]
    for fault in draw.sample(faults, draw.randint(0, 4)):
        sim.add_fault(fault, draw.choice((None, ["rascal", "wild"])))
    if draw.random() < 0.5:
        sim.halt("1s", draw.choice((None, "ABC")), duration="200ms")
    return sim


def worlds(draw: Random, trace: Trace) -> int:
    """Each request that the venues answered is an input."""
    _now[:] = draw, trace
    execution = _market(draw).start()
    execution.advance(LENGTH)
    core = execution.world.core
    core.check()
    run = execution.finish()
    assert run.complete, run.manifest.status
    core.check()
    compare_books(run.events, core, len(run.markets))
    return int(np.isin(run.events["kind"], _ANSWERS).sum())
