"""SIGKILL at every single AWS call of a batch, before and after it is carried out: nothing lost or twice."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from consumers.core.rows import Leased
from daemon.adapters.tables import batches, chunks, jobs, records
from deploy.local import processes
from tests.e2e import forks
from tests.e2e.machine import QUEUES, Machine, machine

VICTIM = "victim"
POLL = "ReceiveMessage"
LONGER_THAN_THE_TEST = 86_400.0
LEASED = (batches, chunks)
# One thing after the other, so that two runs make the same calls; and no reconciler comes to help.
ONE_BY_ONE = {
    "NOVABATCH_CONCURRENCY": "1",
    "NOVABATCH_COPY_CONCURRENCY": "1",
    "NOVABATCH_MAX_FILES_PER_CHUNK": "2",
    "NOVABATCH_VISIBILITY_TIMEOUT": "60",
    "NOVABATCH_RECONCILE_INTERVAL": "3600",
    "NOVABATCH_CLEANUP_AFTER_SUCCESS": "false",
}
ENDS_ONLY = {"drop_statuses": ["Submitted", "Validating", "Scheduled", "InProgress"]}
# The calls of each role that change something, or that what follows depends on.
TELLING = {
    "submit": {"CopyObject", "PutObject", "CreateModelInvocationJob", "SendMessageBatch"},
    "job_state": {"GetModelInvocationJob", "GetObject", "PutObject", "SendMessageBatch"},
}
ROWS = (
    select(batches.c.state, batches.c.revision, batches.c.round, batches.c.failures),
    select(chunks.c.number, chunks.c.state, chunks.c.folder, chunks.c.records, chunks.c.failures),
    select(jobs.c.name, jobs.c.token, jobs.c.status, jobs.c.processed),
    select(records.c.position, records.c.analysis_type, records.c.attempt, records.c.outcome),
)


@dataclass
class Scene:
    """A machine on which one consumer is killed over and over, and the next one takes its place."""

    running: Machine
    role: str
    other: str
    files: list[dict[str, Any]]
    logs: Path

    def __post_init__(self) -> None:
        self.control = self.running.local.server.control
        # Whoever makes a pass of the reconciler, it is none of these.
        assert self.running.store.take(Leased.RECONCILER, "reconcile", LONGER_THAN_THE_TEST)
        self.end_faults()
        self.helper = self.start(self.other, "helper")
        self.victim = self.start(self.role, VICTIM)

    def start(self, role: str, caller: str) -> BaseProcess:
        """Start a consumer that signs its calls with a name of its own."""
        environment = self.running.local.consumer_environment()
        environment |= {"AWS_ACCESS_KEY_ID": caller, "NOVABATCH_HTTP_PORT": "0"}
        return forks.start(role, environment, self.logs / f"{caller}.log")

    def post(self, label: str) -> str:
        """Post a batch that is like all others but for its name."""
        return self.running.post(label, self.files, options={"reuse": "never"})

    def undisturbed(self) -> tuple[list[str], Counter[str]]:
        """Let a batch through; return what comes of it, and how often the victim makes which call for it."""
        wait(self.is_idle)
        before = Counter(self.control.calls_of(VICTIM)["made"])
        came = self.what_came_of(self.post("undisturbed"))
        wait(self.is_idle)
        return came, Counter(self.control.calls_of(VICTIM)["made"]) - before

    def strike(self, operation: str, nth: int, moment: str) -> tuple[str, bool]:
        """Kill the victim at its nth call of a kind for a batch, if it makes it, and let another go on."""
        wait(self.is_idle)
        hold = {"caller": VICTIM, "operation": operation, "skip": nth - 1, "count": 1, "hold": moment}
        self.control.add_faults(calls=[hold])
        if operation == POLL:  # the one that is open goes on; the message comes into the next
            wait(lambda: self.fault()["hits"] > 0)
        batch_id = self.post(f"{moment} {operation} {nth}")
        wait(lambda: bool(self.fault()["held"]) or (self.running.ended(batch_id) and self.is_idle()))
        struck = bool(self.fault()["held"])
        if struck:
            forks.kill(self.victim)
        self.end_faults()
        if struck:
            self.let_time_pass(self.leases())
            self.victim = self.start(self.role, VICTIM)
        return batch_id, struck

    def fault(self) -> dict[str, Any]:
        """Return the fault that holds the victim's call, with its hits and what is held."""
        found: dict[str, Any] = self.control.faults()["calls"][0]
        return found

    def end_faults(self) -> None:
        """Drop the call that is held; events tell of ends only."""
        self.control.clear_faults()
        self.control.add_faults(events=ENDS_ONLY)

    def is_idle(self) -> bool:
        """Tell whether the victim waits for messages and there are none."""
        drained = self.running.is_drained(QUEUES[self.role], QUEUES[self.other])
        return drained and self.control.calls_of(VICTIM)["open"] == [POLL]

    def leases(self) -> list[str]:
        """Return the tokens of the leases that somebody has."""
        with self.running.engine.connect() as connection:
            asked = (select(table.c.lease_token).where(table.c.lease_until > 0) for table in LEASED)
            return [token for each in asked for token in connection.execute(each).scalars()]

    def let_time_pass(self, tokens: list[str]) -> None:
        """End the leases and the visibility of what the dead process had in hand, as time would.

        Of the leases there were at its death those are its own that are left when the helper is at rest. A
        poll of its that is still open might take a message more.
        """
        wait(lambda: not self.control.calls_of(VICTIM)["open"])
        wait(lambda: self.running.is_drained(QUEUES[self.other]))
        with self.running.engine.begin() as connection:
            for table in LEASED:
                mine = table.c.lease_token.in_(tokens)
                connection.execute(update(table).where(mine).values(lease_until=0))
        self.control.return_messages(QUEUES[self.role])

    def what_came_of(self, batch_id: str) -> list[str]:
        """Return rows, jobs, objects and results of a batch, without what tells it from the others."""
        wait(lambda: self.running.ended(batch_id))
        with self.running.engine.connect() as connection:
            told = [tuple(row) for asked in ROWS for row in connection.execute(of(asked, batch_id))]
        bought = [(job["name"], job["token"], job["records"]) for job in self.running.jobs(batch_id)]
        mine = [key for key in self.running.keys("nova") if batch_id[1:7] in key]
        return sorted(alike(repr(each), batch_id) for each in [*told, *bought, *mine])


