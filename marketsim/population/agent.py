"""A compiled agent: a dataclass whose fields are what its policy sees, and the policy.

The fields of the constructor are parameters, the others (``init=False``) state; ``population.layout`` says how a record
holds them. A class may give the record and how it is filled itself, ``STATE`` and ``fill``. It never runs anything.
"""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.errors import ConfigurationError
from marketsim.kernel.compiled import Rows, compiled, zeros
from marketsim.kernel.refusal import start_of
from marketsim.population import layout
from marketsim.population.policy import Policy

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "is_policy_of_marketsim"


def policy(function: F) -> F:
    """Make a function ``act(me, seen, out)`` the policy of the compiled agent in whose class it stands."""
    written = getattr(function, "py_func", function)
    parameters = inspect.signature(written).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    if len(parameters) != 3 or not all(each.kind in plain for each in parameters):
        raise ConfigurationError(
            f"{start_of(written)}: {written.__qualname__} takes ({', '.join(map(str, parameters))}): a policy takes "
            f"three arguments, def {written.__name__}(me, seen, out)"
        )
    made: Any = function if written is not function else compiled(function)
    setattr(made, _MARK, True)
    return made


class _Derived:
    """The dtype that is made of the fields of whatever class is asked for it."""

    def __get__(self, agent: Any, cls: type) -> np.dtype[Any]:
        return layout.dtype_of(cls)


class CompiledAgent(ABC):
    """Base of agents whose decisions are compiled.

    STATE: dtype of the records; made of the dataclass fields where a class names none.
    policy: what they do: the function of the class that is decorated with ``policy``.
    """

    STATE: ClassVar[np.dtype[Any]] = _Derived()  # type: ignore[assignment]
    policy: ClassVar[Policy]

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Find the policy."""
        super().__init_subclass__(**keywords)
        own = {id(value): value for value in vars(cls).values() if getattr(value, _MARK, False) is True}
        own = {key: value for key, value in own.items() if not isinstance(value, staticmethod)}
        if len(own) > 1:
            names = " and ".join(getattr(value, "py_func", value).__name__ for value in own.values())
            raise ConfigurationError(
                f"{cls.__name__} has several policies, {names}: decorate one function with @policy"
            )
        for value in own.values():
            cls.policy = staticmethod(value)

    def __init__(self) -> None:
        raise ConfigurationError(
            f"{type(self).__name__} is no dataclass: put @dataclass above it, so that its fields are its parameters "
            "and state"
        )

    def __post_init__(self) -> None:
        """Check the fields: their values become ints and floats, in ns, events a second and currency."""
        self._check_class()
        if _is_derived(type(self)):
            layout.check(self)

    def _check_class(self) -> None:
        cls = type(self)
        if not hasattr(cls, "policy"):
            raise ConfigurationError(
                f"{cls.__name__} has no policy: decorate one of its functions, def act(me, seen, out), with @ms.policy"
            )
        if not _is_derived(cls) and cls.fill is CompiledAgent.fill:
            raise ConfigurationError(
                f"{cls.__name__} has a STATE of its own: give it a fill(self, rows, instrument) too"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters, in ticks, lots and ns, into the records of agents on an instrument."""
        layout.fill(rows, self, instrument)

    def records(self, count: int, instrument: Instrument) -> Rows:
        """Records of ``count`` agents, ready for the engine."""
        self._check_class()
        rows = zeros(count, type(self).STATE)
        self.fill(rows, instrument)
        return rows


def _is_derived(cls: type) -> bool:
    return isinstance(inspect.getattr_static(cls, "STATE"), _Derived)
