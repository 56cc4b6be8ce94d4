"""The Mesa view: our agents, compiled ones too, under Mesa's own tools."""

from __future__ import annotations

import subprocess
import sys

import pytest

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.errors import InvalidValueError

mesa = pytest.importorskip("mesa", reason="the extra mesa is not installed")


class Holder(ms.Agent):
    """Buys once."""

    def on_start(self) -> None:
        """Buy at whatever price there is after a second."""
        self.after("1s", self.buy, self.instrument, 5)


def model() -> object:
    simulation = ms.Simulation(seed=3, duration="5s")
    simulation.add_venue(instruments=[ms.Instrument("ABC")], taker_fee="1bps")
    simulation.add_agents(Noise(rate="3/s"), 25, "noise")
    simulation.add_agent(Holder(), "holder")
    return simulation.as_mesa()


def test_agent_sets_data_collector_and_stepping() -> None:
    market = model()
    collector = mesa.DataCollector(
        model_reporters={"mid": "mid", "spread": "spread"}, agent_reporters={"position": "position", "pnl": "pnl"}
    )
    while market.running:
        market.step()
        collector.collect(market)
    assert market.now == 5_000_000_000
    assert len(market.agents) == 26
    assert {kind.__name__: len(found) for kind, found in market.agents_by_type.items()} == {"Noise": 25, "Holder": 1}
    holder = market.agents.select(lambda agent: agent.name == "holder")[0]
    assert holder.position == 5
    assert holder.trader.position() == 5
    assert holder.cash < 1_000_000 - 5 * 90
    assert market.agents.agg("position", sum) == pytest.approx(0, abs=60)  # reports still on their way
    table = collector.get_model_vars_dataframe()
    assert len(table) == 5
    assert table["mid"].notna().all()
    assert len(collector.get_agent_vars_dataframe()) == 5 * 26


def test_the_view_changes_nothing() -> None:
    market = model()
    while market.running:
        market.step()
    plain = ms.Simulation(seed=3, duration="5s")
    plain.add_venue(instruments=[ms.Instrument("ABC")], taker_fee="1bps")
    plain.add_agents(Noise(rate="3/s"), 25, "noise")
    plain.add_agent(Holder(), "holder")
    assert market.finish().digest == plain.run().digest


def test_a_step_takes_time() -> None:
    from marketsim.mesa_view import MarketModel

    with pytest.raises(InvalidValueError, match="a step must take time"):
        MarketModel(ms.Simulation().add_venue(instruments=[ms.Instrument("ABC")]), step=0)


def test_importing_marketsim_imports_no_mesa() -> None:
    code = "import sys, marketsim, marketsim.simulation; print('mesa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
