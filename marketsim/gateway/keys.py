"""Keys: which clients may knock, the secrets by which they sign, and the addresses they may come from.

Keys lie in a JSON file that only its owner can read. What signs has to be known, so secrets cannot be hashed: they are
encrypted (AES-256-GCM) under a master key, which is the text of ``MARKETSIM_MASTER_KEY`` or, without it, the file
``master.key`` beside the keys, made on first use; the key of the cipher is drawn from it by scrypt. What else is known
of a key is sealed with its secret: who changes a permission or an address in the file makes the key unusable.

This module knows no request and no market, and never writes a secret anywhere in clear but into its answer to
``create``.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from marketsim.errors import InvalidValueError, MissingDependency, StoreError, UnsupportedVersionError, did_you_mean
from marketsim.kernel.pacing import wall_milliseconds
from marketsim.kernel.token import fresh_bytes, fresh_token

PERMISSIONS: Final = ("read", "trade")
MASTER_KEY = "MARKETSIM_MASTER_KEY"
MASTER_FILE = "master.key"
LENGTH = 64  # letters and digits of a key and of a secret, as on the venue

_VERSION = 1
_PROOF = b"marketsim"  # sealed in every file: tells a wrong master key from damage
_SHORTEST_MASTER = 16
_LONGEST_NAME = 64
_PATIENCE = 1.0  # seconds for which a file is not looked at again

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a client is given, once."""

    api_key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """One API key. ``addresses`` from which it may be used: none means any. ``created``: ms since 1970."""

    api_key: str
    secret: str = field(repr=False)
    client: str
    label: str = ""
    permissions: tuple[str, ...] = PERMISSIONS
    addresses: tuple[str, ...] = ()
    created: int = 0


Edit = Callable[[tuple[Key, ...]], tuple[Key, ...]]


