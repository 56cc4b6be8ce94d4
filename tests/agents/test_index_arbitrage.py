"""Index against basket by hand: when it acts, how the legs are sized, and what becomes of legs that miss."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents import IndexArbitrage
from marketsim.domain.basket import Basket
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, TimeInForce
from marketsim.errors import AgentError, InvalidValueError, ScenarioError
from marketsim.scenario.loader import check
from marketsim.testing import HandMarket

AAA = Instrument("AAA", reference_price="100")
BBB = Instrument("BBB", reference_price="50")
FUND = Instrument("FUND", reference_price="100", basket="TOP")
BASKETS = {"TOP": Basket("TOP", {"AAA": 1, "BBB": 2}, Decimal(2), venue="XSIM")}  # (100 + 2 · 50) / 2 = 100
MEMBERS = (AAA, BBB, FUND)


def desk(instruments: Any = MEMBERS, baskets: Any = BASKETS, fee: str = "0", **changes: Any) -> tuple[Any, HandMarket]:
    me = IndexArbitrage(**{"threshold": 0.05, "quantity": 40, "max_position": 100, **changes})
    market = HandMarket(me, instruments, fee=fee, baskets=baskets)
    market.clear()
    return me, market


def quotes(market: HandMarket, fund: tuple[int, int], lots: int = 1_000) -> None:
    """Members at 99.99–100.01 and 49.99–50.01, index 99.985–100.015; the fund as told, in ticks."""
    market.quote(9_999, lots, 10_001, lots, market=0)
    market.quote(4_999, lots, 5_001, lots, market=1)
    market.quote(fund[0], lots, fund[1], lots, market=2)


def sent(market: HandMarket) -> list[tuple[str, int, int, int]]:
    """Symbol, side, price and lots of new orders since the last look; price 0 is a market order."""
    asked = [(MEMBERS[r.market].symbol, r.side, r.price, r.quantity) for r in market.asked(Kind.NEW)]
    market.clear()
    return asked


def answer(market: HandMarket, **filled: int) -> None:
    """Every open order is filled, or as far as told, and the rest of it canceled."""
    for order in list(market.orders):
        lots = filled.get(order.instrument.symbol, order.quantity)
        market.accept(order)
        if lots:
            market.fill(order, lots, order.price or 1, maker=False)
        if order.live:
            market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)


def positions(me: Any) -> tuple[int, ...]:
    return tuple(me.position(instrument) for instrument in (FUND, AAA, BBB))


def test_a_cheap_fund_is_bought_and_its_basket_sold_by_weights() -> None:
    """Bids of the members are worth (99.99 + 2 · 49.99) / 2 = 99.985; the fund at 99.93 is 5.5 cents below."""
    me, market = desk()
    quotes(market, (9_992, 9_993))
    assert sent(market) == [("FUND", 1, 9_993, 40), ("AAA", -1, 9_999, 20), ("BBB", -1, 4_999, 40)]
    assert all(order.time_in_force is TimeInForce.IOC for order in market.orders)
    answer(market)
    assert positions(me) == (40, -20, -40)


def test_the_basis_is_that_of_mids_and_unknown_while_a_quote_is_missing() -> None:
    me, market = desk(threshold=1)
    assert me.basis() is None
    quotes(market, (9_992, 9_993))
    assert me.basis() == pytest.approx(99.925 - 100.0)
    market.quote(0, 0, 5_001, 10, market=1)
    assert me.basis() is None
    assert sent(market) == []


def test_a_dear_fund_is_sold_and_its_basket_bought() -> None:
    _, market = desk()
    quotes(market, (10_007, 10_008))
    assert sent(market) == [("FUND", -1, 10_007, 40), ("AAA", 1, 10_001, 20), ("BBB", 1, 5_001, 40)]


def test_the_threshold_must_be_beaten_after_the_fees_of_all_legs() -> None:
    """Fees of 1 bp on the fund and on the basket are 2 cents a unit."""
    for fee, fund, acts in (("0", 9_994, False), ("0", 9_993, True), ("0.0001", 9_992, False), ("0.0001", 9_991, True)):
        _, market = desk(fee=fee)
        quotes(market, (fund - 1, fund))
        assert bool(sent(market)) is acts, (fee, fund)


def test_size_is_what_all_quotes_show() -> None:
    """60 lots of BBB hedge 60 of the fund, 12 of AAA hedge 24."""
    _, market = desk()
    market.quote(9_999, 12, 10_001, 12, market=0)
    market.quote(4_999, 60, 5_001, 60, market=1)
    market.quote(9_992, 1_000, 9_993, 1_000, market=2)
    assert sent(market)[0] == ("FUND", 1, 9_993, 24)


def test_the_position_limit_holds_and_nothing_is_begun_while_legs_are_open() -> None:
    me, market = desk()
    for lots in (40, 40, 20):
        quotes(market, (9_992, 9_993))
        quotes(market, (9_992, 9_993))
        assert sent(market)[0] == ("FUND", 1, 9_993, lots)
        answer(market)
        market.advance("20ms")
    quotes(market, (9_990, 9_991))
    assert sent(market) == []
    assert positions(me) == (100, -50, -100)


def test_it_rests_after_a_trade() -> None:
    _, market = desk(cooldown="10ms")
    quotes(market, (9_992, 9_993))
    sent(market)
    answer(market)
    market.advance("9ms")
    quotes(market, (9_992, 9_993))
    assert sent(market) == []
    market.advance("2ms")
    quotes(market, (9_992, 9_993))
    assert len(sent(market)) == 3


@pytest.mark.parametrize(("exit_", "fund", "leaves"), [(0.0, 10_001, False), (0.0, 10_002, True), (0.02, 10_000, True)])
def test_a_position_is_left_when_the_basis_has_closed(exit_: float, fund: int, leaves: bool) -> None:
    """The members' asks are worth 100.015: selling the fund at 100.02 costs nothing, at 100.01 half a cent a unit."""
    me, market = desk(exit=exit_)
    quotes(market, (9_992, 9_993))
    answer(market)
    market.advance("1s")
    sent(market)
    quotes(market, (fund, fund + 1))
    told = sent(market)
    assert bool(told) is leaves
    if leaves:
        assert told == [("FUND", -1, fund, 40), ("AAA", 1, 10_001, 20), ("BBB", 1, 5_001, 40)]
        answer(market)
        assert positions(me) == (0, 0, 0)


