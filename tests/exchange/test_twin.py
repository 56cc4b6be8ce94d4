"""The core against its naive twin, command by command, with a third opinion from the rows alone.

Equal rows are compared as digests of their bytes every hundred commands; every invariant of the page's last section is
checked after each command, by the core's own ``check``, by the twin's, and by an audit that sees nothing but rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from audit import Audit, Row, check_answer
from commands import (
    EVERYTHING,
    REGIMES,
    SETTINGS,
    Command,
    Generator,
    Regime,
    apply,
    generate,
    guarded_of,
    prepare,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import CASES, NaiveCore
from naive_book import BUY, SELL

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, SelfTrade, TimeInForce
from marketsim.domain.phase import BandAction, Phase
from marketsim.exchange.core import MatchingCore
from marketsim.kernel.compiled import UNCOMPILED

MARKETS = 3
BATCH = 100
CHECK_EVERY = 25 if UNCOMPILED else 1  # the core's check walks its free lists, slowly where nothing is compiled
IN_A_CORE = {Reason(number) for number in (*range(18), *range(19, 27), Reason.DISCONNECTED)} - {Reason.END_OF_TIME}

# Told by the venue around the core: its clock of auctions, its clearing house, and its sessions.
NOT_OF_A_CORE = {
    EventKind.INDICATIVE,
    EventKind.MARK,
    EventKind.FUNDING,
    EventKind.SETTLED,
    EventKind.LIQUIDATION,
    EventKind.MARGIN_CALL,
    EventKind.DISCONNECTED,
    EventKind.RECONNECTED,
}


def digest(rows: object) -> str:
    return hashlib.blake2b(np.asarray(rows, dtype=EVENT).tobytes(), digest_size=16).hexdigest()


def named(row: Row) -> dict[str, int]:
    return dict(zip(EVENT.names or (), row, strict=True))


def first_difference(core_rows: Iterable[Row], twin_rows: Iterable[Row]) -> str:
    for number, (ours, theirs) in enumerate(zip(core_rows, twin_rows, strict=False)):
        if ours != theirs:
            return f"row {number}\n core {named(ours)}\n twin {named(theirs)}"
    return "one has more rows than the other"


class Trial:
    """A core and its twin that are given the same commands."""

    def __init__(self, markets: int = MARKETS, core: MatchingCore | None = None) -> None:
        self.core = core or MatchingCore(markets)
        self.twin = NaiveCore(markets)
        for side in (self.core, self.twin):
            prepare(side, markets)
        self.audit = Audit()
        self.audit.set("prevent_self_trades", guarded_of(markets), int(SelfTrade.CANCEL_NEWEST))
        self.markets = markets
        self.commands = 0
        self.done = 0
        self.compared = 0

    def run(self, command: Command, *, twin_has_run: bool = False) -> None:
        """One command on both; the twin may be one that has just run it (the generator's)."""
        answer = apply(self.core, command)
        if not twin_has_run:
            apply(self.twin, command)
        rows = self.twin.rows[self.done :]
        self.done = len(self.twin.rows)
        if command[0] in SETTINGS:
            self.audit.set(*command)
            return
        if command[0] == "new":
            assert answer == rows[0][1], f"{command} answered {answer}, the twin {rows[0][1]}"
        self.commands += 1
        if self.commands % CHECK_EVERY == 0:
            self.core.check()
        self.twin.check()
        self._judge(command, answer, rows)
        if self.core.last_rows().tolist() != rows:
            pytest.fail(f"{command}\n{first_difference(self.core.last_rows().tolist(), rows)}")
        trades = [(row[2], row[3], row[4]) for row in rows if row[9] == EventKind.TRADE]
        if command[0] != "set_phase":
            assert self.core.fills() == trades

    def _judge(self, command: Command, answer: int, rows: list[Row]) -> None:
        self.audit.feed(rows)
        order_id = answer if command[0] == "new" else command[3] if command[0] in ("cancel", "replace") else 0
        check_answer(command[0], order_id, rows)
        self.audit.settle({row[8] for row in rows if row[8] < self.markets})

    def compare(self) -> None:
        """Rows since the last comparison by digest, and the whole visible state, also as the rows tell it."""
        self.core.check()
        core_rows = self._new_rows()
        twin_rows = self.twin.rows[self.compared :]
        if digest(core_rows) != digest(twin_rows):
            pytest.fail(first_difference(core_rows.tolist(), twin_rows))
        self.compared = len(self.twin.rows)
        for market in range(self.markets):
            assert self.core.best(market) == self.twin.best(market)
            assert self.core.phase(market) == self.twin.books[market].phase
            assert self.core.indicative(market) == self.twin.indicative(market)
            for side in (BUY, SELL):
                depth = self.twin.depth(market, side)
                assert self.core.depth(market, side) == depth == self.audit.depth(market, side)
                queues = self.audit.queues(market, side)
                for price, _, _ in depth:
                    assert self.core.queue(market, side, price) == queues[price]
                for price, _, _ in depth[:3]:  # its own view is slow on deep books
                    assert self.twin.queue(market, side, price) == queues[price]
                stops = self.twin.stops(market, side)
                assert self.core.stops(market, side) == stops == self.audit.stops(market, side)

    def _new_rows(self) -> np.ndarray:
        """The core's rows since the last comparison; all its rows are copied only when its chunk was changed."""
        fresh, used = len(self.twin.rows) - self.compared, self.core.events_in_chunk
        if fresh <= used:
            return np.asarray(self.core._chunk.rows[used - fresh : used])
        return self.core.events()[self.compared :]


RARE = {  # what a hundred thousand commands may not visit; each has its card
    "bands: IOC canceled",
    "election: nothing active",
    "enter: FOK canceled",
    "enter: IOC canceled",
    "execute: FOK left over",
    "replace: b market-to-limit with a limit",
    "stop: both sides elected",
    "uncross: again after links",
}


def run_stream(seed: int, count: int, regimes: tuple[Regime, ...] = REGIMES, markets: int = MARKETS) -> Trial:
    trial = Trial(markets)
    generator = Generator(seed, markets, regimes=regimes)
    trial.twin = generator.core
    for number in range(1, count + 1):
        trial.run(generator.next(), twin_has_run=True)
        if number % BATCH == 0:
            trial.compare()
    trial.compare()
    assert digest(trial.core.events()) == digest(trial.twin.rows)
    return trial


def test_ten_thousand_plain_commands() -> None:
    """Digests every 100, invariants after each."""
    trial = run_stream(seed=2025, count=10_000)
    assert len(trial.audit.gone) > 2_000
    assert trial.twin.cases["election: cascade"] > 100, "stops must elect stops often"


@pytest.mark.parametrize("seed", range(8))
def test_commands_of_every_kind(seed: int) -> None:
    run_stream(seed, 400, EVERYTHING)


@pytest.mark.slow
def test_a_hundred_thousand_commands_of_every_kind() -> None:
    """Many lives of 1,000 commands each, so that settings vary; together they visit every case of the page."""
    cases: Counter[str] = Counter()
    kinds: Counter[int] = Counter()
    reasons: Counter[int] = Counter()
    for seed in range(1_000, 1_150):
        trial = run_stream(seed, 1_000, (*EVERYTHING, *EVERYTHING, *REGIMES))
        cases.update(trial.twin.cases)
        kinds.update(row[9] for row in trial.twin.rows)
        reasons.update(row[11] for row in trial.twin.rows)
    assert cases.keys() <= set(CASES)
    assert {case for case in CASES if cases[case] < 5} <= RARE
    assert set(EventKind) - {EventKind(kind) for kind in kinds} == NOT_OF_A_CORE
    assert {Reason(reason) for reason in reasons} >= IN_A_CORE


@pytest.mark.boundscheck
@pytest.mark.uncompiled
@pytest.mark.parametrize("regime", [*REGIMES, *EVERYTHING], ids=lambda regime: regime.name)
def test_each_regime_from_an_empty_book(regime: Regime) -> None:
    for seed in range(5):
        run_stream(seed, 150, (regime,), markets=2)


YOUNG = Regime("young", 9, 1, 1, 0.1, 0.1, (2, 1, 3, 3), 3, 1, 6)


@pytest.mark.boundscheck
def test_young_markets() -> None:
    """Many short lives: what can only happen before a market's first trades happens here."""
    cases: Counter[str] = Counter()
    for seed in range(150):
        cases.update(run_stream(seed, 40).twin.cases)
        cases.update(run_stream(seed, 40, (YOUNG,)).twin.cases)
    assert cases["stop: waits, market never traded"] > 200
    assert cases["stop: both sides elected"] > 20
    assert cases.keys() <= set(CASES)


def test_a_stream_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert generate(5, 300) == generate(5, 300)
    assert generate(5, 300) != generate(6, 300)


# --- tables that must grow -----------------------------------------------------------------------------------------

LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
STOP, STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
GTC, DAY = int(TimeInForce.GTC), int(TimeInForce.DAY)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)


