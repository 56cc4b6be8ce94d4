"""Figures: what they show is what was measured, texts neither overlap nor leave the canvas, and nothing breaks them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic import SECOND, Tables, by_hand, frame, market

from marketsim.analysis import accounts, figures, response_function
from marketsim.analysis.figures import style
from marketsim.analysis.picture import picture, png, svg
from marketsim.analysis.tape import Tape
from marketsim.domain.instrument import Instrument
from marketsim.domain.local_time import LocalTime
from marketsim.domain.tables import AUCTIONS, INDICATIONS, PHASES
from marketsim.errors import InvalidValueError


def with_sessions(tables: Tables, days: int = 2) -> Tables:
    """The same market with days of an opening auction, a halt and a volatility auction, and nights between them."""
    rng = np.random.default_rng(0)
    phases: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    traded: list[dict[str, Any]] = []
    day = (tables.end - tables.start) // days
    plan = (("OPENING_AUCTION", 0.05), ("CONTINUOUS", 0.15), ("HALT", 0.4), ("VOLATILITY_AUCTION", 0.45),
            ("CONTINUOUS", 0.5), ("CLOSED", 0.9))  # fmt: skip
    before = "CLOSED"
    for opens in range(tables.start, tables.start + days * day, day):
        for place, (phase, share) in enumerate(plan):
            time = opens + int(share * day)
            market = {"instrument": "ABC", "venue": "XSIM"}
            phases.append({**market, "time": time, "phase": phase, "before": before, "reason": "SCHEDULE"})
            before = phase
            if "AUCTION" in phase:
                end = opens + int(plan[place + 1][1] * day)
                told += [
                    {**market, "time": int(when), "price": 100 + rng.normal(0, 0.1), "volume": rng.integers(1000),
                     "surplus": rng.integers(400), "side": rng.choice((-1, 1))}
                    for when in np.linspace(time, end, 50, endpoint=False)
                ]  # fmt: skip
                traded.append({**market, "time": end, "price": 100.0, "volume": 500.0, "trades": 9})
    return replace(
        tables, phases=frame(PHASES, phases), indications=frame(INDICATIONS, told), auctions=frame(AUCTIONS, traded)
    )


@dataclass(frozen=True)
class Dated(Tables):
    local_time: LocalTime = LocalTime(dt.date(2026, 3, 4), 9 * 3600 * SECOND + 1800 * SECOND, "Europe/Berlin")


TABLES = with_sessions(market(8, quotes=20_000, trades=6000, minutes=10))
NAN = float("nan")
ALL = [getattr(figures, name) for name in figures.__all__]


def with_names(tables: Tables, long: bool) -> Tables:
    """The same market with one agent a family, eight families of long names and P&L that nearly ties."""
    names = [f"market_maker_variant_{n}" if long else f"m{n}" for n in range(8)]
    agents = tables.agents.iloc[:8].assign(name=names, family=names)
    rng = np.random.default_rng(0)
    trades = tables.trades.assign(
        taker=rng.choice(names, len(tables.trades)), maker=rng.choice(names, len(tables.trades))
    )
    return replace(tables, trades=trades, agents=agents.reset_index(drop=True))


def visible_texts(figure: Figure) -> list[Text]:
    return [artist for artist in figure.findobj(Text) if artist.get_visible() and artist.get_text().strip()]


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    """Texts that are drawn, and where; tick labels outside the view are not drawn by Matplotlib."""
    style.settle(figure)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw(renderer)
    drawn = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn += [tick.label1 for tick in axis._update_ticks() if tick.label1.get_visible()]
            drawn += [tick.label2 for tick in axis._update_ticks() if tick.label2.get_visible()]
            drawn.append(axis.label)
        drawn += [axes.title, axes._left_title, axes._right_title, *axes.texts]  # type: ignore[attr-defined]
        legend = axes.get_legend()
        drawn += list(legend.get_texts()) if legend else []
    drawn += [text for text in figure.texts if text.get_text()]
    for legend in figure.legends:
        drawn += list(legend.get_texts())
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in drawn
        if text.get_text().strip() and text.get_visible()
    ]


@pytest.mark.parametrize("width", [8.2, 4.2])
@pytest.mark.parametrize("draw", ALL, ids=figures.__all__)
@pytest.mark.parametrize("variant", ["families", "eight_names"])
def test_texts_neither_overlap_nor_leave_the_canvas(draw: Callable[..., Figure], width: float, variant: str) -> None:
    tables = TABLES if variant == "families" else with_names(TABLES, long=width > 5)
    texts_are_apart(draw(tables, width=width))


@pytest.mark.parametrize("width", [8.2, 4.2])
@pytest.mark.parametrize("days", [1, 3, 5])
@pytest.mark.parametrize("draw", [figures.auction, figures.interruptions, figures.trading_days])
def test_texts_of_dated_sessions_are_apart(draw: Callable[..., Figure], days: int, width: float) -> None:
    long = with_sessions(market(8, quotes=6000, trades=2000, minutes=days * 24 * 60), days)
    texts_are_apart(draw(Dated(**{part.name: getattr(long, part.name) for part in fields(long)}), width=width))


def texts_are_apart(figure: Figure) -> None:
    found = boxes(figure)
    assert len(found) > 5
    edge_x, edge_y = figure.bbox.width, figure.bbox.height
    for words, box in found:
        assert min(box.x0, box.y0) > -2, f"{words!r} leaves the canvas"
        assert max(box.x1 - edge_x, box.y1 - edge_y) < 2, f"{words!r} leaves the canvas"
    for place, (words, box) in enumerate(found):
        for other, second in found[place + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            tall = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert wide < 1 or tall < 2, f"{words!r} overlaps {other!r}"


@pytest.mark.parametrize("draw", ALL, ids=figures.__all__)
def test_every_axis_says_what_it_is_and_in_which_unit(draw: Callable[..., Figure]) -> None:
    units = ("USD", "units", "bps", "HH:MM", "level", "later", "after", "density", "autocorrelation", "lag",
             "deviations", "share", "minute", "kurtosis", "(s)", "correlation", "intervals")  # fmt: skip
    figure = draw(TABLES)
    for axes in figure.axes:
        if axes.yaxis.get_label_text():
            assert any(unit in axes.yaxis.get_label_text() for unit in units)
        if any(label.get_visible() and label.get_text() for label in axes.get_xticklabels()):
            text = axes.xaxis.get_label_text() or figure.get_supxlabel()
            assert any(unit in text for unit in units) or not axes.xaxis.get_tick_params().get("labelbottom", True)


EMPTY = by_hand(instruments=[Instrument("ABC")])
ONE_SIDED = by_hand([], [(0, 99.0, 1, NAN, 0)])
LONE = by_hand(
    [{"time": SECOND, "side": 1, "price": 101.0, "quantity": 1.0, "taker": "a", "maker": "b"}],
    [(0, 99.0, 1, 101.0, 1)],
    agents=[{"name": "a", "family": "a"}, {"name": "b", "family": "b"}],
)
SHORT = market(9, quotes=60, trades=20, minutes=0.01, levels=1)
FLAT = by_hand([], [(n * SECOND, 99.0, 1, 101.0, 1) for n in range(100)])
WILD = market(10, quotes=3000, trades=800, minutes=600, levels=3)


@pytest.mark.parametrize("draw", ALL, ids=figures.__all__)
@pytest.mark.parametrize(
    "tables", [EMPTY, ONE_SIDED, LONE, SHORT, FLAT, WILD], ids=["empty", "one_sided", "lone", "short", "flat", "long"]
)
def test_poor_markets_are_drawn_without_complaint(draw: Callable[..., Figure], tables: Tables) -> None:
    for width in (8.0, 4.0):
        figure = draw(tables, width=width)
        assert len(png(figure)) > 2000
        assert visible_texts(figure)


def test_the_price_panel_shows_the_mid_from_low_to_high() -> None:
    figure = figures.price_and_quotes(TABLES)
    line = figure.axes[0].lines[0]
    mids = Tape.of(TABLES).mid  # NaN, a gap in the line, where trading is not continuous
    shown = np.asarray(line.get_ydata())
    assert (np.nanmin(shown), np.nanmax(shown)) == (np.nanmin(mids), np.nanmax(mids))
    np.testing.assert_equal(shown[-1], mids[-1])
    assert figure.axes[0].get_xlim() == (TABLES.start / SECOND, TABLES.end / SECOND)


def test_the_close_look_shows_every_trade_of_its_time() -> None:
    figure = figures.price_and_quotes(TABLES)
    close = figure.axes[2]
    begin, end = close.get_xlim()
    inside = TABLES.trades[TABLES.trades["time"].between(round(begin * SECOND), round(end * SECOND))]
    marks = {c.get_label(): len(c.get_offsets()) for c in close.collections if c.get_label() in ("buy", "sell")}
    assert marks == {"buy": int((inside["side"] > 0).sum()), "sell": int((inside["side"] < 0).sum())}
    assert sum(marks.values()) > 60


def test_equity_ends_at_the_profit_of_each_family() -> None:
    books = accounts(TABLES)
    figure = figures.equity(TABLES, books=books)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 10]
    assert [float(np.asarray(line.get_ydata())[-1]) for line in lines] == pytest.approx(books.families["pnl"].tolist())
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(labels) == sorted(books.families.index)


def test_named_agents_are_drawn_one_by_one() -> None:
    figure = figures.inventory(TABLES, ["maker-0", "noise-3"])
    assert [text.get_text() for text in figure.axes[0].texts] == sorted(
        ["maker-0", "noise-3"], key=lambda name: accounts(TABLES)[name].position
    )
    with pytest.raises(InvalidValueError, match="did you mean"):
        figures.equity(TABLES, ["maker-00"])


def test_impact_shows_the_response_function() -> None:
    line = figures.impact(TABLES).axes[0].lines[0]
    table = response_function(TABLES, [int(lag) for lag in np.asarray(line.get_xdata())])
    assert np.asarray(line.get_ydata()) == pytest.approx(table["response_bps"].to_numpy())


def test_drawing_leaves_the_users_settings_alone() -> None:
    before = dict(mpl.rcParams)
    svg(figures.equity(TABLES))
    assert dict(mpl.rcParams) == before


def test_the_same_tables_give_the_same_bytes() -> None:
    one, other = (svg(figures.spread_and_activity(TABLES)) for _ in range(2))
    assert one == other
    assert b"<dc:date>" not in one


def test_a_picture_is_the_smaller_of_two_forms() -> None:
    drawn = picture(figures.equity(TABLES))
    assert drawn.address.startswith("data:image/svg+xml;base64,")
    assert (drawn.width, drawn.height) == (768, round(3.6 * 96))
    figure = figures.equity(TABLES)
    rng = np.random.default_rng(1)
    figure.axes[0].scatter(rng.random(9000) * 3, rng.random(9000), s=rng.random(9000) * 9)
    assert picture(figure).address.startswith("data:image/png;base64,")


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.2))
def test_labels_moved_apart_keep_their_order_and_distance(places: list[float], gap: float) -> None:
    wanted = np.array(sorted(places))
    moved = style.spread_out(wanted, gap)
    assert (np.diff(moved) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(wanted.mean()) if len(wanted) else True
    if len(wanted) < 2 or np.diff(wanted).min() >= gap:
        assert moved == pytest.approx(wanted)


@given(st.integers(0, 50_000), st.integers(0, 2**32))
def test_thinning_keeps_the_ends_and_the_extremes(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    when = np.sort(rng.integers(0, 10**12, count))
    values = rng.normal(size=count).cumsum()
    seconds, kept = style.thin(when, values)
    assert len(seconds) <= 3 * 450 + 1 or count <= 900
    assert (np.diff(seconds) >= 0).all()
    if count:
        assert (kept[0], kept[-1], kept.min(), kept.max()) == (values[0], values[-1], values.min(), values.max())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00"),
        (34200, "09:30:00"),
        (34200.25, "09:30:00.25"),
        (86400 + 61, "1d 00:01:01"),
        (59.9999999, "00:01:00"),
    ],
)
def test_clock_texts(seconds: float, text: str) -> None:
    assert style.clock_text(seconds) == text


def test_the_title_of_the_close_look_does_not_tell_nanoseconds() -> None:
    tables = replace(TABLES, end=TABLES.start + 1_606_190_224)
    titles = [axes.get_title("left") for axes in figures.price_and_quotes(tables).axes]
    (title,) = (title for title in titles if title.startswith("The busiest"))
    assert title == "The busiest 1.61s (area: quantity)"


def test_more_than_eight_families_are_the_eight_largest_and_the_others() -> None:
    crowd = replace(TABLES, agents=TABLES.agents.assign(family=TABLES.agents["name"]))
    books = accounts(crowd)
    assert len(books) > 9
    curves = books.equity(by="family")
    lines = figures.equity(crowd, books=books).axes[0].lines
    drawn = [line for line in lines if len(np.asarray(line.get_xdata())) > 2]
    assert len(drawn) == 9
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in drawn]
    assert sum(ends) == pytest.approx(float(curves.iloc[-1].sum())), "nobody's P&L is lost"
    parts, members = figures.pnl_parts(crowd, books=books).axes
    names = [tick.get_text() for tick in parts.get_yticklabels()]
    assert (len(names), names[-1]) == (9, "others")
    (sums,) = [line for line in parts.lines if line.get_label() == "P&L"]
    assert float(np.sum(np.asarray(sums.get_xdata()))) == pytest.approx(float(books.table["pnl"].sum()))
    dots = sum(len(np.asarray(points.get_offsets())) for points in members.collections)
    assert dots == len(books), "each agent has a dot"
