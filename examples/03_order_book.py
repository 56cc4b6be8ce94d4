"""The order book alone: no clock, no network, no agents.

python3 examples/03_order_book.py
"""

from marketsim import Instrument, OrderBook


def show(book: OrderBook, levels: int = 5) -> None:
    """Print the best levels as traders look at them."""
    print("    bids  price    asks")
    for level in reversed(book.depth("sell", levels)):
        print(f"        {level.price:7.2f} {level.quantity:7.0f}")
    for level in book.depth("buy", levels):
        print(f"{level.quantity:7.0f} {level.price:7.2f}")
    print()


def main() -> None:
    """Build a book, ask it questions, and trade."""
    book = OrderBook(Instrument("ABC", tick_size="0.01"))
    for distance in range(1, 6):
        book.limit("buy", 100 - distance / 100, 100 * distance)
        book.limit("sell", 100 + distance / 100, 100 * distance)
    mine = book.limit("buy", 99.99, 50)
    show(book)

    print(f"spread {book.spread:.2f} ({book.spread_bps:.1f} bps), imbalance {book.imbalance(3):+.2f}")
    orders, units = book.queue_position(mine.order_id) or (0, 0.0)
    print(f"{orders} order with {units:.0f} units is ahead of mine at 99.99")
    print(f"buying 250 now would cost {book.cost_to_trade('buy', 250).average_price:.4f} each\n")

    book.stop("sell", 99.97, 200, limit=99.95)
    result = book.market("sell", 600)
    print(
        f"sold {result.filled:.0f} at {result.average_price:.4f} in {len(result.fills)} fills; the stop went off too:"
    )
    show(book)

    refused = book.limit("buy", 100.02, 10, post_only=True)
    print(f"post-only at 100.02: {refused.state.name}, {refused.reason.name}")
    book.core.check()


if __name__ == "__main__":
    main()
