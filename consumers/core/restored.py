"""Filling a lost store again: what S3 and Bedrock still know, and the port that takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from consumers.core.jobs import JobReport
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Held, NewChunk, NewFile, Spent
from schemas.outcomes import Outcome

RESTORING = "restoring"
"""The phase of a plan that only `novabatch reconcile --rebuild` may go on with."""
REFUSED = "REFUSED"
"""The outcome in the line of a file that never reached a manifest."""
UNKNOWN = "unknown_refusal"
"""The code of a file that was REFUSED for a reason that went with the database."""


@dataclass(frozen=True, slots=True)
class RestoredChunk:
    """A chunk as its plan has it, with its job where Bedrock lists one."""

    chunk: NewChunk
    job: JobReport | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A record's outcome as its result lines tell it; without ``analysis_type`` a file that was REFUSED.

    ``result`` is the whole answer as JSON text, ``etag`` what was analysed. ``retryable`` stands in no line.
    """

    file_id: str
    bucket: str
    s3_key: str
    outcome: str
    created_at: datetime
    etag: str | None = None
    analysis_type: str | None = None
    attempt: int | None = None
    result: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    repaired: bool = False
    reused_from: str | None = None
    stop_reason: str | None = None
    prompt_version: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """How a restored chunk had ended; records that nothing is known of get ``outcome`` with ``code``.

    ``padded`` counts its records of padding and ``padding`` is what they came to, where that is known.
    """

    state: ChunkState
    reason: str
    outcome: Outcome
    code: str
    message: str
    padded: int = 0
    padding: Spent | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a batch was: its newest plan, and its end where it had one.

    Fields as those of ``Batch``; ``canary`` holds back what comes after so many chunks.
    """

    revision: int
    round: int
    retried: int = 0
    first_round: int = 0
    canary: int = 0
    cursor: Mapping[str, Any] = field(default_factory=dict)
    end: BatchState | None = None
    reason: str = ""
    stopped: str = ""


class Restoration(Protocol):
    """A lost store that is filled again, under the lease of each batch. Rows that are there stay.

    What was stored before may be stored again: a run cut short is begun anew.
    """

    def begin_restoring(self, held: Held) -> None:
        """Keep a batch that is not planned to its end from being planned by anybody else."""

    def restore_files(self, held: Held, files: Sequence[NewFile]) -> None:
        """Add the files that are missing, with what is reused of them as far as its results are there."""

    def renew_files(self, held: Held, files: Sequence[NewFile]) -> None:
        """Store what a later plan says of files of a batch that is being"""

    def restore_chunks(self, held: Held, chunks: Sequence[RestoredChunk], now: datetime) -> None:
        """Add the chunks and jobs that are missing.

        A job brings its chunk as far as it is itself, proves its model if it got past validation, and commits
        the chunk's estimate on the day it was submitted.
        """

    def restore_split(self, held: Held, chunk_id: str, new: Sequence[RestoredChunk], now: datetime) -> bool:
        """Put the records of a chunk into the new ones it was split into; False if it has a job or is gone.

        What the new ones do not send was REFUSED before the split.
        """

    def restore_part(self, held: Held, chunk_id: str, results: Sequence[KeptResult]) -> None:
        """Store what a chunk's part tells of its records, and of its files that were REFUSED.

        A file that another chunk sends is REFUSED no more.
        """

    def restore_current(self, held: Held, results: Sequence[KeptResult]) -> None:
        """Store what the results of an ended batch tell: which attempt of a record counts, what it gave."""

    def restore_end(self, held: Held, chunk_id: str, end: ChunkEnd) -> None:
        """Move a restored chunk to its end, with its true cost; unknown outcomes become that of the end."""

    def outdone_chunks(self, batch_id: str) -> Sequence[str]:
        """Return the chunks without a job of which a record was sent again since: they had ended."""

    def choose_restored(self, held: Held) -> None:
        """Choose for every record that was sent several times which attempt counts."""

    def end_restoring(self, held: Held, standing: Standing, now: datetime) -> BatchState:
        """Let a restored batch go on from where it stood, or be ended as it was; returns its state."""
