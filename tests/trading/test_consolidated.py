"""The consolidated quote: best of all venues as one agent knows them, with what is stale, locked and crossed shown."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marketsim as ms
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.consolidated import ConsolidatedQuote, MarketState, Offer

ABC = Instrument("ABC")
VENUES = ("A", "B", "C")


class Watcher(ms.Agent):
    """Keeps what it is told."""

    def on_start(self) -> None:
        self.seen: list[ConsolidatedQuote] = []

    def on_consolidated(self, quote: ConsolidatedQuote) -> None:
        self.seen.append(quote)


def quote(venue: str, bid: int, bid_quantity: int, ask: int, ask_quantity: int) -> Quote:
    return Quote(0, ABC, bid, bid_quantity, ask, ask_quantity, venue)


def test_it_is_the_best_of_all_venues_with_the_lots_added_up() -> None:
    best = ConsolidatedQuote.of(
        5, ABC, [quote("A", 99, 10, 103, 1), quote("B", 100, 4, 102, 5), quote("C", 100, 3, 102, 6)]
    )
    assert (best.bid, best.bid_quantity, best.ask, best.ask_quantity) == (100, 7, 102, 11)
    assert (best.bid_venues, best.ask_venues) == (("B", "C"), ("B", "C"))
    assert (best.mid, best.spread, best.state) == (101.0, 2, MarketState.NORMAL)


@pytest.mark.parametrize(
    ("quotes", "state", "spread"),
    [
        ([], MarketState.EMPTY, 0),
        ([quote("A", 0, 0, 0, 0)], MarketState.EMPTY, 0),
        ([quote("A", 100, 5, 0, 0)], MarketState.ONE_SIDED, None),
        ([quote("A", 100, 5, 0, 0), quote("B", 0, 0, 100, 5)], MarketState.LOCKED, 0),
        ([quote("A", 100, 5, 102, 5), quote("B", 97, 5, 99, 5)], MarketState.CROSSED, -1),
        ([quote("A", 100, 5, 102, 5), quote("B", 97, 5, 101, 5)], MarketState.NORMAL, 1),
    ],
)
def test_locked_and_crossed_markets_are_told(quotes: list[Quote], state: MarketState, spread: int | None) -> None:
    best = ConsolidatedQuote.of(0, ABC, quotes)
    assert best.state is state
    if spread is not None:
        assert best.spread == spread


@given(
    st.lists(
        st.tuples(st.integers(-5, 5), st.integers(0, 3), st.integers(-5, 5), st.integers(0, 3)), min_size=0, max_size=4
    )
)
def test_no_venue_is_better_and_the_lots_are_those_at_the_best(rows: list[tuple[int, int, int, int]]) -> None:
    """Prices below zero too: a spread between two contracts may trade there."""
    quotes = [quote(f"V{n}", *row) for n, row in enumerate(rows)]
    best = ConsolidatedQuote.of(0, ABC, quotes)
    bids, asks = [q for q in quotes if q.has_bid], [q for q in quotes if q.has_ask]
    if bids:
        assert best.bid == max(q.bid for q in bids)
    if asks:
        assert best.ask == min(q.ask for q in asks)
    assert best.bid_quantity == sum(q.bid_quantity for q in bids if q.bid == best.bid)
    assert best.ask_quantity == sum(q.ask_quantity for q in asks if q.ask == best.ask)


def test_each_feed_has_its_own_age() -> None:
    watcher = Watcher()
    market = HandMarket(watcher, venues=VENUES[:2])
    assert watcher.consolidated().state is MarketState.EMPTY
    assert watcher.consolidated().age("A") is None
    market.quote(99, 5, 101, 5, market=0)
    market.advance("1ms")
    market.quote(99, 5, 100, 2, market=1)
    now = watcher.consolidated()
    assert (now.bid, now.bid_quantity, now.ask, now.ask_quantity) == (99, 10, 100, 2)
    assert (now.age("A"), now.age("B")) == (now.time, 0)
    assert [q.venue for q in now.quotes] == ["A", "B"]
    assert now.arrived[0] < now.arrived[1]
    assert [len(seen.quotes) for seen in watcher.seen] == [1, 2]
    assert (now.on("B"), now.on("C")) == (watcher.seen[-1].quotes[1], None)


def test_the_hook_subscribes_and_asking_again_does_not() -> None:
    watcher = Watcher()
    market = HandMarket(watcher, venues=VENUES)
    assert len(market.asked(Kind.SUBSCRIBE)) == 3
    watcher.consolidated()
    assert len(market.asked(Kind.SUBSCRIBE)) == 3


def test_an_agent_that_has_no_use_for_it_pays_nothing() -> None:
    agent = ms.Agent()
    market = HandMarket(agent, venues=VENUES)
    market.quote(99, 5, 101, 5)
    assert not market.asked(Kind.SUBSCRIBE)
    assert agent.consolidated().state is MarketState.EMPTY
    assert len(market.asked(Kind.SUBSCRIBE)) == 3
    market.quote(99, 5, 101, 5)
    assert agent.consolidated().bid == 99


def test_depth_over_venues_is_one_ladder() -> None:
    agent = ms.Agent()
    market = HandMarket(agent, venues=VENUES[:2])
    assert agent.consolidated_depth(Side.SELL) == []
    assert [request.instructions for request in market.asked(Kind.SUBSCRIBE)] == [Wanted.LEVELS, Wanted.QUOTES] * 2
    market.quote(99, 5, 101, 7, market=1)
    assert agent.consolidated_depth(Side.SELL) == [Offer("B", 101, 7)]
    market.book([(99, 5), (97, 1)], [(101, 3), (103, 4)], 8, market=0)
    market.book([(98, 2)], [(101, 7), (102, 9)], 3, market=1)
    market.level(Side.SELL, 101, 1, 9, market=0)
    assert agent.consolidated_depth(Side.SELL) == [
        Offer("A", 101, 1), Offer("B", 101, 7), Offer("B", 102, 9), Offer("A", 103, 4),
    ]  # fmt: skip
    assert agent.consolidated_depth(Side.BUY) == [Offer("A", 99, 5), Offer("B", 98, 2), Offer("A", 97, 1)]


def test_a_book_with_a_gap_is_not_believed() -> None:
    agent = ms.Agent()
    market = HandMarket(agent, venues=("A",))
    agent.consolidated_depth(Side.SELL)
    market.book([], [(101, 3), (103, 4)], 8)
    market.quote(0, 0, 101, 3)
    market.level(Side.SELL, 101, 1, 10)
    assert agent.consolidated_depth(Side.SELL) == [Offer("A", 101, 3)]
    assert len(market.asked(Kind.SNAPSHOT_REQUEST)) == 1
    market.level(Side.SELL, 103, 2, 11)
    market.book([], [(101, 1), (103, 4)], 10)
    assert agent.consolidated_depth(Side.SELL) == [Offer("A", 101, 1), Offer("A", 103, 2)]


def test_a_book_that_was_asked_for_once_is_not_believed_for_ever() -> None:
    agent = ms.Agent()
    market = HandMarket(agent, venues=("A",))
    agent.consolidated()
    agent.ask_book()
    market.book([], [(101, 3), (103, 4)], 8)
    market.quote(0, 0, 105, 2)
    assert agent.consolidated_depth(Side.SELL) == [Offer("A", 105, 2)]


def test_another_instrument_is_refused() -> None:
    agent = ms.Agent()
    HandMarket(agent, venues=VENUES)
    with pytest.raises(InvalidValueError, match="does not trade XYZ"):
        agent.consolidated(Instrument("XYZ"))


@dataclass
class Lagging(ms.Agent):
    """Sees a far venue late."""

    def on_start(self) -> None:
        self.ages: dict[str, set[int]] = {"FAR": set(), "NEAR": set()}
        self.states: set[MarketState] = set()

    def on_consolidated(self, quote: ConsolidatedQuote) -> None:
        for one, arrived in zip(quote.quotes, quote.arrived, strict=True):
            self.ages[one.venue].add(arrived - one.time)
        self.states.add(quote.state)


def test_in_a_run_every_feed_has_the_latency_of_its_link() -> None:
    sites = {"sites": {"here": {}, "there": {}}, "links": [{"between": ["here", "there"], "latency": "3ms"}]}
    sim = ms.Simulation(seed=1, duration="5s", topology=sites)
    for venue, host in (("NEAR", "here"), ("FAR", "there")):
        sim.add_venue(venue, [ABC], host=host)
        sim.add_agents(ms.agents.Noise(rate="5/s"), 20, f"noise_{venue.lower()}", venues=[venue], host=host)
    sim.add_agent(Lagging(), "lagging", host="here")
    execution = sim.start()
    execution.advance("5s")
    agent = execution.world.sessions["lagging"].agent
    assert isinstance(agent, Lagging)
    near, far = agent.ages["NEAR"], agent.ages["FAR"]
    assert len(near) >= 1
    assert len(far) >= 1
    assert min(far) - max(near) >= 2_900_000
    assert MarketState.CROSSED in agent.states