def new(time: int, side: int, order_type: int, price: int, stop_price: int, quantity: int, **more: int) -> Command:
    terms = {"owner": 1, "market": 2, "time_in_force": GTC, "flags": 0, "expire": 0, "order_id": 0, **more}
    return (
        "new", time, terms["owner"], terms["market"], side, order_type, terms["time_in_force"], terms["flags"], price,
        stop_price, quantity, terms["expire"], terms["order_id"],
    )  # fmt: skip


def feed(trial: Trial, commands: Iterable[Command]) -> None:
    """Run commands; twin and audit are slow on deep books, so they judge at the end."""
    before = len(trial.twin.rows)
    for command in commands:
        apply(trial.core, command)
        apply(trial.twin, command)
        trial.core.check()
    trial.audit.feed(trial.twin.rows[before:])
    trial.done = len(trial.twin.rows)
    trial.audit.settle(range(trial.markets))
    trial.compare()


@pytest.mark.boundscheck
def test_one_order_sweeps_thousands_of_levels() -> None:
    """More orders and levels than any table begins with, then one request that trades with all of them."""
    trial = Trial()
    prices = [(number * 7919) % 1_100 for number in range(1_100)]  # every price once, in a shuffled order
    feed(trial, [new(number, SELL, LIMIT, price, 0, 1 + price % 3) for number, price in enumerate(prices)])
    assert len(trial.core.depth(2, SELL)) == 1_100
    total = trial.core.depth(2, SELL)
    feed(trial, [new(9_999, BUY, LIMIT, 1_100, 0, sum(level[1] for level in total), time_in_force=FOK)])
    assert trial.core.depth(2, SELL) == []
    assert trial.twin.cases["execute: maker filled"] == 1_100


