"""The matrix of foreign clients against a served market, the addresses they ask, and the errors they raise.

The clients are the real ones, unmodified, with the settings of ``marketsim.gateway.clients`` and nothing else.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt")
pytest.importorskip("ccxt.pro")
binance = pytest.importorskip("binance")
pytest.importorskip("uvicorn")

import binance_cells  # noqa: E402
import ccxt_cells  # noqa: E402
import foreign_clients as foreign  # noqa: E402
from clients_page import PAGE, page  # noqa: E402
from foreign_clients import (  # noqa: E402
    ASYNC_CLIENT,
    CCXT,
    CCXT_ASYNC,
    CCXT_PRO,
    CELLS,
    CLIENT,
    SEATS,
    SOCKETS,
    Fence,
    Market,
    Seat,
)

from marketsim.errors import InvalidValueError  # noqa: E402
from marketsim.gateway import (  # noqa: E402
    binance_socket_settings,
    ccxt_config,
    freqtrade_config,
    parse_rules,
    point_python_binance,
)
from marketsim.gateway.server import Gateway, Options, background, prepare  # noqa: E402
from marketsim.scenario import loader  # noqa: E402

assert ccxt_cells
assert binance_cells
SPARE = ("errors", "greedy")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "small.yaml").write_text(foreign.MARKET, encoding="utf-8")
    options = Options(
        port=0,
        speed=3.0,
        clients=(*SEATS.values(), *SPARE),
        rules=parse_rules("REQUEST_WEIGHT=off RAW_REQUESTS=off ORDERS=300/10s"),
    )
    with background(prepare(loader.check(str(folder / "small.yaml"), []), folder / "run", options)) as served:
        yield served


@asynccontextmanager
async def seated(gateway: Gateway) -> AsyncIterator[dict[str, Seat]]:
    """All clients, each at its seat."""
    import ccxt.async_support
    import ccxt.pro

    market = Market(gateway)
    url, keys = gateway.url, {name: (key.api_key, key.secret) for name, key in gateway.fresh.items()}
    classes = {CCXT: ccxt.binance, CCXT_ASYNC: ccxt.async_support.binance, CCXT_PRO: ccxt.pro.binance}
    seats = {
        name: Seat(cls(ccxt_config(url, *keys[SEATS[name]])), SEATS[name], market) for name, cls in classes.items()
    }
    for name in (ASYNC_CLIENT, SOCKETS):
        client = point_python_binance(binance.AsyncClient(*keys[SEATS[name]]), url)
        seats[name] = Seat(client, SEATS[name], market)
    seats[SOCKETS].sockets = manager = binance.BinanceSocketManager(seats[SOCKETS].client)
    for attribute, value in binance_socket_settings(url).items():
        setattr(manager, attribute, value)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        seats[CCXT].thread = one
        seats[CLIENT] = Seat(None, SEATS[CLIENT], market, other)

        def make() -> Any:
            return point_python_binance(binance.Client(*keys[SEATS[CLIENT]], ping=False), url)

        seats[CLIENT].client = client = await asyncio.get_running_loop().run_in_executor(other, make)
        try:
            yield seats
        finally:
            await seats[CCXT_ASYNC].client.close()
            await seats[CCXT_PRO].client.close()
            for name in (ASYNC_CLIENT, SOCKETS):
                await _stop_reading(seats[name].client)
                await seats[name].client.close_connection()
            seats[CCXT].client.session.close()
            await asyncio.get_running_loop().run_in_executor(other, _end, client)


async def _stop_reading(client: Any) -> None:
    """End the reading of the WebSocket API at once; left to itself the client waits ten seconds for a message."""
    reading = [task for task in asyncio.all_tasks() if "_read_loop" in repr(task.get_coro())]
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    client.ws_api._handle_read_loop = None


def _end(client: Any) -> None:
    """The sync client keeps a loop for its WebSocket API, which it leaves open."""
    loop = client.loop
    loop.run_until_complete(_stop_reading(client))
    loop.run_until_complete(client.ws_api.close())
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
    client.close_connection()


def _run(gateway: Gateway, cells: list[foreign.Cell]) -> None:
    """All cells are passed or refused in the venue's words, and nothing else was asked."""

    async def all_of_them() -> list[foreign.Outcome]:
        async with seated(gateway) as seats:
            return await foreign.run(next(iter(seats.values())).market, seats, cells)

    fence = Fence(gateway.socket.getsockname()[1])
    with fence.up():
        outcomes = asyncio.run(all_of_them())
    failed = [f"{each.cell.client} {each.cell.method}\n{each.failure}" for each in outcomes if each.failure]
    assert not failed, f"{len(failed)} of {len(outcomes)} cells failed\n\n" + "\n".join(failed)
    assert len(outcomes) == len(cells)
    assert fence.tried == []


