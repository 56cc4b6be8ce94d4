"""Metrics of a gateway, in Prometheus' form: latencies, queues, messages, and how the simulated clock keeps the pace.

Each gateway has a registry of its own, so that several in one process do not add up. It measures and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from marketsim.errors import MissingDependency

if TYPE_CHECKING:
    from marketsim.kernel.pacing import Pace

_FINE = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What is counted while people trade. Times in seconds."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ImportError:
            raise MissingDependency("prometheus-client", "serve") from None
        self.registry = CollectorRegistry()
        mine: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "marketsim_requests_total", "Requests answered, by door and HTTP status", ["door", "status"], **mine
        )
        self.latency = Histogram(
            "marketsim_request_seconds", "From a request's arrival to its answer, wall time", ["door", "operation"],
            buckets=_FINE, **mine,
        )  # fmt: skip
        self.acknowledged = Histogram(
            "marketsim_order_acknowledgement_seconds",
            "From the arrival of an order at the gateway to the venue's answer, wall time", buckets=_FINE, **mine,
        )  # fmt: skip
        self.received = Counter("marketsim_messages_received_total", "WebSocket messages received", **mine)
        self.sent = Counter("marketsim_messages_sent_total", "WebSocket messages sent", **mine)
        self.conflated = Counter(
            "marketsim_messages_conflated_total", "Messages whose place a newer one took before they were sent", **mine
        )
        self.cut = Counter(
            "marketsim_connections_cut_total", "Connections that the gateway ended, by reason", ["reason"], **mine
        )
        self.lag = Histogram(
            "marketsim_clock_lag_seconds", "By how much the simulated clock was behind when a turn began, wall time",
            buckets=_FINE, **mine,
        )  # fmt: skip
        self.worst_lag = Gauge("marketsim_clock_lag_worst_seconds", "The most of it since somebody looked", **mine)
        self.turns = Histogram("marketsim_turn_seconds", "Wall time of a turn of the market", buckets=_FINE, **mine)
        self._mine = mine
        self._worst = 0.0
        self._latencies: dict[tuple[str, str], Any] = {}  # looked up here in a fraction of a label's time
        self._statuses: dict[tuple[str, int], Any] = {}

    def answered(self, door: str, operation: str, status: int, seconds: float) -> None:
        """A request was answered after so long."""
        self.refused(door, status)
        seen = self._latencies.get((door, operation))
        if seen is None:
            seen = self._latencies[door, operation] = self.latency.labels(door, operation)
        seen.observe(seconds)

    def refused(self, door: str, status: int) -> None:
        """A request was answered, in no time that matters."""
        counted = self._statuses.get((door, status))
        if counted is None:
            counted = self._statuses[door, status] = self.requests.labels(door, str(status))
        counted.inc()

    def see_lag(self, seconds: float) -> None:
        """The clock was so far behind when a turn began."""
        self.lag.observe(seconds)
        if seconds > self._worst:
            self._worst = seconds
            self.worst_lag.set(seconds)

    def watch_pace(self, pace: Callable[[], Pace], start: int) -> None:
        """Show how the simulated clock goes."""
        self.gauge("marketsim_simulated_seconds", "Simulated time so far", lambda: (pace().time - start) / 1e9)
        self.gauge("marketsim_speed", "Simulated seconds that should pass in a second", lambda: pace().speed)
        self.gauge(
            "marketsim_lag_seconds", "Wall time by which the simulated clock is behind", lambda: pace().lag / 1e9
        )
        self.gauge(
            "marketsim_slipped_seconds",
            "Wall time given up because the market was slower",
            lambda: pace().slipped / 1e9,
        )
        self.gauge("marketsim_paused", "1 while the clock stands still", lambda: float(pace().paused))

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for when somebody looks."""
        from prometheus_client import Gauge

        Gauge(name, text, **self._mine).set_function(value)

    def labelled(self, name: str, text: str, label: str, values: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """The same for numbers by a label."""
        from prometheus_client.core import GaugeMetricFamily

        class Collector:
            def collect(self) -> Iterable[Any]:
                family = GaugeMetricFamily(name, text, labels=[label])
                for key, value in values():
                    family.add_metric([key], value)
                yield family

        self.registry.register(Collector())

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        from prometheus_client import generate_latest

        written: bytes = generate_latest(self.registry)
        self._worst = 0.0
        return written
