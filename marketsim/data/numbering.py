"""Numbering: the orders of a source, whatever it calls them, as 1, 2, 3 … in the order of their first mention."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def number_orders(
    names: NDArray[Any], arrivals: NDArray[np.bool_], named: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """(order id of each row, source's name of each order id).

    names: what the source calls the order of each row.
    arrivals: the row tells of a new order: a name that was used before begins another order.
    named: the row names an order; the others have order id 0.
    """
    ids = np.zeros(len(names), np.int64)
    rows = np.flatnonzero(named)
    if len(rows) == 0:
        return ids, _blank(names)
    _, codes = np.unique(names[rows], return_inverse=True)
    by_name = np.argsort(codes, kind="stable")
    codes = codes[by_name]
    first = arrivals[rows][by_name]
    first[0] = True
    first[1:] |= codes[1:] != codes[:-1]
    order = np.cumsum(first) - 1
    opened = by_name[first]  # index into rows of each order's first mention
    rank = np.empty(len(opened), np.int64)
    rank[np.argsort(opened)] = np.arange(1, len(opened) + 1)
    ids[rows[by_name]] = rank[order]
    return ids, np.concatenate([_blank(names), names[rows[np.sort(opened)]]])


def _blank(names: NDArray[Any]) -> NDArray[Any]:
    return np.zeros(1, names.dtype) if names.dtype.kind in "iu" else np.array([""], names.dtype)
