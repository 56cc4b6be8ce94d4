"""CSV and Parquet files hold the tables as they are, all of them or none."""

from __future__ import annotations

import errno
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import apply, generate
from flow import kept_run

from marketsim.domain.tables import ORDERS, QUOTES, TRADES
from marketsim.errors import StoreError
from marketsim.exchange.core import MatchingCore
from marketsim.results.exports import to_csv
from marketsim.results.log import EventLog
from marketsim.results.run import Run


@pytest.fixture
def run() -> Run:
    log = EventLog()
    core = MatchingCore(2, log=log)
    for command in generate(seed=2, count=800, markets=2):
        apply(core, command)
    log.annotate(5, "noise.1", "reason", 'a "quoted", word\nand a line')
    return kept_run(core, log, markets=2, end=9_999)


@pytest.mark.parametrize("compress", [False, True])
def test_csv(run: Run, compress: bool, tmp_path: Path) -> None:
    written = to_csv(run, tmp_path / "out", compress=compress)
    suffix = ".csv.gz" if compress else ".csv"
    assert [path.name for path in written] == [
        name + suffix for name in ("trades", "quotes", "orders", "agents", "annotations")
    ]
    assert sorted(written) == sorted((tmp_path / "out").iterdir())
    for path, columns in zip(written[:3], (TRADES, QUOTES, ORDERS), strict=True):
        table = getattr(run, path.name.removesuffix(suffix))
        texts = {name: "" for name, kind in columns.items() if kind == "str"}
        again = pd.read_csv(
            path, keep_default_na=False, na_values={name: [""] for name in columns if name not in texts}
        )
        pd.testing.assert_frame_equal(again.astype(columns), table, check_exact=True)
    assert pd.read_csv(written[4])["value"].tolist() == ['a "quoted", word\nand a line']


def test_prices_are_written_as_people_write_them(run: Run, tmp_path: Path) -> None:
    text = (run.to_csv(tmp_path)[0]).read_text().splitlines()
    prices = {line.split(",")[3] for line in text[1:]}
    assert len(prices) > 5
    assert all(len(price.lstrip("-").partition(".")[2]) <= 2 for price in prices), prices


def test_parquet(run: Run, tmp_path: Path) -> None:
    for path in run.to_parquet(tmp_path):
        table = getattr(run, path.stem)
        pd.testing.assert_frame_equal(pd.read_parquet(path), table)
    assert pq.read_table(tmp_path / "quotes.parquet").column("bid").null_count == run.quotes["bid"].isna().sum() > 0


def test_no_annotations_no_file(tmp_path: Path) -> None:
    core = MatchingCore(1, log=(log := EventLog()))
    assert len(kept_run(core, log).to_csv(tmp_path)) == 4


def test_nothing_is_overwritten_and_nothing_half_is_left(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.csv").write_text("mine")
    with pytest.raises(StoreError, match=r"orders\.csv exists: nothing is overwritten"):
        run.to_csv(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("orders.csv", "mine")]

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(
        StoreError, match=r"No space left on device; free some space or choose another folder\. No file was"
    ):
        run.to_parquet(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="making the folder failed: Not a directory"):
        run.to_csv(tmp_path / "file" / "out")
