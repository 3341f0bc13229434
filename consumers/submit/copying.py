"""Copying a chunk's files into its folder; a source that changed is measured again."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from consumers.core.faults import Changed, Fault, Missing
from consumers.core.objects import Copy
from consumers.core.originals import not_had, unfit
from consumers.core.rows import ChunkFile
from consumers.submit.verdicts import Staging, Verdicts, media_for


@dataclass
class Copied:
    """What one round of copies came to: files that are there, files as they are now, files gone from S3."""

    there: list[ChunkFile] = field(default_factory=list)
    changed: list[ChunkFile] = field(default_factory=list)
    gone: list[ChunkFile] = field(default_factory=list)


def copy_files(files: Sequence[ChunkFile], staging: Staging, verdicts: Verdicts) -> Copied:
    """Copy files, each on the condition that it is what was measured. Raises Cancelled."""
    copied = Copied()
    changed: list[ChunkFile] = []
    for file, fault in _copies(files, staging):
        match fault:
            case None:
                copied.there.append(file)
            case Missing():
                copied.gone.append(file)
            case Changed():
                changed.append(file)
            case _:
                verdicts.note(file, fault, not_had(fault, file.bucket, file.s3_key, "not_copied"))
    _measure_again(changed, copied, staging, verdicts)
    return copied


def _copies(files: Sequence[ChunkFile], staging: Staging) -> Iterator[tuple[ChunkFile, Fault | None]]:
    by_position = {file.position: file for file in files}
    copies = [
        Copy(
            file.position,
            file.bucket,
            file.s3_key,
            file.etag,
            staging.key(file),
            media_for(file).content_type,
        )
        for file in files
    ]
    with closing(staging.world.objects.copies(copies)) as answers:
        for copy, fault in answers:
            file = by_position[copy.position]
            staging.lookout.passed(file.size_bytes)
            yield file, fault


def _measure_again(files: Sequence[ChunkFile], copied: Copied, staging: Staging, verdicts: Verdicts) -> None:
    answers = staging.world.objects.heads([(file.bucket, file.s3_key) for file in files])
    for file, info in zip(files, answers, strict=True):
        staging.world.checkpoint()
        match info:
            case Missing():
                copied.gone.append(file)
            case Fault():
                verdicts.note(file, info, not_had(info, file.bucket, file.s3_key, "not_readable"))
            case _:
                bad = unfit(info, file.bucket, staging.limit)
                verdicts.take(bad or staging.as_it_is(file, info.bytes, info.etag), file, copied.changed)
    staging.remember(copied.changed)
