"""Classifiers of direction behind one small port, and their files.

A model answers one question, the probability that the price goes up, for one row of features at a time. It learns with
scikit-learn and answers without, because one row costs scikit-learn a tenth of a millisecond, and many where there are
trees. Files are skops files, which hold no code that could run; a pickle is refused.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
_FORMAT = "marketsim model 1"
_CLASSES = np.array([0, 1])


class Classifier(Protocol):
    """The port. Labels are 1 for up and 0 for down; rows are features in a fixed order."""

    kind: str
    online: bool  # learns from new rows alone; otherwise from all that are remembered

    @property
    def fitted(self) -> bool:
        """Whether it can predict."""

    def fit(self, X: Matrix, y: Labels) -> None:
        """Forget everything and learn."""

    def partial_fit(self, X: Matrix, y: Labels) -> None:
        """Learn more; what cannot learn more is fitted anew."""

    def predict_proba(self, row: Sequence[float]) -> float:
        """Probability of up for one row, 0 to 1."""

    def state(self) -> dict[str, Any]:
        """What a file must hold."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what a file held."""


class OnlineLogistic:
    """Logistic regression by stochastic gradient descent, on features scaled by their own running mean and deviation.

    random_state: decides the order in which rows are learned.
    alpha: strength of the ridge penalty.
    epochs: passes over each batch.
    """

    kind = "logistic"
    online = True

    def __init__(self, random_state: int = 0, alpha: float = 1e-3, epochs: int = 5) -> None:
        self._settings: dict[str, Any] = {
            "loss": "log_loss", "alpha": alpha, "average": True, "random_state": random_state,
        }  # fmt: skip
        self._epochs = epochs
        self._estimator: Any = None
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0
        self._weights: list[float] = []
        self._bias = 0.0

    @property
    def fitted(self) -> bool:
        """Whether it can predict."""
        return bool(self._weights)

    def fit(self, X: Matrix, y: Labels) -> None:
        """Forget everything and learn."""
        self._estimator, self._count, self._mean, self._squares = None, 0, 0.0, 0.0
        self.partial_fit(X, y)

    def partial_fit(self, X: Matrix, y: Labels) -> None:
        """Learn more."""
        if self._estimator is None:
            from sklearn.linear_model import SGDClassifier

            self._estimator = SGDClassifier(**self._settings)
        self._measure(X)
        deviation = self._deviation()
        scaled = (X - self._mean) / deviation
        for _ in range(self._epochs):
            self._estimator.partial_fit(scaled, y, classes=_CLASSES)
        self._cache(deviation)

    def predict_proba(self, row: Sequence[float]) -> float:
        """Probability of up for one row: 1 / (1 + e^(−z)), z linear in the features."""
        z = self._bias
        for weight, value in zip(self._weights, row, strict=True):
            z += weight * value
        return _logistic(z)

    def state(self) -> dict[str, Any]:
        """What a file must hold."""
        return {
            "estimator": self._estimator,
            "epochs": self._epochs,
            "count": self._count,
            "mean": self._mean,
            "squares": self._squares,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what a file held."""
        self._estimator, self._epochs, self._count = state["estimator"], int(state["epochs"]), int(state["count"])
        self._mean, self._squares = state["mean"], state["squares"]
        if self._count:
            self._cache(self._deviation())

    def _measure(self, X: Matrix) -> None:
        """Running mean and sum of squares, joined batch by batch (Chan, Golub and LeVeque 1979)."""
        count, mean = len(X), X.mean(axis=0)
        squares = ((X - mean) * (X - mean)).sum(axis=0)
        total = self._count + count
        gap = mean - self._mean
        self._squares = self._squares + squares + gap * gap * (self._count * count / total)
        self._mean = self._mean + gap * (count / total)
        self._count = total

    def _deviation(self) -> Matrix:
        deviation = np.sqrt(self._squares / self._count)
        return np.asarray(np.where(deviation > 0.0, deviation, 1.0))

    def _cache(self, deviation: Matrix) -> None:
        """Weights for features as they come: the scaling is folded in."""
        weights = self._estimator.coef_[0] / deviation
        self._weights = weights.tolist()
        self._bias = float(self._estimator.intercept_[0] - (weights * self._mean).sum())


Tree = tuple[list[int], list[float], list[int], list[int], list[float]]  # feature, threshold, left, right, value


class Forest:
    """A random forest: the mean of the shares of ups in the leaves of its trees."""

    kind = "forest"
    online = False

    def __init__(self, random_state: int = 0) -> None:
        self._random_state = random_state
        self._trees: list[Tree] = []

    @property
    def fitted(self) -> bool:
        """Whether it can predict."""
        return bool(self._trees)

    def fit(self, X: Matrix, y: Labels) -> None:
        """Forget everything and learn; rows of one class alone are nothing to learn from."""
        if len(np.unique(y)) == 2:
            self._grow(X, y)

    def partial_fit(self, X: Matrix, y: Labels) -> None:
        """Fit anew."""
        self.fit(X, y)

    def predict_proba(self, row: Sequence[float]) -> float:
        """Probability of up for one row."""
        return self._sum(row) / len(self._trees)

    def state(self) -> dict[str, Any]:
        """What a file must hold: the trees as plain numbers, and what the next ones are grown with."""
        return {"random_state": self._random_state, "trees": [list(tree) for tree in self._trees]}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what a file held."""
        self._random_state = int(state["random_state"])
        self._trees = [(tree[0], tree[1], tree[2], tree[3], tree[4]) for tree in state["trees"]]

    def _grow(self, X: Matrix, y: Labels) -> None:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(50, min_samples_leaf=20, n_jobs=1, random_state=self._random_state)
        forest.fit(X, y)
        self._trees = [
            _plain(one.tree_, one.tree_.value[:, 0, 1] / one.tree_.value[:, 0].sum(axis=1)) for one in forest
        ]

    def _sum(self, row: Sequence[float]) -> float:
        """Sum of the values of the leaves where a row ends; trees compare in single precision."""
        cells = np.asarray(row, np.float32).tolist()
        total = 0.0
        for feature, threshold, left, right, value in self._trees:
            node = 0
            while left[node] >= 0:
                node = left[node] if cells[feature[node]] <= threshold[node] else right[node]
            total += value[node]
        return total


class Boosting(Forest):
    """Gradient-boosted trees: the logistic function of a constant and the sum of its trees' leaves."""

    kind = "boosting"

    def __init__(self, random_state: int = 0) -> None:
        super().__init__(random_state)
        self._constant = 0.0

    def predict_proba(self, row: Sequence[float]) -> float:
        """Probability of up for one row."""
        return _logistic(self._constant + self._sum(row))

    def state(self) -> dict[str, Any]:
        """What a file must hold."""
        return {**super().state(), "constant": self._constant}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what a file held."""
        super().restore(state)
        self._constant = float(state["constant"])

    def _grow(self, X: Matrix, y: Labels) -> None:
        from sklearn.ensemble import GradientBoostingClassifier

        boosting = GradientBoostingClassifier(n_estimators=50, random_state=self._random_state)
        boosting.fit(X, y)
        share = float(y.mean())
        self._constant = math.log(share / (1.0 - share))
        rate = boosting.learning_rate
        self._trees = [_plain(one.tree_, rate * one.tree_.value[:, 0, 0]) for one in boosting.estimators_[:, 0]]


def _plain(tree: Any, values: Matrix) -> Tree:
    """A tree of scikit-learn as lists, which one row walks a hundred times faster."""
    return (
        tree.feature.tolist(), tree.threshold.tolist(), tree.children_left.tolist(), tree.children_right.tolist(),
        values.tolist(),
    )  # fmt: skip


def _logistic(z: float) -> float:
    """1 / (1 + e^(−z)), without overflow."""
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    power = math.exp(z)
    return power / (1.0 + power)


KINDS: dict[str, Callable[[int], Classifier]] = {
    "boosting": Boosting,
    "forest": Forest,
    "logistic": OnlineLogistic,
}


def bring_along() -> None:
    """Load what the models learn with: at the first learning it would hold up a market that follows the wall clock."""
    with suppress(ImportError):
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401


def make(kind: str, random_state: int = 0) -> Classifier:
    """A new model."""
    if kind not in KINDS:
        raise InvalidValueError(f"model: no model is called {kind!r}{did_you_mean(kind, KINDS)}")
    return KINDS[kind](random_state)


def auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Area under the ROC curve: the chance that an up scores higher than a down, ties counting half.

    nan when there are only ups, or only downs.
    """
    ranks = _ranks(np.asarray(scores, np.float64))
    up = np.asarray(labels) == 1
    ups, downs = int(up.sum()), int((~up).sum())
    if not ups or not downs:
        return math.nan
    return float((ranks[up].sum() - ups * (ups + 1) / 2) / (ups * downs))


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - 0.5 * (counts - 1))[inverse])


