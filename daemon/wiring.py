"""Names the concrete parts and puts them together; nothing is made before it is asked for."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import boto3
from pydantic import BaseModel
from sqlalchemy import Engine, text

from consumers.core.world import Policy, Stage, World
from daemon.adapters import aws, sqs
from daemon.adapters.backoff import Backoff
from daemon.adapters.bedrock import BedrockJobs
from daemon.adapters.eventbridge import EventBus
from daemon.adapters.figures import StoreFigures
from daemon.adapters.local_media import MediaRoots
from daemon.adapters.s3 import PATIENT, S3Objects
from daemon.adapters.store import SqlStore, make_engine, migrate, schema_serves
from daemon.adapters.views import Views
from daemon.analysis_files import read_analyses
from daemon.app import App, CannotStart
from daemon.calls import watch_calls
from daemon.clock import SystemClock
from daemon.facts import FactTeller
from daemon.health import Health
from daemon.loop.hold import Hold
from daemon.loop.lanes import StagingLane
from daemon.loop.publishing import Publisher
from daemon.mailbox import Mailbox, Outlet
from daemon.metrics import Metrics
from daemon.model_file import read_models
from daemon.settings import (
    QUEUE_OF,
    BadSettings,
    Role,
    Settings,
    aws_region,
    systemd_socket,
    systemd_watchdog,
)
from daemon.storage import StorageFigures
from daemon.store_gauges import Figures, Leader, StoreGauges, queue_figures
from daemon.systemd import Systemd
from daemon.worker import Means, Pace, Tick, Worker
from schemas.analyses import Registry
from schemas.messages import Reconcile, SubmitChunk
from schemas.models import ModelTable
from schemas.queues import Queue

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

NEEDED = ("bucket", "role_arn")


class Parts:
    """Everything an entry point may need, each part made when it is first asked for.

    ``actor`` is who acts, for the audit.
    """

    def __init__(
        self,
        settings: Settings,
        handlers: int = 1,
        patience: Backoff = PATIENT,
        actor: str = "unknown",
    ) -> None:
        self.settings = settings
        self.actor = actor
        self.handlers = handlers
        self.patience = patience
        self.clock = SystemClock()
        self.chance = random.Random()

    @cached_property
    def region(self) -> str:
        """The AWS Region of all clients."""
        if not (region := self._session_region()):
            raise BadSettings("AWS_REGION is not set: write the Region of the queues and the bucket")
        return region

    @cached_property
    def policy(self) -> Policy:
        """What decisions depend on."""
        self.settings.require(*NEEDED)
        return self.settings.policy(self.region)

    @cached_property
    def models(self) -> ModelTable:
        """The models that can be used."""
        return read_models(self.settings)

    @cached_property
    def analyses(self) -> Registry:
        """The analysis types that can be asked for."""
        return read_analyses(self.settings)

    @cached_property
    def local(self) -> MediaRoots:
        """The media on this machine."""
        return MediaRoots(self.settings.media_roots)

    @cached_property
    def metrics(self) -> Metrics:
        """The registry."""
        return Metrics()

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return make_engine(self.settings.database_url, self.handlers + 3)

    @cached_property
    def store(self) -> SqlStore:
        """The rows."""
        return SqlStore(self.engine, self.actor)

    @cached_property
    def s3_client(self) -> "S3Client":
        """The client of S3."""
        connections = self.settings.copy_concurrency + self.handlers
        client = aws.make_client("s3", region=self.region, connections=connections)
        watch_calls(client, self.metrics)
        return client

    @cached_property
    def objects(self) -> S3Objects:
        """The bucket."""
        return S3Objects(
            self.s3_client,
            self.settings.bucket,
            self.settings.copy_concurrency,
            patient=self.patience,
            local=self.local,
        )

    @cached_property
    def bedrock_client(self) -> "BedrockClient":
        """The client of Bedrock."""
        client = aws.make_client("bedrock", region=self.region, connections=self.handlers + 3)
        watch_calls(client, self.metrics)
        return client

    @cached_property
    def jobs(self) -> BedrockJobs:
        """Bedrock's batch jobs."""
        return BedrockJobs(self.bedrock_client, self.settings.job_name_prefix)

    @cached_property
    def sqs_client(self) -> "SQSClient":
        """The client of SQS for everything but polls."""
        return self._sqs(0, self.handlers + 3 * len(Role))  # each loop beats, buries and deletes

    @cached_property
    def poller(self) -> "SQSClient":
        """The client of SQS for polls, which take long."""
        return self._sqs(self.settings.poll_wait, len(Role))

    def mailbox(self, queue: Queue) -> sqs.SqsMailbox:
        """Find one of the three queues."""
        return sqs.open_mailbox(self.sqs_client, self.poller, self.settings.queue_name(queue))

    def events(self) -> Sequence[Outlet]:
        """Find where our own events go: nowhere, a queue, a bus, or both."""
        outlets: list[Outlet] = []
        if self.settings.events_queue:
            outlets.append(sqs.open_outlet(self.sqs_client, self.settings.events_queue))
        if self.settings.event_bus:
            client = aws.make_client("events", region=self.region, connections=self.handlers)
            watch_calls(client, self.metrics)
            outlets.append(EventBus(client, self.settings.event_bus))
        return outlets

    def close(self) -> None:
        """End threads and connections of the parts that were made."""
        made = vars(self)
        if "objects" in made:
            self.objects.close()
        if "engine" in made:
            self.engine.dispose()
        for name in made.keys() & {"s3_client", "bedrock_client", "sqs_client", "poller"}:
            made[name].close()

    def _sqs(self, wait: int, connections: int) -> "SQSClient":
        # A beat that hangs must end soon enough to be repeated while the message is still hidden.
        timeout = min(sqs.CALL_TIMEOUT, max(2.0, self.settings.visibility_timeout / 4))
        client = sqs.make_client(wait, connections, self.region, timeout)
        watch_calls(client, self.metrics)
        return client

    def _session_region(self) -> str:
        with aws.configured():
            return aws_region() or boto3.session.Session().region_name or ""


