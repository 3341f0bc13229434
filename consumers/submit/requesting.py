"""Writing a chunk's manifest: the records Bedrock is asked for, padded up to the model's minimum."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from consumers.core import layout
from consumers.core.context import context_of
from consumers.core.manifest import padding_line, record_line
from consumers.core.planned import planned_analysis
from consumers.core.rows import Chunk, ChunkFile
from consumers.core.world import World
from consumers.submit.verdicts import media_for
from schemas.inference import Inference
from schemas.models import Model
from schemas.options import Options
from schemas.shapes.analysis import Analysis


def write_manifest(chunk: Chunk, files: Sequence[ChunkFile], model: Model, world: World) -> int:
    """Write the manifest and return how many padding records it needed."""
    records = sum(len(file.records) for file in files)
    padding = max(0, model.min_records - records)
    key = layout.manifest_key(chunk.folder)
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for file in files:
            for line in _lines(chunk, file, model, world):
                out.write(line)
        for number in range(padding):
            out.write(padding_line(number))
    return padding


def _lines(chunk: Chunk, file: ChunkFile, model: Model, world: World) -> Iterator[bytes]:
    media = media_for(file)
    uri = layout.s3_uri(world.policy.bucket, layout.file_key(chunk.folder, file.safe_name))
    context = context_of(file.s3_key, file.context)
    options = chunk.terms.options
    for record in file.records:
        asked = planned_analysis(world.analyses, record.analysis_type, file.s3_key)
        record_id = layout.record_id(file.file_id, record.analysis_type)
        prompt = asked.prompt_pieces(options, context)
        yield record_line(record_id, uri, media, prompt, _inference(asked, options, model, record.max_tokens))


@lru_cache(maxsize=64)
def _inference(asked: Analysis, options: Options, model: Model, max_tokens: int) -> Inference:
    inference = asked.inference_for(options).within(model.temperature, model.top_p)
    return replace(inference, max_tokens=max_tokens)
