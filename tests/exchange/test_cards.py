"""Every conformance card on the core and on its naive twin; a failure names the card and its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from cards import Card, Player, cards
from naive import NaiveCore

from marketsim.exchange.core import MatchingCore
from marketsim.kernel.compiled import UNCOMPILED

ENGINES = {"core": MatchingCore, "twin": NaiveCore}
CARDS = cards()


@pytest.mark.boundscheck
@pytest.mark.uncompiled
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_card(engine: Any, card: Card) -> None:
    core = engine(2)
    player = Player(core)
    for command in card.given:
        refused = [row for row in player.play(command) if "REJECTED" in row]
        assert not refused, f"{card.id}: given {command!r}: {refused}"
    for command, rows in card.steps:
        told = player.play(command)
        assert told == rows, f"{card.id} ({card.source}): {card.says}\n{command}"
    for side, levels in ((1, card.bids), (-1, card.asks)):
        if levels is not None:
            assert core.depth(0, side) == [tuple(level) for level in levels], f"{card.id}: {card.says}"
    if card.now is not None:
        assert core.indicative(0) == tuple(card.now), f"{card.id}: {card.says}"
    if not UNCOMPILED:  # slow where nothing is compiled
        core.check()


def test_every_card_has_its_own_number_a_sentence_and_a_source() -> None:
    numbers = [card.id for card in CARDS]
    assert len(numbers) == len(set(numbers)) >= 150
    for card in CARDS:
        assert card.says.strip(), card.id
        assert card.source.strip(), card.id
        assert card.steps, card.id
