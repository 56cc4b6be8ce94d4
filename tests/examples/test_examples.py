"""Every example runs, and shows what it promises; long ones for a shorter time than they take by default."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import EXACT, ROOT

EXAMPLES = ROOT / "examples"
PNG = b"\x89PNG\r\n"


def _run(folder: Path, name: str, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
            "PYTHONIOENCODING": "utf-8",
            "MPLBACKEND": "Agg",
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(PNG) and path.stat().st_size > 5_000


def test_quickstart(tmp_path: Path) -> None:
    shown = _run(tmp_path, "01_quickstart.py", "30s")
    for family in ("informed", "mm", "noise", "stoikov", "trend"):
        assert re.search(rf"^{family} +\d+ ", shown, re.MULTILINE)
    page = (tmp_path / "out" / "quickstart.html").read_text(encoding="utf-8")
    assert page.count("<svg") + page.count("data:image") > 5
    assert not re.search(r"(?:src|href)=[\"']https?:", page)


def test_custom_agent(tmp_path: Path) -> None:
    shown = _run(tmp_path, "02_custom_agent.py")
    slices = [tuple(map(int, found)) for found in re.findall(r"(\d+): (\d+) waited for, (\d+) taken", shown)]
    assert [number for number, _, _ in slices] == list(range(1, 21))
    assert {waited + taken for _, waited, taken in slices} == {30}
    assert 0 < sum(waited for _, waited, _ in slices) < 600
    assert "bought 600 at" in shown
    assert _is_picture(tmp_path / "out" / "worker.png")


def test_order_book(tmp_path: Path) -> None:
    shown = _run(tmp_path, "03_order_book.py")
    assert "spread 0.02 (2.0 bps), imbalance +0.04" in shown
    assert "1 order with 100 units is ahead of mine at 99.99" in shown
    assert "buying 250 now would cost 100.0160 each" in shown  # (100 · 100.01 + 150 · 100.02) / 250
    # 150 at 99.99, 200 at 99.98, 250 of 300 at 99.97; then the stop takes 50 there and 150 of 400 at 99.96
    assert f"sold 600 at {(150 * 99.99 + 200 * 99.98 + 250 * 99.97) / 600:.4f} in 4 fills" in shown
    assert "    250   99.96\n    500   99.95" in shown
    assert "post-only at 100.02: REJECTED, WOULD_TRADE" in shown


@pytest.mark.slow
def test_compare_strategies(tmp_path: Path) -> None:
    shown = _run(tmp_path, "04_compare_strategies.py", "3", "40s")
    table = re.search(
        r"^agents\.mm\.fills +([\d.]+) +([\d.]+) +(-?[\d.]+) +(-?[\d.]+) +(-?[\d.]+)", shown, re.MULTILINE
    )
    assert table is not None
    left, right, difference, low, high = map(float, table.groups())
    assert difference == pytest.approx(right - left, abs=0.002)
    assert low < difference < high
    values = (tmp_path / "out" / "compare.csv").read_text(encoding="utf-8").splitlines()
    assert {line.split(",")[1] for line in values[1:]} == {"1", "2", "3"}


@pytest.mark.slow
def test_latency_and_topology(tmp_path: Path) -> None:
    shown = _run(tmp_path, "05_latency_and_topology.py", "30s")
    rows = {
        name: (float(way), int(share)) for name, way, share in re.findall(r"^(\w+) +([\d.]+) +\d+ +(\d+)%", shown, re.M)
    }
    assert list(rows) == ["colocated", "london", "slow"]
    assert rows["colocated"][0] < 0.01 < rows["london"][0] < 10 < rows["slow"][0]
    if EXACT:
        assert rows["colocated"][1] > rows["slow"][1]
    assert _is_picture(tmp_path / "out" / "latency.png")


@pytest.mark.slow
def test_mesa(tmp_path: Path) -> None:
    pytest.importorskip("mesa")
    shown = _run(tmp_path, "06_mesa.py", "10s")
    assert "{'Fundamental': 10, 'MarketMaker': 1, 'Noise': 100}" in shown
    assert len((tmp_path / "out" / "mesa.csv").read_text(encoding="utf-8").splitlines()) == 11


@pytest.mark.slow
def test_recorded_day(tmp_path: Path) -> None:
    from marketsim.data import find_data

    if find_data("lobster") is None:
        pytest.skip("no recorded data: set MARKETSIM_DATA")
    shown = _run(tmp_path, "07_recorded_day.py", "", "20s")
    assert "mismatches" in shown
    rows = {name: int(orders) for name, orders in re.findall(r"^(recorded|mm) +(\d+) +\d+", shown, re.MULTILINE)}
    assert rows["recorded"] > 100
    assert rows["mm"] > 1
    assert _is_picture(tmp_path / "out" / "inside.png")


def test_recorded_day_without_data(tmp_path: Path) -> None:
    shown = _run(tmp_path, "07_recorded_day.py", MARKETSIM_DATA=str(tmp_path))
    assert "no recorded day here" in shown


def test_own_policy(tmp_path: Path) -> None:
    shown = _run(tmp_path, "09_own_policy.py", "100", "5s")
    rows = re.findall(r"(\w+): ([\d,]+) events in [\d.]+ s, ([\d,]+) a second, [\d,]+ ns an event; digest (\w+)", shown)
    assert [row[0] for row in rows] == ["compiled", "Python"]
    (_, few, fast, one), (_, _, slow, other) = rows
    assert one == other  # the same behaviour, written twice
    assert int(few.replace(",", "")) > 10_000
    assert int(fast.replace(",", "")) > 3 * int(slow.replace(",", ""))


@pytest.mark.slow
def test_execution(tmp_path: Path) -> None:
    shown = _run(tmp_path, "14_execution.py", "2")
    rows = dict(re.findall(r"^(\w+) +(\d+)%  +\d+%  +-?[\d.]+ ± [\d.]+  [+-][\d.]+ ± ", shown, re.MULTILINE))
    assert set(rows) == {
        "twap", "vwap", "participation", "almgren_chriss", "implementation_shortfall", "iceberg", "sniper",
    }  # fmt: skip
    assert rows["twap"] == rows["vwap"] == rows["almgren_chriss"] == "100"
    assert "+0.00 ± 0.00" in shown.splitlines()[1], "TWAP less TWAP"
    assert _is_picture(tmp_path / "out" / "execution.png")


def test_every_example_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    names = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb"))
    assert len(names) >= 8
    for name in names:
        assert f'"{name}"' in source


def test_examples_say_how_they_are_run() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert f"python3 examples/{path.name}" in path.read_text(encoding="utf-8").split('"""')[1]


