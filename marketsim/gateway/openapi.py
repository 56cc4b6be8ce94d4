"""The dialect and the control as OpenAPI describes them, from the table of operations. It answers no request.

What the answers of the dialect look like is written here in a small language: ``name:kind`` with blanks between, ``?``
behind names that may be missing, ``[…]`` around a list. Kinds: text, decimal (a number as text), number, whole, truth,
any, and the names of other shapes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from marketsim.gateway.binance.operations import Operation, Security, documented
from marketsim.gateway.binance.parameters import Parameter

if TYPE_CHECKING:
    from fastapi import FastAPI

_SYMBOLS = r'^\[ *"[A-Z0-9\-_.]{1,20}"( *, *"[A-Z0-9\-_.]{1,20}")* *\]$'
_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
_ERROR = {
    "type": "object",
    "properties": {"code": {"type": "integer"}, "msg": {"type": "string"}, "data": {}},
    "required": ["code", "msg"],
    "additionalProperties": False,
}
_REFUSALS = {
    "400": "the venue refuses it, and says why",
    "401": "the API key is missing, unknown or may not do this",
    "403": "the address may not enter",
    "404": "there is no such path",
    "405": "the path takes another method",
    "408": "the simulated venue has not answered in time: it is paused, or far behind",
    "409": "a cancel-replace of which one half failed",
    "413": "the request is too long",
    "418": "the address is banned for a while",
    "429": "too many requests or orders",
    "500": "a mistake of this server",
    "503": "too many connections",
}
_SIGNED = (
    Parameter("timestamp", "long", True, doc="ms of the wall clock"),
    Parameter("recvWindow", "long", low=0, high=60_000, doc="ms that the request may be old; 5000 when left out"),
    Parameter("signature", "text", True, doc="HMAC-SHA256 of the query and the body before it, in hexadecimal"),
)
_HEADERS = {
    "X-MBX-USED-WEIGHT-1M": "weight that the address has used in this minute; there is one for each limit",
    "X-MBX-ORDER-COUNT-10S": "orders that the account has sent in these ten seconds; there is one for each limit",
    "Retry-After": "seconds to wait",
}

_SHAPES = {
    "nothing": "",
    "time": "serverTime:whole",
    "limit": "rateLimitType:text interval:text intervalNum:whole limit:whole count?:whole",
    "market": "symbol:text status:text baseAsset:text baseAssetPrecision:whole quoteAsset:text quotePrecision:whole "
    "quoteAssetPrecision:whole baseCommissionPrecision:whole quoteCommissionPrecision:whole orderTypes:[text] "
    "icebergAllowed:truth ocoAllowed:truth otoAllowed:truth opoAllowed:truth quoteOrderQtyMarketAllowed:truth "
    "allowTrailingStop:truth cancelReplaceAllowed:truth amendAllowed:truth pegInstructionsAllowed:truth "
    "isSpotTradingAllowed:truth isMarginTradingAllowed:truth filters:[filter] permissions:[text] "
    "permissionSets:[[text]] defaultSelfTradePreventionMode:text allowedSelfTradePreventionModes:[text]",
    "filter": "filterType:text *:any",
    "venue": "timezone:text serverTime:whole rateLimits:[limit] exchangeFilters:[any] symbols:[market]",
    "system": "status:whole msg:text",
    "book": "lastUpdateId:whole bids:[[decimal]] asks:[[decimal]]",
    "trade": "id:whole price:decimal qty:decimal quoteQty:decimal time:whole isBuyerMaker:truth isBestMatch:truth",
    "aggregate": "a:whole p:decimal q:decimal f:whole l:whole T:whole m:truth M:truth",
    "mean": "mins:whole price:decimal closeTime:whole",
    "ticker": "symbol:text priceChange?:decimal priceChangePercent?:decimal weightedAvgPrice?:decimal "
    "prevClosePrice?:decimal lastQty?:decimal bidPrice?:decimal bidQty?:decimal askPrice?:decimal askQty?:decimal "
    "openPrice:decimal highPrice:decimal lowPrice:decimal lastPrice:decimal volume:decimal quoteVolume:decimal "
    "openTime:whole closeTime:whole firstId:whole lastId:whole count:whole",
    "price": "symbol:text price:decimal",
    "best": "symbol:text bidPrice:decimal bidQty:decimal askPrice:decimal askQty:decimal",
    "fill": "price:decimal qty:decimal commission:decimal commissionAsset:text tradeId:whole",
    "new_order": "symbol:text orderId:whole orderListId:whole clientOrderId:text transactTime:whole price?:decimal "
    "origQty?:decimal executedQty?:decimal origQuoteOrderQty?:decimal cummulativeQuoteQty?:decimal status?:text "
    "timeInForce?:text type?:text side?:text workingTime?:whole selfTradePreventionMode?:text stopPrice?:decimal "
    "icebergQty?:decimal fills?:[fill]",
    "rates": "maker:decimal taker:decimal",
    "test": "standardCommissionForOrder?:rates taxCommissionForOrder?:rates",
    "canceled": "symbol:text origClientOrderId:text orderId:whole orderListId:whole clientOrderId:text "
    "transactTime:whole price:decimal origQty:decimal executedQty:decimal origQuoteOrderQty:decimal "
    "cummulativeQuoteQty:decimal status:text timeInForce:text type:text side:text selfTradePreventionMode:text",
    "replaced": "cancelResult:text newOrderResult:text cancelResponse:any newOrderResponse:any",
    "amended": "transactTime:whole executionId:whole amendedOrder:smaller",
    "smaller": "symbol:text orderId:whole orderListId:whole origClientOrderId:text clientOrderId:text price:decimal "
    "qty:decimal executedQty:decimal preventedQty:decimal quoteOrderQty:decimal cumulativeQuoteQty:decimal status:text "
    "timeInForce:text type:text side:text workingTime:whole selfTradePreventionMode:text",
    "order": "symbol:text orderId:whole orderListId:whole clientOrderId:text price:decimal origQty:decimal "
    "executedQty:decimal cummulativeQuoteQty:decimal status:text timeInForce:text type:text side:text "
    "stopPrice:decimal icebergQty:decimal time:whole updateTime:whole isWorking:truth workingTime:whole "
    "origQuoteOrderQty:decimal selfTradePreventionMode:text",
    "balance": "asset:text free:decimal locked:decimal",
    "all_rates": "maker:decimal taker:decimal buyer:decimal seller:decimal",
    "account": "makerCommission:whole takerCommission:whole buyerCommission:whole sellerCommission:whole "
    "commissionRates:all_rates canTrade:truth canWithdraw:truth canDeposit:truth brokered:truth "
    "requireSelfTradePrevention:truth preventSor:truth updateTime:whole accountType:text balances:[balance] "
    "permissions:[text] uid:whole",
    "own_trade": "symbol:text id:whole orderId:whole orderListId:whole price:decimal qty:decimal quoteQty:decimal "
    "commission:decimal commissionAsset:text time:whole isBuyer:truth isMaker:truth isBestMatch:truth",
    "discount": "enabledForAccount:truth enabledForSymbol:truth discountAsset:text discount:decimal",
    "commission": "symbol:text standardCommission:all_rates specialCommission:all_rates taxCommission:all_rates "
    "discount:discount",
    "fee": "symbol:text makerCommission:decimal takerCommission:decimal",
    "coin": "coin:text name:text depositAllEnable:truth withdrawAllEnable:truth free:decimal locked:decimal "
    "freeze:decimal withdrawing:decimal ipoing:decimal ipoable:decimal storage:decimal isLegalMoney:truth "
    "trading:truth networkList:[any]",
    "no_markets": "symbols:[any] serverTime:whole",
    "listen_key": "listenKey:text",
    "list_part": "symbol:text orderId:whole clientOrderId:text",
    "order_list": "orderListId:whole contingencyType:text listStatusType:text listOrderStatus:text "
    "listClientOrderId:text transactionTime:whole symbol:text orders:[list_part] orderReports?:[any]",
}
_ANSWERS = {
    "ping": "nothing", "server_time": "time", "exchange_info": "venue", "system_status": "system", "depth": "book",
    "trades": "[trade]", "historical_trades": "[trade]", "aggregate_trades": "[aggregate]", "klines": "[candle]",
    "ui_klines": "[candle]", "average_price": "mean", "day_ticker": "ticker+", "window_ticker": "ticker+",
    "trading_day_ticker": "ticker+", "price_ticker": "price+", "book_ticker": "best+", "place_order": "new_order",
    "test_order": "test", "cancel_order": "canceled", "cancel_all": "[any]", "cancel_replace": "replaced",
    "amend_order": "amended", "order_status": "order", "open_orders": "[order]", "all_orders": "[order]",
    "account": "account", "my_trades": "[own_trade]", "commission": "commission", "order_limits": "[limit]",
    "trade_fee": "[fee]", "currencies": "[coin]", "nothing_of_sapi_v1_margin_allPairs": "[any]",
    "nothing_of_sapi_v1_margin_isolated_allPairs": "[any]", "nothing_of_fapi_v1_exchangeInfo": "no_markets",
    "nothing_of_dapi_v1_exchangeInfo": "no_markets", "nothing_of_eapi_v1_exchangeInfo": "no_markets",
    "start_stream": "listen_key", "renew_stream": "nothing", "stop_stream": "nothing",
    "place_list": "order_list", "place_old_list": "order_list", "cancel_list": "order_list",
    "list_status": "order_list", "open_lists": "[order_list]", "all_lists": "[order_list]",
}  # fmt: skip
_KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "decimal": {"type": "string", "pattern": _DECIMAL},
    "number": {"type": "number"},
    "whole": {"type": "integer"},
    "truth": {"type": "boolean"},
    "any": {},
}
_CANDLE = {
    "type": "array",
    "description": "open time, open, high, low, close, volume, close time, quote volume, trades, bought volume, bought "
    "quote volume, nothing",
    "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": _DECIMAL}]},
    "minItems": 12,
    "maxItems": 12,
}


def whole_description(application: FastAPI, symbols: Sequence[str]) -> dict[str, Any]:
    """The OpenAPI document of the control application and of the dialect. ``symbols``: those that are traded."""
    described = get_openapi(
        title=application.title,
        version=application.version,
        description=application.description,
        routes=application.routes,
    )
    described["paths"] |= dialect_paths(symbols)
    components = described.setdefault("components", {})
    components.setdefault("schemas", {}).update(
        {name: _shape(text) for name, text in _SHAPES.items()} | {"candle": _CANDLE, "error": _ERROR}
    )
    components["headers"] = {
        name: {"description": said, "required": False, "schema": {"type": "integer"}} for name, said in _HEADERS.items()
    }
    error = {"$ref": "#/components/schemas/error"}
    components["responses"] = {f"refused_{status}": _answer(text, error) for status, text in _REFUSALS.items()}
    components.setdefault("securitySchemes", {})["ApiKey"] = {"type": "apiKey", "in": "header", "name": "X-MBX-APIKEY"}
    return described


def dialect_paths(symbols: Sequence[str]) -> dict[str, Any]:
    """The ``paths`` of all operations."""
    paths: dict[str, Any] = {}
    for operation in documented():
        assert operation.http is not None
        method, path = operation.http
        paths.setdefault(path, {})[method.lower()] = _described(operation, symbols)
    return paths


def _described(operation: Operation, symbols: Sequence[str]) -> dict[str, Any]:
    signed = operation.security in (Security.READ, Security.TRADE)
    parameters = (*operation.parameters, *(_SIGNED if signed else ()))
    traded = not operation.name.startswith("nothing_of")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.doc,
        "tags": [{"NONE": "market", "USER_STREAM": "streams"}.get(operation.security.value, "account")],
        "parameters": [_parameter(parameter, symbols if traded else ()) for parameter in parameters],
        "responses": {
            "200": _answer("the answer", _schema(_ANSWERS.get(operation.name, "any"))),
            **{status: {"$ref": f"#/components/responses/refused_{status}"} for status in _REFUSALS},
        },
        "x-weight": operation.weight,
    }
    if operation.websocket:
        described["x-websocket-method"] = operation.websocket
    if operation.security is not Security.NONE:
        described["security"] = [{"ApiKey": []}]
    return described


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    return {"description": text, "headers": headers, "content": {"application/json": {"schema": schema}}}


def _parameter(parameter: Parameter, symbols: Sequence[str]) -> dict[str, Any]:
    schema = parameter.schema()
    if parameter.kind == "symbol" and symbols:
        schema["enum"] = list(symbols)
    elif parameter.kind == "symbols":
        schema["pattern"] = _SYMBOLS
    elif parameter.name == "signature":
        schema = {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}
    described: dict[str, Any] = {
        "name": parameter.name, "in": "query", "required": parameter.required, "schema": schema,
    }  # fmt: skip
    if parameter.doc:
        described["description"] = parameter.doc
    return described


# --- the small language ---


def _schema(kind: str) -> dict[str, Any]:
    """Of a kind; ``+`` behind it is one or a list of them."""
    if kind.startswith("["):
        return {"type": "array", "items": _schema(kind[1:-1])}
    if kind.endswith("+"):
        return {"anyOf": [_schema(kind[:-1]), _schema(f"[{kind[:-1]}]")]}
    return dict(_KINDS[kind]) if kind in _KINDS else {"$ref": f"#/components/schemas/{kind}"}


def _shape(text: str) -> dict[str, Any]:
    """Of an object."""
    fields = [field.partition(":")[::2] for field in text.split()]
    named = [(name, kind) for name, kind in fields if name != "*"]
    return {
        "type": "object",
        "properties": {name.rstrip("?"): _schema(kind) for name, kind in named},
        "required": [name for name, _ in named if not name.endswith("?")],
        "additionalProperties": len(named) < len(fields),
    }


# --- for people ---


def page(description: dict[str, Any]) -> str:
    """The same as a page to read, which loads nothing from anywhere."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_safe(description['info']['title'])}</title>",
        f"<style>{_STYLE}</style><h1>{_safe(description['info']['title'])}</h1>",
        f"<p>{_safe(description['info']['description'])} For programs: <a href=/openapi.json>openapi.json</a>.</p>",
    ]
    tags: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_entry(method.upper(), path, operation))
    for tag, entries in tags.items():
        parts += [f"<h2>{_safe(tag)}</h2>", *entries]
    return "\n".join(parts)


def _entry(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_safe(parameter['name'])}<td>{'required' if parameter.get('required') else ''}"
        f"<td>{_safe(_in_words(parameter.get('schema', {})))}<td>{_safe(parameter.get('description', ''))}"
        for parameter in operation.get("parameters", ())
    )
    said = operation.get("description") or operation.get("summary", "")
    more = [
        *([f"weight {operation['x-weight']}"] if "x-weight" in operation else []),
        *([f"WebSocket method {operation['x-websocket-method']}"] if "x-websocket-method" in operation else []),
        *(["needs an API key"] if "security" in operation else []),
    ]
    table = f"<table>{rows}</table>" if rows else ""
    return (
        f"<details><summary><b>{method}</b> <code>{_safe(path)}</code> {_safe(said)}</summary>"
        f"<p>{_safe(', '.join(more))}</p>{table}</details>"
    )


def _in_words(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", "text"))
    ends = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([kind, *ends])


def _safe(text: object) -> str:
    return html.escape(str(text))


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "summary{cursor:pointer;padding:.2em 0}td{padding:.1em 1em .1em 0;vertical-align:top}details{margin-left:1em}"
)
