"""``marketsim compare``: scenarios, variants of one, or agents of one, under the same seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import empty_table, note, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.interrupt import INTERRUPTED
from marketsim.cli.options import Browse, Confidence, Debug, Parquet, Report, Settings, Workers
from marketsim.cli.report import tell_page
from marketsim.errors import InvalidValueError, ScenarioError

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.comparison import Comparison
    from marketsim.scenario.spec import ScenarioSpec

_P = {"holm": "p (Holm)", "benjamini-hochberg": "p (B-H)", "bonferroni": "p (Bonf.)", "none": "p"}
SHOWN = 12  # measures of each comparison, unless all are wanted
_LEAST = (("seeds_80",), ("gain",), ("mean_base", "mean"))  # what a narrow table leaves out, in this order
_LEFT_OUT = {"seeds_80": "seeds", "gain": "gain", "mean_base": "the base's mean", "mean": "the other's mean"}
_GAIN = "Gain: how many times wider the interval would be without common random numbers."
_SEEDS = "Seeds: to see the difference found in 80 of 100 comparisons."
_FOLDED = 26  # letters of a measure's name in a line of a narrow table


@guarded
def compare(
    scenarios: Annotated[
        list[str], typer.Argument(metavar="A [B …]", help="Scenario files, or names of ready ones; A is the base.")
    ],
    seeds: Annotated[int, typer.Option("--seeds", help="Under how many seeds each of them runs.")] = 20,
    settings: Settings = None,
    left_settings: Annotated[
        list[str] | None, typer.Option("--set-a", metavar="PATH=VALUE", help="Change a value of A only.")
    ] = None,
    right_settings: Annotated[
        list[str] | None,
        typer.Option("--set-b", metavar="PATH=VALUE", help="Change a value of B only; B is A where it is not given."),
    ] = None,
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="PATH=V1,V2", help="Compare A with itself under these values of a path."),
    ] = None,
    agents: Annotated[
        list[str] | None,
        typer.Option("--agent", "-a", metavar="NAME", help="Compare agents of A within the same runs; repeat it."),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measure", "-m", metavar="PATTERN",
            help='Judge these measures only, such as agents.mm.pnl or "market.*"; fewer are judged more sharply.',
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="MEASURE", help="What three or more are ranked by.")
    ] = "",
    smallest: Annotated[bool, typer.Option("--smallest", help="Rank the smallest first, as for costs.")] = False,
    see: Annotated[
        list[str] | None,
        typer.Option("--see", metavar="MEASURE=DIFF", help="Tell how many seeds see a difference of this size."),
    ] = None,
    correction: Annotated[
        str, typer.Option("--correction", help="For many comparisons: holm, benjamini-hochberg, bonferroni or none.")
    ] = "holm",
    confidence: Confidence = 0.95,
    everything: Annotated[bool, typer.Option("--all", help="Show every measure.")] = False,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the tables, and values of every run, there."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --out take the place of an earlier comparison.")
    ] = False,
    parquet: Parquet = False,
    report: Report = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Compare scenarios, variants or agents under the same chance."""
    from marketsim.analysis.comparison_words import interrupted_words
    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.comparison import compare as comparison

    wishes = [_wish(text) for text in see or ()]
    if out is not None and not overwrite:
        _require_room(out)
    specs, names = _read(scenarios, settings or (), left_settings or (), right_settings or (), variants or ())
    with CountProgress("runs") as progress:
        if workers != 1:
            compile_market(progress)
        found = comparison(
            *specs, seeds=seeds, agents=tuple(agents or ()), names=names, measures=tuple(measures or ()),
            correction=correction, confidence=confidence, workers=workers, progress=progress,
            on_interrupt="keep",
        )  # fmt: skip
    _tell(found, everything or bool(measures), by, smallest)
    for measure, difference in wishes:
        _tell_seeds(found, measure, difference)
    if out is not None:
        for path in found.save(out, parquet=parquet):
            say(f"written {path}")
        for page in sorted(set(out.glob("*.html")) - {report}):
            note(f"{page} is there still and may tell of an earlier comparison: --report {page} writes it anew")
    tell_page(found.report, report, browse, "compare.html")
    if found.interrupted:
        note(interrupted_words(len(found.seeds), found.planned))
        raise typer.Exit(INTERRUPTED)


def compile_market(progress: CountProgress) -> None:
    """Compile the market here, so that the processes load it instead of compiling it side by side."""
    from marketsim.kernel.compilation import watched_compilation
    from marketsim.simulation import warm

    with watched_compilation(progress.compiling):
        warm()


# --- what is asked for ---


