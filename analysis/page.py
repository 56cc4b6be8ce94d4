"""The HTML page of one run or recorded day: headline numbers, tables and figures in one file that needs no network.

It arranges what the other modules measure and draw; it measures nothing itself. It knows no clock, so that the same
tables give the same bytes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis import explorer, figures, page_parts
from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.execution_report import executions, largest, named_orders
from marketsim.analysis.fact_verdicts import StylizedFacts, stylized_facts
from marketsim.analysis.figures.executions import execution_figure
from marketsim.analysis.files import write_text
from marketsim.analysis.impact import kyle_lambda
from marketsim.analysis.liquidity import market_turnover, mean_imbalance, resiliency
from marketsim.analysis.page_labels import label_log, label_section
from marketsim.analysis.page_mechanisms import mechanisms
from marketsim.analysis.page_parts import (
    box,
    cards,
    document,
    facts,
    figure,
    footer,
    header,
    scenario_section,
    table,
    terms_section,
    turned_table,
)
from marketsim.analysis.page_performance import measures_part, rule_section
from marketsim.analysis.page_risk import risk_log, risk_section
from marketsim.analysis.page_signals import signal_log, signal_section
from marketsim.analysis.page_surveillance import alerts_of, has_surveillance, surveillance_section
from marketsim.analysis.page_words import (
    ACTIVITY_COLUMNS,
    AGENT_COLUMNS,
    EXECUTION_COLUMNS,
    FACT_COLUMNS,
    MARKET_COLUMNS,
    PNL_COLUMNS,
    TERMS,
    Column,
)
from marketsim.analysis.prices import step_of
from marketsim.analysis.rule_notes import rule_notes
from marketsim.analysis.spreads import price_improvement, realized_spread
from marketsim.analysis.summary import Summary, if_recorded, number, summarize
from marketsim.analysis.tape import Tape
from marketsim.domain.local_time import LocalTime, time_text
from marketsim.domain.units import SECOND, format_duration
from marketsim.errors import NotRecordedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables

ROOM = 4_500_000  # bytes after which further instruments get tables only, so that a page stays under 5 MB
MOST_AGENTS = 12  # more are shown by the best and the worst


def report(
    tables: MarketTables,
    path: str | PathLike[str],
    *,
    title: str = "Market report",
    manifest: Mapping[str, Any] | str | None = None,
    notice: str | None = None,
    remarks: Sequence[str] = (),
    books: Accounts | None = None,
) -> Path:
    """Write the report of one run (or recorded day) to ``path`` and return it.

    One HTML file of at most about 5 MB that opens without a network, on a desk or a phone. ``manifest`` (a mapping or
    text: scenario, seeds, versions, digest) is shown at its end, ``notice`` (such as "interrupted at …") at its top,
    ``remarks`` below the headline numbers. The file appears whole or not at all. Raises StoreError when it cannot be
    written.
    """
    with _no_collection():
        books = accounts(tables) if books is None else books
        text = document(title, _body(tables, books, title, manifest, notice, remarks), explorer.script())
    return write_text(Path(path), text)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pictures are made of many small objects, none of which the collector of cycles could free meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _body(
    tables: MarketTables,
    books: Accounts,
    title: str,
    manifest: Mapping[str, Any] | str | None,
    warning: str | None,
    remarks: Sequence[str],
) -> Iterator[str]:
    summary = summarize(tables, books)
    agents = len(summary.families) > 0
    worked = executions(tables)
    currency = "/".join(sorted(set(summary.market["currency"]))) if len(summary.market) else ""
    alerts = alerts_of(tables)
    links = _contents(tables, agents, len(worked) > 0, has_surveillance(tables, alerts), manifest)
    yield header(title, _lead(tables, books), links)
    if warning:
        yield page_parts.notice(warning)
    yield cards(_headlines(summary, currency))
    yield from map(box, remarks)
    parts = [*_market(tables, summary, currency)]
    if agents:
        parts += _agents(tables, books, currency)
    if len(worked):
        parts += _executions(tables, worked, currency)
    yield from parts
    drawn = figure if sum(map(len, parts)) < ROOM else _left_out
    yield from signal_section(tables, drawn)
    yield from rule_section(tables, books, currency, drawn)
    yield from label_section(tables, drawn)
    yield from surveillance_section(tables, alerts, drawn)
    yield from risk_section(tables, books, drawn)
    yield terms_section(TERMS)
    if manifest:
        yield manifest_section(manifest)
    yield footer("Simulated time throughout; prices are in currency, quantities in units.")


def _lead(tables: MarketTables, books: Accounts) -> str:
    names = ", ".join(tables.instruments) if len(tables.instruments) <= 8 else f"{len(tables.instruments)} instruments"
    who = f" · {len(books):,} agents in {books.table['family'].nunique()} families" if len(books) else ""
    local = getattr(tables, "local_time", None)
    begin, end = _clock(tables.start, local), _clock(tables.end, local)
    span = f"{begin} – {end} ({format_duration(_seconds(tables.end - tables.start))})"
    return f"{names} · {span}{who}"


def _contents(
    tables: MarketTables, agents: bool, worked: bool, alerted: bool, manifest: object
) -> list[tuple[str, str]]:
    parts = [("market", "Market")]
    parts += [("agents", "Agents")] if agents else []
    parts += [("executions", "Executions")] if worked else []
    parts += [("signals", "Signals")] if len(signal_log(tables)) else []
    parts += [("rules", "Rules")] if len(rule_notes(tables).orders) else []
    parts += [("labels", "Labels")] if len(label_log(tables)) else []
    parts += [("surveillance", "Surveillance")] if alerted else []
    parts += [("risk", "Risk")] if len(risk_log(tables)) else []
    parts += [("terms", "Terms")]
    return [*parts, ("scenario", "Scenario")] if manifest else parts


def _headlines(summary: Summary, currency: str) -> list[tuple[str, str]]:
    market, families = summary.market, summary.families
    items = []
    if len(market) == 1:
        row = market.iloc[0]
        move = 1e4 * (row["close"] / row["open"] - 1)
        items = [
            (number(row["close"], ",.2f"), f"last mid ({currency}), {number(move, '+,.0f')} bps"),
            (number(row["spread_bps"], ",.2f"), "quoted spread (bps of mid)"),
            (number(row["volatility_bps"], ",.1f"), "volatility (bps/√min)"),
        ]
    else:
        items = [(f"{len(market)}", "instruments")]
    items += [(f"{market['trades'].sum():,.0f}", "trades"), (f"{market['volume'].sum():,.0f}", "volume (units)")]
    if len(families):
        place = int(families["pnl"].to_numpy().argmax())
        best, most = families.index[place], float(families["pnl"].iloc[place])
        items.append((f"{families['orders'].sum():,.0f}", "orders"))
        items.append((number(most, "+,.0f"), f"P&L of {best}, the best family ({currency})"))
        items.append((number(0.0 - families["fees"].sum(), ",.2f"), f"fees kept by the venue ({currency})"))
    return items


def _market(tables: MarketTables, summary: Summary, currency: str) -> Iterator[str]:
    tapes = {symbol: Tape.of(tables, symbol) for symbol in tables.instruments}
    yield '<section id="market"><h2>Market</h2>'
    yield _market_table(summary.market, tapes, currency)
    used, left = 0, []
    for symbol, tape in tapes.items():
        if used > ROOM:
            left.append(symbol)
            continue
        if len(tapes) > 1:
            yield f"<h3>{escape(symbol)}</h3>"
        for part in _instrument(tables, tape, summary.market.loc[symbol].to_dict()):
            used += len(part)
            yield part
    if left:
        yield f"<p>No figures, to keep this page small: {escape(', '.join(left))}.</p>"
    yield "</section>"


def _market_table(market: pd.DataFrame, tapes: dict[str, Tape], currency: str) -> str:
    """The summary's table with what only the report shows; few instruments stand side by side."""
    extra = {symbol: _more_measures(tape) for symbol, tape in tapes.items()}
    market = market.join(pd.DataFrame.from_dict(extra, orient="index"))
    columns = _in_units(MARKET_COLUMNS, currency)
    return facts(market.iloc[0].to_dict(), columns) if len(market) == 1 else turned_table(market, "measure", columns)


