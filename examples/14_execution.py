"""What does it cost to trade? Seven execution algorithms, one after another in the same markets, on the same chance.

python3 examples/14_execution.py [SEEDS] [FOLDER]

Each of the desks of the scenario execution_race trades its 600 units alone, so that a seed is the same day for all of
them, but for what they do to it; once it buys and once it sells, so that where the price went cancels out. Costs are
shortfalls against the mid when the order began, fees included.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

import marketsim as ms
from marketsim.analysis.figures import style

DESKS = ("twap", "vwap", "participation", "almgren_chriss", "implementation_shortfall", "iceberg", "sniper")
GRID = np.linspace(0.0, 480.0, 161)  # s since the order began


def alone(desk: str, side: str, seed: int) -> dict[str, Any]:
    """The scenario with one of its desks."""
    told = ms.load("execution_race").spec.to_dict()
    agents = {name: agent for name, agent in told["agents"].items() if name not in DESKS}
    return {**told, "seed": seed, "agents": {**agents, desk: {**told["agents"][desk], "side": side}}}


def race(desk: str, seeds: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """A row of the report for each seed and side, and what was left on average at each time of GRID."""
    rows, left = [], np.zeros(len(GRID))
    for seed in range(1, seeds + 1):
        for side in ("buy", "sell"):
            run = ms.load(alone(desk, side, seed)).run()
            rows += ms.analysis.executions(run).to_dict("records")
            path = ms.analysis.execution_holdings(run)[desk, 1]
            place = np.searchsorted(path["time"].to_numpy(), GRID, "right") - 1
            left += path["left"].to_numpy()[place] / (2 * seeds)
    return rows, left


def by_day(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    """The mean of the two sides, one value a seed."""
    return np.array([row[name] for row in rows]).reshape(-1, 2).mean(axis=1)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half of its 95 % interval (Student)."""
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()), half


@style.styled
def picture_of(costs: dict[str, np.ndarray], left: dict[str, np.ndarray]) -> Figure:
    """Left, what was left to do; right, what it cost on average, with its interval."""
    figure = style.canvas(style.WIDTH, 3.6)
    holdings, bars = style.panels(figure, 2, columns=2)
    for place, (desk, colour) in enumerate(zip(DESKS, style.PALETTE, strict=False)):
        mean, half = interval(costs[desk])
        holdings.plot(GRID / 60.0, left[desk], color=colour, label=desk.replace("_", " "))
        bars.errorbar(mean, -place, xerr=half, marker="o", color=colour, capsize=3)
    holdings.set_xlabel("time since it began (min)")
    holdings.set_ylabel("share of the order")
    holdings.set_title("Left to do, mean of all days")
    bars.axvline(0.0, color=style.GREY, linewidth=0.8)
    bars.set_yticks([-place for place in range(len(DESKS))], [desk.replace("_", " ") for desk in DESKS])
    bars.grid(visible=False, axis="y")
    bars.set_xlabel("shortfall (bps) with 95 % interval")
    bars.set_title("What it cost")
    return figure


def main(seeds: str = "20", folder: str = "out") -> None:
    """Let them race, print a table, draw a picture."""
    rows, left = {}, {}
    for desk in DESKS:
        rows[desk], left[desk] = race(desk, int(seeds))
    costs = {desk: by_day(found, "shortfall_bps") for desk, found in rows.items()}
    print(f"{'bps, mean ± 95 %':25s} filled  maker      shortfall   less TWAP's   std        to VWAP")
    for desk, found in rows.items():
        filled, maker = (np.nanmean([row[name] for row in found]) for name in ("fill_rate", "maker_share"))
        mean, half = interval(costs[desk])
        less, less_half = interval(costs[desk] - costs["twap"])
        risk = np.std([row["shortfall_bps"] for row in found], ddof=1)
        vwap, vwap_half = interval(by_day(found, "vwap_bps"))
        print(
            f"{desk:25s} {filled:5.0%}  {maker:5.0%}  {mean:6.2f} ± {half:4.2f}  {less:+5.2f} ± {less_half:4.2f}"
            f"  {risk:4.1f}  {vwap:+5.2f} ± {vwap_half:4.2f}"
        )
    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "execution.png"
    picture_of(costs, left).savefig(picture, dpi=130)
    print(f"what was left, and what it cost: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
