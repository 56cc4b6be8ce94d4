"""Clearing: the accounts of a clearing house, as compiled functions on tables of whole numbers.

An ENTRY is one participant's position in one contract, an ACCOUNT its money in one settlement currency; all of its
contracts in that currency share it. Money is counted in money units (domain.contract). Equity is cash and, of every
position, its worth at the mark less its cost. What a trade, a funding or a settlement moves sums to zero over all
accounts, the venue's income and its insurance fund, to the last unit: shares are rounded by their running sum.

It knows no time, no message and no policy, and sends nothing: ``population.clearing`` does.
"""

from __future__ import annotations

import numpy as np

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason
from marketsim.exchange.ladder import best_level
from marketsim.exchange.state import ASK, BID, LADDERS, books_of, levels_of
from marketsim.kernel.compiled import Record, Rows, array_at, compiled

MID, LAST, INDEX = 0, 1, 2  # rules of the mark
MILLION, BILLION = 1_000_000, 1_000_000_000
AUCTION = int(OrderFlag.AUCTION)  # in the flags of a trade's row
NEVER = 9223372036854775807
_BOUND = 4_000_000_000_000_000_000  # money units; sums of two still fit 64 bits
_ACCEPTED, _TRADE = int(EventKind.ACCEPTED), int(EventKind.TRADE)
_CANCELED, _EXPIRED, _REPLACED = int(EventKind.CANCELED), int(EventKind.EXPIRED), int(EventKind.REPLACED)
_MARKET, _STOP = int(OrderType.MARKET), int(OrderType.STOP)
_TRAILING_STOP, _MARKET_TO_LIMIT = int(OrderType.TRAILING_STOP), int(OrderType.MARKET_TO_LIMIT)
_MARGIN, _NOTIONAL = int(Reason.MARGIN), int(Reason.NOTIONAL)
_MARKET_CLOSED = int(Reason.MARKET_CLOSED)
_OUTSIDE_BANDS, _INVALID_PRICE = int(Reason.OUTSIDE_BANDS), int(Reason.INVALID_PRICE)

