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

import numpy as np
import yaml

import marketsim as ms

HERE = Path(__file__).resolve().parent
ELSEWHERE = {"execution.png": "examples/14_execution.py", "train_ppo.png": "examples/11_train_ppo.py"}
"""Pictures that are made by something that takes minutes and needs more libraries; it writes them into out/."""

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main(folder: str | Path = HERE / "images", duration: str | None = None) -> list[Path]:
    """Write all pictures; their paths."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    quickstart = ms.load("quickstart", {} if duration is None else {"duration": duration, "warm_up": "0s"}).run()
    analysis = shown_in("analysis.md", duration)
    measured = shown_in("performance-measures.md", duration and "4min")
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
        "agent_summary": png(figures.agent_summary(quickstart, "market_maker.0", books=books)),
        "latency": png(figures.latency(quickstart)),
        "impact": png(figures.impact(analysis)),
        "opening_auction": png(figures.auction(session("opening_auction", duration))),
        "volatility_halt": png(figures.interruptions(session("volatility_halt", duration))),
        "three_days": png(figures.trading_days(session("three_days", duration))),
        "lossy_feed": png(lossy_feed(duration)),
        "reference_market": png(ms.analysis.reference_figure(reference_days(duration))),
        "market_data": png(market_data()),
        "market_makers": png(market_makers(duration)),
        "order_flow": png(order_flow(duration)),
        "two_venues": png(ms.analysis.crossed_figure(two_venues(duration))),
        "fee_wars": png(ms.analysis.venue_figure(ready("fee_wars", duration))),
        "double_auction": png(double_auction()),
        "flash_crash": png(ms.analysis.stress_figure(ready("flash_crash", duration))),
        "stylized_facts": png(two_markets(duration)),
        "surveillance": png(surveillance(duration)),
        "rules": png(ms.analysis.signal_figure(ready("rule_strategies", duration and "4min"), "dip_buyer")),
        "rule_contribution": png(ms.analysis.rule_figure(measured, "dip")),
        "equity_and_trades": png(figures.equity_and_trades(measured, "dip")),
        **{f"gallery_{name}": picture for name, picture in gallery(duration).items()},
        "square_root_law": png(ms.analysis.metaorder_figure(worked_metaorders(duration))),
        "tournament": png(cup(duration).figure()),
        "counterfactual": png(forks(duration).figure()),
        "sweep": png(crowds(duration).figure()),
        "comparison": png(comparison(duration)),
        "risk": png(ms.analysis.risk_figure(risk_limits(duration))),
        "optimizing": optimizing(duration),
        "perpetual": png(ms.analysis.clearing_figure(ready("perpetual", duration))),
    }
    for name, picture in pictures.items():
        (place / f"{name}.png").write_bytes(picture)
    return sorted(place.glob("*.png"))


def gallery(duration: str | None) -> dict[str, bytes]:
    """The pictures of docs/gallery.md: its sweeps and its comparison with more seeds."""
    short = {} if duration is None else {"duration": duration, "warm_up": "1s"}
    maker, rival = "agents.maker.pnl", "agents.rival.pnl"

    def swept(name: str, over: dict[str, Any], measures: list[str], seeds: int) -> bytes:
        scenario = ms.load(name, short)
        found = ms.sweep(
            scenario, over, seeds=2 if duration else seeds, measures=measures, workers=1 if duration else None
        )
        return png(found.figure())

    crash = {} if duration is None else {"duration": "10min"}
    pair = [ms.load(name, crash) for name in ("flash_crash", "flash_crash_with_halts")]
    told = ["market.ABC.low", "agents.borrowers.volume", "market.ABC.volume"]
    halts = ms.compare(*pair, seeds=2 if duration else 40, measures=told, workers=1 if duration else None)
    spreads = {"agents.informed.count": [5, 25, 100, 300], "agents.maker.target_spread": [0.01, 0.02, 0.03, 0.04, 0.06]}
    if duration is not None:
        spreads = {"agents.informed.count": [5, 25], "agents.maker.target_spread": [0.01, 0.02]}
    return {
        "latency": swept(
            "latency_of_a_maker",
            {"agents.maker.latency": ["50us", "2ms", "20ms", "200ms"]},
            [maker, rival],
            20,
        ),
        "skew": swept("inventory_skew", {"agents.maker.skew": [0, 0.5, 1, 2, 4, 8]}, [maker], 20),
        "halts": png(halts.figure()),
        "noise": swept("noise_share", spreads, [maker], 8),
    }


def comparison(duration: str | None) -> Any:
    """The market of docs/comparing.md with three spreads of its market maker."""
    text = re.search(r"^```yaml\n(.*?)^```", (HERE / "comparing.md").read_text(encoding="utf-8"), re.M | re.S)
    assert text is not None, "comparing.md has no scenario"
    market = ms.load(yaml.safe_load(text[1]), {"name": "market", "duration": duration or "60s", "warm_up": "0s"})
    variants = {"agents.mm.target_spread": [0.02, 0.06]}
    return ms.compare(market, variants=variants, seeds=3 if duration else 20, workers=1).figure()


def optimizing(duration: str | None) -> bytes:
    """The market of docs/optimizing.md, searched for longer."""
    desk = re.search(r"^```yaml\n# desk\.yaml\n(.*?)^```", (HERE / "optimizing.md").read_text("utf-8"), re.M | re.S)
    assert desk is not None
    spec = {"name": "desk", **yaml.safe_load(desk[1]), "duration": duration or "2min", "warm_up": "0s"}
    over = {"agents.mm.target_spread": "0.01..0.3 log", "agents.mm.quantity": "5..50"}
    trials = 60 if duration is None else 6
    found = ms.optimize(spec, over, "agents.mm.pnl", seeds=3, trials=trials, fresh=0, workers=1)
    return stacked(found.figure("history"), found.figure("slices"))


def double_auction() -> Any:
    """The first market of docs/classic-traders.md."""
    from marketsim.agents.assignment import schedule_of

    run = shown_in("classic-traders.md", None)
    return ms.analysis.double_auction_figure(ms.analysis.double_auction(run, schedule_of(run)))


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


def market_makers(duration: str | None) -> Any:
    """Quotes and inventory of three makers of docs/market-makers.md through the same two minutes."""
    from marketsim.analysis.figures.style import BLUE, GREY, ORANGE, VERMILLION, canvas, panels, styled

    names = executed("market-makers.md")
    makers = {name: names["MAKERS"][name] for name in ("avellaneda_stoikov", "glft, exact")}
    makers["ladder_maker"] = names["LADDER"]
    given = {"duration": duration or "3min"}
    runs = {name: names["play"](terms, 1, **given) for name, terms in makers.items()}

    @styled
    def sheet() -> Any:
        figure = canvas(10.0, 4.6)
        axes = panels(figure, 6, columns=3, heights=(2, 1))
        for (name, (run, value)), upper, lower in zip(runs.items(), axes[:3], axes[3:], strict=True):
            span = min(120.0, (run.end - run.start) / 1e9)
            times = run.start + np.arange(int(10 * span)) * 10**8 + 10**8 // 2  # between two moves of the value
            bids, asks, held = own_quotes(run, "maker", times)
            clock = (times - run.start) / 1e9
            style = {"linewidth": 0.7, "drawstyle": "steps-post"}
            upper.axhline(0.0, color=GREY, linewidth=0.8, label="value")
            upper.plot(clock, 100 * (asks - value(times)), color=VERMILLION, label="its best ask", **style)
            upper.plot(clock, 100 * (bids - value(times)), color=BLUE, label="its best bid", **style)
            lower.plot(clock, held, color=ORANGE, drawstyle="steps-post")
            upper.set(title=name, xlim=(0, span), ylim=(-12, 14))
            lower.set(xlabel="time since the start (s)", xlim=(0, span))
        axes[0].set_ylabel("quotes from the value (cents)")
        axes[3].set_ylabel("position (lots)")
        low, high = (pick(a.get_ylim()[end] for a in axes[3:]) for end, pick in ((0, min), (1, max)))
        for lower in axes[3:]:
            lower.set_ylim(low, high)
        axes[0].legend(loc="upper left", ncols=3, columnspacing=1.0, handlelength=1.2)
        return figure

    return sheet()


def own_quotes(run: Any, name: str, times: Any) -> list[Any]:
    """An agent's best bid, best ask (nan for none) and position at times in ns."""
    from marketsim.domain.event import EventKind

    number = next(agent.number for agent in run.manifest.agents if agent.name == name)
    tick = next(iter(run.instruments.values())).tick
    live: dict[int, tuple[int, int]] = {}
    position = 0
    rows: list[tuple[int, float, float, float]] = [(run.start, np.nan, np.nan, 0)]
    for event in run.events[(run.events["owner"] == number) | (run.events["peer"] == number)]:
        kind, order = int(event["kind"]), int(event["order_id"])
        if kind in (EventKind.ACCEPTED, EventKind.REPLACED):
            live[order] = int(event["side"]), int(event["price"])
        elif kind == EventKind.TRADE and event["peer"] == number:
            position -= int(event["side"]) * int(event["quantity"])
            if event["leaves"] == 0:
                live.pop(int(event["match_id"]), None)
        elif kind == EventKind.CANCELED and event["leaves"] == 0:
            live.pop(order, None)
        bids, asks = ([price for side, price in live.values() if side == wanted] for wanted in (1, -1))
        best = max(bids, default=np.nan) * tick, min(asks, default=np.nan) * tick
        rows.append((int(event["time"]), *best, position))
    then, *columns = (np.array(column) for column in zip(*rows, strict=True))
    place = np.searchsorted(then, times, side="right") - 1
    return [column[place] for column in columns]


