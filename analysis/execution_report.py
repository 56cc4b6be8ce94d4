"""Executions: what each parent order cost, against the prices it is judged by (M6), and the market's volume curve.

A parent order is what an agent gave to ``execute``; its terms and child orders are noted in the run's annotations. It
is judged over its *interval*: from its beginning to its planned end, or to its real one where it went on for longer or
was called back. With X units wanted and x filled at a mean price p, side s = ±1, and marks (mids) d when it was given,
a just before it began and e at the end of the interval,

    shortfall  =  s X (a − d)         delay: what the price did before it began
               +  s x (p − a)         trading: what it paid against the price it met
               +  s (X − x) (e − a)   opportunity: what the part that was not done would cost now
               +  fees

which is s (x p + (X − x) e − X d) + fees, the difference between the portfolio on paper and the real one: A. Perold,
"The implementation shortfall: paper versus reality", Journal of Portfolio Management 14 (3), 1988, 4–9; the delay as in
W. Wagner and M. Edwards, "Best execution", Financial Analysts Journal 49 (1), 1993, 65–71. Positive is a cost
throughout. Money of contracts counts with their multiplier; of inverse ones it is nominal, in the currency of quotes.

Three z-scores set the price against a benchmark and its scatter in the interval, and a score says which share of the
market traded at worse prices: the relative performance measure of R. Kissell and M. Glantz, "Optimal trading
strategies" (2003), by volume.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, Tape, column, rows_of, the_instrument
from marketsim.domain.units import DAY, SECOND, duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_KEYS = ("execution", "execution order", "execution over")
COLUMNS: dict[str, str] = {
    "agent": "str",
    "number": "int64",  # 1, 2, … of its agent
    "algorithm": "str",
    "instrument": "str",
    "side": "int8",  # +1 buy, -1 sell
    "state": "str",  # name of OrderState: FILLED, CANCELED with something left; OPEN when the run ended before it did
    "left_because": "str",  # why something is left, in a few words; empty where nothing is
    "quantity": "float64",  # units
    "filled": "float64",
    "fill_rate": "float64",  # of the quantity
    "decided": "int64",  # ns, when it was given
    "begin": "int64",
    "end": "int64",  # of the interval
    "duration": "float64",  # s from its beginning to its end, or to the run's
    "orders": "int64",  # child orders that a venue took
    "fills": "int64",
    "maker_share": "float64",  # of what was filled
    "participation": "float64",  # of what the market traded from its beginning to its end, or to the run's
    "average_price": "float64",  # currency; NaN without fills
    "decision_price": "float64",
    "arrival_price": "float64",
    "vwap": "float64",  # of all trades in the interval, its own too
    "twap": "float64",  # of the mid, over the interval
    "end_price": "float64",
    "close": "float64",  # the last mid of the run
    "delay": "float64",  # currency
    "trading": "float64",
    "opportunity": "float64",
    "fees": "float64",
    "shortfall": "float64",  # the sum of these four
    "shortfall_bps": "float64",  # of quantity · decision_price
    "arrival_bps": "float64",  # average price against each benchmark, in basis points of it
    "vwap_bps": "float64",
    "twap_bps": "float64",
    "close_bps": "float64",
    "arrival_z": "float64",  # cost against arrival, in standard deviations of the mid over so long a time
    "vwap_z": "float64",  # against the VWAP, in standard deviations of the prices traded, by volume
    "twap_z": "float64",  # against the TWAP, in standard deviations of the mid, by time
    "score": "float64",  # 0 … 100: share of the volume in the interval at worse prices, half of what was at its own
}
"""Columns of ``executions``: name and type."""


class _Parent(NamedTuple):
    """What annotations tell of one parent order."""

    agent: str
    terms: dict[str, Any]
    orders: list[tuple[int, str]]  # number and venue of each child order
    state: str
    ended: int  # ns; -1 when it never was
    left_because: str


class _Market(NamedTuple):
    """One instrument: its quotes, all of its trades, and units of money a unit is worth at a price of 1."""

    tape: Tape
    trades: pd.DataFrame
    multiplier: float


def executions(tables: MarketTables) -> pd.DataFrame:
    """A row for each parent order of a run, in the order in which they were given, columns COLUMNS.

    Empty where no agent executed one, and for recorded data, which know of none.
    """
    markets: dict[str, _Market] = {}
    rows = []
    for parent in _parents(tables):
        symbol = str(parent.terms["instrument"])
        if symbol not in markets:
            markets[symbol] = _market(tables, symbol)
        rows.append(_row(parent, markets[symbol], int(tables.end)))
    frame = pd.DataFrame({name: [row[name] for row in rows] for name in COLUMNS})
    return frame.astype({name: "object" if kind == "str" else kind for name, kind in COLUMNS.items()})


def execution_holdings(tables: MarketTables) -> dict[tuple[str, int], pd.DataFrame]:
    """By agent and number of each parent order: ``time`` (s since it began) and ``left``, the share not done, stepwise.

    The last row is at its end, or at the end of the run.
    """
    markets: dict[str, _Market] = {}
    found = {}
    for parent in _parents(tables):
        symbol = str(parent.terms["instrument"])
        if symbol not in markets:
            markets[symbol] = _market(tables, symbol)
        fills = _fills(parent, markets[symbol])
        begin, end = int(parent.terms["begin"]), _over(parent, int(tables.end))
        times = np.concatenate(([begin], fills["time"].to_numpy(np.int64), [max(end, begin)]))
        done = np.concatenate(([0.0], np.cumsum(fills["quantity"].to_numpy(np.float64))))
        left = 1.0 - np.append(done, done[-1]) / float(parent.terms["quantity"])
        key = (parent.agent, int(parent.terms["number"]))
        found[key] = pd.DataFrame({"time": (times - begin) / SECOND, "left": left})
    return found


def volume_curve(
    *sources: MarketTables,
    every: object = "5min",
    instrument: str | None = None,
    start: object = None,
    end: object = None,
) -> pd.DataFrame:
    """How much is traded at which time of a day, on average over ``sources`` (runs, recorded days): history for a VWAP.

    Columns ``start`` and ``end`` (ns after midnight), ``volume`` (units, mean of the days) and ``share``; bins of
    length ``every`` from ``start`` to ``end`` (times of a day in ns; those that all sources have in common when left
    out). ``curve.to_csv("curve.csv", index=False)`` writes what the agent ``vwap`` reads as its ``curve_file``.
    """
    if not sources:
        raise InvalidValueError("volume_curve() needs a source: a run, or a recorded day")
    step = duration(every)
    if step < 1:
        raise InvalidValueError(f"every: {every} must be above zero")
    first = max(int(s.start) % DAY for s in sources) if start is None else duration(start)
    last = min(first + int(s.end) - int(s.start) for s in sources) if end is None else duration(end)
    if last - first < step:
        raise InvalidValueError(f"every: a bin of {every} is longer than the {(last - first) / SECOND:g} s there are")
    edges = np.append(np.arange(first, last - step + 1, step), last)
    edges = np.delete(edges, -2) if edges[-1] == edges[-2] else edges
    volumes = np.zeros(len(edges) - 1)
    for source in sources:
        time, quantity = _volume(source, instrument)
        volumes += np.histogram(time % DAY, edges, weights=quantity)[0] / len(sources)
    if not volumes.sum() > 0.0:
        raise InvalidValueError("nothing was traded in the sources: there is no curve to learn from them")
    return pd.DataFrame({"start": edges[:-1], "end": edges[1:], "volume": volumes, "share": volumes / volumes.sum()})


def _volume(source: MarketTables, instrument: str | None) -> tuple[Ints, Floats]:
    tape = Tape.of(source, instrument)
    return tape.trade_time, tape.quantity


# --- what was noted ---


def _parents(tables: MarketTables) -> list[_Parent]:
    notes: pd.DataFrame | None = getattr(tables, "annotations", None)
    if notes is None or not len(notes):
        return []
    notes = notes[notes["key"].isin(_KEYS)]
    terms: dict[tuple[str, int], dict[str, Any]] = {}
    orders: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    over: dict[tuple[str, int], tuple[str, int, str]] = {}
    for time, agent, key, value in zip(notes["time"], notes["agent"], notes["key"], notes["value"], strict=True):
        if key == "execution order":
            number, order, venue = str(value).split(" ", 2)
            orders[agent, int(number)].append((int(order), venue))
            continue
        told = json.loads(value)
        place = (str(agent), int(told["number"]))
        if key == "execution":
            terms[place] = told  # the latest holds
        else:
            over[place] = (str(told["state"]), int(time), str(told.get("left_because", "")))
    still = ("OPEN", -1, "run ended")
    return [_Parent(place[0], told, orders[place], *over.get(place, still)) for place, told in terms.items()]


def _market(tables: MarketTables, symbol: str) -> _Market:
    known = the_instrument(tables, symbol)
    trades = rows_of(tables.trades, known, len(tables.instruments) == 1)
    return _Market(Tape.of(tables, known), trades, float(tables.instruments[known].multiplier))


def _fills(parent: _Parent, market: _Market) -> pd.DataFrame:
    """``time``, ``price``, ``quantity``, ``fee`` and ``maker`` of its child orders' fills, in time order."""
    trades, parts = market.trades, []
    own = pd.MultiIndex.from_tuples([(venue, order) for order, venue in parent.orders], names=["venue", "order"])
    for role in ("taker", "maker"):
        keys = pd.MultiIndex.from_arrays([trades["venue"].astype(str), trades[f"{role}_order"]])
        mine = trades[keys.isin(own)] if len(own) else trades.iloc[:0]
        part = mine[["time", "price", "quantity"]].assign(fee=mine[f"{role}_fee"], maker=role == "maker")
        parts.append(part)
    return pd.concat(parts).sort_values("time", kind="stable")


