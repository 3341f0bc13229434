"""One pass of the reconciler in this process, through the same parts as the consumer's."""

import click

from consumers.core.rows import Held, Leased
from consumers.core.world import Done
from consumers.job_state.reconcile import reconcile
from daemon.cli.access import Access
from daemon.cli.worlds import world_of
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from schemas.facts import Reconciled
from schemas.messages import Reconcile
from schemas.queues import Queue


def make_pass(access: Access) -> dict[str, int]:
    """Compare the store with Bedrock's list, send what is missing, and count it by its reason."""
    parts, store = access.parts, access.store
    hold = Hold(None, store, access.settings.visibility_timeout, parts.clock)

    def take(kind: Leased, id: str) -> Held | None:
        held = hold.take(kind, id)
        if held is None:
            raise click.ClickException("another process makes a pass just now: it sends what is missing.")
        return held

    world = world_of(access, take, hold.checkpoint)
    publisher = Publisher({queue: parts.mailbox(queue) for queue in Queue}, (), parts.chance)
    try:
        outcome = reconcile(Reconcile(), world)
        if not isinstance(outcome, Done):
            raise click.ClickException(f"the pass was put off: {outcome.why}")
        publisher.publish(outcome.then)
    finally:
        hold.let_go()
    return {fact.action: fact.count for fact in outcome.facts if isinstance(fact, Reconciled)}
