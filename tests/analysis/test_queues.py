"""Intensities of the best queues: a tape by hand, in which each event is of a known kind at a known size."""

from __future__ import annotations

import pytest
from synthetic import by_hand, lobster, lobster_folder

from marketsim.analysis import queue_intensities
from marketsim.errors import InvalidValueError

SECOND = 1_000_000_000


def test_each_change_counts_at_the_size_it_met() -> None:
    """The bid: 2 units for 4 s, 3 for 2 s, hit down to 2 for 2 s, then given up; the ask keeps 5 units all the time."""
    tables = by_hand(
        trades=[{"time": 6 * SECOND, "price": 10.0, "quantity": 10, "side": -1}],
        quotes=[
            (0, 10.0, 20, 10.01, 50),
            (4 * SECOND, 10.0, 30, 10.01, 50),
            (6 * SECOND, 10.0, 20, 10.01, 50),
            (8 * SECOND, 9.99, 70, 10.01, 50),
            (9 * SECOND, 10.0, 10, 10.01, 50),  # a better bid says nothing about the queue before
        ],
        end=9 * SECOND,
    )
    table = queue_intensities(tables, unit=10).set_index("size")
    assert table.index.tolist() == [2, 3, 5, 7]
    assert table["seconds"].tolist() == pytest.approx([6, 2, 9, 1])
    assert table["limit"].tolist() == pytest.approx([1 / 6, 0, 0, 0])
    assert table["market"].tolist() == pytest.approx([0, 1 / 2, 0, 0])
    assert table["cancel"].tolist() == pytest.approx([1 / 6, 0, 0, 0])
    assert table["limit_error"].tolist() == pytest.approx([1 / 6, 0, 0, 0])


def test_the_last_row_is_of_all_larger_sizes_and_the_unit_is_the_mean_change() -> None:
    tables = by_hand(quotes=[(0, 1.0, 10, 1.01, 40), (2 * SECOND, 1.0, 20, 1.01, 20)], end=2 * SECOND)
    assert queue_intensities(tables, unit=10, sizes=2)["size"].tolist() == [1, 2]
    assert queue_intensities(tables)["size"].tolist() == [1, 3]  # changes of 10 and 20 lots: a unit of 15


def test_a_unit_is_above_zero() -> None:
    with pytest.raises(InvalidValueError, match="unit=0 and sizes=30 must be above 0"):
        queue_intensities(by_hand(), unit=0)


@pytest.mark.slow
@pytest.mark.skipif(lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA")
def test_on_a_recorded_day_longer_queues_are_joined_more_and_hit_less() -> None:
    """The shapes that Huang, Lehalle and Rosenbaum find, though AMZN in 2012 was far from their large-tick stocks."""
    table = queue_intensities(lobster("AMZN", 5), sizes=8).set_index("size")
    print()
    print(table.round(2).to_string())
    assert (table["seconds"] > 100).all()
    assert table["limit"][1] < table["limit"][4] - 4 * table["limit_error"][4]
    assert table["market"][1] > table["market"][5] + 4 * table["market_error"][5]
