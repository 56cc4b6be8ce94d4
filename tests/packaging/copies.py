"""Copies of the repository, what is built from them, and environments to install that into. No network is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BESIDE = ("agents", "analysis", "scenarios")
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*cache", ".*_cache", ".hypothesis", ".benchmarks", "*.egg-info", "build", "dist",
    "runs", "site", "*.pyc",
)  # fmt: skip


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed; what it printed is the message if it does not."""
    done = attempt(*command, cwd=cwd, **environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def attempt(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail, away from the variables that pytest and its plugins set."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=inherited | environment, capture_output=True, text=True
    )


def copy_repository(target: Path, links: str, origin: Path = ROOT) -> Path:
    """A copy whose links to the rooms beside the package are "kept", "missing" or "text" (as git does on Windows)."""
    shutil.copytree(origin, target, symlinks=True, ignore=_LEFT_OUT)
    for room in BESIDE:
        link = target / "marketsim" / room
        if links == "kept":
            if not link.is_symlink():
                pytest.skip("this checkout has no symlinks")
            continue
        link.unlink(missing_ok=True)
        if links == "text":
            link.write_text(f"../{room}", encoding="utf-8")
    return target


def build_tools(folder: Path) -> Path:
    """A folder for PYTHONPATH with the running environment's setuptools and nothing else of it."""
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).glob("setuptools*"):
        (folder / entry.name).symlink_to(entry)
    return folder


class Environment:
    """A fresh virtual environment that sees the libraries of the running one, but nothing installed as editable."""

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
        self.folder = folder
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / "python"
        found = run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
        self.site = Path(found.stdout.strip())
        (self.site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def install(self, *words: object) -> None:
        """Install with pip, offline and without libraries."""
        run(
            sys.executable, "-m", "pip", "--python", self.python, "install", "-q", "--no-index", "--no-deps",
            "--no-build-isolation", "--ignore-installed", *words, cwd=self.folder,
        )  # fmt: skip

    def tell(self, code: str) -> str:
        """What a Python program prints there, started in a folder that holds nothing."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        return run(self.python, "-c", code, cwd=elsewhere).stdout.strip()


def build(kind: str, source: Path, target: Path) -> Path:
    """Build a "wheel" or an "sdist" with the installed tools; its path."""
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "-o", target, source, cwd=source)
    (made,) = target.iterdir()
    return made


def unpacked(archive: Path, target: Path) -> Path:
    """The one folder that a source archive holds."""
    shutil.unpack_archive(archive, target)
    (top,) = target.iterdir()
    return top