def test_every_method_works_or_is_refused_in_the_venues_words(gateway: Gateway) -> None:
    cells = foreign.sample()
    assert {one.client for one in cells} == set(foreign.COLUMNS)
    assert {one.method for one in cells} == {one.method for one in CELLS}
    _run(gateway, cells)


@pytest.mark.slow
def test_every_method_works_with_every_client(gateway: Gateway) -> None:
    assert len(CELLS) >= 400
    _run(gateway, CELLS)


@pytest.mark.slow
def test_an_order_of_a_list_is_canceled_when_both_have_ended(tmp_path: Path) -> None:
    market = foreign.MARKET.replace(
        "{type: lognormal, median: 300us, sigma: 0.4, minimum: 50us}", "{type: uniform, low: 1ms, high: 600ms}"
    )
    assert "600ms" in market
    (tmp_path / "slow.yaml").write_text(market, encoding="utf-8")
    options = Options(port=0, speed=1.0, clients=("one",))
    with background(prepare(loader.check(str(tmp_path / "slow.yaml"), []), tmp_path / "run", options)) as served:
        key = served.fresh["one"]
        client = ccxt.binance(ccxt_config(served.url, key.api_key, key.secret))
        records = served.live.clients["one"]
        terms = {"symbol": "ABCUSD", "side": "SELL", "quantity": "4", "aboveType": "LIMIT_MAKER", "abovePrice": "130",
                 "belowType": "STOP_LOSS", "belowStopPrice": "70"}  # fmt: skip
        for turn in range(6):  # the two reports of the end come up to 600 ms apart, in either order
            made = client.private_post_orderlist_oco(terms)
            number = made["orders"][turn % 2]["orderId"]
            assert client.private_delete_order({"symbol": "ABCUSD", "orderId": number})["status"] == "CANCELED"
            assert not any(records.by_number(int(order["orderId"])).live for order in made["orders"])
        client.session.close()


def test_the_page_shows_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/gateway/clients_page.py writes it anew"


# --- the settings ---