@pytest.mark.boundscheck
def test_one_trade_elects_thousands_of_stops() -> None:
    """A trade below every stop sets off all of them: each rests at a price of its own, which no table has room for."""
    trial = Trial()
    feed(trial, [new(0, BUY, LIMIT, 10, 0, 1), new(0, SELL, LIMIT, 10, 0, 1)])
    stops = range(1_100)
    feed(trial, [new(1, SELL, STOP_LIMIT, 100_000 + stop * 3, 9 - stop % 5, 2) for stop in stops])
    feed(trial, [new(1, BUY, STOP_LIMIT, -100_000 - stop, 11 + stop % 3, 2) for stop in stops])
    feed(trial, [new(2, BUY, LIMIT, 4, 0, 1), new(2, SELL, LIMIT, 4, 0, 1)])
    assert len(trial.core.depth(2, SELL)) == 1_100
    feed(trial, [new(3, SELL, LIMIT, 50, 0, 1), new(3, BUY, LIMIT, 50, 0, 1)])
    assert len(trial.core.depth(2, BUY)) == 1_100
    assert trial.twin.cases["election: stop-limit"] == 2_200


@pytest.mark.boundscheck
def test_a_long_queue_at_one_price_is_canceled_from_its_middle() -> None:
    trial = Trial()
    feed(trial, [new(0, BUY, LIMIT, 10, 0, 2) for _ in range(1_100)])
    feed(trial, [("cancel", 1, 1, (number * 677) % 1_100 + 1, number % 3) for number in range(700)])
    feed(trial, [new(2, SELL, MARKET, 0, 0, 700)])
    assert trial.twin.cases["execute: maker filled"] > 300


def test_more_rows_than_a_chunk_holds() -> None:
    """The log goes on in the next chunk without losing, doubling or reordering a row."""
    trial = Trial(markets=1)
    commands = [
        new(number, BUY if number % 2 else SELL, LIMIT, 10, 0, 1, market=0, owner=number % 7)
        for number in range(12_000)
    ]
    for command in commands:
        apply(trial.core, command)
        apply(trial.twin, command)
    trial.audit.feed(trial.twin.rows)
    trial.compare()
    assert len(trial.core.events()) == 18_000


@pytest.mark.parametrize("markets", [1, 2, 50])
def test_any_number_of_markets(markets: int) -> None:
    trial = run_stream(seed=markets, count=600, markets=markets)
    assert {row[8] for row in trial.twin.rows} >= set(range(markets))


