"""The matrix's cells of ccxt: its sync and async clients, and its WebSocket side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from foreign_clients import CCXT_ALL, CCXT_PRO, PAIR, SYMBOL, Seat, cell, lots, near, side_of, text

from marketsim.domain.order import Side

# --- the market, over HTTP ---


@cell(*CCXT_ALL)
async def load_markets(seat: Seat) -> None:
    market = (await seat.ask("load_markets"))[PAIR]
    assert market["spot"]
    assert market["active"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 1)
    assert market["limits"]["cost"]["min"] == 5


@cell(*CCXT_ALL)
async def fetch_markets(seat: Seat) -> None:
    assert {market["id"] for market in await seat.ask("fetch_markets")} == {"ABCUSD", "XYZUSD"}


@cell(*CCXT_ALL)
async def fetch_currencies(seat: Seat) -> None:
    seat.client.options["fetchCurrencies"] = True
    found = await seat.ask("fetch_currencies")
    seat.client.options["fetchCurrencies"] = False
    assert set(found) == {"ABC", "XYZ", "USD"}


@cell(*CCXT_ALL)
async def fetch_time(seat: Seat) -> None:
    assert abs(await seat.ask("fetch_time") - seat.client.milliseconds()) < 5_000


@cell(*CCXT_ALL)
async def fetch_status(seat: Seat) -> None:
    assert (await seat.ask("fetch_status"))["status"] == "ok"


@cell(*CCXT_ALL)
async def fetch_order_book(seat: Seat) -> None:
    for _ in range(8):  # what is on its way to the public feed may be missing
        async with seat.market.still():
            book = await seat.ask("fetch_order_book", PAIR, 50)
            truth = seat.market.book(50)
        if (lots(book["bids"]), lots(book["asks"])) == truth:
            return
    raise AssertionError((book, truth))


@cell(*CCXT_ALL)
async def fetch_ticker(seat: Seat) -> None:
    async with seat.market.still():
        ticker = await seat.ask("fetch_ticker", PAIR)
        view = seat.market.view
        prices = [trade.price / 100 for trade in view.trades]
        assert (ticker["bid"], ticker["ask"]) == (view.quote.bid / 100, view.quote.ask / 100)
        assert (ticker["open"], ticker["last"]) == (prices[0], prices[-1])
        assert (ticker["high"], ticker["low"]) == (max(prices), min(prices))
        assert ticker["baseVolume"] == sum(trade.quantity for trade in view.trades)
        assert near(ticker["change"], prices[-1] - prices[0])


@cell(*CCXT_ALL)
async def fetch_tickers(seat: Seat) -> None:
    async with seat.market.still():
        tickers = await seat.ask("fetch_tickers")
        assert set(tickers) == {PAIR, "XYZ/USD"}
        assert tickers[PAIR]["last"] == seat.market.view.last.price / 100


@cell(*CCXT_ALL)
async def fetch_last_prices(seat: Seat) -> None:
    async with seat.market.still():
        assert (await seat.ask("fetch_last_prices"))[PAIR]["price"] == seat.market.view.last.price / 100


@cell(*CCXT_ALL)
async def fetch_bids_asks(seat: Seat) -> None:
    async with seat.market.still():
        quote, found = seat.market.view.quote, (await seat.ask("fetch_bids_asks"))[PAIR]
        assert (found["bid"], found["bidVolume"]) == (quote.bid / 100, quote.bid_quantity)
        assert (found["ask"], found["askVolume"]) == (quote.ask / 100, quote.ask_quantity)


@cell(*CCXT_ALL)
async def fetch_trades(seat: Seat) -> None:
    async with seat.market.still():
        found = await seat.ask("fetch_trades", PAIR, None, 1000)
        truth = list(seat.market.view.trades)
        assert found[-1]["price"] == truth[-1].price / 100
        assert found[-1]["side"] == ("buy" if truth[-1].side is Side.BUY else "sell")
        if truth[0].number == int(found[0]["id"]):  # all of them
            assert sum(trade["amount"] for trade in found) == sum(trade.quantity for trade in truth)


@cell(*CCXT_ALL, method="fetch_ohlcv 1s")
async def fetch_ohlcv_of_seconds(seat: Seat) -> None:
    async with seat.market.still():
        found = await seat.ask("fetch_ohlcv", PAIR, "1s", None, 30)
        assert len(found) == 30
        assert found == seat.market.candles(1)[-30:]


@cell(*CCXT_ALL, method="fetch_ohlcv 1m, 5m, 1h, 1d")
async def fetch_ohlcv(seat: Seat) -> None:
    async with seat.market.still():
        for name, seconds in (("1m", 60), ("5m", 300), ("1h", 3600), ("1d", 86400)):
            assert await seat.ask("fetch_ohlcv", PAIR, name) == seat.market.candles(seconds)


# --- the account ---


@cell(*CCXT_ALL)
async def fetch_balance(seat: Seat) -> None:
    found = await seat.ask("fetch_balance")
    for asset in ("ABC", "USD", "XYZ"):
        assert (found[asset]["free"], found[asset]["used"]) == seat.account(asset)


@cell(*CCXT_ALL)
async def fetch_trading_fee(seat: Seat) -> None:
    fee = await seat.ask("fetch_trading_fee", PAIR)
    assert (fee["maker"], fee["taker"]) == (0.0001, 0.0002)


@cell(*CCXT_ALL)
async def fetch_trading_fees(seat: Seat) -> None:
    assert {fee["taker"] for fee in (await seat.ask("fetch_trading_fees")).values()} == {0.0002}


@cell(*CCXT_ALL)
async def fetch_deposit_withdraw_fees(seat: Seat) -> None:
    assert set(await seat.ask("fetch_deposit_withdraw_fees")) == {"ABC", "XYZ", "USD"}


# --- orders ---


async def _gone(seat: Seat, order: Any) -> None:
    canceled = await seat.ask("cancel_order", order["id"], PAIR)
    assert canceled["status"] == "canceled"
    assert seat.account("ABC")[1] == seat.account("USD")[1] == 0


async def _check_fill(seat: Seat, before: tuple[float, float], order: Any, sign: int) -> None:
    """A filled order moved the balances by what it says, and says what its trades say."""
    trades = order["trades"]
    assert order["status"] == "closed"
    assert order["filled"] == sum(trade["amount"] for trade in trades) > 0
    cost = sum(trade["amount"] * trade["price"] for trade in trades)
    assert near(order["cost"], cost)
    assert near(order["average"], cost / order["filled"])
    fee = sum(trade["fee"]["cost"] for trade in trades)
    assert near(fee, 0.0002 * cost, 1e-4)
    assert {trade["fee"]["currency"] for trade in trades} == {"USD"}
    balance = await seat.ask("fetch_balance")
    assert near(balance["ABC"]["total"] - before[0], sign * order["filled"])
    assert near(balance["USD"]["total"] - before[1], -sign * cost - fee, 1e-5)


async def _holds(seat: Seat) -> tuple[float, float]:
    balance = await seat.ask("fetch_balance")
    return balance["ABC"]["total"], balance["USD"]["total"]


@cell(*CCXT_ALL, method="create_order limit")
async def create_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5)
    assert (order["status"], order["price"], order["amount"]) == ("open", round(bid - 5, 2), 10)
    locked = 10 * round(bid - 5, 2)
    assert near(seat.account("USD")[1], locked * 1.0002, 1e-3)
    assert seat.record(order["id"]).order.price == round(100 * (bid - 5))
    await _gone(seat, order)


@cell(*CCXT_ALL, method="create_market_order")
async def create_market_order(seat: Seat) -> None:
    for side, sign in (("buy", 1), ("sell", -1)):
        before = await _holds(seat)
        order = await seat.ask("create_market_order", PAIR, side, 7)
        assert order["filled"] == 7
        await _check_fill(seat, before, order, sign)


@cell(*CCXT_ALL)
async def create_market_buy_order_with_cost(seat: Seat) -> None:
    before = await _holds(seat)
    order = await seat.ask("create_market_buy_order_with_cost", PAIR, 2000)
    assert 1800 < order["cost"] <= 2000
    await _check_fill(seat, before, order, 1)


@cell(*CCXT_ALL)
async def create_market_sell_order_with_cost(seat: Seat) -> None:
    before = await _holds(seat)
    order = await seat.ask("create_market_sell_order_with_cost", PAIR, 2000)
    assert 1800 < order["cost"] < 2010
    await _check_fill(seat, before, order, -1)


@cell(*CCXT_ALL)
async def create_post_only_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_post_only_order", PAIR, "limit", "buy", 3, bid - 1)
    assert (order["status"], order["postOnly"], order["type"]) == ("open", True, "limit")
    await _gone(seat, order)


@cell(*CCXT_ALL, method="create_order IOC")
async def create_order_ioc(seat: Seat) -> None:
    bid, ask = await seat.best()
    before = await _holds(seat)
    order = await seat.ask("create_order", PAIR, "limit", "buy", 3, ask + 2, {"timeInForce": "IOC"})
    await _check_fill(seat, before, order, 1)
    missed = await seat.ask("create_order", PAIR, "limit", "buy", 3, bid - 2, {"timeInForce": "IOC"})
    assert (missed["status"], missed["filled"]) == ("expired", 0)


@cell(*CCXT_ALL, method="create_order FOK")
async def create_order_fok(seat: Seat) -> None:
    _, ask = await seat.best()
    before = await _holds(seat)
    order = await seat.ask("create_order", PAIR, "limit", "buy", 3, ask + 2, {"timeInForce": "FOK"})
    assert order["filled"] == 3
    await _check_fill(seat, before, order, 1)
    missed = await seat.ask("create_order", PAIR, "limit", "buy", 5_000, ask + 0.5, {"timeInForce": "FOK"})
    assert (missed["status"], missed["filled"]) == ("expired", 0)


@cell(*CCXT_ALL)
async def create_stop_loss_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_stop_loss_order", PAIR, "market", "sell", 3, None, bid - 4)
    assert (order["status"], order["triggerPrice"]) == ("open", round(bid - 4, 2))
    assert seat.account("ABC")[1] == 3
    await _gone(seat, order)


@cell(*CCXT_ALL)
async def create_stop_limit_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_stop_limit_order", PAIR, "sell", 3, bid - 4.1, bid - 4)
    assert (order["price"], order["triggerPrice"]) == (round(bid - 4.1, 2), round(bid - 4, 2))
    await _gone(seat, order)


async def _pushed(seat: Seat, side: str, number: Any) -> Any:
    """Trade until an order is over, slowly enough for others to fill up the book."""
    while True:
        await seat.ask("create_market_order", PAIR, side, 60)
        found = await seat.ask("fetch_order", number, PAIR)
        if found["status"] != "open":
            return found
        await asyncio.sleep(0.05)


@cell(*CCXT_ALL, method="create_trigger_order that is triggered")
async def create_trigger_order(seat: Seat) -> None:
    before = await _holds(seat)
    while True:
        bid, _ = await seat.best()
        try:
            order = await seat.ask("create_trigger_order", PAIR, "market", "sell", 3, None, bid)
            break
        except Exception as error:  # noqa: BLE001 - the last trade was at the bid
            assert type(error).__name__ == "OrderImmediatelyFillable"  # noqa: PT017
            await seat.ask("create_market_order", PAIR, "buy", 5)  # now it was at the ask
    found = await _pushed(seat, "sell", order["id"])
    assert (found["status"], found["filled"]) == ("closed", 3)
    trades = await seat.ask("fetch_order_trades", order["id"], PAIR)
    assert near(found["average"], sum(t["price"] * t["amount"] for t in trades) / 3)
    assert (await _holds(seat))[0] < before[0]


@cell(*CCXT_ALL)
async def create_trailing_percent_order(seat: Seat) -> None:
    terms = (PAIR, "market", "sell", 3, None, 5.0, None, {"stopLossOrTakeProfit": "stopLoss"})
    order = await seat.ask("create_trailing_percent_order", *terms)
    assert order["status"] == "open"
    await _gone(seat, order)


@cell(*CCXT_ALL, method="create_order iceberg")
async def create_iceberg(seat: Seat) -> None:
    _, ask = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "sell", 30, ask + 4, {"icebergAmount": 5})
    assert order["info"]["icebergQty"] == "5.00000000"
    shown = seat.market.gateway.live.execution.world.core.order(int(order["id"]))
    assert (shown["leaves"], shown["reserve"]) == (5, 25)
    await _gone(seat, order)


@cell(*CCXT_ALL, method="create_order test")
async def create_test_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5, {"test": True})
    assert order["id"] is None
    assert await seat.ask("fetch_open_orders", PAIR) == []


@cell(*CCXT_ALL, error="InvalidOrder")
async def create_take_profit_order(seat: Seat) -> None:
    await seat.ask("create_take_profit_order", PAIR, "market", "sell", 3, None, 120)


@cell(*CCXT_ALL, error="NotSupported")
async def create_orders(seat: Seat) -> None:
    await seat.ask("create_orders", [{"symbol": PAIR, "type": "limit", "side": "buy", "amount": 1, "price": 90}])


@cell(*CCXT_ALL, method="private_post_orderlist_oco")
async def create_oco(seat: Seat) -> None:
    bid, ask = await seat.best()
    request = {"symbol": SYMBOL, "side": "SELL", "quantity": "4", "aboveType": "LIMIT_MAKER",
               "abovePrice": text(ask + 4), "belowType": "STOP_LOSS", "belowStopPrice": text(bid - 4)}  # fmt: skip
    made = await seat.ask("private_post_orderlist_oco", request)
    assert (made["contingencyType"], made["listOrderStatus"]) == ("OCO", "EXECUTING")
    assert {order["type"] for order in made["orderReports"]} == {"LIMIT_MAKER", "STOP_LOSS"}
    assert seat.account("ABC")[1] == 4  # once, not twice
    found = await seat.ask("private_get_orderlist", {"orderListId": made["orderListId"]})
    assert found["orders"] == made["orders"]
    ended = await seat.ask("private_delete_orderlist", {"symbol": SYMBOL, "orderListId": made["orderListId"]})
    assert {order["status"] for order in ended["orderReports"]} == {"CANCELED"}
    assert seat.account("ABC")[1] == 0


@cell(*CCXT_ALL, method="private_post_order_oco that trades")
async def create_old_oco(seat: Seat) -> None:
    bid, ask = await seat.best()
    request = {"symbol": SYMBOL, "side": "SELL", "quantity": "4", "price": text(ask),
               "stopPrice": text(bid - 4)}  # fmt: skip
    made = await seat.ask("private_post_order_oco", request)
    limit = next(order for order in made["orderReports"] if order["type"] == "LIMIT_MAKER")
    stop = next(order for order in made["orderReports"] if order["type"] == "STOP_LOSS")
    found = await _pushed(seat, "buy", limit["orderId"])
    assert found["filled"] == 4
    assert (await seat.ask("fetch_order", stop["orderId"], PAIR))["status"] == "expired"
    listed = await seat.ask("private_get_allorderlist")
    assert listed[-1]["listOrderStatus"] == "ALL_DONE"
    assert seat.account("ABC")[1] == 0


@cell(*CCXT_ALL)
async def edit_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5)
    edited = await seat.ask("edit_order", order["id"], PAIR, "limit", "buy", 8, bid - 6)
    assert (edited["price"], edited["amount"], edited["status"]) == (round(bid - 6, 2), 8, "open")
    assert (await seat.ask("fetch_order", order["id"], PAIR))["status"] == "canceled"
    await _gone(seat, edited)


@cell(*CCXT_ALL)
async def cancel_order(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5, {"clientOrderId": "mine"})
    assert order["clientOrderId"] == "mine"
    canceled = await seat.ask("cancel_order", None, PAIR, {"clientOrderId": "mine"})
    assert (canceled["id"], canceled["status"]) == (order["id"], "canceled")


@cell(*CCXT_ALL)
async def cancel_all_orders(seat: Seat) -> None:
    bid, _ = await seat.best()
    made = [await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5 - step) for step in range(3)]
    canceled = await seat.ask("cancel_all_orders", PAIR)
    assert {order["id"] for order in canceled} == {order["id"] for order in made}
    assert await seat.ask("fetch_open_orders", PAIR) == []


@cell(*CCXT_ALL, error="BadRequest")
async def cancel_orders(seat: Seat) -> None:
    await seat.ask("cancel_orders", ["1", "2"], PAIR)


@cell(*CCXT_ALL)
async def fetch_order(seat: Seat) -> None:
    order = await seat.ask("create_market_order", PAIR, "buy", 5)
    found = await seat.ask("fetch_order", order["id"], PAIR)
    for name in ("id", "clientOrderId", "side", "amount", "filled", "average", "cost", "status"):
        assert found[name] == order[name]


@cell(*CCXT_ALL)
async def fetch_open_orders(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5)
    (found,) = await seat.ask("fetch_open_orders", PAIR)
    assert (found["id"], found["remaining"]) == (order["id"], 10)
    await _gone(seat, order)


def _listing(method: str, status: set[str]) -> None:
    @cell(*CCXT_ALL, method=method)
    async def check(seat: Seat) -> None:
        found = await seat.ask(method, PAIR)
        assert {order["status"] for order in found} == status
        if method == "fetch_orders":
            records = seat.market.gateway.live.clients[seat.name].records()
            assert [order["id"] for order in found] == [str(record.number) for record in records]


_listing("fetch_orders", {"closed", "canceled", "expired"})
_listing("fetch_closed_orders", {"closed"})
_listing("fetch_canceled_orders", {"canceled"})
_listing("fetch_canceled_and_closed_orders", {"canceled", "closed"})


@cell(*CCXT_ALL)
async def fetch_my_trades(seat: Seat) -> None:
    found = await seat.ask("fetch_my_trades", PAIR, None, 1000)
    truth = list(seat.market.gateway.live.clients[seat.name].fills())
    assert sorted((int(trade["id"]), trade["price"], trade["amount"], trade["order"]) for trade in found) == [
        (fill.number, fill.price / 100, fill.quantity, str(fill.record.number)) for fill in truth
    ]
    assert {trade["takerOrMaker"] for trade in found} >= {"taker"}
    assert near(sum(trade["fee"]["cost"] for trade in found), float(sum(fill.fee for fill in truth)))


@cell(*CCXT_ALL)
async def fetch_order_trades(seat: Seat) -> None:
    order = await seat.ask("create_market_order", PAIR, "buy", 5)
    found = await seat.ask("fetch_order_trades", order["id"], PAIR)
    assert sum(trade["amount"] for trade in found) == 5
    assert {trade["order"] for trade in found} == {order["id"]}


def _refused(method: str, error: str, *arguments: Any, client: tuple[str, ...] = CCXT_ALL) -> None:
    @cell(*client, method=method, error=error)
    async def check(seat: Seat) -> None:
        await seat.ask(method, *arguments)


for _name in ("fetch_deposits", "fetch_withdrawals", "fetch_transfers"):
    _refused(_name, "ExchangeError", "USD")
_refused("fetch_deposit_address", "ExchangeError", "USD")
_refused("transfer", "ExchangeError", "USD", 1, "spot", "funding")
_refused("withdraw", "ExchangeError", "USD", 1, "nowhere")
_refused("fetch_convert_currencies", "ExchangeError")
_refused("fetch_ledger", "NotSupported", "USD")
_refused("fetch_funding_rate", "NotSupported", PAIR)

# --- streams ---


async def _until(seat: Seat, method: str, *arguments: Any, holds: Callable[[Any], bool]) -> Any:
    """Watch until something holds."""
    for _ in range(100):
        found = await asyncio.wait_for(seat.ask(method, *arguments), 10)
        if holds(found):
            return found
    raise AssertionError(found)


async def _check_book(seat: Seat, book: Any) -> None:
    """A watched book is the market's, every level of it."""
    async with seat.market.still(0.25):
        view = seat.market.view
        assert book["nonce"] == view.book.sequence + 1
        assert dict(lots(book["bids"])) == side_of(view, Side.BUY)
        assert dict(lots(book["asks"])) == side_of(view, Side.SELL)


