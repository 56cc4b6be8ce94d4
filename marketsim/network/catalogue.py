"""Latency models by name: what a scenario file or a topology file calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, UnknownParameterError, UnknownTypeError, did_you_mean
from marketsim.network.bandwidth import Bandwidth
from marketsim.network.latency import (
    Constant,
    CubicJitter,
    Empirical,
    Gamma,
    LatencyModel,
    LinearInLoad,
    LogNormal,
    Pareto,
    Series,
    TruncatedNormal,
    Uniform,
)

MODELS: dict[str, type[LatencyModel]] = {
    "bandwidth": Bandwidth,
    "constant": Constant,
    "uniform": Uniform,
    "truncated_normal": TruncatedNormal,
    "log_normal": LogNormal,
    "gamma": Gamma,
    "pareto": Pareto,
    "empirical": Empirical,
    "cubic_jitter": CubicJitter,
    "linear_in_load": LinearInLoad,
    "series": Series,
}
"""The models by the name that a file gives as their ``type``."""


def latency_model(value: object) -> LatencyModel:
    """The model that a value stands for: itself, a duration for Constant, or a mapping with ``type`` and parameters."""
    if isinstance(value, LatencyModel):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(dict(value))
    try:
        return Constant(duration(value))
    except InvalidValueError as error:
        raise InvalidValueError(f"not a latency: {error}; or give a latency model, such as LogNormal") from None


def _from_mapping(parameters: dict[str, Any]) -> LatencyModel:
    kind = parameters.pop("type", None)
    if kind not in MODELS:
        raise UnknownTypeError(f"there is no latency model of type {kind!r}{did_you_mean(str(kind), MODELS)}")
    model = MODELS[kind]
    known = [parameter.name for parameter in fields(model)]  # type: ignore[arg-type]  # each is a dataclass
    for name in parameters:
        if name not in known:
            raise UnknownParameterError(f"{kind} has no parameter {name!r}{did_you_mean(name, known)}")
    if model is Series:
        parameters["parts"] = [latency_model(part) for part in parameters.get("parts", ())]
    try:
        return model(**parameters)
    except TypeError as error:  # a parameter without a default that is missing
        raise InvalidValueError(f"{kind}: {str(error).partition(') ')[2] or error}") from None
