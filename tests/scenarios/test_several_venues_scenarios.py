"""The scenarios of several venues show what their pages say."""

from __future__ import annotations

from typing import Any

import pytest

import marketsim as ms
from marketsim.analysis import (
    accounts,
    crossed_figure,
    flows_by_venue,
    locked_and_crossed,
    venue_figure,
    venue_shares,
)
from marketsim.analysis.picture import png
from marketsim.simulation import Simulation
from marketsim.trading.router import RoutedOrder

SHORT = {"duration": "20s", "warm_up": "0s"}


def run(name: str, *without: str, **changes: Any) -> Any:
    overrides = {**changes, **{f"agents.{agent}": None for agent in without}}
    simulation: Simulation = ms.load(name, overrides)
    return simulation.run()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 1, 2])
def test_arbitrage_keeps_the_prices_together_and_the_quick_are_paid_for_it(seed: int) -> None:
    name = "two_venues_latency_arbitrage"
    runs = {
        words: run(name, *without, seed=seed)
        for words, without in (("none", ("quick", "slow")), ("slow", ("quick",)), ("both", ()))
    }
    crossed = {words: locked_and_crossed(each).loc["crossed", "share_of_time"] for words, each in runs.items()}
    assert crossed["none"] > 0.3
    assert crossed["both"] < 0.5 * crossed["slow"] < 0.01
    alone, beside, quick = (
        accounts(runs["slow"])["slow"], accounts(runs["both"])["slow"], accounts(runs["both"])["quick"],
    )  # fmt: skip
    assert alone.pnl > 0 > beside.pnl
    assert quick.pnl > 0
    assert beside.fill_ratio < 0.8 < quick.fill_ratio
    assert abs(quick.position) <= 50, "it flattens what it holds"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 5])
def test_routed_flow_goes_where_taking_is_paid_and_makers_follow(seed: int) -> None:
    war = run("fee_wars", seed=seed)
    flow = flows_by_venue(war)
    assert flow.loc["investor"].idxmax() == "INVERTED"
    assert flow.loc["investor", "REBATE"] < 0.3 * flow.loc["investor", "INVERTED"]
    assert flow.loc["noise"].max() < 2 * flow.loc["noise"].min(), "they do not choose"
    assert flows_by_venue(war, side="maker").loc["maker"].idxmax() == "INVERTED"
    assert list(flows_by_venue(war, side="maker").loc["patient"].to_numpy().nonzero()[0]) == [2]
    shares = venue_shares(war)
    assert shares.loc["INVERTED", "taker_fees"] < 0 < shares.loc["INVERTED", "revenue"]
    free = run("fee_wars", seed=seed, **{"venues.INVERTED.fees": {"maker": 0, "taker": 0}})
    assert venue_shares(free).loc["INVERTED", "volume_share"] < 0.5 * shares.loc["INVERTED", "volume_share"]


def test_what_routed_orders_say_they_filled_is_what_the_log_says() -> None:
    execution = ms.load("fee_wars", SHORT).start()
    names = [name for name in execution.world.sessions if name.split(".")[0] in ("investor", "informed", "patient")]
    parents: dict[str, list[RoutedOrder]] = {name: [] for name in names}
    for name in names:
        execution.world.sessions[name].agent.on_routed = parents[name].append  # type: ignore[method-assign]
    execution.advance(execution.spec.end)
    portfolios = {name: execution.world.sessions[name].portfolio for name in names}
    compared = 0
    for name in names:
        router = execution.world.sessions[name].agent._router
        mine = [*parents[name], *([] if router is None else router._live.get("ABC", []))]
        for parent in mine:
            parent.check()
        assert sum(parent.side * parent.filled for parent in mine) == portfolios[name].lots.get("ABC", 0)
        assert sum(parent.filled for parent in mine) == sum(int(fill.quantity) for fill in portfolios[name].history)
        assert sum(parent.fees for parent in mine) == sum(fill.fee for fill in portfolios[name].history)
        compared += len(mine)
    assert compared > 50


def test_the_figures_are_drawn_also_of_little() -> None:
    arbitrage = run("two_venues_latency_arbitrage", **SHORT)
    nothing = run("two_venues_latency_arbitrage", duration="1ms", warm_up="0s")
    for runs in ({"a": arbitrage}, {"a": nothing}, {"a": nothing, "b": arbitrage}):
        assert len(png(crossed_figure(runs))) > 2000
        assert len(png(crossed_figure(runs, width=4.0))) > 2000
    for width in (8.0, 4.0):
        assert len(png(venue_figure(run("fee_wars", **SHORT), width=width))) > 2000
        assert len(png(venue_figure(nothing, width=width))) > 2000
