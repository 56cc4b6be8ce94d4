"""No skip is silent: every skipped test is listed with its reason, by one process and by workers alike."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from copies import ROOT, attempt

MODULE = 'import pytest\npytest.importorskip("no_such_library")\n\ndef test_lost():\n    pass\n'
TESTS = """
import pytest

@pytest.mark.parametrize("level", [1, 2])
def test_recorded(level):
    pytest.skip("recorded data is missing: set MARKETSIM_DATA")

@pytest.mark.skip(reason="needs a screen")
def test_drawn():
    pass

def test_runs():
    pass
"""
EXPECTED = [
    "test_module.py: could not import 'no_such_library': No module named 'no_such_library'",
    "test_some.py::test_drawn: needs a screen",
    "test_some.py::test_recorded[1]: recorded data is missing: set MARKETSIM_DATA",
    "test_some.py::test_recorded[2]: recorded data is missing: set MARKETSIM_DATA",
]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_every_skip_is_told_with_its_reason(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (tmp_path / "test_module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    told = tmp_path / "told"
    done = attempt(sys.executable, "-m", "pytest", "-n", workers, cwd=tmp_path, MARKETSIM_SKIPS_TO=str(told))
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert told.read_text(encoding="utf-8").splitlines() == EXPECTED
    assert "needs a screen\n    test_some.py::test_drawn\n" in done.stdout
