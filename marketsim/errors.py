"""The one error tree of marketsim.

::

    MarketSimError
    ├── ConfigurationError          what was asked for cannot be built
    │   ├── ScenarioError           a scenario file; carries file, line, column and path of each finding
    │   ├── UnknownTypeError        a name that no registry knows
    │   ├── UnknownParameterError   a parameter that the type does not have
    │   ├── InvalidValueError       a value that breaks a rule
    │   └── UnsupportedVersionError a file of a schema this build cannot read
    ├── DataError                   recorded data; carries source and record
    │   └── NotRecordedError        a measure needs what its source did not record; names both
    ├── SimulationError             during a run; carries the simulated time
    │   └── AgentError              raised by an agent's own code; carries the agent's name
    ├── BrokerError                 an order could not be handed over at all (a reject is a report, not an error)
    ├── GatewayError                a client or a venue connection
    ├── StoreError                  a run folder or database that is missing, incomplete or damaged
    ├── MissingDependency           an extra that is not installed; says which command installs it
    └── InvariantViolation          our bug: please report it

A message names the value, the rule and the repair. This module never imports anything of marketsim.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class MarketSimError(Exception):
    """Base of every error that marketsim raises on purpose. Each can be sent to another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[MarketSimError], args: tuple[Any, ...], state: dict[str, Any]) -> MarketSimError:
    """An error as it was: its constructor may make the message from other arguments, and does not run again."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(MarketSimError):
    """What was asked for cannot be built."""


class ScenarioError(ConfigurationError):
    """One or more findings in a scenario, each already formatted as ``file:line:column  path: message``."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings: tuple[str, ...] = tuple(findings)
        super().__init__("\n".join(self.findings))


class UnknownTypeError(ConfigurationError):
    """A type name that no registry knows."""


class UnknownParameterError(ConfigurationError):
    """A parameter that the named type does not have."""


class InvalidValueError(ConfigurationError, ValueError):
    """A value that breaks a rule."""


class UnsupportedVersionError(ConfigurationError):
    """A file written for a schema version that this build cannot read."""


class DataError(MarketSimError):
    """Recorded data that cannot be used: names the source, the record and what was expected."""

    def __init__(self, message: str, *, source: str = "", record: int | None = None) -> None:
        self.source = source
        self.record = record
        where = source if record is None else f"{source}:{record}"
        super().__init__(f"{where}: {message}" if where else message)


class NotRecordedError(DataError):
    """A measure needs something that its source did not record."""

    def __init__(self, measure: str, needed: str, repair: str) -> None:
        self.measure = measure
        self.needed = needed
        super().__init__(f"{measure} needs {needed}, which this source did not record: {repair}")


class SimulationError(MarketSimError):
    """Something failed while a run was under way."""

    def __init__(self, message: str, *, time: int | None = None) -> None:
        self.time = time
        super().__init__(message)


class AgentError(SimulationError):
    """An agent's own code raised; the original exception is the ``__cause__``."""

    def __init__(self, message: str, *, agent: str = "", time: int | None = None) -> None:
        self.agent = agent
        super().__init__(message, time=time)


class BrokerError(MarketSimError):
    """An order could not be handed over at all."""


class GatewayError(MarketSimError):
    """A client connection or a connection to a venue failed."""


class StoreError(MarketSimError):
    """A run folder or database is missing, incomplete or damaged."""


class MissingDependency(MarketSimError, ImportError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f'{library} is not installed; in the folder of marketsim: pip install -e ".[{extra}]"')


class InvariantViolation(MarketSimError):
    """An invariant of marketsim itself is broken: a bug of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} (this is a bug in marketsim, please report it)")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suffix such as ``; did you mean "threshold"?``, or the known names when none is near; names may be anything."""
    choices = sorted(set(known))
    near = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(choices)}" if choices else ""
