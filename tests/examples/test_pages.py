"""What the documentation says is so: every block of code runs, every output shown is the real one.

After a change that alters outputs on purpose, let the pages be written anew and look at the difference:

    MARKETSIM_WRITE_PAGES=1 python -m pytest tests/examples/test_pages.py
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, blocks_of, commands_of, pages, same, tidy

WRITE = bool(os.environ.get("MARKETSIM_WRITE_PAGES"))
RUN = Path(__file__).with_name("run_page.py")
_NEEDS = {
    "docs/calibration.md": "optuna",
    "docs/gateway.md": "ccxt",
    "docs/gym.md": "pettingzoo",
    "docs/live-sessions.md": "uvicorn",
    "docs/mesa.md": "mesa",
    "docs/optimizing.md": "optuna",
    "docs/same-strategy.md": "uvicorn",
}
_READS = {
    "docs/measures.md": "lobster",
    "docs/replay.md": "lobster",
}  # folder of recorded data whose files lie where the page runs
# All other pages are left to .ci/run, so that the fast tests take minutes.
_FAST = {"README.md", "docs/index.md", "docs/custom-agents.md", "docs/market-data.md", "docs/order-book.md"}
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _runs_something(page: Path) -> bool:
    return any(b.language in ("python", "console") and not b.file for b in blocks_of(page.read_text(encoding="utf-8")))


def _run(page: Path, folder: Path) -> list[dict[str, Any]]:
    results = folder / "results.json"
    (folder / "place").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(RUN), str(page), str(results)],
        cwd=folder / "place",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
            "PYTHONIOENCODING": "utf-8",
            "MPLBACKEND": "Agg",
            "NO_COLOR": "1",
        },
    )
    assert results.exists(), done.stderr
    assert done.returncode == 0, done.stderr
    outcomes: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return outcomes


def _run_pages() -> list[Any]:
    run = [page for page in pages() if _runs_something(page)]
    return [
        pytest.param(page, marks=[] if _name(page) in _FAST else [pytest.mark.slow], id=_name(page)) for page in run
    ]


@pytest.mark.parametrize("page", _run_pages())
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    if _name(page) in _NEEDS:
        pytest.importorskip(_NEEDS[_name(page)])
    if _name(page) in _READS:
        _lay_out(_READS[_name(page)], tmp_path / "place")
    outcomes = _run(page, tmp_path)
    for outcome in outcomes:
        where = f"{_name(page)}:{outcome['line']}"
        assert not outcome["failed"], f"{where}: {outcome['what']}\n{outcome['failed']}"
    wrong = [outcome for outcome in outcomes if not _kept(outcome)]
    if WRITE and wrong:
        _write(page, wrong)
    elif wrong:
        told = "\n".join(
            f"{_name(page)}:{o['line']}: {o['what']} printed\n{tidy(o['got'])}\nand not\n{tidy(o['promised'])}"
            for o in wrong
        )
        pytest.fail(f"{told}\n\n(MARKETSIM_WRITE_PAGES=1 writes what is printed into the page)", pytrace=False)


def _lay_out(data: str, place: Path) -> None:
    """Recorded files where the page looks for them; it is skipped where they are missing."""
    from marketsim.data import find_data

    folder = find_data(data)
    if folder is None:
        pytest.skip("no recorded data: set MARKETSIM_DATA")
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).symlink_to(file.resolve())


def _kept(outcome: dict[str, Any]) -> bool:
    """Whether a block printed what the page shows below it; a command may be shown without its output."""
    if outcome["what"] == "not run" or not (outcome.get("promised") or "output_line" in outcome):
        return True
    return same(outcome["promised"], outcome["got"])


def _write(page: Path, wrong: list[dict[str, Any]]) -> None:
    """Put the real outputs into the page, from its end to its beginning so that lines keep their numbers."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for outcome in sorted(wrong, key=lambda o: -int(o["line"])):
        first = outcome["output_line"] - 1 if "output_line" in outcome else outcome["line"]
        count = len(outcome["promised"].splitlines())
        lines[first : first + count] = tidy(outcome["got"]).splitlines()
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for match in _LINK.finditer(text):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{_name(page)}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{_name(page)}: {target}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_commands_name_what_is_there(page: Path) -> None:
    """Also those that the pages only mention."""
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"(?:python3? (?:start\.py test )?)((?:tests|examples|benchmarks|docs)/[\w./-]*)", text):
        assert (ROOT / path).exists(), f"{_name(page)}: {path}"
    for module in re.findall(r"python3? -m (benchmarks[\w.]*)", text):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), f"{_name(page)}: {module}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_sites_contents_name_every_page() -> None:
    import yaml

    class Loader(yaml.SafeLoader):
        """Ours names no Python objects; a tag would be an error."""

    site = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    listed = re.findall(r"[\w./-]+\.md", json.dumps(site["nav"]))
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in pages()[1:]), "each once"


def test_the_front_pages_lead_to_every_page() -> None:
    front = [ROOT / "docs" / name for name in ("index.md", "agents.md")]
    linked = {match["target"].partition("#")[0] for page in front for match in _LINK.finditer(page.read_text("utf-8"))}
    lost = {page.name for page in (ROOT / "docs").glob("*.md")} - linked - {"index.md"}
    assert not lost, "link them from docs/index.md, or from docs/agents.md"


# --- the reader of pages itself ---

PAGE = """\
# A page
```python
# told.py
VALUE = 3
```
Words.
```python
from told import VALUE
print(VALUE)
```

```text
3
```
```console
$ python3 -c "print(5)"
5
```
```python
print(7)
```
```text
8
```
"""


def test_blocks_know_their_kind_and_place() -> None:
    blocks = blocks_of(PAGE)
    assert [(b.language, b.file, b.line, b.follows) for b in blocks] == [
        ("python", "told.py", 3, False),
        ("python", None, 8, False),
        ("text", None, 13, True),
        ("console", None, 16, True),
        ("python", None, 20, True),
        ("text", None, 23, True),
    ]
    assert [(c.words, c.output, c.line) for c in commands_of(blocks[3])] == [('python3 -c "print(5)"', "5\n", 16)]


def test_a_wrong_output_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    outcomes = _run(page, tmp_path)
    assert [same(o["promised"], o["got"]) for o in outcomes] == [True, True, False]
    _write(page, [o for o in outcomes if not same(o["promised"], o["got"])])
    assert page.read_text(encoding="utf-8") == PAGE.replace("\n8\n", "\n7\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```console\n$ rm -r x\n```\n", "not a command that pages may use"),
        ("```console\n$ python3 -c 'raise SystemExit(3)'\n```\n", "exit status 3"),
    ],
)
def test_a_block_that_fails_is_found(tmp_path: Path, text: str, words: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n{text}", encoding="utf-8")
    (outcome,) = _run(page, tmp_path)
    assert words in outcome["failed"]


@pytest.mark.parametrize(
    ("promised", "got", "equal"),
    [
        ("a 1\nb 2\n", "a 1  \nb 2\n\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("a\n...\n", "a\nb\n", True),
        ("took in 1.2 s", "took in 33.0 s", True),
        ("took in 1.2 s", "took 33.0 s", False),
        ("spread 0.01", "gap 0.01", False),
    ],
)
def test_outputs_are_compared_by_what_cannot_differ(promised: str, got: str, equal: bool) -> None:
    assert same(promised, got) is equal
