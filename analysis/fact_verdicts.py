"""The stylized facts of Cont (2001) and of order flow, each with a number, its uncertainty, and a verdict (M5).

It judges one market by rules that it tells; it compares no two (``fact_distances`` does) and fits no population.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from marketsim.analysis import fact_measures as measure
from marketsim.analysis.conditional_volatility import fit_garch
from marketsim.analysis.fact_measures import UNKNOWN, Estimate, Sampled
from marketsim.analysis.memory import LongMemory, long_memory
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import HOUR, MINUTE, SECOND, format_duration

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.domain.tables import MarketTables

Verdict = Literal["present", "absent", "undecided", "too little data"]
FEW: Verdict = "too little data"
COLUMNS = ("fact", "statistic", "horizon", "value", "low", "high", "verdict", "rule")
LEAST_RETURNS, LEAST_FOR_MEMORY, LEAST_ORDERS, LEAST_WINDOWS = 200, 1000, 500, 100
LAGS = range(1, 11)
SMALL_MEMORY = 0.1  # an autocorrelation of returns below which there is none to speak of
SMALL = 0.05  # a correlation of sizes below which there is none to speak of
LITTLE_KURTOSIS, LITTLE_SKEWNESS = 0.5, 0.1
NORMAL_TAIL = 5.3  # Hill's index of the largest 5 % of normal returns
THIN_TAIL = 4.0  # an index above which a fourth moment exists
BURSTS = 1.25
WEAK_DECAY = 0.6  # an exponent above which memory is weaker than any that markets are known for
EDGES = 1.2
INTRADAY = (2 * HOUR, 24 * HOUR)  # how long a session must at least and may at most be


@dataclass(frozen=True)
class Fact:
    """One line of the table: a number about one fact on one horizon, 95 % interval, and what follows from it."""

    fact: str
    statistic: str
    horizon: str
    value: float
    low: float
    high: float
    verdict: Verdict
    rule: str


@dataclass(frozen=True)
class StylizedFacts:
    """What ``stylized_facts`` found in one instrument.

    table: a row a number, with columns ``fact``, ``statistic``, ``horizon``, ``value``, ``low``, ``high`` (95 %),
    ``verdict`` and ``rule`` (in words). The row that decides about a fact is its first.
    """

    instrument: str
    table: pd.DataFrame

    @property
    def verdicts(self) -> pd.Series:
        """Indexed by fact: present, absent, undecided, or too little data."""
        leading = self.leading
        return pd.Series(leading["verdict"].to_numpy(), index=pd.Index(leading["fact"], name="fact"), name="verdict")

    @property
    def leading(self) -> pd.DataFrame:
        """The row of each fact that decides about it."""
        return self.table.drop_duplicates("fact").reset_index(drop=True)

    def __str__(self) -> str:
        shown = self.table[["fact", "statistic", "horizon", "value", "low", "high", "verdict"]]
        return shown.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="–")

    def rich(self) -> Table:
        """The table for ``rich.print``; verdicts in colour."""
        from rich import box
        from rich.table import Table

        result = Table(title=f"Stylized facts of {self.instrument}", title_justify="left", title_style="bold",
                       header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)  # fmt: skip
        for name in ("fact", "statistic", "horizon"):
            result.add_column(name)
        for name in ("value", "95 % from", "to"):
            result.add_column(name, justify="right", no_wrap=True)
        result.add_column("verdict", no_wrap=True)
        before = ""
        for row in self.table.itertuples(index=False):
            numbers = [_number(value) for value in (row.value, row.low, row.high)]
            word = coloured(str(row.verdict))
            words = ["" if row.fact == before else str(row.fact), str(row.statistic), str(row.horizon)]
            result.add_row(*words, *numbers, word)
            before = str(row.fact)
        return result


_COLOURS = {"present": "green", "absent": "red", "undecided": "yellow", "too little data": "dim"}


def coloured(verdict: str) -> str:
    """A verdict in its colour, as rich's markup."""
    return f"[{_COLOURS[verdict]}]{verdict}[/]"


def _number(value: object) -> str:
    amount = float(value)  # type: ignore[arg-type]
    return "–" if np.isnan(amount) else f"{amount:,.3f}".replace("-", "−")


