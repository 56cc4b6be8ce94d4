"""Chance: one counter-based random generator for Python and compiled agents.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11).
A draw is a pure function of (seed, name, purpose, draw number): the key is a hash of seed and name, the counter holds
the draw number, a hash of the purpose and, for rejection methods, the attempt. Nothing is shared between names, so
adding an agent shifts nobody else's draws.

All arithmetic on floats uses ``math``, whose results are the same compiled and not. There is no global state.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, MutableSequence, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import UNCOMPILED, compiled

T = TypeVar("T")
_TO_UNIT = 1.0 / 9007199254740992.0  # 2**-53


def key_of(seed: int, name: str) -> int:
    """The 64-bit key of a name under a seed, as a signed integer (what records hold)."""
    digest = hashlib.blake2b(f"{int(seed)}\x1f{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def keys_of(seed: int, names: Iterable[str]) -> NDArray[np.int64]:
    """``key_of`` each of many names: what they have in common is hashed once."""
    begun = hashlib.blake2b(f"{int(seed)}\x1f".encode(), digest_size=8)
    digests = []
    for name in names:
        own = begun.copy()
        own.update(name.encode())
        digests.append(own.digest())
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)


def purpose_of(purpose: str) -> int:
    """The 32-bit number of a purpose."""
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=4).digest(), "little")


if UNCOMPILED:

    def block(key: Any, purpose: Any, draw: Any, attempt: Any) -> Any:
        """Two 64-bit words of Philox4x32-10 for key and counter (draw, purpose, attempt)."""
        key, draw = int(key) & 0xFFFFFFFFFFFFFFFF, int(draw) & 0xFFFFFFFFFFFFFFFF
        k0, k1 = key & 0xFFFFFFFF, key >> 32
        c0, c1, c2, c3 = draw & 0xFFFFFFFF, draw >> 32, int(purpose) & 0xFFFFFFFF, int(attempt) & 0xFFFFFFFF
        for _ in range(10):
            p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
            c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
            k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
        return c0 | (c1 << 32), c2 | (c3 << 32)

    def _unit(word: Any) -> Any:
        return (word >> 11) * _TO_UNIT

else:
    _MASK = np.uint64(0xFFFFFFFF)
    _M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    _W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
    _32, _11 = np.uint64(32), np.uint64(11)

    @compiled
    def block(key: Any, purpose: Any, draw: Any, attempt: Any) -> Any:
        """Two 64-bit words of Philox4x32-10 for key and counter (draw, purpose, attempt)."""
        wide_key, wide_draw = np.uint64(key), np.uint64(draw)
        k0, k1 = wide_key & _MASK, wide_key >> _32
        c0, c1 = wide_draw & _MASK, wide_draw >> _32
        c2, c3 = np.uint64(purpose) & _MASK, np.uint64(attempt) & _MASK
        for _ in range(10):
            p0, p1 = _M0 * c0, _M1 * c2
            c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
            k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
        return c0 | (c1 << _32), c2 | (c3 << _32)

    @compiled
    def _unit(word: Any) -> Any:
        return np.float64(word >> _11) * _TO_UNIT


@compiled
def uniform(key: int, purpose: int, draw: int) -> float:
    """Uniform on [0, 1) with 53 bits."""
    return _unit(block(key, purpose, draw, 0)[0])


@compiled
def below(key: int, purpose: int, draw: int, bound: int) -> int:
    """A uniform integer 0 … bound-1, for bound up to 2**53 (bias below bound/2**53)."""
    return int(_unit(block(key, purpose, draw, 0)[0]) * bound)


@compiled
def exponential(key: int, purpose: int, draw: int) -> float:
    """Exponential with mean 1, by inversion."""
    return -math.log(1.0 - _unit(block(key, purpose, draw, 0)[0]))


@compiled
def _box_muller(first: Any, second: Any) -> float:
    radius = math.sqrt(-2.0 * math.log(1.0 - _unit(first)))
    return radius * math.cos(6.283185307179586 * _unit(second))


@compiled
def normal(key: int, purpose: int, draw: int) -> float:
    """Standard normal (Box and Muller 1958)."""
    first, second = block(key, purpose, draw, 0)
    return _box_muller(first, second)


@compiled
def gamma(key: int, purpose: int, draw: int, shape: float) -> float:
    """Gamma with the given shape above 0 and scale 1 (Marsaglia and Tsang 2000, with their boost below shape 1)."""
    boost = 1.0
    attempt = 1
    if shape < 1.0:
        boost = math.exp(math.log(1.0 - _unit(block(key, purpose, draw, 0)[0])) / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        first, second = block(key, purpose, draw, attempt)
        x = _box_muller(first, second)
        u = 1.0 - _unit(block(key, purpose, draw, attempt + 1)[0])
        attempt += 2
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return boost * d * v


class Stream:
    """The random draws of one name for one purpose; each call takes the next draw number."""

    def __init__(self, seed: int, name: str, purpose: str) -> None:
        self.key = key_of(seed, name)
        self.purpose = purpose_of(purpose)
        self.draw = 0

    def _next(self) -> int:
        draw = self.draw
        self.draw = draw + 1
        return draw

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform on [low, high)."""
        return float(low + (high - low) * uniform(self.key, self.purpose, self._next()))

    def integer(self, low: int, high: int) -> int:
        """A uniform integer from low to high, both included."""
        if high < low:
            raise InvalidValueError(f"integer({low}, {high}): high must not be below low")
        return low + int(below(self.key, self.purpose, self._next(), high - low + 1))

    def bernoulli(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(uniform(self.key, self.purpose, self._next()) < probability)

    def exponential(self, mean: float = 1.0) -> float:
        """Exponential with the given mean."""
        return float(mean * exponential(self.key, self.purpose, self._next()))

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Normal with the given mean and standard deviation."""
        return float(mean + deviation * normal(self.key, self.purpose, self._next()))

    def lognormal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """exp of a normal with the given mean and standard deviation."""
        return math.exp(self.normal(mean, deviation))

    def gamma(self, shape: float, scale: float = 1.0) -> float:
        """Gamma with the given shape and scale."""
        if shape <= 0.0:
            raise InvalidValueError(f"gamma shape {shape} must be above zero")
        return float(scale * gamma(self.key, self.purpose, self._next(), shape))

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each equally likely."""
        return items[self.integer(0, len(items) - 1)]

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Put the items in random order, in place (Fisher and Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.integer(0, last)
            items[last], items[other] = items[other], items[last]
