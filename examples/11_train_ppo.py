"""Train an execution desk with PPO, and hold it against a tuned TWAP on days that neither has seen.

python3 examples/11_train_ppo.py [STEPS] [SEEDS]

It needs stable-baselines3 and PyTorch, which marketsim does not bring: pip install torch stable-baselines3. Both buy
2,000 lots within two minutes of training_market, a quarter of what is traded then, and are scored by the
implementation shortfall in basis points. The learner decides every two seconds; TWAP's posted orders follow every
quote. TWAP is tuned first, on as many episodes as the learner trains on. Then both play SEEDS new episodes, the same
ones, and the differences are told.
"""

import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import marketsim as ms

try:
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv
except ImportError:
    sys.exit("this example needs stable-baselines3: pip install torch stable-baselines3")

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 400
TRAINING = (0, 100_000)  # seeds that the learner is trained and the baseline is tuned on
CURVE = range(200_000, 200_060)  # of the learning curve
TEST = range(1_000_000, 1_000_000 + SEEDS)  # seen by nobody before
QUANTITY = 2_000
ENVIRONMENTS = 8
OUT = Path("out")

g = ms.gym
OBSERVATION = (
    g.Remaining()
    + g.TimeLeft()
    + 2 * g.Behind()
    + g.SinceArrival()
    + g.Spread(ticks=4)
    + g.Imbalance()
    + g.OrderFlow()
    + g.TradeFlow(lots=50)
    + g.MidReturns(3, ticks=3)
    + g.Momentum("1min")
    + g.OwnQuotes(ticks=5)
)


def environment(reward: Any = None) -> Any:
    """Two minutes to buy, one decision every two seconds."""
    return g.Execution(
        "training_market",
        OBSERVATION,
        g.Pace(paces=(0, 1, 2, 4, 8), ways=("join", "improve", "take")),
        reward or g.ImplementationShortfall(),
        mandate={"quantity": QUANTITY, "side": "buy"},
        interval="2s",
        duration="2min",
        learner={"latency": "100us"},
        seeds=TRAINING,
    )


def twap(style: Any, slices: int, patience: float) -> ms.agents.Twap:
    """The baseline: it begins after the warm-up, and has taken what is left when the learner must."""
    return ms.agents.Twap(
        quantity=QUANTITY, begin="1min", horizon="118s", slices=slices, style=style, patience=patience
    )


def scores(env: Any, who: Any, seeds: Any) -> np.ndarray[Any, Any]:
    """The sum of rewards of each seed's episode."""
    return np.array([g.play(env, who, seed).total for seed in seeds])


def tune(env: Any, episodes: int) -> tuple[str, int, float]:
    """The baseline's parameters with the best mean over training seeds, each tried on the same ones."""
    grid = [("take", slices, 1.0) for slices in (4, 8, 15, 30, 59)]
    grid += list(itertools.product(("post",), (2, 4, 8, 15, 30), (0.5, 0.8, 0.9, 1.0)))
    seeds = range(max(2, episodes // len(grid)))
    means = {parameters: scores(env, twap(*parameters), seeds).mean() for parameters in grid}
    best = max(means, key=lambda parameters: means[parameters])
    taking = max(mean for parameters, mean in means.items() if parameters[0] == "take")
    print(f"TWAP: {len(grid)} sets of parameters on {len(seeds)} seeds each; best style, slices, patience: {best}")
    print(f"  {means[best]:.2f} bps there; the best that takes each slice at once: {taking:.2f} bps")
    return best


class Curve(BaseCallback):  # type: ignore[misc]
    """Scores the policy now and then while it learns."""

    def __init__(self, env: Any, every: int) -> None:
        super().__init__()
        self.env, self.every, self.next = env, every, 0
        self.points: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.next:
            self.add(self.model)
            self.next += self.every

    def add(self, model: Any) -> None:
        """Another point."""
        self.points.append((model.num_timesteps, float(scores(self.env, policy_of(model), CURVE).mean())))


def train(env: Any) -> tuple[Any, list[tuple[int, float]]]:
    """The learner, and its mean score on the seeds of the curve as it learned."""
    torch.set_num_threads(1)
    # Paid by what it gains on an even schedule: of the shortfall that leaves out the noise of the market's own way.
    vector = DummyVecEnv([lambda: environment(g.AgainstSchedule())] * ENVIRONMENTS)
    rollout = min(240, STEPS // ENVIRONMENTS)
    model = PPO(
        "MlpPolicy", vector, seed=1, device="cpu", gamma=1.0, ent_coef=0.003, n_epochs=10,
        n_steps=rollout, batch_size=2 * rollout, learning_rate=lambda left: 1e-3 * left,
    )  # fmt: skip
    curve = Curve(env, max(20_000, STEPS // 12))
    model.learn(STEPS, callback=curve)
    curve.add(model)
    return model, curve.points


def policy_of(model: Any) -> Any:
    """What the learner does without exploring."""
    return lambda told: model.predict(told, deterministic=True)[0]


def interval(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """95 % interval of the mean by Student's t."""
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def draw(curve: list[tuple[int, float]], level: float, differences: np.ndarray[Any, Any], path: Path) -> None:
    """The learning curve, and the paired differences on the test seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    steps, means = zip(*curve, strict=True)
    left.plot([step / 1000 for step in steps], means, "o-", ms=3.5, color="#0072B2", label="PPO")
    left.axhline(level, color="#D55E00", label="TWAP, tuned")
    left.set(
        xlabel="steps of training (thousands)",
        ylabel="gained on the arrival price (bps)",
        title=f"{len(CURVE)} episodes while learning",
    )
    left.legend(loc="lower right")
    low, high = interval(differences)
    counts, *_ = right.hist(differences, bins=40, color="#0072B2", alpha=0.75)
    right.set_ylim(top=1.3 * max(counts))  # room for the legend
    right.axvline(0.0, color="#333333", linewidth=1)
    right.axvspan(low, high, color="#E69F00", alpha=0.6, label=f"mean, 95 %: {low:.2f} to {high:.2f}")
    right.set(
        xlabel="PPO less TWAP (bps of an episode)",
        ylabel="episodes",
        title=f"{len(differences)} new episodes, paired",
    )
    right.legend(loc="upper left")
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    env = environment()
    began = time.perf_counter()
    parameters = tune(env, STEPS // env.scene.steps)
    print(f"  in {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    model, curve = train(env)
    print(f"PPO: {model.num_timesteps:,} steps, about {model.num_timesteps // env.scene.steps:,} episodes of training")
    print(f"  in {time.perf_counter() - began:.0f} s", flush=True)

    learned, baseline = scores(env, policy_of(model), TEST), scores(env, twap(*parameters), TEST)
    for name, values in (("PPO", learned), ("TWAP", baseline), ("difference", learned - baseline)):
        low, high = interval(values)
        print(f"{name:10}  mean {values.mean():6.2f} bps  95 % interval {low:.2f} to {high:.2f}")
    print(f"PPO is better in {np.mean(learned > baseline):.0%} of {SEEDS} episodes")
    OUT.mkdir(exist_ok=True)
    model.save(OUT / "ppo_desk")
    draw(curve, float(scores(env, twap(*parameters), CURVE).mean()), learned - baseline, OUT / "train_ppo.png")
