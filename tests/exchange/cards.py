"""Conformance cards: numbered sentences about the matching core, as data, with commands and the rows they must give.

A card is a mapping in one of the files of ``cards/``::

    id: EX-017
    says: An iceberg that was traded away shows its next part at the back of its level.
    source: FIX 5.0 SP2 DisplayQty(1138)
    given:                         # commands whose rows are not looked at, but none is refused
      - sell 10 @101 show 3
    steps:                         # commands with every row that they must give, in order
      - buy 3 @101 by 2:
        - ACCEPTED 2 3@101
        - TRADE 2 with 1 3@101 leaves 7
        - REFRESHED 1 3@101 leaves 7
    asks: [[101, 3, 1]]            # optional: displayed levels at the end; so are bids and now (indicative)

Words of an order: side, quantity, ``@limit``; ``market``, ``stop P``, ``trail D``, ``to-limit``, ``primary D``,
``market-peg D``, ``mid D``; a life (``DAY``, ``GTD T``, ...); ``post``, ``slide``, ``hidden``, ``parent``; ``show N``,
``min N``, ``child-of ID``, ``with ID``; ``by OWNER`` (1), ``in MARKET`` (0), ``id N``. A nanosecond passes before each
command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, SelfTrade, Side, TimeInForce
from marketsim.domain.phase import BandAction, Phase

FOLDER = Path(__file__).parent / "cards"
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
TYPES = {
    "market": OrderType.MARKET,
    "stop": OrderType.STOP,
    "trail": OrderType.TRAILING_STOP,
    "to-limit": OrderType.MARKET_TO_LIMIT,
    "primary": OrderType.PRIMARY_PEG,
    "market-peg": OrderType.MARKET_PEG,
    "mid": OrderType.MID_PEG,
}
FLAGS = {
    "post": OrderFlag.POST_ONLY,
    "slide": OrderFlag.POST_ONLY | OrderFlag.SLIDE,
    "hidden": OrderFlag.HIDDEN,
    "parent": OrderFlag.PARENT,
    "sliding": OrderFlag.SLIDE,
}
NUMBERS = {"show": "display", "min": "minimum", "child-of": "parent", "with": "partner", "by": "owner", "in": "market"}
DISTANT = ("stop", "trail", "primary", "market-peg", "mid")


@dataclass(frozen=True)
class Card:
    """One sentence and its proof."""

    id: str
    says: str
    source: str
    steps: list[tuple[str, list[str]]]
    given: list[str] = field(default_factory=list)
    bids: list[list[int]] | None = None
    asks: list[list[int]] | None = None
    now: list[int] | None = None


def cards() -> list[Card]:
    """All cards, file by file."""
    return [card for path in sorted(FOLDER.glob("*.yaml")) for card in _cards_of(path)]


def _cards_of(path: Path) -> Iterator[Card]:
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        if "table" in entry:
            yield from _cells(entry)
        elif "steps" in entry:
            steps = [next(iter(step.items())) for step in entry.pop("steps")]
            yield Card(steps=[(command, rows or []) for command, rows in steps], **entry)


def _cells(entry: dict[str, Any]) -> Iterator[Card]:
    """A card for each cell of a table: an order for each line, a life for each column, in one phase."""
    for line in entry["table"]:
        for number, (life, outcome) in enumerate(zip(entry["lives"], line["gives"].split(), strict=True)):
            order = f"{line['order']} {life}"
            phase = [f"phase {entry['phase']}"] if entry["phase"] != "CONTINUOUS" else []
            quantity, price = line["order"].split()[1], ([*re.findall(r"@(\d+)", line["order"]), "0"])[0]
            yield Card(
                id=f"{entry['id']}-{line['line']}-{'abcdefg'[number]}",
                says=f"{order}, in {entry['phase']}: {outcome}",
                source=line["source"],
                given=[*entry["given"], *phase],
                steps=[(order, entry["outcomes"].get(outcome, [f"REJECTED 5 {quantity}@{price} {outcome}"]))],
            )


class Player:
    """Plays a card's commands on a core and tells the rows as sentences."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.time = 0
        self.told = 0

    def play(self, command: str) -> list[str]:
        """Run one command; its rows."""
        words = command.split()
        self.time += 1
        if words[0] in SIDES:
            self._order(words)
        else:
            getattr(self, "_" + words[0].replace("-", "_"))(words[1:])
        rows = self.core.events()[self.told :]
        self.told += len(rows)
        return [sentence(dict(zip(EVENT.names or (), row.tolist(), strict=True))) for row in rows]

    def _order(self, words: list[str]) -> None:
        order_type, life, flags = OrderType.LIMIT, TimeInForce.GTC, 0
        fields = dict.fromkeys(("market", "price", "stop_price", "expire", "order_id", *NUMBERS.values()), 0)
        fields.update(side=int(SIDES[words[0]]), quantity=int(words[1]), owner=1)
        rest = iter(words[2:])
        limited = False
        for word in rest:
            if word.startswith("@"):
                fields["price"], limited = int(word[1:]), True
            elif word in TYPES:
                order_type = TYPES[word]
                if word in DISTANT:
                    fields["stop_price"] = int(next(rest))
            elif word in FLAGS:
                flags |= int(FLAGS[word])
            elif word in NUMBERS:
                fields[NUMBERS[word]] = int(next(rest))
            elif word == "id":
                fields["order_id"] = int(next(rest))
            elif word == "expire":
                fields["expire"] = int(next(rest))
            else:
                life = TimeInForce[word]
                if life == TimeInForce.GTD:
                    fields["expire"] = int(next(rest))
        if order_type == OrderType.STOP and limited:
            order_type = OrderType.STOP_LIMIT
        self.core.new(time=self.time, order_type=int(order_type), time_in_force=int(life), flags=flags, **fields)

    def _cancel(self, words: list[str]) -> None:
        owner, (order_id, *quantity) = _owner(words)
        self.core.cancel(self.time, owner, int(order_id), *map(int, quantity))

    def _replace(self, words: list[str]) -> None:
        """``replace ID QUANTITY @PRICE [stop P]``."""
        owner, (order_id, quantity, price, *stop) = _owner(words)
        self.core.replace(self.time, owner, int(order_id), int(price[1:]), int(quantity), *map(int, stop[1:]))

    def _expire(self, words: list[str]) -> None:
        self.core.expire(self.time, int(words[0]))

    def _phase(self, words: list[str]) -> None:
        reason = Reason[words[1]] if len(words) > 1 else Reason.SCHEDULE
        self.core.set_phase(self.time, 0, int(Phase[words[0]]), int(reason))

    def _mass_cancel(self, words: list[str]) -> None:
        """``mass-cancel FIRST LAST [REASON] [by OWNER]``."""
        owner, (first, last, *reason) = _owner(words)
        self.core.cancel_owner(self.time, owner, int(first), int(last), *(int(Reason[word]) for word in reason))

    def _self_trade(self, words: list[str]) -> None:
        self.core.prevent_self_trades(0, int(SelfTrade[words[0]]))

    def _account(self, words: list[str]) -> None:
        self.core.set_account(int(words[0]), int(words[1]))

    def _pro_rata(self, words: list[str]) -> None:
        """``pro-rata TOP FIFO LEAST``."""
        self.core.set_allocation(0, True, *map(int, words))

    def _bands(self, words: list[str]) -> None:
        """``bands LOW HIGH DYNAMIC ACTION``."""
        self.core.set_bands(0, *map(int, words[:3]), int(BandAction[words[3]]))

    def _reference(self, words: list[str]) -> None:
        self.core.set_reference(0, int(words[0]))

    def _trade_at(self, words: list[str]) -> None:
        """``trade-at PRICE``: one lot trades between two owners who leave nothing behind."""
        self.core.new(self.time, 98, 0, 1, 1, 1, 0, int(words[0]), 0, 1)
        self.core.new(self.time, 99, 0, -1, 1, 1, 0, int(words[0]), 0, 1)


