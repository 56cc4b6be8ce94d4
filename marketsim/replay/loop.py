"""The compiled loop of a replay: plan the requests of a row, send them, compare the book.

It stops where a table is too short and goes on when called again.
"""

from __future__ import annotations

from marketsim.data.tape import ASK_PRICE, BID_PRICE, TapeFlag, TapeKind
from marketsim.exchange.state import ASK, BID, ladders_of, levels_of, rungs_of
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.replay.foresight import UNSEEN
from marketsim.replay.plan import plan_message, plan_opening, plan_view, worst_in_view
from marketsim.replay.send import send
from marketsim.replay.state import DONE, SHORT_OF_REQUESTS

_FIRST, _SEND_FIRST, _SECOND, _SEND_SECOND, _COMPARE = 0, 1, 2, 3, 4  # stages of a row
_REDUCE, _EXECUTE = int(TapeKind.REDUCE), int(TapeKind.EXECUTE)
_GAP = int(TapeFlag.GAP)


@compiled
def _compare_side(core: Record, state: Record, book: Rows, mismatches: Rows, ladder: int) -> None:
    """Every recorded level of a side, by rank: price and quantity."""
    levels = levels_of(core)
    rungs = rungs_of(core)
    best = ladders_of(core)[ladder].start + ladders_of(core)[ladder].rungs - 1
    count = ladders_of(core)[ladder].rungs
    column = BID_PRICE if ladder == BID else ASK_PRICE
    for rank in range(book.shape[1]):
        price = 0
        quantity = 0
        if rank < count:
            level = levels[rungs[best - rank].level]
            price = level.price
            quantity = level.quantity
        state.observations += 1
        wanted_price = book[state.row, rank, column]
        wanted = book[state.row, rank, column + 1]
        if quantity != wanted or (wanted > 0 and price != wanted_price):
            if state.mismatches_kept < len(mismatches):
                found = mismatches[state.mismatches_kept]
                found.row = state.row
                found.side = 1 if ladder == BID else -1
                found.level = rank + 1
                found.recorded_price = wanted_price
                found.recorded_quantity = wanted
                found.price = price
                found.quantity = quantity
                state.mismatches_kept += 1
            state.mismatches += 1


@compiled
def _record_side(core: Record, row: int, shown: Rows, ladder: int) -> None:
    """Write the core's best levels down."""
    levels = levels_of(core)
    rungs = rungs_of(core)
    best = ladders_of(core)[ladder].start + ladders_of(core)[ladder].rungs - 1
    column = BID_PRICE if ladder == BID else ASK_PRICE
    for rank in range(min(ladders_of(core)[ladder].rungs, shown.shape[1])):
        level = levels[rungs[best - rank].level]
        shown[row, rank, column] = level.price
        shown[row, rank, column + 1] = level.quantity


@compiled
def advance(
    cores: Rows,
    states: Rows,
    events: Rows,
    book: Rows,
    notes: Rows,
    entries: Rows,
    firsts: Rows,
    requests: Rows,
    mismatches: Rows,
    exceptions: Rows,
    shown: Rows,
    bounds: Rows,
    stop: int,
) -> int:
    """Work until the event ``stop``; ``bounds`` are the sort keys of the worst bid and ask in view before the row.

    Answers DONE or a SHORT_OF code, its own or the core's; call again then.
    """
    core = cores[0]
    state = states[0]
    recorded = book.shape[0] > 0
    while state.row < stop:
        event = events[state.row]
        if recorded and state.stage == _FIRST and (state.row == 0 or int(event["flags"]) & _GAP != 0):
            bounds[:] = UNSEEN
        unseen = recorded and bounds[BID] == UNSEEN
        if state.stage == _FIRST or state.stage == _SECOND:
            live = ladders_of(core)[BID].orders + ladders_of(core)[ASK].orders
            if len(requests) - state.planned < 2 * live + state.seeds + 4 * book.shape[1] + 8:
                return SHORT_OF_REQUESTS
            if state.stage == _FIRST:
                if state.opening != 0:
                    plan_opening(state, requests, event, notes, firsts)
                if _REDUCE <= event.kind <= _EXECUTE:
                    notes[event.order_id].left -= event.quantity
            if (state.stage == _SECOND) == unseen:
                plan_message(core, state, requests, event, notes, unseen)
            elif recorded:
                plan_view(core, state, requests, event, notes, entries, book, bounds)
            state.stage += 1
        if state.stage == _SEND_FIRST or state.stage == _SEND_SECOND:
            answer = send(core, state, requests, notes, exceptions)
            if answer < 0:
                return answer
            state.stage += 1
        if state.stage == _COMPARE:
            for ladder in range(BID, ASK + 1):
                if recorded:
                    _compare_side(core, state, book, mismatches, ladder)
                    bounds[ladder] = worst_in_view(book, state.row, ladder)
                if shown.shape[0] > 0:
                    _record_side(core, state.row, shown, ladder)
            state.stage = _FIRST
            state.row += 1
    return DONE
