"""Orders in the dialect: from a request to the terms of a seat, and from a seat's record to what the venue shows.

It sends nothing. Prices and quantities are decimals outside, ticks and lots inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from marketsim.agents.client import Fill, Record, Terms
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.gateway.binance.errors import VenueError, filter_failure, missing
from marketsim.gateway.binance.markets import ServedMarket
from marketsim.gateway.binance.parameters import Parameter

TYPES = ("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER")
FORCES = ("GTC", "IOC", "FOK")
SIDES = ("BUY", "SELL")
RESPONSES = ("ACK", "RESULT", "FULL")
PREVENTIONS = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
SELF_TRADES = {
    "allow": "NONE", "cancel_newest": "EXPIRE_TAKER", "cancel_oldest": "EXPIRE_MAKER", "cancel_both": "EXPIRE_BOTH",
    "decrement": "DECREMENT",
}  # fmt: skip
_KINDS = {
    "LIMIT": OrderType.LIMIT, "LIMIT_MAKER": OrderType.LIMIT, "MARKET": OrderType.MARKET, "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
}  # fmt: skip
_NEEDS = {  # what each type must say, and what it may say
    "LIMIT": (("timeInForce", "quantity", "price"), ("icebergQty",)),
    "LIMIT_MAKER": (("quantity", "price"), ("icebergQty",)),
    "MARKET": ((), ("quantity", "quoteOrderQty")),
    "STOP_LOSS": (("quantity",), ("stopPrice", "trailingDelta")),
    "STOP_LOSS_LIMIT": (("timeInForce", "quantity", "price"), ("stopPrice", "trailingDelta", "icebergQty")),
}
_MAYBE = ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice", "trailingDelta", "icebergQty")
_STATUS = {
    OrderState.PENDING_NEW: "NEW", OrderState.ACCEPTED: "NEW", OrderState.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED", OrderState.CANCELED: "CANCELED", OrderState.REJECTED: "REJECTED",
    OrderState.EXPIRED: "EXPIRED",
}  # fmt: skip
_WISHES = (Reason.BY_REQUEST, Reason.BY_REPLACE, Reason.BY_MASS_CANCEL)

NEW_ORDER = (
    Parameter("symbol", "symbol", True),
    Parameter("side", "choice", True, SIDES),
    Parameter("type", "choice", True, TYPES),
    Parameter("timeInForce", "choice", choices=FORCES),
    Parameter("quantity", "amount"),
    Parameter("quoteOrderQty", "amount", doc="of a market order: quote asset to spend or to receive"),
    Parameter("price", "amount"),
    Parameter("newClientOrderId", "name"),
    Parameter("strategyId", "long"),
    Parameter("strategyType", "long", low=1_000_000, high=(1 << 31) - 1),
    Parameter("stopPrice", "amount"),
    Parameter("trailingDelta", "long", low=1, high=2000, doc="basis points"),
    Parameter("icebergQty", "amount"),
    Parameter("newOrderRespType", "choice", choices=RESPONSES),
    Parameter("selfTradePreventionMode", "choice", choices=PREVENTIONS),
)


def terms_of(
    asked: Mapping[str, Any], market: ServedMarket, name: str, estimate: Callable[[int], tuple[int, int]]
) -> Terms:
    """The terms that a request asks for.

    estimate: what an order to buy so many lots at the market would meet: lots that there are, and their price in ticks
    x lots.
    """
    kind, side = asked["type"], Side.BUY if asked["side"] == "BUY" else Side.SELL
    _check_fields(kind, asked)
    if kind == "MARKET":
        return _market_order(asked, market, side, name, estimate)
    quantity = market.lots(asked["quantity"])
    price = market.ticks(asked["price"]) if asked["price"] is not None else 0
    stop = 0
    order_type = _KINDS[kind]
    if kind in ("STOP_LOSS", "STOP_LOSS_LIMIT"):
        order_type, stop = _trigger(asked, market, side, order_type)
    display = _display(asked, market, quantity, kind)
    force = TimeInForce[asked["timeInForce"] or "GTC"]
    flags = OrderFlag.POST_ONLY if kind == "LIMIT_MAKER" else OrderFlag.NONE
    worth = ""
    if side is Side.BUY and not price:
        last = market.view.last
        reference = max(stop if order_type is OrderType.STOP else 0, last.price if last else 0)
        worth = market.value(reference * quantity)
    return Terms(
        market.number, int(side), int(order_type), quantity, price, stop, int(force), int(flags), display, name, kind,
        worth,
    )  # fmt: skip


def _check_fields(kind: str, asked: Mapping[str, Any]) -> None:
    if kind not in _NEEDS:
        words = kind.replace("_", " ").capitalize()
        raise VenueError(-2010, f"{words} orders are not supported for this symbol.")
    needed, allowed = _NEEDS[kind]
    for name in needed:
        if asked[name] is None:
            raise missing(name)
    for name in _MAYBE:
        if asked[name] is not None and name not in needed and name not in allowed:
            raise VenueError(-1106, f"Parameter '{name}' sent when not required.")
    if kind == "MARKET" and (asked["quantity"] is None) == (asked["quoteOrderQty"] is None):
        raise (
            missing("quantity' or 'quoteOrderQty")
            if asked["quantity"] is None
            else VenueError(-1128, "Combination of optional parameters invalid: send quantity or quoteOrderQty.")
        )
    if kind.startswith("STOP") and asked["stopPrice"] is None and asked["trailingDelta"] is None:
        raise missing("stopPrice")


def _market_order(
    asked: Mapping[str, Any],
    market: ServedMarket,
    side: Side,
    name: str,
    estimate: Callable[[int], tuple[int, int]],
) -> Terms:
    if asked["quantity"] is not None:
        lots = market.lots(asked["quantity"], which="MARKET_LOT_SIZE")
    else:
        lots = _lots_for(asked["quoteOrderQty"], market, estimate)
    worth, budget = "", asked["quoteOrderQty"]
    if side is Side.BUY:
        there, cost = estimate(lots)
        last = market.view.last
        if there < lots and last is not None:  # what the book cannot give would not trade; count it at the last price
            cost += (lots - there) * last.price
        worth = market.value(cost)
    return Terms(
        market.number, int(side), int(OrderType.MARKET), lots, 0, 0, int(TimeInForce.IOC), 0, 0, name, "MARKET", worth,
        "" if budget is None else f"{budget:f}",
    )  # fmt: skip


def _lots_for(budget: Decimal, market: ServedMarket, estimate: Callable[[int], tuple[int, int]]) -> int:
    """The most lots that an amount of the quote asset buys, or that must be sold for it, by the book as it stands."""
    unit = market.instrument.tick_size * market.instrument.lot_size
    affordable = int(budget / unit)  # ticks x lots
    low, high = 0, max(affordable, 1)
    while low < high:
        middle = (low + high + 1) // 2
        there, cost = estimate(middle)
        if there == middle and cost <= affordable:
            low = middle
        else:
            high = middle - 1
    if not low:
        raise filter_failure("NOTIONAL", "the amount buys not a single lot")
    return low


def _trigger(asked: Mapping[str, Any], market: ServedMarket, side: Side, kind: OrderType) -> tuple[OrderType, int]:
    last = market.view.last
    if asked["trailingDelta"] is not None:
        if kind is OrderType.STOP_LIMIT or asked["stopPrice"] is not None:
            raise VenueError(
                -2010, "Unsupported order combination: a trailing stop is a STOP_LOSS without price and stopPrice."
            )
        if last is None:
            raise VenueError(-2010, "Unsupported order combination: nothing has traded yet that a stop could trail.")
        return OrderType.TRAILING_STOP, max(1, round(last.price * asked["trailingDelta"] / 10_000))
    stop = market.ticks(asked["stopPrice"], "stopPrice")
    if last is not None and (last.price - stop) * side >= 0:
        raise VenueError(-2010, "Stop price would trigger immediately.")
    return kind, stop


def _display(asked: Mapping[str, Any], market: ServedMarket, quantity: int, kind: str) -> int:
    if asked["icebergQty"] is None:
        return 0
    display = market.lots(asked["icebergQty"], "icebergQty")
    if display > quantity:
        raise VenueError(-2010, "IcebergQty exceeds QTY.")
    if kind != "LIMIT_MAKER" and asked["timeInForce"] != "GTC":
        raise VenueError(-1013, "timeInForce must be GTC when sending an iceberg order.")
    if -(-quantity // display) > 10_000:
        raise filter_failure("ICEBERG_PARTS")
    return display if display < quantity else 0


# --- what the venue shows ---


def status_of(record: Record) -> str:
    """Its state in the dialect's words."""
    order = record.order
    if order.state is OrderState.PENDING_CANCEL:
        return "PARTIALLY_FILLED" if order.filled else "NEW"
    if order.state is OrderState.CANCELED and not _by_wish(record):
        return "EXPIRED_IN_MATCH" if order.reason is Reason.SELF_TRADE else "EXPIRED"
    return _STATUS[order.state]


