"""``marketsim surveil``: alerts of spoofing and layering in a run, and how good they are where it is labelled."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, Figure, MarketReport, Seed, Settings, TableFile, require_table_file
from marketsim.cli.report import tell_page
from marketsim.cli.sources import WHAT, market, market_page, name_of

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.data.tape import Tape
    from marketsim.results.run import Run

_MOST = 40


@guarded
def surveil(
    source: Annotated[str, typer.Argument(metavar="MARKET", help=WHAT)],
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Score from 0 to 1 that makes an alert; 0.7 when left out.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    figure: Figure = None,
    out: TableFile = None,
    report: MarketReport = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Look for spoofing and layering among the orders of a market."""
    from marketsim.analysis.surveillance import THRESHOLD
    from marketsim.analysis.surveillance import surveil as look

    require_table_file(out)
    limit = THRESHOLD if threshold is None else threshold
    here = market(source, seed, settings, debug=debug)
    alerts = look(here, threshold=limit)
    truth = _truth(here)
    _tell(name_of(here), alerts, limit, len(here.orders))
    if truth is not None:
        from marketsim.analysis.detection import score_alerts

        say()
        say("Against the labels of the run:")
        say(str(score_alerts(alerts, truth)))
    if figure is not None:
        from marketsim.analysis.figures.surveillance import surveillance_figure
        from marketsim.analysis.files import write_figure

        symbol = str(alerts["instrument"].iloc[0]) if len(alerts) else next(iter(here.instruments))
        drawn = surveillance_figure(here, symbol, labels=truth, threshold=limit)
        say(f"figure  {write_figure(drawn, figure)}")
    if out is not None:
        _write(alerts, out)
    tell_page(partial(market_page, here), report, browse, "surveil.html")


def _truth(here: Run | Tape) -> pd.DataFrame | None:
    """The labels of a run, where it has some of what is looked for."""
    from marketsim.analysis.detection import KINDS
    from marketsim.analysis.ground_truth import labels
    from marketsim.data.tape import Tape

    if isinstance(here, Tape):
        return None
    found = labels(here)
    return found if found["kind"].isin(KINDS).any() else None


def _tell(name: str, alerts: pd.DataFrame, limit: float, orders: int) -> None:
    count = f"{len(alerts):,} {'alert' if len(alerts) == 1 else 'alerts'}"
    say(f"{name}: {count} among {orders:,} orders, score {limit:g} or more")
    if not len(alerts):
        return
    say()
    table = empty_table()
    for heading in ("participant", "kind", "instrument", "from"):
        table.add_column(heading, no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("why")
    from marketsim.domain.local_time import time_text

    for row in alerts.sort_values("score", ascending=False).head(_MOST).itertuples():
        words = (str(row.agent), str(row.kind), str(row.instrument), time_text(int(str(row.start)), None)[:12])
        table.add_row(*words, f"{row.score:.2f}", str(row.reason))
    output().print(table)
    if len(alerts) > _MOST:
        say(f"The {_MOST} with the highest scores; all with --out.")


def _write(alerts: pd.DataFrame, path: Path) -> None:
    from marketsim.analysis.files import write_table

    table = alerts.copy()
    for name in ("orders", "opposite"):
        table[name] = [" ".join(map(str, ids)) for ids in table[name]]
    say(f"written {write_table(table, path)}")
