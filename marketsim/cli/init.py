"""``marketsim init``: a scenario to begin with, and an agent of one's own in a file beside it."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Annotated

import typer

from marketsim.cli.console import say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Debug
from marketsim.errors import InvalidValueError, StoreError

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = "starter"  # what the templates call themselves


@guarded
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the scenario, such as sniper.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.")] = Path(),
    debug: Debug = False,
) -> None:
    """Write a scenario and an agent to begin with."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidValueError(f'"{name}" cannot name a module: use letters, digits and _, such as my_market')
    files = {folder / f"{name}.yaml": "starter.yaml", folder / f"{name}_agent.py": "starter_agent.py.txt"}
    for path in files:
        if path.exists():
            raise StoreError(f"{path} exists: nothing is overwritten; choose another name or folder")
    for path, template in files.items():
        _write(path, (_TEMPLATES / template).read_text(encoding="utf-8").replace(_NAME, name))
        say(f"written {path}")
    say(f"now run: marketsim run {folder / name}.yaml")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
