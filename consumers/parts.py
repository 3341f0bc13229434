"""Writing result lines to S3: a part for each chunk, as soon as it is stored."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from consumers.core import layout
from consumers.core.lines import ResultRow, lines_of
from consumers.core.rows import Chunk
from consumers.core.world import World


@dataclass(frozen=True, slots=True)
class Written:
    """What a results file came to."""

    key: str
    lines: int
    bytes: int
    sha256: str


def write_part(chunk: Chunk, world: World) -> Written:
    """Write the result lines of one chunk from the store, in plan order."""
    rows = world.store.result_rows(chunk.batch_id, chunk.chunk_id)
    return write_lines(layout.part_key(chunk.batch_id, chunk.index), rows, world)


def write_lines(key: str, rows: Iterable[ResultRow], world: World) -> Written:
    """Stream result lines into one object; memory stays flat."""
    digest, lines, size = hashlib.sha256(), 0, 0
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for row in rows:
            for line in lines_of(row, world.analyses):
                data = msgspec.json.encode(line) + b"\n"
                out.write(data)
                digest.update(data)
                lines, size = lines + 1, size + len(data)
    return Written(key, lines, size, digest.hexdigest())