# --- what it comes to ---


def _over(parent: _Parent, end: int) -> int:
    """ns at which it was over, or the run."""
    return parent.ended if parent.ended >= 0 else end


def _interval(parent: _Parent, end: int) -> tuple[int, int]:
    """ns; within the run."""
    begin, planned = int(parent.terms["begin"]), int(parent.terms["end"])
    over = _over(parent, end)
    called_back = parent.state == "CANCELED" and over < planned
    last = over if called_back else max(over if parent.ended >= 0 else planned, planned)
    return min(begin, end), max(min(last, end), min(begin, end))


def _row(parent: _Parent, market: _Market, run_end: int) -> dict[str, Any]:
    terms, tape = parent.terms, market.tape
    side, wanted = int(terms["side"]), float(terms["quantity"])
    begin, end = _interval(parent, run_end)
    fills = _fills(parent, market)
    sizes = column(fills, "quantity", np.float64)
    filled = float(sizes.sum())
    paid = float((column(fills, "price", np.float64) * sizes).sum())
    average = paid / filled if filled else float("nan")
    decision, arrival = (float(v) for v in tape.marks_before(np.array([int(terms["decided"]), begin])))
    end_price, close = (float(v) for v in tape.marks_at(np.array([end, run_end])))
    _, vwap = _market_vwap(market, begin, end)
    twap = _mean_mark(tape, begin, end)
    met, _ = _market_vwap(market, begin, _over(parent, run_end))
    worth = side * market.multiplier
    costs = {
        "delay": worth * wanted * (arrival - decision),
        "trading": worth * (paid - filled * arrival),
        "opportunity": worth * (wanted - filled) * (end_price - arrival),
        "fees": float(fills["fee"].sum()),
    }
    shortfall = sum(costs.values())
    return {
        "agent": parent.agent,
        "number": int(terms["number"]),
        "algorithm": terms["algorithm"],
        "instrument": tape.symbol,
        "side": side,
        "state": parent.state,
        "left_because": parent.left_because,
        "quantity": wanted,
        "filled": filled,
        "fill_rate": filled / wanted,
        "decided": int(terms["decided"]),
        "begin": begin,
        "end": end,
        "duration": max(_over(parent, run_end) - begin, 0) / SECOND,
        "orders": len(parent.orders),
        "fills": len(fills),
        "maker_share": float(sizes[fills["maker"].to_numpy(bool)].sum()) / filled if filled else float("nan"),
        "participation": filled / met if met else float("nan"),
        "average_price": average,
        "decision_price": decision,
        "arrival_price": arrival,
        "vwap": vwap,
        "twap": twap,
        "end_price": end_price,
        "close": close,
        **costs,
        "shortfall": shortfall,
        "shortfall_bps": 1e4 * shortfall / (wanted * market.multiplier * decision),
        "arrival_bps": _bps(side, average, arrival),
        "vwap_bps": _bps(side, average, vwap),
        "twap_bps": _bps(side, average, twap),
        "close_bps": _bps(side, average, close),
        **_scores(market, side, average, begin, end, (arrival, vwap, twap)),
    }


