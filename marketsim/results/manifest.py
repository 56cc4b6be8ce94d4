"""The manifest of a run: what ran, with which seed and versions, what came out, and whether it came to its end.

One JSON file, ``manifest.json``: keys sorted, numbers exact, so that equal runs differ in it by their timings only. It
is the one file that says that a run is complete. It holds no events.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import platform
import traceback
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketsim.domain.fees import Fee, FeeSchedule, FeeTier, Unit
from marketsim.domain.instrument import Instrument
from marketsim.domain.local_time import LocalTime, time_text
from marketsim.errors import InvalidValueError, SimulationError, StoreError, UnsupportedVersionError

FORMAT = 1


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class FeeEntry(_Entry):
    """One side's fee; see ``domain.fees.Fee``."""

    unit: Unit = "bps"
    rate: str = "0"

    @classmethod
    def of(cls, fee: Fee) -> FeeEntry:
        """The entry of a fee."""
        return cls(unit=fee.unit, rate=str(fee.rate))

    @property
    def fee(self) -> Fee:
        """What the entry says."""
        return Fee(self.unit, Decimal(self.rate))


class TierEntry(_Entry):
    """A tier of fees; see ``domain.fees.FeeTier``."""

    volume: str
    maker: FeeEntry
    taker: FeeEntry
    auction: FeeEntry | None = None

    @classmethod
    def of_tier(cls, tier: FeeTier) -> TierEntry:
        """The entry of a tier."""
        auction = None if tier.auction is None else FeeEntry.of(tier.auction)
        return cls(
            volume=str(tier.volume), maker=FeeEntry.of(tier.maker), taker=FeeEntry.of(tier.taker), auction=auction
        )

    @property
    def tier(self) -> FeeTier:
        """What the entry says."""
        auction = None if self.auction is None else self.auction.fee
        return FeeTier(Decimal(self.volume), self.maker.fee, self.taker.fee, auction)


class MarketEntry(_Entry):
    """One market: an instrument on a venue, by the number that events carry."""

    number: int
    venue: str
    symbol: str
    tick_size: str
    lot_size: str
    reference_price: str
    currency: str
    maker: FeeEntry = FeeEntry()
    taker: FeeEntry = FeeEntry()
    auction: FeeEntry | None = None
    minimum: str = "0"
    tiers: tuple[TierEntry, ...] = ()
    contract: dict[str, str | int] = Field(default_factory=dict)  # further terms of the instrument

    @classmethod
    def of(cls, number: int, venue: str, instrument: Instrument, fees: FeeSchedule | None = None) -> MarketEntry:
        """The entry of a market."""
        fees = fees or FeeSchedule()
        return cls(
            number=number,
            venue=venue,
            symbol=instrument.symbol,
            tick_size=str(instrument.tick_size),
            lot_size=str(instrument.lot_size),
            reference_price=str(instrument.reference_price),
            currency=instrument.currency,
            maker=FeeEntry.of(fees.maker),
            taker=FeeEntry.of(fees.taker),
            auction=None if fees.auction is None else FeeEntry.of(fees.auction),
            minimum=str(fees.minimum),
            tiers=tuple(TierEntry.of_tier(tier) for tier in fees.tiers),
            contract={name: value for name, value in instrument.terms().items() if name not in cls.model_fields},
        )

    @property
    def instrument(self) -> Instrument:
        """What is traded."""
        basic = Decimal(self.tick_size), Decimal(self.lot_size), Decimal(self.reference_price), self.currency
        return Instrument(self.symbol, *basic, **self.contract)  # type: ignore[arg-type]

    @property
    def fees(self) -> FeeSchedule:
        """What a trade costs."""
        auction = None if self.auction is None else self.auction.fee
        tiers = tuple(tier.tier for tier in self.tiers)
        return FeeSchedule(self.maker.fee, self.taker.fee, auction, Decimal(self.minimum), tiers)


class AgentEntry(_Entry):
    """One participant, by the number that events carry as owner and peer."""

    number: int
    name: str
    family: str = ""
    type: str = ""
    initial_cash: float = 0.0
    collateral: dict[str, str] | None = None  # at a clearing house, by settlement currency


class Failure(_Entry):
    """Why a run did not come to its end."""

    error: str
    traceback: str = ""
    time: int | None = None

    @classmethod
    def of(cls, error: BaseException, time: int | None = None) -> Failure:
        """From what was raised; ``time`` is the simulated time in ns, taken from the error when it knows it."""
        if isinstance(error, SimulationError) and error.time is not None:
            time = error.time
        return cls(
            error=f"{type(error).__name__}: {error}".rstrip(": "),
            traceback="".join(traceback.format_exception(error)),
            time=time,
        )


NOT_FINISHED = Failure(error="the run is still going on, or its process was killed")


