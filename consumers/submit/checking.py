"""Checking a filled folder by one listing: what Bedrock will read and count is what was planned."""

from collections.abc import Mapping, Sequence

from consumers.auditing import audited
from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.originals import unfit_size
from consumers.core.rows import Chunk, ChunkFile, Deed, Verb
from consumers.core.world import World
from consumers.submit.verdicts import Staging, Verdicts


def listing(chunk: Chunk, world: World) -> dict[str, int]:
    """Return what lies in the chunk's input folder, with sizes in bytes."""
    return {info.key: info.bytes for info in world.objects.list(layout.input_prefix(chunk.folder))}


def check_folder(files: Sequence[ChunkFile], staging: Staging, verdicts: Verdicts) -> list[ChunkFile]:
    """Return the files that are there, with their true sizes, and delete whatever else lies in the folder.

    A file whose ETag is unknown was never measured in S3: its copy tells its size. Raises PassingFault if
    another copy is not as planned, or if something none of the chunk's stays: Bedrock counts all of it.
    """
    there = listing(staging.chunk, staging.world)
    kept: list[ChunkFile] = []
    other: list[ChunkFile] = []
    wrong: list[str] = []
    for file in files:
        size = there.get(staging.key(file))
        if size is not None and (bad := unfit_size(size, staging.limit)):
            verdicts.refuse(file, bad)
        elif size == file.size_bytes:
            kept.append(file)
        elif size is None or file.etag:
            wrong.append(staging.key(file))
        else:
            verdicts.take(staging.as_it_is(file, size, ""), file, other)
    if wrong:
        raise PassingFault(f"{len(wrong)} copies are not as planned, the first: {wrong[0]}")
    staging.remember(other)
    kept += other
    _delete_others(there, kept, staging)
    return sorted(kept, key=lambda file: file.position)


def _delete_others(there: Mapping[str, int], kept: Sequence[ChunkFile], staging: Staging) -> None:
    """Delete copies of files refused since, and what strangers left, with every version of them."""
    ours = {layout.manifest_key(staging.chunk.folder), *(staging.key(file) for file in kept)}
    others = there.keys() - ours
    if not others:
        return
    staging.world.checkpoint()
    objects, folder = staging.world.objects, layout.input_prefix(staging.chunk.folder)
    strangers = [each for each in objects.versions(folder) if each.key in others]
    deed = Deed(Verb.REMOVE_STRANGER, staging.chunk.chunk_id, staging.chunk.batch_id, "in its own folder")
    with audited(deed, staging.world) as told:
        stayed = objects.delete(strangers)
        gone = [each.bytes for each in strangers if each not in stayed]
        told.objects, told.bytes = len(gone), sum(gone)
    for version, why in stayed.items():
        raise PassingFault(
            f"{len(stayed)} objects stay in the folder that are none of its files: {version.key}: {why}"
        )
