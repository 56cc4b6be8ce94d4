"""Environments for agents that learn: a market behind the interfaces of Gymnasium and PettingZoo.

``gymnasium.make("marketsim/MarketMaking-v0")``, once this room is imported; ``make`` for a description in YAML;
``MarketEnv`` and ``ParallelMarket`` with a task of one's own. Everything that a learner sees, does and is paid for is
a small object: ``Inventory() + TimeLeft()``, ``QuoteOffsets()``, ``PnL() - 0.01 * InventoryPenalty()``. It needs the
extra ``gym``, and knows no learning library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketsim.errors import MissingDependency

try:
    import gymnasium
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingDependency("gymnasium", "gym") from error

from marketsim.gym import actions, observations, rewards
from marketsim.gym.actions import Action, Pace, QuoteGrid, QuoteOffsets, QuoteSkew, TargetPosition
from marketsim.gym.environment import MarketEnv
from marketsim.gym.making import IDS, REGISTRY, make
from marketsim.gym.observations import (
    Behind,
    Depth,
    Feed,
    History,
    Imbalance,
    Inventory,
    MidReturns,
    Momentum,
    Observation,
    Observe,
    OrderFlow,
    OwnQuotes,
    ProfitSoFar,
    Remaining,
    SinceArrival,
    Spread,
    TimeLeft,
    TradeFlow,
    Volatility,
)
from marketsim.gym.playing import Played, play
from marketsim.gym.rewards import (
    AgainstSchedule,
    DampenedPnL,
    ImplementationShortfall,
    InventoryPenalty,
    Judge,
    LastInventory,
    PnL,
    Reward,
    SpreadCapture,
    Turnover,
)
from marketsim.gym.seat import Mandate, Seat
from marketsim.gym.task import Mandates, Task
from marketsim.gym.tasks import Execution, MarketMaking, Trading, execution, market_making, trading
from marketsim.gym.vector import MarketVectorEnv, make_vec

if TYPE_CHECKING:
    from marketsim.gym.parallel import ParallelMarket

__all__ = [
    "REGISTRY",
    "Action",
    "AgainstSchedule",
    "Behind",
    "DampenedPnL",
    "Depth",
    "Execution",
    "Feed",
    "History",
    "Imbalance",
    "ImplementationShortfall",
    "Inventory",
    "InventoryPenalty",
    "Judge",
    "LastInventory",
    "Mandate",
    "Mandates",
    "MarketEnv",
    "MarketMaking",
    "MarketVectorEnv",
    "MidReturns",
    "Momentum",
    "Observation",
    "Observe",
    "OrderFlow",
    "OwnQuotes",
    "Pace",
    "ParallelMarket",
    "Played",
    "PnL",
    "ProfitSoFar",
    "QuoteGrid",
    "QuoteOffsets",
    "QuoteSkew",
    "Remaining",
    "Reward",
    "Seat",
    "SinceArrival",
    "Spread",
    "SpreadCapture",
    "TargetPosition",
    "Task",
    "TimeLeft",
    "TradeFlow",
    "Trading",
    "Turnover",
    "Volatility",
    "actions",
    "execution",
    "make",
    "make_vec",
    "market_making",
    "observations",
    "play",
    "rewards",
    "trading",
]


def __getattr__(name: str) -> Any:
    if name == "ParallelMarket":  # brings PettingZoo along
        from marketsim.gym.parallel import ParallelMarket

        return ParallelMarket
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


for _id in IDS:
    if _id not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"marketsim.gym.tasks:{_id.partition('/')[2].partition('-')[0]}")
