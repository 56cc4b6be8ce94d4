"""How many runs a statistical test makes: few enough for every change, or as many as the publication it is held to.

``MARKETSIM_FULL=1 python -m pytest -m statistical`` makes the published number; .ci/run makes the shortened one.
"""

from __future__ import annotations

import os


def runs(short: int, full: int) -> int:
    """The shortened or the published number of runs."""
    return full if os.environ.get("MARKETSIM_FULL") == "1" else short
