"""Writing a chunk's manifest: the records Bedrock is asked for, padded up to the model's minimum."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from consumers.core import layout
from consumers.core.context import context_of
from consumers.core.manifest import padding_line, record_line
from consumers.core.planned import planned_analysis
from consumers.core.rows import Chunk, ChunkFile, SentRecord
from consumers.core.world import World
from consumers.submit.verdicts import media_for
from schemas.inference import Inference
from schemas.models import Model
from schemas.options import Options
from schemas.shapes.prompt import context_json

_Asked = tuple[tuple[str, str], Inference]


def write_manifest(chunk: Chunk, files: Sequence[ChunkFile], model: Model, world: World) -> int:
    """Write the manifest and return how many padding records it needed."""
    records = sum(len(file.records) for file in files)
    padding = max(0, model.min_records - records)
    key = layout.manifest_key(chunk.folder)
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for line in _lines(chunk, files, model, world):
            out.write(line)
        for number in range(padding):
            out.write(padding_line(number))
    return padding


def _lines(chunk: Chunk, files: Sequence[ChunkFile], model: Model, world: World) -> Iterator[bytes]:
    """Write the records' lines; what is asked is put together once for all files of a kind."""
    asked: dict[tuple[str, str, int], _Asked] = {}
    for file in files:
        media = media_for(file)
        uri = layout.s3_uri(world.policy.bucket, layout.file_key(chunk.folder, file.safe_name))
        context = context_json(context_of(file.s3_key, file.context))
        for record in file.records:
            key = record.analysis_type, media.kind, record.max_tokens
            if key not in asked:
                asked[key] = _ask(file, record, chunk.terms.options, model, world)
            (before, behind), inference = asked[key]
            record_id = layout.record_id(file.file_id, record.analysis_type)
            yield record_line(record_id, uri, media, (before, context, behind), inference)


def _ask(file: ChunkFile, record: SentRecord, options: Options, model: Model, world: World) -> _Asked:
    analysis = planned_analysis(world.analyses, record.analysis_type, file.s3_key)
    inference = analysis.inference_for(options).within(model.temperature, model.top_p)
    return analysis.frame(options), replace(inference, max_tokens=record.max_tokens)
