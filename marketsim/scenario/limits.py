"""Limits in a scenario: what an agent, or all agents of a firm, may do. They judge nothing: ``domain.limits`` says what
cannot be meant, ``trading.risk`` what passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from marketsim.domain import units
from marketsim.domain.limits import DEFAULTS, LIVE, ON_BREACH, Limits
from marketsim.errors import InvalidValueError
from marketsim.scenario.document import canonical_decimal, show
from marketsim.scenario.fields import Count, Frequency, Names, Span, Step, text
from marketsim.scenario.frozen import FrozenMapping, thaw
from marketsim.scenario.section import Section


def _on_breach(value: object) -> str | Mapping[str, str]:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return FrozenMapping({text(rule): text(action) for rule, action in sorted(value.items())})
    raise InvalidValueError(f"{show(value)} says nothing to do: write {', '.join(ON_BREACH)}, or one of them by rule")


def _part(value: object) -> Decimal:
    """A share that may be more than all: ``"30%"`` or 0.3."""
    written = value.strip() if isinstance(value, str) else value
    percent = isinstance(written, str) and written.endswith("%")
    try:
        result = units.decimal(written.removesuffix("%").strip() if isinstance(written, str) else written)
    except InvalidValueError:
        raise InvalidValueError(f'{show(value)} is not a share: write "30%" or 0.3') from None
    result = result / 100 if percent else result
    if result <= 0:
        raise InvalidValueError(f"{show(value)} must be above zero")
    return result


def _share(value: object) -> Decimal:
    """A share of one thing: never more than all of it."""
    result = _part(value)
    if result > 1:
        raise InvalidValueError(f'{show(value)} is more than all: write at most 1, such as "80%" or 0.8')
    return result


_PART_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": "(%|\\$\\{)"}]})
Part: TypeAlias = Annotated[Decimal, PlainValidator(_part), PlainSerializer(canonical_decimal), _PART_SCHEMA]
Share: TypeAlias = Annotated[Decimal, PlainValidator(_share), PlainSerializer(canonical_decimal), _PART_SCHEMA]
_ACTIONS = {"enum": list(map(str, ON_BREACH))}
OnBreach: TypeAlias = Annotated[
    str | Mapping[str, str],
    PlainValidator(_on_breach),
    PlainSerializer(lambda given: given if isinstance(given, str) else thaw(given)),
    WithJsonSchema({"anyOf": [_ACTIONS, {"type": "object", "properties": dict.fromkeys(LIVE, _ACTIONS)}]}),
]


class LimitsSpec(Section):
    """What risk control lets an agent do; no limit where none is given. ``default`` means ``{preset: default}``."""

    preset: Literal["default"] | None = Field(default=None, description="default: the usual limits, beside those given")
    max_order: Count | None = Field(default=None, description="largest order, in lots")
    max_position: Count | None = Field(
        default=None, description="largest position, long or short, that open orders could lead to, in lots"
    )
    max_notional: Step | None = Field(default=None, description="largest worth of an order, in currency")
    max_value: Step | None = Field(
        default=None, description="largest worth of the position in an instrument, in currency"
    )
    max_value_share: Part | None = Field(default=None, description="the same as a share of the capital")
    price_collar: Share | None = Field(
        default=None, description="share by which a limit price may differ from the mark"
    )
    max_volatility_bps: Step | None = Field(
        default=None, description="basis points a root minute above which only what reduces a position passes"
    )
    max_rate: Frequency | None = Field(default=None, description='orders and replaces in any window, such as "100/s"')
    max_concentration: Part | None = Field(
        default=None, description="worth of one instrument, as a share of the equity"
    )
    max_sector: Part | None = Field(default=None, description="worth of one sector, as a share of the equity")
    max_leverage: Step | None = Field(default=None, description="worth of all positions, as a multiple of the equity")
    max_margin: Part | None = Field(default=None, description="initial margin of contracts, as a share of the equity")
    max_correlated: Part | None = Field(
        default=None, description="worth of what moves together, as a share of the equity"
    )
    correlation_above: Share | None = Field(default=None, description="from which correlation it does; 0.8")
    stop_within: Span | None = Field(default=None, description="time after which a position must have a stop")
    max_daily_loss: Share | None = Field(default=None, description="loss of a day, as a share of the capital")
    max_daily_loss_money: Step | None = Field(default=None, description="loss of a day, in currency")
    max_drawdown: Share | None = Field(default=None, description="fall below the highest equity, as a share of it")
    max_var: Part | None = Field(default=None, description="value at risk, as a share of the equity")
    var_confidence: Part | None = Field(default=None, description="its confidence; 0.95")
    var_method: Literal["historical", "parametric"] | None = Field(default=None, description="historical when left out")
    var_horizon: Span | None = Field(default=None, description="over which it is; 1d")
    max_exposure: Step | None = Field(default=None, description="worth of all positions, in currency")
    breaker_loss: Share | None = Field(
        default=None, description="loss at which trading pauses, as a share of the capital"
    )
    breaker_within: Span | None = Field(default=None, description="within which it is lost; 5min")
    cooldown: Span | None = Field(default=None, description="how long trading pauses; 15min")
    on_breach: OnBreach | None = Field(
        default=None, description="warn, block, stop (the default) or flatten; or one of them by live rule"
    )
    warn_at: Share | None = Field(default=None, description="share of any limit from which a warning is given; 0.8")
    every: Span | None = Field(default=None, description="time between two looks at live limits; 1s")
    sample_every: Span | None = Field(default=None, description="time between two marks of the history; 1s")
    samples: Count | None = Field(default=None, description="marks that the history keeps; 250")
    capital: Step | None = Field(default=None, description="currency that shares are of; its cash when left out")

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """Accept the name of a preset."""
        return super().prepare({"preset": given} if isinstance(given, str) else given)

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        self.limits()
        return self

    def limits(self) -> Limits:
        """The domain's limits."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name in Limits.__dataclass_fields__}
        terms = {name: _plain(value) for name, value in given.items() if value is not None}
        return Limits(**{**(DEFAULTS if self.preset else {}), **terms})


class RiskSpec(LimitsSpec):
    """What risk control lets all agents of a firm do together: one book, one equity, one stop for all."""

    agents: Names | None = Field(
        default=None, description="whom it is about; all that are written in Python if left out"
    )


def _plain(value: Any) -> Any:
    """Decimals as floats: limits are compared with computed numbers."""
    return float(value) if hasattr(value, "as_tuple") else value
