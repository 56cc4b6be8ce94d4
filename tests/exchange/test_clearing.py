"""The clearing house: by hand for each kind of contract; money is conserved to the last unit whatever happens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.domain.clearing import ClearingRules
from marketsim.domain.contract import MONEY
from marketsim.domain.contract import portion as plain_portion
from marketsim.domain.contract import traded as plain_traded
from marketsim.domain.contract import worth as plain_worth
from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.fees import Fee, FeeMeter, FeeSchedule, FeeTier
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.exchange import clearing
from marketsim.exchange.clearing_house import ClearedMarket, ClearingHouse
from marketsim.kernel.compiled import zeros

D = Decimal
UNIT = 10**8
PERP = Instrument("PERP", "0.1", 1, 100, kind="perpetual", funding_rate="0.001")
INVERSE = Instrument("INV", "0.5", 1, 50_000, kind="inverse_perpetual", multiplier=100, settlement="BTC")
FUTURE = Instrument("FUT", "0.25", 1, 4000, kind="future", multiplier=50, expiry="16:00")
SPOT = Instrument("ABC", "0.05", 1, 100)
CALL = Instrument("CALL", "0.05", 1, 4, kind="option", strike=100, right="call", expiry="16:00", underlying="ABC")
PUT = Instrument("PUT", "0.05", 1, 4, kind="option", strike=100, right="put", expiry="16:00", underlying="ABC")
RULES = ClearingRules(insurance_fund=D(10), liquidation_fee=Fee("bps", D(10)))
AGENTS = 4


class Bench:
    """A house without a market around it: rows are handed to it by hand."""

    def __init__(self, *instruments: Instrument, fees: FeeSchedule | None = None, rules: ClearingRules = RULES) -> None:
        schedule = fees or FeeSchedule()
        self.house = ClearingHouse([ClearedMarket(one, schedule, 0, rules) for one in instruments], AGENTS, 0)
        for agent in range(AGENTS):
            for currency in self.house.currencies:
                self.house.deposit(agent, currency, D(1000))
        self.record = self.house.record

    def contract(self, market: int = 0) -> Any:
        return self.house._contracts.rows[market]

    def mark(self, ticks: int, market: int = 0, index: int | None = None) -> None:
        contract = self.contract(market)
        contract["mark"], contract["index"] = ticks, ticks if index is None else index
        clearing.refresh_all(self.record, contract)

    def trade(self, buyer: int, seller: int, lots: int, ticks: int, market: int = 0) -> None:
        rows = zeros(1, EVENT)
        row = rows[0]
        row["kind"], row["owner"], row["peer"], row["side"] = EventKind.TRADE, buyer, seller, 1
        row["price"], row["quantity"], row["market"] = ticks, lots, market
        for agent, side in ((buyer, 1), (seller, -1)):
            order = zeros(1, EVENT)
            order["kind"], order["owner"], order["side"], order["quantity"] = EventKind.ACCEPTED, agent, side, lots
            order["market"] = market
            clearing.clear_row(self.record, order[0])
        clearing.clear_row(self.record, row)

    def _all(self, pay: Any, *terms: Any) -> list[int]:
        self.record["lots"] = self.record["paid"] = 0
        return [int(pay(self.record, *terms[:1], agent, *terms[1:])) for agent in range(AGENTS)]

    def fund(self, market: int = 0) -> list[int]:
        return self._all(clearing.pay_funding, self.contract(market))

    def settle(self, ticks: int, last: bool = False, market: int = 0) -> list[int]:
        return self._all(clearing.pay_settlement, self.contract(market), ticks, last)

    def cash(self, agent: int, currency: str = "USD") -> Decimal:
        return self.house.account(currency, agent)["cash"] * MONEY

    def equity(self, agent: int, currency: str = "USD") -> Decimal:
        account = self.house.account(currency, agent)
        return (account["cash"] + account["gain"]) * MONEY


def test_a_linear_perpetual_by_hand() -> None:
    bench = Bench(PERP, fees=FeeSchedule.of(maker="-1", taker="5"))
    bench.trade(0, 1, 10, 1000)  # 10 at 100.0: 1000 USD
    assert (bench.cash(0), bench.cash(1)) == (D("999.5"), D("1000.1"))
    bench.mark(1100)
    assert (bench.equity(0), bench.equity(1)) == (D("1099.5"), D("900.1"))
    assert bench.house.account("USD", 0)["initial"] * MONEY == 110
    assert bench.house.account("USD", 1)["maintenance"] * MONEY == 55
    assert [amount * MONEY for amount in bench.fund()] == [D("-1.1"), D("1.1"), 0, 0]
    bench.trade(1, 0, 10, 1100)
    assert bench.house.position(0, 0)["position"] == 0
    assert bench.cash(0) == D("999.5") - D("1.1") + 100 + D("0.11")
    assert bench.house.contract(0)["income"] * MONEY == D("0.4") + D("0.44")


def test_an_inverse_perpetual_pays_in_its_coin() -> None:
    bench = Bench(INVERSE)
    bench.trade(0, 1, 5, 100_000)
    bench.mark(120_000)
    assert bench.equity(0, "BTC") - 1000 == D("0.00166667")
    assert bench.equity(1, "BTC") - 1000 == -D("0.00166667")


def test_a_future_is_settled_daily_and_at_its_end() -> None:
    bench = Bench(FUTURE)
    bench.trade(0, 1, 2, 16_000)  # 2 · 50 at 4000.00
    assert [amount * MONEY for amount in bench.settle(16_010)] == [250, -250, 0, 0]
    assert bench.house.position(0, 0)["cost"] == FUTURE.worth(2, 16_010)
    assert [amount * MONEY for amount in bench.settle(15_990, last=True)] == [-500, 500, 0, 0]
    assert bench.house.position(0, 0)["position"] == bench.house.position(0, 0)["cost"] == 0
    assert bench.cash(0) == 750


@pytest.mark.parametrize(
    ("option", "index", "paid"), [(CALL, 2140, 7), (CALL, 1990, 0), (PUT, 1940, 3), (PUT, 2100, 0)]
)
def test_an_option_pays_its_inner_value(option: Instrument, index: int, paid: int) -> None:
    bench = Bench(SPOT, option)
    bench.mark(80, 1, 2000)
    bench.trade(0, 1, 3, 80, 1)  # 3 at 4.00: a premium of 12
    account = bench.house.account("USD", 0)
    assert account["maintenance"] * MONEY == 12, "what is held is paid in full"
    assert bench.house.account("USD", 1)["initial"] * MONEY == 30, "a tenth of 3 · 100"
    bench.contract(1)["index"] = index
    bench.settle(clearing.final_price(bench.contract(1)), last=True, market=1)
    assert bench.cash(0) == 1000 - 12 + 3 * paid
    assert bench.cash(1) == 1000 + 12 - 3 * paid


def test_the_fund_takes_penalties_and_makes_good_what_is_owed() -> None:
    bench = Bench(PERP)
    bench.trade(0, 1, 100, 1000)
    bench.mark(980)
    bench.trade(1, 0, 50, 980)
    assert int(clearing.pay_fund(bench.record, bench.contract(), 0, 50)) * MONEY == -D("4.9")
    bench.mark(700)
    bench.trade(1, 0, 50, 700)
    owed = -bench.cash(0)
    assert owed == D("604.9")
    assert int(clearing.pay_fund(bench.record, bench.contract(), 0, 50)) * MONEY == D("14.9"), "all that the fund has"
    assert bench.cash(0) == -D("590"), "the rest stays the participant's debt"
    assert bench.house.fund(0, "USD") == 0


def test_margin_is_asked_for_what_may_become_of_open_orders() -> None:
    bench = Bench(PERP)
    core = _core_of_no_trades()

    def refused(agent: int, side: int, lots: int, opened: int = 0) -> int:
        return int(clearing.objection(core, bench.record, 0, agent, side, 1, 1000, lots, opened))

    assert refused(0, 1, 100) == 0
    assert refused(0, 1, 101) == clearing._MARGIN
    bench.trade(0, 1, 90, 1000)
    assert refused(0, 1, 11) == clearing._MARGIN
    assert refused(0, -1, 190) == 0, "it closes 90 and opens 100"
    assert refused(0, -1, 191) == clearing._MARGIN
    bench.mark(950)
    assert refused(0, -1, 90) == 0, "closing is always allowed"
    assert refused(0, 1, 1) == clearing._MARGIN


def _core_of_no_trades() -> Any:
    from marketsim.exchange.core import MatchingCore

    core = MatchingCore(2)
    _KEPT.append(core)
    return core.record[0]


_KEPT: list[Any] = []


def test_money_is_conserved_where_prices_do_not_divide() -> None:
    bench = Bench(INVERSE, fees=FeeSchedule.of(maker="-0.1", taker="0.3"))
    before = bench.house.total("BTC")
    for price, lots in ((100_001, 7), (99_997, 3), (100_003, 11)):
        bench.trade(0, 1, lots, price)
        bench.trade(2, 0, 1, price + 1)
    bench.mark(100_007)
    bench.contract()["rate"] = 123_457
    assert sum(bench.fund()) == 0
    bench.settle(100_009, last=True)
    assert bench.house.total("BTC") == before


contracts = st.sampled_from([PERP, INVERSE, FUTURE])
events = st.one_of(
    st.tuples(st.just("trade"), st.permutations(range(AGENTS)), st.integers(1, 50), st.integers(50_000, 150_000)),
    st.tuples(st.just("mark"), st.integers(50_000, 150_000)),
    st.tuples(st.just("fund"), st.integers(-(10**7), 10**7)),
    st.tuples(st.just("settle"), st.integers(50_000, 150_000)),
    st.tuples(st.just("make good"), st.integers(0, AGENTS - 1), st.integers(0, 50)),
)
FEES = FeeSchedule(
    Fee("bps", D("-0.25")), Fee("share", D("0.00001")), minimum=D("0.000001"),
    tiers=(FeeTier(D(1), Fee("bps", D("-0.3")), Fee("bps", D("0.7"))),),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(contracts, st.lists(events, max_size=40))
def test_money_is_conserved(contract: Instrument, stream: list[Any]) -> None:
    """Cash, cost, fees and funds sum to what they were; positions to nothing; fees are those that participants see."""
    bench = Bench(contract, fees=FEES)
    before = bench.house.total(contract.money)
    meters = [FeeMeter(FEES, contract) for _ in range(AGENTS)]
    paid = D(0)
    for what, *terms in stream:
        if what == "trade":
            (buyer, seller, *_), lots, ticks = terms
            bench.trade(buyer, seller, lots, ticks)
            paid += meters[buyer].charge(ticks, lots, False) + meters[seller].charge(ticks, lots, True)
        elif what == "mark":
            bench.mark(terms[0])
        elif what == "fund":
            bench.contract()["rate"] = terms[0]
            assert sum(bench.fund()) == 0
        elif what == "settle":
            bench.settle(terms[0])
        else:
            clearing.pay_fund(bench.record, bench.contract(), terms[0], terms[1])
        assert bench.house.total(contract.money) == before
    bench.house.check()
    assert bench.house.contract(0)["income"] * MONEY == paid


@given(
    st.integers(-(10**9), 10**9),
    st.integers(-(10**14), 10**14),
    st.integers(-(10**6), 10**6).filter(bool),
    st.integers(1, 10**6),
)
@settings(max_examples=200, deadline=None)
def test_compiled_arithmetic_is_the_plain_one(position: int, cost: int, lots: int, ticks: int) -> None:
    assert clearing.portion(cost, lots, ticks) == plain_portion(cost, lots, ticks)
    for inverse in (0, 1):
        amount = plain_worth(inverse, lots, ticks, 10_000, 3)
        assert clearing.worth(inverse, lots, ticks, 10_000, 3) == amount
        assert tuple(clearing.traded(position, cost, lots, amount)) == plain_traded(position, cost, lots, amount)


def test_premium_and_cap_make_the_rate() -> None:
    bench = Bench(Instrument("P", "0.1", 1, 100, kind="perpetual", funding_cap="0.002"))
    contract = bench.contract()
    contract["index"] = 1000
    for mid in (1001, 1003):
        clearing.note_premium(contract, mid)
    clearing.fix_rate(contract)
    assert contract["rate"] == 2_000_000, "the mean of 0.1 % and 0.3 %"
    clearing.note_premium(contract, 990)
    clearing.fix_rate(contract)
    assert contract["rate"] == -2_000_000, "-1 %, capped"
    clearing.fix_rate(contract)
    assert contract["rate"] == 0


def test_amounts_that_accounts_cannot_hold_are_refused() -> None:
    house = Bench(PERP).house
    with pytest.raises(InvalidValueError, match="no finer amount"):
        house.deposit(0, "USD", D("1e-9"))
    with pytest.raises(InvalidValueError, match="at most 40 billion"):
        house.deposit(0, "USD", D("1e12"))


def test_a_spot_market_beside_a_contract_is_left_alone() -> None:
    bench = Bench(SPOT, CALL)
    bench.trade(0, 1, 3, 2000, 0)
    assert bench.cash(0) == 1000
    assert np.all(bench.house._entries.rows["position"] == 0)
