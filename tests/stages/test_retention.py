"""What has lain long enough goes by itself: folders of failures, raw lines.

Results and rows go only if a time is set for them, originals never.
"""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select, update

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import ChunkState, JobStatus
from daemon.adapters.tables import chunk_files, chunks, files, records
from daemon.adapters.views import Views
from schemas.facts import FindingMade, RawRemoved, Reconciled, ResultsRemoved
from schemas.messages import (
    CleanupChunk,
    RemoveRaw,
    RemoveResults,
    RemoveRows,
    ReparseBatch,
    RetryBatch,
    SubmitBatch,
    Sweep,
)
from tests.contracts.planting import NOW, plant
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere

DAY = 86_400


def actions(sim: Simulation) -> dict[str, int]:
    told: dict[str, int] = {}
    for fact in sim.facts:
        if isinstance(fact, Reconciled):
            told[fact.action] = told.get(fact.action, 0) + fact.count
    return told


def failed(sim: Simulation) -> str:
    """Let a job fail without output; its input folder stays behind."""
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="no access")
    assert sim.temporary_keys()
    return batch_id


def raw_keys(sim: Simulation, batch_id: str) -> list[str]:
    return sim.objects.keys(layout.raw_prefix(batch_id))


def ended(sim: Simulation, count: int) -> list[str]:
    """Put so many chunks into the store that failed long ago."""
    ids = plant(sim.store, "many", chunks=count, files=1)
    over = {"state": ChunkState.FAILED.value, "preparing_at": NOW, "finished_at": NOW}
    with sim.store.engine.begin() as connection:
        connection.execute(update(chunks).where(chunks.c.chunk_id.in_(ids)).values(over))
    return ids


def test_what_failed_is_swept_by_itself_once_it_is_old_enough(sim: Simulation) -> None:
    failed(sim)
    sim.pass_time(6 * DAY)
    sim.reconcile()
    assert sim.temporary_keys()
    sim.pass_time(2 * DAY)
    sim.reconcile(2)
    assert not sim.temporary_keys()
    assert actions(sim)["sweep_due"] == 1


def test_what_cannot_be_cleaned_is_swept_once_a_day_and_not_at_every_pass(sim: Simulation) -> None:
    failed(sim)
    sim.objects.undeletable = set(sim.temporary_keys())
    sim.pass_time(8 * DAY)
    for _ in range(48):
        sim.pass_time(DAY / 24)
        sim.reconcile()
    assert actions(sim)["sweep_due"] == 2


