"""The momentum strategy by hand: what each part says and weighs, the joined confidence, the reasons, the positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents import MomentumStrategy
from marketsim.agents.classifier import OnlineLogistic, save
from marketsim.agents.momentum_strategy import FEATURES, BarWindow, Part, join
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Bar
from marketsim.domain.message import Kind
from marketsim.errors import AgentError, ConfigurationError, InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")
MINUTE = 60_000_000_000


def bar(close: int, volume: int = 10, low: int | None = None, high: int | None = None) -> Bar:
    low, high = close if low is None else low, close if high is None else high
    return Bar(0, ABC, MINUTE, close, high, low, close, volume, close * volume, 1)


class Told:
    """A model that says what it is told to."""

    kind, online, fitted = "logistic", True, True

    def __init__(self, answer: float) -> None:
        self.answer = answer
        self.lessons: list[Any] = []

    def partial_fit(self, X: Any, y: Any) -> None:
        self.lessons.append((X, y))

    def predict_proba(self, row: Any) -> float:
        return self.answer


def strategy(answer: float | None = None, **changes: Any) -> tuple[MomentumStrategy, HandMarket]:
    """One with a lookback of 2 bars and an average of 2, no model or one that says what it is told to."""
    model = "none" if answer is None else "logistic"
    me = MomentumStrategy(**{"lookback": 2, "volume_window": 2, "model": model, **changes})
    market = HandMarket(me, (ABC,))
    if answer is not None and me.desks["ABC"].learner is not None:
        me.desks["ABC"].learner.model = Told(answer)  # type: ignore[assignment]
    return me, market


def show(market: HandMarket, *bars: tuple[int, int]) -> None:
    for close, volume in bars:
        market.bar(close, close, close, close, volume, close * volume, 1, "1min")


def signals(market: HandMarket) -> list[dict[str, Any]]:
    return [json.loads(value) for _, _, key, value in market.notes if key == "signal"]


def sent(market: HandMarket) -> list[tuple[int, int]]:
    asked = [(request.side, request.quantity) for request in market.asked(Kind.NEW)]
    market.clear()
    return asked


def fill(market: HandMarket) -> None:
    for order in list(market.orders):
        market.accept(order)
        market.fill(order, price=10_000, maker=False)


def test_the_documents_defaults() -> None:
    me = MomentumStrategy()
    assert (me.confidence_threshold, me.momentum_threshold, me.volume_multiple, me.position_share) == (
        0.6, 0.02, 1.5, 0.1,
    )  # fmt: skip
    assert me.capital == 100_000


# --- joining ---


def test_each_part_counts_with_its_weight() -> None:
    """Model up 0.7 (weight 0.5), momentum up (0.3), volume down (0.2): 0.35 + 0.3 − 0.2 = 0.45."""
    parts = [Part(1, 0.7, 0.5, "m"), Part(1, 1.0, 0.3, "p"), Part(-1, 1.0, 0.2, "v")]
    signal = join(parts, 0.6)
    assert signal.action == "HOLD"
    assert signal.confidence == pytest.approx(0.45)
    assert signal.reasoning == "m; p; v; confidence 0.45 up is below 0.60: HOLD"
    assert join(parts, 0.45).action == "BUY"
    turned = [part._replace(direction=-part.direction) for part in parts]
    assert join(turned, 0.45)[:2] == ("SELL", pytest.approx(0.45))


@pytest.mark.parametrize(
    ("model", "momentum", "volume", "confidence"),
    [
        (0.9, 0, 0, 0.45),  # a model is never enough alone
        (0.6, 1, 0, 0.6),  # 60 % sure and momentum are just enough
        (0.59, 1, 0, 0.595),
        (0.6, 1, 1, 0.8),
        (0.4, 1, 1, 0.2),  # down with 60 % against both
        (None, 1, 0, 0.6),  # without a model momentum is just enough
        (None, 1, 1, 1.0),
    ],
)
def test_the_confidence_of_the_default_weights(
    model: float | None, momentum: int, volume: int, confidence: float
) -> None:
    me = MomentumStrategy()
    parts = [Part(momentum, float(momentum), 0.3, ""), Part(volume, float(volume), 0.2, "")]
    signal = join(parts if model is None else [me._model(model), *parts], me.confidence_threshold)
    assert signal.confidence == pytest.approx(confidence)
    assert (signal.action == "BUY") is (confidence >= 0.6)


@given(
    st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=4),
    st.floats(0.01, 1),
)
def test_confidence_lies_between_0_and_1_and_turning_everything_over_turns_the_action(
    told: list[tuple[int, float, float]], threshold: float
) -> None:
    signal = join([Part(d, c, w, "") for d, c, w in told], threshold)
    turned = join([Part(-d, c, w, "") for d, c, w in told], threshold)
    assert 0.0 <= signal.confidence <= 1.0 + 1e-12
    assert signal.confidence == turned.confidence
    assert {signal.action, turned.action} in ({"HOLD"}, {"BUY", "SELL"})
    assert (signal.action == "HOLD") is (signal.confidence < threshold - 1e-9)


# --- the bars ---


def test_the_window_by_hand() -> None:
    window = BarWindow(2, 2)
    assert not window.add(Bar(0, ABC, MINUTE, 0, 0, 0, 0, 0, 0, 0)), "nothing has traded yet"
    assert not window.add(bar(100, 10))
    assert not window.add(bar(110, 30, low=90, high=120))
    assert window.add(bar(121, 50, low=100, high=125))
    assert window.momentum == pytest.approx(0.21)
    assert window.volume_ratio == pytest.approx(50 / 20)
    returns = 0.1, 0.1
    place = 2 * (121 - 90) / (125 - 90) - 1
    expected = [0.1, 0.21, np.log(3.5), place, np.sqrt(np.mean(np.square(returns)))]
    assert window.row() == pytest.approx(expected)
    assert len(FEATURES) == len(expected)


def test_thresholds_are_reached_from_them_on() -> None:
    """2 % of momentum and 1.5 times the average count; less does not."""
    for close, volume, momentum, surge in ((10_200, 15, 1, 1), (10_199, 14, 0, 0), (9_800, 15, -1, -1)):
        me, _ = strategy()
        window = BarWindow(2, 2)
        for one in (bar(10_000), bar(10_000), bar(close, volume)):
            window.add(one)
        said = me.parts(window, None)
        assert [part.direction for part in said] == [momentum, surge]
        assert [part.confidence for part in said] == [abs(momentum), abs(surge)]
        assert [part.weight for part in said] == [0.3, 0.2]


def test_it_says_why() -> None:
    _, market = strategy(0.64)
    show(market, (10_000, 10), (10_000, 10), (10_240, 18))
    (signal,) = signals(market)
    assert signal == {
        "instrument": "ABC",
        "action": "BUY",
        "confidence": 0.82,
        "reasoning": "model up with 64%; momentum +2.40% over 2 bars reaches 2.00%; volume 1.80 times its average, a "
        "surge of at least 1.50; confidence 0.82 up reaches 0.60: BUY",
    }


def test_it_says_why_not() -> None:
    _, market = strategy()
    show(market, (10_000, 10), (10_000, 10), (9_900, 12))
    (signal,) = signals(market)
    assert (signal["action"], signal["confidence"]) == ("HOLD", 0.0)
    assert signal["reasoning"] == (
        "momentum -1.00% over 2 bars is within 2.00%; volume 1.20 times its average, below 1.50; confidence 0.00 "
        "neither way is below 0.60: HOLD"
    )
    assert sent(market) == []


# --- positions ---


def test_a_position_is_a_share_of_capital() -> None:
    """10 % of 100,000 at 103.00 is 97 lots; a second BUY adds nothing; SELL turns it over."""
    me, market = strategy()
    show(market, (10_000, 10), (10_000, 10), (10_300, 10))
    assert sent(market) == [(1, 97)]
    show(market, (10_600, 10))
    assert sent(market) == [], "on its way"
    fill(market)
    show(market, (10_900, 10))
    assert sent(market) == []
    show(market, (10_500, 10), (10_000, 10))
    assert sent(market) == [(-1, 97 + 100)]
    fill(market)
    assert me.position() == -100


def test_without_short_a_sell_goes_out_and_no_further() -> None:
    me, market = strategy(short=False)
    show(market, (10_000, 10), (10_000, 10), (9_700, 10))
    assert signals(market)[-1]["action"] == "SELL"
    assert sent(market) == []
    show(market, (9_700, 10), (9_950, 10))
    assert sent(market) == [(1, 100)]
    fill(market)
    show(market, (9_700, 10), (9_300, 10))
    assert sent(market) == [(-1, 100)]
    fill(market)
    assert me.position() == 0


# --- the model ---


def test_it_learns_from_outcomes_that_are_known() -> None:
    """Closes rise by turns; two bars later is known two bars later, and never before."""
    me, market = strategy(0.5, label_horizon=2, warm_up=1, retrain_interval=1)
    learner = me.desks["ABC"].learner
    assert learner is not None
    told = learner.model
    assert isinstance(told, Told)
    known = []
    for close in (100, 101, 102, 103, 104, 103, 102):
        show(market, (close, 10))
        known.append(learner.labelled)
    # judged from the third bar (102) on: 102→104 up, 103→103 left out, 104→102 down
    assert known == [0, 0, 0, 0, 1, 1, 2]
    assert [list(y) for _, y in told.lessons] == [[1]], "the second outcome is learned with the next bar"


def test_before_it_has_learned_the_others_count_alone() -> None:
    me, market = strategy(model="logistic")
    show(market, (10_000, 10), (10_000, 10), (10_300, 10))
    assert signals(market)[-1]["confidence"] == 0.6
    assert "model" not in signals(market)[-1]["reasoning"]
    learner = me.desks["ABC"].learner
    assert learner is not None
    assert not learner.model.fitted


def test_a_model_file_is_used_and_one_of_other_features_refused(tmp_path: Path) -> None:
    X = np.random.default_rng(1).normal(size=(200, len(FEATURES)))
    model = OnlineLogistic(1)
    model.fit(X, (X[:, 0] > 0).astype(np.int64))
    good, bad = tmp_path / "good.skops", tmp_path / "bad.skops"
    save(model, FEATURES, good)
    save(model, [f"f{n}" for n in range(len(FEATURES))], bad)
    me, market = strategy(model="logistic", model_file=good)
    show(market, (10_000, 10), (10_000, 10), (10_300, 10))
    assert "model up with" in signals(market)[-1]["reasoning"]
    me.save_model(tmp_path / "again.skops")
    assert (tmp_path / "again.skops").exists()
    with pytest.raises(AgentError, match="was learned on"):
        strategy(model="logistic", model_file=bad)
    with pytest.raises(AgentError, match="cannot be read"):
        strategy(model="logistic", model_file=tmp_path / "missing.skops")


def test_other_bars_begin_anew_and_other_thresholds_do_not() -> None:
    me, market = strategy()
    show(market, (10_000, 10), (10_000, 10))
    me.set(momentum_threshold=0.01)
    show(market, (10_150, 10))
    assert signals(market)[-1]["action"] == "BUY"
    me.set(lookback=3)
    show(market, (10_150, 10), (10_150, 10), (10_150, 10))
    assert len(signals(market)) == 1, "three bars are too few now"
    me.set(bar="30s")
    show(market, *[(10_150, 10)] * 9)
    assert len(signals(market)) == 1, "bars of a minute are none of its own any more"


def test_without_a_model_there_is_none_to_save(tmp_path: Path) -> None:
    me, _ = strategy()
    with pytest.raises(InvalidValueError, match="has no model to save"):
        me.save_model(tmp_path / "x.skops")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence_threshold": 1.2}, "confidence_threshold: 1.2 must be from 0 to 1"),
        ({"volume_multiple": 0}, "volume_multiple: 0 must be above 0"),
        ({"momentum_weight": 0, "volume_weight": 0}, "both 0; give one some weight"),
        ({"model": "oracle"}, "model: 'oracle' is not one of the choices"),
        ({"model": "none", "model_file": Path("x.skops")}, "model is none; say which kind it is"),
        ({"memory": 10}, "memory: 10 is less than warm_up 50"),
        ({"bar": "0s"}, "bar: 0"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidValueError, ConfigurationError), match=message):
        MomentumStrategy(**changes)
