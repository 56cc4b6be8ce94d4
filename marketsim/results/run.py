"""A run: what a simulation left behind, in memory or in its folder, as the tables that analysis reads.

Tables are rebuilt from the event log when they are first asked for, and kept. A run offers no analysis of its own and
is never changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, MissingDependency, StoreError, did_you_mean
from marketsim.results import folder as folders
from marketsim.results import profile as profiles
from marketsim.results.annotations import Annotations
from marketsim.results.events import Events, MemoryEvents, PartEvents, block_rows
from marketsim.results.manifest import NOT_FINISHED, Manifest, MarketEntry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from marketsim.domain.basket import Basket
    from marketsim.domain.instrument import Instrument
    from marketsim.domain.local_time import LocalTime
    from marketsim.results.history import History
    from marketsim.results.profile import ProfileRow

_TABLES = ("trades", "quotes", "orders", "agents", "annotations")
_LARGEST = 500_000_000  # cells of a table of depth
_LONG = 20_000_000  # events of a log of which each market is read by itself, rather than all at once


class Run:
    """One run. ``Run.open("runs/quickstart-7-1")`` opens a folder.

    manifest: what ran and what came out. events: the rows of its log. annotations: what was remembered beside them.
    path: its folder, if it has one. profile: what was measured, if it was.
    """

    def __init__(
        self,
        manifest: Manifest,
        events: Events | None = None,
        annotations: Annotations | None = None,
        path: Path | None = None,
        profile: Sequence[ProfileRow] | None = None,
    ) -> None:
        self.manifest = manifest
        self.path = path
        self._events: Events = MemoryEvents() if events is None else events
        self._annotations = annotations
        self._profile = profile

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run folder; also one that is incomplete, whose ``complete`` is then False.

        StoreError when there is none, or when it does not hold what its manifest says.
        """
        folder = folders.find(Path(path))
        manifest = Manifest.read(folder / folders.MANIFEST)
        events = PartEvents(folders.parts(folder))
        closed = manifest.complete or manifest.failure != NOT_FINISHED
        if closed and len(events) != manifest.events:
            raise StoreError(
                f"{folder}: damaged: its manifest says {manifest.events:,} events, {len(events):,} are there; run the "
                "scenario again"
            )
        annotations = folders.count_annotations(folder)
        if closed and annotations != manifest.annotations:
            raise StoreError(
                f"{folder}: damaged: its manifest says {manifest.annotations:,} annotations, {annotations:,} are "
                "there; run the scenario again"
            )
        return cls(manifest, events, None, folder)

    # --- what ran ---

    @property
    def name(self) -> str:
        """Of the scenario."""
        return self.manifest.name

    @property
    def seed(self) -> int:
        """Of all chance."""
        return self.manifest.seed

    @property
    def digest(self) -> str:
        """Hash of the event log: equal runs have equal digests. Empty when the run was never closed."""
        return self.manifest.digest

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self.manifest.complete

    @property
    def start(self) -> int:
        """ns at which measuring starts (after the warm-up)."""
        return self.manifest.start + self.manifest.warm_up

    @cached_property
    def end(self) -> int:
        """ns at which the run ends; of an incomplete one the time at which it stopped, or of its last event."""
        if self.complete:
            return self.manifest.end
        failure = self.manifest.failure
        if failure is not None and failure.time is not None:
            return failure.time
        last = self.manifest.start
        for block in self._events.blocks(("time",)):
            last = int(block["time"][-1])
        return last

    @cached_property
    def local_time(self) -> LocalTime | None:
        """The dates of the run, where its scenario has one: ``run.local_time.at(time)`` is a datetime."""
        return self.manifest.local_time

    @property
    def markets(self) -> tuple[MarketEntry, ...]:
        """Instruments on venues, by the numbers that events carry."""
        return self.manifest.markets

    @cached_property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol."""
        return {market.symbol: market.instrument for market in self.manifest.markets}

    def basket(self, name: str) -> Basket:
        """The basket of an index of the run's scenario, its venue and divisor filled in."""
        from marketsim.domain.basket import Basket

        indices = self.manifest.spec.get("indices", {})
        if name not in indices:
            raise InvalidValueError(f"no index is called {name!r}{did_you_mean(name, indices) or '; the run has none'}")
        about = {**indices[name], "interval": duration(indices[name].get("interval", 0))}
        return Basket.described(name, **about, markets=[(m.venue, m.instrument) for m in self.markets])

    def markets_of(self, instrument: str | None, venue: str | None) -> list[MarketEntry]:
        """The markets of an instrument (the only one by default), on one venue or all; InvalidValueError if none."""
        known = self.instruments
        if instrument is None:
            if len(known) != 1:
                raise InvalidValueError(
                    f"name one of the instruments of this run: {', '.join(sorted(known)) or 'none'}"
                )
            instrument = next(iter(known))
        if instrument not in known:
            raise InvalidValueError(f"no instrument is called {instrument!r}{did_you_mean(instrument, known)}")
        found = [market for market in self.markets if market.symbol == instrument]
        if venue is None:
            return found
        chosen = [market for market in found if market.venue == venue]
        if not chosen:
            venues = [market.venue for market in found]
            raise InvalidValueError(f"no venue of {instrument} is called {venue!r}{did_you_mean(venue, venues)}")
        return chosen

    names_complete = True  # of LongTables: whoever has no entry in the manifest has no name in any table

    # --- what happened ---

    @property
    def event_log(self) -> Events:
        """The event log, to be read block by block."""
        return self._events

    @cached_property
    def events(self) -> NDArray[np.void]:
        """All rows of the event log (dtype domain.event.EVENT, 64 bytes a row)."""
        return self._events.rows()

    @cached_property
    def history(self) -> History:
        """What can be rebuilt from the event log, in ticks, lots and numbers."""
        from marketsim.results.history import History

        return History(self._events)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Every trade, columns TRADES of domain.tables."""
        from marketsim.results import tables

        return tables.trades(self.history, self.manifest)

    @cached_property
    def payments(self) -> pd.DataFrame:
        """What clearing houses paid, columns of ``results.tables.PAYMENTS``; empty where there are no contracts."""
        from marketsim.results import tables

        return tables.payments(self.event_log, self.manifest)

    @cached_property
    def marks(self) -> pd.DataFrame:
        """Every mark of a contract: ``time`` (ns), ``instrument``, ``venue``, ``mark`` and ``index`` in currency."""
        from marketsim.results import tables

        return tables.marks(self.event_log, self.manifest)

    @cached_property
    def quotes(self) -> pd.DataFrame:
        """Best bid and ask after each request that changed them, columns QUOTES."""
        from marketsim.results import tables

        return tables.quotes(self.history, self.manifest)

    def slim(self, instrument: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Trades and quotes of an instrument with at least the columns that measures of the market read.

        Of a log that may be too long for memory the tables of names, fees and all markets are not built for it.
        """
        from marketsim.results import tables

        built = {"trades", "quotes"} <= self.__dict__.keys()
        markets = [market for market in self.markets if market.symbol == instrument]
        if built or len(markets) != 1 or (len(self.markets) > 1 and len(self._events) < _LONG):
            return self.trades, self.quotes
        return tables.slim(self.history, markets[0])

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Every order that reached a venue and what became of it, columns ORDERS."""
        from marketsim.results import tables

        return tables.orders(self.history, self.manifest)

    @cached_property
    def order_prices(self) -> pd.DataFrame:
        """Where orders stood that were replaced or repriced, columns of ``results.order_prices.ORDER_PRICES``."""
        from marketsim.results.order_prices import order_prices

        return order_prices(self._events, self.manifest)

    @cached_property
    def phases(self) -> pd.DataFrame:
        """Every change of a market's phase, columns PHASES."""
        from marketsim.results import phases

        return phases.phases(self._events, self.manifest)

    @cached_property
    def indications(self) -> pd.DataFrame:
        """What auctions would have come to, as it was published, columns INDICATIONS."""
        from marketsim.results import phases

        return phases.indications(self._events, self.manifest)

    @cached_property
    def auctions(self) -> pd.DataFrame:
        """Every auction that traded, columns AUCTIONS."""
        from marketsim.results import phases

        return phases.auctions(self._events, self.manifest)

    @cached_property
    def agents(self) -> pd.DataFrame:
        """The participants, columns AGENTS."""
        from marketsim.results import tables

        return tables.agents(self.manifest)

    @cached_property
    def remarks(self) -> Annotations:
        """The annotations as they were recorded."""
        if self._annotations is None and self.path is not None:
            return folders.read_annotations(self.path)
        return self._annotations or Annotations()

    @cached_property
    def annotations(self) -> pd.DataFrame:
        """What was remembered beside the events: ``time`` (ns), ``agent``, ``key``, ``value`` (text)."""
        return self.remarks.frame

    @cached_property
    def risk(self) -> pd.DataFrame:
        """What risk control decided: the fields of ``domain.risk.RiskEvent``, a row each, in the order of time."""
        from marketsim.results import risk

        return risk.table(self.annotations)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """Where the engine time went, columns of results.profile.ProfileRow and each row's ``share`` of it.

        StoreError when the run was not profiled.
        """
        return profiles.frame(self.profile_rows)

    @property
    def profile_rows(self) -> Sequence[ProfileRow]:
        """The same as plain rows."""
        rows = self._profile_rows()
        if rows is None:
            raise StoreError(f"{self.path or self.name}: this run was not profiled; {profiles.HOW}")
        return rows

    def depth(
        self, levels: int, instrument: str | None = None, every: int | str | None = None, venue: str | None = None
    ) -> pd.DataFrame:
        """The book's best levels over time.

        Columns ``time``, then ``ask_1, ask_quantity_1, bid_1, bid_quantity_1, ask_2, …`` in currency and units, NaN
        and 0 where there is no level. A row after each request that changed one of them; with ``every`` (ns, or text
        such as "1s") a row at each multiple of it from ``start`` to ``end``, with what happened at that very ns
        included. An instrument that several venues trade is shown as their common book unless ``venue`` is given.
        """
        from marketsim.results import tables

        markets = self.markets_of(instrument, venue)
        if levels < 1:
            raise InvalidValueError(f"depth of {levels} levels: use 1 or more")
        if every is None:
            found = self.history.levels([market.number for market in markets], levels)
            return tables.depth(found, markets[0])
        step = duration(every)
        if step < 1 or (self.end - self.start) // step * 4 * levels > _LARGEST:
            raise InvalidValueError(f"depth every {every}: use a longer time, such as {self._coarse()!r}")
        numbers = [market.number for market in markets]
        return tables.depth(self.history.samples(numbers, levels, step, self.start, self.end), markets[0])

    def depth_blocks(self, levels: int, instrument: str | None = None) -> Iterator[pd.DataFrame]:
        """``depth`` after each request that changed it, in stretches: for a book too long to hold at once."""
        from marketsim.results import tables

        markets = self.markets_of(instrument, None)
        if levels < 1:
            raise InvalidValueError(f"depth of {levels} levels: use 1 or more")
        for part in self.history.level_blocks([market.number for market in markets], levels):
            yield tables.depth(part, markets[0])

    def query(self, sql: str) -> pd.DataFrame:
        """Answer SQL over the tables ``events``, ``trades``, ``quotes``, ``orders``, ``agents``, ``annotations``.

        ``events`` are the raw rows (ns, ticks, lots, numbers), read in place from the run's Parquet files where it has
        a folder. Only tables that the text names are built.
        """
        try:
            import duckdb
        except ImportError as error:
            raise MissingDependency("duckdb", "all") from error
        connection = duckdb.connect()
        try:
            for name in _TABLES:
                if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
                    connection.register(name, getattr(self, name))
            if re.search(r"\bevents\b", sql, re.IGNORECASE):
                self._offer_events(connection)
            result: pd.DataFrame = connection.execute(sql).df()
        except duckdb.Error as error:
            raise InvalidValueError(f"the query failed: {error}") from error
        finally:
            connection.close()
        return result

    # --- keeping it ---

    def save(self, path: str | Path | None = None) -> Run:
        """Write a run folder and open it; ``runs/<scenario>-<seed>-<n>`` when no path is given. Never overwrites."""
        from marketsim.results.parts import PartWriter

        if path is None:
            partial = folders.reserve_next(folders.RUNS, self.name, self.seed)
        else:
            partial = folders.reserve(Path(path))
        folders.write_manifest(partial, self.manifest.with_(complete=False, failure=NOT_FINISHED))
        writer = PartWriter(partial / folders.EVENTS)
        for block in self._events.blocks():
            writer.write(block_rows(block))
        writer.close()
        if len(self.remarks):
            self.remarks.write(partial / folders.ANNOTATIONS)
        rows = self._profile_rows()
        if rows is not None:
            profiles.write(partial / folders.PROFILE, rows)
        folders.write_manifest(partial, self.manifest)
        return Run.open(folders.commit(partial))

    def check(self) -> None:
        """Hash the stored events again; StoreError when they are not those of the digest."""
        from marketsim.results.log import DIGEST_SIZE

        digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
        for block in self._events.blocks():
            digest.update(block_rows(block).tobytes())
        if len(self.remarks):
            digest.update(self.remarks.digest())
        where = self.path or "this run"
        if not self.digest:
            raise StoreError(f"{where}: it was never closed, so it has no digest to compare: {self.manifest.status}")
        if digest.hexdigest() != self.digest:
            raise StoreError(
                f"{where}: damaged: its events have the digest {digest.hexdigest()}, its manifest says {self.digest}"
            )

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Tidy CSV files of all tables; see results.exports."""
        from marketsim.results.exports import to_csv

        return to_csv(self, folder)

    def to_parquet(self, folder: str | Path) -> list[Path]:
        """Parquet files of all tables; see results.exports."""
        from marketsim.results.exports import to_parquet

        return to_parquet(self, folder)

    def to_lobster(self, folder: str | Path, **options: Any) -> list[Path]:
        """LOBSTER message and orderbook files; see results.lobster for the options."""
        from marketsim.results.lobster import to_lobster

        return to_lobster(self, folder, **options)

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path is not None else ""
        return f"<Run {self.name!r}, seed {self.seed}, {len(self._events):,} events, {self.manifest.status}{where}>"

    def _repr_html_(self) -> str:
        from marketsim.results.page import page

        return page(self)

    # --- inner ---

    def _profile_rows(self) -> Sequence[ProfileRow] | None:
        """What was measured; None when nothing was."""
        if self._profile is None and self.path is not None and (self.path / folders.PROFILE).exists():
            self._profile = profiles.read(self.path / folders.PROFILE)
        return self._profile

    def _offer_events(self, connection: Any) -> None:
        if isinstance(self._events, PartEvents) and self._events.paths:
            files = [str(path) for path in self._events.paths]
            connection.from_parquet(files).create_view("events")
            return
        import pyarrow as pa

        from marketsim.results.events import COLUMNS

        rows = self.events
        connection.register("events", pa.table({name: pa.array(rows[name].copy()) for name in COLUMNS}))

    def _coarse(self) -> str:
        """A step that gives about a thousand rows."""
        from marketsim.domain.units import SECOND, format_duration

        return format_duration(max((self.end - self.start) // 1000 // SECOND, 1) * SECOND)