def test_nothing_old_no_sweep(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    sim.finish_all()
    sim.log.clear()
    for _ in range(3):
        sim.pass_time(10 * DAY)
        sim.reconcile()
    assert not [message for message in sim.log if isinstance(message, Sweep | RemoveRaw)]


def test_a_sweep_goes_on_behind_chunks_that_must_stay(sim: Simulation) -> None:
    ids = ended(sim, 250)
    unread = update(records).where(records.c.chunk_id.in_(ids[:120]))
    with sim.store.engine.begin() as connection:
        connection.execute(unread.values(outcome="MISSING", error_code="RESULT_FETCH_FAILED"))
    sim.post(Sweep(older_than_days=0))
    sim.now = NOW.replace(year=2027)
    sim.run()
    swept = [message.chunk_id for message in sim.log if isinstance(message, CleanupChunk)]
    assert sorted(swept) == ids[120:]


def test_raw_lines_go_after_their_time_and_the_results_stay(sim: Simulation) -> None:
    sim.objects.buckets["media"].versioned = True
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    raw, kept = raw_keys(sim, batch_id), set(sim.objects.keys())
    assert len(raw) == 2
    sim.pass_time(89 * DAY)
    sim.reconcile()
    assert raw_keys(sim, batch_id) == raw
    sim.pass_time(2 * DAY)
    sim.reconcile()
    assert not list(sim.objects.versions(layout.raw_prefix(batch_id)))
    assert set(sim.objects.keys()) == kept - set(raw)
    (told,) = [fact for fact in sim.facts if isinstance(fact, RawRemoved)]
    assert (told.batch_id, told.objects) == (batch_id, 2)
    assert actions(sim)["raw_due"] == 1
    sim.pass_time(2 * DAY)
    sim.reconcile()
    assert actions(sim)["raw_due"] == 1


def test_raw_lines_that_cannot_be_deleted_are_found_and_those_of_other_batches_go(sim: Simulation) -> None:
    batches = [sim.submit(sim.media(2, first=10 * n), f"r{n}", options={"reuse": "never"}) for n in range(3)]
    sim.finish_all()
    bad = sorted(batches)[0]
    sim.objects.fail_next("deletions", Denied("AccessDenied"), subject=layout.raw_prefix(bad), times=99)
    sim.post(RemoveRaw(older_than_days=1))
    sim.now = sim.now.replace(year=2027)
    sim.run()
    for _ in range(6):
        sim.pass_time(900)
    assert [bool(raw_keys(sim, each)) for each in sorted(batches)] == [True, False, False]
    (finding,) = [fact for fact in sim.facts if isinstance(fact, FindingMade)]
    assert (finding.kind, finding.subject) == ("raw_failing", bad)


def test_raw_lines_stay_while_output_of_their_batch_is_not_read(sim: Simulation) -> None:
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    output = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject=output, times=99)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(600)
    assert sim.batch(batch_id).finished_at is not None
    raw = raw_keys(sim, batch_id)
    assert len(raw) == 1
    sim.post(RemoveRaw(older_than_days=0))
    sim.now = sim.now.replace(year=2027)
    sim.run()
    assert raw_keys(sim, batch_id) == raw


def keep(sim: Simulation, results: int | None = None, rows: int | None = None) -> None:
    sim.policy = replace(sim.policy, result_retention_days=results, row_retention_days=rows)


def bought(sim: Simulation, request_id: str = "r") -> str:
    """An ended batch with a superseded attempt, a refused file and one that failed."""
    sim.small_chunks(2)
    sim.answers.plan("file-1:summary", error(503))
    sim.answers.plan("file-2:summary", error(400, "no"))
    batch_id = sim.submit(
        [*sim.media(4), {"file_id": 99, "s3_key": "gone.mov"}], request_id, analysis_types=["summary"]
    )
    sim.finish_all()
    return batch_id


def left_in_s3(sim: Simulation, batch_id: str) -> list[str]:
    return [each.key for each in sim.objects.versions(layout.results_prefix(batch_id))]


def rows(sim: Simulation) -> dict[str, int]:
    with sim.store.database.read() as connection:
        tables = (files, records, chunk_files)
        return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}


def test_results_and_rows_are_kept_unless_a_time_is_set(sim: Simulation) -> None:
    batch_id = bought(sim)
    there, stored = left_in_s3(sim, batch_id), rows(sim)
    sim.policy = replace(sim.policy, raw_retention_days=10_000)
    sim.pass_time(3000 * DAY)
    sim.reconcile(2)
    assert (left_in_s3(sim, batch_id), rows(sim)) == (there, stored)


def test_results_go_after_their_time_with_old_versions_and_the_rows_stay(sim: Simulation) -> None:
    keep(sim, results=30)
    sim.objects.buckets["media"].versioned = True
    batch_id = bought(sim)
    originals, stored, count = sim.objects.keys("proxy_video/"), rows(sim), sim.store.count(batch_id)
    sim.pass_time(29 * DAY)
    sim.reconcile()
    assert sim.results(batch_id)
    sim.pass_time(2 * DAY)
    sim.reconcile(2)
    assert left_in_s3(sim, batch_id) == []
    assert (sim.objects.keys("proxy_video/"), rows(sim), sim.store.count(batch_id)) == (
        originals,
        stored,
        count,
    )
    assert actions(sim)["results_due"] == 1
    [told] = [fact for fact in sim.facts if isinstance(fact, ResultsRemoved)]
    assert told.objects > 4


