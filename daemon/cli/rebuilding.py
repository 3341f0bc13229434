"""Filling a lost database again, in this process, while nothing new is submitted."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from consumers.core.faults import Fault
from consumers.core.rows import Leased
from consumers.core.world import World
from consumers.rebuild import Desk, Rebuilt, rebuild
from daemon.adapters.store import SqlStore
from daemon.cli.access import Access
from daemon.cli.progress import bar
from daemon.cli.worlds import world_of
from daemon.clock import Clock
from daemon.loop.hold import Hold

REASON = "a lost database is filled again by `novabatch reconcile --rebuild`; cut short, it is run again"
PATIENCE, LOOK_EVERY = 15.0, 0.5
"""Seconds to wait for another pass to end; consumers make one a minute."""
LOST = (
    "Not in S3, so not restored: requests that were not planned yet (post them again), cancels and pauses "
    "(give them again), findings."
)


class Leases:
    """Holds without a message, renewed by a thread for as long as the block lasts."""

    def __init__(self, store: SqlStore, seconds: int, clock: Clock) -> None:
        self._store, self._seconds, self._clock = store, seconds, clock
        self._holds: set[Hold] = set()
        self._changing = threading.Lock()
        self._over = threading.Event()

    @contextmanager
    def kept(self) -> Iterator["Leases"]:
        """Renew what is held until the block ends."""
        thread = threading.Thread(target=self._beat, name="leases", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Give a hold whose leases end with the block."""
        hold = Hold(None, self._store, self._seconds, self._clock)
        with self._changing:
            self._holds.add(hold)
        try:
            yield hold
        finally:
            with self._changing:
                self._holds.discard(hold)
            hold.let_go()

    def _beat(self) -> None:
        while not self._over.wait(self._seconds / 3):
            with self._changing:
                holds = tuple(self._holds)
            for hold in holds:
                hold.renew_leases()


def rebuild_store(access: Access) -> Rebuilt:
    """Restore what S3 and Bedrock know. No other pass is made meanwhile, and no chunk is submitted."""
    parts, store = access.parts, access.store
    leases = Leases(store, access.settings.visibility_timeout, parts.clock)

    @contextmanager
    def desk() -> Iterator[World]:
        with leases.hold() as hold:
            yield world_of(access, hold.take, hold.checkpoint)

    with leases.kept(), leases.hold() as whole:
        _take_turn(whole)
        store.hold_submissions(REASON, parts.clock.now())
        with bar("restoring from S3 and Bedrock"):
            told = _rebuilt(desk)
        store.free_submissions(REASON)
    return told


def document_of(told: Rebuilt) -> dict[str, Any]:
    """Return what came of it as a document."""
    return {
        "batches": {state.value: count for state, count in told.batches.items()},
        "chunks": told.chunks,
        "jobs_open": told.jobs_open,
        "jobs_ended": told.jobs_ended,
        "parts": told.parts,
        "problems": [{"batch_id": name, "message": why} for name, why in told.problems.items()],
    }


def tell(told: Rebuilt) -> None:
    """Say what came of it, and what could not be restored."""
    states = ", ".join(f"{count} {state}" for state, count in told.batches.items()) or "none"
    click.echo(f"batches: {states}")
    click.echo(f"chunks: {told.chunks}, with the stored results of {told.parts}")
    click.echo(f"jobs: {told.jobs_open} open, {told.jobs_ended} ended")
    click.echo(LOST)
    for batch_id, why in told.problems.items():
        click.echo(f"{batch_id}: {why}", err=True)


def _take_turn(hold: Hold) -> None:
    """Wait until no other process makes a pass, then keep all others from it."""
    end = time.monotonic() + PATIENCE
    while hold.take(Leased.RECONCILER, "reconcile") is None:
        if time.monotonic() >= end:
            raise click.ClickException("another process makes a pass for long: try again when it is over.")
        threading.Event().wait(LOOK_EVERY)


def _rebuilt(desk: Desk) -> Rebuilt:
    try:
        return rebuild(desk)
    except Fault as fault:
        why = f"{fault.message}\nWhat is restored stays, and nothing is submitted: run it again to go on."
        raise click.ClickException(why) from fault
