"""docs/matching-rules.md, rule by rule, as small cases that both the core and its naive twin must pass."""

from __future__ import annotations

import pytest
from desk import BUY, DAY, FOK, GTD, IOC, SELL, Desk
from naive import NaiveCore

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.exchange.core import MatchingCore

LARGEST = 2**53
GTC = TimeInForce.GTC


pytestmark = [pytest.mark.boundscheck, pytest.mark.uncompiled]


@pytest.fixture(params=[MatchingCore, NaiveCore], ids=["core", "twin"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param(markets=2))


def ask_order(desk: Desk, **changes: int) -> str:
    """A good limit order with some fields changed; the reason of the reject, or ACCEPTED."""
    desk.rows()
    fields = {
        "time": 50, "owner": 1, "market": 0, "side": BUY, "order_type": OrderType.LIMIT, "time_in_force": GTC,
        "flags": 0, "price": 10, "stop_price": 0, "quantity": 5, "expire": 0, "order_id": 0,
    }  # fmt: skip
    fields.update(changes)
    desk.core.new(*(int(value) for value in fields.values()))
    row = desk.rows()[0]
    return "ACCEPTED" if row["kind"] == EventKind.ACCEPTED else Reason(row["reason"]).name


# --- new order: the checks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", [-1, 2, 65_535, 65_536, 2**40])
def test_unknown_market_is_refused_under_the_number_that_stands_for_none(desk: Desk, market: int) -> None:
    desk.buy(5, 10, market=market, owner=7)
    (row,) = desk.rows()
    assert (row["kind"], row["reason"], row["market"]) == (EventKind.REJECTED, Reason.UNKNOWN_MARKET, 65_535)
    assert (row["owner"], row["price"], row["quantity"]) == (7, 10, 5)


def test_an_order_id_is_used_once(desk: Desk) -> None:
    desk.buy(5, 10, order_id=4)
    assert ask_order(desk, order_id=4) == "DUPLICATE_ORDER"
    desk.cancel(4)
    assert ask_order(desk, order_id=4) == "DUPLICATE_ORDER", "an id stays used when its order is gone"
    assert ask_order(desk, order_id=6, quantity=0) == "INVALID_QUANTITY"
    assert ask_order(desk, order_id=6) == "DUPLICATE_ORDER", "a rejected id is used too"


def test_a_duplicate_leaves_the_first_order_alone(desk: Desk) -> None:
    desk.buy(5, 10, order_id=4, owner=1)
    desk.sell(9, 10, order_id=4, owner=2)
    assert desk.told() == ["ACCEPTED #4 5@10", "REJECTED #4 9@10 DUPLICATE_ORDER"]
    assert (desk.bids(), desk.asks()) == ([(10, 5, 1)], [])


def test_an_unknown_market_does_not_use_an_id(desk: Desk) -> None:
    assert ask_order(desk, market=5, order_id=4) == "UNKNOWN_MARKET"
    assert ask_order(desk, market=5, order_id=4) == "UNKNOWN_MARKET"
    assert ask_order(desk, order_id=4) == "ACCEPTED"


def test_numbers_given_by_the_core_are_never_given_twice(desk: Desk) -> None:
    assert desk.buy(5, 10) == 1
    assert desk.buy(5, 10, order_id=40) == 40
    assert desk.buy(5, 10) == 41
    assert desk.buy(0, 10) == 42
    assert desk.buy(5, 10, market=9) == 43
    assert desk.buy(5, 10, order_id=7) == 7
    assert desk.buy(5, 10) == 44


@pytest.mark.parametrize("core", [MatchingCore, NaiveCore])
def test_ids_belong_to_a_core_and_not_to_the_process(core: type) -> None:
    first, second = Desk(core()), Desk(core())
    assert (first.buy(5, 10), first.buy(5, 10)) == (1, 2)
    assert second.sell(5, 10) == 1
    assert second.told() == ["ACCEPTED #1 5@10"]


@pytest.mark.parametrize("quantity", [0, -1, -LARGEST, -(2**63), LARGEST + 1, 2**63 - 1])
def test_quantity_out_of_range(desk: Desk, quantity: int) -> None:
    assert ask_order(desk, quantity=quantity) == "INVALID_QUANTITY"


def test_the_largest_quantity_trades(desk: Desk) -> None:
    desk.buy(LARGEST, 10)
    desk.sell(LARGEST, 10)
    assert desk.told()[-1] == f"TRADE #2 with #1 {LARGEST}@10 leaves 0"


OUTSIDE = [LARGEST + 1, -LARGEST - 1, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("price", OUTSIDE)
def test_price_out_of_range(desk: Desk, price: int) -> None:
    assert ask_order(desk, price=price) == "INVALID_PRICE"
    assert ask_order(desk, price=price, order_type=OrderType.STOP_LIMIT, stop_price=20) == "INVALID_PRICE"
    assert ask_order(desk, order_type=OrderType.STOP_LIMIT, stop_price=price) == "INVALID_PRICE"
    assert ask_order(desk, order_type=OrderType.STOP, stop_price=price) == "INVALID_PRICE"


@pytest.mark.parametrize("price", OUTSIDE)
def test_prices_that_an_order_does_not_have_are_ignored(desk: Desk, price: int) -> None:
    assert ask_order(desk, order_type=OrderType.MARKET, price=price, stop_price=price) == "ACCEPTED"
    assert ask_order(desk, order_type=OrderType.STOP, price=price, stop_price=20) == "ACCEPTED"
    assert ask_order(desk, order_type=OrderType.LIMIT, stop_price=price) == "ACCEPTED"
    desk.core.check()


def test_ignored_prices_count_as_zero_in_an_accept_and_as_asked_in_a_reject(desk: Desk) -> None:
    desk.core.new(1, 1, 0, BUY, int(OrderType.STOP), int(GTC), 0, 77, 20, 5)
    desk.core.new(2, 1, 0, BUY, int(OrderType.STOP), int(GTC), 0, 77, 20, 0)
    assert desk.told() == ["ACCEPTED #1 5@0", "TERMS #1 stop 20 expire 0", "REJECTED #2 0@77 INVALID_QUANTITY"]


def test_prices_reach_two_to_the_53_on_both_sides_of_zero(desk: Desk) -> None:
    desk.sell(1, LARGEST)
    desk.buy(1, -LARGEST)
    desk.sell(1, -LARGEST + 1)
    assert desk.asks() == [(-LARGEST + 1, 1, 1), (LARGEST, 1, 1)]
    assert desk.bids() == [(-LARGEST, 1, 1)]
    desk.rows()
    desk.buy(2, LARGEST)
    assert desk.told() == [
        f"ACCEPTED #4 2@{LARGEST}",
        f"TRADE #4 with #3 1@{-LARGEST + 1} leaves 0",
        f"TRADE #4 with #1 1@{LARGEST} leaves 0",
    ]


@pytest.mark.parametrize(("expire", "answer"), [(51, "ACCEPTED"), (50, "INVALID_EXPIRY"), (0, "INVALID_EXPIRY")])
def test_good_till_date_needs_a_time_after_now(desk: Desk, expire: int, answer: str) -> None:
    assert ask_order(desk, time=50, time_in_force=GTD, expire=expire) == answer


@pytest.mark.parametrize("tif", [GTC, DAY, IOC, FOK])
@pytest.mark.parametrize("expire", [60, -1])
def test_only_good_till_date_has_an_expire_time(desk: Desk, tif: TimeInForce, expire: int) -> None:
    assert ask_order(desk, time_in_force=tif, expire=expire) == "INVALID_EXPIRY"


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT])
def test_post_only_goes_with_limit_orders_only(desk: Desk, order_type: OrderType) -> None:
    assert ask_order(desk, order_type=order_type, flags=OrderFlag.POST_ONLY) == "INVALID_INSTRUCTION"


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_post_only_contradicts_orders_that_never_rest(desk: Desk, tif: TimeInForce) -> None:
    assert ask_order(desk, time_in_force=tif, flags=OrderFlag.POST_ONLY) == "INVALID_INSTRUCTION"


