"""The events we send back, for an EventBridge bus or a queue."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.documents import Accepted, BatchFinished, ChunkFinished, Refused


class EventName(StrEnum):
    """The detail-type of an event of ours."""

    BATCH_ACCEPTED = "Batch Accepted"
    BATCH_REFUSED = "Batch Refused"
    CHUNK_FINISHED = "Chunk Finished"
    BATCH_FINISHED = "Batch Finished"


class Event(BaseModel):
    """Something a sender may rely on: what it speaks of is stored before it is sent.

    ``time`` is ISO-8601 in UTC; ``detail`` holds plain JSON with money as decimal text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "novabatch"
    name: EventName = Field(serialization_alias="detail-type")
    time: str
    detail: Mapping[str, Any]


DETAILS: Mapping[EventName, Any] = {
    EventName.BATCH_ACCEPTED: Accepted,
    EventName.BATCH_REFUSED: Refused,
    EventName.CHUNK_FINISHED: ChunkFinished,
    EventName.BATCH_FINISHED: BatchFinished,
}
"""What the detail of each event holds."""
