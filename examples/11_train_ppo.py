"""Train a market maker with PPO, and hold it against Avellaneda and Stoikov's on days that neither has seen.

python3 examples/11_train_ppo.py [STEPS] [SEEDS]

It needs stable-baselines3 and PyTorch, which marketsim does not bring: pip install torch stable-baselines3. Both makers
quote 100 lots on each side of training_market for five minutes and are paid their profit less a penalty for inventory.
The learner moves its quotes once a second, the baseline up to ten times a second. The baseline is tuned first, on as
many episodes as the learner trains on. Then both play SEEDS new episodes, the same ones, and the differences are told.
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

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 800_000
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
TRAINING = (0, 100_000)  # seeds that the learner is trained and the baseline is tuned on
CURVE = range(200_000, 200_020)  # of the learning curve
TEST = range(1_000_000, 1_000_000 + SEEDS)  # seen by nobody before
ENVIRONMENTS = 8
OUT = Path("out")

g = ms.gym
OBSERVATION = (
    g.Inventory()
    + g.Imbalance()
    + g.Momentum("5s")
    + g.Spread(ticks=4)
    + g.OrderFlow()
    + g.TradeFlow(lots=50)
    + g.Volatility("30s", ticks=3)
)
REWARD = g.PnL() - 0.01 * g.InventoryPenalty()


def environment(reward: Any = REWARD) -> Any:
    """Five minutes of market making, one decision a second."""
    return g.MarketMaking(
        "training_market",
        OBSERVATION,
        g.QuoteOffsets(most=10, quantity=100, max_position=1000),
        reward,
        duration="5min",
        learner={"latency": "100us"},
        seeds=TRAINING,
    )


def stoikov(gamma: float, horizon: str, k: float | None) -> ms.agents.AvellanedaStoikov:
    """The baseline with the same size and limit as the learner."""
    return ms.agents.AvellanedaStoikov(
        gamma=gamma, horizon=horizon, k=k, quantity=100, max_position=1000, refresh="100ms"
    )


def scores(env: Any, who: Any, seeds: Any) -> np.ndarray[Any, Any]:
    """The sum of rewards of each seed's episode."""
    return np.array([g.play(env, who, seed).total for seed in seeds])


def tune(env: Any, episodes: int) -> tuple[float, str, float | None]:
    """The baseline's parameters with the best mean over training seeds, each tried on the same ones."""
    grid = list(itertools.product((0.3, 1.0, 3.0), ("15s", "30s", "1min", "2min"), (30.0, 50.0, 70.0, None)))
    seeds = range(max(2, episodes // len(grid)))
    means = {parameters: scores(env, stoikov(*parameters), seeds).mean() for parameters in grid}
    best = max(means, key=lambda parameters: means[parameters])
    print(f"baseline: {len(grid)} sets of parameters on {len(seeds)} seeds each; best gamma, horizon, k: {best}")
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
            self.next = self.num_timesteps + self.every

    def add(self, model: Any) -> None:
        """Another point."""
        self.points.append((model.num_timesteps, float(scores(self.env, policy_of(model), CURVE).mean())))


def train(env: Any) -> tuple[Any, list[tuple[int, float]]]:
    """The learner, and its mean score on the seeds of the curve as it learned."""
    torch.set_num_threads(1)
    # A heavier penalty and a smaller scale in training: both calm the gradient. Scores are always by REWARD.
    training = 0.1 * (g.PnL() - 0.03 * g.InventoryPenalty())
    vector = DummyVecEnv([lambda: environment(training)] * ENVIRONMENTS)
    rollout = min(1024, STEPS // ENVIRONMENTS)
    model = PPO(
        "MlpPolicy", vector, seed=1, device="cpu", gamma=0.95, gae_lambda=0.9, n_epochs=6,
        n_steps=rollout, batch_size=2 * rollout, learning_rate=lambda left: 1e-3 * left,
        policy_kwargs={"log_std_init": -1.0},
    )  # fmt: skip
    curve = Curve(env, max(50_000, STEPS // 16))
    model.learn(STEPS, callback=curve)
    curve.add(model)
    return model, curve.points


def policy_of(model: Any) -> Any:
    """What the learner does without exploring."""
    return lambda told: model.predict(told, deterministic=True)[0]


def interval(differences: np.ndarray[Any, Any]) -> tuple[float, float]:
    """95 % interval of the mean by Student's t."""
    from scipy import stats

    half = stats.t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / len(differences) ** 0.5
    return float(differences.mean() - half), float(differences.mean() + half)


def draw(curve: list[tuple[int, float]], level: float, learned: Any, baseline: Any, path: Path) -> None:
    """The learning curve, and the paired differences on the test seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(
        [steps / 1000 for steps, _ in curve], [score for _, score in curve], "o-", ms=3.5, color="#0072B2", label="PPO"
    )
    left.axhline(level, color="#D55E00", label="Avellaneda–Stoikov, tuned")
    left.set(xlabel="steps of training (thousands)", ylabel="score an episode (USD)", title="while learning")
    left.legend(loc="lower right")
    differences = learned - baseline
    low, high = interval(differences)
    right.hist(differences, bins=30, color="#0072B2", alpha=0.75)
    right.axvline(0.0, color="#333333", linewidth=1)
    right.axvspan(low, high, color="#E69F00", alpha=0.5, label=f"mean, 95 %: {low:.1f} to {high:.1f}")
    right.set(
        xlabel="PPO less Avellaneda–Stoikov (USD an episode)",
        ylabel="episodes",
        title=f"{len(differences)} new episodes, paired",
    )
    right.legend(loc="upper left")
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    env = environment()
    began = time.perf_counter()
    parameters = tune(env, STEPS // env.scene.steps)
    print(f"  {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    model, curve = train(env)
    print(f"PPO: {model.num_timesteps:,} steps, {model.num_timesteps // env.scene.steps:,} episodes of training")
    print(f"  {time.perf_counter() - began:.0f} s")

    learned, baseline = scores(env, policy_of(model), TEST), scores(env, stoikov(*parameters), TEST)
    low, high = interval(learned - baseline)
    for name, values in (("PPO", learned), ("Avellaneda-Stoikov", baseline)):
        print(f"{name:18} mean {values.mean():7.2f}  deviation {values.std(ddof=1):6.2f}  worst {values.min():8.2f}")
    print(
        f"difference         mean {(learned - baseline).mean():7.2f}  95 % interval {low:.2f} to {high:.2f}, "
        f"better in {np.mean(learned > baseline):.0%} of {SEEDS} episodes"
    )
    OUT.mkdir(exist_ok=True)
    model.save(OUT / "ppo_market_maker")
    draw(curve, float(scores(env, stoikov(*parameters), CURVE).mean()), learned, baseline, OUT / "train_ppo.png")