@pytest.mark.parametrize("price", [10, 11, LARGEST])
def test_a_post_only_buy_that_crosses_is_refused(desk: Desk, price: int) -> None:
    desk.sell(5, 10)
    desk.rows()
    desk.buy(3, price, post_only=True)
    assert desk.told() == [f"REJECTED #2 3@{price} WOULD_TRADE"]
    assert (desk.bids(), desk.asks()) == ([], [(10, 5, 1)])


@pytest.mark.parametrize("price", [10, 9, -LARGEST])
def test_a_post_only_sell_that_crosses_is_refused(desk: Desk, price: int) -> None:
    desk.buy(5, 10)
    desk.rows()
    desk.sell(3, price, post_only=True)
    assert desk.told() == [f"REJECTED #2 3@{price} WOULD_TRADE"]
    assert (desk.bids(), desk.asks()) == ([(10, 5, 1)], [])


def test_post_only_rests_beside_the_touch_and_is_hit_like_any_other(desk: Desk) -> None:
    desk.buy(5, 9, post_only=True)
    desk.sell(5, 10, post_only=True)
    desk.buy(2, 10)
    assert desk.told()[2:] == ["ACCEPTED #3 2@10", "TRADE #3 with #2 2@10 leaves 3"]


def test_the_first_check_that_fails_names_the_reason(desk: Desk) -> None:
    desk.sell(5, 10)
    desk.buy(1, 1, order_id=9)
    desk.close(market=1)
    wrong = {
        "flags": OrderFlag.POST_ONLY, "price": 10, "expire": 60, "time_in_force": IOC, "order_type": OrderType.LIMIT,
        "quantity": 0, "market": 1, "order_id": 9,
    }  # fmt: skip
    assert ask_order(desk, **{**wrong, "market": 7, "price": 2**60}) == "UNKNOWN_MARKET"
    assert ask_order(desk, **{**wrong, "price": 2**60}) == "DUPLICATE_ORDER"
    assert ask_order(desk, **{**wrong, "price": 2**60, "order_id": 0}) == "MARKET_CLOSED"
    wrong.update(market=0, order_id=0)
    assert ask_order(desk, **{**wrong, "price": 2**60}) == "INVALID_QUANTITY"
    wrong.update(quantity=5)
    assert ask_order(desk, **{**wrong, "price": 2**60}) == "INVALID_PRICE"
    assert ask_order(desk, **wrong) == "INVALID_EXPIRY"
    wrong.update(expire=0)
    assert ask_order(desk, **wrong) == "INVALID_INSTRUCTION"
    wrong.update(time_in_force=GTC)
    assert ask_order(desk, **wrong) == "WOULD_TRADE"
    wrong.update(price=9)
    assert ask_order(desk, **wrong) == "ACCEPTED"


# --- whole rows --------------------------------------------------------------------------------------------------


def whole(desk: Desk) -> list[tuple[int, ...]]:
    return [tuple(row[name] for name in EVENT.names or ()) for row in desk.rows()]


def test_every_column_of_accepted_terms_and_trade(desk: Desk) -> None:
    core = desk.core
    limit, stop_limit = int(OrderType.LIMIT), int(OrderType.STOP_LIMIT)
    core.new(3, 7, 1, SELL, limit, int(GTD), int(OrderFlag.POST_ONLY), -4, 0, 9, 88)
    core.new(4, 8, 1, BUY, stop_limit, int(DAY), 0, -3, -5, 6)
    core.new(5, 9, 1, BUY, int(OrderType.MARKET), int(IOC), 0, 0, 0, 2)
    # time order match price quantity leaves owner peer market kind side reason type time-in-force flags
    assert whole(desk) == [
        (3, 1, 0, -4, 9, 9, 7, 0, 1, EventKind.ACCEPTED, SELL, 0, limit, GTD, OrderFlag.POST_ONLY),
        (3, 1, 0, 0, 0, 88, 7, 0, 1, EventKind.TERMS, SELL, 0, limit, GTD, OrderFlag.POST_ONLY),
        (4, 2, 0, -3, 6, 6, 8, 0, 1, EventKind.ACCEPTED, BUY, 0, stop_limit, DAY, 0),
        (4, 2, 0, -5, 0, 0, 8, 0, 1, EventKind.TERMS, BUY, 0, stop_limit, DAY, 0),
        (5, 3, 0, 0, 2, 2, 9, 0, 1, EventKind.ACCEPTED, BUY, 0, OrderType.MARKET, IOC, 0),
        (5, 3, 1, -4, 2, 7, 9, 7, 1, EventKind.TRADE, BUY, 0, OrderType.MARKET, IOC, 0),
        (5, 2, 0, -5, 6, 6, 8, 0, 1, EventKind.TRIGGERED, BUY, 0, stop_limit, DAY, 0),
        (5, 2, 1, -4, 6, 1, 8, 7, 1, EventKind.TRADE, BUY, 0, stop_limit, DAY, 0),
    ]