def _scores(
    market: _Market, side: int, average: float, begin: int, end: int, benchmarks: tuple[float, float, float]
) -> dict[str, float]:
    """z-scores against arrival, VWAP and TWAP, positive is a cost; and the share of the volume that did worse."""
    tape = market.tape
    prices, sizes = _traded(market, begin, end)
    volume = float(sizes.sum())
    worse = float(sizes[side * (prices - average) > 1e-9].sum()) + 0.5 * float(
        sizes[np.abs(prices - average) <= 1e-9].sum()
    )
    inside = tape.quote_time[(tape.quote_time > begin) & (tape.quote_time < end)]
    edges = np.concatenate(([begin], inside, [max(end, begin)])).astype(np.int64)
    marks, lasted = tape.marks_at(edges), np.diff(edges)
    arrival, vwap, twap = benchmarks
    spreads = {
        "arrival": float(np.sqrt((np.diff(marks) ** 2).sum())),
        "vwap": float(np.sqrt((sizes * (prices - vwap) ** 2).sum() / volume)) if volume else 0.0,
        "twap": float(np.sqrt((lasted * (marks[:-1] - twap) ** 2).sum() / lasted.sum())) if end > begin else 0.0,
    }
    gaps = {"arrival": average - arrival, "vwap": average - vwap, "twap": average - twap}
    nothing = float("nan")
    found = {f"{name}_z": side * gaps[name] / spreads[name] if spreads[name] > 0 else nothing for name in gaps}
    return found | {"score": 100.0 * worse / volume if volume and not np.isnan(average) else nothing}


