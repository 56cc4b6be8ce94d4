"""The naive twin itself, on examples worked out by hand from the page: a judge must be judged too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import BUY, DAY, FOK, GTD, IOC, SELL, Desk
from naive import CASES, NaiveCore

from marketsim.domain.event import EVENT
from marketsim.errors import InvariantViolation


@pytest.fixture
def desk() -> Desk:
    return Desk(NaiveCore(markets=2))


def test_an_afternoon_worked_out_by_hand(desk: Desk) -> None:
    """A book is built, swept, repaired and emptied; every row was written down before the twin ran."""
    desk.sell(10, 102, owner=1)  # 1
    desk.sell(5, 101, owner=2, tif=DAY)  # 2
    desk.sell(5, 101, owner=3)  # 3
    desk.buy(10, 99, owner=4)  # 4
    desk.buy(4, stop=102, owner=5)  # 5
    desk.sell(6, 99, stop=99, owner=5)  # 6
    desk.buy(12, 102, owner=6, tif=IOC)  # 7
    desk.cancel(1, 2, owner=1)
    desk.replace(4, 98, 10, owner=4)
    desk.sell(3, owner=7, tif=FOK)  # 8
    desk.close()
    assert desk.told() == [
        "ACCEPTED #1 10@102",
        "ACCEPTED #2 5@101",
        "ACCEPTED #3 5@101",
        "ACCEPTED #4 10@99",
        "ACCEPTED #5 4@0",
        "TERMS #5 stop 102 expire 0",
        "ACCEPTED #6 6@99",
        "TERMS #6 stop 99 expire 0",
        "ACCEPTED #7 12@102",
        "TRADE #7 with #2 5@101 leaves 0",
        "TRADE #7 with #3 5@101 leaves 0",
        "TRADE #7 with #1 2@102 leaves 8",
        "TRIGGERED #5 4@102",
        "TRADE #5 with #1 4@102 leaves 4",
        "CANCELED #1 2@102 leaves 2 BY_REQUEST",
        "REPLACED #4 10@98 leaves 10",
        "ACCEPTED #8 3@0",
        "TRADE #8 with #4 3@98 leaves 7",
        "TRIGGERED #6 6@99",
        "PHASE #0 1@98 SCHEDULE",
    ]
    assert desk.bids() == [(98, 7, 1)]
    assert desk.asks() == [(99, 6, 1), (102, 2, 1)]


def test_an_evening_of_stops_worked_out_by_hand(desk: Desk) -> None:
    """Stops push the price down through three levels; the last of them finds nobody."""
    for price in (10, 9, 8):
        desk.buy(2, price)  # 1, 2, 3
    desk.sell(2, stop=10)  # 4
    desk.sell(1, stop=9)  # 5
    desk.sell(3, 8, stop=9)  # 6
    desk.sell(1, stop=8, tif=GTD, expire=10**6)  # 7
    desk.rows()
    desk.sell(1, 10)  # 8
    assert desk.told() == [
        "ACCEPTED #8 1@10",
        "TRADE #8 with #1 1@10 leaves 1",
        "TRIGGERED #4 2@10",
        "TRADE #4 with #1 1@10 leaves 0",
        "TRADE #4 with #2 1@9 leaves 1",
        "TRIGGERED #5 1@9",
        "TRADE #5 with #2 1@9 leaves 0",
        "TRIGGERED #6 3@9",
        "TRADE #6 with #3 2@8 leaves 0",
        "TRIGGERED #7 1@8",
        "CANCELED #7 1@0 leaves 0 NO_LIQUIDITY",
    ]
    assert (desk.bids(), desk.asks()) == ([], [(8, 1, 1)])


def test_rows_have_the_fields_of_the_event_log_in_its_order(desk: Desk) -> None:
    desk.buy(3, 10, owner=2**31 - 1)
    events = desk.core.events()
    assert events.dtype == EVENT
    assert [tuple(row) for row in events.tolist()] == desk.core.rows


def test_every_visited_case_has_a_name_in_the_list(desk: Desk) -> None:
    desk.buy(3, 10)
    desk.sell(3, 10)
    desk.cancel(9)
    assert set(desk.core.cases) == {
        "execute: rests without a trade",
        "execute: taker filled",
        "execute: maker filled",
        "cancel: 1 never known",
    }
    assert set(desk.core.cases) < set(CASES)
    assert len(set(CASES)) == len(CASES)


def _cross(core: NaiveCore) -> None:
    core.live[1].price = 12


def _empty(core: NaiveCore) -> None:
    core.live[1].quantity = 0


def _forget(core: NaiveCore) -> None:
    del core.live[2]


def _twice(core: NaiveCore) -> None:
    core.books[0].resting[BUY].append(core.live[1])


def _elsewhere(core: NaiveCore) -> None:
    core.live[1].market = 1


def _missed(core: NaiveCore) -> None:
    core.books[0].traded = 20


def _undrained(core: NaiveCore) -> None:
    core.elected.append(core.live[3])


@pytest.mark.parametrize("spoil", [_cross, _empty, _forget, _twice, _elsewhere, _missed, _undrained])
def test_its_check_finds_a_spoilt_state(desk: Desk, spoil: Callable[[NaiveCore], None]) -> None:
    desk.buy(3, 10)
    desk.sell(3, 11)
    desk.buy(3, stop=15)
    desk.core.check()
    spoil(desk.core)
    with pytest.raises(InvariantViolation):
        desk.core.check()


def test_stops_are_sorted_towards_the_trigger(desk: Desk) -> None:
    for side, stops in ((BUY, (5, 3, 5)), (SELL, (3, 5, 3))):
        for stop in stops:
            desk.order(side, 1, stop=stop)
    assert desk.stops(BUY) == [(2, 3), (1, 5), (3, 5)]
    assert desk.stops(SELL) == [(5, 5), (4, 3), (6, 3)]