def test_every_column_of_canceled_replaced_and_expired(desk: Desk) -> None:
    core = desk.core
    limit, post = int(OrderType.LIMIT), int(OrderFlag.POST_ONLY)
    core.new(1, 7, 1, BUY, limit, int(DAY), post, 50, 0, 9)
    core.cancel(2, 7, 1, 2)
    core.replace(3, 7, 1, 50, 5)
    core.replace(4, 7, 1, 51, 6)
    core.expire(5, 1)
    core.new(6, 7, 1, BUY, limit, int(DAY), post, 50, 0, 9)
    core.cancel(7, 7, 2)
    kept = post | OrderFlag.KEPT_PRIORITY
    assert whole(desk) == [
        (1, 1, 0, 50, 9, 9, 7, 0, 1, EventKind.ACCEPTED, BUY, 0, limit, DAY, post),
        (2, 1, 0, 50, 2, 7, 7, 0, 1, EventKind.CANCELED, BUY, Reason.BY_REQUEST, limit, DAY, post),
        (3, 1, 0, 50, 5, 5, 7, 0, 1, EventKind.REPLACED, BUY, 0, limit, DAY, kept),
        (4, 1, 0, 51, 6, 6, 7, 0, 1, EventKind.REPLACED, BUY, 0, limit, DAY, post),
        (5, 1, 0, 51, 6, 0, 7, 0, 1, EventKind.EXPIRED, BUY, Reason.END_OF_TIME, limit, DAY, post),
        (6, 2, 0, 50, 9, 9, 7, 0, 1, EventKind.ACCEPTED, BUY, 0, limit, DAY, post),
        (7, 2, 0, 50, 9, 0, 7, 0, 1, EventKind.CANCELED, BUY, Reason.BY_REQUEST, limit, DAY, post),
    ]


def test_every_column_of_the_rejects(desk: Desk) -> None:
    core = desk.core
    stop, post = int(OrderType.STOP), int(OrderFlag.POST_ONLY)
    core.new(1, 7, 1, SELL, stop, int(DAY), post, 50, 60, 9)
    core.cancel(2, 8, 77, 3)
    core.replace(3, 8, 77, 41, 6, 5)
    assert whole(desk) == [
        (1, 1, 0, 50, 9, 0, 7, 0, 1, EventKind.REJECTED, SELL, Reason.INVALID_INSTRUCTION, stop, DAY, post),
        (2, 77, 0, 0, 3, 0, 8, 0, 65_535, EventKind.CANCEL_REJECTED, 0, Reason.UNKNOWN_ORDER, 0, 0, 0),
        (3, 77, 0, 41, 6, 0, 8, 0, 65_535, EventKind.REPLACE_REJECTED, 0, Reason.UNKNOWN_ORDER, 0, 0, 0),
    ]


# --- execute -----------------------------------------------------------------------------------------------------


def test_better_prices_first_then_first_come_first_served(desk: Desk) -> None:
    desk.sell(5, 11)
    desk.sell(5, 10)
    desk.sell(5, 10)
    desk.sell(5, 9)
    desk.rows()
    desk.buy(17, 11)
    assert desk.told() == [
        "ACCEPTED #5 17@11",
        "TRADE #5 with #4 5@9 leaves 0",
        "TRADE #5 with #2 5@10 leaves 0",
        "TRADE #5 with #3 5@10 leaves 0",
        "TRADE #5 with #1 2@11 leaves 3",
    ]


def test_a_sell_takes_the_highest_bids_first(desk: Desk) -> None:
    desk.buy(5, -3)
    desk.buy(5, 2)
    desk.buy(5, 0)
    desk.rows()
    desk.sell(12, -3)
    assert desk.told() == [
        "ACCEPTED #4 12@-3",
        "TRADE #4 with #2 5@2 leaves 0",
        "TRADE #4 with #3 5@0 leaves 0",
        "TRADE #4 with #1 2@-3 leaves 3",
    ]


def test_a_limit_order_stops_at_its_limit_and_rests_with_what_is_left(desk: Desk) -> None:
    desk.sell(5, 10)
    desk.sell(5, 12)
    desk.rows()
    desk.buy(8, 11)
    assert desk.told() == ["ACCEPTED #3 8@11", "TRADE #3 with #1 5@10 leaves 0"]
    assert (desk.bids(), desk.asks()) == ([(11, 3, 1)], [(12, 5, 1)])


def test_a_partly_filled_maker_stays_in_front(desk: Desk) -> None:
    desk.buy(5, 10)
    desk.buy(5, 10)
    desk.sell(2, 10)
    assert desk.queue(BUY, 10) == [(1, 3), (2, 5)]
    desk.sell(4, 10)
    assert desk.queue(BUY, 10) == [(2, 4)]


def test_the_core_itself_lets_a_participant_trade_with_itself(desk: Desk) -> None:
    """Unless the venue wants it prevented, all owners are alike."""
    desk.buy(5, 10, owner=3)
    desk.sell(5, 10, owner=3)
    assert desk.told()[-1] == "TRADE #2 with #1 5@10 leaves 0"


@pytest.mark.parametrize("limit", [12, None])
def test_where_self_trades_are_prevented_the_newer_order_is_canceled(desk: Desk, limit: int | None) -> None:
    """It trades with those in front of its owner's order, then leaves; the older order stays as it was."""
    desk.core.prevent_self_trades(0)
    desk.sell(5, 10, owner=4)
    desk.sell(5, 11, owner=4)
    desk.sell(5, 11, owner=3)
    desk.sell(5, 11, owner=4)
    desk.rows()
    desk.buy(20, limit, owner=3)
    shown = limit or 0
    assert desk.told() == [
        f"ACCEPTED #5 20@{shown}",
        "TRADE #5 with #1 5@10 leaves 0",
        "TRADE #5 with #2 5@11 leaves 0",
        f"CANCELED #5 10@{shown} leaves 0 SELF_TRADE",
    ]
    assert (desk.bids(), desk.queue(SELL, 11)) == ([], [(3, 5), (4, 5)])


def test_an_own_order_that_is_not_reached_does_no_harm(desk: Desk) -> None:
    desk.core.prevent_self_trades(0)
    desk.sell(5, 10, owner=4)
    desk.sell(5, 10, owner=3)
    desk.sell(5, 11, owner=3)
    desk.rows()
    desk.buy(5, 11, owner=3)
    desk.buy(5, 9, owner=3)
    assert desk.told() == ["ACCEPTED #4 5@11", "TRADE #4 with #1 5@10 leaves 0", "ACCEPTED #5 5@9"]
    assert desk.bids() == [(9, 5, 1)]


def test_fill_or_kill_counts_only_what_stands_in_front_of_an_own_order(desk: Desk) -> None:
    desk.core.prevent_self_trades(0)
    desk.sell(5, 10, owner=4)
    desk.sell(2, 11, owner=5)
    desk.sell(5, 11, owner=3)
    desk.sell(50, 11, owner=4)
    desk.sell(50, 12, owner=4)
    desk.rows()
    desk.buy(8, 12, owner=3, tif=FOK)
    desk.buy(7, 12, owner=3, tif=FOK)
    assert desk.told() == [
        "ACCEPTED #6 8@12",
        "CANCELED #6 8@12 leaves 0 FILL_OR_KILL",
        "ACCEPTED #7 7@12",
        "TRADE #7 with #1 5@10 leaves 0",
        "TRADE #7 with #2 2@11 leaves 0",
    ]


