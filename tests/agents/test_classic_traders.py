"""Classic traders: units and their renewal, one order at a time, no losses, and the simple strategies by hand."""

from __future__ import annotations

from typing import Any

import pytest
from probe import Probe
from trading_floor import WHOLE

from marketsim.agents.aa_trader import Aa
from marketsim.agents.auction_sniper import AuctionSniper
from marketsim.agents.gd_trader import Gd
from marketsim.agents.giveaway import Giveaway
from marketsim.agents.shaver import Shaver
from marketsim.agents.zip_trader import Zip
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError
from marketsim.network.latency import LogNormal
from tests.population.wiring import LATENCY, ZERO, Crowd, Market

SECOND = 1_000_000_000
EVERYBODY = (Aa, AuctionSniper, Gd, Giveaway, Shaver, Zip)


def probe(kind: type = Giveaway, **terms: Any) -> Probe:
    terms = {"side": "buy", "values": (102, 97), "rate": 1.0, **terms}
    made = Probe(kind(**terms), instrument=WHOLE)
    made.see(Kind.START, 0)
    return made


def shouted(made: Probe, bid: int, ask: int, now: int | None = None) -> int | None:
    """Wake it, let its order come back, show it these quotes; the price that it shouts."""
    actions = made.see(Kind.WAKE, now)
    for order_id in list(made.open):
        actions = made.report(EventKind.CANCELED, order_id, made.open[order_id][2])
    assert [action.kind for action in actions] == [Kind.QUERY]
    orders = made.quote(bid, ask)
    return orders[0].price if orders else None


def test_it_shouts_only_when_the_last_order_is_back_and_the_quotes_are_known() -> None:
    made = probe()
    assert [a.kind for a in made.see(Kind.WAKE, 10)] == [Kind.QUERY]
    (first,) = made.quote(90, 110)
    assert (first.kind, first.side, first.price, first.quantity) == (Kind.NEW, 1, 102, 1)
    assert made.quote(91, 110) == [], "nobody asked for these"
    (back,) = made.see(Kind.WAKE, 20)
    assert (back.kind, back.order_id) == (Kind.CANCEL, first.order_id)
    assert made.quote(92, 110) == [], "the order may still trade"
    (ask,) = made.report(EventKind.TRADE, first.order_id, 1)
    assert ask.kind == Kind.QUERY
    (second,) = made.quote(90, 110)
    assert second.price == 97, "the next unit"
    made.report(EventKind.TRADE, second.order_id, 1)
    assert made.see(Kind.WAKE, 40) == [], "nothing is left"


def test_units_come_back_with_the_period() -> None:
    made = probe(values=(102,), period="10s")
    shouted(made, 0, 0, 10)
    (order_id,) = made.open
    made.report(EventKind.TRADE, order_id, 1)
    assert made.see(Kind.WAKE, 20) == []
    (again,) = made.see(Kind.TIMER, 10 * SECOND)
    assert (again.kind, again.price) == (Kind.TIMER, 20 * SECOND)
    assert shouted(made, 0, 0, 10 * SECOND + 1) == 102


def test_a_drip_brings_one_unit_at_a_time() -> None:
    made = probe(values=(102, 97, 90), period="30s", replenish="drip")
    assert made.see(Kind.WAKE, 0) == [], "the first is on its way"
    prices = []
    for turn in range(4):
        made.see(Kind.TIMER, turn * 10 * SECOND)
        prices.append(shouted(made, 0, 0))
    assert prices == [102, 97, 90, 102]
    (order_id,) = made.open
    made.see(Kind.TIMER, 40 * SECOND)
    made.report(EventKind.TRADE, order_id, 1)
    assert made["filled"] == 0, "that was the unit before"
    assert shouted(made, 0, 0) == 97


def test_drips_are_spread_over_the_agents_of_a_key() -> None:
    rows = Giveaway(side="sell", values=(1, 2), period="40s", replenish="drip").records(4, WHOLE)
    assert rows["offset"].tolist() == [0, 5 * SECOND, 10 * SECOND, 15 * SECOND]
    assert rows["interval"].tolist() == [20 * SECOND] * 4


def test_any_trade_takes_the_order_back_where_the_rules_say_so() -> None:
    made = probe(reset=True)
    shouted(made, 0, 0)
    (action,) = made.see(Kind.TRADE_PRINT, 11, price=100, side=1)
    assert action.kind == Kind.CANCEL


def test_a_giveaway_shouts_its_limit_and_limits_are_rounded_for_the_trader() -> None:
    assert shouted(probe(values=(99.5,)), 10, 20) == 99
    assert shouted(probe(side="sell", values=(99.5,)), 10, 20) == 100
    assert shouted(probe(values=(50,), low=60), 10, 20) is None, "the limit is below the range"


def test_a_shaver_is_the_best_by_a_tick() -> None:
    made = probe(Shaver, high=150)
    assert shouted(made, 90, 110) == 91
    assert shouted(made, 101, 110) == 102
    assert shouted(made, 105, 110) == 102, "its limit"
    assert shouted(made, 0, 110) == 1
    made = probe(Shaver, side="sell", values=(95,), high=150)
    assert shouted(made, 90, 110) == 109
    assert shouted(made, 90, 0) == 150
    assert shouted(made, 80, 90) == 95


def sniper(**terms: Any) -> Probe:
    """In its second period of 100 s; trades of the first were at 90 and 100."""
    made = probe(AuctionSniper, **{"values": (102,), "period": "100s", **terms})
    for price in (90, 100):
        made.see(Kind.TRADE_PRINT, 1, price=price, side=1)
    made.see(Kind.TIMER, 100 * SECOND)
    return made


