"""Compiled agents of a user: one dataclass and its policy, from Python and from a scenario, edited, and gone wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import marketsim as ms
from marketsim import policies as p
from marketsim.errors import AgentError, ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
WHEN, SIDE = p.purpose_of("when"), p.purpose_of("side")
uncompiled = os.environ.get("NUMBA_DISABLE_JIT") == "1"
needs_numba = pytest.mark.skipif(uncompiled, reason="nothing is compiled")


@p.compiled
def rest(me, out, side):
    """A subroutine: an order a tick behind the mid of the last quotes."""
    p.limit_order(out, side, (me.mids[(me.quotes - 1) % 4] - side) // 2, me.quantity)


@dataclass
class Contrarian(ms.CompiledAgent):
    """Sells after a rise of the mid and buys after a fall, by its memory of four mids."""

    pause: int | str = field(default="500ms", metadata={"unit": "duration"})
    quantity: int = 5
    mids: list[int] = field(init=False, metadata={"length": 4})
    quotes: int = field(default=0, init=False)
    draw: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.QUOTE:
            if seen.bid_quantity > 0 and seen.ask_quantity > 0:
                me.mids[me.quotes % 4] = seen.bid + seen.ask
                me.quotes += 1
                if me.quotes >= 4:
                    p.cancel_all(out)
                    rest(me, out, p.SELL if me.mids[(me.quotes - 1) % 4] > me.mids[me.quotes % 4] else p.BUY)
            return
        if seen.kind == p.WAKE:
            p.ask_quote(out)
        if seen.kind == p.START or seen.kind == p.WAKE:
            me.draw += 1
            p.wake_at(out, seen.now + 1 + int(me.pause * p.exponential(seen.key, WHEN, me.draw)))


def market(*, stepped: bool = False, grid: str = "1ns", seed: int = 3) -> ms.Simulation:
    """A small market with forty of them on two instruments."""
    sim = ms.Simulation(seed, "4s", stepped=stepped, grid=grid)
    sim.add_venue("XSIM", [ms.Instrument("ABC"), ms.Instrument("DEF", tick_size="0.05")])
    sim.add_agents(ms.agents.Noise(rate="3/s"), 40, "noise")
    sim.add_agents(Contrarian(pause="300ms"), 40, "own", latency="1ms", computation="100us")
    return sim


@pytest.mark.parametrize("grid", ["1ns", "1ms"])
def test_compiled_and_stepped_runs_are_the_same(grid: str) -> None:
    run = market(grid=grid).run()
    assert market(grid=grid, stepped=True).run().digest == run.digest
    orders = run.orders[run.orders["agent"].str.startswith("own")]
    assert set(orders["instrument"]) == {"ABC", "DEF"}
    assert set(orders["side"]) == {1, -1}
    assert set(orders["quantity"]) == {5}
    assert len(orders) > 100


@pytest.mark.slow
def test_an_uncompiled_run_is_the_same() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_own_policies as t; "
    code += "run = t.market().run(); print(run.digest, len(run.events))"
    plain = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    ).stdout
    run = market().run()
    assert plain.split() == [run.digest, str(len(run.events))]
    assert 500 < len(run.events) < 20_000


def test_driven_from_python_it_is_the_same() -> None:
    def digest(*, compiled: bool) -> str:
        sim = ms.Simulation(4, "4s").add_venue(instruments=[ms.Instrument("ABC")])
        sim.add_agents(ms.agents.Noise(rate="3/s"), 30, "noise")
        sim.add_agents(Contrarian(pause="300ms"), 10, "own", latency="1ms", computation="100us", compiled=compiled)
        run = sim.run()
        assert run.orders["agent"].str.startswith("own").sum() > 20
        return run.digest

    assert digest(compiled=True) == digest(compiled=False)


def test_latency_computation_and_cash_are_those_of_any_agent() -> None:
    sim = market()
    execution = sim.start()
    execution.advance("4s")
    world = execution.world
    numbers = [each.number for each in world.participants if each.family == "own"]
    assert len(numbers) == 40
    assert (world.engine.accounts()["computation"][numbers] == 100_000).all()
    orders = execution.finish().orders
    own = orders[orders["agent"].str.startswith("own")]
    assert own["agent"].nunique() == 40


@dataclass
class Curious(ms.CompiledAgent):
    """Writes down everything that it may see."""

    rate: float | str = field(default="2/s", metadata={"unit": "rate"})
    kinds: list[int] = field(init=False, metadata={"length": 2048})
    when: list[int] = field(init=False, metadata={"length": 2048})
    value: list[float] = field(init=False, metadata={"length": 2048})
    calls: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if me.calls < 2048:
            me.kinds[me.calls] = seen.kind
            me.when[me.calls] = seen.now
            me.value[me.calls] = seen.value
        me.calls += 1
        if seen.kind == p.START:
            p.subscribe(out, p.QUOTES + p.TRADES)
            p.timer_at(out, seen.now + p.SECOND, 7)
        elif seen.kind == p.TIMER and seen.tag == 7:
            p.limit_order(out, p.BUY, seen.last_price - 10, 1)
            p.limit_order(out, p.BUY, seen.last_price, 0)
            p.market_order(out, p.SELL, 1)
        elif seen.kind == p.ACCEPTED and seen.leaves > 0 and seen.side > 0:
            p.cancel(out, seen.order_id)


def test_the_names_of_what_happens_fit() -> None:
    sim = ms.Simulation(5, "3s")
    sim.add_venue("XSIM", [ms.Instrument("ABC")])
    sim.add_feed("value", ms.RandomWalk(volatility=0.1))
    sim.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    sim.add_agent(Curious(), "curious", latency="10us")
    execution = sim.start()
    execution.advance("3s")
    (policy,) = execution.world.populations["curious"]
    me = execution.world.engine.state(policy)[0]
    calls = int(me["calls"])
    kinds = list(me["kinds"][: min(calls, 2048)])
    assert kinds[0] == p.START
    assert {p.QUOTE, p.TRADE, p.TIMER, p.ACCEPTED, p.FILL, p.CANCELED, p.REJECTED} <= set(kinds)
    assert me["when"][kinds.index(p.TIMER)] == ms.policies.SECOND
    assert np.isfinite(me["value"][: len(kinds)]).all()


# --- in a scenario, as a user would have it ---

HELPER = """
from marketsim.policies import compiled

