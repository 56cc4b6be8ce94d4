"""Break the matching core on purpose, one small mistake at a time, and see that the tests notice each.

    python tests/mutation/mutate_core.py               all mutations; exit status 1 if one survives
    python tests/mutation/mutate_core.py --list        what they are
    python tests/mutation/mutate_core.py --only NAME   some of them
    python tests/mutation/mutate_core.py --tests "tests/exchange/test_rules.py"   how far other tests get alone

Every mutation is a replacement in a copy of the sources; the working tree is never touched. The tests run uncompiled
(NUMBA_DISABLE_JIT=1), so a mutation costs seconds, not a compilation. A mutation whose old text is not found exactly
once is an error: the core was changed, and the mutation must follow it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("__init__.py", "errors.py", "domain", "kernel", "exchange")
TESTS = ("test_tables.py", "test_rules.py", "test_cards.py", "test_twin.py", "test_door.py")
PATIENCE = 60  # seconds at least, and five times what the sound core takes: a mutant may loop for ever


@dataclass(frozen=True)
class Mutation:
    """One mistake: in which file of marketsim/exchange, what is replaced by what, and what is wrong with it."""

    name: str
    file: str
    old: str
    new: str
    mistake: str


def _matching(name: str, old: str, new: str, mistake: str) -> Mutation:
    return Mutation(name, "matching.py", old, new, mistake)


def _ladder(name: str, old: str, new: str, mistake: str) -> Mutation:
    return Mutation(name, "ladder.py", old, new, mistake)


def _core(name: str, old: str, new: str, mistake: str) -> Mutation:
    return Mutation(name, "core.py", old, new, mistake)


PRIORITY = (
    Mutation(
        "last come first served",
        "execution.py",
        "levels_of(core)[best_level(core, opposite)].head)\n    if order.leaves == 0",
        "levels_of(core)[best_level(core, opposite)].tail)\n    if order.leaves == 0",
        "The youngest order of a level trades first.",
    ),
    Mutation(
        "a tick short of the limit",
        "execution.py",
        "best_key(core, opposite) >= limit:",
        "best_key(core, opposite) > limit:",
        "A limit order does not trade at its limit.",
    ),
    Mutation(
        "the aggressor's price",
        "execution.py",
        "    price = levels_of(core)[maker.level].price\n",
        "    price = taker.price if taker.price != 0 else levels_of(core)[maker.level].price\n",
        "Trades happen at the aggressor's limit and not at the resting order's price.",
    ),
    Mutation(
        "too much is traded",
        "execution.py",
        "quantity = min(taker.leaves, maker.leaves)",
        "quantity = taker.leaves",
        "The aggressor takes more than the resting order has.",
    ),
    Mutation(
        "owner and peer exchanged",
        "execution.py",
        "        taker.owner,\n        maker.owner,\n",
        "        maker.owner,\n        taker.owner,\n",
        "A trade's row names the maker as its owner.",
    ),
    Mutation(
        "the maker's rest before the trade",
        "execution.py",
        "price, quantity, maker.leaves - quantity, 0)",
        "price, quantity, maker.leaves, 0)",
        "A trade's row tells what the maker had before.",
    ),
    _ladder(
        "a level's quantity counts what was filled",
        "    at.quantity += order.leaves\n",
        "    at.quantity += order.quantity\n",
        "A partly filled order that rests adds its total to its level.",
    ),
    _ladder(
        "the search is one off",
        "        if rungs[start + middle].key >= key:",
        "        if rungs[start + middle].key > key:",
        "A price deep in the book is not found, and gets a second level.",
    ),
    _ladder(
        "prices without gaps",
        "    if rungs[start + low].key == key:\n        return low\n",
        "    if key == key:\n        return low\n",
        "The first guess of the search is taken for the place of the price.",
    ),
    _ladder(
        "a step too far",
        "        low = high\n        high += step\n",
        "        low = high + 1\n        high += step\n",
        "Galloping over a gap passes the price by.",
    ),
    _ladder(
        "the tail is forgotten",
        "    at.tail = before if behind == 0 else tail\n",
        "    at.tail = tail\n",
        "After the last order of a queue leaves, the next one is linked behind a dead one.",
    ),
    _ladder(
        "a level stays in the middle",
        "    if rungs[side.start + last].level != level:",
        "    if False:",
        "A level that empties away from the touch takes the best one with it.",
    ),
    _ladder(
        "shrinking forgets the level",
        "    order.leaves -= by\n    at.quantity -= by\n",
        "    order.leaves -= by\n",
        "A partly filled order leaves its level's quantity as it was.",
    ),
)

ORDERS = (
    Mutation(
        "fill or kill wants more",
        "execution.py",
        "limit, before) < before:",
        "limit, before) <= before:",
        "An FOK order that could be filled to the last lot is killed.",
    ),
    Mutation(
        "fill or kill looks beyond its limit",
        "execution.py",
        "quantity_within(core, opposite, limit, before)",
        "quantity_within(core, opposite, _LOWEST_KEY, before)",
        "An FOK order counts quantity that it may not take, and fills in part.",
    ),
    _ladder(
        "fill or kill stops a tick early",
        "total < enough and rungs[position].key >= key:\n        total +=",
        "total < enough and rungs[position].key > key:\n        total +=",
        "The level at the limit itself is not counted.",
    ),
    _ladder(
        "fill or kill misses the last level",
        "    while position >= side.start and total < enough and rungs[position].key >= key:\n        total +=",
        "    while position > side.start and total < enough and rungs[position].key >= key:\n        total +=",
        "The level farthest away is not counted.",
    ),
    Mutation(
        "self-trades pass",
        "execution.py",
        "        elif book.guarded != 0 and same_account(core, maker.owner, order.owner):",
        "        elif False:",
        "A participant trades with itself where that is prevented.",
    ),
    Mutation(
        "fill or kill counts its owner's orders",
        "execution.py",
        "                if book.guarded == 0 or not same_account(core, orders[slot].owner, order.owner):",
        "                if True:",
        "An FOK order fills in part, up to an order of its owner.",
    ),
    Mutation(
        "stop orders rest",
        "execution.py",
        "_AT_MARKET = 1 << OrderType.MARKET | 1 << OrderType.STOP | ",
        "_AT_MARKET = 1 << OrderType.MARKET | ",
        "An elected stop order rests at price 0.",
    ),
    Mutation(
        "immediate or cancel rests",
        "execution.py",
        "    elif order.time_in_force == _IOC:",
        "    elif order.time_in_force == _IOC and order.leaves == order.quantity:",
        "The rest of a partly filled IOC order stays on the book.",
    ),
    _matching(
        "post-only may touch",
        "_best_opposite(core, market, side) >= key_of_price",
        "_best_opposite(core, market, side) > key_of_price",
        "A post-only order at the opposite price is taken for harmless, and trades.",
    ),
    _matching(
        "post-only stop-limits",
        "    if flags & _POST_ONLY and (not limit or hidden",
        "    if flags & _POST_ONLY and (hidden",
        "A post-only stop-limit order is accepted, and trades when it is elected.",
    ),
    _matching(
        "expired at birth",
        "(expire <= time) if time_in_force == _GTD",
        "(expire < time) if time_in_force == _GTD",
        "A GTD order that ends now is accepted.",
    ),
    _matching(
        "quantity before session",
        "    if book.phase == _CLOSED:\n"
        "        return _MARKET_CLOSED\n"
        "    if _too_many(core, market, quantity):\n"
        "        return _INVALID_QUANTITY\n",
        "    if _too_many(core, market, quantity):\n"
        "        return _INVALID_QUANTITY\n"
        "    if book.phase == _CLOSED:\n"
        "        return _MARKET_CLOSED\n",
        "Two checks are made in the wrong order.",
    ),
    _matching(
        "the lowest price has no absolute value",
        "    return price > _LARGEST or price < -_LARGEST",
        "    return price > _LARGEST or -_LARGEST > price > -9223372036854775807",
        "The lowest 64-bit number passes as a price.",
    ),
    Mutation(
        "an id lives twice",
        "orders.py",
        "    slots_of(core)[order.order_id] = -1\n    free(core, slot)\n",
        "    slots_of(core)[order.order_id] = 0\n    free(core, slot)\n",
        "The id of an order that is gone can be used again.",
    ),
    _matching(
        "a rejected id is free",
        "if known and slots_of(core)[order_id] == 0:",
        "if False:",
        "The id of a rejected order can be used again.",
    ),
    _matching(
        "an unknown market uses an id",
        "if known and slots_of(core)[order_id] == 0:",
        "if slots_of(core)[order_id] == 0:",
        "An id that went to a market that does not exist counts as used.",
    ),
    _matching(
        "terms only of stops",
        "    if stopped or expire != 0:",
        "    if stopped:",
        "The expire time of a GTD limit order is told to nobody.",
    ),
)

STOPS = (
    Mutation(
        "a stop price is not enough",
        "stops.py",
        "(book.last_price - order.stop_price) * order.side >= 0",
        "(book.last_price - order.stop_price) * order.side > 0",
        "A stop at the last price waits instead of being elected at once.",
    ),
    Mutation(
        "triggered by nothing",
        "stops.py",
        "book.phase == 0 and book.trades > 0 and (book",
        "book.phase == 0 and (book",
        "Before the first trade, a last price of 0 elects stops.",
    ),
    Mutation(
        "beyond the stop price",
        "stops.py",
        "best_key(core, ladder) >= key:",
        "best_key(core, ladder) > key:",
        "A trade at the stop price itself elects nothing.",
    ),
    Mutation(
        "sell stops first",
        "stops.py",
        "    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))\n"
        "    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))\n",
        "    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))\n"
        "    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))\n",
        "One trade elects sell stops before buy stops.",
    ),
    Mutation(
        "last elected first",
        "stops.py",
        "    if core.elected_tail != 0:\n"
        "        orders[core.elected_tail].next = slot\n"
        "    else:\n"
        "        core.elected_head = slot\n"
        "    core.elected_tail = slot\n",
        "    orders[slot].next = core.elected_head\n"
        "    core.elected_head = slot\n"
        "    if core.elected_tail == 0:\n"
        "        core.elected_tail = slot\n",
        "The election queue is a stack.",
    ),
    _matching(
        "a replaced order elects nobody",
        "        _replace_resting(core, slot, new_price, quantity)\n    _conclude(core, market)\n",
        "        _replace_resting(core, slot, new_price, quantity)\n    leave_unsettled(core, market)\n",
        "Stops elected by the trades of a replaced order are left in the queue.",
    ),
)

CANCELS = (
    _matching(
        "nothing left on the book",
        "quantity >= total_open(core, slot):",
        "quantity > total_open(core, slot):",
        "An order canceled to the last lot stays with quantity 0.",
    ),
    _matching(
        "less than nothing left on the book",
        "    if quantity == 0 or quantity >= total_open(core, slot):",
        "    if quantity == 0 or quantity == total_open(core, slot):",
        "A partial cancel of more than is left makes a negative quantity.",
    ),
    Mutation(
        "the total stays",
        "orders.py",
        "    order.quantity -= by\n    left =",
        "    left =",
        "After a partial cancel the order counts the canceled lots as filled.",
    ),
    _matching(
        "anybody may cancel",
        "    if order.owner != owner:\n        return refuse(core, _CANCEL_REJECTED,",
        "    if False:\n        return refuse(core, _CANCEL_REJECTED,",
        "An order is canceled by somebody else.",
    ),
    _matching(
        "a cancel without an answer",
        "        return refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _UNKNOWN_ORDER)",
        "        return 0",
        "The cancel of an order that is gone gets no reply.",
    ),
)

REPLACES = (
    _matching(
        "raised and still in front",
        "(price == order.price and opened <= before)",
        "(price == order.price)",
        "An order that asks for more keeps its place.",
    ),
    _matching(
        "unchanged and sent to the back",
        "(price == order.price and opened <= before)",
        "(price == order.price and opened < before)",
        "A replace that changes nothing costs the place.",
    ),
    _matching(
        "the total taken for the open quantity",
        "    opened = quantity - (order.quantity - before)\n",
        "    opened = quantity\n",
        "What was filled is traded once more.",
    ),
    _matching(
        "replaced to nothing",
        "    if quantity <= order.quantity - total_open(core, slot):",
        "    if quantity < order.quantity - total_open(core, slot):",
        "An order replaced to exactly what was filled stays with quantity 0.",
    ),
    _matching(
        "post-only forgets",
        "    if post_only and order.place != PARKED",
        "    if False and order.place != PARKED",
        "A post-only order is replaced across the book.",
    ),
    _matching(
        "a stop keeps its place with more",
        "    keeps = not moved and opened <= order.leaves",
        "    keeps = not moved",
        "A waiting stop that asks for more keeps its place.",
    ),
    _matching(
        "the new stop price is a secret",
        "    if moved:\n        write_order(core, _TERMS, order, stop_price, 0, order.expire, 0)\n",
        "    if moved:\n",
        "A replaced stop's new stop price is told to nobody.",
    ),
    _matching(
        "kept priority sticks",
        "order.quantity, opened, 0)\n    order.instructions = given\n",
        "order.quantity, opened, 0)\n",
        "The mark of one report stays on the order.",
    ),
    _matching(
        "replaced after hours",
        "    if book.phase == _CLOSED:\n        return refuse(",
        "    if False:\n        return refuse(",
        "A waiting stop is replaced while its market is closed.",
    ),
)

SESSIONS_AND_TABLES = (
    Mutation(
        "the wrong end",
        "phases.py",
        "            end(core, slot, _EXPIRED, _END_OF_SESSION)",
        "            end(core, slot, _CANCELED, _END_OF_SESSION)",
        "DAY orders leave for the reason of GTD orders.",
    ),
    Mutation(
        "no room for the stops' rows",
        "room.py",
        "+ 4 * stops",
        "+ 0 * stops",
        "A cascade writes past the end of the log's chunk.",
    ),
    Mutation(
        "no room for the stops' levels",
        "room.py",
        "    more = 2 + stops",
        "    more = 2",
        "A cascade runs out of levels half-way.",
    ),
    Mutation(
        "levels are never short",
        "room.py",
        "    if core.free_levels < levels:",
        "    if core.free_levels < 0:",
        "A new price takes a level that is not there.",
    ),
    Mutation(
        "a resting order finds no rung",
        "room.py",
        "SHORT_OF_RUNGS if _rungs_short(core, ladder, 1) else 0",
        "0",
        "A side that is full grows into the next ladder.",
    ),
    Mutation(
        "one ladder of stops in its neighbour's room",
        "room.py",
        "first + BUY_STOP, 1) or _rungs_short(",
        "first + BUY_STOP, 1) and _rungs_short(",
        "Stop prices of one side overflow into the next ladder.",
    ),
    _core(
        "a grown ladder forgets its rungs",
        "        self._rungs.rows[end : end + used] = self._rungs.rows[start : start + used]\n",
        "",
        "Prices are lost when a side grows.",
    ),
    _core(
        "log rows are overwritten",
        "            self._kept.append(np.array(full.rows[:used], dtype=EVENT))",
        "            self._kept.append(np.asarray(full.rows[:used]))",
        "The rows of a full chunk are kept as a view of memory that is written again.",
    ),
    _core(
        "minus one is a market",
        "        if not 0 <= number < len(self._books):",
        "        if not number < len(self._books):",
        "close(-1) closes the last market.",
    ),
    _ladder(
        "a removal is not noted",
        "    side.quantity -= order.leaves\n    touch(core, ladder, at.price)\n",
        "    side.quantity -= order.leaves\n",
        "The market data feed does not learn of orders that leave.",
    ),
)

MUTATIONS = PRIORITY + ORDERS + STOPS + CANCELS + REPLACES + SESSIONS_AND_TABLES


class Workshop:
    """A copy of what the core and its tests need, in which one file at a time is broken."""

    def __init__(self, folder: Path, tests: list[str]) -> None:
        self.folder = folder
        self.tests = tests
        self.patience: float | None = None
        (folder / "marketsim").mkdir()
        for room in ROOMS:
            source, target = ROOT / "marketsim" / room, folder / "marketsim" / room
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        shutil.copytree(
            ROOT / "tests" / "exchange", folder / "tests" / "exchange", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
        shutil.copy(ROOT / "pyproject.toml", folder)

    def try_out(self, mutation: Mutation) -> str:
        """Which test caught it; "" when none did."""
        path = self.folder / "marketsim" / "exchange" / mutation.file
        sound = path.read_text(encoding="utf-8")
        path.write_text(mutated(sound, mutation), encoding="utf-8")
        try:
            return self.run()
        finally:
            path.write_text(sound, encoding="utf-8")

    def run(self) -> str:
        """The first test that fails; "" when all pass."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-m",
            "uncompiled",
            "-p",
            "no:cacheprovider",
            *self.tests,
        ]
        environment = {
            **os.environ,
            "NUMBA_DISABLE_JIT": "1",
            "MARKETSIM_CACHE": str(self.folder / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",  # a mutant may have the size and second of the source before it
            "PYTHONPATH": str(self.folder),
        }
        environment.pop("MARKETSIM_SKIPS_TO", None)
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=self.patience
            )
        except subprocess.TimeoutExpired:
            return f"hung for {self.patience:.0f} s"
        if done.returncode == 0:
            return ""
        if done.returncode not in (1, 2):
            raise SystemExit(f"pytest could not run (exit status {done.returncode}):\n{done.stdout}{done.stderr}")
        failed = re.search(r"^(?:FAILED|ERROR) (?:tests/exchange/)?(\S+)", done.stdout, re.MULTILINE)
        return failed.group(1) if failed else "tests failed"


