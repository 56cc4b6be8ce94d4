"""A recorded day through the real matching core, compared row by row; then a market maker trades inside it.

    python3 examples/07_recorded_day.py [MESSAGE_FILE] [DURATION] [FOLDER]

The file is a LOBSTER message file, with its orderbook file beside it; MARKETSIM_DATA or ../shared/data is looked into
when none is named. Pictures of recorded data are yours alone: mind their licence.
"""

import sys
from pathlib import Path

import marketsim as ms
from marketsim.data import Tape, find_data, read_lobster
from marketsim.domain.units import format_time
from marketsim.replay import replay


def find_day() -> Path | None:
    """The first LOBSTER day with more than one level of the book in the folder of recorded data."""
    folder = find_data("lobster")
    days = sorted(folder.glob("*_message_*.csv*")) if folder else []
    return next((day for day in days if not day.stem.removesuffix(".csv").endswith("_1")), None)


def trade_inside(day: Path, tape: Tape, duration: str) -> ms.Run:
    """A market maker and a crowd of takers in the middle of the recorded order flow, from an hour after the open."""
    start = tape.start + 3_600_000_000_000
    sim = ms.Simulation(seed=1, duration=duration, start=start, name=f"inside {tape.instrument.symbol}")
    sim.add_venue("REPLAY", [tape.instrument], maker_fee="-0.1bps", taker_fee="0.3bps")
    sim.add_agent(ms.agents.Replay(path=str(day)), "recorded", latency=0)
    maker = ms.agents.MarketMaker(quantity=100, target_spread=0.05, max_position=1000)
    sim.add_agent(maker, "mm", latency="200us", computation="10us")
    print(f"\ntrading inside the day from {format_time(start)[:8]}, for {duration}")
    return sim.run()


def main(file: str = "", duration: str = "5min", folder: str = "out") -> None:
    """Replay, compare, trade."""
    day = Path(file) if file else find_day()
    if day is None:
        print("no recorded day here: name a LOBSTER message file (its free samples will do), or set MARKETSIM_DATA")
        return
    tape = read_lobster(day)
    report = replay(tape)
    print(report)

    run = trade_inside(day, tape, duration)
    books = ms.analysis.accounts(run)
    print(books.table[["orders", "fills", "volume", "maker_share", "position", "pnl"]].round(2).to_string())
    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "inside.png"
    ms.analysis.figures.inventory(run, ["mm"], books=books).savefig(picture, dpi=120)
    print(f"what the market maker held: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
