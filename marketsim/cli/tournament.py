"""``marketsim tournament``: candidates in the same place of one scenario under the same seeds, and a league table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Confidence, Debug, Parquet, Settings, Workers

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from marketsim.experiment.tournament import Tournament

_FORMS = {"alone": "each alone in the market", "pairs": "every two in one market", "together": "all in one market"}


@guarded
def tournament(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a ready one.")],
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidate", "-c", metavar="NAME",
            help="An agent of the scenario that competes; all that are called candidate_… when left out.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Under how many seeds each heat runs.")] = 20,
    forms: Annotated[
        list[str] | None,
        typer.Option("--form", metavar="FORM", help="alone, pairs or together; alone and together when left out."),
    ] = None,
    measure: Annotated[str, typer.Option("--by", metavar="MEASURE", help="What the table is ordered by.")] = "pnl",
    settings: Settings = None,
    confidence: Confidence = 0.95,
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write the tables, every value and a figure there.")
    ] = None,
    parquet: Parquet = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Let agents compete in the same place under the same chance."""
    from marketsim.cli.compare import compile_market
    from marketsim.cli.progress import CountProgress
    from marketsim.cli.scenarios import read
    from marketsim.experiment.tournament import tournament as hold

    spec = read(scenario, settings or ())
    chosen = tuple(forms or ("alone", "together"))
    with CountProgress("heats") as progress:
        if workers != 1:
            compile_market(progress)
        found = hold(
            spec, tuple(candidates or ()), seeds, forms=chosen, confidence=confidence, workers=workers,
            progress=progress,
        )  # fmt: skip
    _tell(found, measure)
    if out is not None:
        for path in found.save(out, parquet=parquet):
            say(f"written {path}")


def _tell(found: Tournament, measure: str) -> None:
    say(
        f"{found.scenario}: {len(found.candidates)} candidates, {len(found.seeds)} seeds, the same chance for everybody"
    )
    for form in found.forms:
        say()
        say(f"{_FORMS[form].capitalize()}:")
        output().print(_standings(found.table(form, measure), found.confidence, measure))
        say(_verdict(found.differences(form, measure)))
    say()
    say(
        f"Ranks: {found.confidence * 100:.4g} % interval of the rank over resampled seeds, of each by itself and not "
        "corrected. First: share of those resamples in which its mean is the highest. Pairs are compared seed by seed, "
        "corrected for their number (Holm): they may differ less surely than the ranks seem to tell."
    )


def _standings(table: pd.DataFrame, confidence: float, measure: str) -> Table:
    from marketsim.analysis.summary import number

    shown = empty_table()
    shown.add_column("rank", justify="right", no_wrap=True)
    shown.add_column("candidate", no_wrap=True)
    headings = (
        "P&L" if measure == "pnl" else measure, f"{confidence * 100:.4g} % interval", "ranks", "first", "sharpe",
        "spread", "adverse", "inventory", "fees", "mean pos", "fills",
    )  # fmt: skip
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for _, row in table.iterrows():
        parts = [
            number(row[name], "+,.0f") if name in row else ""
            for name in ("spread_capture", "adverse_selection", "inventory")
        ]
        shown.add_row(
            f"{row['rank']}", row["candidate"], number(row["mean"], "+,.1f"),
            f"{number(row['low'], '+,.1f')} … {number(row['high'], '+,.1f')}",
            f"{row['rank_low']}–{row['rank_high']}", f"{row['first']:.0%}", number(row["sharpe"], ",.2f"), *parts,
            *(number(row[name], form) if name in row else "" for name, form in
              (("fees", "+,.1f"), ("mean_position", ",.0f"), ("fills", ",.0f"))),
        )  # fmt: skip
    return shown


def _verdict(pairs: pd.DataFrame) -> str:
    """Which pairs differ, in words."""
    sure = pairs[pairs["differs"]]
    if sure.empty:
        return "No two of them differ for sure: more seeds tell more."
    lines = [f"{row['better']} over {row['worse']} ({row['difference']:+,.1f})" for _, row in sure.iterrows()]
    return f"Sure: {', '.join(lines)}." + ("" if len(sure) == len(pairs) else " The others may be chance.")
