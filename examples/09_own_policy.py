"""A compiled agent of one's own, a thousand of them, and how fast that is beside the same agent in Python.

python3 examples/09_own_policy.py [COUNT] [DURATION]
"""

import sys
from dataclasses import dataclass, field
from typing import Any

import marketsim as ms
from marketsim import policies as p

WHEN = p.purpose_of("when")


@dataclass
class Contrarian(ms.CompiledAgent):
    """Looks at the mid price now and then: sells there after a rise, buys there after a fall."""

    pause: int | str = field(default="2s", metadata={"unit": "duration", "help": "mean time between two looks"})
    quantity: int = field(default=5, metadata={"help": "lots an order"})
    mid: int = field(default=0, init=False)  # state: of the last quote, in half ticks; 0 when a side is empty
    last_mid: int = field(default=0, init=False)  # when it looked
    draw: int = field(default=0, init=False)

    @ms.policy
    def act(me: Any, seen: Any, out: Any) -> None:
        """``me``: the fields above; ``seen``: what happened; ``out``: takes the answers."""
        if seen.kind == p.QUOTE:
            both = seen.bid_quantity > 0 and seen.ask_quantity > 0
            me.mid = seen.bid + seen.ask if both else 0
            return
        if seen.kind == p.START:
            p.subscribe(out, p.QUOTES)
        elif seen.kind == p.WAKE and me.mid > 0:
            if me.last_mid > 0 and me.mid != me.last_mid:
                p.cancel_all(out)
                if me.mid > me.last_mid:
                    p.limit_order(out, p.SELL, (me.mid + 1) // 2, me.quantity)
                else:
                    p.limit_order(out, p.BUY, me.mid // 2, me.quantity)
            me.last_mid = me.mid
        if seen.kind == p.START or seen.kind == p.WAKE:
            p.wake_at(out, seen.now + 1 + int(me.pause * p.exponential(seen.key, WHEN, me.draw)))
            me.draw += 1


@dataclass
class PythonContrarian(ms.Agent):
    """The same as a Python agent."""

    pause: int = field(default=2 * p.SECOND, metadata={"unit": "duration", "help": "mean time between two looks"})
    quantity: int = field(default=5, metadata={"help": "lots an order"})

    def on_start(self) -> None:
        """Listen, and begin to look."""
        self.mid = self.last_mid = 0
        self.subscribe(quotes=True)
        self.wait()

    def on_quote(self, quote: ms.Quote) -> None:
        """Remember what the market shows."""
        self.mid = quote.bid + quote.ask if quote.two_sided else 0

    def wait(self) -> None:
        """Until the next look."""
        self.after(1 + int(self.random("when").exponential(self.pause)), self.look)

    def look(self) -> None:
        """Trade against what has happened since the last look."""
        if self.mid:
            if self.last_mid and self.mid != self.last_mid:
                self.cancel_all()
                if self.mid > self.last_mid:
                    self.sell(self.instrument, self.quantity, limit=(self.mid + 1) // 2)
                else:
                    self.buy(self.instrument, self.quantity, limit=self.mid // 2)
            self.last_mid = self.mid
        self.wait()


def run(agent: ms.Agent | ms.CompiledAgent, count: int, duration: str) -> tuple[ms.Run, int]:
    """A run of ``count`` of them among noise traders, and how many events were handled."""
    sim = ms.Simulation(seed=9, duration=duration)
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    sim.add_agents(ms.agents.Noise(rate="1/s"), 100, "noise")
    sim.add_agents(agent, count, "contrarian", latency="1ms", computation="5us")
    execution = sim.start()
    return execution.run(), execution.events


def main(count: str = "1000", duration: str = "10s") -> None:
    """Run both, and tell their speeds."""
    run(Contrarian(), 1, "10ms")  # compiles the policy, or loads it
    for words, agent in (("compiled", Contrarian()), ("Python", PythonContrarian())):
        done, events = run(agent, int(count), duration)
        seconds = done.manifest.timings["engine"]
        pace = f"{events / seconds:,.0f} a second, {1e9 * seconds / events:,.0f} ns an event"
        print(f"{words:>8}: {events:,} events in {seconds:.2f} s, {pace}; digest {done.digest}")


if __name__ == "__main__":
    main(*sys.argv[1:])
