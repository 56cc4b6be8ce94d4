"""An agent that learns while it trades: a classifier predicts the direction of the mid from features of the book.

Predictions are made before their outcome is known and only outcomes that are known are learned from, so its score is
one on unseen data.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from marketsim.agents.checks import check_choice, to_duration, to_number, to_whole
from marketsim.agents.classifier import Classifier, auc, bring_along, load, make, save
from marketsim.agents.features import DEFAULT, BookFeatures, check_names, read_features
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.order import Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_BUY, _SELL, _IOC = Side.BUY, Side.SELL, TimeInForce.IOC


class Observation(NamedTuple):
    """What was seen at one quote, until its outcome is known."""

    row: list[float]
    mid: float  # ticks
    score: float  # the probability of up that was predicted; below 0 when nothing was


class OutcomeLearner:
    """A model and what is remembered of rows of features and their outcomes. It knows no market and no orders.

    horizon: rows after which an outcome is known. memory: outcomes that are remembered.
    """

    def __init__(self, model: Classifier, horizon: int, memory: int) -> None:
        self.model = model
        self._horizon = horizon
        self._open: deque[Observation] = deque()
        self._rows: deque[list[float]] = deque(maxlen=memory)
        self._labels: deque[int] = deque(maxlen=memory)
        self._new = 0  # labelled since the model learned last
        self.labelled = 0
        self.scores: deque[float] = deque(maxlen=memory)  # predictions whose outcome is known …
        self.outcomes: deque[int] = deque(maxlen=memory)  # … and what it was

    def see(self, row: list[float], mid: float) -> float | None:
        """Take in a row of features and the price of its time. The probability of up, or None while there is none."""
        if len(self._open) >= self._horizon:
            self._settle(self._open.popleft(), mid)
        score = self.model.predict_proba(row) if self.model.fitted else -1.0
        self._open.append(Observation(row, mid, score))
        return score if score >= 0.0 else None

    def label(self, change: float) -> int | None:
        """1 for up, 0 for down, None for an outcome to leave out."""
        return None if change == 0.0 else int(change > 0.0)

    def learn(self) -> bool:
        """Let the model learn what is new; False when there is nothing."""
        if not self._new:
            return False
        rows, labels = list(self._rows), list(self._labels)
        if self.model.online:
            new = min(self._new, len(rows))
            rows, labels = rows[-new:], labels[-new:]
        self.model.partial_fit(np.array(rows), np.array(labels, np.int64))
        self._new = 0
        return True

    def auc(self) -> float:
        """Area under the ROC curve of the predictions made so far, each before its outcome; 0.5 is chance."""
        return auc(self.scores, self.outcomes)

    def _settle(self, seen: Observation, mid: float) -> None:
        label = self.label(mid - seen.mid)
        if label is None:
            return
        self._rows.append(seen.row)
        self._labels.append(label)
        self._new += 1
        self.labelled += 1
        if seen.score >= 0.0:
            self.scores.append(seen.score)
            self.outcomes.append(label)


class Learner(OutcomeLearner):
    """Features of the book, model and what is remembered of one instrument. It knows no orders."""

    def __init__(self, features: BookFeatures, model: Classifier, horizon: int, memory: int) -> None:
        super().__init__(model, horizon, memory)
        self.features = features

    def observe(self, quote: Quote) -> float | None:
        """Take in a quote. The probability of up, or None as long as there is none."""
        if not self.features.add_quote(quote) or not self.features.ready:
            return None
        return self.see(self.features.vector(), self.features.mid)


class _Desk:
    """Learner and orders of one instrument."""

    def __init__(self, instrument: Instrument, venue: str, learner: Learner) -> None:
        self.instrument = instrument
        self.venue = venue
        self.learner = learner
        self.trades = 0  # since the model learned last
        self.quotes = 0
        self.order: Order | None = None
        self.rest_until = 0  # ns


@dataclass
class MachineLearning(Agent):
    """Learns the direction of the mid from the book and takes liquidity when it is confident.

    With each quote it predicts p, the probability that the mid is higher ``label_horizon`` quotes later rather than
    lower. From p ≥ ``prediction_threshold`` it buys, from p ≤ 1 − ``prediction_threshold`` it sells, at the opposite
    best price, immediate or cancel, up to ``max_position``; a position that it no longer believes in (p beyond 0.5 the
    other way) is closed. At least ``cooldown`` lies between two orders. It begins to learn with ``warm_up`` known
    outcomes and learns again every ``retrain_interval`` trades (or quotes, see ``retrain_on``) of the market.

    Equal seeds learn equally on one platform; another processor or build of NumPy may round a fit differently.
    """

    prediction_threshold: float = field(default=0.6, metadata={"help": "confidence from which it trades, 0.5 to 1"})
    feature_window: int = field(default=100, metadata={"help": "quotes that features look back on"})
    retrain_interval: int = field(default=1000, metadata={"help": "trades, or quotes, between two lessons"})
    retrain_on: Literal["trades", "quotes"] = field(default="trades", metadata={"help": "what is counted for that"})
    features: tuple[str, ...] = field(default=DEFAULT, metadata={"help": "features, such as imbalance or ofi:10"})
    feature_config: Path | None = field(
        default=None, metadata={"kind": "file", "help": 'YAML file with a list "features", instead of features'}
    )
    model: Literal["logistic", "forest", "boosting"] = field(default="logistic", metadata={"help": "what learns"})
    model_file: Path | None = field(
        default=None, metadata={"kind": "file", "help": "skops file of a model to start with"}
    )
    label_horizon: int = field(default=20, metadata={"help": "quotes after which an outcome is known"})
    warm_up: int = field(default=500, metadata={"help": "known outcomes before the first lesson"})
    memory: int = field(default=20_000, metadata={"help": "outcomes that are remembered"})
    quantity: int = field(default=50, metadata={"help": "lots of an order", "risk": "order"})
    max_position: int = field(default=200, metadata={"help": "most lots held long or short"})
    cooldown: int | str = field(default="1s", metadata={"unit": "duration", "help": "least time between two orders"})

    def __post_init__(self) -> None:
        to_number(self, "prediction_threshold", low=0.5, high=1.0)
        to_whole(
            self, "feature_window", "retrain_interval", "label_horizon", "warm_up", "memory", "quantity",
            "max_position", low=1,
        )  # fmt: skip
        to_duration(self, "cooldown")
        check_choice(self, "retrain_on", ("trades", "quotes"))
        check_choice(self, "model", ("boosting", "forest", "logistic"))
        if self.memory < self.warm_up:
            raise InvalidValueError(f"memory: {self.memory} is less than warm_up {self.warm_up}; remember more")
        if self.feature_config is not None:
            self.features = read_features(self.feature_config)
        self.features = check_names(self.features)

    def on_start(self) -> None:
        """One learner for each instrument."""
        self._begun = self._learning()
        self.desks = {i.symbol: _Desk(i, self._session.venues(i)[0], self.new_learner(i)) for i in self.instruments}

    def bring_along(self) -> None:
        """Load what the model learns with."""
        bring_along()

    def on_parameters(self) -> None:
        """What it learns with begins anew when it was changed; the rest is read where it is used."""
        if self._learning() != self._begun:
            self.on_start()

    def new_learner(self, instrument: Instrument) -> Learner:
        """Features and a model, new or from ``model_file``."""
        features = BookFeatures(self.features, self.feature_window)
        if self.model_file is None:
            model = make(self.model, self.random(f"model {instrument.symbol}").integer(0, (1 << 31) - 1))
        else:
            model, names = load(self.model_file)
            if names != self.features:
                raise InvalidValueError(
                    f"model_file: {self.model_file} was learned on {list(names)}, not on {list(self.features)}; "
                    "give the agent the same features"
                )
        return Learner(features, model, self.label_horizon, self.memory)

    def save_model(self, path: str | Path, instrument: Instrument | None = None) -> None:
        """Write what was learned on an instrument into a skops file, for ``model_file``."""
        save(self.desks[(instrument or self.instrument).symbol].learner.model, self.features, path)

    def on_trade(self, trade: TradePrint) -> None:
        """Trades are features, and the count to the next lesson."""
        desk = self.desks[trade.instrument.symbol]
        if trade.venue == desk.venue:
            desk.learner.features.add_trade(trade)
            desk.trades += 1

    def on_quote(self, quote: Quote) -> None:
        """Predict, learn when it is time, trade when confident."""
        desk = self.desks[quote.instrument.symbol]
        if quote.venue != desk.venue:
            return
        score = desk.learner.observe(quote)
        desk.quotes += 1
        self._learn_when_due(desk)
        if score is None or not quote.two_sided or self.now < desk.rest_until:
            return
        if desk.order is None or not desk.order.live:
            self._decide(desk, quote, score)

    def on_stop(self) -> None:
        """Say how well it predicted."""
        for symbol, desk in self.desks.items():
            learner = desk.learner
            if learner.scores:
                self.note("model", f"{symbol}: AUC {learner.auc():.4f} of {len(learner.scores)} predictions")

    # --- inner ---

    def _learning(self) -> tuple[object, ...]:
        return self.features, self.feature_window, self.model, self.model_file, self.label_horizon, self.memory

    def _learn_when_due(self, desk: _Desk) -> None:
        learner = desk.learner
        counted = desk.trades if self.retrain_on == "trades" else desk.quotes
        due = counted >= self.retrain_interval if learner.model.fitted else learner.labelled >= self.warm_up
        if due and learner.learn():
            desk.trades = desk.quotes = 0

    def _decide(self, desk: _Desk, quote: Quote, score: float) -> None:
        position = self.position(desk.instrument)
        if score >= self.prediction_threshold:
            self._take(desk, quote, _BUY, min(self.quantity, self.max_position - position))
        elif score <= 1.0 - self.prediction_threshold:
            self._take(desk, quote, _SELL, min(self.quantity, self.max_position + position))
        elif position * (score - 0.5) < 0.0:
            self._take(desk, quote, _SELL if position > 0 else _BUY, abs(position))

    def _take(self, desk: _Desk, quote: Quote, side: Side, lots: int) -> None:
        if lots > 0:
            price = quote.ask if side is _BUY else quote.bid
            desk.rest_until = self.now + int(self.cooldown)
            desk.order = self.order(
                side, desk.instrument, lots, limit=price, time_in_force=_IOC, venue=desk.venue, tag="prediction"
            )
