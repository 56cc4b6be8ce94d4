"""Strategies made of rules: six of the ready scenario and one written here, what they did and why, also as a picture.

python3 examples/15_rules.py [AGENT] [DURATION] [FOLDER]
"""

import sys
from pathlib import Path

import marketsim as ms
from marketsim.agents.rules import AdvancedAtr, Bollinger, Rsi, TakeProfit, Time, Volume
from marketsim.agents.sizing import Risk


def mine() -> ms.Agent:
    """Trades what has overshot, unless everybody trades; half goes at the first target, the stop follows the rest."""
    return ms.agents.RuleStrategy(
        enter=(Rsi(below=40) | Bollinger(below="lower")) & ~Volume(above=4),
        exit=[AdvancedAtr(stop=3, target=6), TakeProfit(atr=2, share=0.5), Time(after="2min")],
        direction="both",
        timeframe="5s",
        sizing=Risk(0.000005),
    )


def main(agent: str = "mine", duration: str = "15min", folder: str = "out") -> None:
    """Run the ready scenario with one strategy more, and tell the story of one of them."""
    sim = ms.load("rule_strategies", {"duration": duration})
    sim.add_agent(mine(), "mine", latency="500us")
    run = sim.run()

    told = run.annotations
    for remark in told[told["agent"] == agent].itertuples():
        print(f"{remark.time / 1e9 - 34_200:7.2f} s  {remark.key:6}  {remark.value}")
    accounts = ms.analysis.accounts(run).table
    strategies = [name for name, kind in accounts["type"].items() if kind == "RuleStrategy"]
    print(
        f"\n{accounts.loc[strategies, ['orders', 'fills', 'volume', 'position', 'fees', 'pnl']].round(2).to_string()}"
    )

    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "rules.png"
    ms.analysis.signal_figure(run, agent).savefig(picture, dpi=150)
    print(f"\n{picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
