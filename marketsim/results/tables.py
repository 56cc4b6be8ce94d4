"""The tables of a run, as ``domain.tables`` describes them, from the history of its log and its manifest.

Conversion from ticks, lots and numbers to currency, units and names happens here. Prices are the floats that people
write for them. ``quantity`` of an order is its total at the end: a replace sets it, a partial cancel shrinks it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain import tables as shapes
from marketsim.domain.contract import MONEY
from marketsim.domain.event import EVENT, EventKind, Settled
from marketsim.domain.fees import FeeMeter
from marketsim.domain.grid import scaled
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, TimeInForce
from marketsim.results.events import Events, block_rows
from marketsim.results.frames import empty, frame, same, text
from marketsim.results.history import History, Levels
from marketsim.results.manifest import Manifest, MarketEntry

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
PAYMENTS: dict[str, str] = {
    "time": "int64",  # ns
    "instrument": "str",
    "venue": "str",
    "agent": "str",
    "kind": "str",  # FUNDING; VARIATION, EXPIRY or FUND (of SETTLED rows); MARGIN_CALL; LIQUIDATION
    "price": "float64",  # the mark, in currency
    "quantity": "float64",  # units: the position, of a LIQUIDATION what is to be closed
    "amount": "float64",  # currency of settlement, positive to the agent
    "equity": "float64",  # currency of settlement, of calls and liquidations
}
MARKS: dict[str, str] = {"time": "int64", "instrument": "str", "venue": "str", "mark": "float64", "index": "float64"}
_PAID = (EventKind.FUNDING, EventKind.SETTLED)
_CODES = 100  # above the kinds of events
AUCTION = int(OrderFlag.AUCTION)  # in the flags of a trade's row


class Names:
    """Numbers of markets and participants, and what they stand for."""

    def __init__(self, manifest: Manifest) -> None:
        self.markets = {market.number: market for market in manifest.markets}
        self.agents = _by_number({agent.number: agent.name for agent in manifest.agents})
        self.symbols = _by_number({market.number: market.symbol for market in manifest.markets})
        self.venues = _by_number({market.number: market.venue for market in manifest.markets})

    def each(self, numbers: NDArray[Any], of: Callable[[MarketEntry, NDArray[np.bool_]], Floats]) -> Floats:
        """A float for each row, found market by market; 0 where the market is unknown."""
        result = np.zeros(len(numbers))
        for number, market in self.markets.items():
            chosen = numbers == number
            if chosen.any():
                result[chosen] = of(market, chosen)
        return result


def trades(history: History, manifest: Manifest) -> pd.DataFrame:
    """Every trade, columns TRADES."""
    names, rows = Names(manifest), history.trades()
    market, price, quantity = rows["market"], rows["price"], rows["quantity"]

    taker_fee, maker_fee = _fees(rows, names)
    return frame(
        shapes.TRADES,
        {
            "time": rows["time"].copy(),
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "price": names.each(market, lambda m, at: prices(price[at], m)),
            "quantity": names.each(market, lambda m, at: quantities(quantity[at], m)),
            "side": rows["side"].copy(),
            "taker": text(rows["owner"], names.agents),
            "maker": text(rows["peer"], names.agents),
            "taker_order": rows["order_id"].copy(),
            "maker_order": rows["match_id"].copy(),
            "taker_fee": taker_fee,
            "maker_fee": maker_fee,
        },
    )


def _fees(rows: NDArray[Any], names: Names) -> tuple[Floats, Floats]:
    """The fees of both sides of each trade."""
    taker, maker = np.zeros(len(rows)), np.zeros(len(rows))
    for number, market in names.markets.items():
        at = np.flatnonzero(rows["market"] == number)
        if len(at):
            charged = _alike if market.fees.alike(market.instrument) else _metered
            taker[at], maker[at] = charged(rows[at], market)
    return taker, maker


def _alike(rows: NDArray[Any], market: MarketEntry) -> tuple[Floats, Floats]:
    """Where a fee is a rate and no more; in an auction both sides pay the same."""
    price, quantity, auction = rows["price"], rows["quantity"], rows["flags"] & AUCTION != 0
    taker, maker = (market.fees.fees(price, quantity, market.instrument, side) for side in (False, True))
    if auction.any():
        fee = market.fees.side(False, auction=True)
        taker[auction] = maker[auction] = fee.of_trades(price[auction], quantity[auction], market.instrument)
    return taker, maker


def _metered(rows: NDArray[Any], market: MarketEntry) -> tuple[Floats, Floats]:
    """Where a fee hangs on what its payer has traded before, or is rounded: fill by fill."""
    meters: dict[int, FeeMeter] = defaultdict(lambda: FeeMeter(market.fees, market.instrument))
    paid = np.zeros((2, len(rows)))
    sides = (("owner", False), ("peer", True))
    for place, row in enumerate(rows):
        price, quantity, auction = int(row["price"]), int(row["quantity"]), bool(row["flags"] & AUCTION)
        for side, (who, maker) in enumerate(sides):
            paid[side, place] = meters[int(row[who])].charge(price, quantity, maker and not auction, auction)
    return paid[0], paid[1]


def payments(events: Events, manifest: Manifest) -> pd.DataFrame:
    """The rows of clearing that concern an account, columns PAYMENTS."""
    names = Names(manifest)
    rows = _cleared(events, manifest, (*_PAID, EventKind.MARGIN_CALL, EventKind.LIQUIDATION))
    if not len(rows):
        return empty(PAYMENTS)
    market, kind = rows["market"], rows["kind"]
    paid = np.isin(kind, _PAID)
    code = np.where(kind == EventKind.SETTLED, _CODES + rows["flags"].astype(np.int64), kind.astype(np.int64))
    return frame(
        PAYMENTS,
        {
            "time": rows["time"].copy(),
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "agent": text(rows["owner"], names.agents),
            "kind": text(code, _PAYMENT_KINDS),
            "price": names.each(market, lambda m, at: prices(rows["price"][at], m)),
            "quantity": names.each(market, lambda m, at: quantities(rows["quantity"][at], m)),
            "amount": np.where(paid, scaled(rows["leaves"], Fraction(MONEY)), 0.0),
            "equity": np.where(paid, np.nan, scaled(rows["leaves"], Fraction(MONEY))),
        },
    )


def marks(events: Events, manifest: Manifest) -> pd.DataFrame:
    """Every mark, columns MARKS."""
    names, rows = Names(manifest), _cleared(events, manifest, (EventKind.MARK,))
    market = rows["market"]
    return frame(
        MARKS,
        {
            "time": rows["time"].copy(),
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "mark": names.each(market, lambda m, at: prices(rows["price"][at], m)),
            "index": names.each(market, lambda m, at: prices(rows["match_id"][at], m)),
        },
    )


def _cleared(events: Events, manifest: Manifest, kinds: Sequence[EventKind]) -> NDArray[Any]:
    """The rows of some kinds of clearing; a log without contracts is not read."""
    found = [np.empty(0, EVENT)]
    if any(market.instrument.cleared for market in manifest.markets):
        for block in events.blocks():
            chosen = np.isin(block["kind"], kinds)
            if chosen.any():
                found.append(block_rows({name: values[chosen] for name, values in block.items()}))
    return np.concatenate(found)


def quotes(history: History, manifest: Manifest) -> pd.DataFrame:
    """The best bid and ask of each market whenever one of them changed, columns QUOTES."""
    import pandas as pd

    found = [(market, history.levels([market.number], 1)) for market in manifest.markets]
    if not found:
        return frame(shapes.QUOTES, dict.fromkeys(shapes.QUOTES, ()))
    result = pd.concat([_quotes(market, levels) for market, levels in found], ignore_index=True)
    if len(found) > 1:
        order = np.argsort(np.concatenate([levels.number for _, levels in found]), kind="stable")
        result = result.iloc[order].reset_index(drop=True)
    return result


def slim(history: History, market: MarketEntry) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trades and quotes of one market without names and fees, made block by block from the columns of the log.

    ``time``, ``price``, ``quantity``, ``side``, ``taker_order``; and QUOTES without ``instrument``.
    """
    import pandas as pd

    rows = history.trade_columns(market.number, ("time", "price", "quantity", "side", "order_id"))
    trades = pd.DataFrame(
        {
            "time": rows["time"],
            "price": prices(rows["price"], market),
            "quantity": quantities(rows["quantity"], market),
            "side": rows["side"],
            "taker_order": rows["order_id"],
        },
        copy=False,
    )
    parts: list[tuple[Any, ...]] = [
        (levels.time, *_in_currency(levels, market)) for levels in history.level_blocks([market.number], 1)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0)] * 5
    values = dict(zip(("time", "ask", "ask_quantity", "bid", "bid_quantity"), columns, strict=True))
    venue = pd.Categorical.from_codes(np.zeros(len(columns[0]), np.int8), categories=pd.Index([market.venue]))
    return trades, pd.DataFrame({**values, "venue": venue}, copy=False)


