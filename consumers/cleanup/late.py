"""Output that came after a chunk was read: it is paid for, so it is read before anything is deleted."""

from collections.abc import Iterator

from consumers.core import layout
from consumers.core.results import BrokenLine, read_line
from consumers.core.retention import is_cut_short
from consumers.core.rows import Chunk
from consumers.core.world import World
from schemas.outcomes import Outcome


def came_late(chunk: Chunk, world: World) -> int:
    """Count the records the store holds as MISSING that have a line in the output by now.

    Only a job that was cut short writes after its end.
    """
    missing = set(_missing(chunk, world)) if is_cut_short(chunk) else set()
    return len(missing & set(_answered(chunk, world))) if missing else 0


def _missing(chunk: Chunk, world: World) -> Iterator[str]:
    for row in world.store.result_rows(chunk.batch_id, chunk.chunk_id):
        if row.outcome == Outcome.MISSING and row.record_id is not None:
            yield row.record_id


def _answered(chunk: Chunk, world: World) -> Iterator[str]:
    for info in world.objects.list(layout.output_prefix(chunk.folder)):
        if layout.is_output_records(info.key):
            world.checkpoint()
            for _, text in world.objects.lines(info.key):
                line = read_line(text)
                if not isinstance(line, BrokenLine):
                    yield line.record_id