@cell(CCXT_PRO)
async def watch_order_book(seat: Seat) -> None:
    for _ in range(5):
        book = await seat.ask("watch_order_book", PAIR)
    await _check_book(seat, book)
    await seat.ask("un_watch_order_book", PAIR)  # ccxt mixes up a book that it watches on two connections


@cell(CCXT_PRO)
async def watch_order_book_for_symbols(seat: Seat) -> None:
    seen: dict[str, Any] = {}
    while len(seen) < 2:
        book = await seat.ask("watch_order_book_for_symbols", [PAIR, "XYZ/USD"])
        seen[book["symbol"]] = book
    await _check_book(seat, seen[PAIR])
    await seat.ask("un_watch_order_book_for_symbols", [PAIR, "XYZ/USD"])


def _same_trades(seat: Seat, found: Any) -> bool:
    truth = {trade.number: trade for trade in seat.market.view.trades}
    return bool(found) and all(
        (trade["price"], trade["amount"]) == (truth[int(trade["id"])].price / 100, truth[int(trade["id"])].quantity)
        for trade in found
        if trade["symbol"] == PAIR
    )


@cell(CCXT_PRO)
async def watch_trades(seat: Seat) -> None:
    assert _same_trades(seat, await seat.ask("watch_trades", PAIR))


