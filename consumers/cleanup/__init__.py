"""The stages of the cleanup-requests queue."""

from collections.abc import Mapping

from pydantic import BaseModel

from consumers.cleanup.cleanup_batch import cleanup_batch
from consumers.cleanup.cleanup_chunk import cleanup_chunk
from consumers.cleanup.remove_raw import remove_raw
from consumers.cleanup.remove_results import remove_results
from consumers.cleanup.remove_rows import remove_rows
from consumers.cleanup.strangers import cleanup_legacy, cleanup_unowned
from consumers.cleanup.sweep import sweep
from consumers.core.world import Stage
from schemas.messages import (
    CleanupBatch,
    CleanupChunk,
    CleanupLegacy,
    CleanupUnowned,
    RemoveRaw,
    RemoveResults,
    RemoveRows,
    Sweep,
)

STAGES: Mapping[type[BaseModel], Stage] = {
    CleanupChunk: cleanup_chunk,
    CleanupBatch: cleanup_batch,
    Sweep: sweep,
    RemoveRaw: remove_raw,
    RemoveResults: remove_results,
    RemoveRows: remove_rows,
    CleanupUnowned: cleanup_unowned,
    CleanupLegacy: cleanup_legacy,
}