def _read(
    given: Sequence[str], settings: Sequence[str], left: Sequence[str], right: Sequence[str], variants: Sequence[str]
) -> tuple[list[ScenarioSpec], tuple[str, ...]]:
    """The scenarios, and names where the files' own would not tell variants apart."""
    from marketsim.cli.scenarios import read
    from marketsim.experiment.comparison import variant_names

    if variants and (len(given) > 1 or right):
        raise InvalidValueError("--variant: variants are of one scenario; leave out the others and --set-b")
    files = [*given, given[0]] if right and len(given) == 1 else list(given)
    own = {0: left, 1: right}
    specs = []
    for place, file in enumerate(files):
        with _blaming("--set-a" if place == 0 else "--set-b", own.get(place, ())):
            specs.append(read(file, [*settings, *own.get(place, ())]))
    changed = [pair for text in variants for pair in _variant(text)]
    for path, value in changed:
        with _blaming("--variant", (f"{path}={value}",)):
            specs.append(read(files[0], [*settings, *left, f"{path}={value}"]))
    return specs, (specs[0].name, *variant_names(changed)) if variants else ()


@contextmanager
def _blaming(option: str, values: Sequence[str]) -> Iterator[None]:
    """Findings in these values are told by the option that gave them."""
    paths = [value.partition("=")[0].strip() for value in values]
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(
            finding.replace("--set", option, 1) if any(path in finding for path in paths) else finding
            for finding in error.findings
        ) from None


def _require_room(folder: Path) -> None:
    """Nothing earlier is lost unless that is wanted."""
    from marketsim.experiment.comparison import tables_in

    if held := tables_in(folder):
        names = ", ".join(path.name for path in held)
        raise InvalidValueError(f"--out {folder} holds another comparison ({names}): --out another, or --overwrite")


def _variant(text: str) -> list[tuple[str, str]]:
    """``PATH=V1,V2`` as pairs; commas inside brackets and quotes belong to a value."""
    path, equals, values = text.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise InvalidValueError(f"--variant {text}: write PATH=VALUE,VALUE, such as agents.mm.gamma=0.05,0.1")
    return [(path.strip(), value.strip()) for value in _split(values)]


