"""Keys: kept sealed, never half-written, never lost between processes, and opened from allowed addresses only."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import string
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError, MissingDependency, StoreError, UnsupportedVersionError
from marketsim.gateway.keys import MASTER_KEY, Key, KeyStore, allowed, default_path, parse_addresses
from marketsim.kernel.token import fresh_bytes, fresh_token

PHRASE = "a phrase that nobody guesses"
POSIX = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a store may be, with a master key from the environment."""
    pytest.importorskip("cryptography")
    monkeypatch.setenv(MASTER_KEY, PHRASE)
    return tmp_path / "deep" / "keys.json"


@pytest.fixture
def bare(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same without one."""
    monkeypatch.delenv(MASTER_KEY)
    return path


def _master(path: Path) -> Path:
    return path.with_name("master.key")


def _clients(store: KeyStore) -> list[str]:
    found = store.keys()
    return [key.client for key in found]


# --- tokens ---


def test_tokens_are_letters_and_digits_and_never_the_same() -> None:
    tokens = [fresh_token(64) for _ in range(50)]
    assert {len(token) for token in tokens} == {64}
    assert set("".join(tokens)) == set(string.ascii_letters + string.digits)
    assert len(set(tokens)) == 50
    assert len(fresh_bytes(12)) == 12
    assert fresh_bytes(12) != fresh_bytes(12)


# --- what a store keeps ---


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest) -> KeyStore:
    if request.param == "memory":
        return KeyStore.in_memory()
    return KeyStore(request.getfixturevalue("path"))


def test_a_key_is_found_as_it_was_made(store: KeyStore) -> None:
    before = time.time_ns() // 1_000_000
    new = store.create("ann", label="bot of Ann", permissions=["trade", "read"], addresses=["10.0.0.0/8", "::1"])
    other = store.create("bob", permissions="read")
    key = store.find(new.api_key)
    assert key is not None
    assert key == Key(
        new.api_key, new.secret, "ann", "bot of Ann", ("read", "trade"), ("10.0.0.0/8", "::1"), key.created
    )
    assert before <= key.created <= time.time_ns() // 1_000_000
    second = store.keys()[1]
    assert (second.client, second.permissions, second.addresses) == ("bob", ("read",), ())
    assert len(new.secret) == len(new.api_key) == 64
    assert len({new.secret, new.api_key, other.secret, other.api_key}) == 4
    for told in (repr(new), repr(key)):
        assert new.secret not in told
    assert store.find("nobody") is None


def test_a_revoked_key_is_gone(store: KeyStore) -> None:
    kept, gone, short = (store.create(name) for name in ("ann", "bob", "cyd"))
    assert store.revoke(gone.api_key).client == "bob"
    assert store.find(gone.api_key) is None
    assert store.revoke(short.api_key[:20]).client == "cyd"
    assert _clients(store) == ["ann"]
    for wrong in (gone.api_key, "", "nobody"):
        with pytest.raises(InvalidValueError, match=f'no key begins with "{wrong}"'):
            store.revoke(wrong)
    assert store.find(kept.api_key) is not None


def test_an_ambiguous_beginning_revokes_nothing() -> None:
    store = KeyStore.in_memory()
    firsts = [store.create("ann").api_key[0] for _ in range(63)]  # one more than there are signs
    twice = next(sign for sign in firsts if firsts.count(sign) > 1)
    with pytest.raises(InvalidValueError, match=f'{firsts.count(twice)} keys begin with "{twice}": write more'):
        store.revoke(twice)
    assert len(store.keys()) == 63


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"client": ""}, "client '': write 1 to 64 signs"),
        ({"client": " ann"}, "without blanks at the ends"),
        ({"client": "a\nb"}, "can be printed"),
        ({"client": "a" * 65}, "1 to 64"),
        ({"label": "\ud800"}, "can be printed"),
        ({"permissions": ["read", "trad"]}, 'there is no permission "trad"; did you mean "trade"'),
        ({"permissions": []}, "opens nothing"),
        ({"addresses": ["localhost"]}, 'address "localhost": neither an address nor a network; write such as'),
    ],
)
def test_what_no_key_can_have_is_told(words: dict[str, Any], said: str) -> None:
    store = KeyStore.in_memory()
    with pytest.raises(InvalidValueError, match=said):
        store.create(**{"client": "ann", **words})
    assert store.keys() == ()


def test_finding_a_key_looks_at_the_disk_once_a_second(path: Path) -> None:
    now = 0.0
    store = KeyStore(path, clock=lambda: now)
    assert store.find("nobody") is None
    new = KeyStore(path).create("ann")
    now = 0.99
    assert store.find(new.api_key) is None
    now = 1.0
    assert store.find(new.api_key) is not None
    looked: list[None] = []
    stamp = store._shelf.stamp
    store._shelf.stamp = lambda: (looked.append(None), stamp())[1]  # type: ignore[method-assign]
    for _ in range(50):
        store.find(new.api_key)
    assert looked == []
    now = 2.0
    KeyStore(path).revoke(new.api_key)
    assert store.find(new.api_key) is None
    assert len(looked) == 1


def test_finding_a_key_costs_little() -> None:
    store = KeyStore.in_memory()
    keys = [store.create("ann").api_key for _ in range(2_000)]
    known = dict.fromkeys(keys)
    find = min(timeit.repeat(lambda: store.find(keys[7]), number=20_000, repeat=3))
    yard = min(timeit.repeat(lambda: known.get(keys[7]), number=20_000, repeat=3))
    assert find < 20 * yard


# --- the file ---


def test_no_secret_lies_in_clear(bare: Path) -> None:
    new = KeyStore(bare).create("ann")
    for file in bare.parent.iterdir():
        assert new.secret not in file.read_text()
    assert sorted(file.name for file in bare.parent.iterdir()) == ["keys.json", "keys.json.lock", "master.key"]
    assert KeyStore(bare).find(new.api_key) == KeyStore(bare).keys()[0]


@POSIX
def test_files_are_their_owners_only(bare: Path) -> None:
    old = os.umask(0)
    try:
        KeyStore(bare).create("ann")
    finally:
        os.umask(old)
    assert {file.stat().st_mode & 0o777 for file in bare.parent.iterdir()} == {0o600}
    assert bare.parent.stat().st_mode & 0o777 == 0o700
    for mode in (0o640, 0o604, 0o620):
        _master(bare).chmod(mode)
        with pytest.raises(StoreError, match=r"others than its owner may use it; run: chmod 600 .*master\.key"):
            KeyStore(bare).keys()


def test_reading_a_store_that_is_not_there_makes_nothing(bare: Path) -> None:
    assert KeyStore(bare).keys() == ()
    assert KeyStore(bare).find("nobody") is None
    assert not bare.parent.exists()


def test_the_master_key_must_be_the_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = KeyStore(bare).create("ann")
    master = _master(bare).read_text()
    for wrong in ("x" * 64, PHRASE):
        _master(bare).write_text(wrong)
        for use in (KeyStore(bare).keys, lambda: KeyStore(bare).create("bob"), lambda: KeyStore(bare).revoke("x")):
            with pytest.raises(StoreError, match=f"sealed under another master key; set {MASTER_KEY}"):
                use()
    for damaged in ("", "short", "é" * 64):
        _master(bare).write_text(damaged)
        with pytest.raises(StoreError, match=r"master\.key: damaged"):
            KeyStore(bare).keys()
    _master(bare).unlink()
    with pytest.raises(StoreError, match=r"master\.key: missing, and the secrets of keys\.json are sealed under it"):
        KeyStore(bare).create("bob")
    assert not _master(bare).exists()
    monkeypatch.setenv(MASTER_KEY, master)  # the variable serves as well, with the end of its line
    assert KeyStore(bare).find(new.api_key) is not None
    monkeypatch.setenv(MASTER_KEY, "short")
    with pytest.raises(InvalidValueError, match="has 5 signs, which can be guessed; write 16 or more"):
        KeyStore(bare).keys()


def _changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["keys"][0].update(permissions=["read", "trade"]),
        lambda c: c["keys"][0].update(addresses=[]),
        lambda c: c["keys"][0].update(client="bob"),
        lambda c: c["keys"][0].update(secret=c["keys"][1]["secret"]),
        lambda c: c["keys"][0].update(secret=c["proof"]),
        lambda c: c["keys"][0].update(secret="AAAA"),
        lambda c: c["keys"][0].update(secret="no base64"),
        lambda c: c["keys"][0].update(secret=7),
        lambda c: c["keys"][0].update(created=1.5),
        lambda c: c["keys"][0].update(label=[[]]),
        lambda c: c["keys"][0].update(label="\ud800"),
        lambda c: c["keys"][0].update(more=1),
        lambda c: c["keys"][0].pop("label"),
        lambda c: c["keys"].insert(0, None),
    ],
)
def test_a_key_changed_by_hand_opens_nothing(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    store = KeyStore(path)
    store.create("ann", permissions=["read"], addresses=["127.0.0.1"])
    store.create("bob")
    _changed(path, change)
    with pytest.raises(StoreError, match=r"keys\.json: damaged: key 1 (was changed by hand|is no key); put a copy"):
        KeyStore(path).keys()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"version": 1, "keys": [], "salt": "\\ud800", "proof": "x"}',
        b'{"version": 1, "keys": {}, "salt": "x", "proof": "x"}',
    ],
)
def test_a_file_that_is_none_of_ours_is_told_and_left_alone(path: Path, text: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(text)
    for use in (KeyStore(path).keys, lambda: KeyStore(path).find("x"), lambda: KeyStore(path).create("ann")):
        with pytest.raises(StoreError, match=r"keys\.json: damaged: .*; put a copy in its place"):
            use()
    assert path.read_bytes() == text


def test_a_file_of_another_version_is_told(path: Path) -> None:
    KeyStore(path).create("ann")
    _changed(path, lambda content: content.update(version=2))
    with pytest.raises(UnsupportedVersionError, match="not of version 1"):
        KeyStore(path).keys()


def test_what_cannot_be_read_or_written_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"keys\.json: cannot be read"):
        KeyStore(path).keys()
    file = path.parent / "file"
    file.write_text("")
    with pytest.raises(StoreError, match=r"cannot be (written|read)"):
        KeyStore(file / "keys.json").create("ann")


def test_a_store_that_breaks_under_way_refuses_until_it_is_mended(path: Path) -> None:
    now = 0.0
    store = KeyStore(path, clock=lambda: now)
    new = store.create("ann")
    whole = path.read_bytes()
    assert store.find(new.api_key) is not None
    path.write_bytes(whole[:-9])
    now = 1.0
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            store.find(new.api_key)
    path.write_bytes(whole)
    assert store.find(new.api_key) is not None
    path.unlink()
    now = 2.0
    assert store.find(new.api_key) is None


def test_without_the_library_the_extra_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASTER_KEY, "a phrase of this test only")  # its cipher is not made yet
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingDependency, match=r'cryptography is not installed; .*"\.\[serve\]"'):
        KeyStore(path).create("ann")
    assert not path.exists()
    KeyStore.in_memory().create("ann")


def test_where_keys_lie_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable = "APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME"
    monkeypatch.setenv(variable, str(tmp_path))
    assert default_path() == tmp_path / "marketsim" / "keys.json"
    if sys.platform != "win32":
        monkeypatch.delenv(variable)
        assert default_path() == Path.home() / ".config" / "marketsim" / "keys.json"


# --- several at once, and sudden ends ---

MAKE = "import sys; from marketsim.gateway.keys import KeyStore; store = KeyStore(sys.argv[1])\n"


def _start(path: Path, code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", MAKE + code, str(path)], stderr=subprocess.PIPE)


def test_two_processes_and_two_threads_lose_nothing(bare: Path) -> None:
    processes = [_start(bare, f"for number in range(15): store.create(f'{name}{{number}}')") for name in "ab"]
    store = KeyStore(bare)

    def create(name: str) -> None:
        for number in range(15):
            store.create(f"{name}{number}")

    threads = [threading.Thread(target=create, args=name) for name in "cd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        assert process.communicate(timeout=60)[1] == b""
    assert sorted(_clients(store)) == sorted(f"{n}{i}" for n in "abcd" for i in range(15))


@pytest.mark.parametrize("moment", ["os.fsync", "Path.replace"])
def test_a_process_killed_while_it_writes_leaves_the_old_keys(bare: Path, moment: str) -> None:
    new = KeyStore(bare).create("ann")
    before = bare.read_bytes()
    code = (
        "import os; from pathlib import Path\n"
        f"def kill(*_): os.kill(os.getpid(), {int(getattr(signal, 'SIGKILL', signal.SIGTERM))})\n"
        f"{moment} = kill\n"
        "store.create('bob')\n"
    )
    killed = _start(bare, code)
    killed.communicate(timeout=60)
    assert killed.returncode != 0
    assert bare.with_name("keys.json.partial").exists(), "it was to be killed in the middle"
    assert bare.read_bytes() == before
    assert KeyStore(bare).find(new.api_key) is not None
    KeyStore(bare).create("cyd")  # neither its lock nor its draft is in the way
    assert _clients(KeyStore(bare)) == ["ann", "cyd"]
    assert not bare.with_name("keys.json.partial").exists()


def test_a_disk_that_is_full_costs_the_new_key_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = KeyStore(path)
    new = store.create("ann")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"keys\.json: cannot be written: No space left on device"):
            store.create("bob")
    assert _clients(KeyStore(path)) == _clients(store) == ["ann"]
    assert store.find(new.api_key) is not None
    assert not path.with_name("keys.json.partial").exists()


# --- addresses ---

FOUR = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
SIX = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)
NEAR = st.integers(0, 255).map(lambda low: ipaddress.IPv4Address(0x0A000000 + low))
ADDRESSES = FOUR | SIX | NEAR


@st.composite
def networks(draw: st.DrawFn) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address = draw(ADDRESSES)
    return ipaddress.ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)


@given(ADDRESSES, st.lists(networks(), max_size=4))
def test_the_allow_list_agrees_with_the_standard_library(address: Any, nets: list[Any]) -> None:
    listed = parse_addresses(map(str, nets))
    here = getattr(address, "ipv4_mapped", None) or address
    expected = not nets or any(here in net for net in nets)
    assert allowed(str(address), listed) == allowed(str(address), [str(net) for net in nets]) == expected
    if here.version == 4:
        assert allowed(f"::ffff:{here}", listed) == expected
    assert parse_addresses(listed) == listed


def test_mapped_addresses_are_what_they_map() -> None:
    assert parse_addresses(["::ffff:10.0.0.0/104", " ::ffff:10.1.2.3 ", "10.0.0.0/8"]) == ("10.0.0.0/8", "10.1.2.3")
    assert allowed("::ffff:10.9.9.9", ["10.0.0.0/8"])
    assert allowed("10.9.9.9", ["::ffff:10.0.0.0/104"])
    assert not allowed("10.0.0.1", ["::/0"])
    assert not allowed("::1", ["0.0.0.0/0"])
    assert allowed("fe80::1%eth0", ["fe80::/10"])
    assert allowed("anything", [])
    for no_address in ("", "localhost", "10.0.0.0/8", "testclient"):
        assert not allowed(no_address, ["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("10.0.0.1/8", "bits are set behind the prefix; write 10.0.0.0/8 for the network or 10.0.0.1 for the address"),
        ("2001:db8::1/32", "write 2001:db8::/32 for the network"),
        ("10.0.0.0/33", "neither an address nor a network"),
        ("256.0.0.1", "neither"),
        ("010.0.0.1", "neither"),
        ("example.org", "neither"),
        ("10.0.0.1:8080", "neither"),
        ("fe80::1%eth0", "neither"),
        ("", "neither"),
        ("7", "neither"),
    ],
)
def test_bad_entries_are_told(entry: str, said: str) -> None:
    for use in (parse_addresses, lambda entries: allowed("10.0.0.1", entries)):
        with pytest.raises(InvalidValueError, match=f'address "{entry}": .*{said}'):
            use(["127.0.0.1", entry])


@given(st.lists(st.text(alphabet="0123456789abcf.:/% ", max_size=20), max_size=3))
def test_any_entry_is_an_address_or_is_refused(entries: list[str]) -> None:
    try:
        parsed = parse_addresses(entries)
    except InvalidValueError:
        return
    assert all(ipaddress.ip_network(entry) for entry in parsed)