def order_flow(duration: str | None) -> Any:
    """What docs/order-flow.md shows: clusters of a Hawkes flow beside a Poisson flow, and the law of a queue."""
    import numpy as np

    from marketsim.analysis.figures import style

    run = ms.load("order_flows", {} if duration is None else {"duration": duration, "warm_up": "0s"}).run()
    agent = ms.agents.QueueReactive(theta=0.0)
    queue = ms.Simulation(seed=1, duration=duration or "20h").add_venue("XSIM", [ms.Instrument("ABC")])
    rested = queue.add_agent(agent, name="market", latency=ms.Constant(0)).run()

    @style.styled
    def draw() -> Any:
        figure = style.canvas(8.0, 6.6)
        poisson, hawkes, law = style.panels(figure, 3, heights=[1.0, 1.0, 1.3])
        second = 1_000_000_000
        for axes, stock, words, colour in (
            (poisson, "POIS", "Poisson flow", style.BLUE),
            (hawkes, "HAWK", "Hawkes flow", style.VERMILLION),
        ):
            orders = run.orders[run.orders["instrument"] == stock]["time"]
            counts = np.bincount((orders[orders >= run.start] - run.start) // second)
            axes.vlines(np.arange(len(counts)) / 60, 0, counts, color=colour, linewidth=0.7)
            axes.set(title=f"{words}: orders a second", ylabel="orders", xlim=(0, (run.end - run.start) / second / 60))
            axes.set_ylim(0, 45)
        hawkes.set_xlabel("time since the warm-up (min)")
        sizes = np.arange(19)
        found = _law_of_best(rested, agent.quantity, len(sizes))
        law.bar(sizes, found, color=style.SKY, label="on the exchange, both sides")
        law.plot(sizes, agent.law(1)[: len(sizes)], "o-", color=style.BLACK, ms=4, lw=1, label="birth and death law")
        law.set(title="Queue-reactive market: size of the first queue", xlabel="units", ylabel="share of time")
        law.set_xticks(sizes)
        law.legend(frameon=False)
        return figure

    return draw()


def _law_of_best(run: Any, unit: int, sizes: int) -> Any:
    """The share of time at each size of the queues beside a reference price at half a tick above 100."""
    import numpy as np

    quotes = run.quotes
    lasting = np.diff(np.append(quotes["time"], run.end))
    total = np.zeros(sizes)
    for side, price in (("bid", 100.00), ("ask", 100.01)):
        first = np.isclose(quotes[side], price, atol=1e-9)
        units = np.where(first, quotes[f"{side}_quantity"] / unit, 0).astype(int)
        total += np.bincount(np.minimum(units, sizes), lasting, sizes + 1)[:sizes]
    return total / (2 * lasting.sum())


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


def worked_metaorders(duration: str | None) -> Any:
    """Those of the market of docs/square-root-law.md."""
    import pandas as pd

    length = {"duration": "40h", "warm_up": "4h"} if duration is None else {"duration": "8h", "warm_up": "1h"}
    runs = [
        ms.load("square_root_law", {"seed": seed, **length}).run() for seed in range(1, 25 if duration is None else 3)
    ]
    return pd.concat([ms.analysis.metaorders(run, "measured") for run in runs], ignore_index=True)


def cup(duration: str | None) -> Any:
    """The tournament of docs/tournament.md; two seeds of a piece when a duration is given."""
    pieces = {} if duration is None else {"duration": duration, "warm_up": "0s"}
    spec = ms.load("market_maker_tournament", pieces).spec
    return ms.tournament(spec, seeds=20 if duration is None else 2, workers=None if duration is None else 1)


def forks(duration: str | None) -> Any:
    """The forks of the market of docs/counterfactual-impact.md; two seeds when a duration is given."""
    page = (HERE / "counterfactual-impact.md").read_text(encoding="utf-8")
    scenario = re.search(r"^```yaml\n(# followers.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert scenario is not None
    market = ms.load(yaml.safe_load(scenario.group(1)))
    at, seeds = (["100s", "160s", "220s", "280s"], 40) if duration is None else ("100s", 2)
    workers = None if duration is None else 1
    return ms.counterfactual(market, at, [100, 300, 600], seeds=seeds, horizon="1min", workers=workers)


def crowds(duration: str | None) -> Any:
    """How many agents of two kinds; four short runs when a duration is given."""
    over = {"agents.value.count": [60, 80, 100, 140], "agents.momentum.count": [5, 10, 15, 20]}
    measures = ["market.ABM.trades", "market.ABM.spread_bps", "market.ABM.volatility_bps", "agents.value.pnl"]
    if duration is not None:
        over, measures = {path: values[:2] for path, values in over.items()}, measures[:2]
    market = ms.load("reference_hour", {"duration": duration or "1h"})
    many = duration is None
    return ms.sweep(market, over, seeds=10 if many else 1, measures=measures, workers=None if many else 1)


def reference_days(duration: str | None) -> list[Any]:
    """Ten days of the reference market; two pieces of one when a duration is given."""
    given = {} if duration is None else {"duration": "10min"}
    return [ms.load("reference_day", {"seed": seed, **given}).run() for seed in range(1, 11 if duration is None else 3)]


def ready(name: str, duration: str | None, without: tuple[str, ...] = ()) -> Any:
    """A run of a ready scenario, without some of its agents; a piece of one when a duration is given."""
    changes: dict[str, Any] = {f"agents.{agent}": None for agent in without}
    return ms.load(name, changes if duration is None else {**changes, "duration": duration, "warm_up": "0s"}).run()


def two_markets(duration: str | None) -> Any:
    """The figure of docs/stylized-facts.md."""
    names = ("quickstart", "spoofing")
    first, second = (ready(name, duration or "1h") for name in names)
    return ms.analysis.figures.stylized_facts(first, beside=second, names=names)


def surveillance(duration: str | None) -> Any:
    """The figure of docs/surveillance.md."""
    run = ready("spoofing", duration)
    return ms.analysis.surveillance_figure(run, labels=ms.analysis.labels(run))


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
    if duration is not None:
        code = re.sub(r'"duration": "[^"]+"', f'"duration": "{duration}"', code)
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
