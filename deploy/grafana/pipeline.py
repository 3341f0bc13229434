"""Chunks, jobs, records and money."""

from deploy.grafana.panel import Dashboard, Row, Variable, graph, quantile, stack

M = 'model=~"$model"'
ID = 'model=~"(.+[.])?$model"'  # a profile's id ends with its base model
RATE = "[$__rate_interval]"
TIMES = f"novabatch_job_duration_seconds_bucket{{{ID}}}"
SPENT = f"increase(novabatch_cost_usd_total{{{ID}}}[1d])"
ON_DEMAND = f"increase(novabatch_cost_on_demand_usd_total{{{ID}}}[1d])"

WORK = Row(
    "Batches, chunks and slots",
    (
        stack(
            "Batches by state",
            "short",
            "From the store.",
            ("sum by (state) (max by (state, stopped) (novabatch_batches)) > 0", "{{state}}"),
            width=6,
        ).saying("none yet"),
        stack(
            "Chunks by state",
            "short",
            "From the store.",
            (f"sum by (state) (max by (state, model) (novabatch_chunks{{{M}}}))", "{{state}}"),
            width=6,
        ).saying("none yet"),
        graph(
            "Slots",
            "short",
            "Jobs open and jobs that may be open.",
            (f"max by (model) (novabatch_slots_limit{{{M}}})", "{{model}} limit"),
            (f"max by (model) (novabatch_slots_used{{{M}}})", "{{model}} used"),
            width=6,
        ).to("SlotsSaturated"),
        graph(
            "Empty slots while chunks wait",
            "s",
            "Seconds lost in the last hour.",
            (f"sum by (model) (increase(novabatch_slot_idle_seconds_total{{{M}}}[1h]))", "{{model}}"),
            width=6,
        ).to("ModelPaused", "WorkFailing"),
        stack(
            "Files decided",
            "ops",
            "Files a second by what was decided.",
            (f"sum by (outcome) (rate(novabatch_files_total{RATE}))", "{{outcome}}"),
        ),
        stack(
            "Copies",
            "ops",
            "Files a second copied, uploaded, found there or refused.",
            (f"sum by (outcome) (rate(novabatch_copies_total{RATE}))", "{{outcome}}"),
        ),
        graph(
            "Time of each phase",
            "s",
            "95th percentile of the phase that led to a state.",
            (
                quantile(0.95, "novabatch_chunk_seconds_bucket", ", phase"),
                "{{phase}}",
            ),
        ),
    ),
)

JOBS = Row(
    "Jobs and records",
    (
        graph(
            "Jobs in the last hour",
            "short",
            "By the status they reached.",
            (
                f"sum by (model, status) (increase(novabatch_jobs_total{{{ID}}}[1h])) > 0",
                "{{model}} {{status}}",
            ),
        )
        .to("ModelPaused")
        .saying("none"),
        graph(
            "Oldest open job",
            "s",
            "Age since its creation.",
            (f"max by (model) (novabatch_job_oldest_seconds{{{M}}})", "{{model}}"),
        ).to("JobOverdue"),
        graph(
            "Time of a job",
            "s",
            "From creation to end, median and 95th percentile.",
            (
                quantile(0.5, TIMES, window="6h"),
                "p50",
            ),
            (
                quantile(0.95, TIMES, window="6h"),
                "p95",
            ),
        ),
        stack(
            "Records by outcome",
            "ops",
            "Records a second, of all models.",
            (f"sum by (outcome) (rate(novabatch_records_total{RATE}))", "{{outcome}}"),
        ),
        graph(
            "From a job's end to stored results",
            "s",
            "95th percentile.",
            (quantile(0.95, "novabatch_ingest_seconds_bucket"), "p95"),
        ).to("WorkFailing"),
        graph(
            "Set going by the reconciler, last 10 minutes",
            "short",
            "event_missed: job ends that no event told. The rest: work that somebody let go of.",
            ("sum by (action) (increase(novabatch_reconcile_actions_total[10m])) > 0.5", "{{action}}"),
        )
        .to("NothingReconciled")
        .saying("nothing"),
    ),
)

MONEY = Row(
    "Tokens and money",
    (
        stack(
            "Tokens in the last hour",
            "short",
            "Bought, by direction.",
            (
                f"sum by (model, direction) (increase(novabatch_tokens_total{{{ID}}}[1h])) > 0",
                "{{model}} {{direction}}",
            ),
            width=6,
        ).saying("none"),
        graph(
            "Cost in the last day",
            "currencyUSD",
            "Spent, beside what the same would have cost on demand; where the price is known.",
            (f"sum by (model) ({SPENT}) > 0", "{{model}} batch"),
            (f"sum by (model) ({ON_DEMAND}) > 0", "{{model}} on demand"),
            width=6,
        ).saying("nothing was spent"),
        graph(
            "Saved in the last day",
            "currencyUSD",
            "On demand less what was spent. Padding and retries are spent here and saved there.",
            (f"sum by (model) ({ON_DEMAND}) - (sum by (model) ({SPENT}) > 0)", "{{model}}"),
            width=6,
        ).saying("nothing was spent"),
        graph(
            "Today against the budget",
            "currencyUSD",
            "Committed today (UTC); no budget line where none is set.",
            ("max(novabatch_day_committed_usd)", "committed"),
            ("max(novabatch_day_budget_usd)", "budget"),
            width=6,
        ).to("BudgetReached", "BatchBudgetReached"),
    ),
)

PIPELINE = Dashboard(
    "novabatch-pipeline",
    "novabatch: pipeline",
    (WORK, JOBS, MONEY),
    (Variable("model", "novabatch_slots_limit"),),
)
