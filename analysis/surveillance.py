"""Surveillance: spoofing and layering, told from what participants send, trade and withdraw (M8).

It sees orders, trades and best quotes, as a venue's surveillance does, and never the labels: ``detection`` compares the
two. It accuses nobody: an alert is a reason to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, Tape, column, require_tables
from marketsim.domain.units import duration, format_duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

ALERT_COLUMNS = {
    "agent": "object", "kind": "object", "instrument": "object", "venue": "object", "side": "int64", "start": "int64",
    "end": "int64", "orders": "object", "quantity": "float64", "levels": "int64", "filled": "float64",
    "opposite": "object", "opposite_quantity": "float64", "opposite_filled": "float64", "score": "float64",
    "reason": "object",
}  # fmt: skip
THRESHOLD = 0.7
NEVER = np.iinfo(np.int64).max
WITHDRAWN = ("CANCELED", "EXPIRED")


@dataclass(frozen=True)
class _Participant:
    """Orders of one participant in one instrument at one venue, by their start."""

    agent: str
    instrument: str
    venue: str
    id: Ints
    side: Ints
    start: Ints
    end: Ints  # NEVER while live
    price: Floats  # NaN at market
    quantity: Floats
    filled: Floats
    last_fill: Ints  # -1 without any
    withdrawn: npt.NDArray[np.bool_]
    shown: Floats  # quantity at the best price of the order's side when it came, or its mean where that is more
    usual: float  # mean quantity of limit orders in this book


def surveil(
    tables: MarketTables,
    *,
    threshold: float = THRESHOLD,
    build: object = "1s",
    reaction: object = "1s",
    longest: object = "60s",
    layers: int = 3,
    large: float = 5.0,
) -> pd.DataFrame:
    """Alerts of spoofing and layering, in the order of their start; empty when there is nothing to report.

    Looked for are limit orders of one participant on one side of a book that were sent within ``build`` of each other,
    lived no longer than ``longest``, and were withdrawn, while the participant had an order on the other side; together
    at least ``large`` times the mean quantity of limit orders there. Such a group is scored by five
    numbers between 0 and 1, of which the score is the geometric mean:

    - lean: (D - G) / (D + G), D its quantity, G the participant's on the other side. A market maker who shows as much
      on both sides has none.
    - weight: D / (D + B), B the quantity at the best price of its side when it came, or its mean where that is more.
    - withdrawn: the share of D that did not trade.
    - gain: (1 + the share of G that traded while D stood) / 2. An attempt that brought nothing counts half.
    - haste: 1 / (1 + delay / ``reaction``), the delay from the last fill on the other side until the group's last order
      was withdrawn; where nothing was filled, between the withdrawals of both sides.

    An alert is a group with a score of at least ``threshold``. It is called layering when its orders stood at
    ``layers`` prices or more, else spoofing. Columns: ``agent``, ``kind``, ``instrument``, ``venue``, ``side`` (of the
    orders not meant, +1 buy), ``start``, ``end`` (ns), ``orders`` (their ids), ``quantity`` (units), ``levels``,
    ``filled``, ``opposite`` (ids on the other side), ``opposite_quantity``, ``opposite_filled``, ``score``, ``reason``.

    Works on any tables whose orders name their ``agent``; InvalidValueError where they do not, as in anonymous
    recordings. The signs are those of Lee, Eom and Park (2013) and of the indicators of manipulation in Annex II of
    Commission Delegated Regulation (EU) 2016/522 (Annex I, A(e) and (f) of MAR).
    """
    require_tables(tables)
    spans = [duration(value) for value in (build, reaction, longest)]
    if not 0.0 <= threshold <= 1.0:
        raise InvalidValueError(f"threshold={threshold} must lie between 0 and 1")
    if min(spans) <= 0 or layers < 2:
        raise InvalidValueError("build, reaction and longest must be above zero, and layers at least 2")
    if not large >= 0:
        raise InvalidValueError(f"large={large} must not be negative")
    if len(tables.orders) and not (tables.orders["agent"] != "").any():
        raise InvalidValueError("the orders name no participants: surveillance needs to know who sent them")
    rows = []
    for one in _participants(tables):
        for chosen in _groups(one, *spans[::2]):
            if float(one.quantity[chosen].sum()) < large * one.usual:
                continue
            found = _judge(one, chosen, spans[1], layers)
            if found is not None and float(str(found[-2])) >= threshold:
                rows.append(found)
    alerts = pd.DataFrame(rows, columns=list(ALERT_COLUMNS)).astype(ALERT_COLUMNS)
    return alerts.sort_values(["start", "agent"], ignore_index=True)


def _participants(tables: MarketTables) -> Iterator[_Participant]:
    """Each participant's orders that were accepted, by their start, where some were withdrawn and both sides used."""
    orders = tables.orders
    orders = orders[((orders["state"] != "REJECTED") & (orders["agent"] != "")).to_numpy()]
    keys = [pd.factorize(orders[name].astype(object)) for name in ("agent", "instrument", "venue")]
    start, ids = column(orders, "time", np.int64), column(orders, "order_id", np.int64)
    order = np.lexsort((ids, start, *(codes for codes, _ in keys)))
    codes = np.stack([codes[order] for codes, _ in keys], axis=1)
    start, ids = start[order], ids[order]
    side, end = (column(orders, name, np.int64)[order] for name in ("side", "end_time"))
    end = np.where(end < 0, NEVER, end)
    price, quantity, filled = (column(orders, name, np.float64)[order] for name in ("price", "quantity", "filled"))
    withdrawn = orders["state"].isin(WITHDRAWN).to_numpy()[order]
    last_fill = _last_fills(tables.trades, keys[2][1], codes[:, 2], ids)
    shown, usual = np.zeros(len(ids)), np.zeros(len(ids))
    for n, symbol in enumerate(keys[1][1]):
        mine = codes[:, 1] == n
        depths = _depths(Tape.of(tables, symbol))
        best = [np.fmax(mean, tape.before(values, start[mine])) for tape, values, mean in depths]
        shown[mine] = np.nan_to_num(np.where(side[mine] > 0, *best))
        for venue in np.unique(codes[mine, 2]):
            here = mine & (codes[:, 2] == venue)
            usual[here] = quantity[here & ~np.isnan(price)].mean() if (here & ~np.isnan(price)).any() else 0.0
    edges = np.flatnonzero((codes[1:] != codes[:-1]).any(axis=1)) + 1
    for low, high in zip([0, *edges], [*edges, len(ids)], strict=True):
        part = slice(int(low), int(high))
        if not withdrawn[part].any() or abs(int(side[part].sum())) == high - low:
            continue
        agent, symbol, venue = (str(names[code]) for (_, names), code in zip(keys, codes[low], strict=True))
        yield _Participant(
            agent, symbol, venue, ids[part], side[part], start[part], end[part], price[part], quantity[part],
            filled[part], last_fill[part], withdrawn[part], shown[part], float(usual[low]),
        )  # fmt: skip


