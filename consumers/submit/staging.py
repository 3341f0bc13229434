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
from consumers.submit.splitting import estimate, is_too_large, split_chunk
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
    verdicts = Verdicts()
    moved = _fill(world.store.chunk_files(chunk.chunk_id), staging, verdicts)
    _store_refusals(staging, verdicts, 0)
    verdicts.raise_worst()
    staging.lookout.look()
    stored = len(verdicts.refusals)
    files = check_folder(moved.files, staging, verdicts)
    _store_refusals(staging, verdicts, stored)
    facts = _told(moved, len(verdicts.refusals), staging)
    if not files:
        return facts
    if is_too_large(files, model, world):
        return (*facts, *split_chunk(files, model, staging))
    padding = write_manifest(chunk, files, model, world)
    world.store.foresee(staging.held, estimate(files, padding, chunk, model, world))
    world.store.staged(staging.held, padding, sum(file.size_bytes for file in files), world.now)
    waited = (world.now - chunk.created_at).total_seconds()
    return (*facts, ChunkMoved(chunk.chunk_id, chunk.model, "READY", waited))


def _store_refusals(staging: Staging, verdicts: Verdicts, first: int) -> None:
    """Store refusals from one on; at once, for the next run may not find out about them what this one did."""
    new = verdicts.refusals[first:]
    if new:
        staging.world.store.refuse_files(staging.held, new)


@dataclass
class _Moved:
    """What lies in the folder now, as it is known by now: found there, or brought."""

    present: list[ChunkFile]
    copied: list[ChunkFile] = field(default_factory=list)
    uploaded: list[ChunkFile] = field(default_factory=list)

    @property
    def files(self) -> list[ChunkFile]:
        """Return all of them, in order."""
        return sorted([*self.present, *self.copied, *self.uploaded], key=lambda file: file.position)


def _fill(planned: Sequence[ChunkFile], staging: Staging, verdicts: Verdicts) -> _Moved:
    """Bring what the folder lacks. A file changes but once, so there are at most a few rounds."""
    there = listing(staging.chunk, staging.world)
    moved = _Moved([file for file in planned if _is_there(file, there.get(staging.key(file)))])
    waiting = [file for file in planned if not _is_there(file, there.get(staging.key(file)))]
    while waiting:
        copied = copy_files(waiting, staging, verdicts)
        uploaded = upload_files(copied.gone, staging, verdicts)
        moved.copied += copied.there
        moved.uploaded += uploaded.there
        waiting = [*copied.changed, *uploaded.changed]
    verdicts.settle_denials(others_came=bool(moved.copied or moved.uploaded))
    return moved


def _is_there(file: ChunkFile, size: int | None) -> bool:
    """Tell whether a copy of this size is the file's: objects appear whole or never.

    The size of a file that nobody has measured yet is only what its sender says: its copy tells it.
    """
    never_measured = not file.etag and not file.measured_again
    return size is not None and (never_measured or size == file.size_bytes)


def _told(moved: _Moved, refused: int, staging: Staging) -> tuple[Fact, ...]:
    counts = {
        "copied": (len(moved.copied), sum(file.size_bytes for file in moved.copied)),
        "uploaded": (len(moved.uploaded), sum(file.size_bytes for file in moved.uploaded)),
        "refused": (refused, 0),
        "present": (len(moved.present), 0),
    }
    chunk_id = staging.chunk.chunk_id
    return tuple(FilesCopied(chunk_id, what, count, size) for what, (count, size) in counts.items() if count)
