"""Markets made of a series of returns with known properties, one a second, and processes with known memory."""

from __future__ import annotations

import numpy as np

from marketsim.analysis import Tape

SECOND = 1_000_000_000


def tape_of(
    returns: np.ndarray,
    signs: np.ndarray | None = None,
    volume: np.ndarray | None = None,
    *,
    start: int = 34_200 * SECOND,
) -> Tape:
    """The mid moves by ``returns`` (log) each second; ``signs`` of single orders come at equal distances.

    ``volume`` is what is traded in each second, in one trade in its middle; it excludes ``signs``.
    """
    count = len(returns)
    mid = 100.0 * np.exp(np.concatenate(([0.0], np.cumsum(returns))))
    time = start + np.arange(count + 1) * SECOND
    if volume is not None:
        trade_time, side, quantity = time[:-1] + SECOND // 2, np.ones(count), volume
    else:
        side = np.ones(0) if signs is None else np.asarray(signs, dtype=float)
        trade_time = start + np.linspace(1, count * SECOND - 1, len(side)).astype(np.int64)
        quantity = np.ones(len(side))
    ones = np.ones(count + 1)
    return Tape(
        symbol="ABC", tick=0.01, lot=1, currency="USD", reference=100.0, start=start, end=int(time[-1]),
        trade_time=trade_time, price=np.full(len(side), 100.0), quantity=np.asarray(quantity, dtype=float), side=side,
        order=np.arange(1, len(side) + 1), quote_time=time, bid=mid * (1 - 5e-5), bid_quantity=ones,
        ask=mid * (1 + 5e-5), ask_quantity=ones,
    )  # fmt: skip


def gaussian(seed: int, count: int = 3600, scale: float = 1e-4) -> np.ndarray:
    """Independent and normal: no fact is there but the absence of memory."""
    return scale * np.random.default_rng(seed).normal(size=count)


def garch(
    seed: int, count: int = 7200, *, alpha: float = 0.1, beta: float = 0.85, gamma: float = 0.0, df: float | None = None
) -> np.ndarray:
    """GJR-GARCH(1,1) with normal or Student shocks of unit variance; ``gamma`` is what losses add (leverage)."""
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=count) if df is None else rng.standard_t(df, count) * np.sqrt((df - 2) / df)
    found, variance = np.zeros(count), 1.0
    base = 1 - alpha - beta - gamma / 2
    for n in range(count):
        found[n] = shocks[n] * np.sqrt(variance)
        variance = base + (alpha + gamma * (found[n] < 0)) * found[n] ** 2 + beta * variance
    return 1e-4 * found


def fractional(seed: int, d: float, count: int) -> np.ndarray:
    """Fractionally integrated noise: autocorrelations fall like lag^(2d - 1). Source: Hosking (1981)."""
    lags = np.arange(1, count)
    weights = np.concatenate(([1.0], np.cumprod((lags - 1 + d) / lags)))
    noise = np.random.default_rng(seed).normal(size=2 * count)
    size = 4 * count
    return np.fft.irfft(np.fft.rfft(weights, size) * np.fft.rfft(noise, size), size)[count : 2 * count]


def split_orders(seed: int, alpha: float, count: int) -> np.ndarray:
    """Signs of one order after another cut into a number of children with tail index ``alpha``, many at once.

    Autocorrelations fall with exponent alpha - 1. Source: Lillo, Mike and Farmer (2005).
    """
    rng = np.random.default_rng(seed)
    at_once = 20
    sign, left = rng.choice((-1, 1), at_once), np.ceil(rng.pareto(alpha, at_once) + 1e-9)
    found = np.empty(count)
    chosen = rng.integers(0, at_once, count)
    for n in range(count):
        k = chosen[n]
        found[n] = sign[k]
        left[k] -= 1
        if left[k] <= 0:
            sign[k], left[k] = rng.choice((-1, 1)), np.ceil(rng.pareto(alpha) + 1e-9)
    return found
