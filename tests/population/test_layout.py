"""The fields of a compiled agent as fields of its record: types, units, refusals."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from marketsim.domain.instrument import Instrument
from marketsim.domain.units import SECOND
from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.kernel.compiled import Record, Rows
from marketsim.population.agent import CompiledAgent, policy
from marketsim.population.layout import dtype_of

INSTRUMENT = Instrument("ABC", tick_size="0.05", reference_price="100")


class Mode(enum.IntEnum):
    CALM = 3
    WILD = 4


@policy
def idle(me: Record, seen: Record, out: Record) -> None:
    """Do nothing."""


@dataclass
class Wide(CompiledAgent):
    """One of each."""

    count: int = 5
    share: float = 0.25
    eager: bool = True
    mode: Mode = Mode.CALM
    side: Literal[1, -1] = -1
    pause: int | str = field(default="2s", metadata={"unit": "duration"})
    opens: int | str = field(default="09:30", metadata={"unit": "time_of_day"})
    rate: float | str = field(default="30/min", metadata={"unit": "rate"})
    step: Decimal | str = field(default="0.15", metadata={"unit": "price"})
    weights: tuple[float, ...] = field(default=(1.5, 2.5), metadata={"length": 3})
    waits: list[str] = field(default_factory=lambda: ["1s", "2ms"], metadata={"length": 2, "unit": "duration"})
    mids: list[int] = field(init=False, metadata={"length": 4})
    draw: int = field(default=7, init=False)
    later: float = field(init=False)

    act = idle
    NAMES: ClassVar[tuple[str, ...]] = ("not", "a", "field")


def test_each_field_is_held_in_its_unit() -> None:
    rows = Wide().records(2, INSTRUMENT)
    assert len(rows) == 2
    for row in rows:
        assert (row["count"], row["share"], row["eager"], row["mode"], row["side"]) == (5, 0.25, 1, 3, -1)
        assert row["pause"] == 2 * SECOND
        assert row["opens"] == (9 * 3600 + 30 * 60) * SECOND
        assert row["rate"] == 0.5
        assert row["step"] == 3
        assert list(row["weights"]) == [1.5, 2.5, 0.0]
        assert list(row["waits"]) == [SECOND, 2_000_000]
        assert list(row["mids"]) == [0] * 4
        assert (row["draw"], row["later"]) == (7, 0.0)
    assert rows.dtype.names == tuple(each.name for each in fields(Wide))
    kinds = {name: rows.dtype[name].base for name in rows.dtype.names}
    floats = {"share", "rate", "weights", "later"}
    assert kinds == {name: np.dtype(np.float64 if name in floats else np.int64) for name in kinds}


def test_values_are_converted_where_they_are_given() -> None:
    agent = Wide(pause="1min", rate="2/s", step="0.10", count=4.0)  # type: ignore[arg-type]
    assert (agent.pause, agent.rate, agent.step, agent.count) == (60 * SECOND, 2.0, Decimal("0.10"), 4)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("count", "5", "count: '5' is not a whole number: remove the quotes"),
        ("count", 2.5, "count: 2.5 is not a whole number"),
        ("count", True, "count: true is not a whole number"),
        ("count", 2**63, "count: 9223372036854775808 must fit into 64 bits"),
        ("share", float("nan"), "share: nan is not a number"),
        ("eager", 1, "eager: 1 is not true or false"),
        ("mode", 9, "mode: 9 is not one of the choices"),
        ("side", 0, "side: 0 is not one of the choices"),
        ("pause", "2x", "pause: '2x' is not a duration: write a number with a unit"),
        ("pause", 0.5, "pause: 0.5 is not a duration"),
        ("rate", "often", "rate: 'often' is not a rate"),
        ("step", "wide", "step: 'wide' is not a number"),
        ("weights", (1.0, 2.0, 3.0, 4.0), "weights: 4 numbers are too many; its length is 3"),
        ("weights", 3.0, "weights: 3.0 is not a list"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: Any, told: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Wide(**{name: value})
    assert str(caught.value).startswith(told)


def test_a_price_between_two_ticks_is_refused_where_the_instrument_is_known() -> None:
    agent = Wide(step="0.12")
    with pytest.raises(InvalidValueError, match=r"^step: ABC: price 0\.12 is not a multiple of 0\.05: use 0\.1 or"):
        agent.records(1, INSTRUMENT)


def test_what_is_set_later_is_checked_as_well() -> None:
    agent = Wide()
    agent.pause = "never"
    with pytest.raises(InvalidValueError, match=r"^pause: 'never' is not a duration"):
        agent.records(1, INSTRUMENT)


@pytest.mark.parametrize(
    ("annotation", "metadata", "told"),
    [
        (str, {}, "text cannot be seen by a policy: a record holds int, bool and float"),
        (int | None, {}, "int | none cannot be seen"),
        (Decimal, {}, "decimal cannot be seen"),
        (list[int], {}, 'list of int cannot be seen .* "length"'),
        (list[str], {"length": 3}, "list of text with metadata length 3 cannot be seen"),
        (int, {"length": 3}, "int with metadata length 3 cannot be seen"),
        (list[int], {"length": -1}, "length -1 is not a whole number above zero"),
        (dict[str, int], {}, "mapping to int cannot be seen"),
        (int | str | None, {"unit": "duration"}, "cannot be seen"),
    ],
)
def test_types_that_no_record_holds_are_refused(annotation: Any, metadata: dict[str, Any], told: str) -> None:
    namespace = {"__annotations__": {"what": annotation}, "what": field(default=None, metadata=metadata), "act": idle}
    cls = dataclass(type("Odd", (CompiledAgent,), namespace))
    with pytest.raises(ConfigurationError, match=f"^Odd.what: .*{told}"):
        cls()


@pytest.mark.parametrize("name", ["size", "max", "T", "policy", "records"])
def test_names_that_records_have_already_are_refused(name: str) -> None:
    cls = dataclass(type("Odd", (CompiledAgent,), {"__annotations__": {name: int}, name: 1, "act": idle}))
    with pytest.raises(ConfigurationError, match=f"^Odd.{name}: .* choose another, such as own_{name}$"):
        dtype_of(cls)


def test_an_agent_without_fields_is_one_too() -> None:
    cls = dataclass(type("Bare", (CompiledAgent,), {"act": idle}))
    assert len(cls().records(3, INSTRUMENT)) == 3


def test_a_forgotten_dataclass_is_told() -> None:
    class Plain(CompiledAgent):
        quantity: int = 5
        act = idle

    class Derived(Wide):
        more: int = 1

    for cls in (Plain, Derived):
        with pytest.raises(ConfigurationError, match=f"{cls.__name__} is no dataclass: put @dataclass above it"):
            cls()


def test_a_policy_is_asked_for_once() -> None:
    @dataclass
    class Silent(CompiledAgent):
        quantity: int = 5

    with pytest.raises(ConfigurationError, match=r"Silent has no policy: decorate one .* with @ms\.policy"):
        Silent()

    def other(me: Record, seen: Record, out: Record) -> None: ...

    with pytest.raises(ConfigurationError, match="Torn has several policies, idle and other"):
        type("Torn", (CompiledAgent,), {"one": idle, "other": policy(other)})


def test_a_policy_takes_three_arguments() -> None:
    for wrong in (lambda me, seen: 0, lambda me, seen, out, more: 0, lambda *all: 0, lambda me, seen, *, out: 0):
        with pytest.raises(ConfigurationError, match=r"test_layout\.py:\d+: .*a policy takes three arguments"):
            policy(wrong)


def test_subclasses_inherit_the_policy_and_may_bring_another() -> None:
    @dataclass
    class Child(Wide):
        more: int = 1

    def other(me: Record, seen: Record, out: Record) -> None: ...

    @dataclass
    class Other(Wide):
        act = policy(other)

    assert Child.policy is Wide.policy
    assert Other.policy is not Wide.policy
    assert Child().records(1, INSTRUMENT)["more"] == 1


def test_slots_and_fields_made_in_post_init() -> None:
    @dataclass(slots=True)
    class Slim(CompiledAgent):
        rate: float | str = field(default="2/s", metadata={"unit": "rate"})
        mean: float = field(default=0.0, init=False)
        spare: int = field(default=0, init=False)
        act = idle

        def __post_init__(self) -> None:
            CompiledAgent.__post_init__(self)
            self.spare = int(SECOND / float(self.rate))

    with pytest.raises(ConfigurationError, match=r"Slim\.mean: records have an attribute"):
        Slim()


def test_a_fill_of_ones_own_adds_to_the_fields() -> None:
    @dataclass
    class Deep(CompiledAgent):
        quantity: int = 2
        reference: int = field(default=0, init=False)
        act = idle

        def fill(self, rows: Rows, instrument: Instrument) -> None:
            super().fill(rows, instrument)
            rows["reference"] = instrument.reference

    rows = Deep(quantity=4).records(2, INSTRUMENT)
    assert list(rows["quantity"]) == [4, 4]
    assert list(rows["reference"]) == [2000, 2000]


def test_a_state_of_ones_own_needs_a_fill() -> None:
    @dataclass
    class Half(CompiledAgent):
        STATE: ClassVar = np.dtype([("x", np.int64)])
        act = idle

    with pytest.raises(ConfigurationError, match="Half has a STATE of its own: give it a fill"):
        Half()