def stylized_facts(
    source: MarketTables | Tape, instrument: str | None = None, *, times: int = 400, seed: int = 1
) -> StylizedFacts:
    """The eleven facts of Cont (2001), and three of order flow and of the day, each with a verdict.

    Returns are log returns of the mid on a clock of 1 s, 10 s and 60 s; r is one, |r| its size. Intervals are 95 %:
    percentiles of a stationary bootstrap (``resampling.Blocks``, ``times`` resamples), of long memory by its
    asymptotic error. A fact that says that something is there is *present* when the whole interval says so, *absent*
    when the whole interval lies on the other side of what would be too small to speak of, *undecided* otherwise. So a
    market without it is called present in about one of thirty cases (measured on normal returns). The rules:

    =========================== ====================================================================================
    no linear autocorrelation   autocorrelation of r at lag 1. Present: interval within ±0.1. Absent: wholly beyond.
    heavy tails                 excess kurtosis. Present: above 0. Absent: below 0.5. Also Hill's tail index of the
                                largest 5 %: present below 5.3, a normal sample's; absent above 4.
    gain-loss asymmetry         skewness. Present: below 0. Absent: above -0.1.
    aggregational Gaussianity   excess kurtosis of 1 s less that of sums of 60 (30, 10) s. Present: both it and that of
                                1 s above 0. Absent: one below 0.5.
    intermittency               how much realized variance of windows varies (standard deviation / mean), over what a
                                normal law without memory gives. Present: above 1. Absent: below 1.25.
    volatility clustering       mean autocorrelation of |r| at lags 1 to 10. Present: above 0. Absent: below 0.05.
    conditional heavy tails     excess kurtosis of the residuals of GARCH(1,1). Present: above 0. Absent: below 0.5.
    slow decay of |r|           exponent with which autocorrelations of |r| fall (1 - 2d, ``long_memory``). Present:
                                below 1, where their sum diverges. Absent: above 0.6.
    leverage effect             mean correlation of r with |r| 1 to 10 steps later. Present: below 0. Absent: above
                                -0.05.
    volume and volatility       rank correlation of volume and |r|. Present: above 0. Absent: below 0.05.
    asymmetry in time scales    correlation of coarse volatility (|sum of r| in a window) with later fine volatility
                                (sum of |r|), less that of fine with later coarse, mean over 1 to 5 windows. Present:
                                above 0. Absent: below 0.05.
    long memory of signs        exponent with which autocorrelations of the signs of aggressive orders fall. As for |r|.
    intraday volatility         mean |r| of 60 s in the first and the last sixth, over that of the middle third.
                                Present: above 1. Absent: below 1.2.
    intraday volume             the same of volume.
    =========================== ====================================================================================

    Too little data: fewer than 200 returns (1,000 for slow decay, 500 orders for signs, 100 windows for time scales), a
    price that never moves, or no session of 2 to 24 hours for what is intraday. Sources: Cont (2001); for signs Lillo
    and Farmer (2004); for time scales Müller et al. (1997); numbers as in ``fact_statistics``.
    """
    tape = Tape.of(source, instrument)
    clocks = {name: Sampled.of(tape, name, times, seed) for name in ("1s", "10s", "60s")}
    rows = [*_of_returns(clocks), *_of_size(clocks), *_of_time_scales(clocks["1s"]), *_of_flow(tape)]
    rows += _of_the_day(tape, clocks["60s"])
    return StylizedFacts(tape.symbol, pd.DataFrame(_deciding_first(rows), columns=list(COLUMNS)))


def at_same_horizons(first: StylizedFacts, second: StylizedFacts) -> tuple[StylizedFacts, StylizedFacts]:
    """Both with a fact's deciding row of the same statistic and horizon, the first for which both have enough data.

    Where there is none, each keeps its own order.
    """
    rows = [{(row.fact, row.statistic, row.horizon): row.verdict for row in found.table.itertuples(index=False)}
            for found in (first, second)]  # fmt: skip
    both = {key for key in rows[0] if key in rows[1] and FEW not in (rows[0][key], rows[1][key])}
    leads: dict[str, Any] = {}
    for key in rows[0]:
        if key in both:
            leads.setdefault(str(key[0]), key)
    return _led_by(first, leads), _led_by(second, leads)


def _led_by(found: StylizedFacts, leads: Mapping[str, Any]) -> StylizedFacts:
    table = found.table
    keys = zip(table["fact"], table["statistic"], table["horizon"], strict=True)
    places = {fact: n for n, fact in enumerate(table["fact"].drop_duplicates())}
    order = sorted(((places[key[0]], leads.get(key[0]) != key, n) for n, key in enumerate(keys)))
    return replace(found, table=table.iloc[[n for *_, n in order]].reset_index(drop=True))


