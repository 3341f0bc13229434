"""For each alert figures that make it fire, and figures so close that they do not.

A case is looked at after ``AT`` and scraped every minute unless it says otherwise; ``alert_series.py`` says
how series are written.
"""

from collections.abc import Mapping, Sequence

from tests.alert_series import (
    AGE,
    Case,
    Series,
    acks,
    changes,
    draining,
    duplicates,
    expiring,
    extensions,
    finding,
    gauge,
    in_flight,
    in_vain,
    messages,
    moved,
    overdue,
    polls,
    process,
    slots,
    stopped,
    storage,
    versions,
    wait,
    waiting,
)

POLLS, SILENT = "0+60x60", "0x60"
BUDGET = {"novabatch_day_budget_usd": "100x60"}

CASES: Mapping[str, Case] = {
    "ConsumerDown": Case(
        {'up{job="novabatch", consumer="submit"}': "0x60"}, {'up{job="novabatch", consumer="submit"}': "1x60"}
    ),
    "ConsumerStalled": Case({**process(SILENT), **waiting(5)}, {**process(POLLS), **waiting(5)}),
    "MessagesAboutToExpire": Case(expiring(172900, days=4), expiring(172700, days=4)),
    "FreshnessBudgetBurnFast": Case(wait((0.15, 71)), wait((0.14, 71)), "70m"),
    "FreshnessBudgetBurnSlow": Case(wait((0.07, 391)), wait((0.05, 391)), "390m"),
    "FreshnessBudgetBurnSteady": Case(wait((0.012, 159)), wait((0.008, 159)), "79h", every="30m"),
    "OldestMessageTooOld": gauge(AGE, "3700x60", "3500x60"),
    "DeadLetters": Case(
        {'novabatch_queue_messages{queue="submit", dlq="true", state="visible"}': "1x60"},
        {'novabatch_queue_messages{queue="submit", dlq="false", state="visible"}': "1x60"},
    ),
    "HighFailureRatio": Case(messages(11, 100), messages(9, 100)),
    "LeaseLost": gauge('consumer_leases_lost_total{queue="submit"}', "0x50 1x10", "1x60"),
    "MessageStuck": gauge('consumer_inflight_oldest_seconds{queue="submit"}', "3700x60", "3500x60"),
    "PollErrors": Case(polls(6), polls(4)),
    "CircuitOpen": gauge('consumer_circuit_state{dependency="state"}', "1x60", "0x50 1x10"),
    "MetricsStale": gauge("queue_attributes_age_seconds", "400x60", "200x60"),
    "ModelPaused": gauge('paused{model="m", reason="paused"}', "1x60", "0x60"),
    "SlotsSaturated": Case(slots(20, "100+1x200"), slots(20, "300-1x200"), "150m"),
    "JobOverdue": Case(overdue(93700, hours=24), overdue(93500, hours=24)),
    "NothingReconciled": gauge("last_reconcile_timestamp_seconds", "2400x60", "3300x60"),
    "JobEventsMissed": Case(changes(6, 5), changes(5, 6), "75m"),
    "CountsDisagree": finding("cost_mismatch"),
    "WorkFailing": finding("settle_failing"),
    "CleanupFailing": finding("cleanup_failing"),
    "BudgetReached": Case(
        {"novabatch_day_committed_usd": "91x60", **BUDGET}, {"novabatch_day_committed_usd": "89x60", **BUDGET}
    ),
    "ConsumerVersionSkew": Case(
        versions(a1="1x70", a2="1x70", b1="1x70"), versions(a1="1x70", a2="1x70", b1="_x15 1x55"), "65m"
    ),
    "AckFailures": Case(acks(12, 88), acks(8, 92)),
    "VisibilityExtensionFailing": Case(extensions(6, 6, 88), extensions(4, 4, 92)),
    "DrainTimeTooLong": Case(draining(61 * 60, "0+60x60"), draining(59 * 60, "0+60x60")),
    "NotVisibleNearLimit": Case(in_flight(96001), in_flight(96000)),
    "DuplicateDeliveriesHigh": Case(duplicates(6, 94), duplicates(4, 96)),
    "EmptyReceivesHigh": Case(in_vain(3, 13), in_vain(11, 11)),
    "BatchBudgetReached": Case(stopped((2, 1440), (3, 60)), stopped((3, 1500)), "1500m"),
    "StorageGrowing": Case(storage(1e11, 1.6e11), storage(1e11, 1.4e11), "1700m"),
    "ModelEnding": gauge('model_end_timestamp_seconds{model="m"}', "5187000x60", "5188000x60"),
    "ModelEndingSoon": gauge('model_end_timestamp_seconds{model="m"}', "1213000x60", "1213500x60"),
    "PriceOld": gauge('price_timestamp_seconds{model="m"}', "-15548500x60", "-15548300x60"),
}

