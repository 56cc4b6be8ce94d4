"""Snapshots: whatever an all-compiled market is made of, it goes on from a snapshot as if it had run through."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.agents.intervention import Intervention
from marketsim.agents.noise import Noise
from marketsim.errors import InvalidValueError, SimulationError
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation import Simulation, load
from marketsim.simulation.execution import Execution

# Auctions and a halt, several days, contracts with funding, a recorded tape, order queues of their own kind.
MARKETS = {
    "opening_auction": ({"agents.market_maker": None}, "20min"),
    "volatility_halt": ({"agents.market_maker": None}, "20min"),
    "three_days": ({"duration": "9h", "warm_up": "0s"}, "5h"),
    "perpetual": ({"agents.market_maker": None}, "4min"),
    "tape": ({"duration": "4min"}, "2min"),
    "reference_hour": ({"duration": "10min"}, "5min"),
}


def small(**changes: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict(
        {
            "name": "small",
            "duration": "40s",
            "venues": {"XSIM": {"throttle": {"rate": "5/s"}}},
            "instruments": {"ABC": {}},
            "feeds": {"value": {"type": "mean_reverting"}},
            "agents": {
                "noise": {"type": "noise", "count": 30, "rate": "2/s"},
                "fundamental": {"type": "fundamental", "count": 5},
                "zz": {"type": "intervention", "at": "20s"},
            },
            "network": {
                "latency": {"type": "lognormal", "median": "1ms", "sigma": 0.5},
                "faults": [{"type": "loss", "probability": 0.02}, {"type": "duplicates", "probability": 0.02}],
            },
            **changes,
        }
    )


def at(spec: ScenarioSpec, moment: str, **options: Any) -> Execution:
    execution = Simulation.from_spec(spec, **options).start()
    execution.advance(moment)
    return execution


@pytest.mark.parametrize("name", MARKETS)
def test_a_market_goes_on_as_if_it_had_run_through(name: str) -> None:
    changes, moment = MARKETS[name]
    spec = load(name, changes).spec
    whole = Simulation.from_spec(spec).run()
    snapshot = at(spec, moment).snapshot()
    once = snapshot.go_on().run()
    again = snapshot.go_on().run()
    assert once.digest == again.digest == whole.digest
    assert (once.events == whole.events).all()
    assert 0 < len(snapshot.prefix.event_log) < len(whole.event_log)
    assert once.complete
    assert not snapshot.prefix.complete


@pytest.mark.boundscheck
@pytest.mark.parametrize("stepped", [False, True])
def test_continuations_differ_by_what_was_changed_alone(stepped: bool) -> None:
    """Back and forth between continuations, each as its own scenario runs through: faults and throttles included."""
    snapshot = at(small(), "20s", stepped=stepped).snapshot()
    for quantity in (0.0, 200.0, 0.0, 50.0, 200.0):
        spec = small().with_overrides({"agents.zz.quantity": quantity})
        going = snapshot.go_on(spec, {"zz": Intervention(at="20s", quantity=quantity)})
        run = going.run()
        assert run.digest == Simulation.from_spec(spec).run().digest, quantity
        assert run.manifest.spec["agents"]["zz"]["quantity"] == quantity
        assert len(run.agents) == 36


def test_a_later_snapshot_does_not_disturb_an_earlier_one() -> None:
    whole = Simulation.from_spec(small()).run().digest
    early = at(small(), "10s").snapshot()
    line = early.go_on()
    line.advance("30s")
    late = line.snapshot()
    digests = {late.go_on().run().digest, early.go_on().run().digest, late.go_on().run().digest}
    assert digests == {whole}
    assert len(early.prefix.event_log) < len(late.prefix.event_log)


def test_tables_that_grew_after_the_snapshot_come_back() -> None:
    """Ten thousand resting orders later every table of the book lies elsewhere."""
    spec = small(agents={"flow": {"type": "noise", "count": 400, "rate": "20/s", "cancel_share": 0.0}}, network={})
    whole = Simulation.from_spec(spec).run()
    snapshot = at(spec, "1s").snapshot()
    assert len(whole.event_log) > 20 * len(snapshot.prefix.event_log)
    assert [snapshot.go_on().run().digest for _ in range(2)] == [whole.digest] * 2


def test_the_digest_so_far_is_that_of_what_has_happened() -> None:
    execution = at(small(), "20s")
    early = execution.digest_so_far()
    assert execution.digest_so_far() == early
    assert at(small(), "20s").finish().digest == early
    assert execution.run().digest == Simulation.from_spec(small()).run().digest, "the log went on"
    assert execution.digest_so_far() == execution.finish().digest


def test_only_the_last_continuation_is_under_way() -> None:
    snapshot = at(small(), "20s").snapshot()
    one = snapshot.go_on()
    one.advance("30s")
    other = snapshot.go_on()
    with pytest.raises(SimulationError, match="this run is finished; start another"):
        one.advance("35s")
    assert not one.finish().complete
    other.advance("30s")
    late = other.snapshot()
    last = late.go_on()
    snapshot.go_on()
    with pytest.raises(SimulationError, match="this run is finished"):
        last.advance("35s")


def test_what_cannot_be_kept_is_refused(tmp_path: Any) -> None:
    simulation = Simulation(duration="20s")
    simulation.add_venue("XSIM", [small().instrument("ABC")])
    simulation.add_agents(Noise(), 5, "noise", compiled=False)
    with pytest.raises(InvalidValueError, match=r'noise.0 is run by Python.*use how="replay"'):
        simulation.start().snapshot()
    with pytest.raises(InvalidValueError, match="a market is kept in memory"):
        Simulation.from_spec(small()).start(tmp_path / "run").snapshot()
    execution = Simulation.from_spec(small()).start()
    execution.run()
    with pytest.raises(InvalidValueError, match="the run is over"):
        execution.snapshot()