CONTRACT = np.dtype(  # of a market; prices in ticks, times in ns
    [
        ("active", np.int64),  # whether the venue looks at its orders at all
        ("cleared", np.int64),  # whether it is a contract
        ("number", np.int64),  # among the contracts
        ("inverse", np.int64),
        ("right", np.int64),  # +1 call, -1 put, 0 no option
        ("strike", np.int64),
        ("top", np.int64),  # money units of a lot at one tick: top / bottom
        ("bottom", np.int64),
        ("currency", np.int64),  # number of the settlement currency
        ("fund", np.int64),  # number of the insurance fund
        ("mark", np.int64),
        ("index", np.int64),
        ("rule", np.int64),
        ("index_market", np.int64),  # -1: none
        ("index_top", np.int64),  # ticks of this market a tick of that one
        ("index_bottom", np.int64),
        ("index_feed", np.int64),  # -1: none
        ("feed_scale", np.float64),
        ("every", np.int64),
        ("mark_due", np.int64),
        ("funding_every", np.int64),
        ("funding_due", np.int64),
        ("constant", np.int64),  # whether the rate is given, in ``rate``
        ("rate", np.int64),  # of the last funding, in 10^-9
        ("cap", np.int64),
        ("premium", np.int64),  # sum since the last funding, in 10^-9, over so many marks
        ("premiums", np.int64),
        ("settle_every", np.int64),
        ("settle_due", np.int64),
        ("expiry", np.int64),
        ("expired", np.int64),
        ("checked", np.int64),  # whether margin is asked for
        ("initial", np.int64),  # in 10^-6 of the notional value
        ("maintenance", np.int64),
        ("low", np.int64),  # money units that an order may be worth; -1: no bound
        ("high", np.int64),
        ("band", np.int64),  # in 10^-6 of the anchor; -1: none
        ("fees", np.int64),  # first row in the table of fees, and how many tiers follow
        ("tiers", np.int64),
        ("minimum", np.int64),
        ("penalty_top", np.int64),  # of the value of a liquidation, to the fund
        ("penalty_bottom", np.int64),
        ("income", np.int64),  # fees received
    ]
)
ENTRY = np.dtype(
    [
        ("position", np.int64),  # lots
        ("cost", np.int64),
        ("bids", np.int64),  # lots of open orders
        ("asks", np.int64),
        ("gain", np.int64),  # worth at the mark less cost
        ("initial", np.int64),  # margin that it needs, as it counts in the account
        ("maintenance", np.int64),
        ("volume", np.int64),  # value traded
    ]
)
ACCOUNT = np.dtype(
    [
        ("cash", np.int64),
        ("gain", np.int64),
        ("initial", np.int64),
        ("maintenance", np.int64),
        ("called", np.int64),  # whether a margin call stands
    ]
)
SIDE_FEE = [("top", np.int64), ("bottom", np.int64), ("by_lot", np.int64)]
FEE = np.dtype(
    [("volume", np.int64)]
    + [(f"{side}_{name}", kind) for side in ("maker", "taker", "auction") for name, kind in SIDE_FEE]
)
CLEARING = np.dtype(
    [
        ("agents", np.int64),
        ("contracts", np.int64),  # addresses and lengths
        ("markets", np.int64),
        ("entries", np.int64),
        ("entries_length", np.int64),
        ("accounts", np.int64),
        ("accounts_length", np.int64),
        ("fees", np.int64),
        ("fees_length", np.int64),
        ("funds", np.int64),
        ("funds_length", np.int64),
        ("open", np.int64),  # open quantity of an order before it is replaced
        ("step", np.int64),  # of the clearing that is going on; see population.clearing
        ("cursor", np.int64),
        ("scan", np.int64),
        ("lots", np.int64),  # running sum of positions, and of what was paid for it
        ("paid", np.int64),
        ("order_id", np.int64),
        ("before", np.int64),
    ]
)


@compiled
def contract_of(clearing: Record, market: int) -> Record:
    """The CONTRACT of a market."""
    return array_at(clearing.contracts, clearing.markets, CONTRACT)[market]


@compiled
def entry_of(clearing: Record, contract: Record, agent: int) -> Record:
    """A participant's position in a contract."""
    return array_at(clearing.entries, clearing.entries_length, ENTRY)[contract.number * clearing.agents + agent]


@compiled
def account_of(clearing: Record, contract: Record, agent: int) -> Record:
    """A participant's money in the contract's currency."""
    return array_at(clearing.accounts, clearing.accounts_length, ACCOUNT)[contract.currency * clearing.agents + agent]


_WORD = np.dtype(np.int64)


@compiled
def funds_of(clearing: Record) -> Rows:
    """The money of the insurance funds."""
    return array_at(clearing.funds, clearing.funds_length, _WORD)


# --- arithmetic: the twins of domain.contract ------------------------------------------------------------------------


@compiled
def portion(amount: int, top: int, bottom: int) -> int:
    """``amount · top / bottom`` to the nearest whole number, halves away from zero."""
    size = abs(amount)
    rate = abs(top)
    result = size // bottom * rate + (2 * (size % bottom) * rate + bottom) // (2 * bottom)
    return -result if (amount < 0) != (top < 0) else result


@compiled
def worth(inverse: int, lots: int, ticks: int, top: int, bottom: int) -> int:
    """Money units of signed lots at a price."""
    if inverse == 0:
        return lots * ticks * top
    return -portion(lots, top, ticks * bottom) if ticks > 0 else 0


@compiled
def traded(position: int, cost: int, lots: int, amount: int) -> tuple[int, int, int]:
    """Position, cost and realized profit after a trade of signed lots worth an amount."""
    if position == 0 or (position > 0) == (lots > 0):
        return position + lots, cost + amount, 0
    closing = min(abs(lots), abs(position))
    released = portion(cost, closing, abs(position))
    closed = portion(amount, closing, abs(lots))
    return position + lots, cost - released + amount - closed, -(released + closed)


