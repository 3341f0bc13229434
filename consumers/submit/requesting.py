"""Writing a chunk's manifest: the records Bedrock is asked for, padded up to the model's minimum."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.manifest import padding_line, record_line
from consumers.core.rows import Chunk, ChunkFile
from consumers.core.world import World
from consumers.submit.verdicts import media_for


def write_manifest(chunk: Chunk, files: Sequence[ChunkFile], min_records: int, world: World) -> int:
    """Write the manifest and return how many padding records it needed."""
    records = sum(len(file.records) for file in files)
    padding = max(0, min_records - records)
    key = layout.manifest_key(chunk.folder)
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for file in files:
            for line in _lines(chunk, file, world):
                out.write(line)
        for number in range(padding):
            out.write(padding_line(number))
    return padding


def _lines(chunk: Chunk, file: ChunkFile, world: World) -> Iterator[bytes]:
    media = media_for(file)
    uri = layout.s3_uri(world.policy.bucket, layout.file_key(chunk.folder, file.safe_name))
    context = {"file_name": file.s3_key.rpartition("/")[2], "s3_key": file.s3_key, **file.context}
    options = chunk.terms.options
    for record in file.records:
        asked = world.analyses.find(record.analysis_type, media.kind)
        if asked is None:
            raise Rejected(f"analysis type {record.analysis_type} left the registry")
        inference = replace(asked.inference_for(options), max_tokens=record.max_tokens)
        record_id = layout.record_id(file.file_id, record.analysis_type)
        yield record_line(record_id, uri, media, asked.prompt(options, context), inference)
