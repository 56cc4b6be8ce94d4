"""Speed of a replay: a recorded day read, sent through the real core, and compared level by level after every row."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from marketsim.data import find_data, read_lobster
from marketsim.replay import replay, warm


def measure(path: Path, repeats: int = 5) -> dict[str, float]:
    """Best seconds of ``repeats`` for reading and for replaying one day, and its size; compiled before."""
    warm()
    read, played, rows = [], [], 0
    for _ in range(repeats):
        begun = perf_counter()
        tape = read_lobster(path)
        middle = perf_counter()
        report = replay(tape)
        played.append(perf_counter() - middle)
        read.append(middle - begun)
        rows = len(tape)
        assert report.agrees, str(report)
    return {
        "rows": rows,
        "read": min(read),
        "replay": min(played),
        "total": min(map(sum, zip(read, played, strict=True))),
    }


def main() -> None:
    """Print a line for each recorded day that is there."""
    folder = find_data("lobster")
    if folder is None:
        print("no recorded data: set MARKETSIM_DATA or put them into ../shared/data")
        return
    for path in sorted(folder.glob("*_message_*.csv*")):
        found = measure(path)
        print(
            f"{path.name.split('_')[0]}: {found['rows']:,} rows, read {found['read']:.3f} s, replayed and checked "
            f"{found['replay']:.3f} s ({found['rows'] / found['replay'] / 1e6:.1f} million rows/s), "
            f"together {found['total']:.3f} s"
        )


if __name__ == "__main__":
    main()
