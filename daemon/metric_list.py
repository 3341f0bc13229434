"""Every metric there is: the registry and the docs page are made from this list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PREFIX = "novabatch_"
LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
WAIT = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
JOB = (60, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric, without its prefix. ``from_store`` ones are exported by one process only."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    from_store: bool = False


def _counter(name: str, help: str, *labels: str) -> Declared:
    return Declared(name, "counter", help, labels)


def _gauge(name: str, help: str, *labels: str) -> Declared:
    return Declared(name, "gauge", help, labels)


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Declared:
    return Declared(name, "histogram", help, labels, buckets)


def _stored(name: str, help: str, *labels: str) -> Declared:
    return Declared(name, "gauge", help, labels, from_store=True)


LOOP: Sequence[Declared] = (
    _counter("consumer_messages_received_total", "Messages received.", "queue"),
    _counter("consumer_messages_total", "Messages by what came of them.", "queue", "outcome"),
    _histogram("consumer_message_duration_seconds", "From receipt to outcome.", LONG, "queue", "outcome"),
    _histogram(
        "consumer_queue_wait_seconds", "From sending to first receipt (only first receipts).", WAIT, "queue"
    ),
    _counter("consumer_receives_total", "Polls: messages, empty, error.", "queue", "result"),
    _counter(
        "consumer_sqs_requests_total", "Calls to SQS; code is ok or the error's name.", "operation", "code"
    ),
    _histogram("consumer_sqs_request_duration_seconds", "Calls to SQS.", CALL, "operation"),
    _gauge("consumer_slots", "Places for messages in work: busy, free.", "queue", "state"),
    _gauge("consumer_slots_configured", "Places there are.", "queue"),
    _gauge("consumer_inflight_messages", "Messages in hand.", "queue"),
    _gauge("consumer_inflight_oldest_seconds", "How long the oldest message is in hand.", "queue"),
    _counter("consumer_visibility_extensions_total", "Extensions: ok, failed, error.", "queue", "result"),
    _counter("consumer_leases_lost_total", "Messages or leases lost in the middle of work.", "queue"),
    _gauge("consumer_lease_remaining_seconds", "Shortest time left at the last heartbeat.", "queue"),
    _counter("consumer_acks_total", "Deletions: ok, failed.", "queue", "result"),
    _gauge("consumer_ack_buffer", "Messages that wait for their deletion.", "queue"),
    _histogram("consumer_ack_delay_seconds", "From outcome to deletion.", CALL, "queue"),
    _gauge("consumer_last_poll_timestamp_seconds", "When the last poll was answered.", "queue"),
    _gauge("consumer_last_success_timestamp_seconds", "When a message was last dealt with.", "queue"),
    _gauge("consumer_paused", "1 while polling rests because what the stages need is down.", "queue"),
    _gauge(
        "consumer_circuit_state",
        "What a queue's stages depend on: 0 works, 1 is down; named after the queue.",
        "dependency",
    ),
    _gauge("consumer_shutdown_seconds", "How long the stop takes or took."),
    _counter("consumer_released_on_shutdown_total", "Messages given back at a stop.", "queue"),
    _stored("queue_messages", "Messages in a queue or its dead letters.", "queue", "dlq", "state"),
    _gauge(
        "queue_oldest_message_age_seconds",
        "Age of the oldest message that this process received and that nobody has dealt with since.",
        "queue",
        "source",
    ),
    _stored("queue_retention_seconds", "How long a queue keeps a message.", "queue"),
    _stored("queue_attributes_age_seconds", "Age of the queue_messages figures."),
    _gauge("build_info", "1, with the version.", "version", "commit", "python"),
)

WORK: Sequence[Declared] = (
    _counter("files_total", "Files by what was decided.", "outcome"),
    _stored(
        "batches",
        "Batches by state, and whether buying for them was stopped: no, budget (their own), other.",
        "state",
        "stopped",
    ),
    _stored("chunks", "Chunks by state.", "state", "model"),
    _histogram("chunk_seconds", "How long the phase took that led to a state.", JOB, "phase"),
    _counter("copies_total", "Files copied, uploaded, found there, or refused.", "outcome"),
    _counter("bytes_copied_total", "Bytes copied or uploaded."),
    _counter("records_total", "Records by outcome.", "analysis_type", "outcome"),
    _counter("tokens_total", "Tokens bought.", "model", "direction"),
    _counter("cost_usd_total", "Money spent, where the price is known.", "model"),
    _counter("cost_on_demand_usd_total", "What the same records cost on demand, without padding.", "model"),
    _histogram("ingest_seconds", "From a job's end to its stored results.", LONG),
    _counter("jobs_total", "Jobs by status reached.", "model", "status"),
    _histogram("job_duration_seconds", "From a job's creation to its end.", JOB, "model"),
    _stored("slots_used", "Jobs open.", "model"),
    _stored("slots_limit", "Jobs that may be open.", "model"),
    Declared(
        "slot_idle_seconds_total",
        "counter",
        "Seconds that slots stood empty while chunks waited, counted when a job takes the slot.",
        ("model",),
        from_store=True,
    ),
    _stored("job_oldest_seconds", "Age of the oldest job that is open.", "model"),
    _stored("job_timeout_seconds", "JOB_TIMEOUT_HOURS: how long Bedrock lets a job run."),
    _stored("day_committed_usd", "Money committed today (UTC): spent, and estimated for open jobs."),
    _stored("day_budget_usd", "BUDGET_USD_PER_DAY; absent where there is none."),
    _stored("model_end_timestamp_seconds", "When a model ends; absent where no end is known.", "model"),
    _stored("price_timestamp_seconds", "When a model's price was last known to be right.", "model"),
    _stored("paused", "1 while a model's submissions are stopped.", "model", "reason"),
    _counter(
        "aws_requests_total", "Calls to AWS; code is ok or the error's name.", "service", "operation", "code"
    ),
    _histogram("aws_request_duration_seconds", "Calls to AWS.", CALL, "service", "operation"),
    _counter("reconcile_actions_total", "Messages the reconciler sent.", "action"),
    _gauge("last_reconcile_timestamp_seconds", "When this process last made a pass."),
    _stored("findings", "Things a person should look at.", "kind"),
    _counter(
        "objects_deleted_total",
        "Objects deleted: temporary folders, raw lines and results past their time, what a person named.",
    ),
    _counter("bytes_freed_total", "Bytes of the objects deleted."),
    _stored("storage_bytes", "Bytes in a part of the bucket, measured hourly.", "area"),
    _stored("storage_objects", "Objects in a part of the bucket, measured hourly.", "area"),
)

DECLARED: Sequence[Declared] = (*LOOP, *WORK)


PAGE = """\
# Metrics

Each process tells its own at `/metrics` of its HTTP port (submit 9100, job_state 9101, cleanup 9102).
The label children are there from the start, at zero, so that a rate has no gap.
What is marked *one process* comes from the store or the queues and is told by one process of all, so that
a sum over all of them holds; it moves to another process when that one ends.
Beside these there are the usual `process_*`, `python_info` and `python_gc_*`.
`make pages` writes this page from `daemon/metric_list.py`.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """Return the docs page of all metrics, as Markdown."""
    return PAGE + "".join(map(_line, DECLARED))


def _line(each: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels)
    told = f"{each.kind}, one process" if each.from_store else each.kind
    return f"| `{PREFIX}{each.name}` | {told} | {labels} | {each.help} |\n"


if __name__ == "__main__":
    print(page(), end="")
