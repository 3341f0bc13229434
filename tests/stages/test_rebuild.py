"""The database is lost: with the plans and results in S3 and Bedrock's list every batch comes back."""

from dataclasses import replace

from sqlalchemy import select

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.rebuild import Rebuilt, rebuild
from daemon.adapters.tables import days
from schemas.messages import RetryBatch
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.loss import desk, known_of, lose_and_restore, lose_database, restore
from tests.stages.lots import never_measured
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere


def test_ten_jobs_that_run_when_the_database_is_lost_end_with_every_result(sim: Simulation) -> None:
    sim.small_chunks(2)
    batch_id = sim.submit(sim.media(20), budget_usd="25.00")
    before = known_of(sim, batch_id)
    assert len(sim.jobs.created) == 10
    told = lose_and_restore(sim)
    assert (told.jobs_open, told.batches, told.problems) == (10, {BatchState.RUNNING: 1}, {})
    assert known_of(sim, batch_id) == before
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert len(sim.outcomes(batch_id)) == 100
    assert len(sim.jobs.created) == 10
    assert set(sim.answers.bought.values()) == {1}


def test_a_batch_that_had_ended_is_as_it_was_with_revision_money_and_results(sim: Simulation) -> None:
    sim.answers.plan("file-1:summary", error(503), error(400, "Bad URI"))
    sim.answers.plan("file-2:chapters", answer("no JSON"), answer("still none"))
    files = [*sim.media(4), {"file_id": "gone", "s3_key": "proxy_video/gone.mov"}]
    batch_id = sim.submit(files, analysis_types=["summary", "chapters"])
    sim.finish_all()
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    before, jobs = known_of(sim, batch_id), len(sim.jobs.created)
    assert sim.batch(batch_id).revision == 2
    assert lose_and_restore(sim).problems == {}
    assert known_of(sim, batch_id) == before
    assert len(sim.jobs.created) == jobs


def test_jobs_that_ended_meanwhile_are_read_and_what_waits_is_bought_once(
    simulate: NewSimulation,
) -> None:
    sim = simulate(slots=2)
    sim.small_chunks(2)
    batch_id = sim.submit(sim.media(10))
    sim.finish_jobs()
    finish_unheard(sim)
    told = lose_and_restore(sim)
    assert (told.chunks, told.jobs_ended, told.jobs_open, told.parts) == (5, 4, 0, 2)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.outcomes(batch_id)) == 50
    assert len(sim.jobs.created) == 5
    assert set(sim.answers.bought.values()) == {1}
    assert not sim.temporary_keys()


def finish_unheard(sim: Simulation) -> None:
    """Let every open job end; its event reaches nobody."""
    sim.events_arrive = False
    sim.finish_jobs()
    sim.events_arrive = True


