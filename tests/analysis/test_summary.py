"""The end-of-run table, as data, as text and for a terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest
from synthetic import SECOND, by_hand, market

from marketsim.analysis import accounts, realized_volatility, spread_bps, summarize
from marketsim.analysis.summary import number
from marketsim.domain.instrument import Instrument

TABLES = market(6, quotes=5000, trades=1500, minutes=5, levels=1)


def test_families_and_market() -> None:
    found = summarize(TABLES)
    assert found.families.columns.tolist() == ["agents", "orders", "fills", "volume", "pnl", "position", "fees"]
    assert found.families["agents"].to_dict() == {"noise": 250, "takers": 40, "maker": 8, "learner": 2}
    assert found.families["fills"].sum() == 2 * 1500
    row = found.market.loc["ABC"]
    assert row["trades"] == 1500
    assert row["volume"] == TABLES.trades["quantity"].sum()
    assert row["spread_bps"] == pytest.approx(spread_bps(TABLES))
    assert row["volatility_bps"] == pytest.approx(realized_volatility(TABLES))
    mids = (TABLES.quotes["bid"] + TABLES.quotes["ask"]) / 2
    assert (row["low"], row["high"], row["close"]) == pytest.approx((mids.min(), mids.max(), mids.iloc[-1]))


def test_accounts_that_exist_are_not_computed_again() -> None:
    books = accounts(TABLES)
    assert summarize(TABLES, books).families["pnl"].tolist() == books.families["pnl"].tolist()


def test_text_is_aligned_and_complete() -> None:
    text = str(summarize(TABLES))
    families = text.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in families] == ["family", "noise", "takers", "maker", "learner"]
    assert len({len(line) for line in families}) == 1
    for word in ("P&L", "inventory", "spread bps", "volatility bps/√min"):
        assert word in text


def test_a_terminal_of_eighty_columns_is_enough() -> None:
    from rich.console import Console

    console = Console(width=80, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
    console.print(summarize(TABLES).rich())
    text = console.export_text()
    assert "…" not in text
    for word in ("noise", "learner", "volatility bps/√min", "fees"):
        assert word in text
    console.file.close()


def test_markets_of_several_instruments_and_none_traded() -> None:
    instruments = [Instrument("ABC"), Instrument("XYZ")]
    found = summarize(by_hand([], [(0, 9.0, 1, 11.0, 1, "XYZ")], instruments=instruments, end=SECOND))
    assert found.market.index.tolist() == ["ABC", "XYZ"]
    assert found.market.loc["XYZ", "spread"] == pytest.approx(2.0)
    assert "–" in str(found)  # no quote, no number


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-1234.5, "+,.1f", "−1,234.5"), (0.0, "+,.2f", "0.00"), (float("nan"), ",.2f", "–"), (-0.001, "+,.2f", "0.00"),
     (float("inf"), ",.2f", "∞"), (12.0, "+,.0f", "+12"), ("not yet", ",.2f", "not yet")],
)  # fmt: skip
def test_numbers_for_people(value: object, form: str, text: str) -> None:
    assert number(value, form) == text


def test_rich_is_loaded_only_to_print() -> None:
    code = "import sys, marketsim.analysis.summary; sys.exit('rich' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
