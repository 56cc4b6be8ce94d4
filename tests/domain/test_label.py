"""Labels: what was said of an order is read again as it was said, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.label import Label
from marketsim.errors import InvalidValueError


@given(st.builds(Label, st.text(), st.text(), st.integers(), st.text(), st.integers()))
def test_a_label_survives_its_text(label: Label) -> None:
    assert Label.of(label.text()) == label


@pytest.mark.parametrize(
    "text", ["", "spoofing", "[1]", "{}", '{"kind":"x","role":"y","episode":"z","venue":"v","order":1}', "null"]
)
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is no label of an order"):
        Label.of(text)
