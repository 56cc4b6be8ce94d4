"""Feed every decoder and command with hostile input, and tell what was found.

    python -m tests.fuzz --inputs 1000000 --seed 7           a campaign; exit status 1 when there are findings
    python -m tests.fuzz --seed 7 --target texts --case 12   one case again, in this process

Each target runs in a process of its own, so that a crash or an endless loop in compiled code is a finding like others.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from tests.fuzz.campaign import Finding, play
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import feed

PATIENCE = 90  # seconds without a finished case, after which a target hangs
PROGRESS = 10  # seconds between two reports


@dataclass
class Worker:
    """A target's process and what is known of it."""

    name: str
    wanted: int
    process: Any
    counts: Any  # cases, inputs
    told: Any  # findings
    begun: float
    moved: float
    seen: int = -1
    seconds: float = 0.0


def main() -> int:
    """The command."""
    options = _options()
    from marketsim.simulation import warm

    warm()
    if options.case is not None:
        return _again(options.target[0], options.seed, options.case)
    print(f"seed {options.seed}, {options.inputs:,} inputs", flush=True)
    begun = monotonic()
    findings, inputs = [], 0
    for worker, found in _campaign(options.target, options.seed, options.inputs, options.jobs):
        inputs += worker.counts[1]
        rate = worker.counts[1] / max(worker.seconds, 1e-9)
        print(f"{worker.name:10} {worker.counts[1]:>9,} inputs, {worker.counts[0]:>7,} cases, {worker.seconds:6.1f} s, "
              f"{rate:>7,.0f} a second, {len(found)} findings", flush=True)  # fmt: skip
        findings += found
    seconds = monotonic() - begun
    for finding in findings:
        print(f"\n{finding}")
    print(f"\nseed {options.seed}: {inputs:,} inputs in {seconds:.0f} s, {inputs / seconds:,.0f} a second, "
          f"{len(findings)} findings")  # fmt: skip
    return 1 if findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many over all targets")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only these; all by default")
    parser.add_argument("--case", type=int, help="one case of one target again")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    options = parser.parse_args()
    if options.case is not None and len(options.target or ()) != 1:
        parser.error("--case needs the --target that it is of")
    options.target = options.target or list(TARGETS)
    return options


def _again(name: str, seed: int, case: int) -> int:
    inputs, finding = play(name, TARGETS[name][0], seed, case, whole=True)
    print(finding or f"{name}, case {case} of seed {seed}: {inputs} inputs, nothing found")
    return 1 if finding else 0


def _campaign(names: list[str], seed: int, inputs: int, jobs: int) -> Iterator[tuple[Worker, list[Finding]]]:
    """Each target when it is done, with its findings."""
    total = sum(TARGETS[name][1] for name in names)
    waiting = [(name, -(-inputs * TARGETS[name][1] // total)) for name in names]
    running: list[Worker] = []
    reported = monotonic()
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_started(*waiting.pop(0), seed))
        sleep(0.05)
        for worker in list(running):
            hangs = _hangs(worker)
            if hangs:
                worker.process.kill()
            if hangs or not worker.process.is_alive():
                running.remove(worker)
                worker.process.join()
                worker.seconds = monotonic() - worker.begun
                yield worker, _findings(worker, seed, hangs)
        if monotonic() - reported > PROGRESS:
            reported = monotonic()
            done = ", ".join(f"{worker.name} {worker.counts[1]:,} of {worker.wanted:,}" for worker in running)
            print(f"  … {done}", flush=True)


def _started(name: str, wanted: int, seed: int) -> Worker:
    context = multiprocessing.get_context("spawn")
    counts, told = context.Array("q", 2), context.SimpleQueue()
    process = context.Process(target=feed, args=(name, seed, wanted, counts, told), daemon=True)
    process.start()
    return Worker(name, wanted, process, counts, told, monotonic(), monotonic())


def _hangs(worker: Worker) -> bool:
    if worker.counts[0] != worker.seen:
        worker.seen, worker.moved = worker.counts[0], monotonic()
    return bool(monotonic() - worker.moved > PATIENCE)


def _findings(worker: Worker, seed: int, hangs: bool) -> list[Finding]:
    found = []
    while not worker.told.empty():
        found.append(worker.told.get())
    if hangs or worker.process.exitcode:
        how = f"hangs: {PATIENCE} s" if hangs else f"the process ended with {worker.process.exitcode}"
        found.append(Finding(worker.name, seed, worker.counts[0], how, how, "    play it again to see them"))
    return found


if __name__ == "__main__":
    sys.exit(main())
