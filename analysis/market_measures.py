"""All measures of a market's microstructure as one tidy table, of a run, a recorded day or any tape alike.

It adds up what the other modules measure and measures nothing itself. What a source did not record has no row;
``missing`` says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.book_costs import LEVELS, SAMPLES, Ladder, costs, time_at_spread, weighted_spreads, within
from marketsim.analysis.files import write_file, write_text
from marketsim.analysis.flow_imbalance import impact_of, order_flow_imbalance
from marketsim.analysis.impact import kyle_lambda, mark_outs, response_function
from marketsim.analysis.informed_trading import fit_pin, trade_counts, vpin
from marketsim.analysis.liquidity import best_depth, market_turnover, mean_imbalance, resiliency
from marketsim.analysis.price_discovery import information_shares
from marketsim.analysis.price_illiquidity import amihud, corwin_schultz, roll_spread
from marketsim.analysis.prices import mid_returns, realized_volatility, step_of
from marketsim.analysis.regression import mean_error
from marketsim.analysis.spreads import edges_of, quoted_spread, trade_spreads
from marketsim.analysis.stylized import excess_kurtosis, sign_autocorrelation
from marketsim.analysis.tape import Tape, require_tables, the_instrument
from marketsim.analysis.transient_impact import fit_propagator
from marketsim.analysis.windows import after_warm_up, during
from marketsim.domain.units import SECOND, format_duration
from marketsim.errors import DataError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

COLUMNS = ("instrument", "group", "measure", "about", "value", "unit", "standard_error")
_TOO_FEW = "too few observations in this window"
_PIN_PERIODS = 60
_FLOW_LEVELS, _FLOW_EVERY = 5, 10 * SECOND
_FEWEST, _MOST = 200, 100_000  # samples of the book in a window, and in all windows


@dataclass(frozen=True)
class Microstructure:
    """What ``microstructure`` found.

    table: a row a measure, columns COLUMNS, with ``time`` (ns, start of the interval) in front where intervals were
    asked for: ``about`` says with what parameters (horizon, distance, venue), ``unit`` in what the value is,
    ``standard_error`` is NaN where a measure has none. missing: why a measure has no row, by its name ("SYMBOL measure"
    with several instruments).
    """

    table: pd.DataFrame
    missing: dict[str, str]

    def value(self, measure: str, about: str | None = None) -> float:
        """The value of one measure, of the first row that fits. DataError, with the reason, where it is missing."""
        rows = self.table[self.table["measure"] == measure]
        rows = rows if about is None else rows[rows["about"] == about]
        if len(rows):
            return float(rows["value"].iloc[0])
        told = {name.rpartition(" ")[2]: why for name, why in self.missing.items()}
        raise DataError(f"{measure}: {told.get(measure, 'no such measure; see table')}")

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV; the file appears whole or not at all."""
        return write_file(Path(path), lambda place: self.table.to_csv(place, index=False))

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet."""
        return write_file(Path(path), lambda place: self.table.to_parquet(place, index=False))

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write rows and reasons as JSON: {"measures": [{…}, …], "missing": {…}}; NaN is null."""
        return write_text(Path(path), self.json())

    def json(self) -> str:
        """The text of ``to_json``."""
        import json

        rows = json.loads(self.table.to_json(orient="records", double_precision=15))
        return json.dumps({"measures": rows, "missing": self.missing}, indent=1, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        from marketsim.analysis.summary import number

        shown = self.table.assign(
            value=[number(value, ",.6g") for value in self.table["value"]],
            standard_error=["" if np.isnan(e) else f"± {number(e, ',.2g')}" for e in self.table["standard_error"]],
        ).rename(columns={"standard_error": ""})
        return shown.to_string(index=False)


def microstructure(
    source: MarketTables | Tape,
    instrument: str | None = None,
    *,
    warm_up: object = None,
    every: object = None,
) -> Microstructure:
    """All microstructure measures of ``instrument`` (of all by default) as one table.

    warm_up: a duration (or ns) that is left out at the start, beyond the run's own. every: measure each interval of
    this length by itself, rather than the whole. docs/measures.md has each measure with its formula and source.

    A long run is read from its folder in blocks and only in the columns that are needed. Raises InvalidValueError for
    an unknown instrument or a warm-up as long as the source.
    """
    if not isinstance(source, Tape):
        require_tables(source)
    kept = source if warm_up is None else after_warm_up(source, warm_up)
    symbols = [kept.symbol] if isinstance(kept, Tape) else list(kept.instruments)
    if instrument is not None and not isinstance(kept, Tape):
        symbols = [the_instrument(kept, instrument)]
    frames, missing = [], {}
    for symbol in symbols:
        tape = Tape.of(kept, symbol)
        intervals = _intervals(tape, every)
        whole = _Market(tape, None if isinstance(kept, Tape) else kept, len(intervals))
        for start, stop in intervals:
            rows, reasons = _measured(whole if every is None else whole.between(start, stop))
            frame = pd.DataFrame([(symbol, *row) for row in rows], columns=list(COLUMNS))
            frames.append(frame if every is None else frame.assign(time=start)[["time", *COLUMNS]])
            for name, why in reasons.items():
                missing[name if len(symbols) == 1 else f"{symbol} {name}"] = why
    return Microstructure(_together(frames, every is not None), missing)


def _together(frames: list[pd.DataFrame], timed: bool) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=["time", *COLUMNS] if timed else list(COLUMNS))
    table = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return table.astype({"value": "float64", "standard_error": "float64"})


