"""Draw the pictures of the documentation from simulated runs; nothing recorded is ever drawn here.

    python3 docs/make_images.py [FOLDER] [DURATION]

Without arguments it writes docs/images from the whole of quickstart and of the market that docs/analysis.md shows.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marketsim as ms

HERE = Path(__file__).resolve().parent
ELSEWHERE = {"train_ppo.png": "examples/11_train_ppo.py"}
"""Pictures that are made by something that takes minutes and needs more libraries; it writes them into out/."""

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main(folder: str | Path = HERE / "images", duration: str | None = None) -> list[Path]:
    """Write all pictures; their paths."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    quickstart = ms.load("quickstart", {} if duration is None else {"duration": duration, "warm_up": "0s"}).run()
    analysis = shown_in("analysis.md", duration)
    figures = ms.analysis.figures
    books = ms.analysis.accounts(quickstart)
    pictures = {
        "quickstart": stacked(
            figures.price_and_quotes(quickstart, width=10),
            figures.pnl_parts(quickstart, books=books, width=10),
        ),
        "price_and_quotes": png(figures.price_and_quotes(analysis)),
        "pnl_parts": png(figures.pnl_parts(analysis)),
        "depth": png(figures.depth(analysis)),
        "impact": png(figures.impact(analysis)),
        "opening_auction": png(figures.auction(session("opening_auction", duration))),
        "volatility_halt": png(figures.interruptions(session("volatility_halt", duration))),
        "three_days": png(figures.trading_days(session("three_days", duration))),
        "lossy_feed": png(lossy_feed(duration)),
        "reference_market": png(ms.analysis.reference_figure(reference_days(duration))),
        "market_data": png(market_data()),
        "two_venues": png(ms.analysis.crossed_figure(two_venues(duration))),
        "fee_wars": png(ms.analysis.venue_figure(ready("fee_wars", duration))),
        "risk": png(ms.analysis.risk_figure(risk_limits(duration))),
        "perpetual": png(ms.analysis.clearing_figure(ready("perpetual", duration))),
    }
    for name, picture in pictures.items():
        (place / f"{name}.png").write_bytes(picture)
    return sorted(place.glob("*.png"))


def market_data() -> Any:
    """The first minutes of docs/market-data.md as quotes, conflated quotes and bars."""
    from marketsim.analysis.figures.style import BLUE, ORANGE, VERMILLION, canvas, panels, styled

    names = executed("market-data.md")
    heard, instrument, minute = names["heard"], names["sim"].spec.instrument("ABC"), 60_000_000_000

    @styled
    def sheet() -> Any:
        figure = canvas(8.0, 3.6)
        (axes,) = panels(figure, 1, columns=1)
        for name, style in (
            ("L1", {"color": BLUE, "linewidth": 0.8, "drawstyle": "steps-post"}),
            ("L1, conflated", {"color": VERMILLION, "marker": "o", "markersize": 5, "linestyle": "none"}),
        ):
            told = [(time / minute, instrument.price(mid)) for time, mid in heard[name].quotes if mid is not None]
            axes.plot(*zip(*told, strict=True), label={"L1": "mid of every quote"}.get(name, "one in 10 s"), **style)
        for number, bar in enumerate(bar for bar in heard["bars"].bars if not bar.empty):
            prices = {part: float(instrument.price(getattr(bar, part))) for part in ("open", "high", "low", "close")}
            middle, half = (bar.start + bar.time) / 2 / minute, bar.interval / 2 / minute
            axes.vlines(middle, prices["low"], prices["high"], color=ORANGE, linewidth=2, zorder=1)
            label = "trades in bars of 30 s" if number == 0 else None
            axes.hlines(prices["open"], middle - half * 0.7, middle, color=ORANGE, linewidth=2, zorder=1, label=label)
            axes.hlines(prices["close"], middle, middle + half * 0.7, color=ORANGE, linewidth=2, zorder=1)
        axes.set(xlabel="time since the start (min)", ylabel="price (USD)", xlim=(0, 4))
        axes.legend(loc="best")
        return figure

    return sheet()


def executed(page: str) -> dict[str, Any]:
    """The names that the first Python block of a page makes."""
    found = _PYTHON.search((HERE / page).read_text(encoding="utf-8"))
    assert found is not None, f"{page} has no Python block"
    names: dict[str, Any] = {}
    exec(compile(found[1], page, "exec"), names)  # noqa: S102 - our own page
    return names


def session(name: str, duration: str | None) -> Any:
    """A scenario with auctions or interruptions; a piece of it when a duration is given."""
    pieces = {
        "opening_auction": {"start": "08:57", "end": "09:03"},
        "volatility_halt": {"start": "10:08", "end": "10:14", "timeline[1].at": "5min", "warm_up": "0s"},
        "three_days": {"start": "08:50", "end": "09:30"},
    }
    return ms.load(name, {} if duration is None else pieces[name]).run()


