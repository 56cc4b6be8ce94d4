"""Rendering: a market and one seat in it as text, or as a small picture. It changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.units import format_time
from marketsim.gym.seat import Seat

if TYPE_CHECKING:
    from marketsim.gym.trail import Trail

_LEVELS = 5


def text(seat: Seat) -> str:
    """The venue's best levels, own orders beside them, position and profit."""
    bids, asks = seat.levels(_LEVELS)
    own: dict[int, int] = {}
    for order in seat.session.broker.open_orders():
        own[order.price] = own.get(order.price, 0) + order.leaves
    lines = [f"{format_time(seat.now)}  {seat.instrument.symbol}  step {seat.step}", _heading()]
    lines += [_row(seat, price, quantity, own, is_bid=False) for price, quantity in reversed(asks)]
    lines += [_row(seat, price, quantity, own, is_bid=True) for price, quantity in bids]
    lines.append(f"{seat.name}: position {seat.position:+,}, P&L {seat.pnl:+,.2f}")
    if seat.mandate is not None:
        lines.append(f"to {seat.mandate.side.name.lower()}: {seat.remaining:,} of {seat.mandate.quantity:,} left")
    return "\n".join(lines) + "\n"


def _heading() -> str:
    return f"{'own':>8} {'bid':>8} {'price':>10} {'ask':>8} {'own':>8}"


def _row(seat: Seat, price: int, quantity: int, own: dict[int, int], *, is_bid: bool) -> str:
    shown = f"{seat.instrument.price(price):.{max(0, -seat.instrument.tick_size.as_tuple().exponent)}f}"  # type: ignore[operator]
    mine = f"{own[price]:,}" if price in own else ""
    left, right = (mine, f"{quantity:,}") if is_bid else ("", "")
    asked, behind = ("", "") if is_bid else (f"{quantity:,}", mine)
    return f"{left:>8} {right:>8} {shown:>10} {asked:>8} {behind:>8}".rstrip()


def picture(seat: Seat, trail: Trail | None) -> NDArray[np.uint8]:
    """Mid and own fills, position and profit of the episode so far: an image of height x width x RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert trail is not None
    figure = Figure(figsize=(6.4, 4.8), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    upper.plot(trail.times, trail.mids, color="#333333", linewidth=1)
    for side, colour, marker in ((1, "#0072B2", "^"), (-1, "#D55E00", "v")):
        fills = [(time, price) for time, price, bought in trail.fills if bought == side]
        if fills:
            words = "bought" if side > 0 else "sold"
            upper.scatter(*zip(*fills, strict=True), s=14, color=colour, marker=marker, label=words, zorder=3)
    if trail.fills:
        upper.legend(loc="best", fontsize=8)
    upper.ticklabel_format(axis="y", useOffset=False)
    upper.set_ylabel(f"mid ({seat.instrument.currency})")
    middle.step(trail.times, trail.positions, where="post", color="#009E73")
    middle.set_ylabel("position (lots)")
    lower.plot(trail.times, trail.profits, color="#CC79A7")
    lower.set_ylabel(f"P&L ({seat.instrument.currency})")
    lower.set_xlabel("time in the episode (s)")
    lower.set_xlim(0, (seat.end - seat.begin) / 1e9)
    figure.align_ylabels()
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
