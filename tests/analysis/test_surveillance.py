"""Surveillance: episodes made by hand, honest ones beside them, and runs whose truth is labelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, Tables, by_hand

import marketsim as ms
from marketsim.analysis import Share, detection_curve, score_alerts, surveil, surveillance_figure
from marketsim.errors import InvalidValueError

MS = SECOND // 1000


def order(
    number: int, agent: str, side: int, price: float, quantity: float, life: tuple[int, int], **more: Any
) -> dict[str, Any]:
    state = "FILLED" if more.get("filled") == quantity else "CANCELED"
    return {
        "order_id": number, "agent": agent, "side": side, "price": price, "quantity": quantity, "time": life[0],
        "end_time": life[1], "state": state, "venue": "X", **more,
    }  # fmt: skip


CROWD = [
    order(1000 + n, f"noise.{n % 5}", 1 if n % 2 else -1, 100.0, 10, (n * SECOND, n * SECOND + 1)) for n in range(40)
]


def tables(orders: Iterable[dict[str, Any]], trades: Iterable[dict[str, Any]] = ()) -> Tables:
    quotes = [(0, 99.9, 100, 100.1, 100, "ABC", "X")]
    return by_hand(({"venue": "X", **t} for t in trades), quotes, orders=[*CROWD, *orders])


def spoof(agent: str = "s", at: int = 10 * SECOND, **genuine: Any) -> list[dict[str, Any]]:
    """A sell of 400 that is withdrawn 10 ms after a buy of 20 has traded."""
    return [
        order(1, agent, 1, 99.9, 20, (at, at + SECOND), **{"filled": 20.0, **genuine}),
        order(2, agent, -1, 100.1, 400, (at, at + SECOND + 10 * MS)),
    ]


FILL = [{"time": 11 * SECOND, "maker_order": 1, "taker_order": 1001, "quantity": 20.0, "price": 99.9}]


def test_a_spoof_by_hand() -> None:
    alerts = surveil(tables(spoof(), FILL))
    (alert,) = alerts.to_dict("records")
    assert (alert["agent"], alert["kind"], alert["side"]) == ("s", "spoofing", -1)
    assert (alert["orders"], alert["opposite"]) == ((2,), (1,))
    assert (alert["start"], alert["end"]) == (10 * SECOND, 11 * SECOND + 10 * MS)
    parts = (380 / 420, 400 / 500, 1.0, 1.0, 1 / 1.01)
    assert alert["score"] == pytest.approx(np.prod(parts) ** 0.2)
    assert alert["reason"] == (
        "showed 400 to sell beside 20 to buy, withdrew 100% of it 10ms after 20 of the others had traded"
    )


def test_an_attempt_that_brought_nothing_scores_less() -> None:
    (found,) = surveil(tables(spoof(filled=0.0))).to_dict("records")
    parts = (380 / 420, 400 / 500, 1.0, 0.5, 1 / 1.01)
    assert found["score"] == pytest.approx(np.prod(parts) ** 0.2)
    assert found["reason"].endswith("within 10ms of the others' end; nothing had traded")


def test_several_prices_are_layering() -> None:
    layers = [order(2 + n, "s", -1, 100.1 + n / 100, 100, (10 * SECOND + n, 11 * SECOND + 10 * MS)) for n in range(4)]
    (alert,) = surveil(tables([spoof()[0], *layers], FILL)).to_dict("records")
    assert (alert["kind"], alert["levels"], alert["orders"]) == ("layering", 4, (2, 3, 4, 5))
    assert surveil(tables([spoof()[0], *layers], FILL), layers=5)["kind"].tolist() == ["spoofing"]


@pytest.mark.parametrize(
    ("orders", "why"),
    [
        ([order(1, "m", 1, 99.9, 400, (SECOND, 2 * SECOND)), order(2, "m", -1, 100.1, 400, (SECOND, 2 * SECOND))],
         "as much on both sides"),
        ([order(2, "s", -1, 100.1, 400, (SECOND, 2 * SECOND))], "nothing on the other side"),
        ([order(1, "s", 1, 99.9, 20, (SECOND, 2 * SECOND)), order(2, "t", -1, 100.1, 400, (SECOND, 2 * SECOND))],
         "two participants"),
        ([spoof()[0], {**spoof()[1], "filled": 400.0, "state": "FILLED"}], "it was meant, and traded"),
        ([spoof()[0], {**spoof()[1], "end_time": 90 * SECOND}], "it stood for longer than a minute"),
        ([spoof()[0], {**spoof()[1], "end_time": -1, "state": "NEW"}], "it still stands"),
        ([spoof()[0], {**spoof()[1], "quantity": 40.0}], "not large"),
        ([spoof()[0], {**spoof()[1], "time": 30 * SECOND, "end_time": 31 * SECOND}], "not at the same time"),
        ([spoof()[0], {**spoof()[1], "state": "REJECTED"}], "never accepted"),
    ],
)  # fmt: skip
def test_honest_orders_are_no_alert(orders: list[dict[str, Any]], why: str) -> None:
    assert surveil(tables(orders, FILL)).empty, why


def test_ids_of_different_venues_are_different_orders() -> None:
    other = [{**one, "venue": "Y"} for one in spoof(filled=0.0)]
    alerts = surveil(tables([*spoof(), *other], FILL), large=0)
    gains = alerts.set_index("venue")["score"]
    assert gains["X"] > gains["Y"]  # the fill at X is not one of the order with the same id at Y


def test_nonsense_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="between 0 and 1"):
        surveil(tables([]), threshold=2)
    with pytest.raises(InvalidValueError, match="at least 2"):
        surveil(tables([]), layers=1)
    with pytest.raises(InvalidValueError, match="name no participants"):
        surveil(by_hand(orders=[{**CROWD[0], "agent": ""}]))
    with pytest.raises(InvalidValueError, match="give one that surveil made"):
        score_alerts(pd.DataFrame(), pd.DataFrame())
    assert surveil(by_hand()).empty


def labelled(*ids: int) -> pd.DataFrame:
    rows = [{"agent": "s", "kind": "spoofing", "role": "decoy", "episode": n, "venue": "X", "order": k}
            for n, k in enumerate(ids)]  # fmt: skip
    genuine = {"agent": "s", "kind": "spoofing", "role": "genuine", "episode": 0, "venue": "X", "order": 1}
    return pd.DataFrame([*rows, genuine])


def test_scores_by_hand() -> None:
    alerts = pd.DataFrame(
        {
            "agent": ["s", "s", "n"],
            "venue": ["X", "X", "X"],
            "orders": [(2, 3), (9,), (4,)],
            "score": [0.9, 0.8, 0.7],
        }
    )
    found = score_alerts(alerts, labelled(2, 3, 5))
    assert (found.precision, found.recall) == (Share(1, 3), Share(2, 3))
    assert (found.order_precision, found.order_recall) == (Share(2, 4), Share(2, 3))
    assert found.accused == ("n",)
    strict = score_alerts(alerts, labelled(2, 3, 5), threshold=0.85)
    assert (strict.precision, strict.recall, strict.accused) == (Share(1, 1), Share(2, 3), ())
    curve = detection_curve(alerts, labelled(2, 3, 5))
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.7]
    assert curve["precision"].to_numpy() == pytest.approx([1, 1 / 2, 1 / 3])
    assert curve["recall"].to_numpy() == pytest.approx([2 / 3] * 3)
    assert "wrongly accused: n" in str(found)


def test_wilson_against_scipy() -> None:
    from scipy.stats import binomtest

    for hits, count in ((0, 5), (3, 7), (48, 49), (20, 20)):
        expected = binomtest(hits, count).proportion_ci(method="wilson")
        assert Share(hits, count).interval == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert np.isnan(Share(0, 0).value)


def test_the_labelled_market_is_seen_through() -> None:
    run = ms.load("spoofing", {"duration": "3min", "seed": 11}).run()
    labels = ms.analysis.labels(run)
    alerts = ms.analysis.surveil(run)
    score = score_alerts(alerts, labels)
    assert score.recall.count >= 6
    assert score.recall.value >= 0.85
    assert score.precision.value >= 0.85
    kinds = alerts.set_index("agent")["kind"]
    assert (kinds.get("layering", pd.Series(["layering"])) == "layering").all()
    figure = surveillance_figure(run, labels=labels)
    assert [axes.get_title("left") for axes in figure.axes][-1].startswith("Precision and recall")


def test_honest_makers_are_not_accused() -> None:
    run = ms.load("quickstart", {"duration": "4min"}).run()
    assert (run.orders["state"] == "CANCELED").sum() > 1000
    every = surveil(run, threshold=0.0)
    assert not set(every["agent"]) & {"mm", "informed"}
    assert len(surveil(run)) <= 1


@pytest.mark.statistical
def test_precision_and_recall_over_seeds_that_were_not_looked_at() -> None:
    right = found = alerts = episodes = wrong = 0
    for seed in range(100, 106):
        run = ms.load("spoofing", {"duration": "5min", "seed": seed}).run()
        score = score_alerts(surveil(run), ms.analysis.labels(run))
        right, alerts = right + score.precision.hits, alerts + score.precision.count
        found, episodes = found + score.recall.hits, episodes + score.recall.count
        wrong += len(score.accused)
    assert Share(right, alerts).interval[0] > 0.85
    assert Share(found, episodes).interval[0] > 0.85
    assert wrong <= 6 * 226 * 0.02  # of all participants
