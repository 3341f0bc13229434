"""What lies in the bucket, and what was cleaned."""

from deploy.grafana.panel import Dashboard, Row, graph, stack

BYTES = "max by (area) (novabatch_storage_bytes)"

LIES = Row(
    "In the bucket, measured hourly",
    (
        stack(
            "Bytes by area",
            "bytes",
            "One process lists the bucket.",
            (BYTES, "{{area}}"),
        ),
        stack(
            "Objects by area",
            "short",
            "One process lists the bucket.",
            ("max by (area) (novabatch_storage_objects)", "{{area}}"),
        ),
        graph(
            "Growth in a day",
            "bytes",
            "Bytes more than a day ago; shrinking is not drawn.",
            (
                f"clamp_min({BYTES} - max by (area) (novabatch_storage_bytes offset 1d), 0)",
                "{{area}}",
            ),
        ),
    ),
)

CLEANED = Row(
    "Cleanup",
    (
        graph(
            "Objects deleted in the last hour",
            "short",
            "Temporary folders, old raw lines, what a person named.",
            ("sum(increase(novabatch_objects_deleted_total[1h]))", "deleted"),
        ),
        graph(
            "Bytes freed in the last hour",
            "bytes",
            "Bytes of the objects deleted.",
            ("sum(increase(novabatch_bytes_freed_total[1h]))", "freed"),
        ),
        graph(
            "Bytes copied",
            "Bps",
            "What fills the temporary folders.",
            ("sum(rate(novabatch_bytes_copied_total[$__rate_interval]))", "copied"),
        ),
        graph(
            "Findings",
            "short",
            "cleanup_failing and raw_failing: a folder that cannot be emptied.",
            ("max by (kind) (novabatch_findings)", "{{kind}}"),
        ),
    ),
)

STORAGE = Dashboard("novabatch-storage", "novabatch: storage and cleanup", (LIES, CLEANED))
