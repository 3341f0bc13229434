"""The messages of the three queues, as typed, frozen, versioned values."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.functional_validators import BeforeValidator

from schemas.options import Options
from schemas.queues import Queue

LARGEST_OBJECT = 5 * 1024**4  # AWS: S3, the largest object
FILE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _whole_or_text(value: object) -> object:
    """Accept what JSON calls an integer or a string; a boolean is neither."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be an integer or a string of 1 to 64 characters from A-Z a-z 0-9 . _ -")
    if not FILE_ID.fullmatch(str(value)):
        raise ValueError("may hold only A-Z a-z 0-9 . _ - and at most 64 characters")
    return value


def _decimal(value: object) -> object:
    """Read money given as a number through its shortest text, so that 0.1 stays 0.1."""
    return str(value) if isinstance(value, float) else value


FileId = Annotated[int | str, BeforeValidator(_whole_or_text)]
Usd = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, allow_inf_nan=False)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
BatchId = Annotated[str, StringConstraints(pattern=r"^b[0-9a-f]{20}$")]
ChunkId = Annotated[str, StringConstraints(pattern=r"^b[0-9a-f]{20}-[0-9]{3,}$")]


class Value(BaseModel):
    """A frozen value that refuses fields it does not know, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Value):
    """A body on one of our queues; ``queue`` says which one it belongs to."""

    queue: ClassVar[Queue]
    version: Literal[1] = 1


class File(Value):
    """One media object to analyse, by the sender's ``file_id``."""

    file_id: FileId
    s3_key: Key
    bucket: str | None = None
    size_bytes: Annotated[int, Field(ge=0, le=LARGEST_OBJECT)] | None = None
    local_path: Key | None = None
    context: Mapping[str, Any] = Field(default_factory=dict)


class FilesFrom(Value):
    """Where to read the files of a large batch: a JSONL list in S3, or a prefix to list."""

    list: str | None = None
    prefix: Key | None = None
    suffixes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.list is None) == (self.prefix is None):
            raise ValueError('give exactly one of "list" (s3://bucket/key.jsonl) and "prefix"')
        if self.list is not None and self.suffixes:
            raise ValueError('"suffixes" goes with "prefix" only')
        return self


class Terms(Message):
    """What a batch asks for, apart from its files."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["submit_batch"] = "submit_batch"
    request_id: Name
    model: Name
    bucket: str | None = None
    analysis_types: tuple[Name, ...] = ("combined",)
    options: Options = Options()
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    budget_usd: Usd | None = None
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _distinct_types(self) -> Self:
        if not self.analysis_types:
            raise ValueError('"analysis_types" is empty: leave it out for ["combined"]')
        if len(set(self.analysis_types)) != len(self.analysis_types):
            raise ValueError('"analysis_types" names a type twice')
        return self


class SubmitBatch(Terms):
    """A request to analyse files with one model; its ``request_id`` makes it idempotent."""

    files: tuple[File, ...] = ()
    files_from: FilesFrom | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.files) == (self.files_from is not None):
            raise ValueError('give either "files" (at least one) or "files_from": nothing to do otherwise')
        seen: set[str] = set()
        for file in self.files:
            if (text := str(file.file_id)) in seen:
                raise ValueError(f'"files" names file_id {text!r} twice: file ids are unique as text')
            seen.add(text)
        return self

    def terms(self) -> Terms:
        """Return the request without its files."""
        return Terms.model_validate(self.model_dump(exclude={"files", "files_from"}))


class PlanBatch(Message):
    """Continue the plan of a batch by one step."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["plan_batch"] = "plan_batch"
    batch_id: BatchId


class SubmitChunk(Message):
    """Stage a chunk, or give it its job, as far as there is room now."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["submit_chunk"] = "submit_chunk"
    chunk_id: ChunkId


class OfBatch(Message):
    """A wish about one batch, named by ``batch_id`` or by ``request_id``."""

    batch_id: BatchId | None = None
    request_id: Name | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.batch_id is None) == (self.request_id is None):
            raise ValueError('name the batch by exactly one of "batch_id" and "request_id"')
        return self


class CancelBatch(OfBatch):
    """Stop what has not started, stop running jobs, keep what they finished."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["cancel_batch"] = "cancel_batch"


class RetryBatch(OfBatch):
    """Send again every record of an ended batch that has no good result."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["retry_batch"] = "retry_batch"


class IngestChunk(Message):
    """Read the output of an ended job and store it."""

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["ingest_chunk"] = "ingest_chunk"
    chunk_id: ChunkId


class SettleBatch(Message):
    """End a batch whose chunks are all through, or send again what may succeed."""

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["settle_batch"] = "settle_batch"
    batch_id: BatchId


class Reconcile(Message):
    """Compare the store with Bedrock and send the messages that are missing."""

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["reconcile"] = "reconcile"


class CleanupChunk(Message):
    """Delete the two temporary folders of a chunk whose results are stored."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["cleanup_chunk"] = "cleanup_chunk"
    chunk_id: ChunkId


class CleanupBatch(OfBatch):
    """Clean every chunk of a batch that may be cleaned."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["cleanup_batch"] = "cleanup_batch"
    dry_run: bool = False


class Sweep(Message):
    """Clean chunks that ended long ago, whatever their outcome."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["sweep"] = "sweep"
    older_than_days: Annotated[int, Field(ge=0, le=3650)] = 7
    dry_run: bool = False