def test_self_trades_are_prevented_in_replaces_and_elections_too(desk: Desk) -> None:
    desk.core.prevent_self_trades(0)
    desk.last_price(10)
    desk.sell(5, 12, owner=3)
    desk.buy(5, 9, owner=3)
    desk.rows()
    desk.replace(4, 12, 6, owner=3)
    desk.buy(5, 12, stop=10, owner=3)
    assert desk.told() == [
        "REPLACED #4 6@12 leaves 6",
        "CANCELED #4 6@12 leaves 0 SELF_TRADE",
        "ACCEPTED #5 5@12",
        "TERMS #5 stop 10 expire 0",
        "TRIGGERED #5 5@10",
        "CANCELED #5 5@12 leaves 0 SELF_TRADE",
    ]
    assert (desk.bids(), desk.asks()) == ([], [(12, 5, 1)])


def test_self_trades_are_prevented_market_by_market_and_only_while_wanted(desk: Desk) -> None:
    desk.core.prevent_self_trades(0)
    desk.core.prevent_self_trades(0, False)
    desk.core.prevent_self_trades(1)
    for market in range(2):
        desk.sell(5, 10, owner=3, market=market)
        desk.buy(5, 10, owner=3, market=market)
    assert [line.split()[0] for line in desk.told()] == ["ACCEPTED", "ACCEPTED", "TRADE"] + ["ACCEPTED"] * 2 + [
        "CANCELED"
    ]


@pytest.mark.parametrize("tif", [GTC, DAY, IOC])
def test_a_market_order_on_an_empty_book_is_answered(desk: Desk, tif: TimeInForce) -> None:
    desk.buy(5, tif=tif)
    assert desk.told() == ["ACCEPTED #1 5@0", "CANCELED #1 5@0 leaves 0 NO_LIQUIDITY"]
    assert desk.bids() == []


def test_a_good_till_date_market_order_does_not_rest_either(desk: Desk) -> None:
    desk.sell(5, tif=GTD, expire=90)
    assert desk.told() == [
        "ACCEPTED #1 5@0",
        "TERMS #1 stop 0 expire 90",
        "CANCELED #1 5@0 leaves 0 NO_LIQUIDITY",
    ]


def test_a_market_order_takes_any_price_and_its_rest_is_canceled(desk: Desk) -> None:
    desk.sell(5, LARGEST)
    desk.sell(1, 3)
    desk.rows()
    desk.buy(9)
    assert desk.told() == [
        "ACCEPTED #3 9@0",
        "TRADE #3 with #2 1@3 leaves 0",
        f"TRADE #3 with #1 5@{LARGEST} leaves 0",
        "CANCELED #3 3@0 leaves 0 NO_LIQUIDITY",
    ]


def test_immediate_or_cancel_trades_what_is_there(desk: Desk) -> None:
    desk.sell(5, 10)
    desk.sell(5, 12)
    desk.rows()
    desk.buy(8, 11, tif=IOC)
    desk.buy(8, 11, tif=IOC)
    assert desk.told() == [
        "ACCEPTED #3 8@11",
        "TRADE #3 with #1 5@10 leaves 0",
        "CANCELED #3 3@11 leaves 0 IMMEDIATE_OR_CANCEL",
        "ACCEPTED #4 8@11",
        "CANCELED #4 8@11 leaves 0 IMMEDIATE_OR_CANCEL",
    ]
    assert desk.bids() == []


def test_fill_or_kill_fills_to_the_last_lot_or_not_at_all(desk: Desk) -> None:
    desk.sell(5, 10)
    desk.sell(2, 10)
    desk.sell(4, 11)
    desk.sell(9, 13)
    desk.rows()
    desk.buy(12, 12, tif=FOK)
    assert desk.told() == ["ACCEPTED #5 12@12", "CANCELED #5 12@12 leaves 0 FILL_OR_KILL"]
    assert desk.asks() == [(10, 7, 2), (11, 4, 1), (13, 9, 1)]
    desk.buy(11, 12, tif=FOK)
    assert [line.split()[0] for line in desk.told()] == ["ACCEPTED", "TRADE", "TRADE", "TRADE"]
    assert desk.asks() == [(13, 9, 1)]


def test_fill_or_kill_counts_both_sides_of_zero_and_sells_too(desk: Desk) -> None:
    desk.buy(5, 1)
    desk.buy(5, -1)
    desk.rows()
    desk.sell(10, 0, tif=FOK)
    desk.sell(10, -1, tif=FOK)
    assert desk.told() == [
        "ACCEPTED #3 10@0",
        "CANCELED #3 10@0 leaves 0 FILL_OR_KILL",
        "ACCEPTED #4 10@-1",
        "TRADE #4 with #1 5@1 leaves 0",
        "TRADE #4 with #2 5@-1 leaves 0",
    ]


def test_a_fill_or_kill_market_order_counts_the_whole_side(desk: Desk) -> None:
    desk.sell(5, 10)
    desk.sell(5, 10**9)
    desk.rows()
    desk.buy(11, tif=FOK)
    desk.buy(10, tif=FOK)
    desk.buy(1, tif=FOK)
    assert desk.told() == [
        "ACCEPTED #3 11@0",
        "CANCELED #3 11@0 leaves 0 FILL_OR_KILL",
        "ACCEPTED #4 10@0",
        "TRADE #4 with #1 5@10 leaves 0",
        f"TRADE #4 with #2 5@{10**9} leaves 0",
        "ACCEPTED #5 1@0",
        "CANCELED #5 1@0 leaves 0 FILL_OR_KILL",
    ]


def test_markets_do_not_meet(desk: Desk) -> None:
    """No hard-coded symbol: equal prices in two markets are two books, with their own trades, stops and sessions."""
    desk.sell(5, 10, market=0)
    desk.buy(5, 10, market=1)
    desk.buy(7, stop=10, market=1)
    desk.rows()
    desk.buy(5, 10, market=0)
    assert desk.told() == ["ACCEPTED #4 5@10", "TRADE #4 with #1 5@10 leaves 0"]
    assert desk.bids(market=1) == [(10, 5, 1)]
    assert desk.stops(BUY, market=1) == [(3, 10)]
    desk.close(market=0)
    desk.sell(5, 10, market=1)
    assert desk.rows()[-1]["kind"] != EventKind.REJECTED


