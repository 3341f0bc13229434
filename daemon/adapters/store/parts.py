"""The parts that chunks left in S3."""

from collections.abc import Sequence

from sqlalchemy import select, update

from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Held, Part, Written
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.tables import chunks, state_in


class Parts:
    """What parts came to."""

    database: Database

    def part_written(self, held: Held, chunk_id: str, written: Written) -> None:
        """Note what a chunk's part came to, under the lease of the chunk or of its ended batch."""
        values = {
            "part_lines": written.lines,
            "part_bytes": written.bytes,
            "part_sha256": written.sha256,
        }
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(update(chunks).where(chunks.c.chunk_id == chunk_id).values(values))

    def parts(self, batch_id: str) -> Sequence[Part]:
        """Return the parts of a batch's COMPLETED chunks, in order."""
        written = (chunks.c.part_lines, chunks.c.part_bytes, chunks.c.part_sha256)
        asked = select(chunks.c.chunk_id, chunks.c.number, *written).where(
            chunks.c.batch_id == batch_id, state_in(chunks, [ChunkState.COMPLETED])
        )
        with self.database.read() as connection:
            found = connection.execute(asked.order_by(chunks.c.number)).all()
        return [
            Part(row.chunk_id, row.number, None if row.part_sha256 is None else Written(*row[2:]))
            for row in found
        ]
