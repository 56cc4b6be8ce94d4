"""init, check, list, verify, compare, report."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import marketsim as package
from marketsim.results.run import Run
from marketsim.scenario.loader import ready_scenarios
from marketsim.scenario.registry import REGISTRY

# --- init ---


def test_init_writes_what_runs_at_once(marketsim: Any, place: Path) -> None:
    result = marketsim("init", "hunter", "mine")
    assert result.exit_code == 0
    assert sorted(path.name for path in (place / "mine").iterdir()) == ["hunter.yaml", "hunter_agent.py"]
    assert str(Path("mine/hunter.yaml")) in result.stdout.splitlines()[-1]
    assert marketsim("check", "mine/hunter.yaml").exit_code == 0
    ran = marketsim("run", "mine/hunter.yaml", "--no-report", "--out", "done")
    assert ran.exit_code == 0, ran.output
    run = Run.open(place / "done")
    traded = run.trades[(run.trades["maker"] == "sniper") | (run.trades["taker"] == "sniper")]
    assert len(traded) > 10, "the starter's own agent should have something to do"


def _checked(place: Path, *command: str) -> str:
    """What a tool says about the generated agent."""
    pytest.importorskip(command[0])
    environment = {**os.environ, "MYPYPATH": str(Path(package.__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", *command, "hunter_agent.py"], cwd=place, env=environment, capture_output=True, text=True
    )
    return "\n".join(line for line in done.stdout.splitlines() if "hunter_agent.py" in line)


def test_inits_agent_is_clean(marketsim: Any, place: Path) -> None:
    marketsim("init", "hunter")
    assert "starter" not in (place / "hunter_agent.py").read_text() + (place / "hunter.yaml").read_text()
    assert _checked(place, "ruff", "check", "--isolated", "--select", "E,F,I,UP,B") == ""


@pytest.mark.slow
def test_inits_agent_is_typed(marketsim: Any, place: Path) -> None:
    marketsim("init", "hunter")
    assert _checked(place, "mypy", "--strict", "--follow-imports=silent") == ""
    agent = place / "hunter_agent.py"
    agent.write_text(agent.read_text().replace("quote.ask,", "quote.aks,"))
    assert "aks" in _checked(place, "mypy", "--strict", "--follow-imports=silent")


@pytest.mark.parametrize("name", ["two words", "class", "1st", "a-b", "../up"])
def test_init_refuses_names_that_no_module_can_have(marketsim: Any, place: Path, name: str) -> None:
    result = marketsim("init", name)
    assert result.exit_code == 2
    assert f'"{name}" cannot name a module' in result.stderr


def test_init_overwrites_nothing(marketsim: Any, place: Path) -> None:
    (place / "hunter_agent.py").write_text("mine")
    assert marketsim("init", "hunter").exit_code == 1
    assert (place / "hunter_agent.py").read_text() == "mine"
    assert not (place / "hunter.yaml").exists()


# --- check ---


def test_check_tells_what_a_scenario_is(marketsim: Any) -> None:
    result = marketsim("check", "small.yaml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ok: small: 20 agents, 1 instrument, 1 venue, 20s, seed 5",
        "    Noise only.",
    ]


def test_check_tells_everything_that_is_wrong_with_all_of_them(marketsim: Any, place: Path) -> None:
    text = (place / "small.yaml").read_text()
    (place / "bad.yaml").write_text(text.replace("count", "cuont").replace("seed: 5", "seed: five"))
    result = marketsim("check", "bad.yaml", "small.yaml", "gone.yaml", "--set", "agents.noise.quantity=-1")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert any(line.startswith("bad.yaml:4:7  seed: ") for line in lines)
    assert any("agents.noise.cuont" in line and 'did you mean "count"?' in line for line in lines)
    assert sum("agents.noise.quantity" in line for line in lines) == 2
    assert "gone.yaml: there is no such file" in lines[-1]


def test_check_prints_the_schema_with_the_parameters_of_every_type(marketsim: Any) -> None:
    result = marketsim("check", "--schema")
    schema = json.loads(result.stdout)
    text = json.dumps(schema["$defs"]["AgentSpec"])
    for name in REGISTRY.names("agent"):
        assert f'"const": "{name}"' in text
    assert marketsim("check").exit_code == 2


# --- list ---


def test_list_names_everything(marketsim: Any) -> None:
    text = marketsim("list").stdout
    for kind in ("agent", "feed", "latency", "shock"):
        for name in REGISTRY.names(kind):
            assert f" {name} " in text
    for name in ready_scenarios():
        assert f" {name} " in text


@pytest.mark.parametrize(
    ("what", "kind"),
    [("agents", "agent"), ("latencies", "latency"), ("feeds", "feed"),
     ("rules", "rule"), ("exits", "exit"), ("sizings", "sizing")],
)  # fmt: skip
def test_lists_of_types_tell_parameters_defaults_and_what_they_are(marketsim: Any, what: str, kind: str) -> None:
    result = marketsim("list", what)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    for name in REGISTRY.names(kind):
        assert REGISTRY.summary(kind, name)
        at = lines.index(name)
        assert lines[at + 1] == REGISTRY.summary(kind, name)
        rows = lines[at : lines.index("", at)]
        for parameter in REGISTRY.parameters(kind, name):
            (row,) = [row for row in rows if row.startswith(f" {parameter.name} ")]
            assert parameter.doc.split()[0] in row, f"{name}.{parameter.name}"
            assert parameter.required == ("(required)" in row)


def test_one_type_is_told_in_full(marketsim: Any) -> None:
    text = marketsim("list", "agents", "noise").stdout
    assert "Both sides have equal odds" in text
    assert "improve_share" in text
    rows = marketsim("list", "agents", "sniper").stdout.splitlines()
    row = next(row for row in rows if row.startswith(" max_participation "))
    assert row.split()[1:5] == ["float", "|", "none", "none"], "what it is by default, as it can be written"


def test_networks_are_told_in_full(marketsim: Any) -> None:
    assert "sites:" in marketsim("list", "networks", "us").stdout


def test_indicators_are_listed_with_what_they_take(marketsim: Any) -> None:
    from marketsim.agents.indicators import INDICATORS

    rows = [" ".join(row.split()) for row in marketsim("list", "indicators").stdout.splitlines()]
    for name in INDICATORS:
        assert any(row.startswith(f"{name} ") for row in rows), name
    assert any(row.startswith("macd fast=12, slow=26, smoothing=9 ") for row in rows)
    told = marketsim("list", "indicators", "macd").stdout
    assert "Lines: value, signal, histogram." in told
    wrong = marketsim("list", "indicators", "mcad")
    assert (wrong.exit_code, 'did you mean "macd"?' in wrong.stderr) == (2, True)


def test_limits_are_listed_with_the_usual_ones(marketsim: Any) -> None:
    from marketsim.scenario.limits import LimitsSpec

    rows = [" ".join(row.split()) for row in marketsim("list", "limits").stdout.splitlines()]
    for name in LimitsSpec.model_fields:
        assert any(row.startswith(f"{name} ") for row in rows), name
    assert "max_order largest order, in lots" in rows
    assert 'max_rate 100/s orders and replaces in any window, such as "100/s"' in rows
    assert '"limits: default" sets 0.1' in marketsim("list", "limits", "max_drawdown").stdout
    wrong = marketsim("list", "limits", "max_drowdown")
    assert (wrong.exit_code, 'did you mean "max_drawdown"?' in wrong.stderr) == (2, True)


def test_list_helps_with_wrong_words(marketsim: Any) -> None:
    wrong = marketsim("list", "agnets")
    assert (wrong.exit_code, 'did you mean "agents"?' in wrong.stderr) == (2, True)
    wrong = marketsim("list", "agents", "nosie")
    assert (wrong.exit_code, 'did you mean "noise"?' in wrong.stderr) == (2, True)


def test_list_tells_of_a_class_in_a_file_here(marketsim: Any, place: Path) -> None:
    words = "from dataclasses import dataclass\n\nimport marketsim as ms\n\n\n@dataclass\nclass Own(ms.Agent):\n"
    (place / "own_kind.py").write_text(f'{words}    """Mine."""\n\n    edge: float = 0.5\n', encoding="utf-8")
    shown = marketsim("list", "agents", "own_kind:Own")
    assert shown.exit_code == 0
    assert "Mine." in shown.stdout
    assert "edge" in shown.stdout


# --- verify ---


def _changed(kept_run: Path, place: Path, **changes: Any) -> Path:
    """A copy of a run whose manifest says something else."""
    copy = place / "copy"
    shutil.copytree(kept_run, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    for name, value in changes.items():
        manifest[name] = {**manifest[name], **value}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_a_run_that_is_reproduced_is_equal(marketsim: Any, kept_run: Path) -> None:
    result = marketsim("verify", kept_run)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("equal: ")
    assert Run.open(kept_run).digest in result.stdout


def test_a_run_that_is_not_reproduced_differs(marketsim: Any, kept_run: Path, place: Path) -> None:
    result = marketsim("verify", _changed(kept_run, place, spec={"seed": 6}))
    assert result.exit_code == 1
    assert "DIFFERENT" in result.stderr
    assert Run.open(kept_run).digest in result.stderr
    assert "the versions are the same" in result.stderr


def test_other_versions_are_named(marketsim: Any, kept_run: Path, place: Path) -> None:
    result = marketsim("verify", _changed(kept_run, place, spec={"seed": 6}, versions={"numpy": "1.0.0"}))
    assert result.exit_code == 1
    assert "numpy: 1.0.0 then, " in result.stderr
    assert "the versions are the same" not in result.stderr


def test_damaged_events_are_no_reproduction(marketsim: Any, kept_run: Path, place: Path) -> None:
    copy = place / "copy"
    shutil.copytree(kept_run, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "digest": "0" * 32}))
    result = marketsim("verify", copy)
    assert result.exit_code == 1
    assert "damaged" in result.stderr


def test_own_agents_are_found_where_modules_says(marketsim: Any, place: Path) -> None:
    assert marketsim("init", "verified_hunter", "far/away").exit_code == 0
    done = marketsim(
        "run", "far/away/verified_hunter.yaml", "--no-report", "--out", "done",
        "--set", "duration=90s", "--set", "warm_up=0s",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    command = [sys.executable, "-m", "marketsim", "verify", "done"]
    lost = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert lost.returncode == 2
    assert "verified_hunter_agent" in lost.stderr
    found = subprocess.run([*command, "--modules", "far/away"], cwd=place, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


# --- compare ---


def test_a_scenario_does_not_differ_from_itself(marketsim: Any) -> None:
    result = marketsim("compare", "small.yaml", "small.yaml", "--seeds", 2, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "no differences" in result.stdout
    (equal,) = [line for line in result.stdout.splitlines() if line.startswith("Equal under every seed")]
    for measure in ("market.ABC.volume", "market.ABC.close", "agents.noise.orders", "agents.noise.pnl"):
        assert measure in equal


def test_two_settings_of_one_scenario(marketsim: Any, place: Path) -> None:
    result = marketsim(
        "compare", "small.yaml", "small.yaml", "--seeds", 4, "--workers", 1, "--set", "agents.noise.count=10",
        "--set-a", "seed=3", "--set-b", "agents.noise.market_share=0.4", "--out", "written", "--all",
        "--see", "market.ABC.trades=5",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "agents.noise.market_share  0.15  →  0.4" in result.stdout.replace("(nothing)", "0.15")
    (row,) = [line for line in result.stdout.splitlines() if line.startswith(" market.ABC.trades ")]
    assert " * " in row
    assert "other measures" not in result.stdout
    with (place / "written" / "differences.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    trades = rows["market.ABC.trades"]
    assert trades["differs"] == "True"
    assert float(trades["low"]) > 0
    assert float(trades["difference"]) == pytest.approx(float(trades["mean"]) - float(trades["mean_base"]))
    few, many = (package.seeds_needed(5, float(trades["deviation"]), power=power) for power in (0.8, 0.9))
    assert f"a difference of 5 is seen with {few:,} seeds in 80, with {many:,} in 90 of 100" in result.stdout
    with (place / "written" / "values.csv").open(encoding="utf-8", newline="") as file:
        values = list(csv.DictReader(file))
    assert {(value["name"], value["seed"]) for value in values} == {
        (f"small ({side})", str(seed)) for side in "AB" for seed in range(1, 5)
    }


def test_a_narrow_window_says_what_it_leaves_out(marketsim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketsim.cli import console

    monkeypatch.setattr(console, "_WIDE", 80)
    console.output.cache_clear()
    try:
        result = marketsim(
            "compare", "small.yaml", "--set-b", "agents.noise.rate=4/s", "--seeds", 2, "--workers", 1,
            "-m", "agents.noise.*",
        )  # fmt: skip
    finally:
        console.output.cache_clear()
    assert result.exit_code == 0, result.output
    assert "Left out, for want of room in 80 columns: seeds" in result.stdout
    assert "Seeds: to see" not in result.stdout
    assert "2 seeds are too few for bootstrap intervals" in result.stderr
    assert "\u200b" not in result.output


def test_variants_are_ranked_and_reported(marketsim: Any, place: Path) -> None:
    result = marketsim(
        "compare", "small.yaml", "--variant", "agents.noise.rate=1/s,4/s", "--seeds", 3, "--workers", 1,
        "-m", "market.ABC.trades", "-m", "agents.noise.volume", "--by", "market.ABC.trades", "--smallest",
        "--report", "pages/compared.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "small against rate=1/s, rate=4/s: 3 seeds" in result.stdout
    ranked = result.stdout[result.stdout.index("Ranked by market.ABC.trades, the smallest first") :]
    assert ranked.index("rate=1/s") < ranked.index(" small ") < ranked.index("rate=4/s")
    assert "market.ABC.spread" not in result.stdout
    assert "corrected for 4 comparisons (Holm)" in result.stdout
    assert "small against rate=1/s, rate=4/s" in (place / "pages" / "compared.html").read_text(encoding="utf-8")


def test_one_file_and_other_settings_are_two_sides(marketsim: Any) -> None:
    result = marketsim(
        "compare", "small.yaml", "--set-b", "agents.noise.count=30", "--seeds", 2, "--workers", 1, "-m", "*.orders"
    )
    assert result.exit_code == 0, result.output
    assert "small (A) against small (B)" in result.stdout


def test_agents_of_one_market(marketsim: Any, place: Path) -> None:
    (place / "two.yaml").write_text(
        "extends: small.yaml\nagents: {other: {type: noise, count: 20, rate: 1/s}}", encoding="utf-8"
    )
    result = marketsim(
        "compare", "two.yaml", "-a", "noise", "-a", "other", "--seeds", 2, "--workers", 1, "-m", "orders", "-m", "pnl"
    )
    assert result.exit_code == 0, result.output
    assert "noise against other: 2 seeds, in the same runs" in result.stdout
    assert "rate" in result.stdout


def test_compare_finds_agents_of_ones_own_in_other_processes(marketsim: Any, place: Path) -> None:
    marketsim("init", "compared_hunter", "mine")
    result = marketsim(
        "compare", "mine/compared_hunter.yaml", "mine/compared_hunter.yaml", "--seeds", 2, "--workers", 2,
        "--set", "duration=90s", "--set-b", "agents.sniper.quantity=9",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "agents.sniper.quantity" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups to interrupt")
def test_an_interrupted_comparison_ends_at_once_with_all_its_processes(place: Path) -> None:
    command = [sys.executable, "-m", "marketsim", "compare", "small.yaml", "small.yaml", "--workers", "2"]
    child = subprocess.Popen(
        [*command, "--set", "duration=300d", "--seeds", "3"],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_until(lambda: _members(child.pid) >= 4)  # itself, the resource tracker and two that run
        time.sleep(3)
        os.killpg(child.pid, signal.SIGINT)
        said, complaint = child.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    assert said == ""


def _members(group: int) -> int:
    """How many processes a group has."""
    listed = subprocess.run(["ps", "-eo", "pgid="], capture_output=True, text=True, check=True).stdout.split()
    return listed.count(str(group))


def _wait_until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 240
    while not happened():
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.2)


def test_compare_refuses_what_cannot_be_compared(marketsim: Any) -> None:
    assert marketsim("compare", "small.yaml", "small.yaml", "--seeds", 1).exit_code == 2
    assert marketsim("compare", "small.yaml", "gone.yaml").exit_code == 2
    assert marketsim("compare", "small.yaml", "small.yaml", "--confidence", 2).exit_code == 2
    for words, told in (
        (["small.yaml"], "nothing to compare with"),
        (["small.yaml", "small.yaml", "-m", "agents.noise.pln"], 'did you mean "pnl"'),
        (["small.yaml", "--variant", "agents.noise.rate"], "write PATH=VALUE,VALUE"),
        (["small.yaml", "small.yaml", "--variant", "seed=1"], "variants are of one scenario"),
        (["small.yaml", "small.yaml", "--see", "agents.noise.pnl=much"], "write MEASURE=NUMBER"),
        (["small.yaml", "small.yaml", "--see", "pnl"], "write MEASURE=NUMBER"),
        (["small.yaml", "--variant", "agents.noise.rat=1/s"], "--variant  agents.noise.rat: "),
        (["small.yaml", "--set-b", "agents.noise.rat=1/s"], "--set-b  agents.noise.rat: "),
    ):
        result = marketsim("compare", *words)
        assert result.exit_code == 2
        assert told in result.stderr, result.stderr


def test_an_earlier_comparison_is_not_overwritten_unless_that_is_wanted(marketsim: Any, place: Path) -> None:
    words = ["compare", "small.yaml", "--set-b", "duration=10s", "--workers", 1, "-m", "*.orders", "--out", "found"]
    first = marketsim(*words, "--seeds", 3)
    assert first.exit_code == 0, first.output
    assert "The markets are of different length (small (A) 20s, small (B) 10s)" in first.stderr
    before = (place / "found" / "values.csv").read_bytes()
    refused = marketsim(*words, "--seeds", 2)
    assert refused.exit_code == 2
    assert "--out found holds another comparison (differences.csv, values.csv, changes.csv)" in refused.stderr
    assert (place / "found" / "values.csv").read_bytes() == before
    (place / "found" / "page.html").write_text("of before")
    again = marketsim(*words, "--seeds", 2, "--overwrite")
    assert again.exit_code == 0, again.output
    assert "page.html is there still" in again.stderr
    assert (place / "found" / "values.csv").read_bytes() != before


def test_commas_inside_a_value_do_not_part_it() -> None:
    from marketsim.cli.compare import _variant

    assert _variant("a.b=1, 2") == [("a.b", "1"), ("a.b", "2")]
    assert _variant('a={x: 1, y: [2, 3]},"4,5"') == [("a", "{x: 1, y: [2, 3]}"), ("a", '"4,5"')]


# --- tournament ---

CUP = """
extends: small.yaml
agents:
  candidate_near: {type: market_maker, target_spread: 0.02, latency: 1ms}
  candidate_far: {type: market_maker, target_spread: 0.2, latency: 1ms}
