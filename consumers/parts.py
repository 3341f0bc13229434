"""Writing result lines to S3: a part for each chunk, as soon as it is stored."""

import hashlib
from collections.abc import Iterable

import msgspec

from consumers.core import layout
from consumers.core.lines import ResultRow, lines_of
from consumers.core.rows import Chunk, Held, Written
from consumers.core.world import World

ROWS_A_LOOK = 1000


def write_part(chunk: Chunk, held: Held, world: World) -> None:
    """Write the result lines of one chunk from the store, in plan order, and note what they came to."""
    rows = world.store.result_rows(chunk.batch_id, chunk.chunk_id)
    written = write_lines(layout.part_key(chunk.batch_id, chunk.index), rows, world)
    world.store.part_written(held, chunk.chunk_id, written)


def write_lines(key: str, rows: Iterable[ResultRow], world: World) -> Written:
    """Stream result lines into one object; memory stays flat."""
    counted = _Counted()
    with world.objects.writer(key, content_type="application/jsonl") as out:
        for number, row in enumerate(rows, 1):
            for line in lines_of(row, world.analyses):
                out.write(counted.add(msgspec.json.encode(line) + b"\n"))
            if not number % ROWS_A_LOOK:
                world.checkpoint()
    return counted.written()


def measure_lines(key: str, world: World) -> Written:
    """Read what an object of lines came to."""
    counted = _Counted()
    for _, line in world.objects.lines(key):
        counted.add(line + b"\n")
    return counted.written()


class _Counted:
    """Counts lines on their way."""

    def __init__(self) -> None:
        self._lines, self._bytes, self._digest = 0, 0, hashlib.sha256()

    def add(self, line: bytes) -> bytes:
        self._digest.update(line)
        self._lines, self._bytes = self._lines + 1, self._bytes + len(line)
        return line

    def written(self) -> Written:
        return Written(self._lines, self._bytes, self._digest.hexdigest())