# --- stops -------------------------------------------------------------------------------------------------------


def test_stops_wait_nearest_to_the_trigger_first_then_by_arrival(desk: Desk) -> None:
    for stop in (12, 11, 12, -3):
        desk.buy(1, stop=stop)
    for stop in (5, 6, 5, 9):
        desk.sell(1, stop=stop)
    assert desk.stops(BUY) == [(4, -3), (2, 11), (1, 12), (3, 12)]
    assert desk.stops(SELL) == [(8, 9), (6, 6), (5, 5), (7, 5)]
    assert (desk.bids(), desk.asks()) == ([], [])


def test_before_the_first_trade_every_stop_waits(desk: Desk) -> None:
    desk.buy(1, stop=-LARGEST)
    desk.sell(1, stop=LARGEST)
    desk.buy(5, 10)
    desk.sell(5, 11)
    assert (desk.stops(BUY), desk.stops(SELL)) == ([(1, -LARGEST)], [(2, LARGEST)])


@pytest.mark.parametrize(("side", "stop"), [(BUY, 10), (BUY, 9), (SELL, 10), (SELL, 11)])
def test_a_stop_that_the_last_trade_satisfies_is_elected_at_once(desk: Desk, side: int, stop: int) -> None:
    desk.last_price(10)
    desk.buy(5, 9)
    desk.sell(5, 11)
    desk.rows()
    desk.order(side, 2, stop=stop)
    assert desk.told() == [
        "ACCEPTED #5 2@0",
        f"TERMS #5 stop {stop} expire 0",
        f"TRIGGERED #5 2@{stop}",
        "TRADE #5 with #4 2@11 leaves 3" if side == BUY else "TRADE #5 with #3 2@9 leaves 3",
    ]


@pytest.mark.parametrize(("side", "stop"), [(BUY, 11), (SELL, 9)])
def test_a_stop_one_tick_away_waits(desk: Desk, side: int, stop: int) -> None:
    desk.last_price(10)
    desk.order(side, 2, stop=stop)
    assert desk.told() == ["ACCEPTED #3 2@0", f"TERMS #3 stop {stop} expire 0"]
    assert desk.stops(side) == [(3, stop)]


def test_quotes_do_not_trigger_stops_trades_do(desk: Desk) -> None:
    desk.last_price(10)
    desk.buy(1, stop=12)
    desk.sell(9, 12)
    desk.buy(9, 11)
    desk.rows()
    desk.buy(1, 12)
    assert desk.told() == [
        "ACCEPTED #6 1@12",
        "TRADE #6 with #4 1@12 leaves 8",
        "TRIGGERED #3 1@12",
        "TRADE #3 with #4 1@12 leaves 7",
    ]


def test_the_aggressor_is_done_before_an_elected_stop_begins(desk: Desk) -> None:
    desk.last_price(105)
    desk.sell(2, stop=102)
    desk.sell(5, 101)
    desk.rows()
    desk.buy(8, 101)
    assert desk.told() == [
        "ACCEPTED #5 8@101",
        "TRADE #5 with #4 5@101 leaves 0",
        "TRIGGERED #3 2@102",
        "TRADE #3 with #5 2@101 leaves 1",
    ]


def test_each_trade_of_a_sweep_elects_for_itself(desk: Desk) -> None:
    """The buy stop at 100 is elected by the first trade, though the last one is at 99."""
    desk.last_price(90)
    desk.buy(1, stop=100)
    desk.buy(5, 100)
    desk.buy(5, 99)
    desk.sell(3, 103)
    desk.rows()
    desk.sell(10, 99)
    assert desk.told() == [
        "ACCEPTED #7 10@99",
        "TRADE #7 with #4 5@100 leaves 0",
        "TRADE #7 with #5 5@99 leaves 0",
        "TRIGGERED #3 1@100",
        "TRADE #3 with #6 1@103 leaves 2",
    ]


def test_elected_in_the_order_of_the_trades_not_of_the_stop_prices(desk: Desk) -> None:
    """Bids at 100 and 99: the buy stops up to 100 first, then what 99 elects: nothing more. Then sells, by price."""
    desk.last_price(95)
    desk.buy(1, stop=98)
    desk.buy(2, stop=97)
    desk.buy(3, stop=98)
    desk.sell(9, 98)
    desk.rows()
    desk.buy(4, 98)
    assert [line for line in desk.told() if line.startswith("TRIG")] == [
        "TRIGGERED #4 2@97",
        "TRIGGERED #3 1@98",
        "TRIGGERED #5 3@98",
    ]


def test_the_first_trade_may_elect_both_sides_buys_before_sells(desk: Desk) -> None:
    desk.sell(1, stop=11)
    desk.sell(1, stop=12)
    desk.buy(1, stop=10)
    desk.buy(1, stop=9)
    desk.buy(1, 10)
    desk.rows()
    desk.sell(1, 10)
    assert [line for line in desk.told() if line.startswith("TRIG")] == [
        "TRIGGERED #4 1@9",
        "TRIGGERED #3 1@10",
        "TRIGGERED #2 1@12",
        "TRIGGERED #1 1@11",
    ]


def test_a_cascade_is_first_in_first_out(desk: Desk) -> None:
    """#1 and #2 are elected by one trade; what #1's trade elects comes after #2."""
    desk.last_price(10)
    desk.buy(1, stop=11)  # 3
    desk.buy(1, stop=11)  # 4
    desk.buy(1, stop=12)  # 5
    desk.sell(1, 11)  # 6
    desk.sell(1, 12)  # 7
    desk.sell(1, 13)  # 8
    desk.rows()
    desk.buy(1, 11)  # 9
    assert desk.told() == [
        "ACCEPTED #9 1@11",
        "TRADE #9 with #6 1@11 leaves 0",
        "TRIGGERED #3 1@11",
        "TRADE #3 with #7 1@12 leaves 0",
        "TRIGGERED #4 1@11",
        "TRADE #4 with #8 1@13 leaves 0",
        "TRIGGERED #5 1@12",
        "CANCELED #5 1@0 leaves 0 NO_LIQUIDITY",
    ]


@pytest.mark.parametrize("tif", [GTC, DAY, IOC])
def test_an_elected_stop_order_never_rests(desk: Desk, tif: TimeInForce) -> None:
    desk.last_price(10)
    desk.sell(3, 12)
    desk.rows()
    desk.buy(5, stop=10, tif=tif)
    assert desk.told()[2:] == [
        "TRIGGERED #4 5@10",
        "TRADE #4 with #3 3@12 leaves 0",
        "CANCELED #4 2@0 leaves 0 NO_LIQUIDITY",
    ]