def _more_measures(tape: Tape) -> dict[str, Any]:
    back = resiliency(tape)
    return {
        "realized_spread_bps": if_recorded(lambda: realized_spread(tape, unit="bps")),
        "improvement_bps": if_recorded(lambda: price_improvement(tape, unit="bps")),
        "imbalance": mean_imbalance(tape),
        "depth_turnover": market_turnover(tape)["depth_turnover"],
        "recovery": "–" if back.half_time is None else _short(back.half_time),
    }


def _instrument(tables: MarketTables, tape: Tape, row: dict[Any, Any]) -> Iterator[str]:
    name = tape.symbol
    yield figure(
        lambda width: figures.price_and_quotes(tape, width=width),
        f"{name}: mid, volume, and quotes with trades in the busiest stretch",
        f"The mid went from {number(row['open'], ',.2f')} to {number(row['close'], ',.2f')} {tape.currency}, between "
        f"{number(row['low'], ',.2f')} and {number(row['high'], ',.2f')}. The close look (orange above) shows how the "
        "quotes answer trades: buys should sit on the ask, sells on the bid.",
    )
    yield explorer.price_view(tape)
    yield figure(
        lambda width: figures.spread_and_activity(tape, width=width),
        f"{name}: spread, trades a minute and volatility over time",
        f"Takers paid {number(row['effective_spread_bps'], ',.2f')} bps where "
        f"{number(row['spread_bps'], ',.2f')} bps were quoted on average. Effective above quoted means orders that "
        "walked the book or came when it was wide; below, patience or price improvement. Look whether the spread "
        "widens when volatility does.",
    )
    yield figure(
        lambda width: figures.depth(tables, name, width=width),
        f"{name}: mean book by level and resting quantity over time",
        "Left: how much rests at each level on average. Right: dark cells are walls of quantity; white inside the book "
        "are empty prices. A lasting difference between the colours is pressure on one side.",
    )
    yield explorer.book_view(tables, tape)
    for shown in mechanisms(tables, name):
        yield figure(shown.draw, shown.alt, shown.words)
    yield figure(
        lambda width: figures.impact(tables, name, width=width),
        f"{name}: response of the mid to a trade, and mark-outs of makers",
        "A response that levels off says that trades inform the price once; one that keeps rising goes with trade "
        "signs that persist. A mark-out below zero means that makers lost to those who traded with them."
        + _kyle_words(tape),
    )
    found = stylized_facts(tape)
    yield figure(
        lambda width: figures.stylized_facts(tape, width=width, found=found),
        f"{name}: stylized facts: verdicts, and the curves behind them",
        "What real markets have in common (Cont 2001), and whether it is seen here: tails fatter than the normal law "
        "that thin out over longer times, returns without memory whose size has one, volume that comes with moves, "
        "signs of trades that decay slowly. Bars are 95 % intervals; in grey bands lies what chance does.",
    )
    yield table(_told(found), "fact", FACT_COLUMNS, f"{name}: stylized facts, each by the number that decides.")