def test_legs_that_miss_are_completed() -> None:
    """All of the fund, half of AAA and none of BBB: what is missing is taken at market, and again until it is there."""
    me, market = desk(legs="complete", patience="100ms")
    quotes(market, (9_992, 9_993))
    sent(market)
    answer(market, AAA=10, BBB=0)
    assert sent(market) == [("AAA", -1, 0, 10), ("BBB", -1, 0, 40)]
    answer(market, BBB=15)
    assert sent(market) == []
    quotes(market, (9_992, 9_993))
    assert sent(market) == [], "nothing new before the legs are whole"
    market.advance("101ms")
    assert sent(market) == [("BBB", -1, 0, 25)]
    answer(market)
    assert positions(me) == (40, -20, -40)
    market.advance("1s")
    quotes(market, (9_992, 9_993))
    assert len(sent(market)) == 3


def test_legs_that_miss_are_unwound() -> None:
    """BBB had 10 of 40 lots: a quarter of the trade stays, the rest is given back."""
    me, market = desk(legs="unwind")
    quotes(market, (9_992, 9_993))
    sent(market)
    answer(market, BBB=10)
    assert sent(market) == [("FUND", -1, 0, 30), ("AAA", 1, 0, 15)]
    answer(market)
    assert positions(me) == (10, -5, -10)
    assert sent(market) == []


def test_a_trade_in_which_no_leg_filled_is_over() -> None:
    for legs in ("complete", "unwind"):
        me, market = desk(legs=legs)
        quotes(market, (9_992, 9_993))
        sent(market)
        answer(market, FUND=0, AAA=0, BBB=0)
        assert (positions(me), sent(market)) == ((0, 0, 0), [])
        market.advance("1s")
        quotes(market, (9_992, 9_993))
        assert len(sent(market)) == 3


def test_when_members_filled_and_the_fund_did_not_it_completes_with_the_fund() -> None:
    me, market = desk(legs="complete")
    quotes(market, (9_992, 9_993))
    sent(market)
    answer(market, FUND=0)
    assert sent(market) == [("FUND", 1, 0, 40)]
    answer(market)
    assert positions(me) == (40, -20, -40)