def wire(settings: Settings, roles: Sequence[Role]) -> App:
    """Build a process with everything it needs, or raise CannotStart, BadSettings or a fault."""
    actor = "+".join(role.value for role in roles)
    parts = Parts(settings, handlers=settings.concurrency * len(roles), actor=actor)
    policy = parts.policy
    tell = FactTeller(parts.metrics, parts.models, parts.analyses, parts.clock).tell
    prepare_database(parts.engine, actor)
    mailboxes = {queue: parts.mailbox(queue) for queue in Queue}
    publisher = Publisher(mailboxes, parts.events(), parts.chance)
    gauges = store_gauges(parts, mailboxes)
    parts.metrics.registry.register(gauges)
    stages = _stages(settings)

    def worker(role: Role) -> Worker:
        queue = QUEUE_OF[role]
        world = _world_maker(parts, policy, SqlStore(parts.engine, role.value))
        means = Means(
            mailboxes[queue], publisher, parts.store, world, tell, parts.metrics, parts.clock, parts.chance
        )
        return Worker(queue, stages[role], means, _pace(settings), _tick(role, settings, gauges))

    workers = [worker(role) for role in roles]
    own = {QUEUE_OF[role]: mailboxes[QUEUE_OF[role]] for role in roles}
    return App(
        workers=workers,
        metrics=parts.metrics,
        health=Health(
            parts.metrics.registry,
            lambda: {each.queue.value: each.is_turning for each in workers},
            _probes(parts, own),
            parts.clock,
        ),
        clock=parts.clock,
        host=settings.http_host,
        port=settings.port(roles[0]),
        drain_seconds=settings.drain_seconds,
        systemd=Systemd(systemd_socket(), systemd_watchdog(), parts.clock),
        close=parts.close,
    )


def prepare_database(engine: Engine, actor: str = "unknown") -> None:
    """Bring SQLite to the schema of this version; on PostgreSQL that is an operator's decision."""
    if schema_serves(engine):
        return
    if engine.dialect.name == "sqlite":
        migrate(engine, actor)
    else:
        raise CannotStart("The database does not have this version's schema. Run: novabatch migrate")


def store_gauges(parts: Parts, mailboxes: Mapping[Queue, Mailbox]) -> StoreGauges:
    """Make the figures of the store and the queues, which one process of all exports."""
    seconds = parts.settings.reconcile_interval * 3
    figures = StoreFigures(parts.store, parts.models, parts.policy, parts.clock)
    views = Views(parts.engine, parts.models)
    storage = StorageFigures(
        lambda: parts.objects.list(""), lambda: views.folders(parts.clock.now()), parts.clock
    )

    def read() -> Figures:
        return {**queue_figures(mailboxes), **figures.read(), **storage.read()}

    return StoreGauges(Leader(parts.store, seconds).leads, read, parts.clock, seconds)


def _world_maker(parts: Parts, policy: Policy, store: SqlStore) -> Callable[[Hold], World]:
    objects, jobs = parts.objects, parts.jobs

    def world(hold: Hold) -> World:
        return World(
            now=parts.clock.now(),
            policy=policy,
            models=parts.models,
            analyses=parts.analyses,
            store=store,
            objects=objects,
            jobs=jobs,
            local=parts.local,
            hold=hold.take,
            checkpoint=hold.checkpoint,
        )

    return world


def _stages(settings: Settings) -> Mapping[Role, Mapping[type[BaseModel], Stage]]:
    from consumers import cleanup, job_state, submit

    lane = StagingLane(submit.STAGES[SubmitChunk], settings.concurrency)
    return {
        Role.SUBMIT: {**submit.STAGES, SubmitChunk: lane},
        Role.JOB_STATE: job_state.STAGES,
        Role.CLEANUP: cleanup.STAGES,
    }


def _pace(settings: Settings) -> Pace:
    return Pace(settings.concurrency, settings.visibility_timeout, settings.poll_wait)


def _tick(role: Role, settings: Settings, gauges: StoreGauges | None = None) -> Tick | None:
    if role is not Role.JOB_STATE:
        return None
    return Tick(Reconcile(), settings.reconcile_interval, gauges.refresh if gauges else _nothing)


def _nothing() -> None:
    """Do nothing after a tick."""


def _probes(parts: Parts, mailboxes: Mapping[Queue, Mailbox]) -> Mapping[str, Callable[[], object]]:
    """Name what a process needs, each with a call that raises a fault if it does not answer."""
    return {
        **{f"queue {queue.value}": mailbox.depths for queue, mailbox in mailboxes.items()},
        "database": partial(_ask_database, parts),
        "bucket": partial(_ask_bucket, parts),
    }


def _ask_database(parts: Parts) -> None:
    with parts.store.database.once() as connection:
        connection.execute(text("SELECT 1"))


def _ask_bucket(parts: Parts) -> None:
    with aws.faults_of("HeadBucket", parts.settings.bucket):
        parts.s3_client.head_bucket(Bucket=parts.settings.bucket)
