"""The tables of the store. Times are UTC, money is exact, states are the names in ``lifecycle``."""

from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    and_,
    false,
    literal_column,
    true,
)

from consumers.core.lifecycle import BATCH_ENDS, CHUNK_ENDS, BatchState, ChunkState
from daemon.adapters.columns import Json, Time, Usd, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _lease() -> tuple[Column[str], Column[float]]:
    """Return the two columns of a lease: whose it is, and until when by the database's clock."""
    return Column("lease_token", Words), Column("lease_until", Double)


def _troubles() -> tuple[Column[object], ...]:
    """Return what a row notes of its failures, and how long it rests."""
    return (
        Column("failures", Json, nullable=False),
        Column("wake_after", Time),
        Column("last_error", Words, nullable=False, default=""),
        Column("last_error_at", Time),
    )


batches = Table(
    "batches",
    metadata,
    Column("batch_id", Words, primary_key=True),
    Column("request_id", Words, nullable=False, unique=True),
    Column("request", Words, nullable=False),
    Column("terms", Json, nullable=False),
    Column("model", Words, nullable=False),
    Column("bucket", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("reason", Words, nullable=False, default=""),
    Column("revision", Integer, nullable=False, default=1),
    Column("round", Integer, nullable=False, default=0),
    Column("cursor", Json, nullable=False),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("changes", Integer, nullable=False, default=0),
    Column("options", Words, nullable=False, default=""),
    Column("budget_usd", Usd),
    Column("committed_usd", Usd, nullable=False, default=Decimal(0)),
    Column("stopped", Words, nullable=False, default=""),
    Column("canary", Integer),
    Column("retried", Integer, nullable=False, default=0),
    Column("first_round", Integer, nullable=False, default=0),
    # The first chunk that a reparse under way has not gone through; none is under way where it is empty.
    Column("reparse_next", Integer),
    # What the last reparse has come to.
    Column("reparse", Json),
    # What the whole request was, once a part of it is forgotten or removed: its SHA-256.
    Column("request_sha256", Words),
    Column("results_removed_at", Time),
    # What the batch came to, once its rows are removed.
    Column("summary", Json),
    Column("rows_removed_at", Time),
    Column("created_at", Time, nullable=False),
    Column("finished_at", Time),
    *_troubles(),
    *_lease(),
)

files = Table(
    "files",
    metadata,
    Column("batch_id", Words, ForeignKey(batches.c.batch_id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("file_id", Words, nullable=False),
    Column("id_is_integer", Boolean, nullable=False),
    Column("bucket", Words, nullable=False),
    Column("s3_key", Words, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("etag", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("local_path", Words),
    Column("context", Json, nullable=False),
    Column("analysis_types", Json, nullable=False),
    Column("code", Words, nullable=False, default=""),
    Column("reason", Words, nullable=False, default=""),
    Column("tokens", BigInteger, nullable=False, default=0),
    # A digest of bucket, key and ETag: keys are longer than an index entry may be.
    Column("source", Words),
    Column("forgotten", Boolean, nullable=False, default=False, server_default=false()),
    UniqueConstraint("batch_id", "file_id"),
    Index("ix_files_source", "source"),
    # For looking one up by its key; it is never put in order.
    Index("ix_files_s3_key", "s3_key", postgresql_using="hash"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("chunk_id", Words, primary_key=True),
    Column("batch_id", Words, ForeignKey(batches.c.batch_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("state", Words, nullable=False),
    Column("reason", Words, nullable=False, default=""),
    Column("model", Words, nullable=False),
    Column("base_model", Words, nullable=False),
    Column("folder", Words, nullable=False, unique=True),
    Column("priority", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("records", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("padding", Integer, nullable=False),
    Column("estimate_usd", Usd),
    Column("committed_usd", Usd),
    Column("committed_on", Words),
    # Where the output lies, if not in the chunk's own folder: a job taken in from elsewhere.
    Column("output_uri", Words),
    # Records of it that wait to be sent again in a chunk of a later round.
    Column("to_resend", Integer, nullable=False, default=0),
    # What its part in S3 came to.
    Column("part_lines", Integer),
    Column("part_bytes", BigInteger),
    Column("part_sha256", Words),
    Column("padding_input_tokens", BigInteger),
    Column("padding_output_tokens", BigInteger),
    Column("padding_cost_usd", Usd),
    Column("created_at", Time, nullable=False),
    Column("preparing_at", Time),
    Column("ready_at", Time),
    Column("last_checked_at", Time),
    Column("results_fetched_at", Time),
    Column("finished_at", Time),
    Column("cleaned_at", Time),
    Column("cleaned_objects", BigInteger),
    Column("cleaned_bytes", BigInteger),
    Column("raw_removed_at", Time),
    *_troubles(),
    *_lease(),
    UniqueConstraint("batch_id", "number"),
)

# What must be known of a file until nothing of it is left.
forgettings = Table(
    "forgettings",
    metadata,
    Column("batch_id", Words, ForeignKey(batches.c.batch_id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("file_id", Words, nullable=False),
    Column("echo", Words, nullable=False),
    Column("bucket", Words, nullable=False),
    Column("s3_key", Words, nullable=False),
    Column("safe_names", Json, nullable=False),
    Column("chunk_ids", Json, nullable=False),
    Column("begun_at", Time, nullable=False),
)

chunk_files = Table(
    "chunk_files",
    metadata,
    Column("chunk_id", Words, ForeignKey(chunks.c.chunk_id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("safe_name", Words, nullable=False),
    Column("refused", Boolean, nullable=False, default=False),
    Column("measured_again", Boolean, nullable=False, default=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("chunk_id", Words, ForeignKey(chunks.c.chunk_id), primary_key=True),
    Column("base_model", Words, nullable=False),
    Column("name", Words, nullable=False, unique=True),
    Column("token", Words, nullable=False),
    Column("arn", Words, unique=True),
    Column("status", Words),
    Column("message", Words, nullable=False, default=""),
    Column("total", Integer),
    Column("processed", Integer),
    Column("succeeded", Integer),
    Column("failed", Integer),
    Column("claimed_at", Time, nullable=False),
    Column("submitted_at", Time),
    Column("ended_at", Time),
    Column("free_since", Time),
)

records = Table(
    "records",
    metadata,
    Column("batch_id", Words, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("analysis_type", Words, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("chunk_id", Words, ForeignKey(chunks.c.chunk_id)),
    Column("max_tokens", Integer, nullable=False),
    Column("superseded", Boolean, nullable=False, default=False),
    Column("outcome", Words),
    Column("error_code", Words),
    Column("retryable", Boolean, nullable=False, default=False),
    Column("repaired", Boolean, nullable=False, default=False),
    Column("stop_reason", Words),
    # How many parts of its answer were left empty.
    Column("missing", Integer),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_usd", Usd),
    Column("prompt_version", Words, nullable=False, default=""),
    Column("reused_from", Words),
    Column("created_at", Time),
    # The long texts come last: SQLite reads what stands before them without walking through their pages.
    Column("error_message", Words),
    Column("result", Words),
    Column("raw_text", Words),
)

models = Table(
    "models",
    metadata,
    # A base model; the row named * speaks for all of them.
    Column("model", Words, primary_key=True),
    Column("paused_reason", Words),
    Column("paused_at", Time),
    Column("blocked_until", Time),
    Column("block_seconds", Integer, nullable=False, default=0),
    Column("failed_in_a_row", Integer, nullable=False, default=0),
    # A job of it got past validation since the last failure of a whole chunk: permissions are right.
    Column("proven", Boolean, nullable=False, default=False),
    # The last look at which nobody could have taken a free slot.
    Column("unwanted_at", Time),
)

# What was committed on a day (UTC), over all models.
days = Table(
    "days", metadata, Column("day", Words, primary_key=True), Column("committed_usd", Usd, nullable=False)
)

leases = Table("leases", metadata, Column("name", Words, primary_key=True), *_lease())

# When something that is done from time to time was last done.
timers = Table(
    "timers", metadata, Column("name", Words, primary_key=True), Column("done_at", Time, nullable=False)
)

# Who did what; triggers refuse to change or delete a row.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("at", Time, nullable=False),
    Column("actor", Words, nullable=False),
    Column("verb", Words, nullable=False),
    Column("phase", Words, nullable=False),
    Column("target", Words, nullable=False),
    # No key of another table: batches come and go.
    Column("batch_id", Words),
    Column("requested_by", Words),
    Column("objects", BigInteger),
    Column("bytes", BigInteger),
    Column("cost_usd", Usd),
    Column("detail", Words, nullable=False),
    Index("ix_audit_at", "at"),
    Index("ix_audit_batch_id", "batch_id"),
)

findings = Table(
    "findings",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("subject", Words, primary_key=True),
    Column("detail", Words, nullable=False),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
)


# ── what the partial indexes say ───────────────────────────────────────────────────────────────
# Finished rows leave these indexes, so claims do not slow down as history grows. The conditions are
# written out, not bound: a database only uses a partial index for a condition it can recognise.


def state_in(table: Table, states: Iterable[BatchState | ChunkState]) -> ColumnElement[bool]:
    """Return the condition that a row is in one of the states, as its index spells it."""
    names: list[ColumnElement[str]] = [literal_column(f"'{state.value}'") for state in sorted(states)]
    return table.c.state == names[0] if len(names) == 1 else table.c.state.in_(names)


STARTING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY})
UNENDED = frozenset(ChunkState) - CHUNK_ENDS

chunk_starts = state_in(chunks, STARTING)
chunk_unended = state_in(chunks, UNENDED)
chunk_over = state_in(chunks, CHUNK_ENDS)
chunk_unread = state_in(chunks, [ChunkState.ENDED])
chunk_uncleaned = and_(chunk_over, chunks.c.cleaned_at.is_(None), chunks.c.preparing_at.is_not(None))
batch_reparsing = batches.c.reparse_next.is_not(None)
chunk_has_raw = and_(chunks.c.results_fetched_at.is_not(None), chunks.c.raw_removed_at.is_(None))
batch_open = state_in(batches, frozenset(BatchState) - BATCH_ENDS)
chunk_resends = chunks.c.to_resend > literal_column("0")
job_open = jobs.c.ended_at.is_(None)
job_ended = jobs.c.ended_at.is_not(None)
UNREAD = "RESULT_FETCH_FAILED"
record_unread = records.c.error_code == literal_column(f"'{UNREAD}'")
record_current = records.c.superseded == false()
record_superseded = records.c.superseded == true()


def _partial(name: str, *columns: Column[object], where: ColumnElement[bool]) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


_partial(
    "ix_chunks_starting",
    chunks.c.base_model,
    chunks.c.state,
    chunks.c.batch_id,
    chunks.c.number,
    where=chunk_starts,
)
_partial("ix_chunks_unended", chunks.c.batch_id, where=chunk_unended)
_partial("ix_chunks_unread", chunks.c.chunk_id, where=chunk_unread)
_partial("ix_chunks_uncleaned", chunks.c.finished_at, where=chunk_uncleaned)
_partial("ix_chunks_raw", chunks.c.batch_id, where=chunk_has_raw)
_partial("ix_chunks_to_resend", chunks.c.batch_id, where=chunk_resends)
_partial("ix_batches_open", batches.c.state, where=batch_open)
_partial("ix_batches_reparsing", batches.c.batch_id, where=batch_reparsing)
_partial("ix_jobs_open", jobs.c.base_model, where=job_open)
_partial("ix_jobs_ended", jobs.c.base_model, jobs.c.ended_at, where=job_ended)
_partial("ix_records_unread", records.c.chunk_id, where=record_unread)
Index("ix_records_chunk_id", records.c.chunk_id)
