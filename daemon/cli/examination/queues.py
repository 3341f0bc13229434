"""The queues, their dead letters, where our events go, and the rule that sends job events."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from consumers.core.faults import Denied, PassingFault
from daemon.cli.access import Access
from daemon.cli.examination.check import Check, Doubt, look

if TYPE_CHECKING:
    from daemon.adapters.queue_setup import QueueSetup
    from daemon.adapters.rules import Rule
    from schemas.queues import Queue

FEWEST_RECEIVES = 3
RULE = (
    "Let an EventBridge rule send `Batch Inference Job State Change` events of aws.bedrock to the queue. "
    "Until then jobs are seen by the reconciler only."
)


def examine(access: Access) -> Iterator[Check]:
    """Look at each queue."""
    from schemas.queues import Queue

    for queue in Queue:
        yield look(
            f"queue {queue.value}",
            lambda queue=queue: _queue(access, queue),  # type: ignore[misc]
            f"Create it with a dead-letter queue, or name yours in NOVABATCH_{queue.name}_QUEUE; "
            "check AWS_ENDPOINT_URL and permissions.",
        )
    if access.settings.events_queue:
        yield look("events queue", lambda: _events(access), "Create it, or correct NOVABATCH_EVENTS_QUEUE.")
    if access.settings.event_bus:
        advice = "Create it, or correct NOVABATCH_EVENT_BUS."
        yield look("event bus", lambda: _bus(access), advice)
    yield look("rule", lambda: _rule(access), RULE)


def _queue(access: Access, queue: "Queue") -> str:
    from daemon.adapters.queue_setup import setup_of

    mailbox = access.mailbox(queue)
    if mailbox.dead_url is None:
        raise click.ClickException(f"{mailbox.url} has no dead-letter queue: set its RedrivePolicy")
    own = setup_of(mailbox.client, mailbox.url)
    dead = setup_of(mailbox.client, mailbox.dead_url)
    depths = mailbox.depths()
    _doubt_setup(mailbox.url, own, dead)
    waiting, letters = depths["main"].visible, depths["dlq"].visible
    if letters:
        said = f"{waiting} waiting, {letters} dead letters"
        raise Doubt(said, "See why with `novabatch dlq list`; then `novabatch dlq redrive` sends them back.")
    return f"{waiting} waiting, no dead letters; given up after {own.max_receives} receives"


def _doubt_setup(url: str, own: "QueueSetup", dead: "QueueSetup") -> None:
    if (own.max_receives or 0) < FEWEST_RECEIVES:
        said = (
            f"{url} gives a message up after {own.max_receives} receives, a passing fault can take that many"
        )
        raise Doubt(said, "Set maxReceiveCount of its RedrivePolicy to 10.")
    if dead.retention_seconds < own.retention_seconds:
        said = (
            f"{dead.arn} forgets sooner than the queue itself, and counts from when a message was first sent"
        )
        raise Doubt(said, "Set MessageRetentionPeriod of the dead-letter queue to 14 days (1209600).")


def _events(access: Access) -> str:
    from daemon.adapters.sqs import open_outlet

    return open_outlet(access.parts.sqs_client, access.settings.events_queue).url


def _bus(access: Access) -> str:
    from daemon.adapters.aws import faults_of, make_client

    name = access.settings.event_bus
    client = make_client("events", region=access.parts.region)
    try:
        with faults_of("DescribeEventBus", name):
            return str(client.describe_event_bus(Name=name)["Arn"])
    except Denied as fault:
        raise Doubt(
            fault.message, "Nothing, if events arrive; events:PutEvents is all that is needed."
        ) from fault


def _rule(access: Access) -> str:
    from daemon.adapters.aws import make_client
    from daemon.adapters.queue_setup import setup_of
    from daemon.adapters.rules import rules_to
    from schemas.queues import Queue

    mailbox = access.mailbox(Queue.STATE)
    setup = setup_of(mailbox.client, mailbox.url)
    try:
        found = list(rules_to(make_client("events", region=access.parts.region), setup.arn))
    except (Denied, PassingFault) as fault:
        doubt = f"could not be looked at: {fault.message}"
        advice = (
            "Nothing, if jobs are seen at their end; allow events:ListRuleNamesByTarget to have it checked."
        )
        raise Doubt(doubt, advice) from fault
    return _judge_rules(found, setup, f"{access.settings.job_name_prefix}-")


def _judge_rules(found: "list[Rule]", setup: "QueueSetup", prefix: str) -> str:
    if not found:
        raise Doubt(f"none on the default bus sends events of jobs to {setup.arn}", RULE)
    working = [rule.name for rule in found if rule.enabled and rule.passes(prefix)]
    if not working:
        names = ", ".join(rule.name for rule in found)
        said = f"{names}: disabled, or lets no job through whose name begins with {prefix}"
        raise Doubt(said, "Enable it, and let its batchJobName begin with NOVABATCH_JOB_NAME_PREFIX.")
    if "events.amazonaws.com" not in setup.policy:
        said = f"{setup.arn} has no policy that lets events.amazonaws.com send to it"
        raise Doubt(said, "Allow it sqs:SendMessage in the queue's policy.")
    return f"{', '.join(working)} sends events of jobs to {setup.arn.rpartition(':')[2]}"