def _told(found: StylizedFacts) -> pd.DataFrame:
    told = found.leading.set_index("fact")
    pairs = zip(told["low"], told["high"], strict=True)
    told["interval"] = [f"{number(low, ',.2f')} … {number(high, ',.2f')}" if low == low else "–" for low, high in pairs]
    return told


def _kyle_words(tape: Tape) -> str:
    try:
        kyle = kyle_lambda(tape)
    except NotRecordedError:
        return ""
    return (
        f" Kyle's lambda from 10 s intervals: {_scientific(kyle.slope)} ± {_scientific(kyle.standard_error)} "
        f"{tape.currency} a unit (R² {number(kyle.r_squared, '.2f')}, {kyle.intervals:,} intervals)."
    )


def _agents(tables: MarketTables, books: Accounts, currency: str) -> Iterator[str]:
    yield '<section id="agents"><h2>Agents</h2>'
    funded = bool(books.families["funding"].any())  # a contract's alone
    columns = [column for column in PNL_COLUMNS if funded or column[0] != "funding"]
    parts = " + ".join(column[1].capitalize() if n == 0 else column[1] for n, column in enumerate(columns[2:-1]))
    yield table(books.families, "family", _in_units(columns, currency), f"Sums over each family. {parts} = P&L.")
    yield table(books.families, "family", _in_units(ACTIVITY_COLUMNS, currency), "What each family did at the venue.")
    yield figure(
        lambda width: figures.pnl_parts(tables, books=books, width=width),
        "P&L of each family split into its parts, and P&L of each agent",
        "Makers live from spread capture (green) and pay adverse selection (vermilion); takers the other way round. A "
        "large inventory part (light blue) is luck or foresight about the price, not market making.",
    )
    yield figure(
        lambda width: figures.equity(tables, books=books, width=width),
        "P&L of each family over time",
        "A steady climb is income from fills; swings that follow the price are positions. The lines add up to minus "
        "the fees that the venue kept.",
    )
    for symbol in list(tables.instruments)[:4]:
        yield figure(
            partial(_draw_inventory, tables, symbol, books),
            f"{symbol}: position of each family over time",
            f"{symbol}: positions add up to zero. A maker's line should return to zero; one that drifts carries a bet.",
        )
    yield figure(
        lambda width: figures.drawdown(tables, books=books, width=width),
        "Drawdown of each family",
        "Zero is a new best; the dot marks the deepest fall. A line that never comes back to zero has not recovered.",
    )
    yield _agent_table(tables, books, currency)
    yield from measures_part(tables, books)
    yield "</section>"


