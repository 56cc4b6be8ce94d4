"""Order size: the distributions that compiled agents draw the quantities of their orders from, in whole lots.

A policy's records hold SIZE_FIELDS, ``fill_size`` writes them and ``order_size`` draws; no size is below one lot.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from marketsim.agents.checks import check_choice, to_number
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import normal, purpose_of, uniform

Sizes: TypeAlias = Literal["constant", "geometric", "uniform", "lognormal", "hundreds"]

QUANTITY: dict[str, Any] = {"help": "mean order size in lots"}
SIZES: dict[str, Any] = {
    "help": "how order sizes vary: constant, geometric, uniform (1 to twice the mean), lognormal, or hundreds "
    "(mostly round hundreds; has a mean of its own)"
}
SIGMA: dict[str, Any] = {"help": "standard deviation of the logarithm of lognormal sizes"}
SIZE_FIELDS: list[tuple[str, Any]] = [("size_kind", np.int64), ("size_first", np.float64), ("size_second", np.float64)]

_CONSTANT, _GEOMETRIC, _UNIFORM, _LOG_NORMAL, _HUNDREDS = range(5)
_KINDS: dict[str, int] = {
    "constant": _CONSTANT,
    "geometric": _GEOMETRIC,
    "uniform": _UNIFORM,
    "lognormal": _LOG_NORMAL,
    "hundreds": _HUNDREDS,
}
_SIZE, _PART = purpose_of("size"), purpose_of("size part")


@compiled
def order_size(me: Record, key: int, draw: int) -> int:
    """A quantity in lots, at least 1.

    constant: the mean, rounded. geometric: 1 + ⌊ln(1−u)/ln(1−1/q)⌋, of mean q. uniform: 1 … 2q−1. lognormal: with mean
    q. hundreds: the mixture of the reference market, .2 lognormal(2.9, 1.2) and normals of deviation .15 around 100,
    200 … 1,000 with weights .7, .06, .004, .0329, .001, .0006, .0004, .0005, .0003, .0003.
    """
    if me.size_kind == _CONSTANT:
        return int(me.size_first)
    if me.size_kind == _GEOMETRIC:
        return 1 + int(math.log(1.0 - uniform(key, _SIZE, draw)) / me.size_first)
    if me.size_kind == _UNIFORM:
        return 1 + int(me.size_first * uniform(key, _SIZE, draw))
    if me.size_kind == _LOG_NORMAL:
        return max(1, int(0.5 + math.exp(me.size_first + me.size_second * normal(key, _SIZE, draw))))
    return _hundreds(key, draw)


@compiled
def _hundreds(key: int, draw: int) -> int:
    part = uniform(key, _PART, draw)
    deviate = normal(key, _SIZE, draw)
    if part >= 0.8:
        return max(1, int(0.5 + math.exp(2.9 + 1.2 * deviate)))
    hundreds = 10
    if part < 0.7:
        hundreds = 1
    elif part < 0.76:
        hundreds = 2
    elif part < 0.764:
        hundreds = 3
    elif part < 0.7969:
        hundreds = 4
    elif part < 0.7979:
        hundreds = 5
    elif part < 0.7985:
        hundreds = 6
    elif part < 0.7989:
        hundreds = 7
    elif part < 0.7994:
        hundreds = 8
    elif part < 0.7997:
        hundreds = 9
    return int(0.5 + 100.0 * hundreds + 0.15 * deviate)


def check_size(agent: Any) -> None:
    """The agent's ``quantity``, ``sizes`` and, where it has one, ``sigma`` make a distribution."""
    check_choice(agent, "sizes", _KINDS)
    to_number(agent, "quantity", low=1.0, high=1e12)
    if agent.sizes == "constant" and agent.quantity != int(agent.quantity):
        raise InvalidValueError(f"quantity: {agent.quantity:g} is no whole number of lots; round it, or vary the sizes")
    if hasattr(agent, "sigma"):
        to_number(agent, "sigma", low=0.0, high=5.0)


def fill_size(rows: Rows, agent: Any) -> None:
    """Write the SIZE_FIELDS of records from the same parameters."""
    mean, sigma = float(agent.quantity), float(getattr(agent, "sigma", 1.0))
    kind = _KINDS[agent.sizes] if mean > 1.0 or agent.sizes == "hundreds" else _CONSTANT
    rows["size_kind"] = kind
    if kind == _CONSTANT:
        rows["size_first"] = mean
    elif kind == _GEOMETRIC:
        rows["size_first"] = math.log(1.0 - 1.0 / mean)
    elif kind == _UNIFORM:
        rows["size_first"] = 2.0 * mean - 1.0
    elif kind == _LOG_NORMAL:
        rows["size_first"], rows["size_second"] = math.log(mean) - 0.5 * sigma * sigma, sigma
