"""A label: the ground truth about one order, said by whoever sent it, as text among a run's annotations.

Detectors of manipulation and stress are scored by it. It says what an order was for; when it lived is in the event log.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from marketsim.errors import InvalidValueError

LABEL = "label"
"""The key of the annotations that hold labels."""


class Label(NamedTuple):
    """What one order was really for.

    kind: what its sender was up to, such as ``spoofing``.
    role: the order's part in it, such as ``decoy`` or ``genuine``.
    episode: counts the sender's doings; orders of one belong together.
    venue, order: where the order went, and its id in the event log.
    """

    kind: str
    role: str
    episode: int
    venue: str
    order: int

    def text(self) -> str:
        """As an annotation's value."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Label:
        """The label that ``text()`` wrote; InvalidValueError for anything else."""
        try:
            found = json.loads(text)
            return cls(
                str(found["kind"]), str(found["role"]), int(found["episode"]), str(found["venue"]), int(found["order"])
            )
        except (ValueError, KeyError, TypeError):
            raise InvalidValueError(f"{text!r} is no label of an order; write one with Label(...).text()") from None
