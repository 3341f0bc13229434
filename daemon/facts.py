"""Tells what happened: every fact becomes a log line and moves the metrics it concerns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import structlog

from consumers.core.lifecycle import CHUNK_ENDS, ChunkState, JobStatus
from daemon.clock import Clock
from daemon.metrics import Metrics, prepare
from schemas import facts as f
from schemas.analyses import Registry
from schemas.models import ModelTable
from schemas.outcomes import Outcome

PHASES = (ChunkState.READY, ChunkState.SUBMITTED, *sorted(CHUNK_ENDS))
_log = structlog.get_logger("facts")


class FactTeller:
    """Facts in, metrics and log lines out."""

    def __init__(self, metrics: Metrics, models: ModelTable, analyses: Registry, clock: Clock) -> None:
        self._m = metrics
        self._clock = clock
        self._moves: Mapping[type[f.Fact], Callable[[Any], None]] = {
            f.FilesDecided: self._files,
            f.FilesCopied: self._copies,
            f.ChunkMoved: self._chunk,
            f.JobChanged: self._job,
            f.RecordsJudged: self._records,
            f.MoneySpent: self._money,
            f.ChunkCleaned: self._cleaned,
            f.RawRemoved: self._deleted,
            f.ResultsRemoved: self._deleted,
            f.StrangerRemoved: self._deleted,
            f.Reconciled: self._reconciled,
            f.ReconcilerRan: self._reconciler_ran,
        }
        names = [model.id for model in models.models]
        outcomes = [outcome.value for outcome in Outcome]
        prepare(metrics.counter("records_total"), analyses.names, outcomes)
        prepare(metrics.counter("tokens_total"), names, ("input", "output"))
        prepare(metrics.counter("cost_usd_total"), names)
        prepare(metrics.counter("cost_on_demand_usd_total"), names)
        prepare(metrics.histogram("job_duration_seconds"), names)
        prepare(metrics.histogram("chunk_seconds"), PHASES)
        prepare(metrics.counter("jobs_total"), names, [status.value for status in JobStatus])
        prepare(metrics.counter("files_total"), f.FILE_DECISIONS)
        prepare(metrics.counter("copies_total"), f.COPY_OUTCOMES)
        prepare(metrics.counter("reconcile_actions_total"), f.RECONCILE_ACTIONS)

    def tell(self, facts: Iterable[f.Fact]) -> None:
        """Tell what became true, once it is stored."""
        for fact in facts:
            say = _log.warning if isinstance(fact, f.FindingMade) else _log.info
            say(fact.event, **{each.name: getattr(fact, each.name) for each in fields(fact)})
            if move := self._moves.get(type(fact)):
                move(fact)

    def _files(self, fact: f.FilesDecided) -> None:
        self._m.counter("files_total").labels(fact.outcome).inc(fact.count)

    def _copies(self, fact: f.FilesCopied) -> None:
        self._m.counter("copies_total").labels(fact.outcome).inc(fact.count)
        self._m.counter("bytes_copied_total").inc(fact.bytes)

    def _chunk(self, fact: f.ChunkMoved) -> None:
        if fact.seconds is not None:
            self._m.histogram("chunk_seconds").labels(fact.state).observe(fact.seconds)
        if fact.seconds is not None and fact.state == ChunkState.COMPLETED:
            self._m.histogram("ingest_seconds").observe(fact.seconds)

    def _job(self, fact: f.JobChanged) -> None:
        self._m.counter("jobs_total").labels(fact.model, fact.status).inc()
        if fact.seconds is not None:
            self._m.histogram("job_duration_seconds").labels(fact.model).observe(fact.seconds)

    def _records(self, fact: f.RecordsJudged) -> None:
        self._m.counter("records_total").labels(fact.analysis_type, fact.outcome).inc(fact.count)

    def _money(self, fact: f.MoneySpent) -> None:
        tokens = self._m.counter("tokens_total")
        tokens.labels(fact.model, "input").inc(fact.input_tokens)
        tokens.labels(fact.model, "output").inc(fact.output_tokens)
        if fact.cost_usd is not None:
            self._m.counter("cost_usd_total").labels(fact.model).inc(float(fact.cost_usd))
        if fact.cost_on_demand_usd is not None:
            self._m.counter("cost_on_demand_usd_total").labels(fact.model).inc(float(fact.cost_on_demand_usd))

    def _cleaned(self, fact: f.ChunkCleaned) -> None:
        if not fact.dry_run:
            self._deleted(fact)

    def _deleted(self, fact: f.ChunkCleaned | f.RawRemoved | f.ResultsRemoved | f.StrangerRemoved) -> None:
        self._m.counter("objects_deleted_total").inc(fact.objects)
        self._m.counter("bytes_freed_total").inc(fact.bytes)

    def _reconciled(self, fact: f.Reconciled) -> None:
        self._m.counter("reconcile_actions_total").labels(fact.action).inc(fact.count)

    def _reconciler_ran(self, _: f.ReconcilerRan) -> None:
        self._m.gauge("last_reconcile_timestamp_seconds").set(self._clock.now().timestamp())
