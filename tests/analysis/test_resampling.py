"""Resampling: the draws of the kernel's generator, each number equally likely."""

from __future__ import annotations

import numpy as np
from scipy import stats

from marketsim.analysis.resampling import resamples
from marketsim.kernel.random import below


def test_draws_are_those_of_the_kernel() -> None:
    found = resamples(7, 30, seed=5)
    assert found.ravel().tolist() == [below(5, 0, draw, 7) for draw in range(7 * 30)]


def test_every_number_is_drawn_equally_often() -> None:
    found = resamples(20, 5_000)
    assert found.shape == (5_000, 20)
    assert stats.chisquare(np.bincount(found.ravel(), minlength=20)).pvalue > 1e-3
    assert (
        stats.kstest([len(set(row)) for row in found[:2000]], [len(set(row)) for row in found[2000:4000]]).pvalue > 1e-3
    )
