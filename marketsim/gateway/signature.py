"""Signatures: what a client of Binance's dialect signs, and whether a signature is that of its secret.

The signature is HMAC-SHA256 in hexadecimal, over the text of the request as it was sent, byte by byte (percent signs
stay as they are); case does not matter in it. This module never parses parameters and knows no keys.
Source: Binance's spot documentation, "SIGNED endpoint security" of its REST and of its WebSocket API.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from marketsim.errors import InvalidValueError

_NAME = b"signature="


def sign(secret: str, payload: bytes) -> str:
    """HMAC-SHA256 of a payload, 64 lower-case hexadecimal digits."""
    return hmac.digest(secret.encode(), payload, "sha256").hex()


def verify(secret: str, payload: bytes, signature: str) -> bool:
    """Whether a signature is the payload's, in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(sign(secret, payload).encode(), signature.lower().encode(errors="replace"))


def split_signature(query: bytes, body: bytes = b"") -> tuple[bytes, str | None]:
    """What is signed in a request, and its signature; None when there is no signature or more than one.

    query: what stands behind ``?`` in the URL; body: a form, as it was sent. The signature is taken out of the list of
    parameters wherever it stands; what is left of the query and of the body is joined without a sign between.
    """
    found: list[bytes] = []
    payload = _taken_out(query, found) + _taken_out(body, found)
    if len(found) != 1:
        return payload, None
    return payload, unquote_to_bytes(found[0]).decode("ascii", errors="replace")


def _taken_out(raw: bytes, found: list[bytes]) -> bytes:
    """A query without its signatures, which go to ``found``."""
    if _NAME not in raw:
        return raw
    kept = []
    for part in raw.split(b"&"):
        if part.startswith(_NAME):
            found.append(part[len(_NAME) :])
        else:
            kept.append(part)
    return b"&".join(kept)


class Written(float):
    """A number that knows how it was written: ``json.loads(text, parse_float=Written)``.

    Parsed to a float, 0.00001 would be signed as 1e-05, and 1.10 as 1.1. Its ``str`` is what was written.
    """

    text: str

    def __new__(cls, text: str) -> Written:
        """The number that a text says."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def websocket_payload(params: Mapping[str, object]) -> bytes:
    """What is signed in a request over the WebSocket API: ``name=value`` of all but the signature, by name, with ``&``.

    params: parsed JSON. Texts stand as they are; everything else as in JSON without blanks, numbers as they were
    written where the parser kept that (``Written``). Raises InvalidValueError for what no JSON text can be.
    """
    pairs = (f"{name}={_text(name, params[name])}" for name in sorted(params) if name != "signature")
    return "&".join(pairs).encode(errors="surrogatepass")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Written):
        return value.text
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidValueError(
            f"parameter {name}: a {type(value).__name__} that cannot be written as JSON; send a text, a number, a "
            "boolean or a flat list"
        ) from None