def test_a_sniper_takes_what_is_better_than_all_of_the_last_period() -> None:
    assert shouted(sniper(), 50, 90, 110 * SECOND) == 90
    assert shouted(sniper(), 50, 91, 110 * SECOND) is None
    assert shouted(sniper(juicy=False), 50, 90, 110 * SECOND) is None
    selling = {"side": "sell", "values": (80,)}
    assert shouted(sniper(**selling), 100, 150, 110 * SECOND) == 100
    assert shouted(sniper(**selling), 99, 150, 110 * SECOND) is None


def test_a_sniper_takes_when_the_others_have_nearly_agreed() -> None:
    assert shouted(sniper(), 91, 99, 110 * SECOND) == 99
    assert shouted(sniper(), 89, 99, 110 * SECOND) is None, "10 of 99 is more than a tenth"
    assert shouted(sniper(), 95, 101, 110 * SECOND) is None, "above the highest of the last period"
    assert shouted(sniper(values=(100,)), 95, 99, 110 * SECOND) is None, "a gain of 1 % is not enough"
    assert shouted(sniper(spread=0), 98, 99, 110 * SECOND) is None


def test_a_sniper_shaves_faster_and_faster_at_the_end() -> None:
    """With a tenth left by 1 / (0.01 + 0.1/0.6) = 5.66 ticks; in the last moment by 1 / 0.01, up to the limit."""
    assert shouted(sniper(), 50, 0, 179 * SECOND) is None
    assert shouted(sniper(), 50, 0, 190 * SECOND) == 55
    assert shouted(sniper(), 1, 0, 200 * SECOND) == 101


@pytest.mark.parametrize("latency", [ZERO, LATENCY, LogNormal(median="300ms", sigma=1.0)])
def test_nobody_trades_at_a_loss_whatever_the_latency(latency: Any) -> None:
    values, costs = (103.0, 101.0, 99.0), (97.0, 99.0, 101.0)
    terms: dict[str, Any] = {"rate": 5, "low": 90, "high": 110, "period": "60s"}
    crowds = [
        Crowd(kind(side=side, values=units, **terms), 3, f"{kind.__name__}-{side}", latency=latency)
        for kind in EVERYBODY
        for side, units in (("buy", values), ("sell", costs))
    ]
    market = Market(crowds, instrument=WHOLE).run(50)
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    names = {number: name for name, number in market.numbers.items()}
    assert len(trades) > 10
    done: dict[int, int] = {}
    for trade in trades:
        for owner, side in ((int(trade["owner"]), int(trade["side"])), (int(trade["peer"]), -int(trade["side"]))):
            assert ("-buy" in names[owner]) == (side > 0)
            unit = done.get(owner, 0)
            done[owner] = unit + 1
            assert side * ((values if side > 0 else costs)[unit] - trade["price"]) >= 0


def test_one_after_the_other_on_the_heap_is_the_same() -> None:
    """Compiled agents of all kinds, run in one go and one event at a time."""
    digests = set()
    for stepped in (False, True):
        crowds = [
            Crowd(kind(side=side, values=(105, 95), steps=5, dealt=True, period="5s", rate=2), 5, kind.__name__ + side)
            for kind in EVERYBODY
            for side in ("buy", "sell")
        ]  # fmt: skip
        digests.add(Market(crowds, instrument=WHOLE, stepped=stepped).run(12).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("kind", "terms", "message"),
    [
        (Giveaway, {"side": "both"}, "side: 'both' is not one of the choices"),
        (Giveaway, {"values": ()}, "values: a trader without units never trades; write values: [100, 95]"),
        (Giveaway, {"values": (1.0,) * 65}, "values: 65 units are more than 64; use more agents"),
        (Giveaway, {"steps": 65}, "values: 65 units are more than 64; use more agents"),
        (Giveaway, {"values": (1, 2, 3), "steps": 3}, "steps: 3 steps lie between two values, not 3"),
        (Giveaway, {"replenish": "drip"}, "replenish: units that drip need a period to drip in; write period: 1min"),
        (Giveaway, {"replenish": "daily"}, "replenish: 'daily' is not one of the choices"),
        (Giveaway, {"low": 10, "high": 5}, "low: 10 lies above high 5; swap them"),
        (AuctionSniper, {}, "period: a sniper must know when the period ends; write period: 1min"),
        (AuctionSniper, {"period": "1s", "lurk": 0}, "lurk: 0 must be above 0"),
        (AuctionSniper, {"period": "1s", "spread": 2}, "spread: 2 must be from 0 to 1"),
        (Zip, {"margin": (0.3, 0.1)}, "margin: [0.3, 0.1] is no range; write [lowest, highest]"),
        (Zip, {"learning": (0.5,)}, "learning: [0.5] is no range; write [lowest, highest]"),
        (Zip, {"relative": -1}, "relative: -1 must be from 0 to 1"),
        (Gd, {"memory": 0}, "memory: 0 must be from 1 to 256"),
        (Aa, {"theta": 3}, "theta: 3 must be from -8 to 2"),
        (Aa, {"window": 129}, "window: 129 must be from 1 to 128"),
        (Aa, {"eta": 0.5}, "eta: 0.5 must be from 1"),
        (Aa, {"short_term": (0.2, 0.1)}, "short_term: [0.2, 0.1] is no range; write [lowest, highest]"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(kind: type, terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        kind(**{"side": "buy", "values": (100, 90), **terms})
    assert str(caught.value).startswith(message)


def test_units_that_cannot_be_dealt_are_refused_when_the_records_are_made() -> None:
    agent = Giveaway(side="buy", values=tuple(range(1, 131)), dealt=True)
    assert agent.records(3, WHOLE)["units"].tolist() == [44, 43, 43]
    with pytest.raises(InvalidValueError, match="values: 65 units of one agent are more than 64"):
        agent.records(2, WHOLE)
