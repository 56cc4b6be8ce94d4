"""Compilation, watched."""

from __future__ import annotations

import os

import pytest

from marketsim.kernel.compilation import watched_compilation


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled without compilation")
def test_each_function_is_told_when_it_is_compiled_and_not_again() -> None:
    import numba

    @numba.njit
    def inner(x: int) -> int:
        return x + 1

    @numba.njit
    def outer(x: int) -> int:
        return 2 * inner(x)

    told: list[str] = []
    with watched_compilation(told.append):
        assert outer(1) == 4
        assert told == ["outer", "inner"]
        outer(2)
        assert told == ["outer", "inner"]
        outer(2.0)
        assert sorted(told[2:]) == ["inner", "outer"]
    inner(1j)
    assert len(told) == 4
