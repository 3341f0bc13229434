"""One pass of the reconciler in this process, through the same parts as the consumer's."""

from dataclasses import dataclass

import click

from consumers.core.rows import Held, Leased
from consumers.core.world import Done
from consumers.job_state.reconcile import NOT_LISTED, reconcile
from daemon.cli.access import Access
from daemon.cli.worlds import world_of
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from schemas.facts import FindingMade, Reconciled
from schemas.messages import Reconcile
from schemas.queues import Queue


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass came to: messages sent by their reason, and what a person should look at."""

    sent: dict[str, int]
    findings: list[FindingMade]

    @property
    def not_listed(self) -> str | None:
        """Why Bedrock's list could not be asked, if it could not."""
        return next((each.detail for each in self.findings if each.kind == NOT_LISTED), None)


def make_pass(access: Access) -> Pass:
    """Compare the store with Bedrock's list, send what is missing, and count it by its reason."""
    parts, store = access.parts, access.store
    hold = Hold(None, store, access.settings.visibility_timeout, parts.clock)

    def take(kind: Leased, id: str) -> Held | None:
        held = hold.take(kind, id)
        if held is None:
            raise click.ClickException(
                "another process makes a pass just now: it sends what is missing. "
                "`novabatch status` shows what comes of it, or try again in a minute."
            )
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
    return Pass(
        {fact.action: fact.count for fact in outcome.facts if isinstance(fact, Reconciled)},
        [fact for fact in outcome.facts if isinstance(fact, FindingMade)],
    )