def test_rows_go_after_the_results_and_what_the_batch_came_to_and_cost_stays(sim: Simulation) -> None:
    keep(sim, results=30, rows=60)
    batch_id = bought(sim)
    views = Views(sim.store.engine, sim.models)
    status, count = views.status(batch_id), sim.store.count(batch_id)
    sim.pass_time(31 * DAY)
    sim.reconcile()
    sim.pass_time(31 * DAY)
    sim.reconcile()
    assert set(rows(sim).values()) == {0}
    assert sim.store.count(batch_id) == count
    assert views.status(batch_id) == status
    [entry] = [
        each
        for each in views.audit(None, batch_id, 1000)["entries"]
        if (each["verb"], each["phase"]) == ("remove_rows", "outcome")
    ]
    assert status is not None
    assert (entry["cost_usd"], entry["objects"]) == (status["cost_usd"], 5)
    assert actions(sim)["rows_due"] == 1
    sim.pass_time(2 * DAY)
    sim.reconcile()
    assert actions(sim)["rows_due"] == 1


def test_no_rows_go_while_their_results_are_there(sim: Simulation) -> None:
    bought(sim)
    stored = rows(sim)
    sim.now += timedelta(days=400)
    sim.post(RemoveRows(older_than_days=1))
    sim.run()
    assert rows(sim) == stored


def test_neither_results_nor_rows_go_while_a_folder_is_not_clean_or_the_batch_runs(sim: Simulation) -> None:
    batch_id = failed(sim)
    running = sim.submit(sim.media(2, first=50), "running")
    sim.now += timedelta(days=400)
    for message in (RemoveResults(older_than_days=1), RemoveRows(older_than_days=1)):
        sim.post(message)
        sim.run()
    assert left_in_s3(sim, batch_id)
    assert left_in_s3(sim, running)


def test_a_batch_that_is_gone_by_age_starts_nothing_again(sim: Simulation) -> None:
    keep(sim, results=1, rows=2)
    batch_id = bought(sim)
    jobs, request = len(sim.jobs.created), sim.store.request_of(batch_id)
    sim.pass_time(3 * DAY)
    sim.reconcile()
    sim.pass_time(3 * DAY)
    sim.reconcile()
    assert set(rows(sim).values()) == {0}
    sim.post(SubmitBatch.model_validate_json(request))
    sim.run()
    assert not sim.dead
    for message in (RetryBatch(batch_id=batch_id), ReparseBatch(batch_id=batch_id)):
        sim.post(message)
        sim.run()
    assert [refused.code for _, refused in sim.dead] == ["results_removed"] * 2
    assert len(sim.jobs.created) == jobs
    assert left_in_s3(sim, batch_id) == []


def test_a_kill_at_any_instant_of_a_removal_ends_in_the_same(simulate: NewSimulation) -> None:
    found: list[str] = []

    def make(lease: float) -> Simulation:
        sim = simulate()
        found[:] = [bought(sim)]
        sim.now += timedelta(days=400)
        sim.lease_seconds = lease
        return sim

    def act(sim: Simulation) -> None:
        for message in (RemoveResults(older_than_days=1), RemoveRows(older_than_days=1)):
            sim.post(message)
            sim.run()

    def outcome(sim: Simulation) -> object:
        return left_in_s3(sim, found[0]), rows(sim), sim.store.count(found[0]), sim.objects.keys()

    crash_everywhere(make, act, outcome)


def test_no_plan_ever_stands_without_the_results_of_what_it_bought(sim: Simulation) -> None:
    """A rebuild would buy that again."""
    batch_id = bought(sim)
    sim.now += timedelta(days=400)
    seen: list[bool] = []

    def look(call: str) -> None:
        if call.startswith("objects.deletions"):
            there = left_in_s3(sim, batch_id)
            plans = [key for key in there if key.startswith(layout.plans_prefix(batch_id))]
            seen.append(not plans or layout.results_key(batch_id) in there)

    sim.on_call = look
    sim.post(RemoveResults(older_than_days=1))
    sim.run()
    assert seen
    assert all(seen)
