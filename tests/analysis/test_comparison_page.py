"""The page and the figures of a comparison: complete, self-contained, small, read in a browser; degenerate ones too."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import assert_readable, browser

from marketsim.analysis import forest_figure, page_comparison, pairs_figure
from marketsim.analysis.comparison_words import cells, corrected_words, mark, verdict
from marketsim.analysis.figures.comparison import labels_apart
from marketsim.experiment import comparison
from marketsim.experiment.comparison import Comparison
from marketsim.experiment.replication import Failed
from marketsim.scenario.diff import ABSENT, Difference

__all__ = ["browser"]  # a fixture

NAMES = ("base", "wide <b>", "slow")
MEASURES = [f"agents.mm.{name}" for name in ("pnl", "fills", "fees")] + [f"market.ABC.m{n}" for n in range(20)]


def compared(names: tuple[str, ...] = NAMES, seeds: int = 12, *, failing: bool = True, alike: bool = False) -> Any:
    """A comparison of made-up numbers; ``fees`` is the same everywhere."""
    rng = np.random.default_rng(4)
    common = rng.normal(size=(seeds, len(MEASURES)))
    outcomes: dict[str, tuple[Any, ...]] = {}
    for place, name in enumerate(names):
        numbers = 1e3 * common if alike else 1e3 * (common + 0.3 * rng.normal(size=common.shape) + 0.2 * place)
        numbers[:, 2] = 5.0
        outcomes[name] = tuple(dict(zip(MEASURES, map(float, row), strict=True)) for row in numbers)
    if failing:
        outcomes[names[1]] = (Failed(1, "the <queue> overflowed", "AgentError"), *outcomes[names[1]][1:])
    rows, only = comparison._rows(names, outcomes, 0.95, "holm")
    told = (Difference("agents.mm.gamma", 0.1, ABSENT), Difference("agents.mm.latency", "1ms", "5ms"))
    changes = dict.fromkeys(names[1:], () if alike else told)
    failures = {name: tuple(one for one in found if isinstance(one, Failed)) for name, found in outcomes.items()}
    return Comparison(
        "base", names, tuple(range(1, seeds + 1)), 0.95, "holm", False, rows, changes, only, failures, outcomes
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(compared().report(tmp_path_factory.mktemp("page") / "deep" / "compare.html"))


def test_it_holds_changes_beside_results_and_everything_else(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "agents.<wbr>mm.<wbr>pnl" in text
    assert "\u200b" not in text
    text = text.replace("<wbr>", "")
    found = compared()
    assert "<h1>base against wide &lt;b&gt;, slow</h1>" in text
    assert "1 of 36 runs failed" in text
    beside = text[text.index('<div class="beside') : text.index("</section>")]
    for words in ("agents.mm.gamma", "0.1", "(nothing)", "agents.mm.pnl", cells(found.table().iloc[0])["interval"]):
        assert words in beside
    for measure in MEASURES:
        assert text.count(f">{measure}</th>") >= 2
    assert "the &lt;queue&gt; overflowed" in text
    assert "corrected for 44 comparisons (Holm)" in text
    assert text.count("<figure") == 5  # three measures seed by seed, the forest, the ranking
    assert len(set(re.findall(r'<img [^>]*alt="([^"]*)"', text))) == 5
    outside = re.sub(r'"data:[^"]*"', '""', text)
    assert not re.search(r"https?://|<script|url\(|@import", outside)
    assert written.stat().st_size < 2_000_000


@pytest.mark.slow
def test_the_same_comparison_gives_the_same_page(written: Path, tmp_path: Path) -> None:
    assert compared().report(tmp_path / "again.html").read_bytes() == written.read_bytes()


def test_of_two_there_is_no_ranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_comparison, "figure", lambda draw, alt, words: f"[{alt}]")
    text = compared(("one", "two"), failing=False).report(tmp_path / "c.html", title="Mine").read_text("utf-8")
    assert "<h1>Mine</h1>" in text
    assert 'id="ranking"' not in text
    assert 'id="failures"' not in text


def test_what_never_differs_has_a_page_too(tmp_path: Path) -> None:
    text = compared(("one", "two"), failing=False, alike=True).report(tmp_path / "c.html").read_text("utf-8")
    assert "The scenarios do not differ: under the same seed they give the same run." in text
    assert "Every measure is equal under every seed" in text
    assert "<figure" not in text
    assert "nan" not in re.sub(r'"data:[^"]*"', "", text).lower()


def test_whole_sections_are_lines_and_stand_in_full_below(tmp_path: Path) -> None:
    found = compared(("one", "two"), failing=False)
    told = Difference("agents.spoofer", ABSENT, {"type": "spoofer", "count": 1, "quantity": 40})
    gone = Difference("agents.learner", {"type": "learner", "count": 2}, ABSENT)
    text = "".join(
        page_comparison._changes(replace(found, changes={"two": (told, gone)}), found.table(), found.order())
    )
    assert "agents.spoofer: added (type spoofer, count 1)" in text.replace("<wbr>", "")
    assert "agents.learner: gone (type learner, count 2)" in text.replace("<wbr>", "")
    folded = text[text.index("<details") :]
    assert "&quot;quantity&quot;: 40" in folded
    assert "&quot;quantity&quot;" not in text[: text.index("<details")]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser_nothing_is_missing_asked_for_or_wider_than_the_screen(
    browser: Any, written: Path, width: int
) -> None:
    assert_readable(browser, written, width, pictures=5, sections=7)


# --- words ---


def test_numbers_have_as_many_decimals_as_the_interval_is_sure_of() -> None:
    row = {
        "measure": "pnl", "name": "b", "base": "a", "mean_base": 1234.567, "mean": 1200.0, "difference": -34.567,
        "low": -50.0, "high": -19.1, "boot_low": np.nan, "boot_high": np.nan, "p": 0.0004, "p_adjusted": 0.02,
        "differs": True, "effect": -1.2, "pairing_gain": 3.21, "seeds": 20, "seeds_80": 8.0, "smallest_80": 20.04,
    }  # fmt: skip
    told = cells(row)
    assert (told["mean_base"], told["difference"], told["interval"]) == ("1,234.6", "−34.6", "−50.0 … −19.1")
    assert (told["bootstrap"], told["p"], told["p_adjusted"]) == ("–", "< 0.001", "0.020")
    assert verdict(row, 0.95) == "pnl: b minus a is −34.6 (−50.0 … −19.1 at 95 %): it differs."
    chance = {**row, "differs": False}
    assert mark(chance) == "(*)"
    assert "not after the correction" in verdict(chance, 0.95)
    chance |= {"high": 3.0}
    assert mark(chance) == ""
    assert verdict(chance, 0.95).endswith("takes 8 seeds; 20 seeds see 20.0 or more.")
    assert "more than 10,000 seeds: not to be found in practice;" in verdict({**chance, "seeds_80": 401_189.0}, 0.95)
    assert cells({**row, "seeds_80": 401_189.0})["seeds_80"] == "> 10,000"
    assert "there is no interval" in verdict({**row, "low": -np.inf, "high": np.inf, "seeds": 1}, 0.95)
    assert verdict({**row, "low": 0.0, "high": 0.0}, 0.95) == "pnl: equal under every seed."
    assert "some differ by chance" in corrected_words("none", 40)


# --- figures ---


def test_the_forest_draws_what_the_table_says() -> None:
    found = compared(failing=False)
    figure = found.figure()
    intervals, gains = figure.axes
    names = [label.get_text() for label in intervals.get_yticklabels()]
    assert names == found.order()[:14]
    row = found.of(names[0], NAMES[1])
    scale = row.gain * row.deviation / 2**0.5
    drawn = [line.get_xdata() for line in intervals.get_lines()]
    assert any(np.allclose(x, [row.low / scale, row.high / scale]) for x in drawn if len(x) == 2)
    assert any(np.allclose(x, np.array(row.unpaired) / scale) for x in drawn if len(x) == 2)
    assert any(np.allclose(line.get_xdata(), row.gain) for line in gains.get_lines())
    full = [
        line for line in intervals.get_lines() if line.get_marker() == "o" and line.get_markerfacecolor() != "white"
    ]
    assert len(full) == sum(found.of(name, other).differs for name in names for other in NAMES[1:])


def test_far_differences_have_an_axis_that_shows_the_near_ones() -> None:
    found = compared(failing=False)
    far = replace(found.rows[0], difference=1e6, low=0.9e6, high=1.1e6)
    figure = replace(found, rows=(far, *found.rows[1:])).figure()
    assert figure.axes[0].get_xscale() == "symlog"


def test_seeds_are_lines_and_differences_dots() -> None:
    found = compared(failing=False)
    left, right = found.pairs_figure("agents.mm.pnl").axes
    scores = found.scores("agents.mm.pnl")
    lines = [line.get_ydata() for line in left.get_lines() if len(line.get_ydata()) == len(NAMES)]
    assert np.allclose(sorted(map(tuple, lines)), sorted(map(tuple, scores.to_numpy())))
    dots = [line.get_ydata() for line in right.get_lines() if len(line.get_ydata()) == 12]
    assert np.allclose(dots[0], scores[NAMES[1]] - scores[NAMES[0]])


def test_the_differences_have_an_axis_of_what_was_seen() -> None:
    found = compared(("one", "two"), seeds=8, failing=False)
    wild = found.table().assign(boot_low=np.nan, boot_high=803_101_305.0)
    rows = wild[wild["measure"] == "agents.mm.pnl"]
    for ends in (rows, rows.assign(boot_low=-1e9)):
        low, high = pairs_figure(found.scores("agents.mm.pnl"), ends, "agents.mm.pnl").axes[1].get_ylim()
        assert -1e4 < low < high < 1e4


@pytest.mark.parametrize(
    ("names", "base", "labels", "common"),
    [
        (["s", "target_spread=0.02", "target_spread=0.04"], True, ["s", "0.02", "0.04"], "target_spread"),
        (["target_spread=0.02", "target_spread=0.04", "g=1"], False, ["…t_spread=0.02", "…t_spread=0.04", "g=1"], ""),
        (["a_very_long_name_one", "a_very_long_name_two", "c"], False, ["…long_name_one", "…long_name_two", "c"], ""),
        (["quickstart", "spoofing"], True, ["quickstart", "spoofing"], ""),
    ],
)  # fmt: skip
def test_labels_keep_what_tells_names_apart(names: list[str], base: bool, labels: list[str], common: str) -> None:
    assert labels_apart(names, base=base) == (labels, common)


def test_figures_of_nothing_say_so() -> None:
    found = compared(("one", "two"), failing=False, alike=True)
    figure = forest_figure(found.table())
    assert "nothing to draw" in figure.axes[0].texts[0].get_text()
    two = compared(("one", "two"), seeds=2, failing=False)
    table = two.table()
    assert pairs_figure(two.scores("agents.mm.fees"), table[table["measure"] == "agents.mm.fees"], "fees").axes
