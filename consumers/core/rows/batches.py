"""Batches as they are stored, and what is counted of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from consumers.core.lifecycle import BatchState
from consumers.core.rows.records import Spent
from schemas.messages import Terms
from schemas.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class NewBatch:
    """An accepted request on its way into the store; ``request`` is its canonical JSON, files included.

    ``cursor`` says where its plan begins, if not with the first of its files.
    """

    batch_id: str
    terms: Terms
    model: str
    bucket: str
    request: str
    created_at: datetime
    cursor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reparse:
    """The last reparse of a batch: chunks before ``next`` are through; None once it has ended.

    Of ``records`` read again ``changed`` came to something else. ``left`` counts what stays as it was, chunks
    and links to the results of others; ``why_left`` says of the first ones why.
    """

    next: int | None = 0
    records: int = 0
    changed: int = 0
    left: int = 0
    why_left: tuple[str, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as stored. ``cursor`` says how far its plan is; ``round`` counts the resubmissions;
    ``changes`` counts the ends of its chunks, so that a writer notices what happened meanwhile.

    ``committed_usd`` is what its ended chunks cost plus the estimates of its open jobs. ``stopped`` says why
    no more of it is bought (a budget, a canary). With ``canary`` only the first so many chunks may start.

    ``retried`` is the last revision a person had retried, 0 if none; attempts count from ``first_round``,
    the round it began with. With ``results_removed_at`` what it left in S3 is gone by age: it is never sent,
    read or written again.
    """

    batch_id: str
    request_id: str
    terms: Terms
    model: str
    bucket: str
    state: BatchState
    reason: str
    revision: int
    round: int
    cursor: Mapping[str, Any]
    cancelled: bool
    created_at: datetime
    finished_at: datetime | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    changes: int = 0
    budget_usd: Decimal | None = None
    committed_usd: Decimal = Decimal(0)
    stopped: str = ""
    canary: int | None = None
    retried: int = 0
    first_round: int = 0
    reparse: Reparse | None = None
    results_removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CanaryCount:
    """What the first chunks of a batch came to: chunks not through yet, records, and the good among them."""

    open: int
    records: int
    good: int


@dataclass(frozen=True, slots=True)
class BatchCount:
    """What a batch came to, counted in the store. ``outcomes`` counts current records by outcome."""

    files: int
    refused: int
    records: int
    reused: int
    good: int
    outcomes: Mapping[Outcome, int]
    spent: Spent
    padding: Spent
    superseded: Spent
    chunks: int
    chunks_through: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a file of result lines came to; `sha256` in hex digits, `bytes` as they lie in S3."""

    lines: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a chunk that is COMPLETED; `written` None where nobody noted what it came to."""

    chunk_id: str
    index: int
    written: Written | None
