"""Every ready scenario: it can be built, it runs, twice to the same digest, and it is the market that it says it is."""

from __future__ import annotations

from typing import Any

import pytest

import marketsim as ms
from marketsim.scenario.loader import check, ready_scenarios
from marketsim.simulation import Simulation

NEEDED = {
    "quickstart", "market_maker_duel", "replay_day", "reference_day", "reference_hour", "two_venues_latency_arbitrage",
    "fee_wars", "lossy_feed", "training_market", "execution_race",
}  # fmt: skip
NEEDED |= {"opening_auction", "volatility_halt", "three_days"}
NEEDED |= {"market_making_glft", "latency_of_a_maker", "inventory_skew", "flash_crash_with_halts", "noise_share"}
NEEDED |= {"flash_crash", "index_arbitrage", "momentum_strategy", "spoofing"}
NEEDED |= {"opening_auction", "volatility_halt", "three_days", "risk_limits"}
QUIET = {"reference_day", "reference_hour"}  # a trade a second
QUIET = {"reference_day", "reference_hour", "square_root_law"}  # a trade a second
NAMES = ready_scenarios()


DESKS = ("almgren_chriss", "iceberg", "implementation_shortfall", "participation", "sniper", "twap", "vwap")
SESSIONS = {  # of these a piece must be taken from the right time of day
    "opening_auction": ("start=08:57", "end=09:03"),
    "volatility_halt": ("start=10:08", "end=10:14", "timeline[1].at=5min", "warm_up=0s"),
    "three_days": ("start=08:50", "end=09:30"),
    "risk_limits": ("duration=100s", "warm_up=10s", "timeline[0].at=80s"),
    "execution_race": ("duration=100s", "warm_up=10s", *(f"agents.{desk}.horizon=40s" for desk in DESKS)),
}


def short(name: str, *more: str) -> tuple[str, ...]:
    if name in SESSIONS:
        return (*SESSIONS[name], *more)
    return ("duration=10min" if name in QUIET else "duration=100s", "warm_up=10s", *more)


def test_the_scenarios_that_the_documentation_speaks_of_are_there() -> None:
    assert set(NAMES) >= NEEDED


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_check_and_says_what_it_shows(name: str) -> None:
    spec = check(name)
    assert spec.name == name
    assert len(spec.description) > 30
    assert "\n" not in spec.description.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_short_run_trades_and_has_the_same_digest_twice(name: str) -> None:
    spec = check(name, short(name))
    first, second = (Simulation.from_spec(spec).run() for _ in range(2))
    assert first.digest == second.digest
    assert len(first.trades) > 50


@pytest.mark.parametrize("name", [name for name in NAMES if name != "replay_day"])
def test_another_seed_is_another_run(name: str) -> None:
    spec = check(name, short(name))
    other = check(name, short(name, f"seed={spec.seed + 1}"))
    assert Simulation.from_spec(spec).run().digest != Simulation.from_spec(other).run().digest


def test_a_recorded_day_is_the_same_under_every_seed() -> None:
    first, second = (
        Simulation.from_spec(check("replay_day", short("replay_day", f"seed={seed}"))).run() for seed in (1, 2)
    )
    assert first.digest == second.digest


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_with_a_run_is_the_whole_scenario(name: str) -> None:
    spec = check(name)
    assert ms.ScenarioSpec.from_dict(spec.to_dict()).fingerprint() == spec.fingerprint()


# --- quickstart ---


def test_quickstart_is_thirty_minutes_of_at_least_300_agents_of_all_families() -> None:
    spec = check("quickstart")
    assert spec.duration == 30 * 60 * 1_000_000_000
    types = {agent.type for agent in spec.agents.values()}
    assert types >= {"market_maker", "avellaneda_stoikov", "liquidity_taker", "machine_learning", "noise"}
    assert sum(agent.count for agent in spec.agents.values()) >= 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 1, 2])
def test_quickstart_looks_like_a_market(seed: int) -> None:
    """Bounds are wide: they hold for other seeds and releases, and fail when something is broken."""
    run: Any = Simulation.from_spec(check("quickstart", [f"seed={seed}"])).run()
    summary = ms.analysis.summarize(run)
    market, families = summary.market.loc["ABC"], summary.families
    assert 1.2 <= market["spread"] / 0.01 <= 4.0  # ticks
    assert 2.5 <= market["volatility_bps"] <= 10.0  # 13 to 50 % a year
    assert 5_000 <= market["trades"] <= 40_000
    assert 0.002 <= (market["high"] - market["low"]) / market["open"] <= 0.03
    makers = families.loc[["market_maker", "avellaneda_stoikov"]]
    assert (makers["pnl"] > 0).all()
    assert (families["orders"] > 0).all()
    books = ms.analysis.accounts(run).families
    assert (books.loc[["market_maker", "avellaneda_stoikov"], "spread_capture"] > 0).all()
    assert (books.loc[["market_maker", "avellaneda_stoikov"], "max_position"] < 500).all()
    assert books.loc["noise", "spread_capture"] < 0
    assert books.loc["fundamental", "adverse_selection"] > 0  # they are those who know more
    assert abs(families["position"].sum()) == 0


@pytest.mark.slow
def test_in_the_duel_both_makers_trade_and_earn() -> None:
    families = ms.analysis.summarize(Simulation.from_spec(check("market_maker_duel")).run()).families
    assert set(families.index) == {"fundamental", "guarded", "stoikov", "liquidity_taker", "noise"}
    for name in ("guarded", "stoikov"):
        assert families.loc[name, "fills"] > 200
        assert families.loc[name, "pnl"] > 0


# --- lossy_feed ---


@pytest.mark.slow
def test_on_a_lossy_feed_the_poor_line_costs_money() -> None:
    run: Any = Simulation.from_spec(check("lossy_feed")).run()
    books = ms.analysis.accounts(run)
    sound, poor = books["sound"], books["poor"]
    assert poor.spread_capture < 0.9 * sound.spread_capture
    assert poor.pnl < sound.pnl
    kinds = run.events["kind"].tolist()
    assert kinds.count(25) == kinds.count(26) >= 1