def test_explicit_ids_far_apart() -> None:
    trial = Trial()
    for number, order_id in enumerate((5, 70_000, 6, 300_000, 0, 299_999, 70_000)):
        trial.run(new(number, BUY, LIMIT, 10 + number, 0, 1, order_id=order_id))
    trial.compare()
    assert trial.core.queue(2, BUY, 14) == [(300_001, 1)]


# --- small sequences, shrunk when they fail --------------------------------------------------------------------------

near = st.integers(-3, 3)
prices = st.one_of(near, near, near, st.sampled_from([2**53, -(2**53), 2**53 + 1, -(2**63), 10**12]))
quantities = st.one_of(st.integers(1, 6), st.integers(1, 6), st.sampled_from([0, -1, 2**53, 2**53 + 1]))
owners = st.integers(1, 2)
markets = st.sampled_from([0, 0, 0, 0, 1, 2, -1])
ids = st.integers(0, 9)

sides = st.sampled_from([BUY, SELL])
types = st.sampled_from([LIMIT, LIMIT, *(int(order_type) for order_type in OrderType)])
lives = st.sampled_from([GTC, GTC, *(int(life) for life in TimeInForce)])
flags = st.sampled_from([0, 0, 0, 1, 4, 9, 16, int(OrderFlag.SLIDE), int(OrderFlag.POST_ONLY | OrderFlag.HIDDEN)])
expires = st.sampled_from([0, 0, 0, 9])
given_ids = st.sampled_from([0, 0, 0, 0, 3, 7])
amounts = st.sampled_from([0, 0, 0, 1, 2, -1])
links = st.sampled_from([0, 0, 0, 1, 2, 3, -1])

