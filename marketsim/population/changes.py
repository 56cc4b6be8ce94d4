"""Changes: which levels of a market changed lately, in the order of their latest changes.

Kept only where somebody hears conflated levels. Each price is listed once, however often it changes, so what is to be
told since any moment is found by walking back from the newest. It knows no subscriber.
"""

from __future__ import annotations

from marketsim.exchange.state import LADDERS
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.state import buckets_of, changed_of, markets_of


@compiled
def _bucket(world: Record, ladder: int, price: int) -> int:
    """Where to look for a level; the number of buckets is a power of two."""
    mixed = (price * 2_654_435_761 + ladder * 40_503) & 0x3FFFFFFFFFFF
    return int((mixed ^ (mixed >> 17)) & (world.buckets_length - 1))


@compiled
def has_change_room(world: Record) -> bool:
    """Whether one more level could be listed."""
    return bool(world.changed_count < world.changed_length)


@compiled
def note_change(world: Record, ladder: int, price: int, stamp: int) -> None:
    """A level has changed; room must be there. Stamps of a market ascend."""
    changed = changed_of(world)
    buckets = buckets_of(world)
    market = markets_of(world)[ladder // LADDERS]
    bucket = _bucket(world, ladder, price)
    place = buckets[bucket]
    while place != 0 and (changed[place].price != price or changed[place].ladder != ladder):
        place = changed[place].next
    if place == 0:
        place = world.changed_count
        world.changed_count += 1
        changed[place].ladder = ladder
        changed[place].price = price
        changed[place].next = buckets[bucket]
        buckets[bucket] = place
    elif place != market.newest:
        older, newer = changed[place].older, changed[place].newer
        changed[older].newer = newer  # entry 0 takes what nobody reads
        changed[newer].older = older
    changed[place].stamp = stamp
    if place != market.newest:
        changed[place].older = market.newest
        changed[place].newer = 0
        changed[market.newest].newer = place
        market.newest = place


@compiled
def list_again(worlds: Rows) -> None:
    """Find all entries new buckets, after the tables have grown."""
    world = worlds[0]
    changed = changed_of(world)
    buckets = buckets_of(world)
    for bucket in range(world.buckets_length):
        buckets[bucket] = 0
    for place in range(1, world.changed_count):
        bucket = _bucket(world, changed[place].ladder, changed[place].price)
        changed[place].next = buckets[bucket]
        buckets[bucket] = place


@compiled
def changes_since(world: Record, market: int, stamp: int) -> int:
    """How many levels have changed after a stamp."""
    changed = changed_of(world)
    place = markets_of(world)[market].newest
    count = 0
    while place != 0 and changed[place].stamp > stamp:
        count += 1
        place = changed[place].older
    return count


@compiled
def oldest_since(world: Record, market: int, stamp: int) -> int:
    """The first of them in the order of their changes; 0 when there are none. ``newer`` leads on."""
    changed = changed_of(world)
    place = markets_of(world)[market].newest
    first = 0
    while place != 0 and changed[place].stamp > stamp:
        first = place
        place = changed[place].older
    return int(first)
