"""For each alert figures that make it fire, and figures so close that they do not.

Series are written as promtool reads them: ``1+2x60`` is 1, 3, 5 … over sixty minutes, ``_`` a scrape without
the series. A case is looked at after ``AT`` and scraped every minute unless it says otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

AT = "60m"
Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """What makes an alert fire, what does not, and after how long to look."""

    fires: Series
    quiet: Series
    at: str = AT
    every: str = "1m"


def _wait(*parts: tuple[float, int], count: float = 60) -> Series:
    """Messages that come, ``count`` a scrape; each part: the share that waits over 300 s, scrapes."""
    waited = "novabatch_consumer_queue_wait_seconds"
    return {
        f'{waited}_bucket{{queue="submit", le="300.0"}}': _grown(
            (count * (1 - late), n) for late, n in parts
        ),
        f'{waited}_count{{queue="submit"}}': _grown((count, n) for _, n in parts),
    }


def _grown(parts: Iterable[tuple[float, int]]) -> str:
    """Write a counter that grows by so much a scrape for so many scrapes, then by so much."""
    said, value = [], 0.0
    for step, scrapes in parts:
        said.append(f"{value}+{step}x{scrapes - 1}")
        value += step * scrapes
    return " ".join(said)


def _finding(kind: str) -> Case:
    fires = {f'novabatch_findings{{kind="{kind}"}}': "1x60"}
    return Case(fires, {f'novabatch_findings{{kind="{kind}"}}': "0x60"})


def _process(
    polled: str, instance: str = "a", paused: int = 0, free: int = 8, stops: int = 0, received: int = 0
) -> Series:
    """One of the processes of a queue; it received so many messages a minute."""
    who = f'queue="submit", instance="{instance}"'
    return {
        f"novabatch_consumer_last_poll_timestamp_seconds{{{who}}}": polled,
        f"novabatch_consumer_paused{{{who}}}": f"{paused}x60",
        f'novabatch_consumer_slots{{{who}, state="free"}}': f"{free}x60",
        f"novabatch_consumer_messages_received_total{{{who}}}": f"0+{received}x60",
        f'novabatch_consumer_shutdown_seconds{{instance="{instance}"}}': f"{stops}x60",
    }


def _waiting(count: int) -> Series:
    return {'novabatch_queue_messages{queue="submit", dlq="false", state="visible"}': f"{count}x60"}


def _expiring(age: int, days: int) -> Series:
    return {f"novabatch_{AGE}": f"{age}x60", RETENTION: f"{days * 86400}x60"}


def _overdue(age: int, hours: int) -> Series:
    return {
        'novabatch_job_oldest_seconds{model="m"}': f"{age}x60",
        'novabatch_job_timeout_seconds{instance="a"}': f"{hours * 3600}x60",
    }


def _messages(failed: int, handled: int) -> Series:
    return {
        'novabatch_consumer_messages_total{queue="submit", outcome="success"}': f"0+{handled - failed}x60",
        'novabatch_consumer_messages_total{queue="submit", outcome="poison"}': f"0+{failed}x60",
    }


def _slots(used: int, waiting: str) -> Series:
    return {
        'novabatch_slots_used{model="m"}': f"{used}x200",
        'novabatch_slots_limit{model="m"}': "20x200",
        'novabatch_chunks{model="m", state="READY"}': "20x200",
        'novabatch_chunks{model="m", state="PLANNED"}': waiting,
    }


def _polls(errors: int) -> Series:
    return {
        'novabatch_consumer_receives_total{queue="state", result="error"}': f"0+{errors}x60",
        'novabatch_consumer_receives_total{queue="state", result="empty"}': f"0+{10 - errors}x60",
    }


def _gauge(name: str, over: str, under: str, at: str = AT) -> Case:
    return Case({f"novabatch_{name}": over}, {f"novabatch_{name}": under}, at)


def _storage(before: float, now: float) -> Series:
    return {'novabatch_storage_bytes{area="output"}': f"{before}x1440 {now}x300"}


AGE = 'queue_oldest_message_age_seconds{queue="submit", source="received"}'
RETENTION = 'novabatch_queue_retention_seconds{queue="submit"}'
POLLS, SILENT = "0+60x60", "0x60"
BUDGET = {"novabatch_day_budget_usd": "100x60"}

CASES: Mapping[str, Case] = {
    "ConsumerDown": Case(
        {'up{job="novabatch", consumer="submit"}': "0x60"}, {'up{job="novabatch", consumer="submit"}': "1x60"}
    ),
    "ConsumerStalled": Case({**_process(SILENT), **_waiting(5)}, {**_process(POLLS), **_waiting(5)}),
    "MessagesAboutToExpire": Case(_expiring(172900, days=4), _expiring(172700, days=4)),
    "FreshnessBudgetBurnFast": Case(_wait((0.15, 71)), _wait((0.14, 71)), "70m"),
    "FreshnessBudgetBurnSlow": Case(_wait((0.07, 391)), _wait((0.05, 391)), "390m"),
    "FreshnessBudgetBurnSteady": Case(_wait((0.012, 159)), _wait((0.008, 159)), "79h", every="30m"),
    "OldestMessageTooOld": _gauge(AGE, "3700x60", "3500x60"),
    "DeadLetters": Case(
        {'novabatch_queue_messages{queue="submit", dlq="true", state="visible"}': "1x60"},
        {'novabatch_queue_messages{queue="submit", dlq="false", state="visible"}': "1x60"},
    ),
    "HighFailureRatio": Case(_messages(11, 100), _messages(9, 100)),
    "LeaseLost": _gauge('consumer_leases_lost_total{queue="submit"}', "0x50 1x10", "1x60"),
    "MessageStuck": _gauge('consumer_inflight_oldest_seconds{queue="submit"}', "3700x60", "3500x60"),
    "PollErrors": Case(_polls(6), _polls(4)),
    "CircuitOpen": _gauge('consumer_circuit_state{dependency="state"}', "1x60", "0x50 1x10"),
    "MetricsStale": _gauge("queue_attributes_age_seconds", "400x60", "200x60"),
    "ModelPaused": _gauge('paused{model="m", reason="paused"}', "1x60", "0x60"),
    "SlotsSaturated": Case(_slots(20, "100+1x200"), _slots(20, "300-1x200"), "150m"),
    "JobOverdue": Case(_overdue(93700, hours=24), _overdue(93500, hours=24)),
    "NothingReconciled": _gauge("last_reconcile_timestamp_seconds", "2400x60", "3300x60"),
    "CountsDisagree": _finding("cost_mismatch"),
    "WorkFailing": _finding("settle_failing"),
    "CleanupFailing": _finding("cleanup_failing"),
    "BudgetReached": Case(
        {"novabatch_day_committed_usd": "91x60", **BUDGET}, {"novabatch_day_committed_usd": "89x60", **BUDGET}
    ),
    "StorageGrowing": Case(_storage(1e11, 1.6e11), _storage(1e11, 1.4e11), "1700m"),
    "ModelEnding": _gauge('model_end_timestamp_seconds{model="m"}', "5187000x60", "5188000x60"),
    "ModelEndingSoon": _gauge('model_end_timestamp_seconds{model="m"}', "1213000x60", "1213500x60"),
    "PriceOld": _gauge('price_timestamp_seconds{model="m"}', "-15548500x60", "-15548300x60"),
}

ALSO_QUIET: Mapping[str, Sequence[Series]] = {
    "ConsumerStalled": [
        {**_process(SILENT), **_waiting(0)},
        {**_process(SILENT, paused=1), **_waiting(5)},
        {**_process(SILENT, free=0), **_waiting(5)},
        {**_process(SILENT, stops=150), **_waiting(5)},
    ],
    "MessagesAboutToExpire": [_expiring(172900, days=14)],
    "FreshnessBudgetBurnFast": [
        _wait((0.5, 71), count=0.1),
        _wait((0.2, 60), (0, 11)),
        _wait((0, 61), (0.5, 10)),
    ],
    "FreshnessBudgetBurnSlow": [
        _wait((0.5, 391), count=0.02),
        _wait((0.08, 350), (0, 41)),
        _wait((0, 351), (0.5, 40)),
    ],
    "FreshnessBudgetBurnSteady": [
        _wait((0.5, 159), count=0.06),
        _wait((0.03, 144), (0, 15)),
        _wait((0, 145), (0.09, 14)),
    ],
    "HighFailureRatio": [_messages(1, 2)],
    "SlotsSaturated": [_slots(19, "100+1x200")],
    "JobOverdue": [_overdue(93700, hours=48)],
    "BudgetReached": [{"novabatch_day_committed_usd": "1000x60"}],
    "StorageGrowing": [_storage(1e9, 1e10)],
    "NothingReconciled": [
        {
            'novabatch_last_reconcile_timestamp_seconds{instance="a"}': "0x60",
            'novabatch_last_reconcile_timestamp_seconds{instance="b"}': "0+60x60",
        }
    ],
}
"""Further figures that must not make an alert fire."""


def _moved(series: str, value: int, minute: int, end: int) -> Series:
    """Tell a gauge by one process until a minute, then by another: an alert must not begin anew."""
    name, labels = series.rstrip("}").split("{")
    return {
        f'{name}{{{labels}, instance="a"}}': f"{value}x{minute - 1} stale",
        f'{name}{{{labels}, instance="b"}}': f"_x{minute} {value}x{end - minute}",
    }


ALSO_FIRES: Mapping[str, Series] = {
    "ConsumerStalled": {**_process(SILENT, "a"), **_process(POLLS, "b", received=60), **_waiting(0)},
    "CleanupFailing": _moved('novabatch_findings{kind="cleanup_failing"}', 1, minute=58, end=60),
    "WorkFailing": _moved('novabatch_findings{kind="plan_failed"}', 1, minute=58, end=60),
    "JobOverdue": {
        **_moved('novabatch_job_oldest_seconds{model="m"}', 93700, minute=58, end=60),
        **_moved('novabatch_job_timeout_seconds{job="novabatch"}', 86400, minute=58, end=60),
    },
    "SlotsSaturated": {
        **_moved('novabatch_slots_used{model="m"}', 20, minute=140, end=150),
        **_moved('novabatch_slots_limit{model="m"}', 20, minute=140, end=150),
        'novabatch_chunks{model="m", state="PLANNED"}': "_x100 300x60",
    },
}
"""Further figures that must make an alert fire."""