PACE = 1


@compiled
def pause_of(me):
    return PACE * me.pause
"""
AGENT = '''
from dataclasses import dataclass, field

import marketsim as ms
from marketsim import policies as p

from helper import pause_of


@dataclass
class Ticker(ms.CompiledAgent):
    """Buys one lot after the other."""

    pause: int | str = field(default="500ms", metadata={"unit": "duration", "help": "time between two orders"})
    step: float = field(default=0.01, metadata={"unit": "price"})

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.WAKE:
            p.limit_order(out, p.BUY, 9000 - me.step, 1)
        if seen.kind == p.WAKE or seen.kind == p.START:
            p.wake_at(out, seen.now + pause_of(me))
'''
SCENARIO = """
seed: 7
duration: 5s
venues: {XSIM: {}}
instruments: {ABC: {tick_size: 0.01, reference_price: 100}}
agents:
  own: {type: "ticker:Ticker", count: 3, pause: 1s, latency: 1ms}
"""
COUNT = """
import sys
sys.path.insert(0, {folder!r})
import marketsim as ms
from marketsim.kernel.compilation import watched_compilation
told = []
with watched_compilation(told.append):
    run = ms.load({scenario!r}).run()
print(len(run.orders), *sorted(set(told)))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    (tmp_path / "ticker.py").write_text(AGENT, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def command(place: Path, *words: str) -> tuple[int, str]:
    """What a command of the command line ends with, and says."""
    done = subprocess.run(
        [sys.executable, "-m", "marketsim", *words],
        cwd=place,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"},
    )
    return done.returncode, done.stdout + done.stderr


def started(place: Path) -> list[str]:
    """How many orders there were in a run of a new process, and what was compiled for it."""
    code = COUNT.format(folder=str(place), scenario=str(place / "own.yaml"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_scenario_names_it_like_any_other(place: Path) -> None:
    assert command(place, "check", "own.yaml")[0] == 0
    code, told = command(place, "run", "own.yaml", "--no-save")
    assert code == 0
    assert re.search(r"^ *own +3 +12 ", told, re.MULTILINE), told
    _, listed = command(place, "list", "agents", "ticker:Ticker")
    assert re.search(r"pause +duration +500ms +time between two orders", listed)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("agents.own.pause=2x", "agents.own.pause: '2x' is not a duration"),
        ("agents.own.paus=1s", 'agents.own.paus: unknown parameter; did you mean "pause"?'),
        ("agents.own.step=0.015", "step: ABC: price 0.015 is not a multiple of 0.01: use 0.01 or 0.02"),
    ],
)
def test_its_parameters_are_checked_before_anything_is_compiled(place: Path, setting: str, told: str) -> None:
    code, said = command(place, "run", "own.yaml", "--no-save", "--set", setting)
    assert (code, told in said) == (2, True), said
    assert "compiling" not in said


@needs_numba
def test_a_policy_that_cannot_be_compiled_ends_the_command_with_its_line(place: Path) -> None:
    edit(place / "ticker.py", "9000 - me.step", "9000 - me.stop")
    code, told = command(place, "run", "own.yaml", "--no-save")
    assert code == 2
    assert 'ticker.py:20: Ticker.act cannot be compiled: me has no field "stop"; did you mean "step"?' in told
    assert "Traceback" not in told


@needs_numba
@pytest.mark.slow
def test_an_edit_takes_effect_and_an_unedited_one_starts_from_the_cache(place: Path) -> None:
    edit(place / "helper.py", "PACE = 1", f"PACE = 1  # {place.name}")
    number, *compiled = started(place)
    assert number == "12"
    if compiled:  # not known from an earlier session
        assert {"act", "pause_of"} <= set(compiled)
        assert started(place) == ["12"]
    edit(place / "helper.py", "PACE = 1", "PACE = 2")
    assert started(place)[0] == "6"
    edit(place / "helper.py", "return PACE * me.pause", "return PACE * me.pause // 4")
    assert started(place)[0] == "27"
    edit(place / "ticker.py", "seen.kind == p.WAKE:", "seen.kind == p.WAKE and me.step > 1:")
    assert started(place)[0] == "0"
    assert started(place) == ["0"]


@needs_numba
def test_run_and_start_raise_what_cannot_be_compiled() -> None:
    @dataclass
    class Wrong(ms.CompiledAgent):
        @ms.policy
        def act(me, seen, out):
            p.limit_order(out, 1, seen.middle, 1)

    for go in (ms.Simulation.run, ms.Simulation.start):
        sim = ms.Simulation(1, "1s").add_venue(instruments=[ms.Instrument("ABC")])
        with pytest.raises(ConfigurationError, match=r'test_own_policies\.py:\d+: .* no field "middle"') as caught:
            go(_with(sim, Wrong))
        assert isinstance(caught.value.__cause__, KeyError)


def _with(sim: ms.Simulation, kind: type[ms.CompiledAgent]) -> ms.Simulation:
    """A scenario can only name a class of a module's top level."""
    kind.__qualname__ = kind.__name__
    globals()[kind.__name__] = kind
    return sim.add_agents(kind(), 2, "wrong")


@dataclass
class Broken(ms.CompiledAgent):
    """Fails at its first timer."""

    zero: int = 0

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START:
            p.timer_at(out, seen.now + p.MILLISECOND, 1)
        elif seen.kind == p.TIMER:
            me.zero = 1 // me.zero


def with_broken() -> ms.Simulation:
    """A market in which nothing else happens."""
    return ms.Simulation(1, "1s").add_venue(instruments=[ms.Instrument("ABC")]).add_agent(Broken(), "broken")


@needs_numba
def test_a_policy_that_raises_is_told_by_agent_and_time() -> None:
    with pytest.raises(AgentError, match=r"broken: .* at 00:00:00\.001000000; run with NUMBA_DISABLE_JIT=1") as caught:
        with_broken().run()
    assert caught.value.agent == "broken"


def test_plain_python_shows_where_a_policy_raised() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_own_policies as t; "
    code += "t.with_broken().run()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}
    )
    assert done.returncode == 1
    assert "me.zero = 1 // me.zero" in done.stderr
    assert "divide by zero" in done.stderr


