"""Type names: built in, module:Class, plug-ins."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenario_types import Everything, Maker, Mood, Needy, Sniper, Window

from marketsim.errors import ConfigurationError, InvalidValueError, UnknownParameterError, UnknownTypeError
from marketsim.network.latency import Constant, LogNormal, Series
from marketsim.scenario.builtin import ALIASES, BUILTIN
from marketsim.scenario.registry import REGISTRY, Registry, add_search_folder


@pytest.fixture
def registry() -> Registry:
    return Registry({"agent": {"Sniper": "scenario_types:Sniper", "Maker": "scenario_types:Maker"}, "feed": {}})


def refused(registry: Registry, name: str, kind: str = "agent") -> str:
    with pytest.raises(ConfigurationError) as caught:
        registry.resolve(kind, name)
    return str(caught.value)


def test_names_are_resolved(registry: Registry) -> None:
    assert registry.resolve("agent", "Sniper") is Sniper
    assert registry.resolve("agent", "scenario_types:Needy") is Needy
    assert registry.names("agent") == ("Maker", "Sniper")
    assert registry.kinds() == ("agent", "feed")
    assert registry.summary("agent", "Maker") == "Quote both sides."
    assert [parameter.name for parameter in registry.parameters("agent", "Sniper")] == [
        "threshold",
        "quantity",
        "limit",
    ]


def test_unknown_names_are_refused_with_the_nearest(registry: Registry) -> None:
    assert refused(registry, "Snipr") == 'no agent type is called "Snipr"; did you mean "Sniper"?'
    assert refused(registry, "sniper") == 'no agent type is called "sniper"; did you mean "Sniper"?'
    assert refused(registry, "Zzz") == 'no agent type is called "Zzz"; known: Maker, Sniper'
    assert refused(registry, "scenario_types:Snipr") == '"scenario_types" has no class "Snipr"; did you mean "Sniper"?'
    with pytest.raises(UnknownTypeError):
        registry.resolve("agent", "Snipr")
    with pytest.raises(UnknownTypeError):
        registry.resolve("no such kind", "Sniper")


def test_what_is_no_dataclass_is_refused(registry: Registry) -> None:
    repair = "put @dataclass above the class, so that its fields are the parameters"
    assert refused(registry, "scenario_types:Plain") == (
        f'the agent type "scenario_types:Plain" is the class "Plain", which is no dataclass: {repair}'
    )
    assert "is 3, which is no dataclass" in refused(registry, "scenario_types:NOT_A_CLASS")


def test_modules_that_cannot_be_imported_are_explained(registry: Registry, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there\n", encoding="utf-8")
    (tmp_path / "is_broken.py").write_text("1 / 0\n", encoding="utf-8")
    assert refused(registry, "no_such_module_x:A") == (
        'no module is called "no_such_module_x", for "no_such_module_x:A": install it, or run where Python finds it'
    )
    assert 'no module is called "scenario_types.deeper"' in refused(registry, "scenario_types.deeper:A").replace(
        "; 'scenario_types' is not a package", ""
    )
    assert refused(registry, "needs_more:A") == (
        'the module of "needs_more:A" needs a_package_that_is_not_there, which is not installed'
    )
    assert refused(registry, "is_broken:A") == (
        'the module of "is_broken:A" cannot be imported: ZeroDivisionError: division by zero'
    )
    assert refused(registry, ":A").startswith('":A" is not complete: write "package.module:Class"')


def test_local_classes_have_an_address_that_says_why_it_cannot_be_found(registry: Registry) -> None:
    @dataclass
    class Local:
        """Inside."""

    name = registry.name_of("agent", Local)
    assert name.endswith("<locals>.Local")
    assert "is defined inside a function" in refused(registry, name)


def test_registering(registry: Registry) -> None:
    registry.register("agent", "Needy", Needy)
    registry.register("agent", "Needy", "scenario_types:Needy")
    registry.register("planet", "Mars", "nowhere:Mars")  # not imported
    assert registry.resolve("agent", "Needy") is Needy
    assert registry.names("planet") == ("Mars",)
    with pytest.raises(ConfigurationError, match=r'"Needy" is scenario_types:Needy already: choose another name'):
        registry.register("agent", "Needy", Sniper)
    assert "Needy" not in Registry().names("agent")


def test_names_of_classes(registry: Registry) -> None:
    assert registry.name_of("agent", Sniper) == "Sniper"
    assert registry.name_of("agent", Needy) == "scenario_types:Needy"
    assert REGISTRY.name_of("latency", LogNormal) == "lognormal"


def test_plugins_are_found_by_entry_point(registry: Registry, monkeypatch: Any) -> None:
    points = {
        "marketsim.agent": [
            importlib.metadata.EntryPoint("Clever", "scenario_types:Needy", "marketsim.agent"),
            importlib.metadata.EntryPoint("Sniper", "scenario_types:Maker", "marketsim.agent"),
        ]
    }
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points.get(group, []))
    assert registry.names("agent") == ("Clever", "Maker", "Sniper")
    assert registry.resolve("agent", "Clever") is Needy
    assert registry.resolve("agent", "Sniper") is Sniper, "a plug-in must not take a built-in name over"
    assert registry.names("feed") == ()
    assert 'did you mean "Clever"' in refused(registry, "Clevr")


def test_building(registry: Registry) -> None:
    assert registry.build("agent", "Maker", {"gamma": 1, "refresh": "2us"}) == Maker(gamma=1.0, refresh=2_000)
    with pytest.raises(UnknownParameterError, match=r'^Maker: gama: unknown parameter; did you mean "gamma"\?$'):
        registry.build("agent", "Maker", {"gama": 1})
    with pytest.raises(InvalidValueError, match=r"^Maker: gamma: 'x' is not a number; spred: unknown parameter"):
        registry.build("agent", "Maker", {"gamma": "x", "spred": 3})


def test_describing_is_the_inverse_of_building() -> None:
    registry = REGISTRY
    thing = Everything(
        whole=3, mood=Mood.WILD, exact=Decimal("0.10"), names=frozenset("ba"), table={"a": 1.5}, by_number={3: "x"},
        waits=[1_000], window=Window(3, 5_000), path=Path("a/b"), delay=Series((Constant(5), LogNormal(median=7_000))),
        numbers=(1, 2), maybe=4, price=Decimal("2.5"),
    )  # fmt: skip
    described = registry.describe("agent", thing)
    assert described == {
        "type": "scenario_types:Everything", "whole": 3, "mood": "WILD", "exact": "0.1", "names": ["a", "b"],
        "table": {"a": 1.5}, "by_number": {"3": "x"}, "waits": ["1us"], "window": {"length": 3, "step": "5us"},
        "path": "a/b", "numbers": [1, 2], "maybe": 4, "price": "2.5",
        "delay": {
            "type": "series",
            "parts": [{"type": "constant", "latency": "5ns"}, {"type": "lognormal", "median": "7us"}],
        },
    }  # fmt: skip
    name = described.pop("type")
    assert registry.build("agent", name, described) == thing


def test_defaults_are_not_described_and_what_cannot_be_written_is_refused() -> None:
    assert REGISTRY.describe("agent", Maker()) == {"type": "scenario_types:Maker"}
    assert REGISTRY.describe("agent", Needy(1, 0.5)) == {"type": "scenario_types:Needy", "size": 1, "speed": 0.5}
    assert REGISTRY.describe("agent", Everything(anything=np.arange(3)))["anything"] == [0, 1, 2]
    with pytest.raises(InvalidValueError, match=r"^Everything.anything: a value of type function cannot be written"):
        REGISTRY.describe("agent", Everything(anything=test_building))


def test_every_builtin_name_is_text_and_every_alias_has_its_name() -> None:
    for names in BUILTIN.values():
        for target in names.values():
            module, _, attribute = target.partition(":")
            assert module.startswith("marketsim.")
            assert attribute
    for kind, aliases in ALIASES.items():
        assert set(aliases.values()) <= set(BUILTIN[kind])


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in ("latency", "shock") for n in BUILTIN[k]])
def test_builtin_latencies_and_shocks_exist_and_say_what_they_are(kind: str, name: str) -> None:
    assert REGISTRY.summary(kind, name)
    assert REGISTRY.parameters(kind, name) or name == "resume"


def test_builtin_topologies_exist() -> None:
    for name in BUILTIN["topology"]:
        assert callable(REGISTRY.find("topology", name))


def test_a_scenario_without_types_imports_nothing_heavy() -> None:
    code = """
        import sys
        from marketsim.scenario.loader import load
        load({"duration": "1s", "venues": {"X": {}}, "instruments": {"A": {}}, "agents": {"a": {"type": "Noise"}}})
        heavy = {"numba", "pandas", "scipy", "simpy", "networkx", "marketsim.agents", "marketsim.network"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_search_folder_is_added_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    add_search_folder(tmp_path)
    add_search_folder(tmp_path)
    assert sys.path.count(str(tmp_path.resolve())) == 1
    (tmp_path / "lies_beside_it.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\n", encoding="utf-8"
    )
    assert REGISTRY.build("agent", "lies_beside_it:A", {}).x == 1
    assert OrderedDict(
        REGISTRY.describe("agent", REGISTRY.build("agent", "lies_beside_it:A", {"x": 2}))
    ) == OrderedDict(type="lies_beside_it:A", x=2)
