"""What a verb may reach, each part opened at its first use and closed at the verb's end."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import click

from daemon.person import person

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from consumers.core.world import Policy
    from daemon.adapters.dead_letters import DeadLetters
    from daemon.adapters.s3 import S3Objects
    from daemon.adapters.sqs import SqsMailbox
    from daemon.adapters.store import SqlStore
    from daemon.adapters.views import Views
    from daemon.cli.diary import Diary
    from daemon.settings import Settings
    from daemon.wiring import Parts
    from schemas.analyses import Registry
    from schemas.messages import Message
    from schemas.models import ModelTable
    from schemas.queues import Queue


NEWEST = 500
"""Batches among which a misspelt name is looked for."""


class Access:
    """The parts of the system as one verb uses them; ``bad`` says what to write in bad settings."""

    def __init__(self, settings: "Settings", stack: ExitStack, bad: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.bad = bad or {}
        self._stack = stack

    @cached_property
    def parts(self) -> "Parts":
        """What speaks to AWS: it takes a second to load, and most verbs only read the database.

        A person waits: what S3 does not answer soon is told.
        """
        from daemon.adapters.s3 import BRIEF
        from daemon.wiring import Parts

        parts = Parts(self.settings, patience=BRIEF, actor=person())
        self._stack.callback(parts.close)
        return parts

    @cached_property
    def models(self) -> "ModelTable":
        """The model table."""
        from daemon.model_file import read_models

        return read_models(self.settings)

    @cached_property
    def analyses(self) -> "Registry":
        """The analysis types that can be asked for."""
        from daemon.analysis_files import read_analyses

        return read_analyses(self.settings)

    @cached_property
    def policy(self) -> "Policy":
        """What decisions depend on; a sender need not know the service role."""
        return self.settings.policy(self.parts.region)

    @cached_property
    def engine(self) -> "Engine":
        """The database, which must have its tables."""
        self._check_file()
        engine = self.open_database()
        _check_schema(engine)
        return engine

    def _check_file(self) -> None:
        """Refuse a SQLite file that is not there: opening it would make an empty one."""
        from daemon.adapters.store.engine import sqlite_file

        file = sqlite_file(self.settings.database_url)
        if file is not None and file.name and not file.exists():
            raise click.ClickException(
                f"there is no database {file} yet: run `novabatch migrate` to make it, or point "
                "NOVABATCH_DATABASE_URL to yours."
            )

    def open_database(self) -> "Engine":
        """Return the engine of DATABASE_URL; nothing is connected yet."""
        from daemon.adapters.store import make_engine

        engine = make_engine(self.settings.database_url)
        self._stack.callback(engine.dispose)
        return engine

    @cached_property
    def store(self) -> "SqlStore":
        """The store."""
        from daemon.adapters.store import SqlStore

        return SqlStore(self.engine, person())

    @cached_property
    def diary(self) -> "Diary":
        """The audit, as far as it can be reached from here."""
        from daemon.cli.diary import open_diary

        return open_diary(self)

    @cached_property
    def views(self) -> "Views":
        """What can be looked at."""
        from daemon.adapters.views import Views

        return Views(self.engine, self.models)

    @cached_property
    def objects(self) -> "S3Objects":
        """The bucket."""
        self.settings.require("bucket")
        return self.parts.objects

    def mailbox(self, queue: "Queue") -> "SqsMailbox":
        """Open a queue."""
        return self.parts.mailbox(queue)

    def dead_letters(self, queue: "Queue") -> "DeadLetters":
        """Open the dead letters of a queue."""
        from daemon.adapters.dead_letters import DeadLetters

        return DeadLetters(self.mailbox(queue))

    def send(self, *messages: "Message") -> None:
        """Send messages, each to the queue it belongs to; the audit tells of a person's wishes."""
        for queue in dict.fromkeys(message.queue for message in messages):
            mine = [message for message in messages if message.queue is queue]
            with self.diary.sending(mine):
                self._send(queue, [_body(message) for message in mine])

    def _send(self, queue: "Queue", bodies: "Sequence[str]") -> None:
        for refusal in self.mailbox(queue).send(bodies).values():
            raise click.ClickException(
                f"queue {self.settings.queue_name(queue)} refused the message: {refusal.message}. A message "
                "may have 1 MiB: name more files by `files_from`."
            )

    def wake(self) -> int:
        """Send the chunks on that may move now; returns how many."""
        from consumers.wake import room_for
        from schemas.messages import SubmitChunk

        now = datetime.now(UTC)
        ids: list[str] = []
        for name in self.store.models():
            model = self.models.find(name)
            if model is not None:
                ids += self.store.next_up(model.id, room_for(model, self.policy), now)
        self.send(*(SubmitChunk(chunk_id=chunk_id) for chunk_id in ids))
        return len(ids)

    def batch_id_of(self, name: str) -> str:
        """Return the batch_id of a BATCH argument."""
        batch_id = self.views.batch_id_of(name)
        if batch_id is None:
            known = [each for each, _ in self.views.names_like("", NEWEST)]
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.ClickException(
                f"batch {name!r} is not in the store: `novabatch status` lists them.{meant}"
            )
        return batch_id


@contextmanager
def open_access(*, in_part: bool = False) -> Iterator[Access]:
    """Read the settings and open what the verb asks for, until the block ends.

    ``in_part`` goes on with bad settings at their defaults; else they end the verb.
    """
    from daemon.settings import BadSettings, load, load_in_part
    from schemas.models import BadModelTable

    try:
        with ExitStack() as stack:
            settings, bad = load_in_part() if in_part else (load(), {})
            yield Access(settings, stack, bad)
    except (BadSettings, BadModelTable) as error:
        raise click.ClickException(str(error)) from error


def read_settings() -> "Settings":
    """Read the settings; bad ones end the verb with what to write."""
    from daemon.settings import BadSettings, load

    try:
        return load()
    except BadSettings as error:
        raise click.ClickException(str(error)) from error


def views_if_any(access: Access) -> "Views | None":
    """Return what can be looked at, where there is a database with tables."""
    try:
        return access.views
    except click.ClickException:
        return None


def shown(engine: "Engine") -> str:
    """Write a database's URL without its password."""
    return engine.url.render_as_string(hide_password=True)


def _check_schema(engine: "Engine") -> None:
    """Refuse a database without tables or with an older schema; a newer one only has more."""
    from sqlalchemy import inspect

    from daemon.adapters.store import schema_serves
    from daemon.adapters.store.database import Database
    from daemon.adapters.tables import batches

    if schema_serves(engine):
        return
    with Database(engine).read() as connection:
        there = inspect(connection).has_table(batches.name)
    what = "has an earlier schema than this version needs" if there else "has no tables yet"
    raise click.ClickException(f"database {shown(engine)} {what}: run `novabatch migrate`.")


def _body(message: "Message") -> str:
    return message.model_dump_json(by_alias=True, exclude_none=True)
