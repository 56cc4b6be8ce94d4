"""Book features against their definitions, computed the slow way from all that was seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents.estimators import OrderFlowImbalance
from marketsim.agents.features import DEFAULT, KINDS, BookFeatures, check_names, read_features
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.order import Side
from marketsim.errors import ConfigurationError, InvalidValueError

ABC = Instrument("ABC")
steps = st.lists(
    st.tuples(st.integers(90, 99), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(-5, 5)),
    min_size=1,
    max_size=40,
)


def quotes_of(moves: list[tuple[int, int, int, int, int]]) -> list[Quote]:
    return [Quote(1_000_000 * n, ABC, bid, bq, bid + spread, aq) for n, (bid, spread, bq, aq, _) in enumerate(moves)]


def slow(name: str, number: int) -> Callable[[list[Quote], list[TradePrint]], float]:
    """The definition of each feature."""

    def mids(quotes: list[Quote]) -> list[float]:
        return [quote.mid for quote in quotes]

    def flow(quotes: list[Quote]) -> float:
        it = OrderFlowImbalance()
        flows = [it.update(quote) for quote in quotes][-number:]
        shown = 0.0
        for place, quote in enumerate(quotes):
            total = quote.bid_quantity + quote.ask_quantity
            shown = total if place == 0 else 0.99 * shown + 0.01 * total
        return sum(flows) / (shown / 2) / math.sqrt(number)

    def moves(quotes: list[Quote]) -> list[float]:
        path = mids(quotes)
        return [0.0, *(b - a for a, b in pairwise(path))][-number:]

    def spot(quotes: list[Quote]) -> float:
        path = mids(quotes)[-number:]
        low, high = min(path), max(path)
        return 2 * (path[-1] - low) / (high - low) - 1 if high > low else 0.0

    def traded(trades: list[TradePrint]) -> float:
        late = trades[-number:]
        volume = sum(trade.quantity for trade in late)
        return sum(trade.side * trade.quantity for trade in late) / volume if volume else 0.0

    def gap(quotes: list[Quote]) -> float:
        late = quotes[-1 - number :]
        return (late[-1].time - late[0].time) / (len(late) - 1) * 1e-9 if len(late) > 1 else 0.0

    return {
        "imbalance": lambda q, t: (q[-1].bid_quantity - q[-1].ask_quantity) / (q[-1].bid_quantity + q[-1].ask_quantity),
        "microprice": lambda q, t: q[-1].microprice - q[-1].mid,
        "spread": lambda q, t: q[-1].ask - q[-1].bid,
        "depth": lambda q, t: math.log(q[-1].bid_quantity + q[-1].ask_quantity),
        "ofi": lambda q, t: flow(q),
        "return": lambda q, t: mids(q)[-1] - mids(q)[max(-1 - number, -len(q))],
        "volatility": lambda q, t: math.sqrt(sum(m * m for m in moves(q)) / len(moves(q))),
        "position_in_range": lambda q, t: spot(q),
        "trade_imbalance": lambda q, t: traded(t),
        "quote_gap": lambda q, t: gap(q),
    }[name]


@pytest.mark.parametrize("kind", KINDS)
@given(moves=steps, number=st.integers(1, 12))
def test_a_feature_is_its_definition(kind: str, moves: list[tuple[int, int, int, int, int]], number: int) -> None:
    it, definition = BookFeatures([f"{kind}:{number}"]), slow(kind, number)
    seen: list[Quote] = []
    trades: list[TradePrint] = []
    for quote, move in zip(quotes_of(moves), moves, strict=True):
        if move[-1]:
            trades.append(TradePrint(0, ABC, 1, abs(move[-1]), Side.BUY if move[-1] > 0 else Side.SELL))
            it.add_trade(trades[-1])
        seen.append(quote)
        assert it.add_quote(quote)
        assert it.vector() == [pytest.approx(definition(seen, trades), abs=1e-9)]


def test_without_a_number_the_window_counts() -> None:
    whole, some = BookFeatures(["return"], window=3), BookFeatures(["return:3"], window=9)
    for quote in quotes_of([(90 + n, 2, 1, 1, 0) for n in range(8)]):
        whole.add_quote(quote)
        some.add_quote(quote)
    assert whole.vector() == some.vector() == [3.0]


def test_it_is_ready_after_a_whole_window() -> None:
    it = BookFeatures(window=5)
    ready = []
    for quote in quotes_of([(90, 2, 1, 1, 0)] * 8):
        it.add_quote(quote)
        ready.append(it.ready)
    assert ready == [False] * 5 + [True] * 3


def test_one_sided_quotes_are_left_out() -> None:
    it = BookFeatures(["spread"])
    assert not it.add_quote(Quote(0, ABC, 90, 5, 0, 0))
    assert it.quotes == 0
    with pytest.raises(InvalidValueError, match="need a quote with both sides"):
        it.vector()


def test_the_default_set_covers_every_kind_but_the_clock() -> None:
    assert {name.partition(":")[0] for name in DEFAULT} == set(KINDS) - {"quote_gap"}
    assert check_names(DEFAULT) == DEFAULT


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["imbalanse"], "no feature is called 'imbalanse'; did you mean \"imbalance\""),
        (["ofi:0"], "a number of quotes, 1 or more"),
        (["ofi:-3"], "a number of quotes, 1 or more"),
        (["ofi:x"], "a number of quotes, 1 or more"),
        (["spread", "spread"], "'spread' stands there twice"),
        ([], "is not a list of names"),
        ("spread", "is not a list of names"),
    ],
)
def test_wrong_names_are_named(names: list[str], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        check_names(names)


def test_a_feature_file(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("# what it looks at\nfeatures: [imbalance, ofi:10]\n")
    assert read_features(path) == ("imbalance", "ofi:10")
    path.write_text("features:\n  - spread\n  - return:5\n")
    assert read_features(path) == ("spread", "return:5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("features: [spred]", r"features\.yaml: features: no feature is called 'spred'"),
        ("feature: [spread]", 'has one entry, "features"'),
        ("- spread", 'has one entry, "features"'),
        ("features: [", r"features\.yaml:"),
    ],
)
def test_a_wrong_feature_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "features.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_features(path)


def test_a_missing_feature_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_features(tmp_path / "none.yaml")