def _owner(words: list[str]) -> tuple[int, list[str]]:
    if len(words) > 2 and words[-2] == "by":
        return int(words[-1]), words[:-2]
    return 1, words


def sentence(row: dict[str, int]) -> str:
    """A row in words; a column that it does not name is 0 or the order's own."""
    kind = EventKind(row["kind"])
    reason = f" {Reason(row['reason']).name}" if row["reason"] else ""
    if kind == EventKind.PHASE:
        change = f"{Phase(row['leaves']).name} to {Phase(row['quantity']).name}"
        return f"PHASE {change} at {row['price']}{reason}"
    if kind == EventKind.MASS_CANCELED:
        return f"MASS_CANCELED by {row['owner']} {row['quantity']} orders{reason}"
    words = [f"{kind.name} {row['order_id']}"]
    if kind == EventKind.TERMS:
        words.append(f"stop {row['price']} expire {row['leaves']}")
    elif kind == EventKind.CONDITIONS:
        words.append(f"show {row['quantity']} min {row['leaves']} parent {row['price']} partner {row['match_id']}")
    elif kind == EventKind.TRADE:
        words.append(f"with {row['match_id']} {row['quantity']}@{row['price']} leaves {row['leaves']}")
    elif (
        kind in (EventKind.ACCEPTED, EventKind.TRIGGERED, EventKind.REPRICED) and row["quantity"] == row["leaves"]
    ) or kind in (EventKind.REJECTED, EventKind.REPLACE_REJECTED):
        words.append(f"{row['quantity']}@{row['price']}")
    elif kind == EventKind.CANCEL_REJECTED:
        words.append(str(row["quantity"]))
    else:
        words.append(f"{row['quantity']}@{row['price']} leaves {row['leaves']}")
    words += ["kept"] if row["flags"] & OrderFlag.KEPT_PRIORITY else []
    words += ["auction"] if row["flags"] & OrderFlag.AUCTION else []
    return " ".join(words) + reason