def _intervals(tape: Tape, every: object) -> list[tuple[int, int]]:
    if every is None:
        return [(tape.start, tape.end)]
    edges = edges_of(tape, every)
    return [(int(a), int(b)) for a, b in pairwise(edges) if b <= tape.end]


Row = tuple[str, str, str, float, str, float]  # group, measure, about, value, unit, standard error
_NONE = float("nan")


@dataclass(frozen=True)
class _Market:
    """One instrument in one window; what several measures, or several windows, share is made once."""

    tape: Tape
    tables: Any  # MarketTables, or None where only a tape is there
    windows: int = 1  # into which it will be cut
    whole: _Market | None = None  # of which it is a part

    def between(self, start: int, stop: int) -> _Market:
        """A part of it."""
        tables = None if self.tables is None else during(self.tables, start, stop)
        return _Market(self.tape.between(start, stop), tables, 1, self)

    @property
    def source(self) -> Any:
        return self.tape if self.tables is None else self.tables

    @cached_property
    def ladder(self) -> Ladder:
        if self.whole is not None:
            return self.whole.ladder.between(self.tape.start, self.tape.end)
        step = step_of(self.tape.start, self.tape.end, min(max(SAMPLES, _FEWEST * self.windows), _MOST))
        return Ladder.of(self.source, LEVELS, self.tape.symbol, step, "the book beyond its best prices")

    @cached_property
    def deep_flow(self) -> pd.DataFrame:
        """Order-flow imbalance of several levels."""
        if self.whole is None:
            return order_flow_imbalance(self.source, _FLOW_EVERY, self.tape.symbol, levels=_FLOW_LEVELS)
        table = self.whole.deep_flow
        return table[(table.index >= self.tape.start) & (table.index <= self.tape.end - _FLOW_EVERY)]

    @cached_property
    def trades(self) -> pd.DataFrame:
        return trade_spreads(self.tape)

    @property
    def mean_trade(self) -> float:
        merged = self.tape.merged()
        return float(merged.quantity.mean()) if len(merged.quantity) else float("nan")


def _measured(market: _Market) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    missing: dict[str, str] = {}
    for part, names in _PARTS:
        try:
            found = list(part(market))
        except DataError as error:
            missing.update(dict.fromkeys(names, str(error)))
            continue
        rows += [row for row in found if np.isfinite(row[3])]
        for name in names:
            if not any(row[1] == name and np.isfinite(row[3]) for row in found):
                missing[name] = _TOO_FEW
    return rows, missing


def _quoted(market: _Market) -> Iterator[Row]:
    tape = market.tape
    yield "spread", "quoted_spread", "over time", quoted_spread(tape), tape.currency, _NONE
    yield "spread", "quoted_spread", "over events", quoted_spread(tape, by="event"), tape.currency, _NONE
    yield "spread", "quoted_spread_bps", "over time", quoted_spread(tape, unit="bps"), "bps", _NONE
    ticks = time_at_spread(tape)
    share = float(ticks["share_of_time"].get(1, 0.0)) if len(ticks) else _NONE
    yield "spread", "time_at_one_tick", "", share, "share", _NONE


def _traded(market: _Market) -> Iterator[Row]:
    tape, table = market.tape, market.trades
    tape.need_sides("the effective spread")
    volume, mid = table["quantity"].to_numpy(), table["mid"].to_numpy()
    for name, measure, about in (
        ("effective", "effective_spread_bps", ""),
        ("realized", "realized_spread_bps", "after 5s"),
        ("impact", "price_impact_bps", "after 5s"),
        ("improvement", "price_improvement_bps", ""),
    ):
        value, error = mean_error(1e4 * table[name].to_numpy() / mid, volume)
        yield "spread", measure, about, value, "bps", error


def _best(market: _Market) -> Iterator[Row]:
    tape = market.tape
    yield "depth", "best_depth", "mean of both sides", best_depth(tape), "units", _NONE
    yield "depth", "imbalance", "at the best prices", mean_imbalance(tape), "-1 … 1", _NONE