@compiled
def worth_at(contract: Record, lots: int, ticks: int) -> int:
    """Money units of signed lots of a contract at a price."""
    return worth(contract.inverse, lots, ticks, contract.top, contract.bottom)


# --- margin ----------------------------------------------------------------------------------------------------------


@compiled
def initial_margin(contract: Record, position: int, bids: int, asks: int) -> int:
    """What must be there for a position and the worst that its open orders can make of it.

    Options: those held or bid for are paid in full, those written or offered take a share of what they are about.
    """
    longs = max(position + bids, 0)
    shorts = max(asks - position, 0)
    if contract.right != 0:
        written = portion(abs(shorts * contract.index * contract.top), contract.initial, MILLION)
        return max(longs * contract.mark * contract.top, written)
    return portion(abs(worth_at(contract, max(longs, shorts), contract.mark)), contract.initial, MILLION)


@compiled
def maintenance_margin(contract: Record, position: int) -> int:
    """What must be there for a position not to be closed."""
    if contract.right != 0:
        if position > 0:
            return position * contract.mark * contract.top
        return portion(abs(position * contract.index * contract.top), contract.maintenance, MILLION)
    return portion(abs(worth_at(contract, position, contract.mark)), contract.maintenance, MILLION)


@compiled
def refresh(clearing: Record, contract: Record, agent: int) -> None:
    """An entry has changed, or its mark: what the account needs and is worth changes with it."""
    entry = entry_of(clearing, contract, agent)
    account = account_of(clearing, contract, agent)
    gain = worth_at(contract, entry.position, contract.mark) - entry.cost
    initial = initial_margin(contract, entry.position, entry.bids, entry.asks)
    maintenance = maintenance_margin(contract, entry.position)
    account.gain += gain - entry.gain
    account.initial += initial - entry.initial
    account.maintenance += maintenance - entry.maintenance
    entry.gain = gain
    entry.initial = initial
    entry.maintenance = maintenance


@compiled
def refresh_all(clearing: Record, contract: Record) -> None:
    """The mark of a contract has changed."""
    for agent in range(clearing.agents):
        entry = entry_of(clearing, contract, agent)
        if entry.position != 0 or entry.bids != 0 or entry.asks != 0:
            refresh(clearing, contract, agent)


@compiled
def _anchor(core: Record, contract: Record, market: int) -> int:
    """The price that filters measure by: the mark, else the last trade's, else the reference."""
    book = books_of(core)[market]
    return book.last_price if contract.cleared == 0 and book.trades > 0 else contract.mark


@compiled
def _filtered(contract: Record, anchor: int, unlimited: bool, price: int, quantity: int) -> int:
    """Why the filters of the instrument refuse an order, or 0."""
    most = _BOUND // (contract.top * contract.bottom)
    if contract.inverse != 0 and not unlimited and not 0 < price <= most:
        return _INVALID_PRICE
    if contract.band >= 0 and not unlimited and abs(price - anchor) > portion(abs(anchor), contract.band, MILLION):
        return _OUTSIDE_BANDS
    ticks = anchor if unlimited else price
    largest = max(abs(ticks), abs(anchor), 1) if contract.inverse == 0 else 1
    if quantity > _BOUND // contract.top // largest:
        return _NOTIONAL
    value = abs(worth_at(contract, quantity, ticks))
    if (contract.low >= 0 and value < contract.low) or (contract.high >= 0 and value > contract.high):
        return _NOTIONAL
    return 0