def _addresses(value: Any, seen: set[int]) -> Iterator[str]:
    """All addresses in what a client holds."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, str):
        if "://" in value:
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _addresses(each, seen)
    elif isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _addresses(each, seen)


@pytest.mark.parametrize("kind", ["binance", "async_support", "pro"])
def test_no_address_of_the_real_venue_is_left_in_ccxt(kind: str) -> None:
    module = ccxt if kind == "binance" else __import__(f"ccxt.{kind}", fromlist=["binance"])
    for settings in (ccxt_config("http://127.0.0.1:1"), freqtrade_config("http://127.0.0.1:1")["ccxt_config"]):
        client = module.binance(settings)
        for switch in ("", "set_sandbox_mode", "enable_demo_trading"):
            if switch:
                getattr(client, switch)(True)
            found = [*_addresses(client.urls, set()), *_addresses(client.options, set())]
            assert len(found) > 30
            assert {url.partition("://")[2].partition("/")[0] for url in found} == {"127.0.0.1:1"}
            if switch:
                getattr(client, switch)(False)


def test_no_address_of_the_real_venue_is_left_in_python_binance() -> None:
    async def addresses() -> list[str]:
        client = point_python_binance(binance.AsyncClient(), "http://127.0.0.1:1")
        manager = binance.BinanceSocketManager(client)
        for attribute, value in binance_socket_settings("http://127.0.0.1:1").items():
            assert hasattr(manager, attribute)
            setattr(manager, attribute, value)
        found = []
        for one in (client, client.ws_api, client.ws_future, manager):
            held = {name: getattr(one, name) for name in dir(one) if name.endswith(("URL", "_url"))}
            found += list(_addresses(held, set()))
        await client.close_connection()
        return found

    found = asyncio.run(addresses())
    assert len(found) > 30
    assert {url.partition("://")[2].partition("/")[0] for url in found} == {"127.0.0.1:1"}


def test_an_address_that_is_none_is_refused_with_the_repair() -> None:
    for settings in (ccxt_config, freqtrade_config, binance_socket_settings):
        with pytest.raises(InvalidValueError, match=r"write http://127\.0\.0\.1:8080"):
            settings("127.0.0.1:8080")


def test_the_fence_keeps_and_tells() -> None:
    fence = Fence(1)
    client = ccxt.binance()  # as it comes, it asks the real venue
    with fence.up():
        with pytest.raises(ccxt.NetworkError):
            client.fetch_time()
        with pytest.raises(OSError, match="fence"), socket.socket() as plain:
            plain.connect(("192.0.2.1", 80))
    client.session.close()
    assert "api.binance.com:443" in fence.tried
    assert "192.0.2.1:80" in fence.tried


# --- errors ---

REAL = {  # what the real venue says, by its documentation: number, text, HTTP status
    "funds": (-2010, "Account has insufficient balance for requested action.", 400),
    "take": (-2010, "Order would immediately match and take.", 400),
    "trigger": (-2010, "Stop price would trigger immediately.", 400),
    "duplicate": (-2010, "Duplicate order sent.", 400),
    "relation": (-2010, "The relationship of the prices for the orders is not correct.", 400),
    "unknown cancel": (-2011, "Unknown order sent.", 400),
    "unknown order": (-2013, "Order does not exist.", 400),
    "lot": (-1013, "Filter failure: LOT_SIZE", 400),
    "price": (-1013, "Filter failure: PRICE_FILTER", 400),
    "notional": (-1013, "Filter failure: NOTIONAL", 400),
    "late": (-1021, "Timestamp for this request is outside of the recvWindow.", 400),
    "ahead": (-1021, "Timestamp for this request was 1000ms ahead of the server's time.", 400),
    "signature": (-1022, "Signature for this request is not valid.", 400),
    "format": (-2014, "API-key format invalid.", 401),
    "key": (-2015, "Invalid API-key, IP, or permissions for action.", 401),
    "symbol": (-1121, "Invalid symbol.", 400),
    "type": (-1116, "Invalid orderType.", 400),
    "side": (-1117, "Invalid side.", 400),
    "interval": (-1120, "Invalid interval.", 400),
    "precision": (-1111, "Parameter 'quantity' has too much precision.", 400),
    "missing": (-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.", 400),
    "orders": (-1015, "Too many new orders; current limit is 300 orders per 10 SECOND.", 429),
}
_ORDER = {"symbol": "ABCUSD", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "90"}


def _order(**words: Any) -> dict[str, Any]:
    return {name: value for name, value in {**_ORDER, **words}.items() if value is not None}


def _real_class(case: str) -> type[Exception]:
    """What ccxt raises when the real venue says it."""
    code, said, status = REAL[case]
    body = {"code": code, "msg": said}
    client = ccxt.binance()
    try:
        client.handle_errors(
            status, "", "https://api.binance.com/api/v3/order", "POST", {}, client.json(body), body, {}, None
        )
    except ccxt.BaseError as error:
        return type(error)
    raise AssertionError(case)


@pytest.fixture
def errors(gateway: Gateway) -> Iterator[tuple[Any, Any]]:
    """Both sync clients at one seat."""
    key = gateway.fresh["errors"]
    one = ccxt.binance(ccxt_config(gateway.url, key.api_key, key.secret))
    one.load_markets()
    yield one, (key.api_key, key.secret)
    one.session.close()


def _raise(client: Any, case: str) -> None:
    """Do what is refused, with ccxt."""
    place = client.private_post_order
    asks: dict[str, Any] = {
        "funds": lambda: client.create_order("ABC/USD", "limit", "buy", 1e8, 90),
        "take": lambda: client.create_order("ABC/USD", "limit", "buy", 1, 150, {"postOnly": True}),
        "trigger": lambda: client.create_stop_loss_order("ABC/USD", "market", "sell", 1, None, 150),
        "duplicate": lambda: (
            [client.create_order("ABC/USD", "limit", "buy", 1, 90, {"clientOrderId": "twin"})] * 2
            and client.create_order("ABC/USD", "limit", "buy", 1, 90, {"clientOrderId": "twin"})
        ),
        "relation": lambda: client.private_post_order_oco(
            {"symbol": "ABCUSD", "side": "SELL", "quantity": "1", "price": "90", "stopPrice": "95"}
        ),
        "unknown cancel": lambda: client.cancel_order("999999999", "ABC/USD"),
        "unknown order": lambda: client.fetch_order("999999999", "ABC/USD"),
        "lot": lambda: place(_order(quantity="1.5")),
        "price": lambda: place(_order(price="90.005")),
        "notional": lambda: place(_order(price="1")),
        "late": lambda: client.private_get_account({"timestamp": client.milliseconds() - 60_000}),
        "ahead": lambda: client.private_get_account({"timestamp": client.milliseconds() + 60_000}),
        "symbol": lambda: client.public_get_depth({"symbol": "NONEUSD"}),
        "type": lambda: place(_order(type="GUESS")),
        "side": lambda: place(_order(side="BOTH")),
        "interval": lambda: client.public_get_klines({"symbol": "ABCUSD", "interval": "7m"}),
        "precision": lambda: place(_order(quantity="1.000000001")),
        "missing": lambda: place(_order(price=None)),
    }
    asks[case]()


CASES = ["funds", "take", "trigger", "duplicate", "relation", "unknown cancel", "unknown order", "lot", "price",
         "notional", "late", "ahead", "symbol", "type", "side", "interval", "precision", "missing"]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusals_raise_in_ccxt_what_the_real_venues_words_would(errors: tuple[Any, Any], case: str) -> None:
    client, _ = errors
    with pytest.raises(_real_class(case)) as caught:
        _raise(client, case)
    assert caught.type is _real_class(case)
    assert REAL[case][1].rstrip(".") in str(caught.value) or str(REAL[case][0]) in str(caught.value)
    if case == "duplicate":
        client.cancel_all_orders("ABC/USD")


def test_classes_that_bots_rely_on() -> None:
    classes = {case: _real_class(case).__name__ for case in REAL}
    assert classes | {
        "funds": "InsufficientFunds", "take": "OrderImmediatelyFillable", "trigger": "OrderImmediatelyFillable",
        "unknown cancel": "OrderNotFound", "unknown order": "OrderNotFound", "lot": "InvalidOrder",
        "price": "InvalidOrder", "notional": "BadRequest", "late": "InvalidNonce", "signature": "AuthenticationError",
        "format": "AuthenticationError", "key": "AuthenticationError", "symbol": "BadSymbol",
        "orders": "DDoSProtection", "relation": "InvalidOrder", "duplicate": "InvalidOrder",
    } == classes  # fmt: skip


def test_who_may_not_sign(gateway: Gateway, errors: tuple[Any, Any]) -> None:
    _, (api_key, secret) = errors
    for case, keys in (
        ("signature", (api_key, "s" * 64)),
        ("key", ("k" * 64, secret)),
        ("format", ("short", secret)),
    ):
        client = ccxt.binance(ccxt_config(gateway.url, *keys))
        with pytest.raises(_real_class(case), match=str(REAL[case][0])):
            client.private_get_account()
        client.session.close()
        other = point_python_binance(binance.Client(*keys, ping=False), gateway.url)
        with pytest.raises(binance.BinanceAPIException) as caught:
            other.get_account()
        assert (caught.value.code, caught.value.message, caught.value.status_code) == REAL[case]
        other.loop.close()
        other.close_connection()


def test_refusals_in_python_binance_have_the_real_numbers(gateway: Gateway, errors: tuple[Any, Any]) -> None:
    _, keys = errors
    client = point_python_binance(binance.Client(*keys, ping=False), gateway.url)
    asks: dict[str, Any] = {
        "funds": lambda: client.create_order(**_order(quantity="99999999")),
        "take": lambda: client.create_order(**_order(type="LIMIT_MAKER", timeInForce=None, price="150")),
        "lot": lambda: client.create_order(**_order(quantity="1.5")),
        "price": lambda: client.create_order(**_order(price="90.005")),
        "notional": lambda: client.create_order(**_order(price="1")),
        "unknown cancel": lambda: client.cancel_order(symbol="ABCUSD", orderId=999_999_999),
        "unknown order": lambda: client.get_order(symbol="ABCUSD", orderId=999_999_999),
        "symbol": lambda: client.get_order_book(symbol="NONEUSD"),
        "type": lambda: client.create_order(**_order(type="GUESS")),
    }
    for case, ask in asks.items():
        with pytest.raises(binance.BinanceAPIException) as caught:
            ask()
        code, said, status = REAL[case]
        assert (caught.value.code, caught.value.status_code) == (code, status), case
        assert caught.value.message.startswith(said.rstrip(".")), case
    client.loop.close()
    client.close_connection()


def test_too_many_orders_are_refused_as_the_real_venue_refuses_them(gateway: Gateway) -> None:
    key = gateway.fresh["greedy"]
    client = ccxt.binance(ccxt_config(gateway.url, key.api_key, key.secret))
    now = gateway.exchange.clock()
    while gateway.exchange.quota.spend("ORDERS", "greedy", 1, now).ok:  # as if they had been sent
        pass
    with pytest.raises(ccxt.DDoSProtection, match="-1015") as caught:
        client.private_post_order(_order())
    assert caught.type is _real_class("orders")
    assert client.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "300"
    client.session.close()
