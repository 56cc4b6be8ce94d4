"""Environments for learning: steps a second of one, the time of a reset, and what several processes bring.

A step is one second of the reference market's crowd with a learner that quotes both sides at random distances, so that
it sends and moves orders nearly every time: action, the market's second, observation and reward. The actions
are drawn beforehand. Resets are of new seeds; the first one, which also loads compiled code, is left out. Now and then
one of them meets Python's collector of garbage looking through everything that was ever imported; the median does not.

Seconds of one environment are the processor's for the thread that runs it, so that other programs count less. Those of
processes are the clock's, of short windows in turns, of which the best counts: two processes that wait for each other
lose more than one where a third program wants a core.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.measurement import Measurement, show

SCENARIO = "reference_hour"
ACTIONS = 1_000
RESETS = 21
ENVIRONMENTS = 8


def steps_a_second(env: Any, seed: int) -> float:
    """One whole episode."""
    env.reset(seed=seed)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    steps, over = 0, False
    began = time.thread_time()
    while not over:
        _, _, terminated, truncated, _ = env.step(actions[steps % ACTIONS])
        over = terminated or truncated
        steps += 1
    return steps / (time.thread_time() - began)


def resets(env: Any) -> list[float]:
    """Seconds of each reset after the first, to new seeds, behind a few steps of an episode."""
    took = []
    for seed in range(RESETS):
        began = time.thread_time()
        env.reset(seed=seed)
        took.append(time.thread_time() - began)
        for _ in range(20):
            env.step(env.action_space.sample())
    return took[1:]


def together(windows: int = 60, steps: int = 50) -> tuple[float, float]:
    """Steps a second of all environments in one process and in two: the best of short windows, in turns."""
    from marketsim.gym import make_vec

    vectors = [make_vec("market_making", ENVIRONMENTS, processes=count, scenario=SCENARIO) for count in (1, 2)]
    for envs in vectors:
        envs.reset(seed=1)
        envs.action_space.seed(1)
    actions = [vectors[0].action_space.sample() for _ in range(100)]
    best = [0.0, 0.0]
    for window in range(windows):
        for place, envs in enumerate(vectors):
            began = time.perf_counter()
            for step in range(steps):
                envs.step(actions[(window + step) % len(actions)])
            took = time.perf_counter() - began
            best[place] = max(best[place], ENVIRONMENTS * steps / took)
    for envs in vectors:
        envs.close()
    return best[0], best[1]


def measure(rounds: int = 3) -> list[Measurement]:
    """One environment in each of two markets, resets, and one process beside two, in turns."""
    from marketsim.gym import MarketMaking

    env = MarketMaking(SCENARIO)
    env.action_space.seed(1)
    found = resets(env)
    note = f"the slowest of {len(found)}: {1e3 * max(found):.0f} ms; {SCENARIO}, 1,116 agents"
    one = max(steps_a_second(env, seed) for seed in range(rounds))
    busy = MarketMaking("training_market")
    busy.action_space.seed(1)
    other = max(steps_a_second(busy, seed) for seed in range(rounds))
    alone, spread = together()
    return [
        Measurement("gym: one environment, reference market", one, "steps/s", least=1_000),
        Measurement("gym: one environment, training_market", other, "steps/s", note="150 events of the market a step"),
        Measurement("gym: a reset after the first", 1e3 * statistics.median(found), "ms", most=50, note=note),
        Measurement(
            f"gym: {ENVIRONMENTS} environments in 2 processes beside 1",
            spread / alone,
            "x",
            least=1.6,
            note=f"{spread:,.0f} against {alone:,.0f} steps/s",
        ),
    ]


if __name__ == "__main__":
    show(measure())
