"""The book as a participant rebuilds it: a snapshot, increments in sequence, and gaps that are noticed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate
from marketsim.domain.order import Side
from marketsim.trading.book import LocalBook

ABC = Instrument("ABC")


def snapshot(sequence: int = 5) -> BookSnapshot:
    return BookSnapshot(0, ABC, ((99, 3), (97, 1)), ((101, 2), (104, 8)), sequence)


def update(sequence: int, side: Side, price: int, quantity: int) -> LevelUpdate:
    return LevelUpdate(0, ABC, side, price, quantity, sequence)


def test_nothing_counts_before_a_snapshot() -> None:
    book = LocalBook()
    assert not book.apply(update(1, Side.BUY, 99, 3))
    assert (book.bids, book.synchronized) == ({}, False)


def test_increments_change_levels() -> None:
    book = LocalBook()
    book.apply_snapshot(snapshot())
    assert book.apply(update(6, Side.BUY, 98, 7))
    assert book.apply(update(7, Side.SELL, 101, 0))
    assert book.apply(update(8, Side.BUY, 99, 1))
    assert book.best_bids(2) == [(99, 1), (98, 7)]
    assert book.best_asks(2) == [(104, 8)]


def test_removing_what_is_not_there_is_harmless() -> None:
    book = LocalBook()
    book.apply_snapshot(snapshot())
    assert book.apply(update(6, Side.SELL, 150, 0))
    assert book.best_asks(9) == [(101, 2), (104, 8)]


def test_what_is_older_than_the_snapshot_is_passed_over() -> None:
    book = LocalBook()
    book.apply_snapshot(snapshot(5))
    assert not book.apply(update(5, Side.BUY, 99, 1))
    assert book.synchronized
    assert book.best_bids(1) == [(99, 3)]


def test_a_gap_is_noticed_and_a_snapshot_repairs_it() -> None:
    book = LocalBook()
    book.apply_snapshot(snapshot(5))
    assert not book.apply(update(7, Side.BUY, 99, 1))
    assert not book.synchronized
    assert not book.apply(update(8, Side.BUY, 99, 1))
    book.apply_snapshot(snapshot(8))
    assert book.apply(update(9, Side.BUY, 99, 2))
    assert book.best_bids(1) == [(99, 2)]


def test_a_snapshot_is_copied() -> None:
    book, source = LocalBook(), snapshot()
    book.apply_snapshot(source)
    book.apply(update(6, Side.BUY, 99, 0))
    assert source.bids[0] == (99, 3)


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(90, 110), st.integers(0, 5)), max_size=60))
def test_the_book_is_the_last_word_on_each_price(changes: list[tuple[Side, int, int]]) -> None:
    book, truth = LocalBook(), dict[tuple[Side, int], int]()
    book.apply_snapshot(BookSnapshot(0, ABC, (), (), 0))
    for number, (side, price, quantity) in enumerate(changes, start=1):
        assert book.apply(update(number, side, price, quantity))
        truth[side, price] = quantity
    bids = sorted(((p, q) for (s, p), q in truth.items() if s is Side.BUY and q), reverse=True)
    asks = sorted((p, q) for (s, p), q in truth.items() if s is Side.SELL and q)
    assert book.best_bids(100) == bids
    assert book.best_asks(100) == asks


# --- losses ---


def test_what_arrives_before_the_snapshot_is_applied_behind_it() -> None:
    book = LocalBook()
    for number, quantity in ((5, 1), (6, 7), (7, 9)):
        assert not book.apply(update(number, Side.BUY, 98, quantity))
    book.apply_snapshot(snapshot(6))
    assert (book.synchronized, book.sequence, book.bids[98]) == (True, 7, 9)


def test_a_gap_asks_once_and_goes_on_behind_the_snapshot() -> None:
    asked: list[int] = []
    book = LocalBook(lambda: asked.append(1))
    book.apply_snapshot(snapshot(5))
    for number in (7, 8, 9):
        assert not book.apply(update(number, Side.BUY, 99, number))
    assert (len(asked), book.gaps) == (1, 1)
    book.apply_snapshot(snapshot(8))
    assert (book.synchronized, book.sequence, book.bids[99]) == (True, 9, 9)


def test_a_gap_behind_the_snapshot_asks_again() -> None:
    asked: list[int] = []
    book = LocalBook(lambda: asked.append(1))
    book.apply_snapshot(snapshot(5))
    book.apply(update(7, Side.BUY, 99, 1))
    book.apply(update(10, Side.BUY, 99, 2))
    book.apply_snapshot(snapshot(7))
    assert (book.synchronized, len(asked)) == (False, 2)
    book.apply_snapshot(snapshot(11))
    assert (book.synchronized, book.sequence) == (True, 11)


def test_a_heartbeat_tells_of_the_last_one_lost() -> None:
    asked: list[int] = []
    book = LocalBook(lambda: asked.append(1))
    assert not book.heartbeat(9), "there is no book yet, and none was lost"
    book.apply_snapshot(snapshot(5))
    assert book.heartbeat(5)
    assert not book.heartbeat(6)
    assert not book.heartbeat(6)
    assert len(asked) == 1


def test_an_older_snapshot_does_not_turn_the_book_back() -> None:
    book = LocalBook()
    book.apply_snapshot(snapshot(5))
    book.apply(update(6, Side.BUY, 99, 1))
    book.apply_snapshot(snapshot(5))
    assert (book.sequence, book.bids[99]) == (6, 1)


CHANGES = st.tuples(st.sampled_from(Side), st.integers(95, 105), st.integers(0, 5), st.booleans(), st.integers(0, 4))


@given(st.lists(CHANGES, max_size=80))
def test_whatever_is_lost_the_book_is_the_venues_at_its_sequence(
    changes: list[tuple[Side, int, int, bool, int]],
) -> None:
    """Of each change: whether its increment arrives, and after how many more a snapshot that it asks for does."""
    truth: list[dict[tuple[Side, int], int]] = [{}]
    due: list[int] = []  # changes after which a snapshot of then arrives
    taken: dict[int, int] = {}  # the sequence at which the venue took it
    delay = [1]
    book = LocalBook(lambda: due.append(len(truth) - 1 + delay[0]))

    def arrive(sequence: int) -> None:
        state = truth[sequence]
        sides = [tuple((p, q) for (s, p), q in state.items() if s is side and q) for side in (Side.BUY, Side.SELL)]
        book.apply_snapshot(BookSnapshot(0, ABC, *sides, sequence))

    def compare() -> None:
        if book.synchronized:
            mine = {(Side.BUY, p): q for p, q in book.bids.items()} | {(Side.SELL, p): q for p, q in book.asks.items()}
            assert mine == {key: quantity for key, quantity in truth[book.sequence].items() if quantity}

    arrive(0)
    for number, (side, price, quantity, arrives, wait) in enumerate(changes, start=1):
        truth.append({**truth[-1], (side, price): quantity})
        delay[0], asked = wait, len(due)
        if arrives:
            book.apply(update(number, side, price, quantity))
        if len(due) > asked:
            taken[len(due) - 1] = number
        for place, time in enumerate(due):
            if time <= number and place in taken:
                arrive(taken.pop(place))
        compare()
    book.heartbeat(len(changes))
    if not book.synchronized:
        arrive(len(changes))
    assert book.sequence == len(changes)
    compare()
