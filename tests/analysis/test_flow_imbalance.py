"""Order-flow imbalance by hand, against the estimators of the agents, and the lines fitted to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, by_hand, lobster, lobster_folder, with_rows

from marketsim.agents.estimators import MultiLevelFlow, OrderFlowImbalance
from marketsim.analysis import order_flow_imbalance, order_flow_impact
from marketsim.analysis.flow_imbalance import principal_weights
from marketsim.analysis.tape import Tape
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote
from marketsim.errors import InvalidValueError, NotRecordedError

NAN = float("nan")
ABC = Instrument("ABC")


def test_by_hand() -> None:
    quotes = [
        (0, 99, 10, 101, 10),
        (1 * SECOND, 99, 15, 101, 10),  # +5
        (2 * SECOND, 100, 7, 101, 10),  # +7: a better bid
        (3 * SECOND, 100, 7, 101, 4),  # +6: offers went
        (11 * SECOND, 99, 15, 100.5, 3),  # -7 of the lost bid, -3 of a better offer
        (12 * SECOND, NAN, 0, 100.5, 3),  # nothing is compared with an empty side
        (13 * SECOND, 99, 2, 100.5, 3),
    ]
    found = order_flow_imbalance(by_hand(quotes=quotes, end=20 * SECOND), "10s")
    assert found["ofi_1"].tolist() == [18, -10]
    assert found["change"].tolist() == pytest.approx([0.5, 99.75 - 100.5])
    assert found.index.tolist() == [0, 10 * SECOND]


def test_it_agrees_with_what_agents_see_event_by_event() -> None:
    rng = np.random.default_rng(5)
    levels, rows = 3, 400
    table: dict[str, np.ndarray] = {"time": np.sort(rng.integers(0, 100 * SECOND, rows))}
    mid = 10_000 + np.cumsum(rng.integers(-1, 2, rows))
    for name, sign in (("ask", 1), ("bid", -1)):
        price = mid + sign * rng.integers(1, 3, rows)
        for level in range(1, levels + 1):
            table[f"{name}_{level}"] = price / 100
            table[f"{name}_quantity_{level}"] = rng.integers(1, 50, rows).astype(float)
            price = price + sign * rng.integers(1, 3, rows)
    book = pd.DataFrame(table)
    best = book.rename(columns={f"{s}{q}_1": f"{s}{q}" for s in ("ask", "bid") for q in ("", "_quantity")})
    best = best[["time", "bid", "bid_quantity", "ask", "ask_quantity"]].assign(instrument="ABC", venue="")
    market = with_rows(by_hand(end=100 * SECOND), quotes=best, book=book)
    one, several = OrderFlowImbalance(), MultiLevelFlow(levels)
    single, multi = [], []
    for row in book.itertuples(index=False):
        sides = [
            [(round(getattr(row, f"{s}_{n}") * 100), int(getattr(row, f"{s}_quantity_{n}"))) for n in (1, 2, 3)]
            for s in ("bid", "ask")
        ]
        multi.append(several.update(*sides))
        single.append(one.update(Quote(0, ABC, *sides[0][0], *sides[1][0])))
    ours = order_flow_imbalance(market, "100s", levels=levels)
    assert ours[["ofi_1", "ofi_2", "ofi_3"]].to_numpy()[0] == pytest.approx(np.sum(multi, axis=0))
    assert order_flow_imbalance(market, "100s")["ofi_1"].iloc[0] == sum(single)


def test_blocks_give_what_the_whole_gives() -> None:
    market = by_hand(book=pd.DataFrame(_random_book(50)), quotes=[(0, 99, 1, 101, 1)], end=50 * SECOND)

    class Blocks:
        def __getattr__(self, name: str) -> object:
            return getattr(market, name)

        def depth_blocks(self, levels: int, instrument: str | None = None) -> list[pd.DataFrame]:
            book = market.depth(levels, instrument)
            return [book.iloc[n : n + 7] for n in range(0, len(book), 7)]

    whole = order_flow_imbalance(market, "5s", levels=2)
    pd.testing.assert_frame_equal(order_flow_imbalance(Blocks(), "5s", levels=2), whole)  # type: ignore[arg-type]


def _random_book(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    table: dict[str, np.ndarray] = {"time": np.arange(rows) * SECOND}
    for level in (1, 2):
        for name, base in (("ask", 100 + level), ("bid", 100 - level)):
            table[f"{name}_{level}"] = base + rng.integers(0, 2, rows) / 100
            table[f"{name}_quantity_{level}"] = rng.integers(1, 9, rows).astype(float)
    return table


def test_the_first_component_is_that_of_a_decomposition_of_its_own() -> None:
    rng = np.random.default_rng(2)
    flows = rng.normal(size=(300, 1)) @ np.array([[3.0, 2.0, 1.0]]) + rng.normal(size=(300, 3))
    weights = principal_weights(flows)
    _, _, right = np.linalg.svd(flows - flows.mean(axis=0))
    assert np.abs(weights) == pytest.approx(np.abs(right[0]) / np.abs(right[0]).sum())
    assert np.abs(weights).sum() == pytest.approx(1)
    assert weights.sum() > 0


def test_several_levels_need_a_book_that_has_them() -> None:
    market = by_hand(book=pd.DataFrame(_random_book(9)), quotes=[(0, 99, 1, 101, 1)], end=9 * SECOND)
    with pytest.raises(NotRecordedError, match=r"5 levels needs 5 levels of the book \(it has 2\).*levels=2 or fewer"):
        order_flow_imbalance(market, levels=5)
    with pytest.raises(NotRecordedError, match="give it the run or the recorded day itself"):
        order_flow_imbalance(Tape.of(market), levels=2)
    with pytest.raises(InvalidValueError, match="levels=0"):
        order_flow_imbalance(market, levels=0)


@pytest.mark.statistical
@pytest.mark.skipif(lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA")
def test_more_levels_explain_more_of_a_recorded_day() -> None:
    found = order_flow_impact(lobster("AMZN", 5), levels=5)["r_squared"]
    assert 0.25 < found["best"] < 0.5 < found["integrated"] < found["levels"] < 0.7
