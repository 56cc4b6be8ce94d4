"""Run one page of documentation in the present folder, and write down what each of its blocks printed.

    python run_page.py PAGE RESULTS

It is the reader: Python blocks share this process's ``__main__``, files are written, commands are given to a shell.
The code keeps the page's line numbers, so that a traceback points into the page.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pages import Block, Command, blocks_of, commands_of

# Commands that are for the reader's machine. The first two are run by .ci/run, the benchmarks beside it.
NOT_RUN = (
    r"python3 start\.py test",
    r"python3 start\.py run quickstart",
    r"python3? -m benchmarks(\.\w+)?",
    r"git clone .*|cd marketsim|sudo apt install .*|pip install .*|source \.venv/bin/activate",
    r"(mkdocs|jupyter|pre-commit) .*",
    r"python3? examples/\w+\.py.*",  # tests/examples/test_examples.py runs them all
    r".* --open",
)


def main(page: Path, results: Path) -> None:
    """Run the blocks until one fails."""
    text = page.read_text(encoding="utf-8")
    code = Path(f"{page.stem.replace('-', '_')}_page.py").resolve()
    outcomes: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None
    sys.argv = [str(code)]
    sys.path.insert(0, str(Path.cwd()))
    for block in blocks_of(text):
        if block.file:
            path = Path(block.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            last = None
        elif block.language == "python":
            last = _python(block, code)
            outcomes.append(last)
        elif block.language == "console":
            outcomes.extend(_console(command) for command in commands_of(block))
            last = None
        elif block.language == "text" and block.follows and last is not None:
            last.update(promised=block.text, output_line=block.line)
            last = None
        results.write_text(json.dumps(outcomes), encoding="utf-8")
        if any(outcome["failed"] for outcome in outcomes):
            return


def _python(block: Block, code: Path) -> dict[str, Any]:
    """Run a block. The file has the page's lines, which inspect and the compiler's cache look into."""
    source = "\n" * (block.line - 1) + block.text
    lines = code.read_text(encoding="utf-8") if code.exists() else ""
    code.write_text(lines + "\n" * (block.line - 1 - lines.count("\n")) + block.text, encoding="utf-8")
    printed, failed = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, str(code), "exec"), sys.modules["__main__"].__dict__)
        except Exception:  # noqa: BLE001 - whatever the page's code raises
            failed = traceback.format_exc()
    return {"line": block.line, "what": "python", "got": printed.getvalue(), "failed": failed}


def _console(command: Command) -> dict[str, Any]:
    outcome = {"line": command.line, "what": command.words, "got": "", "failed": "", "promised": command.output}
    if any(re.fullmatch(pattern, command.words) for pattern in NOT_RUN):
        return {**outcome, "what": "not run"}
    words = shlex.split(command.words)
    if words[0] == "python3":
        words[0] = sys.executable
    elif words[0] == "marketsim":
        words[:1] = [sys.executable, "-m", "marketsim"]
    else:
        return {**outcome, "failed": f"{words[0]}: not a command that pages may use; see NOT_RUN in run_page.py"}
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8")
    said = done.stdout + done.stderr if done.returncode else done.stdout  # else stderr holds progress only
    may_fail = done.returncode in (1, 2) and bool(command.output.strip()) and "Traceback" not in said
    outcome["got"] = said
    if done.returncode and not may_fail:
        outcome["failed"] = f"exit status {done.returncode}\n{said}"
    return outcome


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