any_new = st.tuples(
    st.just("new"), st.just(5), owners, markets, sides, types, lives, flags, prices, prices, quantities, expires,
    given_ids, amounts, amounts, links, links,
)  # fmt: skip
good_new = st.tuples(
    st.just("new"), st.just(5), owners, st.just(0), sides, types, st.sampled_from([GTC, GTC, DAY, IOC, FOK]),
    st.just(0), near, near, st.integers(1, 6), st.just(0), st.just(0),
)  # fmt: skip
linked_new = st.tuples(
    st.just("new"), st.just(5), st.just(1), st.just(0), sides, st.sampled_from([LIMIT, LIMIT, STOP, STOP_LIMIT]),
    st.just(GTC), st.sampled_from([0, 16]), near, near, st.integers(1, 6), st.just(0), st.just(0), st.just(0),
    st.just(0), st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip
cancels = st.tuples(st.just("cancel"), st.just(6), owners, ids, st.integers(-1, 7))
replaces = st.tuples(st.just("replace"), st.just(7), owners, ids, prices, quantities, prices)
expiries = st.tuples(st.just("expire"), st.just(8), ids)
mass_cancels = st.tuples(
    st.just("cancel_owner"), st.just(9), owners, st.just(0), st.integers(0, 1), st.just(int(Reason.BY_MASS_CANCEL))
)
phases = st.sampled_from([0, 0, 0, *(int(phase) for phase in Phase)])
changes = st.tuples(st.just("set_phase"), st.just(9), st.integers(0, 1), phases, st.just(int(Reason.SCHEDULE)))
modes = st.tuples(st.just("prevent_self_trades"), st.integers(0, 1), st.sampled_from([int(mode) for mode in SelfTrade]))
bands = st.tuples(
    st.just("set_bands"), st.just(0), st.just(-3), st.integers(2, 3), st.integers(0, 2),
    st.sampled_from([int(action) for action in BandAction]),
)  # fmt: skip
requests = st.one_of(good_new, good_new, linked_new, any_new, cancels, replaces, expiries, mass_cancels, changes)
sequences = st.lists(requests, max_size=40)
whole_sequences = st.lists(st.one_of(requests, requests, requests, requests, modes, bands), max_size=40)


@pytest.mark.boundscheck
@settings(max_examples=400)
@given(whole_sequences)
def test_any_short_sequence(commands: list[Command]) -> None:
    trial = Trial(markets=2)
    for command in commands:
        trial.run(command)
        trial.compare()


@settings(max_examples=200)
@given(sequences)
def test_a_book_is_what_its_rows_say(commands: list[Command]) -> None:
    """Rebuilt from the core's rows alone, nothing of requests or of the twin, the book is the same."""
    core, audit = MatchingCore(2), Audit()
    for command in commands:
        apply(core, command)
        audit.feed(core.last_rows().tolist())
    for market in range(2):
        for side in (BUY, SELL):
            assert core.depth(market, side) == audit.depth(market, side)
            assert core.stops(market, side) == audit.stops(market, side)
            for price, _, _ in audit.depth(market, side):
                assert core.queue(market, side, price) == audit.queue(market, side, price)


@settings(max_examples=100)
@given(sequences)
def test_an_order_book_turned_upside_down(commands: list[Command]) -> None:
    """Buy and sell exchanged and every price negated, the core does the same thing mirrored.

    Only the rule that buy stops are elected before sell stops knows the sides apart, so stops are left out.
    """
    plain = [command for command in commands if command[0] != "new" or command[5] in (LIMIT, MARKET)]
    plain = [
        command for command in plain if command[0] != "set_phase" or command[3] in (Phase.CONTINUOUS, Phase.CLOSED)
    ]
    core, other = MatchingCore(2), MatchingCore(2)
    for command in plain:
        apply(core, command)
        apply(other, _mirrored(command))
    ours, theirs = core.events().copy(), other.events()
    ours["side"] *= -1
    ours["price"] *= -1
    assert ours.tolist() == theirs.tolist()


# --- auctions by brute force -----------------------------------------------------------------------------------------

CALLS = Regime("calls", 8, 1, 2, 0.3, 0.0, (6, 2, 1, 1), 4, 4, 15, 0.0, 0.6, 0.0, 0.02, 0.0, stubs=0.0)


@pytest.mark.uncompiled
@pytest.mark.parametrize("seed", range(12))
def test_no_tick_is_better_than_the_auction_price(seed: int) -> None:
    """Every tick tried, on what the rows tell of the orders; and what the uncross trades then."""
    trial = Trial(1)
    generator = Generator(seed, 1, regimes=(CALLS,))
    trial.twin = generator.core
    seen = 0
    for number in range(120):
        if number % 40 == 20:
            trial.run(("set_phase", generator.time, 0, int(Phase.OPENING_AUCTION), int(Reason.SCHEDULE)))
        elif number % 40 == 0:
            expected = _best_tick(trial.audit, trial.twin.books[0].last)
            before = len(trial.twin.rows)
            trial.run(("set_phase", generator.time, 0, int(Phase.CONTINUOUS), int(Reason.SCHEDULE)))
            trades = [row for row in trial.twin.rows[before:] if row[9] == EventKind.TRADE and row[14] & 64]
            if expected is not None:
                seen += 1
                assert {row[3] for row in trades[:1]} == {expected[0]}
        else:
            trial.run(generator.next(), twin_has_run=True)
            best = _best_tick(trial.audit, trial.twin.books[0].last)
            assert trial.core.indicative(0) == (best or (0, 0, 0, 0))
    assert seen > 0


def _best_tick(audit: Audit, last: int) -> tuple[int, int, int, int] | None:
    """(price, volume, surplus, its side) of the best of all ticks; None where nothing would trade."""
    sides = [
        [order for order in audit.orders.values() if order.side == side and (order.rests or order.called)]
        for side in (BUY, SELL)
    ]
    sides = [[order for order in side if order.minimum == 0 and not order.is_peg] for side in sides]
    limits = [order.price for side in sides for order in side if order.limited]
    best: tuple[tuple[int, ...], tuple[int, int, int, int]] | None = None
    for tick in range(min(limits, default=last), max(limits, default=last) + 1):
        demand, supply = (
            sum(
                order.open if order.display else order.active
                for order in side
                if not order.limited or order.side * tick <= order.side * order.price
            )
            for side in sides
        )
        rank = (min(demand, supply), -abs(demand - supply), -abs(tick - last), tick)
        surplus = demand - supply
        if rank[0] > 0 and (best is None or rank > best[0]):
            best = rank, (tick, rank[0], abs(surplus), (surplus > 0) - (surplus < 0))
    return None if best is None else best[1]


def _mirrored(command: Command) -> Command:
    turned = list(command)
    if command[0] == "new":
        turned[4], turned[8] = -command[4], _negated(command[8])
    elif command[0] == "replace":
        turned[4] = _negated(command[4])
    return tuple(turned)


def _negated(price: int) -> int:
    return price if price == -(2**63) else -price  # it has no negative; refused either way, the row shows it wrapped
