"""What lies in the bucket, and what was cleaned."""

from deploy.grafana.panel import Dashboard, Row, Variable, graph, stack

A = 'area=~"$area"'
BYTES = f"max by (area) (novabatch_storage_bytes{{{A}}})"
LEAST = f"min by (area) (min_over_time(novabatch_storage_bytes{{{A}}}[1d]))"

LIES = Row(
    "In the bucket, measured hourly",
    (
        stack(
            "Bytes by area",
            "bytes",
            "One process lists the bucket.",
            (BYTES, "{{area}}"),
        ).to("StorageGrowing"),
        stack(
            "Objects by area",
            "short",
            "One process lists the bucket.",
            (f"max by (area) (novabatch_storage_objects{{{A}}})", "{{area}}"),
        ),
        graph(
            "Growth in a day",
            "bytes",
            "Bytes above the least of the last day.",
            (f"{BYTES} - {LEAST}", "{{area}}"),
        ).to("StorageGrowing"),
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
        ).to("CleanupFailing"),
        graph(
            "Bytes freed in the last hour",
            "bytes",
            "Bytes of the objects deleted.",
            ("sum(increase(novabatch_bytes_freed_total[1h]))", "freed"),
        ).to("CleanupFailing"),
        graph(
            "Bytes copied",
            "Bps",
            "What fills the temporary folders.",
            ("sum(rate(novabatch_bytes_copied_total[$__rate_interval]))", "copied"),
        ).to("StorageGrowing"),
        graph(
            "Findings of cleaning",
            "short",
            "Folders and raw lines that cannot be deleted.",
            ('max by (kind) (novabatch_findings{kind=~"cleanup_failing|raw_failing"})', "{{kind}}"),
        ).to("CleanupFailing"),
    ),
)

STORAGE = Dashboard(
    "novabatch-storage",
    "novabatch: storage and cleanup",
    (LIES, CLEANED),
    (Variable("area", "novabatch_storage_bytes"),),
)
