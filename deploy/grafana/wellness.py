"""The tiles of the overview: is it well?"""

from collections.abc import Sequence
from dataclasses import replace

from deploy.grafana.panel import Panel, Row, tile

Q = 'queue=~"$queue"'
M = 'model=~"$model"'
LATELY = "10m"
FIRING = 'ALERTS{alertname=~"Novabatch.*", alertstate="firing"}'
USED = f"max by (model) (novabatch_slots_used{{{M}}})"
LIMIT = f"max by (model) (novabatch_slots_limit{{{M}}})"
MISSED = 'novabatch_reconcile_actions_total{action="event_missed"}'
CHANGES = 'novabatch_jobs_total{status!="Submitted"}'
FOUND = f"sum(increase({MISSED}[{LATELY}]))"
FEW = 5
GOAL = 0.99
WAITS = f"novabatch_consumer_queue_wait_seconds_count{{{Q}}}"
FRESH = (
    f'sum(increase(novabatch_consumer_queue_wait_seconds_bucket{{le="300.0", {Q}}}[30d]))'
    f" / (sum(increase({WAITS}[30d])) > 0)"
)


FIRST: Sequence[Panel] = (
    replace(
        tile(
            "Consumers",
            "short",
            'min by (consumer) (up{job="novabatch"})',
            "DOWN: a process of this kind does not answer. One that is not scraped at all does not show.",
            ("green", 1),
            legend="{{consumer}}",
        ).to("ConsumerDown"),
        base="red",
        words={0: ("DOWN", "red"), 1: ("up", "green")},
        width=6,
    ),
    tile(
        "Alerts that fire",
        "short",
        f"count({FIRING}) or vector(0)",
        "The list below names them.",
        ("red", 1),
    ),
    tile(
        "Dead letters",
        "short",
        f'max by (queue) (novabatch_queue_messages{{dlq="true", state="visible", {Q}}})',
        "Messages that could never work or failed ten times: novabatch dlq list says why.",
        ("red", 1),
        legend="{{queue}}",
    )
    .to("DeadLetters")
    .wide(6),
    tile(
        "Findings",
        "short",
        "sum(max by (kind) (novabatch_findings))",
        "Things a person should look at; the list below names them.",
        ("yellow", 1),
    ).to("WorkFailing", "CleanupFailing", "CountsDisagree"),
    tile(
        "Oldest message",
        "s",
        f"max(novabatch_queue_oldest_message_age_seconds{{{Q}}})",
        "Age of the oldest message last received.",
        ("yellow", 300),
        ("red", 3600),
    ).to("OldestMessageTooOld", "MessagesAboutToExpire"),
)

SECOND: Sequence[Panel] = (
    tile(
        "Longest since a poll",
        "s",
        f"max(time() - (novabatch_consumer_last_poll_timestamp_seconds{{{Q}}} > 0))",
        "A poll takes 20 s at most while a slot is free; longer: stalled, paused, or all slots busy.",
        ("yellow", 60),
        ("red", 120),
    ).to("ConsumerStalled", "PollErrors"),
    tile(
        "Submissions stopped",
        "short",
        "sum by (reason) (max by (model, reason) (novabatch_paused)) or on () 0 * sum(novabatch_slots_limit)",
        "Models for which no jobs are created: paused by a person or three failures in a row,"
        " blocked for a while by Bedrock's quota or throttling.",
        ("red", 1),
        legend="{{reason}}",
    )
    .to("ModelPaused")
    .reading("CallsRefused"),
    tile(
        "Slots in use",
        "percentunit",
        f"max({USED} / {LIMIT})",
        "Of the jobs that may be open, of the fullest model. Full is fine while jobs end.",
        ("yellow", 1),
    ).to("SlotsSaturated"),
    tile(
        "Chunks that wait",
        "short",
        f'sum(max by (state, model) (novabatch_chunks{{state=~"PLANNED|PREPARING|READY", {M}}}))'
        " or on () 0 * sum(novabatch_slots_limit)",
        "For a slot, or to be prepared for one. Growing while all slots are in use: see the list of jobs.",
    ).to("SlotsSaturated"),
    tile(
        "Oldest open job",
        "s",
        f"max(novabatch_job_oldest_seconds{{{M}}})",
        "Bedrock ends a job after JOB_TIMEOUT_HOURS.",
        ("yellow", 86_400),
        ("red", 26 * 3600),
    ).to("JobOverdue"),
    tile(
        "Job events missed",
        "percentunit",
        f"clamp_max(({FOUND} > {FEW}) / sum(increase({CHANGES}[{LATELY}])), 1) or vector(0)",
        "Share of the jobs' changes in ten minutes that no event told and the reconciler had to find;"
        f" 0 % where it found {FEW} or fewer, whose events may have been on their way.",
        ("yellow", 0.25),
        ("red", 0.5),
    ).to("JobEventsMissed"),
    replace(
        tile(
            "Received within 5 min",
            "percentunit",
            FRESH,
            f"Share of the messages of 30 days, or of what Prometheus keeps; the goal is {GOAL:.0%}.",
            ("yellow", GOAL),
            ("green", (1 + GOAL) / 2),
        ).to("FreshnessBudgetBurnFast", "FreshnessBudgetBurnSlow"),
        base="red",
    ),
    replace(
        tile(
            "Lateness budget left",
            "percentunit",
            f"clamp_min(1 - (1 - {FRESH}) / {1 - GOAL:.2g}, 0)",
            "100 %: none was late; 0: more were late in 30 days than the goal allows.",
            ("yellow", 0.001),
            ("green", 0.25),
        ).to("FreshnessBudgetBurnFast", "FreshnessBudgetBurnSlow"),
        base="red",
    ),
)

WELL = Row("Is it well?", (*FIRST, *(each.wide(3) for each in SECOND)))
