"""The manifest: canonical text, every entry back as it was, and clear words for what is no manifest."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from flow import manifest

from marketsim.domain.fees import Fee, FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.errors import AgentError, InvalidValueError, StoreError, UnsupportedVersionError
from marketsim.results.manifest import FORMAT, NOT_FINISHED, AgentEntry, Failure, Manifest, MarketEntry, versions

PEOPLE: list[str] = []


def test_everything_comes_back() -> None:
    instrument = Instrument("BTC/USDT", "0.1", "0.00001", "60000", "USDT")
    fees = FeeSchedule(Fee("bps", Decimal("-0.25")), Fee("share", Decimal("0.003")))
    given = manifest(
        markets=(MarketEntry.of(3, "X", instrument, fees),),
        spec={"agents": [{"type": "Noise", "rate": 0.1}], "nested": {"a": None, "b": True}},
        versions=versions("1.2"),
        digest="ab" * 16,
        counts={"orders": 1 << 60},
        timings={"engine": 0.1},
        end=1 << 62,
    )
    again = Manifest.from_json(given.to_json(), "here")
    assert again == given
    assert again.to_json() == given.to_json()
    assert again.markets[0].instrument == instrument
    assert again.markets[0].fees == fees
    assert again.counts["orders"] == 1 << 60


def test_text_is_canonical() -> None:
    one = manifest(spec={"b": 1, "a": [1, 2]}, counts={"y": 1, "x": 2})
    other = manifest(spec={"a": (1, 2), "b": 1}, counts={"x": 2, "y": 1})
    assert one.to_json() == other.to_json()
    assert one.to_json().endswith("}\n")
    assert list(json.loads(one.to_json())) == sorted(json.loads(one.to_json()))


def test_a_spec_becomes_plain() -> None:
    spec = MappingProxyType({"tick": Decimal("0.01"), "levels": (1, MappingProxyType({"x": 2}))})
    assert manifest(spec=spec).spec == {"tick": "0.01", "levels": [1, {"x": 2}]}


@pytest.mark.parametrize("value", [{1, 2}, b"x", float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused_by_its_path(value: object) -> None:
    with pytest.raises(InvalidValueError, match=r"spec\.agents\[0\]\.x: .* cannot be stored"):
        manifest(spec={"agents": [{"x": value}]})


def test_a_new_manifest_is_incomplete() -> None:
    fresh = Manifest(name="quickstart", seed=7)
    assert not fresh.complete
    assert fresh.failure == NOT_FINISHED
    assert fresh.status == "incomplete: the run is still going on, or its process was killed"


def test_an_agents_error_is_kept_with_its_time_and_traceback() -> None:
    try:
        try:
            PEOPLE[7]
        except IndexError as cause:
            raise AgentError("sniper: list index out of range", agent="sniper", time=90_000_000_000) from cause
    except AgentError as error:
        failure = Failure.of(error, time=1)
    assert failure.time == 90_000_000_000
    assert "IndexError" in failure.traceback
    assert "PEOPLE[7]" in failure.traceback
    stopped = manifest(complete=False, failure=failure)
    assert stopped.reason == "AgentError: sniper: list index out of range, at 00:01:30.000000000"
    assert stopped.status == f"incomplete: {stopped.reason}"
    assert Failure.of(KeyboardInterrupt(), 5).error == "KeyboardInterrupt"
    assert manifest().reason == ""
    assert manifest().status == "complete"


def test_with_checks_what_it_changes() -> None:
    changed = manifest().with_(events=5, digest="x")
    assert (changed.events, changed.digest, changed.name) == (5, "x", "flow")
    with pytest.raises(ValueError, match="events"):
        manifest().with_(events="many")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a manifest"),
        ("{", "not a manifest"),
        ("[]", "expected a JSON object"),
        ("{}", "name: Field required"),
        ('{"name": "x", "seed": "seven"}', "seed: Input should be a valid integer"),
        ('{"name": "x", "seed": 1, "markets": [{"number": 0}]}', r"markets\.0\.venue: Field required"),
    ],
)
def test_what_is_no_manifest(text: str, words: str) -> None:
    with pytest.raises(StoreError, match=f"some/manifest.json: .*{words}"):
        Manifest.from_json(text, "some/manifest.json")


def test_a_newer_format_is_not_guessed_at() -> None:
    raw: dict[str, Any] = json.loads(manifest().to_json())
    with pytest.raises(UnsupportedVersionError, match=f"format {FORMAT + 1} is of a newer marketsim"):
        Manifest.from_json(json.dumps({**raw, "format": FORMAT + 1}), "m")
    assert Manifest.from_json(json.dumps({**raw, "added": "later"}), "m") == manifest()


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no readable manifest"):
        Manifest.read(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="no readable manifest"):
        Manifest.read(tmp_path / "manifest.json")


def test_a_changed_copy_is_written_like_a_new_one() -> None:
    people = tuple(AgentEntry(number=number, name=f"noise.{number}", family="noise") for number in range(3))
    first = manifest(agents=people)
    first.to_json()
    copy = first.with_(events=5)
    assert copy.to_json() == manifest(agents=people, events=5).to_json()
    assert copy == manifest(agents=people, events=5)
    assert copy.to_json().count('\n  {"family"') == 3
    fewer = first.with_(agents=people[:1])
    assert fewer.to_json() == manifest(agents=people[:1]).to_json()
    assert Manifest.from_json(fewer.to_json(), "here") == fewer
