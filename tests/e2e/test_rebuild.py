"""The database is gone, or an old backup takes its place: one command, and nothing is bought again."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore, make_engine, migrate
from deploy.local import processes
from tests.e2e import forks
from tests.e2e.machine import CONSUMERS, Machine, machine
from tests.e2e.shift import Shift

FILES = 30
JOBS = 10
STUCK = {"outcome": "stuck", "state": "InProgress"}
FEW, SLOTS = 9, 2
FAILS_ONCE = {"record": "^file-half-9:combined$", "action": "error", "code": 503, "attempts": 1}


def database(running: Machine) -> Path:
    return Path(str(running.engine.url.database))


def back_up(running: Machine, copy: Path) -> None:
    """Copy the database while its consumers work, as docs/recovery.md says."""
    with closing(sqlite3.connect(database(running))) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])


@contextmanager
def shift(folder: Path, **settings: str) -> Iterator[Shift]:
    """Run a machine with one consumer of each role."""
    with machine(folder, start=(), step_seconds=0.05, **settings) as running:
        consumers = Shift(running, folder)
        try:
            consumers.start(*CONSUMERS)
            yield consumers
        finally:
            consumers.kill()


def lose_database(consumers: Shift, backup: Path | None = None) -> None:
    """Stop all consumers as a power failure would; a backup or nothing takes the place of the database."""
    consumers.kill()
    running = consumers.running
    running.engine.dispose()
    lost = database(running)
    for file in lost.parent.glob(f"{lost.name}*"):
        file.unlink()
    if backup is not None:
        backup.rename(lost)
    running.engine = make_engine(str(running.engine.url))
    migrate(running.engine)
    running.store = SqlStore(running.engine)


def novabatch(running: Machine, folder: Path, *words: str) -> None:
    child = forks.launch(words[0], words, running.local.consumer_environment(), folder / "logs")
    assert child.process.wait(60) == 0, child.tail()


def states(running: Machine, batch_id: str) -> Counter[ChunkState]:
    return Counter(state for _, state in running.store.chunk_ids(batch_id))


@pytest.mark.timeout(150)
def test_ten_jobs_that_run_when_the_database_is_lost_end_with_every_result(tmp_path: Path) -> None:
    with shift(tmp_path) as consumers:
        running = consumers.running
        running.local.server.control.add_faults(jobs=[STUCK])
        batch_id = running.post("lost", running.originals("lost", FILES))
        assert processes.wait_until(lambda: len(running.jobs(batch_id)) == JOBS, 60)
        lose_database(consumers)
        novabatch(running, tmp_path, "reconcile", "--rebuild")
        running.local.server.control.clear_faults()
        consumers.start(*CONSUMERS)
        running.wait_for_end([batch_id], 60)
        check(running, batch_id, FILES)
        assert len(running.jobs(batch_id)) == JOBS
        assert set(running.sent(batch_id).values()) == {1}
        assert processes.wait_until(running.is_clean, 30)


@pytest.mark.timeout(120)
def test_an_old_backup_learns_what_was_bought_and_ended_since_and_buys_none_of_it_again(
    tmp_path: Path,
) -> None:
    """One batch had two of its three jobs open; it ended since, with a later round; another is half done."""
    with shift(tmp_path, NOVABATCH_SLOTS=str(SLOTS)) as consumers:
        running = consumers.running
        control = running.local.server.control
        control.add_faults(jobs=[STUCK], records=[FAILS_ONCE])
        half = running.post("half", running.originals("half", FEW))
        assert processes.wait_until(lambda: states(running, half)[ChunkState.IN_PROGRESS] == SLOTS, 60)
        back_up(running, tmp_path / "backup.db")
        control.clear_faults()
        control.add_faults(records=[FAILS_ONCE])
        running.wait_for_end([half], 60)
        assert processes.wait_until(running.is_clean, 30)
        control.add_faults(jobs=[STUCK])
        new = running.post("new", running.originals("new", FEW))
        assert processes.wait_until(lambda: len(running.jobs(new)) == SLOTS, 60)
        before = running.results(half)

        lose_database(consumers, tmp_path / "backup.db")
        assert states(running, half).keys() & {ChunkState.PLANNED, ChunkState.READY, ChunkState.PREPARING}
        novabatch(running, tmp_path, "reconcile", "--rebuild")
        control.clear_faults()
        consumers.start(*CONSUMERS)
        running.wait_for_end([half, new], 60)
        for batch_id in (half, new):
            check(running, batch_id, FEW)
        assert running.results(half) == before
        assert len(running.jobs(half)) == 4
        assert len(running.jobs(new)) == 3
        again = {record for each in (half, new) for record, times in running.sent(each).items() if times > 1}
        assert again == {"file-half-9:combined"}
        assert processes.wait_until(running.is_clean, 30)


def check(running: Machine, batch_id: str, files: int) -> None:
    """See that every file has every result, in S3 and in the store."""
    lines = running.results(batch_id)
    assert {line["outcome"] for line in lines} == {"SUCCEEDED"}
    assert len(lines) == 5 * files
    assert states(running, batch_id).keys() == {ChunkState.COMPLETED}
