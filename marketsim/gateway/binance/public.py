"""Public answers: books, trades, candles and tickers of the served markets, as the dialect shows them.

They are made from the public feed's views, which learn of the market as every agent does. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from marketsim.agents.public_feed import MINUTE, Candle, PublicTrade, bar_end, bar_start
from marketsim.domain.order import Side
from marketsim.domain.units import MILLISECOND, SECOND
from marketsim.gateway.binance.errors import VenueError, illegal
from marketsim.gateway.binance.markets import ServedMarket
from marketsim.gateway.binance.parameters import INTERVALS, LONG, WINDOWS

DAY = 24 * 60 * MINUTE


def update_id(market: ServedMarket) -> int:
    """The number of the latest change of a book; the first is 1."""
    return market.view.book.sequence + 1


def depth(market: ServedMarket, limit: int) -> dict[str, Any]:
    """A whole book, to so many levels on each side."""
    bids, asks = ladders(market, limit)
    return {"lastUpdateId": update_id(market), "bids": bids, "asks": asks}


def ladders(market: ServedMarket, limit: int) -> tuple[list[list[str]], list[list[str]]]:
    """Bids and asks as pairs of price and quantity, best first."""
    book = market.view.book
    return tuple(  # type: ignore[return-value]
        [[market.price(price), market.quantity(quantity)] for price, quantity in levels]
        for levels in (book.best_bids(limit), book.best_asks(limit))
    )


def best(market: ServedMarket) -> tuple[int, int, int, int]:
    """Bid, its quantity, ask, its quantity; zeros where a side is empty."""
    quote = market.view.quote
    if quote is None:
        return 0, 0, 0, 0
    return quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity


def trade(market: ServedMarket, told: PublicTrade) -> dict[str, Any]:
    """A trade as ``trades`` shows it."""
    return {
        "id": told.number,
        "price": market.price(told.price),
        "qty": market.quantity(told.quantity),
        "quoteQty": market.value(told.price * told.quantity),
        "time": told.time // MILLISECOND,
        "isBuyerMaker": told.side is Side.SELL,
        "isBestMatch": True,
    }


def aggregate(market: ServedMarket, told: Sequence[PublicTrade]) -> dict[str, Any]:
    """Trades of one aggressor at one price as ``aggTrades`` shows them."""
    first = told[0]
    return {
        "a": first.number,
        "p": market.price(first.price),
        "q": market.quantity(sum(part.quantity for part in told)),
        "f": first.number,
        "l": told[-1].number,
        "T": first.time // MILLISECOND,
        "m": first.side is Side.SELL,
        "M": True,
    }


def grouped(trades: Iterable[PublicTrade]) -> Iterable[list[PublicTrade]]:
    """Trades of one moment, price and side together."""
    group: list[PublicTrade] = []
    for told in trades:
        if group and (told.time, told.price, told.side) != (group[0].time, group[0].price, group[0].side):
            yield group
            group = []
        group.append(told)
    if group:
        yield group


def recent_trades(market: ServedMarket, limit: int, first: int | None = None) -> list[dict[str, Any]]:
    """The latest trades, or those from a number on."""
    trades = market.view.trades
    if first is None:
        start = max(0, len(trades) - limit)
    else:
        start = max(0, first - trades[0].number) if trades else 0
    return [trade(market, told) for told in islice(trades, start, start + limit)]


def aggregate_trades(market: ServedMarket, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Trades by aggressor: the latest, those from a number on, or those of a span of time."""
    begin, end, limit = asked["startTime"], asked["endTime"], asked["limit"]
    _check_span(begin, end)
    trades: Iterable[PublicTrade] = market.view.trades
    if asked["fromId"] is not None:
        if begin is not None or end is not None:
            raise VenueError(-1128, "Combination of optional parameters invalid: send fromId or a span of time.")
        first = asked["fromId"]
        trades = (told for told in trades if told.number >= first)
    elif begin is None and end is None:
        whole = list(grouped(islice(reversed(market.view.trades), 20 * limit)))
        return [aggregate(market, group[::-1]) for group in reversed(whole[:limit])]
    else:
        low = -1 if begin is None else begin * MILLISECOND
        high = 1 << 62 if end is None else (end + 1) * MILLISECOND
        trades = (told for told in trades if low <= told.time < high)
    return [aggregate(market, group) for group in islice(grouped(trades), limit)]


