"""Recorded data: readers that turn files of order events and trades into tapes.

Nothing here trades, simulates or measures. Times become int nanoseconds, prices int ticks and quantities int lots.
"""

from marketsim.data.events import read_events, read_trades
from marketsim.data.finding import Finding, OnError
from marketsim.data.lobster import find_lobster, read_lobster
from marketsim.data.source import find_data
from marketsim.data.tape import ORDER_EVENT, Tape, TapeFlag, TapeKind

__all__ = [
    "ORDER_EVENT",
    "Finding",
    "OnError",
    "Tape",
    "TapeFlag",
    "TapeKind",
    "find_data",
    "find_lobster",
    "read_events",
    "read_lobster",
    "read_trades",
]
