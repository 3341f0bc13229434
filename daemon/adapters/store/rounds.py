"""Later rounds: the chunks that a settled or retried batch sends again."""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, bindparam, func, or_, select, true, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Held, NewChunk
from daemon.adapters.store.adding import add_chunks
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import move_batch
from daemon.adapters.store.refused import take_in
from daemon.adapters.tables import batches, chunks, records, state_in


class Rounds:
    """The rounds of a batch after its plan."""

    database: Database

    def next_index(self, batch_id: str) -> int:
        """Return the number of the next chunk of a batch."""
        asked = select(func.coalesce(func.max(chunks.c.number), -1) + 1).where(chunks.c.batch_id == batch_id)
        with self.database.read() as connection:
            return int(connection.execute(asked).scalar_one())

    def add_round(self, held: Held, round: int, chunks: Iterable[NewChunk], changes: int) -> bool:
        """Add the next round of chunks, one by one as they come; an ended batch opens again.

        False if the round exists already, or a chunk ended since ``changes`` was read.
        """
        before = and_(
            batches.c.batch_id == held.id, batches.c.round == round - 1, batches.c.changes == changes
        )
        with self.database.write() as connection:
            guard(connection, held)
            goes_on = or_(~batches.c.cancelled, state_in(batches, BATCH_ENDS))
            mine = and_(batches.c.batch_id == held.id, batches.c.state != BatchState.PLANNING)
            step = update(batches).where(mine, before, goes_on)
            if not connection.execute(step.values(round=round)).rowcount:
                return False
            if _reopen(connection, held.id, round):
                take_in(connection, held.id)
            for chunk in chunks:
                add_chunks(connection, held.id, [chunk])
                _supersede(connection, held.id, chunk)
            return True


def _reopen(connection: Connection, batch_id: str, round: int) -> int:
    """Open an ended batch for a retry: why it ended is forgotten, and attempts count from this round on."""
    which = and_(batches.c.batch_id == batch_id, state_in(batches, BATCH_ENDS))
    forgotten = {"cancelled": False, "stopped": "", "canary": None, "failures": {}, "wake_after": None}
    begun = {"revision": batches.c.revision + 1, "retried": batches.c.revision, "first_round": round}
    return move_batch(
        connection, which, BatchState.RUNNING, reason="", finished_at=None, **forgotten, **begun
    )


def _supersede(connection: Connection, batch_id: str, chunk: NewChunk) -> None:
    older = update(records).where(
        records.c.batch_id == batch_id,
        records.c.position == bindparam("at"),
        records.c.analysis_type == bindparam("type"),
        records.c.attempt < bindparam("newest"),
    )
    sent = [
        {"at": each.position, "type": each.analysis_type, "newest": each.attempt} for each in chunk.records
    ]
    connection.execute(older.values(superseded=true()), sent)
