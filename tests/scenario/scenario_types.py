"""Small types that the scenario tests name as ``scenario_types:Class``; nothing of them ever runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType

from marketsim.errors import InvalidValueError
from marketsim.network.latency import Constant, LatencyModel

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]

Ticks = NewType("Ticks", int)


class Mood(Enum):
    CALM = 1
    WILD = 2


@dataclass
class Base:
    """What the agents of these tests have in common."""

    log_level: int = field(default=0, init=False)
    _hidden: int = 3


@dataclass
class Sniper(Base):
    """Lift the offer when the book leans to the bid.

    More about it.
    """

    threshold: float = 0.6
    quantity: int = 5
    limit: Decimal | None = None


@dataclass
class Maker(Base):
    """Quote both sides."""

    gamma: float = field(default=0.1, metadata={"help": "risk aversion"})
    spread: float = field(default=0.01, metadata={"unit": "price"})
    refresh: int = field(default=1_000_000, metadata={"unit": "duration"})
    rate: float = field(default=0.5, metadata={"unit": "rate"})
    feed: str = field(default="", metadata={"reference": "feed"})
    weights: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.gamma <= 0:
            raise InvalidValueError(f"Maker: gamma {self.gamma:g} must be above zero")

    def validate(self) -> None:
        if self.spread > 10:
            raise InvalidValueError("spread: more than 10 is no market; lower it")
        if len(self.weights) == 1:
            raise InvalidValueError("one weight is none; give two, or leave them out")


@dataclass(frozen=True)
class Window:
    """A nested object."""

    length: int
    step: int = field(default=1_000, metadata={"unit": "duration"})


@dataclass
class Everything:
    """A field of each kind."""

    whole: int = 0
    real: float = 0.0
    flag: bool = False
    word: str = ""
    exact: Decimal = Decimal(0)
    mood: Mood = Mood.CALM
    choice: Literal["buy", "sell", 3] = "buy"
    maybe: int | None = None
    either: int | str = 0
    ticks: Ticks = Ticks(0)
    noted: Annotated[int, "a note"] = 0
    numbers: Sequence[int] = ()
    pair: tuple[int, str] = (0, "")
    names: frozenset[str] = frozenset()
    table: Mapping[str, float] = field(default_factory=dict)
    by_number: dict[int, str] = field(default_factory=dict)
    waits: list[int] = field(default_factory=list, metadata={"unit": "duration"})
    window: Window | None = None
    path: Path = Path()
    delay: LatencyModel = Constant(0)
    anything: Any = None
    odd: Unknown = None  # resolved by type checkers only
    price: Decimal = field(default=Decimal(1), metadata={"unit": "price"})
    prices: Sequence[float | str] | None = field(default=None, metadata={"unit": "price"})
    rates: float | list[float] = field(default=1.0, metadata={"unit": "rate"})
    opens: int = field(default=0, metadata={"unit": "time_of_day"})


@dataclass
class Needy:
    """Has parameters without defaults."""

    size: int
    speed: float = field(metadata={"unit": "rate"})


@dataclass
class Wandering:
    """A feed about one instrument."""

    instrument: str
    volatility: float = 0.1


@dataclass
class Recorded:
    """Reads a file."""

    file: str = field(default="", metadata={"kind": "file"})

    def __post_init__(self) -> None:
        if self.file and not Path(self.file).is_file():
            raise InvalidValueError(f"file: {self.file} does not exist")


class Plain:
    """No dataclass."""


NOT_A_CLASS = 3
