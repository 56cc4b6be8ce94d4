"""Bad scenario files and exactly what is said about them: bad_scenarios.txt holds both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketsim.errors import ScenarioError
from marketsim.scenario.builtin import BUILTIN
from marketsim.scenario.loader import check
from marketsim.scenario.registry import Registry

GOLDEN = Path(__file__).with_name("bad_scenarios.txt").read_text(encoding="utf-8")
OK = """\
schema: 1
start: "09:30"
duration: 30min
venues:
  XSIM: {instruments: [ABC]}
instruments:
  ABC: {tick_size: "0.01", reference_price: 100}
"""
TYPES = Registry(
    {
        **BUILTIN,
        "agent": {"Sniper": "scenario_types:Sniper", "Maker": "scenario_types:Maker"},
        "feed": {"Wandering": "scenario_types:Wandering"},
    }
)


def cases() -> list[tuple[str, str, list[str]]]:
    found = []
    for block in re.split(r"^## ", GOLDEN, flags=re.MULTILINE)[1:]:
        name, _, body = block.rstrip("\n").partition("\n")
        lines = body.split("\n")
        messages = [line.removeprefix("! ") for line in lines if line.startswith("! ")]
        text = "\n".join(line for line in lines if not line.startswith("! ")) + "\n"
        found.append((name, text.replace("<<OK\n", OK), messages))
    return found


def test_the_file_is_read_as_a_whole() -> None:
    assert "".join(f"    {line}\n" for line in OK.splitlines()) in GOLDEN.partition("\n## ")[0]
    assert len(cases()) == GOLDEN.count("\n## ")
    assert all(messages for _, _, messages in cases())
    assert len({name for name, _, _ in cases()}) == len(cases())


def test_what_the_cases_build_on_is_right(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(OK, encoding="utf-8")
    assert check(file, registry=TYPES).name == "good"


@pytest.mark.parametrize(("text", "messages"), [case[1:] for case in cases()], ids=[case[0] for case in cases()])
def test_every_finding_says_where_what_and_how_to_repair_it(text: str, messages: list[str], tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        check(file, environment={"MARKETSIM_TEST_SEEDS": "3"}, registry=TYPES)
    assert list(caught.value.findings) == messages
    assert str(caught.value) == "\n".join(messages)


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    file = tmp_path / "sniper.yaml"
    file.write_text(
        OK.replace("schema: 1\n", "") + "agents:\n  sniper:\n    type: Sniper\n    treshold: 0.6\n", encoding="utf-8"
    )
    with pytest.raises(ScenarioError) as caught:
        check(file, registry=TYPES)
    assert str(caught.value) == 'sniper.yaml:10:5  agents.sniper.treshold: unknown parameter; did you mean "threshold"?'
