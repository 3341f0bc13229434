"""Uploading files that are gone from S3 and that the sender still has on this machine."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from consumers.core.faults import Changed, Fault
from consumers.core.local import Upload
from consumers.core.originals import not_had, not_local
from consumers.core.rows import ChunkFile
from consumers.submit.measuring import ABSENT
from consumers.submit.verdicts import Staging, Verdicts, media_for


@dataclass
class Uploaded:
    """What came of the uploads: files that are there, and files as they are now, written meanwhile."""

    there: list[ChunkFile] = field(default_factory=list)
    changed: list[ChunkFile] = field(default_factory=list)


def upload_files(gone: Sequence[ChunkFile], staging: Staging, verdicts: Verdicts) -> Uploaded:
    """Upload files into the chunk's folder, never to an original's key. Raises Cancelled.

    A local file has no ETag to tell its version by: its size alone is compared with the plan.
    """
    uploaded = Uploaded()
    for file, fault in _uploads(_measured(gone, staging, verdicts), staging):
        if fault is None:
            uploaded.there.append(file)
        else:
            _not_sent(file, fault, uploaded, staging, verdicts)
    staging.remember(uploaded.changed)
    return uploaded


def _not_sent(
    file: ChunkFile, fault: Fault, uploaded: Uploaded, staging: Staging, verdicts: Verdicts
) -> None:
    """Look at a local file again: unless that tells what was wrong with it, S3 did not take it."""
    size = _size(file, staging, verdicts)
    if size is None:
        return
    if isinstance(fault, Changed):
        verdicts.take(staging.as_it_is(file, size, ""), file, uploaded.changed)
    else:
        verdicts.note(file, fault, not_had(fault, file.bucket, file.s3_key, "not_copied"))


def _measured(gone: Sequence[ChunkFile], staging: Staging, verdicts: Verdicts) -> list[ChunkFile]:
    """Measure the local files; returns those that can be uploaded, as they are now."""
    as_planned: list[ChunkFile] = []
    other: list[ChunkFile] = []
    for file in gone:
        size = _size(file, staging, verdicts)
        if size == file.size_bytes and not file.etag:
            as_planned.append(file)
        elif size is not None:
            verdicts.take(staging.as_it_is(file, size, ""), file, other)
    staging.remember(other)
    return [*as_planned, *other]


def _size(file: ChunkFile, staging: Staging, verdicts: Verdicts) -> int | None:
    """Measure the sender's own copy of a file; without one the file is REFUSED."""
    if file.local_path is None:
        verdicts.note(file, ABSENT, not_had(ABSENT, file.bucket, file.s3_key, "not_found"))
        return None
    try:
        return staging.world.local.size(file.local_path)
    except Fault as fault:
        verdicts.note(file, fault, not_local(fault, file.bucket, file.s3_key, file.local_path))
        return None


def _uploads(files: Sequence[ChunkFile], staging: Staging) -> Iterator[tuple[ChunkFile, Fault | None]]:
    by_position = {file.position: file for file in files}
    uploads = [
        Upload(file.position, file.local_path or "", staging.key(file), media_for(file).content_type)
        for file in files
    ]
    with closing(staging.world.objects.uploads(uploads)) as answers:
        for upload, fault in answers:
            file = by_position[upload.position]
            staging.lookout.passed(file.size_bytes)
            yield file, fault
