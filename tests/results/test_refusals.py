"""Orders that came to nothing: how they are grouped, what is worth a line, and its words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import marketsim as ms
from marketsim.results.refusals import Refusal, _notable, refusals


@dataclass
class Asks(ms.Agent):
    """Asks once for each of some quantities, twice of them in a form that the venue does not take."""

    quantities: tuple[int, ...] = ()
    wrong: int = 0

    def on_start(self) -> None:
        for quantity in self.quantities:
            self.buy(self.instrument, quantity, limit=9_000)
        for _ in range(self.wrong):
            self.buy(self.instrument, -1, limit=9_000)


def test_they_are_counted_by_family_and_rule() -> None:
    simulation = ms.Simulation(seed=5, duration="1s")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")])
    limits = ms.Limits(max_order=5, max_position=8)
    simulation.add_agents(Asks((6, 5, 4, 3)), 2, "pair", limits=limits)
    simulation.add_agent(Asks((1,) * 30, wrong=1), "rarely")
    simulation.add_agent(Asks(wrong=2), "always")
    simulation.add_agent(Asks((1, 2)), "well")
    assert [str(refusal) for refusal in refusals(simulation.run())] == [
        "pair: 4 orders refused (max_order 2, max_position 2)",
        "always: all 2 orders rejected (INVALID_QUANTITY)",
        "rarely: 1 order rejected (INVALID_QUANTITY)",
    ]


def test_only_many_or_mistaken_rejections_are_worth_a_line() -> None:
    def worth(orders: int, **reasons: int) -> bool:
        return _notable(Refusal("mine", orders, True, Counter(reasons)))

    assert worth(100, WOULD_TRADE=11)
    assert not worth(100, WOULD_TRADE=10)
    assert worth(100, INVALID_PRICE=1)
    assert _notable(Refusal("mine", 1_000, False, Counter(position=1)))
    assert str(Refusal("mine", 9_000, True, Counter(WOULD_TRADE=1_200))) == "mine: 1,200 orders rejected (WOULD_TRADE)"
