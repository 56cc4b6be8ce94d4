"""Replay: recorded order flow through the real matching core, and as live order flow for a simulated market.

It takes tapes and knows no file format, agent, clock or network.
"""

from marketsim.replay.core_replay import Replay, rebuild, replay, warm
from marketsim.replay.flow import FlowRequest, OrderFlow, order_flow
from marketsim.replay.report import ExceptionCause, ReplayReport
from marketsim.replay.request import REQUEST, Cause, RequestKind

__all__ = [
    "REQUEST",
    "Cause",
    "ExceptionCause",
    "FlowRequest",
    "OrderFlow",
    "Replay",
    "ReplayReport",
    "RequestKind",
    "order_flow",
    "rebuild",
    "replay",
    "warm",
]
