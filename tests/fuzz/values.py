"""Hostile values: numbers at the edges of what fields hold, texts that look like something else, damaged bytes."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

LARGEST = 2**53  # of a price or a quantity
EDGES = (
    0,
    1,
    -1,
    2,
    63,
    64,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    2**32,
    LARGEST - 1,
    LARGEST,
    LARGEST + 1,
    -LARGEST,
    -LARGEST - 1,
    2**62,
    -(2**62),
    2**63 - 1,
    -(2**63) + 1,
    -(2**63),
)
NO_INTS: tuple[Any, ...] = (
    1.0,
    2.5,
    float("nan"),
    float("inf"),
    "1",
    "",
    None,
    True,
    b"1",
    (1,),
    2**63,
    -(2**63) - 1,
    2**200,
    Decimal(1),
)
WORDS = (
    "",
    " ",
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    "1e3",
    "1e-9",
    "1e999",
    "-1e999",
    "9" * 40,
    "0.1",
    ".5",
    "5.",
    "nan",
    "inf",
    "-inf",
    "NaN",
    "sNaN",
    "null",
    "~",
    "true",
    "no",
    "0x10",
    "0o7",
    "1_000",
    "1,5",
    "٣",
    "½",
    "²",
    "10ms",
    "1h 30min",
    "3 µs",
    "1e400s",
    "1e30d",
    "-5s",
    "0.1ns",
    "5 / s",
    "1/s",
    "1/0s",
    "1e308/ns",
    "09:30",
    "24:00",
    "25:61",
    "9:3",
    "09:30:00.123456789",
    "2026-03-05",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "2026-03-05 09:30",
    "Europe/Berlin",
    "Mars/Olympus",
    "../../etc/passwd",
    "UTC\0",
    "[",
    "]",
    "{",
    "}",
    "{}",
    "[]",
    "[1, 2]",
    "{a: 1}",
    '"',
    "'",
    "&a",
    "*a",
    "<<",
    "!!python/none",
    "---",
    "...",
    "#",
    ":",
    "a: b",
    "- 1",
    "|",
    ">",
    "%",
    "@",
    "`",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ud800",
    "😀",
    "${HOME}",
    "${",
    "${NOWHERE}",
    "${X:-1}",
    "a.b",
    "a..b",
    ".",
    "agents",
    "lognormal",
    "-1bps",
    "0.1 per_lot",
    "XSIM",
    "ABC",
    "limit",
    "xetra",
    "seed",
    "10min",
    "mean_reverting",
    "noise",
)


def whole(draw: Random, near: int = 12) -> int:
    """Mostly a small number, sometimes one at an edge, sometimes any of 64 bits."""
    what = draw.random()
    if what < 0.75:
        return draw.randint(-near, near)
    if what < 0.93:
        return draw.choice(EDGES) + draw.choice((0, 0, 0, -1, 1)) if what < 0.9 else draw.choice(EDGES)
    return draw.getrandbits(64) - 2**63


def word64(draw: Random, near: int = 12) -> int:
    """The same, and always of 64 bits."""
    return min(max(whole(draw, near), -(2**63)), 2**63 - 1)


def anything(draw: Random, depth: int = 2) -> Any:
    """A plain value of any type, as YAML or JSON may hold."""
    what = draw.random()
    if what < 0.3:
        return draw.choice(WORDS)
    if what < 0.5:
        return whole(draw)
    if what < 0.6:
        return draw.choice((0.5, -1.5, 1e308, -1e-308, float("nan"), float("inf"), 0.0))
    if what < 0.7:
        return draw.choice((None, True, False))
    if depth == 0:
        return draw.choice(WORDS)
    if what < 0.85:
        return [anything(draw, depth - 1) for _ in range(draw.randint(0, 3))]
    return {draw.choice(WORDS): anything(draw, depth - 1) for _ in range(draw.randint(0, 3))}


def text(draw: Random) -> str:
    """A word, words in a row, a damaged word, or any characters."""
    what = draw.random()
    if what < 0.4:
        return draw.choice(WORDS)
    if what < 0.6:
        return draw.choice(("", " ", "/", ":", ".", "=", "-")).join(draw.choices(WORDS, k=draw.randint(2, 4)))
    if what < 0.8:
        return damaged(draw, draw.choice(WORDS) + draw.choice(WORDS))
    return "".join(
        chr(draw.choice((draw.randint(0, 127), draw.randint(0, 0x2FFF)))) for _ in range(draw.randint(0, 12))
    )


def damaged(draw: Random, original: str) -> str:
    """A text with a few characters, words or lines removed, doubled, exchanged or replaced."""
    found = original
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        place = draw.randint(0, len(found))
        end = min(len(found), place + draw.choice((0, 1, 1, 2, 5, 20)))
        what = draw.random()
        if what < 0.25:
            found = found[:place] + draw.choice(WORDS) + found[end:]
        elif what < 0.45:
            found = found[:place] + found[end:]
        elif what < 0.6:
            found = found[:end] + found[place:]
        elif what < 0.75:
            found = found[:place] + chr(draw.randint(0, 255)) + found[end:]
        else:
            lines = found.split("\n")
            one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[one] = draw.choice(
                (lines[other], "  " + lines[one], lines[one].lstrip(), "", lines[one] + lines[other])
            )
            found = "\n".join(lines)
    return found


def damaged_bytes(draw: Random, original: bytes) -> bytes:
    """Bytes with some of them flipped, overwritten, cut away or doubled; sometimes nothing but random ones."""
    if draw.random() < 0.03:
        return draw.randbytes(draw.choice((0, 1, 2, 64, 500)))
    found = bytearray(original)
    for _ in range(draw.choice((1, 1, 2, 5))):
        if not found:
            return draw.randbytes(8)
        place = draw.choice((draw.randrange(len(found)), draw.randrange(min(64, len(found))), len(found) - 1))
        end = min(len(found), place + draw.choice((1, 1, 2, 8, 100)))
        what = draw.random()
        if what < 0.4:
            found[place] ^= 1 << draw.randrange(8)
        elif what < 0.6:
            found[place:end] = draw.randbytes(end - place)
        elif what < 0.75:
            del found[place:end]
        elif what < 0.9:
            found[place:place] = found[place:end]
        else:
            del found[place:]
    return bytes(found)