def test_an_elected_stop_limit_order_trades_within_its_limit_and_rests(desk: Desk) -> None:
    desk.last_price(10)
    desk.sell(3, 12)
    desk.sell(3, 13)
    desk.rows()
    desk.buy(5, 12, stop=10)
    assert desk.told() == [
        "ACCEPTED #5 5@12",
        "TERMS #5 stop 10 expire 0",
        "TRIGGERED #5 5@10",
        "TRADE #5 with #3 3@12 leaves 0",
    ]
    assert desk.bids() == [(12, 2, 1)]


def test_time_in_force_counts_when_a_stop_is_elected_not_when_it_arrives(desk: Desk) -> None:
    desk.last_price(10)
    desk.buy(5, 12, stop=11, tif=FOK)
    desk.buy(5, 12, stop=11, tif=IOC)
    desk.buy(5, stop=11, tif=FOK)
    desk.sell(4, 11)
    assert desk.stops(BUY) == [(3, 11), (4, 11), (5, 11)]
    desk.rows()
    desk.buy(1, 11)
    assert desk.told() == [
        "ACCEPTED #7 1@11",
        "TRADE #7 with #6 1@11 leaves 3",
        "TRIGGERED #3 5@11",
        "CANCELED #3 5@12 leaves 0 FILL_OR_KILL",
        "TRIGGERED #4 5@11",
        "TRADE #4 with #6 3@11 leaves 0",
        "CANCELED #4 2@12 leaves 0 IMMEDIATE_OR_CANCEL",
        "TRIGGERED #5 5@11",
        "CANCELED #5 5@0 leaves 0 FILL_OR_KILL",
    ]


def test_a_rested_stop_limit_queues_behind_those_that_were_there(desk: Desk) -> None:
    desk.buy(1, 10, stop=10)  # came first, but only as a stop
    desk.buy(1, 10)
    desk.buy(2, 11)
    desk.sell(2, 11)
    assert desk.queue(BUY, 10) == [(2, 1), (1, 1)]


# --- cancel ------------------------------------------------------------------------------------------------------


def test_cancels_of_orders_that_are_not_live_are_answered(desk: Desk) -> None:
    desk.buy(5, 10)
    desk.sell(5, 10)
    desk.buy(5, 9)
    desk.cancel(3)
    desk.rows()
    for order_id in (1, 2, 3, 4, 0, -1, 10**12):
        desk.cancel(order_id, 7)
    assert desk.told() == [f"CANCEL_REJECTED #{order_id} 7 UNKNOWN_ORDER" for order_id in (1, 2, 3, 4, 0, -1, 10**12)]


def test_only_the_owner_may_cancel(desk: Desk) -> None:
    desk.buy(5, 10, owner=1)
    desk.rows()
    desk.cancel(1, owner=2)
    desk.cancel(1, -3, owner=2)
    desk.cancel(1, -3, owner=1)
    assert desk.told() == [
        "CANCEL_REJECTED #1 0 NOT_OWNER",
        "CANCEL_REJECTED #1 -3 NOT_OWNER",
        "CANCEL_REJECTED #1 -3 INVALID_QUANTITY",
    ]
    assert desk.bids() == [(10, 5, 1)]


@pytest.mark.parametrize("quantity", [0, 5, 6, 2**63 - 1])
def test_canceling_more_than_is_left_cancels_what_is_left(desk: Desk, quantity: int) -> None:
    desk.buy(8, 10)
    desk.sell(3, 10)
    desk.rows()
    desk.cancel(1, quantity)
    assert desk.told() == ["CANCELED #1 5@10 leaves 0 BY_REQUEST"]
    assert desk.bids() == []
    desk.sell(1, 10)
    assert desk.told() == ["ACCEPTED #3 1@10"], "nothing was left behind to trade with"


def test_a_partial_cancel_keeps_its_place(desk: Desk) -> None:
    desk.buy(8, 10)
    desk.buy(8, 10)
    desk.rows()
    desk.cancel(1, 3)
    assert desk.told() == ["CANCELED #1 3@10 leaves 5 BY_REQUEST"]
    assert desk.queue(BUY, 10) == [(1, 5), (2, 8)]
    assert desk.bids() == [(10, 13, 2)]


def test_a_partial_cancel_lowers_the_total_too(desk: Desk) -> None:
    desk.buy(10, 10)
    desk.buy(1, 10)
    desk.sell(3, 10)
    desk.cancel(1, 4)
    desk.rows()
    desk.replace(1, 10, 6)
    assert desk.told() == ["REPLACED #1 6@10 leaves 3 kept"]
    desk.replace(1, 10, 7)
    assert desk.told() == ["REPLACED #1 7@10 leaves 4"]
    assert desk.queue(BUY, 10) == [(2, 1), (1, 4)]


def test_cancels_of_waiting_stops(desk: Desk) -> None:
    desk.buy(8, stop=12)
    desk.buy(8, 13, stop=12)
    desk.rows()
    desk.cancel(1, 3)
    desk.cancel(2, 9)
    assert desk.told() == ["CANCELED #1 3@0 leaves 5 BY_REQUEST", "CANCELED #2 8@13 leaves 0 BY_REQUEST"]
    assert desk.stops(BUY) == [(1, 12)]
    desk.sell(9, 12)
    desk.buy(1, 12)
    assert desk.told()[-2:] == ["TRIGGERED #1 5@12", "TRADE #1 with #3 5@12 leaves 3"]


def test_canceling_in_the_middle_of_a_queue(desk: Desk) -> None:
    for _ in range(4):
        desk.buy(1, 10)
    desk.cancel(2)
    assert desk.queue(BUY, 10) == [(1, 1), (3, 1), (4, 1)]
    desk.cancel(4)
    desk.cancel(1)
    assert desk.queue(BUY, 10) == [(3, 1)]
    desk.buy(1, 10)
    assert desk.queue(BUY, 10) == [(3, 1), (5, 1)]


# --- replace -----------------------------------------------------------------------------------------------------


def test_replaces_that_are_refused(desk: Desk) -> None:
    desk.buy(5, 10, owner=1)
    desk.sell(5, 20, stop=8, owner=1)
    desk.rows()
    desk.replace(9, 11, 5)
    desk.replace(1, 11, 5, owner=2)
    desk.replace(1, 11, 0)
    desk.replace(1, 11, -4)
    desk.replace(1, 11, LARGEST + 1)
    desk.replace(1, LARGEST + 1, 5)
    desk.replace(1, -(2**63), 5)
    desk.replace(2, 20, 5, stop=-LARGEST - 1)
    desk.replace(2, 20, 5, stop=-(2**63))
    assert desk.told() == [
        "REPLACE_REJECTED #9 5@11 UNKNOWN_ORDER",
        "REPLACE_REJECTED #1 5@11 NOT_OWNER",
        "REPLACE_REJECTED #1 0@11 INVALID_QUANTITY",
        "REPLACE_REJECTED #1 -4@11 INVALID_QUANTITY",
        f"REPLACE_REJECTED #1 {LARGEST + 1}@11 INVALID_QUANTITY",
        f"REPLACE_REJECTED #1 5@{LARGEST + 1} INVALID_PRICE",
        f"REPLACE_REJECTED #1 5@{-(2**63)} INVALID_PRICE",
        "REPLACE_REJECTED #2 5@20 INVALID_PRICE",
        "REPLACE_REJECTED #2 5@20 INVALID_PRICE",
    ]
    assert (desk.bids(), desk.stops(SELL)) == ([(10, 5, 1)], [(2, 8)])


