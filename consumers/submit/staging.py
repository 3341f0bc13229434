"""Staging a chunk: fill its folder, check it by one listing, write the manifest, or split it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.core.originals import file_limit
from consumers.core.rows import Chunk, ChunkFile, Held
from consumers.core.world import World
from consumers.submit.checking import check_folder, listing
from consumers.submit.copying import copy_files
from consumers.submit.lookout import Cancelled, Lookout
from consumers.submit.requesting import write_manifest
from consumers.submit.splitting import is_too_large, split_chunk
from consumers.submit.uploading import upload_files
from consumers.submit.verdicts import Staging, Verdicts
from schemas.facts import ChunkMoved, Fact, FilesCopied
from schemas.models import Model


def stage_chunk(chunk: Chunk, held: Held, model: Model, world: World) -> tuple[Fact, ...]:
    """Fill the chunk's folder and make it READY, if a file is left; resumes by the listing of what is there.

    Files that cannot be had are REFUSED with their reason. A chunk whose files turned out too large is
    split and ends. A batch cancelled meanwhile ends the work between two files and leaves the chunk
    PREPARING. Raises PassingFault or Denied when the chunk could not be completed; what was copied stays.
    """
    limit = file_limit(world.policy, model)
    staging = Staging(chunk, held, limit, Lookout(chunk.chunk_id, world), world)
    try:
        return _stage(staging, model)
    except Cancelled:
        return ()


def _stage(staging: Staging, model: Model) -> tuple[Fact, ...]:
    chunk, world = staging.chunk, staging.world
    planned = world.store.chunk_files(chunk.chunk_id)
    moved = _fill(planned, staging)
    staging.lookout.look()
    verdicts = Verdicts()
    files = check_folder(_accept(moved.verdicts, staging), staging, verdicts)
    _accept(verdicts, staging)
    refused = len(moved.verdicts.refusals) + len(verdicts.refusals)
    facts = _copied(moved, len(planned), refused, staging)
    if not files:
        return facts
    if is_too_large(files, model, world):
        return (*facts, *split_chunk(files, model, staging))
    padding = write_manifest(chunk, files, model, world)
    world.store.staged(staging.held, padding, sum(file.size_bytes for file in files), world.now)
    waited = (world.now - chunk.created_at).total_seconds()
    return (*facts, ChunkMoved(chunk.chunk_id, chunk.model, "READY", waited))


@dataclass
class _Moved:
    """The files that were brought into the folder, and what was found out about others."""

    verdicts: Verdicts = field(default_factory=Verdicts)
    copied: list[ChunkFile] = field(default_factory=list)
    uploaded: list[ChunkFile] = field(default_factory=list)


def _fill(planned: Sequence[ChunkFile], staging: Staging) -> _Moved:
    """Bring what the folder lacks. A file changes but once, so there are at most a few rounds."""
    there = listing(staging.chunk, staging.world)
    waiting = [file for file in planned if there.get(staging.key(file)) != file.size_bytes]
    some_were_there = len(waiting) < len(planned)
    moved = _Moved()
    while waiting:
        copied = copy_files(waiting, staging, moved.verdicts)
        uploaded = upload_files(copied.gone, staging, moved.verdicts)
        moved.copied += copied.there
        moved.uploaded += uploaded.there
        waiting = [*copied.changed, *uploaded.changed]
    moved.verdicts.close(others_came=some_were_there or bool(moved.copied or moved.uploaded))
    return moved


def _accept(verdicts: Verdicts, staging: Staging) -> Sequence[ChunkFile]:
    """Store what was refused; returns the files that are left."""
    store = staging.world.store
    if verdicts.refusals:
        store.refuse_files(staging.held, verdicts.refusals)
    return store.chunk_files(staging.chunk.chunk_id)


def _copied(moved: _Moved, planned: int, refused: int, staging: Staging) -> tuple[Fact, ...]:
    brought = len(moved.copied) + len(moved.uploaded)
    counts = {
        "copied": (len(moved.copied), sum(file.size_bytes for file in moved.copied)),
        "uploaded": (len(moved.uploaded), sum(file.size_bytes for file in moved.uploaded)),
        "refused": (refused, 0),
        "present": (planned - brought - refused, 0),
    }
    chunk_id = staging.chunk.chunk_id
    return tuple(
        FilesCopied(chunk_id, what, count, size) for what, (count, size) in counts.items() if count > 0
    )