class KeyStore:
    """The API keys of clients, in a file that several processes may use at once.

    path: the JSON file; ``default_path()`` when left out. It need not exist, and a change by another process is seen
    within a second. clock: seconds, for that second only. Whatever reads the file raises StoreError when it cannot be
    read, is damaged, or its master key is missing, wrong or open to others, and MissingDependency without the library
    cryptography.
    """

    def __init__(self, path: Path | str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._begin(_File(default_path() if path is None else Path(path).expanduser()), clock)

    @classmethod
    def in_memory(cls) -> KeyStore:
        """Keys that end with the process; needs no file and no library."""
        store = cls.__new__(cls)
        store._begin(_Memory(), time.monotonic)
        return store

    def _begin(self, shelf: _Shelf, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._clock = clock
        self._known: dict[str, Key] = {}
        self._stamp: object = self  # no shelf's
        self._due = float("-inf")

    def create(
        self,
        client: str,
        *,
        label: str = "",
        permissions: Iterable[str] = PERMISSIONS,
        addresses: Iterable[str] = (),
    ) -> NewKey:
        """A new key of a client; its secret is told here and never again.

        permissions: of ``PERMISSIONS``, at least one; addresses: as ``parse_addresses`` takes them. Raises
        InvalidValueError, too, and StoreError when the file cannot be written.
        """
        key = Key(
            fresh_token(LENGTH),
            fresh_token(LENGTH),
            _name(client, "client", least=1),
            _name(label, "label", least=0),
            _permissions(permissions),
            parse_addresses(addresses),
            wall_milliseconds(),
        )
        self._change(lambda keys: (*keys, key))
        return NewKey(key.api_key, key.secret)

    def find(self, api_key: str) -> Key | None:
        """The key, if there is one: a look into a dictionary, save once a second, when the file is looked at."""
        if self._clock() >= self._due:
            self._refresh()
        return self._known.get(api_key)

    def keys(self) -> tuple[Key, ...]:
        """All of them, oldest first, as they are on the disk now."""
        self._refresh()
        return tuple(self._known.values())

    def revoke(self, api_key: str) -> Key:
        """Take a key away, named in whole or by its first letters where no other begins like it; answers it."""
        revoked: list[Key] = []

        def without(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            revoked.append(_one(keys, api_key))
            return tuple(key for key in keys if key is not revoked[0])

        self._change(without)
        return revoked[0]

    def _change(self, edit: Edit) -> None:
        self._take(self._shelf.change(edit))

    def _refresh(self) -> None:
        now, stamp = self._clock(), self._shelf.stamp()
        if stamp != self._stamp:
            self._take(self._shelf.read())
            self._stamp = stamp
        self._due = now + _PATIENCE  # only now: what could not be read is asked for again by the next

    def _take(self, keys: Iterable[Key]) -> None:
        self._known = {key.api_key: key for key in keys}


def default_path() -> Path:
    """Where keys lie if nothing else is said: in the user's configuration."""
    if sys.platform == "win32":
        home = os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming"
    else:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "marketsim" / "keys.json"


def _one(keys: Sequence[Key], named: str) -> Key:
    """The key that is meant."""
    found = [key for key in keys if key.api_key == named] or [
        key for key in keys if named and key.api_key.startswith(named)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidValueError(f'{len(found)} keys begin with "{named}": write more of the one that is meant')
    raise InvalidValueError(f'no key begins with "{named}"; "marketsim keys list" shows those there are')


def _name(text: str, what: str, *, least: int) -> str:
    if not least <= len(text) <= _LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise InvalidValueError(
            f"{what} {text!r}: write {least} to {_LONGEST_NAME} signs that can be printed, without blanks at the ends"
        )
    return text


def _permissions(asked: Iterable[str]) -> tuple[str, ...]:
    """In their order, each once."""
    wanted = {asked} if isinstance(asked, str) else set(asked)
    for name in sorted(wanted - set(PERMISSIONS)):
        raise InvalidValueError(f'there is no permission "{name}"{did_you_mean(name, PERMISSIONS)}')
    if not wanted:
        raise InvalidValueError(f"a key without a permission opens nothing: give it one of {', '.join(PERMISSIONS)}")
    return tuple(name for name in PERMISSIONS if name in wanted)


# --- addresses ---


def parse_addresses(entries: Iterable[str]) -> tuple[str, ...]:
    """An address allow-list in plain form: single addresses and networks such as 10.0.0.0/8, of IPv4 and IPv6.

    Raises InvalidValueError for anything else: host names, and networks with bits set behind their prefix.
    """
    listed = [entries] if isinstance(entries, str) else entries
    networks = (_network(entry) for entry in listed)
    return tuple(dict.fromkeys(str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n) for n in networks))


def allowed(address: str, addresses: Sequence[str]) -> bool:
    """Whether an address is on an allow-list; an empty list allows all.

    An IPv4 address written as IPv6 (``::ffff:10.0.0.1``) is that IPv4 address, on both sides. What is no address at all
    is on no list. Raises InvalidValueError for an entry that ``parse_addresses`` would refuse.
    """
    if not addresses:
        return True
    networks = [_network(entry) for entry in addresses]
    try:
        here = _plain(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(here in network for network in networks)


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


@lru_cache(maxsize=4096)
def _network(entry: str) -> Network:
    text = entry.strip()
    try:
        network = ipaddress.ip_network(text, strict=False)
        if "%" in text:
            raise ValueError
    except ValueError:
        raise InvalidValueError(
            f'address "{entry}": neither an address nor a network; write such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32'
        ) from None
    first = text.partition("/")[0]
    if ipaddress.ip_address(first) != network.network_address:
        raise InvalidValueError(
            f'address "{entry}": bits are set behind the prefix; write {network} for the network or {first} for the '
            "address"
        )
    mapped = _plain(network.network_address)
    if isinstance(mapped, ipaddress.IPv4Address) and network.version == 6 and network.prefixlen >= 96:
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


# --- where keys lie ---


class _Shelf(Protocol):
    """A place for keys."""

    def stamp(self) -> object:
        """What is another after a change."""

    def read(self) -> tuple[Key, ...]:
        """All keys."""

    def change(self, edit: Edit) -> tuple[Key, ...]:
        """Put other keys in the place of those there are, and let nobody in between."""


class _Memory:
    """Nowhere but here."""

    def __init__(self) -> None:
        self._keys: tuple[Key, ...] = ()

    def stamp(self) -> object:
        return self._keys

    def read(self) -> tuple[Key, ...]:
        return self._keys

    def change(self, edit: Edit) -> tuple[Key, ...]:
        self._keys = edit(self._keys)
        return self._keys


class _File:
    """A file, its lock and its master key beside it. What it holds is always whole: old or new."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> object:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self._path, error) from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self) -> tuple[Key, ...]:
        content = self._content()
        if content is None:
            return ()
        cipher = self._cipher(content)
        return tuple(self._opened(cipher, entry, number) for number, entry in enumerate(content["keys"], start=1))

    def change(self, edit: Edit) -> tuple[Key, ...]:
        path = self._path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(path.with_name(path.name + ".lock")):
                keys = edit(self.read())
                _write_private(path.resolve(), json.dumps(self._sealed(keys), indent=1) + "\n")
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be written: {error.strerror}; name a file in a folder of your own"
            ) from error
        return keys

    def _content(self) -> dict[str, Any] | None:
        """What the file says; None when there is none."""
        try:
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self._path, error) from error
        except (ValueError, RecursionError):
            raise self._damaged("it is no JSON") from None
        if not isinstance(content, dict) or "version" not in content:
            raise self._damaged("it is no file of keys")
        if content["version"] != _VERSION:
            raise UnsupportedVersionError(
                f"{self._path}: not of version {_VERSION}, which this build reads; use the marketsim that wrote it, or "
                "name another file"
            )
        texts = (content.get("salt"), content.get("proof"))
        if not (isinstance(content.get("keys"), list) and all(isinstance(t, str) and t.isascii() for t in texts)):
            raise self._damaged("keys, salt or proof is missing")
        return content

    def _damaged(self, how: str) -> StoreError:
        return StoreError(f"{self._path}: damaged: {how}; put a copy in its place, or remove it and create keys anew")

    # --- secrets ---

    def _cipher(self, content: dict[str, Any]) -> _Cipher:
        """The cipher of a file that is there."""
        cipher = _cipher(self._master(), content["salt"])
        if cipher.opened(content["proof"], b"") != _PROOF:
            raise StoreError(
                f"{self._path}: sealed under another master key; set {MASTER_KEY} to the one it was made with, or put "
                f"its {MASTER_FILE} back"
            )
        return cipher

    def _opened(self, cipher: _Cipher, entry: Any, number: int) -> Key:
        if not _is_entry(entry):
            raise self._damaged(f"key {number} is no key")
        about = _about(entry)
        secret = cipher.opened(entry["secret"], _text(about))
        if secret is None:
            raise self._damaged(f"key {number} was changed by hand")
        lists = {name: tuple(about[name]) for name in ("permissions", "addresses")}
        return Key(secret=secret.decode(), **{**about, **lists})

    def _sealed(self, keys: Sequence[Key]) -> dict[str, Any]:
        salt = base64.b64encode(fresh_bytes(16)).decode() if (content := self._content()) is None else content["salt"]
        cipher = _cipher(self._master(new=content is None), salt)
        entries = []
        for key in keys:
            about = _about(asdict(key))
            entries.append({**about, "secret": cipher.sealed(key.secret.encode(), _text(about))})
        return {"version": _VERSION, "salt": salt, "proof": cipher.sealed(_PROOF, b""), "keys": entries}

    def _master(self, *, new: bool = False) -> str:
        """The text of the master key; for the first keys it is made where there is none."""
        text = os.environ.get(MASTER_KEY, "").strip()
        if text:
            if len(text) < _SHORTEST_MASTER:
                raise InvalidValueError(
                    f"{MASTER_KEY} has {len(text)} signs, which can be guessed; write {_SHORTEST_MASTER} or more"
                )
            return text
        path = self._path.with_name(MASTER_FILE)
        if new and not path.exists():
            _write_private(path, fresh_token(LENGTH) + "\n")
        return self._master_of(path)

    def _master_of(self, path: Path) -> str:
        try:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise StoreError(f"{path}: others than its owner may use it; run: chmod 600 {path}")
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise StoreError(
                f"{path}: missing, and the secrets of {self._path.name} are sealed under it; put it back, or set "
                f"{MASTER_KEY}"
            ) from None
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValueError:
            text = ""
        if len(text) < _SHORTEST_MASTER:
            raise StoreError(f"{path}: damaged: no master key is in it; put it back as it was")
        return text


def _is_entry(entry: object) -> bool:
    """Whether it is shaped like a key: its values may still be anybody's."""
    return (
        isinstance(entry, dict)
        and entry.keys() == {each.name for each in fields(Key)}
        and isinstance(entry["secret"], str)
        and all(isinstance(value, (str, int)) or _is_list_of_texts(value) for value in entry.values())
    )


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _about(entry: dict[str, Any]) -> dict[str, Any]:
    """What is not hidden."""
    return {name: value for name, value in entry.items() if name != "secret"}


def _text(about: dict[str, Any]) -> bytes:
    """Always the same for the same."""
    return json.dumps(about, sort_keys=True).encode()


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: cannot be read: {error.strerror}; it must be a file of your own")


class _Cipher:
    """Seals and opens. ``about`` is not hidden, but sealed with the secret: changed, nothing opens."""

    def __init__(self, master: str, salt: str) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
        except ImportError as error:
            raise MissingDependency("cryptography", "serve") from error
        self._unsound: type[Exception] = InvalidTag
        derived = Scrypt(salt=salt.encode(), length=32, n=1 << 14, r=8, p=1).derive(master.encode())
        self._aes = AESGCM(derived)

    def sealed(self, secret: bytes, about: bytes) -> str:
        nonce = fresh_bytes(12)
        return base64.b64encode(nonce + self._aes.encrypt(nonce, secret, about)).decode()

    def opened(self, sealed: str, about: bytes) -> bytes | None:
        """None when it was sealed otherwise."""
        with suppress(self._unsound, ValueError):  # binascii's error is one
            raw = base64.b64decode(sealed, validate=True)
            return self._aes.decrypt(raw[:12], raw[12:], about)
        return None


@lru_cache(maxsize=4)
def _cipher(master: str, salt: str) -> _Cipher:
    """Drawing the key takes some 50 ms, on purpose."""
    return _Cipher(master, salt)


# --- files of one's own ---


def _write_private(path: Path, text: str) -> None:
    """Put a file in place that only its owner can read: whoever looks meanwhile, or after a crash, sees old or new."""
    draft = path.with_name(path.name + ".partial")
    draft.unlink(missing_ok=True)  # of one that was killed: who writes holds the lock
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Let the disk know the names, where a folder can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time, over processes; the system lets go of the lock of one that is killed."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
                return
            except OSError as error:  # it gives up after ten tries
                if error.errno != errno.EDEADLK:
                    raise

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)
