"""Everything that can be asked, by HTTP and by the WebSocket API alike: one table of operations.

Each says its path and its method of the WebSocket API, who may ask it, what it weighs, which parameters it takes and
who answers. The OpenAPI page and both doors are made from this table. It opens no socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from marketsim.agents.client import Client, Record
from marketsim.gateway.binance import lists, orders, public
from marketsim.gateway.binance.errors import VenueError, unknown_order
from marketsim.gateway.binance.markets import ServedMarket
from marketsim.gateway.binance.orders import NEW_ORDER
from marketsim.gateway.binance.parameters import Parameter
from marketsim.kernel.pacing import wall_milliseconds

if TYPE_CHECKING:
    from marketsim.gateway.binance.exchange import BinanceExchange


class Security(Enum):
    """Who may ask."""

    NONE = "NONE"  # everybody
    KEY = "USER_STREAM"  # who has a key
    READ = "USER_DATA"  # who signs
    TRADE = "TRADE"  # who signs with a key that may trade


Answer = Any
Handler = Callable[["BinanceExchange", "Asked"], "Answer | Awaitable[Answer]"]


@dataclass(frozen=True)
class Asked:
    """A request that was read. ``client`` is whose it is, where it is signed."""

    values: dict[str, Any]
    client: Client | None = None

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def account(self) -> Client:
        """Whose request it is."""
        assert self.client is not None
        return self.client


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked. ``weight`` is of the request, ``orders`` how many it counts as orders."""

    name: str
    http: tuple[str, str] | None
    websocket: str | None
    answer: Handler
    doc: str
    parameters: tuple[Parameter, ...] = ()
    security: Security = Security.NONE
    weight: int = 1
    orders: int = 0
    also: tuple[tuple[str, str], ...] = field(default=())  # other paths that mean the same


OPERATIONS: list[Operation] = []

SYMBOL = Parameter("symbol", "symbol", True)
MAYBE_SYMBOL = Parameter("symbol", "symbol")
SYMBOLS = Parameter("symbols", "symbols")
SPAN = (Parameter("startTime", "long", doc="ms"), Parameter("endTime", "long", doc="ms"))
KIND = Parameter("type", "choice", choices=("FULL", "MINI"), default="FULL")
STATUS = Parameter("symbolStatus", "choice", choices=("TRADING", "HALT", "BREAK"))
TRADES_LIMIT = Parameter("limit", "long", default=500, low=1, high=1000)
ONE_ORDER = (SYMBOL, Parameter("orderId", "long"), Parameter("origClientOrderId", "name"))


def operation(
    http: str | None, websocket: str | None, *parameters: Parameter, also: tuple[str, ...] = (), **terms: Any
) -> Callable[[Handler], Handler]:
    """Put a handler into the table. ``http``: such as "GET /api/v3/depth"."""

    def keep(handler: Handler) -> Handler:
        OPERATIONS.append(
            Operation(
                handler.__name__,
                _split(http) if http else None,
                websocket,
                handler,
                (handler.__doc__ or "").strip(),
                parameters,
                also=tuple(_split(path) for path in also),
                **terms,
            )
        )
        return handler

    return keep


def _split(path: str) -> tuple[str, str]:
    method, _, rest = path.partition(" ")
    return method, rest


def by_path() -> dict[tuple[str, str], Operation]:
    """The operations by HTTP method and path."""
    return {path: one for one in OPERATIONS for path in (*((one.http,) if one.http else ()), *one.also)}


def by_method() -> dict[str, Operation]:
    """The operations by method of the WebSocket API."""
    return {one.websocket: one for one in OPERATIONS if one.websocket}


# --- general ---


