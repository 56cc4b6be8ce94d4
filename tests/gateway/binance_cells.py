"""The matrix's cells of python-binance: its two clients with their WebSocket API, and its socket manager."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from foreign_clients import PYTHON_BINANCE, SOCKETS, SYMBOL, Seat, cell, lots, near, side_of, text

from marketsim.domain.order import Side

# --- the market ---


def _is(method: str, true: Callable[[Seat, Any], bool], **words: Any) -> None:
    """A request whose answer can be judged at once, while the market stands still."""

    @cell(*PYTHON_BINANCE, method=method)
    async def check(seat: Seat) -> None:
        for _ in range(8):  # what is on its way to the public feed may be missing
            async with seat.market.still():
                answer = await seat.ask(method, **words)
                if true(seat, answer):
                    return
        raise AssertionError(answer)


def _book(seat: Seat, answer: Any) -> bool:
    return (lots(answer["bids"]), lots(answer["asks"])) == seat.market.book(100)


def _last(seat: Seat, price: Any) -> bool:
    return float(price) == seat.market.view.last.price / 100


def _quote(seat: Seat, answer: Any) -> bool:
    quote = seat.market.view.quote
    shown = [float(answer[name]) for name in ("bidPrice", "bidQty", "askPrice", "askQty")]
    return shown == [quote.bid / 100, quote.bid_quantity, quote.ask / 100, quote.ask_quantity]


def _day(seat: Seat, answer: Any) -> bool:
    trades = seat.market.view.trades
    prices = [trade.price / 100 for trade in trades]
    shown = [float(answer[name]) for name in ("openPrice", "highPrice", "lowPrice", "lastPrice", "volume")]
    return shown == [prices[0], max(prices), min(prices), prices[-1], sum(trade.quantity for trade in trades)]


def _bars(seat: Seat, answer: Any) -> bool:
    return [[bar[0], *map(float, bar[1:6])] for bar in answer] == seat.market.candles(60)


def _trades(seat: Seat, answer: Any) -> bool:
    truth = {trade.number: trade for trade in seat.market.view.trades}
    return int(answer[-1]["id"]) == seat.market.view.last.number and all(
        (float(told["price"]), float(told["qty"])) == (truth[told["id"]].price / 100, truth[told["id"]].quantity)
        for told in answer
    )


def _aggregates(seat: Seat, answer: Any) -> bool:
    whole = {trade.number: trade.quantity for trade in seat.market.view.trades}
    return answer[-1]["l"] == seat.market.view.last.number and all(
        float(told["q"]) == sum(whole[number] for number in range(told["f"], told["l"] + 1)) for told in answer
    )


def _mean(seat: Seat, answer: Any) -> bool:
    trades = seat.market.view.trades
    return min(t.price for t in trades) / 100 <= float(answer["price"]) <= max(t.price for t in trades) / 100


_PING: Callable[[Seat, Any], bool] = lambda _, answer: answer == {}  # noqa: E731
_INFO: Callable[[Seat, Any], bool] = lambda _, answer: len(answer["symbols"]) == 2  # noqa: E731
_OF = {"symbol": SYMBOL}
_MINUTES = {**_OF, "interval": "1m"}

_is("ping", _PING)
_is("get_server_time", lambda _, answer: answer["serverTime"] > 1e12)
_is("get_system_status", lambda _, answer: answer["status"] == 0)
_is("get_exchange_info", _INFO)
_is("get_symbol_info", lambda _, answer: answer["baseAsset"] == "ABC", **_OF)
_is("get_all_tickers", lambda seat, answer: _last(seat, answer[0]["price"]))
_is("get_orderbook_tickers", lambda seat, answer: _quote(seat, answer[0]))
_is("get_order_book", _book, **_OF)
_is("get_recent_trades", _trades, **_OF)
_is("get_historical_trades", _trades, **_OF)
_is("get_aggregate_trades", _aggregates, **_OF)
_is("get_klines", _bars, **_MINUTES)
_is("get_ui_klines", _bars, **_MINUTES)
_is("get_historical_klines", _bars, **_MINUTES, start_str="1 day ago UTC")
_is("get_avg_price", _mean, **_OF)
_is("get_ticker", _day, **_OF)
_is("get_symbol_ticker", lambda seat, answer: _last(seat, answer["price"]), **_OF)
_is("get_symbol_ticker_window", _day, **_OF)
_is("get_orderbook_ticker", _quote, **_OF)

# --- the account ---


def _account(seat: Seat, answer: Any) -> bool:
    shown = {entry["asset"]: (float(entry["free"]), float(entry["locked"])) for entry in answer["balances"]}
    return shown == {asset: seat.account(asset) for asset in ("ABC", "XYZ", "USD")}


def _rates(_: Seat, answer: Any) -> bool:
    return (float(answer[0]["makerCommission"]), float(answer[0]["takerCommission"])) == (0.0001, 0.0002)


_is("get_account", _account)
_is("get_asset_balance", lambda seat, answer: float(answer["free"]) == seat.account("USD")[0], asset="USD")
_is("get_trade_fee", _rates, **_OF)
_is("get_all_coins_info", lambda _, answer: {coin["coin"] for coin in answer} == {"ABC", "XYZ", "USD"})
_is("get_current_order_count", lambda _, answer: {limit["rateLimitType"] for limit in answer} == {"ORDERS"})


# --- orders ---


async def _cheap(seat: Seat) -> str:
    return text((await seat.best())[0] - 5)


async def _gone(seat: Seat, number: int) -> None:
    canceled = await seat.ask("cancel_order", symbol=SYMBOL, orderId=number)
    assert canceled["status"] == "CANCELED"
    assert seat.account("ABC")[1] == seat.account("USD")[1] == 0


def _check_fills(answer: Any, quantity: float) -> None:
    fills = answer["fills"]
    assert answer["status"] == "FILLED"
    assert sum(float(fill["qty"]) for fill in fills) == float(answer["executedQty"]) == quantity
    cost = sum(float(fill["qty"]) * float(fill["price"]) for fill in fills)
    assert near(cost, answer["cummulativeQuoteQty"])
    assert near(sum(float(fill["commission"]) for fill in fills), 0.0002 * cost, 1e-4)


def _limit(method: str, **words: Any) -> None:
    @cell(*PYTHON_BINANCE, method=method)
    async def check(seat: Seat) -> None:
        terms = {"symbol": SYMBOL, "quantity": 10, "price": await _cheap(seat), **words}
        if terms.get("side") == "SELL" or "sell" in method:
            terms["price"] = text((await seat.best())[1] + 5)
        made = await seat.ask(method, **terms)
        record = seat.record(made["orderId"])
        assert made["status"] == "NEW"
        assert (record.order.price, record.order.quantity) == (round(100 * float(terms["price"])), 10)
        await _gone(seat, made["orderId"])


_limit("create_order", side="BUY", type="LIMIT", timeInForce="GTC", newOrderRespType="RESULT")
_limit("order_limit", side="SELL")
_limit("order_limit_buy")
_limit("order_limit_sell")
_limit("ws_create_order", side="BUY", type="LIMIT_MAKER", newOrderRespType="RESULT")
_limit("ws_order_limit", side="SELL")
_limit("ws_order_limit_buy")
_limit("ws_order_limit_sell")


def _at_market(method: str, sign: int, **words: Any) -> None:
    @cell(*PYTHON_BINANCE, method=method)
    async def check(seat: Seat) -> None:
        base, quote = seat.account("ABC")[0], seat.account("USD")[0]
        made = await seat.ask(method, symbol=SYMBOL, quantity=6, **words)
        _check_fills(made, 6)
        fees = sum(float(fill["commission"]) for fill in made["fills"])
        assert seat.account("ABC")[0] == base + 6 * sign
        assert near(seat.account("USD")[0], quote - sign * float(made["cummulativeQuoteQty"]) - fees, 1e-5)


_at_market("order_market", 1, side="BUY")
_at_market("order_market_buy", 1)
_at_market("order_market_sell", -1)
_at_market("ws_order_market", -1, side="SELL")
_at_market("ws_order_market_buy", 1)
_at_market("ws_order_market_sell", -1)


@cell(*PYTHON_BINANCE, method="order_market_buy by cost")
async def order_market_by_cost(seat: Seat) -> None:
    made = await seat.ask("order_market_buy", symbol=SYMBOL, quoteOrderQty=1500)
    assert made["origQuoteOrderQty"] == "1500.00000000"
    assert 1300 < float(made["cummulativeQuoteQty"]) <= 1500


@cell(*PYTHON_BINANCE, method="create_order STOP_LOSS_LIMIT")
async def create_stop(seat: Seat) -> None:
    bid, _ = await seat.best()
    made = await seat.ask(
        "create_order", symbol=SYMBOL, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity=3,
        price=text(bid - 5), stopPrice=text(bid - 4),
    )  # fmt: skip
    found = await seat.ask("get_order", symbol=SYMBOL, orderId=made["orderId"])
    assert (found["isWorking"], found["stopPrice"][:-6]) == (False, text(bid - 4))
    await _gone(seat, made["orderId"])


@cell(*PYTHON_BINANCE, method="create_order TAKE_PROFIT", error="BinanceAPIException")
async def create_take_profit(seat: Seat) -> None:
    try:
        await seat.ask("create_order", symbol=SYMBOL, side="SELL", type="TAKE_PROFIT", quantity=3, stopPrice="120")
    except Exception as error:
        assert (error.code, error.status_code) == (-2010, 400)  # type: ignore[attr-defined]  # noqa: PT017
        raise


for _method in ("create_test_order", "ws_create_test_order"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_test(seat: Seat, method: str = _method) -> None:
        terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 9, "price": await _cheap(seat)}
        assert await seat.ask(method, symbol=SYMBOL, **terms) == {}
        assert await seat.ask("get_open_orders", symbol=SYMBOL) == []


async def _oco(seat: Seat, method: str, wanted: str, **words: Any) -> Any:
    bid, ask = await seat.best()
    limit, stop = ("above", "below") if wanted == "SELL" else ("below", "above")
    prices = (ask + 4, bid - 4) if wanted == "SELL" else (bid - 4, ask + 4)
    terms = {f"{limit}Type": "LIMIT_MAKER", f"{limit}Price": text(prices[0]), f"{stop}Type": "STOP_LOSS",
             f"{stop}StopPrice": text(prices[1])}  # fmt: skip
    made = await seat.ask(method, symbol=SYMBOL, quantity=4, **terms, **words)
    assert {order["type"] for order in made["orderReports"]} == {"LIMIT_MAKER", "STOP_LOSS"}
    assert {order["orderListId"] for order in made["orderReports"]} == {made["orderListId"]}
    return made


def _of_list(method: str, wanted: str, **words: Any) -> None:
    @cell(*PYTHON_BINANCE, method=method)
    async def check(seat: Seat) -> None:
        made = await _oco(seat, method, wanted, **words)
        records = [seat.record(order["orderId"]) for order in made["orders"]]
        assert records[0].partner is records[1]
        number = made["orders"][0]["orderId"]
        await _gone(seat, number)  # the other goes with it
        assert not records[0].live
        assert not records[1].live


_of_list("create_oco_order", "SELL", side="SELL")
_of_list("order_oco_buy", "BUY")
_of_list("order_oco_sell", "SELL")
_of_list("ws_create_oco_order", "BUY", side="BUY")


@cell(*PYTHON_BINANCE)
async def get_open_oco_orders(seat: Seat) -> None:
    made = await _oco(seat, "order_oco_sell", "SELL")
    (found,) = await seat.ask("get_open_oco_orders")
    assert found["orders"] == made["orders"]
    await _gone(seat, made["orders"][1]["orderId"])


for _method in ("ws_get_oco_order", "ws_get_oco_open_orders", "ws_cancel_oco_order"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_list(seat: Seat, method: str = _method) -> None:
        made = await _oco(seat, "order_oco_sell", "SELL")
        if method == "ws_get_oco_open_orders":
            (found,) = await seat.ask(method)
        elif method == "ws_get_oco_order":
            found = await seat.ask(method, orderListId=made["orderListId"])
        else:
            found = await seat.ask(method, symbol=SYMBOL, orderListId=made["orderListId"])
            assert found["listOrderStatus"] == "ALL_DONE"
        assert found["orders"] == made["orders"]
        if method != "ws_cancel_oco_order":
            await _gone(seat, made["orders"][0]["orderId"])
        assert seat.account("ABC")[1] == 0


for _method in ("cancel_replace_order", "ws_cancel_and_replace_order"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_replace(seat: Seat, method: str = _method) -> None:
        price = await _cheap(seat)
        made = await seat.ask("order_limit_buy", symbol=SYMBOL, quantity=10, price=price)
        terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 9, "price": price}
        words = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": made["orderId"]}
        answer = await seat.ask(method, **terms, **words)
        assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        await _gone(seat, answer["newOrderResponse"]["orderId"])


for _method in ("get_order", "ws_get_order"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_order(seat: Seat, method: str = _method) -> None:
        made = await seat.ask("order_market_buy", symbol=SYMBOL, quantity=2)
        found = await seat.ask(method, symbol=SYMBOL, origClientOrderId=made["clientOrderId"])
        for name in ("orderId", "executedQty", "cummulativeQuoteQty", "status"):
            assert found[name] == made[name]


for _method in ("get_open_orders", "ws_get_open_orders"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_open(seat: Seat, method: str = _method) -> None:
        made = await seat.ask("order_limit_buy", symbol=SYMBOL, quantity=10, price=await _cheap(seat))
        assert [order["orderId"] for order in await seat.ask(method, symbol=SYMBOL)] == [made["orderId"]]
        await _gone(seat, made["orderId"])


for _method in ("cancel_order", "ws_cancel_order"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_cancel(seat: Seat, method: str = _method) -> None:
        made = await seat.ask("order_limit_buy", symbol=SYMBOL, quantity=10, price=await _cheap(seat))
        canceled = await seat.ask(method, symbol=SYMBOL, orderId=made["orderId"])
        assert (canceled["status"], canceled["origClientOrderId"]) == ("CANCELED", made["clientOrderId"])


for _method in ("cancel_all_open_orders", "ws_cancel_all_open_orders"):

    @cell(*PYTHON_BINANCE, method=_method)
    async def check_cancels(seat: Seat, method: str = _method) -> None:
        made = await seat.ask("order_limit_buy", symbol=SYMBOL, quantity=10, price=await _cheap(seat))
        listed = await _oco(seat, "order_oco_sell", "SELL")
        plain, pair = await seat.ask(method, symbol=SYMBOL)
        assert (plain["orderId"], pair["orderListId"]) == (made["orderId"], listed["orderListId"])
        assert seat.account("ABC")[1] == seat.account("USD")[1] == 0


def _orders(seat: Seat, answer: Any) -> bool:
    records = list(seat.market.gateway.live.clients[seat.name].records())
    return [order["orderId"] for order in answer] == [record.number for record in records]


def _fills(seat: Seat, answer: Any) -> bool:
    fills = list(seat.market.gateway.live.clients[seat.name].fills())
    return [(told["id"], float(told["price"])) for told in answer] == [(f.number, f.price / 100) for f in fills]


_is("get_all_orders", _orders, **_OF)
_is("get_my_trades", _fills, **_OF)

# --- the WebSocket API ---

_is("ws_ping", _PING)
_is("ws_get_time", lambda _, answer: answer["serverTime"] > 1e12)
_is("ws_get_exchange_info", _INFO)
_is("ws_get_order_book", _book, **_OF)
_is("ws_get_recent_trades", _trades, **_OF)
_is("ws_get_historical_trades", _trades, **_OF)
_is("ws_get_aggregate_trades", _aggregates, **_OF)
_is("ws_get_klines", _bars, **_MINUTES)
_is("ws_get_uiKlines", _bars, **_MINUTES)
_is("ws_get_avg_price", _mean, **_OF)
_is("ws_get_ticker", _day, **_OF)
_is("ws_get_trading_day_ticker", lambda seat, answer: _last(seat, answer["lastPrice"]), **_OF)
_is("ws_get_symbol_ticker_window", _day, **_OF)
_is("ws_get_symbol_ticker", lambda seat, answer: _last(seat, answer["price"]), **_OF)
_is("ws_get_orderbook_ticker", _quote, **_OF)
_is("ws_get_account", _account)
_is("ws_get_account_rate_limits_orders", lambda _, answer: {limit["rateLimitType"] for limit in answer} == {"ORDERS"})
_is("ws_get_commission_rates", lambda _, answer: float(answer["standardCommission"]["taker"]) == 0.0002, **_OF)
_is("ws_get_all_orders", _orders, **_OF)
_is("ws_get_my_trades", _fills, **_OF)


def _refused(method: str, code: int, **words: Any) -> None:
    @cell(*PYTHON_BINANCE, method=method, error="BinanceAPIException")
    async def check(seat: Seat) -> None:
        try:
            await seat.ask(method, **words)
        except Exception as error:
            assert error.code == code  # type: ignore[attr-defined]  # noqa: PT017
            raise


_refused("get_prevented_matches", -5000, **_OF)
_refused("get_allocations", -5000, **_OF)
_refused("get_account_status", -5000)
_refused("get_user_asset", -5000)
_refused("ws_create_sor_order", -1020, symbol=SYMBOL, side="BUY", type="MARKET", quantity=1)
_refused("ws_create_oto_order", -1020, **_OF)
_refused("ws_create_otoco_order", -1020, **_OF)


# --- listen keys ---


@cell(*PYTHON_BINANCE, method="stream_get_listen_key, _keepalive, _close")
async def listen_keys(seat: Seat) -> None:
    key = await seat.ask("stream_get_listen_key")
    assert len(key) == 60
    await seat.ask("stream_keepalive", key)
    await seat.ask("stream_close", key)
    assert seat.market.gateway.exchange.listen_keys.client(key) is None


# --- sockets ---


def _socket(method: str, true: Callable[[Seat, Any], bool], *arguments: Any, shown: str = "") -> None:
    @cell(SOCKETS, method=shown or method, beside=True)
    async def check(seat: Seat) -> None:
        async with getattr(seat.sockets, method)(*arguments) as stream:
            for _ in range(200):
                message = await asyncio.wait_for(stream.recv(), 10)
                if true(seat, message):
                    return
        raise AssertionError(message)


def _of_trade(seat: Seat, message: Any) -> bool:
    truth = {trade.number: trade for trade in seat.market.view.trades}[message["t"]]
    assert (float(message["p"]), float(message["q"])) == (truth.price / 100, truth.quantity)
    return True


def _of_aggregate(seat: Seat, message: Any) -> bool:
    truth = {trade.number: trade for trade in seat.market.view.trades}
    assert float(message["q"]) == sum(truth[number].quantity for number in range(message["f"], message["l"] + 1))
    return True


def _of_candle(seat: Seat, message: Any) -> bool:
    bar = {made[0]: made for made in seat.market.candles(60)}.get(message["k"]["t"])
    return bar is not None and float(message["k"]["o"]) == bar[1] and float(message["k"]["v"]) <= bar[5]


def _of_day(seat: Seat, message: Any) -> bool:
    return float(message["o"]) == seat.market.view.trades[0].price / 100 and float(message["v"]) > 0


_socket("trade_socket", _of_trade, SYMBOL)
_socket("aggtrade_socket", _of_aggregate, SYMBOL)
_socket("kline_socket", _of_candle, SYMBOL)
_socket("depth_socket", lambda _, message: message["U"] <= message["u"], SYMBOL)
_socket("depth_socket", lambda _, message: len(message["bids"]) == 5, SYMBOL, "5", shown="depth_socket of 5 levels")
_socket("symbol_book_ticker_socket", lambda _, message: 0 < float(message["b"]) < float(message["a"]), SYMBOL)
_socket("book_ticker_socket", lambda _, message: message["s"] in (SYMBOL, "XYZUSD"))
_socket("symbol_miniticker_socket", _of_day, SYMBOL)
_socket("miniticker_socket", lambda seat, message: _of_day(seat, message[0]))
_socket("symbol_ticker_socket", _of_day, SYMBOL)
_socket("ticker_socket", lambda _, message: {each["s"] for each in message} == {SYMBOL, "XYZUSD"})
_socket("multiplex_socket", lambda _, message: message["stream"] == "abcusd@trade", ["abcusd@trade", "xyzusd@trade"])


@cell(SOCKETS)
async def user_socket(seat: Seat) -> None:
    async with seat.sockets.user_socket() as stream:
        made = await seat.ask("order_market_buy", symbol=SYMBOL, quantity=2)
        told = [await asyncio.wait_for(stream.recv(), 5) for _ in range(4)]
        kinds = [event["e"] for event in told]
        assert kinds == ["executionReport", "outboundAccountPosition"] * 2
        assert [(event["x"], event["i"]) for event in told[::2]] == [
            ("NEW", made["orderId"]),
            ("TRADE", made["orderId"]),
        ]


@cell(SOCKETS, method="user_socket with an order list")
async def user_socket_of_lists(seat: Seat) -> None:
    async with seat.sockets.user_socket() as stream:
        made = await _oco(seat, "order_oco_sell", "SELL")
        seen = [event for event in await _until(stream, "listStatus") if event["e"] == "listStatus"]
        assert (seen[0]["g"], seen[0]["l"], len(seen[0]["O"])) == (made["orderListId"], "EXEC_STARTED", 2)
        await seat.ask("ws_cancel_oco_order", symbol=SYMBOL, orderListId=made["orderListId"])
        told = await _until(stream, "listStatus")
        assert told[-1]["L"] == "ALL_DONE"
        assert [event["X"] for event in told if event["e"] == "executionReport"] == ["CANCELED"] * 2


async def _until(stream: Any, kind: str) -> list[Any]:
    told = [await asyncio.wait_for(stream.recv(), 5)]
    while told[-1]["e"] != kind:
        told.append(await asyncio.wait_for(stream.recv(), 5))
    return told


@cell(SOCKETS, method="DepthCacheManager")
async def depth_cache(seat: Seat) -> None:
    from binance.ws.depthcache import DepthCacheManager

    async with DepthCacheManager(seat.client, SYMBOL, bm=seat.sockets, ws_interval=100) as manager:
        for _ in range(10):
            cache = await asyncio.wait_for(manager.recv(), 10)
        async with seat.market.turn:
            seat.market.gateway.pacer.pause()
            try:
                while True:  # what was told before the clock stood still
                    cache = await asyncio.wait_for(manager.recv(), 0.4)
            except TimeoutError:
                view = seat.market.view
                assert dict(lots(cache.get_bids())) == side_of(view, Side.BUY)
                assert dict(lots(cache.get_asks())) == side_of(view, Side.SELL)
            finally:
                seat.market.gateway.pacer.resume()
