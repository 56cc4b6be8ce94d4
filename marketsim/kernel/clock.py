"""The machine's own clock, for compiled code that measures itself. Nothing simulated ever looks at it."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

from marketsim.kernel.compiled import UNCOMPILED, compiled

_WINDOWS = sys.platform == "win32"

if UNCOMPILED:

    def clock_address() -> int:
        """What ``ticks`` takes."""
        return 1

    def nanoseconds_a_tick() -> float:
        """Length of a tick."""
        return 1.0

    def ticks(clock: int) -> int:
        """What the clock shows now."""
        return time.perf_counter_ns()

else:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    _WORD, _SHORT = ir.IntType(64), ir.IntType(32)

    def clock_address() -> int:
        """What ``ticks`` takes: the address of the system's function."""
        function: Any = (
            ctypes.windll.kernel32.QueryPerformanceCounter  # type: ignore[attr-defined,unused-ignore]
            if _WINDOWS
            else ctypes.CDLL(None).clock_gettime
        )
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def nanoseconds_a_tick() -> float:
        """Length of a tick."""
        if not _WINDOWS:
            return 1.0
        frequency = ctypes.c_int64()
        ctypes.windll.kernel32.QueryPerformanceFrequency(  # type: ignore[attr-defined,unused-ignore]
            ctypes.byref(frequency)
        )
        return 1e9 / frequency.value

    def _counter(builder: Any, address: Any) -> Any:
        """A count of ticks, written to where the only argument points."""
        place = cgutils.alloca_once(builder, _WORD)
        kind = ir.FunctionType(_SHORT, [_WORD.as_pointer()])
        builder.call(builder.inttoptr(address, kind.as_pointer()), [place])
        return builder.load(place)

    def _clock(builder: Any, address: Any) -> Any:
        """Seconds and nanoseconds of the monotonic clock, in ns."""
        moment = ir.ArrayType(_WORD, 2)
        place = cgutils.alloca_once(builder, moment)
        kind = ir.FunctionType(_SHORT, [_SHORT, moment.as_pointer()])
        function = builder.inttoptr(address, kind.as_pointer())
        builder.call(function, [ir.Constant(_SHORT, int(time.CLOCK_MONOTONIC)), place])
        read = builder.load(place)
        seconds = builder.mul(builder.extract_value(read, 0), ir.Constant(_WORD, 1_000_000_000))
        return builder.add(seconds, builder.extract_value(read, 1))

    _read_at = _counter if _WINDOWS else _clock

    @intrinsic  # type: ignore[untyped-decorator]
    def _read(typingctx: Any, clock: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _read_at(builder, arguments[0])

        return types.int64(types.int64), codegen

    @compiled
    def ticks(clock: int) -> int:
        """What the clock at an address shows now."""
        return _read(clock)
