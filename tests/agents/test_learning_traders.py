"""ZIP, GD and AA by hand: margins, beliefs and aggressiveness as the papers' formulas give them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe import Probe
from trading_floor import WHOLE

from marketsim.agents.aa_trader import Aa, boldness_of, target_price
from marketsim.agents.gd_trader import Gd
from marketsim.agents.zip_trader import Zip, zip_price
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind


def begun(agent: Any, instrument: Instrument = WHOLE) -> Probe:
    made = Probe(agent, instrument=instrument)
    made.see(Kind.START, 0)
    return made


def trade(made: Probe, price: int, aggressor: int) -> None:
    made.see(Kind.TRADE_PRINT, price=price, side=aggressor, quantity=1)


def shouted(made: Probe, bid: int, ask: int) -> int | None:
    made.see(Kind.WAKE)
    for order_id in list(made.open):
        made.report(EventKind.CANCELED, order_id, 1)
    orders = made.quote(bid, ask)
    return orders[0].price if orders else None


# --- ZIP ---


def plain_zip(side: str = "buy", momentum: float = 0.0, **terms: Any) -> Probe:
    """Margin 10 %, learning rate one half, targets without any chance; limit 100."""
    calm = {"margin": (0.1, 0.1), "learning": (0.5, 0.5), "relative": 0.0, "absolute": 0.0}
    return begun(Zip(side=side, values=(100.0,), momentum=(momentum, momentum), **{**calm, **terms}))  # type: ignore[arg-type]


def price(made: Probe) -> float:
    return float(100.0 * (1.0 + made["margin"]))


@pytest.mark.parametrize(
    ("side", "at", "aggressor", "expected"),
    [
        ("buy", 80, -1, 85.0),  # it would have paid more: asks for more profit
        ("buy", 80, 1, 85.0),
        ("buy", 96, 1, 93.0),  # an offer that it would not have taken was taken
        ("buy", 96, -1, 90.0),  # a bid was taken: nothing to learn for a buyer who bids less
        ("sell", 120, 1, 115.0),
        ("sell", 120, -1, 115.0),
        ("sell", 104, -1, 107.0),
        ("sell", 104, 1, 110.0),
    ],
)
def test_margins_after_trades(side: str, at: int, aggressor: int, expected: float) -> None:
    made = plain_zip(side)
    trade(made, at, aggressor)
    assert price(made) == pytest.approx(expected)


def test_margins_after_shouts_that_nobody_took() -> None:
    buyer = plain_zip()
    buyer.quote(86, 0)
    assert price(buyer) == 90.0, "it bids more than that"
    buyer.quote(94, 0)
    assert price(buyer) == pytest.approx(92.0)
    buyer.quote(93, 0)
    buyer.quote(93, 120)
    assert price(buyer) == pytest.approx(92.0), "no better bid, and an offer tells a buyer nothing"
    buyer.see(Kind.WAKE)
    assert price(buyer) == pytest.approx(92.5), "a look at the bid that stands"
    seller = plain_zip("sell")
    seller.quote(0, 106)
    assert price(seller) == pytest.approx(108.0)


def test_who_has_no_units_left_raises_its_margin_and_never_lowers_it() -> None:
    made = plain_zip()
    shouted(made, 0, 0)
    (order_id,) = made.open
    made.report(EventKind.TRADE, order_id, 1)
    trade(made, 96, 1)
    made.quote(96, 0)
    assert price(made) == 90.0
    trade(made, 80, 1)
    assert price(made) == pytest.approx(85.0)


def test_momentum_and_bounds() -> None:
    """γ = 0.5: Γ = 0.5·(−5) = −2.5, then 0.5·(−2.5) + 0.5·0.5·(80 − 87.5) = −3.125."""
    made = plain_zip(momentum=0.5)
    trade(made, 80, -1)
    assert price(made) == pytest.approx(87.5)
    trade(made, 80, -1)
    assert price(made) == pytest.approx(84.375)
    eager = plain_zip(margin=(0.0, 0.0))
    trade(eager, 150, 1)
    assert price(eager) == 100.0, "no price above the limit"


def test_targets_lie_a_little_beyond_the_shout() -> None:
    found = []
    for seed in range(200):
        made = Probe(
            Zip(side="buy", values=(1000.0,), learning=(1.0, 1.0), momentum=(0.0, 0.0), absolute=10.0), seed=seed,
            instrument=WHOLE,
        )  # fmt: skip
        made.see(Kind.START, 0)
        assert 650 <= zip_price(made._me.rows[0]) <= 950
        trade(made, 600, -1)
        found.append(1000.0 * (1.0 + made["margin"]))
    assert 560 <= min(found) < 570
    assert 590 < max(found) <= 600


# --- GD ---


def gd(side: str, value: float, **terms: Any) -> Probe:
    """A bid of 90 was left behind by one of 95, which was taken; offers of 110 and 100 stand."""
    made = begun(Gd(side=side, values=(value,), low=1, high=200, **terms))  # type: ignore[arg-type]
    made.quote(90, 0)
    made.quote(95, 0)
    trade(made, 95, -1)
    made.quote(0, 0)
    made.quote(0, 110)
    made.quote(0, 100)
    return made


def knots(made: Probe, count: int) -> list[tuple[int, float]]:
    return list(zip(made["knots"][:count].tolist(), made["beliefs"][:count].tolist(), strict=True))


def test_beliefs_of_a_buyer() -> None:
    """At 90: of the bids of 90 or less none was taken, the one of 90 was not: 0. At 95 the bid was taken: 1 of 1."""
    made = gd("buy", 97)
    assert shouted(made, 0, 100) == 94, "(97 - 94)·(0.8²·(3 - 1.6)) = 2.688, more than 2 at 95 or 2.592 at 93"
    assert knots(made, 6) == [(0, 0.0), (90, 0.0), (95, 1.0), (100, 1.0), (110, 1.0), (201, 1.0)]
    assert shouted(gd("buy", 97), 94, 100) == 95, "it must improve on the bid"
    assert shouted(gd("buy", 97), 96, 97) is None, "nothing is to be gained"


def test_beliefs_of_a_seller() -> None:
    """At 95 or less bids and no offers: 1. At 100 one offer was not taken: 0; at 110 neither."""
    made = gd("sell", 90)
    assert shouted(made, 0, 100) == 96, "(96 - 90)·(1 - 0.2²·(3 - 0.4)) = 5.376, more than 5 at 95 or 4.536 at 97"
    assert knots(made, 6) == [(0, 1.0), (90, 1.0), (95, 1.0), (100, 0.0), (110, 0.0), (201, 0.0)]
    assert shouted(gd("sell", 90), 98, 100) == 98, "the bid is certain and pays more"


def test_shouts_are_forgotten_with_the_trades_that_they_came_before() -> None:
    made = gd("buy", 97, memory=1)
    trade(made, 100, 1)
    assert shouted(made, 0, 0) is not None
    assert knots(made, 4) == [(0, 0.0), (100, 1.0), (110, 1.0), (201, 1.0)]


def test_a_newcomer_believes_in_the_cubic_over_the_whole_range() -> None:
    """Belief x²(3 − 2x), x = p/201; (150 − p)·x²(3 − 2x) is highest where 6·(150 − p)(1 − x)x/201 = x²(3 − 2x)."""
    made = begun(Gd(side="buy", values=(150.0,), low=1, high=200))
    best = max(range(1, 151), key=lambda p: (150 - p) * (p / 201) ** 2 * (3 - 2 * p / 201))
    assert shouted(made, 0, 0) == best


# --- AA ---


def aa(side: str = "buy", limit: float = 120.0, estimate: float = 100.0, theta: float = -2.0) -> Any:
    made = begun(Aa(side=side, values=(limit,), theta=theta, high=200))  # type: ignore[arg-type]
    made["estimate"], made["trades"] = estimate, 1
    return made._me.rows[0]


@pytest.mark.parametrize("theta", [-8.0, -2.0, 0.0, 2.0])
def test_targets_at_the_ends_and_in_between(theta: float) -> None:
    buyer, seller = aa(theta=theta), aa("sell", 70.0, theta=theta)
    assert [target_price(buyer, r) for r in (-1.0, 0.0, 1.0)] == pytest.approx([0, 100, 120])
    assert [target_price(seller, r) for r in (-1.0, 0.0, 1.0)] == pytest.approx([200, 100, 70])
    outside = aa(limit=80.0, theta=theta)
    assert [target_price(outside, r) for r in (-1.0, 0.0, 0.5, 1.0)] == pytest.approx([0, 80, 80, 80])
    curve = 0.5 if theta == 0.0 else (math.exp(0.5 * theta) - 1) / (math.exp(theta) - 1)
    assert target_price(buyer, 0.5) == pytest.approx(100 + 20 * curve)
    assert target_price(outside, -0.5) == pytest.approx(80 * (1 - curve))
    for who in (buyer, seller):
        left, right = ((target_price(who, s * 1e-5) - 100) / (s * 1e-5) for s in (-1, 1))
        assert left == pytest.approx(right, rel=0.01), "no kink at the estimate"


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.99, 0.99), st.floats(-8, 2), st.sampled_from([("buy", 120.0), ("sell", 70.0)]))
def test_the_aggressiveness_of_a_price_is_the_inverse(r: float, theta: float, who: tuple[str, float]) -> None:
    me = aa(*who, theta=theta)
    assert target_price(me, boldness_of(me, target_price(me, r))) == pytest.approx(target_price(me, r), abs=1e-5)


def test_the_estimate_is_a_mean_with_falling_weights() -> None:
    made = begun(Aa(side="buy", values=(120,), decay=0.5, window=2))
    for at in (50, 100, 106):
        trade(made, at, 1)
    assert made["estimate"] == pytest.approx((106 + 0.5 * 100) / 1.5)


def test_short_term_learning_by_hand() -> None:
    """β1 = 0.5, θ = 0, target 110 at r = 0.5. A trade at 104 (r = 0.2): (0.98·0.2 − 0.01 − 0.5)/2 further."""
    made = begun(Aa(side="buy", values=(120,), theta=0, aggressiveness=0.5, short_term=(0.5, 0.5), long_term=(0, 0),
                    window=1, high=200))  # fmt: skip
    trade(made, 100, 1)
    made["boldness"] = 0.5
    made.quote(104, 0)
    assert made["boldness"] == 0.5, "a bid below the target tells nothing"
    made.quote(115, 0)
    assert made["boldness"] == pytest.approx(0.5 + 0.5 * (1.02 * 0.75 + 0.01 - 0.5))
    made["boldness"] = 0.5
    made["window"], made["decay"] = 2, 1e-12  # so that the trade moves no estimate
    made["prices"][:] = 100
    me = made._me.rows[0]
    assert target_price(me, 0.5) == pytest.approx(110)
    trade(made, 104, 1)
    assert made["estimate"] == pytest.approx(104)
    shouted_at = boldness_of(me, 104.0)
    assert made["boldness"] == pytest.approx(0.5 + 0.5 * (0.98 * shouted_at - 0.01 - 0.5))


def test_long_term_learning_goes_to_the_ends_with_volatility() -> None:
    made = begun(Aa(side="buy", values=(120,), theta=-4, long_term=(1, 1), window=3, decay=1.0, high=200))
    for at in (100, 100, 100):
        trade(made, at, 1)
    assert made["theta"] == -4, "nothing has varied yet"
    trade(made, 140, 1)
    assert made["theta"] == pytest.approx(-8), "as volatile as ever"
    for _ in range(3):
        trade(made, 140, 1)
    assert made["theta"] == pytest.approx(2), "as calm as ever"


def test_bids_go_a_third_of_the_way() -> None:
    made = begun(Aa(side="buy", values=(150,), high=200))
    assert shouted(made, 60, 120) == 60 + round((1.02 * 120 + 0.01 - 60) / 3), (
        "before any trade: to a step beyond the offer"
    )
    made = begun(Aa(side="buy", values=(150,), aggressiveness=0.0, short_term=(0, 0), high=200))
    trade(made, 100, 1)
    assert shouted(made, 70, 120) == 80
    assert shouted(made, 70, 120) == 80 + 7, "on from its last shout"
    trade(made, 100, 1)
    assert shouted(made, 70, 120) == 80, "a trade begins a new round"
    assert shouted(made, 70, 99) == 99, "an offer within the target is taken"
    assert shouted(made, 160, 170) is None, "others bid beyond its limit"
    seller = begun(Aa(side="sell", values=(50,), short_term=(0, 0), high=200))
    trade(seller, 100, 1)
    assert shouted(seller, 0, 130) == 120
    assert shouted(seller, 0, 0) == 120 - 7


@pytest.mark.parametrize("tick", ["1", "0.01"])
def test_bids_arrive_at_any_tick(tick: str) -> None:
    """The last steps are of 1 at a reference price of 200: 0.005 of it, which a fine tick must not make finer."""
    market = Instrument("ABC", tick_size=tick, reference_price="200")
    unit = round(1 / market.tick)
    trader = begun(Aa(side="buy", values=(250,), short_term=(0, 0), high=400), market)
    trade(trader, 200 * unit, 1)
    shouts = [shouted(trader, 196 * unit, 220 * unit) for _ in range(4)]
    assert shouts[-1] == 200 * unit, "the target"
    assert 0.99 * unit <= shouts[1] - shouts[0] <= unit


def test_a_bid_next_to_the_target_makes_bolder_at_a_fine_tick() -> None:
    """The best bid, 200 − 0.4, is less than half a least step (0.5) from the target 200: a rejection of the target."""
    market = Instrument("ABC", tick_size="0.01", reference_price="200")
    trader = begun(Aa(side="buy", values=(250,), short_term=(0.5, 0.5), long_term=(0, 0), high=400), market)
    trade(trader, 20_000, 1)
    trader["boldness"] = 0.0
    trader.quote(19_940, 0)
    assert trader["boldness"] == 0.0, "a bid well below the target tells nothing"
    trader.quote(19_960, 0)
    assert trader["boldness"] == pytest.approx(0.5 * 0.01, abs=1e-4)


def test_the_absolute_step_before_any_trade_is_currency() -> None:
    market = Instrument("ABC", tick_size="0.01", reference_price="200")
    trader = begun(Aa(side="buy", values=(250,), eta=1, relative=0, absolute=0.5, high=400), market)
    assert shouted(trader, 19_000, 20_000) == 20_050
