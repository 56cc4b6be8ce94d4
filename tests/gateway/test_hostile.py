"""Bad input of every kind against a gateway that serves good clients meanwhile: refused or cut off, nobody disturbed.

The campaign by hand: ``python -m tests.gateway.hostile``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from marketsim.experiment.verification import verify
from tests.gateway import hostile, served
from tests.gateway.good import BookKeeper, HttpTrader, SocketTrader, metrics
from tests.gateway.wire import run

SEED = 2026
INPUTS = os.environ.get("MARKETSIM_BAD_INPUTS", "100000")
ROOT = Path(__file__).parents[2]
Campaign = Callable[[], Coroutine[Any, Any, hostile.Report]]


async def beside_good_clients(server: served.Served, campaign: Campaign, patience: float) -> hostile.Report:
    """A campaign while good clients trade; patience: seconds that one of their answers may take."""
    over = asyncio.Event()
    http, socket = HttpTrader(server.url, *server.keys["alice"]), SocketTrader(server.url, *server.keys["bob"])
    keeper = BookKeeper(server.url)
    good = [asyncio.create_task(each) for each in (http.trade(over), socket.trade(over))]
    still = asyncio.create_task(keeper.keep(over))
    fighting = asyncio.create_task(campaign())
    done, _ = await asyncio.wait((fighting, *good, still), return_when=asyncio.FIRST_COMPLETED)
    for task in done - {fighting}:
        await task  # a good client that gave up says why
    report = await fighting
    over.set()
    await asyncio.gather(*good, still)
    await _calm(server.url)
    waits = sorted(http.waits + socket.waits)
    assert len(waits) > 20
    assert keeper.updates > 3
    assert waits[-1] < patience, waits[-5:]
    report.statuses["good answers"] = len(waits)
    report.statuses["good answers, slowest in ms"] = int(1000 * waits[-1])
    report.statuses["good answers, median in ms"] = int(1000 * waits[len(waits) // 2])
    return report


async def _calm(url: str) -> None:
    """Wait until nothing is left of those who have gone."""
    found: dict[str, float] = {}
    for _ in range(100):
        told = await metrics(url)
        found = {name: told[f"marketsim_{name}"] for name in ("streams", "connections", "waiting_requests")}
        if not any(found.values()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"what stays behind: {found}")


def _refused_or_cut_off(report: hostile.Report, server: served.Served, least: int) -> None:
    print(report.total, report.inputs, report.statuses, f"{report.seconds:.1f} s")
    assert not report.findings, "\n\n".join(report.findings)
    assert not server.log(), "\n".join(server.log()[:40])
    assert sum(report.inputs[name] for name in hostile.ATTACKS) >= least
    assert all(report.inputs[name] for name in hostile.ATTACKS)


def test_two_thousand_bad_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with served.on_a_thread(folder) as server:
        fight = lambda: hostile.campaign(server.url, server.keys, SEED, 2_000, crowd=0.2, hands=12)  # noqa: E731
        report = run(beside_good_clients(server, fight, patience=5.0))
    _refused_or_cut_off(report, server, 2_000)
    assert verify(folder).equal


@pytest.mark.slow
def test_a_hundred_thousand_bad_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with served.in_a_process(folder) as server:
        process = psutil.Process(server.pid)
        run(metrics(server.url))
        files, memory = process.num_fds(), process.memory_info().rss
        report = run(beside_good_clients(server, lambda: _elsewhere(server, tmp_path), patience=5.0))
        told = run(metrics(server.url))
        time.sleep(0.5)
        grown = (process.memory_info().rss - memory) >> 20
        print(f"memory +{grown} MiB, files {files} to {process.num_fds()}")
        assert process.num_fds() <= files + 5
        assert grown < 250
    _refused_or_cut_off(report, server, 100_000)
    late = told["marketsim_clock_lag_seconds_count"] - told['marketsim_clock_lag_seconds_bucket{le="1.0"}']
    print({name: value for name, value in told.items() if "clock_lag" in name or "cut_total" in name})
    assert late == 0
    assert verify(folder).equal


async def _elsewhere(server: served.Served, place: Path) -> hostile.Report:
    """The same campaign in a process of its own, so that it holds up nobody here."""
    keys = place / "keys.json"
    keys.write_text(json.dumps(server.keys))
    command = [
        sys.executable,
        "-m",
        "tests.gateway.hostile",
        server.url,
        str(keys),
        "--seed",
        str(SEED),
        "--inputs",
        INPUTS,
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    out, _ = await process.communicate()
    told = json.loads(out)
    report = hostile.Report(SEED, findings=told["findings"], seconds=told["seconds"])
    report.inputs.update(told["inputs"])
    report.statuses.update(told["statuses"])
    return report


def test_who_asks_too_much_is_banned_and_nobody_else(tmp_path: Path) -> None:
    async def fight() -> hostile.Report:
        report = hostile.Report(SEED)
        enemy = hostile.Enemy(server.url, server.keys, Random(SEED), report, source="127.0.0.2")
        while not report.statuses["requests 418"]:
            report.inputs["requests"] += await hostile.attack_requests(enemy)
        return report

    with served.on_a_thread(tmp_path / "run", limits="REQUEST_WEIGHT=600/1m ORDERS=off") as server:
        report = run(_traded_meanwhile(server, fight))
    assert not report.findings
    assert report.statuses["requests 429"]
    assert not server.log()


async def _traded_meanwhile(server: served.Served, fight: Campaign) -> hostile.Report:
    over = asyncio.Event()
    trader = SocketTrader(server.url, *server.keys["alice"])
    trading = asyncio.create_task(trader.trade(over, pause=0.2))
    report = await fight()
    over.set()
    await trading
    return report
