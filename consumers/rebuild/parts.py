"""Chunks whose results were stored: they come back from their parts, padding from their raw lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from consumers.core import layout
from consumers.core.cost import cost
from consumers.core.faults import Missing
from consumers.core.kept_lines import kept_results
from consumers.core.layout import RecordName
from consumers.core.lifecycle import CHUNK_ENDS, BatchState, ChunkState
from consumers.core.restored import ChunkEnd, KeptResult
from consumers.core.results import OutputLine, read_line
from consumers.core.rows import Chunk, Held, Spent
from consumers.core.world import World
from consumers.naming import stored_batch
from consumers.rebuild.kept import Kept
from schemas.outcomes import Outcome

RESULTS_AT_ONCE = 200
COMPLETED = ChunkEnd(
    ChunkState.COMPLETED, "", Outcome.MISSING, "NOT_IN_OUTPUT", "Its stored results do not tell of it."
)


@dataclass(slots=True)
class _Raw:
    """What only raw lines tell: padding and its tokens, and which errors Bedrock called retryable."""

    padded: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retryable: set[RecordName] = field(default_factory=set)


def restore_parts(kept: Kept, held: Held, world: World) -> int:
    """Store what the parts of a batch tell, and end their chunks; returns how many parts were read.

    Of a batch that is being restored all are read: what they tell of files comes behind what plans say.
    """
    anew = stored_batch(held.id, world).state is BatchState.PLANNING
    if anew and kept.has("forgotten"):
        _restore_forgotten(held, world)
    read = 0
    for chunk_id, state in world.store.chunk_ids(held.id):
        number = layout.parse_chunk_id(chunk_id).number
        chunk = world.store.chunk(chunk_id) if number in kept.parts else None
        if chunk is not None and (anew or state not in CHUNK_ENDS):
            _restore(chunk, held, kept, world)
            read += 1
    return read


def _restore_forgotten(held: Held, world: World) -> None:
    """Store what is still known of files that were forgotten, before their chunks end."""
    lines = world.objects.lines(layout.forgotten_key(held.id))
    for page in result_pages(line for _, line in lines):
        world.checkpoint()
        world.store.restore_part(held, "", [each for each in page if not each.reused_from])
        world.store.restore_current(held, [each for each in page if each.reused_from])


def _restore(chunk: Chunk, held: Held, kept: Kept, world: World) -> None:
    raw = _raw(layout.raw_key(held.id, chunk.index), world) if chunk.index in kept.raws else None
    lines = world.objects.lines(layout.part_key(held.id, chunk.index))
    for page in result_pages(line for _, line in lines):
        world.checkpoint()
        world.store.restore_part(held, chunk.chunk_id, [_with_hint(each, raw) for each in page])
    end = COMPLETED
    if raw is not None:
        end = replace(COMPLETED, padded=raw.padded, padding=_padding(raw, chunk, world))
    world.store.restore_end(held, chunk.chunk_id, end)


def result_pages(lines: Iterable[bytes]) -> Iterator[list[KeptResult]]:
    """Read result lines back, some at a time."""
    results = kept_results(lines)
    while page := list(islice(results, RESULTS_AT_ONCE)):
        yield page


def _raw(key: str, world: World) -> _Raw | None:
    """Read the raw lines of a chunk; None where they are gone by now."""
    found = _Raw()
    try:
        for _, line in world.objects.lines(key):
            told = read_line(line)
            if isinstance(told, OutputLine):
                _take(told, found)
    except Missing:
        return None
    return found


def _take(told: OutputLine, found: _Raw) -> None:
    if layout.is_padding(told.record_id):
        found.padded += 1
        found.input_tokens += told.input_tokens or 0
        found.output_tokens += told.output_tokens or 0
    elif told.error is not None and told.error.retryable:
        found.retryable.add(layout.parse_record_id(told.record_id))


def _with_hint(result: KeptResult, raw: _Raw | None) -> KeptResult:
    if raw is None or result.analysis_type is None:
        return result
    hinted = RecordName(result.file_id, result.analysis_type) in raw.retryable
    return replace(result, retryable=True) if hinted else result


def _padding(raw: _Raw, chunk: Chunk, world: World) -> Spent:
    model = world.models.find(chunk.model)
    ended = (chunk.job.ended_at if chunk.job else None) or world.now
    price = cost(model, raw.input_tokens, raw.output_tokens, ended.date()) if model else None
    return Spent(raw.input_tokens, raw.output_tokens, price)
