"""What every latency model must do: a check for the models here and for those that users write."""

from __future__ import annotations

import math
import pickle

import numpy as np

from marketsim.network.hop import LONGEST
from marketsim.network.latency import LatencyModel

_COUNT = 50_000


def check_latency_model(model: LatencyModel) -> None:
    """AssertionError with a sentence for the first promise that a model breaks.

    The check of the mean is of a fixed sample, at six standard errors: a model that passes once always passes. It is
    left out where the sample's largest value carries more than a tenth of the sum, as under a tail without variance.
    """
    draws = model.sample(_COUNT, seed=1, name="a->b/orders")
    assert draws.dtype == np.int64, "latencies are whole nanoseconds"
    assert draws.min() >= 0, "no message arrives before it was sent"
    assert draws.max() <= LONGEST, "no latency is longer than LONGEST"
    assert (draws == model.sample(_COUNT, seed=1, name="a->b/orders")).all(), "the same link draws the same latencies"
    assert (draws[:10] == model.sample(10, seed=1, name="a->b/orders")).all(), "a draw depends on its number alone"
    if draws.min() != draws.max():
        assert (draws != model.sample(_COUNT, seed=1, name="a->c/orders")).any(), "another link draws others"
        assert (draws != model.sample(_COUNT, seed=2, name="a->b/orders")).any(), "another seed draws others"
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301  # our own bytes
    assert (draws[:10] == copy.sample(10, seed=1, name="a->b/orders")).all(), "a copy draws the same latencies"
    _check_mean(model, draws)


def _check_mean(model: LatencyModel, draws: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    expected = model.expected()
    assert not math.isnan(expected), "expected() is a number"
    assert expected >= 0.0, "expected() is not negative"
    if math.isinf(expected) or draws.max() > 0.1 * draws.sum():
        return
    error = 6.0 * float(draws.std()) / math.sqrt(_COUNT) + 1.0  # and rounding to whole ns
    assert abs(float(draws.mean()) - expected) <= error, f"expected() says {expected}, the sample {draws.mean()}"
