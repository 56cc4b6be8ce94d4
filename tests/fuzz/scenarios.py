"""Scenarios: the texts of the ready ones damaged, random keys and values, random bytes, overrides.

Whatever is wrong is a ConfigurationError, told with its place; what is right builds a spec that reads back the same.
"""

from __future__ import annotations

from random import Random
from typing import Any

from marketsim.errors import ScenarioError
from marketsim.scenario import yaml
from marketsim.scenario.loader import check, load, read_ready, ready_scenarios
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.values import WORDS, anything, damaged, damaged_bytes, text

TEXTS = {name: read_ready(name) for name in ready_scenarios()}
PATHS = (
    "seed",
    "duration",
    "start",
    "end",
    "date",
    "warm_up",
    "venues.XSIM.fees",
    "venues.XSIM.calendar",
    "agents.noise.rate",
    "agents.noise.count",
    "agents.mm.gamma",
    "network.latency",
    "network.faults",
    "network.faults[0].probability",
    "instruments.ABC.tick_size",
    "instruments.ABC",
    "feeds.value.type",
    "agents.noise.type",
    "timeline",
    "venues",
    "agents",
    "venues.XSIM.halts[0].at",
    "agents.noise.latency.median",
    "network.latency.type",
    "stepped",
    "grid",
    "name",
    "indices",
)
CASES = 20  # scenarios of a case


def _changed_tree(draw: Random, value: Any, depth: int = 0) -> Any:
    """A plain tree with some of its keys and values replaced."""
    if isinstance(value, dict) and value:
        found = dict(value)
        name = draw.choice(list(found))
        what = draw.random()
        if what < 0.1:
            del found[name]
        elif what < 0.2:
            found[draw.choice((*WORDS, name + "s"))] = found[name]
        elif what < 0.3:
            found[name] = anything(draw)
        else:
            found[name] = _changed_tree(draw, found[name], depth + 1)
        return found
    if isinstance(value, list) and value and draw.random() < 0.8:
        place = draw.randrange(len(value))
        return [*value[:place], _changed_tree(draw, value[place], depth + 1), *value[place + 1 :]]
    return anything(draw)


def _override(draw: Random) -> str:
    path = draw.choice((*PATHS, text(draw), damaged(draw, draw.choice(PATHS))))
    return draw.choice((f"{path}={draw.choice(WORDS)}", f"{path}={text(draw)}", text(draw), f"{path}={anything(draw)}"))


def _check(source: Any, overrides: Any = ()) -> None:
    """Errors tell their places."""
    try:
        spec = check(source, overrides, environment={"HOME": "here"})
    except ScenarioError as refused:
        if not refused.findings or not all(finding.strip() for finding in refused.findings):
            raise AssertionError("an error that tells nothing") from refused
        return
    assert load(spec.to_dict()) == spec


def scenarios(draw: Random, trace: Trace) -> int:
    """One scenario is an input."""
    for _ in range(CASES):
        name = draw.choice(list(TEXTS))
        what = draw.random()
        with refusals():
            if what < 0.4:
                written = damaged(draw, TEXTS[name])
                trace.inputs = [("text", written)]
                _read_both(written)
                _check_text(written)
            elif what < 0.65:
                node, _ = yaml.read(TEXTS[name])
                tree = _changed_tree(draw, node.to_plain())
                trace.inputs = [("mapping", name, tree)]
                if isinstance(tree, dict):
                    _check(tree)
            elif what < 0.75:
                written = damaged_bytes(draw, TEXTS[name].encode()).decode("utf-8", "replace")
                trace.inputs = [("bytes", written)]
                _read_both(written)
                _check_text(written)
            else:
                given: Any = [_override(draw) for _ in range(draw.randint(1, 3))]
                if draw.random() < 0.2:
                    given = {path.partition("=")[0]: anything(draw) for path in given}
                trace.inputs = [("overrides", name, given)]
                _check(name, given)
    return CASES


def _check_text(written: str) -> None:
    """As the loader does it with a file, less the file."""
    node, findings = yaml.read(written, "fuzz.yaml")
    assert all(finding.mark.line >= 1 for finding in findings)
    if not findings and node.is_mapping:
        _check(node.to_plain())


def _read_both(written: str) -> None:
    """With and without libyaml."""
    yaml.read(written, "fuzz.yaml")
    if len(written) < 3_000:
        yaml.read(written, "fuzz.yaml", pure=True)
