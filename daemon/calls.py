"""Counts and times every call a boto3 client makes."""

import time
from typing import Any

from daemon.metrics import Metrics

_BEGAN = "novabatch_began"


def watch_calls(client: Any, metrics: Metrics) -> None:
    """Let a client's calls move the metrics of its service."""
    service = client.meta.service_model.service_name
    watch = _Watch(service, metrics)
    for event, handler in (
        ("before-call", watch.began),
        ("after-call", watch.answered),
        ("after-call-error", watch.failed),
    ):
        client.meta.events.register(event, handler)


class _Watch:
    def __init__(self, service: str, metrics: Metrics) -> None:
        self._sqs = service == "sqs"
        prefix = "consumer_sqs_request" if self._sqs else "aws_request"
        self._labels: tuple[str, ...] = () if self._sqs else (service,)
        self._count = metrics.counter(f"{prefix}s_total")
        self._time = metrics.histogram(f"{prefix}_duration_seconds")
        self._counts: dict[tuple[str, str], Any] = {}
        self._times: dict[str, Any] = {}

    def began(self, context: dict[str, Any], **_: Any) -> None:
        context[_BEGAN] = time.perf_counter()

    def answered(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error")
        status = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(error.get("Code") or status) if error and status >= 300 else "ok"
        self._note(model.name, code, context)

    def failed(self, exception: Exception, context: dict[str, Any], event_name: str, **_: Any) -> None:
        self._note(event_name.rpartition(".")[2], type(exception).__name__, context)

    def _note(self, operation: str, code: str, context: dict[str, Any]) -> None:
        if (key := (operation, code)) not in self._counts:
            self._counts[key] = self._count.labels(*self._labels, operation, code)
        self._counts[key].inc()
        if (began := context.get(_BEGAN)) is not None:
            if operation not in self._times:
                self._times[operation] = self._time.labels(*self._labels, operation)
            self._times[operation].observe(time.perf_counter() - began)
