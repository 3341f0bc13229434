"""Chunks whose output is paid for and not wholly stored."""

from sqlalchemy import and_, exists, or_

from consumers.core.lifecycle import ChunkState
from daemon.adapters.tables import chunks, record_unread, records, state_in
from schemas.outcomes import Outcome

_ANSWERS = [
    Outcome.SUCCEEDED,
    Outcome.TRUNCATED,
    Outcome.UNPARSABLE,
    Outcome.FILTERED,
    Outcome.MODEL_ERROR,
]
_its = records.c.chunk_id == chunks.c.chunk_id

given_up = exists().where(_its, record_unread)
"""Some of its records only wait to be read."""
cut_short = and_(
    state_in(chunks, [ChunkState.FAILED]), exists().where(_its, records.c.outcome.in_(sorted(_ANSWERS)))
)
"""Its output was read after all, but the chunk has not come to the end that this makes."""
is_unread = or_(given_up, cut_short)
