"""What a double auction came to: a line for each instrument whose traders have units with values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketsim.errors import MarketSimError

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.scenario.spec import ScenarioSpec


def bargains(run: Run) -> list[str]:
    """Efficiency and Smith's alpha; nothing where traders have no units, or no one schedule holds for all of them."""
    from marketsim.scenario.spec import ScenarioSpec

    try:
        spec = ScenarioSpec.from_dict(run.manifest.spec)
        symbols = list(spec.instruments) if _has_units(spec) else []
    except MarketSimError:  # such as a type of agent that is not at hand where the run is looked at
        return []
    return [line for symbol in symbols for line in _lines(run, symbol)]


def _has_units(spec: ScenarioSpec) -> bool:
    from marketsim.scenario.registry import REGISTRY

    return any(hasattr(REGISTRY.resolve("agent", section.type), "replenish") for section in spec.agents.values())


def _lines(run: Run, symbol: str) -> list[str]:
    from marketsim.agents.assignment import schedule_of
    from marketsim.analysis.double_auctions import double_auction

    try:
        schedule = schedule_of(run, symbol)
        if not schedule.values or not schedule.costs:
            return []
        found = double_auction(run, schedule, symbol)
    except MarketSimError:  # such as somebody who traded without units
        return []
    families = ", ".join(f"{name} {ratio:.2f}" for name, ratio in found.families()["ratio"].dropna().items())
    measures = f"efficiency {found.efficiency:.3f}, Smith's alpha {found.alpha:.1f} %"
    return [
        f"{symbol}: {measures}, by the values of the traders' units, which no P&L counts",
        f"{symbol}: profit with them over that in equilibrium: {families}",
    ]