ALSO_QUIET: Mapping[str, Sequence[Series]] = {
    "ConsumerStalled": [
        {**process(SILENT), **waiting(0)},
        {**process(SILENT, paused=1), **waiting(5)},
        {**process(SILENT, free=0), **waiting(5)},
        {**process(SILENT, stops=150), **waiting(5)},
    ],
    "MessagesAboutToExpire": [expiring(172900, days=14)],
    "FreshnessBudgetBurnFast": [
        wait((0.5, 71), count=0.1),
        wait((0.2, 60), (0, 11)),
        wait((0, 61), (0.5, 10)),
    ],
    "FreshnessBudgetBurnSlow": [
        wait((0.5, 391), count=0.02),
        wait((0.08, 350), (0, 41)),
        wait((0, 351), (0.5, 40)),
    ],
    "FreshnessBudgetBurnSteady": [
        wait((0.5, 159), count=0.06),
        wait((0.03, 144), (0, 15)),
        wait((0, 145), (0.09, 14)),
    ],
    "HighFailureRatio": [messages(1, 2)],
    "JobEventsMissed": [dict.fromkeys(changes(1, 0), "0x30 1+1x3 4x60")],
    "AckFailures": [acks(1, 0)],
    "VisibilityExtensionFailing": [extensions(0, 1, 0)],
    "DrainTimeTooLong": [draining(10, "0+0x60"), draining(500, "0+60x47 2820+0x13")],
    "NotVisibleNearLimit": [in_flight(97000, dlq="true")],
    "ConsumerVersionSkew": [versions(a1="1x70", a2="1x70")],
    "DuplicateDeliveriesHigh": [duplicates(1, 0)],
    "BatchBudgetReached": [
        stopped((2, 30), (3, 1470)),
        stopped((3, 1440), (2, 60)),
        stopped((2, 1440), (3, 60), reason="other"),
        {
            'novabatch_batches{state="FAILED", stopped="budget", instance="a"}': "3x1499",
            'novabatch_batches{state="FAILED", stopped="budget", instance="b"}': "_x1490 3x10",
        },
    ],
    "SlotsSaturated": [slots(19, "100+1x200")],
    "JobOverdue": [overdue(93700, hours=48)],
    "BudgetReached": [{"novabatch_day_committed_usd": "1000x60"}],
    "StorageGrowing": [storage(1e9, 1e10)],
    "NothingReconciled": [
        {
            'novabatch_last_reconcile_timestamp_seconds{instance="a"}': "0x60",
            'novabatch_last_reconcile_timestamp_seconds{instance="b"}': "0+60x60",
        }
    ],
}
"""Further figures that must not make an alert fire."""


ALSO_FIRES: Mapping[str, Series] = {
    "ConsumerStalled": {**process(SILENT, "a"), **process(POLLS, "b", received=60), **waiting(0)},
    "CleanupFailing": moved('novabatch_findings{kind="cleanup_failing"}', 1, minute=58, end=60),
    "WorkFailing": moved('novabatch_findings{kind="plan_failed"}', 1, minute=58, end=60),
    "AckFailures": acks(2, 0),
    "VisibilityExtensionFailing": extensions(0, 2, 0),
    "DrainTimeTooLong": draining(11, "0+0x60"),
    "DuplicateDeliveriesHigh": duplicates(2, 0),
    "BatchBudgetReached": {
        'novabatch_batches{state="FAILED", stopped="budget", instance="a"}': "2x1399 3x49 stale",
        'novabatch_batches{state="FAILED", stopped="budget", instance="b"}': "_x1450 3x50",
    },
    "JobOverdue": {
        **moved('novabatch_job_oldest_seconds{model="m"}', 93700, minute=58, end=60),
        **moved('novabatch_job_timeout_seconds{job="novabatch"}', 86400, minute=58, end=60),
    },
    "SlotsSaturated": {
        **moved('novabatch_slots_used{model="m"}', 20, minute=140, end=150),
        **moved('novabatch_slots_limit{model="m"}', 20, minute=140, end=150),
        'novabatch_chunks{model="m", state="PLANNED"}': "_x100 300x60",
    },
}
"""Further figures that must make an alert fire."""
