"""The stages of the job-state-changes queue."""

from collections.abc import Mapping

from pydantic import BaseModel

from consumers.core.world import Stage
from consumers.job_state.adopt_job import adopt_job
from consumers.job_state.forget_file import forget_file
from consumers.job_state.ingest_chunk import ingest_chunk
from consumers.job_state.job_state_change import job_state_change
from consumers.job_state.reconcile import reconcile
from consumers.job_state.reparse_batch import reparse_batch
from consumers.job_state.settle_batch import settle_batch
from schemas.job_events import JobStateChange
from schemas.messages import AdoptJob, ForgetFile, IngestChunk, Reconcile, ReparseBatch, SettleBatch

STAGES: Mapping[type[BaseModel], Stage] = {
    JobStateChange: job_state_change,
    IngestChunk: ingest_chunk,
    SettleBatch: settle_batch,
    ReparseBatch: reparse_batch,
    ForgetFile: forget_file,
    AdoptJob: adopt_job,
    Reconcile: reconcile,
}
