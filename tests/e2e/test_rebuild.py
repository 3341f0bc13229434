"""The database is gone while ten jobs run: one command, and every result comes in, nothing bought again."""

import sys
from pathlib import Path

import pytest

from daemon.adapters.store import SqlStore, make_engine, migrate
from deploy.local import processes
from tests.e2e.machine import CONSUMERS, Machine, machine

FILES = 30
JOBS = 10


def lose_database(running: Machine) -> None:
    """Stop all consumers as a power failure would, and lose the file of the database with its journal."""
    for name in CONSUMERS:
        running.kill(name)
    running.engine.dispose()
    database = Path(str(running.engine.url.database))
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    running.engine = make_engine(str(running.engine.url))
    migrate(running.engine)
    running.store = SqlStore(running.engine)


def novabatch(running: Machine, folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "daemon", *words]
    child = processes.start(words[0], command, running.local.consumer_environment(), folder / "logs")
    assert child.process.wait(60) == 0, child.tail()


@pytest.mark.timeout(150)
def test_ten_jobs_that_run_when_the_database_is_lost_end_with_every_result(tmp_path: Path) -> None:
    with machine(tmp_path, step_seconds=0.05) as running:
        running.local.server.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
        batch_id = running.post("lost", running.originals("lost", FILES))
        assert processes.wait_until(lambda: len(running.jobs(batch_id)) == JOBS, 60)
        lose_database(running)
        novabatch(running, tmp_path, "reconcile", "--rebuild")
        running.local.server.control.clear_faults()
        for name in CONSUMERS:
            running.start(name)
        running.wait_for_end([batch_id], 60)
        lines = running.results(batch_id)
        assert {line["outcome"] for line in lines} == {"SUCCEEDED"}
        assert len(lines) == 5 * FILES
        assert len(running.jobs(batch_id)) == JOBS
        assert set(running.sent(batch_id).values()) == {1}
        assert processes.wait_until(running.is_clean, 30)
