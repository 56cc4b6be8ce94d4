"""Contract arithmetic: what lots at a price are worth and what a trade does to a position, in whole money units.

A money unit is 10⁻⁸ of the settlement currency (a satoshi, a micro-cent); 64 bits hold 92 billion of it.
Whole numbers only, so that what one side gains the other loses to the last unit. ``exchange.clearing`` has the compiled
twins of these functions, which tests hold equal to them. It keeps no accounts and knows no market.

Worth is counted from the long side. Linear contracts: lots · ticks · top. Inverse ones, quoted in one currency
and settled in the other: -(lots · top) / (ticks · bottom), so that a price that rises is a gain for the long side in
both. The profit of a position is always its worth now less its cost, the sum of what its trades were worth.
"""

from __future__ import annotations

from decimal import Decimal

MONEY = Decimal("0.00000001")


def portion(amount: int, top: int, bottom: int) -> int:
    """``amount · top / bottom`` rounded to a whole number, halves away from zero; ``bottom`` is above zero."""
    size = abs(amount)
    rate = abs(top)
    result = size // bottom * rate + (2 * (size % bottom) * rate + bottom) // (2 * bottom)
    return -result if (amount < 0) != (top < 0) else result


def worth(inverse: int, lots: int, ticks: int, top: int, bottom: int) -> int:
    """Money units of signed lots at a price; 0 for an inverse contract at a price that is not above zero."""
    if inverse == 0:
        return lots * ticks * top
    return -portion(lots, top, ticks * bottom) if ticks > 0 else 0


def traded(position: int, cost: int, lots: int, amount: int) -> tuple[int, int, int]:
    """Position, cost and realized profit after a trade of signed ``lots`` that are worth ``amount``.

    Average cost: what opens or adds adds its worth to the cost; what closes takes its share of the cost along. So
    realized profit less the change of cost is always -amount, whatever is rounded.
    """
    if position == 0 or (position > 0) == (lots > 0):
        return position + lots, cost + amount, 0
    closing = min(abs(lots), abs(position))
    released = portion(cost, closing, abs(position))
    closed = portion(amount, closing, abs(lots))
    return position + lots, cost - released + amount - closed, -(released + closed)
