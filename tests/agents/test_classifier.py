"""Classifiers behind their port: they learn what is there, nothing that is not, fast, alike, and from safe files."""

from __future__ import annotations

import pickle
import timeit
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from marketsim.agents.classifier import KINDS, OnlineLogistic, auc, load, make, save
from marketsim.errors import ConfigurationError, InvalidValueError

NAMES = ("a", "b", "c", "d")


def planted(rows: int, seed: int = 1, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features on very different scales, of which two tell something; labels by a logistic law; its probabilities."""
    generator = np.random.default_rng(seed)
    X = generator.normal(0.0, 1.0, (rows, 4)) * (1.0, 1e3, 1e-3, 5.0) + (0.0, 2e3, 0.0, -40.0)
    z = strength * (X[:, 0] - 0.8 * (X[:, 1] - 2e3) / 1e3)
    p = 1.0 / (1.0 + np.exp(-z))
    return X, (generator.random(rows) < p).astype(np.int64), p


def scores(model: object, X: np.ndarray) -> list[float]:
    return [model.predict_proba(row) for row in X.tolist()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_model_finds_a_planted_signal(kind: str) -> None:
    X, y, _ = planted(4_000)
    model = make(kind, 3)
    assert not model.fitted
    model.partial_fit(X, y)
    assert model.fitted
    unseen, truth, p = planted(4_000, seed=2)
    best = auc(p.tolist(), truth.tolist())
    found = auc(scores(model, unseen), truth.tolist())
    assert best > 0.75
    assert found > best - 0.03


@pytest.mark.statistical
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_model_finds_nothing_in_shuffled_labels(kind: str) -> None:
    """20,000 unseen rows: chance has a standard error of 0.004, so 0.02 is five of them."""
    X, y, _ = planted(6_000)
    model = make(kind, 3)
    model.partial_fit(X, np.random.default_rng(9).permutation(y))
    unseen, truth, _ = planted(20_000, seed=2)
    shuffled = np.random.default_rng(10).permutation(truth)
    assert abs(auc(scores(model, unseen), shuffled.tolist()) - 0.5) < 0.02


def test_learning_online_comes_near_to_learning_at_once() -> None:
    X, y, p = planted(20_000)
    online = OnlineLogistic(5)
    for first in range(0, len(X), 500):
        online.partial_fit(X[first : first + 500], y[first : first + 500])
    scale = StandardScaler().fit(X)
    batch = LogisticRegression().fit(scale.transform(X), y)
    mine = np.array(scores(online, X[:2_000]))
    theirs = batch.predict_proba(scale.transform(X[:2_000]))[:, 1]
    assert np.abs(mine - theirs).mean() < 0.02
    assert np.abs(mine - p[:2_000]).mean() < 0.03, "and the probabilities are honest"


def test_the_short_way_to_a_probability_is_scikit_learns() -> None:
    X, y, _ = planted(3_000)
    model = OnlineLogistic(5)
    model.partial_fit(X, y)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = model._estimator.predict_proba(scaled)[:, 1]
    assert scores(model, X) == pytest.approx(theirs.tolist(), abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("forest", RandomForestClassifier(50, min_samples_leaf=20, random_state=5)),
        ("boosting", GradientBoostingClassifier(n_estimators=50, random_state=5)),
    ],
)
def test_trees_as_lists_answer_as_scikit_learns(kind: str, theirs: ClassifierMixin) -> None:
    X, y, _ = planted(2_000)
    model = make(kind, 5)
    model.fit(X, y)
    unseen = planted(500, seed=2)[0]
    assert scores(model, unseen) == pytest.approx(theirs.fit(X, y).predict_proba(unseen)[:, 1].tolist(), abs=1e-12)


def test_running_moments_are_those_of_all_rows() -> None:
    X, y, _ = planted(2_000)
    model = OnlineLogistic(0)
    for first in range(0, 2_000, 130):
        model.partial_fit(X[first : first + 130], y[first : first + 130])
    assert model._mean == pytest.approx(X.mean(axis=0))
    assert model._deviation() == pytest.approx(X.std(axis=0))


def test_a_constant_feature_is_harmless() -> None:
    X, y, _ = planted(500)
    X[:, 3] = 7.0
    model = OnlineLogistic(0)
    model.partial_fit(X, y)
    assert all(0.0 < score < 1.0 for score in scores(model, X))


@given(st.lists(st.floats(-1e300, 1e300), min_size=4, max_size=4))
def test_a_probability_is_one_whatever_the_features(row: list[float]) -> None:
    assert 0.0 <= MODEL.predict_proba(row) <= 1.0


MODEL = OnlineLogistic(0)
MODEL.partial_fit(*planted(500)[:2])


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        MODEL.predict_proba([1.0, 2.0])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_random_state_learns_the_same(kind: str) -> None:
    X, y, _ = planted(1_000)
    models = [make(kind, state) for state in (3, 3, 4)]
    for model in models:
        model.fit(X, y)
    rows = X[:50]
    assert scores(models[0], rows) == scores(models[1], rows)
    if kind != "boosting":  # boosting on all rows and features draws nothing
        assert scores(models[0], rows) != scores(models[2], rows)


def test_fit_forgets() -> None:
    X, y, _ = planted(1_000)
    once, twice = OnlineLogistic(3), OnlineLogistic(3)
    once.fit(X, y)
    twice.partial_fit(X, 1 - y)
    twice.fit(X, y)
    assert scores(once, X[:20]) == scores(twice, X[:20])


@pytest.mark.parametrize("kind", ["boosting", "forest"])
def test_one_class_alone_teaches_nothing(kind: str) -> None:
    model = make(kind)
    model.partial_fit(planted(100)[0], np.ones(100, np.int64))
    assert not model.fitted


def test_a_linear_prediction_takes_microseconds() -> None:
    X, y, _ = planted(500)
    row = np.tile(X[0], 5).tolist()
    model = OnlineLogistic(0)
    model.partial_fit(np.tile(X, 5), y)
    best = min(timeit.repeat(lambda: model.predict_proba(row), number=500, repeat=9)) / 500
    assert best < 25e-6, f"{best * 1e6:.1f} µs for 20 features"


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(InvalidValueError, match="no model is called 'forrest'; did you mean \"forest\""):
        make("forrest")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=60))
def test_auc_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    values, labels = [float(v) for v, _ in pairs], [label for _, label in pairs]
    mine = auc(values, labels)
    if len(set(labels)) == 1:
        assert np.isnan(mine)
    else:
        assert mine == pytest.approx(roc_auc_score(labels, values))


# --- files ---


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_model_comes_back_from_its_file(kind: str, tmp_path: Path) -> None:
    X, y, _ = planted(600)
    model = make(kind, 3)
    model.fit(X, y)
    save(model, NAMES, tmp_path / "model.skops")
    again, names = load(tmp_path / "model.skops")
    assert names == NAMES
    assert again.kind == kind
    assert scores(again, X[:50]) == scores(model, X[:50])
    if again.online:
        model.partial_fit(X[:200], y[:200])
        again.partial_fit(X[:200], y[:200])
        assert scores(again, X[:50]) == scores(model, X[:50]), "and goes on learning as if nothing had been"


def test_a_model_that_has_learned_nothing_has_a_file_too(tmp_path: Path) -> None:
    save(OnlineLogistic(), NAMES, tmp_path / "model.skops")
    assert not load(tmp_path / "model.skops")[0].fitted


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("executed",))


@pytest.mark.parametrize("name", ["model.pkl", "model.skops", "model.joblib"])
def test_a_pickle_is_refused_and_not_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    if name.endswith("joblib"):
        joblib.dump(Trap(), path)
    else:
        path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ConfigurationError, match=r"is a pickle, which can run any code.*classifier\.save"):
        load(path)
    assert "executed" not in capsys.readouterr().out


class Stranger:
    def __init__(self) -> None:
        self.value = 1


def test_unknown_objects_are_refused_by_name(tmp_path: Path) -> None:
    skops.io.dump({"format": "marketsim model 1", "state": Stranger()}, tmp_path / "model.skops")
    with pytest.raises(ConfigurationError, match="Stranger"):
        load(tmp_path / "model.skops")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"hello", "is no skops file"), (b"", "is no skops file"), (None, "cannot be read")],
)
def test_what_is_no_model_file_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        load(path)


def test_another_skops_file_is_no_model(tmp_path: Path) -> None:
    skops.io.dump({"hello": 1}, tmp_path / "model.skops")
    with pytest.raises(ConfigurationError, match="is no model of marketsim"):
        load(tmp_path / "model.skops")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    save(MODEL, NAMES, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigurationError):
        load(path)
