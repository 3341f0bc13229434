"""The messages of the three queues, as typed, frozen, versioned values."""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.functional_validators import AfterValidator, BeforeValidator

from schemas import rules
from schemas.options import Options
from schemas.queues import Queue

LARGEST_OBJECT = 5 * 1024**4  # AWS: S3, the largest object
LONGEST_KEY = 1024  # AWS: S3, bytes of a key in UTF-8
LONGEST_NAME = 256
LARGEST_BUDGET = 1_000_000
FILE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
AMOUNT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def _whole_or_text(value: object) -> object:
    """Accept what JSON calls an integer or a string; a boolean is neither."""
    fits = isinstance(value, int | str) and not isinstance(value, bool) and FILE_ID.fullmatch(str(value))
    if not fits:
        raise ValueError("must be an integer or a string of 1 to 64 of A-Z a-z 0-9 . _ -: give it such an id")
    return value


def _version(value: object) -> object:
    """Accept whole numbers only: Python takes True and 1.0 for 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be 1: write it as a whole number")
    return value


def _usd(value: object) -> object:
    """Read money given as a number through its shortest text, so that 0.1 stays 0.1."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float | int) and not isinstance(value, bool):
        return Decimal(str(value))
    if not isinstance(value, str) or not AMOUNT.fullmatch(value):
        raise ValueError('must be an amount in US dollars: write it as 25 or "25.00"')
    return Decimal(value)


def _key(value: str) -> str:
    size = len(value.encode())
    if size > LONGEST_KEY:
        raise ValueError(f"has {size} bytes, over the limit of {LONGEST_KEY} of S3: name a key that exists")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds a line break or another character that cannot be printed: remove it")
    return value


Whole = Annotated[int, Field(strict=True)]
Days = Annotated[Whole, Field(ge=0, le=3650)]
Flag = Annotated[bool, Field(strict=True)]
FileId = Annotated[int | str, BeforeValidator(_whole_or_text), WithJsonSchema(rules.FILE_ID)]
Usd = Annotated[
    Decimal,
    BeforeValidator(_usd),
    Field(ge=0, le=LARGEST_BUDGET, allow_inf_nan=False),
    WithJsonSchema(rules.USD),
]
Key = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_key),
    Field(json_schema_extra={"maxLength": LONGEST_KEY}),
]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME),
    AfterValidator(_one_line),
    Field(json_schema_extra={"pattern": rules.ONE_LINE}),
]
Bucket = Annotated[str, StringConstraints(min_length=3, max_length=63)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_KEY + 70)]
Source = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=LONGEST_KEY + 70,
        pattern=r"^(s3://.+|arn:aws[^:]*:bedrock:[^:]+:[0-9]{12}:model-invocation-job/[a-z0-9]{12})$",
    ),
    AfterValidator(_one_line),
]
Suffix = Annotated[str, StringConstraints(min_length=1, max_length=64)]
BatchId = Annotated[str, StringConstraints(pattern=r"^b[0-9a-f]{20}$")]
ChunkId = Annotated[str, StringConstraints(pattern=r"^b[0-9a-f]{20}-[0-9]{3,}$")]


class Value(BaseModel):
    """A frozen value that refuses fields it does not know, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Value):
    """A body on one of our queues; ``queue`` says which one it belongs to."""

    queue: ClassVar[Queue]
    version: Annotated[Literal[1], BeforeValidator(_version)] = 1


class File(Value):
    """One media object to analyse, by the sender's ``file_id``."""

    file_id: FileId
    s3_key: Key
    bucket: Bucket | None = None
    size_bytes: Annotated[Whole, Field(ge=0, le=LARGEST_OBJECT)] | None = None
    local_path: Key | None = None
    context: Mapping[str, Any] = Field(default_factory=dict)


class FilesFrom(Value):
    """Where to read the files of a large batch: a JSONL list in S3, or a prefix to list."""

    model_config = ConfigDict(json_schema_extra=rules.ONE_PLACE)

    list: Uri | None = None
    prefix: Key | None = None
    suffixes: Annotated[tuple[Suffix, ...], FailFast(), Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.list is None) == (self.prefix is None):
            raise ValueError('must hold one of "list" (s3://bucket/key.jsonl) and "prefix": give exactly one')
        if self.list is not None and self.suffixes:
            raise ValueError('holds "suffixes", which go with "prefix" only: remove them')
        return self


