"""Guéant, Lehalle and Fernandez-Tapia's solutions of the market maker's problem, and the market maker that quotes them.

O. Guéant, C.-A. Lehalle and J. Fernandez-Tapia, "Dealing with the inventory risk: a solution to the market making
problem", Mathematics and Financial Economics 7(4), 2013, 477–507 (arXiv 1105.3115). The problem is that of Avellaneda
and Stoikov 2008: the mid is a Brownian motion, dS = μ·dt + σ·dW, a quote at distance δ is hit with intensity A·e^(−kδ),
utility is −e^(−γ·wealth) at the time T; but the inventory is bounded, |q| ≤ Q. Then the solution is exact:

    δᵇ(t, q) = (1/k)·ln(v_q/v_(q+1)) + (1/γ)·ln(1 + γ/k) + ξ/2,   δᵃ(t, q) the same with v_(q−1),
    v(t) = e^(−M·(T−t))·v(T),  M tridiagonal: α·q² − β·q on the diagonal, −η beside it,
    α = kγσ²/2,  β = kμ,  η = A·(1 + γ/k)^(−(1 + k/γ))·e^(−kξ/2),  v_q(T) = e^(−kξq²/2).

ξ is how far each fill moves the mid against the maker: down when its bid is hit, up when its ask is lifted (their
section on adverse selection). Far from T the quotes stand still, nearly where the closed form puts them.

Inventory q is in quotes, time in seconds, prices, σ and ξ in currency, γ and k per currency, A per second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketsim.agents.checks import check_choice, to_duration, to_number
from marketsim.agents.maker import Maker
from marketsim.agents.quoting import Desk, Targets
from marketsim.agents.utility_quoting import IntensityQuoting, outwards
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError

MOST_QUOTES = 200  # the largest Q that is solved for
_TIMES = 256  # steps of a table of quotes
_REACH, _STRIDES = 300.0, 4096  # the most that a step may span, as a power of e, and how many steps may be needed


def base_distance(gamma: float, k: float) -> float:
    """(1/γ)·ln(1 + γ/k), the distance that the fill intensity alone asks for; 1/k for γ = 0."""
    return 1.0 / k if gamma == 0.0 else math.log1p(gamma / k) / gamma


def pressure(gamma: float, k: float, rate: float) -> float:
    """η = A·(1 + γ/k)^(−(1 + k/γ)), per second; A/e for γ = 0."""
    return rate * math.exp(-(1.0 if gamma == 0.0 else (1.0 + k / gamma) * math.log1p(gamma / k)))


def asymptotic_distances(
    inventory: float, gamma: float, sigma: float, k: float, rate: float, drift: float = 0.0, impact: float = 0.0
) -> tuple[float, float]:
    """Distances of bid and ask from the mid, far from the end, in closed form (their approximation).

    δᵇ = (1/γ)·ln(1 + γ/k) + ξ/2 + (−μ/(γσ²) + (2q + 1)/2)·w,  δᵃ = … + (μ/(γσ²) − (2q − 1)/2)·w,
    w = e^(kξ/4)·√(σ²γ/(2kA)·(1 + γ/k)^(1 + k/γ)). For γ = 0 or σ = 0 it is 1/k or (1/γ)·ln(1 + γ/k), and ξ/2.
    """
    base = base_distance(gamma, k) + 0.5 * impact
    risk = gamma * sigma * sigma
    if risk == 0.0:
        return base, base
    width = math.exp(0.25 * k * impact) * math.sqrt(0.5 * risk / (k * pressure(gamma, k, rate)))
    centre = inventory - drift / risk
    return base + (centre + 0.5) * width, base - (centre - 0.5) * width


class Distances(NamedTuple):
    """Optimal distances from the mid, for the inventories −Q … Q: infinite where one more would be too many."""

    bid: NDArray[np.float64]
    ask: NDArray[np.float64]


def exact_distances(
    gamma: float, sigma: float, k: float, rate: float, left: float, most: int, drift: float = 0.0, impact: float = 0.0
) -> Distances:
    """The exact solution with ``left`` seconds to go, for inventories from −``most`` to ``most`` quotes."""
    return exact_table(gamma, sigma, k, rate, left, most, drift, impact, 1)[-1]


@lru_cache(maxsize=64)
def exact_table(
    gamma: float, sigma: float, k: float, rate: float, left: float, most: int, drift: float, impact: float, times: int
) -> list[Distances]:
    """The exact solution with 0, left/times, … left seconds to go."""
    held = np.arange(-most, most + 1, dtype=np.float64)
    beside = pressure(gamma, k, rate) * math.exp(-0.5 * k * impact)
    generator = _diagonal(held, gamma, sigma, k, drift)
    generator += beside * (np.eye(2 * most + 1, k=1) + np.eye(2 * most + 1, k=-1))
    base = base_distance(gamma, k) + 0.5 * impact
    steps = [np.diff(value) / k for value in _solve(generator, -0.5 * k * impact * held * held, left, times)]
    return [Distances(np.append(base - step, np.inf), np.append(np.inf, base + step)) for step in steps]


def liquidation_distances(
    gamma: float, sigma: float, k: float, rate: float, left: float, units: int, penalty: float, drift: float = 0.0
) -> NDArray[np.float64]:
    """Optimal distances of an ask from the mid with 1 … ``units`` left to sell and ``left`` seconds to go.

    O. Guéant, C.-A. Lehalle and J. Fernandez-Tapia, "Optimal portfolio liquidation with limit orders", SIAM Journal on
    Financial Mathematics 3(1), 2012, 740–764: what is left at T is sold at S − b, b = ``penalty``. Then
    δ(t, q) = (1/k)·ln(w_q/w_(q−1)) + (1/γ)·ln(1 + γ/k) with dw_q/dt = (α·q² − β·q)·w_q − η·w_(q−1), w_q(T) = e^(−kqb),
    w_0 = 1, and α, β, η as above. Negative where the risk is worth more than the price: the ask is below the mid.
    """
    return liquidation_table(gamma, sigma, k, rate, left, units, penalty, drift, 1)[-1]


@lru_cache(maxsize=64)
def liquidation_table(
    gamma: float, sigma: float, k: float, rate: float, left: float, units: int, penalty: float, drift: float, times: int
) -> list[NDArray[np.float64]]:
    """The optimal distances with 0, left/times, … left seconds to go."""
    held = np.arange(units + 1, dtype=np.float64)
    generator = _diagonal(held, gamma, sigma, k, drift) + pressure(gamma, k, rate) * np.eye(units + 1, k=-1)
    base = base_distance(gamma, k)
    return [np.diff(value) / k + base for value in _solve(generator, -k * penalty * held, left, times)]


# --- the linear systems ---


def _diagonal(held: NDArray[np.float64], gamma: float, sigma: float, k: float, drift: float) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return np.diag(k * drift * held - 0.5 * k * gamma * sigma * sigma * held * held)


def _solve(
    generator: NDArray[np.float64], log_start: NDArray[np.float64], time: float, times: int
) -> list[NDArray[np.float64]]:
    """ln(e^(G·t)·v), each up to a constant, at 0, time/times, … time, for G nowhere negative beside its diagonal.

    Steps are so short that no power of e underflows within one; from step to step logarithms are handed on.
    """
    span = float((generator.diagonal().max() - generator.diagonal().min()) * time)
    if not span <= _REACH * _STRIDES:
        raise InvalidValueError(
            f"risk aversion, inventory and horizon span e^{span:.0f}, which cannot be solved; lower one, or quote the "
            "closed form"
        )
    strides = max(1, math.ceil(span / times / _REACH))
    with np.errstate(divide="ignore"):
        evolution = np.log(_exponential(generator, time / times / strides))
    values = [log_start]
    for _ in range(times):
        value = values[-1]
        for _ in range(strides):
            weights = evolution + value
            top = weights.max(axis=1)
            value = top + np.log(np.exp(weights - top[:, None]).sum(axis=1))
        values.append(value)
    return values


def _exponential(generator: NDArray[np.float64], time: float) -> NDArray[np.float64]:
    """e^(G·t), up to a factor, by scaling and squaring.

    A multiple of the identity makes all of G positive, and only changes the factor. Sums of positive numbers lose no
    digits, so that the smallest entries are as exact as the largest; their ratios are what is wanted.
    """
    identity = np.eye(len(generator))
    positive = (generator - generator.diagonal().min() * identity) * time
    halvings = max(0, math.ceil(math.log2(max(positive.sum(axis=1).max(), 1e-300))))
    power = term = identity
    for number in range(1, 25):
        term = term @ positive / (number * 2.0**halvings)
        power = power + term
    for _ in range(halvings):
        power = power @ power
        power /= power.max()
    return power


# --- the market maker ---


@dataclass
class Glft(IntensityQuoting, Maker):
    """Quotes the optimal distances of Guéant, Lehalle and Fernandez-Tapia around the mid, for its inventory.

    ``solution``: asymptotic is the closed form for a distant end,

        δᵇ, δᵃ = (1/γ)·ln(1 + γ/k) + ξ/2 + (1/2 ± (q − μ/(γσ²)))·e^(kξ/4)·√(σ²γ/(2kA)·(1 + γ/k)^(1 + k/γ)),

    exact is the solution of the linear system with |q| ≤ Q = ``max_position``/``quantity`` and T − t left: always
    ``horizon`` when rolling; when finite it runs out with the time since the start of the run, and the quotes are
    withdrawn at its end. (Where γσ²kQ²T/2 is above 10⁶ the closed form is quoted instead.)

    q is the position beyond ``inventory_target`` in units of ``quantity``; without ``skew_adjustment`` it counts as 0.
    A = ``rate``, μ = ``drift``, ξ = ``impact``. Without ``sigma`` the realized volatility is used, without ``k`` the
    inverse of the mean distance at which trades happen from the fair value, without ``rate`` half of the trades a
    second, all measured over ``memory`` and taken to two digits.

    ``volatility_factor`` and ``adverse_selection_protection`` add to it what they add to a ``market_maker``.
    """

    drift: float = field(default=0.0, metadata={"help": "expected drift μ of the mid, currency per second"})
    impact: float = field(default=0.0, metadata={"help": "move ξ of the mid against each fill, currency"})
    solution: Literal["asymptotic", "exact"] = field(
        default="asymptotic", metadata={"help": "closed form far from the end, or the whole solution"}
    )
    horizon: int | str = field(
        default="1min", metadata={"unit": "duration", "help": "T, or T − t when rolling; exact only"}
    )
    horizon_type: Literal["rolling", "finite"] = field(
        default="rolling", metadata={"help": "rolling: T − t stays; finite: it runs out"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "drift")
        to_number(self, "impact", low=0.0)
        to_duration(self, "horizon")
        check_choice(self, "solution", ("asymptotic", "exact"))
        check_choice(self, "horizon_type", ("rolling", "finite"))
        self._check_solution()

    def _check_solution(self) -> None:
        if self.solution == "exact":
            if self._most > MOST_QUOTES:
                raise InvalidValueError(
                    f"max_position: {self.max_position} lots are {self._most} quotes of {self.quantity}, the exact "
                    f"solution takes {MOST_QUOTES}; raise quantity, or write solution: asymptotic"
                )
        elif self.horizon_type == "finite":
            raise InvalidValueError("horizon_type: the closed form has no end; write rolling, or solution: exact")
        elif self.drift and (self.gamma == 0.0 or self.sigma == 0.0):
            raise InvalidValueError("drift: without risk the closed form knows none; raise gamma, or solution: exact")

    @property
    def _most(self) -> int:
        """Q."""
        return max(1, math.ceil((self.max_position + abs(self.inventory_target)) / self.quantity))

    def on_start(self) -> None:
        """The horizon begins."""
        super().on_start()
        if self.horizon_type == "finite":
            self.at(self.now + int(self.horizon), self.requote)

    def on_parameters(self) -> None:
        """New parameters are held to the same rules."""
        self._check_solution()
        super().on_parameters()

    def left(self) -> float:
        """T − t in seconds."""
        return int(self.horizon) / SECOND if self.horizon_type == "rolling" else self.until(int(self.horizon))

    def distances(self, inventory: float, sigma: float, k: float, rate: float, left: float) -> tuple[float, float]:
        """Distances of bid and ask from the mid, in currency; ``inventory`` in quotes, in between by interpolation."""
        if self.solution == "exact":
            try:
                return self._exact(inventory, sigma, k, rate, left)
            except InvalidValueError:
                pass
        return asymptotic_distances(inventory, self.gamma, sigma, k, rate, self.drift, self.impact)

    def _exact(self, inventory: float, sigma: float, k: float, rate: float, left: float) -> tuple[float, float]:
        most, horizon = self._most, int(self.horizon) / SECOND
        times = _TIMES if self.horizon_type == "finite" else 1
        table = exact_table(self.gamma, sigma, k, rate, horizon, most, self.drift, self.impact, times)
        place = left / horizon * times
        early = min(int(place), times - 1)
        held = np.arange(-most, most + 1)
        (bid, ask), (later_bid, later_ask) = (
            (float(np.interp(inventory, held[:-1], d.bid[:-1])), float(np.interp(inventory, held[1:], d.ask[1:])))
            for d in (table[early], table[early + 1])
        )
        part = place - early
        return bid + part * (later_bid - bid), ask + part * (later_ask - ask)

    def targets(self, desk: Desk) -> Targets:
        """The optimal quotes, rounded away from each other."""
        left = self.left()
        if left <= 0.0:
            return Targets(0, 0, 0, 0)
        instrument = desk.instrument
        below, above = self.distances(self.excess(instrument) / self.quantity, *self.beliefs(desk), left)
        mid, half = desk.fair * instrument.tick, 0.5 * self.widening(desk) * instrument.tick
        low, high = outwards(instrument, mid - below - half, mid + above + half)
        return self.guarded(desk, Targets(low, self.quantity, high, self.quantity), high - low)
