"""Information feeds: exact in law, the same for whoever asks, without the future, and strict about recorded files."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from marketsim.domain.instrument import Instrument
from marketsim.errors import ConfigurationError, DataError, InvalidValueError
from marketsim.scenario.registry import REGISTRY
from marketsim.trading.feed import Constant, FeedHandle, FeedModel, FeedPath, MeanReverting, RandomWalk, Recorded

ABC = Instrument("ABC")
SECOND = 1_000_000_000
MODELS: list[FeedModel] = [
    MeanReverting(half_life="5s", volatility=0.2, jump_rate="0.1/s", jump_mean=0.3, jump_deviation=0.1),
    MeanReverting(kappa="0.2/s", jump_rate="1/s", jump_mean=0.5, jump_symmetric=False),
    RandomWalk(volatility=0.1, drift=0.01),
    Constant(),
]


def values(model: FeedModel, seconds: float = 60, seed: int = 7, name: str = "value", **terms: Any) -> Any:
    return FeedHandle.of(model, seed, name, ABC, 0, round(seconds * SECOND), **terms).values


# --- law -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["100ms", "1s", "7s"])
def test_the_mean_reverting_value_has_its_law_on_any_grid(step: str) -> None:
    """Increments given the value before are independent normals with the exact mean and variance of the step."""
    model = MeanReverting(half_life="10s", volatility=0.05, step=step)
    h, kappa = model.step / SECOND, math.log(2) / 10  # type: ignore[operator]
    away = values(model, 8_000 * h) - 10_000.0
    shocks = (away[1:] - away[:-1] * math.exp(-kappa * h)) / (
        5.0 * math.sqrt((1 - math.exp(-2 * kappa * h)) / (2 * kappa))
    )
    assert stats.kstest(shocks, stats.norm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(shocks[1:], shocks[:-1])[0, 1]) < 4 / math.sqrt(len(shocks))


def test_half_of_a_deviation_is_gone_after_the_half_life() -> None:
    model = MeanReverting(half_life="10s", volatility=0, initial=110, step="5s")
    assert values(model, 30)[[0, 2, 4, 6]] == pytest.approx([11_000, 10_500, 10_250, 10_125])


def test_jumps_come_at_their_rate_with_their_sizes() -> None:
    model = MeanReverting(
        kappa=0, volatility=0, jump_rate="0.1/s", jump_mean=2, jump_deviation=0.1, mean=100_000, step="1ms"
    )
    moves = np.diff(values(model, 10_000))
    jumps = moves[moves != 0.0]
    assert len(jumps) == pytest.approx(1_000, abs=4 * math.sqrt(1_000))
    assert stats.binomtest(int((jumps > 0).sum()), len(jumps)).pvalue > 1e-3
    assert stats.kstest(np.abs(jumps), stats.norm(200, 10).cdf).pvalue > 1e-3
    gaps = np.diff(np.flatnonzero(moves)) / 1_000
    assert stats.kstest(gaps, stats.expon(scale=10).cdf).pvalue > 1e-3


def test_jumps_are_the_same_on_every_grid() -> None:
    """A jump inside a step has decayed since its own time: coarse and fine grids agree where they meet."""
    terms = {"half_life": "3s", "volatility": 0, "jump_rate": "1/s", "jump_mean": 1, "jump_deviation": 0.5}
    fine, coarse = (values(MeanReverting(step=step, **terms), 100) for step in ("10ms", "1s"))  # type: ignore[arg-type]
    assert np.ptp(coarse) > 100
    assert fine[::100] == pytest.approx(coarse, rel=1e-12)


def test_the_walk_has_independent_normal_steps() -> None:
    steps = np.diff(values(RandomWalk(volatility=0.02, drift=0.01, step="500ms"), 5_000))
    assert stats.kstest(steps, stats.norm(0.5, 2 * math.sqrt(0.5)).cdf).pvalue > 1e-3


def test_left_out_parameters_scale_with_the_price() -> None:
    dear = Instrument("BTC", tick_size="0.5", reference_price="60000")
    one = MeanReverting().path(1, "value", ABC, 0, 600 * SECOND).values / ABC.reference
    other = MeanReverting().path(1, "value", dear, 0, 600 * SECOND).values / dear.reference
    assert one == pytest.approx(other)
    assert np.std(np.diff(one)) == pytest.approx(1e-4 * math.sqrt(0.1), rel=0.1)


def test_rounded_values_are_whole_ticks_of_the_same_path() -> None:
    terms: dict[str, Any] = {"half_life": "5s", "volatility": 0.2}
    exact, rounded = values(MeanReverting(**terms)), values(MeanReverting(**terms, rounded=True))
    assert not np.array_equal(exact, rounded)
    assert np.array_equal(np.floor(exact + 0.5), rounded)


def test_no_value_is_below_zero() -> None:
    assert values(RandomWalk(initial=0.05, volatility=0.1)).min() == 0.0
    assert values(MeanReverting(mean=0.05, volatility=0.1)).min() == 0.0
    assert values(Constant(1), shocks=[(SECOND, -2.0)])[-1] == 0.0


# --- the same for whoever asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_longer_run_only_adds(model: FeedModel) -> None:
    short, long = values(model, 10), values(model, 60)
    assert long[: len(short)].tolist() == short.tolist()


@pytest.mark.parametrize("model", MODELS[:3], ids=lambda model: type(model).__name__)
def test_seed_and_name_decide(model: FeedModel) -> None:
    path = values(model)
    assert values(model).tolist() == path.tolist()
    assert values(model, seed=8).tolist() != path.tolist()
    assert values(model, name="other").tolist() != path.tolist()


def test_a_late_start_is_the_same_path_later() -> None:
    early = MODELS[0].path(1, "value", ABC, 0, 60 * SECOND, [(5 * SECOND, 1.0)])
    late = MODELS[0].path(1, "value", ABC, 1_000 * SECOND, 1_060 * SECOND, [(1_005 * SECOND, 1.0)])
    assert late.values.tolist() == early.values.tolist()
    assert late.start == 1_000 * SECOND


def test_plain_python_gives_the_same_bits() -> None:
    script = (
        "from marketsim.trading.feed import *\n"
        "from marketsim.domain.instrument import Instrument\n"
        "m = MeanReverting(half_life='5s', jump_rate='0.5/s', jump_mean=0.3, jump_deviation=0.1)\n"
        "print(m.path(1, 'v', Instrument('ABC'), 0, 60_000_000_000, [(7_000_000_001, -0.5)]).values.tobytes().hex())\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disabled in ("0", "1")
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 5_000


# --- shocks ----------------------------------------------------------------------------------------------------------


def test_a_shock_decays_with_the_mean_reversion() -> None:
    model = MeanReverting(half_life="10s", volatility=0.1, step="1s")
    plain, shocked = values(model), values(model, shocks=[(20 * SECOND, 3.0)])
    effect = shocked - plain
    assert effect[:20] == pytest.approx(0.0)
    assert effect[20:] == pytest.approx([300 * 0.5 ** (k / 10) for k in range(len(effect) - 20)])


@pytest.mark.parametrize("model", [RandomWalk(step="1s"), Constant(step="1s")], ids=lambda model: type(model).__name__)
def test_other_shocks_stay(model: FeedModel) -> None:
    shocks = [(20 * SECOND, 3.0), (5 * SECOND + 1, -1.0), (20 * SECOND, 0.5)]
    plain, shocked = (FeedHandle.of(model, 1, "value", ABC, 0, 60 * SECOND, given) for given in ((), shocks))
    effect = [shocked.value(k * SECOND) - plain.value(k * SECOND) for k in range(60)]
    # Between two times of the grid nothing is told early.
    assert effect == pytest.approx([0.0] * 6 + [-100.0] * 14 + [250.0] * 40)


def test_impossible_shocks_are_refused() -> None:
    for shock in ((-1, 1.0), (5, math.inf), (5, math.nan)):
        with pytest.raises(InvalidValueError, match=r"feed value: a shock of .* must be finite and in the run"):
            values(Constant(), shocks=[shock])


# --- the handle ------------------------------------------------------------------------------------------------------


@given(time=st.integers(-SECOND, 100 * SECOND), step=st.sampled_from(["1s", "300ms", "7s"]))
def test_a_value_holds_from_its_time_to_the_next(time: int, step: str) -> None:
    handle = FeedHandle.of(RandomWalk(step=step), 1, "value", ABC, 0, 60 * SECOND)
    place = max(place for place in range(len(handle.values)) if place == 0 or place * handle.step <= time)
    assert handle.value(time) == handle.values[place]


def test_a_feed_does_not_tell_the_future() -> None:
    now = 5 * SECOND
    handle = FeedHandle.of(RandomWalk(), 1, "value", ABC, 0, 60 * SECOND, now=lambda: now)
    assert handle.value(now) == handle.values[50]
    assert handle.value(SECOND) == handle.values[10]
    with pytest.raises(InvalidValueError, match=r"time 5000000001 lies after now \(5000000000\): .* the future"):
        handle.value(now + 1)


def test_a_compiled_agent_sees_what_the_handle_tells() -> None:
    from marketsim.agents.fundamental import Fundamental
    from marketsim.agents.noise import Noise
    from tests.population.wiring import ZERO, Crowd, Market

    handle = FeedHandle.of(MODELS[0], 1, "value", ABC, 0, 60 * SECOND)
    feed = (handle.values, handle.start, handle.step)
    agent = Fundamental(rate=3, noise=0.0)
    market = Market([Crowd(Noise(rate=2), 10, latency=ZERO), Crowd(agent, 5, feed=feed, latency=ZERO)], processing=0)
    for second in range(1, 50):
        market.run(second)
        state = market.state("fundamental")
        for belief, time, answers in zip(state["belief"], state["believed_at"], state["answer"], strict=True):
            if answers:
                assert belief == handle.value(int(time))


def test_a_model_of_the_users_own_is_checked() -> None:
    class Broken(FeedModel):
        def path(self, *given: Any, **named: Any) -> FeedPath:
            return FeedPath(np.array([1.0, math.nan]), 0, 1)

    with pytest.raises(ConfigurationError, match=r"feed value: Broken\.path must give finite values"):
        values(Broken())


# --- recorded --------------------------------------------------------------------------------------------------------


def recorded(folder: Path, text: str, **terms: Any) -> Recorded:
    file = folder / "values.csv"
    file.write_text(text, encoding="utf-8")
    return Recorded(str(file), **terms)


def test_recorded_values_hold_until_the_next_row(tmp_path: Path) -> None:
    model = recorded(tmp_path, "time,value\n0,100\n1.05,100.5\n2,99\n2,98\n", step="500ms")
    assert values(model, 3).tolist() == [10_000, 10_000, 10_000, 10_050, 9_800, 9_800, 9_800]
    assert values(model, 3, shocks=[(SECOND, 1.0)])[2:4].tolist() == [10_100, 10_150]


@pytest.mark.parametrize(
    ("unit", "rows"),
    [("s", "34200,1\n34200.5,2\n"), ("ms", "34200000,1\n34200500,2\n"), ("s", "09:30,1\n09:30:00.5,2\n")],
)
def test_recorded_times_may_be_written_in_several_ways(tmp_path: Path, unit: str, rows: str) -> None:
    text = "other,when,what\n" + "".join(f"x,{row}\n" for row in rows.split())
    model = recorded(tmp_path, text, time="when", value="what", time_unit=unit, step="500ms")
    start = 34_200 * SECOND
    assert model.path(0, "value", ABC, start, start + SECOND).values.tolist() == [100, 200, 200]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"values\.csv:1: no column 'time'"),
        ("tme,value\n0,1\n", r"values\.csv:1: no column 'time'; did you mean \"tme\"\?"),
        ("time,value\n", r"values\.csv: holds no values; expected a header and at least one row"),
        ("time,value\n0,1\n2,1\n1,1\n", r"values\.csv:4: time 1 lies before the one above it; sort the rows"),
        ("time,value\n0,1\n1,x\n", r"values\.csv:3: 'x' is not a finite number"),
        ("time,value\n0,nan\n", r"values\.csv:2: 'nan' is not a finite number"),
        ("time,value\n0,1\n1\n", r"values\.csv:3: None is not a finite number"),
        ("time,value\n-1,1\n", r"values\.csv:2: '-1' is not a time; expected whole nanoseconds after midnight"),
        ("time,value\n0.0000000001,1\n", r"values\.csv:2: '0\.0000000001' is not a time"),
        ("time,value\n1,1\n", r"values\.csv: the first value is of 1s after midnight, the run begins at 0s; add a row"),
    ],
)
def test_bad_files_are_named_with_row_and_rule(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        values(recorded(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv: cannot be read: "):
        values(Recorded(str(tmp_path / "nothing.csv")))


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("mean_reverting", {"half_life": "1s", "kappa": 1}, "half_life: kappa says the same; give one of the two"),
        ("mean_reverting", {"half_life": "0s"}, "half_life 0s: it must be above zero"),
        ("mean_reverting", {"volatility": -1}, "volatility -1.0: it must be finite and not below zero"),
        ("mean_reverting", {"step": "0s"}, "step 0s: it must be above zero"),
        ("random_walk", {"drift": ".inf"}, "drift"),
        ("recorded", {}, "file"),
        ("recorded", {"file": "x", "time_unit": "h"}, "time_unit"),
        ("constant", {"value": "x"}, "value"),
    ],
)
def test_bad_parameters_are_named(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        REGISTRY.build("feed", name, given)


def test_a_step_that_makes_too_many_values_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"step 1us: .* values would be needed, .* use a longer step"):
        values(RandomWalk(step="1us"), 3_600)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_feed_can_be_written_into_a_scenario_and_read_back(model: FeedModel) -> None:
    described = REGISTRY.describe("feed", model)
    assert REGISTRY.build("feed", described.pop("type"), described) == model
