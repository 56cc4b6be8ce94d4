"""marketsim keys: what it makes, shows, hides and refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from marketsim.gateway.keys import MASTER_KEY, KeyStore


@pytest.fixture(autouse=True)
def file(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands keep keys when nothing is said."""
    pytest.importorskip("cryptography")
    monkeypatch.delenv(MASTER_KEY, raising=False)
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, str(place))
    return place / "marketsim" / "keys.json"


def test_a_key_is_made_shown_once_listed_and_revoked(marketsim: Any, file: Path) -> None:
    made = marketsim("keys", "create", "ann", "--label", "[red]bot", "--read-only", "--address", "10.0.0.0/8")
    assert made.exit_code == 0
    found = re.fullmatch(r"api key  (\w{64})\nsecret   (\w{64})\n", made.stdout)
    assert found is not None, made.stdout
    assert "cannot be shown again" in made.stderr
    api_key, secret = found.groups()
    (key,) = KeyStore(file).keys()
    assert (key.api_key, key.secret, key.client, key.label) == (api_key, secret, "ann", "[red]bot")
    assert (key.permissions, key.addresses) == (("read",), ("10.0.0.0/8",))

    marketsim("keys", "create", "bob", "--address", "::1", "--address", "127.0.0.1")
    listed = marketsim("keys", "list")
    assert listed.exit_code == 0
    ann, bob = [line for line in listed.stdout.splitlines() if "UTC" in line]
    assert re.search(rf"{api_key[:8]}… +ann +\[red\]bot +read +10\.0\.0\.0/8 +\d{{4}}-\d\d-\d\d \d\d:\d\d UTC", ann)
    assert re.search(r"bob +read, trade +::1, 127\.0\.0\.1 ", bob)
    for hidden in (secret, api_key, KeyStore(file).keys()[1].secret):
        assert hidden not in listed.output

    revoked = marketsim("keys", "revoke", api_key[:8])
    assert (revoked.exit_code, revoked.stdout) == (0, f"revoked {api_key[:8]}… of ann\n")
    (left,) = KeyStore(file).keys()
    assert left.client == "bob"


def test_keys_in_a_file_of_ones_own(marketsim: Any, place: Path, file: Path) -> None:
    assert marketsim("keys", "create", "ann", "--keys", "mine.json").exit_code == 0
    assert marketsim("keys", "list", "--keys", "mine.json").stdout.count("ann") == 1
    assert not file.exists()
    assert (place / "master.key").exists()
    nothing = marketsim("keys", "list")
    assert nothing.exit_code == 0
    assert nothing.stdout == ""
    assert f"no keys in {file}; make one: marketsim keys create CLIENT" in nothing.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "ann", "--address", "10.0.0.1/8"), 2, "write 10.0.0.0/8 for the network"),
        (("create", " "), 2, "client ' ': write 1 to 64 signs"),
        (("revoke", "abc"), 2, 'no key begins with "abc"'),
        (("list", "--keys", "damaged.json"), 1, "damaged.json: damaged: it is no JSON"),
        (("create", "ann", "--keys", "damaged.json"), 1, "damaged.json: damaged: it is no JSON"),
    ],
)
def test_what_is_wrong_is_told(marketsim: Any, place: Path, words: tuple[str, ...], code: int, said: str) -> None:
    (place / "damaged.json").write_text("{")
    result = marketsim("keys", *words)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" in marketsim("keys", *words, "--debug").stderr


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_each_command_has_its_help(marketsim: Any, command: str) -> None:
    result = marketsim("keys", command, "-h")
    assert result.exit_code == 0
    assert "--keys" in result.output
    assert "--debug" in result.output
