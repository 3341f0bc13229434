"""Batches put into a store at the point a test begins from."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from sqlalchemy import select

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import ChunkState, JobStatus
from consumers.core.rows import Held, JobCounts, JudgedRecord, Leased, NewBatch, NewChunk, NewFile, NewRecord
from daemon.adapters.store import SqlStore
from daemon.adapters.store.model_rows import lock_model
from daemon.adapters.store.model_rows import prove as mark_proven
from daemon.adapters.tables import models
from schemas.messages import Terms
from schemas.models import base_model
from schemas.outcomes import Outcome

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
MODEL = "us.amazon.nova-2-lite-v1:0"
LONG = 3600.0
GONE = -1.0
SLOTS = 20


def after(**delta: float) -> datetime:
    """Return a time after NOW."""
    return NOW + timedelta(**delta)


def new_batch(
    request_id: str = "r",
    *,
    model: str = MODEL,
    priority: int = 0,
    at: datetime = NOW,
    budget: Decimal | None = None,
) -> NewBatch:
    terms = Terms(request_id=request_id, model=model, priority=priority, budget_usd=budget)
    return NewBatch(layout.batch_id(request_id), terms, model, "media", '{"request":1}', at)


def new_file(position: int, *, file_id: int | str | None = None, code: str = "", etag: str = "e") -> NewFile:
    echo = 1000 + position if file_id is None else file_id
    return NewFile(
        position=position,
        file_id=str(echo),
        echo=echo,
        bucket="media",
        s3_key=f"proxy/{position}.mov",
        size_bytes=1000 + position,
        etag=etag,
        kind="video",
        local_path=None,
        context={"path": "Smith/pool"},
        analysis_types=("combined",),
        code=code,
        reason=f"because of {code}" if code else "",
    )


def new_chunk(
    batch: NewBatch,
    index: int,
    positions: Sequence[int],
    *,
    round: int = 0,
    attempt: int = 1,
    types: Sequence[str] = ("combined",),
) -> NewChunk:
    return NewChunk(
        chunk_id=layout.chunk_id(batch.batch_id, index),
        index=index,
        round=round,
        model=batch.model,
        folder=layout.folder_name(batch.created_at, batch.batch_id, index),
        priority=batch.terms.priority,
        bytes=1000 * len(positions),
        padding=0,
        safe_names={position: f"{position}.mov" for position in positions},
        records=tuple(NewRecord(position, name, attempt, 4096) for position in positions for name in types),
        created_at=batch.created_at,
    )


def prove(store: SqlStore, model: str = MODEL) -> None:
    """Have a model seen past validation, so that it may use all of its slots."""
    with store.database.write() as connection:
        lock_model(connection, base_model(model))
        mark_proven(connection, base_model(model))


def streak(store: SqlStore, model: str = MODEL) -> int:
    """Return how many chunks in a row failed as a whole."""
    asked = select(models.c.failed_in_a_row).where(models.c.model == base_model(model))
    with store.database.read() as connection:
        return connection.execute(asked).scalar_one_or_none() or 0


def hold(store: SqlStore, kind: Leased, id: str, seconds: float = LONG) -> Held:
    held = store.take(kind, id, seconds)
    assert held is not None
    return held


def hold_chunk(store: SqlStore, chunk_id: str, seconds: float = LONG) -> Held:
    return hold(store, Leased.CHUNK, chunk_id, seconds)


def hold_batch(store: SqlStore, batch_id: str, seconds: float = LONG) -> Held:
    return hold(store, Leased.BATCH, batch_id, seconds)


def plant(
    store: SqlStore,
    request_id: str = "r",
    *,
    chunks: int = 1,
    files: int = 2,
    priority: int = 0,
    model: str = MODEL,
    at: datetime = NOW,
    proven: bool = True,
    costs: Sequence[Decimal | None] = (),
    budget: Decimal | None = None,
    canary: int | None = None,
) -> list[str]:
    """Put a planned batch into the store, with as many files in each chunk; returns the chunk ids.

    Its model has been seen past validation unless it is not ``proven``; ``costs`` are the estimates of its
    chunks, unknown where they are left out.
    """
    batch = new_batch(request_id, model=model, priority=priority, at=at, budget=budget)
    assert store.accept(batch)
    if proven:
        prove(store, model)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(position) for position in range(chunks * files)], {"phase": "cut"})
    cuts = [new_chunk(batch, n, range(n * files, (n + 1) * files)) for n in range(chunks)]
    known = [*costs, *[None] * (chunks - len(costs))]
    cuts = [replace(cut, estimate_usd=cost) for cut, cost in zip(cuts, known, strict=True)]
    store.plan_chunks(held, cuts, {"phase": "finish"})
    store.finish_plan(held, NOW, canary=canary)
    store.release(held)
    return [cut.chunk_id for cut in cuts]


def stage(store: SqlStore, chunk_id: str, at: datetime = NOW) -> None:
    """Bring a planned chunk to READY and let it go."""
    held = hold_chunk(store, chunk_id)
    assert store.open_staging(held, Room(SLOTS, 1000), at) == "open"
    store.staged(held, 0, 2000, at)
    store.release(held)


def claim(store: SqlStore, chunk_id: str, at: datetime = NOW) -> Held:
    """Claim a slot for a READY chunk; its lease stays with the caller."""
    held = hold_chunk(store, chunk_id)
    assert store.claim_slot(held, job_name(chunk_id), f"token-{chunk_id}", Room(SLOTS, 20), at) == "open"
    return held


def submit(store: SqlStore, chunk_id: str, at: datetime = NOW) -> None:
    """Bring a planned chunk to SUBMITTED."""
    stage(store, chunk_id, at)
    held = claim(store, chunk_id, at)
    assert store.submitted(chunk_id, arn(chunk_id), at)
    store.release(held)


def end_job(
    store: SqlStore, chunk_id: str, at: datetime = NOW, status: JobStatus = JobStatus.COMPLETED
) -> None:
    """Bring a submitted chunk to ENDED."""
    assert store.job_seen(chunk_id, report(chunk_id, status), at)


def completed(
    store: SqlStore, request_id: str = "r", at: datetime = NOW, status: JobStatus = JobStatus.COMPLETED
) -> str:
    """Put a batch of one chunk into the store whose results are stored; returns the chunk id."""
    [chunk_id] = plant(store, request_id)
    submit(store, chunk_id)
    end_job(store, chunk_id, at, status)
    held = hold_chunk(store, chunk_id)
    store.end_chunk(held, ChunkState.COMPLETED, "", at)
    store.release(held)
    return chunk_id


def job_name(chunk_id: str) -> str:
    return f"novabatch-{chunk_id}"


def arn(chunk_id: str) -> str:
    return f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{chunk_id}"


def report(chunk_id: str, status: JobStatus) -> JobReport:
    counts = JobCounts(total=2, processed=2)
    return JobReport(
        arn(chunk_id),
        job_name(chunk_id),
        f"token-{chunk_id}",
        status,
        "",
        counts,
        "s3://media/out/",
        NOW,
        None,
    )


def judged(position: int, outcome: Outcome = Outcome.SUCCEEDED, **other: object) -> JudgedRecord:
    plain = JudgedRecord(position, "combined", 1, outcome, result='{"summary":{}}', prompt_version="v1")
    return msgspec.structs.replace(plain, **other)


def add_round(store: SqlStore, held: Held, round: int, chunks: Sequence[NewChunk] = ()) -> bool:
    """Add a round to a batch as it is now."""
    return store.add_round(held, round, chunks, changes_of(store, held.id))


def changes_of(store: SqlStore, batch_id: str) -> int:
    """Return how often a chunk of a batch has ended so far."""
    batch = store.batch(batch_id)
    assert batch is not None
    return batch.changes
