"""European options: the price and the sensitivities of Black and Scholes, for the view of risk. It prices no market.

With S the underlying's price, K the strike, T years to expiry, r the rate and σ the volatility a year,

    d1 = (ln(S/K) + (r + σ²/2) T) / (σ √T),    d2 = d1 - σ √T
    call = S N(d1) - K e^(-rT) N(d2),           put = call - S + K e^(-rT)

Source: Black and Scholes (1973), Journal of Political Economy 81, 637-654; sensitivities as in Hull, Options, Futures,
and Other Derivatives, chapter "The Greek letters". No dividends.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from marketsim.errors import InvalidValueError

YEAR = 365 * 86_400 * 1_000_000_000  # ns


class OptionRisk(NamedTuple):
    """Price of one option and how it moves, an underlying's unit each."""

    price: float  # currency
    delta: float  # currency per currency of the underlying's price
    gamma: float  # change of delta per currency of the underlying's price
    vega: float  # currency per 1.00 of volatility
    theta: float  # currency per year that passes
    rho: float  # currency per 1.00 of rate


def black_scholes(
    right: str, spot: float, strike: float, years: float, volatility: float, rate: float = 0.0
) -> OptionRisk:
    """Price and sensitivities of a European option; at expiry, or without volatility, its discounted inner value."""
    if right not in ("call", "put"):
        raise InvalidValueError(f'right={right!r}: write "call" or "put"')
    if not (spot > 0 and strike > 0 and years >= 0 and volatility >= 0 and math.isfinite(rate)):
        raise InvalidValueError(
            f"spot={spot}, strike={strike} must be above zero, years={years}, volatility={volatility} not below, "
            f"rate={rate} finite"
        )
    sign = 1.0 if right == "call" else -1.0
    discounted = strike * math.exp(-rate * years)
    spread = volatility * math.sqrt(years)
    if spread == 0.0:
        held = 1.0 if sign * (spot - discounted) > 0 else 0.0
        return OptionRisk(
            held * sign * (spot - discounted),
            held * sign,
            0.0,
            0.0,
            -held * sign * rate * discounted,
            held * sign * years * discounted,
        )
    d1 = (math.log(spot / strike) + (rate + volatility * volatility / 2) * years) / spread
    d2 = d1 - spread
    chance, density = _normal(sign * d2), math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    return OptionRisk(
        price=sign * (spot * _normal(sign * d1) - discounted * chance),
        delta=sign * _normal(sign * d1),
        gamma=density / (spot * spread),
        vega=spot * density * math.sqrt(years),
        theta=-spot * density * volatility / (2 * math.sqrt(years)) - sign * rate * discounted * chance,
        rho=sign * years * discounted * chance,
    )


def _normal(x: float) -> float:
    """The standard normal distribution function."""
    return math.erfc(-x / math.sqrt(2)) / 2