def _by_wish(record: Record) -> bool:
    """Whether it was canceled as its participant asked, and not because its partner traded."""
    partner = record.partner
    if record.order.reason is Reason.LINKED and partner is not None:
        return partner.order.reason in _WISHES
    return record.order.reason in (*_WISHES, Reason.LINKED)


def list_of(record: Record) -> int:
    """The number of its order list; -1 where it is of none."""
    return -1 if record.pair is None else record.pair.number


def budget_of(terms: Terms) -> str:
    """The quote asset that was asked for instead of a quantity."""
    return f"{Decimal(terms.budget or 0):.8f}"


def show(record: Record, market: ServedMarket, self_trades: str, epoch: Callable[[int], int]) -> dict[str, Any]:
    """An order as queries answer it."""
    order, terms = record.order, record.terms
    shown: dict[str, Any] = {
        "symbol": market.symbol,
        "orderId": record.number,
        "orderListId": list_of(record),
        "clientOrderId": record.name,
        **_state(record, market, self_trades),
        "stopPrice": market.price(terms.stop if order.order_type is not OrderType.TRAILING_STOP else 0),
        "icebergQty": market.quantity(terms.display),
        "time": epoch(record.created),
        "updateTime": epoch(record.updated),
        "isWorking": record.triggered,
        "workingTime": epoch(record.created) if record.triggered else -1,
    }
    return shown


