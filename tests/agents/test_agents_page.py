"""What is told of every trader: the page names each type and marks the compiled ones, the help says what things are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from marketsim.scenario.builtin import BUILTIN
from marketsim.scenario.registry import REGISTRY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"


def test_every_type_is_on_the_page_and_marked_when_it_is_compiled() -> None:
    families = PAGE.read_text(encoding="utf-8").split("## ")[0]
    told = dict(re.findall(r"`(\w+)`( ◆)?", families))
    for name, home in BUILTIN["agent"].items():
        module, _, cls = home.partition(":")
        compiled = hasattr(getattr(importlib.import_module(module), cls), "policy")
        assert (told[name] == " ◆") == compiled, name
    assert told.keys() == BUILTIN["agent"].keys()


@pytest.mark.parametrize("name", [name for name, home in BUILTIN["agent"].items() if ".execution." not in home])
def test_the_help_of_a_parameter_says_what_it_is(name: str) -> None:
    """A line such as "from the start of the run" leaves open what is counted from there."""
    for parameter in REGISTRY.parameters("agent", name):
        assert not re.match(r"(of|from|over|after|between) ", parameter.doc), (
            f"{name}.{parameter.name}: {parameter.doc}"
        )
        assert len(parameter.doc) <= 160, f"{name}.{parameter.name}: {len(parameter.doc)} characters"
