"""The race of the two best queues: what happens before the mid price moves, computed rather than simulated.

At a spread of one tick nothing can come between the best prices, so their queues are independent birth and death
processes until one is empty: of n orders, one more comes at rate λ, one leaves at rate μ + n·θ (a market order, or any
of the cancels). The probabilities are those of Cont, Stoikov and Talreja 2010 (A stochastic model for order book
dynamics, Operations Research 58). They invert Laplace transforms; here the equations of the first step are solved,
which needs no inversion. Queues longer than ``most`` orders are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from marketsim.analysis.tape import Floats
from marketsim.errors import InvalidValueError


def birth_death_law(births: npt.ArrayLike, deaths: npt.ArrayLike) -> Floats:
    """Stationary law of a birth and death process on 0 … N: π(n) = π(0) Π births[j − 1] / deaths[j].

    births: N rates, of n → n + 1 for n = 0 … N − 1; deaths: N rates, of n → n − 1 for n = 1 … N, above 0.
    """
    up, down = np.asarray(births, np.float64), np.asarray(deaths, np.float64)
    if up.shape != down.shape or up.ndim != 1:
        raise InvalidValueError(f"births and deaths: {up.size} and {down.size} rates; give as many of each")
    if (up < 0.0).any() or (down <= 0.0).any():
        raise InvalidValueError("births must not be below 0 and deaths must be above 0")
    with np.errstate(divide="ignore"):
        logarithm = np.concatenate(([0.0], np.cumsum(np.log(up / down))))
    weight = np.exp(logarithm - logarithm.max())
    law: Floats = weight / weight.sum()
    return law


@dataclass(frozen=True)
class QueueRace:
    """Two best queues at a spread of one tick, alike in their rates (per unit of time, orders of one size).

    limit_rate λ: orders that join a queue. market_rate μ: market orders that hit it. cancel_rate θ: of each order.
    """

    limit_rate: float
    market_rate: float
    cancel_rate: float
    most: int = 60

    def __post_init__(self) -> None:
        if min(self.limit_rate, self.cancel_rate) < 0.0 or self.market_rate <= 0.0:
            raise InvalidValueError("market_rate must be above 0, limit_rate and cancel_rate not below 0")
        if self.most < 10:
            raise InvalidValueError(f"most={self.most}: at least 10 orders")

    def mid_rises(self, bids: int, asks: int) -> float:
        """Probability that the next move of the mid is up, with so many orders at the best bid and ask."""
        return float(self._rises[self._place(bids), self._place(asks)])

    def bid_executes(self, bids: int, asks: int) -> float:
        """Probability that the last of ``bids`` orders, which is never canceled, is executed before the mid moves."""
        return float(self._executed[self._place(bids) + 1, self._place(asks) + 1])

    def spread_is_made(self, bids: int, asks: int) -> float:
        """Probability that the last order of both queues is executed before the mid moves; neither is canceled."""
        self._place(bids), self._place(asks)
        known: dict[tuple[int, int], Floats] = {}
        for bid in range(1, bids + 1):
            for ask in range(1, asks + 1):
                known[bid, ask] = self._both(bid, ask, known)
        return float(known[bids, asks][0, 0])

    def table(self, what: str, sizes: Sequence[int] = (1, 2, 3, 4, 5)) -> Floats:
        """``mid_rises``, ``bid_executes`` or ``spread_is_made`` for all pairs, a row a bid queue."""
        function = getattr(self, what)
        return np.array([[function(bids, asks) for asks in sizes] for bids in sizes])

    def _place(self, orders: int) -> int:
        if not 1 <= orders <= self.most // 2:
            raise InvalidValueError(f"{orders} orders: a queue holds 1 to {self.most // 2} (half of most) at first")
        return orders - 1

    def _leave(self, orders: Any) -> Any:
        return self.market_rate + self.cancel_rate * orders

    @cached_property
    def _rises(self) -> Floats:
        """P(ask empties first) at [bids − 1, asks − 1]."""
        size = np.arange(1, self.most + 1)
        up = np.where(size < self.most, self.limit_rate, 0.0)
        one = _generator(up, self._leave(size))
        empties = np.zeros((self.most, self.most))
        empties[:, 0] = self._leave(1)
        found = _solved(one, one, empties)
        if not np.allclose(found + found.T, 1.0, rtol=0.0, atol=1e-6):  # one of two alike queues is the first
            raise InvalidValueError(
                f"limit_rate {self.limit_rate} lets queues empty so rarely that the equations lose their digits; "
                f"take a smaller one, or most below {self.most}"
            )
        return found

    @cached_property
    def _executed(self) -> Floats:
        """P(an order in place k executes before the other queue of n empties) at [k, n]; place 0: it has."""
        most = self.most // 2
        size = np.arange(1, self.most + 1)
        other = _generator(np.where(size < self.most, self.limit_rate, 0.0), self._leave(size))
        found = np.zeros((most + 1, self.most + 1))
        found[0, 1:] = 1.0
        for place in range(1, most + 1):
            rate = self._leave(place - 1)
            found[place, 1:] = np.linalg.solve(rate * np.eye(self.most) - other, rate * found[place - 1, 1:])
        return found

    def _both(self, bid: int, ask: int, known: dict[tuple[int, int], Floats]) -> Floats:
        """P(both execute) at [orders behind ours at the bid, at the ask], ours in the places ``bid`` and ``ask``."""
        behind = np.arange(self.most // 2)
        joining = np.where(behind < behind[-1], self.limit_rate, 0.0)
        one = _generator(joining, np.asarray(self.cancel_rate * behind, np.float64))
        bid_rate, ask_rate = self._leave(bid - 1), self._leave(ask - 1)
        # Once ours at the bid is executed, those behind it are what is left of that queue, and the other way round.
        after_bid = known[bid - 1, ask] if bid > 1 else np.tile(self._executed[ask, behind][:, None], len(behind))
        after_ask = known[bid, ask - 1] if ask > 1 else np.tile(self._executed[bid, behind][None, :], (len(behind), 1))
        return _solved(one, one, bid_rate * after_bid + ask_rate * after_ask, bid_rate + ask_rate)


def _generator(up: Floats, down: Floats) -> Floats:
    """The generator of a birth and death process; what leaves from its first state is lost."""
    matrix = np.diag(up[:-1], 1) + np.diag(down[1:], -1) - np.diag(up + down)
    return np.asarray(matrix, np.float64)


def _solved(rows: Floats, columns: Floats, gain: Floats, killed: float = 0.0) -> Floats:
    """V with rows·V + V·columnsᵀ − killed·V = −gain: what two independent processes gain before they are lost."""
    from scipy.linalg import solve_sylvester

    shifted = rows - killed * np.eye(len(rows))
    solved: Floats = solve_sylvester(shifted, columns.T, -gain)
    return solved
