"""pandas DataFrames from arrays, with text columns built from numbers and names rather than from Python strings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def text(codes: NDArray[Any], names: Sequence[str]) -> Any:
    """The column ``names[code]``; a code outside of the names gives ""."""
    import pandas as pd
    import pyarrow as pa

    known = (codes >= 0) & (codes < len(names))
    places = np.where(known, codes, len(names)).astype(np.int32)
    words = [*names, ""]
    if int(pd.__version__.split(".", maxsplit=1)[0]) < 3:
        return np.array(words, dtype=object)[places]
    column = pa.DictionaryArray.from_arrays(pa.array(places), pa.array(words, pa.large_string()))
    return pd.array(column.cast(pa.large_string()), dtype="str")


def same(word: str, length: int) -> Any:
    """A column of one word."""
    return text(np.zeros(length, np.int32), [word])


def frame(columns: dict[str, str], values: dict[str, Any]) -> pd.DataFrame:
    """A DataFrame with exactly ``columns`` (name and dtype), in their order."""
    import pandas as pd

    plain = {name: pd.Series(values[name], dtype=dtype, copy=False) for name, dtype in columns.items()}
    return pd.DataFrame(plain, copy=False)


def empty(columns: dict[str, str]) -> pd.DataFrame:
    """``frame`` without a row."""
    return _empty(tuple(columns.items())).copy()


@cache
def _empty(columns: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    return frame(dict(columns), {name: () for name, _ in columns})


def to_pandas(table: Any) -> pd.DataFrame:
    """A DataFrame of an Arrow table."""
    result: pd.DataFrame = table.to_pandas()
    return result


def to_arrow(rows: pd.DataFrame) -> Any:
    """An Arrow table of a DataFrame, without its index; NaN is null."""
    import pyarrow as pa

    return pa.Table.from_pandas(rows, preserve_index=False)