def test_while_closed_replaces_are_refused_after_the_owner_is_known(desk: Desk) -> None:
    desk.buy(5, 10, owner=1)
    desk.buy(5, stop=20, owner=1)
    desk.close()
    desk.rows()
    desk.replace(1, 11, 5, owner=2)
    desk.replace(1, 11, 0, owner=1)
    desk.replace(2, 0, 5, stop=21, owner=1)
    assert desk.told() == [
        "REPLACE_REJECTED #1 5@11 NOT_OWNER",
        "REPLACE_REJECTED #1 0@11 MARKET_CLOSED",
        "REPLACE_REJECTED #2 5@0 MARKET_CLOSED",
    ]
    assert desk.stops(BUY) == [(2, 20)]


@pytest.mark.parametrize("quantity", [1, 3])
def test_replaced_to_no_more_than_was_filled_is_gone(desk: Desk, quantity: int) -> None:
    desk.buy(8, 10)
    desk.sell(3, 10)
    desk.rows()
    desk.replace(1, 55, quantity)
    assert desk.told() == ["CANCELED #1 5@10 leaves 0 BY_REPLACE"]
    assert desk.bids() == []
    desk.replace(1, 55, 9)
    assert desk.told() == ["REPLACE_REJECTED #1 9@55 UNKNOWN_ORDER"]


def test_the_new_quantity_is_the_total_with_what_was_filled(desk: Desk) -> None:
    desk.buy(8, 10)
    desk.sell(3, 10)
    desk.rows()
    desk.replace(1, 10, 4)
    assert desk.told() == ["REPLACED #1 4@10 leaves 1 kept"]
    assert desk.bids() == [(10, 1, 1)]


@pytest.mark.parametrize("quantity", [8, 7, 1])
def test_same_price_and_no_more_keeps_the_place(desk: Desk, quantity: int) -> None:
    desk.buy(8, 10)
    desk.buy(8, 10)
    desk.rows()
    desk.replace(1, 10, quantity)
    assert desk.told() == [f"REPLACED #1 {quantity}@10 leaves {quantity} kept"]
    assert desk.queue(BUY, 10) == [(1, quantity), (2, 8)]
    assert desk.bids() == [(10, 8 + quantity, 2)]


def test_raised_at_the_same_price_goes_to_the_back(desk: Desk) -> None:
    desk.buy(8, 10)
    desk.buy(8, 10)
    desk.rows()
    desk.replace(1, 10, 9)
    assert desk.told() == ["REPLACED #1 9@10 leaves 9"]
    assert desk.queue(BUY, 10) == [(2, 8), (1, 9)]


@pytest.mark.parametrize("price", [11, 9, -4])
def test_another_price_goes_to_the_back_there(desk: Desk, price: int) -> None:
    desk.buy(8, 10)
    desk.buy(8, price)
    desk.rows()
    desk.replace(1, price, 8)
    assert desk.told() == [f"REPLACED #1 8@{price} leaves 8"]
    assert desk.bids() == [(price, 16, 2)]
    assert desk.queue(BUY, price) == [(2, 8), (1, 8)]


def test_away_and_back_again_loses_the_place(desk: Desk) -> None:
    desk.sell(8, 10)
    desk.sell(8, 10)
    desk.replace(1, 11, 8)
    desk.replace(1, 10, 8)
    assert desk.queue(SELL, 10) == [(2, 8), (1, 8)]


def test_replaced_across_the_book_it_trades_and_the_rest_rests(desk: Desk) -> None:
    desk.buy(8, 10)
    desk.sell(3, 12)
    desk.sell(3, 13)
    desk.rows()
    desk.replace(1, 12, 9)
    assert desk.told() == ["REPLACED #1 9@12 leaves 9", "TRADE #1 with #2 3@12 leaves 0"]
    assert desk.bids() == [(12, 6, 1)]
    desk.replace(1, 13, 6)
    assert desk.told() == ["REPLACED #1 6@13 leaves 3", "TRADE #1 with #3 3@13 leaves 0"]
    assert (desk.bids(), desk.asks()) == ([], [])


def test_trades_of_a_replaced_order_elect_stops(desk: Desk) -> None:
    desk.last_price(10)
    desk.buy(2, stop=12)
    desk.buy(8, 10)
    desk.sell(9, 12)
    desk.rows()
    desk.replace(4, 12, 8)
    assert desk.told() == [
        "REPLACED #4 8@12 leaves 8",
        "TRADE #4 with #5 8@12 leaves 1",
        "TRIGGERED #3 2@12",
        "TRADE #3 with #5 1@12 leaves 0",
        "CANCELED #3 1@0 leaves 0 NO_LIQUIDITY",
    ]


def test_a_post_only_order_is_not_replaced_across_the_book(desk: Desk) -> None:
    desk.buy(8, 10, post_only=True)
    desk.sell(8, 12)
    desk.rows()
    desk.replace(1, 12, 20)
    assert desk.told() == ["REPLACE_REJECTED #1 20@12 WOULD_TRADE"]
    assert (desk.bids(), desk.asks()) == ([(10, 8, 1)], [(12, 8, 1)])
    desk.replace(1, 11, 20)
    assert desk.told() == ["REPLACED #1 20@11 leaves 20"]


def test_a_limit_order_ignores_a_stop_price(desk: Desk) -> None:
    desk.buy(8, 10)
    desk.rows()
    desk.replace(1, 10, 8, stop=-(2**63))
    assert desk.told() == ["REPLACED #1 8@10 leaves 8 kept"]


def test_a_waiting_stop_ignores_a_limit_price(desk: Desk) -> None:
    desk.buy(8, stop=12)
    desk.rows()
    desk.replace(1, -(2**63), 7, stop=12)
    assert desk.told() == ["REPLACED #1 7@0 leaves 7 kept"]


