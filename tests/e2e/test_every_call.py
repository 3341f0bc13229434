"""SIGKILL at every single AWS call of a batch, before and after it is carried out: nothing lost or twice."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from daemon.adapters.tables import batches, chunks, jobs, leases, records
from deploy.local import processes
from tests.e2e import forks
from tests.e2e.machine import QUEUES, Machine, machine

VICTIM = "victim"
POLL_OUTLIVES_ITS_CALLER = 2.0
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
    struck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.control = self.running.local.server.control
        self.control.add_faults(events=ENDS_ONLY)
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

    def held(self) -> list[str]:
        """Return the call that the victim waits at."""
        found: list[str] = self.control.faults()["calls"][0]["held"]
        return found

    def kill_at(self, nth: int, moment: str) -> tuple[str, bool]:
        """Kill the victim at its nth call for a batch, if it makes so many, and let another go on."""
        self.control.add_faults(calls=[{"caller": VICTIM, "skip": nth - 1, "count": 1, "hold": moment}])
        batch_id = self.post(f"{moment}-{nth}")
        self.wait(lambda: bool(self.held()) or self.running.ended(batch_id))
        held = self.held()
        if held:
            forks.kill(self.victim)
        self.control.clear_faults()
        self.control.add_faults(events=ENDS_ONLY)
        if held:
            self.struck += held
            self.let_time_pass()
            self.victim = self.start(self.role, VICTIM)
        return batch_id, bool(held)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait, if need be until a message is visible again that an open poll of the dead process took."""
        if not processes.wait_until(condition, POLL_OUTLIVES_ITS_CALLER):
            self.let_time_pass()
            assert processes.wait_until(condition, 30)

    def let_time_pass(self) -> None:
        """End leases and visibility of what the dead process had in hand, as time would."""
        with self.running.engine.begin() as connection:
            for table in (batches, chunks, leases):
                connection.execute(update(table).values(lease_until=0).where(table.c.lease_until > 0))
        self.control.return_messages(QUEUES[self.role])

    def what_came_of(self, batch_id: str) -> list[str]:
        """Return rows, jobs, objects and results of a batch, without what tells it from the others."""
        self.wait(lambda: self.running.ended(batch_id))
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


@pytest.mark.endurance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("role", "other", "files"), [("submit", "job_state", 3), ("job_state", "submit", 2)])
def test_a_consumer_killed_at_any_call_is_followed_by_one_that_ends_in_the_same_rows_and_jobs(
    tmp_path: Path, role: str, other: str, files: int, moment: str
) -> None:
    with scene(tmp_path, role, other, files) as playing:
        expected = playing.what_came_of(playing.post("undisturbed"))
        for nth in count(1):
            batch_id, struck = playing.kill_at(nth, moment)
            assert playing.what_came_of(batch_id) == expected, f"killed {moment} {playing.struck[-1:]}"
            if not struck:
                break
        assert set(playing.struck) >= TELLING[role]
        assert all(playing.running.dead_letters(queue) == 0 for queue in QUEUES.values())
