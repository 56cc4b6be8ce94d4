"""A compiled agent: parameters as dataclass fields, behaviour as a policy over records.

A subclass names its policy and the dtype of its records, and fills the records of ``count`` agents from its fields.
It never runs anything itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.kernel.compiled import Rows
from marketsim.population.engine import states
from marketsim.population.policy import Policy


class CompiledAgent(ABC):
    """Base of agents whose decisions are compiled."""

    STATE: ClassVar[np.dtype[Any]]
    policy: ClassVar[Policy]

    @abstractmethod
    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters, in ticks, lots and ns, into the records of agents on an instrument."""

    def records(self, count: int, instrument: Instrument) -> Rows:
        """Records of ``count`` agents, ready for the engine."""
        rows = states(self.STATE, count)
        self.fill(rows, instrument)
        return rows
