"""A trading desk for hand-written cases: orders in few words, event rows as short sentences.

A sentence is ``KIND #order [with #maker] quantity@price [leaves n] [REASON] [kept]``; an order that has no limit shows
no price. Owners, sides and the other columns are for the tests that look at whole rows.
"""

from __future__ import annotations

from typing import Any

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, Side, TimeInForce
from marketsim.domain.phase import Phase

BUY, SELL = int(Side.BUY), int(Side.SELL)
GTC, DAY, GTD = TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
TOTAL_AND_OPEN = (EventKind.TRADE, EventKind.CANCELED, EventKind.EXPIRED, EventKind.REPLACED)


def sentence(row: dict[str, int]) -> str:
    kind = EventKind(row["kind"])
    words = [kind.name, f"#{row['order_id']}"]
    if kind == EventKind.TRADE:
        words.append(f"with #{row['match_id']}")
    if kind == EventKind.TERMS:
        words.append(f"stop {row['price']} expire {row['leaves']}")
    elif kind == EventKind.CANCEL_REJECTED:
        words.append(str(row["quantity"]))
    else:
        words.append(f"{row['quantity']}@{row['price']}")
    if kind in TOTAL_AND_OPEN:
        words.append(f"leaves {row['leaves']}")
    if row["reason"]:
        words.append(Reason(row["reason"]).name)
    if row["flags"] & OrderFlag.KEPT_PRIORITY:
        words.append("kept")
    return " ".join(words)


class Desk:
    """One participant after another sends orders to a core; a nanosecond passes before each request."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.time = 0
        self._told = 0

    def order(
        self,
        side: int,
        quantity: int,
        price: int | None = None,
        *,
        stop: int | None = None,
        tif: int = GTC,
        post_only: bool = False,
        owner: int = 1,
        market: int = 0,
        expire: int = 0,
        order_id: int = 0,
    ) -> int:
        """Market, limit, stop or stop-limit order, by which of ``price`` and ``stop`` is given; its id."""
        if stop is None:
            order_type = OrderType.MARKET if price is None else OrderType.LIMIT
        else:
            order_type = OrderType.STOP if price is None else OrderType.STOP_LIMIT
        flags = int(OrderFlag.POST_ONLY) if post_only else 0
        self.time += 1
        answer = self.core.new(
            self.time, owner, market, side, int(order_type), int(tif), flags, price or 0, stop or 0, quantity, expire,
            order_id,
        )  # fmt: skip
        return int(answer)

    def buy(self, quantity: int, price: int | None = None, **terms: Any) -> int:
        return self.order(BUY, quantity, price, **terms)

    def sell(self, quantity: int, price: int | None = None, **terms: Any) -> int:
        return self.order(SELL, quantity, price, **terms)

    def cancel(self, order_id: int, quantity: int = 0, owner: int = 1) -> None:
        self.time += 1
        self.core.cancel(self.time, owner, order_id, quantity)

    def replace(self, order_id: int, price: int, quantity: int, stop: int = 0, owner: int = 1) -> None:
        self.time += 1
        self.core.replace(self.time, owner, order_id, price, quantity, stop)

    def expire(self, order_id: int) -> None:
        self.time += 1
        self.core.expire(self.time, order_id)

    def close(self, market: int = 0) -> None:
        self.time += 1
        self.core.set_phase(self.time, market, Phase.CLOSED)

    def open(self, market: int = 0) -> None:
        self.time += 1
        self.core.set_phase(self.time, market, Phase.CONTINUOUS)

    def last_price(self, price: int, market: int = 0) -> None:
        """One lot trades at a price, by orders that leave nothing behind; nothing is told of it."""
        self.buy(1, price, owner=98, market=market)
        self.sell(1, price, owner=99, market=market)
        assert self.rows()[-1]["kind"] == EventKind.TRADE

    def rows(self) -> list[dict[str, int]]:
        """The rows since the last look, by the names of their columns."""
        rows = self.core.events()[self._told :]
        self._told += len(rows)
        self.core.check()
        return [dict(zip(EVENT.names or (), row.tolist(), strict=True)) for row in rows]

    def told(self) -> list[str]:
        """The rows since the last look, as sentences."""
        return [sentence(row) for row in self.rows()]

    def bids(self, market: int = 0) -> list[tuple[int, int, int]]:
        return list(self.core.depth(market, BUY))

    def asks(self, market: int = 0) -> list[tuple[int, int, int]]:
        return list(self.core.depth(market, SELL))

    def queue(self, side: int, price: int, market: int = 0) -> list[tuple[int, int]]:
        return list(self.core.queue(market, side, price))

    def stops(self, side: int, market: int = 0) -> list[tuple[int, int]]:
        return list(self.core.stops(market, side))
