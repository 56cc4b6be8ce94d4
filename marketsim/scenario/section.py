"""A section: one part of a scenario, as every model of the spec is one. It knows no field of any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """One part of a scenario: frozen, without unknown fields; a field that is null takes its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, given: Any) -> Any:
        return cls.prepare(given)

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """What is validated instead of what was given; override to accept further forms."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return {name: value for name, value in given.items() if value is not None or name not in cls.model_fields}
        return given

    def to_dict(self) -> dict[str, Any]:
        """The canonical form: numbers, text, lists and dictionaries only; unset fields are left out."""
        return self.model_dump(exclude_none=True)
