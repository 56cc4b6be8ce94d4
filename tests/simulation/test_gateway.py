"""The gateway of a venue, and books that are followed through losses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from faulty import Sprinkler

import marketsim as ms
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import Reason
from marketsim.trading.order import Order

pytestmark = [pytest.mark.uncompiled]
ABC = ms.Instrument("ABC")
MS = 1_000_000


@dataclass
class Burster(ms.Agent):
    """Sends requests at given times and notes the answers."""

    orders_at: tuple[int, ...] = ()
    cancels_at: tuple[int, ...] = ()

    def on_start(self) -> None:
        """Plan everything."""
        self.answers: list[tuple[int, EventKind, Reason]] = []
        self.mine: list[Order] = []
        for time in self.orders_at:
            self.at(time, self.send)
        for time in self.cancels_at:
            self.at(time, self.withdraw)

    def send(self) -> None:
        """One more order."""
        self.mine.append(self.buy(self.instrument, 1, limit=9_000))

    def withdraw(self) -> None:
        """Cancel one, again and again."""
        self._session.broker.cancel(self.mine[0])

    def on_report(self, report: Report, order: Order | None) -> None:
        """Note when the venue gave it, too."""
        self.answers.append((report.time, report.kind, report.reason))


def answers(agent: Burster, **venue: Any) -> list[tuple[int, EventKind, Reason]]:
    sim = ms.Simulation(1, "2s", latency="0us")
    sim.add_venue("XSIM", [ABC], **venue).add_agent(agent, "burster")
    execution = sim.start()
    run = execution.run()
    told = execution.world.sessions["burster"].agent
    assert isinstance(told, Burster)
    refused = [kind for _, kind, reason in told.answers if reason is Reason.THROTTLED]
    assert len(refused) == (run.events["reason"] == Reason.THROTTLED).sum(), "every refusal is in the log"
    return told.answers


def test_a_burst_passes_and_the_rest_is_refused_at_once() -> None:
    told = answers(Burster(orders_at=(MS,) * 8), throttle=("10/s", 5), processing="1ms")
    accepted = [time for time, kind, _ in told if kind is EventKind.ACCEPTED]
    refused = [(time, reason) for time, kind, reason in told if kind is EventKind.REJECTED]
    assert accepted == [n * MS for n in range(1, 6)]
    assert refused == [(MS, Reason.THROTTLED)] * 3, "it costs no processing time"


def test_the_bucket_fills_by_whole_requests_at_the_exact_nanosecond() -> None:
    """3 a second: one is back after a third of a second, no nanosecond earlier."""
    third = -(-1_000_000_000 // 3)
    told = answers(Burster(orders_at=(0, 0, 0, third - 1, third, third + 1)), throttle=("3/s", 3))
    assert [kind for _, kind, _ in told] == [
        *[EventKind.ACCEPTED] * 3,
        EventKind.REJECTED,
        EventKind.ACCEPTED,
        EventKind.REJECTED,
    ]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    told = answers(Burster(orders_at=(0, *(1_500_000_000,) * 6)), throttle={"rate": "100/s", "burst": 2})
    assert Counter(kind for _, kind, _ in told)[EventKind.ACCEPTED] == 3


@pytest.mark.parametrize("cancels", [True, False])
def test_cancels_may_be_free(cancels: bool) -> None:
    agent = Burster(orders_at=(0, 0), cancels_at=(1, 2))
    told = answers(agent, throttle={"rate": "1/s", "burst": 2, "cancels": cancels})
    kinds = [(kind, reason) for _, kind, reason in told[2:]]
    if cancels:
        assert kinds == [(EventKind.CANCEL_REJECTED, Reason.THROTTLED)] * 2
    else:
        assert kinds == [
            (EventKind.CANCELED, Reason.BY_REQUEST),
            (EventKind.CANCEL_REJECTED, Reason.UNKNOWN_ORDER),
        ]


def test_a_throttled_order_leaves_no_trace_but_its_reject() -> None:
    sim = ms.Simulation(1, "1s", latency="1ms")
    sim.add_venue("XSIM", [ABC], throttle=("1/s", 1)).add_agent(Burster(orders_at=(0, 0, 0)), "burster")
    execution = sim.start()
    rows = execution.run().events
    assert [EventKind(kind).name for kind in rows["kind"]] == ["ACCEPTED", "REJECTED", "REJECTED"]
    assert rows["order_id"].tolist() == [1, 2, 3]
    assert execution.world.core.depth(0, 1) == [(9_000, 1, 1)]


def test_each_participant_has_a_bucket_of_its_own() -> None:
    sim = ms.Simulation(1, "1s", latency="1ms")
    sim.add_venue("XSIM", [ABC], throttle=("1/s", 2)).add_agents(Burster(orders_at=(0, 0, 0)), 3, "burster")
    rows = sim.run().events
    assert Counter(rows["owner"][rows["reason"] == Reason.THROTTLED].tolist()) == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize(("patience", "canceled"), [("100ms", 2), ("499ms", 2), ("500ms", 0), (None, 0)])
def test_the_venue_gives_a_session_up_after_a_while(patience: str | None, canceled: int) -> None:
    sim = ms.Simulation(1, "2s", latency="1ms")
    sim.add_venue("XSIM", [ABC], cancel_on_disconnect=patience)
    sim.add_agent(Burster(orders_at=(0, 0)), "burster").add_fault(ms.Disconnect("1s", "1500ms"), "burster")
    rows = sim.run().events
    gone = rows[(rows["reason"] == Reason.DISCONNECTED) & (rows["kind"] == EventKind.CANCELED)]
    assert len(gone) == canceled
    if canceled:
        assert set(gone["time"].tolist()) == {1_000_000_000 + ms_of(str(patience))}


def ms_of(text: str) -> int:
    return int(text.removesuffix("ms")) * MS


# --- books ---


@dataclass
class Bookkeeper(ms.Agent):
    """Keeps a book, and a copy of it at each sequence number at which it was whole."""

    conflated: bool = False

    def subscriptions(self) -> dict[str, Any]:
        """Nothing: the book is asked for below."""
        return {}

    def on_start(self) -> None:
        """Begin to keep it."""
        if self.conflated:
            self.subscribe(levels=True, interval="50ms")
        self.book = self.keep_book()
        self.copies: dict[int, tuple[dict[int, int], dict[int, int]]] = {}

    def on_level(self, update: ms.LevelUpdate) -> None:
        """One more sequence number."""
        self.copy()

    def on_book(self, book: ms.BookSnapshot) -> None:
        """The same after a snapshot."""
        self.copy()

    def copy(self) -> None:
        """What it holds now."""
        if self.book.synchronized:
            self.copies[self.book.sequence] = dict(self.book.bids), dict(self.book.asks)


def kept(loss: float, seconds: int = 6) -> tuple[dict[str, Bookkeeper], Any]:
    sim = ms.Simulation(5, f"{seconds}s", latency=ms.LogNormal(median="500us", sigma=0.6))
    sim.add_venue("XSIM", [ABC], heartbeat="100ms")
    sim.add_agents(ms.agents.Noise(rate="10/s"), 30, "noise")
    sim.add_agent(Bookkeeper(), "whole", latency="0us")
    sim.add_agents(Bookkeeper(), 3, "lossy")
    sim.add_fault(ms.Loss(loss), "lossy")
    execution = sim.start()
    execution.run()
    keepers = {name: s.agent for name, s in execution.world.sessions.items() if isinstance(s.agent, Bookkeeper)}
    return keepers, execution.world


@pytest.mark.parametrize("loss", [0.01, 0.3])
def test_a_book_is_the_venues_at_every_sequence_number(loss: float) -> None:
    """The one that loses nothing has them all; the others agree with it wherever they are whole."""
    keepers, world = kept(loss)
    whole = keepers.pop("whole")
    count = int(world.core._books.rows["sequence"][0])
    assert set(whole.copies) == set(range(count + 1))
    assert whole.copies[count] == sides_of(world)
    for keeper in keepers.values():
        assert keeper.book.gaps > 5
        assert len(keeper.copies) > 100
        assert all(copy == whole.copies[sequence] for sequence, copy in keeper.copies.items())


def sides_of(world: Any) -> tuple[dict[int, int], dict[int, int]]:
    bids, asks = ({price: quantity for price, quantity, _ in world.core.depth(0, side)} for side in (1, -1))
    return bids, asks


def test_the_last_increment_before_a_quiet_time_is_not_missed() -> None:
    """Everything is lost but what the session carries; heartbeats come through only after the orders are in."""
    sim = ms.Simulation(1, "3s", latency="1ms")
    sim.add_venue("XSIM", [ABC], heartbeat="200ms")
    sim.add_agent(Burster(orders_at=(1_000 * MS,)), "burster").add_agent(Bookkeeper(), "keeper")
    sim.add_fault(ms.Disconnect("900ms", "1100ms", data=True), "keeper")
    execution = sim.start()
    execution.advance("1190ms")
    keeper: Any = execution.world.sessions["keeper"].agent
    assert keeper.book.bids == {}, "it was lost"
    execution.advance("1300ms")
    assert keeper.book.bids == {9_000: 1}, "the heartbeat told"
    assert keeper.book.gaps == 1


def test_a_conflated_book_mends_itself_too() -> None:
    sim = ms.Simulation(5, "7s", latency=ms.LogNormal(median="500us", sigma=0.6))
    sim.add_venue("XSIM", [ABC], heartbeat="100ms")
    sim.add_agents(Sprinkler(until="5s"), 8, "sprinkler")
    sim.add_agents(Bookkeeper(conflated=True), 3, "keeper").add_fault(ms.Loss(0.2), "keeper")
    sim.add_fault(ms.Disconnect("2s", "3s", data=True), "keeper")
    execution = sim.start()
    execution.run()
    for number in range(3):
        keeper: Any = execution.world.sessions[f"keeper.{number}"].agent
        assert keeper.book.gaps > 3
        assert keeper.book.synchronized
        assert (keeper.book.bids, keeper.book.asks) == sides_of(execution.world)


class Ladder(ms.Agent):
    """Looks at the depth over all venues."""

    def on_start(self) -> None:
        """From the beginning on."""
        self.consolidated_depth(ms.BUY)


def test_depth_over_venues_mends_itself_too() -> None:
    sim = ms.Simulation(5, "5s", latency=ms.LogNormal(median="500us", sigma=0.6))
    for venue in ("A", "B"):
        sim.add_venue(venue, [ABC], heartbeat="100ms")
        sim.add_agents(Sprinkler(until="3s"), 4, f"on_{venue.lower()}", venues=[venue])
    sim.add_agent(Ladder(), "ladder").add_fault(ms.Loss(0.2), "ladder")
    execution = sim.start()
    execution.run()
    ladder: Any = execution.world.sessions["ladder"].agent
    for market, venue in enumerate(("A", "B")):
        assert ladder.keep_book(venue=venue).gaps > 3
        for side in (ms.BUY, ms.SELL):
            seen = [(price, lots) for place, price, lots in ladder.consolidated_depth(side) if place == venue]
            assert seen == [(price, lots) for price, lots, _ in execution.world.core.depth(market, side)]
            assert seen


def test_all_is_delivered_where_nothing_is_lost() -> None:
    keepers, world = kept(0.0)
    count = int(world.core._books.rows["sequence"][0])
    assert all(keeper.book.gaps == 0 for keeper in keepers.values())
    assert max(keepers["lossy.0"].copies) > count - 50
