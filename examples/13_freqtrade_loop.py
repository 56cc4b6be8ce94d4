"""The loop of a trading bot in the manner of freqtrade's worker, with plain ccxt, on a simulated exchange.

python3 examples/13_freqtrade_loop.py [SECONDS] [SPEED] [FOLDER]

Each turn polls candles, computes a signal, and keeps one trade at a time: a limit order to enter that is given up when
it does not fill, a stop loss at the exchange while the trade is open, and an exit on the signal. Who has freqtrade
itself puts what ``freqtrade_config`` answers into its configuration, under ``exchange``.
"""

import json
import sys
import time
from contextlib import suppress
from typing import Any

import ccxt

import marketsim as ms
from marketsim.gateway import freqtrade_config

PAIR, TIMEFRAME, STAKE = "ABC/USD", "1s", 5_000.0
FAST, SLOW, STOP_LOSS, UNFILLED = 5, 20, 0.0005, 5_000  # candles, share of the price, simulated ms
PATIENCE = 0.1  # wall seconds between two turns


class Worker:
    """One pair, one trade at a time."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.entry: Any = None  # the order to enter, open or filled
        self.stop: Any = None  # the stop loss at the exchange
        self.done: list[tuple[float, str]] = []  # what each trade made, and why it ended

    def process(self) -> None:
        """One turn."""
        candles = self.exchange.fetch_ohlcv(PAIR, TIMEFRAME, limit=3 * SLOW)
        signal = crossing([candle[4] for candle in candles])
        if self.entry is None:
            if signal > 0:
                self.enter()
            return
        self.entry = self.exchange.fetch_order(self.entry["id"], PAIR)
        if self.entry["status"] == "open":
            self.give_up(candles[-1][0])
        elif not self.entry["filled"]:
            self.entry = None
        elif self.stop is None:
            self.protect()
        elif self.exchange.fetch_order(self.stop["id"], PAIR)["status"] == "closed":
            self.close(self.exchange.fetch_order(self.stop["id"], PAIR), "stop loss")
        elif signal < 0:
            self.leave("signal")

    def enter(self) -> None:
        """A limit order at the best bid."""
        bid = self.exchange.fetch_ticker(PAIR)["bid"]
        self.entry = self.exchange.create_order(PAIR, "limit", "buy", STAKE / bid, bid)

    def give_up(self, now: float) -> None:
        """An order to enter that has waited for too long is canceled; what of it has filled is a trade."""
        if now - self.entry["timestamp"] > UNFILLED:
            with suppress(ccxt.OrderNotFound):  # it has filled meanwhile
                self.exchange.cancel_order(self.entry["id"], PAIR)

    def protect(self) -> None:
        """A stop loss that waits at the exchange."""
        price = self.entry["average"] * (1 - STOP_LOSS)
        try:
            self.stop = self.exchange.create_order(
                PAIR, "limit", "sell", self.entry["filled"], price * 0.999, {"stopLossPrice": price}
            )
        except ccxt.OrderImmediatelyFillable:  # the price is there already
            self.leave("stop loss")

    def leave(self, why: str) -> None:
        """Out of the trade at the market; the stop loss goes first."""
        if self.stop is not None:
            with suppress(ccxt.OrderNotFound):
                self.exchange.cancel_order(self.stop["id"], PAIR)
            if self.exchange.fetch_order(self.stop["id"], PAIR)["filled"]:
                return  # it was quicker: the next turn sees it
        self.close(self.exchange.create_order(PAIR, "market", "sell", self.entry["filled"]), why)

    def close(self, order: Any, why: str) -> None:
        """The trade is over."""
        self.done.append((order["cost"] - self.entry["average"] * order["filled"], why))
        self.entry = self.stop = None


def crossing(closes: list[float]) -> int:
    """1 when the fast mean of the closes is above the slow one, -1 when it is below, 0 when nobody can tell."""
    if len(closes) <= SLOW:
        return 0
    fast, slow = sum(closes[-FAST:]) / FAST, sum(closes[-SLOW:]) / SLOW
    return (fast > slow) - (fast < slow)


def main(seconds: str = "20", speed: str = "20", folder: str = "out/freqtrade_loop") -> None:
    """Serve the quickstart's market and let the worker turn for some seconds."""
    with ms.gateway.running("quickstart", folder, speed=float(speed), clients=["worker"]) as market:
        settings = freqtrade_config(market.url)
        print("for freqtrade:", json.dumps({"name": settings["name"], "ccxt_config": sorted(settings["ccxt_config"])}))
        exchange = ccxt.binance(market.ccxt_config("worker"))
        exchange.load_markets()
        worker = Worker(exchange)
        until = time.monotonic() + float(seconds)
        while time.monotonic() < until:
            worker.process()
            time.sleep(PATIENCE)
        with suppress(ccxt.OrderNotFound):
            exchange.cancel_all_orders(PAIR)
        left = exchange.fetch_balance()["ABC"]["total"] - 10_000
        if left > 0:
            exchange.create_order(PAIR, "market", "sell", left)
        for gain, why in worker.done:
            print(f"{gain:+7.2f} USD, {why}")
        fees = sum(trade["fee"]["cost"] for trade in exchange.fetch_my_trades(PAIR, limit=1000))
        print(
            f"{len(worker.done)} trades, {sum(gain for gain, _ in worker.done):+.2f} USD before {fees:.2f} USD of fees"
        )
        exchange.session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
