"""How a run ends: complete, stopped, interrupted, or broken by an agent; and what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from markets import INSTRUMENT, Bomb, Counter, market

import marketsim as ms
from marketsim.errors import (
    AgentError,
    ConfigurationError,
    InvalidValueError,
    ScenarioError,
    SimulationError,
    StoreError,
)
from marketsim.results.run import Run


def test_a_run_is_kept_and_opened_again(tmp_path: Path) -> None:
    run = market().run(tmp_path / "kept")
    again = Run.open(tmp_path / "kept")
    assert again.manifest.complete
    assert again.digest == run.digest == market().run().digest
    assert again.trades.equals(run.trades)
    assert {entry.name for entry in again.manifest.agents} >= {"noise.0", "leaner_1"}


def test_an_agents_mistake_names_agent_time_and_cause(tmp_path: Path) -> None:
    simulation = market()
    simulation.add_agent(Bomb(), "bomb")
    with pytest.raises(AgentError, match=r"bomb: KeyError at 00:00:01\.000000000: 'nothing'") as caught:
        simulation.run(tmp_path / "broken")
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.agent == "bomb"
    assert caught.value.time == 1_000_000_000
    left = Run.open(tmp_path / "broken")
    assert not left.manifest.complete
    assert "bomb" in left.manifest.status
    assert len(left.events) > 0
    assert left.events["time"].max() <= 1_000_000_000


def test_an_interrupt_leaves_a_readable_incomplete_run(tmp_path: Path) -> None:
    def interrupt(progress: ms.Progress) -> None:
        if progress.fraction > 0.4:
            raise KeyboardInterrupt

    simulation = market(duration="120s")
    with pytest.raises(KeyboardInterrupt):
        simulation.run(tmp_path / "stopped", interrupt)
    left = Run.open(tmp_path / "stopped")
    assert not left.manifest.complete
    assert 0 < left.events["time"].max() < 120_000_000_000
    assert len(left.trades) > 0


def test_progress_is_told_to_the_end() -> None:
    told: list[ms.Progress] = []
    market(duration="2s").run(progress=told.append)
    assert told[-1].fraction == 1.0
    assert told[-1].events > 0
    assert [p.fraction for p in told] == sorted(p.fraction for p in told)


def test_a_stopped_run_is_incomplete_and_ends_once() -> None:
    execution = market().start()
    execution.advance("1s")
    run = execution.finish()
    assert not run.manifest.complete
    assert execution.finish() is run
    with pytest.raises(SimulationError, match="finished"):
        execution.advance("2s")


def test_advancing_past_the_end_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="ends at"):
        market(duration="1s").start().advance("2s")


def test_day_orders_expire_when_the_run_ends() -> None:
    class Patient(ms.Agent):
        def on_start(self) -> None:
            self.order_left = self.buy(self.instrument, 5, limit=1, time_in_force=ms.DAY)
            self.kept = self.buy(self.instrument, 5, limit=2)

    simulation = ms.Simulation(duration="1s").add_venue(instruments=[INSTRUMENT])
    simulation.add_agent(Patient(), "patient")
    orders = simulation.run().orders.set_index("time_in_force")
    assert orders.loc["DAY", "state"] == "EXPIRED"
    assert orders.loc["DAY", "reason"] == "END_OF_SESSION"
    assert orders.loc["DAY", "end_time"] == 1_000_000_000
    assert orders.loc["GTC", "state"] == "ACCEPTED"


def test_good_till_date_orders_expire_at_their_time() -> None:
    class Patient(Counter):
        def on_start(self) -> None:
            super().on_start()
            self.buy(self.instrument, 5, limit=1, expire=400_000_000)

    simulation = ms.Simulation(duration="1s").add_venue(instruments=[INSTRUMENT])
    simulation.add_agent(Patient(), "patient")
    execution = simulation.start()
    execution.advance("900ms")
    assert execution.world.sessions["patient"].agent.heard == ["ACCEPTED", "EXPIRED"]  # type: ignore[attr-defined]
    assert execution.run().orders["end_time"].tolist() == [400_000_000]


def test_a_market_that_begins_at_time_zero_begins() -> None:
    """A peer's run that starts at 0 never starts."""
    assert len(market(start=0, duration="2s").run().trades) > 0


def test_many_instruments_and_venues_in_one_run() -> None:
    simulation = ms.Simulation(3, "4s")
    simulation.add_venue("EAST", [INSTRUMENT, ms.Instrument("XYZ", tick_size="0.5", reference_price="1000")])
    simulation.add_venue("WEST", [INSTRUMENT])
    from marketsim.agents.noise import Noise

    simulation.add_agents(Noise(rate="5/s"), 30, "noise")
    trades = simulation.run().trades
    assert set(zip(trades["venue"], trades["instrument"], strict=True)) == {
        ("EAST", "ABC"),
        ("EAST", "XYZ"),
        ("WEST", "ABC"),
    }
    assert trades.loc[trades["instrument"] == "XYZ", "price"].between(900, 1100).all()