def of(asked: Any, batch_id: str) -> Any:
    """Narrow a question to one batch."""
    table = asked.get_final_froms()[0]
    if "batch_id" in table.c:
        return asked.where(table.c.batch_id == batch_id)
    return asked.join(chunks, chunks.c.chunk_id == table.c.chunk_id).where(chunks.c.batch_id == batch_id)


def alike(text: str, batch_id: str) -> str:
    """Take out what differs between two batches of the same files: names, times, hashes."""
    text = text.replace(batch_id, "<batch>").replace(batch_id[1:7], "<six>")
    text = re.sub(r"job_\d{8}_\d{6}", "job_<time>", text)
    text = re.sub(r"(<six>-\d{3})-[0-9a-f]{6}(-[0-9a-f]{16})?", r"\1-<hash>", text)
    return re.sub(r"/[a-z0-9]{12}/manifest", "/<job>/manifest", text)


@contextmanager
def scene(folder: Path, role: str, other: str, files: int) -> Iterator[Scene]:
    with machine(folder, start=(), step_seconds=0.02, **ONE_BY_ONE) as running:
        playing = Scene(running, role, other, running.originals("film", files), folder)
        try:
            yield playing
        finally:
            forks.kill(playing.victim)
            forks.kill(playing.helper)


def wait(condition: Callable[[], bool]) -> None:
    """Wait for what comes sooner or later."""
    assert processes.wait_until(condition, 60)


@pytest.mark.endurance
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("role", "other", "files"), [("submit", "job_state", 3), ("job_state", "submit", 2)])
def test_a_consumer_killed_at_any_call_is_followed_by_one_that_ends_in_the_same_rows_and_jobs(
    tmp_path: Path, role: str, other: str, files: int
) -> None:
    with scene(tmp_path, role, other, files) as playing:
        expected, made = playing.undisturbed()
        made[POLL] = 1
        struck: Counter[str] = Counter()
        for operation, nth, moment in strikes(made):
            batch_id, was_struck = playing.strike(operation, nth, moment)
            assert playing.what_came_of(batch_id) == expected, f"killed {moment} {operation} {nth}"
            struck[operation] += was_struck
        print(f"\nkills of {role}: {dict(struck)}")
        assert all(struck[operation] == 2 * made[operation] > 0 for operation in TELLING[role])
        assert all(playing.running.dead_letters(queue) == 0 for queue in QUEUES.values())


def strikes(made: Counter[str]) -> Iterator[tuple[str, int, str]]:
    """Name every call, before and after it is carried out."""
    for operation, times in made.items():
        for nth in range(1, times + 1):
            for moment in ("before", "after"):
                yield operation, nth, moment
