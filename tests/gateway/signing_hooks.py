"""Hooks of Schemathesis: whatever it makes up for a signed request is signed as a client of the dialect signs.

A timestamp and a signature are put in only where it has sent ones of the right form, and with the key of the command
line; what it leaves out or spoils on purpose stays so.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

import schemathesis

from marketsim.gateway.signature import sign

KEY, SECRET = os.environ["MARKETSIM_TEST_KEY"], os.environ["MARKETSIM_TEST_SECRET"]
_STAMP, _SIGNATURE = (
    re.compile(r"(^|&)timestamp=[0-9]{1,18}(?=&|$)"),
    re.compile(r"(^|&)signature=[0-9a-fA-F]{64}(?=&|$)"),
)


def _signed(prepared: Any) -> Any:
    """Sign a request that is ready to be sent."""
    query = urlsplit(prepared.url).query
    if prepared.headers.get("X-MBX-APIKEY") == KEY and _SIGNATURE.search(query):
        stamped = _STAMP.sub(lambda found: f"{found[1]}timestamp={int(time.time() * 1000)}", query)
        bare = _SIGNATURE.sub("", stamped).removeprefix("&")
        body = prepared.body or b""
        signature = sign(SECRET, bare.encode() + (body if isinstance(body, bytes) else body.encode()))
        prepared.url = prepared.url.replace(
            query, f"{bare}&signature={signature}" if bare else f"signature={signature}"
        )
    return prepared


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Sign it, once it is known how it is written."""
    kwargs["auth"] = _signed
