"""Special orders, auctions and rules of the book that can be used alone, each against a case worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.errors import InvalidValueError
from marketsim.exchange.answers import AuctionView, Level
from marketsim.exchange.book import OrderBook
from marketsim.exchange.contradiction import contradiction
from marketsim.exchange.core import MatchingCore

_REFUSED_BY_ITSELF = {Reason.INVALID_INSTRUCTION, Reason.INVALID_EXPIRY, Reason.INVALID_PRICE}


@pytest.fixture
def book() -> OrderBook:
    """Bid 99.00 x 10 and ask 101.00 x 10 of owner 9, orders 1 and 2; tick 0.50, lot 1."""
    book = OrderBook(Instrument("ABC", tick_size="0.50", reference_price="100"))
    book.limit("buy", 99, 10, owner=9)
    book.limit("sell", 101, 10, owner=9)
    return book


def displayed(book: OrderBook) -> dict[int, float]:
    return {order.order_id: order.displayed for order in book.orders()}


# --- kinds of orders -------------------------------------------------------------------------------------------------


def test_an_iceberg_shows_a_part_and_goes_to_the_back_with_the_next(book: OrderBook) -> None:
    iceberg = book.limit("sell", 100, 30, display=10)
    behind = book.limit("sell", 100, 5)
    assert book.depth("sell", 1) == [Level(100.0, 15.0, 2)]
    taken = book.market("buy", 12)
    assert [(fill.resting_order, fill.quantity) for fill in taken.fills] == [
        (iceberg.order_id, 10),
        (behind.order_id, 2),
    ]
    assert book.queue_position(iceberg) == (1, 3.0)
    assert displayed(book)[iceberg.order_id] == 10.0
    told = book.result(iceberg)
    assert (told.state, told.filled, told.leaves) == (OrderState.PARTIALLY_FILLED, 10.0, 20.0)


def test_a_hidden_order_is_shown_to_nobody_and_trades_behind_what_is(book: OrderBook) -> None:
    hidden = book.limit("sell", 101, 5, hidden=True)
    assert book.depth("sell") == [Level(101.0, 10.0, 1)]
    assert book.queue_position(hidden) is None
    assert [fill.resting_order for fill in book.market("buy", 12).fills] == [2, hidden.order_id]


def test_a_hidden_minimum_passes_smaller_aggressors(book: OrderBook) -> None:
    hidden = book.limit("sell", 100, 8, hidden=True, minimum=5)
    assert [fill.resting_order for fill in book.market("buy", 4).fills] == [2]
    assert [fill.resting_order for fill in book.market("buy", 6).fills] == [hidden.order_id]
    assert book.limit("buy", 101, 20, time_in_force="ioc", minimum=15).reason is Reason.MINIMUM_QUANTITY


def test_pegs_follow_their_reference_and_keep_to_their_cap(book: OrderBook) -> None:
    own = book.order("buy", 5, peg="own", offset="0.5")
    middle = book.order("buy", 5, peg="mid", limit=100)
    prices = {order.order_id: order.price for order in book.orders()}
    assert (prices[own.order_id], prices[middle.order_id]) == (98.5, 100.0)
    book.limit("buy", "100.5", 1)
    prices = {order.order_id: order.price for order in book.orders()}
    assert (prices[own.order_id], prices[middle.order_id]) == (100.0, 100.0)  # the middle is 100.75, the cap 100
    book.replace(own, offset=1)
    assert book.orders("buy")[1].price == 99.5
    book.replace(middle, price=99)
    assert book.orders("buy")[2].price == 99.0


def test_a_peg_that_moves_may_trade_and_its_fill_is_told_to_whose_order_moved_it() -> None:
    book = OrderBook(Instrument("ABC", tick_size="1", reference_price="100"))
    book.limit("buy", 90, 5)
    book.limit("sell", 110, 5)
    book.limit("sell", 100, 5, hidden=True)
    peg = book.order("buy", 4, peg="own", offset=0)
    moved = book.limit("buy", 100, 1, post_only="slide")
    assert moved.state is OrderState.ACCEPTED
    assert book.orders("buy")[-1].price == 99.0  # one tick behind the hidden order
    assert book.result(peg).leaves == 4.0


def test_a_maker_that_trades_in_its_own_request_is_told_so(book: OrderBook) -> None:
    stop = book.stop("sell", 101, 3)  # waits: nothing has traded yet
    assert stop.state is OrderState.ACCEPTED
    both = book.limit("buy", 101, 12)  # trades 10, rests with 2, and the stop that it elects takes these
    assert both.state is OrderState.FILLED
    assert (both.filled, both.leaves) == (12.0, 0.0)
    assert book.result(stop).average_price == pytest.approx((2 * 101 + 99) / 3)


def test_a_trailing_stop_follows_the_last_price(book: OrderBook) -> None:
    trailing = book.order("sell", 4, trail=1)
    assert book.orders("sell")[-1].stop_price == 99.0  # one below the reference price
    book.market("buy", 1)
    told = book.orders("sell")[-1]
    assert (told.stop_price, told.distance, told.displayed) == (100.0, 1.0, 0.0)
    book.replace(trailing, trail=2)
    assert book.orders("sell")[-1].stop_price == 99.0
    book.market("sell", 1)  # at 99
    assert (book.result(trailing).state, book.result(trailing).filled) == (OrderState.FILLED, 4.0)


def test_market_to_limit_rests_at_its_last_price(book: OrderBook) -> None:
    rest = book.order("buy", 14, to_limit=True)
    assert (rest.state, rest.filled, rest.leaves) == (OrderState.PARTIALLY_FILLED, 10.0, 4.0)
    assert book.best_bid == 101.0


def test_partners_cancel_each_other(book: OrderBook) -> None:
    high = book.limit("sell", 102, 6)
    low = book.stop("sell", 98, 6, partner=high)
    book.market("buy", 12)  # 10 at 101, 2 at 102
    assert (book.result(high).leaves, book.result(low).leaves) == (4.0, 4.0)
    book.cancel(high)
    told = book.result(low)
    assert (told.state, told.reason) == (OrderState.CANCELED, Reason.LINKED)


def test_a_bracket_is_released_as_its_entry_fills(book: OrderBook) -> None:
    trio = book.bracket("buy", 8, limit=100, take_profit=102, stop_loss=98)
    assert displayed(book)[trio.take_profit.order_id] == 0.0
    book.limit("sell", 100, 3)
    assert displayed(book)[trio.take_profit.order_id] == 3.0
    assert book.result(trio.stop_loss).leaves == 8.0
    late = book.limit("sell", 103, 2, parent=trio.entry)
    assert displayed(book)[late.order_id] == 2.0
    book.core.check()


def test_a_remembered_parent_has_children_after_its_end(book: OrderBook) -> None:
    parent, plain = book.market("buy", 3, remember=True), book.market("buy", 3)
    assert book.limit("sell", 102, 3, parent=parent).state is OrderState.ACCEPTED
    assert book.limit("sell", 102, 3, parent=plain).reason is Reason.UNKNOWN_LINK


def test_post_only_slides_one_tick_behind(book: OrderBook) -> None:
    assert book.limit("buy", 102, 1, post_only=True).reason is Reason.WOULD_TRADE
    assert book.limit("buy", 102, 1, post_only="slide").state is OrderState.ACCEPTED
    assert book.best_bid == 100.5


def test_orders_expire_in_the_order_of_their_times(book: OrderBook) -> None:
    late = book.limit("buy", 98, 1, expire=2_000)
    soon = book.limit("buy", 98, 1, expire=1_000)
    assert book.expire(999) == []
    assert sorted(book.expire(2_000)) == [late.order_id, soon.order_id]
    assert book.result(soon).state is OrderState.EXPIRED
    assert [int(row["time"]) for row in book.core.events()[-2:]] == [1_000, 2_000]


def test_a_mass_cancel_is_of_one_owner(book: OrderBook) -> None:
    mine = [book.limit("buy", 98, 1, owner=3).order_id, book.stop("sell", 97, 1, owner=3).order_id]
    assert book.cancel_everything(owner=3) == mine
    assert [order.order_id for order in book.orders()] == [1, 2]
    assert book.cancel_everything(owner=3) == []


# --- auctions and rules ----------------------------------------------------------------------------------------------


def test_an_auction_is_foretold_and_uncrosses_at_one_price() -> None:
    book = OrderBook(Instrument("ABC", tick_size="0.50", reference_price="100"))
    assert book.set_phase("opening_auction") == []
    book.limit("buy", 101, 10)
    early = book.market("buy", 5, time_in_force="at_open")
    assert book.indicative() is None
    book.limit("sell", 100, 12)
    assert book.crossed
    assert book.market("sell", 1).reason is Reason.WRONG_PHASE
    assert book.indicative() == AuctionView(100.0, 12.0, 3.0, Side.BUY)  # 100 to 101 do: the nearest to the reference
    trades = book.uncross()
    assert [(trade.price, trade.quantity, trade.auction) for trade in trades] == [
        (100.0, 5.0, True),
        (100.0, 7.0, True),
    ]
    assert book.phase is Phase.CONTINUOUS
    assert book.result(early).filled == 5.0
    assert book.statistics()["volume"] == 12.0
    assert book.limit("buy", 99, 1, time_in_force="at_open").reason is Reason.WRONG_PHASE
    with pytest.raises(InvalidValueError, match=r"phase is CONTINUOUS: only an auction uncrosses; call set_phase"):
        book.uncross()


def test_orders_at_close_wait_for_the_closing_auction(book: OrderBook) -> None:
    waiting = book.market("buy", 4, time_in_force="at_close")
    daily = book.limit("buy", 98, 1, time_in_force="day")
    book.set_phase(Phase.CLOSING_AUCTION)
    trades = book.set_phase("closed")
    assert [(trade.aggressor, trade.price) for trade in trades] == [(waiting.order_id, 101.0)]
    assert book.result(daily).state is OrderState.EXPIRED
    assert book.limit("buy", 98, 1).reason is Reason.MARKET_CLOSED


def test_a_session_that_ends_takes_the_orders_for_the_day(book: OrderBook) -> None:
    daily = book.limit("buy", 98, 1, time_in_force="day")
    assert book.end_session() == [daily.order_id]
    assert book.phase is Phase.CONTINUOUS


def test_bands_refuse_or_interrupt(book: OrderBook) -> None:
    book.set_bands(99, 101)
    assert book.limit("buy", 102, 1).reason is Reason.OUTSIDE_BANDS
    book.set_bands(95, 105, dynamic="0.5", action="interrupt")
    book.limit("buy", 101, 2)
    assert book.phase is Phase.VOLATILITY_AUCTION  # 101 is a whole unit from the reference price
    book.clear_bands()
    book.uncross()
    assert book.statistics()["last_price"] == 101.0


def test_a_pro_rata_book_shares_by_size_after_the_top_order() -> None:
    book = OrderBook(Instrument("ABC", tick_size="1", reference_price="100"))
    book.set_allocation(top=2, fifo_percent=0, least=2)
    for quantity in (10, 30, 60, 1):
        book.limit("sell", 100, quantity)
    # 2 to the first; of the other 20, shares of 8/99, 30/99, 60/99, 1/99: 1 (none), 6, 12, 0; the last 2 by time
    shares = {fill.resting_order: 0.0 for fill in book.market("buy", 22).fills}
    for trade in book.trades():
        shares[trade.resting_order] += trade.quantity
    assert shares == {1: 4.0, 2: 6.0, 3: 12.0}
    book.set_allocation(False)
    assert [fill.resting_order for fill in book.market("buy", 6).fills] == [1]


@pytest.mark.parametrize(
    ("mode", "left", "state"),
    [
        ("cancel_newest", 10.0, OrderState.CANCELED),
        ("cancel_oldest", 0.0, OrderState.CANCELED),  # and then finds nobody
        ("cancel_both", 0.0, OrderState.CANCELED),
        ("decrement", 6.0, OrderState.CANCELED),
        ("allow", 6.0, OrderState.FILLED),
    ],
)
def test_self_trades_of_one_account(book: OrderBook, mode: str, left: float, state: OrderState) -> None:
    book.set_account(4, 9)  # owner 4 trades for the account of owner 9
    book.prevent_self_trades(mode)
    assert book.market("buy", 4, owner=4).state is state
    assert book.volume("sell") == left


# --- bad words -------------------------------------------------------------------------------------------------------

BAD: list[tuple[Callable[[OrderBook], object], str]] = [
    (lambda book: book.order("buy", 1, stop=101, trail=1), "stop and trail contradict each other"),
    (lambda book: book.order("buy", 1, offset=1), "offset=1 belongs to a peg"),
    (lambda book: book.order("buy", 1, limit=100, to_limit=True), "limit=100: a to_limit order gets its price"),
    (lambda book: book.order("buy", 1, peg="best"), "peg='best': use 'own', 'other' or 'mid'"),  # type: ignore[arg-type]
    (lambda book: book.order("buy", 1, peg="other"), "offset of 0 ticks: a peg to the other side stands at least one"),
    (lambda book: book.order("buy", 1, trail=0), "trail of 0 ticks: a trailing stop keeps at least one tick"),
    (lambda book: book.limit("buy", 99, 5, display=6), "display of 6 lots: an iceberg of 5 shows 1 to 5"),
    (lambda book: book.limit("buy", 99, 5, display=2, hidden=True), "display and hidden contradict each other"),
    (
        lambda book: book.limit("buy", 99, 5, minimum=2),
        "only hidden orders, pegs and IOC orders have one; say hidden=True",
    ),
    (
        lambda book: book.market("buy", 5, post_only=True),
        "post_only: only a limit order rests by its own will, not market",
    ),
    (lambda book: book.limit("buy", 99, 5, post_only="glide"), "post_only='glide': use True, False or 'slide'"),  # type: ignore[arg-type]
    (lambda book: book.limit("buy", 99, 5, expire=1), "expire=1: an order that is GTD expires after now, 3"),
    (lambda book: book.limit("buy", 99, 5, expire=9, time_in_force="day"), "only GTD orders expire at a time, not DAY"),
    (lambda book: book.stop("buy", 99, 5, time_in_force="at_open"), "AT_OPEN: only limit and market orders wait"),
    (
        lambda book: book.market("buy", 5, partner=1),
        "parent and partner belong to limit orders and stops, not to market",
    ),
    (lambda book: book.limit("buy", 99, 5, parent=1, partner=1), "parent=1 and partner=1: one order cannot be both"),
    (lambda book: book.limit("buy", None, 5), "a limit order needs a price, not None"),
    (lambda book: book.bracket("buy", 5, take_profit="102.2", stop_loss=98), "102.2 is not a multiple of 0.5"),
    (lambda book: book.replace(1, trail=2), "trail=2: order 1 has none; leave it out"),
    (
        lambda book: book.replace(book.order("buy", 1, peg="own"), stop_price=99),
        "keeps a distance; say offset= instead",
    ),
    (lambda book: book.set_bands(101, 102), "bands 101 to 102 leave out the last price 100: give a low at or below it"),
    (lambda book: book.set_phase("opening"), "'opening' is no Phase"),
    (
        lambda book: book.prevent_self_trades("cancel_new"),
        "'cancel_new' is no SelfTrade; did you mean \"CANCEL_NEWEST\"?",
    ),
    (lambda book: book.set_allocation(fifo_percent=101), "fifo_percent=101"),
    (lambda book: book.result(77), "order 77 was never sent to this book"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_words_are_errors_and_change_nothing(
    book: OrderBook, call: Callable[[OrderBook], object], message: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        call(book)
    assert message in str(caught.value)
    assert [order.order_id for order in book.orders("sell")] == [2]
    assert book.phase is Phase.CONTINUOUS


def test_words_contradict_each_other_exactly_where_the_core_says_so() -> None:
    """Every type, time, flags and extra term, against what the core answers."""
    core = MatchingCore(1)
    times = (TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.AT_OPEN)
    visible = (OrderFlag.NONE, OrderFlag.POST_ONLY, OrderFlag.HIDDEN, OrderFlag.HIDDEN | OrderFlag.POST_ONLY)
    checked = 0
    for kind, time, flags, distance, shown, least, linked in product(
        OrderType, times, visible, (0, 1), (0, 3, 6), (0, 3, 6), (0, 99)
    ):
        expire = 50 if time is TimeInForce.GTD else 0
        found = contradiction(kind, time, flags, distance, 5, expire, 10, shown, least, linked != 0)
        core.new(10, 0, 0, Side.BUY, kind, time, flags, 100, distance, 5, expire, 0, shown, least, 0, linked)
        row = core.last_rows()[0]
        assert (found is not None) == (Reason(int(row["reason"])) in _REFUSED_BY_ITSELF), (kind, time, flags, found)
        checked += 1
    assert checked == 9 * 4 * 4 * 2 * 3 * 3 * 2
