"""Leases on rows: who may write them now, by the database's own clock."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import BindParameter, Column, Connection, Double, Table, bindparam, or_, select, update
from sqlalchemy.sql.dml import Update
from sqlalchemy.sql.selectable import Select

from consumers.core.faults import LeaseLost
from consumers.core.rows import Held, Leased
from daemon.adapters.store.database import Database, clock, insert, live
from daemon.adapters.tables import batches, chunks, leases

PLACES: Mapping[Leased, tuple[Table, Column[Any]]] = {
    Leased.BATCH: (batches, batches.c.batch_id),
    Leased.CHUNK: (chunks, chunks.c.chunk_id),
    Leased.RECONCILER: (leases, leases.c.name),
}
_seconds: BindParameter[float] = bindparam("seconds", type_=Double())


def _take(table: Table, key: Column[Any]) -> Update:
    free = or_(table.c.lease_until.is_(None), table.c.lease_until <= clock())
    return (
        update(table)
        .where(key == bindparam("id"), free)
        .values(lease_token=bindparam("token"), lease_until=clock() + _seconds)
    )


def _renew(table: Table, key: Column[Any]) -> Update:
    return (
        update(table)
        .where(key == bindparam("id"), table.c.lease_token == bindparam("token"))
        .values(lease_until=clock() + _seconds)
    )


def _release(table: Table, key: Column[Any]) -> Update:
    return (
        update(table)
        .where(key == bindparam("id"), table.c.lease_token == bindparam("token"))
        .values(lease_token=None, lease_until=None)
    )


def _mine(table: Table, key: Column[Any]) -> Select[Any]:
    mine = select(key).where(key == bindparam("id"), table.c.lease_token == bindparam("token"))
    return mine.with_for_update(key_share=True)


_TAKE = {kind: _take(*place) for kind, place in PLACES.items()}
_RENEW = {kind: _renew(*place) for kind, place in PLACES.items()}
_RELEASE = {kind: _release(*place) for kind, place in PLACES.items()}
_MINE = {kind: _mine(*place) for kind, place in PLACES.items()}


class Leases:
    """Taking, keeping and giving back leases; each is one guarded UPDATE."""

    database: Database

    def take(self, kind: Leased, id: str, seconds: float) -> Held | None:
        """Take the lease of a row for so long, or return None: somebody has it, or there is no such row."""
        held = Held(kind, id, uuid4().hex)
        values = {"id": id, "token": held.token, "seconds": seconds}
        with self.database.once() as connection:
            if kind is Leased.RECONCILER:
                row = insert(connection, leases).values(name=id).on_conflict_do_nothing()
                connection.execute(row)
            return held if connection.execute(_TAKE[kind], values).rowcount else None

    def renew(self, held: Held, seconds: float) -> bool:
        """Keep a lease for so long from now; False if it is another's by now."""
        values = {"id": held.id, "token": held.token, "seconds": seconds}
        with self.database.once() as connection:
            return bool(connection.execute(_RENEW[held.kind], values).rowcount)

    def release(self, held: Held) -> None:
        """Give a lease back; one that is lost already is no fault."""
        with self.database.once() as connection:
            let_go(connection, held)


def let_go(connection: Connection, held: Held) -> None:
    """End a lease within a transaction."""
    connection.execute(_RELEASE[held.kind], {"id": held.id, "token": held.token})


def guard(connection: Connection, held: Held) -> None:
    """Lock the held row for this transaction and make sure that the lease is still ours."""
    mine = {"id": held.id, "token": held.token}
    if connection.execute(_MINE[held.kind], mine).first() is None:
        raise LeaseLost(f"the lease of {held.kind} {held.id} is another's by now")


def is_held(table: Table) -> Any:
    """Return the condition that somebody holds the row's lease now; false where nobody ever did."""
    return table.c.lease_until.is_not(None) & live(table)
