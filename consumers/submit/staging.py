"""Staging a chunk: copy what is missing in its folder, check it by one listing, write the manifest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from consumers.core import layout
from consumers.core.faults import Archived, Changed, Fault, Missing, PassingFault, Rejected
from consumers.core.manifest import padding_line, record_line
from consumers.core.media import Media, media_of
from consumers.core.objects import Copy
from consumers.core.rows import Chunk, ChunkFile, Held, Refusal
from consumers.core.world import World
from schemas.facts import ChunkMoved, Fact, FilesCopied

REFUSALS: Mapping[type[Fault], str] = {
    Missing: "not_found",
    Changed: "changed",
    Archived: "archived",
    Rejected: "not_copied",
}


def stage_chunk(chunk: Chunk, held: Held, world: World) -> tuple[Fact, ...]:
    """Fill the chunk's folder and make it READY, if a file is left; resumes by the listing of what is there.

    Files that cannot be copied are REFUSED with their reason. A batch cancelled meanwhile ends the copying
    between two files and leaves the chunk PREPARING. Raises PassingFault or Denied when the
    chunk could not be completed; what was copied stays.
    """
    files = world.store.chunk_files(chunk.chunk_id)
    there = _listing(chunk, world)
    absent = [file for file in files if there.get(_key(chunk, file)) != file.size_bytes]
    refusals = _copy(chunk, absent, world)
    if _is_cancelled(chunk, world):
        return ()
    if refusals:
        world.store.refuse_files(held, refusals)
        files = world.store.chunk_files(chunk.chunk_id)
    if files:
        _check(chunk, files, world)
        padding = _write_manifest(chunk, files, world)
        world.store.staged(held, padding, sum(file.size_bytes for file in files), world.now)
    return _facts(chunk, absent, refusals, len(files), world)


def _listing(chunk: Chunk, world: World) -> dict[str, int]:
    return {info.key: info.bytes for info in world.objects.list(layout.input_prefix(chunk.folder))}


def _key(chunk: Chunk, file: ChunkFile) -> str:
    return layout.file_key(chunk.folder, file.safe_name)


def _copy(chunk: Chunk, files: Sequence[ChunkFile], world: World) -> list[Refusal]:
    copies = [
        Copy(file.position, file.bucket, file.s3_key, file.etag, _key(chunk, file), _media(file).content_type)
        for file in files
    ]
    refusals, worst = [], None
    for copy, fault in world.objects.copies(copies):
        world.checkpoint()
        if _is_cancelled(chunk, world):
            return []
        code = REFUSALS.get(type(fault)) if isinstance(fault, Fault) else None
        if isinstance(fault, Fault) and code:
            refusals.append(Refusal(copy.position, code, fault.message))
        elif fault is not None:
            worst = fault
    if worst is not None:
        raise worst
    return refusals


def _is_cancelled(chunk: Chunk, world: World) -> bool:
    now = world.store.chunk(chunk.chunk_id)
    return now is not None and now.cancelled


def _media(file: ChunkFile) -> Media:
    media = media_of(file.s3_key)
    if media is None:
        raise Rejected(f"{file.s3_key} has no format the model takes")
    return media


def _check(chunk: Chunk, files: Sequence[ChunkFile], world: World) -> None:
    """Compare the folder with the plan by name and size: what Bedrock will read is what was planned."""
    there = _listing(chunk, world)
    wrong = [file for file in files if there.get(_key(chunk, file)) != file.size_bytes]
    if wrong:
        raise PassingFault(f"{len(wrong)} copies are not as planned, the first: {_key(chunk, wrong[0])}")


def _write_manifest(chunk: Chunk, files: Sequence[ChunkFile], world: World) -> int:
    """Write the manifest and return how many padding records it needed."""
    model = world.models.find(chunk.model)
    records = sum(len(file.records) for file in files)
    padding = max(0, (model.min_records if model else 0) - records)
    key = layout.manifest_key(chunk.folder)
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for file in files:
            for line in _lines(chunk, file, world):
                out.write(line)
        for number in range(padding):
            out.write(padding_line(number))
    return padding


def _lines(chunk: Chunk, file: ChunkFile, world: World) -> Iterator[bytes]:
    media = _media(file)
    uri = layout.s3_uri(world.policy.bucket, _key(chunk, file))
    context = {"file_name": file.s3_key.rpartition("/")[2], "s3_key": file.s3_key, **file.context}
    options = chunk.terms.options
    for record in file.records:
        asked = world.analyses.find(record.analysis_type, media.kind)
        if asked is None:
            raise Rejected(f"analysis type {record.analysis_type} left the registry")
        inference = replace(asked.inference_for(options), max_tokens=record.max_tokens)
        record_id = layout.record_id(file.file_id, record.analysis_type)
        yield record_line(record_id, uri, media, asked.prompt(options, context), inference)


def _facts(
    chunk: Chunk, absent: Sequence[ChunkFile], refusals: Sequence[Refusal], files: int, world: World
) -> tuple[Fact, ...]:
    refused = {refusal.position for refusal in refusals}
    copied = [file for file in absent if file.position not in refused]
    counts = Counter(copied=len(copied), present=files - len(copied), refused=len(refusals))
    moved = sum(file.size_bytes for file in copied)
    told: list[Fact] = [
        FilesCopied(chunk.chunk_id, outcome, count, moved if outcome == "copied" else 0)
        for outcome, count in counts.items()
        if count
    ]
    if not files:
        return tuple(told)
    waited = (world.now - chunk.created_at).total_seconds()
    return (*told, ChunkMoved(chunk.chunk_id, chunk.model, "READY", waited))
