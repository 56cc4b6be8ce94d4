"""Run marketsim from a fresh copy of the repository, with nothing but Python 3.11 or newer.

    python3 start.py run quickstart     any words are handed to the marketsim command
    python3 start.py test               run the fast tests; more words are handed to pytest

The first call makes a virtual environment in .venv and installs marketsim and its libraries there; later calls start
at once. When pyproject.toml changes, the installation is brought up to date. Nothing outside .venv is touched: delete
that folder and all of it is gone. This file never imports marketsim and needs only the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
MARKETSIM = BIN / ("marketsim.exe" if os.name == "nt" else "marketsim")
STAMP = VENV / "marketsim-installed.json"
LOG = VENV / "marketsim-install.log"
OLDEST = (3, 11)
FAST_TESTS = ("-n", "2", "--dist", "worksteal", "-m", "not slow and not statistical")


class Stop(Exception):
    """What the user has to know before anything can go on."""


def main(words: list[str]) -> int:
    """Install what the words need and hand over to it."""
    try:
        check_python()
        if words[:1] == ["test"]:
            install("dev")
            warm()
            os.chdir(ROOT)
            return hand_over([str(PYTHON), "-m", "pytest", *FAST_TESTS, *words[1:]])
        install("serve" if words[:1] == ["serve"] else "")
        return hand_over([str(MARKETSIM), *words])
    except Stop as stop:
        say(str(stop))
        return 1
    except KeyboardInterrupt:
        say("\nstopped; the same command goes on from here")
        return 130


def check_python() -> None:
    """Refuse a Python that is too old, and name one that is not if there is one."""
    if sys.version_info >= OLDEST:
        return
    names = ["python3.%d" % minor for minor in range(14, OLDEST[1] - 1, -1)]
    newer = next((name for name in names if shutil.which(name)), None)
    repair = "run: %s start.py ..." % newer if newer else "install one from https://www.python.org or your system"
    raise Stop(
        "marketsim needs Python %d.%d or newer; this is %s (%s)\n%s"
        % (*OLDEST, sys.version.split()[0], sys.executable, repair)
    )


def install(extra: str = "") -> None:
    """Bring .venv to what pyproject.toml asks for; at once when that has been done before."""
    stamp = read_stamp()
    current = stamp.get("fingerprint") == fingerprint()
    extras = set(stamp.get("extras", ()))
    if current and MARKETSIM.exists() and (not extra or extra in extras):
        return
    make_environment()
    extras |= {extra} if extra else set()
    target = ".[%s]" % ",".join(sorted(extras)) if extras else "."
    what = {
        "dev": "marketsim, its libraries and the test tools",
        "serve": "marketsim, its libraries and the server",
    }.get(extra, "marketsim and its libraries")
    say("installing %s into .venv (once; a minute or two, about 1 GB)" % what)
    STAMP.unlink(missing_ok=True)
    run_pip(["install", "--editable", target])
    STAMP.write_text(json.dumps({"fingerprint": fingerprint(), "extras": sorted(extras)}), encoding="utf-8")


def read_stamp() -> dict[str, Any]:
    """What was installed last; nothing if that cannot be told."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def fingerprint() -> str:
    """A hash of all that an installation depends on: its description, its place and its interpreter."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "setup.py"):
        digest.update((ROOT / name).read_bytes())
    digest.update(os.fsencode(ROOT))
    digest.update(os.fsencode(os.path.realpath(PYTHON)))
    return digest.hexdigest()


def make_environment() -> None:
    """A virtual environment with pip in .venv; one that works is kept."""
    if runs("import sys; sys.exit(sys.version_info < %r)" % (OLDEST,)):
        if not runs("import pip"):
            say("adding pip to .venv")
            quietly([str(PYTHON), "-m", "ensurepip"], "pip cannot be added to .venv; delete .venv and retry")
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        raise Stop("%s is there and is not a Python environment; move it away and retry" % VENV)
    check_venv_module()
    say("making a Python environment in .venv (Python %s)" % sys.version.split()[0])
    quietly([sys.executable, "-m", "venv", "--clear", str(VENV)], "the environment cannot be made; " + venv_repair())


def check_venv_module() -> None:
    """Debian and its kin ship Python without what makes environments."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Stop("this Python (%s) cannot make environments; %s" % (sys.executable, venv_repair())) from None


def venv_repair() -> str:
    """The command that most likely adds the missing part."""
    if shutil.which("apt"):
        return "install the missing part and retry:\n    sudo apt install python3-venv"
    return "install your system's package for Python's venv and ensurepip modules and retry"


def runs(code: str) -> bool:
    """Whether the environment's Python exists and runs the code without an error."""
    try:
        return subprocess.run([str(PYTHON), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def quietly(command: list[str], complaint: str) -> None:
    """Run a command and show what it printed only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Stop("%s\n%s" % (done.stdout.decode(errors="replace").strip(), complaint))


def run_pip(words: list[str]) -> None:
    """Run the environment's pip, show that it moves, keep all it says in a log."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    lines = []
    progress = Progress()
    with LOG.open("wb") as log:
        pip = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with pip:
            for raw in pip.stdout or ():
                log.write(raw)
                lines.append(raw.decode(errors="replace").rstrip())
                progress.see(lines[-1])
    progress.end()
    if pip.returncode:
        shown = [line for line in lines if "ERROR" in line] or lines[-10:]
        raise Stop("%s\nthe installation failed; all of it is in %s" % ("\n".join(shown), LOG))


class Progress:
    """Shows what pip is at: on a terminal in one line, elsewhere a line every ten seconds."""

    def __init__(self) -> None:
        self.start = self.shown = monotonic()
        self.live = sys.stderr.isatty()

    def see(self, line: str) -> None:
        """Look at a line that pip printed and show it if it tells how far pip is."""
        step = self._step(line)
        now = monotonic()
        if step and self.live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + ("  %3.0f s  %s" % (now - self.start, step))[:width].ljust(width))
            sys.stderr.flush()
        elif step and (now - self.shown > 10 or step.startswith("unpacking")):
            self.shown = now
            say("  %3.0f s  %s" % (now - self.start, step))

    def end(self) -> None:
        """Leave the line and say how long it took."""
        if self.live:
            sys.stderr.write("\n")
        say("  %3.0f s  done" % (monotonic() - self.start))

    @staticmethod
    def _step(line: str) -> str:
        words = line.split()
        if len(words) < 2:
            return ""
        if words[0] == "Collecting":
            return "looking for " + words[1]
        if words[0] == "Downloading":
            return "downloading " + words[1].rpartition("/")[2] + " " + " ".join(words[2:])
        if words[0] == "Building":
            return "building " + " ".join(words[3:] or words[1:])
        if line.startswith("Installing collected packages"):
            return "unpacking %d packages" % len(line.split(","))
        return ""


def warm() -> None:
    """Compile the market once, so that the test workers load it instead of compiling it side by side."""
    script = ROOT / "tests" / "warm.py"
    if script.exists():
        subprocess.run([str(PYTHON), str(script)], cwd=ROOT, check=False)


def hand_over(command: list[str]) -> int:
    """Become the command; where a process cannot, wait for it and leave Ctrl-C to it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def say(text: str) -> None:
    """Tell the user; standard output belongs to the command."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
