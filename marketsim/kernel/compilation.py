"""Compilation, watched: who waits for it wants to know what is going on, and who wrote what cannot be compiled, why.

It decides nothing about what the code does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def watched_compilation(tell: Callable[[str], None]) -> Iterator[None]:
    """Call ``tell`` with the name of each function that is compiled meanwhile; what the cache holds is not."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, event: event.Event) -> None:
            tell(event.data["dispatcher"].py_func.__name__)

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield


@contextmanager
def timed_compilation(begins: Callable[[], None], ends: Callable[[], None]) -> Iterator[None]:
    """Call ``begins`` when code is compiled or loaded from the cache meanwhile, ``ends`` when it is there; in turn."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        depth = 0  # a function's compilation contains that of those it calls

        def on_start(self, event: event.Event) -> None:
            self.depth += 1
            if self.depth == 1:
                begins()

        def on_end(self, event: event.Event) -> None:
            self.depth -= 1
            if self.depth == 0:
                ends()

    with event.install_listener("numba:compiler_lock", Listener()):
        yield


def procedure(function: Any, arguments: Sequence[Any]) -> int:
    """The address of a compiled function that answers nothing or an int, for arguments of the given types.

    Raises ConfigurationError with the file and line that are in the way, and Numba's own error as its cause.
    The address is asked for once: of two functions of one name that the cache held, Numba finds the later one.
    """
    from marketsim.kernel.own_code import is_own
    from marketsim.kernel.refusal import explained, refused_chance

    arguments = tuple(arguments)
    known: dict[Any, int] = function.__dict__.setdefault("addresses", {})
    if arguments not in known:
        if is_own(function) and (objection := refused_chance(function)) is not None:
            raise objection
        try:
            function.compile(arguments)
            result = function.overloads[arguments]
        except Exception as error:
            raise explained(function, arguments, error) from error
        _check_answer(function, result.signature.return_type)
        known[arguments] = int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
    return known[arguments]


def _check_answer(function: Any, answer: Any) -> None:
    """Whoever calls it through its address makes room for one int."""
    from numba import types

    from marketsim.kernel.refusal import kind_of, line_of, refused, start_of

    if types.unliteral(answer) in (types.none, types.int64):
        return
    place = line_of(function, lambda node: isinstance(node, (ast.Return, ast.Yield)) and node.value is not None)
    raise refused(
        function, place or start_of(function), f"it returns {kind_of(answer)}: return nothing anywhere, or 0 everywhere"
    )
