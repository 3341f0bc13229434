"""Metrics: declared once, made at start, moved by facts."""

from dataclasses import fields
from decimal import Decimal

import pytest

from daemon.facts import FactTeller
from daemon.health import Health
from daemon.metric_list import DECLARED, PREFIX, page
from daemon.metrics import Metrics, UndeclaredMetric
from daemon.store_gauges import Leader, StoreGauges, queue_figures
from schemas import facts as f
from schemas.analyses import REGISTRY
from schemas.models import load_models
from schemas.queues import Queue
from tests.daemon.bench import Bench
from tests.fakes.clock import FakeClock
from tests.fakes.leases import FakeLeases
from tests.fakes.mailbox import RETENTION, FakeMailbox

NEEDED = set(
    """
    consumer_messages_received_total consumer_messages_total consumer_message_duration_seconds
    consumer_queue_wait_seconds consumer_receives_total consumer_sqs_requests_total
    consumer_sqs_request_duration_seconds consumer_slots consumer_slots_configured
    consumer_inflight_messages consumer_inflight_oldest_seconds consumer_visibility_extensions_total
    consumer_leases_lost_total consumer_lease_remaining_seconds consumer_acks_total
    consumer_ack_buffer consumer_ack_delay_seconds consumer_last_poll_timestamp_seconds
    consumer_last_success_timestamp_seconds consumer_paused consumer_circuit_state
    consumer_shutdown_seconds consumer_released_on_shutdown_total queue_messages
    queue_oldest_message_age_seconds queue_attributes_age_seconds build_info files_total chunks
    chunk_seconds copies_total bytes_copied_total records_total tokens_total cost_usd_total
    ingest_seconds jobs_total job_duration_seconds slots_used slots_limit slot_idle_seconds_total
    paused aws_requests_total aws_request_duration_seconds reconcile_actions_total
    last_reconcile_timestamp_seconds findings objects_deleted_total bytes_freed_total storage_bytes
    storage_objects
    """.split()  # noqa: SIM905
)
BESIDE = {
    "job_oldest_seconds",
    "day_committed_usd",
    "day_budget_usd",
    "model_end_timestamp_seconds",
    "price_timestamp_seconds",
    "batches",
    "cost_on_demand_usd_total",
    "queue_retention_seconds",
    "job_timeout_seconds",
}
"""What alerts and dashboards ask for beyond the design."""
SAMPLES = {
    "<class 'int'>": 3,
    "<class 'str'>": "x",
    "<class 'bool'>": False,
    "float | None": 2.0,
    "decimal.Decimal | None": Decimal("1.5"),
}


def test_the_metrics_are_those_of_the_design() -> None:
    assert {each.name for each in DECLARED} == NEEDED | BESIDE


def test_the_docs_page_names_every_metric() -> None:
    assert all(f"`{PREFIX}{name}`" in page() for name in NEEDED)


def test_what_is_not_declared_raises() -> None:
    metrics = Metrics()
    with pytest.raises(UndeclaredMetric):
        metrics.counter("surprises_total")
    with pytest.raises(UndeclaredMetric):
        metrics.gauge("files_total")
    clock = FakeClock()
    gauges = StoreGauges(lambda: True, lambda: {"surprises": {(): 1.0}}, clock)
    gauges.refresh()
    with pytest.raises(UndeclaredMetric):
        list(gauges.collect())


def test_label_children_are_there_before_the_first_message() -> None:
    bench = Bench()
    for outcome in ("success", "retry", "poison", "duplicate", "released", "lease_lost"):
        assert bench.metric("consumer_messages_total", outcome=outcome) == 0
    assert bench.metric("consumer_slots", state="free") == 8
    assert bench.metric("consumer_slots_configured") == 8


def test_every_fact_can_be_told_and_moves_its_metric() -> None:
    metrics, clock = Metrics(), FakeClock()
    tell = FactTeller(metrics, load_models(), REGISTRY, clock).tell
    # A dataclass with slots leaves the class it was made from behind.
    kinds = [kind for kind in f.Fact.__subclasses__() if getattr(f, kind.__name__) is kind]
    assert len(kinds) > 10
    for kind in kinds:
        tell([kind(**{each.name: SAMPLES[str(each.type)] for each in fields(kind)})])
    get = metrics.registry.get_sample_value
    assert get("novabatch_files_total", {"outcome": "x"}) == 3
    assert get("novabatch_tokens_total", {"model": "x", "direction": "input"}) == 3
    assert get("novabatch_cost_usd_total", {"model": "x"}) == 1.5
    assert get("novabatch_cost_on_demand_usd_total", {"model": "x"}) == 1.5
    assert get("novabatch_objects_deleted_total") == 4 * 3  # chunk, raw lines, results, stranger
    assert get("novabatch_reconcile_actions_total", {"action": "x"}) == 3


def test_only_one_process_exports_the_figures_of_all() -> None:
    clock = FakeClock()
    leases = FakeLeases(clock)
    mailbox = FakeMailbox(clock)
    mailbox.post("x")
    figures = lambda: queue_figures({Queue.SUBMIT: mailbox})  # noqa: E731
    one, other = (StoreGauges(Leader(leases, 180).leads, figures, clock) for _ in range(2))
    for _ in range(5):
        one.refresh()
        other.refresh()
        clock.advance(60)
    assert [family.name for family in one.collect()] == [
        "novabatch_queue_messages",
        "novabatch_queue_retention_seconds",
        "novabatch_queue_attributes_age_seconds",
    ]
    assert list(other.collect()) == []
    clock.advance(181)
    other.refresh()
    one.refresh()
    assert list(one.collect()) == []
    assert len(list(other.collect())) == 3


def test_each_queue_tells_how_long_it_keeps_a_message() -> None:
    figures = queue_figures({Queue.STATE: FakeMailbox(FakeClock())})
    assert figures["queue_retention_seconds"] == {("state",): RETENTION}


def test_the_page_of_a_process_can_be_read() -> None:
    bench = Bench()
    health = Health(bench.metrics.registry, lambda: {"submit": True}, {}, bench.clock)
    status, _, body = health.answer("/metrics")
    assert status == 200
    assert b"novabatch_build_info" in body


def test_ready_names_what_is_missing_and_live_what_stands_still() -> None:
    from consumers.core.faults import Missing

    def gone() -> None:
        raise Missing("no such bucket")

    clock = FakeClock()
    health = Health(Metrics().registry, lambda: {"submit": False}, {"bucket": gone, "database": int}, clock)
    status, _, body = health.answer("/ready")
    assert (status, b"no such bucket" in body, b"database" in body) == (503, True, False)
    assert health.answer("/live")[0] == 503
    assert health.answer("/")[0] == 404


def test_a_probe_that_breaks_as_nobody_foresaw_is_missing_and_quoted_by_its_kind_only() -> None:
    def breaks() -> None:
        raise ValueError("postgresql://user:secret@host")

    health = Health(Metrics().registry, dict, {"database": breaks}, FakeClock())
    assert health.missing() == {"database": "ValueError"}
