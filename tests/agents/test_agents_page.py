"""The page of every trader names each type that ships, and marks the compiled ones."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from marketsim.scenario.builtin import BUILTIN

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"


def test_every_type_is_on_the_page_and_marked_when_it_is_compiled() -> None:
    families = PAGE.read_text(encoding="utf-8").split("## ")[0]
    told = dict(re.findall(r"`(\w+)`( ◆)?", families))
    for name, home in BUILTIN["agent"].items():
        module, _, cls = home.partition(":")
        compiled = hasattr(getattr(importlib.import_module(module), cls), "policy")
        assert (told[name] == " ◆") == compiled, name
    assert told.keys() == BUILTIN["agent"].keys()
