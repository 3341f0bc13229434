"""The stages of the submit-requests queue."""

from collections.abc import Mapping

from pydantic import BaseModel

from consumers.core.world import Stage
from consumers.submit.cancel_batch import cancel_batch
from consumers.submit.plan_batch import plan_batch
from consumers.submit.retry_batch import retry_batch
from consumers.submit.submit_batch import submit_batch
from consumers.submit.submit_chunk import submit_chunk
from schemas.messages import CancelBatch, PlanBatch, RetryBatch, SubmitBatch, SubmitChunk

STAGES: Mapping[type[BaseModel], Stage] = {
    SubmitBatch: submit_batch,
    PlanBatch: plan_batch,
    SubmitChunk: submit_chunk,
    CancelBatch: cancel_batch,
    RetryBatch: retry_batch,
}
