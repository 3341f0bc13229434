"""What a person does at the command line, noted in the audit before and after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from consumers.core import layout
from consumers.core.faults import Fault
from consumers.core.rows import Deed, Verb
from daemon.cli.access import Access
from schemas import messages as m
from schemas.messages import requester

if TYPE_CHECKING:
    from daemon.adapters.store.auditing import Auditing

ASKED = "asked for"
NOT_NOTED = "note: the audit does not tell of this, its database is not here"


class Diary:
    """Notes what is done, where the database can be reached: who only sends need not know it."""

    def __init__(self, store: "Auditing | None") -> None:
        self._store = store
        self._said = False

    @contextmanager
    def noted(self, *deeds: Deed) -> Iterator[None]:
        """Do something within the block, which the audit tells of before and after."""
        if self._store is None or not deeds:
            if deeds and not self._said:
                click.echo(NOT_NOTED, err=True)
                self._said = True
            yield
            return
        for deed in deeds:
            self._store.intend(deed)
        try:
            yield
        except (Fault, click.ClickException) as error:
            for deed in deeds:
                self._store.came_of(replace(deed, detail=f"failed: {error.message}"))
            raise
        for deed in deeds:
            self._store.came_of(deed)

    def told(self, *deeds: Deed) -> None:
        """Note what came of something in particular."""
        if self._store is not None:
            for deed in deeds:
                self._store.came_of(deed)

    @contextmanager
    def sending(self, messages: "Sequence[m.Message]") -> Iterator[None]:
        """Send messages within the block; those we only send on are no deeds of a person."""
        with self.noted(*(deed for each in messages if (deed := deed_of(each)) is not None)):
            yield


def open_diary(access: Access) -> Diary:
    """Return the diary in the database of the settings; one that is not there is not made for that."""
    from sqlalchemy import inspect

    from daemon.adapters.store.database import Database
    from daemon.adapters.store.engine import sqlite_file
    from daemon.adapters.tables import audit

    file = sqlite_file(access.settings.database_url)
    if file is not None and not file.exists():
        return Diary(None)
    try:
        with Database(access.engine).read() as connection:
            there = inspect(connection).has_table(audit.name)
    except (Fault, click.ClickException):
        there = False
    return Diary(access.store if there else None)


def deed_of(message: "m.Message") -> Deed | None:
    """Say what the audit tells of a message that a person sends; None for those that only carry on."""
    match message:
        case m.SubmitBatch():
            batch_id = layout.batch_id(message.request_id)
            return Deed(Verb.SEND, message.request_id, batch_id, requested_by=requester(message))
        case m.CancelBatch() | m.RetryBatch() | m.ReparseBatch() | m.CleanupBatch():
            batch_id = message.batch_id or layout.batch_id(message.request_id or "")
            return Deed(Verb(message.type.partition("_")[0]), batch_id, batch_id, ASKED)
        case m.AdoptJob():
            return Deed(Verb.ADOPT, message.source, detail=ASKED)
        case m.Sweep() | m.CleanupUnowned() | m.CleanupLegacy():
            return Deed(Verb.CLEANUP, _named(message), detail=ASKED)
        case _:
            return None


def _named(message: "m.Sweep | m.CleanupUnowned | m.CleanupLegacy") -> str:
    match message:
        case m.Sweep():
            return f"older than {message.older_than_days} days"
        case m.CleanupUnowned():
            return message.folder
        case m.CleanupLegacy():
            return message.place
