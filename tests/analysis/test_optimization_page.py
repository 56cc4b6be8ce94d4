"""The page and the figures of an optimisation, from made-up trials: whole, self-contained, read in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browsing import assert_readable, browser

from marketsim.analysis.figures import optimization_history, optimization_slices, parameter_importance
from marketsim.analysis.page_optimization import decimals_of, optimization_report, verdict
from marketsim.experiment.optimization import Optimization
from marketsim.experiment.space import Space
from marketsim.scenario.spec import ScenarioSpec

__all__ = ["browser"]  # a fixture

SPREAD, RULE, LATENCY = "agents.mm.target_spread", "agents.mm.quantity", "network.latency"
SPEC = ScenarioSpec.from_dict(
    {
        "name": "made <up>",
        "duration": "20s",
        "venues": {"XSIM": {}},
        "instruments": {"ABC": {}},
        "agents": {"mm": {"type": "market_maker", "target_spread": 0.4}},
    }
)


def made_up(count: int = 60, direction: str = "maximize", checked: bool = True, better: bool = True) -> Optimization:
    """An optimisation that nobody ran."""
    draw = np.random.default_rng(3)
    spread = np.exp(draw.uniform(np.log(0.02), np.log(2), count)).round(4)
    sign = 1.0 if direction == "maximize" else -1.0
    value = sign * (1000 - 400 * np.log(spread / 0.2) ** 2 + draw.normal(0, 50, count))
    state = np.where(np.arange(count) % 5 == 3, "pruned", "complete").astype(object)
    if count > 7:
        state[7] = "failed"
        value[7] = np.nan
        value[8] = sign * -1e6  # rare, and no reason to flatten all others
    trials = pd.DataFrame(
        {
            "trial": range(count),
            "state": state,
            "value": value,
            "seeds": np.where(state == "complete", 5, 2),
            "mean": value,
            "standard_error": np.full(count, 30.0),
            "error": np.where(state == "failed", "seed 2: AgentError: <it> went wrong", ""),
            SPREAD: spread,
            RULE: draw.integers(1, 50, count),
            LATENCY: draw.choice(["100us", "2ms"], count),
        }
    )
    complete = trials[trials["state"] == "complete"].sort_values("value", ascending=direction == "minimize")
    rows = []
    for place, name in enumerate(["base", *complete["trial"].head(3).map(str)]):
        gap = sign * 100.0 if place else 0.0
        own = complete[complete["trial"].astype(str) == name]
        rows.append({
            "candidate": name, "value": own["value"].iloc[0] if place else sign * 800.0, "mean": sign * 800 + gap,
            "low": sign * 800 + gap - 90, "high": sign * 800 + gap + 90, "optimism": 120.0, "difference": gap,
            "difference_low": gap - (40 if better else 140), "difference_high": gap + (40 if better else 140),
            "better": bool(place) and better, "seeds": 10, SPREAD: own[SPREAD].iloc[0] if place else 0.4,
            RULE: int(own[RULE].iloc[0]) if place else None, LATENCY: own[LATENCY].iloc[0] if place else "100us",
        })  # fmt: skip
    importance = pd.DataFrame({"parameter": [SPREAD, RULE, LATENCY], "importance": [0.9, 0.08, 0.02]})
    values = pd.DataFrame(
        {"stage": "search", "candidate": "base", "seed": [1, 2], "value": [sign * 790.0, sign * 810.0]}
    )
    space = Space.of({SPREAD: "0.02..2 log", RULE: "1..50", LATENCY: ["100us", "2ms"]}, SPEC)
    return Optimization(
        SPEC, space, "agents.mm.pnl", direction, "mean", "tpe", (1, 2, 3, 4, 5), tuple(range(6, 16)) if checked else (),
        0.95, trials, values, importance, pd.DataFrame(rows) if checked else pd.DataFrame(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return optimization_report(made_up(), tmp_path_factory.mktemp("page") / "deep" / "page.html")


def test_it_tells_what_was_found_and_what_it_is_worth(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    found = made_up()
    assert "<h1>made &lt;up&gt;</h1>" in text
    assert "Clearly better (95 %): +100 (+60 to +140) against the scenario as it is under 10 fresh seeds." in text
    for words in (">as it is<", f">trial {found.winner}<", "60 trials (tpe)", "12 given up early", "1 failed"):
        assert words in text
    assert "1 of the trials failed; the first, trial 7: seed 2: AgentError: &lt;it&gt; went wrong" in text
    assert "(its default)" in text
    assert text.count("<figure") == 3
    assert "target_spread: " in text[text.index("<pre>") :]
    assert "<script" not in text
    assert written.stat().st_size < 1_000_000


def test_it_asks_nothing_of_any_network(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    addresses = re.findall(r"""(?:src|srcset|href)="([^"]*)\"""", text)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser_it_can_be_read(browser: Any, written: Path, width: int) -> None:
    assert_readable(browser, written, width, pictures=3, sections=4)


def test_the_verdict_does_not_promise_more_than_the_check() -> None:
    assert verdict(made_up(better=False)).startswith("Not clearly better: +100 (−40 to +240)")
    assert "too good" in verdict(made_up(checked=False))
    assert verdict(made_up(direction="minimize")).startswith("Clearly better (95 %): −100 (−140 to −60)")
    worse = made_up()
    worse.finalists.loc[1:, ["difference", "difference_low", "difference_high", "better"]] = [
        -50.0,
        -90.0,
        -10.0,
        False,
    ]
    assert verdict(worse).startswith("Clearly worse (95 %): −50 (−90 to −10)")


def test_a_search_that_was_not_checked_has_a_page(tmp_path: Path) -> None:
    text = optimization_report(made_up(3, checked=False), tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'class="notice"' in text
    assert "fresh seeds" not in text[text.index('id="found"') : text.index('id="search"')]


def test_the_best_so_far_and_the_scale_of_the_history() -> None:
    found = made_up()
    axes = found.figure("history").axes[0]
    (line,) = (line for line in axes.lines if line.get_label() == "best so far")
    assert list(line.get_ydata())[-1] == found.value
    assert axes.get_ylim()[0] > -1e5, "one rare value does not flatten the others"
    assert axes.get_ylim()[1] > found.value
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["best so far", "all seeds", "given up", "scenario as it is", "failed"]
    least = made_up(direction="minimize")
    axes = optimization_history(least.trials, "x", "minimize", width=4.0).axes[0]
    assert axes.get_ylim()[0] < least.value
    assert axes.get_ylim()[1] < 1e5


def test_slices_have_scales_and_words() -> None:
    found = made_up()
    spread, quantity, latency = found.figure("slices").axes
    assert (spread.get_xscale(), quantity.get_xscale()) == ("log", "linear")
    assert latency.get_xlabel() == "network.latency (us)"
    assert found.points()[LATENCY].isin([100.0, 2000.0]).all()
    words = found.trials.assign(**{LATENCY: np.where(found.trials["trial"] % 2, "fast", "slow")})
    (axes,) = optimization_slices(words, {LATENCY: ("linear", "")}).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["slow", "fast"]


def test_bars_stand_in_the_order_of_importance() -> None:
    axes = parameter_importance(made_up().importance).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [SPREAD, RULE, LATENCY]
    assert [patch.get_width() for patch in axes.patches] == [90.0, 8.0, 2.0]


def test_decimals_follow_how_far_trials_are_apart() -> None:
    trials = pd.DataFrame({"state": "complete", "value": [1.0001, 1.0002, 1.0003]})
    assert decimals_of(1.0, trials) == ",.6f"
    assert decimals_of(123.0, trials.head(1)) == ",.0f"
