"""Tables of phases, indications and auctions, and the figures that are drawn from them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import marketsim as ms
from marketsim.analysis import figures
from marketsim.analysis.figures.sessions import phase_spans
from marketsim.domain import tables as shapes
from marketsim.errors import InvalidValueError

ABC = ms.Instrument("ABC", tick_size="0.01", reference_price="100")


class Both(ms.Agent):
    """Bids and offers around a price, twice in the opening auction and once later."""

    def on_start(self) -> None:
        """Put the orders on the clock."""
        for delay, bid, ask in (("1s", 10_010, 9_990), ("30s", 10_020, 10_000), ("2min", 10_015, 10_015)):
            self.after(delay, self.both, bid, ask)

    def both(self, bid: int, ask: int) -> None:
        """Send one order of each side."""
        self.buy(self.instrument, 5, limit=bid)
        self.sell(self.instrument, 4, limit=ask)


@pytest.fixture(scope="module")
def run() -> Any:
    sessions = [
        {"phase": "opening_auction", "start": "09:00", "end": "09:01"},
        {"phase": "continuous", "start": "09:01", "end": "09:04"},
        {"phase": "closing_auction", "start": "09:04", "end": "09:05"},
    ]
    simulation = ms.Simulation(1, "1d 3min", start="09:00", date="2026-03-05", time_zone="Europe/Berlin")
    calendar = {"time_zone": "Europe/Berlin", "sessions": sessions}
    simulation.add_venue("X", [ABC], calendar=calendar, interruptions={"auction": "10s"})
    simulation.add_agent(Both(), "both")
    simulation.halt("150s", "ABC", duration="20s")
    return simulation.run()


def test_the_tables_have_the_columns_that_are_promised(run: Any) -> None:
    for name, columns in (
        ("phases", shapes.PHASES),
        ("indications", shapes.INDICATIONS),
        ("auctions", shapes.AUCTIONS),
    ):
        table = getattr(run, name)
        assert list(table.columns) == list(columns)
        assert len(table) > 0
        assert table["time"].is_monotonic_increasing


def test_the_auction_table_is_what_the_trades_say(run: Any) -> None:
    (auction,) = run.auctions.itertuples()
    trades = run.trades[run.trades["time"] == auction.time]
    assert (auction.volume, auction.trades) == (trades["quantity"].sum(), len(trades))
    assert set(trades["price"]) == {auction.price}


def test_a_folder_keeps_the_dates(run: Any, tmp_path: Path) -> None:
    saved = run.save(tmp_path / "run")
    assert saved.local_time == run.local_time
    assert saved.phases.equals(run.phases)
    assert f"{saved.local_time.at(run.end):%Y-%m-%d %H:%M}" == "2026-03-06 09:03"


def test_the_phases_cover_the_whole_run(run: Any) -> None:
    spans = phase_spans(run, "ABC")
    assert spans[0][0] == run.start
    assert spans[-1][1] == run.end
    assert all(one[1] == two[0] for one, two in pairwise(spans))
    assert {"OPENING_AUCTION", "CONTINUOUS", "HALT", "VOLATILITY_AUCTION", "CLOSING_AUCTION", "CLOSED"} == {
        phase for _, _, phase in spans
    }


def test_the_figures_say_what_they_show(run: Any) -> None:
    price, volume = figures.auction(run).axes
    assert price.get_title(loc="left") == "ABC: the auction's price"
    assert [text.get_text() for text in price.get_legend().get_texts()][:2] == ["indicative price", "auction traded"]
    assert volume.get_xlabel() == "local time, Europe/Berlin (HH:MM:SS)"
    above, below = figures.interruptions(run).axes
    words = [text.get_text() for text in above.get_legend().get_texts()]
    assert {"auction", "halt", "closed", "trades", "indicative price"} <= set(words)
    assert below.get_ylabel() == "trades a minute"
    days = figures.trading_days(run).axes
    assert [axes.get_title(loc="left").partition("\n")[0] for axes in days] == ["Thu 2026-03-05", "Fri 2026-03-06"]


def test_an_auction_that_is_not_there_is_told(run: Any) -> None:
    with pytest.raises(InvalidValueError, match="number=7: there are 4 auctions"):
        figures.auction(run, number=7)


def test_a_run_without_sessions_has_empty_tables_and_no_dates() -> None:
    simulation = ms.Simulation(1, "1s")
    simulation.add_venue("X", [ABC])
    plain = simulation.run()
    assert plain.local_time is None
    assert len(plain.phases) == len(plain.indications) == len(plain.auctions) == 0
    assert figures.auction(plain) is not None


def test_a_run_without_interruptions_says_so() -> None:
    simulation = ms.Simulation(1, "3min")
    simulation.add_venue("X", [ABC])
    simulation.add_agent(Both(), "both")
    (axes,) = figures.interruptions(simulation.run()).axes
    assert [text.get_text() for text in axes.texts] == ["ABC: no interruptions: it traded continuously all the time"]
