"""Recorded data: LOBSTER pairs, tables of events and of trades, latency files, plain, packed and as Parquet, damaged.

What can be read makes a tape whose tables can be asked for; the rest is a DataError that names the file.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from marketsim.data import read_events, read_lobster, read_trades
from marketsim.network.samples import read_latencies
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.values import EDGES, WORDS, damaged, damaged_bytes

FILES = 10  # of a case
_NAME = "ABC_2020-01-02_34200000_57600000_{}_2.csv"
_MESSAGES = """34200.000000001,1,11,100,1000000,1
34200.5,1,12,50,1000200,-1
34200.500000001,4,12,20,1000200,-1
34201,5,0,7,1000150,1
34202.25,2,11,10,1000000,1
34202.25,7,0,0,-1,-1
34203,7,0,0,1,-1
34204,3,11,90,1000000,1
"""
_BOOK = (
    "".join(f"{ask},0,1000000,100,9999999999,0,-9999999999,0\n" for ask in (9999999999, *[1000200] * 6))
    + "1000200,30,-9999999999,0,9999999999,0,-9999999999,0\n"
)
_EVENTS = """time,kind,order_id,side,price,quantity
1,add,a,buy,100.00,5
2,add,b,sell,100.02,7
3,execute,b,sell,100.02,2
4,reduce,a,buy,100.00,1
5,execute_hidden,,buy,100.01,3
6,halt,,,,
7,resume,,,,
8,delete,b,,,
"""
_TRADES = """time,price,quantity,side
1,100.00,5,buy
2,100.01,2,sell
3,100.015,7,
"""
_LATENCIES = "latency\n100\n250.5\n1e3\n"


def _spoiled(draw: Random, original: str) -> bytes:
    """A table with fields exchanged for others, or its text or bytes damaged; sometimes packed, sometimes cut."""
    what = draw.random()
    if what < 0.45:
        lines = original.rstrip("\n").split("\n")
        for _ in range(draw.choice((1, 1, 3))):
            row = draw.randrange(len(lines))
            fields = lines[row].split(",")
            fields[draw.randrange(len(fields))] = draw.choice(
                (draw.choice(WORDS), str(draw.choice(EDGES)), str(draw.random()))
            )
            lines[row] = ",".join(fields)
        written = ("\n".join(lines) + "\n").encode("utf-8", "replace")
    elif what < 0.75:
        written = damaged(draw, original).encode("utf-8", "replace")
    else:
        written = damaged_bytes(draw, original.encode())
    if draw.random() < 0.15:
        written = gzip.compress(written)
        written = damaged_bytes(draw, written) if draw.random() < 0.7 else written
    return written


def _parquet(draw: Random, columns: int) -> bytes:
    """A Parquet table of events with odd types, often damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["time", "kind", "order_id", "side", "price", "quantity"][:columns]
    choices: list[Any] = [
        [1, 2, 3],
        [1.5, float("nan"), -1.0],
        ["add", "1", ""],
        [None, 1, 2],
        [True, False, True],
        [b"a", b"", b"\xff"],
        [[1], [2], []],
        [2**63 - 1, -(2**63), 0],
    ]
    sound: list[Any] = [
        [1, 2, 3],
        ["add", "add", "delete"],
        [1, 2, 1],
        ["buy", "sell", "buy"],
        [1.0, 2.0, 1.0],
        [5, 5, 5],
    ]
    table = pa.table(
        {name: draw.choice(choices) if draw.random() < 0.3 else sound[at] for at, name in enumerate(names)}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return damaged_bytes(draw, buffer.getvalue()) if draw.random() < 0.4 else buffer.getvalue()


def _use(tape: Any) -> None:
    """All that can be asked of a tape."""
    assert (np.diff(tape.events["time"]) >= 0).all(), "a tape runs backwards"
    assert (tape.events["quantity"] >= 0).all(), "less than nothing"
    assert len(tape.trades) <= len(tape)
    assert len(tape.orders) <= len(tape)
    len(tape.quotes), repr(tape), tape.start, tape.end


def _one(draw: Random, trace: Trace, folder: Path) -> None:
    on_error: Any = draw.choice(("raise", "skip"))
    what = draw.random()
    if what < 0.4:
        book = draw.random() < 0.7
        given = [_MESSAGES.encode(), _BOOK.encode()]
        for place in draw.choice(((0,), (1,), (0, 1))):
            given[place] = _spoiled(draw, (_MESSAGES, _BOOK)[place])
        trace.inputs = [("read_lobster", *given, on_error, book)]
        for word, content in zip(("message", "orderbook"), given, strict=True):
            (folder / _NAME.format(word)).write_bytes(content)
        tick = draw.choice((None, None, "0.01", "0.0001", "0.03", "7"))
        _use(read_lobster(folder / _NAME.format("message"), tick_size=tick, on_error=on_error, book=book))
        return
    suffix = draw.choice((".csv", ".csv", ".parquet"))
    path = folder / f"own{suffix}"
    name, reader, original = draw.choice(
        (("events", read_events, _EVENTS), ("trades", read_trades, _TRADES), ("latencies", None, _LATENCIES))
    )
    content = _parquet(draw, 6) if suffix == ".parquet" and draw.random() < 0.8 else _spoiled(draw, original)
    terms: dict[str, Any] = {"time_unit": draw.choice(("ns", "ns", "us", "s", "iso", "hours")), "on_error": on_error}
    if draw.random() < 0.2:
        terms[draw.choice(("price_unit", "quantity_unit", "tick_size", "lot_size"))] = draw.choice(
            (*WORDS[:20], 0, -1, 1e-9, 2**70)
        )
    if name == "trades":
        terms["tick_rule"] = draw.random() < 0.5
        terms["extra"] = "ignore"
    trace.inputs = [(name, path.name, content, terms)]
    path.write_bytes(content)
    if reader is None:
        column, unit = draw.choice(("", "latency", "price", "time")), draw.choice(("ns", "us", "s", "eons"))
        found = read_latencies(path, column, unit)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
    else:
        _use(reader(path, symbol="ABC", **terms))


def recorded(draw: Random, trace: Trace) -> int:
    """Each file is an input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for _ in range(FILES):
            with refusals():
                _one(draw, trace, Path(folder))
    return FILES