class Terms(Message):
    """What a batch asks for, apart from its files."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["submit_batch"] = "submit_batch"
    request_id: Name
    model: Name
    bucket: Bucket | None = None
    analysis_types: Annotated[
        tuple[Name, ...],
        FailFast(),
        Field(max_length=50, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    ] = ("combined",)
    options: Options = Options()
    priority: Annotated[Whole, Field(ge=-1000, le=1000)] = 0
    budget_usd: Usd | None = None
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _distinct_types(self) -> Self:
        if not self.analysis_types:
            raise ValueError('Field "analysis_types" is empty: leave it out for ["combined"]')
        if len(set(self.analysis_types)) != len(self.analysis_types):
            raise ValueError('Field "analysis_types" names a type twice: remove one of them')
        return self


def requester(terms: Terms) -> str | None:
    """Return whom a request says it comes from, as text: a stranger's word."""
    said = terms.metadata.get("requested_by")
    return None if said is None else str(said)


class SubmitBatch(Terms):
    """A request to analyse files with one model; its ``request_id`` makes it idempotent."""

    model_config = ConfigDict(json_schema_extra=rules.ONE_SOURCE)

    files: Annotated[tuple[File, ...], FailFast()] = ()
    files_from: FilesFrom | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.files) == (self.files_from is not None):
            found = "both are given" if self.files else "neither is given, or the list is empty"
            raise ValueError(f'Fields "files" and "files_from": {found}. Give exactly one of them')
        times = Counter(str(file.file_id) for file in self.files)
        twice = next((file_id for file_id, count in times.items() if count > 1), None)
        if twice is not None:
            raise ValueError(
                f'Field "files" names file_id {twice!r} {times[twice]} times: ids are compared as text, '
                "give each file its own"
            )
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

    model_config = ConfigDict(json_schema_extra=rules.ONE_NAME)

    batch_id: BatchId | None = None
    request_id: Name | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.batch_id is None) == (self.request_id is None):
            raise ValueError('Fields "batch_id" and "request_id": give exactly one of them to name the batch')
        return self


class CancelBatch(OfBatch):
    """Stop what has not started, stop running jobs, keep what they finished."""

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["cancel_batch"] = "cancel_batch"


class RetryBatch(OfBatch):
    """Send again every record of an ended batch that has no good result.

    With ``revision``, the one the sender saw, the message may be delivered any number of times and as late
    as it likes: what has been retried since is not retried again. Without it, that holds until the
    batch ends.
    """

    queue: ClassVar[Queue] = Queue.SUBMIT
    type: Literal["retry_batch"] = "retry_batch"
    revision: Annotated[Whole, Field(ge=1)] | None = None


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


class ReparseBatch(OfBatch):
    """Make the results of an ended batch anew from the raw lines that were kept; nothing is bought."""

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["reparse_batch"] = "reparse_batch"


class ForgetFile(Message):
    """Let nothing be left of a file of an ended batch, named by its place in the plan: that tells nothing.

    Without ``position`` those that are leaving already go on.
    """

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["forget_file"] = "forget_file"
    batch_id: BatchId
    position: Annotated[Whole, Field(ge=0)] | None = None


class AdoptJob(Message):
    """Take in the output of a finished job that was not created here; nothing is bought.

    ``source`` is the job's ARN or an S3 URI of its output; ``model`` says by whose price, where no job does.
    """

    queue: ClassVar[Queue] = Queue.STATE
    type: Literal["adopt_job"] = "adopt_job"
    source: Source
    model: Name | None = None


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
    dry_run: Flag = False


class Sweep(Message):
    """Clean chunks that ended long ago, whatever their outcome.

    ``after`` says how far it has come, where there are more than one message takes.
    """

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["sweep"] = "sweep"
    older_than_days: Days = 7
    dry_run: Flag = False
    after: ChunkId | None = None


class CleanupUnowned(Message):
    """Delete a folder that belongs to no chunk, by its bare name."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["cleanup_unowned"] = "cleanup_unowned"
    folder: Name


class CleanupLegacy(Message):
    """Delete what an earlier system left: one key, or one folder with its slash, by its exact name."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["cleanup_legacy"] = "cleanup_legacy"
    place: Key


class RemoveResults(Message):
    """Delete all that batches which ended long ago left in S3, one batch a message."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["remove_results"] = "remove_results"
    older_than_days: Days
    after: BatchId | None = None


class RemoveRows(Message):
    """Delete the rows of files and records of batches that ended long ago, one batch a message."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["remove_rows"] = "remove_rows"
    older_than_days: Days
    after: BatchId | None = None


class RemoveRaw(Message):
    """Delete the raw lines of batches that ended long ago, one batch a message; ``after`` is the last."""

    queue: ClassVar[Queue] = Queue.CLEANUP
    type: Literal["remove_raw"] = "remove_raw"
    older_than_days: Days
    after: BatchId | None = None