@cell(CCXT_PRO)
async def watch_trades_for_symbols(seat: Seat) -> None:
    assert _same_trades(seat, await seat.ask("watch_trades_for_symbols", [PAIR, "XYZ/USD"]))


@cell(CCXT_PRO)
async def watch_ticker(seat: Seat) -> None:
    def true(ticker: Any) -> bool:
        prices = {trade.price / 100 for trade in seat.market.view.trades}
        return ticker["last"] in prices and ticker["open"] == seat.market.view.trades[0].price / 100

    await _until(seat, "watch_ticker", PAIR, holds=true)


@cell(CCXT_PRO)
async def watch_tickers(seat: Seat) -> None:
    seen: set[str] = set()
    while len(seen) < 2:
        seen |= set(await seat.ask("watch_tickers", [PAIR, "XYZ/USD"]))


@cell(CCXT_PRO)
async def watch_bids_asks(seat: Seat) -> None:
    for _ in range(3):
        found = await seat.ask("watch_bids_asks", [PAIR])
    assert 0 < found[PAIR]["bid"] < found[PAIR]["ask"]
    assert found[PAIR]["bidVolume"] > 0


@cell(CCXT_PRO)
async def watch_ohlcv(seat: Seat) -> None:
    def true(bars: Any) -> bool:
        truth = {bar[0]: bar for bar in seat.market.candles(60)}
        bar = truth.get(bars[-1][0])
        return bar is not None and bar[1] == bars[-1][1] and bar[5] >= bars[-1][5] > 0

    await _until(seat, "watch_ohlcv", PAIR, "1m", holds=true)


