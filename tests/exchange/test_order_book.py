"""The book that can be used alone: every query against a book worked out by hand."""

from __future__ import annotations

import json

import pytest

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.errors import InvalidValueError
from marketsim.exchange.answers import Cost, Level
from marketsim.exchange.book import OrderBook


@pytest.fixture
def book() -> OrderBook:
    """Bids 10.00 x 5 (orders 1, 2: 3 + 2) and 9.90 x 4; asks 10.10 x 6 and 10.30 x 10."""
    book = OrderBook(Instrument("ABC", tick_size="0.05", reference_price="10"))
    book.limit("buy", "10.00", 3)
    book.limit("buy", "10.00", 2)
    book.limit("buy", "9.90", 4)
    book.limit("sell", "10.10", 6)
    book.limit("sell", "10.30", 10)
    return book


def test_prices_at_the_touch(book: OrderBook) -> None:
    assert (book.best_bid, book.best_ask) == (10.0, 10.1)
    assert book.spread == pytest.approx(0.1)
    assert book.spread_bps == pytest.approx(0.1 / 10.05 * 1e4)
    assert book.mid == pytest.approx(10.05)
    assert book.microprice == pytest.approx((10.0 * 6 + 10.1 * 5) / 11)
    assert not book.crossed
    assert not book.locked


def test_depth_volume_and_imbalance(book: OrderBook) -> None:
    assert book.depth(Side.BUY) == [Level(10.0, 5.0, 2), Level(9.9, 4.0, 1)]
    assert book.depth("sell", 1) == [Level(10.1, 6.0, 1)]
    assert (book.volume("buy"), book.volume("sell")) == (9.0, 16.0)
    assert book.imbalance() == pytest.approx((5 - 6) / 11)
    assert book.imbalance(2) == pytest.approx((9 - 16) / 25)


def test_cost_to_trade(book: OrderBook) -> None:
    assert book.cost_to_trade("buy", 6) == pytest.approx(Cost(10.1, 60.6, 0.0))
    assert book.cost_to_trade("buy", 8) == pytest.approx(Cost((6 * 10.1 + 2 * 10.3) / 8, 6 * 10.1 + 2 * 10.3, 0.0))
    assert book.cost_to_trade("sell", 12) == pytest.approx(Cost((50 + 39.6) / 9, 89.6, 3.0))
    assert OrderBook().cost_to_trade("buy", 3) == Cost(0.0, 0.0, 3.0)


def test_queue_position(book: OrderBook) -> None:
    assert book.queue_position(1) == (0, 0.0)
    assert book.queue_position(2) == (1, 3.0)
    assert book.queue_position(99) is None


def test_a_sweep_reports_its_fills_and_average_price(book: OrderBook) -> None:
    result = book.limit("buy", "10.30", 9)
    assert [(fill.price, fill.quantity, fill.resting_order) for fill in result.fills] == [
        (10.1, 6.0, 4),
        (10.3, 3.0, 5),
    ]
    assert result.state is OrderState.FILLED
    assert result.average_price == pytest.approx((6 * 10.1 + 3 * 10.3) / 9)
    assert book.statistics()["volume"] == 9.0
    assert book.statistics()["trades"] == 2


def test_states_and_reasons(book: OrderBook) -> None:
    assert book.market("sell", 20).state is OrderState.CANCELED
    assert book.market("sell", 1).reason is Reason.NO_LIQUIDITY
    assert book.limit("buy", "10.10", 1, post_only=True).reason is Reason.WOULD_TRADE
    assert book.cancel(77).reason is Reason.UNKNOWN_ORDER
    assert book.cancel(4, owner=9).reason is Reason.NOT_OWNER
    part = book.cancel(4, 2)
    assert (part.state, part.leaves) == (OrderState.ACCEPTED, 4.0)
    assert book.cancel(4, 1_000).leaves == 0.0
    assert book.limit("buy", "10.30", 99, time_in_force="fok").reason is Reason.FILL_OR_KILL
    half = book.limit("buy", "10.30", 12)
    assert (half.state, half.filled, half.leaves) == (OrderState.PARTIALLY_FILLED, 10.0, 2.0)


def test_replace_keeps_what_is_not_given(book: OrderBook) -> None:
    assert book.replace(1, quantity=2).leaves == 2.0
    assert book.queue_position(1) == (0, 0.0)
    book.replace(1, price="9.90")
    assert book.queue_position(1) == (1, 4.0)


def test_stops(book: OrderBook) -> None:
    assert book.stop("buy", "10.10", 2).state is OrderState.ACCEPTED
    book.limit("buy", "10.10", 1)
    assert book.statistics()["volume"] == 3.0


def test_an_empty_book_answers_nothing() -> None:
    book = OrderBook()
    assert book.best_bid is book.best_ask is book.mid is book.spread is book.spread_bps is book.microprice is None
    assert book.imbalance() == 0.0


def test_statistics_sum_up_trades_and_the_book(book: OrderBook) -> None:
    book.stop("sell", "9.90", 2)
    assert book.statistics()["trades"] == 0
    book.market("buy", 8)  # 6 at 10.10, 2 at 10.30
    book.market("sell", 6)  # 5 at 10.00, 1 at 9.90, which elects the stop: 2 more at 9.90
    told = book.statistics()
    assert (told["open_price"], told["high_price"], told["low_price"], told["last_price"]) == (10.1, 10.3, 9.9, 9.9)
    assert told["volume"] == 16.0
    assert told["vwap"] == pytest.approx((6 * 10.1 + 2 * 10.3 + 5 * 10.0 + 3 * 9.9) / 16)
    assert (told["bid_orders"], told["ask_orders"], told["stops"]) == (1, 1, 0)
    assert [(trade.price, trade.quantity, trade.side.name) for trade in book.trades()][-1] == (9.9, 2.0, "SELL")
    assert sum(trade.quantity for trade in book.trades()) == told["volume"]


def test_orders_are_listed_with_what_is_left(book: OrderBook) -> None:
    book.stop("buy", "10.50", 7, limit="10.60", owner=4)
    book.market("buy", 2)
    assert [(o.order_id, o.price, o.leaves) for o in book.orders("sell")] == [(4, 10.1, 4.0), (5, 10.3, 10.0)]
    stop = book.orders("buy")[-1]
    assert (stop.order_type.name, stop.stop_price, stop.price, stop.owner) == ("STOP_LIMIT", 10.5, 10.6, 4)


def test_the_dictionary_form_is_json(book: OrderBook) -> None:
    form = json.loads(json.dumps(book.to_dict(1)))
    assert form["bids"] == [{"price": 10.0, "quantity": 5.0, "orders": 2}]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda book: book.limit("buy", "10.02", 1), "10.02 is not a multiple of 0.05: use 10 or 10.05"),
        (lambda book: book.limit("bye", "10.00", 1), "'bye' is no Side; did you mean \"BUY\"?"),
        (lambda book: book.limit("buy", "10", "1.5"), "quantity 1.5 is not a multiple of 1"),
        (lambda book: book.limit("buy", "ten", 1), "'ten' is not a number"),
    ],
)
def test_bad_input(book: OrderBook, call: object, message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        call(book)  # type: ignore[operator]
    assert message in str(caught.value)