def _last_fills(trades: pd.DataFrame, venues: pd.Index, venue: Ints, ids: Ints) -> Ints:
    """When each order (its venue's place in ``venues``, and its id) traded last; -1 where it never did."""
    place = np.tile(venues.get_indexer(pd.Index(trades["venue"].astype(object))).astype(np.int64), 2)
    number = np.concatenate([column(trades, name, np.int64) for name in ("maker_order", "taker_order")])
    time = np.tile(column(trades, "time", np.int64), 2)
    order = np.lexsort((time, number, place))
    place, number, time = place[order], number[order], time[order]
    last = np.append((np.diff(place) != 0) | (np.diff(number) != 0), True)[: len(time)]
    known = pd.MultiIndex.from_arrays([place[last], number[last]])
    row = known.get_indexer(pd.MultiIndex.from_arrays([venue, ids])) if len(known) else np.full(len(ids), -1)
    return np.where(row >= 0, np.append(time[last], -1)[row], -1).astype(np.int64)


def _depths(tape: Tape) -> list[tuple[Tape, Floats, float]]:
    """Quantities at the best bid and ask, and their means over time."""
    return [(tape, values, tape.time_weighted(values)) for values in (tape.bid_quantity, tape.ask_quantity)]


def _groups(one: _Participant, build: int, longest: int) -> Iterator[Ints]:
    """Withdrawn limit orders of one side, sent soon after each other and live together: rows of ``one``."""
    for side in (1, -1):
        fit = (one.side == side) & one.withdrawn & np.isfinite(one.price) & (one.end - one.start <= longest)
        rows = np.flatnonzero(fit)
        first = 0
        starts, ends = one.start[rows].tolist(), one.end[rows].tolist()
        until = ends[0] if len(rows) else 0
        for n in range(1, len(rows) + 1):
            if n == len(rows) or starts[n] - starts[first] > build or starts[n] >= until:
                yield rows[first:n]
                if n < len(rows):
                    first, until = n, ends[n]
            else:
                until = min(until, ends[n])


def _judge(one: _Participant, rows: Ints, reaction: int, layers: int) -> tuple[object, ...] | None:
    """An alert's columns; None where the other side had no order, or as many."""
    start, end, side = int(one.start[rows].min()), int(one.end[rows].max()), int(one.side[rows[0]])
    other = np.flatnonzero((one.side == -side) & (one.start <= end) & (one.end >= start))
    quantity, against = float(one.quantity[rows].sum()), float(one.quantity[other].sum())
    if len(other) == 0 or quantity <= against:
        return None
    filled, gained = float(one.filled[rows].sum()), float(one.filled[other].sum())
    traded = one.last_fill[other]
    traded = traded[(traded >= start) & (traded <= end + reaction)]
    moment = int(traded.max()) if len(traded) else int(np.where(one.end[other] < NEVER, one.end[other], start).max())
    delay = abs(end - moment)
    gain = gained / against if len(traded) else 0.0
    parts = (
        (quantity - against) / (quantity + against),
        quantity / (quantity + float(one.shown[rows[0]])),
        1.0 - filled / quantity,
        0.5 * (1.0 + gain),
        1.0 / (1.0 + delay / reaction),
    )
    score = float(np.prod(parts) ** (1.0 / len(parts)))
    levels = len(np.unique(one.price[rows]))
    kind = "layering" if levels >= layers else "spoofing"
    reason = _reason(one, rows, levels, quantity, filled, against, gained if len(traded) else 0.0, delay)
    return (
        one.agent, kind, one.instrument, one.venue, side, start, end, tuple(one.id[rows].tolist()), quantity, levels,
        filled, tuple(one.id[other].tolist()), against, gained, score, reason,
    )  # fmt: skip


def _reason(
    one: _Participant,
    rows: Ints,
    levels: int,
    quantity: float,
    filled: float,
    against: float,
    gained: float,
    delay: int,
) -> str:
    side, other = ("buy", "sell") if one.side[rows[0]] > 0 else ("sell", "buy")
    prices = f" at {levels} prices" if levels > 1 else ""
    what = f"showed {quantity:,.0f} to {side}{prices} beside {against:,.0f} to {other}"
    wait = format_duration(max(delay // 1_000_000, 1) * 1_000_000)
    if gained > 0:
        return f"{what}, withdrew {1 - filled / quantity:.0%} of it {wait} after {gained:,.0f} of the others had traded"
    return f"{what}, withdrew {1 - filled / quantity:.0%} of it within {wait} of the others' end; nothing had traded"
