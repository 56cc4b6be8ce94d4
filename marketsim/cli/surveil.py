"""``marketsim surveil``: alerts of spoofing and layering in a run, and how good they are where it is labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Debug, Seed, Settings
from marketsim.cli.sources import WHAT, market, name_of, write_figure

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
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Draw them: a .png, .svg or .pdf.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the alerts as CSV.")] = None,
    debug: Debug = False,
) -> None:
    """Look for spoofing and layering among the orders of a market."""
    from marketsim.analysis.surveillance import THRESHOLD
    from marketsim.analysis.surveillance import surveil as look

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

        symbol = str(alerts["instrument"].iloc[0]) if len(alerts) else next(iter(here.instruments))
        write_figure(surveillance_figure(here, symbol, labels=truth, threshold=limit), figure)
        say(f"figure  {figure}")
    if out is not None:
        _write(alerts, out)


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
    from marketsim.errors import StoreError

    table = alerts.copy()
    for name in ("orders", "opposite"):
        table[name] = [" ".join(map(str, ids)) for ids in table[name]]
    try:
        table.to_csv(path, index=False)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}; choose another place") from error
    say(f"written {path}")
