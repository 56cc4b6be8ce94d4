"""The market as a Mesa model: AgentSet queries, a DataCollector, and our agents behind it.

python3 examples/06_mesa.py [DURATION] [FOLDER]        needs: pip install -e ".[mesa]"
"""

import sys
from pathlib import Path

import marketsim as ms


def main(duration: str = "2min", folder: str = "out") -> None:
    """Step through a market a second at a time and collect how wealth spreads."""
    from mesa.datacollection import DataCollector

    sim = ms.Simulation(seed=5, duration=duration)
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    sim.add_feed("value", ms.MeanReverting(half_life="1min", volatility=0.05))
    sim.add_agents(ms.agents.Noise(rate="0.5/s", improve_share=0.02, distance=8), 100, "noise")
    sim.add_agents(ms.agents.Fundamental(rate="0.5/s", max_position=200), 10, "informed")
    sim.add_agent(ms.agents.MarketMaker(quantity=50, target_spread=0.03), "mm")

    model = sim.as_mesa()
    collector = DataCollector(
        model_reporters={
            "mid": "mid",
            "ahead": lambda market: len(market.agents.select(lambda agent: agent.pnl > 0)),
        },
        agent_reporters={"family": "family", "pnl": "pnl"},
    )
    while model.running:
        model.step()
        collector.collect(model)

    print("agents by type:", {kind.__name__: len(agents) for kind, agents in model.agents_by_type.items()})
    last = collector.get_agent_vars_dataframe().xs(model.steps, level="Step")
    print(last.groupby("family")["pnl"].describe()[["count", "mean", "min", "max"]].round(2).to_string())
    run = model.finish()

    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / "mesa.csv"
    collector.get_model_vars_dataframe().to_csv(path)
    print(f"{run}\nmid and agents ahead, second by second: {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
