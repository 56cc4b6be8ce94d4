"""Files that people keep: whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from marketsim.analysis.files import write_figure, write_file, write_table, write_tables, write_text
from marketsim.errors import InvalidValueError, StoreError


def test_tables_come_back_and_mixed_columns_are_text_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5], "value": [0.1, "1ms"]})
    (csv,) = write_tables({"found": frame}, tmp_path / "deep")
    (parquet,) = write_tables({"found": frame}, tmp_path / "deep", parquet=True)
    assert (csv.name, parquet.name) == ("found.csv", "found.parquet")
    assert pd.read_csv(csv)["value"].tolist() == ["0.1", "1ms"]
    assert pd.read_parquet(parquet).to_dict("list") == {"x": [1.5, 2.5], "value": ["0.1", "1ms"]}
    assert write_table(frame[["x"]], parquet) == parquet
    assert pd.read_parquet(parquet).columns.tolist() == ["x"], "one of the same name is replaced"


def test_the_ending_decides_about_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, float("nan")], "word": ["a", "µ"]})
    told = json.loads(write_table(frame, tmp_path / "a.json").read_text(encoding="utf-8"))
    assert told == [{"x": 1.5, "word": "a"}, {"x": None, "word": "µ"}]
    for name, words in (("a.cvs", 'did you mean ".csv"'), ("a.txt", "end it in .csv"), ("a", "has no ending")):
        with pytest.raises(InvalidValueError, match=words):
            write_table(frame, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_pictures_have_the_format_of_their_name(tmp_path: Path, name: str) -> None:
    start = {"a.png": b"\x89PNG", "a.svg": b"<?xml", "a.pdf": b"%PDF"}[name]
    assert write_figure(Figure(), tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(StoreError, match=r"'\.xyz' is no picture; end it in \.png"):
        write_figure(Figure(), tmp_path / "a.xyz")


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    kept = write_text(tmp_path / "kept.txt", "old")

    def full(path: Path) -> None:
        path.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"kept\.txt: cannot be written: No space left on device; choose"):
        write_file(kept, full)
    assert kept.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    with pytest.raises(StoreError, match="cannot be written"):
        write_text(kept / "below.txt", "new")
