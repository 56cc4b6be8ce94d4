"""The words of Binance's spot dialect that a client needs: signatures, instruments, orders, refusals.

Outside are decimals as text and milliseconds, inside ticks, lots and nanoseconds; this module is where the one becomes
the other. It sends nothing and keeps nothing.
Source: Binance's spot documentation, "WebSocket API" and "User Data Streams".
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.domain.units import MILLISECOND, MINUTE, SECOND, format_duration
from marketsim.errors import GatewayError, InvalidValueError
from marketsim.trading.order import Order, Special

_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_KINDS: Final = {
    OrderType.LIMIT: "LIMIT", OrderType.MARKET: "MARKET", OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}  # fmt: skip
_FORCES: Final = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_HOUR, _DAY = 60 * MINUTE, 24 * 60 * MINUTE
INTERVALS: Final = {
    SECOND: "1s", MINUTE: "1m", 3 * MINUTE: "3m", 5 * MINUTE: "5m", 15 * MINUTE: "15m", 30 * MINUTE: "30m",
    _HOUR: "1h", 2 * _HOUR: "2h", 4 * _HOUR: "4h", 6 * _HOUR: "6h", 8 * _HOUR: "8h", 12 * _HOUR: "12h", _DAY: "1d",
}  # fmt: skip
PHASES: Final = {
    "TRADING": Phase.CONTINUOUS, "BREAK": Phase.CLOSED, "HALT": Phase.HALT, "AUCTION_MATCH": Phase.VOLATILITY_AUCTION,
    "PRE_TRADING": Phase.PRE_OPEN, "END_OF_DAY": Phase.CLOSED, "POST_TRADING": Phase.CLOSED,
}  # fmt: skip


class VenueRefusal(GatewayError):
    """The venue's refusal of a request. ``code``: its number; ``text``: its words; ``data``: what else it says."""

    def __init__(self, code: int, text: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"the venue refuses it: {text} ({code})")
        self.code, self.text, self.data = code, text, dict(data or {})

    @property
    def unknown(self) -> bool:
        """Whether it may have been done all the same."""
        return self.code in (-1006, -1007)

    @property
    def of_key(self) -> bool:
        """Whether it is the API key that is refused, or what is signed with its secret."""
        return self.code in (-1022, -2014, -2015)


# --- signatures ---


def signed(params: Mapping[str, Any], api_key: str, secret: str, stamp: int) -> dict[str, Any]:
    """Parameters with key, timestamp (ms) and HMAC-SHA256 over ``name=value`` by name, joined with ``&``."""
    whole = {**params, "apiKey": api_key, "timestamp": stamp}
    payload = "&".join(f"{name}={whole[name]}" for name in sorted(whole))
    whole["signature"] = hmac.digest(secret.encode(), payload.encode(), "sha256").hex()
    return whole


# --- markets ---


class VenueMarket:
    """One market. ``symbol``: the venue's name; ``base`` and ``quote``: assets; ``venue``: our name of the venue."""

    def __init__(self, symbol: str, base: str, quote: str, instrument: Instrument, venue: str) -> None:
        self.symbol = symbol
        self.stream = symbol.lower()
        self.base, self.quote = base, quote
        self.instrument = instrument
        self.venue = venue
        self._tick, self._lot = instrument.tick_size, instrument.lot_size

    def price(self, ticks: int) -> str:
        """A price as the venue writes it."""
        return format(ticks * self._tick, "f")

    def quantity(self, lots: int) -> str:
        """A quantity as the venue writes it."""
        return format(lots * self._lot, "f")

    def ticks(self, text: str) -> int:
        """Ticks of a price."""
        return int(Decimal(text) / self._tick)

    def lots(self, text: str) -> int:
        """Lots of a quantity."""
        return int(Decimal(text) / self._lot)

    def ticks_times_lots(self, text: str) -> int:
        """Of an amount of the quote asset."""
        return int(Decimal(text) / (self._tick * self._lot))


