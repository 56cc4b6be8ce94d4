"""The replay agent: alone it is the recorded day; with others inside, they queue behind it and take its liquidity."""

from __future__ import annotations

from pathlib import Path

import pytest

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.agents.replay import Replay
from marketsim.errors import InvalidValueError
from marketsim.results.lobster import to_lobster
from marketsim.simulation import load

START = "09:30"
INSTRUMENT = ms.Instrument("ABC")


@pytest.fixture(scope="module")
def recorded() -> ms.Run:
    simulation = ms.Simulation(5, "6s", start=START).add_venue(instruments=[INSTRUMENT])
    return simulation.add_agents(Noise(rate="3/s"), 30, "noise").run()


@pytest.fixture(scope="module")
def tape(recorded: ms.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tape")
    to_lobster(recorded, folder, levels=200)
    return folder


def inside(tape: Path, agent: ms.Agent | None = None, start: str = START, duration: str = "6s") -> ms.Simulation:
    simulation = ms.Simulation(1, duration, start=start).add_venue(instruments=[INSTRUMENT])
    simulation.add_agent(Replay(str(tape)), "tape", latency="0ns")
    if agent is not None:
        simulation.add_agent(agent, "strategy", latency="10us")
    return simulation


def test_alone_it_makes_the_recorded_trades(recorded: ms.Run, tape: Path) -> None:
    replayed = inside(tape).run().trades
    assert len(replayed) == len(recorded.trades) > 100
    for column in ("time", "price", "quantity", "side"):
        assert replayed[column].tolist() == recorded.trades[column].tolist()


def test_alone_it_ends_with_the_recorded_book(recorded: ms.Run, tape: Path) -> None:
    columns = [f"{side}_{what}{level}" for level in (1, 2, 3) for side in ("ask", "bid") for what in ("", "quantity_")]
    last = recorded.depth(3).iloc[-1][columns]
    assert inside(tape).run().depth(3).iloc[-1][columns].tolist() == last.tolist()


class Taker(ms.Agent):
    """Takes the whole best offer, once."""

    def on_start(self) -> None:
        """Wait for the book to fill."""
        self.taken: ms.Order | None = None

    def on_quote(self, quote: ms.Quote) -> None:
        """Take what is offered after two seconds."""
        if self.taken is None and quote.has_ask and self.now > 34_202 * 10**9:
            self.taken = self.buy(quote.instrument, quote.ask_quantity, limit=quote.ask, time_in_force=ms.IOC)


def test_a_strategy_consumes_recorded_liquidity(recorded: ms.Run, tape: Path) -> None:
    run = inside(tape, Taker()).run()
    mine = run.trades[run.trades["taker"] == "strategy"]
    assert len(mine) > 0
    assert set(mine["maker"]) == {"tape"}
    assert len(run.trades) != len(recorded.trades) or not (run.trades["price"] == recorded.trades["price"]).all()


class Joiner(ms.Agent):
    """Joins the best bid, once."""

    def on_quote(self, quote: ms.Quote) -> None:
        """Queue behind whoever is there."""
        if not self.orders() and not self.position() and quote.two_sided and quote.spread > 1:
            self.buy(quote.instrument, 3, limit=quote.bid, post_only=True)


def test_a_strategy_queues_behind_recorded_orders(tape: Path) -> None:
    run = inside(tape, Joiner()).run()
    fills = run.trades[run.trades["maker"] == "strategy"]
    assert len(fills) > 0
    orders = run.orders.set_index("order_id")
    for fill in fills.itertuples():
        mine = orders.loc[fill.maker_order]
        ahead = orders[
            (orders["agent"] == "tape")
            & (orders["side"] == mine["side"])
            & (orders["price"] == mine["price"])
            & (orders["time"] < mine["time"])
            & ((orders["end_time"] < 0) | (orders["end_time"] > fill.time))
            & (orders["order_type"] == "LIMIT")
        ]
        assert ahead.empty


def test_it_may_begin_in_the_middle_of_the_day(recorded: ms.Run, tape: Path) -> None:
    late = inside(tape, start="09:30:03", duration="3s").run().trades
    expected = recorded.trades[recorded.trades["time"] >= 34_203 * 10**9]
    assert late["time"].tolist() == expected["time"].tolist()
    assert late["price"].tolist() == expected["price"].tolist()


def test_a_tape_can_be_made_from_a_scenario() -> None:
    first = load("replay_day", ["duration=5s", "warm_up=0s"]).run()
    assert first.digest == load("replay_day", ["duration=5s", "warm_up=0s"]).run().digest
    assert (first.trades["maker"] == "tape").any()


@pytest.mark.parametrize("terms", [{}, {"path": "a", "scenario": "b"}])
def test_one_source_is_needed(terms: dict[str, str]) -> None:
    with pytest.raises(InvalidValueError, match="give either the path of recorded files or a scenario"):
        Replay(**terms)


def test_a_tape_of_another_time_of_day_is_refused(tape: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"agents\.tape: .*set start to a time that was recorded"):
        inside(tape, start="15:00").run()
