"""Forks: the same past, the same future for nothing, and both ways of going on come to the same."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.agents.intervention import Intervention
from marketsim.agents.noise import Noise
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.experiment.fork import Plan, fork, moment_of
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation import Simulation, load

SECOND = 1_000_000_000
NOTHING = Intervention(quantity=0)
BUY = Intervention(side="buy", quantity=300)


def scenario(**agents: Any) -> ScenarioSpec:
    return ScenarioSpec.from_dict(
        {
            "name": "forked",
            "seed": 3,
            "start": "09:30",
            "duration": "40s",
            "venues": {"XSIM": {}, "YSIM": {"instruments": ["DEF"]}},
            "instruments": {"ABC": {"lot_size": 10}, "DEF": {}},
            "feeds": {"value": {"type": "mean_reverting"}},
            "agents": {
                "noise": {"type": "noise", "count": 30, "rate": "2/s", "instruments": ["ABC"]},
                "fundamental": {"type": "fundamental", "count": 5, "instruments": ["ABC"]},
                "other": {"type": "noise", "count": 20, "rate": "2/s", "instruments": ["DEF"]},
                **agents,
            },
        }
    )


MAKER = {"type": "market_maker", "instruments": ["ABC"], "quantity": 50}  # written in Python
ORDERS = (
    NOTHING,
    BUY,
    Intervention(side="sell", quantity=400, pieces=4, over="8s"),
    Intervention(quantity=50, orders="limit", offset=0.01),
)


@pytest.mark.parametrize("agents", [{}, {"maker": MAKER}], ids=["compiled", "python"])
def test_the_past_is_the_same_and_so_is_the_future_of_nothing(agents: dict[str, Any]) -> None:
    spec = scenario(**agents)
    found = fork(spec, "20s", *ORDERS)
    assert found.how == ("replay" if agents else "snapshot")
    assert found.base.digest == Simulation.from_spec(spec).run().digest, "a sleeping agent changes nothing"
    assert found.runs[0].digest == found.base.digest, "nor does an order for nothing"
    assert found.common(found.runs[0]) == len(found.base.event_log)
    for run in found.runs[1:]:
        shared = found.common(run)
        assert run.digest != found.base.digest
        assert (run.events[:shared] == found.base.events[:shared]).all()
        assert found.base.events["time"][shared - 1] >= spec.start + 19 * SECOND
        assert run.events["time"][shared] >= spec.start + 20 * SECOND, "the first difference lies behind t"
        own = run.orders[run.orders["agent"] == found.name]
        assert own["time"].iloc[0] >= spec.start + 20 * SECOND
        assert (run.orders["instrument"][own.index] == "ABC").all()


def test_a_snapshot_and_a_replay_come_to_the_same() -> None:
    for until in (None, "30s"):
        kept, replayed = (fork(scenario(), "09:30:20", *ORDERS, until=until, how=how) for how in ("snapshot", "replay"))  # type: ignore[arg-type]
        assert (kept.how, replayed.how) == ("snapshot", "replay")
        assert kept.base.digest == replayed.base.digest
        assert [run.digest for run in kept.runs] == [run.digest for run in replayed.runs]
        for run, again in zip((kept.base, *kept.runs), (replayed.base, *replayed.runs), strict=True):
            assert run.complete
            assert run.manifest.spec == again.manifest.spec
            assert run.manifest.end == again.manifest.end


def test_each_run_tells_a_scenario_that_gives_the_same_run(tmp_path: Any) -> None:
    found = fork(scenario(), "20s", BUY)
    again = Simulation.from_spec(ScenarioSpec.from_dict(found.forked.manifest.spec)).run()
    assert again.digest == found.forked.digest
    kept = found.forked.save(tmp_path / "forked")
    assert kept.digest == found.forked.digest
    assert len(kept.event_log) == len(found.forked.event_log)


def test_the_order_goes_where_it_is_sent() -> None:
    found = fork(scenario(), "20s", Intervention(quantity=7), instrument="DEF", venue="YSIM", latency="3ms")
    mine = found.forked.trades[found.forked.trades["taker"] == found.name]
    assert mine["quantity"].sum() == 7
    assert set(mine["venue"]) == {"YSIM"}
    assert mine["time"].min() == scenario().start + 20 * SECOND + 3_000_000


def test_a_simulation_of_objects_is_forked_with_its_objects() -> None:
    simulation = Simulation(seed=1, duration="30s").add_venue("XSIM", [Instrument("ABC")])
    simulation.add_agents(Noise(rate=2.0), 30, "noise")
    found = fork(simulation, "10s", NOTHING, BUY)
    assert found.base.digest == found.runs[0].digest == simulation.run().digest != found.runs[1].digest
    with pytest.raises(InvalidValueError, match=r"there are 2 runs with an order: take one of .runs"):
        _ = found.forked


def test_a_forked_participant_comes_last_whatever_the_others_are_called() -> None:
    plan = Plan.of(scenario(zzz={"type": "noise"}), ("10s", "20s", "10s"), (BUY,))
    assert plan.keys == ("zzz_order_001", "zzz_order_002")
    assert list(plan.spec.agents)[-2:] == list(plan.keys)
    assert plan.times == (scenario().start + 10 * SECOND, scenario().start + 20 * SECOND)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"at": "40s"}, "at='40s': 09:30:40.000000000 lies outside of the run, which goes from 09:30:00"),
        ({"at": "09:29"}, "lies outside of the run"),
        ({"at": "soon"}, "use a time of day or a time after the start"),
        ({"instrument": "ABD"}, "instrument='ABD': forked has none of this symbol; did you mean \"ABC\"?"),
        ({"venue": "ZSIM"}, "venue='ZSIM': forked has none of this name"),
        ({"venue": "YSIM", "instrument": "ABC"}, "venue='YSIM' does not trade ABC"),
        ({"order": Intervention(quantity=55)}, "is not a multiple of 10: use 50 or 60"),
        ({"until": "20s"}, "until='20s': it lies before the fork at 09:30:20"),
        ({"until": "1min"}, "until='1min': 09:31:00.000000000 lies outside of the run"),
        ({"how": "copy"}, "how='copy' is unknown"),
    ],
)
def test_what_is_refused(terms: dict[str, Any], words: str) -> None:
    order, at = terms.pop("order", BUY), terms.pop("at", "20s")
    with pytest.raises(InvalidValueError) as caught:
        fork(scenario(), at, order, **terms)
    assert words in str(caught.value)


def test_a_snapshot_of_a_market_with_python_agents_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r'maker is run by Python.*use how="replay"'):
        fork(scenario(maker=MAKER), "20s", BUY, how="snapshot")
    with pytest.raises(InvalidValueError, match="a fork needs a time and an order"):
        fork(scenario(), "20s")


def test_moments() -> None:
    spec = scenario()
    assert (
        moment_of(spec, "10s", "at")
        == moment_of(spec, "09:30:10", "at")
        == moment_of(spec, spec.start + 10 * SECOND, "at")
    )


def test_an_order_in_a_scenario_file_is_the_fork() -> None:
    """The type ``intervention`` is there for everybody: the forked run, written down."""
    spec = load(
        scenario().to_dict(),
        {
            "agents.zz_order": {
                "type": "intervention",
                "at": "20s",
                "quantity": 300,
                "instruments": ["ABC"],
                "venues": ["XSIM"],
            }
        },
    )
    assert spec.run().digest == fork(scenario(), "20s", BUY).forked.digest