def test_policies_are_all_there() -> None:
    for name in p.__all__:
        assert hasattr(p, name)
    kinds = [p.START, p.WAKE, p.TIMER, p.QUOTE, p.TRADE, p.VOLUME, p.IMBALANCE]
    kinds += [p.ACCEPTED, p.FILL, p.CANCELED, p.EXPIRED, p.REJECTED, p.CANCEL_REJECTED]
    assert len(set(kinds)) == len(kinds)
    assert ms.policies is p
    assert ms.policy is p.policy


@dataclass
class Canceler(ms.CompiledAgent):
    """Asks for the cancel of numbers that no order has."""

    draw: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):
        if seen.kind == p.START or seen.kind == p.WAKE:
            me.draw += 1
            p.cancel(out, -(1 << (3 * me.draw)))
            p.wake_at(out, seen.now + 1_000_000)
        elif seen.kind == p.CANCEL_REJECTED:
            me.refused += 1
            if p.find_working(out, seen.order_id).order_id == seen.order_id:
                me.refused += 1_000


@pytest.mark.boundscheck
def test_cancels_of_numbers_below_zero_are_refused() -> None:
    sim = ms.Simulation(1, "20ms").add_venue(instruments=[ms.Instrument("ABC")]).add_agents(Canceler(), 1, "own")
    rows = sim.run().events
    assert (rows["kind"] == 9).sum() == len(rows) > 15
