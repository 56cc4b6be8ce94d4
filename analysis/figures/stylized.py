"""The figure of stylized facts: verdicts, and the shapes behind them, of one market or of two beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.fact_measures import Estimate, Sampled, kurtosis
from marketsim.analysis.fact_verdicts import StylizedFacts, at_same_horizons
from marketsim.analysis.fact_verdicts import stylized_facts as judged
from marketsim.analysis.figures import style
from marketsim.analysis.stylized import autocorrelation, hill_tail_index, sign_autocorrelation
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import duration, format_duration

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

VERDICT_COLOURS = {"present": style.GREEN, "absent": style.VERMILLION, "undecided": "#8A6100"}
COLOURS = (style.BLUE, style.ORANGE)
MARKERS = ("o", "D")
HORIZONS = (1, 2, 5, 10, 20, 30, 60, 120, 300)  # steps of the kurtosis panel
LEAST = 30  # returns below which nothing is drawn
REACH = 20  # lags before and after, of the leverage panel


@dataclass(frozen=True)
class _Market:
    """One of the markets in the picture."""

    name: str
    colour: str
    marker: str
    tape: Tape
    clock: Sampled
    facts: StylizedFacts

    @property
    def returns(self) -> Floats:
        return self.clock.returns


@style.styled
def stylized_facts(
    source: MarketTables | Tape,
    instrument: str | None = None,
    *,
    beside: MarketTables | Tape | None = None,
    beside_instrument: str | None = None,
    names: tuple[str, str] = ("simulated", "recorded"),
    every: object = "1s",
    found: StylizedFacts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """The verdicts of ``analysis.stylized_facts``, and the curves behind them for returns over ``every``.

    ``beside`` is a second market, drawn in the same panels; ``names`` tell the two apart. ``found`` saves judging
    ``source`` again.
    """
    tapes = [Tape.of(source, instrument)] + ([] if beside is None else [Tape.of(beside, beside_instrument)])
    narrow = width < style.NARROW
    clocks = [Sampled.of(tape, every, times=100) for tape in tapes]
    figure = style.canvas(width, 21.5 if narrow else 12.5)
    for tape, clock in zip(tapes, clocks, strict=True):
        if len(clock.returns) < LEAST or not clock.varies:
            figure.set_size_inches(width, 3.0)
            return style.empty(figure, f"{tape.symbol}: too few returns to show stylized facts")
    facts = [found if n == 0 and found is not None else judged(tape) for n, tape in enumerate(tapes)]
    if len(facts) == 2:
        facts = list(at_same_horizons(*facts))
    markets = [_Market(*parts) for parts in zip(names, COLOURS, MARKERS, tapes, clocks, facts, strict=False)]
    step = format_duration(duration(every))
    axes = style.panels(figure, 8, columns=1 if narrow else 2)
    _draw_verdicts(axes[0], markets)
    panels: Sequence[tuple[Callable[[Axes, list[_Market], str], None], str, str]] = (
        (_draw_distribution, f"{step} returns", "heavy tails"),
        (_draw_tail, "Tail", "heavy tails"),
        (_draw_kurtosis, "Kurtosis", "aggregational Gaussianity"),
        (_draw_memory, "Memory of returns", "volatility clustering"),
        (_draw_leverage, "Leverage", "leverage effect"),
        (_draw_volume, "Size and volume", "volume–volatility correlation"),
        (_draw_signs, "Memory of signs", "long memory of signs"),
    )
    for panel, (draw, title, fact) in zip(axes[1:], panels, strict=True):
        draw(panel, markets, step)
        _entitle(panel, title, fact, markets)
    if len(markets) > 1:
        axes[1].legend(loc="upper right", borderaxespad=0, handlelength=1.2)
    return figure


def _entitle(axes: Axes, title: str, fact: str, markets: list[_Market]) -> None:
    """The panel's title, and at the right what was found about its fact, in the verdict's colour."""
    axes.set_title(title)
    words = [str(market.facts.verdicts[fact]).removesuffix(" data") for market in markets]
    colour = VERDICT_COLOURS.get(words[0], style.GREY) if len(set(words)) == 1 else style.GREY
    axes.set_title(" / ".join(dict.fromkeys(words)), loc="right", color=colour, fontsize=8.5)


def _draw_verdicts(axes: Axes, markets: list[_Market]) -> None:
    axes.set_axis_off()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{' / '.join(dict.fromkeys(market.tape.symbol for market in markets))}: stylized facts")
    facts = markets[0].facts.verdicts.index
    heads = [
        "\n".join(line for part in market.name.split(", ") for line in textwrap.wrap(part, 14)) for market in markets
    ]
    above = 0.5 if len(markets) == 1 else max(head.count("\n") + 1 for head in heads) + 0.3  # rows of the heads
    step = 1.0 / (len(facts) + above)
    places = (0.7,) if len(markets) == 1 else (0.61, 0.85)
    for place, market, head in zip(places, markets, heads, strict=True):
        if len(markets) > 1:
            axes.text(place, 1.0, head, color=market.colour, fontweight="bold", va="top", fontsize=7.5)
        for n, word in enumerate(market.facts.verdicts):
            colour = VERDICT_COLOURS.get(word, style.GREY)
            weight = "bold" if word in ("present", "absent") else "normal"
            shown = word.removesuffix(" data")
            axes.text(
                place, 1 - (n + above + 0.5) * step, shown, color=colour, fontweight=weight, va="center", fontsize=8.5
            )
    for n, fact in enumerate(facts):
        short = fact.replace("absolute returns", "size")
        axes.text(0.0, 1 - (n + above + 0.5) * step, short, va="center", fontsize=8.5)


def _draw_distribution(axes: Axes, markets: list[_Market], step: str) -> None:
    scaled = [(m.returns - m.returns.mean()) / m.returns.std() for m in markets]
    edge = min(max(float(np.abs(values).max()) for values in scaled), 12.0)
    lowest = 1.0
    middle = np.linspace(-edge, edge, 241)
    axes.plot(
        middle, np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi), color=style.GREY, linewidth=1.2, label="normal law"
    )
    for market, values in zip(markets, scaled, strict=True):
        density, edges = np.histogram(values, np.linspace(-edge, edge, 62), density=True)
        seen = density > 0
        lowest = min(lowest, float(density[seen].min()) / 3)
        _dots(axes, 0.5 * (edges[:-1] + edges[1:])[seen], density[seen], market, market.name)
    style.log_axis(axes, "y")
    axes.set_ylim(lowest, 3.0)
    axes.set_xlabel("return (standard deviations)")
    axes.set_ylabel("density")
    style.plain_numbers(axes, "x")


def _dots(axes: Axes, x: Floats, y: Floats, market: _Market, label: str | None = None) -> None:
    axes.plot(x, y, linestyle="none", marker=market.marker, markersize=3.2, color=market.colour, label=label)


def _draw_tail(axes: Axes, markets: list[_Market], step: str) -> None:
    low, high = np.inf, 0.0
    for number, market in enumerate(markets):
        size = np.sort(market.clock.size)[::-1] * 1e4
        size = size[size > 0]
        rows = np.unique(np.geomspace(1, len(size), 150).astype(int)) - 1
        _dots(axes, size[rows], (rows + 1) / len(market.returns), market)
        fit = hill_tail_index(market.returns)
        if np.isfinite(fit.index):
            start = fit.threshold * 1e4
            reach = np.array([start, size[0]])
            line = fit.observations / len(market.returns) * (reach / start) ** -fit.index
            axes.plot(reach, line, color=style.BLACK, linewidth=1.0)
            axes.text(0.03, 0.04 + 0.09 * number, f"index {fit.index:.1f} ± {fit.standard_error:.1f}", fontsize=8.5,
                      color=market.colour, fontweight="bold", transform=axes.transAxes)  # fmt: skip
        low, high = min(low, float(np.quantile(size, 0.15))), max(high, float(size[0]))
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlim(low * 0.9, high * 1.3)
    axes.set_xlabel(f"size of {step} return (bps)")
    axes.set_ylabel("share of larger returns")


def _draw_kurtosis(axes: Axes, markets: list[_Market], step: str) -> None:
    for number, market in enumerate(markets):
        steps = [many for many in HORIZONS if len(market.returns) >= 50 * many]
        found = [_coarse_kurtosis(market.clock, many) for many in steps]
        values = np.array([one.value for one in found])
        low, high = np.array([one.interval for one in found]).T
        x = np.array(steps) * market.clock.step / 1e9 * (1.06 if number else 1.0)
        reach = np.stack((np.maximum(values - low, 0), np.maximum(high - values, 0)))
        axes.errorbar(x, values, reach, color=market.colour, marker=market.marker, markersize=3.5, linewidth=1.0,
                      elinewidth=0.9)  # fmt: skip
    axes.axhline(0, color=style.GREY, linewidth=1.0)
    style.log_axis(axes, "x")
    if axes.get_ylim()[1] <= 15:
        style.plain_numbers(axes)
    else:
        _folded(axes)
    axes.set_xlabel("return over (s)")
    axes.set_ylabel("excess kurtosis, 95 %")


def _folded(axes: Axes) -> None:
    """An axis that is linear within ±1 and logarithmic beyond, with marks that are read off right."""
    axes.set_yscale("symlog", linthresh=1.0)
    bottom, top = axes.get_ylim()
    axes.set_yticks([value for value in _kurtosis_ticks(top) if value >= bottom])
    axes.set_yticks([], minor=True)
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "−"))


def _kurtosis_ticks(top: float) -> list[int]:
    """Whole numbers up to ``top``, the fewer the higher it is."""
    fine = [sign * m * 10**k for k in range(6) for m in (1, 2, 5) for sign in (-1, 1)]
    seen = [value for value in fine if value <= top]
    return sorted([0, *(value for value in seen if top <= 200 or abs(value) in (1, 10, 100, 1000, 10_000, 100_000))])


def _coarse_kurtosis(clock: Sampled, many: int) -> Estimate:
    count = len(clock.returns) // many
    sums = clock.returns[: count * many].reshape(count, many).sum(axis=1)
    return kurtosis(Sampled(clock.step * many, sums, np.zeros(count), clock.times, clock.seed))


def _draw_memory(axes: Axes, markets: list[_Market], step: str) -> None:
    lags = min(60, *(len(market.returns) // 4 for market in markets))
    for market in markets:
        plain = autocorrelation(market.returns, lags)
        axes.plot(plain["lag"], plain["autocorrelation"], color=market.colour, linewidth=0.9, linestyle=":")
        size = autocorrelation(market.clock.size, lags)
        axes.plot(size["lag"], size["autocorrelation"], color=market.colour, marker=market.marker, markersize=2.3,
                  linewidth=1.0)  # fmt: skip
    band = 1.96 / float(np.sqrt(min(len(market.returns) for market in markets)))
    axes.axhspan(-band, band, color=style.GREY, alpha=0.18, linewidth=0)
    axes.plot([], [], color=style.GREY, marker="o", markersize=2.3, linewidth=1.0, label="size")
    axes.plot([], [], color=style.GREY, linestyle=":", linewidth=0.9, label="returns")
    axes.legend(loc="upper right", borderaxespad=0, handlelength=1.6)
    axes.set_xlim(0, lags + 0.5)
    axes.set_xlabel(f"lag ({step} steps)")
    axes.set_ylabel("autocorrelation")
    style.plain_numbers(axes)


def _draw_leverage(axes: Axes, markets: list[_Market], step: str) -> None:
    for market in markets:
        r, size = _standard(market.returns), _standard(market.clock.size)
        lags, count = range(-REACH, REACH + 1), len(r)
        found = [float(r[max(-k, 0) : count - max(k, 0)] @ size[max(k, 0) : count + min(k, 0)]) / count for k in lags]
        axes.plot(lags, found, color=market.colour, marker=market.marker, markersize=2.5, linewidth=1.0)
    band = 1.96 / float(np.sqrt(min(len(market.returns) for market in markets)))
    axes.axhspan(-band, band, color=style.GREY, alpha=0.18, linewidth=0)
    axes.axvline(0, color=style.GREY, linewidth=0.7)
    axes.set_xlabel(f"size so many {step} steps later")
    axes.set_ylabel("correlation with return")
    style.plain_numbers(axes)


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std())


def _draw_volume(axes: Axes, markets: list[_Market], step: str) -> None:
    for market in markets:
        clock = Sampled.of(market.tape, "10s")
        if len(clock.returns) < LEAST:
            continue
        order = np.argsort(clock.volume, kind="stable")
        parts = np.array_split(clock.size[order], 10)
        means = np.array([part.mean() for part in parts]) * 1e4
        errors = np.array([part.std() / np.sqrt(len(part)) for part in parts]) * 1e4
        axes.errorbar(np.arange(1, 11), means, 1.96 * errors, color=market.colour, marker=market.marker, markersize=3.5,
                      linewidth=1.0, elinewidth=0.9)  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tenth of the 10 s intervals, by volume")
    axes.set_ylabel("mean size of return (bps)")
    axes.set_xticks(range(1, 11))
    style.plain_numbers(axes)


def _draw_signs(axes: Axes, markets: list[_Market], step: str) -> None:
    floor = 1.0
    for market in markets:
        count = len(market.tape.merged().side)
        lags = np.unique(np.geomspace(1, max(min(1000, count // 10), 2), 40).astype(int))
        table = sign_autocorrelation(market.tape, [int(lag) for lag in lags], merge=True)
        seen = table[table["autocorrelation"] > 0]
        _dots(axes, seen["lag"].to_numpy(np.float64), seen["autocorrelation"].to_numpy(np.float64), market)
        if len(table) and np.isfinite(table["band"].iloc[0]):
            floor = min(floor, float(table["band"].iloc[0]))
    axes.axhspan(1e-6, floor, color=style.GREY, alpha=0.18, linewidth=0)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_ylim(min(floor / 3, 0.01), 1.2)
    axes.set_xlabel("lag (orders)")
    axes.set_ylabel("autocorrelation")