"""


def test_a_tournament_prints_its_tables_and_writes_them(marketsim: Any, place: Path) -> None:
    (place / "cup.yaml").write_text(CUP, encoding="utf-8")
    result = marketsim("tournament", "cup.yaml", "--seeds", 3, "--workers", 1, "--by", "fills", "--out", "league")
    assert result.exit_code == 0, result.output
    assert "2 candidates, 3 seeds" in result.stdout
    for words in (
        "Each alone in the market:",
        "All in one market:",
        "    1   near",
        "    2   far",
        "95 % interval",
        "Ranks: 95 % interval of the rank over resampled seeds",
    ):
        assert words in result.stdout
    with (place / "league" / "league_alone.csv").open(encoding="utf-8", newline="") as file:
        assert {row["candidate"] for row in csv.DictReader(file)} == {"near", "far"}


def test_a_tournament_refuses_what_cannot_be_held(marketsim: Any) -> None:
    assert marketsim("tournament", "small.yaml", "--seeds", 2).exit_code == 2
    assert marketsim("tournament", "small.yaml", "-c", "noise", "-c", "nobody").exit_code == 2
    assert marketsim("tournament", "small.yaml", "--form", "duel").exit_code == 2


# --- report ---


def test_a_report_of_a_kept_run(marketsim: Any, kept_run: Path, place: Path) -> None:
    result = marketsim("report", kept_run, "--out", "pages/small.html")
    assert result.exit_code == 0
    assert "P&L" in result.stdout
    page = (place / "pages" / "small.html").read_text(encoding="utf-8")
    assert Run.open(kept_run).digest in page
    assert "reference_price" in page  # the scenario is shown
    assert not (kept_run / "report.html").exists()
