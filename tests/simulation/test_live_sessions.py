"""Live sessions: what comes from outside meets the market as every agent's does, and happens again from the journal."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

import marketsim as ms
from marketsim.agents.client import Client, Record, Refusal, Terms
from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderState, OrderType, Reason, TimeInForce
from marketsim.errors import ConfigurationError, InvalidValueError, StoreError
from marketsim.experiment.verification import verify
from marketsim.kernel.random import Stream
from marketsim.results.journal import JOURNAL, Command, Journal, Past
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation.live import LiveSession, replay_session, with_seats

MS, SECOND = 1_000_000, 1_000_000_000


def scenario(**changes: object) -> ScenarioSpec:
    given = {
        "name": "live",
        "seed": 11,
        "duration": "5min",
        "warm_up": "2s",
        "venues": {"XSIM": {"fees": {"maker": "-0.1bps", "taker": "1bps"}}},
        "instruments": {"ABC": {"tick_size": "0.01", "reference_price": 100}},
        "network": {"latency": {"type": "lognormal", "median": "500us", "sigma": 0.4, "minimum": "50us"}},
        "agents": {
            "noise": {"type": "noise", "count": 60, "rate": "2/s", "distance": 8, "improve_share": 0.05},
            "mm": {"type": "market_maker", "quantity": 20, "latency": "100us"},
            "alice": {"type": "client", "cash": 100_000, "holdings": {"ABC": 500}},
            "bob": {"type": "client", "cash": 50_000},
        },
    } | changes
    return with_seats(ScenarioSpec.from_dict(given))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveSession]:
    session = LiveSession(scenario(), tmp_path / "run", epoch=lambda: 1_700_000_000_000)
    yield session
    session.abandon()


def limit(side: int, quantity: int, price: int, name: str = "", **more: int) -> Terms:
    return Terms(0, side, int(OrderType.LIMIT), quantity, price, name=name, label="LIMIT", **more)


def play(session: LiveSession, commands: int, seed: int = 5) -> list[Record]:
    """Commands of every kind at odd times from two clients."""
    stream = Stream(seed, "somebody", "whims")
    placed: list[Record] = []
    for number in range(commands):
        session.advance(session.now + int(stream.uniform() * 20 * MS))
        client = ("alice", "bob")[number % 2]
        quote = session.feed.views[0].quote
        assert quote is not None
        draw = stream.uniform()
        side = 1 if stream.uniform() < 0.5 else -1
        if draw < 0.5:
            price = (quote.bid if side > 0 else quote.ask) + side * int(stream.uniform() * 4 - 2)
            found = session.command(client, "place", *limit(side, 1 + number % 7, price, f"n{number}"))
        elif draw < 0.7:
            terms = Terms(0, side, int(OrderType.MARKET), 3, time_in_force=int(TimeInForce.IOC), worth="400")
            found = session.command(client, "place", *terms)
        elif draw < 0.97 and placed:
            chosen = placed[int(stream.uniform() * len(placed))]
            owner = "alice" if session.seat("alice").by_number(chosen.number) is chosen else "bob"
            verb = ("cancel", chosen.number, "") if draw < 0.85 else ("amend", chosen.number, 1, "")
            session.command(owner, *verb)
            continue
        else:
            session.command(client, "cancel_all", 0)
            continue
        if isinstance(found, Record):
            placed.append(found)
    session.advance(session.now + SECOND)
    return placed


def test_a_session_happens_again_to_the_same_digest(tmp_path: Path) -> None:
    session = LiveSession(scenario(), tmp_path / "run")
    placed = play(session, 300)
    session.advance(40 * SECOND)
    run = session.finish()
    assert len(placed) > 100
    assert run.manifest.complete
    assert run.manifest.end == 40 * SECOND
    past = Past(tmp_path / "run" / JOURNAL)
    assert len(past.commands) == 300
    again = replay_session(ScenarioSpec.from_dict(run.manifest.spec), past)
    assert again.digest == run.digest
    checked = verify(tmp_path / "run")
    assert checked.equal
    assert checked.found == run.digest
    without = ms.Simulation.from_spec(session.spec).run()
    assert without.digest != run.digest, "the orders from outside did matter"


def test_a_client_that_is_stopped_and_goes_on_happens_again(tmp_path: Path) -> None:
    session = LiveSession(scenario(), tmp_path / "run")
    play(session, 60)
    session.command("alice", "stop", True)
    session.advance(session.now + 2 * SECOND)
    alice, bob = session.seat("alice"), session.seat("bob")
    assert (list(alice.live()), alice.position()) == ([], 0)
    refused = session.command("alice", "place", *limit(1, 1, 9_000, "while stopped"))
    placed = session.command("bob", "place", *limit(1, 1, 9_000, "the other"))
    session.advance(session.now + SECOND)
    assert isinstance(refused, Record)
    assert isinstance(placed, Record)
    assert (refused.order.reason, placed in set(bob.live())) == (Reason.RISK, True)
    session.command("alice", "resume")
    assert isinstance(session.command("alice", "place", *limit(1, 1, 9_000, "again")), Record)
    session.advance(session.now + SECOND)
    assert len(list(alice.live())) == 1
    run = session.finish()
    assert verify(tmp_path / "run").equal
    assert run.risk[run.risk["action"] != "refuse"]["text"].tolist() == ["by the control", "by the control"]


def test_how_the_time_is_cut_into_pieces_changes_nothing(tmp_path: Path) -> None:
    digests = set()
    for name, piece in (("a", 1 * MS), ("b", 37 * MS), ("c", 2 * SECOND)):
        session = LiveSession(scenario(), tmp_path / name)
        for stop in (3 * SECOND, 5 * SECOND + 123):
            while session.now < stop:
                session.advance(min(stop, session.now + piece))
            session.command("alice", "place", *limit(1, 5, 9_990, f"at {stop}"))
        while session.now < 8 * SECOND:
            session.advance(min(8 * SECOND, session.now + piece))
        digests.add(session.finish().digest)
    assert len(digests) == 1


def test_after_a_kill_nothing_that_was_told_is_lost(tmp_path: Path) -> None:
    session = LiveSession(scenario(), tmp_path / "run", epoch=lambda: 77_000)
    play(session, 120)
    told = {r.number: (r.order.state, r.order.filled, len(r.fills)) for r in session.seat("alice").records()}
    time, money = session.now, session.seat("alice").balances()
    journal = session.journal.path
    text = journal.read_bytes()
    session.abandon()  # what a kill would leave: a partial folder with its journal
    copy = tmp_path / "left" / JOURNAL
    copy.parent.mkdir()
    copy.write_bytes(text + b"00 torn")
    past = Past(copy)
    resumed = LiveSession(scenario(), tmp_path / "on", past=past)
    assert resumed.now >= time, "nobody has seen anything later"
    assert resumed.now == past.lease
    assert resumed.epoch == 77_000
    twin = LiveSession(scenario(), tmp_path / "twin", past=Past(copy))
    assert twin.now == resumed.now
    found = {r.number: (r.order.state, r.order.filled, len(r.fills)) for r in resumed.seat("alice").records()}
    assert found.keys() == told.keys()
    for number, (state, filled, fills) in told.items():
        assert found[number][1] >= filled
        assert found[number][2] >= fills
        if state in (OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED):
            assert found[number] == (state, filled, fills)
    assert resumed.seat("alice").balances().keys() == money.keys()
    resumed.command("alice", "place", *limit(1, 1, 9_900, "after"))
    resumed.advance(resumed.now + SECOND)
    run = resumed.finish()
    assert verify(tmp_path / "on").equal
    assert run.manifest.complete
    twin.abandon()


def test_the_clock_never_goes_further_than_the_journal_says(live: LiveSession) -> None:
    for _ in range(300):
        live.advance(live.now + 31 * MS)
        assert Past(live.journal.path).lease >= live.now
    assert live.journal.size < 5_000, "a word now and then is enough"


def test_commands_take_the_latency_and_the_fees_of_the_seat(live: LiveSession) -> None:
    heard: list[tuple[EventKind, int]] = []
    alice = live.seat("alice")
    alice.hear(lambda client, record, report: heard.append((report.kind, live.now)))
    live.advance(5 * SECOND)
    record = live.command("alice", "place", *Terms(0, -1, int(OrderType.MARKET), 5, time_in_force=int(TimeInForce.IOC)))
    assert isinstance(record, Record)
    assert not heard, "the venue is far away"
    live.advance(6 * SECOND)
    assert heard[0][0] is EventKind.ACCEPTED
    assert heard[0][1] >= 5 * SECOND + 100_000, "there and back takes at least twice the least latency"
    value = sum(fill.price * fill.quantity for fill in record.fills) * Decimal("0.01")
    assert sum(fill.quantity for fill in record.fills) == 5
    assert record.fees == pytest.approx(value / 10_000)
    assert alice.balance("USD").free == 100_000 + value - record.fees
    assert alice.balance("ABC").free == 495


def test_open_orders_lock_what_they_may_need(live: LiveSession) -> None:
    alice = live.seat("alice")
    live.advance(5 * SECOND)
    buy = live.command("alice", "place", *limit(1, 100, 9_000, "low"))
    assert isinstance(buy, Record)
    cost = Decimal("9000.00")
    assert alice.balance("USD").locked == cost + cost / 10_000, "its cost and the dearer fee"
    sell = live.command("alice", "place", *limit(-1, 400, 12_000, "high"))
    assert isinstance(sell, Record)
    assert alice.balance("ABC") == (100, 400)
    assert live.command("alice", "place", *limit(-1, 101, 12_000, "more")) is Refusal.FUNDS
    assert live.command("alice", "place", *limit(1, 1_000, 9_100, "dear")) is Refusal.FUNDS
    assert live.command("alice", "place", *limit(1, 1, 9_000, "low")) is Refusal.DUPLICATE
    live.advance(6 * SECOND)
    assert live.command("alice", "amend", buy.number, 40, "") is buy
    live.advance(7 * SECOND)
    assert alice.balance("USD").locked == (cost + cost / 10_000) * 40 / 100
    assert live.command("alice", "amend", buy.number, 41, "") is Refusal.SIZE
    live.command("alice", "cancel", buy.number, "")
    live.command("alice", "cancel_all", 0)
    live.advance(8 * SECOND)
    assert buy.order.state is sell.order.state is OrderState.CANCELED
    assert all(balance.locked == 0 for balance in alice.balances().values())
    assert live.command("alice", "cancel", buy.number, "") is Refusal.UNKNOWN
    assert live.command("alice", "cancel", 10**9, "") is Refusal.UNKNOWN


def test_limits_of_a_seat_refuse_as_those_of_every_agent(tmp_path: Path) -> None:
    agents = scenario().to_dict()["agents"]
    agents["alice"]["limits"] = {"max_order": 10}
    session = LiveSession(scenario(agents=agents), tmp_path / "run")
    record = session.command("alice", "place", *limit(1, 11, 9_000, "big"))
    assert isinstance(record, Record)
    session.advance(session.now + SECOND)
    assert record.order.state is OrderState.REJECTED
    assert record.order.reason is ms.Reason.RISK
    assert not list(session.seat("alice").records()), "the venue never saw it"
    assert session.command("alice", "place", *limit(1, 5, 9_000, "big")) is not Refusal.DUPLICATE
    session.abandon()


def test_the_venue_s_book_and_the_public_one_agree_once_news_has_arrived(live: LiveSession) -> None:
    live.advance(20 * SECOND)
    view = live.feed.views[0]
    bids, asks = live.book("XSIM", "ABC", 1_000)
    live.advance(live.now + 1)
    assert sum(lots for _, lots, _ in bids) > 0
    shared = {price for price, _, _ in bids} & view.book.bids.keys()
    assert len(shared) > 0.8 * len(bids)
    assert view.book.synchronized
    assert len(asks) > 0


def test_candles_hold_all_trades_and_stand_still_where_there_are_none(live: LiveSession) -> None:
    live.advance(150 * SECOND)
    view = live.feed.views[0]
    offset = live.feed.offset
    bars = list(view.bars(60 * SECOND, offset, live.now + offset))
    assert sum(bar.trades for bar in bars) == len(view.trades)
    assert sum(bar.volume for bar in bars) == sum(trade.quantity for trade in view.trades)
    assert [bar.start % (60 * SECOND) for bar in bars] == [0] * len(bars)
    seconds = list(view.bars(SECOND, offset, live.now + offset))
    assert any(bar.trades == 0 for bar in seconds)
    for before, after in pairwise(seconds):
        assert after.start == before.start + SECOND
        if after.trades == 0:
            assert after.open == after.high == after.low == after.close == before.close
    day = view.day(live.now + offset)
    assert day is not None
    assert (day.trades, day.first, day.last) == (len(view.trades), 0, len(view.trades) - 1)
    prices = [trade.price for trade in view.trades]
    assert (day.open, day.high, day.low, day.close) == (prices[0], max(prices), min(prices), prices[-1])


def test_seats_are_added_where_there_are_none() -> None:
    spec = with_seats(ms.load("quickstart").spec)
    assert spec.agents["trader"].type == "client"
    assert spec.agents["public_feed"].type == "public_feed"
    named = with_seats(ms.load("quickstart").spec, ["a", "b"])
    assert "trader" not in named.agents
    assert named.agents["b"].venues == ("XSIM",)
    assert with_seats(named, ["a"]) is named, "nothing is missing"
    with pytest.raises(ConfigurationError, match=r"agents.noise is a noise, no client: choose another name"):
        with_seats(spec, ["noise"])
    with pytest.raises(ConfigurationError, match=r"no venue is called 'XSOM'; did you mean \"XSIM\"\?"):
        with_seats(spec, venue="XSOM")


def test_a_seat_does_nothing_by_itself_and_shifts_nobody(tmp_path: Path) -> None:
    plain = ms.load("quickstart", ["duration=80s", "venues.XSIM.processing=0"]).spec  # its questions take no time there
    alone, seated = (ms.Simulation.from_spec(spec).run() for spec in (plain, with_seats(plain)))
    events = alone.events, seated.events
    assert len(events[0]) == len(events[1])
    for column in ("time", "price", "quantity", "kind"):
        assert (events[0][column] == events[1][column]).all(), column


def test_what_is_wrong_is_said(tmp_path: Path, live: LiveSession) -> None:
    with pytest.raises(ConfigurationError, match=r"no client is called 'alise'; did you mean \"alice\"\?"):
        live.command("alise", "cancel_all", 0)
    with pytest.raises(InvalidValueError, match=r"no command 'plase'; did you mean \"place\"\?"):
        live.seat("alice").carry_out("plase", [])
    with pytest.raises(StoreError, match="was not closed in order; resume it with marketsim serve --resume"):
        replay_session(live.spec, Past(live.journal.path))
    other = with_seats(ms.load("quickstart").spec)
    with pytest.raises(StoreError, match="a journal of another scenario"):
        LiveSession(other, tmp_path / "other", past=Past(live.journal.path))
    assert not (tmp_path / "other").exists()
    with pytest.raises(InvalidValueError, match=r"holdings.ABC: -1 must be zero or more units"):
        Client(holdings={"ABC": Decimal(-1)})


def test_a_journal_that_tells_impossible_times_is_refused(tmp_path: Path) -> None:
    spec = scenario()
    journal = Journal.begin(tmp_path / JOURNAL, {"epoch": 0, "scenario": spec.fingerprint()})
    journal.do(Command(5 * SECOND, "alice", "cancel", [1, ""]))
    journal.do(Command(4 * SECOND, "alice", "cancel", [1, ""]))
    journal.end(6 * SECOND)
    journal.close()
    with pytest.raises(StoreError, match="times must rise and lie within the run"):
        replay_session(spec, Past(tmp_path / JOURNAL))


def test_the_session_is_over_with_its_scenario(tmp_path: Path) -> None:
    session = LiveSession(scenario(duration="3s"), tmp_path / "run")
    session.advance(10 * SECOND)
    assert session.now == session.end == 3 * SECOND
    with pytest.raises(InvalidValueError, match="the session is over: the scenario has come to its end"):
        session.command("alice", "cancel_all", 0)
    run = session.finish()
    assert run.manifest.complete
    assert verify(tmp_path / "run").equal