def test_a_refused_leg_counts_as_missed() -> None:
    me, market = desk(legs="unwind")
    quotes(market, (9_992, 9_993))
    fund, first, second = market.orders
    sent(market)
    market.reject(fund, Reason.MARKET_CLOSED)
    for order in (first, second):
        market.accept(order)
        market.fill(order, maker=False)
    assert sent(market) == [("AAA", 1, 0, 20), ("BBB", 1, 0, 40)]
    answer(market)
    assert positions(me) == (0, 0, 0)


@given(
    st.lists(
        st.tuples(st.integers(9_970, 10_030), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=12
    ),
    st.sampled_from(["complete", "unwind"]),
    st.integers(1, 7),
)
def test_at_rest_it_is_always_hedged_to_half_a_lot(
    steps: list[tuple[int, int, int, int]], legs: str, weight: int
) -> None:
    """Whatever the legs do: once they are answered, each member stands at −ratio · fund, rounded."""
    basket = Basket("TOP", {"AAA": weight, "BBB": 2}, Decimal(weight * 100 + 100) / 100, venue="XSIM")
    me, market = desk(baskets={"TOP": basket}, legs=legs, quantity=7, max_position=20, exit=0.05)
    for price, *thirds in steps:
        quotes(market, (price, price + 1))
        answer(market, **{name: part * 2 for name, part in zip(("FUND", "AAA", "BBB"), thirds, strict=True)})
        for _ in range(20):
            market.advance("110ms")
            answer(market)
        held = me.position(FUND)
        assert abs(held) <= 20
        for symbol, instrument in (("AAA", AAA), ("BBB", BBB)):
            ratio = float(basket.members[symbol] / basket.divisor)
            assert abs(me.position(instrument) + ratio * held) <= 0.5 + 1e-9
        assert market.orders == []


def test_a_future_with_a_multiplier_is_hedged_by_it() -> None:
    future = Instrument("FUND", reference_price="100", basket="TOP", kind="future", multiplier=10, expiry="16:00")
    _, market = desk((AAA, BBB, future), quantity=4)
    quotes(market, (9_992, 9_993))
    assert [lots for *_, lots in sent(market)] == [4, 20, 40]


# --- what is wrong ---


def test_the_fund_is_found_by_its_basket_or_named() -> None:
    plain = Instrument("FUND", reference_price="100")
    me, _ = desk((AAA, BBB, plain), fund="FUND", basket="TOP")
    assert me._fund.symbol == "FUND"
    for instruments, changes, message in (
        ((AAA, BBB, plain), {}, "trades none with a basket; name one"),
        ((AAA, BBB, plain), {"fund": "FUND"}, "names no index of its own; say which one"),
        ((AAA, BBB, FUND), {"fund": "FUNDS"}, "does not trade 'FUNDS'"),
        ((AAA, FUND), {}, "does not see BBB on XSIM"),
        ((AAA, BBB, FUND), {"fund": "FUND", "basket": "TIP"}, "no index is called 'TIP'"),
    ):
        with pytest.raises(AgentError, match=message):
            desk(instruments, **changes)


def test_a_fund_or_index_that_there_is_not_is_refused_before_anything_runs() -> None:
    with pytest.raises(ScenarioError) as refused:
        check("index_arbitrage", ["agents.near.fund=FUMD", "agents.near.basket=TIP", "agents.far.exit=1"])
    told = str(refused.value)
    assert 'agents.near.fund: no instrument is called "FUMD"; did you mean "FUND"?' in told
    assert 'agents.near.basket: no index is called "TIP"; did you mean "TOP"?' in told
    assert "exit: paying 1 to leave what earned 0.02 loses" in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": -1}, "threshold: -1 must be at least 0"),
        ({"exit": 0.1, "threshold": 0.05}, "exit: paying 0.1 to leave what earned 0.05 loses"),
        ({"quantity": 0}, "quantity: 0 must be at least 1"),
        ({"legs": "hope"}, "legs: 'hope' is not one of the choices"),
        ({"patience": 0}, "patience: 0"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        IndexArbitrage(**changes)
