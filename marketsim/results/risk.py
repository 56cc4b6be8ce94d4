"""What risk control decided in a run, as a table. It judges nothing."""

from __future__ import annotations

import pandas as pd

from marketsim.domain.risk import NOTE, STOPPING, RiskEvent


def table(annotations: pd.DataFrame) -> pd.DataFrame:
    """The risk events among the annotations of a run."""
    rows = annotations[annotations["key"] == NOTE]
    events = [
        RiskEvent.of_note(int(time), agent, value)
        for time, agent, value in zip(rows["time"], rows["agent"], rows["value"], strict=True)
    ]
    frame = pd.DataFrame(events, columns=list(RiskEvent._fields))
    for name in ("severity", "action"):
        frame[name] = frame[name].map(str)
    return frame.astype({"time": "int64", "value": float, "limit": float, "allowed": "int64", "order": "int64"})


def stopped(risk: pd.DataFrame) -> pd.DataFrame:
    """The rows by which a strategy was stopped, one for each stop."""
    return risk[risk["action"].isin(STOPPING)]