def _bps(side: int, average: float, benchmark: float) -> float:
    return side * (average / benchmark - 1.0) * 1e4


def _market_vwap(market: _Market, begin: int, end: int) -> tuple[float, float]:
    """Units traded by anybody in [begin, end], and their mean price."""
    prices, sizes = _traded(market, begin, end)
    volume = float(sizes.sum())
    value = float((prices * sizes).sum())
    return volume, value / volume if volume else float("nan")


def _traded(market: _Market, begin: int, end: int) -> tuple[Floats, Floats]:
    """Prices and units of everybody's trades in [begin, end]."""
    time = column(market.trades, "time", np.int64)
    inside = slice(int(np.searchsorted(time, begin, "left")), int(np.searchsorted(time, end, "right")))
    return column(market.trades, "price", np.float64)[inside], column(market.trades, "quantity", np.float64)[inside]


def _mean_mark(tape: Tape, begin: int, end: int) -> float:
    """The mid, averaged over the time from ``begin`` to ``end``; the last one known where there is none."""
    if end <= begin:
        return float(tape.marks_at(np.array([begin]))[0])
    inside = tape.quote_time[(tape.quote_time > begin) & (tape.quote_time < end)]
    edges = np.concatenate(([begin], inside, [end])).astype(np.int64)
    return float(np.average(tape.marks_at(edges[:-1]), weights=np.diff(edges)))


def named_orders(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``executions`` for people: named by agent and number, and sides in words."""
    sides = frame["side"].map({1: "buy", -1: "sell"})
    return frame.assign(side=sides).set_index(frame["agent"] + " " + frame["number"].astype(str))


def largest(frame: pd.DataFrame, most: int) -> list[int]:
    """Places of the rows of ``executions`` with the largest orders by value, ``most`` at most, in their order."""
    worth = (frame["quantity"] * frame["decision_price"]).to_numpy(np.float64)
    return sorted(np.argsort(-worth, kind="stable")[:most].tolist())
