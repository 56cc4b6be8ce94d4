"""The speed of a market that marketsim serves on this machine, as its control says. It asks no other machine."""

from __future__ import annotations

import json
import math
from http.client import HTTPException
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from marketsim.realtime.endpoints import is_loopback

_PATIENCE = 2.0  # wall seconds


def served_speed(url: str) -> float | None:
    """Simulated seconds in a second at the gateway at ``url``.

    None where that cannot be known: on another machine, behind a control token, at a venue that is no gateway of
    marketsim, or when nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not is_loopback(parts.hostname or ""):
        return None
    ask = build_opener(ProxyHandler({}), HTTPSHandler())
    try:
        with ask.open(f"{parts.scheme}://{parts.netloc}/control/status", timeout=_PATIENCE) as answer:
            speed = float(json.load(answer)["speed"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    return speed if math.isfinite(speed) and speed > 0 else None
