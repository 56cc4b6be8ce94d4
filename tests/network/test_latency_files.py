"""Measured latencies from files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from marketsim.errors import DataError
from marketsim.network.latency import Empirical
from marketsim.network.samples import read_latencies


def test_text_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    text, table, tabs, columns = (tmp_path / name for name in ("a.txt", "a.csv", "a.tsv", "a.parquet"))
    text.write_text("# measured\n3\n\n1.5\n 2e3 \n")
    table.write_text("when, latency\n10:00,3\n10:01,1.5\n10:02,2e3\n")
    tabs.write_text("when\tlatency\n10:00\t3\n10:01\t1.5\n10:02\t2e3\n")
    parquet.write_table(pa.table({"when": [1, 2, 3], "latency": [3.0, 1.5, 2e3]}), columns)
    expected = [3_000.0, 1_500.0, 2_000_000.0]
    assert read_latencies(text, unit="us").tolist() == expected
    for file in (table, tabs, columns):
        assert read_latencies(file, "latency", "us").tolist() == expected
    models = [Empirical(file=str(file), column="latency", unit="us") for file in (table, columns)]
    models.append(Empirical([3, 1.5, 2000], unit="us"))
    draws = [model.sample(100).tolist() for model in models]
    assert draws[0] == draws[1] == draws[2]
    assert min(draws[0]) >= 1500


def test_one_column_needs_no_name(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("latency_ns\n5\n6\n")
    assert read_latencies(file).tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("name", "content", "column", "words"),
    [
        ("a.txt", "1\ntwo\n", "", r"a.txt:2: expected a latency, a number of at least zero, not 'two'"),
        ("a.txt", "1\n-2\n", "", r"a.txt:2: .* not '-2'"),
        ("a.txt", "1\nnan\n", "", r"a.txt:2: .* not 'nan'"),
        ("a.txt", "# nothing\n", "", r"a.txt: holds no latencies"),
        ("a.txt", "1\n", "latency", r"a text file has no column 'latency'"),
        ("a.csv", "when,latency\n1,2\n", "latancy", r'has no column \'latancy\'; did you mean "latency"'),
        ("a.csv", "when,latency\n1,2\n", "", r"needs the name of a column; known: latency, when"),
        ("a.csv", "when,latency\n1,2\n3\n", "latency", r"a.csv:3: expected a latency"),
        ("a.parquet", "not parquet", "latency", r"a.parquet: is not a readable Parquet file"),
        ("a.txt", "\x81\x82", "", r"a.txt: cannot be read"),
        ("a.csv", "latency\n\x81\x82\n", "", r"a.csv: cannot be read"),
    ],
)
def test_a_bad_file_is_named_with_its_row(tmp_path: Path, name: str, content: str, column: str, words: str) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=words):
        Empirical(file=str(file), column=column)


def test_a_parquet_column_with_a_hole_names_its_row(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"latency": [1.0, None]}), file)
    with pytest.raises(DataError, match=r"a.parquet:2: expected a latency.* not None") as caught:
        read_latencies(file)
    assert (caught.value.source, caught.value.record) == (str(file), 2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.csv: no such file"):
        read_latencies(tmp_path / "nowhere.csv")