def lossy_feed(duration: str | None) -> Any:
    """What docs/lossy-feed.md shows: two makers' P&L, and two books of one feed; the code is the page's own."""
    from marketsim.analysis.figures import style

    run = ms.load("lossy_feed", {"warm_up": "0s", **({} if duration is None else {"duration": duration})}).run()
    _, _, keepers, follow = _PYTHON.findall((HERE / "lossy-feed.md").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "bookkeepers"}
    exec(compile(keepers, "lossy-feed.md", "exec"), names)  # noqa: S102 - our own page
    shown = follow.partition("\nfound, gaps")[0].replace("from bookkeepers import Careful, Careless\n", "")
    exec(compile(shown, "lossy-feed.md", "exec"), names)  # noqa: S102
    wrong, _ = names["follow"](int((run.end - run.start) / 1e9))

    @style.styled
    def draw() -> Any:
        figure = style.canvas(8.0, 5.4)
        upper, lower = style.panels(figure, 2)
        clock = (run.end - run.start) / 1e9
        _shade_faults(upper, run, clock)
        curves = ms.analysis.accounts(run).equity("1s")
        for name, colour in (("sound", style.BLUE), ("poor", style.VERMILLION)):
            upper.plot(
                (curves.index - run.start) / 1e9, curves[name], color=colour, lw=1.4, label=f"maker, {name} line"
            )
        for name, colour in (("careless", style.VERMILLION), ("careful", style.BLUE)):
            lower.plot(range(1, len(wrong[name]) + 1), wrong[name], color=colour, lw=1.1, label=f"{name} book")
        upper.set_title("P&L of two makers that differ in their lines")
        upper.set_ylabel("P&L (USD)")
        lower.set_title("Prices at which a book is not the venue's; both lose 2 % of their increments")
        lower.set_ylabel("wrong levels")
        lower.set_xlabel("time since the start (s)")
        for axes in (upper, lower):
            axes.set_xlim(0, clock)
            axes.legend(loc="upper left", ncols=4, frameon=False)
            axes.margins(y=0.2)
            axes.set_ylim(bottom=min(0.0, axes.dataLim.y0))
            axes.yaxis.get_major_locator().set_params(integer=True)
        return figure

    return draw()


def _shade_faults(axes: Any, run: Any, clock: float) -> None:
    """The times in which a session was down, and that of the spike."""
    from marketsim.analysis.figures import style
    from marketsim.domain.event import EventKind

    rows = run.events
    down, up = (
        (rows["time"][rows["kind"] == kind] - run.start) / 1e9
        for kind in (EventKind.DISCONNECTED, EventKind.RECONNECTED)
    )
    for place, begin in enumerate(down):
        end = up[place] if place < len(up) else clock
        axes.axvspan(
            begin, max(end, begin + 1.0), color=style.GREY, alpha=0.3, lw=0, label="_" * place + "session down"
        )
    if clock > 180:
        axes.axvspan(180, 210, color=style.ORANGE, alpha=0.3, lw=0, label="spike of 100 ms")


def reference_days(duration: str | None) -> list[Any]:
    """Ten days of the reference market; two pieces of one when a duration is given."""
    given = {} if duration is None else {"duration": "10min"}
    return [ms.load("reference_day", {"seed": seed, **given}).run() for seed in range(1, 11 if duration is None else 3)]


def ready(name: str, duration: str | None, without: tuple[str, ...] = ()) -> Any:
    """A run of a ready scenario, without some of its agents; a piece of one when a duration is given."""
    changes: dict[str, Any] = {f"agents.{agent}": None for agent in without}
    return ms.load(name, changes if duration is None else {**changes, "duration": duration, "warm_up": "0s"}).run()


def risk_limits(duration: str | None) -> Any:
    """The scenario of docs/risk.md; of a piece the kill switch is left out."""
    changes = {} if duration is None else {"duration": duration, "warm_up": "0s", "timeline": []}
    return ms.load("risk_limits", changes).run()


def two_venues(duration: str | None) -> dict[str, Any]:
    """The three markets of docs/two-venues.md."""
    absent = {"no arbitrage": ("quick", "slow"), "slow alone": ("quick",), "both": ()}
    return {words: ready("two_venues_latency_arbitrage", duration, names) for words, names in absent.items()}


def shown_in(page: str, duration: str | None) -> Any:
    """The run that the first Python block of a page makes."""
    found = _PYTHON.search((HERE / page).read_text(encoding="utf-8"))
    assert found is not None, f"{page} has no Python block"
    code = (
        found[1]
        if duration is None
        else re.sub(r'duration="[^"]+", warm_up="[^"]+"', f'duration="{duration}"', found[1])
    )
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)  # noqa: S102 - our own page
    return names["run"]


def png(figure: Any, **options: Any) -> bytes:
    """A figure as a PNG file without the versions of whoever drew it."""
    stream = io.BytesIO()
    metadata: Mapping[str, Any] = {"Software": None}
    figure.savefig(stream, format="png", dpi=100, metadata=metadata, **options)
    return stream.getvalue()


def stacked(*figures: Any) -> bytes:
    """Figures of one width, one below the other."""
    import matplotlib.image as image
    import numpy as np
    from matplotlib.figure import Figure

    parts = [image.imread(io.BytesIO(png(figure)))[..., :3] for figure in figures]
    width = min(part.shape[1] for part in parts)
    whole = np.concatenate([part[:, :width] for part in parts])
    height = whole.shape[0]
    sheet = Figure(figsize=(width / 100, height / 100), dpi=100)
    sheet.figimage(whole)
    return png(sheet)


if __name__ == "__main__":
    for path in main(*sys.argv[1:]):
        print(path, path.stat().st_size)
