"""Sections of a report that only some runs have: signals of strategies, and labels of orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic import SECOND, Tables, by_hand

import marketsim as ms
from marketsim.analysis.page_labels import label_section
from marketsim.analysis.page_signals import MOST, MOST_FIGURES, signal_log, signal_section
from marketsim.domain.label import Label
from marketsim.domain.tables import AGENTS

QUOTES = [(0, 99.5, 5, 100.5, 5), (30 * SECOND, 101.5, 5, 102.5, 5)]


@dataclass(frozen=True)
class Noted(Tables):
    annotations: pd.DataFrame = field(default_factory=pd.DataFrame)


def noted(*notes: tuple[int, str, str, str], orders: Any = ()) -> Noted:
    market = by_hand([], QUOTES, end=60 * SECOND)
    kept = {name: getattr(market, name) for name in Tables.__dataclass_fields__}
    names = sorted({agent for _, agent, _, _ in notes})
    kept["agents"] = pd.DataFrame([{**dict.fromkeys(AGENTS, ""), "name": name, "family": name} for name in names])
    rows = [(time * SECOND, agent, key, value) for time, agent, key, value in notes]
    kept["orders"] = pd.DataFrame(orders)
    return Noted(**kept, annotations=pd.DataFrame(rows, columns=["time", "agent", "key", "value"]))


class Drawn:
    """Draws each figure once, and keeps what it is called."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, draw: Callable[[float], Figure], alt: str, words: str) -> str:
        assert draw(4.2).axes
        self.names.append(alt)
        return f"[{alt}]"


def judged(action: str) -> str:
    return json.dumps({"instrument": "ABC", "action": action, "reasoning": f"because of {action}"})


def test_signals_are_told_with_time_agent_action_and_reason() -> None:
    tables = noted(
        (1, "rsi", "signal", "long 5 ABC at 100: rsi(14) 20 < 30"),
        (2, "model", "signal", judged("HOLD")),
        (3, "model", "signal", judged("BUY")),
        (4, "model", "signal", judged("BUY")),
        (4, "rsi", "signal", "long 5 ABC at 100: rsi(14) 20 < 30"),
        (5, "rsi", "exit", "stop-loss of long ABC at 99"),
        (6, "model", "signal", judged("SELL")),
        (7, "rsi", "remark", "no signal"),
    )
    found = signal_log(tables)
    assert list(zip(found["agent"], found["action"], found["reason"], strict=True)) == [
        ("rsi", "long 5 ABC at 100", "rsi(14) 20 < 30"),
        ("model", "BUY ABC", "because of BUY"),
        ("rsi", "long 5 ABC at 100", "rsi(14) 20 < 30"),
        ("rsi", "stop-loss of long ABC at 99", ""),
        ("model", "SELL ABC", "because of SELL"),
    ]
    drawn = Drawn()
    text = "".join(signal_section(tables, drawn))
    assert drawn.names == ["rsi: signals and exits on the price of ABC"], "the other's have no price to be placed at"
    assert "rsi(14) 20 &lt; 30" in text
    assert "00:00:05.000" in text
    assert "All signals and exits." in text


def test_many_signals_are_the_last_and_few_pictures() -> None:
    notes = [(n, f"s{n % 5}", "signal", f"long {n} ABC at 100: reason {n}") for n in range(1, 51)]
    drawn = Drawn()
    text = "".join(signal_section(noted(*notes), drawn))
    assert len(drawn.names) == MOST_FIGURES
    assert f"The last {MOST} of 50 signals" in text
    assert "reason 50" in text
    assert "reason 10<" not in text


def test_labels_are_counted_by_sender_kind_and_role() -> None:
    sent = [
        Label("spoofing", "decoy", 1, "X", 7),
        Label("spoofing", "decoy", 2, "X", 8),
        Label("spoofing", "genuine", 1, "X", 9),
    ]
    order = {"agent": "bad", "venue": "X", "instrument": "ABC", "side": 1, "price": 99.0, "filled": 0.0, "end_time": -1}
    orders = [
        {**order, "order_id": number, "quantity": quantity, "time": number * SECOND}
        for number, quantity in ((7, 400.0), (8, 100.0), (9, 20.0))
    ]
    orders[2]["filled"] = 5.0
    drawn = Drawn()
    text = "".join(label_section(noted(*((1, "bad", "label", label.text()) for label in sent), orders=orders), drawn))
    assert len(drawn.names) == 1
    row = "<td>spoofing</td><td>{}</td><td>ABC</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
    assert row.format("decoy", 2, 2, 500, "0%") in text
    assert row.format("genuine", 1, 1, 20, "25%") in text
    assert "What 3 orders were for" in text


def test_there_is_no_section_where_there_is_nothing_to_tell() -> None:
    plain = noted((1, "desk", "remark", "hello"))
    for tables in (plain, by_hand([], QUOTES)):
        assert list(signal_section(tables, Drawn())) == []
        assert list(label_section(tables, Drawn())) == []


@pytest.mark.slow
def test_the_pages_of_runs_have_them(tmp_path: Path) -> None:
    for scenario, there, not_there in (("spoofing", "labels", "signals"), ("rule_strategies", "signals", "labels")):
        run = ms.load(scenario, {"duration": "3min", "warm_up": "10s"} if scenario == "spoofing" else {}).run()
        page = ms.analysis.report(run, tmp_path / f"{scenario}.html")
        text = page.read_text(encoding="utf-8")
        assert f'<section id="{there}">' in text
        assert f'<a href="#{there}">' in text
        assert f'id="{not_there}"' not in text
        assert ('<a href="#surveillance">' in text and "episodes that were found" in text) == (there == "labels")
        assert page.stat().st_size < 5_000_000
        assert ('<section id="rules">' in text) == ('<a href="#rules">' in text) == (scenario == "rule_strategies")
        assert "Every measure of the agents that are one of a kind" in text
        assert '<th scope="row">ulcer index' in text


def test_surveillance_comes_with_alerts_and_with_labels_only() -> None:
    from test_surveillance import FILL, spoof, tables

    from marketsim.analysis.page_surveillance import alerts_of, has_surveillance, surveillance_section

    drawn = Drawn()
    honest, guilty = tables([]), tables(spoof("<b>", filled=20.0), FILL)
    assert not list(surveillance_section(honest, alerts_of(honest), drawn))
    assert not has_surveillance(by_hand(), alerts_of(by_hand()))
    text = "".join(surveillance_section(guilty, alerts_of(guilty), drawn))
    assert 'id="surveillance"' in text
    assert "showed 400 to sell beside 20 to buy" in text
    assert "&lt;b&gt;" in text
    assert "against the labels" not in text  # nobody has said what orders were for
    assert len(drawn.names) == 1