def candles(market: ServedMarket, asked: Mapping[str, Any], now: int) -> list[list[Any]]:
    """Bars of an interval. ``now``: shifted ns."""
    begin, end, limit = asked["startTime"], asked["endTime"], asked["limit"]
    _check_span(begin, end)
    if asked.get("timeZone") not in (None, "0", "+00:00", "00:00"):
        raise VenueError(-1130, "Data sent for parameter 'timeZone' is not valid: this venue keeps UTC, 0.")
    length = INTERVALS[asked["interval"]] * SECOND
    last = now if end is None else min(end * MILLISECOND, now)
    first = last - (limit - 1) * length if begin is None else begin * MILLISECOND
    if begin is not None:
        begins = bar_start(first, length)  # bars that begin at the time or after it
        first = max(begins if begins == first else bar_end(begins, length), market.view.begin(length))
    if first > last:
        return []
    bars = market.view.bars(length, first, last)
    chosen = list(bars)[-limit:] if begin is None else list(islice(bars, limit))
    return [candle(market, bar, length) for bar in chosen]


def candle(market: ServedMarket, bar: Candle, length: int) -> list[Any]:
    """A bar as ``klines`` shows it."""
    return [
        bar.start // MILLISECOND,
        market.price(bar.open),
        market.price(bar.high),
        market.price(bar.low),
        market.price(bar.close),
        market.quantity(bar.volume),
        bar_end(bar.start, length) // MILLISECOND - 1,
        market.value(bar.value),
        bar.trades,
        market.quantity(bar.bought),
        market.value(bar.bought_value),
        "0",
    ]


def average_price(market: ServedMarket, now: int, minutes: int = 5) -> dict[str, Any]:
    """The mean price of the last minutes, weighted by volume; the last price where nothing traded."""
    bar = market.view.day(now, minutes * MINUTE)
    last = market.view.last
    price = bar.value / bar.volume if bar is not None and bar.volume else float(last.price) if last else 0.0
    return {"mins": minutes, "price": market.price(price), "closeTime": last.time // MILLISECOND if last else 0}


def day_ticker(market: ServedMarket, now: int, span: int = DAY, *, mini: bool = False) -> dict[str, Any]:
    """What happened in the last 24 hours, or another span in ns."""
    bar = market.view.day(now, span)
    last = market.view.last
    first_price = bar.open if bar else 0
    last_price = last.price if last else 0
    shown: dict[str, Any] = {"symbol": market.symbol}
    if not mini:
        change = last_price - first_price if bar else 0
        shown |= {
            "priceChange": _signed(market, change),
            "priceChangePercent": f"{100 * change / first_price if first_price else 0:.3f}",
            "weightedAvgPrice": market.price(bar.value / bar.volume if bar and bar.volume else 0),
        }
        if span == DAY:
            bid, bid_quantity, ask, ask_quantity = best(market)
            shown |= {
                "prevClosePrice": market.price(first_price),
                "lastQty": market.quantity(last.quantity if last else 0),
                "bidPrice": market.price(bid),
                "bidQty": market.quantity(bid_quantity),
                "askPrice": market.price(ask),
                "askQty": market.quantity(ask_quantity),
            }
    shown |= {
        "openPrice": market.price(first_price),
        "highPrice": market.price(bar.high if bar else 0),
        "lowPrice": market.price(bar.low if bar else 0),
        "lastPrice": market.price(last_price),
        "volume": market.quantity(bar.volume if bar else 0),
        "quoteVolume": market.value(bar.value if bar else 0),
        "openTime": (now - span) // MILLISECOND,
        "closeTime": now // MILLISECOND,
        "firstId": bar.first if bar else -1,
        "lastId": bar.last if bar else -1,
        "count": bar.trades if bar else 0,
    }
    return shown


def window_of(name: str) -> int:
    """ns of a window such as "15m"."""
    return WINDOWS[name] * SECOND


def price_ticker(market: ServedMarket) -> dict[str, Any]:
    """The last price."""
    last = market.view.last
    return {"symbol": market.symbol, "price": market.price(last.price if last else 0)}


def book_ticker(market: ServedMarket) -> dict[str, Any]:
    """The best bid and ask."""
    bid, bid_quantity, ask, ask_quantity = best(market)
    return {
        "symbol": market.symbol,
        "bidPrice": market.price(bid),
        "bidQty": market.quantity(bid_quantity),
        "askPrice": market.price(ask),
        "askQty": market.quantity(ask_quantity),
    }


def _signed(market: ServedMarket, ticks: int) -> str:
    return market.price(ticks) if ticks >= 0 else f"-{market.price(-ticks)}"


def _check_span(begin: int | None, end: int | None) -> None:
    if begin is not None and end is not None and begin > end:
        raise VenueError(-1130, "Data sent for parameter 'startTime' is not valid: it is after endTime.")
    for name, given in (("startTime", begin), ("endTime", end)):
        if given is not None and given > 10**15:
            raise illegal(name, LONG)