@cell(CCXT_PRO)
async def watch_ohlcv_for_symbols(seat: Seat) -> None:
    found = await seat.ask("watch_ohlcv_for_symbols", [[PAIR, "1m"], ["XYZ/USD", "5m"]])
    assert set(found) <= {PAIR, "XYZ/USD"}
    assert found


def _unwatched(method: str, *arguments: Any) -> None:
    @cell(CCXT_PRO, method=method)
    async def check(seat: Seat) -> None:
        if "order_book" in method:  # the others are still watched
            await asyncio.wait_for(seat.ask(method.removeprefix("un_"), *arguments), 10)
        assert await asyncio.wait_for(seat.ask(method, *arguments), 5) is True


_unwatched("un_watch_order_book", PAIR)
_unwatched("un_watch_order_book_for_symbols", [PAIR, "XYZ/USD"])
_unwatched("un_watch_trades", PAIR)
_unwatched("un_watch_trades_for_symbols", [PAIR, "XYZ/USD"])
_unwatched("un_watch_ticker", PAIR)
_unwatched("un_watch_tickers", [PAIR, "XYZ/USD"])
_unwatched("un_watch_bids_asks", [PAIR])
_unwatched("un_watch_ohlcv", PAIR, "1m")
_unwatched("un_watch_ohlcv_for_symbols", [[PAIR, "1m"], ["XYZ/USD", "5m"]])
_refused("watch_mark_price", "NotSupported", PAIR, client=(CCXT_PRO,))


