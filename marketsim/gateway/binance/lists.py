"""Order lists in the dialect: two orders of which one cancels the other, from a request to terms and back.

Inside they are a pair of partners: each loses as much as the other trades, where the real venue ends the other at the
first trade. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from marketsim.agents.client import Pair, Record, Terms
from marketsim.domain.order import OrderFlag, OrderType, Side
from marketsim.gateway.binance import orders, public
from marketsim.gateway.binance.errors import VenueError, missing
from marketsim.gateway.binance.markets import ServedMarket
from marketsim.gateway.binance.orders import FORCES, PREVENTIONS, RESPONSES, SIDES
from marketsim.gateway.binance.parameters import Parameter
from marketsim.kernel.token import fresh_token

_LEGS = ("STOP_LOSS_LIMIT", "STOP_LOSS", "LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_FIELDS = ("timeInForce", "quoteOrderQty", "price", "stopPrice", "trailingDelta", "icebergQty")
_NEEDS = {"LIMIT_MAKER": ("price",), "STOP_LOSS": (), "STOP_LOSS_LIMIT": ("price", "timeInForce")}


def _leg_parameters(prefix: str) -> tuple[Parameter, ...]:
    return (
        Parameter(f"{prefix}Type", "choice", True, _LEGS),
        Parameter(f"{prefix}ClientOrderId", "name"),
        Parameter(f"{prefix}IcebergQty", "amount"),
        Parameter(f"{prefix}Price", "amount"),
        Parameter(f"{prefix}StopPrice", "amount"),
        Parameter(f"{prefix}TrailingDelta", "long", low=1, high=2000, doc="basis points"),
        Parameter(f"{prefix}TimeInForce", "choice", choices=FORCES),
        Parameter(f"{prefix}StrategyId", "long"),
        Parameter(f"{prefix}StrategyType", "long", low=1_000_000, high=(1 << 31) - 1),
    )


_COMMON = (
    Parameter("symbol", "symbol", True),
    Parameter("listClientOrderId", "name"),
    Parameter("side", "choice", True, SIDES),
    Parameter("quantity", "amount", True),
)
_ANSWER = (
    Parameter("newOrderRespType", "choice", choices=RESPONSES),
    Parameter("selfTradePreventionMode", "choice", choices=PREVENTIONS),
)
NEW_LIST = (*_COMMON, *_leg_parameters("above"), *_leg_parameters("below"), *_ANSWER)
OLD_LIST = (
    *_COMMON,
    Parameter("limitClientOrderId", "name"),
    Parameter("price", "amount", True),
    Parameter("limitIcebergQty", "amount"),
    Parameter("limitStrategyId", "long"),
    Parameter("limitStrategyType", "long", low=1_000_000, high=(1 << 31) - 1),
    Parameter("trailingDelta", "long", low=1, high=2000, doc="basis points"),
    Parameter("stopClientOrderId", "name"),
    Parameter("stopPrice", "amount"),
    Parameter("stopLimitPrice", "amount"),
    Parameter("stopIcebergQty", "amount"),
    Parameter("stopLimitTimeInForce", "choice", choices=FORCES),
    Parameter("stopStrategyId", "long"),
    Parameter("stopStrategyType", "long", low=1_000_000, high=(1 << 31) - 1),
    *_ANSWER,
)


class PairTerms(NamedTuple):
    """What a new list says: the stop, which is sent first, the limit order, and the list's name."""

    stop: Terms
    limit: Terms
    name: str


