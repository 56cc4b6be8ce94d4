"""Mistakes in the matching core of which each must break at least one conformance card, without any other test."""

from __future__ import annotations

from mutate_core import Mutation


def _in(file: str, name: str, old: str, new: str, mistake: str) -> Mutation:
    return Mutation(name, f"{file}.py", old, new, mistake)


CARD_MUTATIONS = (
    _in(
        "execution",
        "an iceberg shows one lot",
        "    order.place = RESTING\n"
        "    append(core, ladder_of(order), slot, order.price)\n"
        "    write_order(core, _REFRESHED",
        "    order.place = RESTING\n    order.leaves = min(shown, 1)\n"
        "    append(core, ladder_of(order), slot, order.price)\n    write_order(core, _REFRESHED",
        "A refreshed iceberg displays one lot.",
    ),
    _in(
        "execution",
        "hidden orders first",
        "max(limit, displayed + 1), lots)\n        if hidden != 0:",
        "max(limit, displayed), lots)\n        if hidden != 0:",
        "At one price hidden orders trade before displayed ones.",
    ),
    _in(
        "execution",
        "minimum quantity of resting orders forgotten",
        "            if _least(core, slot) <= lots:\n",
        "            if lots > 0:\n",
        "A hidden order trades with less than its minimum.",
    ),
    _in(
        "execution",
        "bands beyond the edge",
        "abs(price - book.anchor) > book.dynamic",
        "abs(price - book.anchor) > book.dynamic + 1",
        "The dynamic band is a tick too wide.",
    ),
    _in(
        "execution",
        "a halt instead of an auction",
        "_VOLATILITY_AUCTION if book.band_action == _INTERRUPT else _HALT",
        "_HALT if book.band_action == _INTERRUPT else _VOLATILITY_AUCTION",
        "Interrupt halts, and halt interrupts.",
    ),
    _in(
        "execution",
        "the interrupted IOC enters",
        "    if order.time_in_force == _IOC:\n        end(core, slot, _CANCELED, _OUTSIDE_BANDS)\n",
        "    if order.time_in_force == _FOK:\n        end(core, slot, _CANCELED, _OUTSIDE_BANDS)\n",
        "An IOC order that interrupts trading is canceled for another reason.",
    ),
    _in(
        "execution",
        "cancel both spares the aggressor",
        "    if mode == _CANCEL_BOTH:\n        end(core, slot, _CANCELED, _SELF_TRADE)\n        return False\n",
        "    if mode == _CANCEL_BOTH:\n        return True\n",
        "Cancel both cancels the oldest alone.",
    ),
    _in(
        "execution",
        "decrement ends the resting order",
        "        lots = min(order.leaves, total_open(core, resting))\n",
        "        lots = total_open(core, resting)\n",
        "Decrement takes all of the resting order from both.",
    ),
    _in(
        "execution",
        "market-to-limit at the first price",
        "            become_limited(core, slot, books_of(core)[order.market].last_price)\n",
        "            become_limited(core, slot, books_of(core)[order.market].last_price - order.side)\n",
        "A market-to-limit order rests a tick behind its last trade.",
    ),
    _in(
        "execution",
        "a reserve is not counted",
        "        return total_open(core, slot)\n    return order.leaves\n",
        "        return order.leaves\n    return order.leaves\n",
        "A FOK order and an auction see of an iceberg what it displays.",
    ),
    _in(
        "execution",
        "FOK rests after links",
        "    if order.time_in_force == _FOK:  # links took away what had been counted\n",
        "    if order.time_in_force == _FOK and unlimited:\n",
        "A FOK limit order that a link leaves short rests.",
    ),
    _in(
        "orders",
        "an iceberg loses what it displays",
        "    active = max(by - reserve, 0) if iceberg else min(by, order.leaves)\n",
        "    active = min(by, order.leaves)\n",
        "A partial cancel of an iceberg takes what it displays first.",
    ),
    _in(
        "orders",
        "a conditional order loses its reserve",
        "    active = max(by - reserve, 0) if iceberg else min(by, order.leaves)\n",
        "    active = max(by - reserve, 0)\n",
        "A partner's fill takes from a conditional order's reserve first.",
    ),
    _in(
        "orders",
        "partners forget each other",
        "    if partner != 0:\n        _end_partner(core, partner)\n\n\n@compiled\ndef end(",
        "    if partner < 0:\n        _end_partner(core, partner)\n\n\n@compiled\ndef end(",
        "The end of an order leaves its partner alone.",
    ),
    _in(
        "orders",
        "a partner loses everything",
        "        lost = min(quantity, total_open(core, partner))\n",
        "        lost = total_open(core, partner)\n",
        "A partial fill ends the partner.",
    ),
    _in(
        "settling",
        "a parent releases all",
        "        lots = min(reserve_of(core, child), filled - told)\n",
        "        lots = reserve_of(core, child) if filled > told else 0\n",
        "The first fill of a parent releases the whole child.",
    ),
    _in(
        "settling",
        "the reserve of an orphan stays",
        "        over = terms[parent].ended != 0 and",
        "        over = terms[parent].ended < 0 and",
        "A child keeps what its parent can never release.",
    ),
    _in(
        "settling",
        "trailing stops fall back",
        "(order.stop_price - stop) * order.side > 0",
        "order.stop_price != stop",
        "A trailing stop follows the last price in both directions.",
    ),
    _in(
        "settling",
        "the middle is rounded up for all",
        "        base = (bid + ask) >> 1 if order.side > 0 else (bid + ask + 1) >> 1\n",
        "        base = (bid + ask + 1) >> 1\n",
        "A buying mid peg stands half a tick beyond the middle.",
    ),
    _in(
        "settling",
        "pegs without a cap",
        "    return min(price, terms.cap) if order.side > 0 else max(price, terms.cap)\n",
        "    return price\n",
        "A peg follows beyond its cap.",
    ),
    _in(
        "settling",
        "pegs to themselves",
        "        base = own\n",
        "        base = own if own != NO_KEY else other\n",
        "A primary peg without a price of its own side takes the other's.",
    ),
    _in(
        "auction",
        "the largest surplus",
        "        if surplus > found.surplus:\n            return\n",
        "        if surplus < found.surplus:\n            return\n",
        "Of equal volumes the price with the largest surplus is taken.",
    ),
    _in(
        "auction",
        "the reference is forgotten",
        "        if surplus == found.surplus and abs(price - reference) > abs(found.price - reference):\n"
        "            return\n",
        "",
        "The highest of the best prices is taken, however far from the last price.",
    ),
    _in(
        "auction",
        "hidden before displayed in the auction",
        "        slot = _first_unseen(core, unseen, max(key, displayed + 1))\n",
        "        slot = _first_unseen(core, unseen, max(key, displayed))\n",
        "In an auction hidden orders of a price trade first.",
    ),
    _in(
        "auction",
        "minimum quantities in the auction",
        "terms_of(core)[slot].minimum == 0\n",
        "terms_of(core)[slot].minimum >= 0\n",
        "An order with a minimum takes part in an auction.",
    ),
    _in(
        "phases",
        "AT_OPEN orders for the day",
        "    if (before == _PRE_OPEN or before == _OPENING) and phase != _PRE_OPEN and phase != _OPENING:\n",
        "    if before == _OPENING and phase == _CLOSED:\n",
        "AT_OPEN orders stay after the opening auction.",
    ),
    _in(
        "phases",
        "stops sleep through the opening",
        "    elif phase == _CONTINUOUS and book.trades > 0:\n",
        "    elif phase == _CONTINUOUS and book.trades < 0:\n",
        "No stop is elected when continuous trading begins.",
    ),
    _in(
        "phases",
        "a closed session trades",
        "(phase == _CLOSED and is_call(before))",
        "phase == _CLOSED",
        "A halted market uncrosses when it closes.",
    ),
    _in(
        "phases",
        "market-to-limit is a market order in auctions",
        "        if orders[slot].order_type == _MARKET_TO_LIMIT and traded != 0:\n",
        "        if orders[slot].order_type == _MARKET_TO_LIMIT and traded < 0:\n",
        "A market-to-limit order left over after an auction is canceled.",
    ),
    _in(
        "phases",
        "auctions take IOC orders",
        "    if time_in_force == _IOC or time_in_force == _FOK or flags",
        "    if time_in_force == _FOK or flags",
        "A call phase takes an IOC order.",
    ),
    _in(
        "allotment",
        "the top order gets nothing",
        "    top = min(orders[at.head].leaves, book.top_lots, lots)\n",
        "    top = 0\n",
        "Nobody gets the top lots.",
    ),
    _in(
        "allotment",
        "the least allocation is forgotten",
        "max(book.least_allocation, 1))\n",
        "1)\n",
        "Shares below the least allocation are given.",
    ),
    _in(
        "stops",
        "sell stops before buy stops",
        "    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))\n"
        "    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))\n",
        "    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))\n"
        "    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))\n",
        "Sell stops are elected first.",
    ),
    _in(
        "stops",
        "stops elected in a call phase",
        "    if book.phase == 0 and book.trades > 0 and",
        "    if book.trades > 0 and",
        "A stop that is satisfied in a call phase does not wait for continuous trading.",
    ),
    _in(
        "matching",
        "a slide onto the other side",
        "    return -best - 1 if side > 0 else best + 1\n",
        "    return -best if side > 0 else best\n",
        "A sliding order stops at the price that it would have met.",
    ),
    _in(
        "matching",
        "instructions are not looked at",
        "    if flags & _SLIDE and not flags & _POST_ONLY:\n        return True\n",
        "",
        "A slide without post-only is taken.",
    ),
)
