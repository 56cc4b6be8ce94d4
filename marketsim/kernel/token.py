"""Tokens: words that nobody can guess, for the keys of clients.

The one chance that no seed repeats, and so nothing simulated ever draws from it.
"""

from __future__ import annotations

import secrets
import string

_SIGNS = string.ascii_letters + string.digits


def fresh_token(length: int) -> str:
    """So many letters and digits of ASCII, each drawn alike by the operating system's generator (5.95 bits a sign)."""
    return "".join(secrets.choice(_SIGNS) for _ in range(length))


def fresh_bytes(length: int) -> bytes:
    """So many bytes of the operating system's generator, for nonces and salts."""
    return secrets.token_bytes(length)
