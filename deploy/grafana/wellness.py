"""The first two rows of the overview: is it well, and what is wrong?"""

from dataclasses import replace

from deploy.grafana.panel import Row, table, tile

Q = 'queue=~"$queue"'
M = 'model=~"$model"'
LATELY = "10m"
REFUSALS = 'code!~"ok|404"'  # that an object is not there is an answer
FIRING = 'ALERTS{alertname=~"Novabatch.*", alertstate="firing"}'
USED = f"max by (model) (novabatch_slots_used{{{M}}})"
LIMIT = f"max by (model) (novabatch_slots_limit{{{M}}})"
MISSED = 'novabatch_reconcile_actions_total{action="event_missed"}'
GOAL = 0.99
WAITS = f"novabatch_consumer_queue_wait_seconds_count{{{Q}}}"
FRESH = (
    f'sum(increase(novabatch_consumer_queue_wait_seconds_bucket{{le="300.0", {Q}}}[30d]))'
    f" / (sum(increase({WAITS}[30d])) > 0)"
)


def _refused(metric: str, *more: str) -> str:
    by = ", ".join((*more, "operation", "code"))
    return f"sum by ({by}) (increase({metric}{{{REFUSALS}}}[{LATELY}])) > 0.5"


REFUSED = (
    f"{_refused('novabatch_aws_requests_total', 'service')} or "
    f'label_replace({_refused("novabatch_consumer_sqs_requests_total")}, "service", "sqs", "", "")'
)

WELL = Row(
    "Is it well?",
    (
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
        tile(
            "Longest since a poll",
            "s",
            f"max(time() - novabatch_consumer_last_poll_timestamp_seconds{{{Q}}})",
            "A poll takes 20 s at most while a slot is free; longer: stalled, paused, or all slots busy.",
            ("yellow", 60),
            ("red", 120),
        ).to("ConsumerStalled", "PollErrors"),
        tile(
            "Submissions stopped",
            "short",
            "sum by (reason) (max by (model, reason) (novabatch_paused))"
            " or on () 0 * sum(novabatch_slots_limit)",
            "Models for which no jobs are created: paused by a person or three failures in a row,"
            " blocked for a while by Bedrock's quota or throttling.",
            ("red", 1),
            legend="{{reason}}",
        ).to("ModelPaused"),
        tile(
            "Slots in use",
            "percentunit",
            f"max({USED} / {LIMIT})",
            "Of the jobs that may be open, of the fullest model. Full is fine while jobs end.",
            ("yellow", 1),
        ).to("SlotsSaturated"),
        tile(
            "Events missed",
            "short",
            f"round(sum(increase({MISSED}[{LATELY}])))",
            "Job ends of the last ten minutes that no event told and the reconciler found.",
            ("yellow", 1),
            ("red", 3),
        ),
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
                "Budget of late messages left",
                "percentunit",
                f"clamp_min(1 - (1 - {FRESH}) / {1 - GOAL:.2g}, 0)",
                "100 %: none was late; 0: more were late in 30 days than the goal allows.",
                ("yellow", 0.001),
                ("green", 0.25),
            ).to("FreshnessBudgetBurnFast", "FreshnessBudgetBurnSlow"),
            base="red",
        ),
    ),
)

WRONG = Row(
    "What is wrong",
    (
        table(
            "Which alerts fire",
            "short",
            "A name leads to its entry in the runbook.",
            f"count by (alertname, severity, consumer, queue, model, kind) ({FIRING})",
            "alertname",
            "severity",
            "consumer",
            "queue",
            "model",
            "kind",
            "firing",
        ),
        table(
            "Which findings",
            "short",
            "Things a person should look at: novabatch status names the rows.",
            "max by (kind) (novabatch_findings) > 0",
            "kind",
            "rows",
        ).to("WorkFailing", "CleanupFailing", "CountsDisagree"),
        table(
            "Calls that AWS refused in ten minutes",
            "short",
            "By service, operation and error. Throttling passes by itself; Denied does not.",
            f"sort_desc(round({REFUSED}))",
            "service",
            "operation",
            "code",
            "calls",
        ).to("HighFailureRatio", "PollErrors"),
    ),
)
