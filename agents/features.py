"""Features of the order book: numbers that a model may learn from, updated quote by quote and trade by trade.

A feature is written as its name, or as ``name:n`` with n the number of quotes (trades for ``trade_imbalance``) that it
looks back on; without a number it looks back on the whole window. Nothing here looks ahead, and nothing trades.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from marketsim.agents.estimators import OrderFlowImbalance
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean

Column = Callable[[], float]

DEFAULT = (
    "imbalance",
    "microprice",
    "spread",
    "depth",
    "ofi:1",
    "ofi:10",
    "ofi",
    "return:1",
    "return:10",
    "return",
    "trade_imbalance:20",
    "volatility",
    "position_in_range",
)


class BookFeatures:
    """The features of one instrument.

    names: which, in the order of the vector.
    window: how many quotes (trades) to look back on where a name says no number.

    ====================== =========================================================================
    imbalance              (q_b − q_a) / (q_b + q_a), quantities at the best prices
    microprice             (microprice − mid) in ticks
    spread                 ask − bid in ticks
    depth                  ln(q_b + q_a)
    ofi:n                  order-flow imbalance of n steps over the mean displayed quantity and √n
    return:n               mid now − mid n quotes ago, ticks
    volatility:n           root mean square of the mid's n latest moves, ticks
    position_in_range:n    where the mid lies between its lowest and highest of n quotes, −1 to 1
    trade_imbalance:n      (bought − sold) / traded of the n latest trades, by aggressor
    quote_gap:n            mean seconds between the n latest quotes
    ====================== =========================================================================
    """

    def __init__(self, names: Sequence[str] = DEFAULT, window: int = 100) -> None:
        self.names = tuple(names)
        self.window = window
        self._quote: Quote | None = None
        self._mid = 0.0
        self._flow = OrderFlowImbalance()
        longest = max([window, *(_split(name)[1] or 0 for name in names)])
        self._mids: deque[float] = deque(maxlen=longest + 1)
        self._times: deque[int] = deque(maxlen=longest + 1)
        self._sums: list[_MovingSum] = []
        self._trades: list[_MovingSum] = []
        self._moves: list[_MovingSum] = []
        self._ranges: list[_MovingRange] = []
        self._shown = 0.0  # mean displayed quantity of late
        self._columns = [self._column(name) for name in names]
        self.quotes = 0

    def add_quote(self, quote: Quote) -> bool:
        """Take in a quote; False when it does not have both sides, and is left out."""
        flow = self._flow.update(quote)
        if not quote.two_sided:
            return False
        mid = 0.5 * (quote.bid + quote.ask)
        total = quote.bid_quantity + quote.ask_quantity
        self._shown = total if not self.quotes else 0.99 * self._shown + 0.01 * total
        moved = mid - self._mid if self.quotes else 0.0
        for flows in self._sums:
            flows.add(flow)
        for moves in self._moves:
            moves.add(moved * moved)
        for ranges in self._ranges:
            ranges.add(mid)
        self._mids.append(mid)
        self._times.append(quote.time)
        self._quote, self._mid = quote, mid
        self.quotes += 1
        return True

    def add_trade(self, trade: TradePrint) -> None:
        """Take in a trade."""
        signed = trade.side * trade.quantity
        for trades in self._trades:
            trades.add(signed)

    @property
    def mid(self) -> float:
        """The latest mid, ticks."""
        return self._mid

    @property
    def ready(self) -> bool:
        """Whether a whole window has been seen."""
        return self.quotes > self.window

    def vector(self) -> list[float]:
        """The features now, in the order of ``names``."""
        return [column() for column in self._columns]

    # --- columns ---

    def _column(self, name: str) -> Column:
        kind, number = _split(name)
        make: Callable[[int], Column] = getattr(self, f"_make_{kind}")
        return make(number or self.window)

    def _make_imbalance(self, _: int) -> Column:
        return lambda: 2.0 * self._now().imbalance - 1.0

    def _make_microprice(self, _: int) -> Column:
        return lambda: self._now().microprice - self._mid

    def _make_spread(self, _: int) -> Column:
        return lambda: float(self._now().spread)

    def _make_depth(self, _: int) -> Column:
        return lambda: math.log(self._now().bid_quantity + self._now().ask_quantity)

    def _make_ofi(self, number: int) -> Column:
        flows = _MovingSum(number)
        self._sums.append(flows)
        scale = 2.0 / math.sqrt(number)
        return lambda: scale * flows.total / self._shown

    def _make_return(self, number: int) -> Column:
        mids = self._mids

        def change() -> float:
            return mids[-1] - mids[max(-1 - number, -len(mids))]

        return change

    def _make_volatility(self, number: int) -> Column:
        moves = _MovingSum(number)
        self._moves.append(moves)
        return lambda: math.sqrt(max(0.0, moves.total) / max(1, len(moves.values)))

    def _make_position_in_range(self, number: int) -> Column:
        ranges = _MovingRange(number)
        self._ranges.append(ranges)

        def place() -> float:
            low, high = ranges.low, ranges.high
            return 2.0 * (self._mid - low) / (high - low) - 1.0 if high > low else 0.0

        return place

    def _make_trade_imbalance(self, number: int) -> Column:
        trades = _MovingSum(number)
        self._trades.append(trades)
        return lambda: trades.total / trades.size if trades.size else 0.0

    def _make_quote_gap(self, number: int) -> Column:
        times = self._times

        def gap() -> float:
            back = min(number, len(times) - 1)
            return (times[-1] - times[-1 - back]) / back * 1e-9 if back else 0.0

        return gap

    def _now(self) -> Quote:
        if self._quote is None:
            raise InvalidValueError("features need a quote with both sides first: call add_quote()")
        return self._quote


class _MovingSum:
    """Sum, and sum of sizes, of the latest values."""

    __slots__ = ("size", "total", "values")

    def __init__(self, length: int) -> None:
        self.values: deque[float] = deque(maxlen=length)
        self.total = 0.0
        self.size = 0.0

    def add(self, value: float) -> None:
        values = self.values
        if len(values) == values.maxlen:
            old = values[0]
            self.total -= old
            self.size -= abs(old)
        values.append(value)
        self.total += value
        self.size += abs(value)


class _MovingRange:
    """Lowest and highest of the latest values, in constant time on average: two queues in which nothing is hidden."""

    __slots__ = ("_count", "_highs", "_length", "_lows")

    def __init__(self, length: int) -> None:
        self._length = length
        self._count = 0
        self._lows: deque[tuple[int, float]] = deque()
        self._highs: deque[tuple[int, float]] = deque()

    def add(self, value: float) -> None:
        lows, highs = self._lows, self._highs
        while lows and lows[-1][1] >= value:
            lows.pop()
        while highs and highs[-1][1] <= value:
            highs.pop()
        self._count += 1
        lows.append((self._count, value))
        highs.append((self._count, value))
        oldest = self._count - self._length
        if lows[0][0] <= oldest:
            lows.popleft()
        if highs[0][0] <= oldest:
            highs.popleft()

    @property
    def low(self) -> float:
        return self._lows[0][1]

    @property
    def high(self) -> float:
        return self._highs[0][1]


KINDS = tuple(sorted(name.removeprefix("_make_") for name in vars(BookFeatures) if name.startswith("_make_")))


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, when each is a feature; InvalidValueError for the first that is not."""
    if isinstance(names, str) or not names:
        raise InvalidValueError(f"features: {names!r} is not a list of names; write [imbalance, ofi:10]")
    for name in names:
        _split(name)
    double = {name for name in names if list(names).count(name) > 1}
    if double:
        raise InvalidValueError(f"features: {sorted(double)[0]!r} stands there twice; leave one out")
    return tuple(names)


def read_features(path: str | Path) -> tuple[str, ...]:
    """The names in a feature file: YAML with a list under ``features``."""
    from marketsim.scenario.document import raise_findings
    from marketsim.scenario.yaml import read

    where = Path(path)
    try:
        text = where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{where}: cannot be read: {error}; give the path of a feature file") from None
    root, findings = read(text, str(where))
    raise_findings(findings)
    content = root.to_plain()
    if not isinstance(content, dict) or set(content) != {"features"}:
        raise ConfigurationError(f'{where}: a feature file has one entry, "features", with a list of names')
    try:
        return check_names(content["features"])
    except InvalidValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _split(name: object) -> tuple[str, int | None]:
    """Kind and number of a name such as ``ofi:10``."""
    kind, colon, number = str(name).partition(":")
    if kind not in KINDS:
        raise InvalidValueError(f"features: no feature is called {kind!r}{did_you_mean(kind, KINDS)}")
    if not colon:
        return kind, None
    if not number.isdecimal() or int(number) < 1:
        raise InvalidValueError(f"features: {name!r}: after the colon comes a number of quotes, 1 or more")
    return kind, int(number)