def modern(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A request of the old form in the words of the new one."""
    limit = {"Type": "LIMIT_MAKER", "ClientOrderId": asked["limitClientOrderId"], "Price": asked["price"],
             "IcebergQty": asked["limitIcebergQty"]}  # fmt: skip
    stop = {
        "Type": "STOP_LOSS" if asked["stopLimitPrice"] is None else "STOP_LOSS_LIMIT",
        "ClientOrderId": asked["stopClientOrderId"],
        "Price": asked["stopLimitPrice"],
        "StopPrice": asked["stopPrice"],
        "TrailingDelta": asked["trailingDelta"],
        "TimeInForce": asked["stopLimitTimeInForce"],
        "IcebergQty": asked["stopIcebergQty"],
    }
    above, below = (limit, stop) if asked["side"] == "SELL" else (stop, limit)
    common = {parameter.name: asked[parameter.name] for parameter in (*_COMMON, *_ANSWER)}
    return (
        {parameter.name: None for parameter in NEW_LIST}
        | common
        | {f"above{name}": value for name, value in above.items()}
        | {f"below{name}": value for name, value in below.items()}
    )


def terms_of_pair(
    asked: Mapping[str, Any], market: ServedMarket, estimate: Callable[[int], tuple[int, int]]
) -> PairTerms:
    """The terms of both orders; VenueError where they do not go together."""
    side = Side.BUY if asked["side"] == "BUY" else Side.SELL
    at_limit, at_stop = ("above", "below") if side is Side.SELL else ("below", "above")
    limit, stop = (_leg(asked, prefix, market, estimate) for prefix in (at_limit, at_stop))
    if limit.label != "LIMIT_MAKER" or not stop.label.startswith("STOP_LOSS"):
        raise VenueError(
            -2010,
            f"Unsupported order combination: {at_limit}Type LIMIT_MAKER and {at_stop}Type STOP_LOSS or STOP_LOSS_LIMIT "
            f"go together in a list to {side.name.lower()}.",
        )
    if limit.display or stop.display or stop.time_in_force != limit.time_in_force:
        raise VenueError(-2010, "Unsupported order combination: orders of a list are GTC and no icebergs.")
    if stop.kind != OrderType.TRAILING_STOP and (limit.price - stop.stop) * side >= 0:
        raise VenueError(-2010, "The relationship of the prices for the orders is not correct.")
    bid, _, ask, _ = public.best(market)
    if (ask and limit.price >= ask) if side is Side.BUY else limit.price <= bid:
        raise VenueError(-2010, "Order would immediately match and take.")
    plain = limit._replace(flags=int(OrderFlag.NONE))  # partners are never post-only: it would trade by now
    return PairTerms(stop, plain, asked["listClientOrderId"] or fresh_token(22))


def _leg(
    asked: Mapping[str, Any], prefix: str, market: ServedMarket, estimate: Callable[[int], tuple[int, int]]
) -> Terms:
    kind = asked[f"{prefix}Type"]
    leg: dict[str, Any] = {"type": kind, "side": asked["side"], "quantity": asked["quantity"]}
    for name in _FIELDS:
        leg[name] = asked.get(f"{prefix}{name[0].upper()}{name[1:]}")
    for name in _NEEDS.get(kind, ()):
        if leg[name] is None:
            raise missing(f"{prefix}{name[0].upper()}{name[1:]}")
    return orders.terms_of(leg, market, asked[f"{prefix}ClientOrderId"] or fresh_token(22), estimate)


# --- what the venue shows ---


def show_list(pair: Pair, market: ServedMarket, epoch: Callable[[int], int]) -> dict[str, Any]:
    """A list as queries answer it."""
    return {
        "orderListId": pair.number,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if pair.live else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if pair.live else "ALL_DONE",
        "listClientOrderId": pair.name,
        "transactionTime": epoch(pair.created),
        "symbol": market.symbol,
        "orders": [_short(record, market) for record in pair.records],
    }


def answer_to_new_list(
    pair: Pair, market: ServedMarket, response: str, self_trades: str, epoch: Callable[[int], int]
) -> dict[str, Any]:
    """The answer to a new list: it, and each of its orders."""
    reports = [orders.answer_to_new(record, market, response, self_trades, epoch) for record in pair.records]
    return show_list(pair, market, epoch) | {"orderReports": reports}


def answer_to_cancel_list(
    pair: Pair, market: ServedMarket, self_trades: str, epoch: Callable[[int], int]
) -> dict[str, Any]:
    """The answer to the cancel of a list: it, and how each of its orders ended."""
    reports = [orders.answer_to_cancel(record, market, self_trades, epoch) for record in pair.records]
    return show_list(pair, market, epoch) | {"transactionTime": epoch(pair.updated), "orderReports": reports}


def list_event(pair: Pair, market: ServedMarket, time: int) -> dict[str, Any]:
    """The user's stream event: a list begins, or is over. ``time``: ms."""
    return {
        "e": "listStatus",
        "E": time,
        "s": market.symbol,
        "g": pair.number,
        "c": "OCO",
        "l": "EXEC_STARTED" if pair.live else "ALL_DONE",
        "L": "EXECUTING" if pair.live else "ALL_DONE",
        "r": "NONE",
        "C": pair.restated or pair.name,
        "T": time,
        "O": [{"s": market.symbol, "i": record.number, "c": record.name} for record in pair.records],
    }


def _short(record: Record, market: ServedMarket) -> dict[str, Any]:
    return {"symbol": market.symbol, "orderId": record.number, "clientOrderId": record.name}
