"""The page about scenario files says what is so: its files load, its messages and outputs are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketsim.errors import ScenarioError
from marketsim.scenario.loader import check

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
FILES = {text.partition("\n")[0].removeprefix("# "): text for language, text in BLOCKS if language == "yaml"}
PYTHON = [text for language, text in BLOCKS if language == "python"]
TEXTS = [text for language, text in BLOCKS if language == "text"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_what_these_tests_read() -> None:
    assert list(FILES) == ["market.yaml", "calm.yaml"]
    assert len(TEXTS) == 4
    assert len(PYTHON) == 2


def test_mistakes_are_told_as_the_page_says(folder: Path) -> None:
    text = FILES["market.yaml"].replace("    rate:", "    rat:").replace("count: 300", "count: 3oo")
    (folder / "market.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        check("market.yaml")
    assert f"{caught.value}\n" == TEXTS[0]


def test_the_files_are_right(folder: Path) -> None:
    market, calm = check(folder / "market.yaml"), check(folder / "calm.yaml")
    assert [len(agent.names(name)) for name, agent in market.agents.items()] == [10, 300]
    assert (calm.agents["informed"].type, calm.agents["noise"].count, dict(calm.feeds)) == ("momentum", 100, {})


@pytest.mark.usefixtures("folder")
def test_the_overrides_can_be_given() -> None:
    changed = check("market.yaml", TEXTS[2].splitlines())
    assert (changed.agents["noise"].count, changed.agents["extra"].type) == (50, "noise")
    assert changed.network.latency.arguments() == {"latency": "1ms"}


@pytest.mark.usefixtures("folder")
def test_the_python_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    for code, told in zip(PYTHON, (TEXTS[1], TEXTS[3]), strict=True):
        exec(compile(code, "scenarios.md", "exec"), {})
        assert capsys.readouterr().out == told
