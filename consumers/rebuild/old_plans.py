"""Plans of an older version, which name files by their places only: the request tells the rest."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from consumers.core.faults import Rejected
from consumers.core.media import media_of
from consumers.core.plan_reading import Entry, PlanHead, PlannedChunk
from consumers.core.restored import UNKNOWN
from consumers.core.rows import NewFile
from consumers.core.world import World
from schemas.kinds import Kind

WITHOUT_FILES = (
    "its plan is of an older version and its request names no files, so it cannot be restored: take its jobs "
    "in with `novabatch adopt ARN`"
)
LOST = "its plan is of an older version and does not tell what became of it: retry the batch"


def files_of_request(head: PlanHead, entries: Iterator[Entry], world: World) -> Iterator[Entry]:
    """Follow the chunks by the files of the request, in its order, which is that of their places.

    Their ETags are not known, so nobody reuses their results. Raises Rejected for a request that names a
    list or a prefix: what stood there then cannot be told.
    """
    files = json.loads(head.batch.request).get("files")
    if not files:
        raise Rejected(WITHOUT_FILES, "older_plan")
    sent: set[int] = set()
    for entry in entries:
        if isinstance(entry, PlannedChunk):
            sent.update(entry.chunk.safe_names)
        yield entry
    for position, file in enumerate(files):
        yield _file(head, position, file, "" if position in sent else UNKNOWN, world)


def _file(head: PlanHead, position: int, file: Mapping[str, Any], code: str, world: World) -> NewFile:
    media = media_of(file["s3_key"])
    kind = media.kind if media else Kind.VIDEO
    asked = head.batch.terms.analysis_types
    return NewFile(
        position=position,
        file_id=str(file["file_id"]),
        echo=file["file_id"],
        bucket=file.get("bucket") or head.batch.bucket,
        s3_key=file["s3_key"],
        size_bytes=file.get("size_bytes") or 0,
        etag="",
        kind=kind,
        local_path=file.get("local_path"),
        context=file.get("context") or {},
        analysis_types=tuple(name for name in asked if world.analyses.find(name, kind)),
        code=code,
        reason=LOST if code else "",
    )
