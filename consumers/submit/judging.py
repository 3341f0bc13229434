"""Which files of a page can be analysed, and why the others cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from consumers.core import layout
from consumers.core.faults import Denied, Missing, Rejected
from consumers.core.media import format_refusal, media_of
from consumers.core.objects import ObjectInfo
from consumers.core.rows import Batch, NewFile
from consumers.core.world import World
from schemas.kinds import Kind
from schemas.messages import File

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def judge_files(batch: Batch, files: Sequence[File], first: int, world: World) -> list[NewFile]:
    """Measure the files of a page in S3 and mark those REFUSED that cannot be analysed.

    Raises PassingFault when S3 could not be asked: the page is read again then.
    """
    judged = [_at_sight(batch, file, first + n, world) for n, file in enumerate(files)]
    judged = list(_told_apart(batch, judged, world))
    accepted = [file for file in judged if not file.code]
    measured = world.objects.heads([(file.bucket, file.s3_key) for file in accepted])
    sizes = {
        file.position: _measured(file, info, world) for file, info in zip(accepted, measured, strict=True)
    }
    return [sizes.get(file.position, file) for file in judged]


def _at_sight(batch: Batch, file: File, position: int, world: World) -> NewFile:
    """Judge what can be told without asking S3."""
    media = media_of(file.s3_key)
    kind = media.kind if media else Kind.VIDEO
    types = tuple(t for t in batch.terms.analysis_types if world.analyses.find(t, kind) is not None)
    new = NewFile(
        position=position,
        file_id=str(file.file_id),
        echo=file.file_id,
        bucket=file.bucket or batch.bucket,
        s3_key=file.s3_key,
        size_bytes=file.size_bytes or 0,
        etag="",
        kind=kind,
        local_path=file.local_path,
        context=file.context,
        analysis_types=types,
    )
    if new.bucket not in world.policy.allowed_buckets:
        return _refused(new, "forbidden_bucket", f"bucket {new.bucket!r} is not on the allow-list")
    if layout.is_ours(file.s3_key):
        return _refused(new, "own_folder", "the key lies in a folder of novabatch: originals lie elsewhere")
    if media is None:
        return _refused(new, "format", format_refusal(file.s3_key))
    if not types:
        asked = ", ".join(batch.terms.analysis_types)
        return _refused(
            new, "type_not_for_kind", f"none of the types asked for ({asked}) exists for a {kind}"
        )
    return new


def _told_apart(batch: Batch, files: Sequence[NewFile], world: World) -> Iterator[NewFile]:
    """Refuse a file whose id the plan holds already; ``~`` stands in no id of a sender."""
    seen = set(world.store.planned_ids(batch.batch_id, [file.file_id for file in files]))
    for found in files:
        file = found
        if file.file_id in seen:
            why = f"file_id {file.echo!r} stands twice in the list: file ids are unique"
            file = _refused(replace(file, file_id=f"{file.file_id}~{file.position}"), "duplicate_id", why)
        seen.add(file.file_id)
        yield file


def _measured(file: NewFile, info: ObjectInfo | Exception, world: World) -> NewFile:
    """Judge what S3 told of a file."""
    if isinstance(info, Exception):
        return _not_measured(file, info)
    file = replace(file, size_bytes=info.bytes, etag=info.etag)
    if info.storage_class in ARCHIVED:
        return _refused(file, "archived", f"the object is in {info.storage_class}: restore it, then retry")
    if info.bytes == 0:
        return _refused(file, "empty", "the object holds no bytes")
    limit = min(world.policy.max_file_bytes, world.policy.max_chunk_bytes)
    if info.bytes > limit:
        return _refused(file, "too_large", f"{info.bytes} bytes are over the limit of {limit} bytes a file")
    return file


def _not_measured(file: NewFile, fault: Exception) -> NewFile:
    """Refuse a file of which S3 says something that stays; any other fault is raised."""
    match fault:
        case Missing():
            return _refused(file, "not_found", f"s3://{file.bucket}/{file.s3_key} does not exist")
        case Denied():
            return _refused(file, "access_denied", fault.message)
        case Rejected():
            return _refused(file, "not_readable", fault.message)
    raise fault


def _refused(file: NewFile, code: str, reason: str) -> NewFile:
    return replace(file, code=code, reason=reason)
