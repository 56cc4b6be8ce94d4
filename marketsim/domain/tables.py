"""The shape of tables: what analysis reads, whether it comes from a run or from a recorded tape.

Every table is a pandas DataFrame with the columns below, in time order, prices in currency, quantities in units of
the instrument, times int64 nanoseconds of simulated time (after midnight of the first day unless the source says
otherwise). ``instrument`` is text; ``venue`` is "" for recorded data of one venue. A missing price is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from marketsim.domain.instrument import Instrument

TRADES: dict[str, str] = {
    "time": "int64",  # ns
    "instrument": "str",
    "venue": "str",
    "price": "float64",  # currency
    "quantity": "float64",  # units
    "side": "int8",  # aggressor: +1 buy, -1 sell
    "taker": "str",  # agent name; "" where unknown (recorded data)
    "maker": "str",
    "taker_order": "int64",  # order ids; 0 where unknown
    "maker_order": "int64",
    "taker_fee": "float64",  # currency; negative is a rebate
    "maker_fee": "float64",
}
QUOTES: dict[str, str] = {  # one row whenever the best bid or ask changes, after the event is complete
    "time": "int64",
    "instrument": "str",
    "venue": "str",
    "bid": "float64",  # currency; NaN when that side is empty
    "bid_quantity": "float64",  # units; 0 when empty
    "ask": "float64",
    "ask_quantity": "float64",
}
ORDERS: dict[str, str] = {  # one row an order that reached the venue
    "order_id": "int64",
    "time": "int64",  # ns, acceptance (or rejection)
    "end_time": "int64",  # ns of the terminal state; -1 while live at the end
    "instrument": "str",
    "venue": "str",
    "agent": "str",
    "side": "int8",
    "order_type": "str",  # name of OrderType
    "time_in_force": "str",  # name of TimeInForce
    "price": "float64",  # limit in currency, last one after replaces; NaN for a market order
    "stop_price": "float64",  # NaN when none
    "quantity": "float64",  # units
    "filled": "float64",  # units
    "state": "str",  # name of OrderState at the end
    "reason": "str",  # name of Reason; "" when none
    "cancel_requests": "int64",  # cancels and replaces asked for this order
}
PHASES: dict[str, str] = {  # one row a change of a market's phase, or an extension of its auction
    "time": "int64",
    "instrument": "str",
    "venue": "str",
    "phase": "str",  # name of Phase from now on
    "before": "str",
    "reason": "str",  # name of Reason
    "price": "float64",  # last price; of a price band that was hit the price that would have traded
}
INDICATIONS: dict[str, str] = {  # one row whenever an auction's indicative price or volume was told
    "time": "int64",
    "instrument": "str",
    "venue": "str",
    "price": "float64",  # NaN when nothing would trade
    "volume": "float64",  # units that would trade
    "surplus": "float64",  # units that would find nobody
    "side": "int8",  # of the surplus: +1 bids, -1 offers, 0 none
}
AUCTIONS: dict[str, str] = {  # one row an auction that traded
    "time": "int64",
    "instrument": "str",
    "venue": "str",
    "price": "float64",
    "volume": "float64",  # units
    "trades": "int64",
}
AGENTS: dict[str, str] = {
    "name": "str",
    "family": "str",  # the key in the scenario, shared by agents added together
    "type": "str",  # class name
    "initial_cash": "float64",
}


class SessionTables(Protocol):
    """What figures of sessions take beside MarketTables: a ``Run`` offers it."""

    @property
    def phases(self) -> pd.DataFrame:
        """Columns PHASES."""

    @property
    def indications(self) -> pd.DataFrame:
        """Columns INDICATIONS."""

    @property
    def auctions(self) -> pd.DataFrame:
        """Columns AUCTIONS."""

    @property
    def start(self) -> int:
        """ns at which measuring starts (after the warm-up)."""

    @property
    def end(self) -> int:
        """ns at which the run ends."""


class MarketTables(Protocol):
    """What analysis functions take. A ``Run`` and every recorded tape offer it."""

    @property
    def trades(self) -> pd.DataFrame:
        """Columns TRADES."""

    @property
    def quotes(self) -> pd.DataFrame:
        """Columns QUOTES."""

    @property
    def orders(self) -> pd.DataFrame:
        """Columns ORDERS."""

    @property
    def agents(self) -> pd.DataFrame:
        """Columns AGENTS; empty for recorded data."""

    @property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol."""

    @property
    def start(self) -> int:
        """ns at which measuring starts (after the warm-up)."""

    @property
    def end(self) -> int:
        """ns at which the run or recording ends."""

    def depth(self, levels: int, instrument: str | None = None, every: int | None = None) -> pd.DataFrame:
        """The book's best levels over time.

        Columns ``time``, then ``ask_1, ask_quantity_1, bid_1, bid_quantity_1, ask_2, …``; a row for each event that
        changed one of them, or, with ``every`` (ns), a row at each multiple of it. One instrument at a time
        (the only one by default).
        """


class LongTables(Protocol):
    """What a source may offer beside MarketTables so that it is measured without lying in memory as a whole."""

    def slim(self, instrument: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Trades and quotes of one instrument, in the columns that measures of the market read.

        ``time``, ``price``, ``quantity``, ``side``, ``taker_order``; and QUOTES. The column ``instrument`` may be
        missing where all rows are of it.
        """

    @property
    def names_complete(self) -> bool:
        """Whether ``agents`` has every agent of trades and orders, which then need not be read for their names."""

    def depth_blocks(self, levels: int, instrument: str | None = None) -> Iterator[pd.DataFrame]:
        """The rows of ``depth(levels, instrument)``, one stretch of time after another."""