class Manifest(_Entry):
    """All about a run but its events. Times are ns; see the fields.

    name: of the scenario. date, time_zone: of the first day, where the scenario has one.
    spec: the scenario as plain JSON. warm_up: ns after ``start`` that measures leave out.
    counts: whatever was counted.
    timings: seconds of wall time by phase, all that differs between equal runs. ``building``: until the market is ready
    to run; ``code``: the part of it in which compiled code was made or loaded; ``engine``: from the first event to the
    closed log, its last row hashed and written, less what lies between two calls that advance the run (progress told,
    the caller's own work); ``wall``: from the first moment on until this was written.
    """

    format: int = FORMAT
    name: str
    seed: int
    spec: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    date: str = ""
    time_zone: str = ""
    start: int = 0
    end: int = 0
    warm_up: int = 0
    markets: tuple[MarketEntry, ...] = ()
    agents: tuple[AgentEntry, ...] = ()
    complete: bool = False
    failure: Failure | None = NOT_FINISHED
    digest: str = ""
    events: int = 0
    annotations: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    timings: dict[str, float] = Field(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        if "spec" in values:
            values["spec"] = _plain(values["spec"], "spec")
        super().__init__(**values)

    def with_(self, **changes: Any) -> Manifest:
        """A copy with some fields changed, checked like a new one."""
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        changed = type(self)(**{**kept, **changes})
        if "agents" not in changes and "agents_text" in self.__dict__:
            changed.__dict__["agents_text"] = self.agents_text
        return changed

    @cached_property
    def agents_text(self) -> str:
        """The agents as JSON, one a line. Made once: there may be a hundred thousand, and an interrupt waits for it."""
        encode = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
        return "[\n  " + ",\n  ".join(encode(agent.model_dump(exclude_none=True)) for agent in self.agents) + "\n ]"

    @property
    def local_time(self) -> LocalTime | None:
        """The dates of the run; None when it had none."""
        if not self.date:
            return None
        return LocalTime(dt.date.fromisoformat(self.date), self.start, self.time_zone or "UTC")

    @property
    def reason(self) -> str:
        """Why the run is incomplete, in one line; empty when it is complete."""
        if self.complete:
            return ""
        if self.failure is None or not self.failure.error:
            return "no reason given"
        at = "" if self.failure.time is None else f", at {time_text(self.failure.time, self.local_time)}"
        return self.failure.error.splitlines()[0] + at

    @property
    def status(self) -> str:
        """``complete``, or ``incomplete`` and why."""
        return "complete" if self.complete else f"incomplete: {self.reason}"

    def to_json(self) -> str:
        """Canonical text: sorted keys, one entry or agent a line, a newline at the end."""
        entries = {name: _text(value) for name, value in self.model_dump(exclude={"agents"}).items()}
        entries["agents"] = self.agents_text if self.agents else "[]"
        return "{\n" + ",\n".join(f' "{name}": {entries[name]}' for name in sorted(entries)) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> Manifest:
        """What ``to_json`` wrote. StoreError names the source and the entry that is wrong."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise StoreError(f"{source}: not a manifest: {error}; run the scenario again") from error
        if not isinstance(raw, dict):
            raise StoreError(f"{source}: not a manifest: expected a JSON object")
        version = raw.get("format")
        if version is not None and (not isinstance(version, int) or version < 1):
            raise UnsupportedVersionError(
                f"{source}: format {version!r} is none of those that are read (1 to {FORMAT}); run the scenario again"
            )
        if isinstance(version, int) and version > FORMAT:
            raise UnsupportedVersionError(
                f"{source}: format {version} is of a newer marketsim; this one reads up to {FORMAT}: upgrade it"
            )
        try:
            found = cls(**raw)
        except (ValidationError, TypeError) as error:
            raise StoreError(f"{source}: not a manifest: {_first(error)}; run the scenario again") from error
        try:
            found._judge()
        except (ValueError, TypeError, ArithmeticError) as error:
            raise StoreError(f"{source}: damaged: {error}; run the scenario again") from error
        return found

    def _judge(self) -> None:
        """Everything that entries mean can be made of them: dates, instruments, fees, finite numbers."""
        _ = self.local_time, [(market.instrument, market.fees) for market in self.markets]
        if not all(math.isfinite(number) for number in self.timings.values()):
            raise ValueError("a timing is no finite number")
        if not all(math.isfinite(agent.initial_cash) for agent in self.agents):
            raise ValueError("an agent's initial_cash is no finite number")
        _plain(self.spec, "spec")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """From a file."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{path}: no readable manifest: {error}") from error
        return cls.from_json(text, str(path))


def versions(marketsim: str) -> dict[str, str]:
    """The versions that a run depends on. ``marketsim`` is our own."""
    return {
        "marketsim": marketsim,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "numba": metadata.version("numba"),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False).replace("\n", "\n ")


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        finding = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in finding['loc'])}: {finding['msg']}"
    return str(error)


def _plain(value: object, path: str) -> object:
    """The same as JSON knows it: mappings, lists, text, numbers."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, f"{path}[{number}]") for number, item in enumerate(value)]
    raise InvalidValueError(f"{path}: {value!r} cannot be stored; use text, numbers, lists and mappings")