def test_a_waiting_stop_keeps_its_place_for_another_limit_or_less(desk: Desk) -> None:
    desk.buy(8, 20, stop=12)
    desk.buy(8, 20, stop=12)
    desk.rows()
    desk.replace(1, 15, 8, stop=12)
    desk.replace(1, 15, 6, stop=12)
    assert desk.told() == ["REPLACED #1 8@15 leaves 8 kept", "REPLACED #1 6@15 leaves 6 kept"]
    assert desk.stops(BUY) == [(1, 12), (2, 12)]


def test_a_waiting_stop_raised_goes_to_the_back_of_its_price(desk: Desk) -> None:
    desk.sell(8, stop=12)
    desk.sell(8, stop=12)
    desk.sell(8, stop=11)
    desk.rows()
    desk.replace(1, 0, 9, stop=12)
    assert desk.told() == ["REPLACED #1 9@0 leaves 9"]
    assert desk.stops(SELL) == [(2, 12), (1, 12), (3, 11)]


def test_a_waiting_stop_with_a_new_stop_price_says_its_terms(desk: Desk) -> None:
    desk.buy(8, stop=12, tif=GTD, expire=77)
    desk.buy(8, stop=13)
    desk.rows()
    desk.replace(1, 0, 4, stop=13)
    assert desk.told() == ["REPLACED #1 4@0 leaves 4", "TERMS #1 stop 13 expire 77"]
    assert desk.stops(BUY) == [(2, 13), (1, 13)]
    desk.sell(9, 13)
    desk.buy(1, 13)
    assert [line for line in desk.told() if line.startswith("TRIG")] == ["TRIGGERED #2 8@13", "TRIGGERED #1 4@13"]


def test_a_waiting_stop_replaced_to_a_triggered_price_is_elected_at_once(desk: Desk) -> None:
    desk.last_price(10)
    desk.sell(9, 11)
    desk.buy(8, 11, stop=15)
    desk.rows()
    desk.replace(4, 11, 6, stop=10)
    assert desk.told() == [
        "REPLACED #4 6@11 leaves 6",
        "TERMS #4 stop 10 expire 0",
        "TRIGGERED #4 6@10",
        "TRADE #4 with #3 6@11 leaves 3",
    ]


def test_an_elected_stop_limit_is_replaced_like_a_limit_order(desk: Desk) -> None:
    desk.last_price(10)
    desk.buy(8, 9, stop=10)
    desk.buy(8, 9)
    assert desk.queue(BUY, 9) == [(3, 8), (4, 8)]
    desk.rows()
    desk.replace(3, 9, 6, stop=5)
    desk.replace(3, 9, 6, stop=-(2**63))
    assert desk.told() == ["REPLACED #3 6@9 leaves 6 kept"] * 2, "it no longer has a stop price, and says no terms"
    desk.replace(3, 8, 6)
    assert desk.told() == ["REPLACED #3 6@8 leaves 6"]
    assert desk.bids() == [(9, 8, 1), (8, 6, 1)]


# --- expire and close --------------------------------------------------------------------------------------------


def test_expire(desk: Desk) -> None:
    desk.buy(8, 10, tif=GTD, expire=100)
    desk.sell(8, 12, stop=3, tif=GTD, expire=100)
    desk.sell(3, 10)
    desk.rows()
    for order_id in (1, 2, 1, 3, 44, 0, -5):
        desk.expire(order_id)
    assert desk.told() == ["EXPIRED #1 5@10 leaves 0 END_OF_TIME", "EXPIRED #2 8@12 leaves 0 END_OF_TIME"]
    assert (desk.bids(), desk.stops(SELL)) == ([], [])


def test_close_ends_day_orders_of_the_market_by_their_number(desk: Desk) -> None:
    desk.buy(1, 10, tif=DAY, order_id=9)
    desk.sell(2, stop=3, tif=DAY, order_id=4)
    desk.buy(3, 12, tif=DAY, order_id=6)
    desk.buy(4, 12, order_id=5)
    desk.buy(5, 12, tif=DAY, market=1, order_id=2)
    desk.sell(6, 20, tif=DAY, order_id=1)
    desk.buy(7, stop=40, tif=GTD, expire=99, order_id=3)
    desk.rows()
    desk.close()
    assert desk.told() == [
        "PHASE #0 1@0 SCHEDULE",
        "EXPIRED #1 6@20 leaves 0 END_OF_SESSION",
        "EXPIRED #4 2@0 leaves 0 END_OF_SESSION",
        "EXPIRED #6 3@12 leaves 0 END_OF_SESSION",
        "EXPIRED #9 1@10 leaves 0 END_OF_SESSION",
    ]
    assert (desk.bids(), desk.asks(), desk.stops(BUY), desk.stops(SELL)) == ([(12, 4, 1)], [], [(3, 40)], [])
    assert desk.bids(market=1) == [(12, 5, 1)]


def test_a_closed_market_refuses_all_but_cancels_until_it_opens(desk: Desk) -> None:
    desk.buy(5, 10)
    desk.close()
    desk.close()
    desk.rows()
    desk.sell(5, 10)
    desk.replace(1, 11, 5)
    desk.cancel(1, 2)
    desk.cancel(1)
    desk.expire(1)
    desk.open()
    desk.sell(5, 10)
    assert desk.told() == [
        "REJECTED #2 5@10 MARKET_CLOSED",
        "REPLACE_REJECTED #1 5@11 MARKET_CLOSED",
        "CANCELED #1 2@10 leaves 3 BY_REQUEST",
        "CANCELED #1 3@10 leaves 0 BY_REQUEST",
        "PHASE #0 0@0 SCHEDULE",
        "ACCEPTED #3 5@10",
    ]


def test_the_last_price_outlives_the_session(desk: Desk) -> None:
    desk.last_price(10)
    desk.close()
    desk.open()
    desk.buy(1, stop=10)
    assert "TRIGGERED #3 1@10" in desk.told()


# --- views -------------------------------------------------------------------------------------------------------


def test_views(desk: Desk) -> None:
    assert desk.core.best(0) == (0, 0, 0, 0)
    for price, quantity in ((10, 1), (9, 2), (10, 4), (-7, 8)):
        desk.buy(quantity, price)
    assert desk.core.best(0) == (10, 5, 0, 0)
    desk.sell(16, 11)
    assert desk.core.best(0) == (10, 5, 11, 16)
    assert desk.core.best(1) == (0, 0, 0, 0)
    assert desk.core.depth(0, BUY) == [(10, 5, 2), (9, 2, 1), (-7, 8, 1)]
    assert desk.core.depth(0, BUY, 2) == [(10, 5, 2), (9, 2, 1)]
    assert desk.core.depth(0, SELL, 0) == []
    assert desk.core.queue(0, BUY, 10) == [(1, 1), (3, 4)]
    assert desk.core.queue(0, BUY, 8) == []
