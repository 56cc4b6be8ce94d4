"""A trail: prices, position and profit of an episode, step by step, for pictures. It changes nothing."""

from __future__ import annotations

from marketsim.gym.seat import Seat


class Trail:
    """What is remembered of an episode that is drawn. Times in s since its beginning, prices in currency."""

    def __init__(self, seat: Seat) -> None:
        self.times: list[float] = []
        self.mids: list[float] = []
        self.positions: list[int] = []
        self.profits: list[float] = []
        self.fills: list[tuple[float, float, int]] = []  # time, price, side
        self.add(seat)

    def add(self, seat: Seat) -> None:
        """A step has ended."""
        self.times.append((seat.now - seat.begin) / 1e9)
        self.mids.append(seat.true_mid * seat.instrument.tick)
        self.positions.append(seat.position)
        self.profits.append(seat.pnl)
        self.fills.extend(((fill.time - seat.begin) / 1e9, float(fill.price), int(fill.side)) for fill in seat.fills)