def _split(text: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _wish(text: str) -> tuple[str, float]:
    from marketsim.experiment.measure import plain_name

    measure, equals, number = text.rpartition("=")
    try:
        difference = float(number) if equals else 0.0
    except ValueError:
        difference = 0.0
    if difference == 0.0 or not isfinite(difference):
        raise InvalidValueError(f"--see {text}: write MEASURE=NUMBER, such as agents.mm.pnl=5; not zero")
    return plain_name(measure), difference


# --- what is told ---


def _tell(found: Comparison, everything: bool, by: str, smallest: bool) -> None:
    base, *others = found.names
    where = "in the same runs" if found.agents else "the same chance for all"
    say(f"{base} against {', '.join(others)}: {len(found.seeds)} seeds, {where}")
    for words in found.notes:
        note(words)
    rows = found.table()
    gone: set[str] = set()
    for name in others:
        gone.update(_tell_one(found, name, rows[rows["name"] == name].set_index("measure"), everything))
    if len(found.names) > 2:
        _tell_ranking(found, by, smallest)
    _tell_failures(found)
    if found.tests:
        say()
        _tell_method(found, gone)


def _tell_one(found: Comparison, name: str, rows: Any, everything: bool) -> Collection[str]:
    """The difference of the scenarios beside that of the results; the columns for which there was no room."""
    from marketsim.scenario.diff import format_changes

    say()
    say(f"{name} instead of {found.names[0]}. What differs in the {'sections' if found.agents else 'scenarios'}:")
    for line in format_changes(found.changes[name]).splitlines():
        say(f"  {line}")
    if not found.changes[name]:
        say("  (under one seed they give one run)" if not found.agents else "  (but they draw numbers of their own)")
    interesting = [row.measure for row in found.interesting(name)]
    shown = interesting if everything else interesting[:SHOWN]
    gone: list[str] = []
    if shown:
        say()
        table, gone = _table(found, rows.loc[shown], name)
        output().print(table)
        if gone:
            say(
                f"Left out, for want of room in {output().width} columns: {', '.join(_LEFT_OUT[one] for one in gone)}; "
                "a wider window shows them, --report and --out have them"
            )
    if len(shown) < len(interesting):
        say(f"{len(interesting) - len(shown)} other measures, less sure: --all shows them")
    equal = [row.measure for row in found.rows if row.name == name and row.equal]
    if equal:
        say(f"Equal under every seed: {', '.join(equal)}")
    missing = [row.measure for row in found.rows if row.name == name and isnan(row.p)]
    if missing:
        say(f"In fewer than two pairs of runs: {', '.join(missing)}")
    for whose in (found.names[0], name):
        if found.only[whose]:
            alone = found.only[whose]
            say(f"Only in {whose}: {', '.join(alone[:SHOWN])}{' …' if len(alone) > SHOWN else ''}")
    return gone


def _table(found: Comparison, rows: Any, name: str) -> tuple[Table, list[str]]:
    columns = [
        ("mean_base", found.names[0]), ("mean", name), ("difference", "difference"),
        ("interval", f"{found.confidence * 100:.4g} % interval"), ("p_adjusted", _P[found.correction]),
        ("mark", ""), ("gain", "gain"),
        ("seeds_80", "seeds"),
    ]  # fmt: skip
    return _fitting(columns, rows)


def _fitting(columns: list[tuple[str, str]], rows: Any) -> tuple[Table, list[str]]:
    """The table with as many columns as there is room for, long names in several lines; and what was left out."""
    width = output().width
    table = _drawn(columns, rows, 0)
    if _wide(table) <= width:
        return table, []
    gone: list[str] = []
    for least in ((), *_LEAST):
        gone += least
        table = _drawn([column for column in columns if column[0] not in gone], rows, _FOLDED)
        if _wide(table) <= width:
            break
    return table, gone


def _wide(table: Table) -> int:
    return int(output().measure(table, options=output().options.update(width=10_000)).maximum)


def _drawn(columns: list[tuple[str, str]], rows: Any, folded: int) -> Table:
    """folded: letters of a name in a line; 0 for all of them."""
    from marketsim.analysis.comparison_words import cells

    table = empty_table()
    table.add_column("measure", overflow="fold", no_wrap=not folded, max_width=folded or None)
    for key, heading in columns:
        mean = key in ("mean_base", "mean")
        table.add_column(
            heading, justify="left" if key == "mark" else "right", no_wrap=not (folded and mean), overflow="fold",
            max_width=14 if folded and mean else None,
        )  # fmt: skip
    for measure, row in zip(rows.index, rows.to_dict("records"), strict=True):
        told = cells(row)
        table.add_row(
            _lines(measure, folded), *(told[key] for key, _ in columns), style="bold" if row["differs"] else None
        )
    return table


def _lines(name: str, most: int) -> str:
    """A long name with its last part in a line of its own."""
    return name if not most or len(name) <= most else ".\n".join(name.rsplit(".", 1))


def _tell_ranking(found: Comparison, by: str, smallest: bool) -> None:
    from marketsim.analysis.comparison_words import decimals
    from marketsim.analysis.summary import number
    from marketsim.experiment.measure import plain_name

    measure = plain_name(by) or found.main
    ranked = found.ranking(measure, largest=not smallest)
    form = f",.{decimals(float((ranked['high'] - ranked['low']).min()))}f"
    say()
    say(f"Ranked by {measure}, the {'smallest' if smallest else 'largest'} first:")
    table = empty_table()
    for heading in ("rank", "of", "mean", "interval", "ranks", "first"):
        table.add_column(heading, justify="left" if heading == "of" else "right", no_wrap=True)
    for row in ranked.to_dict("records"):
        ranks = (
            f"{row['rank_low']}" if row["rank_low"] == row["rank_high"] else f"{row['rank_low']} to {row['rank_high']}"
        )
        ends = f"{number(row['low'], form)} … {number(row['high'], form)}"
        table.add_row(
            f"{row['rank']}", row["candidate"], number(row["mean"], form), ends, ranks, f"{row['first']:.0%}"
        )  # fmt: skip
    output().print(table)
    pairs = found.every_pair(measure)
    sure = pairs[pairs["differs"]]
    told = [f"{row['better']} over {row['worse']}" for row in sure.to_dict("records")]
    say(f"Sure among all pairs (Holm): {', '.join(told)}." if told else "No two of them differ for sure in it.")


def _tell_failures(found: Comparison) -> None:
    for name, failed in found.failures.items():
        if failed:
            first = failed[0]
            note(
                f"{name}: {len(failed)} of {len(found.seeds)} runs failed and are left out with their pairs "
                f"(seeds {', '.join(str(one.seed) for one in failed[:10])}{' …' if len(failed) > 10 else ''}). "
                f"Seed {first.seed}: {first.kind}: {first.error}"
            )


def _tell_method(found: Comparison, gone: Collection[str]) -> None:
    """What the columns mean, but for those left out."""
    from marketsim.analysis.comparison_words import corrected_words, few_words
    from marketsim.analysis.paired import FEWEST

    if len(found.seeds) < FEWEST:
        note(few_words(len(found.seeds)))
    say(
        f"* differs: p of the paired t-test, {corrected_words(found.correction, found.tests)}, is below "
        f"{1 - found.confidence:.3g}; (*) by its own interval only."
        + ("" if "gain" in gone else f" {_GAIN}")
        + ("" if "seeds_80" in gone else f" {_SEEDS}")
    )


def _tell_seeds(found: Comparison, measure: str, difference: float) -> None:
    """How many seeds see a difference; a single test's level."""
    for name in found.names[1:]:
        row = found.of(measure, name)
        few, many = (row.seeds_needed(difference, power) for power in (0.8, 0.9))
        say(
            f"{measure}, {name}: a difference of {difference:g} is seen with {few:,} seeds in 80, with {many:,} in 90 "
            f"of 100 comparisons; these {row.seeds} seeds see {row.smallest_difference():.4g} or more (80 of 100)"
        )
