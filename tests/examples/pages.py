"""Pages of documentation as blocks of code: what is run, what is a file, what output is promised.

- A block whose first line is a comment with a file's name (``# sniper.py``) is that file, written where the page runs.
- ``python`` blocks run in order, in one process and one namespace, as a reader would type them.
- ``console`` blocks: lines that begin with ``$ `` are commands, the lines below them their output; in a block
  without such lines every line is a command.
- A ``text`` block right below a ``python`` block is its output.

It runs nothing itself.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?:#|//|<!--) (?P<name>[\w./-]+\.(?:py|ya?ml|csv|txt))\s*$")
# Output that differs from machine to machine and from run to run.
_VOLATILE = (
    (re.compile(r"\bin [\d.,]+ s\b"), "in # s"),
    (re.compile(r"[\d.,]+ (?=(?:events )?a second)"), "# "),
    (re.compile(r"[\d.,]+ times as fast"), "# times as fast"),
    (re.compile(r"0\.1\.0\.dev0"), "VERSION"),
)
_NUMBER = re.compile(r"\b[0-9a-f]{32}\b|[+−-]?\b\d[\d,.]*")
# Random draws pass through the C library's logarithm; the numbers on the pages are those of one platform.
EXACT = platform.system() == "Linux" and platform.machine() == "x86_64"


@dataclass(frozen=True)
class Block:
    """One block of code. ``line`` is that of its first line of text in the page, from 1."""

    language: str
    text: str
    line: int
    follows: bool  # nothing but blank lines between it and the block before

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it is one."""
        match = _FILE.match(self.text.partition("\n")[0])
        return match["name"] if match else None


@dataclass(frozen=True)
class Command:
    """One command of a console block, the output promised for it, and where that stands in the page."""

    words: str
    output: str
    line: int


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        between = text[end : match.start()]
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(match[1], match[2], line, bool(found) and not between.strip()))
        end = match.end()
    return found


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block."""
    lines = block.text.splitlines()
    if not any(line.startswith("$ ") for line in lines):
        return [Command(line, "", block.line + place) for place, line in enumerate(lines) if line.strip()]
    commands: list[Command] = []
    for place, line in enumerate(lines):
        if line.startswith("$ "):
            commands.append(Command(line[2:], "", block.line + place))
        elif commands:
            last = commands[-1]
            commands[-1] = Command(last.words, f"{last.output}{line}\n", last.line)
    return commands


def same(promised: str, got: str) -> bool:
    """Whether an output is the promised one; ``...`` on a line of its own stands for any lines."""
    parts = [plain(part) for part in re.split(r"^\.\.\.\n?", tidy(promised) + "\n", flags=re.MULTILINE)]
    pattern = r"[\s\S]*?".join(re.escape(part.rstrip("\n")) + (r"\n+" if part.strip() else "") for part in parts)
    return re.fullmatch(pattern, plain(tidy(got) + "\n")) is not None


def plain(text: str) -> str:
    """Without what may differ."""
    for pattern, stands in _VOLATILE:
        text = pattern.sub(stands, text)
    return text if EXACT else re.sub(r"[ ─━]+", " ", _NUMBER.sub("#", text))


def tidy(text: str) -> str:
    """Without blanks at the ends of lines and empty lines at both ends."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
