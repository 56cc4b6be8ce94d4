"""A momentum strategy on bars: model, momentum and volume, joined with weighted confidence, and a reason every time.

Each part says up, down or nothing, and how sure it is; the weighted sum decides between BUY, SELL and HOLD. What was
decided, with which confidence and why, is written into the run as a remark with the key ``signal``. The model is any
behind the port of ``classifier``, learned while it trades or read from a model file, or none.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from marketsim.agents.checks import check_choice, to_duration, to_number, to_share, to_whole
from marketsim.agents.classifier import Classifier, bring_along, load, make, save
from marketsim.agents.machine_learning import OutcomeLearner
from marketsim.agents.rules.credit import Credit
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Bar, Report
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

FEATURES = ("return_1", "return_lookback", "volume_ratio", "range_position", "volatility")
"""What the model sees of the bars; see ``BarWindow.row``."""
_SLACK = 1e-9  # of confidences, so that 0.3 / 0.5 reaches 0.6


class Part(NamedTuple):
    """What one part of the strategy says: direction +1, −1 or 0, how sure it is (0 to 1), its weight, and why."""

    direction: int
    confidence: float
    weight: float
    reason: str


class Signal(NamedTuple):
    """What the strategy decides at the end of a bar."""

    action: Literal["BUY", "SELL", "HOLD"]
    confidence: float  # 0 to 1
    reasoning: str


def join(parts: Sequence[Part], threshold: float) -> Signal:
    """Weighted confidence C = Σ w·c·d / Σ w over the parts; BUY from C ≥ threshold, SELL from C ≤ −threshold.

    d, c and w are the parts' directions, confidences and weights. The signal's confidence is |C|.
    """
    total = sum(part.weight for part in parts)
    joined = sum(part.weight * part.confidence * part.direction for part in parts) / total
    action: Literal["BUY", "SELL", "HOLD"] = "HOLD"
    if abs(joined) >= threshold - _SLACK:
        action = "BUY" if joined > 0.0 else "SELL"
    told = "; ".join(part.reason for part in parts if part.weight > 0.0)
    relation = "reaches" if action != "HOLD" else "is below"
    way = "up" if joined > 0.0 else "down" if joined < 0.0 else "neither way"
    return Signal(
        action, abs(joined), f"{told}; confidence {abs(joined):.2f} {way} {relation} {threshold:.2f}: {action}"
    )


def supporters(parts: Sequence[Part], action: str) -> str:
    """The parts that speak for an action, by the first word of their reason; "" for none."""
    way = {"BUY": 1, "SELL": -1}.get(action, 0)
    names = [part.reason.split(" ", 1)[0] for part in parts if way and part.direction == way and part.weight > 0.0]
    return f"{action.lower()}: {' and '.join(names)}" if names else ""


class BarWindow:
    """The bars that the strategy looks back on. Bars before the first trade are left out."""

    def __init__(self, lookback: int, volume_window: int) -> None:
        self.lookback = lookback
        self._closes: deque[float] = deque(maxlen=lookback + 1)
        self._ranges: deque[tuple[float, float]] = deque(maxlen=lookback)
        self._volumes: deque[int] = deque(maxlen=volume_window)
        self.volume = 0
        self.average = 0.0  # volume of the bars before the latest

    def add(self, bar: Bar) -> bool:
        """Take in a bar; whether there is enough to judge by."""
        if not bar.close:
            return False
        ready = len(self._closes) >= self.lookback and len(self._volumes) == self._volumes.maxlen
        self.average = sum(self._volumes) / len(self._volumes) if self._volumes else 0.0
        self.volume = bar.volume
        self._closes.append(float(bar.close))
        self._ranges.append((float(bar.low), float(bar.high)))
        self._volumes.append(bar.volume)
        return ready

    @property
    def close(self) -> float:
        """Of the latest bar, ticks."""
        return self._closes[-1]

    @property
    def momentum(self) -> float:
        """close / close ``lookback`` bars ago − 1."""
        return self._closes[-1] / self._closes[0] - 1.0

    @property
    def volume_ratio(self) -> float:
        """Volume of the latest bar over the average of those before it; 0 where they had none."""
        return self.volume / self.average if self.average else 0.0

    def row(self) -> list[float]:
        """The ``FEATURES``: last return, momentum, ln(1 + volume ratio), place of the close between lowest and highest
        of the lookback (−1 to 1), and the root mean square of returns.
        """
        closes = list(self._closes)
        returns = [after / before - 1.0 for before, after in pairwise(closes)]
        low, high = min(low for low, _ in self._ranges), max(high for _, high in self._ranges)
        place = 2.0 * (self.close - low) / (high - low) - 1.0 if high > low else 0.0
        deviation = math.sqrt(sum(change * change for change in returns) / len(returns))
        return [returns[-1], self.momentum, math.log1p(self.volume_ratio), place, deviation]


class _Desk:
    """What it knows of one instrument."""

    def __init__(self, instrument: Instrument, venue: str, window: BarWindow, learner: OutcomeLearner | None) -> None:
        self.instrument = instrument
        self.venue = venue
        self.window = window
        self.learner = learner
        self.bars = 0  # since the model learned last
        self.signal: Signal | None = None
        self.rule = ""  # the parts that spoke for it


@dataclass
class MomentumStrategy(Agent):
    """At the end of each bar joins what a model, momentum and volume say, and holds what the signal says.

    Model: the probability p that the close is higher ``label_horizon`` bars later; up with confidence p where p > 1/2,
    else down with 1 − p. Momentum: the close against that of ``lookback`` bars ago; sure (1) from
    ``momentum_threshold`` on, either way. Volume: sure of momentum's sign where the bar's volume is at least
    ``volume_multiple`` times the average of the ``volume_window`` bars before it.

    The joined confidence is the weighted sum over the sum of weights; from ``confidence_threshold`` on it acts. While
    there is no model, or it has not learned yet, the other weights alone count. With the weights as they come, a model
    is never enough alone: one that is 60 % sure and momentum are just enough.

    BUY goes to a long position of ``position_share`` of ``capital`` at the close, SELL to a short one (flat without
    ``short``), with a market order; HOLD leaves it. A remark ``signal`` is written for each bar that is judged:
    JSON with instrument, action, confidence and reasoning.
    """

    bar: int | str = field(default="1min", metadata={"unit": "duration", "help": "length of a bar"})
    model: Literal["none", "logistic", "forest", "boosting"] = field(
        default="logistic", metadata={"help": "what predicts the direction, or none"}
    )
    model_file: Path | None = field(
        default=None, metadata={"kind": "file", "help": "skops file of a model to start with"}
    )
    confidence_threshold: float = field(default=0.6, metadata={"help": "joined confidence from which it acts, 0 to 1"})
    momentum_threshold: float = field(default=0.02, metadata={"help": "change over lookback that counts, a share"})
    volume_multiple: float = field(default=1.5, metadata={"help": "times the average volume that is a surge"})
    model_weight: float = field(default=0.5, metadata={"help": "weight of the model"})
    momentum_weight: float = field(default=0.3, metadata={"help": "weight of momentum"})
    volume_weight: float = field(default=0.2, metadata={"help": "weight of volume"})
    lookback: int = field(default=10, metadata={"help": "bars over which momentum is measured"})
    volume_window: int = field(default=20, metadata={"help": "bars of the average volume"})
    position_share: float = field(default=0.1, metadata={"help": "share of capital in one position"})
    capital: float = field(default=100_000.0, metadata={"help": "currency that positions are sized by"})
    short: bool = field(default=True, metadata={"help": "whether SELL goes short, or only out"})
    label_horizon: int = field(default=5, metadata={"help": "bars after which an outcome is known"})
    warm_up: int = field(default=50, metadata={"help": "known outcomes before the first lesson"})
    retrain_interval: int = field(default=50, metadata={"help": "bars between two lessons"})
    memory: int = field(default=5_000, metadata={"help": "outcomes that are remembered"})

    def __post_init__(self) -> None:
        to_duration(self, "bar")
        check_choice(self, "model", ("none", "logistic", "forest", "boosting"))
        to_share(self, "confidence_threshold", "position_share")
        to_number(self, "momentum_threshold", "model_weight", "momentum_weight", "volume_weight", low=0.0)
        to_number(self, "volume_multiple", "capital", low=0.0, open_low=True)
        to_whole(self, "lookback", "volume_window", "label_horizon", "warm_up", "retrain_interval", "memory", low=1)
        if self.model == "none" and self.model_file is not None:
            raise InvalidValueError("model_file: model is none; say which kind it is, or leave the file out")
        if self.momentum_weight + self.volume_weight == 0.0:
            raise InvalidValueError("momentum_weight and volume_weight are both 0; give one some weight")
        if self.memory < self.warm_up:
            raise InvalidValueError(f"memory: {self.memory} is less than warm_up {self.warm_up}; remember more")

    def on_start(self) -> None:
        """A window of bars and a learner for each instrument."""
        self._credit = Credit(self)
        self._why: dict[int, tuple[str, str]] = {}  # rule and reason of its orders
        self._begin()

    def _begin(self) -> None:
        self._begun = self._seeing()
        self.desks = {i.symbol: self._new_desk(i) for i in self.instruments}
        for desk in self.desks.values():
            self.subscribe(desk.instrument, bars=self.bar, venue=desk.venue)

    def on_fill(self, order: Order, report: Report) -> None:
        """Say what the order came from."""
        self._credit.fill(report, *self._why.get(order.client_order_id, ("", "")))

    def on_parameters(self) -> None:
        """What it sees and learns with begins anew when it was changed; the rest is read where it is used."""
        if self._seeing() != self._begun:
            self._begin()

    def bring_along(self) -> None:
        """Load what the models learn with."""
        if self.model != "none":
            bring_along()

    def on_bar(self, bar: Bar) -> None:
        """Judge, write down why, and hold what follows."""
        desk = self.desks[bar.instrument.symbol]
        if bar.venue != desk.venue or bar.interval != self.bar or not desk.window.add(bar):
            return
        parts = self.parts(desk.window, self._predicted(desk))
        desk.signal = signal = join(parts, self.confidence_threshold)
        desk.rule = supporters(parts, signal.action)
        told = {"instrument": bar.instrument.symbol, **signal._asdict(), "confidence": round(signal.confidence, 4)}
        self.note("signal", json.dumps(told))
        self._hold(desk, signal)

    def parts(self, window: BarWindow, probability: float | None) -> list[Part]:
        """What model (where it predicts), momentum and volume say of the latest bar."""
        momentum = self._momentum(window)
        parts = [momentum, self._volume(window)]
        return parts if probability is None else [self._model(probability), *parts]

    def save_model(self, path: str | Path, instrument: Instrument | None = None) -> None:
        """Write what was learned on an instrument into a skops file, for ``model_file``."""
        learner = self.desks[(instrument or self.instrument).symbol].learner
        if learner is None:
            raise InvalidValueError(f"{self.name} has no model to save: model is none")
        save(learner.model, FEATURES, path)

    # --- inner ---

    def _seeing(self) -> tuple[object, ...]:
        return (
            self.bar, self.lookback, self.volume_window, self.model, self.model_file, self.label_horizon, self.memory,
        )  # fmt: skip

    def _new_desk(self, instrument: Instrument) -> _Desk:
        learner = None
        if self.model != "none":
            learner = OutcomeLearner(self.new_model(instrument), self.label_horizon, self.memory)
        window = BarWindow(self.lookback, self.volume_window)
        return _Desk(instrument, self._session.venues(instrument)[0], window, learner)

    def new_model(self, instrument: Instrument) -> Classifier:
        """A new model, or that of ``model_file``."""
        if self.model_file is None:
            return make(self.model, self.random(f"model {instrument.symbol}").integer(0, (1 << 31) - 1))
        model, names = load(self.model_file)
        if names != FEATURES:
            raise InvalidValueError(
                f"model_file: {self.model_file} was learned on {list(names)}, not on {list(FEATURES)}; use one that "
                "save_model() of this strategy wrote"
            )
        return model

    def _predicted(self, desk: _Desk) -> float | None:
        """The probability of up, after learning what is known by now."""
        learner = desk.learner
        if learner is None:
            return None
        desk.bars += 1
        due = desk.bars >= self.retrain_interval if learner.model.fitted else learner.labelled >= self.warm_up
        if due and learner.learn():
            desk.bars = 0
        return learner.see(desk.window.row(), desk.window.close)

    def _model(self, probability: float) -> Part:
        up = probability > 0.5
        sure = probability if up else 1.0 - probability
        direction = 0 if probability == 0.5 else 1 if up else -1
        way = "up" if up else "down" if direction else "undecided"
        return Part(direction, sure, self.model_weight, f"model {way} with {sure:.0%}")

    def _momentum(self, window: BarWindow) -> Part:
        change, needed = window.momentum, self.momentum_threshold
        direction = (1 if change > 0.0 else -1) if change and abs(change) >= needed - _SLACK else 0
        relation = "reaches" if direction else "is within"
        told = f"momentum {change:+.2%} over {window.lookback} bars {relation} {needed:.2%}"
        return Part(direction, float(direction != 0), self.momentum_weight, told)

    def _volume(self, window: BarWindow) -> Part:
        ratio, needed, change = window.volume_ratio, self.volume_multiple, window.momentum
        surge = ratio >= needed - _SLACK
        direction = ((change > 0.0) - (change < 0.0)) if surge else 0
        relation = "a surge of at least" if surge else "below"
        told = f"volume {ratio:.2f} times its average, {relation} {needed:.2f}"
        return Part(direction, float(direction != 0), self.volume_weight, told)

    def _hold(self, desk: _Desk, signal: Signal) -> None:
        """Trade to the position that the signal wants; what is on its way counts as done."""
        if signal.action == "HOLD":
            return
        side = Side.BUY if signal.action == "BUY" else Side.SELL
        held = self.position(desk.instrument) + sum(order.leaves * order.side for order in self.orders(desk.instrument))
        wanted = 0 if side is Side.SELL and not self.short else side * self._lots(desk)
        gap = wanted - held
        if held * side <= 0 and gap * side > 0:
            order = self.order(side, desk.instrument, abs(gap), venue=desk.venue, tag=signal.action)
            self._why[order.client_order_id] = desk.rule, signal.reasoning

    def _lots(self, desk: _Desk) -> int:
        """Of a whole position at the latest close."""
        lot = desk.instrument.lot * float(desk.instrument.multiplier)
        return int(self.position_share * self.capital / (desk.instrument.price(desk.window.close) * lot))

    def subscriptions(self) -> dict[str, Any]:
        """Bars alone, asked for at the start."""
        return {}
