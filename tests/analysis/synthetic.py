"""Tables of the ``MarketTables`` protocol for tests: by hand, from a generator, and from recorded LOBSTER days."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from marketsim.domain.instrument import Instrument
from marketsim.domain.tables import AGENTS, AUCTIONS, INDICATIONS, ORDERS, PHASES, QUOTES, TRADES

SECOND = 1_000_000_000
DEFAULTS: dict[str, Any] = {
    "str": "",
    "float64": 0.0,
    "int64": 0,
    "int8": 1,
}


def frame(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """A table with exactly ``columns``; missing values are 0 or ""."""
    rows = list(rows)
    values = {name: [row.get(name, DEFAULTS[kind]) for row in rows] for name, kind in columns.items()}
    unknown = {name for row in rows for name in row} - set(columns)
    assert not unknown, unknown
    return pd.DataFrame({name: pd.Series(values[name], dtype=kind) for name, kind in columns.items()})


@dataclass(frozen=True)
class Tables:
    trades: pd.DataFrame
    quotes: pd.DataFrame
    orders: pd.DataFrame
    agents: pd.DataFrame
    instruments: dict[str, Instrument]
    start: int
    end: int
    book: pd.DataFrame = field(default_factory=pd.DataFrame)
    phases: pd.DataFrame = field(default_factory=lambda: frame(PHASES))
    indications: pd.DataFrame = field(default_factory=lambda: frame(INDICATIONS))
    auctions: pd.DataFrame = field(default_factory=lambda: frame(AUCTIONS))

    def depth(self, levels: int, instrument: str | None = None, every: int | None = None) -> pd.DataFrame:
        """The stored book, sampled; fewer levels where it has fewer."""
        shown = min(levels, sum(str(c).startswith("ask_quantity_") for c in self.book.columns))
        names = [f"{side}_{n}" for n in range(1, shown + 1) for side in ("ask", "ask_quantity", "bid", "bid_quantity")]
        book = self.book[["time", *names]]
        if every is None:
            return book
        times = np.arange(-(-self.start // every) * every, self.end + 1, every)
        rows = np.searchsorted(book["time"].to_numpy(), times, "right") - 1
        sampled = book.iloc[rows[rows >= 0]].reset_index(drop=True)
        return sampled.assign(time=times[rows >= 0])


def by_hand(
    trades: Iterable[Mapping[str, Any]] = (),
    quotes: Iterable[tuple[Any, ...]] = (),
    *,
    start: int = 0,
    end: int = 100 * SECOND,
    agents: Iterable[Mapping[str, Any]] = (),
    orders: Iterable[Mapping[str, Any]] = (),
    instruments: Iterable[Instrument] = (Instrument("ABC"),),
    book: pd.DataFrame | None = None,
) -> Tables:
    """``quotes`` rows are (time, bid, bid_quantity, ask, ask_quantity[, instrument[, venue]]); NaN: no price."""
    known = {instrument.symbol: instrument for instrument in instruments}
    only = next(iter(known), "")
    quote_rows = [
        {
            "time": q[0],
            "bid": q[1],
            "bid_quantity": q[2],
            "ask": q[3],
            "ask_quantity": q[4],
            "instrument": q[5] if len(q) > 5 else only,
            "venue": q[6] if len(q) > 6 else "",
        }
        for q in quotes
    ]
    return Tables(
        trades=frame(TRADES, ({"instrument": only, **t} for t in trades)),
        quotes=frame(QUOTES, quote_rows),
        orders=frame(ORDERS, ({"instrument": only, "state": "FILLED", "end_time": -1, **o} for o in orders)),
        agents=frame(AGENTS, agents),
        instruments=known,
        start=start,
        end=end,
        book=pd.DataFrame({"time": np.array([], dtype=np.int64)}) if book is None else book,
    )


FAMILIES = (  # name, type, members, share of aggressive orders, share of passive fills
    ("noise", "ZeroIntelligence", 250, 0.70, 0.35),
    ("takers", "LiquidityTaker", 40, 0.22, 0.03),
    ("maker", "MarketMaker", 8, 0.02, 0.60),
    ("learner", "OnlineClassifier", 2, 0.06, 0.02),
)


def market(
    seed: int = 1,
    *,
    minutes: float = 30,
    quotes: int = 150_000,
    trades: int = 50_000,
    start: int = 9 * 3600 * SECOND + 1800 * SECOND,
    symbol: str = "ABC",
    levels: int = 10,
    warm_up: float = 0.0,
    members: float = 1.0,
) -> Tables:
    """A market that looks like one: persistent signs, volatility that clusters, impact, four families, fees."""
    rng = np.random.default_rng(seed)
    span = int(minutes * 60 * SECOND)
    time = start + np.sort(rng.integers(1, span, quotes))
    traded = np.zeros(quotes, bool)
    traded[rng.choice(np.arange(1, quotes), trades, replace=False)] = True
    side = _persistent_signs(rng, trades)
    size = rng.geometric(0.12, trades)
    log_volatility = _smooth(rng.normal(0, 1, quotes), 0.9995)
    move = rng.normal(0, 0.12, quotes) * np.exp(0.9 * log_volatility)
    impact = np.zeros(quotes)
    impact[traded] = 0.05 * side * np.sqrt(size)
    decayed = impact - 0.6 * np.concatenate(([0.0], impact[:-1]))
    fair = 10_000 + np.cumsum(move + decayed)
    half = 0.9 + np.abs(_smooth(rng.normal(0, 1, quotes), 0.98)) * 1.3
    bid, ask = np.floor(fair - half), np.ceil(fair + half)
    rows = np.flatnonzero(traded)
    price = np.where(side > 0, ask[rows - 1], bid[rows - 1]) + side * (rng.random(trades) < 0.04)
    names, family = _members(members)
    taker, maker = (_pick(rng, family, names, trades, k) for k in (3, 4))
    value = price * size / 100
    instrument = Instrument(symbol)
    trade_table = pd.DataFrame(
        {
            "time": time[rows],
            "instrument": symbol,
            "venue": "XSIM",
            "price": price / 100,
            "quantity": size.astype(float),
            "side": side.astype(np.int8),
            "taker": taker,
            "maker": maker,
            "taker_order": np.arange(1, trades + 1),
            "maker_order": np.arange(trades + 1, 2 * trades + 1),
            "taker_fee": np.round(0.00003 * value, 6),
            "maker_fee": np.round(-0.00001 * value, 6),
        }
    ).astype({name: TRADES[name] for name in TRADES})
    quote_table = pd.DataFrame(
        {
            "time": time,
            "instrument": symbol,
            "venue": "XSIM",
            "bid": bid / 100,
            "bid_quantity": rng.geometric(0.02, quotes).astype(float),
            "ask": ask / 100,
            "ask_quantity": rng.geometric(0.02, quotes).astype(float),
        }
    ).astype({name: QUOTES[name] for name in QUOTES})
    agents = pd.DataFrame(
        {"name": names, "family": family, "type": [_type(f) for f in family], "initial_cash": 1_000_000.0}
    ).astype(AGENTS)
    return Tables(
        trades=trade_table,
        quotes=quote_table,
        orders=_orders(rng, trade_table, names, time),
        agents=agents,
        instruments={symbol: instrument},
        start=start + int(warm_up * span),
        end=start + span,
        book=_book(rng, quote_table, levels),
    )


def _persistent_signs(rng: np.random.Generator, count: int) -> np.ndarray:
    """Signs in runs of heavy-tailed length, as split orders make them."""
    runs = np.ceil(rng.pareto(1.6, count) + 0.2).astype(int)
    return np.repeat(rng.choice((-1, 1), count), runs)[:count]


def _smooth(noise: np.ndarray, memory: float) -> np.ndarray:
    from scipy.signal import lfilter

    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise))


def _members(scale: float) -> tuple[list[str], list[str]]:
    names, family = [], []
    for name, _, members, _, _ in FAMILIES:
        count = max(round(members * scale), 1)
        names += [f"{name}-{n}" for n in range(count)] if count > 1 else [name]
        family += [name] * count
    return names, family


def _type(family: str) -> str:
    return next(f[1] for f in FAMILIES if f[0] == family)


def _pick(rng: np.random.Generator, family: list[str], names: list[str], count: int, column: int) -> np.ndarray:
    shares = {f[0]: f[column] for f in FAMILIES}
    weight = np.array([shares[f] / family.count(f) for f in family]) * rng.uniform(0.4, 1.6, len(family))
    return np.asarray(names, dtype=object)[rng.choice(len(names), count, p=weight / weight.sum())]


def _orders(rng: np.random.Generator, trades: pd.DataFrame, names: list[str], time: np.ndarray) -> pd.DataFrame:
    count = len(trades)
    resting = (trades["time"] - rng.exponential(4 * SECOND, count).astype(np.int64)).clip(lower=int(time[0]))
    canceled = count
    one = {"instrument": trades["instrument"].iloc[0], "venue": "XSIM", "time_in_force": "GTC", "stop_price": np.nan}
    taken = pd.DataFrame(
        {
            "order_id": trades["taker_order"],
            "time": trades["time"],
            "end_time": trades["time"],
            "agent": trades["taker"],
            "side": trades["side"],
            "order_type": "MARKET",
            "price": np.nan,
            "quantity": trades["quantity"],
            "filled": trades["quantity"],
            "state": "FILLED",
            "reason": "",
            "cancel_requests": 0,
        }
    )
    made = taken.assign(
        order_id=trades["maker_order"], time=resting, agent=trades["maker"], side=-trades["side"], order_type="LIMIT"
    ).assign(price=trades["price"])
    gone = made.assign(
        order_id=np.arange(2 * count + 1, 2 * count + canceled + 1),
        agent=rng.choice(np.asarray(names, dtype=object), canceled),
        filled=0.0,
        state="CANCELED",
        reason="BY_REQUEST",
        cancel_requests=1,
    )
    table = pd.concat([taken, made, gone]).assign(**one)[list(ORDERS)].astype(ORDERS)
    return table.sort_values("time", kind="stable", ignore_index=True)


def _book(rng: np.random.Generator, quotes: pd.DataFrame, levels: int) -> pd.DataFrame:
    rows = quotes.iloc[:: max(len(quotes) // 20_000, 1)].reset_index(drop=True)
    table = {"time": rows["time"].to_numpy()}
    wave = 1 + 0.5 * np.sin(np.arange(len(rows)) / len(rows) * 9)
    for side, sign in (("ask", 1), ("bid", -1)):
        price = rows[side].to_numpy()
        for level in range(1, levels + 1):
            table[f"{side}_{level}"] = np.round(price, 2)
            shape = 60 * level**0.7 * np.exp(-level / 9) * wave
            table[f"{side}_quantity_{level}"] = np.ceil(rng.gamma(2.0, shape / 2.0)).astype(float)
            price = price + sign * 0.01 * rng.choice((1, 1, 1, 2), len(rows))
    return pd.DataFrame(table)


def lobster_folder() -> Path | None:
    """Where the recorded days are, or None."""
    root = os.environ.get("MARKETSIM_DATA")
    folder = (Path(root) if root else Path(__file__).resolve().parents[3] / "shared" / "data") / "lobster"
    return folder if folder.is_dir() else None


@lru_cache(maxsize=4)
def lobster(symbol: str, levels: int) -> Tables:
    """A recorded day, straight from its two files: independent of the data room's reader."""
    folder = lobster_folder()
    assert folder is not None
    stem = f"{symbol}_2012-06-21_34200000_57600000"
    message = pd.read_csv(folder / f"{stem}_message_{levels}.csv.gz", header=None, dtype={0: str})
    book = pd.read_csv(folder / f"{stem}_orderbook_{levels}.csv.gz", header=None).to_numpy()
    seconds, _, fraction = (message[0].str.partition(".")[k] for k in range(3))
    time = seconds.astype(np.int64).to_numpy() * SECOND + fraction.str.ljust(9, "0").str[:9].astype(np.int64).to_numpy()
    executed = message[1].isin((4, 5)).to_numpy()
    changed = np.append(True, (book[1:, :4] != book[:-1, :4]).any(axis=1))
    trades = frame(TRADES)
    trades = pd.DataFrame(
        {
            "time": time[executed],
            "instrument": symbol,
            "venue": "",
            "price": message[4].to_numpy()[executed] / 1e4,
            "quantity": message[3].to_numpy()[executed].astype(float),
            "side": (-message[5].to_numpy()[executed]).astype(np.int8),
            "taker": "",
            "maker": "",
            "taker_order": 0,
            "maker_order": message[2].to_numpy()[executed],
            "taker_fee": 0.0,
            "maker_fee": 0.0,
        }
    ).astype({name: TRADES[name] for name in TRADES})
    quotes = pd.DataFrame(
        {
            "time": time[changed],
            "instrument": symbol,
            "venue": "",
            "bid": book[changed, 2] / 1e4,
            "bid_quantity": book[changed, 3].astype(float),
            "ask": book[changed, 0] / 1e4,
            "ask_quantity": book[changed, 1].astype(float),
        }
    ).astype({name: QUOTES[name] for name in QUOTES})
    table = {"time": time}
    for level in range(levels):
        for offset, name in enumerate(("ask", "ask_quantity", "bid", "bid_quantity")):
            values = book[:, 4 * level + offset].astype(float)
            table[f"{name}_{level + 1}"] = values / 1e4 if offset % 2 == 0 else values
    return Tables(
        trades=trades,
        quotes=quotes,
        orders=frame(ORDERS),
        agents=frame(AGENTS),
        instruments={symbol: Instrument(symbol)},
        start=34200 * SECOND,
        end=57600 * SECOND,
        book=pd.DataFrame(table),
    )


def with_rows(tables: Tables, **changes: Any) -> Tables:
    """A copy with some of its parts replaced."""
    return replace(tables, **changes)