def _deep(market: _Market) -> Iterator[Row]:
    ladder = market.ladder
    for distance, row in within(ladder, (10.0, 50.0), LEVELS).iterrows():
        reach = "" if row["reached"] > 0.999 else f", at least (levels reach so far in {row['reached']:.0%})"
        mean = 0.5 * (row["bid_quantity"] + row["ask_quantity"])
        yield "depth", "depth_within", f"{distance:g} bps{reach}", mean, "units", row["standard_error"]


def _round_trip(market: _Market) -> Iterator[Row]:
    sizes = [float(size) for size in (market.mean_trade, 10 * market.mean_trade)]
    if not np.isfinite(sizes).all():
        return
    for times, (size, row) in zip((1, 10), costs(market.ladder, sizes).iterrows(), strict=True):
        held = "" if row["filled"] > 0.999 else f", the book held it in {row['filled']:.0%}"
        about = f"of {size:,.4g} units, {times} mean trade{'s' * (times > 1)}{held}"
        yield "depth", "round_trip_cost_bps", about, row["cost_bps"], "bps", row["standard_error"]


def _weighted(market: _Market) -> Iterator[Row]:
    market.ladder.need_levels(_FLOW_LEVELS, "the depth-weighted spread")
    value, error = mean_error(weighted_spreads(market.ladder, _FLOW_LEVELS))
    yield "depth", "depth_weighted_spread_bps", f"{_FLOW_LEVELS} levels", value, "bps", error


def _recovery(market: _Market) -> Iterator[Row]:
    found = resiliency(market.tape)
    n, share = found.episodes, found.recovered
    error = float(np.sqrt(share * (1 - share) / n)) if n else _NONE
    yield "resiliency", "recovered", "within 10s", share, "share", error
    half = _NONE if found.half_time is None else found.half_time / SECOND
    yield "resiliency", "recovery_time", "median", half, "s", _NONE


def _activity(market: _Market) -> Iterator[Row]:
    tape, minutes = market.tape, (market.tape.end - market.tape.start) / (60 * SECOND)
    yield "turnover", "trades", "", float(len(tape.price)), "trades", _NONE
    yield "turnover", "volume", "", float(tape.quantity.sum()), "units", _NONE
    yield "turnover", "value", "", float((tape.quantity * tape.price).sum()), tape.currency, _NONE
    yield "turnover", "trades_per_minute", "", len(tape.price) / minutes, "1/min", _NONE
    yield "turnover", "mean_trade", "fills of one order together", market.mean_trade, "units", _NONE


def _depth_turnover(market: _Market) -> Iterator[Row]:
    pace = float(market_turnover(market.tape)["depth_turnover"])
    yield "turnover", "depth_turnover", "volume over depth at the best prices", pace, "1/min", _NONE


def _returns(market: _Market) -> Iterator[Row]:
    tape = market.tape
    tape.need_quotes("a return of the mid")
    volatility = realized_volatility(tape, "10s")
    yield "returns", "volatility_bps", "from 10s returns", volatility, "bps/√min", _NONE
    for every in ("1s", "60s"):
        yield "returns", "excess_kurtosis", f"{every} returns", excess_kurtosis(mid_returns(tape, every)), "", _NONE


def _signs(market: _Market) -> Iterator[Row]:
    market.tape.need_sides("the autocorrelation of trade signs")
    table = sign_autocorrelation(market.tape, (1, 10, 100))
    for lag, value, band in table[["lag", "autocorrelation", "band"]].itertuples(index=False):
        yield "flow", "sign_autocorrelation", f"lag {lag}, fills", value, "", band / 1.96


def _mark_outs(market: _Market) -> Iterator[Row]:
    for row in mark_outs(market.tape, ("1s", "10s", "60s")).to_dict("records"):
        scale = abs(row["mark_out_bps"] / row["mark_out"]) if row["mark_out"] else _NONE
        about = f"makers after {format_duration(int(row['horizon']))}"
        yield "impact", "mark_out_bps", about, row["mark_out_bps"], "bps", scale * row["standard_error"]


def _response(market: _Market) -> Iterator[Row]:
    for row in response_function(market.tape, (1, 10, 100)).to_dict("records"):
        about = f"after {row['lag']} trade{'s' * (row['lag'] > 1)}"
        yield "impact", "response", about, row["response"], market.tape.currency, row["standard_error"]


def _kyle(market: _Market) -> Iterator[Row]:
    found = kyle_lambda(market.tape)
    unit = f"{market.tape.currency}/unit"
    yield "impact", "kyle_lambda", "10s intervals", found.slope, unit, found.standard_error
    yield "impact", "kyle_r_squared", "10s intervals", found.r_squared, "share", _NONE


