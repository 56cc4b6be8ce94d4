"""The markets that are served, under the names and in the decimals of the dialect.

A symbol is base and quote asset in one word (``ABCUSD``). Inside there are ticks and lots, outside decimals with eight
places; this module is where the one becomes the other. It keeps no state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from marketsim.agents.client import Client, assets_of
from marketsim.agents.public_feed import MarketView, PublicFeed
from marketsim.domain.instrument import Instrument
from marketsim.domain.phase import Phase
from marketsim.errors import ConfigurationError
from marketsim.gateway.binance.errors import VenueError, bad_symbol, filter_failure

PLACES = Decimal("0.00000001")
MOST_LOTS = 9_000_000_000
MOST_TICKS = 1 << 40
_NOT_A_LETTER = re.compile("[^A-Z0-9]")
ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")


class ServedMarket:
    """One market. ``number``: its place among the markets of a client."""

    def __init__(self, number: int, base: str, quote: str, instrument: Instrument, view: MarketView) -> None:
        self.number = number
        self.base, self.quote = asset_name(base), asset_name(quote)
        self.own_base, self.own_quote = base, quote
        self.instrument = instrument
        self.view = view
        self.symbol = self.base + self.quote
        self.stream = self.symbol.lower()
        self._tick, self._lot = instrument.tick_size, instrument.lot_size
        self._unit = instrument.tick_size * instrument.lot_size

    def price(self, ticks: float) -> str:
        """A price for people outside."""
        return f"{ticks * self._tick:.8f}" if isinstance(ticks, int) else f"{Decimal(repr(ticks)) * self._tick:.8f}"

    def quantity(self, lots: int) -> str:
        """A quantity."""
        return f"{lots * self._lot:.8f}"

    def value(self, ticks_times_lots: int) -> str:
        """Currency of ticks times lots."""
        return f"{ticks_times_lots * self._unit:.8f}"

    def ticks(self, price: Decimal, name: str = "price") -> int:
        """Ticks of a price; VenueError when it is not on the grid."""
        ticks, rest = divmod(price, self._tick)
        if rest or not 0 < ticks <= MOST_TICKS:
            most = f"{MOST_TICKS * self._tick:f}"
            raise filter_failure(
                "PRICE_FILTER", f"{name} must be a multiple of {self._tick} above zero, {most} at most"
            )
        return int(ticks)

    def lots(self, quantity: Decimal, name: str = "quantity", which: str = "LOT_SIZE") -> int:
        """Lots of a quantity; VenueError when it is not on the grid."""
        lots, rest = divmod(quantity, self._lot)
        if rest or not 0 < lots <= MOST_LOTS:
            most = f"{MOST_LOTS * self._lot:f}"
            raise filter_failure(which, f"{name} must be a multiple of {self._lot} above zero, {most} at most")
        return int(lots)

    @property
    def trading(self) -> bool:
        """Whether orders can be sent now."""
        return self.view.phase is not Phase.CLOSED

    def describe(self, self_trades: str) -> dict[str, Any]:
        """Its entry in exchangeInfo."""
        return {
            "symbol": self.symbol,
            "status": _STATUS.get(self.view.phase, "TRADING"),
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": True,
            "ocoAllowed": True,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": True,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self._filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": self_trades,
            "allowedSelfTradePreventionModes": [self_trades],
        }

    def _filters(self) -> list[dict[str, Any]]:
        instrument = self.instrument
        low = instrument.min_notional or Decimal(0)
        found: list[dict[str, Any]] = [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": self.price(1),
                "maxPrice": self.price(MOST_TICKS),
                "tickSize": self.price(1),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": self.quantity(1),
                "maxQty": self.quantity(MOST_LOTS),
                "stepSize": self.quantity(1),
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10_000},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": self.quantity(1),
                "maxQty": self.quantity(MOST_LOTS),
                "stepSize": self.quantity(1),
            },
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": 1,
                "maxTrailingAboveDelta": 2000,
                "minTrailingBelowDelta": 1,
                "maxTrailingBelowDelta": 2000,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{low:.8f}",
                "applyMinToMarket": True,
                "maxNotional": f"{instrument.max_notional or Decimal(9_000_000_000):.8f}",
                "applyMaxToMarket": instrument.max_notional is not None,
                "avgPriceMins": 0,
            },
        ]
        if instrument.price_band is not None:
            up, down = 1 + instrument.price_band, max(Decimal(0), 1 - instrument.price_band)
            found.append(
                {
                    "filterType": "PERCENT_PRICE_BY_SIDE",
                    "bidMultiplierUp": f"{up:.4f}",
                    "bidMultiplierDown": f"{down:.4f}",
                    "askMultiplierUp": f"{up:.4f}",
                    "askMultiplierDown": f"{down:.4f}",
                    "avgPriceMins": 0,
                }
            )
        return found


class ServedMarkets:
    """All markets of one venue, by symbol."""

    def __init__(self, client: Client, feed: PublicFeed) -> None:
        self._by_symbol: dict[str, ServedMarket] = {}
        for number, place in enumerate(client.markets):
            market = ServedMarket(
                number, place.base, place.quote, place.instrument, feed.view(place.venue, place.instrument.symbol)
            )
            check_servable(place.instrument)
            if market.symbol in self._by_symbol:
                raise ConfigurationError(
                    f"instruments.{place.instrument.symbol}: its symbol would be {market.symbol}, as that of another: "
                    "serve one venue at a time, and give instruments names that differ in letters and digits"
                )
            self._by_symbol[market.symbol] = market
        self.all: tuple[ServedMarket, ...] = tuple(self._by_symbol.values())
        self._numbered = {market.number: market for market in self.all}

    def __getitem__(self, symbol: str) -> ServedMarket:
        market = self._by_symbol.get(symbol)
        if market is None:
            raise bad_symbol()
        return market

    def find(self, symbol: str) -> ServedMarket | None:
        """The market of a symbol."""
        return self._by_symbol.get(symbol)

    def numbered(self, number: int) -> ServedMarket:
        """The market at a place among a client's."""
        return self._numbered[number]

    def chosen(self, symbol: str | None, symbols: Iterable[str] | None) -> list[ServedMarket]:
        """One, some or all of them."""
        if symbol is not None and symbols is not None:
            raise VenueError(-1128, "Combination of optional parameters invalid: send symbol or symbols.")
        if symbol is not None:
            return [self[symbol]]
        return [self[name] for name in symbols] if symbols is not None else list(self.all)


