"""The scenarios of stress and of index arbitrage show what their pages say, over paired seeds.

Paired: both sides of a comparison run under the same seeds, in which everybody else draws the same numbers. What is
held is that Student's interval of the mean difference, at 95 %, excludes zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from statistical import runs

import marketsim as ms
from marketsim.analysis import Tape, accounts, index_values, labels

SECOND = 1_000_000_000


def run(name: str, **changes: Any) -> Any:
    return ms.load(name, changes).run()


def interval(differences: Any) -> tuple[float, float]:
    """Mean, and half of the 95 % interval."""
    values = np.asarray(differences, dtype=float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(t.ppf(0.975, len(values) - 1) * error)


# --- flash_crash ---


def course(of: Any) -> tuple[float, float, float]:
    """The mid at 10:05, the lowest one after it, and that of the end."""
    tape = Tape.of(of)
    begin = of.start + 4 * 60 * SECOND
    mid = tape.mid[tape.quote_time >= begin]
    return float(tape.at(tape.mid, np.array([begin]))[0]), float(np.nanmin(mid)), float(mid[~np.isnan(mid)][-1])


@pytest.mark.slow
def test_the_price_crashes_and_recovers() -> None:
    crash = run("flash_crash", duration="26min")
    begin, low, end = course(crash)
    assert low < 0.985 * begin
    assert end - low > 0.4 * (begin - low), "and comes back, in the quarter of an hour after it"
    found = labels(crash)
    seller = found[found["kind"] == "large_seller"]
    assert seller["filled"].sum() == 5_000
    trades = crash.trades[crash.trades["time"].between(seller["start"].min(), seller["start"].max())]
    share = 5_000 / trades["quantity"].sum()
    print(f"\nthe program's share of the volume while it sells: {share:.1%}, as told 20 % of the minute before")
    assert share == pytest.approx(0.2, abs=0.02)
    assert len(found[found["kind"] == "liquidation_cascade"]) > 10
    assert accounts(crash).families.loc["market_maker", "max_position"] <= 300


# --- what makes it worse, in a market of compiled agents alone ---


def fall(seed: int, participation: float, leverage: float | None = None) -> tuple[float, float]:
    """How far the price falls from the second minute to the seventh, in USD; lots sold by force."""
    simulation = ms.Simulation(seed, "7min", warm_up="1min", latency="500us")
    simulation.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    everybody = {"market_share": 0.25, "cancel_share": 0.3, "improve_share": 0.1, "distance": 12, "quantity": 10}
    patient = {"market_share": 0.0, "cancel_share": 0.1, "improve_share": 0.0, "distance": 100, "quantity": 20}
    simulation.add_agents(ms.agents.Noise(rate="0.1/s", **everybody), 100, "noise")
    simulation.add_agents(ms.agents.Noise(rate="0.05/s", **patient), 40, "patient")
    seller = ms.agents.LargeSeller(participation=participation, begin="2min", quantity=1_000_000)
    simulation.add_agent(seller, "seller")
    if leverage is not None:
        borrowers = ms.agents.LiquidationCascade(
            holders=40, quantity=80, highest_leverage=leverage, lowest_leverage=leverage / 2, maintenance=0.02,
            begin="2min",
        )  # fmt: skip
        simulation.add_agent(borrowers, "borrowers")
    done = simulation.run()
    tape, begin = Tape.of(done), done.start + 60 * SECOND
    low = float(np.nanmin(tape.mid[tape.quote_time >= begin]))
    forced = labels(done).groupby("kind")["filled"].sum().get("liquidation_cascade", 0.0)
    return float(tape.at(tape.mid, np.array([begin]))[0]) - low, float(forced)


@pytest.mark.statistical
def test_the_cascade_grows_with_leverage() -> None:
    """40 holders, the boldest with the leverage told, the most careful with half; a seller of 30 % sets it off."""
    leverages, seeds = (6, 30, 40, 48), range(runs(6, 40))
    found = np.array([[fall(seed, 0.3, leverage) for leverage in leverages] for seed in seeds])
    means = found.mean(axis=0)
    for leverage, (deep, forced) in zip(leverages, means, strict=True):
        print(f"\nleverage {leverage}: falls by {deep:.2f} USD, {forced:.0f} of 3,200 lots are sold by force", end="")
    assert (np.diff(means, axis=0) > 0).all(), "each step of leverage makes it worse"
    for column, what in ((0, "fall in USD"), (1, "lots sold by force")):
        mean, half = interval(found[:, 3, column] - found[:, 0, column])
        print(f"\n{what}: {mean:.2f} ± {half:.2f} more with leverage 48 than with 6", end="")
        assert mean > half
    assert (found[:, 0, 1] == 0).all(), "leverages of 3 to 6 have thresholds 15 % and more below the price"


@pytest.mark.statistical
def test_the_fall_grows_with_the_sellers_rate() -> None:
    seeds, rates = range(runs(6, 40)), (0.05, 0.09, 0.2, 0.3)
    found = np.array([[fall(seed, rate)[0] for rate in rates] for seed in seeds])
    print("\nfall in USD: " + ", ".join(f"{m:.2f} at {r:.0%}" for r, m in zip(rates, found.mean(axis=0), strict=True)))
    assert (np.diff(found.mean(axis=0)) > 0).all()
    for faster, slower in ((3, 1), (2, 0)):
        mean, half = interval(found[:, faster] - found[:, slower])
        print(f"{rates[faster]:.0%} above {rates[slower]:.0%}: {mean:.2f} ± {half:.2f}")
        assert mean > half


# --- spoofing ---


@pytest.mark.statistical
def test_a_decoy_makes_others_trade_with_the_genuine_order() -> None:
    """Filled share of the genuine orders, with a decoy of 400 lots and with one of a single lot, which fools nobody."""

    def filled(seed: int, lots: int) -> tuple[float, float]:
        changes = {"agents.spoofer.decoy_quantity": lots, "agents.spoofer.interval": "6s", "agents.layering": None}
        found = labels(run("spoofing", seed=seed, duration="5min", **changes))
        shares = found["filled"] / found["quantity"]
        return tuple(float(shares[found["role"] == role].mean()) for role in ("genuine", "decoy"))

    seeds = range(runs(7, 40))
    pairs = [(filled(seed, 400), filled(seed, 1)) for seed in seeds]
    mean, half = interval([a[0] - b[0] for a, b in pairs])
    base = np.mean([b[0] for _, b in pairs])
    print(f"\nfilled share of genuine orders: {100 * mean:+.0f} ± {100 * half:.0f} points on {100 * base:.0f} %")
    assert mean > half
    assert np.mean([a[1] for a, _ in pairs]) < 0.05, "of the decoys hardly anything trades"


# --- index_arbitrage ---


def basis(of: Any) -> float:
    """Mean distance of the fund's mid from its index, in USD."""
    index, fund = index_values(of, "TOP"), Tape.of(of, "FUND")
    times = np.arange(of.start, of.end, SECOND // 10)
    value = index["value"].to_numpy()[np.searchsorted(index["time"], times, "right") - 1]
    return float(np.nanmean(np.abs(fund.at(fund.mid, times) - value)))


@pytest.mark.statistical
def test_arbitrage_holds_the_fund_at_its_index_and_the_near_one_is_paid() -> None:
    short = {"duration": "2min"}
    without, beside, gained, missed = [], [], [], []
    for seed in range(runs(4, 20)):
        without.append(basis(run("index_arbitrage", seed=seed, **short, **{"agents.near": None, "agents.far": None})))
        both = run("index_arbitrage", seed=seed, **short)
        beside.append(basis(both))
        books = accounts(both)
        gained.append(books["near"].pnl - books["far"].pnl)
        missed.append(books["near"].fill_ratio - books["far"].fill_ratio)
    mean, half = interval(np.array(without) - beside)
    print(
        f"\nbasis {np.mean(without):.3f} USD alone, {np.mean(beside):.3f} with arbitrage: {mean:.3f} ± {half:.3f} less"
    )
    assert mean > half
    assert np.mean(beside) < 0.05, "spreads of two ticks each, and a threshold of two cents"
    mean, half = interval(missed)
    print(f"fill ratio of near above far: {mean:.2f} ± {half:.2f}; profit, USD: {np.mean(gained):.1f}")
    assert mean > half, "the far one comes too late"
