"""What a verb may reach, each part opened at its first use and closed at the verb's end."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy import Engine

    from consumers.core.world import Policy
    from daemon.adapters.dead_letters import DeadLetters
    from daemon.adapters.s3 import S3Objects
    from daemon.adapters.sqs import SqsMailbox
    from daemon.adapters.store import SqlStore
    from daemon.adapters.views import Views
    from daemon.settings import Settings
    from schemas.messages import Message
    from schemas.models import ModelTable
    from schemas.queues import Queue

LISTING_THREADS = 4


class Access:
    """The parts of the system as one verb uses them."""

    def __init__(self, settings: "Settings", stack: ExitStack) -> None:
        self.settings = settings
        self._stack = stack

    @cached_property
    def models(self) -> "ModelTable":
        """The model table."""
        return read_models(self.settings)

    @cached_property
    def policy(self) -> "Policy":
        """What decisions depend on."""
        from daemon.settings import aws_region

        return self.settings.policy(aws_region())

    @cached_property
    def engine(self) -> "Engine":
        """The database, which must have its tables."""
        engine = open_engine(self.settings, self._stack)
        _check_schema(engine)
        return engine

    @cached_property
    def store(self) -> "SqlStore":
        """The store."""
        from daemon.adapters.store import SqlStore

        return SqlStore(self.engine)

    @cached_property
    def views(self) -> "Views":
        """What can be looked at."""
        from daemon.adapters.views import Views

        return Views(self.engine, self.models)

    @cached_property
    def objects(self) -> "S3Objects":
        """The bucket."""
        from daemon.adapters.aws import faults_of, make_client
        from daemon.adapters.s3 import S3Objects

        self.require("bucket")
        with faults_of("opening", f"s3://{self.settings.bucket}"):
            client = make_client("s3", connections=LISTING_THREADS)
        objects = S3Objects(client, self.settings.bucket, LISTING_THREADS)
        self._stack.callback(objects.close)
        return objects

    def mailbox(self, queue: "Queue") -> "SqsMailbox":
        """Open a queue."""
        from daemon.adapters.aws import faults_of, make_client
        from daemon.adapters.sqs import open_mailbox

        name = self.settings.queue_name(queue)
        with faults_of("opening", f"queue {name}"):
            client = make_client("sqs")
        return open_mailbox(client, client, name)

    def dead_letters(self, queue: "Queue") -> "DeadLetters":
        """Open the dead letters of a queue."""
        from daemon.adapters.dead_letters import DeadLetters

        return DeadLetters(self.mailbox(queue))

    def send(self, message: "Message") -> None:
        """Send a message to the queue it belongs to."""
        self.send_all([message])

    def send_all(self, messages: "list[Message]") -> None:
        """Send messages, each to the queue it belongs to."""
        for queue in dict.fromkeys(message.queue for message in messages):
            bodies = [body_of(message) for message in messages if message.queue is queue]
            for refusal in self.mailbox(queue).send(bodies).values():
                raise click.ClickException(
                    f"queue {self.settings.queue_name(queue)} refused the message: {refusal.message}"
                )

    def wake(self) -> int:
        """Send the chunks on that may move now; returns how many."""
        from schemas.messages import SubmitChunk

        now = datetime.now(UTC)
        ids: list[str] = []
        for name in self.store.models():
            model = self.models.find(name)
            if model is not None:
                ids += self.store.next_up(model.id, model.slots, self.policy.stage_ahead, now)
        self.send_all([SubmitChunk(chunk_id=chunk_id) for chunk_id in ids])
        return len(ids)

    def batch_id_of(self, name: str) -> str:
        """Return the batch_id of a BATCH argument."""
        batch_id = self.views.batch_id_of(name)
        if batch_id is None:
            raise click.ClickException(f"batch {name!r} is not in the store: `novabatch status` lists them.")
        return batch_id

    def require(self, *names: str) -> None:
        """Refuse to go on without these settings."""
        from daemon.settings import BadSettings

        try:
            self.settings.require(*names)
        except BadSettings as error:
            raise click.ClickException(str(error)) from error


@contextmanager
def open_access() -> Iterator[Access]:
    """Read the settings and open what the verb asks for, until the block ends."""
    settings = read_settings()
    with ExitStack() as stack:
        yield Access(settings, stack)


def read_settings() -> "Settings":
    """Read the settings; bad ones end the verb with what to write."""
    from daemon.settings import BadSettings, load

    try:
        return load()
    except BadSettings as error:
        raise click.ClickException(str(error)) from error


def read_models(settings: "Settings") -> "ModelTable":
    """Build the model table; a bad MODELS_FILE ends the verb with what to write."""
    from schemas.models import BadModelTable, load_models

    try:
        text = settings.models_file.read_text() if settings.models_file else None
        return load_models(
            text,
            slots=settings.slots,
            min_records=settings.min_records,
            max_file_bytes=settings.max_file_bytes,
        )
    except BadModelTable as error:
        raise click.ClickException(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"NOVABATCH_MODELS_FILE {settings.models_file}: {error}") from error


def open_engine(settings: "Settings", stack: ExitStack) -> "Engine":
    """Make the engine of DATABASE_URL; nothing is connected yet."""
    from sqlalchemy.exc import ArgumentError

    from daemon.adapters.store import make_engine

    try:
        engine = make_engine(settings.database_url)
    except (ArgumentError, ValueError, OSError) as error:
        raise click.ClickException(f"NOVABATCH_DATABASE_URL cannot be used: {error}") from error
    stack.callback(engine.dispose)
    return engine


def _check_schema(engine: "Engine") -> None:
    from sqlalchemy import inspect

    from daemon.adapters.store.database import Database
    from daemon.adapters.tables import batches

    with Database(engine).read() as connection:
        if not inspect(connection).has_table(batches.name):
            shown = engine.url.render_as_string(hide_password=True)
            raise click.ClickException(f"database {shown} has no tables yet: run `novabatch migrate`.")


def body_of(message: "BaseModel") -> str:
    """Write a message as a queue's body."""
    return message.model_dump_json(exclude_none=True)
