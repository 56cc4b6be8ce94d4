"""What participants may ask of a market beside quotes: traded volume, the balance of the book; and the profile."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from puppets import Hasty

from marketsim.agents.noise import Noise
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind, Wanted
from marketsim.errors import AgentError
from marketsim.network.latency import Constant
from tests.population.wiring import FIELD, Crowd, Market

SECOND = 1_000_000_000
DELAY = 1_000_000


class Asker:
    """Asks what was traded in the last seconds, again and again, and keeps the answers."""

    def __init__(self, market: Market, lookback: int, every: int) -> None:
        self.market, self.lookback, self.every = market, lookback, every
        self.answers: list[list[int]] = []
        self.number = market.join("asker", self.hear)
        market.environment.call_at(0, self.ask)

    def ask(self, _: Any = None) -> None:
        environment = self.market.environment
        self.market.engine.send(self.number, environment.now, Kind.ASK_VOLUME, 0, expire=self.lookback)
        environment.call_at(environment.now + self.every, self.ask)

    def hear(self, row: list[int]) -> None:
        assert row[FIELD["kind"]] == Kind.VOLUME
        self.answers.append(row)


def traded(events: Any, first: int, last: int, side: int) -> int:
    """Lots that aggressors of a side traded from ``first`` to ``last``, from the log."""
    rows = events[(events["kind"] == EventKind.TRADE) & (events["side"] == side)]
    return int(rows["quantity"][(rows["time"] >= first) & (rows["time"] <= last)].sum())


def busy(count: int = 200, **parameters: Any) -> Crowd:
    return Crowd(Noise(rate=50.0, market_share=0.4, cancel_share=0.1, **parameters), count, name="noise")


@pytest.mark.boundscheck
@pytest.mark.parametrize("lookback", [SECOND // 10, 2 * SECOND])
def test_traded_volume_is_that_of_the_log(lookback: int) -> None:
    market = Market([busy()], extra=[("asker", Constant(DELAY))], processing=0)
    asker = Asker(market, lookback, SECOND // 5)
    market.run(4)
    assert len(asker.answers) >= 19
    assert np.count_nonzero(market.events["kind"] == EventKind.TRADE) > 2048  # the ring grew and went round
    for row in asker.answers:
        seen_at = row[FIELD["sent"]]
        assert row[FIELD["expire"]] == lookback
        begun = max(seen_at - lookback, asker.answers[0][FIELD["sent"]] + 1)  # trades are remembered from then on
        assert row[FIELD["quantity"]] == traded(market.events, begun, seen_at, 1)
        assert row[FIELD["leaves"]] == traded(market.events, begun, seen_at, -1)
    assert asker.answers[-1][FIELD["quantity"]] > 0
    assert asker.answers[-1][FIELD["leaves"]] > 0


def test_a_longer_question_makes_the_market_remember_longer() -> None:
    market = Market([busy()], extra=[("short", Constant(0)), ("asker", Constant(DELAY))], processing=0)
    market.engine.send(market.join("short", lambda row: None), 0, Kind.ASK_VOLUME, 0, expire=1000)
    asker = Asker(market, SECOND, SECOND)
    market.run(4)
    last = asker.answers[-1]
    assert last[FIELD["quantity"]] == traded(market.events, last[FIELD["sent"]] - SECOND, last[FIELD["sent"]], 1)


def test_questions_about_no_market_change_nothing() -> None:
    market = Market([], extra=[("lost", Constant(0))])
    heard: list[Any] = []
    lost = market.join("lost", heard.append)
    for number in (-1, 1, 99):
        market.engine.send(lost, 0, Kind.ASK_VOLUME, number, expire=1000)
    market.run(1)
    assert not heard


class Watcher:
    """Keeps what it hears about the imbalance of the book."""

    def __init__(self, market: Market, share: float) -> None:
        self.told: list[tuple[int, int, int, int]] = []
        self.number = market.join("watcher", self.hear)
        market.engine.send(
            self.number, 0, Kind.SUBSCRIBE, 0, instructions=int(Wanted.IMBALANCE), price=round(share * 1e6)
        )

    def hear(self, row: list[int]) -> None:
        assert row[FIELD["kind"]] == Kind.IMBALANCE
        self.told.append((row[FIELD["sent"]], row[FIELD["side"]], row[FIELD["quantity"]], row[FIELD["leaves"]]))


@pytest.mark.boundscheck
@pytest.mark.parametrize("share", [0.55, 0.7])
def test_imbalance_is_told_when_it_begins_and_when_it_ends(share: float) -> None:
    market = Market([busy(20)], extra=[("watcher", Constant(DELAY))], processing=0)
    watcher = Watcher(market, share)
    market.run(10)
    assert len(watcher.told) > 5
    sides = [side for _, side, _, _ in watcher.told]
    assert sides[0] != 0
    assert all(one != other for one, other in pairwise(sides))
    for _, side, bid, ask in watcher.told:
        total = bid + ask
        assert (bid > share * total) == (side > 0)
        assert (ask > share * total) == (side < 0)


def test_the_profile_counts_every_event_and_changes_none() -> None:
    plain, measured = Market([busy()]), Market([busy()])
    measured.engine.profile()
    plain.run(2)
    measured.run(2)
    profile = measured.engine.profiled()
    assert plain.digest == measured.digest
    assert profile["events"].sum() == measured.engine.events
    assert (profile["nanoseconds"] > 0).any()
    by_kind = {(int(row["policy"]), int(row["kind"])): int(row["events"]) for row in profile}
    assert by_kind[0, Kind.START] == 200
    accepted = np.count_nonzero(measured.events["kind"] == EventKind.ACCEPTED)
    assert by_kind[-1, Kind.NEW] >= accepted > 0
    assert by_kind[-1, Kind.QUERY] >= by_kind[0, Kind.QUOTE] > 0
    assert len(plain.engine.profiled()) == 0


def test_a_policy_that_never_lets_time_pass_is_stopped_with_its_name() -> None:
    market = Market([busy(5), Crowd(Hasty(), 2, name="hasty")])
    with pytest.raises(AgentError, match=r"hasty\.0.*time does not advance") as caught:
        market.run(3)
    assert caught.value.agent == "hasty.0"