def _quotes(market: MarketEntry, levels: Levels) -> pd.DataFrame:
    ask, ask_quantity, bid, bid_quantity = _in_currency(levels, market)
    count = len(levels.time)
    return frame(
        shapes.QUOTES,
        {
            "time": levels.time,
            "instrument": same(market.symbol, count),
            "venue": same(market.venue, count),
            "bid": bid,
            "bid_quantity": bid_quantity,
            "ask": ask,
            "ask_quantity": ask_quantity,
        },
    )


def depth(levels: Levels, market: MarketEntry) -> pd.DataFrame:
    """Best levels over time: ``time``, then ``ask_1, ask_quantity_1, bid_1, bid_quantity_1, ask_2, …``."""
    import pandas as pd

    columns: dict[str, Any] = {"time": levels.time}
    names = (f"{kind}_{level + 1}" for level in range(levels.rows.shape[1] // 4) for kind in _LEVEL)
    return pd.DataFrame({**columns, **dict(zip(names, _in_currency(levels, market), strict=True))}, copy=False)


_LEVEL = ("ask", "ask_quantity", "bid", "bid_quantity")


def _in_currency(levels: Levels, market: MarketEntry) -> list[Floats]:
    """Columns of levels: prices (NaN where there is no level) and quantities in turn."""
    result = []
    for place in range(0, levels.rows.shape[1], 2):
        price, quantity = prices(levels.rows[:, place], market), quantities(levels.rows[:, place + 1], market)
        price[levels.rows[:, place + 1] == 0] = np.nan
        result += [price, quantity]
    return result


def orders(history: History, manifest: Manifest) -> pd.DataFrame:
    """Every order that reached a venue, columns ORDERS."""
    names, rows = Names(manifest), history.orders()
    market, kind = rows["market"], rows["order_type"]
    limited = (kind == OrderType.LIMIT) | (kind == OrderType.STOP_LIMIT)
    refused = rows["state"] == OrderState.REJECTED  # what was refused says nothing of its stop price
    stopped = ((kind == OrderType.STOP) | (kind == OrderType.STOP_LIMIT)) & ~refused
    known = np.isin(market, list(names.markets))
    price, stop_price = (
        np.where(there & known, names.each(market, lambda m, at, of=ticks: prices(rows[of][at], m)), np.nan)  # type: ignore[misc]
        for ticks, there in (("price", limited), ("stop_price", stopped))
    )
    return frame(
        shapes.ORDERS,
        {
            "order_id": rows["order_id"].copy(),
            "time": rows["time"].copy(),
            "end_time": rows["end_time"].copy(),
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "agent": text(rows["owner"], names.agents),
            "side": rows["side"].copy(),
            "order_type": text(kind, _ORDER_TYPES),
            "time_in_force": text(rows["time_in_force"], _TIMES),
            "price": price,
            "stop_price": stop_price,
            "quantity": names.each(market, lambda m, at: quantities(rows["quantity"][at], m)),
            "filled": names.each(market, lambda m, at: quantities(rows["filled"][at], m)),
            "state": text(rows["state"], _STATES),
            "reason": text(rows["reason"], _REASONS),
            "cancel_requests": rows["cancel_requests"].copy(),
        },
    )


def agents(manifest: Manifest) -> pd.DataFrame:
    """The participants, columns AGENTS."""
    return frame(
        shapes.AGENTS,
        {name: [getattr(agent, name) for agent in manifest.agents] for name in shapes.AGENTS},
    )


def prices(ticks: NDArray[Any], market: MarketEntry) -> Floats:
    """Currency of ticks."""
    return scaled(ticks, Fraction(market.tick_size))


def quantities(lots: NDArray[Any], market: MarketEntry) -> Floats:
    """Units of lots."""
    return scaled(lots, Fraction(market.lot_size))


def _by_number(names: dict[int, str]) -> list[str]:
    """Names in a list by number, "" in the gaps."""
    return [names.get(number, "") for number in range(max(names, default=-1) + 1)]


def _names_of(kind: Sequence[Any] | Any) -> list[str]:
    return _by_number({int(member): member.name for member in kind})


_ORDER_TYPES, _TIMES, _STATES = _names_of(OrderType), _names_of(TimeInForce), _names_of(OrderState)
_PAYMENT_KINDS = _by_number(
    {int(kind): kind.name for kind in EventKind} | {_CODES + int(code): code.name for code in Settled}
)
_REASONS = ["", *_names_of(Reason)[1:]]
