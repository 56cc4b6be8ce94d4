"""A clearing house: owner of the tables that compiled clearing works on, for all venues of a simulation.

One account for each participant and settlement currency, whatever the venue; one insurance fund for each venue and
currency. It is told the contracts and the collateral and can be asked for accounts; what happens to them is clearing's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from marketsim.domain.clearing import ClearingRules
from marketsim.domain.contract import MONEY
from marketsim.domain.fees import FeeSchedule, FeeTier
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import HOUR
from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.exchange.clearing import (
    ACCOUNT,
    BILLION,
    CLEARING,
    CONTRACT,
    ENTRY,
    FEE,
    INDEX,
    LAST,
    MID,
    MILLION,
    NEVER,
)
from marketsim.kernel.compiled import Record, Table

_WORD = np.dtype(np.int64)
_LARGEST = 4_000_000_000_000_000_000
_RULES = {"mid": MID, "last": LAST, "index": INDEX}


@dataclass(frozen=True)
class ClearedMarket:
    """One market as the house needs it; ``index`` is (market number, its instrument), ``feed`` (number, its tick)."""

    instrument: Instrument
    fees: FeeSchedule
    venue: int
    rules: ClearingRules
    index: tuple[int, Instrument] | None = None
    feed: tuple[int, float] | None = None


class ClearingHouse:
    """The tables of all contracts, positions and accounts.

    agents: how many participants there are. start: ns; what is due before it is due no more.
    """

    def __init__(self, markets: Sequence[ClearedMarket], agents: int, start: int) -> None:
        self.agents = agents
        self.currencies = sorted({m.instrument.money for m in markets if m.instrument.cleared})
        venues = 1 + max((m.venue for m in markets), default=0)
        contracts = sum(m.instrument.cleared for m in markets)
        self._markets = list(markets)
        self._contracts = Table(CONTRACT, len(markets))
        self._entries = Table(ENTRY, contracts * agents)
        self._accounts = Table(ACCOUNT, len(self.currencies) * agents)
        self._fees = Table(FEE, sum(1 + len(m.fees.tiers) for m in markets))
        self._funds = Table(_WORD, venues * len(self.currencies))
        self._record = Table(CLEARING, 1)
        self._publish()
        number = tier = 0
        for place, market in enumerate(markets):
            row = self._contracts.rows[place : place + 1]
            row["fees"] = tier
            tier = self._write_fees(market, tier)
            self._describe(row, market, start)
            if market.instrument.cleared:
                row["number"] = number
                number += 1

    @property
    def address(self) -> int:
        """Of the CLEARING record."""
        return self._record.address

    @property
    def record(self) -> Record:
        """The CLEARING record."""
        return self._record.rows[0]

    @property
    def contracts(self) -> list[int]:
        """Numbers of the markets of contracts."""
        return [number for number, market in enumerate(self._markets) if market.instrument.cleared]

    def deposit(self, agent: int, currency: str, amount: Decimal) -> None:
        """Collateral of a participant at the start."""
        units = money_units(amount, f"cash {amount} {currency}")
        self._accounts.rows["cash"][self.currencies.index(currency) * self.agents + agent] += units

    # --- queries ---

    def position(self, market: int, agent: int) -> Mapping[str, int]:
        """The ENTRY of a participant in a contract: lots and money units."""
        number = int(self._contracts.rows["number"][market])
        row = self._entries.rows[number * self.agents + agent]
        return {name: int(row[name]) for name in ENTRY.names or ()}

    def account(self, currency: str, agent: int) -> Mapping[str, int]:
        """The ACCOUNT of a participant in a currency, in money units."""
        row = self._accounts.rows[self.currencies.index(currency) * self.agents + agent]
        return {name: int(row[name]) for name in ACCOUNT.names or ()}

    def contract(self, market: int) -> Mapping[str, Any]:
        """The CONTRACT of a market."""
        row = self._contracts.rows[market]
        return {name: row[name].item() for name in CONTRACT.names or ()}

    def fund(self, venue: int, currency: str) -> int:
        """The insurance fund of a venue in a currency, in money units."""
        return int(self._funds.rows[venue * len(self.currencies) + self.currencies.index(currency)])

    def total(self, currency: str) -> int:
        """All money in a currency: cash less cost of every position, fees received, and the funds; it never changes."""
        first = self.currencies.index(currency)
        total = int(self._accounts.rows["cash"][first * self.agents : (first + 1) * self.agents].sum())
        total += int(self._funds.rows[first :: len(self.currencies)].sum())
        for market in self.contracts:
            if self._markets[market].instrument.money == currency:
                total += int(self._contracts.rows["income"][market]) - int(self._of(market)["cost"].sum())
        return total

    def check(self) -> None:
        """InvariantViolation where positions do not sum to zero, or an account is not the sum of its entries."""
        for market in self.contracts:
            held = int(self._of(market)["position"].sum())
            if held:
                raise InvariantViolation(f"market {market}: positions sum to {held} lots")
        for place, currency in enumerate(self.currencies):
            mine = [m for m in self.contracts if self._markets[m].instrument.money == currency]
            for name in ("gain", "initial", "maintenance"):
                told = self._accounts.rows[name][place * self.agents : (place + 1) * self.agents]
                if mine and (told != sum(self._of(m)[name] for m in mine)).any():
                    raise InvariantViolation(f"{currency}: {name} of the accounts is not the sum of their entries'")

    def _of(self, market: int) -> Any:
        number = int(self._contracts.rows["number"][market])
        return self._entries.rows[number * self.agents : (number + 1) * self.agents]

    # --- tables ---

    def _publish(self) -> None:
        record = self._record.rows
        record["agents"] = self.agents
        record["contracts"], record["markets"] = self._contracts.address, len(self._markets)
        for name in ("entries", "accounts", "fees", "funds"):
            table: Table = getattr(self, f"_{name}")
            record[name], record[f"{name}_length"] = table.address, len(table)

    def _describe(self, row: Any, market: ClearedMarket, start: int) -> None:
        instrument, rules = market.instrument, market.rules
        row["active"] = instrument.cleared or instrument.filtered
        row["bottom"] = 1
        row["mark"] = row["index"] = instrument.reference
        row["low"] = row["high"] = row["band"] = row["index_market"] = row["index_feed"] = -1
        if not row["active"][0]:
            return
        row["top"], row["bottom"] = instrument.factor.numerator, instrument.factor.denominator
        if instrument.min_notional is not None:
            row["low"] = money_units(instrument.min_notional, "min_notional")
        if instrument.max_notional is not None:
            row["high"] = money_units(instrument.max_notional, "max_notional")
        if instrument.price_band is not None:
            row["band"] = int(instrument.price_band * MILLION)
        if not instrument.cleared:
            return
        currency = self.currencies.index(instrument.money)
        row["cleared"], row["inverse"], row["currency"] = 1, instrument.inverse, currency
        row["fund"] = market.venue * len(self.currencies) + currency
        self._funds.rows[int(row["fund"][0])] = money_units(rules.insurance_fund, "insurance_fund")
        row["checked"] = rules.margin
        row["initial"], row["maintenance"] = (
            int(share * MILLION) for share in (instrument.initial_margin, instrument.maintenance_margin)
        )
        row["tiers"] = len(market.fees.tiers)
        row["minimum"] = money_units(market.fees.minimum, "minimum")
        penalty = rules.liquidation_fee.ratio(instrument)
        row["penalty_top"], row["penalty_bottom"] = penalty.numerator, penalty.denominator
        row["rule"], row["every"] = _RULES[rules.mark], rules.every
        self._describe_index(row, market)
        self._describe_times(row, market, start)

    def _describe_index(self, row: Any, market: ClearedMarket) -> None:
        if market.feed is not None:
            number, tick = market.feed
            row["index_feed"], row["feed_scale"] = number, tick / market.instrument.tick
        elif market.index is not None:
            number, other = market.index
            ratio = Fraction(other.tick_size) / Fraction(market.instrument.tick_size)
            row["index_market"], row["index_top"], row["index_bottom"] = number, ratio.numerator, ratio.denominator

    def _describe_times(self, row: Any, market: ClearedMarket, start: int) -> None:
        instrument, rules = market.instrument, market.rules
        row["funding_due"] = row["settle_due"] = row["expiry"] = NEVER
        row["mark_due"] = -(-start // rules.every) * rules.every
        if instrument.kind.endswith("perpetual"):
            every = instrument.funding_every or 8 * HOUR
            row["funding_every"], row["funding_due"] = every, (start // every + 1) * every
            row["constant"] = instrument.funding_rate is not None
            row["rate"] = int((instrument.funding_rate or 0) * BILLION)
            cap = Decimal("0.0075") if instrument.funding_cap is None else instrument.funding_cap
            row["cap"] = int(cap * BILLION)
        if instrument.kind == "future":
            periods = (start - rules.settle_at) // rules.settle_every + 1
            row["settle_every"], row["settle_due"] = rules.settle_every, rules.settle_at + periods * rules.settle_every
        if instrument.expiry is not None:
            row["expiry"] = instrument.expiry
        if instrument.right is not None and instrument.strike is not None:
            row["right"] = 1 if instrument.right == "call" else -1
            row["strike"] = instrument.to_ticks(instrument.strike)

    def _write_fees(self, market: ClearedMarket, first: int) -> int:
        schedule = market.fees
        rows: list[FeeSchedule | FeeTier] = [schedule, *schedule.tiers]
        for place, tier in enumerate(rows, first):
            row = self._fees.rows[place : place + 1]
            row["volume"] = money_units(tier.volume, "volume") if isinstance(tier, FeeTier) else 0
            for side, maker, auction in (("maker", True, False), ("taker", False, False), ("auction", False, True)):
                fee = tier.side(maker, auction)
                ratio = fee.ratio(market.instrument)
                row[f"{side}_top"], row[f"{side}_bottom"] = ratio.numerator, ratio.denominator
                row[f"{side}_by_lot"] = fee.unit == "share"
        return first + len(rows)


def money_units(amount: Decimal, what: str) -> int:
    """Whole money units of an amount in currency; InvalidValueError when it is finer, or more than accounts hold."""
    units = Fraction(amount) / Fraction(MONEY)
    if units.denominator != 1:
        raise InvalidValueError(f"{what}: accounts of contracts are kept in 10^-8 of currency; write no finer amount")
    if abs(units) > _LARGEST:
        raise InvalidValueError(f"{what}: accounts of contracts hold at most 40 billion of currency")
    return int(units)
