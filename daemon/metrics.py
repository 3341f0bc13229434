"""The registry: declared metrics only, ready before the first message."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Any

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)

from daemon.metric_list import DECLARED, PREFIX, Declared


class UndeclaredMetric(KeyError):
    """A metric that the list in metric_list does not hold, or not as this type."""


class Metrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._all: dict[str, Counter | Gauge | Histogram] = {
            each.name: _make(each, self.registry) for each in DECLARED if not each.from_store
        }
        self.gauge("build_info").labels(release(), "", platform.python_version()).set(1)

    def counter(self, name: str) -> Counter:
        """Return a declared counter."""
        found: Counter = self._find(name, Counter)
        return found

    def gauge(self, name: str) -> Gauge:
        """Return a declared gauge."""
        found: Gauge = self._find(name, Gauge)
        return found

    def histogram(self, name: str) -> Histogram:
        """Return a declared histogram."""
        found: Histogram = self._find(name, Histogram)
        return found

    def _find(self, name: str, kind: type[Any]) -> Any:
        found = self._all.get(name)
        if not isinstance(found, kind):
            raise UndeclaredMetric(f"{name} is no {kind.__name__.lower()} declared in daemon/metric_list.py")
        return found


def prepare(metric: Counter | Gauge | Histogram, *labels: Iterable[str]) -> None:
    """Make the children of all combinations of label values, so that rates have no gaps."""
    for values in product(*labels):
        metric.labels(*values)


def release() -> str:
    """Return the version of this program."""
    try:
        return version("novabatch")
    except PackageNotFoundError:
        return "unknown"


def _make(each: Declared, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = PREFIX + each.name
    if each.kind == "counter":
        return Counter(name, each.help, each.labels, registry=registry)
    if each.kind == "gauge":
        return Gauge(name, each.help, each.labels, registry=registry)
    return Histogram(name, each.help, each.labels, registry=registry, buckets=each.buckets)
