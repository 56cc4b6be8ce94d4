"""The learning agent: what it learns from, when, what it does about it, and that it cannot look ahead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketsim.agents import MachineLearning
from marketsim.agents.features import BookFeatures
from marketsim.agents.machine_learning import Learner
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, Side, TimeInForce
from marketsim.errors import AgentError, InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")


class Told:
    """A model that says what it is told to, and remembers what it was given."""

    kind, online, fitted = "logistic", True, True

    def __init__(self, answer: float = 0.5) -> None:
        self.answer = answer
        self.lessons: list[tuple[np.ndarray, np.ndarray]] = []

    def partial_fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.lessons.append((X, y))

    def predict_proba(self, row: Any) -> float:
        return self.answer


@dataclass
class Puppet(MachineLearning):
    """The agent with such a model."""

    def new_learner(self, instrument: Instrument) -> Learner:
        self.told = Told()
        features = BookFeatures(self.features, self.feature_window)
        return Learner(features, self.told, self.label_horizon, self.memory)  # type: ignore[arg-type]


SMALL = {"features": ("imbalance",), "feature_window": 1, "label_horizon": 3, "warm_up": 1, "retrain_interval": 1}


def puppet(**changes: Any) -> tuple[Puppet, HandMarket]:
    me = Puppet(**{**SMALL, "retrain_interval": 10**6, **changes})
    market = HandMarket(me, (ABC,))
    market.quote(99, 5, 101, 5)
    market.quote(99, 5, 101, 5)
    return me, market


def test_the_documents_defaults() -> None:
    me = MachineLearning()
    assert (me.prediction_threshold, me.feature_window, me.retrain_interval, me.retrain_on) == (
        0.6,
        100,
        1000,
        "trades",
    )


# --- what it does ---


@pytest.mark.parametrize(
    ("probability", "side", "price"), [(0.61, Side.BUY, 101), (0.6, Side.BUY, 101), (0.39, Side.SELL, 99)]
)
def test_it_takes_when_it_is_confident(probability: float, side: Side, price: int) -> None:
    me, market = puppet(quantity=7)
    me.told.answer = probability
    market.quote(99, 6, 101, 5)
    (order,) = market.orders
    assert (order.side, order.price, order.quantity, order.time_in_force) == (side, price, 7, TimeInForce.IOC)


@pytest.mark.parametrize("probability", [0.41, 0.5, 0.59])
def test_it_does_nothing_when_it_is_not(probability: float) -> None:
    me, market = puppet()
    me.told.answer = probability
    market.quote(99, 6, 101, 5)
    assert market.asked(Kind.NEW) == []


def test_one_order_at_a_time_and_within_the_limit() -> None:
    me, market = puppet(quantity=7, max_position=10, cooldown="1ms")
    me.told.answer = 0.9
    market.quote(99, 6, 101, 5)
    market.advance("1s")
    market.quote(99, 7, 101, 5)
    assert len(market.asked(Kind.NEW)) == 1
    for _ in range(4):
        for order in market.orders:
            market.accept(order)
            market.fill(order)
        market.advance("1s")
        market.quote(99, 6, 101, 5)
    assert [request.quantity for request in market.asked(Kind.NEW)] == [7, 3]
    assert me.position() == 10


def test_a_position_that_it_no_longer_believes_in_is_closed() -> None:
    me, market = puppet(quantity=7, cooldown="1ms")
    me.told.answer = 0.9
    market.quote(99, 6, 101, 5)
    order = market.orders[0]
    market.accept(order)
    market.fill(order)
    market.clear()
    for answer, quantities in ((0.55, []), (0.45, [7])):
        me.told.answer = answer
        market.advance("1s")
        market.quote(99, 6, 101, 5)
        assert [request.quantity for request in market.asked(Kind.NEW)] == quantities
    assert market.orders[0].side is Side.SELL


def test_it_rests_between_orders() -> None:
    me, market = puppet(cooldown="1s")
    me.told.answer = 0.9
    market.quote(99, 6, 101, 5)
    market.accept()
    market.cancel(market.orders[0], reason=Reason.IMMEDIATE_OR_CANCEL)
    market.advance("900ms")
    market.quote(99, 6, 101, 5)
    assert len(market.asked(Kind.NEW)) == 1
    market.advance("200ms")
    market.quote(99, 6, 101, 5)
    assert len(market.asked(Kind.NEW)) == 2


# --- what it learns ---


def test_outcomes_are_known_a_horizon_later_and_ties_are_left_out() -> None:
    """Mids 100 101 101 100 100 100 100, three quotes ahead: a tie, down, down, a tie."""
    me, market = puppet()
    known = []
    for shift in (1, 1, 0, 0, 0, 0):
        market.quote(99 + shift, 5, 101 + shift, 5)
        known.append(me.desks["ABC"].learner.labelled)
    assert known == [0, 0, 0, 1, 2, 2]


def test_labels_by_hand() -> None:
    features = BookFeatures(["spread"], 1)
    learner = Learner(features, Told(), horizon=2, memory=100)  # type: ignore[arg-type]
    for mid in (100, 100, 103, 101, 101, 99, 101):
        learner.observe(Quote(0, ABC, mid - 1, 1, mid + 1, 1))
    # seen from the second quote on: 100→101 up, 103→101 down, 101→99 down, 101→101 left out
    assert list(learner._labels) == [1, 0, 0]
    assert len(learner.scores) == len(learner.outcomes) == 3


def test_no_feature_knows_what_comes_after_it() -> None:
    """The rows are those of the time of the prediction, whatever happens later."""
    features = BookFeatures(["imbalance", "return:1"], 1)
    model = Told()
    learner = Learner(features, model, horizon=5, memory=100)  # type: ignore[arg-type]
    generator = np.random.default_rng(0)
    rows, mid = [], 1_000
    for _ in range(60):
        mid += int(generator.integers(-2, 3))
        learner.observe(Quote(0, ABC, mid - 1, int(generator.integers(1, 9)), mid + 1, int(generator.integers(1, 9))))
        if features.ready:
            rows.append(features.vector())
    learner.learn()
    X, _ = model.lessons[0]
    assert len(X) > 20
    assert all(row in rows[:-5] for row in X.tolist())


def test_it_learns_every_so_many_trades_from_what_is_new() -> None:
    me, market = puppet(retrain_interval=3)
    told, learner = me.told, me.desks["ABC"].learner
    sizes = []
    for step in range(40):
        market.quote(99 + step % 2, 5, 101 + step % 2, 5)
        if step % 4 == 3:
            market.trade(100, 1, Side.BUY)
        sizes.append(len(told.lessons))
    assert sizes[-1] == 3
    assert sizes.index(1) == 12, "with the first quote after the third trade"
    taught = sum(len(y) for _, y in told.lessons)
    assert taught <= learner.labelled
    X = np.concatenate([X for X, _ in told.lessons])
    assert X.tolist() == list(learner._rows)[:taught], "each outcome once"


def test_it_may_count_quotes_instead() -> None:
    me, market = puppet(retrain_interval=10, retrain_on="quotes")
    for step in range(40):
        market.quote(99 + step % 2, 5, 101 + step % 2, 5)
    assert len(me.told.lessons) == 4


def test_it_begins_when_it_is_warm() -> None:
    me = MachineLearning(**{**SMALL, "warm_up": 30})
    market = HandMarket(me, (ABC,))
    learner = me.desks["ABC"].learner
    step = 0
    while not learner.model.fitted:
        market.quote(99 + step % 2, 5, 101 + step % 2, 5 + step % 3)
        step += 1
        assert step < 100
    assert learner.labelled == 30
    assert not learner.scores, "nothing was predicted before"


def test_models_that_cannot_go_on_learning_are_given_all_that_is_remembered() -> None:
    features = BookFeatures(["spread"], 1)
    model = Told()
    model.online = False
    learner = Learner(features, model, horizon=1, memory=10)  # type: ignore[arg-type]
    for step in range(30):
        learner.observe(Quote(0, ABC, 99 + step % 2, 1, 101 + step % 2, 1))
        if step % 5 == 4:
            learner.learn()
    assert [len(y) for _, y in model.lessons] == [3, 8, 10, 10, 10, 10]


def test_nothing_new_is_no_lesson() -> None:
    learner = Learner(BookFeatures(["spread"], 1), Told(), 1, 10)  # type: ignore[arg-type]
    assert not learner.learn()


# --- whether it learns anything ---


def market_with_a_signal(rows: int, truth: float, seed: int = 4) -> list[Quote]:
    """The book leans towards the next move of the mid with probability ``truth``; quantities are noise otherwise."""
    generator = np.random.default_rng(seed)
    quotes, mid = [], 10_000
    for _ in range(rows):
        up = generator.random() < 0.5
        seems_up = up if generator.random() < truth else not up
        heavy, light = int(generator.integers(6, 12)), int(generator.integers(3, 9))
        bid_quantity, ask_quantity = (heavy, light) if seems_up else (light, heavy)
        quotes.append(Quote(0, ABC, mid - 1, bid_quantity, mid + 1, ask_quantity))
        mid += 1 if up else -1
    return quotes


class Shuffling(Learner):
    """Labels that have nothing to do with what was seen."""

    draws = np.random.default_rng(8)

    def label(self, change: float) -> int | None:
        return int(self.draws.random() < 0.5)


def learn_from(quotes: list[Quote], kind: type[Learner], seed: int = 0) -> Learner:
    @dataclass
    class Student(MachineLearning):
        def new_learner(self, instrument: Instrument) -> Learner:
            made = super().new_learner(instrument)
            return kind(made.features, made.model, self.label_horizon, self.memory)

    me = Student(label_horizon=1, warm_up=500, retrain_interval=1_000, retrain_on="quotes", memory=30_000)
    HandMarket(me, (ABC,), seed=seed)
    learner = me.desks["ABC"].learner
    for number, quote in enumerate(quotes):
        me.desks["ABC"].quotes += 1
        learner.observe(quote)
        if number % 50 == 0:
            me._learn_when_due(me.desks["ABC"])
    return learner


@pytest.mark.statistical
def test_it_beats_chance_on_a_planted_signal() -> None:
    """Predictions are scored before their outcome is known. The best that can be had of a lean right in 70 % is 0.7."""
    learner = learn_from(market_with_a_signal(20_000, 0.7), Learner)
    assert len(learner.scores) > 18_000
    assert 0.65 < learner.auc() < 0.75


@pytest.mark.statistical
def test_it_does_not_beat_chance_on_shuffled_labels() -> None:
    """About 19,000 predictions: the standard error of chance is 0.0042, so 0.02 is nearly five of them."""
    learner = learn_from(market_with_a_signal(20_000, 0.7), Shuffling)
    assert len(learner.scores) > 18_000
    assert abs(learner.auc() - 0.5) < 0.02


def test_equal_seeds_learn_equally() -> None:
    quotes = market_with_a_signal(2_000, 0.7)
    one, two, other = (learn_from(quotes, Learner, seed) for seed in (1, 1, 2))
    assert list(one.scores) == list(two.scores)
    assert list(one.scores) != list(other.scores)


def test_it_says_at_the_end_how_well_it_did() -> None:
    me = MachineLearning(**{**SMALL, "label_horizon": 1})
    market = HandMarket(me, (ABC,))
    for quote in market_with_a_signal(300, 0.9):
        market.quote(quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity)
        market.trade(quote.bid, 1, Side.SELL)
    market.session.stop()
    note = [text for _, _, key, text in market.notes if key == "model"]
    assert len(note) == 1
    assert note[0].startswith("ABC: AUC 0.")


# --- files and parameters ---


def test_a_model_goes_from_one_run_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    me = MachineLearning(**{**SMALL, "label_horizon": 1})
    market = HandMarket(me, (ABC,))
    for quote in market_with_a_signal(300, 0.9):
        market.quote(quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity)
    me.save_model(path)
    heir = MachineLearning(**SMALL, model_file=path)
    HandMarket(heir, (ABC,))
    model = heir.desks["ABC"].learner.model
    assert model.fitted
    assert model.predict_proba([0.4]) == me.desks["ABC"].learner.model.predict_proba([0.4])
    with pytest.raises(AgentError, match=r"was learned on \['imbalance'\], not on \['spread'\]"):
        HandMarket(MachineLearning(**{**SMALL, "features": ("spread",)}, model_file=path), (ABC,))


def test_a_feature_file_replaces_the_features(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("features: [spread, ofi:7]")
    assert MachineLearning(feature_config=path).features == ("spread", "ofi:7")


def test_changing_what_it_learns_with_begins_anew_and_the_rest_goes_on() -> None:
    me = MachineLearning(**SMALL)
    HandMarket(me, (ABC,))
    before = me.desks["ABC"].learner
    me.set(prediction_threshold=0.9)
    assert me.desks["ABC"].learner is before
    me.set(features=("spread",))
    assert me.desks["ABC"].learner is not before
    assert me.desks["ABC"].learner.features.names == ("spread",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction_threshold": 0.4}, "prediction_threshold: 0.4 must be from 0.5 to 1"),
        ({"model": "forrest"}, "model: 'forrest' is not one of the choices; did you mean \"forest\""),
        ({"features": ("spred",)}, "no feature is called 'spred'"),
        ({"warm_up": 100, "memory": 50}, "memory: 50 is less than warm_up 100"),
        ({"retrain_on": "fills"}, "retrain_on: 'fills'"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        MachineLearning(**changes)
