"""Colours stay apart for every kind of colour blindness.

Simulated by the matrices for complete dichromacy of Machado, Oliveira and Fernandes (2009), in linear sRGB; distances
are those of CIE L*a*b* (1976), in which about 2.3 is a just noticeable difference.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from marketsim.analysis.figures import style
from marketsim.analysis.figures.agents import PART_COLOURS
from marketsim.analysis.figures.book import _ASKS, _BIDS
from marketsim.analysis.figures.stress import COLOURS as STRESS

EYES = {
    "trichromat": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)
APART = 15.0


def seen(colour: Any, eye: Any) -> Any:
    """L*a*b* of a colour as an eye sees it."""
    value = np.array(to_rgb(colour))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    share = TO_XYZ @ np.clip(np.asarray(eye) @ linear, 0, 1) / WHITE
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: Any, other: Any, eye: Any) -> float:
    return float(np.linalg.norm(seen(one, eye) - seen(other, eye)))


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("colours", [style.PALETTE, tuple(PART_COLOURS.values()), STRESS])
def test_no_two_colours_of_a_figure_look_alike(colours: tuple[str, ...], eye: str) -> None:
    for one, other in combinations(dict.fromkeys(colours), 2):
        assert apart(one, other, EYES[eye]) > APART, (one, other)


@pytest.mark.parametrize("eye", EYES)
def test_bids_and_asks_differ_at_every_shade_and_grow_darker(eye: str) -> None:
    for place in np.linspace(0.1, 1.0, 10):
        assert apart(_BIDS(place), _ASKS(place), EYES[eye]) > APART
    for colours in (_BIDS, _ASKS):
        light = [seen(colours(place), EYES[eye])[0] for place in np.linspace(0, 1, 20)]
        assert np.all(np.diff(light) < 0)


@pytest.mark.parametrize("colour", style.PALETTE)
def test_every_colour_can_be_seen_on_white(colour: str) -> None:
    luminance = ((seen(colour, np.eye(3))[0] + 16) / 116) ** 3
    assert 1.05 / (luminance + 0.05) > 2.0  # Okabe and Ito's orange and sky blue are the palest


def test_what_was_wrong_is_found() -> None:
    assert apart("#AA4499", style.BLUE, EYES["protanope"]) < APART  # a purple that was used here
    assert apart("#8A8A00", style.VERMILLION, EYES["deuteranope"]) < APART  # an olive