@compiled
def objection(
    core: Record,
    clearing: Record,
    market: int,
    agent: int,
    side: int,
    order_type: int,
    price: int,
    quantity: int,
    opened: int,
) -> int:
    """Why a venue refuses an order of so many open lots before it meets the book, or 0.

    ``opened``: lots of the same order that are open already, when it is replaced.
    """
    contract = contract_of(clearing, market)
    if contract.active == 0:
        return 0
    if contract.expired != 0:
        return _MARKET_CLOSED
    unlimited = (
        order_type == _MARKET or order_type == _STOP or order_type == _TRAILING_STOP or order_type == _MARKET_TO_LIMIT
    )
    reason = _filtered(contract, _anchor(core, contract, market), unlimited, price, quantity)
    if reason != 0 or contract.checked == 0:
        return reason
    entry = entry_of(clearing, contract, agent)
    account = account_of(clearing, contract, agent)
    bids = entry.bids + (quantity - opened if side > 0 else 0)
    asks = entry.asks + (quantity - opened if side < 0 else 0)
    needed = initial_margin(contract, entry.position, bids, asks)
    if needed <= entry.initial or account.initial - entry.initial + needed <= account.cash + account.gain:
        return 0
    return _MARGIN


# --- trades ----------------------------------------------------------------------------------------------------------


@compiled
def fee_of(clearing: Record, contract: Record, volume: int, value: int, lots: int, maker: bool, auction: bool) -> int:
    """The fee of one fill in money units, by what its payer has traded before."""
    fees = array_at(clearing.fees, clearing.fees_length, FEE)
    tier = contract.fees + contract.tiers
    while tier > contract.fees and fees[tier].volume > volume:
        tier -= 1
    row = fees[tier]
    if auction:
        fee = portion(lots if row.auction_by_lot != 0 else value, row.auction_top, row.auction_bottom)
        rate = row.auction_top
    elif maker:
        fee = portion(lots if row.maker_by_lot != 0 else value, row.maker_top, row.maker_bottom)
        rate = row.maker_top
    else:
        fee = portion(lots if row.taker_by_lot != 0 else value, row.taker_top, row.taker_bottom)
        rate = row.taker_top
    return max(fee, contract.minimum) if rate > 0 else fee


@compiled
def _fill(clearing: Record, contract: Record, agent: int, lots: int, price: int, maker: bool, auction: bool) -> None:
    """One side of a trade."""
    entry = entry_of(clearing, contract, agent)
    account = account_of(clearing, contract, agent)
    amount = worth_at(contract, lots, price)
    fee = fee_of(clearing, contract, entry.volume, abs(amount), abs(lots), maker, auction)
    position, cost, realized = traded(entry.position, entry.cost, lots, amount)
    entry.position = position
    entry.cost = cost
    entry.volume += abs(amount)
    if lots > 0:
        entry.bids -= lots
    else:
        entry.asks += lots
    account.cash += realized - fee
    contract.income += fee
    refresh(clearing, contract, agent)


@compiled
def _open(clearing: Record, contract: Record, agent: int, side: int, lots: int) -> None:
    """So many more lots of a side are open."""
    entry = entry_of(clearing, contract, agent)
    if side > 0:
        entry.bids += lots
    else:
        entry.asks += lots
    refresh(clearing, contract, agent)


@compiled
def clear_row(clearing: Record, row: Record) -> None:
    """What a row of the log does to the accounts."""
    contract = contract_of(clearing, row.market)
    if contract.cleared == 0:
        return
    if row.kind == _TRADE:
        lots = row.side * row.quantity
        auction = row["flags"] & AUCTION != 0
        _fill(clearing, contract, row.owner, lots, row.price, False, auction)
        _fill(clearing, contract, row.peer, -lots, row.price, True, auction)
    elif row.kind == _ACCEPTED:
        _open(clearing, contract, row.owner, row.side, row.quantity)
    elif row.kind == _CANCELED or row.kind == _EXPIRED:
        _open(clearing, contract, row.owner, row.side, -row.quantity)
    elif row.kind == _REPLACED:
        _open(clearing, contract, row.owner, row.side, row.leaves - clearing.open)


# --- prices ----------------------------------------------------------------------------------------------------------


