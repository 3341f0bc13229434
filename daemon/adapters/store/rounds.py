"""Later rounds: the chunks that a settled or retried batch sends again."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, bindparam, or_, true, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Held, NewChunk
from daemon.adapters.store.adding import add_chunks
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import move_batch
from daemon.adapters.tables import batches, records, state_in


class Rounds:
    """The rounds of a batch after its plan."""

    database: Database

    def add_round(self, held: Held, round: int, chunks: Sequence[NewChunk]) -> bool:
        """Add the next round of chunks; False if it exists already. An ended batch opens again."""
        mine = and_(batches.c.batch_id == held.id, batches.c.round == round - 1)
        with self.database.write() as connection:
            guard(connection, held)
            goes_on = or_(~batches.c.cancelled, state_in(batches, BATCH_ENDS))
            step = update(batches).where(mine, goes_on, batches.c.state != BatchState.PLANNING)
            if not connection.execute(step.values(round=round)).rowcount:
                return False
            _reopen(connection, held.id)
            add_chunks(connection, held.id, chunks)
            _supersede(connection, held.id, chunks)
            return True


def _reopen(connection: Connection, batch_id: str) -> None:
    """Open an ended batch for a retry: a cancel before is forgotten."""
    which = and_(batches.c.batch_id == batch_id, state_in(batches, BATCH_ENDS))
    again = {"revision": batches.c.revision + 1, "cancelled": False, "reason": "", "finished_at": None}
    move_batch(connection, which, BatchState.RUNNING, **again)


def _supersede(connection: Connection, batch_id: str, new: Sequence[NewChunk]) -> None:
    older = update(records).where(
        records.c.batch_id == batch_id,
        records.c.position == bindparam("at"),
        records.c.analysis_type == bindparam("type"),
        records.c.attempt < bindparam("newest"),
    )
    sent = [
        {"at": each.position, "type": each.analysis_type, "newest": each.attempt}
        for chunk in new
        for each in chunk.records
    ]
    if sent:
        connection.execute(older.values(superseded=true()), sent)