def market_of(entry: Mapping[str, Any], reference: str, venue: str) -> VenueMarket:
    """A market from its entry in exchangeInfo. ``reference``: a price that it had lately, "0" for none."""
    filters = {one["filterType"]: one for one in entry["filters"]}
    symbol = entry["symbol"]
    try:
        tick = Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize()
        lot = Decimal(filters["LOT_SIZE"]["stepSize"]).normalize()
    except KeyError as error:
        raise GatewayError(f"{symbol}: the venue tells no {error}; its prices and quantities have no grid") from None
    if tick <= 0 or lot <= 0:
        raise GatewayError(f"{symbol}: its tick is {tick} and its lot {lot}, and both must be above zero")
    price = max(Decimal(reference) // tick * tick, tick)
    instrument = Instrument(
        symbol, tick_size=tick, lot_size=lot, reference_price=price, currency=entry["quoteAsset"]
    )  # fmt: skip
    return VenueMarket(symbol, entry["baseAsset"], entry["quoteAsset"], instrument, venue)


def interval_name(length: int) -> str:
    """The venue's name for bars of a length in ns; InvalidValueError where it has none."""
    name = INTERVALS.get(length)
    if name is None:
        raise InvalidValueError(
            f"bars of {format_duration(length)}: the venue has bars of {', '.join(INTERVALS.values())}; ask for one of "
            "them and join those"
        )
    return name


def nanoseconds(milliseconds: int) -> int:
    """ns of the venue's ms."""
    return milliseconds * MILLISECOND


# --- orders ---


def new_order(
    order: Order, market: VenueMarket, name: str, price: int, quantity: int, stop: int
) -> dict[str, Any] | None:
    """The parameters of a new order on these terms (ticks, lots); None where the venue has no word for it."""
    special = order.special or Special()
    if order.flags & ~OrderFlag.POST_ONLY or order.position or special._replace(display=0) != Special():
        return None
    kind, force = _KINDS.get(order.order_type), _FORCES.get(order.time_in_force)
    if kind is None or force is None:
        return None
    asked: dict[str, Any] = {
        "symbol": market.symbol,
        "side": order.side.name,
        "type": kind,
        "quantity": market.quantity(quantity),
        "newClientOrderId": name,
        "newOrderRespType": "RESULT",
    }
    if order.flags & OrderFlag.POST_ONLY:
        if kind != "LIMIT" or force != "GTC":
            return None
        asked["type"] = "LIMIT_MAKER"
    elif order.order_type in _LIMITED:
        asked["timeInForce"] = force
    elif force == "FOK":
        return None
    if order.order_type in _LIMITED:
        asked["price"] = market.price(price)
    if order.order_type in _STOPS:
        asked["stopPrice"] = market.price(stop)
    if special.display:
        asked["icebergQty"] = market.quantity(special.display)
    return asked


def reason_of_expiry(order: Order, status: str) -> Reason:
    """Why the venue let an order expire, which it says only by the order's own terms; NONE where it is not known."""
    if status == "EXPIRED_IN_MATCH":
        return Reason.SELF_TRADE
    if order.order_type in (OrderType.MARKET, OrderType.STOP):
        return Reason.NO_LIQUIDITY
    if order.time_in_force is TimeInForce.IOC:
        return Reason.IMMEDIATE_OR_CANCEL
    return Reason.FILL_OR_KILL if order.time_in_force is TimeInForce.FOK else Reason.NONE


_BY_CODE: Final = {
    -1001: Reason.DISCONNECTED, -1003: Reason.THROTTLED, -1006: Reason.DISCONNECTED, -1007: Reason.DISCONNECTED,
    -1008: Reason.THROTTLED, -1015: Reason.THROTTLED, -1021: Reason.DISCONNECTED, -1022: Reason.NOT_OWNER,
    -1121: Reason.UNKNOWN_MARKET, -2011: Reason.UNKNOWN_ORDER, -2013: Reason.UNKNOWN_ORDER, -2014: Reason.NOT_OWNER,
    -2015: Reason.NOT_OWNER, -2038: Reason.INVALID_QUANTITY,
}  # fmt: skip
_BY_TEXT: Final = (
    ("immediately match", Reason.WOULD_TRADE),
    ("trigger immediately", Reason.INVALID_PRICE),
    ("insufficient balance", Reason.MARGIN),
    ("closed", Reason.MARKET_CLOSED),
    ("Duplicate order", Reason.DUPLICATE_ORDER),
    ("risk limits", Reason.RISK),
    ("action is disabled", Reason.RISK),
    ("LOT_SIZE", Reason.INVALID_QUANTITY),
    ("ICEBERG", Reason.INVALID_QUANTITY),
    ("PERCENT_PRICE", Reason.OUTSIDE_BANDS),
    ("PRICE_FILTER", Reason.INVALID_PRICE),
    ("NOTIONAL", Reason.NOTIONAL),
    ("MAX_NUM", Reason.RISK),
    ("MAX_POSITION", Reason.RISK),
    ("quantity", Reason.INVALID_QUANTITY),
    ("icebergQty", Reason.INVALID_QUANTITY),
    ("newQty", Reason.INVALID_QUANTITY),
    ("rice'", Reason.INVALID_PRICE),  # of 'price' and 'stopPrice'
)


def reason_of(refusal: VenueRefusal) -> Reason:
    """The nearest of our reasons to the venue's refusal."""
    if refusal.code in _BY_CODE:
        return _BY_CODE[refusal.code]
    found = next((reason for words, reason in _BY_TEXT if words in refusal.text), None)
    if found is not None:
        return found
    named = refusal.text.rpartition("was rejected: ")[2].rstrip(".")
    return Reason.__members__.get(named, Reason.INVALID_INSTRUCTION)