async def _watching(seat: Seat, method: str, *arguments: Any) -> asyncio.Task[Any]:
    """Begin to watch one's own account, and be sure that it has begun."""
    task = asyncio.ensure_future(seat.ask(method, *arguments))
    for _ in range(200):
        if seat.market.gateway.exchange.audience.anyone(seat.name):
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)
    return task


@cell(CCXT_PRO)
async def watch_orders(seat: Seat) -> None:
    bid, _ = await seat.best()
    watching = await _watching(seat, "watch_orders", PAIR)
    made = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5)
    assert [(order["id"], order["status"]) for order in await watching] == [(made["id"], "open")]
    watching = await _watching(seat, "watch_orders", PAIR)
    await seat.ask("cancel_order", made["id"], PAIR)
    assert (made["id"], "canceled") in [(order["id"], order["status"]) for order in await watching]


@cell(CCXT_PRO)
async def watch_balance(seat: Seat) -> None:
    before = await _holds(seat)
    watching = await _watching(seat, "watch_balance")
    order = await seat.ask("create_market_order", PAIR, "buy", 4)
    found = await watching
    while found["ABC"]["total"] != before[0] + 4:  # of several events the client gives the first, and keeps the latest
        await asyncio.sleep(0.01)
        found = seat.client.balance["spot"]
    assert near(found["USD"]["total"], before[1] - order["cost"] - order["fee"]["cost"], 1e-5)


