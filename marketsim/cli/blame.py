"""An agent that raised: who, when, and the frames of its own code, without ours around them."""

from __future__ import annotations

import traceback
from pathlib import Path

from marketsim.cli.console import complain, note, print_traceback
from marketsim.errors import AgentError

_PACKAGE = Path(__file__).resolve().parent.parent
_TRADERS = _PACKAGE.parent / "agents", _PACKAGE / "agents"  # where ours lie, in a checkout and installed


def tell_agent_error(error: AgentError, *, debug: bool) -> None:
    """Print it; ``debug`` with every frame."""
    if debug:
        print_traceback(error)
    cause = error.__cause__
    if cause is not None:
        note("Traceback of the agent's own code (most recent call last):")
        note(own_traceback(cause).rstrip())
    complain(str(error))


def own_traceback(error: BaseException) -> str:
    """Python's traceback with the frames of agents only; all frames when none is of an agent."""
    told = traceback.TracebackException.from_exception(error)
    own = [frame for frame in told.stack if _is_own(frame.filename)]
    frames = traceback.StackSummary.from_list(own) if own else told.stack
    return "".join([*frames.format(), *told.format_exception_only()])


def _is_own(filename: str) -> bool:
    path = Path(filename).resolve()
    return not path.is_relative_to(_PACKAGE) or any(path.is_relative_to(folder) for folder in _TRADERS)
