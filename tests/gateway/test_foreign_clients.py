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
            await seats[ASYNC_CLIENT].client.close_connection()
            await seats[SOCKETS].client.close_connection()
            seats[CCXT].client.session.close()
            await asyncio.get_running_loop().run_in_executor(other, client.close_connection)


def test_every_cell_is_passed_or_refused_in_the_venues_words_and_nothing_else_is_asked(gateway: Gateway) -> None:
    async def all_of_them() -> list[foreign.Outcome]:
        async with seated(gateway) as seats:
            return await foreign.run(next(iter(seats.values())).market, seats, CELLS)

    fence = Fence(gateway.socket.getsockname()[1])
    with fence.up():
        outcomes = asyncio.run(all_of_them())
    failed = [f"{each.cell.client} {each.cell.method}\n{each.failure}" for each in outcomes if each.failure]
    assert not failed, f"{len(failed)} of {len(outcomes)} cells failed\n\n" + "\n".join(failed)
    assert len(outcomes) == len(CELLS) > 300
    assert fence.tried == []


def test_the_page_shows_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/gateway/clients_page.py writes it anew"
