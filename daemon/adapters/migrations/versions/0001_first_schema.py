"""The first schema: batches, their files, chunks, jobs, records; models, leases and findings."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
USD = sa.Numeric(38, 12).with_variant(sa.BigInteger(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("wake_after", TIME),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at", TIME),
        sa.Column("lease_token", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.PrimaryKeyConstraint("batch_id", name="pk_batches"),
        sa.UniqueConstraint("request_id", name="uq_batches_request_id"),
    )
    op.create_index(
        "ix_batches_open", "batches", ["state"], **_where("state IN ('PLANNED', 'PLANNING', 'RUNNING')")
    )
    op.create_table(
        "findings",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_findings"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lease_token", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "models",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("paused_reason", sa.Text()),
        sa.Column("paused_at", TIME),
        sa.Column("blocked_until", TIME),
        sa.Column("block_seconds", sa.Integer(), nullable=False),
        sa.Column("failed_in_a_row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("model", name="pk_models"),
    )
    op.create_table(
        "chunks",
        sa.Column("chunk_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("padding", sa.Integer(), nullable=False),
        sa.Column("estimate_usd", USD),
        sa.Column("padding_input_tokens", sa.BigInteger()),
        sa.Column("padding_output_tokens", sa.BigInteger()),
        sa.Column("padding_cost_usd", USD),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("preparing_at", TIME),
        sa.Column("ready_at", TIME),
        sa.Column("last_checked_at", TIME),
        sa.Column("results_fetched_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("cleaned_at", TIME),
        sa.Column("cleaned_objects", sa.BigInteger()),
        sa.Column("cleaned_bytes", sa.BigInteger()),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("wake_after", TIME),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at", TIME),
        sa.Column("lease_token", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_chunks_batch_id"),
        sa.PrimaryKeyConstraint("chunk_id", name="pk_chunks"),
        sa.UniqueConstraint("batch_id", "number", name="uq_chunks_batch_id_number"),
        sa.UniqueConstraint("folder", name="uq_chunks_folder"),
    )
    op.create_index(
        "ix_chunks_starting",
        "chunks",
        ["base_model", "state", "batch_id", "number"],
        **_where("state IN ('PLANNED', 'PREPARING', 'READY')"),
    )
    op.create_index(
        "ix_chunks_uncleaned",
        "chunks",
        ["finished_at"],
        **_where(
            "state IN ('CANCELLED', 'COMPLETED', 'FAILED')"
            " AND cleaned_at IS NULL AND preparing_at IS NOT NULL"
        ),
    )
    op.create_index(
        "ix_chunks_unended",
        "chunks",
        ["batch_id"],
        **_where("state IN ('ENDED', 'IN_PROGRESS', 'PLANNED', 'PREPARING', 'READY', 'SUBMITTED')"),
    )
    op.create_index("ix_chunks_unread", "chunks", ["chunk_id"], **_where("state = 'ENDED'"))
    op.create_table(
        "files",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("id_is_integer", sa.Boolean(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("s3_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("local_path", sa.Text()),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("analysis_types", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_files_batch_id"),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_files"),
        sa.UniqueConstraint("batch_id", "file_id", name="uq_files_batch_id_file_id"),
    )
    op.create_index("ix_files_source", "files", ["source"])
    op.create_table(
        "chunk_files",
        sa.Column("chunk_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("safe_name", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["chunk_id"], ["chunks.chunk_id"], name="fk_chunk_files_chunk_id"),
        sa.PrimaryKeyConstraint("chunk_id", "position", name="pk_chunk_files"),
    )
    op.create_table(
        "jobs",
        sa.Column("chunk_id", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("arn", sa.Text()),
        sa.Column("status", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer()),
        sa.Column("processed", sa.Integer()),
        sa.Column("succeeded", sa.Integer()),
        sa.Column("failed", sa.Integer()),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("submitted_at", TIME),
        sa.Column("ended_at", TIME),
        sa.ForeignKeyConstraint(["chunk_id"], ["chunks.chunk_id"], name="fk_jobs_chunk_id"),
        sa.PrimaryKeyConstraint("chunk_id", name="pk_jobs"),
        sa.UniqueConstraint("arn", name="uq_jobs_arn"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
    )
    op.create_index("ix_jobs_open", "jobs", ["base_model"], **_where("ended_at IS NULL"))
    op.create_table(
        "records",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("analysis_type", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk_id", sa.Text()),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("repaired", sa.Boolean(), nullable=False),
        sa.Column("stop_reason", sa.Text()),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("cost_usd", USD),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("reused_from", sa.Text()),
        sa.Column("created_at", TIME),
        sa.Column("error_message", sa.Text()),
        sa.Column("result", sa.Text()),
        sa.Column("raw_text", sa.Text()),
        sa.ForeignKeyConstraint(["chunk_id"], ["chunks.chunk_id"], name="fk_records_chunk_id"),
        sa.PrimaryKeyConstraint("batch_id", "position", "analysis_type", "attempt", name="pk_records"),
    )
    op.create_index("ix_records_chunk_id", "records", ["chunk_id"])
    op.create_index(
        "ix_records_unread", "records", ["chunk_id"], **_where("error_code = 'RESULT_FETCH_FAILED'")
    )


def downgrade() -> None:
    """Drop every table."""
    for name in (
        "records",
        "jobs",
        "chunk_files",
        "files",
        "chunks",
        "models",
        "leases",
        "findings",
        "batches",
    ):
        op.drop_table(name)
