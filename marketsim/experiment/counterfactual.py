"""Counterfactual impact: what an order does to the price, because the same market is also seen without it.

Under each seed the market is forked at a time (``experiment.fork``) and continued with and without the order. The
difference of the two mids is the order's doing and nothing else's; its mean over the seeds is the causal impact curve.
Averages of what follows trades in one run (mark-outs, response functions) are not: trades come when the price is on
its way already. Seeds are independent, so the seed is the unit of every interval; several times of one seed are
averaged first. It draws nothing and knows no law of impact.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from marketsim.agents.intervention import Intervention
from marketsim.analysis.files import write_figure, write_tables
from marketsim.analysis.paired import student
from marketsim.analysis.resampling import resamples
from marketsim.domain.units import SECOND, duration, format_duration, format_time
from marketsim.errors import InvalidValueError, SimulationError, did_you_mean
from marketsim.experiment.fork import How, Lines, Plan, refuse_bare, start
from marketsim.experiment.pool import spread
from marketsim.experiment.replication import Given, spec_of
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from marketsim.simulation.execution import Execution

Floats = NDArray[np.float64]
Unit = Literal["bps", "currency", "ticks", "spreads"]
Band = Literal["student", "bootstrap"]
UNITS, BANDS = ("bps", "currency", "ticks", "spreads"), ("student", "bootstrap")
RESAMPLES = 2_000
_POINTS = 60  # of a curve where no step is given
_MOST_POINTS = 100_000
_TENTHS = 10  # the last one of the horizon says what lasts


@dataclass(frozen=True)
class Counterfactual:
    """What came of all forks. Arrays have the axes seeds, times of the fork, orders, points of the curve, where each
    applies; prices are in currency, NaN where a side of the book was empty.

    at: ns of the clock. points: ns after the order. without, with_order: mids. mid, spread: at the fork, before the
    order. executed: units. paid: mean price of its fills. digests: of the event log up to the horizon, seeds x times x
    (1 + orders), the one without an order first. how: "snapshot" or "replay".
    """

    scenario: str
    instrument: str
    venue: str
    how: str
    seeds: tuple[int, ...]
    at: tuple[int, ...]
    orders: tuple[Intervention, ...]
    points: NDArray[np.int64]
    tick: float
    confidence: float
    band: Band
    mid: Floats
    spread: Floats
    without: Floats
    with_order: Floats
    executed: Floats
    paid: Floats
    digests: NDArray[np.str_]

    def __repr__(self) -> str:
        return (
            f"<Counterfactual of {self.scenario}: {', '.join(self.labels)} in {self.instrument} at {self.venue}, "
            f"{len(self.seeds):,} seeds; .summary(), .table(), .figure(), .report(PATH), .save(FOLDER)>"
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The orders in words, such as "buy 500"."""
        return tuple(map(label_of, self.orders))

    def impacts(self, unit: Unit = "bps") -> Floats:
        """Impact of each seed, time, order and point: side · (mid with - mid without), positive where the price went
        with the order. In bps of the mid at the fork, in ``spreads`` of all forks' mean, in ``ticks`` or ``currency``.
        """
        _choice("unit", unit, UNITS)
        sides = np.array([_side(order) for order in self.orders])[:, None]
        return np.asarray(sides * (self.with_order - self.without[:, :, None, :]) * self._scale(unit))

    def table(self, unit: Unit = "bps", *, at: int | None = None) -> pd.DataFrame:
        """The impact curves with their bands.

        Columns: ``order``, ``seconds`` after it, ``impact`` (mean over the seeds), ``low``, ``high``, ``seeds`` (in
        how many both markets had a mid). at: the place of one of several times; all of them averaged when left out.
        """
        import pandas as pd

        parts = []
        for place, name in enumerate(self.labels):
            found = _over_times(self.impacts(unit)[:, :, place], at)
            mean, low, high, count = _band(found, self.confidence, self.band)
            terms = {"order": name, "seconds": self.points / SECOND, "impact": mean, "low": low, "high": high}
            parts.append(pd.DataFrame({**terms, "seeds": count}))
        return pd.concat(parts, ignore_index=True)

    def summary(self, unit: Unit = "bps") -> pd.DataFrame:
        """A row an order.

        ``order``, ``quantity`` (units), ``executed`` (mean), ``cost`` (mean of side · (price paid - mid at the fork),
        of those that traded), ``peak`` (largest mean impact) and ``peak_seconds``, ``lasting`` (mean impact over the
        last tenth of the horizon) with ``low`` and ``high``, ``left`` (lasting over peak; NaN where the
        band holds 0 at the peak), ``gain`` (how many times
        wider the interval of ``lasting`` would be if the two markets had been run under different seeds), ``seeds``.
        """
        import pandas as pd

        impacts, scale = self.impacts(unit), self._scale(unit)[:, :, 0, 0]
        rows = []
        for place, (name, order) in enumerate(zip(self.labels, self.orders, strict=True)):
            curve, floor, _, _ = _band(_over_times(impacts[:, :, place], None), self.confidence, self.band)
            lasting = _over_times(_last(impacts[:, :, place]), None)[:, None]
            mean, low, high, count = (part[0] for part in _band(lasting, self.confidence, self.band))
            cost = _over_times(_side(order) * (self.paid[:, :, place] - self.mid) * scale, None)
            top = int(np.nanargmax(curve)) if np.isfinite(curve).any() else 0
            rows.append(
                {
                    "order": name,
                    "quantity": order.quantity,
                    "executed": float(self.executed[:, :, place].mean()),
                    "cost": _mean(cost),
                    "peak": float(curve[top]),
                    "peak_seconds": float(self.points[top]) / SECOND,
                    "lasting": float(mean),
                    "low": float(low),
                    "high": float(high),
                    "left": float(mean / curve[top]) if floor[top] > 0 else float("nan"),
                    "gain": self._gain(place, self._scale(unit)),
                    "seeds": int(count),
                }
            )
        return pd.DataFrame(rows)

    def values(self) -> pd.DataFrame:
        """Tidy: a row a seed, time, order and point: ``seed``, ``at`` (ns), ``order``, ``seconds``, ``without``,
        ``with_order`` (mids in currency).
        """
        import pandas as pd

        shape = self.with_order.shape
        axes = (np.array(self.seeds), np.array(self.at), np.array(self.labels), self.points / SECOND)
        columns = [grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")]
        without = np.broadcast_to(self.without[:, :, None, :], shape).ravel()
        names = ("seed", "at", "order", "seconds", "without", "with_order")
        return pd.DataFrame(dict(zip(names, (*columns, without, self.with_order.ravel()), strict=True)))

    def forks(self) -> pd.DataFrame:
        """A row a continuation: ``seed``, ``at`` (ns), ``order`` ("" for none), ``executed``, ``paid``, ``digest``."""
        import pandas as pd

        rows = [
            (seed, at, name, *_traded(self, s, t, number), str(self.digests[s, t, number]))
            for s, seed in enumerate(self.seeds)
            for t, at in enumerate(self.at)
            for number, name in enumerate(("", *self.labels))
        ]
        return pd.DataFrame(rows, columns=["seed", "at", "order", "executed", "paid", "digest"])

    def figure(self, unit: Unit = "bps") -> Figure:
        """The curves with their bands; beside them peak and lasting impact by quantity, where there are several."""
        from marketsim.analysis import counterfactual_figure

        return counterfactual_figure(self.table(unit), self.summary(unit), unit, self.confidence)

    def report(self, path: str | Path, unit: Unit = "bps") -> Path:
        """Write it as a page that opens anywhere."""
        from marketsim.analysis import counterfactual_page

        return counterfactual_page(
            path, self.table(unit), self.summary(unit), unit, self.confidence, title=self.title, facts=self.facts
        )

    def save(self, folder: str | Path, unit: Unit = "bps", *, parquet: bool = False) -> list[Path]:
        """Write curves, summary, forks (with digests), every mid, the figure and the page; the paths."""
        place = Path(folder)
        frames = {
            "curves": self.table(unit),
            "orders": self.summary(unit),
            "forks": self.forks(),
            "mids": self.values(),
        }
        paths = write_tables(frames, place, parquet=parquet)
        drawn = write_figure(self.figure(unit), place / "impact.png")
        return [*paths, drawn, self.report(place / "impact.html", unit)]

    @property
    def title(self) -> str:
        """What was asked."""
        return f"What an order does to {self.instrument} in {self.scenario}"

    @property
    def facts(self) -> dict[str, str]:
        """How it was found out, in words."""
        times = ", ".join(format_time(time).partition(".")[0] for time in self.at)
        way = "a snapshot of the market at that time" if self.how == "snapshot" else "runs from the start"
        return {
            "market": f"{self.instrument} at {self.venue}",
            "forked at": times,
            "seeds": f"{len(self.seeds)}, each with and without the order",
            "continued from": way,
            "followed for": format_duration(int(self.points[-1])),
            "intervals": f"{self.confidence * 100:.4g} %, {'bootstrap' if self.band == 'bootstrap' else 'Student'}",
        }

    def _scale(self, unit: Unit) -> Floats:
        """What turns currency into a unit, for each seed and time."""
        mids = self.mid[:, :, None, None]
        if unit == "bps":
            return np.asarray(1e4 / mids)
        size = {"currency": 1.0, "ticks": self.tick, "spreads": _mean(self.spread.ravel())}[unit]
        return np.full(mids.shape, 1.0 / size)

    def _gain(self, place: int, scale: Floats) -> float:
        """Of the lasting impact: deviation of two independent samples' difference over that of the pairs'."""
        since = self.mid[:, :, None]
        one = _over_times(_last((self.without - since) * scale[:, :, 0]), None)
        other = _over_times(_last((self.with_order[:, :, place] - since) * scale[:, :, 0]), None)
        there = np.isfinite(one) & np.isfinite(other)
        if there.sum() < 2:
            return float("nan")
        paired = float((other - one)[there].std(ddof=1))
        return sqrt(float(one[there].var(ddof=1) + other[there].var(ddof=1))) / paired if paired > 0 else float("nan")


def counterfactual(
    scenario: Given,
    at: str | int | Sequence[str | int],
    buy: float | Sequence[float] = (),
    sell: float | Sequence[float] = (),
    *,
    orders: Sequence[Intervention] = (),
    seeds: int | Sequence[int] = 50,
    horizon: str | int = "5min",
    every: str | int | None = None,
    pieces: int = 1,
    over: str | int = "0s",
    instrument: str | None = None,
    venue: str | None = None,
    latency: str | None = None,
    host: str | None = None,
    confidence: float = 0.95,
    band: Band = "student",
    how: How = "auto",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Counterfactual:
    """Fork a market under many seeds, with and without an order, and follow the price in both.

    scenario: a simulation, its spec, or a file or the name of a scenario.
    at: when: time of day such as ``"10:30"``, or time after the start such as ``"30min"``; several are averaged.
    buy, sell: units of market orders, one or several sizes; each is a fork of its own, all share the market without.
    orders: any ``ms.agents.Intervention`` besides (limits, pieces).
    seeds: how many (then 1, 2, 3 …), or which ones; at least two.
    horizon: how long the price is followed. every: between two points of the curve; a sixtieth when left out.
    pieces, over: cut each of ``buy`` and ``sell`` into so many orders, spread evenly over a time.
    instrument, venue, latency, host: where the order goes and from where, as in ``ms.fork``.
    band: "student" intervals of the mean, or percentiles of a "bootstrap" over the seeds.
    how: "snapshot", "replay" or "auto", as in ``ms.fork``.

    Raises InvalidValueError for what cannot be: a time or horizon outside of the run, an unknown market, quantities
    that are not whole lots.
    """
    chosen = _seeds(seeds)
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")
    _choice("band", band, BANDS)
    given = [*_sized("buy", buy, pieces, over), *_sized("sell", sell, pieces, over), *orders]
    if not given:
        raise InvalidValueError("there is no order: give buy=500, sell=[100, 200], or orders")
    moments = (at,) if isinstance(at, (str, int)) else tuple(at)
    plan = Plan.of(spec_of(scenario), moments, given, instrument, venue, latency, host)
    if len(set(map(label_of, given))) < len(given):
        raise InvalidValueError(f"orders: {', '.join(map(label_of, given))}: each may be there once")
    points = _points(plan, horizon, every)
    watch = _Watch(plan.times, plan.keys, plan.orders, plan.instrument, plan.venue, points, how)
    found = _follow_all(partial(_follow, plan.spec.to_dict(), watch), chosen, workers, progress)
    _require_differences(plan, found)
    return Counterfactual(
        plan.spec.name, plan.instrument, plan.venue, found[0].how, chosen, plan.times, plan.orders,
        np.array(points, np.int64), plan.terms.tick, confidence, band,
        *(np.stack([getattr(one, name) for one in found]) for name in _SEEN),
    )  # fmt: skip


def label_of(order: Intervention) -> str:
    """An order in words: "buy 500", "sell 500 in 5 pieces over 1min", "buy 100 by limits"."""
    words = f"{order.side} {order.quantity:,.12g}"
    if order.orders == "limit":
        words += " by limits" + (f" {order.offset:+g}" if order.offset else "")
    if order.pieces > 1:
        words += f" in {order.pieces} pieces over {format_duration(int(order.over))}"
    return words


def check_unit(given: str) -> Unit:
    """One of UNITS, or InvalidValueError."""
    _choice("unit", given, UNITS)
    return given  # type: ignore[return-value]


# --- one seed, in whatever process ---


@dataclass(frozen=True)
class _Watch:
    """What is done under each seed."""

    times: tuple[int, ...]
    keys: tuple[str, ...]
    orders: tuple[Intervention, ...]
    instrument: str
    venue: str
    points: tuple[int, ...]
    how: How


@dataclass
class _Seen:
    """What was seen under one seed; axes as in Counterfactual, without the first."""

    how: str
    mid: Floats
    spread: Floats
    without: Floats
    with_order: Floats
    executed: Floats
    paid: Floats
    digests: NDArray[np.str_]


_SEEN = ("mid", "spread", "without", "with_order", "executed", "paid", "digests")


def _follow_all(
    follow: Callable[[int], _Seen],
    seeds: tuple[int, ...],
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[_Seen]:
    """What was seen under each seed; a failure is an error with its seed."""
    found: dict[int, _Seen] = {}
    with closing(spread(follow, seeds, workers)) as outcomes:
        for place, outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise SimulationError(f"the fork with seed {seeds[place]} failed: {outcome}") from outcome
            found[place] = outcome
            if progress is not None:
                progress(len(found), len(seeds))
    return [found[place] for place in range(len(seeds))]


def _follow(given: Mapping[str, Any], watch: _Watch, seed: int) -> _Seen:
    """All forks of one seed."""
    spec = ScenarioSpec.from_dict({**given, "seed": seed})
    plan = Plan(spec, watch.times, watch.keys, watch.orders, watch.instrument, watch.venue)
    lines = Lines(plan, start, watch.how, told=False)
    times, orders, points = len(watch.times), len(watch.orders), len(watch.points)
    seen = _Seen(
        lines.how,
        np.full(times, np.nan),
        np.full(times, np.nan),
        np.full((times, points), np.nan),
        np.full((times, orders, points), np.nan),
        np.zeros((times, orders)),
        np.full((times, orders), np.nan),
        np.full((times, 1 + orders), "", dtype="<U32"),
    )
    for moment, number, execution in lines:
        market = _market_of(execution, plan)
        if number is None:
            seen.mid[moment], seen.spread[moment] = _quotes(execution, market, plan.terms.tick)
            seen.without[moment] = _mids(execution, market, plan, moment, watch.points)
            seen.digests[moment, 0] = execution.digest_so_far()
        else:
            seen.with_order[moment, number] = _mids(execution, market, plan, moment, watch.points)
            seen.executed[moment, number], seen.paid[moment, number] = _fills(execution, plan, moment)
            seen.digests[moment, 1 + number] = execution.digest_so_far()
    return seen


def _market_of(execution: Execution, plan: Plan) -> int:
    markets = execution.world.markets
    return next(m.number for m in markets if (m.venue, m.instrument.symbol) == (plan.venue, plan.instrument))


def _quotes(execution: Execution, market: int, tick: float) -> tuple[float, float]:
    """Mid and spread of the venue's own book now, in currency; NaN where a side is empty."""
    bid, bids, ask, asks = execution.world.core.best(market)
    return ((bid + ask) / 2 * tick, (ask - bid) * tick) if bids and asks else (float("nan"), float("nan"))


def _mids(execution: Execution, market: int, plan: Plan, moment: int, points: Sequence[int]) -> Floats:
    """The mid at each point, just before what happens at that time."""
    found = np.empty(len(points))
    for place, point in enumerate(points):
        execution.go_to(plan.times[moment] + point)
        found[place] = _quotes(execution, market, plan.terms.tick)[0]
    return found


def _fills(execution: Execution, plan: Plan, moment: int) -> tuple[float, float]:
    """Units that the order has got so far, and their mean price."""
    world, terms = execution.world, plan.terms
    record = world.engine.state(world.populations[plan.keys[moment]][0])[0]
    filled, paid = int(record["filled"]), int(record["paid"])
    return terms.quantity(filled), terms.price(paid / filled) if filled else float("nan")


# --- inner ---


def _seeds(given: int | Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(range(1, given + 1)) if isinstance(given, int) else tuple(given)
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise InvalidValueError(f"seeds={given}: an interval needs at least two different seeds")
    return chosen


def _choice(name: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise InvalidValueError(f"{name}={given!r} is unknown{did_you_mean(given, choices)}; use {', '.join(choices)}")


def _sized(
    side: Literal["buy", "sell"], sizes: float | Sequence[float], pieces: int, over: str | int
) -> list[Intervention]:
    several = sizes if isinstance(sizes, (list, tuple, range, np.ndarray)) else (sizes,)
    try:
        return [Intervention(side=side, quantity=size, pieces=pieces, over=over) for size in several]
    except InvalidValueError as error:
        raise InvalidValueError(f"{side}={sizes!r}: {error}") from None


def _points(plan: Plan, horizon: str | int, every: str | int | None) -> tuple[int, ...]:
    """ns after the order, 0 and the horizon among them."""
    refuse_bare("horizon", horizon)
    refuse_bare("every", every)
    length = duration(horizon)
    step = -(-length // _POINTS) if every is None else duration(every)
    if length <= 0 or step <= 0:
        raise InvalidValueError(f"horizon={horizon!r}, every={every!r}: both must be above zero")
    if length // step > _MOST_POINTS:
        raise InvalidValueError(f"every={every!r}: more than {_MOST_POINTS:,} points in {horizon}; look less often")
    last = plan.times[-1] + length
    if last > plan.spec.end:
        raise InvalidValueError(
            f"horizon={horizon!r}: {format_time(last)} lies after the end of the run, {format_time(plan.spec.end)}; "
            "fork earlier, follow the price for less time, or let the scenario last longer (duration)"
        )
    if every is None:
        return tuple(sorted({length * place // _POINTS for place in range(_POINTS + 1)}))
    return (*range(0, length, step), length)


def _require_differences(plan: Plan, found: Sequence[_Seen]) -> None:
    """SimulationError where no seed has a mid in both markets at any point after the order."""
    if not any(np.isfinite(one.with_order - one.without[:, None, :])[..., 1:].any() for one in found):
        raise SimulationError(
            f"no fork has a mid with and without the order: a side of the book of {plan.instrument} at {plan.venue} "
            "was empty whenever the price was looked at; fork later, follow it for longer, or order less"
        )


def _side(order: Intervention) -> float:
    return 1.0 if order.side == "buy" else -1.0


def _over_times(values: Floats, at: int | None) -> Floats:
    """Each seed's mean over the times of its forks (axis 1); NaN where there is none."""
    if at is not None:
        return values[:, at]
    return _nanmean(values, 1)


def _last(values: Floats) -> Floats:
    """Mean over the last tenth of the curve."""
    return _nanmean(values[..., -max(values.shape[-1] // _TENTHS, 1) :], -1)


def _nanmean(values: Floats, axis: int) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=axis))


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _band(values: Floats, confidence: float, band: Band) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Mean, low, high and count of each column over its finite rows."""
    count = np.isfinite(values).sum(axis=0)
    mean = _nanmean(values, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if band == "bootstrap":
            tails = [0.5 - confidence / 2, 0.5 + confidence / 2]
            chosen = resamples(len(values), RESAMPLES)
            drawn = np.stack([np.nanmean(column[chosen], axis=1) for column in values.T], axis=1)
            low, high = np.nanquantile(drawn, tails, axis=0)
        else:
            error = np.nanstd(values, axis=0, ddof=1) / np.sqrt(count)
            half = student(confidence, np.maximum(count - 1, 1)) * error
            low, high = mean - half, mean + half
    alone = count < 2
    return mean, np.where(alone, np.nan, low), np.where(alone, np.nan, high), count


def _traded(found: Counterfactual, seed: int, time: int, number: int) -> tuple[float, float]:
    if number == 0:
        return 0.0, float("nan")
    return float(found.executed[seed, time, number - 1]), float(found.paid[seed, time, number - 1])
