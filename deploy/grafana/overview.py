"""Is it well, and if not, what is wrong? Tiles and lists first, then each queue."""

from dataclasses import replace

from deploy.grafana.panel import Dashboard, Row, Variable, graph, quantile, stack
from deploy.grafana.troubles import REFUSALS, WRONG
from deploy.grafana.wellness import LIMIT, USED, WELL, M, Q

BACKLOG = f'max by (queue) (novabatch_queue_messages{{dlq="false", state="visible", {Q}}})'
HANDLED = f"sum by (queue) (rate(novabatch_consumer_messages_total{{{Q}}}[$__rate_interval]))"
FAILED = f'novabatch_consumer_messages_total{{outcome=~"retry|poison|lease_lost", {Q}}}'
ALL = f"novabatch_consumer_messages_total{{{Q}}}"
DURATION = f"novabatch_consumer_message_duration_seconds_bucket{{{Q}}}"
FAILING = f"{{{REFUSALS}}}[$__rate_interval]"
OF_CHUNKS = f"and on (model) max by (model) (novabatch_chunks{{{M}}})"
ON_THEIR_WAY = f'novabatch_chunks{{state!~"COMPLETED|CANCELLED", {M}}}'

WAITING = Row(
    "Backlog",
    (
        graph("Visible messages", "short", "What waits in each queue.", (BACKLOG, "{{queue}}"))
        .into("queue")
        .to("OldestMessageTooOld", "NotVisibleNearLimit"),
        graph(
            "Drain time",
            "s",
            "How long the backlog takes at the present rate; infinite where nothing is handled.",
            (f"{BACKLOG} / {HANDLED}", "{{queue}}"),
        )
        .into("queue")
        .to("DrainTimeTooLong"),
        replace(
            graph(
                "Oldest message by queue",
                "s",
                "Age of the oldest message last received; the goal is five minutes.",
                (f"max by (queue) (novabatch_queue_oldest_message_age_seconds{{{Q}}})", "{{queue}}"),
            ),
            steps=(("red", 300),),
        )
        .into("queue")
        .to("OldestMessageTooOld", "MessagesAboutToExpire"),
        stack(
            "Batches by state",
            "short",
            "From the store.",
            ("sum by (state) (max by (state, stopped) (novabatch_batches)) > 0", "{{state}}"),
        ).saying("none yet"),
        stack(
            "Chunks on their way",
            "short",
            "READY ones wait for a slot, ENDED ones for their results to be stored.",
            (
                f"sum by (state) (max by (state, model) ({ON_THEIR_WAY}))",
                "{{state}}",
            ),
        )
        .to("SlotsSaturated", "JobOverdue")
        .saying("none"),
        graph(
            "Slots",
            "short",
            "Jobs open and jobs that may be open, of models that have chunks.",
            (f"{USED} {OF_CHUNKS}", "{{model}} used"),
            (f"{LIMIT} {OF_CHUNKS}", "{{model}} limit"),
        )
        .to("SlotsSaturated")
        .saying("no chunks yet"),
    ),
)

RED = Row(
    "Messages",
    (
        graph(
            "Received",
            "ops",
            "Messages received a second.",
            (
                f"sum by (queue) (rate(novabatch_consumer_messages_received_total{{{Q}}}[$__rate_interval]))",
                "{{queue}}",
            ),
        ).into("queue"),
        stack(
            "Handled by outcome",
            "ops",
            "What came of the messages.",
            (f"sum by (queue, outcome) (rate({ALL}[$__rate_interval])) > 0", "{{queue}} {{outcome}}"),
        )
        .into("queue")
        .saying("nothing was handled")
        .to("HighFailureRatio", "DuplicateDeliveriesHigh"),
        graph(
            "Failure ratio",
            "percentunit",
            "Share that was retried, refused as poison or lost its lease.",
            (
                f"sum by (queue) (rate({FAILED}[$__rate_interval])) / {HANDLED}",
                "{{queue}}",
            ),
        )
        .into("queue")
        .to("HighFailureRatio", "LeaseLost"),
        graph(
            "Time to handle",
            "s",
            "From receipt to outcome.",
            (quantile(0.5, DURATION, ", queue"), "{{queue}} p50"),
            (quantile(0.95, DURATION, ", queue"), "{{queue}} p95"),
            (quantile(0.99, DURATION, ", queue"), "{{queue}} p99"),
        )
        .into("queue")
        .to("MessageStuck"),
        graph(
            "Calls to AWS that fail",
            "ops",
            "By service and error; that an object is not there is no failure.",
            (
                f"sum by (service, code) (rate(novabatch_aws_requests_total{FAILING}))",
                "{{service}} {{code}}",
            ),
            (
                f"sum by (code) (rate(novabatch_consumer_sqs_requests_total{FAILING}))",
                "sqs {{code}}",
            ),
        )
        .saying("none")
        .to("HighFailureRatio", "CircuitOpen"),
        graph(
            "Dependency down",
            "short",
            "1 while what a queue's stages depend on is down.",
            ("max by (dependency) (novabatch_consumer_circuit_state)", "{{dependency}}"),
        ).to("CircuitOpen"),
    ),
)

OVERVIEW = Dashboard(
    "novabatch-overview",
    "novabatch: overview",
    (WELL, WRONG, WAITING, RED),
    (
        Variable("queue", "novabatch_consumer_slots_configured"),
        Variable("model", "novabatch_slots_limit"),
    ),
)