def _order_flow(market: _Market) -> Iterator[Row]:
    row = impact_of(order_flow_imbalance(market.tape, "10s")).loc["best"].to_dict()
    unit = f"{market.tape.currency}/unit"
    yield "impact", "order_flow_slope", "10s intervals, best prices", row["slope"], unit, row["standard_error"]
    yield "impact", "order_flow_r_squared", "10s intervals, best prices", row["r_squared"], "share", _NONE


def _deep_order_flow(market: _Market) -> Iterator[Row]:
    shares = impact_of(market.deep_flow)["r_squared"].astype(float).to_dict()
    for model, words in (("levels", "each a term"), ("integrated", "one component")):
        about = f"10s intervals, {_FLOW_LEVELS} levels, {words}"
        yield "impact", "deep_order_flow_r_squared", about, shares[model], "share", _NONE


def _propagator(market: _Market) -> Iterator[Row]:
    count = len(market.tape.merged().price)
    found = fit_propagator(market.tape, int(min(500, max(count // 40, 2))))
    for lag in (1, 10, 100):
        if lag in found.table.index:
            row = found.table.loc[lag].to_dict()
            about = f"G({lag})"
            yield "impact", "propagator", about, row["propagator"], market.tape.currency, row["standard_error"]
    yield "impact", "propagator_decay", "exponent of G", found.decay, "", found.decay_error


def _vpin(market: _Market) -> Iterator[Row]:
    level = vpin(market.tape)["vpin"].to_numpy(np.float64)
    yield "information", "vpin", "mean, true sides", mean_error(level)[0], "share", _NONE


def _bulk_vpin(market: _Market) -> Iterator[Row]:
    level = vpin(market.tape, classification="bulk")["vpin"].to_numpy(np.float64)
    yield "information", "vpin_bulk", "mean, bars of 1min", mean_error(level)[0], "share", _NONE


def _pin(market: _Market) -> Iterator[Row]:
    every = max((market.tape.end - market.tape.start) // _PIN_PERIODS, 1)
    counts = trade_counts(market.tape, every)
    found = fit_pin(counts["buys"], counts["sells"])
    about = f"{found.periods} periods of {format_duration(every)}"
    yield "information", "pin", about, found.pin, "share", found.standard_error


def _discovery(market: _Market) -> Iterator[Row]:
    table = information_shares(market.source, "1s", market.tape.symbol).table
    for venue, row in table.iterrows():
        yield "information", "information_share_lower", str(venue), row["lower"], "share", _NONE
        yield "information", "information_share_upper", str(venue), row["upper"], "share", _NONE
        yield "information", "component_share", str(venue), row["component_share"], "share", _NONE


def _from_prices(market: _Market) -> Iterator[Row]:
    every = _period(market.tape)
    about = f"intervals of {format_duration(every)}"
    ratio = amihud(market.tape, every)
    yield "illiquidity", "roll_spread_bps", "", roll_spread(market.tape, unit="bps"), "bps", _NONE
    unit = f"bps per million {market.tape.currency}"
    yield "illiquidity", "amihud", about, ratio.ratio, unit, ratio.standard_error
    yield "illiquidity", "corwin_schultz_bps", about, corwin_schultz(market.tape, every), "bps", _NONE


def _period(tape: Tape) -> int:
    """Five minutes, or a tenth of what there is where that is less."""
    return int(min(300 * SECOND, max((tape.end - tape.start) // 10, 1)))


_PARTS: Sequence[tuple[Callable[[_Market], Iterator[Row]], Sequence[str]]] = (
    (_quoted, ("quoted_spread", "quoted_spread_bps", "time_at_one_tick")),
    (_traded, ("effective_spread_bps", "realized_spread_bps", "price_impact_bps", "price_improvement_bps")),
    (_best, ("best_depth", "imbalance")),
    (_deep, ("depth_within",)),
    (_round_trip, ("round_trip_cost_bps",)),
    (_weighted, ("depth_weighted_spread_bps",)),
    (_recovery, ("recovered", "recovery_time")),
    (_activity, ("trades", "volume", "value", "trades_per_minute", "mean_trade")),
    (_depth_turnover, ("depth_turnover",)),
    (_returns, ("volatility_bps", "excess_kurtosis")),
    (_signs, ("sign_autocorrelation",)),
    (_mark_outs, ("mark_out_bps",)),
    (_response, ("response",)),
    (_kyle, ("kyle_lambda", "kyle_r_squared")),
    (_order_flow, ("order_flow_slope", "order_flow_r_squared")),
    (_deep_order_flow, ("deep_order_flow_r_squared",)),
    (_propagator, ("propagator", "propagator_decay")),
    (_vpin, ("vpin",)),
    (_bulk_vpin, ("vpin_bulk",)),
    (_pin, ("pin",)),
    (_discovery, ("information_share_lower", "information_share_upper", "component_share")),
    (_from_prices, ("roll_spread_bps", "amihud", "corwin_schultz_bps")),
)
