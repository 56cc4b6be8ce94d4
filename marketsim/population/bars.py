"""Bars: the trades of a market summed up by time, for those who subscribe to them.

A bar holds the trades from its beginning up to its end, that moment excluded; its end is a multiple of its length. It
is published at its end, also when nothing traded: by the venue's timer (``pace``), or by the first trade of that very
nanosecond if that comes before the timer. It looks at no order.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue, has_room
from marketsim.population.state import DATA_DOWN, DONE, SHORT_OF_MESSAGES, markets_of, paced_of, subscribers_of

_BAR = int(Kind.BAR)


@compiled
def begin_bar(bar: Record, last: int) -> None:
    """Nothing has traded yet since the price ``last``."""
    bar.open = last
    bar.high = last
    bar.low = last
    bar.close = last
    bar.volume = 0
    bar.value = 0
    bar.trades = 0


@compiled
def publish_bar(world: Record, bar: Record) -> None:
    """The end of a bar has come: tell it and begin the next; room must be there."""
    subscriber = bar.head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = from_venue(world, _BAR, entry.agent, DATA_DOWN, bar.market)
        message.sent = bar.due
        message.price = bar.open
        message.order_type = bar.high
        message.time_in_force = bar.low
        message.other_price = bar.close
        message.quantity = bar.volume
        message.order_id = bar.value
        message.leaves = bar.trades
        message.expire = bar.pace
        subscriber = entry.next
    begin_bar(bar, bar.close)
    bar.due += bar.pace


@compiled
def close_bars(world: Record, market: int) -> int:
    """Publish the bars of a market whose end has come: DONE, or SHORT_OF_MESSAGES, and it is to be called again."""
    number = markets_of(world)[market].bars
    while number != 0:
        bar = paced_of(world)[number]
        if world.now >= bar.due:
            if not has_room(world, bar.count):
                return SHORT_OF_MESSAGES
            publish_bar(world, bar)
        number = bar.next
    return DONE


@compiled
def count_trade(world: Record, market: int, price: int, quantity: int) -> None:
    """A trade belongs to the bars under way of all lengths that somebody hears."""
    number = markets_of(world)[market].bars
    while number != 0:
        bar = paced_of(world)[number]
        if bar.trades == 0:
            bar.open = price
            bar.high = price
            bar.low = price
        bar.high = max(bar.high, price)
        bar.low = min(bar.low, price)
        bar.close = price
        bar.volume += quantity
        bar.value += price * quantity
        bar.trades += 1
        number = bar.next