# --- files -----------------------------------------------------------------------------------------------------------


def save(model: Classifier, features: Sequence[str], path: str | Path) -> None:
    """Write a model and the names of its features into a skops file."""
    import skops.io

    content = {"format": _FORMAT, "kind": model.kind, "features": list(features), "state": model.state()}
    skops.io.dump(content, path)


def load(path: str | Path) -> tuple[Classifier, tuple[str, ...]]:
    """The model and its feature names from a file that ``save`` wrote.

    ConfigurationError for what is no such file; nothing of a file is run.
    """
    import skops.io

    where = Path(path)
    _check_file(where)
    try:
        strange = skops.io.get_untrusted_types(file=where)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(f"{where}: is no model file ({error}); write one with save()") from None
    if strange:
        raise ConfigurationError(
            f"{where}: holds objects of {', '.join(map(str, strange))}, which are not known to be harmless; a model "
            "file holds scikit-learn models and numbers only"
        )
    content = skops.io.load(where, trusted=[])
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ConfigurationError(f"{where}: is no model of marketsim, or of a later version; write one with save()")
    model = make(content["kind"])
    model.restore(content["state"])
    return model, tuple(content["features"])


def _check_file(where: Path) -> None:
    try:
        with where.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise ConfigurationError(f"{where}: cannot be read: {error.strerror}; give the path of a model file") from None
    if zipfile.is_zipfile(where):
        return
    if head[:1] == b"\x80" or where.suffix in (".pkl", ".pickle", ".joblib"):
        raise ConfigurationError(
            f"{where}: is a pickle, which can run any code when it is opened; write the model with "
            "marketsim.agents.classifier.save() instead"
        )
    raise ConfigurationError(f"{where}: is no skops file; write the model with marketsim.agents.classifier.save()")
