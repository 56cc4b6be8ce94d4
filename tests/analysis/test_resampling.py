"""Resampling: the draws of the kernel's generator, each number equally likely."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from marketsim.analysis.resampling import Blocks, normal_numbers, resamples
from marketsim.errors import InvalidValueError
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


def test_blocks_keep_means_and_their_spread() -> None:
    values = np.random.default_rng(1).normal(size=(500, 2))
    means = Blocks(500, 1, times=1000).means(values)  # blocks of one: the plain bootstrap
    assert means.mean(axis=0) == pytest.approx(values.mean(axis=0), abs=0.01)
    assert means.std(axis=0) == pytest.approx(values.std(axis=0) / np.sqrt(500), rel=0.1)


def test_blocks_see_dependence_that_single_draws_miss() -> None:
    from scipy.signal import lfilter

    noise = np.random.default_rng(2).normal(size=4_000)
    values = lfilter([1.0], [1.0, -0.8], noise)[:, None]
    truth = 5.0 / np.sqrt(4_000)  # 1 / (1 - 0.8) times that of the noise
    assert Blocks(4_000, 50, times=400).means(values).std() == pytest.approx(truth, rel=0.25)
    assert Blocks(4_000, 1, times=100).means(values).std() < 0.5 * truth


def test_blocks_against_resampling_row_by_row() -> None:
    blocks = Blocks(50, 7, times=20, seed=3)
    values = np.random.default_rng(3).normal(size=(50, 1))
    for number, mean in enumerate(blocks.means(values)[:, 0]):
        pairs = zip(blocks._start[number], blocks._length[number], strict=True)
        rows = np.concatenate([(start + np.arange(length)) % 50 for start, length in pairs])
        assert len(rows) == 50
        assert mean == pytest.approx(values[rows, 0].mean())


def test_blocks_refuse_nonsense() -> None:
    with pytest.raises(InvalidValueError, match="at least 1"):
        Blocks(0, 5)
    with pytest.raises(InvalidValueError, match="drawn for 10"):
        Blocks(10, 5).means(np.ones((9, 1)))


def test_normal_numbers_are_normal() -> None:
    from scipy.stats import kstest

    found = normal_numbers((50, 200), seed=4)
    assert found.shape == (50, 200)
    assert kstest(found.ravel(), "norm").pvalue > 0.01
