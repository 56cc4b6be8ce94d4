"""Rows at an address: how compiled code sees a Table. What Numba generates for ``rows[index]`` and ``rows[index] = …``.

A NumPy array made from an address would count negative indices from the end, and compiling one costs a fifth of a
second a record type; these rows are a pointer and a length. An index must not be negative. With NUMBA_BOUNDSCHECK=1
every index is checked. This module is imported only where code is compiled; everybody else uses kernel.compiled.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

_WORD = ir.IntType(64)


class RowsAt(types.Type):  # type: ignore[misc]
    """The type of so many records, or numbers, that lie at an address."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"RowsAt({dtype})")


@register_model(RowsAt)
class _RowsModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("address", types.int64), ("length", types.int64)])


@infer_global(operator.getitem)
class _GetRow(AbstractTemplate):  # type: ignore[misc]
    def generic(self, arguments: Any, keywords: Any) -> Any:
        rows, index = arguments
        if isinstance(rows, RowsAt) and isinstance(index, types.Integer):
            return signature(rows.dtype, rows, types.int64)
        return None


@infer_global(operator.setitem)
class _SetRow(AbstractTemplate):  # type: ignore[misc]
    def generic(self, arguments: Any, keywords: Any) -> Any:
        rows, index, _ = arguments
        if isinstance(rows, RowsAt) and isinstance(index, types.Integer):
            return signature(types.none, rows, types.int64, rows.dtype)
        return None


def _place(context: Any, builder: Any, kind: Any, rows: Any, index: Any) -> Any:
    """The pointer to a row."""
    view = cgutils.create_struct_proxy(kind)(context, builder, value=rows)
    if config.BOUNDSCHECK:
        outside = builder.icmp_unsigned(">=", index, view.length)
        with builder.if_then(outside, likely=False):
            context.call_conv.return_user_exc(builder, IndexError, (f"no such row in {kind.dtype}",))
    row = context.get_data_type(kind.dtype)
    return builder.gep(builder.inttoptr(view.address, row.as_pointer()), [index], inbounds=True)


@lower_builtin(operator.getitem, RowsAt, types.int64)  # type: ignore[untyped-decorator]
def _get_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    return context.unpack_value(builder, kind.dtype, _place(context, builder, kind, *arguments))


@lower_builtin(operator.setitem, RowsAt, types.int64, types.Any)  # type: ignore[untyped-decorator]
def _set_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    rows, index, value = arguments
    context.pack_value(builder, kind.dtype, value, _place(context, builder, kind, rows, index))
    return context.get_dummy_value()


@intrinsic  # type: ignore[untyped-decorator]
def rows_at(typingctx: Any, address: Any, length: Any, dtype: Any) -> Any:
    """The rows of a dtype that lie at an address."""
    kind = RowsAt(dtype.dtype)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = cgutils.create_struct_proxy(kind)(context, builder)
        view.address, view.length = arguments[:2]
        return view._getvalue()

    return kind(types.int64, types.int64, dtype), codegen


@intrinsic  # type: ignore[untyped-decorator]
def move_rows(typingctx: Any, rows: Any, start: Any, stop: Any, by: Any) -> Any:
    """Move rows[start:stop] by ``by`` places; the ranges may overlap."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, first, end, by = arguments
        size = context.get_abi_sizeof(context.get_data_type(rows.dtype))
        view = cgutils.create_struct_proxy(rows)(context, builder, value=value)
        bytes_to = [builder.mul(number, ir.Constant(_WORD, size)) for number in (first, end, by)]
        source = builder.add(view.address, bytes_to[0])
        pointers = [builder.inttoptr(a, cgutils.voidptr_t) for a in (builder.add(source, bytes_to[2]), source)]
        count = builder.sub(bytes_to[1], bytes_to[0])
        cgutils.raw_memmove(builder, *pointers, count, ir.Constant(_WORD, 1))
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def prefetch_line(typingctx: Any, address: Any) -> Any:
    """Ask the processor to bring what lies at an address near; any address will do."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        pointer = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        builder.call(function, [pointer, ir.Constant(number, 1), ir.Constant(number, 3), ir.Constant(number, 1)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