@compiled
def middle(core: Record, market: int, otherwise: int) -> int:
    """The mid in ticks, halves to even; the last trade's price where a side is empty, else what is given."""
    bid = best_level(core, market * LADDERS + BID)
    ask = best_level(core, market * LADDERS + ASK)
    if bid != 0 and ask != 0:
        total = levels_of(core)[bid].price + levels_of(core)[ask].price
        half = total // 2
        return half + 1 if total % 2 == 1 and half % 2 == 1 else half
    book = books_of(core)[market]
    return book.last_price if book.trades > 0 else otherwise


@compiled
def mark_of(core: Record, contract: Record, market: int, mid: int) -> int:
    """The price at which positions are valued, by the venue's rule."""
    if contract.rule == INDEX:
        return contract.index
    book = books_of(core)[market]
    if contract.rule == LAST:
        return book.last_price if book.trades > 0 else contract.mark
    return mid


@compiled
def note_premium(contract: Record, mid: int) -> None:
    """How far the market is from the index, as a share in 10^-9, for the next funding."""
    if contract.index > 0:
        contract.premium += portion(mid - contract.index, BILLION, contract.index)
        contract.premiums += 1


@compiled
def fix_rate(contract: Record) -> None:
    """The rate of a funding: given, or the mean premium since the last one, within the cap."""
    if contract.constant == 0:
        rate = portion(contract.premium, 1, contract.premiums) if contract.premiums > 0 else 0
        contract.rate = max(-contract.cap, min(contract.cap, rate))
    contract.premium = 0
    contract.premiums = 0


@compiled
def final_price(contract: Record) -> int:
    """The price of the last settlement: the inner value of an option, else the index, which without one is the mark."""
    if contract.right != 0:
        return max(0, contract.right * (contract.index - contract.strike))
    return contract.index


# --- payments --------------------------------------------------------------------------------------------------------


@compiled
def pay_funding(clearing: Record, contract: Record, agent: int) -> int:
    """Take a participant's share of the funding from it, or give it; answers what it gets.

    The running sum of all positions is charged, rounded, so that the shares sum to what the sum of all positions owes:
    nothing.
    """
    entry = entry_of(clearing, contract, agent)
    clearing.lots += entry.position
    owed = portion(abs(worth_at(contract, clearing.lots, contract.mark)), contract.rate, BILLION)
    owed = owed if clearing.lots > 0 else -owed
    amount = clearing.paid - owed
    clearing.paid = owed
    account_of(clearing, contract, agent).cash += amount
    return amount


@compiled
def pay_settlement(clearing: Record, contract: Record, agent: int, price: int, last: bool) -> int:
    """Turn the profit of a position so far into cash; it goes on at the price, or is gone. Answers what it gets."""
    entry = entry_of(clearing, contract, agent)
    clearing.lots += entry.position
    value = worth_at(contract, clearing.lots, price)
    share = value - clearing.paid
    clearing.paid = value
    amount = share - entry.cost
    account_of(clearing, contract, agent).cash += amount
    if last:
        entry.position = 0
        entry.cost = 0
    else:
        entry.cost = share
    refresh(clearing, contract, agent)
    return amount


@compiled
def pay_fund(clearing: Record, contract: Record, agent: int, closed: int) -> int:
    """After so many lots were closed by force: the penalty, and what the fund makes good. Answers what the agent gets.

    The penalty takes no more than is there. The fund pays what an account without positions owes, as far as it goes;
    the rest stays the participant's debt.
    """
    account = account_of(clearing, contract, agent)
    funds = funds_of(clearing)
    value = abs(worth_at(contract, closed, contract.mark))
    penalty = portion(value, contract.penalty_top, contract.penalty_bottom)
    amount = -min(penalty, max(account.cash + account.gain, 0))
    if account.cash < 0 and account.maintenance == 0:
        amount = min(-account.cash, max(funds[contract.fund], 0))
    account.cash += amount
    funds[contract.fund] -= amount
    return amount