# --- the notebook ---


@pytest.fixture(scope="module")
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(EXAMPLES / "08_notebook.ipynb", as_version=4)


def test_the_notebook_is_committed_without_outputs(notebook: Any) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


def test_the_notebook_shows_runs_and_figures(notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the notebook's own
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [
        {kind: value for output in cell.outputs for kind, value in output.get("data", {}).items()}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert all(shown), "every code cell shows something"
    assert 'class="marketsim-run"' in shown[0]["text/html"]
    assert "<table" in shown[1]["text/html"]
    assert sum("image/png" in data for data in shown) == 3
    spreads = eval(shown[-1]["text/plain"], {"__builtins__": {}})
    assert list(spreads) == [0.01, 0.02, 0.03, 0.05, 0.08]
    assert len(set(spreads.values())) == 5


@pytest.mark.slow
def test_reference_market(tmp_path: Path) -> None:
    shown = _run(tmp_path, "10_reference_market.py", "2", "30min")
    assert re.search(r"^orders +\d", shown, re.MULTILINE)
    assert re.search(r"^seed 2: [\d,]+ events in \d+\.\d+ s$", shown, re.MULTILINE)
    assert _is_picture(tmp_path / "out" / "reference_market.png")


@pytest.mark.slow
def test_train_ppo(tmp_path: Path) -> None:
    """So little training that nothing is learned: what it says must hold together all the same."""
    pytest.importorskip("stable_baselines3")
    shown = _run(tmp_path, "11_train_ppo.py", "1920", "5")
    rows = {
        name: (float(mean), float(low), float(high))
        for name, mean, low, high in re.findall(
            r"^(PPO|TWAP|difference) +mean +(-?[\d.]+) bps  95 % interval (-?[\d.]+) to (-?[\d.]+)$",
            shown,
            re.MULTILINE,
        )
    }
    assert rows["difference"][0] == pytest.approx(rows["PPO"][0] - rows["TWAP"][0], abs=0.02)
    assert all(low < mean < high for mean, low, high in rows.values())
    assert "PPO: 1,920 steps, about 32 episodes of training" in shown
    assert re.search(r"^PPO is better in \d+% of 5 episodes$", shown, re.MULTILINE)
    assert _is_picture(tmp_path / "out" / "train_ppo.png")


def test_train_ppo_says_what_it_needs(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "stable_baselines3"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "11_train_ppo.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(hidden.parent), str(ROOT)))},
    )
    assert done.returncode == 1
    assert "pip install torch stable-baselines3" in done.stderr


@pytest.mark.slow
def test_ccxt_bot(tmp_path: Path) -> None:
    pytest.importorskip("ccxt")
    pytest.importorskip("uvicorn")
    shown = _run(tmp_path, "12_ccxt_bot.py", "6", "10")
    fills, makers = map(int, re.search(r"^(\d+) fills, (\d+) of them as maker; fees", shown, re.MULTILINE).groups())  # type: ignore[union-attr]
    assert fills >= makers
    assert re.search(r"^earned [+-]\d+\.\d\d USD on \d+ traded$", shown, re.MULTILINE)
    assert (tmp_path / "out" / "ccxt_bot" / "journal.jsonl").is_file()


@pytest.mark.slow
def test_freqtrade_loop(tmp_path: Path) -> None:
    pytest.importorskip("ccxt")
    pytest.importorskip("uvicorn")
    shown = _run(tmp_path, "13_freqtrade_loop.py", "8", "20")
    trades = [float(gain) for gain in re.findall(r"^ *([+-]\d+\.\d\d) USD, (?:signal|stop loss)$", shown, re.MULTILINE)]
    count, gain = re.search(r"^(\d+) trades, ([+-][\d.]+) USD before [\d.]+ USD of fees$", shown, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert len(trades) == int(count)
    assert sum(trades) == pytest.approx(float(gain), abs=0.011 * (len(trades) + 1))


@pytest.mark.slow
def test_rules(tmp_path: Path) -> None:
    shown = _run(tmp_path, "15_rules.py", "mine", "6min")
    assert re.search(r"^ *[\d.]+ s  signal  (?:long|short) \d+ ABC at [\d.]+: (?:rsi|close)", shown, re.MULTILINE)
    assert re.search(
        r"^ *[\d.]+ s  exit    (?:target|stop-loss|trailing stop|breakeven stop|close) ", shown, re.MULTILINE
    )
    for name in ("crossing", "dip_buyer", "mine", "rsi_bollinger_volume", "rsi_ichimoku", "rsi_or_bollinger"):
        assert re.search(rf"^{name} +\d+ ", shown, re.MULTILINE)
    assert _is_picture(tmp_path / "out" / "rules.png")


@pytest.mark.slow
def test_optimize(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    shown = _run(tmp_path, "17_optimize.py", "6", "2", "30s")
    assert re.search(r"^6 trials, \d+ of them given up early$", shown, re.MULTILINE)
    assert re.search(r"^ +base .*False$", shown, re.MULTILINE)
    assert (tmp_path / "best.yaml").read_text(encoding="utf-8").startswith("# The best of 6 trials")
    assert (tmp_path / "desk.html").stat().st_size > 50_000


@pytest.mark.slow
def test_sweep(tmp_path: Path) -> None:
    shown = _run(tmp_path, "16_sweep.py", "2min", "2", "out")
    rows = re.findall(r"^ *\d+ +[\d.]+ +2 +[\d.]+ +", shown, re.MULTILINE)
    assert len(rows) == 12
    assert (tmp_path / "out" / "report.html").exists()
    assert len((tmp_path / "out" / "runs.jsonl").read_text(encoding="utf-8").splitlines()) == 24


# --- the pictures ---


@pytest.mark.slow
def test_the_pictures_of_the_pages_can_be_made(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_images.py"), str(tmp_path / "images"), "30s"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))},
    )
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "images").iterdir() if _is_picture(path)}
    (told,) = re.findall(r"^ELSEWHERE = {(.*)}$", _source_of_pictures(), re.MULTILINE)
    elsewhere = re.findall(r'"([\w.]+)": "([\w./]+)"', told)
    assert all((ROOT / maker).exists() for _, maker in elsewhere)
    assert made | {name for name, _ in elsewhere} == {path.name for path in (ROOT / "docs" / "images").iterdir()}


def _source_of_pictures() -> str:
    return (ROOT / "docs" / "make_images.py").read_text(encoding="utf-8")


def test_the_site_can_be_built(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial.html").exists()
    assert not list((tmp_path / "site").rglob("*.py"))