_STATUS = {
    Phase.CLOSED: "BREAK",
    Phase.HALT: "HALT",
    Phase.OPENING_AUCTION: "AUCTION_MATCH",
    Phase.CLOSING_AUCTION: "AUCTION_MATCH",
    Phase.VOLATILITY_AUCTION: "AUCTION_MATCH",
    Phase.PRE_OPEN: "PRE_TRADING",
}


def asset_name(name: str) -> str:
    """An asset's name in the dialect: capital letters and digits."""
    return _NOT_A_LETTER.sub("", name.upper())


def check_names(instruments: Iterable[Instrument]) -> None:
    """Refuse instruments that the dialect cannot say, or of which it could not tell one from another."""
    symbols: dict[str, str] = {}
    for instrument in instruments:
        check_servable(instrument)
        symbol = "".join(map(asset_name, assets_of(instrument)))
        if symbol in symbols:
            raise ConfigurationError(
                f"instruments.{instrument.symbol}: its symbol would be {symbol}, as that of {symbols[symbol]}: serve "
                "one venue at a time, and give instruments names that differ in letters and digits"
            )
        symbols[symbol] = instrument.symbol


def check_servable(instrument: Instrument) -> None:
    """Refuse what the dialect cannot say."""
    where = f"instruments.{instrument.symbol}"
    if instrument.cleared:
        raise ConfigurationError(
            f"{where}: {instrument.kind} is no spot instrument, and the gateway speaks the spot dialect: leave it out "
            "of the venue that is served, or serve another venue with --venue"
        )
    for name, step in (("tick_size", instrument.tick_size), ("lot_size", instrument.lot_size)):
        if step % PLACES:
            raise ConfigurationError(f"{where}.{name}: {step} has more than the eight decimals that the dialect knows")
    if not asset_name(instrument.symbol):
        raise ConfigurationError(f"{where}: the dialect's names are letters A to Z and digits; choose another symbol")
