"""How the rows of a comparison read: numbers with as many decimals as their interval is sure of, and sentences.

A row is one of ``Comparison.table``, as a mapping. The command line and the page say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, inf, isfinite, log10
from typing import Any

from marketsim.analysis.paired import FEWEST
from marketsim.analysis.summary import number

MOST_SEEDS = 10_000  # beyond which nobody runs a comparison

CORRECTED = {
    "holm": "corrected for {tests} comparisons (Holm)",
    "bonferroni": "corrected for {tests} comparisons (Bonferroni)",
    "benjamini-hochberg": "corrected for {tests} comparisons (Benjamini-Hochberg, a share of false findings)",
    "none": "not corrected: of {tests} comparisons some differ by chance",
}


def cells(row: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a row as texts."""
    form = f",.{decimals(row['high'] - row['low'])}f"
    signed = f"+{form}"
    return {
        "mean_base": number(row["mean_base"], form),
        "mean": number(row["mean"], form),
        "difference": number(row["difference"], signed),
        "interval": interval(row["low"], row["high"], signed),
        "bootstrap": interval(row["boot_low"], row["boot_high"], signed),
        "p": p_text(row["p"]),
        "p_adjusted": p_text(row["p_adjusted"]),
        "mark": mark(row),
        "effect": number(row["effect"], "+,.2f"),
        "gain": number(row["pairing_gain"], ",.1f"),
        "seeds": number(row["seeds"], ",.0f"),
        "seeds_80": seeds_text(row["seeds_80"]),
        "smallest_80": number(row["smallest_80"], form),
    }


def interval(low: float, high: float, form: str) -> str:
    """Both ends; – where there is neither."""
    ends = [number(low, form), number(high, form)]
    return "–" if ends == ["–", "–"] else " … ".join(ends)


def mark(row: Mapping[str, Any]) -> str:
    """``*`` where it differs, all comparisons taken into account, ``(*)`` where only its own interval says so."""
    if row["differs"]:
        return "*"
    return "(*)" if row["low"] > 0 or row["high"] < 0 else ""


def decimals(width: float) -> int:
    """Two digits of an interval's width."""
    return min(max(2 - floor(log10(width)), 0), 9) if isfinite(width) and width > 0 else 4


def p_text(p: float) -> str:
    """A p-value as it is printed."""
    return "< 0.001" if p < 0.001 else number(p, ".3f")


def verdict(row: Mapping[str, Any], confidence: float) -> str:
    """A sentence: by how much, how sure, and how many seeds it would take."""
    told = cells(row)
    where = f"{row['measure']}: {row['name']} minus {row['base']} is {told['difference']}"
    if row["low"] == row["high"] == 0.0:
        return f"{row['measure']}: equal under every seed."
    if not isfinite(row["high"]):
        return f"{where}; with {told['seeds']} seeds there is no interval."
    sure = f"{where} ({told['interval']} at {confidence * 100:.4g} %)"
    if row["differs"]:
        return f"{sure}: it differs."
    if told["mark"]:
        words = "apart from zero by itself, but not after the correction for all that is compared."
    else:
        words = "may be chance."
    return f"{sure}: {words} {_seeds_words(row)}; {told['seeds']} seeds see {told['smallest_80']} or more."


def seeds_text(count: float) -> str:
    """How many seeds, as far as anybody runs them."""
    return f"> {MOST_SEEDS:,}" if MOST_SEEDS < count < inf else number(count, ",.0f")


def _seeds_words(row: Mapping[str, Any]) -> str:
    count = row["seeds_80"]
    if not isfinite(count):
        return "No number of seeds sees a difference of nothing"
    many = (
        f"more than {MOST_SEEDS:,} seeds: not to be found in practice" if count > MOST_SEEDS else f"{count:,.0f} seeds"
    )
    return f"To see such a difference in 80 of 100 comparisons takes {many}"


def corrected_words(correction: str, tests: int) -> str:
    """What was done about many comparisons."""
    return CORRECTED[correction].format(tests=f"{tests:,}")


def few_words(seeds: int) -> str:
    """What is missing where there are too few seeds to resample."""
    return f"{seeds} seeds are too few for bootstrap intervals, which begin with {FEWEST}; Student's are there."


def interrupted_words(done: int, planned: int) -> str:
    """That not all seeds have run."""
    return f"interrupted after {done} of {planned} seeds: this is the comparison of those that all sides have done"
