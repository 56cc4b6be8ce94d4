"""The kinds of values that a scenario's fields hold: each is read from what people write and written back in one form.

Reading refuses with InvalidValueError, which names the value, the rule and the repair; nothing is rounded or guessed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from marketsim.domain import units
from marketsim.domain.fees import Fee
from marketsim.errors import InvalidValueError
from marketsim.scenario.document import canonical, canonical_decimal, show
from marketsim.scenario.frozen import FrozenMapping, freeze, thaw

LARGEST = 2**63 - 1
_MOST_DIGITS = 24  # before or behind the point
NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_NAME_RULE = "a name begins with a letter and goes on with letters, digits, _ and -"
_FEE: Final = re.compile(r"^\s*([-+]?[0-9]*\.?[0-9]+)\s*(bps|%|/\s*share)\s*$")
_FEE_RULE = 'write basis points of the traded value ("0.3bps"), percent ("0.1%") or an amount a share ("0.001/share")'


def whole(value: object) -> int:
    """An int; ``1e6`` is accepted for what it is, ``1.5``, text and booleans are not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (bool, str)):
        raise InvalidValueError(f"{show(value)} is not a whole number{_unquote(value)}")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidValueError(f"{show(value)} is not a whole number") from None


def _unquote(value: object) -> str:
    """The advice for a number that was written in quotes or with separators, which make it text."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value.strip()):
        return ": remove the quotes"
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,3}([_,'][0-9]{3})+(\.[0-9]+)?", value.strip()):
        return f": write {re.sub('[^-+0-9.]', '', value)}"
    return ""


def real(value: object) -> float:
    """A float, or an infinity that was written as text, as canonical forms do; booleans and other text are refused."""
    if isinstance(value, str) and value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise InvalidValueError(f"{show(value)} is not a number{_unquote(value)}")
    result = float(value)
    if result != result:
        raise InvalidValueError("nan is not a number that anything can be done with: write another")
    return result


def text(value: object) -> str:
    """Text; a number or a boolean must be put into quotes to be one."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        raise InvalidValueError(f'{show(value)} is not text: put it in quotes, "{show(value)}"')
    raise InvalidValueError(f"{show(value)} is not text")


def truth(value: object) -> bool:
    """True or false, nothing else."""
    if isinstance(value, bool):
        return value
    hint = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(value).lower())
    raise InvalidValueError(f"{show(value)} is not true or false" + (f": write {hint}" if hint else ""))


def _not_below(low: int, read: Callable[[object], int], rule: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        try:
            result = read(value)
        except ArithmeticError:  # an exponent that decimals cannot hold
            raise InvalidValueError(f"{show(value)} is too large: at most {LARGEST}") from None
        if result < low:
            raise InvalidValueError(f"{show(value)} {rule}")
        if result > LARGEST:
            raise InvalidValueError(f"{show(value)} is too large: at most {LARGEST}")
        return result

    return check


def clock_text(nanoseconds: int) -> str:
    """A time of day as short as it is exact; a duration after midnight when it is past the first day."""
    if nanoseconds >= units.DAY:
        return units.format_duration(nanoseconds)
    clock = units.format_time(nanoseconds)
    return clock.rstrip("0").rstrip(".") if not clock.endswith(".000000000") else clock[:-10]


def _decimal(value: object) -> Decimal:
    result = units.decimal(value)
    if result and abs(result.adjusted()) > _MOST_DIGITS:
        raise InvalidValueError(f"{show(value)} is out of range: write it with at most {_MOST_DIGITS} digits")
    return result


def _positive(value: object) -> Decimal:
    result = _decimal(value)
    if result <= 0:
        raise InvalidValueError(f"{show(value)} must be above zero")
    return result


def _amount(value: object) -> Decimal:
    result = _decimal(value)
    if result < 0:
        raise InvalidValueError(f"{show(value)} must not be below zero")
    return result


def name(value: object) -> str:
    """The name of an agent, a feed or a venue."""
    result = text(value)
    if not NAME.match(result):
        raise InvalidValueError(f"{result!r} is not a name: {_NAME_RULE}")
    return result


def symbol(value: object) -> str:
    """The symbol of an instrument: any text without blanks, such as ``BRK.B`` or ``BTC/USDT``."""
    result = text(value)
    if not result or any(character.isspace() for character in result):
        raise InvalidValueError(f"{result!r} is not a symbol: it must not be empty or contain blanks")
    return result


def _names(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise InvalidValueError(f"{show(value)} is not a list of names: write [one, two]")
    result = tuple(text(item) for item in items)
    if not result:
        raise InvalidValueError("the list is empty: name at least one, or leave it out for all")
    if twice := [item for item in dict.fromkeys(result) if result.count(item) > 1]:
        raise InvalidValueError(f"{twice[0]!r} is named twice: keep one")
    return result


def type_name(value: object) -> str:
    """A name that the registry resolves."""
    result = text(value)
    if not result.strip():
        raise InvalidValueError('the type is empty: write a built-in name or "package.module:Class"')
    return result


def fee(value: object) -> Fee:
    """A fee from ``"-0.2bps"``, ``"0.1%"``, ``"0.001/share"`` or ``0``."""
    if isinstance(value, Fee):
        return value
    if not isinstance(value, (str, bool)) and value == 0:
        return Fee()
    match = _FEE.match(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(f"{show(value)} is not a fee: {_FEE_RULE}")
    rate, unit = units.decimal(match.group(1)), match.group(2)
    if unit.startswith("/"):
        return Fee("share", rate)
    return Fee("bps", rate * 100 if unit == "%" else rate)


def fee_text(fee: Fee) -> str:
    """A fee as ``fee`` reads it."""
    return f"{canonical_decimal(fee.rate)}{'bps' if fee.unit == 'bps' else '/share'}"


def _balances(value: object) -> Mapping[str, Decimal]:
    if not isinstance(value, Mapping) or not value:
        raise InvalidValueError(f'{show(value)} is no collateral: write "currency: amount" for each currency')
    return FrozenMapping({text(name): _amount(amount) for name, amount in sorted(value.items())})


def _parameters(value: object) -> Mapping[str, Any]:
    if value is None:
        return FrozenMapping()
    if not isinstance(value, Mapping):
        raise InvalidValueError(f'{show(value)} is not a mapping: write "name: value" for each parameter')
    frozen: Mapping[str, Any] = freeze(canonical(value))
    return frozen


def frequency_text(value: tuple[int, int]) -> str:
    """A frequency as ``units.frequency`` reads it."""
    unit = next((unit for unit, period in units.PERIODS.items() if period == value[1]), units.format_duration(value[1]))
    return f"{value[0]}/{unit}"


_DURATION_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": "^\\s*([0-9]|\\$\\{)"}, {"type": "integer", "minimum": 0}],
    "examples": ["30min", "1h 30min", "150us"],
}
_NUMBER_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}]}
_NAMES_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


