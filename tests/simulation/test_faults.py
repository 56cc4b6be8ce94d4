"""Everything goes wrong at once: every request has one answer, and in the end all know what the venue knows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import FAULTS, INSTRUMENT, Rover, faulty

import marketsim as ms
from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderState, Reason

pytestmark = [pytest.mark.uncompiled, pytest.mark.boundscheck]
HERE = Path(__file__).parent
SECOND = 1_000_000_000


@dataclass
class Outcome:
    """A finished run whose world can still be looked into."""

    run: Any
    world: Any

    def __post_init__(self) -> None:
        self.numbers = {person.name: person.number for person in self.world.participants}
        self.sprinklers = [person for person in self.world.participants if person.family == "sprinkler"]

    @property
    def rovers(self) -> list[tuple[str, Any, Rover]]:
        sessions = self.world.sessions.items()
        return [(name, s, s.agent) for name, s in sessions if isinstance(s.agent, Rover)]

    def ledger(self, name: str) -> tuple[int, int]:
        """Position and cash (ticks x lots) of a participant, as the log has them."""
        rows, number = self.run.events, self.numbers[name]
        rows = rows[rows["kind"] == EventKind.TRADE]
        lots = rows["side"].astype(np.int64) * rows["quantity"]
        signed = lots * ((rows["owner"] == number).astype(np.int64) - (rows["peer"] == number))
        return int(signed.sum()), -int((signed * rows["price"]).sum())

    def live(self, name: str) -> dict[int, tuple[int, int, int]]:
        """The open orders of a participant at the venue: id -> price, quantity, leaves."""
        orders = self.world.core.orders(0)
        mine = [order for order in orders if order["owner"] == self.numbers[name]]
        return {order["order_id"]: (order["price"], order["quantity"], order["leaves"]) for order in mine}


def outcome(simulation: ms.Simulation) -> Outcome:
    execution = simulation.start()
    return Outcome(execution.run(), execution.world)


@pytest.fixture(scope="module")
def torn() -> Outcome:
    return outcome(faulty())


def test_everything_goes_wrong(torn: Outcome) -> None:
    """Otherwise the tests below would say little."""
    rows = torn.run.events
    reasons = Counter(rows["reason"].tolist())
    assert reasons[Reason.THROTTLED] > 10
    assert reasons[Reason.DISCONNECTED] > 10, "cancel on disconnect"
    kinds = Counter(rows["kind"].tolist())
    assert kinds[EventKind.DISCONNECTED] == kinds[EventKind.RECONNECTED] > 15
    told = [report for _, _, rover in torn.rovers for report in rover.told]
    refused = Counter(report.kind for report in told if report.reason is Reason.DISCONNECTED)
    for kind in (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED, EventKind.CANCELED):
        assert refused[kind] > 0, kind
    assert sum(session.duplicates for _, session, _ in torn.rovers) > 50
    assert all(rover.book.gaps > 5 for _, _, rover in torn.rovers)
    assert kinds[EventKind.TRADE] > 200


def test_every_request_has_one_answer(torn: Outcome) -> None:
    for name, _, rover in torn.rovers:
        kinds = rover.kinds()
        assert kinds[EventKind.ACCEPTED] + kinds[EventKind.REJECTED] == rover.sent, name
        assert rover.answers_to_changes() == rover.changes, name
        assert not [o for o in rover.mine if o.state in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL)], name
    states = torn.world.engine.state(torn.world.populations["sprinkler"][0])
    assert (states["begun"] == states["sent"]).all()
    assert (states["answered"] == states["asked"]).all()
    assert (states["up"] == 1).all()
    assert states["breaks"].sum() > 5
    assert states["unsent"].sum() > 5


def test_what_everyone_knows_in_the_end_is_what_the_venue_knows(torn: Outcome) -> None:
    some = 0
    for name, session, rover in torn.rovers:
        position, cash = torn.ledger(name)
        assert rover.position() == position
        assert session.portfolio.cash["USD"] == 1_000_000 + cash * INSTRUMENT.tick_size * INSTRUMENT.lot_size
        mine = {o.order_id: (o.price, o.quantity, o.leaves) for o in rover.orders()}
        assert mine == torn.live(name)
        some += len(mine)
    accounts, engine = torn.world.engine.accounts(), torn.world.engine
    for person in torn.sprinklers:
        position, cash = torn.ledger(person.name)
        account = accounts[person.number]
        start = int(person.initial_cash / (INSTRUMENT.tick_size * INSTRUMENT.lot_size))
        assert (int(account["position"]), int(account["cash"]) - start) == (position, cash)
        known, slot = {}, int(account["working"])
        while slot:
            order = engine._working.rows[slot]
            known[int(order["order_id"])] = int(order["leaves"])
            slot = int(order["next"])
        assert known == {number: leaves for number, (_, _, leaves) in torn.live(person.name).items()}
        some += len(known)
    assert some > 20


def test_books_are_the_venues_book_again(torn: Outcome) -> None:
    truth = [[(p, q) for p, q, _ in torn.world.core.depth(0, side)] for side in (1, -1)]
    assert truth[0]
    assert truth[1]
    for name, _, rover in torn.rovers:
        assert rover.book.synchronized, name
        assert [rover.book.best_bids(999), rover.book.best_asks(999)] == truth, name


def test_the_venue_holds_its_invariants(torn: Outcome) -> None:
    torn.world.core.check()
    torn.world.network.check()
    bid, _, ask, _ = torn.world.core.best(0)
    assert bid < ask
    positions = [torn.ledger(person.name) for person in torn.world.participants]
    assert [sum(column) for column in zip(*positions, strict=True)] == [0, 0]


def test_hooks_tell_when_a_session_broke(torn: Outcome) -> None:
    first = next(rover for name, _, rover in torn.rovers if name == "rover.0")
    assert first.connections == [(3 * SECOND, "XSIM down"), (4 * SECOND, "XSIM up")]


def test_nothing_reaches_the_venue_from_a_session_that_is_down(torn: Outcome) -> None:
    rows, number = torn.run.events, torn.numbers["rover.0"]
    mine = rows[(rows["owner"] == number) & (rows["time"] > 3 * SECOND + 20_000) & (rows["time"] < 4 * SECOND)]
    asked = mine[np.isin(mine["kind"], (EventKind.ACCEPTED, EventKind.REJECTED, EventKind.REPLACED))]
    assert len(asked) == 0
    gone = mine[(mine["reason"] == Reason.DISCONNECTED) & (mine["kind"] == EventKind.CANCELED)]
    assert len(gone) > 0
    assert gone["time"].min() >= 3 * SECOND + 300_000_000
    assert (np.diff(gone["order_id"]) > 0).all()


def test_reports_wait_until_the_session_is_up_again(torn: Outcome) -> None:
    """What the venue canceled meanwhile is told after the reconnection."""
    session = torn.world.sessions["rover.0"]
    told = [r for r in session.agent.told if r.reason is Reason.DISCONNECTED and r.kind is EventKind.CANCELED]
    assert told
    assert all(3 * SECOND < report.time < 4 * SECOND for report in told)


@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_stepped_and_driven_runs_are_the_compiled_run(grid: str) -> None:
    terms: dict[str, Any] = {"duration": "4s", "rovers": 2, "sprinklers": 3, "grid": grid}
    faults = [(fault, None) for fault, _ in FAULTS if not isinstance(fault, (ms.Disconnect, ms.Loss))]
    faults += [(ms.Disconnect("500ms", "1s"), None), (ms.Loss(0.1), None)]
    plain = outcome(faulty(faults=faults, **terms))
    stepped = outcome(faulty(faults=faults, stepped=True, **terms))
    driven = outcome(faulty(faults=faults, compiled=False, **terms))
    assert plain.run.digest == stepped.run.digest
    assert plain.run.digest == driven.run.digest
    assert len(plain.run.trades) > 20
    assert (plain.run.events["kind"] == EventKind.RECONNECTED).sum() >= 7


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled to compare with")
def test_uncompiled_is_compiled() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); from faulty import *; "
        "run = faulty(duration='6s').run(); print(run.digest, run.manifest.counts['events handled'])"
    )
    plain = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    ).stdout
    run = faulty(duration="6s").run()
    assert plain.split() == [run.digest, str(run.manifest.counts["events handled"])]


def test_another_seed_is_another_misfortune() -> None:
    assert faulty(duration="2s").run().digest != faulty(duration="2s", seed=8).run().digest


def test_chances_are_each_receivers_own() -> None:
    """Two listeners hear different halves of the same feed, and a third one changes neither."""

    def heard(count: int) -> list[list[int]]:
        sim = faulty(duration="3s", rovers=1, faults=[(ms.Loss(0.5), None)], throttle=None)
        for number in range(count):
            sim.add_agent(Listener(), f"listener_{number}")
        world = outcome(sim).world
        return [world.sessions[f"listener_{number}"].agent.heard for number in range(count)]

    first, second = heard(2)
    assert 0.4 < len(first) / max(first) < 0.6
    assert first != second
    assert heard(3)[:2] == [first, second]


@dataclass
class Listener(ms.Agent):
    """Notes the numbers of the increments that reach it."""

    def on_start(self) -> None:
        """Begin with an empty list."""
        self.heard: list[int] = []

    def on_level(self, update: ms.LevelUpdate) -> None:
        """One more."""
        self.heard.append(update.sequence)