@cell(CCXT_PRO)
async def watch_my_trades(seat: Seat) -> None:
    watching = await _watching(seat, "watch_my_trades", PAIR)
    order = await seat.ask("create_market_order", PAIR, "buy", 2)
    found = [trade for trade in await watching if trade["order"] == order["id"]]
    assert found
    assert found[0]["price"] == order["trades"][0]["price"]
    assert found[0]["fee"]["currency"] == "USD"


# --- requests over the WebSocket API ---


@cell(CCXT_PRO, method="create_order_ws limit")
async def create_order_ws(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order_ws", PAIR, "limit", "buy", 10, bid - 5)
    assert (order["status"], order["price"]) == ("open", round(bid - 5, 2))
    canceled = await seat.ask("cancel_order_ws", order["id"], PAIR)
    assert canceled["status"] == "canceled"


@cell(CCXT_PRO)
async def create_market_order_ws(seat: Seat) -> None:
    before = await _holds(seat)
    order = await seat.ask("create_market_order_ws", PAIR, "sell", 7)
    await _check_fill(seat, before, order, -1)


@cell(CCXT_PRO, method="create_order_ws LIMIT_MAKER")
async def create_order_ws_post_only(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order_ws", PAIR, "LIMIT_MAKER", "buy", 10, bid - 5)
    assert order["postOnly"]
    await _gone(seat, order)


@cell(CCXT_PRO)
async def edit_order_ws(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order_ws", PAIR, "limit", "buy", 10, bid - 5)
    edited = await seat.ask("edit_order_ws", order["id"], PAIR, "limit", "buy", 9, bid - 6)
    assert (edited["price"], edited["amount"]) == (round(bid - 6, 2), 9)
    await _gone(seat, edited)


@cell(CCXT_PRO)
async def cancel_order_ws(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order_ws", PAIR, "limit", "buy", 10, bid - 5)
    assert (await seat.ask("cancel_order_ws", order["id"], PAIR))["status"] == "canceled"


@cell(CCXT_PRO)
async def cancel_all_orders_ws(seat: Seat) -> None:
    bid, _ = await seat.best()
    made = [await seat.ask("create_order_ws", PAIR, "limit", "buy", 10, bid - 5 - step) for step in range(2)]
    canceled = await seat.ask("cancel_all_orders_ws", PAIR)
    assert {order["id"] for order in canceled} == {order["id"] for order in made}


@cell(CCXT_PRO)
async def fetch_order_ws(seat: Seat) -> None:
    order = await seat.ask("create_market_order", PAIR, "buy", 2)
    found = await seat.ask("fetch_order_ws", order["id"], PAIR)
    assert (found["status"], found["average"]) == ("closed", order["average"])


@cell(CCXT_PRO)
async def fetch_open_orders_ws(seat: Seat) -> None:
    bid, _ = await seat.best()
    order = await seat.ask("create_order", PAIR, "limit", "buy", 10, bid - 5)
    assert [found["id"] for found in await seat.ask("fetch_open_orders_ws", PAIR)] == [order["id"]]
    await _gone(seat, order)


def _like(method: str, other: str) -> None:
    """The answer over the WebSocket API is that over HTTP."""

    @cell(CCXT_PRO, method=method)
    async def check(seat: Seat) -> None:
        over_socket, over_http = await seat.ask(method, PAIR), await seat.ask(other, PAIR)
        assert [each["id"] for each in over_socket] == [each["id"] for each in over_http]
        assert over_socket


_like("fetch_orders_ws", "fetch_orders")
_like("fetch_closed_orders_ws", "fetch_closed_orders")
_like("fetch_my_trades_ws", "fetch_my_trades")


@cell(CCXT_PRO)
async def fetch_balance_ws(seat: Seat) -> None:
    found = {entry["asset"]: entry for entry in (await seat.ask("fetch_balance_ws"))["info"]["balances"]}
    assert (float(found["USD"]["free"]), float(found["USD"]["locked"])) == seat.account("USD")  # ccxt parses no more


@cell(CCXT_PRO)
async def fetch_trades_ws(seat: Seat) -> None:
    async with seat.market.still():
        found = await seat.ask("fetch_trades_ws", PAIR)
        assert int(found[-1]["id"]) == seat.market.view.last.number


@cell(CCXT_PRO)
async def fetch_ohlcv_ws(seat: Seat) -> None:
    async with seat.market.still():
        assert await seat.ask("fetch_ohlcv_ws", PAIR, "1m") == seat.market.candles(60)


_refused("fetch_order_book_ws", "BadRequest", PAIR, client=(CCXT_PRO,))
_refused("fetch_ticker_ws", "BadRequest", PAIR, client=(CCXT_PRO,))