def _agent_table(tables: MarketTables, books: Accounts, currency: str) -> str:
    """Every agent, or the best, the worst and those of a kind of their own where there are many."""
    every = step_of(tables.start, tables.end, 60)
    frame = books.table.join(books.performance(every)).sort_values("pnl", ascending=False, kind="stable")
    falls = zip(frame["max_drawdown"], frame["drawdown_recovery"], strict=True)
    frame["recovered"] = [_recovered(fall, time) for fall, time in falls]
    words = "All agents, best first."
    if len(frame) > MOST_AGENTS:
        half = MOST_AGENTS // 2
        shown = np.zeros(len(frame), bool)
        shown[:half] = shown[-half:] = True
        alone = (frame["family"] == frame.index) & (frame["orders"] > 0)  # such as a client from outside
        words = f"The {half} best and the {half} worst of {len(books):,} agents"
        words += ", and those that are the only one of their kind." if (alone & ~shown).any() else "."
        frame = frame[shown | alone]
    return table(frame, "agent", _in_units(AGENT_COLUMNS, currency, format_duration(every)), words)


def _executions(tables: MarketTables, worked: pd.DataFrame, currency: str) -> Iterator[str]:
    """Parent orders against their benchmarks; the largest where there are many."""
    yield '<section id="executions"><h2>Executions</h2>'
    shown = named_orders(worked.iloc[largest(worked, MOST_AGENTS)])
    if not (shown["left_because"] != "").any():
        shown = shown.drop(columns="left_because")
    words = "Parent orders, each from its beginning to its planned end, against benchmark prices. Costs are positive."
    if len(worked) > len(shown):
        words = (
            f"The {len(shown)} largest of {len(worked):,} parent orders against benchmark prices. Costs are positive."
        )
    yield table(shown, "parent order", _in_units(EXECUTION_COLUMNS, currency), words)
    yield figure(
        lambda width: execution_figure(tables, width=width),
        "What was left of each parent order over time, and its implementation shortfall in parts",
        "A line that falls early has paid for certainty; one that falls late has carried the risk of the price. What "
        "never falls is opportunity (dotted): not paid, and not done.",
    )
    yield "</section>"


def _recovered(fall: float, time: int) -> str:
    if fall == 0:
        return "–"
    return "not yet" if time < 0 else _clock(time)


def _draw_inventory(tables: MarketTables, symbol: str, books: Accounts, width: float) -> Figure:
    return figures.inventory(tables, instrument=symbol, books=books, width=width)


def _left_out(draw: Callable[[float], Figure], alt: str, words: str) -> str:
    """Instead of a figure where the page is large already."""
    return f"<p>No figure, to keep this page small: {escape(alt)}.</p>"


def manifest_section(manifest: Mapping[str, Any] | str) -> str:
    """The section "Scenario": what was run, folded away."""
    if isinstance(manifest, str):
        text = manifest
    else:
        import yaml

        plain = json.loads(json.dumps(manifest, default=str))
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return scenario_section("What was run: scenario, seeds, versions", text)


def _in_units(columns: Sequence[Column], currency: str, every: str = "") -> list[Column]:
    return [(name, head, unit.format(currency=currency, every=every), form) for name, head, unit, form in columns]


def _clock(time: int, local: LocalTime | None = None) -> str:
    """HH:MM:SS, to the second, behind its date where there is one."""
    return time_text(int(time), local).split(".", maxsplit=1)[0]


def _seconds(span: int) -> int:
    """A span without the odd nanoseconds, where it is long."""
    return span // SECOND * SECOND if span >= SECOND else span


def _short(span: int) -> str:
    for size, unit in ((SECOND, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if span >= size:
            return f"{span / size:.3g} {unit}"
    return f"{span} ns"


def _scientific(value: float) -> str:
    if np.isnan(value) or value == 0:
        return number(value, ".0f")
    power = int(np.floor(np.log10(abs(value))))
    if -3 <= power <= 4:
        return number(value, f",.{max(2 - power, 0)}f")
    digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number(value / 10.0**power, '.2f')}·10{digits}"
