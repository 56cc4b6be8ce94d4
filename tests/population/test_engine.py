"""The engine: what messages, delays, subscriptions, timers and growing tables come to, seen from outside."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from puppets import DIARY, QUOTE, START, TIMER, WAKE, Alarm, Broken, Echo, Greedy, Undecided

from marketsim.agents.fundamental import Fundamental
from marketsim.agents.momentum import Momentum
from marketsim.agents.noise import Noise
from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.agents.zero_intelligence import ZeroIntelligence
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import BookSnapshot, LevelUpdate
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderType, Reason, Side, TimeInForce
from marketsim.errors import AgentError, InvalidValueError
from marketsim.kernel.compiled import zeros
from marketsim.network.latency import Constant, LogNormal
from marketsim.trading.book import LocalBook
from tests.population.wiring import FIELD, LATENCY, REPORT, ZERO, Crowd, Market, Meddler

MICRO, SECOND = 1_000, 1_000_000_000
LIMIT, MARKET, GTC, GTD, IOC = (
    OrderType.LIMIT,
    OrderType.MARKET,
    TimeInForce.GTC,
    TimeInForce.GTD,
    TimeInForce.IOC,
)


class Clerk:
    """A Python agent that sends what the test says and keeps what it hears."""

    def __init__(self, market: Market, name: str = "clerk") -> None:
        self.market = market
        self.rows: list[list[int]] = []
        self.number = market.join(name, self.rows.append)

    def order(self, side: int, price: int, quantity: int, depart: int = 0, **terms: int) -> int:
        fields = {"order_type": LIMIT, "time_in_force": GTC, **terms}
        now = max(depart, self.market.environment.now)
        return self.market.engine.send(
            self.number, now, Kind.NEW, fields.pop("market", 0), 0, side, price=price, quantity=quantity, **fields
        )

    def send(self, kind: Kind, market: int = 0, order_id: int = 0, **fields: int) -> None:
        self.market.engine.send(self.number, self.market.environment.now, kind, market, order_id, **fields)

    def heard(self, kind: int, field: str = "time") -> list[int]:
        return [row[FIELD[field]] for row in self.rows if row[FIELD["kind"]] == kind]

    def reports(self) -> list[tuple[EventKind, int, Reason]]:
        return [
            (EventKind(row[FIELD["kind"]] - REPORT), row[FIELD["order_id"]], Reason(row[FIELD["reason"]]))
            for row in self.rows
            if row[FIELD["kind"]] > REPORT
        ]


def clerk_market(latency: Any = ZERO, **options: Any) -> tuple[Market, Clerk]:
    market = Market(options.pop("crowds", ()), extra=[("clerk", latency)], **options)
    return market, Clerk(market)


# --- delays ----------------------------------------------------------------------------------------------------------


def test_a_message_takes_its_links_there_and_back() -> None:
    market, clerk = clerk_market(Constant(150 * MICRO), processing=0)
    clerk.order(1, 9_990, 5, depart=1_000)
    market.run(1)
    assert market.events["time"].tolist() == [151_000]
    assert clerk.heard(REPORT + EventKind.ACCEPTED) == [301_000]
    assert clerk.heard(REPORT + EventKind.ACCEPTED, "sent") == [151_000]


def test_a_busy_venue_takes_one_message_after_the_other() -> None:
    market, clerk = clerk_market(Constant(100 * MICRO), processing=30 * MICRO)
    for price in (9_990, 9_991, 9_992):
        clerk.order(1, price, 5)
    market.run(1)
    starts = [100 * MICRO, 130 * MICRO, 160 * MICRO]
    assert market.events["time"].tolist() == starts
    assert market.events["price"].tolist() == [9_990, 9_991, 9_992]
    # What the venue says leaves when it is done with the request.
    assert clerk.heard(REPORT + EventKind.ACCEPTED) == [start + 130 * MICRO for start in starts]


def test_a_queue_at_the_venue_is_served_in_the_order_of_arrival() -> None:
    market = Market(processing=50 * MICRO, extra=[("far", Constant(120 * MICRO)), ("near", Constant(100 * MICRO))])
    far, near = Clerk(market, "far"), Clerk(market, "near")
    ids = [far.order(1, 9_990, 1), near.order(1, 9_990, 1), near.order(1, 9_990, 1)]
    market.run(1)
    assert market.events["order_id"].tolist() == [ids[1], ids[2], ids[0]]
    assert market.events["time"].tolist() == [100 * MICRO, 150 * MICRO, 200 * MICRO]


@pytest.mark.uncompiled
def test_a_busy_agent_hears_one_message_after_the_other() -> None:
    market, clerk = clerk_market(crowds=[Crowd(Echo(), 1, latency=ZERO, computation=40 * MICRO)], processing=0)
    for price in (9_990, 9_991, 9_992):
        clerk.order(1, price, 5, depart=SECOND)
    market.run(2)
    me = market.state("echo")
    quotes = [(kind, time) for kind, time in zip(me["kinds"][0], me["times"][0], strict=True) if kind == QUOTE]
    assert [time for _, time in quotes if time] == [
        40 * MICRO,  # the answer to the subscription, after START
        SECOND,
        SECOND + 40 * MICRO,
        SECOND + 80 * MICRO,
    ]
    mine = market.events[market.events["owner"] == market.numbers["echo.0"]]
    assert mine["time"].tolist() == [SECOND + step * 40 * MICRO for step in (1, 2, 3)]


def test_orders_of_one_session_never_overtake_each_other() -> None:
    wild = LogNormal(median="1ms", sigma=2.0)
    market, clerk = clerk_market(wild, processing=0)
    ids = [clerk.order(1, 9_000 + n % 50, 1, depart=n * 10 * MICRO) for n in range(300)]
    market.run(3600)
    accepted = market.events[market.events["kind"] == EventKind.ACCEPTED]
    assert accepted["order_id"].tolist() == ids
    assert clerk.heard(REPORT + EventKind.ACCEPTED, "order_id") == ids
    arrivals = np.diff(accepted["time"])
    assert (arrivals >= 0).all()
    assert (arrivals == 0).any(), "nothing was held up, so nothing was tested"


def test_ties_at_the_venue_go_to_who_sent_first() -> None:
    market = Market(processing=0, extra=[("a", ZERO), ("b", ZERO)])
    a, b = Clerk(market, "a"), Clerk(market, "b")
    senders = [b, a, a, b, a]
    ids = [sender.order(1, 9_990, 1, depart=SECOND) for sender in senders]
    market.run(2)
    assert market.events["order_id"].tolist() == ids
    assert market.events["owner"].tolist() == [sender.number for sender in senders]
    assert set(market.events["time"].tolist()) == {SECOND}


def test_a_grid_rounds_arrivals_up_and_never_down() -> None:
    market, clerk = clerk_market(Constant(1_500_001), processing=0, grid=1_000_000)
    clerk.order(1, 9_990, 1)
    market.run(1)
    assert market.events["time"].tolist() == [2_000_000]
    assert clerk.heard(REPORT + EventKind.ACCEPTED) == [4_000_000]


def test_the_calendar_moves_nothing() -> None:
    epoch = 1_800_000_000_000_000_000
    crowds = [Crowd(Noise(rate=5), 10), Crowd(Momentum(rate=5, short=2, long=4), 4)]
    early, late = Market(crowds).run(3), Market(crowds, start=epoch).run(3)
    shifted = late.events.copy()
    shifted["time"] -= epoch
    assert len(shifted) > 100
    assert shifted.tobytes() == early.events.tobytes()


# --- requests and answers --------------------------------------------------------------------------------------------


def test_every_request_is_answered() -> None:
    market, clerk = clerk_market()
    ids = [
        clerk.order(1, 0, 5, order_type=MARKET, time_in_force=IOC),  # nobody there
        clerk.order(1, 9_990, 0),
        clerk.order(1, 9_990, 5, market=7),
        clerk.order(1, 9_990, 5, time_in_force=GTD, expire=1),
        clerk.order(1, 9_990, 5),
    ]
    clerk.send(Kind.CANCEL, 0, 4711)
    clerk.send(Kind.REPLACE, 0, 4711, price=1, quantity=1)
    clerk.send(Kind.CANCEL, 0, ids[-1])
    clerk.send(Kind.CANCEL, 0, ids[-1])
    market.run(1)
    assert clerk.reports() == [
        (EventKind.ACCEPTED, ids[0], Reason.NONE),
        (EventKind.CANCELED, ids[0], Reason.NO_LIQUIDITY),
        (EventKind.REJECTED, ids[1], Reason.INVALID_QUANTITY),
        (EventKind.REJECTED, ids[2], Reason.UNKNOWN_MARKET),
        (EventKind.REJECTED, ids[3], Reason.INVALID_EXPIRY),
        (EventKind.ACCEPTED, ids[4], Reason.NONE),
        (EventKind.CANCEL_REJECTED, 4711, Reason.UNKNOWN_ORDER),
        (EventKind.REPLACE_REJECTED, 4711, Reason.UNKNOWN_ORDER),
        (EventKind.CANCELED, ids[4], Reason.BY_REQUEST),
        (EventKind.CANCEL_REJECTED, ids[4], Reason.UNKNOWN_ORDER),
    ]


def test_an_order_expires_at_its_very_nanosecond() -> None:
    market, clerk = clerk_market(Constant(100 * MICRO), processing=10 * MICRO)
    expire = SECOND + 3
    doomed = clerk.order(1, 9_990, 5, time_in_force=GTD, expire=expire)
    traded = clerk.order(1, 9_995, 5, time_in_force=GTD, expire=expire)
    clerk.order(-1, 9_995, 5, depart=SECOND // 2)
    market.run(2)
    expired = market.events[market.events["kind"] == EventKind.EXPIRED]
    assert expired["order_id"].tolist() == [doomed]
    assert expired["time"].tolist() == [expire]
    assert expired["quantity"].tolist() == [5]
    assert (EventKind.EXPIRED, doomed, Reason.END_OF_TIME) in clerk.reports()
    assert (EventKind.TRADE, traded, Reason.NONE) in clerk.reports()
    assert clerk.heard(REPORT + EventKind.EXPIRED) == [expire + 110 * MICRO]


def test_an_order_that_arrives_after_its_time_is_refused() -> None:
    market, clerk = clerk_market(Constant(SECOND))
    late = clerk.order(1, 9_990, 5, time_in_force=GTD, expire=SECOND // 2)
    market.run(3)
    assert clerk.reports() == [(EventKind.REJECTED, late, Reason.INVALID_EXPIRY)]


def test_a_trade_is_reported_to_both_sides() -> None:
    market = Market(processing=0, extra=[("maker", ZERO), ("taker", ZERO)])
    maker, taker = Clerk(market, "maker"), Clerk(market, "taker")
    resting = maker.order(-1, 10_005, 8)
    market.run(1)
    taking = taker.order(1, 10_010, 5)
    market.run(2)
    kind = REPORT + EventKind.TRADE
    for clerk, order, leaves, side, made in ((maker, resting, 3, -1, 1), (taker, taking, 0, 1, 0)):
        assert clerk.heard(kind, "order_id") == [order]
        assert clerk.heard(kind, "price") == [10_005]
        assert clerk.heard(kind, "quantity") == [5]
        assert clerk.heard(kind, "leaves") == [leaves]
        assert clerk.heard(kind, "side") == [side]
        assert clerk.heard(kind, "instructions") == [made]


# --- market data -----------------------------------------------------------------------------------------------------


def busy_crowds() -> list[Crowd]:
    return [
        Crowd(Noise(rate=5), 20),
        Crowd(PoissonFlow(limit_rate=2, market_rate=4, cancel_rate=0.5, reach=8)),
    ]


@pytest.mark.uncompiled
@pytest.mark.boundscheck
@pytest.mark.parametrize("joined", [0, 700_000_000])
def test_a_snapshot_and_its_increments_are_the_book(joined: int) -> None:
    market = Market(busy_crowds(), processing=0, extra=[("clerk", ZERO)])
    book, compared = LocalBook(), 0
    parts: list[tuple[int, int, int]] = []
    waiting = [0, 0]

    def receive(row: list[int]) -> None:
        nonlocal compared
        kind, side = row[FIELD["kind"]], row[FIELD["side"]]
        price, quantity, sequence = row[FIELD["price"]], row[FIELD["quantity"]], row[FIELD["expire"]]
        if kind == Kind.SNAPSHOT:
            waiting[:] = [quantity, sequence]
        elif kind == Kind.SNAPSHOT_LEVEL:
            parts.append((side, price, quantity))
        else:
            assert kind == Kind.LEVEL
            assert book.apply(LevelUpdate(row[FIELD["sent"]], market.instrument, Side(side), price, quantity, sequence))
        if not book.synchronized and len(parts) == waiting[0]:
            sides = [tuple((p, q) for s, p, q in parts if s == wanted) for wanted in (1, -1)]
            book.apply_snapshot(BookSnapshot(row[FIELD["sent"]], market.instrument, *sides, waiting[1]))
        compared += 1

    number = market.join("clerk", receive)
    market.run(joined / SECOND)
    market.engine.send(number, market.environment.now, Kind.SUBSCRIBE, 0, instructions=int(Wanted.LEVELS))
    for tenth in range(1, 16):
        market.run(joined / SECOND + tenth / 10)
        for side, mine in ((1, book.best_bids(999)), (-1, book.best_asks(999))):
            assert mine == [(price, quantity) for price, quantity, _ in market.core.depth(0, side)]
    assert compared > 300
    assert book.bids or book.asks


@pytest.mark.parametrize("every", [1, 7])
def test_quotes_and_trades_are_what_happened(every: int) -> None:
    market, clerk = clerk_market(crowds=busy_crowds(), processing=0)
    clerk.send(Kind.SUBSCRIBE, instructions=int(Wanted.QUOTES | Wanted.TRADES))
    for step in range(1, 40, every):
        market.run(step / 10)
        last = [row for row in clerk.rows if row[FIELD["kind"]] == Kind.QUOTE][-1]
        assert tuple(last[FIELD["price"] : FIELD["leaves"] + 1]) == market.core.best(0)
    quotes = [row[FIELD["price"] : FIELD["leaves"] + 1] for row in clerk.rows if row[FIELD["kind"]] == Kind.QUOTE]
    assert len(quotes) > 50
    assert all(one != two for one, two in pairwise(quotes[1:])), "a quote that says nothing new"
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    assert len(trades) > 10
    for field in ("price", "quantity", "side", "time"):
        assert clerk.heard(Kind.TRADE_PRINT, "sent" if field == "time" else field) == trades[field].tolist()


def test_a_subscription_to_a_market_that_is_not_there_is_passed_over() -> None:
    market, clerk = clerk_market()
    clerk.send(Kind.SUBSCRIBE, 9, instructions=7)
    clerk.send(Kind.QUERY, -1)
    clerk.send(Kind.QUERY, 0)
    market.run(1)
    assert [row[FIELD["kind"]] for row in clerk.rows] == [Kind.QUOTE]


# --- what compiled agents know ---------------------------------------------------------------------------------------


@pytest.mark.uncompiled
def test_compiled_agents_know_their_accounts_and_orders() -> None:
    feed = (np.array([10_000.0, 10_030.0, 9_980.0]), 0, SECOND)
    crowds = [
        Crowd(Noise(rate=5), 10, latency=ZERO),
        Crowd(Fundamental(rate=5), 5, latency=ZERO, feed=feed),
        Crowd(ZeroIntelligence(rate=9), 5, latency=ZERO),
        Crowd(PoissonFlow(reach=5), latency=ZERO),
        Crowd(Undecided(), latency=ZERO),
    ]
    market = Market(crowds, processing=0).run(4)
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    position: Counter[int] = Counter()
    cash: Counter[int] = Counter()
    for row in trades:
        for owner, sign in ((int(row["owner"]), int(row["side"])), (int(row["peer"]), -int(row["side"]))):
            position[owner] += sign * int(row["quantity"])
            cash[owner] -= sign * int(row["quantity"]) * int(row["price"])
    assert len(trades) > 20
    accounts = market.engine.accounts()
    live: dict[int, set[int]] = {}
    for order in market.core.orders(0):
        live.setdefault(order["owner"], set()).add(order["order_id"])
    assert len(live) > 5
    for number in market.numbers.values():
        assert accounts["position"][number] == position[number]
        assert accounts["cash"][number] == cash[number]
        assert working(market, number) == live.get(number, set())


def working(market: Market, number: int) -> set[int]:
    """Ids of the orders that an agent believes to be open."""
    table = market.engine._working.rows
    slot, found = int(market.engine.accounts()["working"][number]), set()
    while slot:
        found.add(int(table["order_id"][slot]))
        slot = int(table["next"][slot])
    return found


def test_an_order_that_is_taken_back_at_once_is_over() -> None:
    market = Market([Crowd(Undecided(), 2)]).run(3)
    kinds = market.events["kind"].tolist()
    assert Counter(kinds) == {EventKind.ACCEPTED: 2, EventKind.CANCELED: 2, EventKind.CANCEL_REJECTED: 2}
    me = market.state("undecided")
    heard = [int(kind) - REPORT for kind in me["kinds"][0][: me["calls"][0]] if kind > REPORT]
    assert heard == [EventKind.ACCEPTED, EventKind.CANCELED, EventKind.CANCEL_REJECTED]
    assert working(market, market.numbers["undecided.0"]) == set()


def test_timers_and_wake_ups_come_when_they_were_asked_for() -> None:
    market = Market([Crowd(Alarm(amount=200), 30, latency=ZERO)], processing=0, start=100).run(1)
    me = market.state("alarm")[17]
    kinds, times, notes = (me[name][: me["calls"]].tolist() for name in ("kinds", "times", "notes"))
    assert (kinds[0], times[0]) == (START, 100)
    timers = [(time, note) for kind, time, note in zip(kinds, times, notes, strict=True) if kind == TIMER]
    assert timers == [(100 + 1000 * (n % 5), n) for n in sorted(range(200), key=lambda n: n % 5)]
    wakes = [time for kind, time in zip(kinds, times, strict=True) if kind == WAKE]
    # The last of two calls counted; fifty timers asked for a wake-up each, more in all than the first table holds.
    assert wakes == sorted([103, *[10_100 + 1000 * (n % 5) for n in range(50)]])
    assert kinds.count(QUOTE) == 51


def test_a_policy_that_raises_stops_the_run_with_the_agents_name() -> None:
    market = Market([Crowd(Noise(), 3), Crowd(Broken(), 2, latency=ZERO)])
    with pytest.raises(AgentError, match=r"^broken\.0: its compiled policy raised .* at 00:00:05\.000000000") as caught:
        market.run(10)
    assert (caught.value.agent, caught.value.time) == ("broken.0", 5 * SECOND)


def test_a_policy_may_ask_for_no_more_than_there_is_room_for() -> None:
    assert len(Market([Crowd(Greedy(amount=1024))]).run(1).events) == 1024
    with pytest.raises(AgentError, match=r"greedy\.0: .* asked for more than 1024 things at once"):
        Market([Crowd(Greedy(amount=1025))]).run(1)


def test_state_fields_may_not_hide_what_records_have() -> None:
    market = Market()
    with pytest.raises(InvalidValueError, match="state field 'size' is an attribute of NumPy records; choose another"):
        market.engine.add_policy(Echo.policy, zeros(1, np.dtype([("size", np.int64)])))


def test_a_grid_below_one_nanosecond_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="grid=0: it must be at least 1 ns"):
        Market(grid=0)


# --- adding, growing, slicing ----------------------------------------------------------------------------------------


def test_a_bystander_changes_no_byte() -> None:
    crowds = busy_crowds()
    alone = Market(crowds, processing=0).run(3)
    silent = Crowd(Momentum(rate=5, short=2, long=512), 10)
    watched = Market([*crowds, silent], processing=0, extra=[("clerk", LATENCY)])
    Clerk(watched).send(Kind.SUBSCRIBE, instructions=7)
    watched.run(3)
    assert watched.engine.events > alone.engine.events + 400
    assert watched.events.tobytes() == alone.events.tobytes()


def test_another_trader_leaves_everybodys_draws_alone() -> None:
    """Wake-ups are drawn one by one; who trades with whom changes, how often and when somebody wakes does not."""

    def diary(others: list[Crowd]) -> Any:
        market = Market([Crowd(Noise(rate=5), 20), Crowd(ZeroIntelligence(rate=5), 5), *others], processing=0)
        market.run(5)
        return (
            market.events.tobytes(),
            market.state("noise")["draw"].tolist(),
            market.state("zerointelligence")["worth"],
        )

    rows, draws, worth = diary([])
    other_rows, other_draws, other_worth = diary([Crowd(PoissonFlow(), 1, "another")])
    assert other_rows != rows
    assert other_draws == draws
    assert (other_worth == worth).all()


def test_the_order_in_which_families_are_added_draws_nothing_else() -> None:
    """Only numbers differ: the same names wake at the same times and hold the same private values."""
    crowds = [Crowd(Noise(rate=5), 20), Crowd(ZeroIntelligence(rate=5), 5)]
    one, other = Market(crowds).run(3), Market(crowds[::-1]).run(3)
    assert one.state("noise")["draw"].tolist() == other.state("noise")["draw"].tolist()
    assert (one.state("zerointelligence")["worth"] == other.state("zerointelligence")["worth"]).all()


@pytest.mark.boundscheck
@pytest.mark.parametrize("stepped", [False, True])
def test_tables_grow_by_themselves(stepped: bool) -> None:
    """A thousand subscribers: the first tables are too short for messages, the outbox, subscribers and open orders."""
    count = 1500
    market = Market([Crowd(Echo(amount=1), count)], stepped=stepped, extra=[("clerk", ZERO)], processing=0)
    clerk = Clerk(market)
    clerk.send(Kind.SUBSCRIBE, instructions=7)
    market.run(1)
    for price in range(9_990, 9_996):
        clerk.order(1, price, 5)
    market.run(2)
    for price in range(9_990, 9_993):
        clerk.order(-1, price, 1)
    market.run(3)
    me = market.state("echo")
    assert (me["calls"] == me["calls"][0]).all()
    accepted = market.events[market.events["kind"] == EventKind.ACCEPTED]
    orders = Counter(accepted["owner"].tolist())
    assert len(orders) == count + 1
    assert set(orders.values()) == {9}  # each quote but the first empty one was answered
    assert len(working(market, market.numbers["echo.7"])) == 9


def test_the_size_of_a_slice_changes_nothing() -> None:
    digests = set()
    for size in (1, 3, 250_000):
        market = Market(busy_crowds(), extra=[("meddler", LATENCY)])
        market.environment.SLICE = size  # type: ignore[misc]
        Meddler(market)
        digests.add(market.run(2).digest)
    assert len(digests) == 1


def test_stopping_and_going_on_changes_nothing() -> None:
    crowds = busy_crowds()
    whole = Market(crowds).run(3)
    parts = Market(crowds)
    for thousandth in range(1, 3001, 37):
        parts.run(thousandth / 1000)
    assert parts.run(3).digest == whole.digest


def test_the_diary_has_room_for_what_the_tests_write() -> None:
    assert not [name for name in DIARY.names or () if hasattr(np.record, name)]
