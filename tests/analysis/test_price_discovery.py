"""Information shares: known structures come back; the model agrees with statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, by_hand

from marketsim.analysis import information_bounds, information_shares, price_discovery_of, venue_mids
from marketsim.analysis.price_discovery import _fit
from marketsim.analysis.tape import Tape
from marketsim.errors import InvalidValueError, NotRecordedError


def _leader_and_follower(rng: np.random.Generator, count: int, noise: float = 0.2) -> pd.DataFrame:
    value = np.cumsum(rng.normal(size=count))
    late = np.concatenate(([0.0], value[:-1]))
    return pd.DataFrame({"late": late + rng.normal(0, noise, count), "first": value})


def test_who_leads_has_all_the_information() -> None:
    found = price_discovery_of(_leader_and_follower(np.random.default_rng(1), 20_000)).table
    assert found.loc["first", "lower"] > 0.97
    assert found.loc["late", "upper"] < 0.03
    assert found.loc["first", "component_share"] == pytest.approx(1, abs=0.05)
    assert found["information_share"].sum() == pytest.approx(1)


def test_two_alike_share_alike() -> None:
    rng = np.random.default_rng(2)
    value = np.cumsum(rng.normal(size=20_000))
    found = price_discovery_of(value[:, None] + rng.normal(0, 1.0, (20_000, 2))).table
    assert found["information_share"].to_numpy() == pytest.approx(0.5, abs=0.05)
    assert found["component_share"].to_numpy() == pytest.approx(0.5, abs=0.05)
    assert (found["lower"] < 0.5).all()
    assert (found["upper"] > 0.5).all()


def test_shares_of_a_known_model() -> None:
    """Prices made by an error correction model have the shares that its coefficients say."""
    rng = np.random.default_rng(3)
    alpha, omega = np.array([-0.05, 0.15]), np.array([[1.0, 0.3], [0.3, 0.5]])
    shocks = rng.normal(size=(60_000, 2)) @ np.linalg.cholesky(omega).T
    prices = np.zeros((60_001, 2))
    for t, shock in enumerate(shocks):  # corrected towards each other: difference is second minus first
        gap = prices[t, 1] - prices[t, 0]
        prices[t + 1] = prices[t] - alpha * gap + shock
    across = np.array([0.15, 0.05]) / 0.2  # orthogonal to alpha
    found = price_discovery_of(prices, lags=0)
    lower, upper = information_bounds(across, omega)
    assert found.table["component_share"].to_numpy() == pytest.approx(across, abs=0.03)
    assert found.table["lower"].to_numpy() == pytest.approx(lower, abs=0.03)
    assert found.table["upper"].to_numpy() == pytest.approx(upper, abs=0.03)
    assert found.correlation == pytest.approx(0.3 / np.sqrt(0.5), abs=0.02)


def test_bounds_by_hand() -> None:
    lower, upper = information_bounds(np.array([0.5, 0.5]), np.array([[1.0, 0.6], [0.6, 1.0]]))
    # first: (0.5 + 0.5·0.6)² = 0.64, second: 0.25·0.64 = 0.16, together 0.8
    assert lower == pytest.approx([0.2, 0.2])
    assert upper == pytest.approx([0.8, 0.8])
    alone = information_bounds(np.array([0.7, 0.2, 0.1]), np.diag([1.0, 2.0, 3.0]))
    assert alone[0] == pytest.approx(alone[1])  # without correlation orderings do not matter
    assert alone[0].sum() == pytest.approx(1)


def test_the_model_is_that_of_statsmodels() -> None:
    vecm = pytest.importorskip("statsmodels.tsa.vector_ar.vecm")
    prices = _leader_and_follower(np.random.default_rng(4), 5_000, 0.5).to_numpy()
    theirs = vecm.VECM(prices, k_ar_diff=2, coint_rank=1, deterministic="co").fit()
    ours = _fit(prices, 2, 2)
    assert ours is not None
    scale = float(-theirs.beta[1, 0] / theirs.beta[0, 0])  # theirs is estimated, ours known: 1, -1
    assert scale == pytest.approx(1, abs=0.01)
    assert -theirs.alpha[:, 0] == pytest.approx(ours.adjustment[:, 0], abs=0.05)
    gamma = np.eye(2) - theirs.gamma[:, :2] - theirs.gamma[:, 2:]
    assert gamma == pytest.approx(ours.dynamics, abs=0.08)
    assert theirs.sigma_u == pytest.approx(ours.covariance, rel=0.02, abs=0.01)


def test_venues_of_a_market() -> None:
    rng = np.random.default_rng(5)
    prices = 100 + 0.01 * _leader_and_follower(rng, 500)
    quotes = []
    for n, row in enumerate(prices.itertuples(index=False)):
        for venue, mid in zip(("LATE", "FIRST"), row, strict=True):
            quotes.append((n * SECOND, mid - 0.01, 1, mid + 0.01, 1, "ABC", venue))
    market = by_hand(quotes=quotes, end=499 * SECOND)
    assert venue_mids(market, "1s")["FIRST"].to_numpy() == pytest.approx(prices["first"].to_numpy())
    found = information_shares(market, "1s").table
    assert found.index.tolist() == ["FIRST", "LATE"]
    assert found.loc["FIRST", "information_share"] > 0.9


def test_one_venue_alone_has_no_share() -> None:
    market = by_hand(quotes=[(0, 99, 1, 101, 1)])
    with pytest.raises(NotRecordedError, match=r"several venues of ABC \(there is one\).*two_venues"):
        information_shares(market)
    with pytest.raises(NotRecordedError, match="not a joined tape"):
        information_shares(Tape.of(market))  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="1 prices"):
        price_discovery_of(np.zeros((50, 1)))
    still = price_discovery_of(np.ones((500, 2)))
    assert still.table["lower"].isna().all()
    assert still.observations == 0