def _state(record: Record, market: ServedMarket, self_trades: str) -> dict[str, Any]:
    """What every answer tells of an order."""
    order, terms = record.order, record.terms
    return {
        "price": market.price(order.price if terms.price else 0),
        "origQty": market.quantity(order.quantity),
        "executedQty": market.quantity(order.filled),
        "origQuoteOrderQty": budget_of(terms),
        "cummulativeQuoteQty": market.value(order.value),
        "status": status_of(record),
        "timeInForce": force_of(terms),
        "type": terms.label,
        "side": order.side.name,
        "selfTradePreventionMode": self_trades,
    }


def force_of(terms: Terms) -> str:
    """Its time in force in the dialect's words; a market order counts as GTC there."""
    return "GTC" if terms.label == "MARKET" else TimeInForce(terms.time_in_force).name


def answer_to_new(
    record: Record, market: ServedMarket, response: str, self_trades: str, epoch: Callable[[int], int]
) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL."""
    answer: dict[str, Any] = {
        "symbol": market.symbol,
        "orderId": record.number,
        "orderListId": list_of(record),
        "clientOrderId": record.name,
        "transactTime": epoch(record.updated),
    }
    if response == "ACK":
        return answer
    order, terms = record.order, record.terms
    answer |= _state(record, market, self_trades)
    answer["workingTime"] = epoch(record.created) if record.triggered else -1
    if terms.stop and order.order_type is not OrderType.TRAILING_STOP:
        answer["stopPrice"] = market.price(terms.stop)
    if terms.display:
        answer["icebergQty"] = market.quantity(terms.display)
    if response == "FULL":
        answer["fills"] = [_show_fill(fill, market) for fill in record.fills]
    return answer


def _show_fill(fill: Fill, market: ServedMarket) -> dict[str, Any]:
    return {
        "price": market.price(fill.price),
        "qty": market.quantity(fill.quantity),
        "commission": f"{fill.fee:.8f}",
        "commissionAsset": market.quote,
        "tradeId": fill.number,
    }


def answer_to_cancel(
    record: Record, market: ServedMarket, self_trades: str, epoch: Callable[[int], int]
) -> dict[str, Any]:
    """The answer to a cancel: the order as it ended."""
    return {
        "symbol": market.symbol,
        "origClientOrderId": record.name,
        "orderId": record.number,
        "orderListId": list_of(record),
        "clientOrderId": record.restated or record.name,
        "transactTime": epoch(record.updated),
        **_state(record, market, self_trades),
    }


def show_own_trade(fill: Fill, market: ServedMarket, epoch: Callable[[int], int]) -> dict[str, Any]:
    """A fill as myTrades answers it."""
    buyer = fill.record.order.side is Side.BUY
    return {
        "symbol": market.symbol,
        "id": fill.number,
        "orderId": fill.record.number,
        "orderListId": list_of(fill.record),
        "price": market.price(fill.price),
        "qty": market.quantity(fill.quantity),
        "quoteQty": market.value(fill.price * fill.quantity),
        "commission": f"{fill.fee:.8f}",
        "commissionAsset": market.quote,
        "time": epoch(fill.time),
        "isBuyer": buyer,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


_EXECUTIONS = {
    EventKind.ACCEPTED: "NEW", EventKind.TRIGGERED: "NEW", EventKind.TRADE: "TRADE", EventKind.CANCELED: "CANCELED",
    EventKind.EXPIRED: "EXPIRED", EventKind.REPLACED: "REPLACED", EventKind.REJECTED: "REJECTED",
}  # fmt: skip


def execution_report(
    record: Record, report: Report, market: ServedMarket, self_trades: str, epoch: Callable[[int], int], number: int
) -> dict[str, Any] | None:
    """The user's stream event of a report, which has a ``number``; None where the venue says nothing."""
    execution = _EXECUTIONS.get(report.kind)
    if execution is None:
        return None
    order, terms = record.order, record.terms
    status = status_of(record)
    if report.kind is EventKind.CANCELED and record.live:  # a part of it is gone
        execution = "TRADE_PREVENTION" if report.reason is Reason.SELF_TRADE else "REPLACED"
    elif report.kind is EventKind.CANCELED:
        execution = "CANCELED" if status == "CANCELED" else "EXPIRED" if status == "EXPIRED" else "TRADE_PREVENTION"
    canceled = execution == "CANCELED"
    trade = report.kind is EventKind.TRADE
    fill = record.fills[-1] if trade else None
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": epoch(report.time),
        "s": market.symbol,
        "c": (record.restated or record.name) if canceled else record.name,
        "S": order.side.name,
        "o": terms.label,
        "f": force_of(terms),
        "q": market.quantity(order.quantity),
        "p": market.price(order.price if terms.price else 0),
        "P": market.price(terms.stop if order.order_type is not OrderType.TRAILING_STOP else 0),
        "F": market.quantity(terms.display),
        "g": list_of(record),
        "C": record.name if canceled else "",
        "x": execution,
        "X": status,
        "r": "NONE" if execution != "REJECTED" else report.reason.name,
        "i": record.number,
        "l": market.quantity(report.quantity if trade else 0),
        "z": market.quantity(order.filled),
        "L": market.price(report.price if trade else 0),
        "n": f"{fill.fee:.8f}" if fill is not None else "0",
        "N": market.quote if fill is not None else None,
        "T": epoch(report.time),
        "t": fill.number if fill is not None else -1,
        "I": number,
        "w": record.triggered and record.live and not trade,
        "m": report.maker if trade else False,
        "M": False,
        "O": epoch(record.created),
        "Z": market.value(order.value),
        "Y": market.value(report.price * report.quantity if trade else 0),
        "Q": budget_of(terms),
        "V": self_trades,
    }
    if record.triggered:
        event["W"] = epoch(record.created)
    return event
