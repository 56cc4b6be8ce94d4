"""Failure of a policy: the error that names the agent, the time and the way out, wherever the policy was called."""

from __future__ import annotations

from marketsim.domain.units import format_time
from marketsim.errors import AgentError
from marketsim.population.state import ACTIONS, MOST_CALLS, POLICY_STUCK


def policy_error(status: int, name: str, time: int) -> AgentError:
    """The error for POLICY_FAILED or POLICY_STUCK."""
    if status == POLICY_STUCK:
        message = (
            f"{name}: its compiled policy woke or asked for something {MOST_CALLS:,} times at {format_time(time)} and "
            "time does not advance; wake it later than now, and do not answer every message with a request at once"
        )
    else:
        message = (
            f"{name}: its compiled policy raised an exception, or asked for more than {ACTIONS} things at once, at "
            f"{format_time(time)}; run with NUMBA_DISABLE_JIT=1 to see its own traceback"
        )
    return AgentError(message, agent=name, time=time)
