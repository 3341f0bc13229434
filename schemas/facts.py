"""What happened, as values: stages tell facts, the worker turns them into metrics and log lines."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

FILE_DECISIONS = ("planned", "reused", "refused")
COPY_OUTCOMES = ("copied", "uploaded", "present", "refused")
RECONCILE_ACTIONS = (
    "claim_without_job",
    "job_adopted",
    "event_missed",
    "job_not_stopped",
    "plan_stalled",
    "chunk_stalled",
    "not_ingested",
    "not_settled",
    "not_cleaned",
    "sweep_due",
    "raw_due",
    "results_due",
    "rows_due",
    "chunk_not_woken",
    "reparse_stalled",
    "forget_stalled",
)
FINDING_KINDS = (
    "strange_lines",
    "count_mismatch",
    "token_mismatch",
    "cost_mismatch",
    "job_unknown",
    "job_not_stopped",
    "job_not_asked",
    "jobs_not_listed",
    "model_unknown",
    "key_unknown",
    "plan_failed",
    "plan_failing",
    "throttled_failing",
    "create_failing",
    "fetch_failing",
    "store_failing",
    "settle_failing",
    "cleanup_failing",
    "reparse_failing",
    "adopt_failing",
    "raw_failing",
    "results_failing",
    "rows_failing",
    "forget_failing",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became true; ``event`` is its constant name in logs."""

    event: ClassVar[str] = "fact"


@dataclass(frozen=True, slots=True)
class BatchAccepted(Fact):
    """A new request was stored."""

    event: ClassVar[str] = "batch_accepted"
    batch_id: str
    request_id: str
    model: str


@dataclass(frozen=True, slots=True)
class FilesDecided(Fact):
    """Files were taken into a plan, linked to older results, or refused; ``outcome`` says which."""

    event: ClassVar[str] = "files_decided"
    batch_id: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class BatchPlanned(Fact):
    """A plan is complete."""

    event: ClassVar[str] = "batch_planned"
    batch_id: str
    files: int
    refused: int
    chunks: int


@dataclass(frozen=True, slots=True)
class FilesCopied(Fact):
    """Files of a chunk were copied, uploaded, found there, or refused; ``bytes`` counts what moved."""

    event: ClassVar[str] = "files_copied"
    chunk_id: str
    outcome: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ChunkMoved(Fact):
    """A chunk reached a state; ``seconds`` is how long the phase that led to it took, if known.

    READY: since it was planned. SUBMITTED: since it was READY. COMPLETED: since its job ended.
    """

    event: ClassVar[str] = "chunk_moved"
    chunk_id: str
    model: str
    state: str
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class JobChanged(Fact):
    """A Bedrock job was created or changed its status; ``seconds`` since its creation once it ended."""

    event: ClassVar[str] = "job_changed"
    chunk_id: str
    model: str
    status: str
    job_arn: str
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SlotsBlocked(Fact):
    """Bedrock refused a job for quota or throttling; the chunk gave its slot back."""

    event: ClassVar[str] = "slots_blocked"
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class ModelPaused(Fact):
    """A model's submissions stopped until a person resumes them."""

    event: ClassVar[str] = "model_paused"
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuyingStopped(Fact):
    """No more of a batch is bought: a budget is used up, or its first chunks did not succeed well enough."""

    event: ClassVar[str] = "buying_stopped"
    batch_id: str
    why: str


@dataclass(frozen=True, slots=True)
class CanaryReleased(Fact):
    """The first chunks of a batch succeeded well enough; the others may start."""

    event: ClassVar[str] = "canary_released"
    batch_id: str
    records: int
    good: int


@dataclass(frozen=True, slots=True)
class RecordsJudged(Fact):
    """Records of a chunk got an outcome."""

    event: ClassVar[str] = "records_judged"
    chunk_id: str
    analysis_type: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class MoneySpent(Fact):
    """What a chunk's records and padding cost, and the records on demand; None where the price is unknown."""

    event: ClassVar[str] = "money_spent"
    chunk_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    cost_on_demand_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class BatchEnded(Fact):
    """A batch reached its end, for this revision."""

    event: ClassVar[str] = "batch_ended"
    batch_id: str
    state: str
    revision: int


@dataclass(frozen=True, slots=True)
class BatchReparsed(Fact):
    """Results were made anew from raw lines: so many records read, changed, and left as they were."""

    event: ClassVar[str] = "batch_reparsed"
    batch_id: str
    revision: int
    records: int
    changed: int
    left: int


@dataclass(frozen=True, slots=True)
class FilesForgotten(Fact):
    """Nothing is left of so many files of a batch; its results are written anew."""

    event: ClassVar[str] = "files_forgotten"
    batch_id: str
    revision: int
    count: int


@dataclass(frozen=True, slots=True)
class RoundAdded(Fact):
    """Failed records were gathered into new chunks."""

    event: ClassVar[str] = "round_added"
    batch_id: str
    round: int
    chunks: int
    records: int


@dataclass(frozen=True, slots=True)
class ChunkCleaned(Fact):
    """The temporary folders of a chunk are gone, or would go (``dry_run``)."""

    event: ClassVar[str] = "chunk_cleaned"
    chunk_id: str
    objects: int
    bytes: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class StrangerRemoved(Fact):
    """A folder that belonged to no chunk, or what an earlier system left, is gone: a person named it."""

    event: ClassVar[str] = "stranger_removed"
    name: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RawRemoved(Fact):
    """The raw lines of a batch that ended long ago are gone; its results stay."""

    event: ClassVar[str] = "raw_removed"
    batch_id: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ResultsRemoved(Fact):
    """All that a batch which ended long ago left in S3 is gone; its rows stay."""

    event: ClassVar[str] = "results_removed"
    batch_id: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RowsRemoved(Fact):
    """The rows of a batch's files and records are gone; what it came to and cost stays."""

    event: ClassVar[str] = "rows_removed"
    batch_id: str
    files: int


@dataclass(frozen=True, slots=True)
class ReconcilerRan(Fact):
    """The reconciler made a pass; ``sent`` counts its messages, none on a quiet day."""

    event: ClassVar[str] = "reconciler_ran"
    sent: int


@dataclass(frozen=True, slots=True)
class Reconciled(Fact):
    """The reconciler sent messages of one kind."""

    event: ClassVar[str] = "reconciled"
    action: str
    count: int


@dataclass(frozen=True, slots=True)
class FindingMade(Fact):
    """Something a person should look at; it is stored as well."""

    event: ClassVar[str] = "finding_made"
    kind: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ignored(Fact):
    """A message that is none of ours, or comes too late to matter."""

    event: ClassVar[str] = "ignored"
    why: str
    subject: str
