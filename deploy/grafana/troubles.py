"""The lists of the overview: what is wrong?"""

from deploy.grafana.panel import Row, table
from deploy.grafana.wellness import FIRING, LATELY

REFUSALS = 'code!~"ok|404"'  # that an object is not there is an answer


def _refused(metric: str, *more: str) -> str:
    """Count what was refused lately, by a process that is gone too.

    A series that is new counts from zero, which increase() does not see.
    """
    by, series = ", ".join((*more, "operation", "code")), f"{metric}{{{REFUSALS}}}"
    most = f"max_over_time({series}[{LATELY}])"
    return f"sum by ({by}) (clamp_min({most} - ({series} offset {LATELY} or 0 * {most}), 0)) > 0"


REFUSED = (
    f"{_refused('novabatch_aws_requests_total', 'service')} or "
    f'label_replace({_refused("novabatch_consumer_sqs_requests_total")}, "service", "sqs", "", "")'
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
            f"sort_desc({REFUSED})",
            "service",
            "operation",
            "code",
            "calls",
        )
        .to("HighFailureRatio", "PollErrors")
        .reading("CallsRefused"),
    ),
)
