"""Is it well? One row of tiles, then each queue."""

from deploy.grafana.panel import Dashboard, Panel, Query, Row, Variable, graph, quantile, stack, tile

Q = 'queue=~"$queue"'
BACKLOG = f'max by (queue) (novabatch_queue_messages{{dlq="false", state="visible", {Q}}})'
HANDLED = f"sum by (queue) (rate(novabatch_consumer_messages_total{{{Q}}}[$__rate_interval]))"
FAILED = f'novabatch_consumer_messages_total{{outcome=~"retry|poison|lease_lost", {Q}}}'
ALL = f"novabatch_consumer_messages_total{{{Q}}}"
DURATION = f"novabatch_consumer_message_duration_seconds_bucket{{{Q}}}"


WELL = Row(
    "Is it well?",
    (
        tile(
            "Consumers down",
            "short",
            'count(up{job="novabatch"} == 0) or vector(0)',
            "Processes that do not answer. A process that is not scraped at all does not show.",
            ("red", 1),
        ),
        tile(
            "Longest since a poll",
            "s",
            f"max(time() - novabatch_consumer_last_poll_timestamp_seconds{{{Q}}})",
            "A poll takes 20 s at most while a slot is free; longer: stalled, paused, or all slots busy.",
            ("yellow", 60),
            ("red", 120),
        ),
        tile(
            "Oldest message",
            "s",
            f"max(novabatch_queue_oldest_message_age_seconds{{{Q}}})",
            "Age of the oldest message last received.",
            ("yellow", 300),
            ("red", 3600),
        ),
        tile(
            "Dead letters",
            "short",
            f'sum(max by (queue) (novabatch_queue_messages{{dlq="true", state="visible", {Q}}}))',
            "See novabatch dlq list.",
            ("red", 1),
        ),
        tile(
            "Findings",
            "short",
            "sum(max by (kind) (novabatch_findings))",
            "Things a person should look at.",
            ("yellow", 1),
        ),
        tile(
            "Paused models",
            "short",
            "sum(max by (model, reason) (novabatch_paused))",
            "Models whose submissions are stopped, once for each reason.",
            ("red", 1),
        ),
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
        ),
        stack(
            "Handled by outcome",
            "ops",
            "What came of the messages.",
            (f"sum by (queue, outcome) (rate({ALL}[$__rate_interval]))", "{{queue}} {{outcome}}"),
        ),
        graph(
            "Failure ratio",
            "percentunit",
            "Share that was retried, refused as poison or lost its lease.",
            (
                f"sum by (queue) (rate({FAILED}[$__rate_interval])) / {HANDLED}",
                "{{queue}}",
            ),
        ),
        graph(
            "Time to handle",
            "s",
            "From receipt to outcome.",
            (quantile(0.5, DURATION, ", queue"), "{{queue}} p50"),
            (quantile(0.95, DURATION, ", queue"), "{{queue}} p95"),
            (quantile(0.99, DURATION, ", queue"), "{{queue}} p99"),
        ),
        graph(
            "Calls to AWS that fail",
            "ops",
            "By service and error, ok left out; SQS apart.",
            (
                'sum by (service, code) (rate(novabatch_aws_requests_total{code!="ok"}[$__rate_interval]))',
                "{{service}} {{code}}",
            ),
            (
                'sum by (code) (rate(novabatch_consumer_sqs_requests_total{code!="ok"}[$__rate_interval]))',
                "sqs {{code}}",
            ),
        ),
        graph(
            "Dependency down",
            "short",
            "1 while what a queue's stages depend on is down.",
            ("max by (dependency) (novabatch_consumer_circuit_state)", "{{dependency}}"),
        ),
    ),
)

WAITING = Row(
    "Backlog",
    (
        graph("Visible messages", "short", "What waits in each queue.", (BACKLOG, "{{queue}}")),
        graph(
            "Drain time",
            "s",
            "How long the backlog takes at the present rate; infinite where nothing is handled.",
            (f"{BACKLOG} / {HANDLED}", "{{queue}}"),
        ),
        Panel(
            "Oldest message",
            "s",
            (Query(f"max by (queue) (novabatch_queue_oldest_message_age_seconds{{{Q}}})", "{{queue}}"),),
            "Age of the oldest message last received.",
        ),
    ),
)

OVERVIEW = Dashboard(
    "novabatch-overview",
    "novabatch: overview",
    (WELL, RED, WAITING),
    (Variable("queue", "novabatch_consumer_slots_configured"),),
)
