"""The machine's own clock, for compiled code that measures itself. Nothing simulated ever looks at it."""

from __future__ import annotations

import ctypes
import sys
import time

from marketsim.kernel.compiled import UNCOMPILED, compiled

if UNCOMPILED:

    def clock_address() -> int:
        """What ``ticks`` takes."""
        return 1

    def ticks(clock: int) -> int:
        """Nanoseconds since some moment."""
        return time.perf_counter_ns()

    def nanoseconds_a_tick() -> float:
        """Length of a tick."""
        return 1.0

elif sys.platform == "win32":
    from typing import Any

    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    def clock_address() -> int:
        """What ``ticks`` takes: the address of the system's counter."""
        return ctypes.cast(ctypes.windll.kernel32.QueryPerformanceCounter, ctypes.c_void_p).value or 0

    def nanoseconds_a_tick() -> float:
        """Length of a tick."""
        frequency = ctypes.c_int64()
        ctypes.windll.kernel32.QueryPerformanceFrequency(ctypes.byref(frequency))
        return 1e9 / frequency.value

    @intrinsic  # type: ignore[untyped-decorator]
    def _read(typingctx: Any, clock: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = ir.IntType(64)
            place = cgutils.alloca_once(builder, word)
            kind = ir.FunctionType(ir.IntType(32), [word.as_pointer()])
            builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [place])
            return builder.load(place)

        return types.int64(types.int64), codegen

else:
    from typing import Any

    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    _MONOTONIC = int(time.CLOCK_MONOTONIC)

    def clock_address() -> int:
        """What ``ticks`` takes: the address of the C library's clock."""
        return ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value or 0

    def nanoseconds_a_tick() -> float:
        """Length of a tick."""
        return 1.0

    @intrinsic  # type: ignore[untyped-decorator]
    def _read(typingctx: Any, clock: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = ir.IntType(64)
            moment = ir.ArrayType(word, 2)  # seconds and nanoseconds
            place = cgutils.alloca_once(builder, moment)
            kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), moment.as_pointer()])
            function = builder.inttoptr(arguments[0], kind.as_pointer())
            builder.call(function, [ir.Constant(ir.IntType(32), _MONOTONIC), place])
            read = builder.load(place)
            seconds = builder.mul(builder.extract_value(read, 0), ir.Constant(word, 1_000_000_000))
            return builder.add(seconds, builder.extract_value(read, 1))

        return types.int64(types.int64), codegen


if not UNCOMPILED:

    @compiled
    def ticks(clock: int) -> int:
        """What the clock at an address shows now."""
        return _read(clock)