def mutated(source: str, mutation: Mutation) -> str:
    """The source with the mistake; an error when the text to replace is not there exactly once."""
    count = source.count(mutation.old)
    if count != 1:
        raise SystemExit(
            f'mutation "{mutation.name}": its old text is {count} times in marketsim/exchange/{mutation.file}, '
            "not once; the core was changed, write the mutation anew"
        )
    return source.replace(mutation.old, mutation.new)


def check_texts(mutations: tuple[Mutation, ...] = MUTATIONS) -> None:
    """Every mutation fits today's sources and changes them."""
    for mutation in mutations:
        source = (ROOT / "marketsim" / "exchange" / mutation.file).read_text(encoding="utf-8")
        if mutated(source, mutation) == source:
            raise SystemExit(f'mutation "{mutation.name}" changes nothing')


def survivors(mutations: tuple[Mutation, ...], tests: list[str]) -> list[Mutation]:
    """Try all of them, print what happens, and return those that no test caught."""
    alive = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        workshop = Workshop(Path(folder), tests)
        start = perf_counter()
        if caught := workshop.run():
            raise SystemExit(f"the tests fail without any mutation: {caught}")
        workshop.patience = max(PATIENCE, 5 * (perf_counter() - start))
        for number, mutation in enumerate(mutations, 1):
            caught = workshop.try_out(mutation)
            print(
                f"{number:3d}/{len(mutations)}  {mutation.name}: {f'caught by {caught}' if caught else 'SURVIVED'}",
                flush=True,
            )
            if not caught:
                alive.append(mutation)
    return alive


def main() -> int:
    parser = argparse.ArgumentParser(description="Break the matching core on purpose and see that the tests notice.")
    parser.add_argument("--list", action="store_true", help="show the mutations and stop")
    parser.add_argument("--only", action="append", metavar="NAME", help="a mutation by (part of) its name")
    parser.add_argument("--tests", action="append", metavar="PATH", help="tests to run instead of the usual ones")
    arguments = parser.parse_args()
    chosen = tuple(m for m in MUTATIONS if not arguments.only or any(part in m.name for part in arguments.only))
    check_texts()
    if arguments.list:
        for mutation in chosen:
            print(f"{mutation.file:12} {mutation.name}: {mutation.mistake}")
        return 0
    if not chosen:
        raise SystemExit(f"no mutation has a name with {arguments.only}")
    alive = survivors(chosen, arguments.tests or [f"tests/exchange/{name}" for name in TESTS])
    for mutation in alive:
        print(f"survived: {mutation.name}. {mutation.mistake}")
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutations were caught")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
