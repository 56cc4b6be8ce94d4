"""Limits: what a strategy, or a whole firm, may do. They are facts; ``trading.risk`` judges by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from marketsim.domain.risk import Action
from marketsim.domain.units import DAY, MINUTE, SECOND, decimal, duration, frequency
from marketsim.errors import InvalidValueError, did_you_mean

Method = Literal["historical", "parametric"]
ON_BREACH = (Action.WARN, Action.BLOCK, Action.STOP, Action.FLATTEN)
LIVE = ("daily_loss", "drawdown", "var", "exposure", "stop_loss")
"""The live rules whose breach does what ``on_breach`` says; the circuit breaker always pauses."""

_LOTS = ("max_order", "max_position")
_POSITIVE = (
    "max_notional", "max_value", "max_value_share", "price_collar", "max_volatility_bps", "max_concentration",
    "max_sector", "max_leverage", "max_margin", "max_correlated", "max_daily_loss", "max_daily_loss_money",
    "max_drawdown", "max_var", "max_exposure", "breaker_loss", "capital",
)  # fmt: skip
_SHARES = ("price_collar", "max_daily_loss", "max_drawdown", "breaker_loss", "warn_at", "correlation_above")
_PARTS = (*_SHARES, "max_value_share", "max_concentration", "max_sector", "max_margin", "max_correlated", "max_var",
          "var_confidence")  # fmt: skip
_WHOLE = (*_LOTS, "samples")
_NUMBERS = (*_WHOLE, *_POSITIVE, *_PARTS)
_TIMES = ("stop_within", "breaker_within", "cooldown", "var_horizon", "every", "sample_every")


@dataclass(frozen=True)
class Limits:
    """Limits; None means no limit. Money in the currency of the portfolio, shares as 0.2 or ``"20%"``.

    Before an order leaves:
    max_order: lots of an order. max_position: lots, long or short, that open orders could lead to.
    max_notional: money that an order is worth. max_value, max_value_share: money, or share of the capital, that the
    position in an instrument could be worth.
    price_collar: share by which a limit price may differ from the mark.
    max_volatility_bps: basis points a root minute above which only orders that reduce a position pass.
    max_rate: (how many orders and replaces, in how many ns), or ``"100/s"``.
    max_concentration, max_sector: share of the equity that an instrument, a sector could be worth.
    max_leverage: times the equity that all positions could be worth. max_margin: share of it that is initial margin.
    max_correlated: share of the equity that instruments correlated above ``correlation_above`` could be worth together.
    stop_within: ns after which a position must have a stop; until it has one, nothing more is opened.

    While it trades, every ``every`` ns:
    max_daily_loss, max_daily_loss_money: since the day began, as a share of the capital or in money.
    max_drawdown: share of the highest equity. max_exposure: money, positions at their marks.
    max_var: share of the equity that value at risk may be, with ``var_confidence`` over ``var_horizon``, by
    ``var_method`` (``historical`` or ``parametric``).
    breaker_loss: share of the capital lost within ``breaker_within`` at which trading pauses for ``cooldown``.
    on_breach: ``warn``, ``block``, ``stop`` or ``flatten``; or by rule, such as ``{"drawdown": "flatten"}``.

    warn_at: share of any limit from which a warning is given. sample_every, samples: the history of marks from which
    volatility, correlation and value at risk are computed. capital: what shares are of; the cash when left out.
    """

    max_order: int | None = None
    max_position: int | None = None
    max_notional: float | None = None
    max_value: float | None = None
    max_value_share: float | None = None
    price_collar: float | None = None
    max_volatility_bps: float | None = None
    max_rate: tuple[int, int] | None = None
    max_concentration: float | None = None
    max_sector: float | None = None
    max_leverage: float | None = None
    max_margin: float | None = None
    max_correlated: float | None = None
    correlation_above: float = 0.8
    stop_within: int | str | None = None
    max_daily_loss: float | None = None
    max_daily_loss_money: float | None = None
    max_drawdown: float | None = None
    max_var: float | None = None
    var_confidence: float = 0.95
    var_method: Method = "historical"
    var_horizon: int | str = DAY
    max_exposure: float | None = None
    breaker_loss: float | None = None
    breaker_within: int | str = 5 * MINUTE
    cooldown: int | str = 15 * MINUTE
    on_breach: str | Mapping[str, str] = "stop"
    warn_at: float = 0.8
    every: int | str = SECOND
    sample_every: int | str = SECOND
    samples: int = 250
    capital: float | None = None

    actions: Mapping[str, Action] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name in _TIMES:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, duration(value))
        for name in dict.fromkeys(_NUMBERS):
            value = getattr(self, name)
            if isinstance(value, str) or not (value is None or isinstance(value, (int, float))):
                object.__setattr__(self, name, _number(name, value))
        rate: object = self.max_rate
        if isinstance(rate, str):
            object.__setattr__(self, "max_rate", frequency(rate))
        for name, finding in contradictions(dataclasses.asdict(self)):
            raise InvalidValueError(f"{name}={getattr(self, name)}: {finding}")
        object.__setattr__(self, "actions", {rule: Action(chosen(self.on_breach, rule)) for rule in LIVE})

    @classmethod
    def default(cls, **changes: Any) -> Limits:
        """The usual limits, with changes."""
        return cls(**{**DEFAULTS, **changes})

    def terms(self) -> dict[str, Any]:
        """What differs from a Limits() without any, as plain values."""
        plain = {f.name: f.default for f in dataclasses.fields(self) if f.init}
        given = {name: getattr(self, name) for name, default in plain.items() if getattr(self, name) != default}
        if isinstance(self.on_breach, Mapping) and "on_breach" in given:
            given["on_breach"] = dict(self.on_breach)
        return given

    @property
    def of_equity(self) -> bool:
        """Whether a limit is a share of the equity, which has to be followed then."""
        return any(
            limit is not None for limit in (self.max_concentration, self.max_sector, self.max_leverage,
                                            self.max_margin, self.max_correlated)
        )  # fmt: skip

    @property
    def of_history(self) -> bool:
        """Whether a limit needs the history of marks."""
        return any(limit is not None for limit in (self.max_volatility_bps, self.max_correlated, self.max_var))

    @property
    def marked(self) -> bool:
        """Whether a limit needs the market's prices."""
        return self.live or any(
            limit is not None for limit in (self.max_notional, self.max_value, self.max_value_share, self.price_collar)
        )

    @property
    def live(self) -> bool:
        """Whether a limit has to be looked at while no order is sent."""
        return self.of_equity or self.of_history or any(
            limit is not None for limit in (self.max_daily_loss, self.max_daily_loss_money, self.max_drawdown,
                                            self.max_exposure, self.breaker_loss, self.stop_within)
        )  # fmt: skip