def test_cash_and_inventory_are_conserved() -> None:
    execution = market(duration="6s").start()
    execution.advance("6s")
    world = execution.world
    sessions = [session.portfolio for session in world.sessions.values()]
    compiled = world.engine.accounts()
    compiled = compiled[compiled["policy"] >= 0]
    run = execution.run()
    fees = run.trades["taker_fee"].sum() + run.trades["maker_fee"].sum()
    books = ms.analysis.accounts(run).table
    assert books["position"].sum() == 0
    assert books["pnl"].sum() == pytest.approx(-fees, abs=1e-6)
    traded = sum(portfolio.lots.get("ABC", 0) for portfolio in sessions) + int(compiled["position"].sum())
    assert abs(traded) <= 60  # reports still on their way when the run ended


def test_a_name_is_taken_once() -> None:
    simulation = market()
    with pytest.raises(ConfigurationError, match='"noise" is there already'):
        simulation.add_agent(Counter(), "noise")


def test_no_venue_is_an_error_before_anything_runs() -> None:
    with pytest.raises(ScenarioError, match="venue"):
        ms.Simulation(duration="1s").run()


def test_nothing_is_left_of_a_run_that_could_not_begin(tmp_path: Path) -> None:
    class Undeclared(ms.Agent):
        threshold: float = 0.5

    simulation = market()
    simulation.add_agent(Undeclared(), "undeclared")
    with pytest.raises(InvalidValueError, match="put @dataclass above the class"):
        simulation.run(tmp_path / "never")
    assert list(tmp_path.iterdir()) == []


def test_timeline_changes_parameters_and_tells_news() -> None:
    class Reader(Counter):
        def on_news(self, feed: str, text: str, shock: float) -> None:
            self.heard.append(f"{feed} {shock}")

    simulation = market(duration="3s")
    simulation.add_feed("value", ms.MeanReverting())
    simulation.add_agent(Reader(), "reader")
    simulation.news("1s", "value", 0.5)
    simulation.set_parameter("2s", "leaner_0", "quantity", 1)
    execution = simulation.start()
    execution.advance("2500ms")
    sessions = execution.world.sessions
    assert sessions["leaner_0"].agent.quantity == 1  # type: ignore[attr-defined]
    assert sessions["leaner_1"].agent.quantity == 3  # type: ignore[attr-defined]
    assert len(sessions["reader"].agent.heard) == 1  # type: ignore[attr-defined]
    notes = execution.run().annotations
    assert notes["key"].tolist() == ["parameter quantity"]


@pytest.mark.parametrize("mode", ["allow", "cancel_newest"])
def test_a_venue_may_prevent_self_trades(mode: str) -> None:
    class Both(Counter):
        def on_start(self) -> None:
            super().on_start()
            self.sell(self.instrument, 5, limit=10_000)
            self.buy(self.instrument, 3, limit=10_000)

    simulation = ms.Simulation(duration="1s").add_venue(instruments=[INSTRUMENT], self_trades=mode)
    simulation.add_agent(Both(), "both")
    run = simulation.run()
    assert len(run.trades) == (1 if mode == "allow" else 0)
    if mode == "cancel_newest":
        assert run.orders["reason"].tolist() == ["", "SELF_TRADE"]


def test_a_quote_without_quantity_has_no_price() -> None:
    """A peer's best quote may show a price with quantity zero."""
    quotes = market().run().quotes
    assert (quotes["bid"].isna() == (quotes["bid_quantity"] == 0)).all()
    assert (quotes["ask"].isna() == (quotes["ask_quantity"] == 0)).all()
    assert (quotes["ask"] > quotes["bid"]).sum() > 50


def test_nothing_is_delivered_before_it_was_sent() -> None:
    """A peer with a missing link delivers before sending."""
    late: list[bool] = []

    class Watcher(ms.Agent):
        def on_quote(self, quote: ms.Quote) -> None:
            late.append(self.now >= quote.time)

    simulation = market(latency=ms.Uniform("0ns", "1ms"))
    simulation.add_agent(Watcher(), "watcher")
    simulation.run()
    assert len(late) > 50
    assert all(late)


def test_two_simulations_in_one_process_share_nothing() -> None:
    """A peer numbers orders process-wide and draws from global random state."""
    first = market(duration="2s")
    alone = first.run()
    market(seed=99, duration="2s").run()
    assert market(duration="2s").run().digest == alone.digest
    assert alone.orders["order_id"].min() == 1


@pytest.mark.parametrize("chunks", [1, 10_000])
def test_a_full_disk_leaves_a_run_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    """Whether it is noticed on the way or at the end."""
    from marketsim.exchange import core
    from marketsim.results.parts import PartWriter

    def full(self: PartWriter, rows: object) -> None:
        raise StoreError("no space left on the device; free some")

    monkeypatch.setattr(PartWriter, "write", full)
    monkeypatch.setattr(core, "_CHUNK", chunks)
    with pytest.raises(StoreError, match="no space left"):
        market(duration="3s").run(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    left = Run.open(tmp_path / "run.partial")
    assert not left.manifest.complete
    assert "no space left" in left.manifest.status
