"""Limits: what can be meant, and what cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from marketsim.domain.limits import DEFAULTS, Limits
from marketsim.domain.units import DAY, SECOND
from marketsim.errors import InvalidValueError


def test_without_any_there_is_nothing_to_look_at() -> None:
    limits = Limits()
    assert limits.terms() == {}
    assert not limits.live
    assert not limits.marked


def test_the_usual_limits() -> None:
    limits = Limits.default(max_position=50)
    assert (limits.max_position, limits.max_drawdown, limits.max_var, limits.var_confidence) == (50, 0.1, 0.02, 0.95)
    assert (limits.max_daily_loss, limits.max_daily_loss_money, limits.max_rate) == (0.05, 50_000, (100, SECOND))
    assert (limits.max_leverage, limits.max_concentration, limits.max_sector, limits.warn_at) == (2, 0.3, 0.3, 0.8)
    assert set(limits.terms()) == set(DEFAULTS)


def test_times_are_read() -> None:
    limits = Limits(stop_within="2s", every="50ms")
    assert (limits.stop_within, limits.every, limits.var_horizon) == (2 * SECOND, SECOND // 20, DAY)


def test_numbers_are_read_as_a_scenario_writes_them() -> None:
    written = Limits(
        max_daily_loss="2%", price_collar="5 %", var_confidence="99%", max_value_share="0.3", max_rate="50/min",  # type: ignore[arg-type]
        max_order="20", max_daily_loss_money="1500.5",  # type: ignore[arg-type]
    )  # fmt: skip
    assert written == Limits(
        max_daily_loss=0.02, price_collar=0.05, var_confidence=0.99, max_value_share=0.3, max_rate=(50, 60 * SECOND),
        max_order=20, max_daily_loss_money=1500.5,
    )  # fmt: skip
    assert isinstance(written.max_order, int)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_order": 0}, "max_order=0: a limit is at least 1 lot"),
        ({"max_position": -3}, "max_position=-3: a limit is at least 1 lot"),
        ({"max_notional": 0.0}, "max_notional=0.0: a limit is above zero"),
        ({"max_leverage": float("inf")}, "max_leverage=inf: a limit is above zero"),
        ({"warn_at": 1.2}, "warn_at=1.2: it is a share: above 0, at most 1"),
        ({"max_drawdown": 10.0}, "max_drawdown=10.0: it is a share"),
        ({"var_confidence": 0.05}, "var_confidence=0.05: it is a confidence, not the share of the tail: write 0.95"),
        ({"var_confidence": 1.0}, "var_confidence=1.0: it lies between 0.5 and 1"),
        ({"var_method": "historic"}, 'var_method=historic: write historical or parametric; did you mean "historical"?'),
        ({"on_breach": "flaten"}, 'write one of warn, block, stop, flatten; did you mean "flatten"?'),
        ({"on_breach": {"drawdwn": "stop"}}, "no live rule is called 'drawdwn'"),
        ({"on_breach": {"var": "refuse"}}, "var: write one of warn, block, stop, flatten"),
        ({"on_breach": "explode"}, "on_breach=explode: write one of warn, block, stop, flatten$"),
        ({"on_breach": 3}, "on_breach=3: write one of warn, block, stop, flatten, or one of them by rule"),
        ({"max_drawdown": "200%"}, "max_drawdown=2.0: it is a share: above 0, at most 1"),
        ({"max_drawdown": "much"}, "max_drawdown='much': it is not a number: write 0.02 or \"2%\""),
        ({"max_drawdown": [0.1]}, "max_drawdown=[0.1]: it is not a number: write 0.02"),
        ({"max_exposure": "5%"}, "max_exposure='5%': it is not a number: write one such as 5000"),
        ({"max_position": "2.5"}, "max_position='2.5': it is not a number: write a whole number such as 100"),
        ({"max_rate": "fast"}, "'fast' is not a whole number in a time: write \"100/s\""),
        ({"max_rate": (0, 5)}, "at least one order in a time above zero"),
        ({"every": 0}, "every=0: it must be above zero"),
        ({"samples": 10}, "a history has 30 to 10,000 marks"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=re.escape(said).replace(r"\$", "$")):
        Limits(**given)
