"""An environment from its description: an id, a task's name, a YAML file or a mapping.

The parts of a description are the objects of Python: observations, actions and rewards by their names, with their
fields. Everything is checked when the environment is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from marketsim.errors import (
    ConfigurationError,
    InvalidValueError,
    ScenarioError,
    UnknownTypeError,
    did_you_mean,
)
from marketsim.gym.actions import Action
from marketsim.gym.checks import known
from marketsim.gym.environment import FRAME, MarketEnv
from marketsim.gym.observations import History, Observation
from marketsim.gym.rewards import Reward
from marketsim.gym.task import Mandates, Task
from marketsim.gym.tasks import SCENARIO, execution, market_making, trading
from marketsim.scenario import yaml
from marketsim.scenario.document import raise_findings
from marketsim.scenario.registry import Registry

TASKS: Final = {"market_making": market_making, "execution": execution, "trading": trading}
IDS: Final = {
    "marketsim/MarketMaking-v0": "market_making",
    "marketsim/Execution-v0": "execution",
    "marketsim/Trading-v0": "trading",
}
"""The ids under which gymnasium knows the tasks."""

_HERE = "marketsim.gym"
REGISTRY = Registry(
    {
        "observation": {
            name: f"{_HERE}.observations:{cls}"
            for name, cls in {
                "behind": "Behind",
                "depth": "Depth",
                "feed": "Feed",
                "imbalance": "Imbalance",
                "inventory": "Inventory",
                "mid_returns": "MidReturns",
                "momentum": "Momentum",
                "order_flow": "OrderFlow",
                "own_quotes": "OwnQuotes",
                "profit_so_far": "ProfitSoFar",
                "remaining": "Remaining",
                "since_arrival": "SinceArrival",
                "spread": "Spread",
                "time_left": "TimeLeft",
                "trade_flow": "TradeFlow",
                "volatility": "Volatility",
            }.items()
        },
        "action": {
            name: f"{_HERE}.actions:{cls}"
            for name, cls in {
                "pace": "Pace",
                "quote_grid": "QuoteGrid",
                "quote_offsets": "QuoteOffsets",
                "quote_skew": "QuoteSkew",
                "target_position": "TargetPosition",
            }.items()
        },
        "reward": {
            name: f"{_HERE}.rewards:{cls}"
            for name, cls in {
                "against_schedule": "AgainstSchedule",
                "dampened_pnl": "DampenedPnL",
                "implementation_shortfall": "ImplementationShortfall",
                "inventory_penalty": "InventoryPenalty",
                "last_inventory": "LastInventory",
                "pnl": "PnL",
                "spread_capture": "SpreadCapture",
                "turnover": "Turnover",
            }.items()
        },
    }
)
"""The names of observations, actions and rewards; ``register`` gives one of your own a name."""

_SEAT = ("task", "observation", "action", "reward", "mandate", "learner", "instrument", "venue")
_SINGLE = ("scenario", *_SEAT, *FRAME)
_SEVERAL = ("scenario", "seats", "interval", "duration", "warm_up", "seeds", "render_mode")


def make(environment: str | Path | Mapping[str, Any], **changes: Any) -> Any:
    """The environment of a description, with further entries or others instead.

    environment: an id such as ``"marketsim/Execution-v0"``, a task's name, a YAML file, or a mapping: ``task``,
    ``scenario``, ``observation``, ``action``, ``reward``, ``mandate``, ``learner``, ``interval``, ``duration`` … With
    ``seats``, a mapping of names to such descriptions, it is a PettingZoo environment of several learners.

    Raises UnknownTypeError, UnknownParameterError, InvalidValueError or ScenarioError that says what is wrong where.
    """
    given = {**_described(environment), **changes}
    if "seats" in given:
        return _several(given)
    known(given, _SINGLE, "an environment")
    frame = {field: given[field] for field in FRAME if field in given}
    return MarketEnv(given.get("scenario", SCENARIO), _task(given), **frame)


def observation(given: Any) -> Observation:
    """An observation from its description: a name, a mapping with ``type``, or a list of them.

    Besides its fields one may have ``times``, by which it is multiplied, and ``history``, of how many steps it is.
    """
    return _summed("observation", given, _observation)  # type: ignore[no-any-return]


def action(given: Any) -> Action:
    """An action from its description: a name, a mapping with ``type``, or a list of them."""
    return _summed("action", given, lambda entry: _built("action", entry))  # type: ignore[no-any-return]


def reward(given: Any) -> Reward:
    """A reward from its description: a name, a mapping with ``type`` and perhaps ``weight``, or a list of them."""
    return _summed("reward", given, _reward)  # type: ignore[no-any-return]


# --- inner ---


def _described(environment: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(environment, Mapping):
        return dict(environment)
    if not isinstance(environment, (str, os.PathLike)):
        raise InvalidValueError(f"{environment!r} describes no environment: give an id, a file or a mapping")
    text = os.fspath(environment)
    if text in IDS or text in TASKS:
        return {"task": IDS.get(text, text)}
    if not text.endswith((".yaml", ".yml")):
        raise UnknownTypeError(f'no environment is called "{text}"{did_you_mean(text, [*IDS, *TASKS])}')
    return _read(Path(text))


def _read(path: Path) -> dict[str, Any]:
    """The mapping of a file; a scenario beside it is found from there."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ScenarioError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{path}: it cannot be read: {error}"]) from None
    root, wrong = yaml.read(text, path.name)
    raise_findings(wrong)
    given = root.to_plain()
    if not isinstance(given, dict):
        raise ScenarioError([f'{path}: it describes no environment: begin with lines such as "task: execution"'])
    beside = given.get("scenario")
    if isinstance(beside, str) and (path.parent / beside).is_file():
        given["scenario"] = str(path.parent / beside)
    return given


