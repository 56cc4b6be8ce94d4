"""The ledger: accounts of contracts worked out again from the event log and the manifest alone, in whole money units.

The clearing house's own tables are not asked; tests hold both equal to the last unit. Spot markets have no account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from marketsim.domain.contract import MONEY, traded
from marketsim.domain.event import EventKind, Settled
from marketsim.domain.fees import FeeMeter
from marketsim.domain.order import OrderFlag
from marketsim.results.manifest import MarketEntry

if TYPE_CHECKING:
    from marketsim.results.run import Run

_TRADE, _FUNDING, _SETTLED = int(EventKind.TRADE), int(EventKind.FUNDING), int(EventKind.SETTLED)
_FIELDS = ("kind", "market", "owner", "peer", "side", "price", "quantity", "leaves", "flags")


@dataclass
class ContractAccount:
    """One participant in one contract on one venue; money in money units (10^-8 of the settlement currency)."""

    lots: int = 0
    cost: int = 0  # what the open lots were worth when they were traded, or at the last settlement
    realized: int = 0
    fees: int = 0
    funding: int = 0  # received less paid
    fund: int = 0  # from the insurance fund, less what went to it

    @property
    def cash(self) -> int:
        """What the contract has added to the participant's cash."""
        return self.realized - self.fees + self.funding + self.fund


@dataclass
class Ledger:
    """All accounts of a run.

    accounts: by agent, venue and symbol. cash: by agent and currency, collateral included. income: fees received, by
    venue and currency. funds: insurance funds, by venue and currency.
    """

    accounts: dict[tuple[str, str, str], ContractAccount] = field(default_factory=lambda: defaultdict(ContractAccount))
    cash: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    income: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    funds: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))


def ledger(run: Run) -> Ledger:
    """The ledger of a run."""
    told = Ledger()
    names = {agent.number: agent.name for agent in run.manifest.agents}
    markets = {market.number: _Market(market, run, told, names) for market in run.markets if market.instrument.cleared}
    for agent in run.manifest.agents:
        for currency, amount in (agent.collateral or {}).items():
            told.cash[agent.name, currency] += _units(Decimal(amount))
    for row in _rows(run, sorted(markets)):
        market = markets[row["market"]]
        if row["kind"] == _TRADE:
            market.trade(row)
        else:
            market.pay(row)
    return told


class _Market:
    """What the rows of one contract do to its accounts."""

    def __init__(self, entry: MarketEntry, run: Run, told: Ledger, names: dict[int, str]) -> None:
        self.instrument, self.venue = entry.instrument, entry.venue
        self.currency = self.instrument.money
        self._told, self._names = told, names
        self._meters: dict[int, FeeMeter] = defaultdict(lambda: FeeMeter(entry.fees, self.instrument))
        clearing = run.manifest.spec.get("venues", {}).get(self.venue, {}).get("clearing") or {}
        told.funds[self.venue, self.currency] = _units(Decimal(str(clearing.get("insurance_fund", 0))))

    def _account(self, agent: int) -> ContractAccount:
        return self._told.accounts[self._names[agent], self.venue, self.instrument.symbol]

    def trade(self, row: dict[str, Any]) -> None:
        auction = bool(row["flags"] & OrderFlag.AUCTION)
        for agent, side, maker in ((row["owner"], row["side"], False), (row["peer"], -row["side"], True)):
            account, lots = self._account(agent), side * row["quantity"]
            worth = self.instrument.worth(lots, row["price"])
            account.lots, account.cost, realized = traded(account.lots, account.cost, lots, worth)
            fee = _units(self._meters[agent].charge(row["price"], row["quantity"], maker and not auction, auction))
            account.realized += realized
            account.fees += fee
            self._told.cash[self._names[agent], self.currency] += realized - fee
            self._told.income[self.venue, self.currency] += fee

    def pay(self, row: dict[str, Any]) -> None:
        account, amount = self._account(row["owner"]), row["leaves"]
        self._told.cash[self._names[row["owner"]], self.currency] += amount
        if row["kind"] == _FUNDING:
            account.funding += amount
        elif row["flags"] == Settled.FUND:
            account.fund += amount
            self._told.funds[self.venue, self.currency] -= amount
        else:
            account.realized += amount
            account.cost += amount
            if row["flags"] == Settled.EXPIRY:
                account.lots = account.cost = 0


def _rows(run: Run, markets: list[int]) -> Iterator[dict[str, Any]]:
    for block in run.event_log.blocks(_FIELDS):
        kinds = np.isin(block["kind"], (_TRADE, _FUNDING, _SETTLED)) & np.isin(block["market"], markets)
        columns = [block[name][kinds].tolist() for name in _FIELDS]
        for values in zip(*columns, strict=True):
            yield dict(zip(_FIELDS, values, strict=True))


def _units(amount: Decimal) -> int:
    return int(amount / MONEY)
