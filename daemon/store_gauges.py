"""Figures of the store and the queues, exported by one process of all, so that sums over processes hold."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.core.rows import Held, Leased
from daemon.clock import Clock
from daemon.loop.hold import Leases
from daemon.mailbox import Mailbox
from daemon.metric_list import DECLARED, PREFIX, Declared
from daemon.metrics import UndeclaredMetric
from schemas.queues import Queue

LEASE = "gauges"
AGE = "queue_attributes_age_seconds"

Figures = Mapping[str, Mapping[tuple[str, ...], float]]
"""Values by metric and label values."""


class StoreGauges(Collector):
    """Figures from the store, exported by the process that holds the lease for it; by others not at all.

    ``lead`` takes or renews that lease and tells whether it is ours; ``read`` asks the store. Figures stand
    for ``keep`` seconds, as long as the lease: a process that is cut off must not go on beside its successor.
    """

    def __init__(
        self, lead: Callable[[], bool], read: Callable[[], Figures], clock: Clock, keep: float = float("inf")
    ) -> None:
        self._lead = lead
        self._read = read
        self._clock = clock
        self._keep = keep
        self._figures: Figures = {}
        self._read_at = 0.0

    def refresh(self) -> None:
        """Read the figures anew if this process leads, forget them if it does not."""
        began = self._clock.monotonic()
        self._figures = self._read() if self._lead() else {}
        self._read_at = began

    def collect(self) -> Iterator[Metric]:
        """Return the figures as last read."""
        age = self._clock.monotonic() - self._read_at
        figures = dict(self._figures) if age < self._keep else {}
        if figures:
            figures[AGE] = {(): age}
        known = {each.name: each for each in DECLARED if each.from_store}
        if strange := set(figures) - set(known):
            raise UndeclaredMetric(f"{sorted(strange)} are not declared in daemon/metric_list.py")
        for name, values in figures.items():
            yield _family(known[name], values)


def _family(each: Declared, values: Mapping[tuple[str, ...], float]) -> Metric:
    kind = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
    family = kind(PREFIX + each.name, each.help, labels=each.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


class Leader:
    """Holds the lease of the process that exports, renewed at every look."""

    def __init__(self, leases: Leases, seconds: float) -> None:
        self._leases = leases
        self._seconds = seconds
        self._held: Held | None = None

    def leads(self) -> bool:
        """Take or renew the lease; tells whether it is ours."""
        if self._held is None or not self._leases.renew(self._held, self._seconds):
            self._held = self._leases.take(Leased.RECONCILER, LEASE, self._seconds)
        return self._held is not None


def queue_figures(mailboxes: Mapping[Queue, Mailbox]) -> Figures:
    """Ask how full the queues and their dead letters are, and how long the queues keep a message."""
    values: dict[tuple[str, ...], float] = {}
    kept: dict[tuple[str, ...], float] = {}
    for queue, mailbox in mailboxes.items():
        for part, depth in mailbox.depths().items():
            dlq = "true" if part == "dlq" else "false"
            values[queue.value, dlq, "visible"] = float(depth.visible)
            values[queue.value, dlq, "in_flight"] = float(depth.in_flight)
            values[queue.value, dlq, "delayed"] = float(depth.delayed)
            if part == "main":
                kept[(queue.value,)] = float(depth.retention)
    return {"queue_messages": values, "queue_retention_seconds": kept}
