"""What cannot be served is said at once, with the value, the rule and the repair, and leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from marketsim.errors import MarketSimError
from marketsim.gateway.keys import KeyStore
from marketsim.gateway.server import Options, prepare, resumed
from marketsim.scenario import loader
from tests.gateway.test_security import certificate  # noqa: F401 - a fixture


def refused(
    folder: Path, options: Options, overrides: dict[str, Any] | None = None, scenario: str = "quickstart"
) -> str:
    """What is said; nothing may be left of the attempt."""
    spec = loader.check(scenario, [])
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(MarketSimError) as told:
        prepare(spec.with_overrides(overrides) if overrides else spec, folder, options)
    assert sorted(folder.parent.rglob("*")) == before
    return str(told.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 70_000}, ["70000", "65535"]),
        ({"port": -1}, ["-1", "0"]),
        ({"host": "0.0.0.0"}, ["0.0.0.0", "certificate", "--plain"]),
        ({"host": "nowhere"}, ["nowhere", "127.0.0.1"]),
        ({"host": ""}, ["''", "127.0.0.1"]),
        ({"host": "192.0.2.1", "plain": True}, ["192.0.2.1", "no address of this machine"]),
        ({"certificate": Path("none.pem")}, ["none.pem", "private key", "both"]),
        ({"private_key": Path("none.pem")}, ["none.pem", "certificate", "both"]),
        ({"certificate": Path("none.pem"), "private_key": Path("none.pem")}, ["none.pem", "no such file", "PEM"]),
        ({"speed": 0.0}, ["0.0", "0.001", "100,000"]),
        ({"speed": float("nan")}, ["nan", "0.001"]),
        ({"speed": 1e9}, ["1000000000.0", "100,000"]),
        ({"speed": 10_000.0}, ["less than a second", "lower the speed"]),
        ({"allow": ["10.0.0.1/8"]}, ["10.0.0.1/8", "10.0.0.0/8"]),
        ({"allow": ["example.org"]}, ["example.org", "192.0.2.7"]),
        ({"venue": "XSIN"}, ["XSIN", 'did you mean "XSIM"']),
        ({"clients": ["learner"]}, ["agents.learner", "no client"]),
        ({"clients": ["public"], "venue": "NONE"}, ["NONE"]),
        ({"token": "two words"}, ["token", "ASCII"]),
        ({"token": "é"}, ["token", "ASCII"]),
        ({"cancel_on_disconnect": -1.0}, ["-1.0", "0 or more"]),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], words: list[str]) -> None:
    told = refused(tmp_path / "run", Options(**{"port": 0, **options}))
    for word in words:
        assert word in told, told


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = refused(tmp_path / "run", Options(port=port))
    assert str(port) in told
    assert "--port" in told


def test_a_port_is_free_again_after_a_refusal(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "run"
    folder.mkdir()
    (folder / "mine.txt").write_text("kept")
    told = refused(folder, Options(port=port))
    assert str(folder) in told
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
    assert (folder / "mine.txt").read_text() == "kept"


def test_certificates_that_are_none(tmp_path: Path, certificate: tuple[Path, Path]) -> None:  # noqa: F811
    place = certificate[0].parent
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for cert, key in (
        (garbage, certificate[1]),
        (certificate[0], garbage),
        (certificate[0], place / "other.pem"),
        (certificate[0], place / "locked.pem"),
    ):
        told = refused(tmp_path / "run", Options(port=0, certificate=cert, private_key=key))
        assert str(cert) in told
        assert "PEM" in told


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"duration": "60.9s", "warm_up": "60s"}, ["900ms", "less than a second", "lengthen"]),
        ({"instruments.ABC.tick_size": "0.000000001"}, ["instruments.ABC.tick_size", "eight decimals"]),
        ({"instruments.ABC.lot_size": "0.0000000001"}, ["instruments.ABC.lot_size", "eight decimals"]),
        ({"instruments.abc-": {"tick_size": "0.01", "reference_price": "5"}}, ["ABCUSD", "as that of"]),
        ({"instruments.é": {"tick_size": "0.01", "reference_price": "5"}}, ["é", "letters A to Z"]),
    ],
)
def test_scenarios_that_the_dialect_cannot_say(tmp_path: Path, overrides: dict[str, Any], words: list[str]) -> None:
    told = refused(tmp_path / "run", Options(port=0), overrides)
    for word in words:
        assert word in told, told


def test_a_derivative_is_no_spot(tmp_path: Path) -> None:
    told = refused(tmp_path / "run", Options(port=0), scenario="perpetual")
    assert "spot" in told
    assert "--venue" in told


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{")
    told = refused(tmp_path / "run", Options(port=0, keys=KeyStore(path)))
    assert str(path) in told


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(MarketSimError, match="no session's folder"):
        resumed(tmp_path / "none")
