"""A market maker of fifty lines with plain ccxt, on a simulated exchange that reacts to it.

python3 examples/12_ccxt_bot.py [SECONDS] [SPEED] [FOLDER]
"""

import sys
import time
from contextlib import suppress
from typing import Any

import ccxt

import marketsim as ms

PAIR, QUANTITY, MOST = "ABC/USD", 40, 400


def main(seconds: str = "20", speed: str = "10", folder: str = "out/ccxt_bot") -> None:
    """Serve the quickstart's market, let the bot trade on it for some seconds, and say what it earned."""
    with ms.gateway.running("quickstart", folder, speed=float(speed), clients=["bot"]) as market:
        exchange = ccxt.binance(market.ccxt_config("bot"))  # for any other account only this line changes
        exchange.load_markets()
        began = worth(exchange)
        home = exchange.fetch_balance()["ABC"]["total"]
        until = time.monotonic() + float(seconds)
        while time.monotonic() < until:
            quote(exchange, home)
            time.sleep(0.25)  # the venue takes 100 orders in ten seconds
        close(exchange, home)
        fills = exchange.fetch_my_trades(PAIR, limit=1000)
        made = sum(trade["takerOrMaker"] == "maker" for trade in fills)
        fees = sum(trade["fee"]["cost"] for trade in fills)
        print(f"{len(fills)} fills, {made} of them as maker; fees {fees:+.2f} USD")
        print(
            f"earned {worth(exchange, home) - began:+.2f} USD on {exchange.fetch_ticker(PAIR)['baseVolume']:.0f} traded"
        )
        exchange.session.close()


def quote(exchange: Any, home: float) -> None:
    """Two post-only orders a tick behind the best prices, moved against what is held; those of before go."""
    with suppress(ccxt.OrderNotFound):  # nothing is open, or both have traded meanwhile
        exchange.cancel_all_orders(PAIR)
    book, held = exchange.fetch_order_book(PAIR, 5), exchange.fetch_balance()["ABC"]["total"] - home
    lean = 0.01 * round(3 * held / MOST)
    for side, price in (
        ("buy", book["bids"][0][0] - max(lean, 0) - 0.01),
        ("sell", book["asks"][0][0] - min(lean, 0) + 0.01),
    ):
        if abs(held) < MOST or (side == "sell") == (held > 0):
            with suppress(ccxt.OrderImmediatelyFillable):  # the market has moved on
                exchange.create_post_only_order(PAIR, "limit", side, QUANTITY, price)


def close(exchange: Any, home: float) -> None:
    """Cancel everything and trade what is left at the market."""
    with suppress(ccxt.OrderNotFound):
        exchange.cancel_all_orders(PAIR)
    left = exchange.fetch_balance()["ABC"]["total"] - home
    if left:
        exchange.create_market_order(PAIR, "sell" if left > 0 else "buy", abs(left))


def worth(exchange: Any, home: float | None = None) -> float:
    """What the account holds in USD; of ABC only what it holds beyond the beginning."""
    balance = exchange.fetch_balance()
    return balance["USD"]["total"] + (0 if home is None else balance["ABC"]["total"] - home) * 100


if __name__ == "__main__":
    main(*sys.argv[1:])
