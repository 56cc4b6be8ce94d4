"""Allotment: how the lots of an aggressor are shared out among the orders of one price by the pro-rata rule.

Source of the rule: allocation algorithms of the large derivatives exchanges (a top order, a share by time, a share by
size with a least allocation, the remainder by time). It writes what each order gets into its record and trades nothing.
"""

from __future__ import annotations

from marketsim.exchange.state import books_of, levels_of, orders_of, terms_of
from marketsim.kernel.compiled import Record, compiled


@compiled
def _give_in_time_order(core: Record, level: int, lots: int) -> None:
    orders = orders_of(core)
    terms = terms_of(core)
    slot = levels_of(core)[level].head
    while slot != 0 and lots > 0:
        given = min(lots, orders[slot].leaves - terms[slot].allotted)
        terms[slot].allotted += given
        lots -= given
        slot = orders[slot].next


@compiled
def _give_by_size(core: Record, level: int, lots: int, least: int) -> int:
    """Answers what was given."""
    orders = orders_of(core)
    terms = terms_of(core)
    head = levels_of(core)[level].head
    rest = 0
    slot = head
    while slot != 0:
        rest += orders[slot].leaves - terms[slot].allotted
        slot = orders[slot].next
    total = 0
    slot = head
    while slot != 0:
        given = lots * (orders[slot].leaves - terms[slot].allotted) // rest  # quantities of such markets fit 32 bits
        if given >= least:
            terms[slot].allotted += given
            total += given
        slot = orders[slot].next
    return total


@compiled
def allot(core: Record, market: int, level: int, lots: int) -> None:
    """Share ``lots`` out among the orders of a level; when they suffice for all, all get what they display."""
    book = books_of(core)[market]
    orders = orders_of(core)
    terms = terms_of(core)
    at = levels_of(core)[level]
    slot = at.head
    while slot != 0:
        terms[slot].allotted = orders[slot].leaves if lots >= at.quantity else 0
        slot = orders[slot].next
    if lots >= at.quantity:
        return
    top = min(orders[at.head].leaves, book.top_lots, lots)
    terms[at.head].allotted = top
    lots -= top
    by_time = lots * book.fifo_percent // 100
    _give_in_time_order(core, level, by_time)
    lots -= by_time
    lots -= _give_by_size(core, level, lots, max(book.least_allocation, 1))
    _give_in_time_order(core, level, lots)