@operation("GET /api/v3/ping", "ping", also=("GET /api/v1/ping",))
def ping(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Whether the venue is there."""
    return {}


@operation("GET /api/v3/time", "time", also=("GET /api/v1/time",))
def server_time(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The wall clock, in ms: requests are signed with it, at whatever speed the market runs."""
    return {"serverTime": wall_milliseconds()}


@operation(
    "GET /api/v3/exchangeInfo",
    "exchangeInfo",
    MAYBE_SYMBOL,
    SYMBOLS,
    Parameter("permissions", "text"),
    Parameter("showPermissionSets", "truth", default=True),
    STATUS,
    weight=20,
)
def exchange_info(exchange: BinanceExchange, asked: Asked) -> Answer:
    """What is traded, on which terms, and how many requests are taken."""
    chosen = exchange.markets.chosen(asked["symbol"], asked["symbols"])
    described = [market.describe(exchange.self_trades) for market in chosen]
    wanted = asked["symbolStatus"]
    return {
        "timezone": "UTC",
        "serverTime": wall_milliseconds(),
        "rateLimits": exchange.rate_limits(),
        "exchangeFilters": [],
        "symbols": [entry for entry in described if wanted is None or entry["status"] == wanted],
    }


@operation("GET /sapi/v1/system/status", None)
def system_status(exchange: BinanceExchange, asked: Asked) -> Answer:
    """0 while the market runs, 1 once it is over."""
    over = exchange.live.now >= exchange.live.end
    return {"status": int(over), "msg": "system_maintenance" if over else "normal"}


# --- market data ---


@operation(
    "GET /api/v3/depth",
    "depth",
    SYMBOL,
    Parameter("limit", "long", default=100, low=1, high=5000),
    STATUS,
    weight=5,
    also=("GET /api/v1/depth",),
)
def depth(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The book."""
    return public.depth(exchange.markets[asked["symbol"]], asked["limit"])


@operation("GET /api/v3/trades", "trades.recent", SYMBOL, TRADES_LIMIT, weight=25)
def trades(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The latest trades."""
    return public.recent_trades(exchange.markets[asked["symbol"]], asked["limit"])


@operation(
    "GET /api/v3/historicalTrades",
    "trades.historical",
    SYMBOL,
    TRADES_LIMIT,
    Parameter("fromId", "long"),
    weight=25,
)
def historical_trades(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Trades from a number on; the latest 100,000 are kept."""
    return public.recent_trades(exchange.markets[asked["symbol"]], asked["limit"], asked["fromId"])


@operation(
    "GET /api/v3/aggTrades", "trades.aggregate", SYMBOL, Parameter("fromId", "long"), *SPAN, TRADES_LIMIT, weight=4
)
def aggregate_trades(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Trades, those of one aggressor at one price together."""
    return public.aggregate_trades(exchange.markets[asked["symbol"]], asked.values)


_CANDLES = (SYMBOL, Parameter("interval", "interval", True), *SPAN, Parameter("timeZone", "text"), TRADES_LIMIT)


@operation("GET /api/v3/klines", "klines", *_CANDLES, weight=2)
def klines(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Candles, in simulated time."""
    return public.candles(exchange.markets[asked["symbol"]], asked.values, exchange.shifted_now)


@operation("GET /api/v3/uiKlines", "uiKlines", *_CANDLES, weight=2)
def ui_klines(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The same as klines."""
    return public.candles(exchange.markets[asked["symbol"]], asked.values, exchange.shifted_now)


@operation("GET /api/v3/avgPrice", "avgPrice", SYMBOL, weight=2)
def average_price(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The mean price of the last five minutes."""
    return public.average_price(exchange.markets[asked["symbol"]], exchange.shifted_now)


def _of_each(
    exchange: BinanceExchange, asked: Asked, show: Callable[[ServedMarket], dict[str, Any]], *, needed: bool = False
) -> Answer:
    """One answer for one symbol, a list for several or all."""
    if needed and asked["symbol"] is None and asked["symbols"] is None:
        raise VenueError(-1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!")
    chosen = [show(market) for market in exchange.markets.chosen(asked["symbol"], asked["symbols"])]
    return chosen[0] if asked["symbol"] is not None else chosen


@operation("GET /api/v3/ticker/24hr", "ticker.24hr", MAYBE_SYMBOL, SYMBOLS, KIND, STATUS, weight=2,
           also=("GET /api/v1/ticker/24hr",))  # fmt: skip
def day_ticker(exchange: BinanceExchange, asked: Asked) -> Answer:
    """What happened in the last 24 simulated hours, as far as there was a market."""
    mini = asked["type"] == "MINI"
    return _of_each(exchange, asked, lambda market: public.day_ticker(market, exchange.shifted_now, mini=mini))


@operation(
    "GET /api/v3/ticker",
    "ticker",
    MAYBE_SYMBOL,
    SYMBOLS,
    Parameter("windowSize", "window", default="1d"),
    KIND,
    STATUS,
    weight=4,
)
def window_ticker(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The same over another window."""
    span, mini = public.window_of(asked["windowSize"]), asked["type"] == "MINI"
    shown = lambda market: public.day_ticker(market, exchange.shifted_now, span, mini=mini)  # noqa: E731
    return _of_each(exchange, asked, shown, needed=True)


@operation("GET /api/v3/ticker/tradingDay", "ticker.tradingDay", MAYBE_SYMBOL, SYMBOLS, Parameter("timeZone", "text"),
           KIND, STATUS, weight=4)  # fmt: skip
def trading_day_ticker(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The same since midnight UTC."""
    now, mini = exchange.shifted_now, asked["type"] == "MINI"
    span = now % public.DAY + 1
    return _of_each(exchange, asked, lambda market: public.day_ticker(market, now, span, mini=mini), needed=True)


@operation("GET /api/v3/ticker/price", "ticker.price", MAYBE_SYMBOL, SYMBOLS, STATUS, weight=2,
           also=("GET /api/v1/ticker/allPrices",))  # fmt: skip
def price_ticker(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The last prices."""
    return _of_each(exchange, asked, public.price_ticker)


@operation("GET /api/v3/ticker/bookTicker", "ticker.book", MAYBE_SYMBOL, SYMBOLS, STATUS, weight=2,
           also=("GET /api/v1/ticker/allBookTickers",))  # fmt: skip
def book_ticker(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The best bids and asks."""
    return _of_each(exchange, asked, public.book_ticker)


# --- orders ---


@operation("POST /api/v3/order", "order.place", *NEW_ORDER, security=Security.TRADE, orders=1)
def place_order(exchange: BinanceExchange, asked: Asked) -> Answer:
    """A new order; the answer comes when the simulated venue has taken it."""
    return exchange.desk.place(asked.account, asked.values)


@operation(
    "POST /api/v3/order/test",
    "order.test",
    *NEW_ORDER,
    Parameter("computeCommissionRates", "truth", default=False),
    security=Security.TRADE,
)
def test_order(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Whether an order would be taken by the filters; it is not sent."""
    market = exchange.markets[asked["symbol"]]
    exchange.desk.terms(asked.values, market)
    if not asked["computeCommissionRates"]:
        return {}
    return {"standardCommissionForOrder": _rates(exchange, market), "taxCommissionForOrder": _NO_RATES}


_CANCEL = (
    *ONE_ORDER,
    Parameter("newClientOrderId", "name"),
    Parameter("cancelRestrictions", "choice", choices=("ONLY_NEW", "ONLY_PARTIALLY_FILLED")),
)


@operation("DELETE /api/v3/order", "order.cancel", *_CANCEL, security=Security.TRADE)
def cancel_order(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The cancel of an order."""
    return exchange.desk.cancel(asked.account, asked.values)


@operation("DELETE /api/v3/openOrders", "openOrders.cancelAll", SYMBOL, security=Security.TRADE)
def cancel_all(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The cancel of all open orders of a symbol."""
    return exchange.desk.cancel_all(asked.account, asked["symbol"])


@operation(
    "POST /api/v3/order/cancelReplace",
    "order.cancelReplace",
    *NEW_ORDER,
    Parameter("cancelReplaceMode", "choice", True, ("STOP_ON_FAILURE", "ALLOW_FAILURE")),
    Parameter("cancelNewClientOrderId", "name"),
    Parameter("cancelOrigClientOrderId", "name"),
    Parameter("cancelOrderId", "long"),
    Parameter("cancelRestrictions", "choice", choices=("ONLY_NEW", "ONLY_PARTIALLY_FILLED")),
    Parameter("orderRateLimitExceededMode", "choice", choices=("DO_NOTHING", "CANCEL_ONLY"), default="DO_NOTHING"),
    security=Security.TRADE,
    orders=1,
)
def cancel_replace(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The cancel of one order and another in its place."""
    return exchange.desk.cancel_replace(asked.account, asked.values)


@operation(
    "PUT /api/v3/order/amend/keepPriority",
    "order.amend.keepPriority",
    *ONE_ORDER,
    Parameter("newClientOrderId", "name"),
    Parameter("newQty", "amount", True),
    security=Security.TRADE,
    weight=4,
)
def amend_order(exchange: BinanceExchange, asked: Asked) -> Answer:
    """A smaller quantity for an order that keeps its place in the queue."""
    return exchange.desk.amend(asked.account, asked.values)


# --- order lists ---


@operation("POST /api/v3/orderList/oco", "orderList.place.oco", *lists.NEW_LIST, security=Security.TRADE, orders=2)
def place_list(exchange: BinanceExchange, asked: Asked) -> Answer:
    """A limit order and a stop; what one trades the other loses."""
    return exchange.desk.place_list(asked.account, asked.values)


@operation("POST /api/v3/order/oco", "orderList.place", *lists.OLD_LIST, security=Security.TRADE, orders=2)
def place_old_list(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The same in the old words."""
    return exchange.desk.place_list(asked.account, lists.modern(asked.values))


@operation(
    "DELETE /api/v3/orderList",
    "orderList.cancel",
    SYMBOL,
    Parameter("orderListId", "long"),
    Parameter("listClientOrderId", "name"),
    Parameter("newClientOrderId", "name"),
    security=Security.TRADE,
)
def cancel_list(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The cancel of both orders of a list; the cancel of one of them does the same."""
    return exchange.desk.cancel_list(asked.account, asked.values)


@operation(
    "GET /api/v3/orderList",
    "orderList.status",
    Parameter("orderListId", "long"),
    Parameter("origClientOrderId", "name"),
    security=Security.READ,
    weight=4,
)
def list_status(exchange: BinanceExchange, asked: Asked) -> Answer:
    """One order list."""
    number, name = asked["orderListId"], asked["origClientOrderId"]
    return exchange.desk.show_list(exchange.desk.find_list(asked.account, number, name, unknown_order))


@operation("GET /api/v3/openOrderList", "openOrderLists.status", security=Security.READ, weight=6)
def open_lists(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The order lists that may still trade."""
    return [exchange.desk.show_list(pair) for pair in asked.account.pairs() if pair.live]


@operation(
    "GET /api/v3/allOrderList", "allOrderLists", Parameter("fromId", "long"), *SPAN, TRADES_LIMIT,
    security=Security.READ, weight=20,
)  # fmt: skip
def all_lists(exchange: BinanceExchange, asked: Asked) -> Answer:
    """All order lists, those that are over too: the latest, or those from a number or a time on."""
    first, begin, end = asked["fromId"], asked["startTime"], asked["endTime"]
    if first is not None and (begin is not None or end is not None):
        raise VenueError(-1128, "Combination of optional parameters invalid: send fromId or a span of time.")
    epoch = exchange.desk.epoch
    found = [
        pair
        for pair in asked.account.pairs()
        if (first is None or pair.number >= first)
        and (begin is None or epoch(pair.created) >= begin)
        and (end is None or epoch(pair.created) <= end)
    ]
    limit = asked["limit"]
    chosen = found[-limit:] if first is None and begin is None else found[:limit]
    return [exchange.desk.show_list(pair) for pair in chosen]


def _show(exchange: BinanceExchange, record: Record) -> dict[str, Any]:
    market = exchange.markets.numbered(record.terms.market)
    return orders.show(record, market, exchange.self_trades, exchange.desk.epoch)


@operation("GET /api/v3/order", "order.status", *ONE_ORDER, security=Security.READ, weight=4)
def order_status(exchange: BinanceExchange, asked: Asked) -> Answer:
    """One order."""
    market = exchange.markets[asked["symbol"]]
    record = exchange.desk.find(asked.account, market, asked["orderId"], asked["origClientOrderId"], unknown_order)
    return _show(exchange, record)


@operation("GET /api/v3/openOrders", "openOrders.status", MAYBE_SYMBOL, security=Security.READ, weight=6)
def open_orders(exchange: BinanceExchange, asked: Asked) -> Answer:
    """All orders that may still trade."""
    number = None if asked["symbol"] is None else exchange.markets[asked["symbol"]].number
    return [_show(exchange, record) for record in asked.account.live() if number in (None, record.terms.market)]


@operation(
    "GET /api/v3/allOrders", "allOrders", SYMBOL, Parameter("orderId", "long"), *SPAN, TRADES_LIMIT,
    security=Security.READ, weight=20,
)  # fmt: skip
def all_orders(exchange: BinanceExchange, asked: Asked) -> Answer:
    """All orders of a symbol, those that are over too: the latest, or those from a number or a time on."""
    number = exchange.markets[asked["symbol"]].number
    first, begin, end = asked["orderId"], asked["startTime"], asked["endTime"]
    epoch = exchange.desk.epoch
    found = [
        record
        for record in asked.account.records()
        if record.terms.market == number
        and (first is None or record.number >= first)
        and (begin is None or epoch(record.created) >= begin)
        and (end is None or epoch(record.created) <= end)
    ]
    limit = asked["limit"]
    chosen = found[-limit:] if first is None and begin is None else found[:limit]
    return [_show(exchange, record) for record in chosen]


# --- the account ---


@operation("GET /api/v3/account", "account.status", Parameter("omitZeroBalances", "truth", default=False),
           security=Security.READ, weight=20)  # fmt: skip
def account(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Balances and fees."""
    rates = _rates(exchange, exchange.markets.all[0])
    balances = [
        {"asset": exchange.shown_asset(asset), "free": f"{balance.free:.8f}", "locked": f"{balance.locked:.8f}"}
        for asset, balance in asked.account.balances().items()
        if not asked["omitZeroBalances"] or balance.free or balance.locked
    ]
    return {
        "makerCommission": _points(rates["maker"]),
        "takerCommission": _points(rates["taker"]),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {**rates, "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": exchange.desk.epoch(exchange.live.now),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": exchange.uid(asked.account),
    }


@operation(
    "GET /api/v3/myTrades", "myTrades", SYMBOL, Parameter("orderId", "long"), *SPAN, Parameter("fromId", "long"),
    TRADES_LIMIT, security=Security.READ, weight=20,
)  # fmt: skip
def my_trades(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Own fills of a symbol: the latest, or those from a number or a time on."""
    market = exchange.markets[asked["symbol"]]
    first, order, begin, end = asked["fromId"], asked["orderId"], asked["startTime"], asked["endTime"]
    epoch = exchange.desk.epoch
    found = [
        fill
        for fill in asked.account.fills()
        if fill.record.terms.market == market.number
        and (first is None or fill.number >= first)
        and (order is None or fill.record.number == order)
        and (begin is None or epoch(fill.time) >= begin)
        and (end is None or epoch(fill.time) <= end)
    ]
    limit = asked["limit"]
    chosen = found[-limit:] if first is None and begin is None else found[:limit]
    return [orders.show_own_trade(fill, market, epoch) for fill in chosen]


@operation("GET /api/v3/account/commission", "account.commission", SYMBOL, security=Security.READ, weight=20)
def commission(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The fees of a symbol."""
    market = exchange.markets[asked["symbol"]]
    rates = {**_rates(exchange, market), "buyer": "0.00000000", "seller": "0.00000000"}
    return {
        "symbol": market.symbol,
        "standardCommission": rates,
        "specialCommission": dict.fromkeys(rates, "0.00000000"),
        "taxCommission": dict.fromkeys(rates, "0.00000000"),
        "discount": {
            "enabledForAccount": False, "enabledForSymbol": False, "discountAsset": market.quote,
            "discount": "0.00000000",
        },
    }  # fmt: skip


@operation("GET /api/v3/rateLimit/order", "account.rateLimits.orders", security=Security.READ, weight=40)
def order_limits(exchange: BinanceExchange, asked: Asked) -> Answer:
    """How many orders were sent, and how many may be."""
    return exchange.order_limits(asked.account.name)


@operation("GET /sapi/v1/asset/tradeFee", None, MAYBE_SYMBOL, security=Security.READ)
def trade_fee(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The fees of one symbol or of all."""
    chosen = exchange.markets.chosen(asked["symbol"], None)
    return [
        {
            "symbol": market.symbol,
            "makerCommission": _rates(exchange, market)["maker"],
            "takerCommission": _rates(exchange, market)["taker"],
        }
        for market in chosen
    ]


@operation("GET /sapi/v1/capital/config/getall", None, security=Security.READ, weight=10)
def currencies(exchange: BinanceExchange, asked: Asked) -> Answer:
    """The assets. Nothing can be paid in or out of a simulated market."""
    balances = asked.account.balances()
    return [
        {
            "coin": exchange.shown_asset(asset), "name": exchange.shown_asset(asset), "depositAllEnable": False,
            "withdrawAllEnable": False, "free": f"{balance.free:.8f}", "locked": f"{balance.locked:.8f}", "freeze": "0",
            "withdrawing": "0", "ipoing": "0", "ipoable": "0", "storage": "0", "isLegalMoney": False, "trading": True,
            "networkList": [],
        }
        for asset, balance in balances.items()
    ]  # fmt: skip


def _nothing(path: str) -> None:
    def handler(exchange: BinanceExchange, asked: Asked) -> Answer:
        return [] if path.endswith(("Pairs", "allPairs")) else {"symbols": [], "serverTime": wall_milliseconds()}

    handler.__name__ = "nothing_of" + path.replace("/", "_")
    handler.__doc__ = "What this venue does not have; clients ask for it when they load markets."
    operation(f"GET {path}", None, Parameter("symbol", "symbol"))(handler)


for _path in ("/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs", "/fapi/v1/exchangeInfo",
              "/dapi/v1/exchangeInfo", "/eapi/v1/exchangeInfo"):  # fmt: skip
    _nothing(_path)


# --- listen keys ---


@operation("POST /api/v3/userDataStream", "userDataStream.start", security=Security.KEY, weight=2)
def start_stream(exchange: BinanceExchange, asked: Asked) -> Answer:
    """A key under which one's own events can be listened to, for an hour from its last renewal."""
    return {"listenKey": exchange.listen_keys.start(asked.account.name)}


_LISTEN_KEY = Parameter("listenKey", "text", True)


@operation("PUT /api/v3/userDataStream", "userDataStream.ping", _LISTEN_KEY, security=Security.KEY, weight=2)
def renew_stream(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Renew a listen key."""
    exchange.listen_keys.renew(asked["listenKey"], asked.account.name)
    return {}


@operation("DELETE /api/v3/userDataStream", "userDataStream.stop", _LISTEN_KEY, security=Security.KEY, weight=2)
def stop_stream(exchange: BinanceExchange, asked: Asked) -> Answer:
    """Give a listen key back."""
    exchange.listen_keys.stop(asked["listenKey"], asked.account.name)
    return {}


# --- fees ---

_NO_RATES = {"maker": "0.00000000", "taker": "0.00000000"}


def _rates(exchange: BinanceExchange, market: ServedMarket) -> dict[str, str]:
    """Fees as shares of the value traded, at the last price where they are paid by the share."""
    return {side: f"{exchange.fee_rate(market, maker=side == 'maker'):.8f}" for side in ("maker", "taker")}


def _points(rate: str) -> int:
    return round(float(rate) * 10_000)


def documented() -> Iterator[Operation]:
    """Operations with a path, for the OpenAPI page."""
    return (one for one in OPERATIONS if one.http is not None)
