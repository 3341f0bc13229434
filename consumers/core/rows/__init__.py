"""The values that travel between the stages and the store; each name tells its place in the flow."""

from consumers.core.rows.audit import Deed, Phase, Verb
from consumers.core.rows.batches import Batch, BatchCount, CanaryCount, NewBatch, Part, Reparse, Written
from consumers.core.rows.chunks import Chunk, Gate, Job, JobCounts, NewChunk, OpenJob, Waiting
from consumers.core.rows.files import RECHECKED, ChunkFile, Measured, NewFile, Refusal, SentRecord
from consumers.core.rows.forgetting import Leaving
from consumers.core.rows.leases import Held, Leased
from consumers.core.rows.records import Answered, FailedRecord, JudgedRecord, Link, NewRecord, SentAs, Spent

__all__ = [
    "RECHECKED",
    "Answered",
    "Batch",
    "BatchCount",
    "CanaryCount",
    "Chunk",
    "ChunkFile",
    "Deed",
    "FailedRecord",
    "Gate",
    "Held",
    "Job",
    "JobCounts",
    "JudgedRecord",
    "Leased",
    "Leaving",
    "Link",
    "Measured",
    "NewBatch",
    "NewChunk",
    "NewFile",
    "NewRecord",
    "OpenJob",
    "Part",
    "Phase",
    "Refusal",
    "Reparse",
    "SentAs",
    "SentRecord",
    "Spent",
    "Verb",
    "Waiting",
    "Written",
]
