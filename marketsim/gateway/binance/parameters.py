"""Parameters of requests: what each is called, how it is written, and what is wrong with one that is not.

Text comes in (of a query, a form or JSON), numbers and choices come out. It asks nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marketsim.errors import did_you_mean
from marketsim.gateway.binance.errors import VenueError, illegal, missing

LONG, AMOUNT, NAME = "^[0-9]{1,18}$", "^([0-9]{1,20})(\\.[0-9]{1,20})?$", "^[a-zA-Z0-9-_.:/]{1,36}$"
_LONG, _AMOUNT, _NAME = (re.compile(pattern) for pattern in (LONG, AMOUNT, NAME))
_SYMBOL = "^[A-Z0-9-_.]{1,20}$"
_SYMBOLS = re.compile("[A-Z0-9-_.]{1,20}")
INTERVALS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800, "1M": 2592000,
}  # fmt: skip
WINDOWS = {f"{number}{unit}": number * size for unit, size, most in (("m", 60, 59), ("h", 3600, 23), ("d", 86400, 7))
           for number in range(1, most + 1)}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``kind``: symbol, symbols, long, amount, name, choice, truth, interval, window or text."""

    name: str
    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    default: Any = None
    low: int = 0
    high: int = (1 << 63) - 1
    doc: str = ""

    def read(self, given: Any) -> Any:
        """Its value; VenueError where it cannot be one."""
        text = given if isinstance(given, str) else _text(given)
        if text == "":
            raise VenueError(-1105, f"Parameter '{self.name}' was empty.")
        return _READERS[self.kind](self, text)

    def schema(self) -> dict[str, Any]:
        """As OpenAPI describes it."""
        schema: dict[str, Any] = dict(_SCHEMAS[self.kind])
        if self.kind == "long":
            schema |= {"minimum": self.low, "maximum": min(self.high, 10**18 - 1)}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.default is not None:
            schema["default"] = self.default
        return schema


def read_all(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a request by name, defaults filled in; what is unknown or missing is refused."""
    known = {parameter.name for parameter in parameters}
    for name in given:
        if name not in known:
            read = sum(1 for other in given if other in known)
            hint = did_you_mean(name, known) or f"; '{name}' is no parameter of this request"
            raise VenueError(
                -1104,
                f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(given)}'{hint}",
            )
    values: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name in given:
            values[parameter.name] = parameter.read(given[parameter.name])
        elif parameter.required:
            raise missing(parameter.name)
        else:
            values[parameter.name] = parameter.default
    return values


def _text(given: Any) -> str:
    if given is True or given is False:
        return str(given).lower()
    if isinstance(given, float):
        return format(Decimal(repr(given)), "f") if given == given and abs(given) < 1e20 else "?"
    if isinstance(given, (list, dict)):
        return json.dumps(given)
    return "" if given is None else str(given)


def _long(parameter: Parameter, text: str) -> int:
    if not _LONG.fullmatch(text):
        raise illegal(parameter.name, LONG)
    number = int(text)
    if not parameter.low <= number <= parameter.high:
        raise VenueError(
            -1130,
            f"Data sent for parameter '{parameter.name}' is not valid: {parameter.low} to {parameter.high}.",
        )
    return number


def _amount(parameter: Parameter, text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise illegal(parameter.name, AMOUNT)
    value = Decimal(text)
    if len(text.partition(".")[2].rstrip("0")) > 8:
        raise VenueError(-1111, f"Parameter '{parameter.name}' has too much precision.")
    return value


def _name(parameter: Parameter, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise illegal(parameter.name, NAME)
    return text


_CODES = {"type": (-1116, "Invalid orderType."), "side": (-1117, "Invalid side."),
          "timeInForce": (-1115, "Invalid timeInForce."), "newOrderRespType": (-1136, "Invalid newOrderRespType"),
          "cancelRestrictions": (-1145, "Invalid cancelRestrictions")}  # fmt: skip


def _choice(parameter: Parameter, text: str) -> str:
    if text in parameter.choices:
        return text
    code, message = _CODES.get(parameter.name, (-1130, f"Data sent for parameter '{parameter.name}' is not valid."))
    raise VenueError(code, message)


def _truth(parameter: Parameter, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise VenueError(-1130, f"Data sent for parameter '{parameter.name}' is not valid: true or false.")
    return text.lower() == "true"


def _symbol(parameter: Parameter, text: str) -> str:
    if not _SYMBOLS.fullmatch(text):
        raise illegal(parameter.name, _SYMBOL)
    return text


def _symbols(parameter: Parameter, text: str) -> list[str]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
        raise illegal(parameter.name, '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$')
    if len(set(given)) != len(given):
        raise VenueError(-1151, "Symbol is present multiple times in the list.")
    return [_symbol(parameter, name) for name in given]


def _interval(parameter: Parameter, text: str) -> str:
    if text not in INTERVALS:
        raise VenueError(-1120, f"Invalid interval; known: {', '.join(INTERVALS)}")
    return text


def _window(parameter: Parameter, text: str) -> str:
    if text not in WINDOWS:
        raise VenueError(
            -1130, f"Data sent for parameter '{parameter.name}' is not valid: 1m to 59m, 1h to 23h, 1d to 7d."
        )
    return text


def _any_text(parameter: Parameter, text: str) -> str:
    if len(text) > 200:
        raise VenueError(-1130, f"Data sent for parameter '{parameter.name}' is not valid: more than 200 characters.")
    return text


_READERS = {
    "long": _long, "amount": _amount, "name": _name, "choice": _choice, "truth": _truth, "symbol": _symbol,
    "symbols": _symbols, "interval": _interval, "window": _window, "text": _any_text,
}  # fmt: skip
_SCHEMAS: dict[str, dict[str, Any]] = {
    "long": {"type": "integer"},
    "amount": {"type": "string", "pattern": AMOUNT},
    "name": {"type": "string", "pattern": "^[a-zA-Z0-9\\-_.:/]{1,36}$"},
    "choice": {"type": "string"},
    "truth": {"type": "boolean"},
    "symbol": {"type": "string", "pattern": "^[A-Z0-9\\-_.]{1,20}$"},
    "symbols": {"type": "string", "description": "a JSON list"},
    "interval": {"type": "string", "enum": list(INTERVALS)},
    "window": {"type": "string", "enum": list(WINDOWS)},
    "text": {"type": "string", "maxLength": 200},
}
