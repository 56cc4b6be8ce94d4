"""Index baskets: the formula, what an agent is told of them and when, what the log says, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import marketsim as ms
from marketsim.analysis import index_values
from marketsim.domain.basket import Basket, basket_value
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError, ScenarioError
from marketsim.testing import HandMarket
from marketsim.trading.index import IndexValue

AAA, BBB = Instrument("AAA"), Instrument("BBB", reference_price="50", tick_size="0.05")
TWO = Basket("TWO", {"AAA": Decimal(1), "BBB": Decimal(2)}, Decimal(2), venue="XSIM")


class Watcher(ms.Agent):
    """Keeps what it is told."""

    def on_start(self) -> None:
        self.told: list[tuple[int, float]] = []
        self.first = self.index("TWO")

    def on_index(self, index: IndexValue) -> None:
        assert index.value == self.index("TWO")
        self.told.append((self.now, index.value))


def desk(basket: Basket = TWO) -> tuple[Watcher, HandMarket]:
    watcher = Watcher()
    return watcher, HandMarket(watcher, (AAA, BBB), baskets={basket.name: basket})


# --- the formula ---


def test_the_value_by_hand() -> None:
    assert TWO.value({"AAA": 100.0, "BBB": 50.0}) == 100.0
    assert TWO.value({"AAA": 101.0, "BBB": 50.5}) == 101.0
    assert basket_value((1.0, 2.0), (101.0, 50.5), 2.0) == 101.0


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 1000)), min_size=1, max_size=8), st.floats(0.5, 100))
def test_the_divisor_is_what_makes_the_base(members: list[tuple[float, float]], base: float) -> None:
    markets = [("X", Instrument(f"S{n}", "0.01", 1, round(price, 2) or 1)) for n, (_, price) in enumerate(members)]
    weights = {f"S{n}": round(weight, 3) for n, (weight, _) in enumerate(members)}
    basket = Basket.described("I", weights, base=round(base, 3), markets=markets)
    prices = {instrument.symbol: float(instrument.reference_price) for _, instrument in markets}
    assert basket.value(prices) == pytest.approx(round(base, 3))


def test_the_first_venue_that_trades_all_members_is_the_indexs() -> None:
    markets = [("A", AAA), ("B", BBB), ("C", AAA), ("C", BBB), ("D", AAA), ("D", BBB)]
    assert Basket.described("I", {"AAA": 1, "BBB": 1}, markets=markets).venue == "C"


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"members": {}}, "at least one member"),
        ({"members": {"AAA": 0}}, "weight 0 of AAA must be above zero"),
        ({"members": {"AAA": -1}}, "weight -1 of AAA must be above zero"),
        ({"divisor": 0}, "divisor 0 must be above zero"),
        ({"price": "mids"}, 'did you mean "mid"'),
        ({"interval": -1}, "interval -1 ns"),
    ],
)
def test_what_is_no_basket_is_refused(terms: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Basket(**{"name": "I", "members": {"AAA": 1}, **terms})


# --- what an agent is told ---


def test_members_count_with_their_reference_prices_until_they_have_one() -> None:
    watcher, market = desk()
    assert watcher.first == 100.0
    market.quote(10_199, 5, 10_201, 5, market=0)
    assert watcher.index("TWO") == 101.0
    market.quote(0, 0, 10_201, 5, market=0)
    assert watcher.index("TWO") == 101.0, "the latest that it had"
    market.quote(1_019, 5, 1_021, 5, market=1)
    assert watcher.index("TWO") == (102.0 + 2 * 51.0) / 2
    assert [value for _, value in watcher.told] == [101.0, 102.0]
    market.quote(1_018, 9, 1_022, 1, market=1)
    assert len(watcher.told) == 2, "the same value is not told again"


def test_last_prices() -> None:
    watcher, market = desk(Basket("TWO", TWO.members, TWO.divisor, "last", "XSIM"))
    market.quote(10_199, 5, 10_201, 5, market=0)
    assert watcher.index("TWO") == 100.0
    market._tell(Kind.QUOTE, 0, price=10_199, quantity=5, expire=10_400)
    assert watcher.index("TWO") == 102.0


def test_an_interval_tells_the_latest_at_its_multiples() -> None:
    watcher, market = desk(Basket("TWO", TWO.members, TWO.divisor, "mid", "XSIM", 1_000_000))
    market.advance("1500us")
    for bid in (10_099, 10_199, 10_299):
        market.quote(bid, 5, bid + 2, 5)
    assert (watcher.told, watcher.index("TWO")) == ([], 101.5)
    market.advance("10ms")
    assert watcher.told == [(2_000_000, 101.5)]
    market.quote(10_099, 5, 10_101, 5)
    market.advance("10ms")
    assert [value for _, value in watcher.told] == [101.5, 100.5]


def test_what_cannot_be_followed_is_refused() -> None:
    watcher, _ = desk()
    with pytest.raises(InvalidValueError, match="no index is called 'TOW'; did you mean \"TWO\""):
        watcher.index("TOW")
    alone = ms.Agent()
    HandMarket(alone, (AAA,), baskets={"TWO": TWO})
    with pytest.raises(InvalidValueError, match="does not see BBB on XSIM, a member of TWO"):
        alone.index("TWO")


# --- in a run ---


def scenario(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "seed": 3,
        "duration": "10s",
        "venues": {"XSIM": {}, "YSIM": {"instruments": ["AAA"]}},
        "instruments": {
            "AAA": {"reference_price": 100},
            "BBB": {"reference_price": 50},
            "FUND": {"reference_price": 100, "basket": "TWO"},
        },
        "indices": {"TWO": {"members": {"AAA": 1, "BBB": 2}, "base": 100, "price": "mid"}},
        "network": {"latency": "1ms"},
        "agents": {"noise": {"type": "noise", "count": 60, "rate": "2/s"}},
    }
    return {**given, **changes}


@pytest.mark.parametrize("price", ["mid", "last"])
def test_the_log_says_what_agents_were_told(price: str) -> None:
    sim = ms.load(scenario(indices={"TWO": {"members": {"AAA": 1, "BBB": 2}, "base": 100, "price": price}}))
    sim.add_agent(Watcher(), "watcher")
    execution = sim.start()
    execution.advance("10s")
    agent = execution.world.sessions["watcher"].agent
    assert isinstance(agent, Watcher)
    run = execution.finish()
    table = index_values(run, "TWO")
    late = {int(time) + 1_000_000: value for time, value in zip(table["time"], table["value"], strict=True)}
    told = dict(agent.told)  # the last of each nanosecond
    shared = [time for time in told if time in late and time > 100_000_000]
    assert len(shared) > 30
    assert len(shared) > 0.9 * len([time for time in told if time > 100_000_000])
    assert np.allclose([told[time] for time in shared], [late[time] for time in shared], rtol=1e-12)
    assert run.basket("TWO") == sim.spec.basket("TWO")
    assert run.basket("TWO").venue == "XSIM"
    with pytest.raises(InvalidValueError, match='did you mean "TWO"'):
        index_values(run, "TW")


def test_python_and_yaml_make_the_same_and_the_fund_names_its_basket() -> None:
    written = ms.load(scenario()).spec
    assert written.instrument("FUND").basket == "TWO"
    assert ms.ScenarioSpec.from_dict(written.to_dict()) == written
    sim = ms.Simulation(seed=1, duration="1s")
    sim.add_venue("XSIM", [AAA, BBB, Instrument("FUND", basket="TWO")])
    sim.add_index(TWO)
    assert sim.spec.basket("TWO") == TWO
    assert sim.spec.instrument("FUND").basket == "TWO"
    assert "indices" not in ms.Simulation().add_venue("X", [AAA]).spec.to_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"members": {"AAA": 1, "BBC": 1}},
            'indices.TWO.members.BBC: no instrument is called "BBC"; did you mean "BBB"',
        ),
        ({"members": {"AAA": -1}}, "indices.TWO.members.AAA: -1 must be above zero"),
        ({"members": {}}, "indices.TWO.members: empty: an index needs at least one member"),
        ({"members": {"AAA": 1, "FUND": 1}}, '"FUND" stands for TWO itself'),
        ({"members": {"AAA": 1}, "divisor": 2, "base": 3}, "divisor says the same"),
        ({"members": {"AAA": 1}, "price": "close"}, "indices.TWO.price"),
        ({"members": {"AAA": 1, "BBB": 1}, "venue": "YSIM"}, 'YSIM does not trade the member "BBB": it trades on XSIM'),
        ({"members": {"AAA": 1}, "venue": "ZSIM"}, 'no venue is called "ZSIM"'),
    ],
)
def test_wrong_indices_are_refused_where_they_are_written(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError) as error:
        ms.load(scenario(indices={"TWO": changes}))
    assert words in str(error.value)


def test_other_contradictions() -> None:
    with pytest.raises(ScenarioError, match=r'instruments\.FUND\.basket: no index is called "TWO"'):
        ms.load(scenario(indices={}))
    apart = {"X": {"instruments": ["AAA", "FUND"]}, "Y": {"instruments": ["BBB"]}}
    with pytest.raises(ScenarioError, match="no venue trades all members"):
        ms.load(scenario(venues=apart))
    paid = {"AAA": {}, "BBB": {"currency": "EUR"}, "FUND": {}}
    with pytest.raises(ScenarioError, match="members are paid in EUR and USD"):
        ms.load(scenario(instruments=paid))
    router = {"type": "routed_flow", "instruments": ["BBB"], "venues": ["XSIM", "YSIM"]}
    with pytest.raises(ScenarioError, match=r"agents\.flow\.venues.*: YSIM trades none of its instruments"):
        ms.load(scenario(agents={"flow": router}))
