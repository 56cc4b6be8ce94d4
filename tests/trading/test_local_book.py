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
