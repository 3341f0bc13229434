"""Which files can be analysed, and why the others cannot."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from consumers.core import layout
from consumers.core.context import unfit_context
from consumers.core.faults import Fault, Missing
from consumers.core.forecast import file_tokens
from consumers.core.media import format_refusal, media_of
from consumers.core.objects import ObjectInfo
from consumers.core.originals import FileLimit, Unfit, file_limit, not_had, not_local, unfit, unfit_size
from consumers.core.rows import Batch, NewFile
from consumers.core.world import World
from consumers.submit.measuring import ABSENT, Measure, Place, measure
from consumers.submit.sources import Found
from schemas.kinds import Kind

Known = Callable[[Sequence[str]], AbstractSet[str]]
"""Tells which of some ids the plan holds already."""
NEVER_FILES = frozenset({"invalid_line", "duplicate_id"})
"""Refusals of what a list says, not of a file: looking again does not help."""


def judge_files(
    batch: Batch, found: Sequence[Found], first: int, known: Known, world: World
) -> list[NewFile]:
    """Measure the files of a page in S3 and mark those REFUSED that cannot be analysed.

    They get the positions from ``first`` on. A size the sender gave is believed where nothing is to be
    reused: the copy will tell whether the object is there. Raises PassingFault when S3 could not be asked:
    the page is read again then.
    """
    new = [_new_file(batch, each, first + n, world) for n, each in enumerate(found)]
    judged = [_at_sight(batch, file, world) for file in _named(new, found, known)]
    limit = _limit(batch, world)
    told = {
        (file.bucket, file.s3_key): info
        for file, each in zip(judged, found, strict=True)
        if (info := each.info or _believed(batch, file, limit)) is not None
    }
    return _measured(judged, told, limit, world)


def judge_again(batch: Batch, files: Sequence[NewFile], world: World) -> list[NewFile]:
    """Look again at REFUSED files: those that have no code now can be analysed."""
    judged = [_at_sight(batch, _anew(batch, file, world), world) for file in files]
    return _measured(judged, {}, _limit(batch, world), world)


def _anew(batch: Batch, file: NewFile, world: World) -> NewFile:
    if file.code in NEVER_FILES:
        return file
    return replace(file, code="", reason="", analysis_types=_types(batch, file.kind, world))


def _limit(batch: Batch, world: World) -> FileLimit:
    return file_limit(world.policy, world.models.find(batch.model))


def _new_file(batch: Batch, found: Found, position: int, world: World) -> NewFile:
    file = found.file
    media = media_of(file.s3_key)
    kind = media.kind if media else Kind.VIDEO
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
        analysis_types=_types(batch, kind, world),
    )
    return _apart(_refused(new, "invalid_line", found.problem)) if found.problem else new


def _named(files: Sequence[NewFile], found: Sequence[Found], known: Known) -> Iterator[NewFile]:
    """Give each file an id of its own; where a sender's stands twice, the second file is REFUSED."""
    often = Counter(file.file_id for file in files)
    seen = set(known([*often]))
    pairs = list(zip(files, found, strict=True))
    spare = {
        file.position: layout.hashed_file_id(file.s3_key)
        for file, each in pairs
        if each.read_from_key and (often[file.file_id] > 1 or file.file_id in seen)
    }
    seen |= known([*spare.values()]) if spare else set()
    for file in files:
        own = spare.get(file.position)
        yield _first_of(file if own is None else replace(file, file_id=own, echo=own), seen)


def _first_of(file: NewFile, seen: set[str]) -> NewFile:
    if file.file_id in seen:
        why = f"file_id {file.echo!r} stands twice in the list: give each file an id of its own"
        return _apart(_refused(file, "duplicate_id", why))
    seen.add(file.file_id)
    return file


def _apart(file: NewFile) -> NewFile:
    """Tell a file from its namesake: ``~`` stands in no id of a sender."""
    return replace(file, file_id=f"{file.file_id}~{file.position}")


def _at_sight(batch: Batch, file: NewFile, world: World) -> NewFile:
    """Judge what can be told without asking S3."""
    if file.code:
        return file
    if file.bucket not in world.policy.allowed_buckets:
        why = f"bucket {file.bucket!r} is not allowed: use another, or add it to NOVABATCH_ALLOWED_BUCKETS"
        return _refused(file, "forbidden_bucket", why)
    if layout.is_ours(file.s3_key):
        return _refused(file, "own_folder", "the key lies where novabatch writes: name an original elsewhere")
    if media_of(file.s3_key) is None:
        return _refused(file, "format", format_refusal(file.s3_key))
    if not file.analysis_types:
        asked = ", ".join(batch.terms.analysis_types)
        why = f"none of the types asked for ({asked}) exists for a {file.kind}: ask for one that does"
        return _refused(file, "type_not_for_kind", why)
    return _checked(file, unfit_context(file.context))


def _types(batch: Batch, kind: str, world: World) -> tuple[str, ...]:
    """Return those of the types asked for that exist for a kind."""
    return tuple(name for name in batch.terms.analysis_types if world.analyses.find(name, kind))


def _believed(batch: Batch, file: NewFile, limit: FileLimit) -> ObjectInfo | None:
    """Take a file's size from its sender where no ETag is needed and the size passes."""
    if batch.terms.options.reuse == "never" and unfit_size(file.size_bytes, limit) is None:
        return ObjectInfo(file.s3_key, file.size_bytes)
    return None


def _measured(
    files: Sequence[NewFile], told: Mapping[Place, ObjectInfo], limit: FileLimit, world: World
) -> list[NewFile]:
    """Judge files by what S3 tells of them, unless they are REFUSED already."""
    places = [(file.bucket, file.s3_key) for file in files if not file.code]
    found = measure(places, told, world)
    return [
        file if file.code else _judged(file, found[file.bucket, file.s3_key], limit, world) for file in files
    ]


def _judged(file: NewFile, told: Measure, limit: FileLimit, world: World) -> NewFile:
    """Refuse a file of which S3 says something that stays; any other fault is raised."""
    if isinstance(told, Missing):
        return _local(file, limit, world)
    if isinstance(told, Fault):
        return _not_had(file, told)
    return _checked(_sized(file, told.bytes, told.etag), unfit(told, file.bucket, limit))


def _not_had(file: NewFile, fault: Fault) -> NewFile:
    why = not_had(fault, file.bucket, file.s3_key, "not_readable")
    if why is None:
        raise fault
    return _checked(file, why)


def _local(file: NewFile, limit: FileLimit, world: World) -> NewFile:
    """Judge a file whose object is missing by the copy of it that the sender still has."""
    if file.local_path is None:
        return _not_had(file, ABSENT)
    try:
        size = world.local.size(file.local_path)
    except Fault as fault:
        why = not_local(fault, file.bucket, file.s3_key, file.local_path)
        if why is None:
            raise
        return _checked(file, why)
    return _checked(_sized(file, size, etag=""), unfit_size(size, limit))


def _sized(file: NewFile, size_bytes: int, etag: str) -> NewFile:
    """Return a file with its size and what the model will read of it."""
    tokens, _ = file_tokens(file.kind, file.context, size_bytes)
    return replace(file, size_bytes=size_bytes, etag=etag, tokens=tokens)


def _checked(file: NewFile, problem: Unfit | None) -> NewFile:
    return file if problem is None else _refused(file, problem.code, problem.reason)


def _refused(file: NewFile, code: str, reason: str) -> NewFile:
    return replace(file, code=code, reason=reason)
