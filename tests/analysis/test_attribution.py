"""Attribution: what rules earned adds up to what was realised, and an active return to its parts."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, by_hand
from test_accounting import hand

import marketsim as ms
from marketsim.agents import rules as r
from marketsim.analysis import accounts, benchmark_attribution, rule_contribution, rule_figure
from marketsim.analysis.attribution import NO_RULE
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError


class Noted:
    """Tables with annotations."""

    def __init__(self, tables: Any, *notes: tuple[str, str, str]) -> None:
        self._tables = tables
        self.annotations = pd.DataFrame([(0, *note) for note in notes], columns=["time", "agent", "key", "value"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)


def said(order: int, rule: str, agent: str = "dip", venue: str = "") -> tuple[str, str, str]:
    return agent, "rule", json.dumps({"order": order, "venue": venue, "rule": rule, "reason": f"{rule} {order}"})


def trade(at: float, side: int, price: float, quantity: float, order: int, fee: float = 0.0) -> dict[str, Any]:
    return {
        "time": int(at * SECOND), "side": side, "price": price, "quantity": quantity, "taker": "dip", "maker": "",
        "taker_order": order, "taker_fee": fee,
    }  # fmt: skip


AGENTS = [{"name": "dip", "family": "dip", "type": "RuleStrategy", "initial_cash": 1000.0}]
TRADES = [
    trade(1, 1, 100.0, 4, 1, 0.4),  # in by a
    trade(2, -1, 101.0, 2, 2),  # half out at a target
    trade(2, -1, 102.0, 2, 3),  # half by time
    trade(3, 1, 100.0, 1, 4),  # in by a, in two fills
    trade(4, 1, 100.0, 1, 4),
    trade(5, -1, 97.0, 2, 5),  # stopped
    trade(6, 1, 100.0, 1, 6),  # in by b
    trade(7, -1, 105.0, 1, 7, 0.5),  # out by nobody's rule
    trade(8, 1, 100.0, 3, 8),  # still there
]


def noted() -> Noted:
    notes = [
        said(1, "a"),
        said(2, "target"),
        said(3, "time"),
        said(4, "a"),
        said(5, "stop"),
        said(6, "b"),
        said(8, "b"),
    ]
    other = [said(7, "x", venue="Y"), ("dip", "rule", "no mapping"), ("dip", "signal", "long"), said(7, "x", "nobody")]
    return Noted(by_hand(TRADES, [(0, 99.0, 1, 101.0, 1)], agents=AGENTS), *notes, *other)


def test_round_trips_know_their_strategy_rules_and_reasons() -> None:
    trips = accounts(noted()).round_trips
    assert trips["strategy"].unique().tolist() == ["RuleStrategy"]
    assert trips["entry_order"].tolist() == [1, 1, 4, 4, 6]
    assert trips["exit_order"].tolist() == [2, 3, 5, 5, 7]
    assert trips["entry_rule"].tolist() == ["a", "a", "a", "a", "b"]
    assert trips["exit_rule"].tolist() == ["target", "time", "stop", "stop", ""]
    assert trips["exit_reason"].tolist() == ["target 2", "time 3", "stop 5", "stop 5", ""]
    assert accounts(hand()).round_trips["entry_reason"].tolist() == [""]


def test_entries_by_hand() -> None:
    found = rule_contribution(noted()).set_index("entry_rule")
    assert found.index.tolist() == ["b", "a"], "the best first"
    a = found.loc["a"]
    # Three trades: 2 · 1 - 0.2 at the target, 2 · 2 - 0.2 by time, 2 · -3 at the stop.
    trades = np.array([1.8, 3.8, -6.0])
    assert (a["trades"], a["win_rate"], a["quantity"]) == (3, pytest.approx(2 / 3), 6.0)
    assert (a["gross"], a["fees"], a["pnl"]) == (0.0, pytest.approx(-0.4), pytest.approx(-0.4))
    assert a["mean"] == pytest.approx(trades.mean())
    assert a["standard_error"] == pytest.approx(trades.std(ddof=1) * math.sqrt(3))
    b = found.loc["b"]
    assert (b["trades"], b["pnl"], b["share"]) == (1, 4.5, pytest.approx(4.5 / 4.1))
    assert math.isnan(b["standard_error"])


def test_exits_and_pairs_by_hand() -> None:
    by_exit = rule_contribution(noted(), by="exit").set_index("exit_rule")["pnl"]
    assert by_exit.to_dict() == pytest.approx({NO_RULE: 4.5, "time": 3.8, "target": 1.8, "stop": -6.0})
    both = rule_contribution(noted(), "dip", by="both")
    assert next(zip(both["entry_rule"], both["exit_rule"], strict=True)) == ("b", NO_RULE)
    realized = accounts(noted())["dip"].realized
    for by in ("entry", "exit", "both"):
        assert rule_contribution(noted(), by=by)["gross"].sum() == realized == 5.0  # type: ignore[arg-type]


def test_nobody_who_said_a_rule_and_names_that_do_not_exist() -> None:
    assert rule_contribution(hand()).empty
    assert rule_contribution(hand(), "mm")["entry_rule"].tolist() == [NO_RULE]
    with pytest.raises(InvalidValueError, match="no agent is called 'din'"):
        rule_contribution(noted(), "din")
    with pytest.raises(InvalidValueError, match="by='rule' is unknown"):
        rule_contribution(noted(), by="rule")  # type: ignore[arg-type]


def market(**terms: Any) -> ms.Run:
    simulation = ms.load("training_market", {"duration": "4min", "warm_up": "0s", "seed": 2})
    strategy = ms.agents.RuleStrategy(timeframe="1s", max_position=50, direction="both", **terms)
    return simulation.add_agent(strategy, "rules", latency="2ms", cash=100_000).run()


def test_in_a_market_the_rules_add_up_to_what_was_realised() -> None:
    run = market(enter=r.Rsi(below=42) | r.Bollinger(), exit=[r.AdvancedAtr(stop=2, target=2), r.Time(bars=20)])
    books = accounts(run)
    for by in ("entry", "exit", "both"):
        found = rule_contribution(run, by=by, books=books)  # type: ignore[arg-type]
        assert found["gross"].sum() == pytest.approx(books["rules"].realized, abs=1e-9)
        assert found["trades"].sum() >= 4
        assert not (found.filter(like="_rule") == NO_RULE).to_numpy().any()
    entries = set(rule_contribution(run, books=books)["entry_rule"])
    for rule in entries:
        assert set(rule.split(" or ")) <= {
            "rsi below 42", "rsi above 58", "bollinger below lower", "bollinger above upper",
        }  # fmt: skip
    exits = set(rule_contribution(run, by="exit", books=books)["exit_rule"])
    assert exits <= {"stop-loss", "trailing stop", "breakeven stop", "target", "time"}
    figure = rule_figure(run, books=books)
    told = [axes.get_title(loc="left") + axes.get_title() for axes in figure.axes]
    assert told == ["By entry rule", "By exit rule"]
    rows = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert len(rows) == len(exits)
    assert all("trade" in row and "won" in row for row in rows)


def test_the_momentum_strategy_says_which_part_spoke() -> None:
    simulation = ms.load("training_market", {"duration": "4min", "warm_up": "0s", "seed": 2})
    strategy = ms.agents.MomentumStrategy(bar="2s", model="none", momentum_threshold=0.0002, confidence_threshold=0.5)
    run = simulation.add_agent(strategy, "momentum", latency="2ms").run()
    found = rule_contribution(run)
    assert len(found) > 0
    assert found["gross"].sum() == pytest.approx(accounts(run)["momentum"].realized, abs=1e-9)
    assert set(found["entry_rule"]) <= {
        f"{way}: {names}" for way in ("buy", "sell") for names in ("momentum", "volume", "momentum and volume")
    }


def test_an_active_return_is_its_parts() -> None:
    """Half of 1000 in A, which gains 10 %, where the benchmark has half in each and B falls by 10 %."""
    quotes = [
        (0, 99.0, 1, 101.0, 1, "A"), (0, 49.0, 1, 51.0, 1, "B"),
        (50 * SECOND, 109.0, 1, 111.0, 1, "A"), (50 * SECOND, 44.0, 1, 46.0, 1, "B"),
    ]  # fmt: skip
    bought = {**trade(0, 1, 100.0, 5, 1), "instrument": "A"}
    tables = by_hand([bought], quotes, agents=AGENTS, instruments=[Instrument("A"), Instrument("B")])
    found = benchmark_attribution(tables, "dip", every="50s")
    assert found.index.tolist() == ["A", "B", "cash"]
    assert found["weight"].tolist() == pytest.approx([0.5, 0.0, 0.5], abs=0.05)  # A is more once it has gained
    assert found["contribution"].tolist() == pytest.approx([0.05, 0.0, 0.0])
    assert found["active"].sum() == pytest.approx(0.05 - 0.0)
    assert found["allocation"].tolist() == pytest.approx([0.0, 0.05, 0.0], abs=2e-3)
    assert found["selection"].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    only = benchmark_attribution(tables, "dip", weights={"A": 0.5}, every="50s")
    assert only["active"].sum() == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(InvalidValueError, match="weights: 'C' is no instrument"):
        benchmark_attribution(tables, "dip", weights={"C": 1.0})
    with pytest.raises(InvalidValueError, match="larger capital="):
        benchmark_attribution(tables, "dip", capital=-10.0)