def beside_table(first: StylizedFacts, second: StylizedFacts) -> pd.DataFrame:
    """A row a fact: fact, statistic, horizon, then value, low, high and verdict of each (``_1``, ``_2``).

    Both are of the same horizon, as ``at_same_horizons`` has it; where there is none with enough data for both, the
    two horizons stand there.
    """
    one, two = (found.leading for found in at_same_horizons(first, second))
    table = one.drop(columns="rule").merge(two.drop(columns="rule"), on="fact", suffixes=("_1", "_2"))
    for name in ("statistic", "horizon"):
        pairs = zip(table[f"{name}_1"], table[f"{name}_2"], strict=True)
        table[name] = [" / ".join(dict.fromkeys(pair)) for pair in pairs]
    numbers = [f"{name}_{n}" for n in (1, 2) for name in ("value", "low", "high", "verdict")]
    return table[["fact", "statistic", "horizon", *numbers]]


def _deciding_first(rows: Sequence[Fact]) -> list[Fact]:
    """Rows of one fact together, first the one that decides: the first with enough data."""
    names = list(dict.fromkeys(row.fact for row in rows))
    found: list[Fact] = []
    for name in names:
        mine = [row for row in rows if row.fact == name]
        found += sorted(mine, key=lambda row: row.verdict == FEW)
    return found


# --- verdicts ---


def _judged(
    fact: str,
    statistic: str,
    horizon: str,
    value: float,
    interval: tuple[float, float],
    rule: str,
    present: Callable[[float, float], bool],
    absent: Callable[[float, float], bool],
) -> Fact:
    low, high = interval
    if not np.isfinite((value, low, high)).all():
        return Fact(fact, statistic, horizon, float("nan"), float("nan"), float("nan"), FEW, rule)
    verdict: Verdict = "present" if present(low, high) else "absent" if absent(low, high) else "undecided"
    return Fact(fact, statistic, horizon, value, low, high, verdict, rule)


def _above(fact: str, statistic: str, horizon: str, found: Estimate, zero: float, little: float) -> Fact:
    rule = f"present: interval above {zero:g}; absent: below {little:g}"
    return _judged(fact, statistic, horizon, found.value, found.interval, rule,
                   lambda low, _: low > zero, lambda _, high: high < little)  # fmt: skip


def _below(fact: str, statistic: str, horizon: str, found: Estimate, zero: float, little: float) -> Fact:
    rule = f"present: interval below {zero:g}; absent: above {little:g}"
    return _judged(fact, statistic, horizon, found.value, found.interval, rule,
                   lambda _, high: high < zero, lambda low, _: low > little)  # fmt: skip


def _decay(fact: str, statistic: str, horizon: str, found: LongMemory | None) -> Fact:
    rule = f"present: interval below 1; absent: above {WEAK_DECAY:g}"
    value, interval = (float("nan"), (float("nan"), float("nan")))
    if found is not None:
        value, interval = found.decay, found.decay_interval
    return _judged(fact, statistic, horizon, value, interval, rule,
                   lambda _, high: high < 1.0, lambda low, _: low > WEAK_DECAY)  # fmt: skip


def _told(clock: Sampled, of: Callable[[Sampled], Estimate], least: int = LEAST_RETURNS) -> Estimate:
    return of(clock) if len(clock.returns) >= least and clock.varies else UNKNOWN


# --- facts ---


def _of_returns(clocks: dict[str, Sampled]) -> Iterator[Fact]:
    fact, rule = "no linear autocorrelation", f"present: interval within ±{SMALL_MEMORY:g}; absent: wholly beyond"
    for name in ("10s", "1s", "60s"):
        found = _told(clocks[name], lambda c: measure.memory(c, c.returns, (1,)))
        yield _judged(
            fact, "autocorrelation at lag 1", name, found.value, found.interval, rule,
            lambda low, high: low > -SMALL_MEMORY and high < SMALL_MEMORY,
            lambda low, high: low > SMALL_MEMORY or high < -SMALL_MEMORY,
        )  # fmt: skip
    for name, clock in clocks.items():
        found = _told(clock, measure.kurtosis)
        yield _above("heavy tails", "excess kurtosis", name, found, 0.0, LITTLE_KURTOSIS)
    found = _told(clocks["1s"], measure.tail_index)
    yield _below("heavy tails", "tail index (Hill)", "1s", found, NORMAL_TAIL, THIN_TAIL)
    for name, clock in clocks.items():
        found = _told(clock, measure.skew)
        yield _below("gain–loss asymmetry", "skewness", name, found, 0.0, -LITTLE_SKEWNESS)
    many = next((many for many in (60, 30) if len(clocks["1s"].returns) >= LEAST_RETURNS * many), 10)
    found = _told(clocks["1s"], lambda c: measure.kurtosis_fall(c, many), LEAST_RETURNS * many)
    fine = _told(clocks["1s"], measure.kurtosis).interval
    yield _judged(
        "aggregational Gaussianity", "fall of excess kurtosis", f"1s to {many}s", found.value, found.interval,
        f"present: intervals of kurtosis of 1 s and of its fall above 0; absent: one below {LITTLE_KURTOSIS:g}",
        lambda low, _: min(low, fine[0]) > 0.0,
        lambda _, high: min(high, fine[1]) < LITTLE_KURTOSIS,
    )  # fmt: skip


