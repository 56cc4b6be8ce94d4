"""Copying: positions follow on scale and in time, only with permission, and what may not be is refused before a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.copy_trader import CopyTrader
from marketsim.errors import ConfigurationError, InvalidValueError, ScenarioError
from marketsim.scenario.loader import check
from marketsim.trading.copying import Copied, Follower

SECOND, MILLISECOND = 1_000_000_000, 1_000_000


@dataclass
class Wall(ms.Agent):
    """Stands on both sides of 100 with more than anybody takes."""

    lots: int = 100_000

    def on_start(self) -> None:
        for instrument in self.instruments:
            self.buy(instrument, self.lots, limit=9_999)
            self.sell(instrument, self.lots, limit=10_001)


@dataclass
class Leader(ms.Agent):
    """Trades 10, 20, −50 lots at 2, 3 and 4 s."""

    def on_start(self) -> None:
        for second, lots in ((2, 10), (3, 20), (4, -50)):
            self.at(self.now + second * SECOND, self.trade, lots)

    def trade(self, lots: int) -> None:
        (self.buy if lots > 0 else self.sell)(self.instrument, abs(lots))


def market(*followers: Any, permits: bool = True, wall: Wall | None = None, stepped: bool = False) -> Any:
    simulation = ms.Simulation(duration="10s", stepped=stepped)
    simulation.add_venue("X", [ms.Instrument("ABC"), ms.Instrument("XYZ")])
    simulation.add_agent(wall or Wall(), "wall")
    names = [f"copier_{number}" for number in range(len(followers))]
    simulation.add_agent(Leader(), "leader", latency="1ms", copied_by=names if names and permits else None)
    for name, follower in zip(names, followers, strict=True):
        simulation.add_agent(follower, name, latency="5ms")
    return simulation


def trades_of(run: Any, name: str) -> list[tuple[float, int]]:
    """Times in ms and signed lots."""
    mine = run.trades[run.trades["taker"] == name]
    return [
        (time / MILLISECOND, int(side * lots)) for time, side, lots in mine[["time", "side", "quantity"]].to_numpy()
    ]


def test_a_copy_comes_after_the_leaders_report_the_delay_and_its_own_latency() -> None:
    run = market(CopyTrader("leader", delay="200ms", ratio=0.5)).run()
    assert trades_of(run, "leader") == [(2_001, 10), (3_001, 20), (4_001, -50)]
    assert trades_of(run, "copier_0") == [(2_207, 5), (3_207, 10), (4_207, -25)]


def test_scale_cap_and_the_other_direction() -> None:
    run = market(
        CopyTrader("leader", ratio=-2.0), CopyTrader("leader", ratio=0.25), CopyTrader("leader", max_position=12)
    ).run()
    assert [lots for _, lots in trades_of(run, "copier_0")] == [-20, -40, 100]
    assert [lots for _, lots in trades_of(run, "copier_1")] == [2, 5, -12]  # 2.5, 7.5 and −5 towards zero
    assert [lots for _, lots in trades_of(run, "copier_2")] == [10, 2, -24]


def test_slippage_limits_what_it_pays() -> None:
    """The wall sells at 10,001 only to the leader: what the copier could have is two ticks away."""

    class Thin(Wall):
        def on_start(self) -> None:
            self.sell(self.instrument, 10, limit=10_001)
            self.sell(self.instrument, 20, limit=10_003)
            self.sell(self.instrument, 900, limit=10_009)
            self.buy(self.instrument, 900, limit=9_999)

    run = market(CopyTrader("leader", slippage=1), CopyTrader("leader", slippage=2), wall=Thin()).run()
    assert trades_of(run, "copier_0")[0][0] > 3_000, "the first copy found no price that it would pay"
    assert trades_of(run, "copier_1")[0] == (2_107, 10)
    orders = run.orders[run.orders["agent"] == "copier_0"]
    assert orders["price"].tolist()[0] == pytest.approx(100.02)


def test_other_agents_may_follow_too_and_see_only_fills() -> None:
    heard: list[Copied] = []

    @dataclass
    class Spy(Follower):
        def on_copied(self, fill: Copied) -> None:
            heard.append(fill)

    market(Spy("leader", delay="0s")).run()
    assert [(fill.side * fill.quantity, fill.price, fill.venue) for fill in heard] == [
        (10, 10_001, "X"), (20, 10_001, "X"), (-50, 9_999, "X"),
    ]  # fmt: skip
    assert Copied._fields == ("time", "instrument", "venue", "side", "price", "quantity")


def test_a_run_is_the_same_event_by_event() -> None:
    digests = {market(CopyTrader("leader"), stepped=stepped).run().digest for stepped in (False, True)}
    assert len(digests) == 1


def test_being_copied_changes_nothing_for_the_leader() -> None:
    """With a copier that may hold one lot far behind, the leader's own trades are those of a market without it."""
    alone, followed = market().run(), market(CopyTrader("leader", ratio=0.1, delay="5s")).run()
    assert trades_of(alone, "leader") == trades_of(followed, "leader")


# --- permission ---


def scenario(copier: dict[str, Any], leader: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "duration": "1s",
        "venues": {"X": {}},
        "instruments": {"ABC": {}},
        "agents": {
            "leader": {"type": "market_maker", **leader},
            "copier": {"type": "copy_trader", "leader": "leader", **copier},
            **more,
        },
    }


def test_with_permission_a_scenario_is_well() -> None:
    check(scenario({}, {"copied_by": ["copier"]}))
    check(scenario({}, {"copied_by": "copier"}))


NOISE = {"type": "noise", "copied_by": ["copier"]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scenario({}, {}), 'agents.copier.leader: leader does not permit it: add "copier" to agents.leader.copied_by'),
        (scenario({"leader": "leadr"}, {"copied_by": ["copier"]}), 'is called "leadr"; did you mean "leader"?'),
        (scenario({}, {"copied_by": ["copyer"]}), 'agents.leader.copied_by[0]: no agent is called "copyer"'),
        (scenario({}, {"copied_by": ["copier"], "count": 2}), "there are 2 of leader: follow one that is alone"),
        (scenario({"leader": "n"}, {}, n=NOISE), "n is compiled and nobody sees its reports: add compiled: false"),
        (
            scenario({"leader": "copier", "copied_by": ["copier"]}, {}),
            "copier follows itself: its own fills would come back for ever; choose another",
        ),
        (
            scenario(
                {"leader": "b", "copied_by": ["b"]}, {},
                b={"type": "copy_trader", "leader": "copier", "copied_by": ["copier"]},
            ),
            "copier follows b, which follows it: its own fills would come back for ever; choose another",
        ),
        (scenario({"ratio": 0}, {"copied_by": ["copier"]}), "ratio: 0 copies nothing; use another number, such as 0.5"),
        (scenario({"delay": "soon"}, {"copied_by": ["copier"]}), "'soon' is not a duration"),
        (scenario({"max_position": 0}, {"copied_by": ["copier"]}), "max_position: 0 must be at least 1"),
    ],
)  # fmt: skip
def test_what_may_not_be_copied_is_refused_before_a_run(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        check(given)
    assert message in str(caught.value)


def test_a_driven_leader_may_be_followed() -> None:
    check(scenario({"leader": "n"}, {}, n={**NOISE, "compiled": False}))


def test_python_refuses_without_permission_too() -> None:
    simulation = market(CopyTrader("leader"), permits=False)
    with pytest.raises((ConfigurationError, ScenarioError), match="leader does not permit it"):
        simulation.run()


def test_a_delay_below_zero_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="delay: -1 ns is below zero"):
        CopyTrader("leader", delay=-1)
