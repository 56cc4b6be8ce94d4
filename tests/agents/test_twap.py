"""TWAP: slices on time and of equal size, catching up, posting and patience, the mean price, and its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.agents.execution.twap import Twap
from marketsim.domain.event import EventKind
from marketsim.errors import InvalidValueError
from marketsim.scenario.registry import REGISTRY

SECOND = 1_000_000_000


def market(twap: Twap, seed: int = 1, crowd: int = 60, duration: str = "70s") -> Any:
    simulation = ms.Simulation(seed=seed, duration=duration)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="2/s"), crowd, "noise")
    simulation.add_agent(twap, "twap", latency="1ms")
    return simulation.run()


def fills_of(run: Any) -> Any:
    """(time, side, quantity) of its fills."""
    number = next(agent.number for agent in run.manifest.agents if agent.name == "twap")
    rows = run.events
    mine = rows[(rows["kind"] == EventKind.ACCEPTED) & (rows["owner"] == number)]
    return run.orders[run.orders["agent"] == "twap"], mine


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_slices_are_of_one_size_and_on_time(side: Any) -> None:
    run = market(Twap(side=side, quantity=62, begin="10s", horizon="50s", slices=12))
    orders, _ = fills_of(run)
    sent = (orders["time"].to_numpy() - 10 * SECOND) / (50 * SECOND / 12)
    assert np.allclose(sent, np.round(sent), atol=0.001)
    first = orders["quantity"].to_numpy()[:12]
    assert set(first) <= {5, 6}
    assert first.sum() == 62
    account = ms.analysis.accounts(run)["twap"]
    assert account.position == (62 if side == "buy" else -62)
    assert account.maker_share == 0.0


def test_what_the_book_could_not_give_is_caught_up() -> None:
    """Larger than what is offered at times: later slices are larger, and all is done at the end."""
    run = market(Twap(quantity=3_000, begin="5s", horizon="60s", slices=20), crowd=30)
    orders, _ = fills_of(run)
    assert orders["quantity"].max() > 151
    assert ms.analysis.accounts(run)["twap"].position == pytest.approx(3_000, abs=400)


def test_posting_first_earns_part_of_the_spread() -> None:
    takes, posts = (
        market(Twap(quantity=100, begin="5s", horizon="60s", slices=10, style=style), seed=3)
        for style in ("take", "post")
    )
    taken, posted = (ms.analysis.accounts(run)["twap"] for run in (takes, posts))
    assert taken.position == posted.position == 100
    assert posted.maker_share > 0.3
    assert posted.spread_capture > taken.spread_capture
    assert taken.spread_capture < 0


def test_a_posted_slice_is_taken_when_its_patience_is_over() -> None:
    """Nobody trades with its bid: the crowd is gone after the book was filled."""
    simulation = ms.Simulation(seed=1, duration="30s")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])

    class Wall(ms.Agent):
        """Stands on both sides, and trades with nobody on its own account."""

        def on_start(self) -> None:
            self.buy(self.instrument, 500, limit=9_990)
            self.sell(self.instrument, 500, limit=10_010)

    simulation.add_agent(Wall(), "wall")
    patient = Twap(quantity=20, begin="5s", horizon="20s", slices=2, style="post", patience=0.5)
    simulation.add_agent(patient, "twap", latency="1ms")
    execution = simulation.start()
    execution.advance("9s")
    agent = execution.world.sessions["twap"].agent
    assert [(order.price, order.leaves) for order in agent.orders()] == [(9_990, 10)]
    assert agent.done == 0
    execution.advance("11s")
    assert agent.done == 10
    assert not agent.orders()
    execution.advance("25s")
    assert agent.done == 20
    run = execution.run()
    assert set(run.trades["price"]) == {100.1}


@pytest.mark.slow
def test_its_mean_price_is_near_the_time_average() -> None:
    """Over 20 seeds the difference to the mean mid of its time is about half a spread."""
    differences = []
    for seed in range(20):
        run = market(Twap(quantity=60, begin="5s", horizon="60s", slices=60), seed=seed)
        account = ms.analysis.accounts(run)["twap"]
        quotes = run.quotes[run.quotes["time"] >= 5 * SECOND]
        mids, times = (quotes["bid"] + quotes["ask"]) / 2, quotes["time"].to_numpy()
        mean = np.average(mids[:-1], weights=np.diff(times))
        differences.append(account.value / account.volume - mean)
    assert 0.0 < np.mean(differences) < 0.03


def test_it_is_a_built_in_agent() -> None:
    agent = REGISTRY.build("agent", "twap", {"side": "sell", "horizon": "1min", "slices": 6})
    assert isinstance(agent, Twap)
    assert ms.agents.Twap is Twap
    assert agent.horizon == 60 * SECOND


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"side": "bye"}, 'side: .* did you mean "buy"'),
        ({"style": "hide"}, "style: 'hide' is not one of the choices"),
        ({"quantity": 0}, "quantity: 0 must be at least 1"),
        ({"slices": 2.5}, "slices: 2.5 is not a whole number"),
        ({"quantity": 5, "slices": 6}, "6 parts of 5 lots; use at most as many as there are lots"),
        ({"horizon": "0s"}, "horizon: 0s must be above zero"),
        ({"begin": -1}, "begin: -1 ns lies before the start"),
        ({"patience": 1.5}, "patience: 1.5 must be from 0 to 1|patience: 1.5 must be at least 0"),
    ],
)
def test_impossible_parameters_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Twap(**given)
