"""Later rounds: the chunks that a settled or retried batch sends again."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, or_, select, true, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Held, NewChunk, Verb
from daemon.adapters.store.adding import add_chunks, next_number
from daemon.adapters.store.auditing import note
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.model_rows import lock_model
from daemon.adapters.store.moves import move_batch
from daemon.adapters.store.refused import take_in
from daemon.adapters.tables import batches, chunk_over, chunk_resends, chunks, records, state_in
from schemas.models import base_model


class Rounds:
    """The rounds of a batch after its plan."""

    database: Database
    actor: str

    def next_index(self, batch_id: str) -> int:
        """Return the number of the next chunk of a batch."""
        with self.database.read() as connection:
            return next_number(connection, batch_id)

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
                note(connection, self.actor, Verb.RETRY, held.id, batch_id=held.id, detail=f"round {round}")
            _nothing_waits(connection, held.id)
            _add(connection, held.id, chunks)
            return True

    def add_early_round(
        self, held: Held, round: int, chunks: Sequence[NewChunk], left: Mapping[str, int]
    ) -> bool:
        """Add full chunks to a batch that runs; ``left`` is what still waits of each chunk they came from.

        Under the model's lock, as a split is: their numbers must still be free.
        """
        running = state_in(batches, [BatchState.PLANNED, BatchState.RUNNING])
        goes_on = and_(running, ~batches.c.cancelled, batches.c.stopped == "")
        step = update(batches).where(batches.c.batch_id == held.id, batches.c.round == round - 1, goes_on)
        with self.database.write() as connection:
            lock_model(connection, base_model(chunks[0].model))
            guard(connection, held)
            if next_number(connection, held.id) != chunks[0].index:
                return False
            if not connection.execute(step.values(round=round)).rowcount:
                return False
            for chunk_id, waiting in left.items():
                _note(connection, chunk_id, waiting)
            _add(connection, held.id, chunks)
            return True

    def note_waiting(self, held: Held, records: int) -> None:
        """Note how many records of the held chunk wait to be sent again."""
        with self.database.write() as connection:
            guard(connection, held)
            _note(connection, held.id, records)

    def waiting_chunks(self, batch_id: str, limit: int) -> Sequence[str]:
        """Return ended chunks with records that wait to be sent again, in order."""
        mine = and_(chunks.c.batch_id == batch_id, chunk_resends, chunk_over)
        asked = select(chunks.c.chunk_id).where(mine).order_by(chunks.c.number).limit(limit)
        with self.database.read() as connection:
            return connection.execute(asked).scalars().all()

    def leave_batch(self, held: Held, changes: int) -> bool:
        """End the lease of a batch, unless a chunk of it ended since ``changes`` was read."""
        mine = and_(batches.c.batch_id == held.id, batches.c.lease_token == held.token)
        leave = update(batches).where(mine, batches.c.changes == changes)
        with self.database.once() as connection:
            return bool(connection.execute(leave.values(lease_token=None, lease_until=None)).rowcount)


def _note(connection: Connection, chunk_id: str, waiting: int) -> None:
    connection.execute(update(chunks).where(chunks.c.chunk_id == chunk_id).values(to_resend=waiting))


def _nothing_waits(connection: Connection, batch_id: str) -> None:
    """Note that a round takes in whatever a batch had to send again."""
    waits = and_(chunks.c.batch_id == batch_id, chunk_resends)
    connection.execute(update(chunks).where(waits).values(to_resend=0))


def _add(connection: Connection, batch_id: str, new: Iterable[NewChunk]) -> None:
    for chunk in new:
        add_chunks(connection, batch_id, [chunk])
        _supersede(connection, batch_id, chunk)


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