def _whole_schema(**rules: int) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "integer", **rules}, {"type": "string", "pattern": "\\$\\{"}]})


Duration: TypeAlias = Annotated[
    int,
    PlainValidator(_not_below(0, units.duration, "must not be below zero")),
    PlainSerializer(units.format_duration),
    WithJsonSchema(_DURATION_SCHEMA),
]
Span: TypeAlias = Annotated[
    int,
    PlainValidator(_not_below(1, units.duration, "must be above zero")),
    PlainSerializer(units.format_duration),
    WithJsonSchema(_DURATION_SCHEMA),
]
TimeOfDay: TypeAlias = Annotated[
    int,
    PlainValidator(_not_below(0, units.time_of_day, "must not be below zero")),
    PlainSerializer(clock_text),
    WithJsonSchema({**_DURATION_SCHEMA, "examples": ["09:30", "09:30:00.5"]}),
]
Whole: TypeAlias = Annotated[
    int, PlainValidator(_not_below(0, whole, "must not be below zero")), _whole_schema(minimum=0)
]
Count: TypeAlias = Annotated[int, PlainValidator(_not_below(1, whole, "must be at least 1")), _whole_schema(minimum=1)]
Step: TypeAlias = Annotated[
    Decimal, PlainValidator(_positive), PlainSerializer(canonical_decimal), WithJsonSchema(_NUMBER_SCHEMA)
]
Amount: TypeAlias = Annotated[
    Decimal, PlainValidator(_amount), PlainSerializer(canonical_decimal), WithJsonSchema(_NUMBER_SCHEMA)
]
Number: TypeAlias = Annotated[
    Decimal, PlainValidator(_decimal), PlainSerializer(canonical_decimal), WithJsonSchema(_NUMBER_SCHEMA)
]
Balances: TypeAlias = Annotated[
    Mapping[str, Decimal],
    PlainValidator(_balances),
    PlainSerializer(lambda balances: {name: canonical_decimal(amount) for name, amount in balances.items()}),
    WithJsonSchema({"type": "object", "additionalProperties": _NUMBER_SCHEMA}),
]
Weights: TypeAlias = Annotated[
    Mapping[Annotated[str, PlainValidator(symbol)], Step],
    AfterValidator(lambda weights: FrozenMapping(dict(sorted(weights.items())))),
    PlainSerializer(lambda weights: {name: canonical_decimal(weight) for name, weight in weights.items()}),
]
Text: TypeAlias = Annotated[str, PlainValidator(text), WithJsonSchema({"type": "string"})]
Truth: TypeAlias = Annotated[bool, PlainValidator(truth), WithJsonSchema({"type": "boolean"})]
Name: TypeAlias = Annotated[str, PlainValidator(name), WithJsonSchema({"type": "string", "pattern": NAME.pattern})]
Symbol: TypeAlias = Annotated[str, PlainValidator(symbol), WithJsonSchema({"type": "string", "pattern": "^\\S+$"})]
TypeName: TypeAlias = Annotated[str, PlainValidator(type_name), WithJsonSchema({"type": "string", "minLength": 1})]
Names: TypeAlias = Annotated[
    tuple[str, ...], PlainValidator(_names), PlainSerializer(list), WithJsonSchema(_NAMES_SCHEMA)
]
Rate: TypeAlias = Annotated[
    Fee,
    PlainValidator(fee),
    PlainSerializer(fee_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "(bps|%|/\\s*share|\\$\\{)"}, {"const": 0}]}),
]
Frequency: TypeAlias = Annotated[
    tuple[int, int],
    PlainValidator(units.frequency),
    PlainSerializer(frequency_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "/|\\$\\{"}, {"type": "integer", "minimum": 1}]}),
]
Parameters: TypeAlias = Annotated[
    Mapping[str, Any], PlainValidator(_parameters), PlainSerializer(thaw), WithJsonSchema({"type": "object"})
]
