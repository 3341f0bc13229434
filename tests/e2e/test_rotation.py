"""The login of the database ends under running consumers, before they know the new one."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from deploy.local import processes
from deploy.local.processes import HOST
from tests.databases import Postgres
from tests.e2e.machine import CONSUMERS, QUEUES, machine
from tests.e2e.shift import Shift
from tests.postgres_roles import roles, run

FILES = 6
STUCK = {"outcome": "stuck", "state": "InProgress"}


def end_login(admin: str, login: str) -> None:
    """Let a login in no more, and end its connections."""
    user = make_url(login).username
    run(admin, f"ALTER ROLE {user} NOLOGIN")
    run(admin, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")


@pytest.mark.timeout(120)
def test_consumers_whose_login_has_ended_wait_and_go_on_with_the_new_one_after_a_restart(
    tmp_path: Path, postgres: Postgres
) -> None:
    with (
        roles(postgres) as database,
        machine(
            tmp_path,
            start=(),
            step_seconds=0.05,
            NOVABATCH_DATABASE_URL=database.url,
        ) as running,
    ):
        old, new = (database.login(name, "consumer") for name in ("old", "new"))
        running.local.environment["NOVABATCH_DATABASE_URL"] = old
        consumers = Shift(running, tmp_path)
        try:
            consumers.start(*CONSUMERS)
            running.local.server.control.add_faults(jobs=[STUCK])
            bought = running.post("bought", running.originals("bought", FILES))
            assert processes.wait_until(lambda: len(running.jobs(bought)) == FILES // 3, 60)

            end_login(database.url, old)
            running.local.server.control.clear_faults()
            waits = running.post("waits", running.originals("waits", FILES))
            for role in ("submit", "job_state"):
                member = consumers.at_work[role]
                assert processes.wait_until(lambda each=member: bool(each.lines("message_retried")), 30)  # type: ignore[misc]
                assert not processes.answers(f"http://{HOST}:{member.port}/ready")

            running.local.environment["NOVABATCH_DATABASE_URL"] = new
            for role in CONSUMERS:
                consumers.replace(role, beside=False)
            running.wait_for_end([bought, waits], 60)
            for batch_id in (bought, waits):
                assert [line["outcome"] for line in running.results(batch_id)] == ["SUCCEEDED"] * (5 * FILES)
                assert set(running.sent(batch_id).values()) == {1}
                assert len(running.jobs(batch_id)) == FILES // 3
            assert [running.dead_letters(queue) for queue in QUEUES.values()] == [0, 0, 0]
        finally:
            consumers.kill()
    for member in consumers.gone:
        assert member.outcomes().keys() <= {"success", "duplicate", "retry", "released"}
        assert not [line for line in member.lines() if line["level"] in {"error", "critical"}]