def test_a_round_on_its_way_goes_on(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.small_chunks(1)
    for number in (1, 2, 3):
        sim.answers.plan(f"file-{number}:summary", error(503))
    batch_id = sim.submit(sim.media(4), analysis_types=["summary"])
    for _ in range(5):
        sim.finish_jobs()
    before = known_of(sim, batch_id)
    assert [state for _, state in sim.store.chunk_ids(batch_id)][4:] == ["COMPLETED", "SUBMITTED", "READY"]
    lose_and_restore(sim)
    assert known_of(sim, batch_id)[1] == before[1]
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 7
    assert sim.answers.bought == {f"file-{n}:summary": 1 + (n < 4) for n in (1, 2, 3, 4)}


def test_a_retry_on_its_way_goes_on_with_its_revision(sim: Simulation) -> None:
    sim.answers.plan("file-1:summary", error(400, "no"), error(503))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_all()
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    lose_and_restore(sim)
    batch = sim.batch(batch_id)
    assert (batch.state, batch.revision, batch.retried, batch.first_round) == (BatchState.RUNNING, 2, 1, 1)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.batch(batch_id).revision == 2
    assert sim.answers.bought == {"file-1:summary": 3, "file-2:summary": 1}
    assert len(sim.jobs.created) == 3


def test_a_split_on_its_way_goes_on(simulate: NewSimulation) -> None:
    sim = simulate(slots=1)
    sim.policy = replace(sim.policy, max_chunk_bytes=20)
    batch_id = sim.submit(**never_measured(sim.media(6)))
    sim.finish_jobs()
    states = [state for _, state in sim.store.chunk_ids(batch_id)]
    assert states == ["CANCELLED", "COMPLETED", "SUBMITTED", "READY"]
    lose_and_restore(sim)
    assert [state for _, state in sim.store.chunk_ids(batch_id)][:3] == states[:3]
    assert sim.store.planned_files(batch_id)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 3
    assert set(sim.answers.bought.values()) == {1}


def test_results_that_were_linked_are_linked_again_and_not_bought(sim: Simulation) -> None:
    files = sim.media(3)
    first = sim.submit(files[:2], "first", analysis_types=["summary"])
    sim.finish_all()
    ended = sim.submit(files[:2], "second", analysis_types=["summary"])
    running = sim.submit(files, "third", analysis_types=["summary", "chapters"])
    before = [known_of(sim, batch_id) for batch_id in (first, ended, running)]
    lose_and_restore(sim)
    assert [known_of(sim, batch_id) for batch_id in (first, ended, running)] == before
    sim.finish_all()
    assert set(sim.outcomes(running).values()) == {"SUCCEEDED"}
    assert sim.answers.bought["file-1:summary"] == 1


def test_files_that_were_refused_stay_refused_whenever_that_was(sim: Simulation) -> None:
    files = [*sim.media(4), {"file_id": "n", "s3_key": "proxy_video/notes.txt"}]
    sim.objects.put("proxy_video/notes.txt", "no media")
    lose_original = {"file_id": 9, "s3_key": "proxy_video/gone.mov", "size_bytes": 7}
    batch_id = sim.submit([*files, lose_original], options={"reuse": "never"})
    sim.finish_all()
    before = known_of(sim, batch_id)
    assert sim.store.count(batch_id).refused == 2
    lose_and_restore(sim)
    assert known_of(sim, batch_id) == before


def test_a_source_that_was_measured_again_is_told_as_it_was_analysed(sim: Simulation) -> None:
    files = sim.media(2)
    at_call(sim, "objects.copies", act=lambda: sim.objects.put(files[0]["s3_key"], "another"))
    batch_id = sim.submit(files)
    sim.finish_all()
    before = known_of(sim, batch_id)
    lose_and_restore(sim)
    assert known_of(sim, batch_id) == before
    again = sim.submit(files, "again")
    sim.finish_all()
    assert sim.store.count(again).reused == 2


def test_the_database_lost_again_and_again_and_one_that_was_not_lost(sim: Simulation) -> None:
    sim.answers.plan("file-1:summary", error(503))
    sim.small_chunks(2)
    sim.submit(sim.media(3), "ended", analysis_types=["summary"])
    sim.finish_all()
    sim.submit(sim.media(4), "running", analysis_types=["chapters"])
    ids = [layout.batch_id(name) for name in ("ended", "running")]
    before = [known_of(sim, batch_id) for batch_id in ids]
    restore(sim)
    assert [known_of(sim, batch_id) for batch_id in ids] == before
    for _ in range(2):
        lose_and_restore(sim)
        assert [known_of(sim, batch_id) for batch_id in ids] == before


def test_a_rebuild_cut_short_at_any_kind_of_call_is_done_again(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        sim.answers.plan("file-1:summary", error(503))
        sim.small_chunks(2)
        files = [*sim.media(3), {"file_id": 9, "s3_key": "proxy_video/gone.mov", "size_bytes": 7}]
        kinds = ["summary", "chapters"]
        sim.submit(files, "ended", analysis_types=kinds, options={"reuse": "never"})
        sim.finish_all()
        sim.submit(sim.media(4), "running", analysis_types=kinds)
        sim.finish_jobs()
        lose_database(sim)
        return sim

    told: list[Rebuilt] = []

    def outcome(sim: Simulation) -> object:
        sim.finish_all()
        ids = [layout.batch_id(name) for name in ("ended", "running")]
        return told[-1].problems, [known_of(sim, each) for each in ids], len(sim.jobs.created)

    crash_everywhere(make, lambda sim: told.append(restore(sim)), outcome)


def test_chunks_behind_a_canary_wait_for_it_still(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, canary_chunks=1)
    sim.small_chunks(2)
    sim.answers.plan("file-1:combined", error(400))
    batch_id = sim.submit(sim.media(6))
    lose_and_restore(sim)
    assert sim.batch(batch_id).canary == 1
    assert len(sim.jobs.created) == 1
    sim.finish_all()
    assert sim.batch(batch_id).stopped
    assert len(sim.jobs.created) == 1


def test_what_was_committed_counts_against_the_budgets_again(sim: Simulation) -> None:
    sim.small_chunks(2)
    sim.submit(sim.media(2), "ended")
    sim.finish_all()
    sim.submit(sim.media(4), "running")
    before = committed_by_day(sim)
    assert before
    lose_and_restore(sim)
    assert committed_by_day(sim) == before


def committed_by_day(sim: Simulation) -> dict[str, object]:
    with sim.store.database.read() as connection:
        found = connection.execute(select(days.c.day, days.c.committed_usd))
        return {row.day: row.committed_usd for row in found}


def test_a_job_that_the_list_does_not_name_yet_is_not_created_twice(sim: Simulation) -> None:
    """The plan is older than the job by a moment, and Bedrock's list behind both."""
    batch_id = sim.submit(sim.media(2))
    (arn,) = sim.jobs.reports
    unlisted = sim.jobs.reports.pop(arn)
    lose_database(sim)
    rebuild(lambda: desk(sim))
    assert sim.store.chunk_ids(batch_id) == [(f"{batch_id}-000", ChunkState.PLANNED)]
    sim.jobs.reports[arn] = unlisted
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1