def _task(given: Mapping[str, Any]) -> Task:
    name = given.get("task", "market_making")
    if isinstance(name, Task):
        return name
    if not isinstance(name, str) or name not in TASKS:
        raise UnknownTypeError(f'task: no task is called "{name}"{did_you_mean(str(name), TASKS)}')
    build = {"observation": observation, "action": action, "reward": reward}
    terms: dict[str, Any] = {field: make(given[field]) for field, make in build.items() if field in given}
    terms |= {field: given[field] for field in ("learner", "instrument", "venue") if field in given}
    if "mandate" in given:
        if name != "execution":
            raise InvalidValueError(f"mandate: the task {name} has none; leave it out, or write task: execution")
        terms["mandate"] = _mandate(given["mandate"])
    return TASKS[name](**terms)


def _mandate(given: Any) -> Mandates:
    if isinstance(given, Mandates):
        return given
    if not isinstance(given, Mapping):
        raise InvalidValueError(f"mandate: {given!r} is none: write {{quantity: 1000, side: buy}}")
    known(given, ("quantity", "side"), "a mandate")
    return Mandates(**given)


def _several(given: Mapping[str, Any]) -> Any:
    from marketsim.gym.parallel import ParallelMarket  # needs PettingZoo

    known(given, _SEVERAL, "an environment of several learners")
    seats = given["seats"]
    if not isinstance(seats, Mapping):
        raise InvalidValueError(f"seats: {seats!r} is no mapping: write a description for each name")
    tasks = {}
    for name, seat in seats.items():
        described = seat if isinstance(seat, Mapping) else {"task": seat}
        known(described, _SEAT, f"seat {name}")
        tasks[name] = _task(described)
    frame = {field: value for field, value in given.items() if field not in ("scenario", "seats")}
    return ParallelMarket(given.get("scenario", SCENARIO), tasks, **frame)


def _summed(kind: str, given: Any, build: Any) -> Any:
    if isinstance(given, (str, Mapping, Observation, Action, Reward)):
        given = [given]
    if not isinstance(given, (list, tuple)):
        raise InvalidValueError(f"{kind}: {given!r} is none: write a name, a mapping with its type, or a list of them")
    parts = []
    for place, entry in enumerate(given):
        try:
            parts.append(build(entry))
        except ConfigurationError as error:
            raise type(error)(f"{kind}[{place}]: {error}") from None
    if not parts:
        raise InvalidValueError(f"{kind}: the list is empty; name at least one of {', '.join(REGISTRY.names(kind))}")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _observation(entry: Any) -> Observation:
    if isinstance(entry, Observation):
        return entry
    words = dict(entry) if isinstance(entry, Mapping) else {"type": entry}
    times, history = words.pop("times", None), words.pop("history", None)
    made: Observation = _built("observation", words)
    if times is not None:
        made = _number(times, "times") * made
    return made if history is None else History(made, history)


def _reward(entry: Any) -> Reward:
    if isinstance(entry, Reward):
        return entry
    words = dict(entry) if isinstance(entry, Mapping) else {"type": entry}
    weight = words.pop("weight", 1.0)
    made: Reward = _built("reward", words)
    return _number(weight, "weight") * made


def _built(kind: str, entry: Any) -> Any:
    if isinstance(entry, (Observation, Action, Reward)):
        return entry
    words = dict(entry) if isinstance(entry, Mapping) else {"type": entry}
    name = words.pop("type", None)
    if not isinstance(name, str):
        raise InvalidValueError(f"{entry!r} has no type: write one of {', '.join(REGISTRY.names(kind))}")
    return REGISTRY.build(kind, name, words)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError(f"{what}: {value!r} is not a number")
    return float(value)