DEFAULTS: Mapping[str, Any] = {
    "max_position": 1000,
    "max_value": 1_000_000.0,
    "max_value_share": 0.2,
    "max_rate": (100, SECOND),
    "max_concentration": 0.3,
    "max_sector": 0.3,
    "max_leverage": 2.0,
    "max_daily_loss": 0.05,
    "max_daily_loss_money": 50_000.0,
    "max_drawdown": 0.1,
    "max_var": 0.02,
}
"""What ``Limits.default()`` and ``limits: default`` set."""


def chosen(on_breach: str | Mapping[str, str], rule: str) -> str:
    """What a breach of a rule does."""
    return on_breach if isinstance(on_breach, str) else on_breach.get(rule, "stop")


def _number(name: str, value: Any) -> int | float:
    """A number that is written as a scenario writes it: ``"2%"`` for a share, ``"50000"`` for money."""
    whole = name in _WHOLE
    example = '0.02 or "2%"' if name in _PARTS else "a whole number such as 100" if whole else "one such as 5000"
    percent = isinstance(value, str) and value.strip().endswith("%") and name in _PARTS
    try:
        found = decimal(value.strip().removesuffix("%").strip() if percent else value)
        if whole and found == int(found):
            return int(found)
    except InvalidValueError:
        found = None
    if found is None or whole:
        raise InvalidValueError(f"{name}={value!r}: it is not a number: write {example}")
    return float(found / 100 if percent else found)


def contradictions(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each field that cannot be meant, with the rule and the repair. Times in ns, fields may be missing."""
    return [(name, said) for name in terms if (said := _finding(name, terms[name], terms))]


def _finding(name: str, value: Any, terms: Mapping[str, Any]) -> str:
    if value is None:
        return ""
    if name in _LOTS and value < 1:
        return "a limit is at least 1 lot; leave it out for no limit"
    if name in _POSITIVE and not 0 < value < float("inf"):
        return "a limit is above zero; leave it out for no limit"
    if name in _SHARES and not 0 < value <= 1:
        return "it is a share: above 0, at most 1"
    if name in _TIMES and value <= 0:
        return "it must be above zero"
    if name == "max_rate" and (len(value) != 2 or min(value) < 1):
        return 'at least one order in a time above zero, such as (100, 1_000_000_000) or "100/s"'
    if name == "samples" and not 30 <= value <= 10_000:
        return "a history has 30 to 10,000 marks"
    if name == "var_method" and value not in get_args(Method):
        return f"write historical or parametric{did_you_mean(str(value), get_args(Method))}"
    if name == "var_confidence" and not 0.5 < value < 1:
        if 0 < value <= 0.5:
            return f"it is a confidence, not the share of the tail: write {1 - value:g}"
        return "it lies between 0.5 and 1"
    return _action(value) if name == "on_breach" else ""


def _action(value: object) -> str:
    if isinstance(value, str):
        return _one_action(value)
    if not isinstance(value, Mapping):
        return f"{_one_action(str(value))}, or one of them by rule"
    for rule, action in value.items():
        if rule not in LIVE:
            return f"no live rule is called {rule!r}{did_you_mean(rule, LIVE)}"
        if said := _one_action(str(action)):
            return f"{rule}: {said}"
    return ""


def _one_action(action: str) -> str:
    if action in set(ON_BREACH):
        return ""
    hint = did_you_mean(action, ON_BREACH)
    return f"write one of {', '.join(ON_BREACH)}{'' if 'known' in hint else hint}"
