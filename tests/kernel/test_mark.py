"""A mark: objects and their tables go back to one moment, at the addresses that they had."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.kernel.compiled import Table
from marketsim.kernel.mark import Mark

ROW = np.dtype([("a", np.int64), ("b", np.float64)])


class Owner:
    """Something that owns tables, and more."""

    def __init__(self) -> None:
        self.table = Table(ROW, 4)
        self.listed = [Table(ROW, 2)]
        self.named = {"x": Table(ROW, 2), "y": 3}
        self.fixed = (Table(ROW, 1), None)
        self.count = 1


@pytest.mark.uncompiled
def test_everything_goes_back_to_the_memory_where_it_lay() -> None:
    owner = Owner()
    owner.table.rows["a"] = [1, 2, 3, 4]
    owner.fixed[0].rows["b"] = 0.5
    listed, named, address = owner.listed, owner.named, owner.table.address
    mark = Mark(owner)
    for _ in range(2):
        owner.table.rows["a"] = 9
        owner.table.grow(100)
        owner.table.rows["b"] = 7.0
        owner.fixed[0].rows["b"] = 1.5
        owner.listed.append(Table(ROW, 1))
        owner.named["z"] = Table(ROW, 1)
        owner.count += 1
        assert owner.table.address != address
        mark.back()
        assert owner.table.address == address
        assert owner.table.rows["a"].tolist() == [1, 2, 3, 4]
        assert owner.table.rows["b"].tolist() == [0.0] * 4
        assert owner.fixed[0].rows["b"][0] == 0.5
        assert owner.listed is listed
        assert len(listed) == 1
        assert owner.named is named
        assert list(named) == ["x", "y"]
        assert owner.count == 1


def test_two_marks_can_be_gone_back_to_in_any_order() -> None:
    owner = Owner()
    first = Mark(owner)
    owner.table.grow(50)
    owner.table.rows["a"] = 5
    second = Mark(owner)
    owner.table.rows["a"] = 6
    first.back()
    assert len(owner.table) == 4
    assert owner.table.rows["a"].tolist() == [0] * 4
    second.back()
    assert owner.table.rows["a"].tolist() == [5] * 50


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-100, 100)), max_size=12), st.integers(0, 40))
def test_whatever_is_written_is_forgotten(writes: list[tuple[int, int]], length: int) -> None:
    table = Table(ROW, 4)
    table.rows["a"] = [4, 3, 2, 1]
    held, back = table.rows, table.remember()
    for place, value in writes:
        table.rows["a"][place] = value
    table.grow(length)
    back()
    assert table.rows is held
    assert table.rows["a"].tolist() == [4, 3, 2, 1]
