"""The seat of a client from outside: what it takes, what it refuses, and that its account always adds up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marketsim as ms
from marketsim.agents.client import Client, Record, Refusal, Terms, assets_of
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, TimeInForce
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.results.journal import JOURNAL, Past
from marketsim.simulation.execution import Execution
from marketsim.simulation.live import LiveSession, replay_session, seats, with_seats

MARKET: dict[str, Any] = {
    "name": "seat",
    "duration": "10min",
    "venues": {"X": {"fees": {"maker": "1bps", "taker": "2bps"}}},
    "instruments": {"ABC": {"tick_size": 0.01, "lot_size": 1, "reference_price": 100}},
    "agents": {
        "mm": {"type": "market_maker", "count": 2, "quantity": 20, "target_spread": 0.02, "max_position": 500},
        "noise": {"type": "noise", "count": 40, "rate": "2/s", "market_share": 0.2, "quantity": 10, "distance": 12},
        "trader": {"type": "client", "cash": 20_000, "holdings": {"ABC": 100}},
    },
}
MARGIN = 100_000_000  # ns in which every answer has come back


def _market(**changes: Any) -> tuple[Execution, Client]:
    spec = ms.ScenarioSpec.from_dict(MARKET)
    execution = Execution(with_seats(spec.with_overrides(changes) if changes else spec))
    execution.go_to(spec.start + 5_000_000_000)
    return execution, seats(execution)["trader"]


def _later(execution: Execution, span: int = MARGIN) -> None:
    execution.go_to(execution.now + span)


def _limit(side: int, quantity: int, price: int, name: str = "", flags: int = 0) -> Terms:
    return Terms(0, side, int(OrderType.LIMIT), quantity, price, name=name, flags=flags)


def _placed(client: Client, terms: Terms) -> Record:
    record = client.place(terms)
    assert isinstance(record, Record)
    return record


@pytest.fixture
def seat() -> Iterator[tuple[Execution, Client]]:
    execution, client = _market()
    yield execution, client
    execution.finish()


def _check(client: Client) -> None:
    """The account adds up, whatever is open."""
    balances = client.balances()
    fills = list(client.fills())
    signed = [int(fill.record.order.side) * fill.quantity for fill in fills]
    cash = sum(
        (-lots * fill.price * Decimal("0.01") - fill.fee for lots, fill in zip(signed, fills, strict=True)), Decimal(0)
    )
    assert balances["ABC"].free + balances["ABC"].locked == 100 + sum(signed)
    assert balances["USD"].free + balances["USD"].locked == 20_000 + cash
    assert min(balance.locked for balance in balances.values()) >= 0
    assert balances["ABC"].free >= 0  # nobody sells what is not there
    open_orders = [record for record in client._records.values() if record.live]
    sold, pairs = 0, set()
    for record in open_orders:
        if record.order.side < 0:
            pair = record.pair
            if pair is None:
                sold += record.order.leaves
            elif pair.number not in pairs:
                pairs.add(pair.number)
                sold += min(each.order.leaves if each.live else 0 for each in pair.records)
    assert balances["ABC"].locked == sold
    if not open_orders:
        assert balances["USD"].locked == 0


commands = st.one_of(
    st.tuples(st.just("limit"), st.sampled_from((1, -1)), st.integers(1, 80), st.integers(9_900, 10_100)),
    st.tuples(st.just("market"), st.sampled_from((1, -1)), st.integers(1, 40)),
    st.tuples(st.just("stop"), st.sampled_from((1, -1)), st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.just("pair"), st.sampled_from((1, -1)), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("amend"), st.integers(0, 30), st.integers(1, 60)),
    st.tuples(st.just("cancel_all")),
    st.tuples(st.just("wait"), st.integers(1, 3_000)),
)


def _carry_out(execution: Execution, client: Client, command: tuple[Any, ...]) -> None:
    verb, *rest = command
    records = list(client._by_number)
    if verb == "limit":
        client.place(_limit(*rest))
    elif verb == "market":
        side, quantity = rest
        worth = f"{quantity * 101}" if side > 0 else ""
        client.place(Terms(0, side, int(OrderType.MARKET), quantity, time_in_force=int(TimeInForce.IOC), worth=worth))
    elif verb == "stop":
        side, quantity, away = rest
        client.place(Terms(0, side, int(OrderType.STOP), quantity, stop=10_000 + side * away))
    elif verb == "pair":
        side, quantity, away, beyond = rest
        stop = Terms(0, side, int(OrderType.STOP), quantity, stop=10_000 + side * away)
        client.place_pair(stop, _limit(side, quantity, 10_000 - side * beyond))
    elif verb == "cancel_all":
        client.cancel_market()
    elif verb == "wait":
        _later(execution, rest[0] * 1_000_000)
    elif records:
        number = records[-1 - rest[0] % len(records)]
        if verb == "cancel":
            client.cancel_order(number)
        else:
            client.amend(number, rest[1])


@settings(max_examples=25)
@given(st.lists(commands, min_size=5, max_size=30))
def test_the_account_adds_up_after_every_command_and_every_report(script: list[tuple[Any, ...]]) -> None:
    execution, client = _market()
    client.hear(lambda *_: _check(client))
    for command in script:
        _carry_out(execution, client, command)
        _check(client)
        _later(execution, 200_000)  # some answers are under way
        _check(client)
    client.cancel_market()
    _later(execution)
    _check(client)
    assert not list(client.live())
    assert {balance.locked for balance in client.balances().values()} == {0}
    execution.finish()


def test_an_amendment_frees_what_it_gives_up(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    record = _placed(client, _limit(-1, 40, 10_500))
    _later(execution)
    assert client.balance("ABC") == (60, 40)
    assert client.amend(record.number, 15, "smaller") is record
    _later(execution)
    assert client.balance("ABC") == (85, 15)
    assert client.amend(record.number, 15) is Refusal.SIZE
    assert client.amend(999, 1) is Refusal.UNKNOWN


def test_more_than_the_account_holds_is_refused(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    assert client.place(_limit(-1, 101, 10_500)) is Refusal.FUNDS
    assert client.place(_limit(1, 1_000, 9_000)) is Refusal.FUNDS
    _placed(client, _limit(-1, 100, 10_500))
    assert client.place(_limit(-1, 1, 10_500)) is Refusal.FUNDS  # what is locked is not free
    _later(execution)
    assert [record.order.quantity for record in client.live()] == [100]


def test_a_market_order_locks_the_fee_too(seat: tuple[Execution, Client]) -> None:
    _, client = seat
    terms = Terms(0, 1, int(OrderType.MARKET), 199, time_in_force=int(TimeInForce.IOC))
    assert client.place(terms._replace(worth="19999")) is Refusal.FUNDS  # 19,999 and two basis points of it
    _placed(client, terms._replace(worth="19990"))


def test_who_may_sell_short_may(seat: tuple[Execution, Client]) -> None:
    execution, client = _market(**{"agents.trader.short": True})
    _placed(client, _limit(-1, 500, 10_500))
    assert client.balance("ABC") == (100, 0)
    execution.finish()


def test_a_name_is_taken_while_its_order_is_open(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    record = _placed(client, _limit(1, 1, 9_000, "mine"))
    assert client.place(_limit(1, 1, 9_000, "mine")) is Refusal.DUPLICATE
    stop = Terms(0, 1, int(OrderType.STOP), 1, stop=10_500, name="other")
    assert client.place_pair(stop, _limit(1, 1, 9_000, "mine")) is Refusal.DUPLICATE
    assert client.place_pair(stop, _limit(1, 1, 9_000, "other")) is Refusal.DUPLICATE
    _later(execution)
    client.cancel_order(record.number)
    _later(execution)
    again = _placed(client, _limit(1, 1, 9_000, "mine"))
    assert client.by_name("mine") is again


def _pair(client: Client, quantity: int = 30, limit: int = 10_500, stop: int = 9_500, name: str = "both") -> Record:
    first = client.place_pair(Terms(0, -1, int(OrderType.STOP), quantity, stop=stop), _limit(-1, quantity, limit), name)
    assert isinstance(first, Record)
    return first


def test_a_pair_locks_once_and_ends_together(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    first = _pair(client)
    pair = first.pair
    assert pair is not None
    assert client.balance("ABC") == (70, 30)
    _later(execution)
    assert (client.pair(pair.number), client.pair_by_name("both"), list(client.pairs())) == (pair, pair, [pair])
    second = client.place_pair(Terms(0, -1, 3, 1, stop=9_500), _limit(-1, 1, 10_500), "both")
    assert second is Refusal.DUPLICATE
    client.cancel_order(pair.second.number)
    _later(execution)
    assert [record.order.state for record in pair.records] == [OrderState.CANCELED] * 2
    assert pair.first.order.reason is Reason.LINKED
    assert client.balance("ABC") == (100, 0)


def test_what_one_of_a_pair_trades_the_other_loses(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    bid = max(execution.world.core.depth(0, 1, 1))[0]
    first = _pair(client, 60, limit=bid)  # at once against whoever bids
    _later(execution)
    pair = first.pair
    assert pair is not None
    filled = pair.second.order.filled
    assert 0 < filled <= 60
    assert pair.first.order.leaves == pair.second.order.leaves == 60 - filled
    assert client.balance("ABC") == (40, 60 - filled)


def test_a_pair_is_of_one_side(seat: tuple[Execution, Client]) -> None:
    _, client = seat
    with pytest.raises(InvalidValueError, match="one side"):
        client.place_pair(Terms(0, -1, 3, 1, stop=9_500), _limit(1, 1, 9_000))


def test_a_pair_of_which_the_own_limits_refuse_one_does_not_stay() -> None:
    execution, client = _market(**{"agents.trader.limits": {"max_position": 6}})
    sent = client.place_pair(Terms(0, -1, int(OrderType.STOP), 5, stop=9_500), _limit(-1, 5, 10_500))
    assert isinstance(sent, Record)
    _later(execution)
    assert not list(client.live())
    assert client.balance("ABC") == (100, 0)
    execution.finish()


def test_a_refused_order_is_forgotten_where_the_venue_never_saw_it(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    record = _placed(client, _limit(1, 1, 11_000, "taker", int(OrderFlag.POST_ONLY)))
    _later(execution)
    assert record.order.reason is Reason.WOULD_TRADE
    assert record not in client.records()
    assert client.by_name("taker") is None
    assert client.balance("USD").locked == 0


def test_commands_are_those_of_the_journal(seat: tuple[Execution, Client]) -> None:
    execution, client = seat
    record = client.carry_out("place", list(_limit(1, 2, 9_000)))
    pair = client.carry_out("pair", [list(Terms(0, -1, 3, 5, stop=9_500)), list(_limit(-1, 5, 10_500)), "list"])
    assert isinstance(record, Record)
    assert isinstance(pair, Record)
    _later(execution)
    assert client.carry_out("amend", [record.number, 1]) is record
    assert client.carry_out("cancel", [record.number]) is record
    client.carry_out("cancel_all", [])
    _later(execution)
    assert not list(client.live())
    with pytest.raises(InvalidValueError, match='did you mean "place"'):
        client.carry_out("plaice", [])


def test_the_assets_of_a_symbol() -> None:
    assert assets_of(Instrument("BTC-USD")) == ("BTC", "USD")
    assert assets_of(Instrument("ABC")) == ("ABC", "USD")
    assert assets_of(Instrument("USD")) == ("USD", "USD")


def test_what_was_commanded_happens_again_from_the_journal(tmp_path: Path) -> None:
    spec = with_seats(ms.ScenarioSpec.from_dict(MARKET))
    live = LiveSession(spec, tmp_path / "run")
    start = live.now
    pair = live.command("trader", "pair", list(Terms(0, -1, 3, 20, stop=9_900)), list(_limit(-1, 20, 10_003)), "both")
    assert isinstance(pair, Record)
    live.advance(start + SECOND)
    order = live.command("trader", "place", *_limit(1, 30, 9_950))
    assert isinstance(order, Record)
    live.advance(start + 2 * SECOND)
    live.command("trader", "amend", order.number, 10, "smaller")
    live.advance(start + 30 * SECOND)
    live.command("trader", "cancel_all")
    live.advance(start + 31 * SECOND)
    before = live.seat("trader").balances(), [record.order.filled for record in live.seat("trader").records()]
    run = live.finish()
    again = replay_session(spec, Past(tmp_path / "run" / JOURNAL))
    assert again.digest == run.digest
    assert len(before[1]) == 3