def _of_size(clocks: dict[str, Sampled]) -> Iterator[Fact]:
    for seconds in (60, 300):
        found = _told(clocks["1s"], lambda c, many=seconds: measure.burstiness(c, many), 10 * seconds)  # type: ignore[misc]
        horizon = format_duration(seconds * SECOND)
        yield _above("intermittency", "variation of realized variance", f"in {horizon}", found, 1.0, BURSTS)
    for name, clock in clocks.items():
        found = _told(clock, lambda c: measure.memory(c, c.size, LAGS))
        yield _above("volatility clustering", "autocorrelation of size, lags 1–10", name, found, 0.0, SMALL)
    for name in ("1s", "10s"):
        found = _told(clocks[name], _conditional_kurtosis)
        yield _above("conditional heavy tails", "excess kurtosis after GARCH", name, found, 0.0, LITTLE_KURTOSIS)
    for name in ("1s", "10s"):
        clock = clocks[name]
        enough = len(clock.returns) >= LEAST_FOR_MEMORY and clock.varies
        decay = long_memory(clock.size) if enough else None
        yield _decay("slow decay of absolute returns", "decay exponent of size", name, decay)
    for name in ("10s", "1s", "60s"):
        found = _told(clocks[name], lambda c: measure.cross_memory(c, c.returns, c.size, LAGS))
        yield _below("leverage effect", "correlation with later size, 1–10", name, found, 0.0, -SMALL)
    for name in ("10s", "60s", "1s"):
        found = _told(clocks[name], lambda c: measure.rank_correlation(c, c.volume, c.size))
        yield _above("volume–volatility correlation", "rank correlation", name, found, 0.0, SMALL)


def _conditional_kurtosis(clock: Sampled) -> Estimate:
    fit = fit_garch(clock.returns)
    return UNKNOWN if fit is None else measure.kurtosis_of(clock, fit.residuals)


def _of_time_scales(clock: Sampled) -> Iterator[Fact]:
    for many in (20, 60):
        enough = len(clock.returns) >= LEAST_WINDOWS * many and clock.varies
        found = measure.time_scale_asymmetry(clock, many, range(1, 6)) if enough else UNKNOWN
        yield _above(
            "asymmetry in time scales",
            "coarse before fine, less fine before coarse",
            f"1s in {many}s",
            found,
            0.0,
            SMALL,
        )


def _of_flow(tape: Tape) -> Iterator[Fact]:
    side = tape.merged().side
    found = long_memory(side) if len(side) >= LEAST_ORDERS and side.std() > 0 else None
    yield _decay("long memory of signs", "decay exponent of signs", "order", found)


def _of_the_day(tape: Tape, clock: Sampled) -> Iterator[Fact]:
    enough = (
        INTRADAY[0] <= tape.end - tape.start <= INTRADAY[1] and clock.varies and len(clock.returns) >= LEAST_WINDOWS
    )
    for fact, values in (("intraday volatility", clock.size), ("intraday volume", clock.volume)):
        found = _edges(clock, values) if enough and values.any() else UNKNOWN
        yield _above(fact, "first and last sixth over middle third", format_duration(MINUTE), found, 1.0, EDGES)


def _edges(clock: Sampled, values: Floats) -> Estimate:
    place = (np.arange(len(values)) + 0.5) / len(values)
    edge = ((place < 1 / 6) | (place > 5 / 6)).astype(np.float64)
    middle = ((place > 1 / 3) & (place < 2 / 3)).astype(np.float64)
    return clock.estimate(
        [edge * values, edge, middle * values, middle],
        lambda m: (m[..., 0] / m[..., 1]) / (m[..., 2] / m[..., 3]),
    )
