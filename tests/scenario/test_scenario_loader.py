"""Files, ready scenarios, environment variables, inheritance and old versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_bad_scenarios import OK, TYPES

from marketsim.errors import ScenarioError, UnsupportedVersionError
from marketsim.scenario import loader
from marketsim.scenario.loader import check, load, read_ready, ready_scenarios
from marketsim.scenario.spec import ScenarioSpec

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writing(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return writing


def findings(source: Any, *overrides: str, **options: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(source, overrides, **options)
    return list(caught.value.findings)


# --- sources ---


def test_a_file_is_named_after_itself(write: Write) -> None:
    assert load(write("calm.yaml", OK)).name == "calm"
    assert load(str(write("calm.yml", OK + "name: stormy\n"))).name == "stormy"


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + OK.replace("\n", "\r\n").encode())
    assert load(path).duration == 30 * 60 * 10**9


def test_a_mapping_and_a_spec_are_sources() -> None:
    given = {"duration": "1s", "venues": {"X": {}}, "instruments": {"A": {}}}
    spec = load(given)
    assert load(spec) == spec
    assert load(spec, ["seed=3"]).seed == 3
    assert findings({**given, "sed": 1}) == ['sed: unknown field; did you mean "seed"?']


def test_missing_files(write: Write, tmp_path: Path) -> None:
    write("sniper.yaml", OK)
    assert findings(tmp_path / "snipr.yaml") == [
        f'{tmp_path / "snipr.yaml"}: there is no such file; did you mean "sniper.yaml"?'
    ]
    assert findings(tmp_path / "zzz.yaml") == [f"{tmp_path / 'zzz.yaml'}: there is no such file"]
    assert findings(tmp_path / "no" / "folder.yaml")[0].endswith("folder.yaml: there is no such file")
    (tmp_path / "folder.yaml").mkdir()
    assert findings(tmp_path / "folder.yaml") == [
        f"{tmp_path / 'folder.yaml'} is a folder, and a scenario is wanted: name a scenario file or a ready scenario"
    ]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: a\ndescription: caf\xe9\n")
    assert findings(path) == [f"{path}:2: not UTF-8 text: save the file as UTF-8"]


# --- ready scenarios ---


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of ready scenarios of its own."""
    package = tmp_path / "packages" / f"ready_of_{tmp_path.name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "quickstart.yaml").write_text(OK + "description: ready\n", encoding="utf-8")
    (package / "duel.yaml").write_text("extends: quickstart\nseed: 3\n", encoding="utf-8")
    (package / "notes.txt").write_text("no scenario", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(loader, "READY", package.name)
    return package


@pytest.mark.usefixtures("ready")
def test_ready_scenarios_are_found_by_name(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready_scenarios() == ("duel", "quickstart")
    assert read_ready("quickstart").startswith("schema: 1")
    assert (load("quickstart").name, load("quickstart").description) == ("quickstart", "ready")
    assert (load("duel").name, load("duel").seed, load("duel").description) == ("duel", 3, "ready")
    mine = load(write("mine.yaml", "extends: duel\nduration: 5min\n"))
    assert (mine.name, mine.seed, mine.duration) == ("mine", 3, 5 * 60 * 10**9)
    assert findings("quickstrt") == ['no ready scenario is called "quickstrt"; did you mean "quickstart"?']
    assert findings("quickstart.yaml") == [
        'quickstart.yaml: there is no such file; the ready scenario is called "quickstart"'
    ]
    assert findings({"extends": "quikstart"}) == [
        'extends: no ready scenario is called "quikstart"; did you mean "quickstart"?'
    ]
    with pytest.raises(ScenarioError):
        read_ready("../quickstart")
    monkeypatch.chdir(tmp_path)
    write("bare", OK + "seed: 9\n")
    assert load("bare").seed == 9
    write("quickstart", OK + "seed: 9\n")
    assert load("quickstart").seed == 0, "a ready scenario's name means the ready scenario"
    assert load("./quickstart").seed == 9


def test_every_ready_scenario_of_the_package_loads() -> None:
    for name in ready_scenarios():
        assert load(name, environment={}).name


@pytest.mark.usefixtures("ready")
def test_errors_inside_a_ready_scenario_name_its_file(ready: Path) -> None:
    (ready / "quickstart.yaml").write_text(OK + "sed: 1\n", encoding="utf-8")
    assert findings("quickstart") == ['quickstart.yaml:8:1  sed: unknown field; did you mean "seed"?']


# --- environment variables ---


def test_environment_variables_are_filled_in_and_typed(write: Write) -> None:
    path = write(
        "env.yaml",
        OK
        + """
seed: ${SEED}
name: run-${NAME:-x y}-${SEED}
description: 'costs $${SEED} and $5, ${EMPTY}${EMPTY:-none}'
agents:
  a: {type: '${TYPE:-Noise}', quantity: "${Q}", rate: '${R:-0.5/s}', word: 'is ${Q}', flag: '${F}'}
  b:
    type: X
    nothing: ${EMPTY}
    inner: '${NESTED}'
""",
    )
    environment = {"SEED": "12", "Q": "1e3", "F": "true", "EMPTY": "", "NESTED": "${SEED}"}
    spec = load(path, environment=environment)
    assert (spec.seed, spec.name) == (12, "run-x y-12")
    assert spec.description == "costs ${SEED} and $5, none"
    assert spec.agents["a"].type == "Noise"
    assert spec.agents["a"].arguments() == {"quantity": 1000, "rate": "0.5/s", "word": "is 1e3", "flag": True}
    assert spec.agents["b"].arguments() == {"nothing": None, "inner": "${SEED}"}
    assert load(spec, environment={}) == spec, "what was filled in is not searched again"


def test_the_process_environment_is_the_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETSIM_TEST_SEED", "77")
    assert load(write("env.yaml", OK + "seed: ${MARKETSIM_TEST_SEED}\n")).seed == 77


def test_missing_variables_are_named_with_their_place(write: Write) -> None:
    path = write("env.yaml", OK + "seed: ${SEDE}\nname: ${A}${B}\ndescription: ${9}\ntimeline: ['${X}']\n")
    assert findings(path, environment={"SEED": "1"}) == [
        'env.yaml:8:7  seed: the environment variable SEDE is not set; did you mean "SEED"?',
        "env.yaml:9:7  name: the environment variable A is not set; set it, or give a default: ${A:-value}",
        (
            'env.yaml:10:14  description: "${" is not closed or not followed by a name: '
            "write ${NAME}, or $${ for the characters"
        ),
        "env.yaml:11:12  timeline[0]: the environment variable X is not set; set it, or give a default: ${X:-value}",
    ]


def test_names_from_variables_may_be_extended(write: Write) -> None:
    write("base.yaml", OK + "seed: 4\n")
    assert load(write("top.yaml", "extends: ${BASE}\n"), environment={"BASE": "base.yaml"}).seed == 4


# --- inheritance ---

BASE = (
    OK
    + """
seed: 1
agents:
  mm: {type: Maker, gamma: 0.1, spread: 0.02, count: 3, cash: 5, latency: {type: lognormal, median: 10us, sigma: 0.2}}
  noise: {type: Sniper, quantity: 3}
timeline:
  - {at: 1min, type: news, shock: 1}
"""
)


def test_a_file_builds_on_another(write: Write) -> None:
    write("base.yaml", BASE)
    spec = load(
        write(
            "top.yaml",
            """
extends: base.yaml
agents:
  mm: {gamma: 0.3, spread: null, latency: {median: 20us}}
  noise: null
  new: {type: X}
timeline: []
seed: null
""",
        )
    )
    assert spec.name == "top"
    assert list(spec.agents) == ["mm", "new"]
    assert spec.agents["mm"].arguments() == {"gamma": 0.3}
    assert (spec.agents["mm"].count, spec.agents["mm"].cash) == (3, 5)
    assert spec.agents["mm"].latency is not None
    assert spec.agents["mm"].latency.arguments() == {"median": "20us", "sigma": 0.2}
    assert (spec.seed, spec.timeline) == (0, ())


def test_another_type_drops_the_parameters_of_the_old_one(write: Write) -> None:
    write("base.yaml", BASE)
    spec = load(
        write("top.yaml", "extends: base.yaml\nagents: {mm: {type: Sniper, latency: {type: uniform, low: 1}}}\n")
    )
    assert (spec.agents["mm"].type, spec.agents["mm"].arguments(), spec.agents["mm"].count) == ("Sniper", {}, 3)
    assert spec.agents["mm"].latency is not None
    assert spec.agents["mm"].latency.arguments() == {"low": 1}
    same = load(write("same.yaml", "extends: base.yaml\nagents: {mm: {type: Maker, latency: 5us}}\n"))
    assert same.agents["mm"].arguments() == {"gamma": 0.1, "spread": 0.02}
    assert same.agents["mm"].latency is not None
    assert same.agents["mm"].latency.arguments() == {"latency": "5us"}


def test_nested_and_flat_parameters_are_the_same_parameter(write: Write) -> None:
    write("base.yaml", BASE)
    spec = load(write("top.yaml", "extends: base.yaml\nagents: {mm: {parameters: {gamma: 0.7, spread: null}}}\n"))
    assert spec.agents["mm"].arguments() == {"gamma": 0.7}


def test_end_and_duration_take_each_others_place(write: Write) -> None:
    write("base.yaml", OK)
    write("ends.yaml", OK.replace("duration: 30min", 'end: "11:00"'))
    assert load(write("a.yaml", 'extends: base.yaml\nend: "10:30"\n')).duration == 3600 * 10**9
    assert load(write("b.yaml", "extends: ends.yaml\nduration: 1s\n")).duration == 10**9
    assert load(write("c.yaml", "extends: ends.yaml\n")).duration == 5400 * 10**9


def test_several_bases_are_merged_from_left_to_right(write: Write) -> None:
    write("one.yaml", OK + "seed: 1\nname: one\nagents: {a: {type: X, p: 1}}\n")
    write("two.yaml", "seed: 2\nagents: {a: {q: 2}, b: {type: Y}}\n")
    spec = load(write("top.yaml", "extends: [one.yaml, two.yaml]\n"))
    assert (spec.name, spec.seed) == ("top", 2)
    assert spec.agents["a"].arguments() == {"p": 1, "q": 2}
    assert list(spec.agents) == ["a", "b"]


def test_paths_begin_at_the_file_that_names_them(write: Write) -> None:
    write("deep/down/base.yaml", OK + "sed: 1\n")
    write("deep/middle.yaml", "extends: down/base.yaml\nagents: {a: {count: 0}}\n")
    top = write("top/main.yaml", "extends: ../deep/middle.yaml\nagents: {a: {type: X, host: 3}}\n")
    assert findings(top) == [
        'main.yaml:2:29  agents.a.host: 3 is not text: put it in quotes, "3"',
        "../deep/middle.yaml:2:21  agents.a.count: 0 must be at least 1",
        '../deep/down/base.yaml:8:1  sed: unknown field; did you mean "seed"?',
    ]


def test_circles_are_refused_and_diamonds_are_not(write: Write) -> None:
    write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "\nextends: [c.yaml]\n")
    path = write("c.yaml", "extends: a.yaml\n")
    assert findings(path) == [
        (
            "b.yaml:2:11  extends: the files extend each other in a circle, "
            "c.yaml → a.yaml → b.yaml → c.yaml: end it at one of them"
        )
    ]
    write("self.yaml", "extends: ./self.yaml\n")
    assert "self.yaml → self.yaml" in findings(write("self.yaml", "extends: ./self.yaml\n"))[0]
    write("root.yaml", OK + "seed: 5\n")
    write("left.yaml", "extends: root.yaml\n")
    write("right.yaml", "extends: root.yaml\n")
    assert load(write("diamond.yaml", "extends: [left.yaml, right.yaml]\n")).seed == 5


def test_what_cannot_be_extended(write: Write) -> None:
    write("wrong.yaml", "a: b: c\n")
    assert findings(write("x.yaml", "extends: [nope.yaml, 3, wrong.yaml]\n")) == [
        "x.yaml:1:11  extends: nope.yaml: there is no such file",
        "x.yaml:1:22  extends: 3 is not the name of a file or of a ready scenario",
        "wrong.yaml:1:5  not valid YAML: mapping values are not allowed in this context",
    ]


def test_extending_nothing_and_ending_nowhere(write: Write) -> None:
    assert load(write("x.yaml", OK + "extends:\nend:\n")).duration == 30 * 60 * 10**9


def test_hosts_are_checked_without_the_registry_where_the_sites_are_named(write: Write) -> None:
    text = OK + "network: {topology: {sites: {hub: {}}}}\nagents: {a: {type: X, host: hubb}, b: {type: X, host: hub}}\n"
    assert findings(write("x.yaml", text)) == [
        'x.yaml:9:29  agents.a.host: no site is called "hubb"; did you mean "hub"?'
    ]


def test_an_inherited_value_is_reported_where_it_stands(write: Write) -> None:
    write("base.yaml", OK + "warm_up: 25min\n")
    assert findings(write("top.yaml", "extends: base.yaml\nduration: 20min\n")) == [
        "base.yaml:8:10  warm_up: 25min leaves nothing of a run of 20min: shorten it, or lengthen the duration"
    ]


# --- old versions ---

OLD = """\
schema: 0
market: {name: XSIM, symbols: [ABC, XYZ], tick_size: "0.05", lot_size: 10}
duration_seconds: 90.5
latency_ns: 1500
seed: 3
agents:
  - {name: mm, class: Maker, gamma: 0.2}
  - {name: noise, class: Sniper, count: 5}
"""


def test_version_0_is_migrated(write: Write) -> None:
    spec = check(write("old.yaml", OLD), registry=TYPES)
    assert (
        spec.to_dict()
        == ScenarioSpec.from_dict(
            {
                "schema": 1,
                "name": "old",
                "seed": 3,
                "duration": "90.5s",
                "venues": {"XSIM": {"instruments": ["ABC", "XYZ"]}},
                "instruments": {s: {"tick_size": "0.05", "lot_size": 10} for s in ("ABC", "XYZ")},
                "network": {"latency": "1.5us"},
                "agents": {"mm": {"type": "Maker", "gamma": 0.2}, "noise": {"type": "Sniper", "count": 5}},
            }
        ).to_dict()
    )


def test_findings_in_an_old_file_keep_their_places(write: Write) -> None:
    text = OLD.replace("gamma: 0.2", "gama: 0.2").replace("count: 5", "count: 0").replace('"0.05"', "-1")
    with pytest.raises(ScenarioError) as caught:
        check(write("old.yaml", text), registry=TYPES)
    assert list(caught.value.findings) == [
        "old.yaml:2:54  instruments.ABC.tick_size: -1 must be above zero",
        "old.yaml:2:54  instruments.XYZ.tick_size: -1 must be above zero",
        'old.yaml:7:30  agents.mm.gama: unknown parameter; did you mean "gamma"?',
        "old.yaml:8:41  agents.noise.count: 0 must be at least 1",
    ]


def test_what_cannot_be_migrated(write: Write) -> None:
    text = "schema: 0\nmarket: XSIM\nduration_seconds: long\nagents: [{class: X}]\n"
    assert findings(write("old.yaml", text)) == [
        "old.yaml:2:9  market: 'XSIM' is not a mapping with name and symbols, as schema 0 has it",
        "old.yaml:3:19  duration_seconds: 'long' is not a number of at least zero",
        "old.yaml:4:9  agents: agents[0] has no name, which schema 0 asks for: add one",
    ]


def test_names_given_twice_in_an_old_file(write: Write) -> None:
    text = OLD + "  - {name: mm, class: Sniper}\n"
    assert findings(write("old.yaml", text)) == [
        "old.yaml:7:3  agents: agents[2] is called mm, as one before it: choose another name"
    ]
    newer = OLD.partition("agents:")[0] + "agents: {mm: {type: Maker}}\n"
    assert list(load(write("half.yaml", newer)).agents) == ["mm"]


def test_presets_replace_topologies(write: Write) -> None:
    write("base.yaml", OK + "network: {topology: {sites: {hub: {}}, default_site: hub}}\n")
    spec = load(write("top.yaml", "extends: base.yaml\nnetwork: {topology: {preset: us}}\n"))
    assert spec.to_dict()["network"]["topology"] == {"preset": "us"}
    spec = load(write("more.yaml", "extends: base.yaml\nnetwork: {topology: {sites: {far: {}}}}\n"))
    assert list(spec.to_dict()["network"]["topology"]["sites"]) == ["far", "hub"]


def test_an_old_file_can_be_extended_by_a_new_one(write: Write) -> None:
    write("old.yaml", OLD)
    spec = load(write("new.yaml", "schema: 1\nextends: old.yaml\nagents: {mm: {gamma: 0.9}}\n"))
    assert spec.agents["mm"].arguments() == {"gamma": 0.9}


def test_a_later_version_is_refused(write: Write) -> None:
    with pytest.raises(
        UnsupportedVersionError, match=r"^new.yaml:1:9  schema: version 7 is not known: this build reads"
    ):
        load(write("new.yaml", "schema: 7\n"))


# --- files that parameters name ---


def test_file_parameters_are_found_beside_the_scenario(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("base/data/tape.csv", "x\n")
    write("latencies.txt", "1000\n2000\n")
    write("base/base.yaml", OK + "agents: {r: {type: 'scenario_types:Recorded', file: data/tape.csv}}\n")
    top = write("top.yaml", "extends: base/base.yaml\nnetwork: {latency: {type: empirical, file: latencies.txt}}\n")
    monkeypatch.chdir(tmp_path.parent)
    spec = check(top, registry=TYPES)
    assert Path(spec.agents["r"].arguments()["file"]).is_file()
    assert spec.network.latency.arguments()["file"] == (tmp_path / "latencies.txt").as_posix()
    with pytest.raises(ScenarioError) as caught:
        check(top, ["agents.r.file=elsewhere.csv"], registry=TYPES)
    assert str(caught.value) == "--set  agents.r.file: elsewhere.csv does not exist"
