"""Speed of the matching core, beside lightmatchingengine (PyPI), on the same streams in the same process."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.measurement import Measurement, show, skipped
from benchmarks.streams import CANCEL, COMMAND, MARKET, mixed
from marketsim.domain.event import EVENT
from marketsim.exchange.core import MatchingCore
from marketsim.exchange.matching import cancel_order, new_order
from marketsim.kernel.compiled import Table, compiled

MESSAGES = 200_000
ROUNDS = 5  # each measures everybody once, so that a busy moment meets all of them
PEER = "lightmatchingengine"


class Recycled:
    """A log that forgets: rows are written, then the chunk is used again."""

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """The same chunk again."""
        return full if full is not None and len(full) >= needed else Table(EVENT, needed)


@compiled
def _play(cores: Any, commands: Any, first: int) -> Any:
    core = cores[0]
    for position in range(first, len(commands)):
        command = commands[position]
        if command.kind == 2:
            answer = cancel_order(core, position, 0, command.order_id, 0)
        else:
            order_type = 2 if command.kind == 1 else 1
            answer = new_order(
                core,
                position,
                0,
                0,
                command.side,
                order_type,
                1,
                0,
                command.price,
                0,
                command.quantity,
                0,
                0,
                0,
                0,
                0,
                0,
            )
        if answer < 0:
            return position, answer
    return len(commands), 0


def play(core: MatchingCore, table: Table) -> None:
    """Run a stream inside compiled code, growing tables when asked."""
    position = 0
    while True:
        position, answer = _play(core.record, table.rows, position)
        if answer == 0:
            return
        core.relieve(answer)


def filled(book: np.ndarray) -> MatchingCore:
    """A core with a book in it."""
    core = MatchingCore(1, Recycled())
    play(core, _table(book))
    return core


def compiled_rate(book: np.ndarray, stream: np.ndarray, repeats: int = 10) -> float:
    """Messages a second from compiled code, log rows written; best of several runs on fresh books."""
    table, best = _table(stream), float("inf")
    for _ in range(repeats):
        core = filled(book)
        began = time.perf_counter()
        play(core, table)
        best = min(best, time.perf_counter() - began)
    return len(stream) / best


def python_rate(book: np.ndarray, stream: np.ndarray) -> float:
    """Messages a second, called one by one from Python, fills read back."""
    rows = stream.tolist()
    core = filled(book)
    new, cancel, fills = core.new, core.cancel, core.fills
    began = time.perf_counter()
    for kind, side, price, quantity, order_id in rows:
        if kind == CANCEL:
            cancel(0, 0, order_id)
        else:
            new(0, 0, 0, side, 2 if kind == MARKET else 1, 1, 0, price, 0, quantity)
            fills()
    return len(rows) / (time.perf_counter() - began)


def peer_rate(book: np.ndarray, stream: np.ndarray) -> float:
    """The same stream through lightmatchingengine, which answers with its fills too."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

    engine = LightMatchingEngine()
    known: dict[int, int] = {}

    def feed(rows: list[tuple[int, ...]]) -> None:
        for kind, side, price, quantity, order_id in rows:
            if kind == CANCEL:
                engine.cancel_order(known[order_id], "ABC")
            else:
                limit = price if kind != MARKET else (1_000_000_000 if side > 0 else 0)
                order, _ = engine.add_order("ABC", limit, quantity, Side.BUY if side > 0 else Side.SELL)
                if kind == MARKET and order.leaves_qty > 0:
                    engine.cancel_order(order.order_id, "ABC")
                known[order_id] = order.order_id

    feed(book.tolist())
    rows = stream.tolist()
    began = time.perf_counter()
    feed(rows)
    return len(rows) / (time.perf_counter() - began)


def measure(rounds: int = ROUNDS) -> list[Measurement]:
    """Ours and the peer's, in turns."""
    few, many = mixed(MESSAGES, 300), mixed(MESSAGES, 5_000)
    wide, stubs = mixed(MESSAGES, 20_000, reach=2_200), mixed(MESSAGES, 300, stubs=100)
    contestants: dict[str, Any] = {
        "some hundred resting": lambda: compiled_rate(*few),
        "with 100 far stub quotes": lambda: compiled_rate(*stubs),
        "thousands resting": lambda: compiled_rate(*many),
        "4,000 price levels": lambda: compiled_rate(*wide),
        "one by one from Python": lambda: python_rate(*few),
    }
    if find_spec(PEER):
        contestants[PEER] = lambda: peer_rate(*few)
    rates = dict.fromkeys(contestants, 0.0)
    for _ in range(rounds):
        for name, contestant in contestants.items():
            rates[name] = max(rates[name], contestant() / 1e6)
    return [*_rates(rates), *_ratios(rates)]


def _rates(rates: dict[str, float]) -> list[Measurement]:
    unit = "million messages/s"
    return [
        Measurement("matching: some hundred resting", rates["some hundred resting"], unit, least=10),
        Measurement("matching: thousands resting", rates["thousands resting"], unit, least=10),
        Measurement("matching: 4,000 price levels", rates["4,000 price levels"], unit, least=4),
        Measurement(
            "matching: with 100 far stub quotes",
            100 * (rates["some hundred resting"] / rates["with 100 far stub quotes"] - 1),
            "% more time",
            most=10,
        ),
        Measurement("matching: one by one from Python", rates["one by one from Python"], unit, note="fills read back"),
    ]


def _ratios(rates: dict[str, float]) -> list[Measurement]:
    if PEER not in rates:
        return [skipped(f"matching: beside {PEER}", f"pip install {PEER}")]
    peer = rates[PEER]
    note = f"{PEER}: {peer:.2f} million messages/s"
    return [
        Measurement("matching: compiled", rates["some hundred resting"] / peer, f"x {PEER}", least=35, note=note),
        Measurement("matching: from Python", rates["one by one from Python"] / peer, f"x {PEER}", least=2.5, note=note),
    ]


def _table(commands: np.ndarray) -> Table:
    table = Table(COMMAND, len(commands))
    table.rows[:] = commands
    return table


if __name__ == "__main__":
    show(measure())
