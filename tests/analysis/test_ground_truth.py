"""Labels and the events: every order of a stress agent is labelled, nobody else's is, and the times are the log's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.analysis import labels, stress_figure
from marketsim.analysis.picture import png

AGENTS = {
    "spoofer": ms.agents.Spoofer(interval="5s", distance=0, decoy_quantity=100),
    "layering": ms.agents.Layering(interval="5s", layers=3),
    "finger": ms.agents.FatFinger(begin="20s", quantity=20, factor=20),
    "price": ms.agents.FatFinger(begin="40s", quantity=50, mistake="price", side="buy", notice="2s"),
    "borrowers": ms.agents.LiquidationCascade(
        holders=5, quantity=10, lowest_leverage=30, highest_leverage=48, maintenance=0.02, begin="15s"
    ),
    "seller": ms.agents.LargeSeller(begin="30s", participation=0.2, quantity=500),
}


@pytest.fixture(scope="module")
def run() -> Any:
    simulation = ms.Simulation(3, "1min", warm_up="5s")
    simulation.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    simulation.add_agents(ms.agents.Noise(rate="0.5/s"), 100, "noise")
    for name, agent in AGENTS.items():
        simulation.add_agent(agent, name)
    return simulation.run()


def test_labels_are_exactly_the_orders_of_those_who_label(run: Any) -> None:
    found = labels(run)
    orders = run.orders.set_index("order_id")
    theirs = orders[orders["agent"].isin(AGENTS)]
    assert set(theirs["agent"]) == set(AGENTS), "each of them did something"
    assert sorted(found["order"]) == sorted(theirs.index)
    said = found.set_index("order")
    for name in ("agent", "instrument", "venue", "side", "quantity", "filled"):
        assert (said[name] == theirs[name].reindex(said.index)).all(), name
    assert (said["start"] == theirs["time"].reindex(said.index)).all()
    ended = theirs["end_time"].reindex(said.index)
    assert (said["end"] == ended.where(ended >= 0, run.end)).all()
    assert (found["end"] >= found["start"]).all()
    assert found["start"].is_monotonic_increasing


def test_labels_say_what_their_orders_were_for(run: Any) -> None:
    found = labels(run)
    kinds = found.groupby("agent")[["kind", "role"]].agg(lambda values: tuple(sorted(set(values))))
    assert kinds.loc["spoofer"].tolist() == [("spoofing",), ("decoy", "genuine")]
    assert kinds.loc["layering"].tolist() == [("layering",), ("decoy", "genuine")]
    assert kinds.loc["finger"].tolist() == [("fat_finger",), ("mistake",)]
    assert kinds.loc["borrowers"].tolist() == [("liquidation_cascade",), ("forced",)]
    assert kinds.loc["seller"].tolist() == [("large_seller",), ("program",)]


def test_decoys_are_cancelled_when_the_genuine_order_has_traded(run: Any) -> None:
    """Each episode has one genuine order and its decoys; where it was filled, they end after that, by request."""
    found = labels(run)
    compared = 0
    for _, episode in found[found["kind"].isin(["spoofing", "layering"])].groupby(["agent", "episode"]):
        genuine, decoys = (episode[episode["role"] == role] for role in ("genuine", "decoy"))
        assert len(genuine) == 1
        assert len(decoys) == (1 if episode["kind"].iloc[0] == "spoofing" else 3)
        assert set(decoys["side"]) == {-genuine["side"].iloc[0]}
        if (genuine["filled"] == genuine["quantity"]).all() and (decoys["end"] < run.end).all():
            assert (decoys["end"] > genuine["end"].iloc[0]).all()
            states = run.orders.set_index("order_id").loc[decoys["order"], "state"]
            assert set(states) <= {"CANCELED", "FILLED"}
            compared += 1
    assert compared >= 2


def test_the_labels_of_a_stored_run_are_the_same(run: Any, tmp_path: Any) -> None:
    again = ms.Run.open(run.save(tmp_path / "run").path)
    assert labels(again).equals(labels(run))


def test_a_run_without_labels_has_none() -> None:
    simulation = ms.Simulation(3, "1s")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")])
    simulation.add_agent(ms.agents.Noise(rate="5/s"), "noise")
    empty = simulation.run()
    found = labels(empty)
    assert len(found) == 0
    assert list(found.columns) == [
        "agent", "kind", "role", "episode", "instrument", "venue", "order", "side", "price", "quantity", "filled",
        "start", "end",
    ]  # fmt: skip
    assert png(stress_figure(empty))


def test_the_figure_draws_every_kind_and_survives_a_narrow_page(run: Any) -> None:
    figure = stress_figure(run)
    price, depth, volume = figure.axes
    words = [text.get_text() for text in price.get_legend().get_texts()]
    assert words[0] == "mid"
    assert {"spoofing: genuine", "spoofing: decoy", "layering: decoy"} <= set(words)
    assert {"large seller", "liquidation cascade", "fat finger"} <= set(words), "a kind's only role is not named"
    drawn = sum(len(lines.get_segments()) for lines in price.collections)
    found = labels(run)
    assert drawn == int((found["price"].notna() & (found["end"] >= run.start)).sum())
    assert "seller" in " ".join(text.get_text() for text in volume.get_legend().get_texts())
    assert np.isfinite(depth.get_ylim()).all()
    for steps in depth.patches:
        values, edges, baseline = steps.get_data()
        assert baseline is None, "nothing falls to zero at the edges"
        assert np.ptp(np.diff(edges)) < 1e-6, "nor is the last one shorter"
        assert len(values) > 10
    marks = [line for line in price.lines if line.get_marker() in ("^", "v")]
    assert sum(len(line.get_xdata()) for line in marks) == drawn
    assert min(line.get_markersize() for line in marks) >= 3.5
    assert png(stress_figure(run, width=4.0))
